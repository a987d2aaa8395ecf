"""More errors of the global offsets: bootstrap over stars, jackknife over the sky, Gaia's correlated floor."""

import sys
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets import resample
from gaia_offsets.covariance import mean_covariance
from gaia_offsets.estimators import Part, by_solution, fit_histogram
from gaia_offsets.faults import open_log
from gaia_offsets.segments import Segments
from gaia_offsets.sky import pixel_index, sky_blocks
from gaia_offsets.smooth import unit_vectors
from gaia_offsets.tables import write_table
from gaia_offsets.weighted import Scatter

FLOOR = {"nside": 64, "ordering": "nested"}  # pixels that stand for their stars: a degree, below which little changes
COLUMNS = ["solution", "parallax", "estimator", "value", "analytic_error", "bootstrap_error", "jackknife_error"]
COLUMNS += ["correlated_floor", "n", "blocks"]
ANALYTIC = {name: f"{name}_error" for name in ("median", "mean", "gaussian_mean", "weighted_mean")}


def error_table(
    tracers: pd.DataFrame, scatter: Scatter, offsets: pd.DataFrame, gaussian: dict[str, Any], bootstrap: dict[str, int]
) -> pd.DataFrame:
    """errors.csv [uas]: one row each solution, parallax and estimator of global_offsets.csv.

    `n` and `blocks` are the stars and the blocks of the sky that count in the estimate. An estimate that is null has
    null errors; the jackknife needs resample.MIN_BLOCKS blocks.
    """
    given = offsets.set_index(["solution", "parallax"])
    rows = []
    for part in by_solution(tracers, scatter, sky=True):
        if (part.solution, part.parallax) not in given.index:
            continue
        stars, row = part.stars, given.loc[(part.solution, part.parallax)]
        ra, dec = stars["ra"].to_numpy(), stars["dec"].to_numpy()
        blocks, fits = sky_blocks(ra, dec), linearised(part, gaussian)
        pixels, place = np.unique(pixel_index(ra, dec, **FLOOR), return_inverse=True)
        shares = np.stack([_gathered(place, fits[name], len(pixels)) for name in ("mean", "weighted_mean")], axis=1)
        floor = np.sqrt(mean_covariance(unit_vectors(pixels, **FLOOR), shares)) if len(pixels) else np.full(2, np.nan)
        for name, analytic in ANALYTIC.items():
            fit = fits.get(name, fits["mean"])  # the fit of a histogram is of the same stars
            found = {"value": row[name], "analytic_error": row[analytic], "n": len(fit.rows)}
            found["blocks"] = len(np.unique(blocks[fit.rows]))
            found["correlated_floor"] = floor[int(name == "weighted_mean")]
            if len(fit.rows) and np.isfinite(row[name]):
                found |= _resampled(name, fits, part.offset, blocks, float(row[name]), gaussian, bootstrap)
            rows.append({"solution": part.solution, "parallax": part.parallax, "estimator": name, **found})
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


def _gathered(place: np.ndarray, fit: resample.Linearised, pixels: int) -> np.ndarray:
    """Sum of what the stars of each pixel count for; null without any."""
    total = np.bincount(place[fit.rows], fit.size, minlength=pixels)
    return total if total.any() else np.full(pixels, np.nan)


def _resampled(
    name: str,
    fits: dict[str, resample.Linearised],
    offset: np.ndarray,
    blocks: np.ndarray,
    value: float,
    gaussian: dict[str, Any],
    bootstrap: dict[str, int],
) -> dict[str, float]:
    """Bootstrap and jackknife error of one estimate."""
    segments = fits["mean"].segments
    if name in fits:
        without = resample.without_blocks(fits[name], blocks)
        if name == "median":
            error = resample.bootstrap_medians(segments, **bootstrap)
        else:
            error = resample.bootstrap_errors(fits[name], **bootstrap)
    else:

        def fit(some: Segments) -> np.ndarray:
            return fit_histogram(some, bins=gaussian["histogram_bins"])[0]

        error = resample.refit_errors(segments, fit, **resample.refits(bootstrap))
        without = resample.refit_without_blocks(fit, offset, blocks)
    return {"bootstrap_error": float(error[0]), "jackknife_error": resample.jackknife_error(value, *without)}


if __name__ == "__main__":
    open_log(snakemake.log[0])
    table = error_table(
        pd.read_parquet(snakemake.input.tracers),
        Scatter(snakemake.params.reference, pd.read_csv(snakemake.input.scatter)),
        pd.read_csv(snakemake.input.offsets),
        snakemake.params.gaussian,
        snakemake.params.bootstrap,
    )
    print(table.to_string(index=False), file=sys.stderr)
    write_table(table, snakemake.output.errors)
