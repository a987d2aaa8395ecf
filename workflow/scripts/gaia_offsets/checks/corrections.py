"""The corrections of a sample side by side: global offset, distance scale, and what each leaves beyond noise."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.columns import PARALLAXES
from gaia_offsets.offsets import resample
from gaia_offsets.offsets.binned import PARALLAX_OF_BINS, WEIGHTED, Part, trend_variables
from gaia_offsets.offsets.line import zero_point_and_scale
from gaia_offsets.offsets.scatter import SCATTER_NSIDE, Scatter, both_scatters
from gaia_offsets.offsets.stars import Stars, chosen_parallax, drawn_stars, star_table, variances
from gaia_offsets.offsets.weighted import hampel_weights, weighted_means
from gaia_offsets.sky.positions import pixel_index, sky_blocks

LEFT = ("phot_g_mean_mag", "colour", "sin_ecl_lat", "sky")
COLUMNS = ["correction", "solution", "n", "median", "median_error", *WEIGHTED, "median_jackknife_error", "blocks"]
COLUMNS += ["scale_low", "scale_high", "scale", "scale_error", "reference_parallax"]
COLUMNS += [f"{name}_left{error}" for name in LEFT for error in ("", "_error")]


def correction_table(
    tracers: pd.DataFrame,
    solutions: Mapping[str, str],
    scatter: Scatter,
    trends: pd.DataFrame,
    made: Mapping[str, Any],
    gaussian: dict[str, Any],
    corrections: Mapping[str, str],
) -> pd.DataFrame:
    """corrections.csv [uas]: one row each solution that has stars, and correction.

    `solutions` has the column of each class's colour, `corrections` names by the parallax they make: raw, corrected, or
    the name of another one. Where they have other stars of a solution, all rows are of those that all have, and a
    column `n_own` says how many each has; of a correction that has none there is an empty row. `scatter` is that of
    scatter.csv, to which the scatters of the others, and on fewer stars those of all, are added; `trends` is
    trends.csv, whose bins are taken; `made` is map_equatorial.json, whose pixels with more than `more_than` stars are
    taken.

    `scale_low` and `scale_high` are the offset at parallax 0, where a wrong distance scale has no effect, minus and
    plus its error; `scale` is Gaia's over the reference parallax; `reference_parallax` a median. `{x}_left` is what
    `left_over` says of the bins of x. Of a solution with more stars than `drawn_stars` takes the rows are of the drawn.
    """
    rows, columns, tracers = [], COLUMNS, drawn_stars(tracers)
    for solution, colour in solutions.items():
        stars = tracers[tracers["solution"] == solution]
        if stars.empty:
            continue
        own = {parallax: known_offsets(stars, parallax) for parallax in corrections}
        if (shared := shared_stars(own)) is not None:
            stars, columns = stars[shared], [*COLUMNS[:3], "n_own", *COLUMNS[3:]]
        ra, dec = stars["ra"].to_numpy(), stars["dec"].to_numpy()
        blocks = sky_blocks(ra, dec)
        groups = _bins(trend_variables(stars, colour), solution, trends)
        groups["sky"] = pixel_index(ra, dec, nside=made["nside"], ordering=made["ordering"])
        pixel = pixel_index(ra, dec, nside=SCATTER_NSIDE, ordering="nested")
        for parallax, name in corrections.items():
            errors = star_table(stars, parallax, scatter.reference_kind)
            if parallax not in PARALLAXES or shared is not None:
                row = {"solution": solution, "parallax": parallax, **both_scatters(errors, pixel)}
                # The first row of a parallax counts.
                scatter = Scatter(scatter.reference_kind, pd.concat([pd.DataFrame([row]), scatter.table]))
            offset = 1000.0 * (chosen_parallax(stars, parallax) - stars["reference_parallax"].to_numpy(dtype=float))
            variance = variances(errors, scatter.of(solution, parallax, sky=True))
            part = Part(solution, parallax, stars, offset, errors.difference, variance)
            row = {"correction": name, "solution": solution, "n_own": int(own[parallax].sum())}
            rows.append(row | _measured(part, errors, scatter, gaussian, blocks, groups, made["more_than"]))
    return pd.DataFrame(rows, columns=columns)


def known_offsets(stars: pd.DataFrame, parallax: str) -> np.ndarray:
    """Which stars (N,) have an offset after a correction."""
    return np.isfinite(chosen_parallax(stars, parallax) - stars["reference_parallax"].to_numpy(dtype=float))


def shared_stars(known: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Which stars (N,) all corrections have that have any; None where these have the same ones.

    `known` are the stars (N,) that each has, by parallax. The published parallax is no correction: it has more stars
    than any, and is held to the shared ones only where the corrections differ among themselves.
    """
    some = [has for parallax, has in known.items() if parallax != "raw" and has.any()]
    if all(np.array_equal(has, some[0]) for has in some):
        return None
    return np.logical_and.reduce(some)


