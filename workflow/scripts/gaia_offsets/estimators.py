"""One family of grouped estimators: a run has one group, a trend its bins, a map its pixels (Sect. 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.segments import Segments
from gaia_offsets.weighted import Scatter, star_table, variances, weighted_means

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
    mean = segments.medians()
    sd = segments.robust_sigmas(mean)
    flat = sd == 0  # more than half of the values are equal
    if flat.any():
        centred = segments.values - segments.spread(segments.sums(segments.values) / segments.counts)
        sd = np.where(flat, np.sqrt(segments.sums(centred**2) / segments.counts), sd)
    active = np.flatnonzero((segments.counts > 1) & (sd > 0))
    part = segments.restrict(np.isin(np.arange(len(mean)), active))
    for _ in range(iterations):
        if len(active) == 0:
            break
        m, s = mean[active], sd[active]
        weight = np.exp(-0.5 * beta * ((part.values - part.spread(m)) / part.spread(s)) ** 2)
        total = part.sums(weight)
        new_mean = part.sums(weight * part.values) / total
        spread = part.sums(weight * (part.values - part.spread(new_mean)) ** 2)
        # The weights cut the wings off; at the solution this term puts back what they take from a Gaussian. One
        # degree of freedom goes to the mean, as in the ordinary standard deviation.
        kept = total - part.counts * beta * (1.0 + beta) ** -1.5
        share = (part.counts - 1.0) / part.counts
        new_sd = np.sqrt(spread / np.maximum(kept * share, 1e-3 * part.counts))
        moved = np.maximum(np.abs(new_mean - m), np.abs(new_sd - s)) > tolerance * s
        mean[active], sd[active] = new_mean, new_sd
        moved &= new_sd > 0
        if not moved.all():
            part = part.restrict(moved)
            active = active[moved]
    sd = np.where(segments.counts > 1, sd, np.nan)
    return np.where(segments.counts > 1, mean, np.nan), sd


def fit_histogram(
    segments: Segments, *, bins: int, half_width: float = 4.0, iterations: int = 100
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd of each group by unweighted least squares of a Gaussian on a histogram (Sect. 3, read literally).

    `bins` equal bins within `half_width` robust sigmas of the group's median; amplitude, mean and sd are free. All
    groups are fitted together by Levenberg-Marquardt steps. Null where fewer than 5 stars or where the fit leaves the
    histogram.
    """
    centre = segments.medians()
    scale = segments.robust_sigmas(centre)
    good = (segments.counts >= 5) & (scale > 0)
    mean, sd = np.full(len(centre), np.nan), np.full(len(centre), np.nan)
    if not good.any():
        return mean, sd
    part = segments.restrict(good)
    z = (part.values - part.spread(centre[good])) / part.spread(scale[good])
    edge = 2.0 * half_width / bins
    place = np.floor((z + half_width) / edge).astype(np.int64)
    row = part.spread(np.arange(len(part.counts)))
    inside = (place >= 0) & (place < bins)
    counts = np.bincount(row[inside] * bins + place[inside], minlength=len(part.counts) * bins)
    # Density in units of z, so that every group starts from the same guess: amplitude 0.4, mean 0, sd 1.
    density = counts.reshape(-1, bins) / (part.counts[:, None] * edge)
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
    """
    segments = Segments(values, groups)
    n = segments.counts
    median = segments.medians()
    mean = segments.sums(segments.values) / np.maximum(n, 1)
    squares = segments.sums((segments.values - segments.spread(mean)) ** 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        sd = np.sqrt(squares / np.where(n > 1, n - 1, np.nan))
        middle, reach = (n - 1) / 2, np.sqrt(n) / 2
        median_error = (segments.quantile_at(middle + reach) - segments.quantile_at(middle - reach)) / 2
        median_error = np.where(n > 1, median_error, np.nan)
        if gaussian["method"] == "histogram":
            core_mean, core_sd = fit_histogram(segments, bins=gaussian["histogram_bins"])
        else:
            core_mean, core_sd = fit_density_power(segments, beta=gaussian["beta"])
        columns = [n, median, median_error, mean, sd / np.sqrt(n), sd, core_mean, core_sd / np.sqrt(n), core_sd]
    table = pd.DataFrame(dict(zip(STATISTICS, columns, strict=True)), index=segments.labels)
    return table.astype({"n": "int64"})


PARALLAXES = {"raw": "offset_raw", "corrected": "offset_corrected"}
PARALLAX_OF_BINS = "raw"  # whose stars decide on the bins; the first of PARALLAXES
SOLUTIONS = ("5p", "6p")


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

    def statistics(self, groups: np.ndarray, gaussian: dict[str, Any], use: np.ndarray | None = None) -> pd.DataFrame:
        """STATISTICS and WEIGHTED of the groups (N,), of the stars in `use` only where that is given."""
        use = np.ones(len(self.offset), dtype=bool) if use is None else use
        table = group_statistics(self.offset[use], groups[use], gaussian)
        labels, mean, error, _ = weighted_means(self.difference[use], self.variance[use], groups[use])
        both = pd.DataFrame(dict(zip(WEIGHTED, (mean, error), strict=True)), index=labels, dtype=float)
        return table.join(both).assign(solution=self.solution, parallax=self.parallax)


def by_solution(tracers: pd.DataFrame, scatter: Scatter | None, *, sky: bool) -> list[Part]:
    """The stars of each solution and parallax, maybe none; without a fitted scatter their weighted means are null.

    `sky` where a group holds stars of many pixels: the pattern on the sky then counts as scatter.
    """
    parts = []
    for solution in SOLUTIONS:
        stars = tracers[tracers["solution"] == solution]
        for parallax, column in PARALLAXES.items():
            difference = variance = np.full(len(stars), np.nan)
            if scatter is not None:
                errors = star_table(stars, parallax, scatter.reference_kind)
                difference, variance = errors.difference, variances(errors, scatter.of(solution, parallax, sky=sky))
            parts.append(Part(solution, parallax, stars, stars[column].to_numpy(), difference, variance))
    return parts


def _stack(tables: Sequence[pd.DataFrame], leading: Sequence[str]) -> pd.DataFrame:
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    return table.reindex(columns=[*leading, *STATISTICS, *WEIGHTED])


def global_offsets(tracers: pd.DataFrame, gaussian: dict[str, Any], scatter: Scatter | None = None) -> pd.DataFrame:
    """global_offsets.csv: one row each solution and parallax that has stars [uas] (Fig. 4)."""
    parts = by_solution(tracers, scatter, sky=True)
    tables = [part.statistics(np.zeros(len(part.offset), dtype=np.int64), gaussian) for part in parts]
    return _stack(tables, ["solution", "parallax"])


def histograms(tracers: pd.DataFrame, *, width: float, reach: float = 1000.0) -> pd.DataFrame:
    """Counts of offsets in bins of `width` uas, the bins centred on 0, within `reach` uas (Fig. 4)."""
    half = np.ceil(reach / width - 0.5)
    edges = (np.arange(-half, half + 2) - 0.5) * width
    tables = []
    for solution in SOLUTIONS:
        for parallax, column in PARALLAXES.items():
            offset = tracers.loc[tracers["solution"] == solution, column].to_numpy()
            count, _ = np.histogram(offset[np.isfinite(offset)], edges)
            part = {"solution": solution, "parallax": parallax}
            part |= {"bin_low": edges[:-1], "bin_high": edges[1:], "count": count}
            tables.append(pd.DataFrame(part))
    return pd.concat(tables, ignore_index=True)


def trend_variables(stars: pd.DataFrame, solution: str) -> dict[str, np.ndarray]:
    """What the offsets are binned in, (N,) each: G [mag], colour (nu_eff of 5p, pseudocolour of 6p), sin(ecl_lat)."""
    return {
        "phot_g_mean_mag": stars["phot_g_mean_mag"].to_numpy(dtype=float),
        "colour": stars["nu_eff_used_in_astrometry" if solution == "5p" else "pseudocolour"].to_numpy(dtype=float),
        "sin_ecl_lat": np.sin(np.radians(stars["ecl_lat"].to_numpy(dtype=float))),
    }


def trends(
    tracers: pd.DataFrame,
    edges: dict[str, np.ndarray],
    *,
    min_stars: int,
    join: int | str,
    gaussian: dict[str, Any],
    scatter: Scatter | None = None,
) -> tuple[pd.DataFrame, dict[str, dict[str, int]]]:
    """trends.csv: statistics of the offsets in bins of one variable at a time (Fig. 5), and how many bins were joined.

    Bins are [low, high), the last one [low, high].
    `edges` holds increasing bin edges for phot_g_mean_mag [mag], colour (nu_eff of 5p, pseudocolour of 6p)
    [1/um] and sin_ecl_lat. `join` neighbouring bins are joined into one; `auto` joins 1, 2, 4, ..., as many as it takes
    until half of a solution's stars lie in bins with `min_stars`. Bins with fewer are left out. `x_mean` is the mean of
    the variable over the stars whose offset is known. The second result has the number joined by solution and variable.
    """
    tables, joined = [], {solution: {} for solution in SOLUTIONS}
    for part in by_solution(tracers, scatter, sky=True):
        stars, solution = part.stars, part.solution
        for variable, x in trend_variables(stars, solution).items():
            bounds = np.asarray(edges[variable], dtype=float)
            place = np.searchsorted(bounds, x, side="right") - 1
            place[x == bounds[-1]] = len(bounds) - 2  # the last bin is closed, as in a histogram
            inside = (place >= 0) & (place < len(bounds) - 1) & np.isfinite(x) & np.isfinite(part.offset)
            if part.parallax == PARALLAX_OF_BINS:  # the same bins for both parallaxes
                joined[solution][variable] = _bins_to_join(place[inside], len(bounds) - 1, join, min_stars)
            together = joined[solution][variable]
            place, bounds = place // together, np.append(bounds[:-1:together], bounds[-1])
            table = part.statistics(place, gaussian, inside)
            x_mean = np.bincount(place[inside], x[inside], minlength=len(bounds))[table.index]
            table.insert(0, "x_mean", x_mean / table["n"])
            table.insert(0, "bin_high", bounds[table.index + 1])
            table.insert(0, "bin_low", bounds[table.index])
            tables.append(table[table["n"] >= min_stars].assign(variable=variable))
    table = _stack(tables, ["solution", "parallax", "variable", "bin_low", "bin_high", "x_mean"])
    return table, joined


def _bins_to_join(place: np.ndarray, bins: int, join: int | str, min_stars: int) -> int:
    """How many neighbouring bins become one; `place` (N,) is the bin of each star."""
    if join != "auto":
        return int(join)
    together = 1
    while together < bins:
        counts = np.bincount(place // together)
        if 2 * counts[counts >= min_stars].sum() >= len(place):
            break
        together *= 2
    return min(together, bins)


def pixel_offsets(
    tracers: pd.DataFrame, pixel: np.ndarray, *, gaussian: dict[str, Any], scatter: Scatter | None = None
) -> pd.DataFrame:
    """map_{frame}.csv: statistics of the offsets in each pixel (N,) with two stars or more (Fig. 6, Table 1)."""
    pixel = pd.Series(pixel, index=tracers.index)
    tables = []
    for part in by_solution(tracers, scatter, sky=False):
        table = part.statistics(pixel[part.stars.index].to_numpy(), gaussian)
        table.insert(0, "hindex", table.index)
        tables.append(table[table["n"] >= 2])
    return _stack(tables, ["solution", "parallax", "hindex"])
