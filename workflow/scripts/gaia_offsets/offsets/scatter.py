"""Scatter of the stars beyond their stated errors: a factor on Gaia's errors and an extra scatter (scatter.csv)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.log import say
from gaia_offsets.offsets.groups import MAD_TO_SIGMA
from gaia_offsets.offsets.stars import Stars, variances
from gaia_offsets.offsets.weighted import weighted_means

SCATTER = ("n", "degrees", "factor", "extra", "centre", "pull_sd")
SCATTER_BETA = 0.3  # density power of the fit of the scatter, as in the Gaussian fit of the paper's estimator
SCATTER_NSIDE = 32  # of its groups, pixels of 3.4 deg2: the pattern on the sky hardly changes inside one
FACTOR_RANGE = (0.3, 10.0)
MIN_DEGREES = 20, 200  # stars minus groups that it takes to fit the factor, and the extra scatter as well


@dataclass(frozen=True)
class Scatter:
    """scatter.csv of a sample: `factor` and `extra` [uas] of each solution and parallax; and its kind of reference.

    `sky_factor` and `sky_extra` count the pattern on the sky as scatter.
    """

    reference_kind: str
    table: pd.DataFrame

    def of(self, solution: str, parallax: str, *, sky: bool = False) -> dict[str, float]:
        """Factor on Gaia's errors, extra scatter [uas] and median difference [uas]; null where nothing is known.

        With `sky` for numbers of stars of the whole sky: what is left out of Gaia's scatter gives its parallax too much
        weight in the combined one, whose error is then not uncorrelated with the difference.
        """
        row = self.table[(self.table["solution"] == solution) & (self.table["parallax"] == parallax)]
        names = {"factor": "sky_factor", "extra": "sky_extra"} if sky else {"factor": "factor", "extra": "extra"}
        names["centre"] = "centre"
        return {name: float(row[column].iloc[0]) if len(row) else np.nan for name, column in names.items()}


def fit_scatter(stars: Stars, pixels: np.ndarray | None = None) -> dict[str, Any]:
    """Factor on Gaia's errors and extra scatter [uas] that explain the scatter of the stars.

    It is the scatter within `pixels` (N,), nested and of SCATTER_NSIDE, so that the pattern of the offsets is no
    scatter; in larger pixels where a thin sample leaves too few degrees of freedom; without `pixels` that of all stars
    together. Both numbers minimise the density power divergence (Basu et al. 1998) of Gaussians with each star's own
    variance: outliers count little. With fewer degrees of freedom than MIN_DEGREES the extra scatter is 0, with fewer
    still the factor is 1.

    Returns `n` stars with both errors, `degrees` of freedom, `factor`, `extra`, `centre`, the median difference, and
    `pull_sd`, the robust sd of the pulls with the published errors. Null, with n = 0, without such a star.
    """
    from scipy.optimize import minimize

    difference = stars.difference
    known = np.flatnonzero(np.isfinite(difference + stars.gaia_error + stars.fraction + stars.reference_error))
    if len(known) == 0:
        return dict.fromkeys(SCATTER, np.nan) | {"n": 0, "degrees": 0}
    groups = np.zeros(len(known), dtype=np.int64) if pixels is None else pixels[known].astype(np.int64)
    while (degrees := len(groups) - len(np.unique(groups))) < MIN_DEGREES[1] and groups.any():
        groups = groups >> 2  # four nested pixels make one; base pixels go on in fours, to one group of all
    _, group, counts = np.unique(groups, return_inverse=True, return_counts=True)
    use = known[counts[group] > 1]
    scatter = {"factor": 1.0, "extra": 0.0, "centre": float(np.median(difference[known]))}
    row = {"n": len(known), "degrees": degrees}
    if degrees < MIN_DEGREES[0]:
        return row | scatter | {"pull_sd": np.nan}
    part = stars.restrict(use)
    group, values = group[counts[group] > 1], difference[use]
    unit = float(np.median(part.gaia_error)) or 1.0
    pulls = None
    for _ in range(3):  # the groups' means depend a little on the scatter
        variance = variances(part, scatter)
        labels, mean, error = weighted_means(values, variance, group)
        at = np.searchsorted(labels, group)
        deviation = values - mean[at]
        share = np.maximum(1.0 - error[at] ** 2 / variance, 1e-3)  # what the mean, which holds the star, leaves of it
        pulls = deviation / np.sqrt(share * variance) if pulls is None else pulls
        reference = variance - (scatter["factor"] * part.gaia_error) ** 2 - scatter["extra"] ** 2
        best = minimize(
            _divergence,
            [scatter["factor"], max(scatter["extra"] / unit, 0.1) if degrees >= MIN_DEGREES[1] else 0.0],
            args=(deviation / unit, part.gaia_error / unit, reference / unit**2, share),
            method="L-BFGS-B",
            jac=True,
            bounds=[FACTOR_RANGE, (0.0, None if degrees >= MIN_DEGREES[1] else 0.0)],
        )
        scatter |= {"factor": float(best.x[0]), "extra": float(unit * best.x[1])}
    if not best.success or best.x[0] in FACTOR_RANGE:
        say(f"WARNING: the fit of the scatter of {len(use)} stars ended at a factor of {best.x[0]:.3g}: {best.message}")
    robust = MAD_TO_SIGMA * float(np.median(np.abs(pulls - np.median(pulls))))
    return row | scatter | {"pull_sd": robust}


def both_scatters(stars: Stars, pixel: np.ndarray) -> dict[str, Any]:
    """A row of scatter.csv: SCATTER, and `sky_factor` and `sky_extra` of all stars as one group.

    `pixel` (N,) are pixels of SCATTER_NSIDE.
    """
    sky = fit_scatter(stars)
    return fit_scatter(stars, pixel) | {"sky_factor": sky["factor"], "sky_extra": sky["extra"]}


def _divergence(
    parameters: np.ndarray, deviation: np.ndarray, gaia_error: np.ndarray, reference: np.ndarray, share: np.ndarray
) -> tuple[float, np.ndarray]:
    """Density power divergence, up to a constant, of Gaussians with each star's variance; arrays (N,) in one unit.

    With its slopes by the two parameters, factor and extra scatter.
    """
    factor, extra = parameters
    beta, level = SCATTER_BETA, 1.0 / np.sqrt(1.0 + SCATTER_BETA)
    gaia_variance = gaia_error**2
    variance = np.maximum(share * (factor**2 * gaia_variance + extra**2 + reference), 1e-12)
    square = deviation**2 / variance
    peak = np.exp(-0.5 * beta * np.log(variance))
    bell = (1.0 + 1.0 / beta) * np.exp(-0.5 * beta * square)
    slope = peak * (level - bell * (1.0 - square)) * share / variance
    by_factor, by_extra = factor * (slope * gaia_variance).mean(), extra * slope.mean()
    return float((peak * (level - bell)).mean()), -beta * np.array([by_factor, by_extra])
