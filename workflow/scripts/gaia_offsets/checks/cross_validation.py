"""What corrections learned from some of the stars say of the others: by star and by blocks of the sky."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.columns import PARALLAXES
from gaia_offsets.maps import kernel as smooth_kernel
from gaia_offsets.maps import nodes as smooth_nodes
from gaia_offsets.maps import windows as smooth_windows
from gaia_offsets.offsets.groups import MAD_TO_SIGMA
from gaia_offsets.offsets.resample import jackknife_error, linear_mean, without_blocks
from gaia_offsets.offsets.scatter import SCATTER_NSIDE, fit_scatter
from gaia_offsets.offsets.stars import drawn_stars, star_table, variances
from gaia_offsets.offsets.statistics import group_statistics
from gaia_offsets.offsets.weighted import weighted_means
from gaia_offsets.sky.positions import pixel_index, sky_blocks

SPLITS = ("star", "block")
CORRECTIONS = ("none", "official", "official_global", "official_map", "official_smooth")
CONSTANT = "official_global"
OUTLIER = 5.0  # sd from the constant: a star beyond is left out of every score, which one such star could decide
COLUMNS = ["split", "correction", "n", "left_out", "covered", "log_predictive_density", "gain", "gain_error"]
COLUMNS += ["gain_over_constant", "gain_over_constant_error", "residual_scatter"]


@dataclass(frozen=True)
class Learning:
    """How the corrections are learned: `nside`, `more_than` stars a pixel and the fit of the map, reach and splines of
    the smooth map.
    """

    reference_kind: str
    nside: int
    more_than: int
    gaussian: Mapping[str, Any]
    reach_deg: float
    splines: int


def cross_validation(stars: pd.DataFrame, learning: Learning, *, folds: int, seed: int) -> pd.DataFrame:
    """cross_validation.csv: how well each correction predicts the `stars` of a fold, learned from the other folds.

    The stars have their colour [1/um] as `colour`. `log_predictive_density` is the mean logarithm of a Gaussian's
    density at the stars' differences [1 / uas], `gain` its excess over the official zero point's, `gain_over_constant`
    that over official_global's, with errors by the jackknife over blocks of the sky. `covered` is the share of the
    stars for which the correction has a value of its own: elsewhere the maps have the constant. `residual_scatter`
    [uas] is robust. All is null where no star has both errors, and by block where all stars lie in one. Of more stars
    than `drawn_stars` takes the drawn ones are those that are there.
    """
    stars = drawn_stars(stars)
    ra, dec = stars["ra"].to_numpy(), stars["dec"].to_numpy()
    blocks, tables = sky_blocks(ra, dec), []
    for split, labels in (("star", stars["source_id"].to_numpy()), ("block", blocks)):
        predicted = held_out(stars, assign_folds(labels, folds=folds, seed=seed), learning)
        tables.append(scores(predicted, blocks).assign(split=split))
    return pd.concat(tables, ignore_index=True)[COLUMNS]


def assign_folds(labels: np.ndarray, *, folds: int, seed: int) -> np.ndarray:
    """Fold (N,) of each star, one for all that share a label."""
    names, index = np.unique(labels, return_inverse=True)
    return (np.random.default_rng(seed).permutation(len(names)) % folds)[index]


def held_out(stars: pd.DataFrame, fold: np.ndarray, learning: Learning) -> dict[str, pd.DataFrame]:
    """For each correction and star what the other folds say: `residual` and `variance` [uas], and `covered`.

    Everything is learned in the other folds: the stars' scatter, the constant, the maps and the kernel.
    """
    ra, dec = stars["ra"].to_numpy(), stars["dec"].to_numpy()
    pixel = pixel_index(ra, dec, nside=learning.nside, ordering="nested")
    patch = pixel_index(ra, dec, nside=SCATTER_NSIDE, ordering="nested")
    by_parallax = {parallax: star_table(stars, parallax, learning.reference_kind) for parallax in PARALLAXES}
    results = {name: np.full((3, len(stars)), np.nan) for name in CORRECTIONS}
    for held in (fold == k for k in np.unique(fold)):
        training = ~held
        if not training.any():
            continue
        variance = {}
        for parallax, errors in by_parallax.items():
            scatter = fit_scatter(errors.restrict(training), patch[training])
            variance[parallax] = variances(errors, scatter)
        difference = by_parallax["corrected"].difference
        learned = corrections(
            stars[training],
            difference[training],
            variance["corrected"][training],
            pixel[training],
            np.unique(pixel[held]),
            learning,
        )
        for name in CORRECTIONS:
            parallax = "raw" if name == "none" else "corrected"
            offset, error, covered = at_pixels(learned.get(name), pixel[held])
            residual = by_parallax[parallax].difference[held] - offset
            results[name][:, held] = residual, variance[parallax][held] + error**2, covered
    columns = ["residual", "variance", "covered"]
    return {name: pd.DataFrame(dict(zip(columns, values, strict=True))) for name, values in results.items()}


Learned = tuple[float, float, pd.DataFrame | None]


def at_pixels(learned: Learned | None, pixel: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Offset, error and whether it is the correction's own, (N,) each: of a map, else of its constant, else 0."""
    constant, error, table = learned or (0.0, 0.0, None)
    if table is None:
        return np.full(len(pixel), constant), np.full(len(pixel), error), np.ones(len(pixel), dtype=bool)
    here = table.set_index("hindex")[["offset", "error"]].reindex(pixel).to_numpy()
    covered = np.isfinite(here).all(axis=1)
    return np.where(covered, here[:, 0], constant), np.where(covered, here[:, 1], error), covered


