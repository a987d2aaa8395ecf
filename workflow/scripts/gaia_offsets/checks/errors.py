"""More errors of the global offsets: bootstrap over stars, jackknife over the sky, Gaia's correlated floor."""

from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.offsets import resample
from gaia_offsets.offsets.binned import Part, by_solution
from gaia_offsets.offsets.scatter import Scatter
from gaia_offsets.offsets.stars import drawn_stars
from gaia_offsets.sky.covariance import mean_covariance
from gaia_offsets.sky.positions import pixel_index, pixel_vectors, sky_blocks

FLOOR = {"nside": 64, "ordering": "nested"}  # pixels that stand for their stars: a degree, below which little changes
COLUMNS = ["solution", "parallax", "estimator", "value", "analytic_error", "bootstrap_error", "jackknife_error"]
COLUMNS += ["correlated_floor", "n", "blocks"]
ANALYTIC = {name: f"{name}_error" for name in ("median", "mean", "gaussian_mean", "weighted_mean")}


def error_table(
    tracers: pd.DataFrame, scatter: Scatter, offsets: pd.DataFrame, gaussian: dict[str, Any], bootstrap: dict[str, int]
) -> pd.DataFrame:
    """errors.csv [uas]: one row each solution, parallax and estimator of global_offsets.csv.

    `n` and `blocks` are the stars and the blocks of the sky that count in the estimate. An estimate that is null has
    null errors; the jackknife needs resample.MIN_BLOCKS blocks. Of a solution with more stars than `drawn_stars` takes
    the errors are those of the drawn ones, the bootstrap's made smaller by the root of their share.
    """
    drawn = drawn_stars(tracers)
    share = drawn["solution"].value_counts() / tracers["solution"].value_counts()
    given = offsets.set_index(["solution", "parallax"])
    parts = [
        one
        for one in by_solution(drawn, given.index.unique("solution"), scatter, sky=True, columns=["ra", "dec"])
        if (one.solution, one.parallax) in given.index
    ]
    fits = [linearised(part, gaussian) for part in parts]
    floors, errors = correlated_floors(parts, fits), bootstrap_errors(fits, bootstrap)
    rows = []
    for part, some, floor, error in zip(parts, fits, floors, errors, strict=True):
        row = given.loc[(part.solution, part.parallax)]
        blocks = sky_blocks(part.stars["ra"].to_numpy(), part.stars["dec"].to_numpy())
        for name, analytic in ANALYTIC.items():
            stars = some.get(name, some["mean"]).groups.rows  # the fit of a histogram is of the same stars
            columns = {"value": row[name], "analytic_error": row[analytic], "n": len(stars)}
            columns["blocks"] = len(np.unique(blocks[stars]))
            columns["correlated_floor"] = floor[int(name == "weighted_mean")]
            if name in some and len(stars) and np.isfinite(row[name]):  # the fit of a histogram has no slopes
                without = resample.without_blocks(some[name], blocks)
                columns["bootstrap_error"] = float(error[name][0] * np.sqrt(share[part.solution]))
                columns["jackknife_error"] = resample.jackknife_error(float(some[name].estimate[0]), *without)
            rows.append({"solution": part.solution, "parallax": part.parallax, "estimator": name, **columns})
    return pd.DataFrame(rows, columns=COLUMNS)


def linearised(part: Part, gaussian: dict[str, Any]) -> dict[str, resample.Linearised]:
    """The estimators that have slopes, of all stars of a solution and parallax as one group."""
    one = np.zeros(len(part.offset), dtype=np.int64)
    fits = {
        "median": resample.linear_median(part.offset, one),
        "mean": resample.linear_mean(part.offset, one),
        "weighted_mean": resample.linear_weighted(part.difference, part.variance, one),
    }
    if gaussian["method"] == "density_power":
        fits["gaussian_mean"] = resample.linear_gaussian(part.offset, one, beta=gaussian["beta"])
    return fits


def correlated_floors(parts: list[Part], fits: list[dict[str, resample.Linearised]]) -> np.ndarray:
    """Root of what Gaia's correlated errors leave of mean and weighted mean, (parts, 2) uas; null without stars.

    All parts at once: the covariances of the pixels are the same for all.
    """
    shares = np.zeros((12 * FLOOR["nside"] ** 2, len(parts), 2))
    for k, (part, some) in enumerate(zip(parts, fits, strict=True)):
        pixel = pixel_index(part.stars["ra"].to_numpy(), part.stars["dec"].to_numpy(), **FLOOR)
        for kind, name in enumerate(("mean", "weighted_mean")):
            shares[:, k, kind] = np.bincount(pixel[some[name].groups.rows], some[name].size, minlength=len(shares))
    pixels = np.flatnonzero(shares.any(axis=(1, 2)))
    weights = shares[pixels].reshape(len(pixels), -1)
    known = weights.any(axis=0)
    floors = np.full(len(known), np.nan)
    floors[known] = np.sqrt(mean_covariance(pixel_vectors(pixels, **FLOOR), weights[:, known]))
    return floors.reshape(-1, 2)


def bootstrap_errors(
    fits: list[dict[str, resample.Linearised]], bootstrap: dict[str, int]
) -> list[dict[str, np.ndarray]]:
    """Errors of the estimators that have slopes, by name, of each part; stars of one number are drawn once for all."""
    names = [(k, name) for k, some in enumerate(fits) for name in some if name != "median"]
    drawn = resample.bootstrap_errors([fits[k][name] for k, name in names], **bootstrap)
    errors = [{"median": resample.bootstrap_medians(some["median"].groups, **bootstrap)} for some in fits]
    for (k, name), error in zip(names, drawn, strict=True):
        errors[k][name] = error
    return errors
