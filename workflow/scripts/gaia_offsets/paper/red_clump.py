"""Fig. 3: reference parallaxes against those of a red clump catalogue."""

from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.offsets.statistics import group_statistics
from gaia_offsets.paper.comparison import column
from gaia_offsets.sky.match import match_nearest, propagate


def clump_of_sample(stars: pd.DataFrame) -> pd.DataFrame:
    """The stars of a sample as a red clump catalogue: ra, dec [deg] and distance [kpc] by their reference parallax."""
    return stars[["ra", "dec"]].assign(distance=1.0 / column(stars, "reference_parallax", "Fig. 3"))


def red_clump_pairs(
    stars: pd.DataFrame, red_clump: pd.DataFrame, *, release_epoch: float, epoch: float, radius_arcsec: float
) -> pd.DataFrame:
    """Fig. 3: tracers that are in the red clump catalogue, with both parallaxes.

    `stars` has the Gaia columns and the reference parallax, `red_clump` ra, dec [deg] at `epoch` (Julian year) and
    distance [kpc]. Columns: source_id, separation [arcsec], reference_parallax, red_clump_parallax [mas], difference
    [uas] = reference minus red clump.
    """
    motion = [column(stars, name, "Fig. 3") if name in stars else np.zeros(len(stars)) for name in ("pmra", "pmdec")]
    then = propagate(stars["ra"].to_numpy(), stars["dec"].to_numpy(), *motion, epoch - release_epoch)
    index, separation, _ = match_nearest(*then, red_clump["ra"].to_numpy(), red_clump["dec"].to_numpy(), radius_arcsec)
    distance = red_clump["distance"].to_numpy(dtype=float)
    matched = (index >= 0) & (distance[index] > 0 if len(distance) else False)
    reference = column(stars, "reference_parallax", "Fig. 3")[matched]
    clump = 1.0 / distance[index[matched]]
    pairs = pd.DataFrame(
        {
            "source_id": stars["source_id"].to_numpy()[matched],
            "separation": separation[matched],
            "reference_parallax": reference,
            "red_clump_parallax": clump,
            "difference": 1000.0 * (reference - clump),
        }
    )
    return pairs[np.isfinite(pairs["difference"])].reset_index(drop=True)


def symmetric_parallax(pairs: pd.DataFrame, *, reference_error: float, red_clump_error: float) -> np.ndarray:
    """Mean of the logarithms of the two parallaxes, weighted so that its error is not that of their difference [mas].

    With fractional errors f and g of reference and red clump, x = w ln(reference) + (1 - w) ln(red clump) and
    d = ln(reference) - ln(red clump) have the error covariance w f^2 - (1 - w) g^2, which is 0 for
    w = g^2 / (f^2 + g^2). Bins in either parallax itself lack this: a star is in a low bin in part because that
    parallax is too low, which tilts the difference.
    """
    weight = red_clump_error**2 / (reference_error**2 + red_clump_error**2)
    logs = np.log(pairs["reference_parallax"].to_numpy()), np.log(pairs["red_clump_parallax"].to_numpy())
    return np.exp(weight * logs[0] + (1.0 - weight) * logs[1])


def red_clump_trend(
    pairs: pd.DataFrame, abscissae: dict[str, np.ndarray], *, width: float, min_stars: int, gaussian: dict[str, Any]
) -> pd.DataFrame:
    """Median relative difference in bins of parallax, for each abscissa (N,) [mas].

    Columns: abscissa, bin_low, bin_high, x_mean [uas], n, median, median_error [%] of reference / red clump - 1. Bins
    are `width` uas wide; those with fewer than `min_stars` pairs are left out.
    """
    relative = 100.0 * (pairs["reference_parallax"] / pairs["red_clump_parallax"] - 1.0).to_numpy()
    tables = []
    for name, parallax in abscissae.items():
        number = np.floor(1000.0 * parallax / width).astype(np.int64)
        table = group_statistics(relative, number, gaussian)[["n", "median", "median_error"]]
        x_mean = pd.Series(1000.0 * parallax).groupby(number).mean()
        bins = {"bin_low": table.index * width, "bin_high": (table.index + 1) * width, "x_mean": x_mean[table.index]}
        table = pd.concat([pd.DataFrame({"abscissa": name, **bins}, index=table.index), table], axis=1)
        tables.append(table[table["n"] >= min_stars])
    return pd.concat(tables, ignore_index=True)


def red_clump_summary(pairs: pd.DataFrame, catalogue_rows: int, gaussian: dict[str, Any]) -> pd.DataFrame:
    """One row: statistics of the differences [uas], rows of the catalogue, and the scatter of the ratio.

    `relative_scatter` is the robust standard deviation of ln(reference / red clump): both distances' errors together.
    """
    zeros = np.zeros(len(pairs), dtype=np.int64)
    table = group_statistics(pairs["difference"].to_numpy(), zeros, gaussian)
    ratio = np.log(pairs["reference_parallax"] / pairs["red_clump_parallax"]).to_numpy()
    table["relative_scatter"] = group_statistics(ratio, zeros, {"method": "density_power", "beta": 0.3})["gaussian_sd"]
    table["catalogue_rows"] = catalogue_rows
    return table.reset_index(drop=True)