def corrections(
    stars: pd.DataFrame,
    difference: np.ndarray,
    variance: np.ndarray,
    pixel: np.ndarray,
    wanted: np.ndarray,
    learning: Learning,
) -> dict[str, Learned]:
    """Constant, its error and a table hindex, offset, error [uas] of each correction that is learned from the stars.

    The smooth map has the pixels of the stars, and of the `wanted` ones those that it reaches.
    """
    _, mean, mean_error = weighted_means(difference, variance, np.zeros(len(stars), dtype=np.int64))
    constant = (mean[0], mean_error[0]) if len(mean) else (np.nan, np.nan)
    pixels = group_statistics(stars["offset_corrected"].to_numpy(), pixel, learning.gaussian)
    pixels = pixels[pixels["n"] > learning.more_than].rename_axis("hindex").reset_index()
    names = {"gaussian_mean": "offset", "gaussian_mean_error": "error"}
    terms = smooth_nodes.design(smooth_nodes.curves_of(stars, learning.splines, pixel), stars)
    sums = smooth_nodes.PixelSums(learning.nside.bit_length() - 1, terms.shape[1])
    scale = smooth_nodes.outlier_scale(difference, variance)
    sums.add(difference, smooth_nodes.robust_weights(difference, variance, scale), pixel, terms)
    nodes = sums.nodes()
    try:
        kernels = smooth_kernel.learn_kernels(nodes)
        field = smooth_windows.smooth_map(nodes, kernels, reach_deg=learning.reach_deg, wanted=wanted)
    except smooth_kernel.NoMap:
        field = pd.DataFrame(columns=["hindex", "offset", "error"], dtype=float)
    return {
        "official_global": (*constant, None),
        "official_map": (*constant, pixels.rename(columns=names)),
        "official_smooth": (*constant, field),
    }


def scores(predicted: Mapping[str, pd.DataFrame], blocks: np.ndarray) -> pd.DataFrame:
    """One row each correction; the same stars for all, `blocks` (N,) those of the sky."""
    known = np.all([np.isfinite(one["residual"] + one["variance"]) for one in predicted.values()], axis=0)
    with np.errstate(invalid="ignore"):
        near = (predicted[CONSTANT]["residual"] ** 2 < OUTLIER**2 * predicted[CONSTANT]["variance"]).to_numpy()
    use = known & near
    density = {
        name: -0.5 * (np.log(2 * np.pi * one["variance"]) + one["residual"] ** 2 / one["variance"]).to_numpy()[use]
        for name, one in predicted.items()
    }
    rows = []
    for name, one in predicted.items():
        row = {"correction": name, "n": int(use.sum()), "left_out": int((known & ~near).sum())}
        if use.any():
            residual = one["residual"][use]
            row |= {"covered": one["covered"][use].mean(), "log_predictive_density": density[name].mean()}
            row["residual_scatter"] = MAD_TO_SIGMA * (residual - residual.median()).abs().median()
            for column, yardstick in (("gain", "official"), ("gain_over_constant", CONSTANT)):
                gains = density[name] - density[yardstick]
                row[column] = gains.mean()
                fit = linear_mean(gains, np.zeros(len(gains), dtype=np.int64))
                row[f"{column}_error"] = jackknife_error(gains.mean(), *without_blocks(fit, blocks[use]))
        rows.append(row)
    return pd.DataFrame(rows).reindex(columns=COLUMNS[1:])
