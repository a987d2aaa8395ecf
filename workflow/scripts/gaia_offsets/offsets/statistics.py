"""Statistics of the offsets of each group: a run has one group, a trend its bins, a map its pixels (Sect. 3)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.offsets.gaussian import fit_density_power, fit_histogram
from gaia_offsets.offsets.groups import group_stars

STATISTICS = (
    "n",
    "median",
    "median_error",
    "mean",
    "mean_error",
    "sd",
    "gaussian_mean",
    "gaussian_mean_error",
    "gaussian_sd",
)


def group_statistics(values: np.ndarray, labels: np.ndarray, gaussian: dict[str, Any]) -> pd.DataFrame:
    """The columns STATISTICS for each group, indexed by its label, ascending; null values are left out.

    `values` (N,) in any unit, which the result keeps; `labels` (N,) of the groups. `median_error` is half the distance
    of the order statistics at n/2 +- sqrt(n)/2, which needs no assumption on the distribution; `mean_error` is
    sd / sqrt(n); `gaussian_mean_error` is gaussian_sd / sqrt(n), the error of the paper's Table 1. `gaussian` is
    `{method: density_power, beta}` or `{method: histogram, histogram_bins}`. Errors, sd and Gaussian mean of
    a single star are null; by histogram the Gaussian columns are, of fewer than 5 stars.

    >>> offsets, pixels = np.array([-30.0, -20.0, -40.0, 5.0]), np.array([7, 7, 7, 9])
    >>> table = group_statistics(offsets, pixels, {"method": "density_power", "beta": 0.3})
    >>> table[["n", "median", "mean", "mean_error"]].round(2)
       n  median  mean  mean_error
    7  3   -30.0 -30.0        5.77
    9  1     5.0   5.0         NaN
    """
    groups = group_stars(values, labels)
    n = groups.counts
    mean = groups.sums(groups.values) / n
    squares = groups.sums((groups.values - groups.spread(mean)) ** 2)
    sd = np.sqrt(squares / np.where(n > 1, n - 1, np.nan))
    middle, reach = (n - 1) / 2, np.sqrt(n) / 2
    low, high = groups.quantile_at(middle - reach), groups.quantile_at(middle + reach)
    if gaussian["method"] == "histogram":
        core_mean, core_sd = fit_histogram(groups, bins=gaussian["histogram_bins"])
    else:
        core_mean, core_sd = fit_density_power(groups, beta=gaussian["beta"])
    columns = {
        "n": n.astype(np.int64),
        "median": groups.medians(),
        "median_error": np.where(n > 1, (high - low) / 2, np.nan),
        "mean": mean,
        "mean_error": sd / np.sqrt(n),
        "sd": sd,
        "gaussian_mean": core_mean,
        "gaussian_mean_error": core_sd / np.sqrt(n),
        "gaussian_sd": core_sd,
    }
    return pd.DataFrame(columns, index=groups.labels)
