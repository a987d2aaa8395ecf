"""Offsets of all stars, in bins of one variable, and in pixels: Figs. 4 to 6 and Table 1 as tables [uas]."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.columns import FRAMES, PARALLAXES
from gaia_offsets.offsets.scatter import Scatter
from gaia_offsets.offsets.stars import MEASURED, star_table, variances
from gaia_offsets.offsets.statistics import STATISTICS, group_statistics
from gaia_offsets.offsets.weighted import weighted_means
from gaia_offsets.sky.positions import finest_nside

PARALLAX_OF_BINS = "raw"  # whose stars decide on the bins; the first of PARALLAXES
HISTOGRAM_REACH = 1000.0  # uas; stars beyond are in no bin
WEIGHTED = ("weighted_mean", "weighted_mean_error")


@dataclass(frozen=True)
class Part:
    """Stars of one solution with their offsets [uas] of one parallax, and what the weighted mean takes of them.

    `offset` is Gaia minus reference parallax as it stands; `difference` is Gaia minus the reference parallax that is
    freed from the mean of its lognormal error (stars.star_table).
    """

    solution: str
    parallax: str
    stars: pd.DataFrame
    offset: np.ndarray
    difference: np.ndarray
    variance: np.ndarray

    def statistics(self, use: np.ndarray, labels: np.ndarray, gaussian: dict[str, Any]) -> pd.DataFrame:
        """STATISTICS and WEIGHTED of groups, indexed by label; `labels` are those of the stars of the mask `use`."""
        table = group_statistics(self.offset[use], labels, gaussian)
        weighted = weighted_statistics(self.difference[use], self.variance[use], labels)
        return table.join(weighted).assign(solution=self.solution, parallax=self.parallax)


def by_solution(
    tracers: pd.DataFrame,
    solutions: Collection[str],
    scatter: Scatter | None,
    *,
    sky: bool,
    columns: Collection[str] = (),
) -> Iterator[Part]:
    """The stars of each solution and parallax, maybe none; without a fitted scatter their weighted means are null.

    `sky` where a group holds stars of many pixels: the pattern on the sky then counts as scatter. `columns` are those
    of `Part.stars`: a large sample has no room for a copy of all.
    """
    for solution in solutions:
        use = (tracers["solution"] == solution).to_numpy()
        stars = tracers.loc[use, list(columns)]
        for parallax, column in PARALLAXES.items():
            offset = tracers[column].to_numpy(dtype=float)[use]
            difference = variance = np.full(len(offset), np.nan)
            if scatter is not None:
                read = [name for name in MEASURED if name in tracers.columns and name not in PARALLAXES.values()]
                errors = star_table(tracers.loc[use, read], parallax, scatter.reference_kind)
                difference, variance = errors.difference, variances(errors, scatter.of(solution, parallax, sky=sky))
            yield Part(solution, parallax, stars, offset, difference, variance)


def weighted_statistics(difference: np.ndarray, variance: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """WEIGHTED of the groups, indexed by their labels (N,)."""
    groups, mean, error = weighted_means(difference, variance, labels)
    return pd.DataFrame(dict(zip(WEIGHTED, (mean, error), strict=True)), index=groups, dtype=float)


def _stack(tables: Sequence[pd.DataFrame], leading: Sequence[str]) -> pd.DataFrame:
    some = [table for table in tables if len(table)] or [pd.DataFrame()]
    return pd.concat(some, ignore_index=True).reindex(columns=[*leading, *STATISTICS, *WEIGHTED])


def global_offsets(
    tracers: pd.DataFrame, solutions: Collection[str], gaussian: dict[str, Any], scatter: Scatter | None = None
) -> pd.DataFrame:
    """global_offsets.csv: one row each solution and parallax that has stars [uas] (Fig. 4)."""
    tables = []
    for part in by_solution(tracers, solutions, scatter, sky=True):
        every = np.ones(len(part.offset), dtype=bool)
        tables.append(part.statistics(every, np.zeros(len(every), dtype=np.int64), gaussian))
    return _stack(tables, ["solution", "parallax"])


def histograms(tracers: pd.DataFrame, solutions: Collection[str], *, width: float) -> pd.DataFrame:
    """Counts of offsets in bins of `width` uas, the bins centred on 0, within HISTOGRAM_REACH (Fig. 4)."""
    half = np.ceil(HISTOGRAM_REACH / width - 0.5)
    edges = (np.arange(-half, half + 2) - 0.5) * width
    tables = []
    for part in by_solution(tracers, solutions, None, sky=True):
        counts = np.histogram(part.offset[np.isfinite(part.offset)], edges)[0]
        columns = {"bin_low": edges[:-1], "bin_high": edges[1:], "count": counts}
        tables.append(pd.DataFrame({"solution": part.solution, "parallax": part.parallax, **columns}))
    return pd.concat(tables, ignore_index=True)


def trend_variables(stars: pd.DataFrame, colour: str) -> dict[str, np.ndarray]:
    """What the offsets are binned in, (N,) each: G [mag], the column `colour` [1/um], sin(ecl_lat)."""
    return {
        "phot_g_mean_mag": stars["phot_g_mean_mag"].to_numpy(dtype=float),
        "colour": stars[colour].to_numpy(dtype=float),
        "sin_ecl_lat": np.sin(np.radians(stars["ecl_lat"].to_numpy(dtype=float))),
    }


def trends(
    tracers: pd.DataFrame,
    solutions: Mapping[str, str],
    edges: Mapping[str, Sequence[float]],
    *,
    min_stars: int,
    join: int | str,
    gaussian: dict[str, Any],
    scatter: Scatter | None = None,
) -> tuple[pd.DataFrame, dict[str, dict[str, int]]]:
    """trends.csv: statistics of the offsets in bins of one variable at a time (Fig. 5), and how many bins were joined.

    Bins are [low, high), the last one [low, high]. `solutions` has the column of each class's colour. `edges` holds
    increasing bin edges for phot_g_mean_mag [mag], colour [1/um] and sin_ecl_lat. `join` neighbouring bins are joined
    into one; `auto` joins 1, 2, 4, ..., as many as it takes until half of a solution's stars lie in bins with
    `min_stars`. Bins with fewer are left out. `x_mean` is the mean of the variable over the stars whose offset is
    known. The second result has the number joined by solution and variable, the same for both parallaxes.
    """
    tables, joined = [], {solution: {} for solution in solutions}
    columns = dict.fromkeys(["phot_g_mean_mag", "ecl_lat", *solutions.values()])
    for part in by_solution(tracers, solutions, scatter, sky=True, columns=columns):
        for variable, x in trend_variables(part.stars, solutions[part.solution]).items():
            edge = np.asarray(edges[variable], dtype=float)
            inside = np.isfinite(part.offset) & (x >= edge[0]) & (x <= edge[-1])
            # The last bin is closed, as in a histogram.
            fine = np.minimum(np.digitize(x[inside], edge), len(edge) - 1) - 1
            if part.parallax == PARALLAX_OF_BINS:
                counts = np.bincount(fine, minlength=len(edge) - 1)
                joined[part.solution][variable] = _bins_to_join(counts, min_stars) if join == "auto" else int(join)
            together = joined[part.solution][variable]
            table = part.statistics(inside, fine // together, gaussian)
            edge = np.append(edge[:-1:together], edge[-1])
            table.insert(0, "x_mean", np.bincount(fine // together, x[inside])[table.index] / table["n"])
            table.insert(0, "bin_high", edge[table.index + 1])
            table.insert(0, "bin_low", edge[table.index])
            tables.append(table[table["n"] >= min_stars].assign(variable=variable))
    return _stack(tables, ["solution", "parallax", "variable", "bin_low", "bin_high", "x_mean"]), joined


def _bins_to_join(numbers: np.ndarray, min_stars: int) -> int:
    """1, 2, 4, ..., as many as it takes until half of the stars lie in full bins; `numbers` (bins,) are of stars."""
    together = 1
    while together < len(numbers):
        counts = np.add.reduceat(numbers, np.arange(0, len(numbers), together))
        if 2 * counts[counts >= min_stars].sum() >= numbers.sum():
            break
        together *= 2
    return min(together, len(numbers))


def choose_nside(tracers: pd.DataFrame, solution: str, settings: dict[str, Any]) -> int:
    """The nside of the config, or the finest that a solution's stars fill; by equatorial pixels in either frame."""
    if settings["nside"] != "auto":
        return settings["nside"]
    known = (tracers["solution"] == solution) & np.isfinite(tracers["offset_raw"].to_numpy(dtype=float))
    position = (tracers.loc[known, name].to_numpy() for name in FRAMES["equatorial"])
    return finest_nside(*position, more_than=settings["more_than"])


def pixel_offsets(
    tracers: pd.DataFrame,
    pixel: np.ndarray,
    solutions: Collection[str],
    *,
    gaussian: dict[str, Any],
    scatter: Scatter | None = None,
) -> pd.DataFrame:
    """map_{frame}.csv: statistics of the offsets in each pixel with two stars or more (Fig. 6, Table 1).

    `pixel` (N,) is that of each tracer.
    """
    tables = []
    for part in by_solution(tracers, solutions, scatter, sky=False):
        here = pixel[(tracers["solution"] == part.solution).to_numpy()]
        table = part.statistics(np.ones(len(here), dtype=bool), here, gaussian)
        tables.append(table[table["n"] >= 2].rename_axis("hindex").reset_index())
    return _stack(tables, ["solution", "parallax", "hindex"])
