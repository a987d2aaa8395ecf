"""The long version of Table 1: more statistics, errors of other kinds and the stars of each pixel."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.offsets import resample
from gaia_offsets.publish.dataset import by_parallax, rounded
from gaia_offsets.publish.fields import COLUMNS_OF, extended
from gaia_offsets.sky.healpix import hp
from gaia_offsets.tables.values import floats


def describe_pixels(
    table: pd.DataFrame,
    tracers: pd.DataFrame,
    pixel: np.ndarray,
    offsets: pd.DataFrame,
    solutions: Sequence[str],
    settings: Mapping[str, Any],
) -> pd.DataFrame:
    """The long version of Table 1: the columns `extended` of the same pixels.

    `table` is Table 1, `pixel` (N,) that of each tracer, `offsets` map_{frame}.csv. `solutions` are the measured
    classes, the standard one first. `settings` are nside and ordering, gaussian, bootstrap and systematic_uas.
    """
    standard, *others = solutions
    pixels, inside = pd.Index(table["hindex"]), np.isin(pixel, table["hindex"])
    use = inside & (tracers["solution"] == standard).to_numpy()
    stars, table = tracers[use], table.copy()
    means = stars[["phot_g_mean_mag", "bp_rp"]].groupby(pixel[use]).mean().reindex(pixels)
    for other in others:
        counts = pd.Series(pixel[inside & (tracers["solution"] == other).to_numpy()]).value_counts()
        table[f"n_{other}"] = counts.reindex(pixels, fill_value=0).to_numpy(dtype=np.int64)
    table["g_mean"], table["bp_rp_mean"] = means["phot_g_mean_mag"].to_numpy(), means["bp_rp"].to_numpy()
    parts = by_parallax(offsets[offsets["solution"] == standard], pixels)
    errors = pixel_errors(
        [stars[f"offset_{parallax}"].to_numpy() for parallax in parts],
        pixel[use],
        settings["gaussian"],
        **settings["bootstrap"],
    )
    for (parallax, rows), error in zip(parts.items(), errors, strict=True):
        names, grid = COLUMNS_OF[parallax], {key: settings[key] for key in ("nside", "ordering")}
        table[names.median], table[names.median_error] = floats(rows, "median"), floats(rows, "median_error")
        table[names.sd] = floats(rows, "sd")
        table[names.bootstrap_error] = error.reindex(pixels).to_numpy()
        measured = table[names.value].to_numpy(), table[names.error].to_numpy()
        table[names.z] = neighbour_consistency(pixels.to_numpy(), *measured, **grid)
    table["e_syst"] = settings["systematic_uas"]
    return rounded(table, extended(others))


def pixel_errors(
    offsets: Sequence[np.ndarray], groups: np.ndarray, gaussian: dict[str, Any], *, replicates: int, seed: int
) -> list[pd.Series]:
    """Bootstrap error of each group's Gaussian mean, the estimator of the map, by group label; null for a group of one.

    A series for each array (N,) of offsets; of method histogram, which has no slopes, all null.
    """
    fits = [resample.linear_gaussian(values, groups, beta=gaussian["beta"]) for values in offsets]
    if gaussian["method"] == "histogram":
        return [pd.Series(np.nan, index=fit.groups.labels) for fit in fits]
    errors = resample.bootstrap_errors(fits, replicates=replicates, seed=seed)
    return [pd.Series(error, index=fit.groups.labels) for error, fit in zip(errors, fits, strict=True)]


def neighbour_consistency(
    pixels: np.ndarray, values: np.ndarray, errors: np.ndarray, *, nside: int, ordering: str
) -> np.ndarray:
    """(value - mean of the up to 8 neighbours, weighted by 1 / error^2) / error of that difference, each (pixels,).

    `pixels` ascending. Null with fewer than 3 neighbours or without an error. About 1 in scatter where the offset does
    not change from pixel to pixel and the errors are right.
    """
    result = np.full(len(pixels), np.nan)
    if len(pixels) == 0:
        return result
    around = hp.get_all_neighbours(nside, pixels, nest=ordering == "nested")  # (8, pixels); -1 where there is none
    neighbour = np.minimum(np.searchsorted(pixels, around), len(pixels) - 1)
    weight = np.where((errors > 0) & np.isfinite(values), 1.0 / np.where(errors > 0, errors, 1.0) ** 2, 0.0)
    part = np.where(pixels[neighbour] == around, weight[neighbour], 0.0)
    enough = ((part > 0).sum(axis=0) >= 3) & (weight > 0)
    total = part.sum(axis=0)[enough]
    mean = (part * np.where(weight > 0, values, 0.0)[neighbour]).sum(axis=0)[enough] / total
    result[enough] = (values[enough] - mean) / np.sqrt(errors[enough] ** 2 + 1.0 / total)
    return result