def _bins(variables: Mapping[str, np.ndarray], solution: str, trends: pd.DataFrame) -> dict[str, np.ndarray]:
    """Bin (N,) of each star in each variable of trends.csv; -1 outside of the bins that are there."""
    trends = trends[(trends["solution"] == solution) & (trends["parallax"] == PARALLAX_OF_BINS)]
    bins_of_stars = {}
    for variable, x in variables.items():
        bins = trends[trends["variable"] == variable]
        index = np.searchsorted(bins["bin_low"], x, side="right") - 1
        # A null is beyond the last bin, and in none.
        bins_of_stars[variable] = np.where((index >= 0) & (x < np.append(bins["bin_high"], np.nan)[index]), index, -1)
    return bins_of_stars


def _measured(
    part: Part,
    errors: Stars,
    scatter: Scatter,
    gaussian: dict[str, Any],
    blocks: np.ndarray,
    groups: Mapping[str, np.ndarray],
    more_than: int,
) -> dict[str, Any]:
    """All of a row but its names."""
    offset, one = part.offset, np.zeros(len(part.offset), dtype=np.int64)
    table = part.statistics(np.ones(len(one), dtype=bool), one, gaussian)
    if table.empty:
        return {"n": 0, "blocks": 0}
    median = resample.linear_median(offset, one)
    jackknife = resample.jackknife_error(float(median.estimate[0]), *resample.without_blocks(median, blocks))
    line = zero_point_and_scale(errors, scatter.of(part.solution, part.parallax, sky=True))
    known = np.isfinite(offset)
    reference = part.stars["reference_parallax"].to_numpy(dtype=float)
    row = {
        **table[["n", "median", "median_error", *WEIGHTED]].to_dict("records")[0],
        "median_jackknife_error": jackknife,
        "blocks": len(np.unique(blocks[known])),
        "scale_low": line["zero_point"] - line["zero_point_error"],
        "scale_high": line["zero_point"] + line["zero_point_error"],
        "scale": line["scale"],
        "scale_error": line["scale_error"],
        "reference_parallax": 1000.0 * float(np.median(reference[known])),
    }
    within = variances(errors, scatter.of(part.solution, part.parallax))
    for name, labels in groups.items():
        # In a pixel the pattern on the sky is what is looked for; in a bin it is scatter.
        variance, least = (within, more_than) if name == "sky" else (part.variance, 1)
        left = left_over(part.difference, variance, labels, blocks, more_than=least)
        row |= dict(zip((f"{name}_left", f"{name}_left_error"), left, strict=True))
    return row


def left_over(
    difference: np.ndarray, variance: np.ndarray, groups: np.ndarray, blocks: np.ndarray, *, more_than: int
) -> tuple[float, float]:
    """What varies from group to group beyond the noise of the stars, as an sd [uas], and its error.

    `difference`, `variance` [uas, uas2], `groups` (-1: none) and `blocks` are (N,). The variance between the groups is
    that of DerSimonian & Laird 1986 (Control. Clin. Trials 7, 177), 0 where noise explains all. Its error is a
    jackknife over blocks, each star keeping its weight; that of the sd is the larger of the steps to a variance that is
    one error higher and lower, so that noise alone exceeds two errors in one case of twenty (tests). Null with
    fewer than two groups of more than `more_than` stars; the error with few blocks.
    """
    known = (groups >= 0) & np.isfinite(difference) & np.isfinite(variance) & (variance > 0)
    _, group, counts = np.unique(groups[known], return_inverse=True, return_counts=True)
    use = np.flatnonzero(known)[counts[group] > more_than]
    labels, group = np.unique(groups[use], return_inverse=True)
    if len(labels) < 2:
        return np.nan, np.nan
    _, mean, _ = weighted_means(difference[use], variance[use], groups[use])
    weight = hampel_weights((difference[use] - mean[group]) / np.sqrt(variance[use])) / variance[use]
    block_labels, block = np.unique(blocks[use], return_inverse=True)
    shape = (len(labels), len(block_labels))
    top, bottom = (
        np.bincount(group * shape[1] + block, part, minlength=shape[0] * shape[1]).reshape(shape)
        for part in (weight * difference[use], weight)
    )
    whole = float(_excess(top.sum(axis=1, keepdims=True), bottom.sum(axis=1, keepdims=True))[0])
    without = _excess(*(part.sum(axis=1, keepdims=True) - part for part in (top, bottom)))
    error = resample.jackknife_error(whole, without, bottom.sum(axis=0))
    low, sd, high = np.sqrt(np.maximum([whole - error, whole, max(whole, 0.0) + error], 0.0))
    return float(sd), float(np.maximum(high - sd, sd - low))


def _excess(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """Variance between groups beyond noise, (cases,), by sums of weight times value and of weight, (groups, cases)."""
    there = bottom > 1e-9 * bottom.max(axis=0)  # a group that lay in one block alone leaves rounding errors
    weight = np.where(there, bottom, 0.0)
    mean = np.where(there, top / np.where(there, bottom, 1.0), 0.0)
    total = weight.sum(axis=0)
    centre = (weight * mean).sum(axis=0) / total
    scatter = (weight * (mean - centre) ** 2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (scatter - (there.sum(axis=0) - 1)) / (total - (weight**2).sum(axis=0) / total)
