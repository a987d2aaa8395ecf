"""One family of grouped estimators: a run has one group, a trend its bins, a map its pixels (Sect. 3)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.offsets.buckets import Buckets
from gaia_offsets.offsets.segments import Segments
from gaia_offsets.offsets.weighted import Scatter, star_table, variances, weighted_means

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


def fit_density_power(
    segments: Segments, *, beta: float, tolerance: float = 1e-7, iterations: int = 200
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd of the Gaussian core of each group by minimum density power divergence (Basu et al. 1998).

    All groups are fitted together. A star's weight is exp(-beta z^2 / 2), z its distance from the mean in sd. Such
    weights alone would make the sd too small; it is scaled so that Gaussian data give the right one. beta = 0 is
    maximum likelihood; beta = 1 minimises the integrated squared difference of density and data, which is what least
    squares on a fine histogram does. At 0.3 the mean's scatter on pure Gaussian data is 4 % above sigma / sqrt(N). Null
    for a group of one.
    """
    mean, sd = np.full((2, len(segments.counts)), np.nan)
    for where, part in segments.parts():
        mean[where], sd[where] = _density_power(part, beta, tolerance, iterations)
    return mean, sd


def _density_power(part: Segments, beta: float, tolerance: float, iterations: int) -> tuple[np.ndarray, np.ndarray]:
    def moments(values: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
        found = np.empty((3, len(values)))
        step = values - mean
        np.exp(-0.5 * beta * (step / sd) ** 2, out=found[0])
        np.multiply(found[0], step, out=found[1])
        np.multiply(found[1], step, out=found[2])
        return found

    # Of Gaussian data each step leaves beta / (1 + beta) of the mean's distance from the solution, and half of
    # beta (2 - beta) / (1 + beta) of the sd's: so much further it goes.
    further = 1.0 + beta, 1.0 / (1.0 - 0.5 * beta * (2.0 - beta) / (1.0 + beta))
    n = part.counts
    mean = part.medians()
    sd = part.robust_sigmas(mean)
    flat = sd == 0  # more than half of the values are equal
    if flat.any():
        sd = np.where(flat, np.sqrt(_squares(part, part.sums(part.values) / n) / n), sd)
    moving = (n > 1) & (sd > 0)
    for _ in range(iterations):
        if not moving.any():
            break
        with np.errstate(invalid="ignore", divide="ignore"):  # of those that stand still
            total, first, second = part.total(moments, mean, np.where(moving, sd, 1.0))
            step = first / total
            # The weights cut the wings off; at the solution this term puts back what they take from a Gaussian. One
            # degree of freedom goes to the mean, as in the ordinary standard deviation.
            kept = total - n * beta * (1.0 + beta) ** -1.5
            new_sd = np.sqrt((second - first * step) / np.maximum(kept * (n - 1.0) / n, 1e-3 * n))
            moved = moving & (np.maximum(np.abs(step), np.abs(new_sd - sd)) > tolerance * sd) & (new_sd > 0)
            new_sd = np.where(moved, sd * (new_sd / sd) ** further[1], new_sd)
        mean, sd = np.where(moving, mean + further[0] * step, mean), np.where(moving, new_sd, sd)
        moving = moved
    return np.where(n > 1, mean, np.nan), np.where(n > 1, sd, np.nan)


def _squares(part: Segments, centre: np.ndarray) -> np.ndarray:
    """Sum of the squared deviations of each group from its centre."""
    return part.total(lambda values, centre: (values - centre) ** 2, centre)


def fit_histogram(
    segments: Segments, *, bins: int, half_width: float = 4.0, iterations: int = 100
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd of each group by unweighted least squares of a Gaussian on a histogram (Sect. 3, read literally).

    `bins` equal bins within `half_width` robust sigmas of the group's median; amplitude, mean and sd are free. All
    groups are fitted together by Levenberg-Marquardt steps. Null where fewer than 5 stars or where the fit leaves the
    histogram.
    """
    mean, sd = np.full((2, len(segments.counts)), np.nan)
    for where, part in segments.parts():
        mean[where], sd[where] = _histogram(part, bins, half_width, iterations)
    return mean, sd


def _histogram(part: Segments, bins: int, half_width: float, iterations: int) -> tuple[np.ndarray, np.ndarray]:
    centre = part.medians()
    scale = part.robust_sigmas(centre)
    mean, sd = np.full((2, len(centre)), np.nan)
    good = (part.counts >= 5) & (scale > 0)
    if not good.any():
        return mean, sd
    edge = 2.0 * half_width / bins
    counts = np.zeros(len(centre) * bins)
    for rows, where, many in part.blocks():
        group = np.repeat(np.arange(where.start, where.stop), many)
        use = good[group]
        group = group[use]
        z = (part.values[rows][use] - centre[group]) / scale[group]
        place = np.floor((z + half_width) / edge).astype(np.int64)
        inside = (place >= 0) & (place < bins)
        counts += np.bincount(group[inside] * bins + place[inside], minlength=len(counts))
    # Density in units of z, so that every group starts from the same guess: amplitude 0.4, mean 0, sd 1.
    density = (counts.reshape(-1, bins) / (part.counts[:, None] * edge))[good]
    x = -half_width + edge * (np.arange(bins) + 0.5)
    solved = _least_squares_gaussian(x, density, iterations)
    lost = (np.abs(solved[:, 1]) > half_width) | (solved[:, 2] > 2 * half_width) | (solved[:, 2] < edge / 4)
    solved[lost] = np.nan
    mean[good] = centre[good] + scale[good] * solved[:, 1]
    sd[good] = scale[good] * solved[:, 2]
    return mean, sd


def _least_squares_gaussian(x: np.ndarray, y: np.ndarray, iterations: int) -> np.ndarray:
    """Amplitude, mean and sd (groups, 3) of Gaussians fitted to the rows of y (groups, bins) at x (bins,)."""
    theta = np.tile([0.4, 0.0, 1.0], (len(y), 1))
    damping = np.full(len(y), 1e-3)

    def model(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        u = (x - p[:, 1:2]) / p[:, 2:3]
        return u, np.exp(-0.5 * u**2)

    active = np.arange(len(y))
    for _ in range(iterations):
        p = theta[active]
        u, shape = model(p)
        residual = y[active] - p[:, :1] * shape
        slope = p[:, :1] * shape * u / p[:, 2:3]
        jacobian = np.stack([shape, slope, slope * u], axis=1)
        normal = jacobian @ jacobian.transpose(0, 2, 1)
        diagonal = np.einsum("gii->gi", normal)
        diagonal *= 1.0 + damping[active, None]
        diagonal += 1e-12
        step = np.linalg.solve(normal, (jacobian @ residual[:, :, None]))[:, :, 0]
        trial = p + step
        trial[:, 2] = np.abs(trial[:, 2]) + 1e-6
        better = ((y[active] - trial[:, :1] * model(trial)[1]) ** 2).sum(axis=1) <= (residual**2).sum(axis=1)
        theta[active[better]] = trial[better]
        damping[active] *= np.where(better, 0.3, 5.0)
        running = (np.abs(step).max(axis=1) > 1e-5) & (damping[active] < 1e8)
        active = active[running]
        if len(active) == 0:
            break
    return theta


def group_statistics(values: np.ndarray, groups: np.ndarray, gaussian: dict[str, Any]) -> pd.DataFrame:
    """The columns STATISTICS for each group, indexed by its label, ascending; null values are left out.

    `values` (N,) in any unit, which the result keeps; `groups` (N,) labels. `median_error` is half the distance of the
    order statistics at n/2 +- sqrt(n)/2, which needs no assumption on the distribution; `mean_error` is sd / sqrt(n);
    `gaussian_mean_error` is gaussian_sd / sqrt(n), the error of the paper's Table 1. `gaussian` is
    `{method: density_power, beta}` or `{method: histogram, histogram_bins}`. Errors and sd of a single star are null.

    >>> offsets, pixels = np.array([-30.0, -20.0, -40.0, 5.0]), np.array([7, 7, 7, 9])
    >>> table = group_statistics(offsets, pixels, {"method": "density_power", "beta": 0.3})
    >>> table[["n", "median", "mean", "mean_error"]].round(2)
       n  median  mean  mean_error
    7  3   -30.0 -30.0        5.77
    9  1     5.0   5.0         NaN
    """
    segments = Segments(values, groups)
    found = np.full((len(STATISTICS), len(segments.counts)), np.nan)
    for where, part in segments.parts():
        found[:, where] = _statistics(part, gaussian)
    table = pd.DataFrame(dict(zip(STATISTICS, found, strict=True)), index=segments.labels)
    return table.astype({"n": "int64"})


def _statistics(part: Segments, gaussian: dict[str, Any]) -> list[np.ndarray]:
    n = part.counts
    mean = part.total(lambda values: values) / n
    with np.errstate(invalid="ignore", divide="ignore"):
        sd = np.sqrt(_squares(part, mean) / np.where(n > 1, n - 1, np.nan))
        middle, reach = (n - 1) / 2, np.sqrt(n) / 2
        median_error = (part.quantile_at(middle + reach) - part.quantile_at(middle - reach)) / 2
        median_error = np.where(n > 1, median_error, np.nan)
        if gaussian["method"] == "histogram":
            core_mean, core_sd = fit_histogram(part, bins=gaussian["histogram_bins"])
        else:
            core_mean, core_sd = fit_density_power(part, beta=gaussian["beta"])
        median = part.medians()
        return [n, median, median_error, mean, sd / np.sqrt(n), sd, core_mean, core_sd / np.sqrt(n), core_sd]


PARALLAXES = {"raw": "offset_raw", "corrected": "offset_corrected"}
PARALLAX_OF_BINS = "raw"  # whose stars decide on the bins; the first of PARALLAXES


WEIGHTED = ("weighted_mean", "weighted_mean_error")


@dataclass(frozen=True)
class Part:
    """Stars of one solution with their offsets [uas] of one parallax, and what the weighted mean takes of them."""

    solution: str
    parallax: str
    stars: pd.DataFrame
    offset: np.ndarray
    difference: np.ndarray
    variance: np.ndarray


def by_solution(tracers: pd.DataFrame, solutions: Iterable[str], scatter: Scatter | None, *, sky: bool) -> list[Part]:
    """The stars of each solution and parallax, maybe none; without a fitted scatter their weighted means are null.

    `sky` where a group holds stars of many pixels: the pattern on the sky then counts as scatter.
    """
    parts = []
    for solution in solutions:
        stars = tracers[(tracers["solution"] == solution).to_numpy()]
        for parallax, column in PARALLAXES.items():
            difference = variance = np.full(len(stars), np.nan)
            if scatter is not None:
                errors = star_table(stars, parallax, scatter.reference_kind, scatter.typical.get(solution))
                difference, variance = errors.difference, variances(errors, scatter.of(solution, parallax, sky=sky))
            parts.append(Part(solution, parallax, stars, stars[column].to_numpy(dtype=float), difference, variance))
    return parts


def weighted_statistics(difference: np.ndarray, variance: np.ndarray, groups: np.ndarray) -> pd.DataFrame:
    """WEIGHTED of the groups (N,), indexed by their labels."""
    labels, mean, error, _ = weighted_means(difference, variance, groups)
    return pd.DataFrame(dict(zip(WEIGHTED, (mean, error), strict=True)), index=labels, dtype=float)


def grouped_statistics(
    parts: Iterable[tuple[Part, np.ndarray]], groups: int, gaussian: dict[str, Any]
) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Solution, parallax, STATISTICS and WEIGHTED of so many groups; a part comes with its stars' (N,), -1: none.

    However many parts come, only some groups' stars are in memory together.
    """
    with ExitStack() as stack:
        kept: dict[tuple[str, str], Buckets] = {}
        for part, group in parts:
            key = part.solution, part.parallax
            if key not in kept:
                kept[key] = stack.enter_context(Buckets(groups))
            use = group >= 0
            columns = {"offset": part.offset, "difference": part.difference, "variance": part.variance}
            kept[key].add(group[use], {name: values[use] for name, values in columns.items()})
        for key, buckets in kept.items():
            tables = []
            for group, column in buckets.ranges():
                weighted = weighted_statistics(column("difference"), column("variance"), group)
                tables.append(group_statistics(column("offset"), group, gaussian).join(weighted))
            if tables:
                table = pd.concat(tables).assign(solution=key[0], parallax=key[1])
                yield *key, table.set_axis(table.index.astype(np.int64))


def _stack(tables: Sequence[pd.DataFrame], leading: Sequence[str]) -> pd.DataFrame:
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    return table.reindex(columns=[*leading, *STATISTICS, *WEIGHTED])


def global_offsets(
    tracers: Iterable[pd.DataFrame],
    solutions: Collection[str],
    gaussian: dict[str, Any],
    scatter: Scatter | None = None,
) -> pd.DataFrame:
    """global_offsets.csv: one row each solution and parallax that has stars [uas] (Fig. 4); tracers in pieces."""
    parts = (part for piece in tracers for part in by_solution(piece, solutions, scatter, sky=True))
    found = grouped_statistics(((part, np.zeros(len(part.offset), dtype=np.int32)) for part in parts), 1, gaussian)
    return _stack([table for _, _, table in found], ["solution", "parallax"])


def histograms(
    tracers: Iterable[pd.DataFrame], solutions: Collection[str], *, width: float, reach: float = 1000.0
) -> pd.DataFrame:
    """Counts of offsets in bins of `width` uas, the bins centred on 0, within `reach` uas (Fig. 4)."""
    half = np.ceil(reach / width - 0.5)
    edges = (np.arange(-half, half + 2) - 0.5) * width
    counts = {key: np.zeros(len(edges) - 1, dtype=np.int64) for key in product(solutions, PARALLAXES)}
    for piece in tracers:
        for solution, parallax in counts:
            offset = piece.loc[(piece["solution"] == solution).to_numpy(), PARALLAXES[parallax]].to_numpy(dtype=float)
            counts[solution, parallax] += np.histogram(offset[np.isfinite(offset)], edges)[0]
    tables = []
    for (solution, parallax), count in counts.items():
        part = {"solution": solution, "parallax": parallax}
        tables.append(pd.DataFrame(part | {"bin_low": edges[:-1], "bin_high": edges[1:], "count": count}))
    return pd.concat(tables, ignore_index=True)


TREND_VARIABLES = ("phot_g_mean_mag", "colour", "sin_ecl_lat")


def trend_variables(stars: pd.DataFrame, colour: str) -> dict[str, np.ndarray]:
    """What the offsets are binned in, (N,) each: G [mag], the column `colour` [1/um], sin(ecl_lat)."""
    return {
        "phot_g_mean_mag": stars["phot_g_mean_mag"].to_numpy(dtype=float),
        "colour": stars[colour].to_numpy(dtype=float),
        "sin_ecl_lat": np.sin(np.radians(stars["ecl_lat"].to_numpy(dtype=float))),
    }


def trends(
    tracers: Iterable[pd.DataFrame],
    solutions: Mapping[str, str],
    edges: dict[str, np.ndarray],
    *,
    min_stars: int,
    join: int | str,
    gaussian: dict[str, Any],
    scatter: Scatter | None = None,
) -> tuple[pd.DataFrame, dict[str, dict[str, int]]]:
    """trends.csv: statistics of the offsets in bins of one variable at a time (Fig. 5), and how many bins were joined.

    `tracers` comes in pieces, and is gone through several times. Bins are [low, high), the last one [low, high].
    `solutions` has the column of each class's colour. `edges` holds increasing bin edges for phot_g_mean_mag [mag],
    colour [1/um] and sin_ecl_lat. `join` neighbouring bins are joined into one; `auto` joins 1, 2, 4, ..., as many as
    it takes until half of a solution's stars lie in bins with `min_stars`. Bins with fewer are left out. `x_mean` is
    the mean of the variable over the stars whose offset is known. The second result has the number joined by solution
    and variable.
    """
    bounds = {variable: np.asarray(edges[variable], dtype=float) for variable in TREND_VARIABLES}
    joined = _joined(tracers, solutions, bounds, join, min_stars)
    tables = {}
    for variable in bounds:
        sums: dict[tuple[str, str], np.ndarray] = {}

        def places(variable: str = variable, sums: dict = sums) -> Iterator[tuple[Part, np.ndarray]]:
            for piece in tracers:
                for part in by_solution(piece, solutions, scatter, sky=True):
                    bound = {variable: bounds[variable]}
                    x, place = _trend_places(part, solutions[part.solution], bound)[variable]
                    place //= joined[part.solution][variable]  # -1 stays -1
                    inside = place >= 0
                    total = np.bincount(place[inside], x[inside], minlength=len(bounds[variable]))
                    sums[part.solution, part.parallax] = sums.get((part.solution, part.parallax), 0.0) + total
                    yield part, place

        for solution, parallax, table in grouped_statistics(places(), len(bounds[variable]) - 1, gaussian):
            edge = np.append(bounds[variable][: -1 : joined[solution][variable]], bounds[variable][-1])
            table.insert(0, "x_mean", sums[solution, parallax][table.index] / table["n"])
            table.insert(0, "bin_high", edge[table.index + 1])
            table.insert(0, "bin_low", edge[table.index])
            tables[solution, parallax, variable] = table[table["n"] >= min_stars].assign(variable=variable)
    order = [key for key in product(solutions, PARALLAXES, bounds) if key in tables]
    table = _stack(
        [tables[key] for key in order], ["solution", "parallax", "variable", "bin_low", "bin_high", "x_mean"]
    )
    return table, joined


def _joined(
    tracers: Iterable[pd.DataFrame],
    solutions: Mapping[str, str],
    bounds: Mapping[str, np.ndarray],
    join: int | str,
    min_stars: int,
) -> dict[str, dict[str, int]]:
    """How many neighbouring bins become one, by solution and variable; the same for both parallaxes."""
    if join != "auto":
        return {solution: dict.fromkeys(bounds, int(join)) for solution in solutions}
    counts = {key: np.zeros(len(bounds[key[1]]) - 1, dtype=np.int64) for key in product(solutions, bounds)}
    for piece in tracers:
        for part in by_solution(piece, solutions, None, sky=True):
            if part.parallax == PARALLAX_OF_BINS:
                for variable, (_, place) in _trend_places(part, solutions[part.solution], bounds).items():
                    count = counts[part.solution, variable]
                    count += np.bincount(place[place >= 0], minlength=len(count))
    return {
        solution: {variable: _bins_to_join(counts[solution, variable], min_stars) for variable in bounds}
        for solution in solutions
    }


def _trend_places(
    part: Part, colour: str, bounds: Mapping[str, np.ndarray]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Value and bin (N,) of each star in each variable; -1 outside of the bins, or without an offset."""
    found = {}
    for variable, x in trend_variables(part.stars, colour).items():
        if variable in bounds:
            edge = bounds[variable]
            place = np.searchsorted(edge, x, side="right") - 1
            place[x == edge[-1]] = len(edge) - 2  # the last bin is closed, as in a histogram
            inside = (place >= 0) & (place < len(edge) - 1) & np.isfinite(x) & np.isfinite(part.offset)
            found[variable] = x, np.where(inside, place, -1).astype(np.int32)
    return found


def _bins_to_join(fine: np.ndarray, min_stars: int) -> int:
    """1, 2, 4, ..., as many as it takes until half of the stars lie in full bins; `fine` (bins,) are their numbers."""
    together = 1
    while together < len(fine):
        counts = np.add.reduceat(fine, np.arange(0, len(fine), together))
        if 2 * counts[counts >= min_stars].sum() >= fine.sum():
            break
        together *= 2
    return min(together, len(fine))


def pixel_offsets(
    tracers: Iterable[tuple[pd.DataFrame, np.ndarray]],
    solutions: Collection[str],
    *,
    pixels: int,
    gaussian: dict[str, Any],
    scatter: Scatter | None = None,
) -> pd.DataFrame:
    """map_{frame}.csv: statistics of the offsets in each pixel with two stars or more (Fig. 6, Table 1).

    Tracers come in pieces, with the pixel (N,) of each star, one of so many.
    """

    def places() -> Iterator[tuple[Part, np.ndarray]]:
        for piece, pixel in tracers:
            for part in by_solution(piece, solutions, scatter, sky=False):
                yield part, pixel[(piece["solution"] == part.solution).to_numpy()]

    tables = []
    for _, _, table in grouped_statistics(places(), pixels, gaussian):
        table.insert(0, "hindex", table.index)
        tables.append(table[table["n"] >= 2])
    return _stack(tables, ["solution", "parallax", "hindex"])
