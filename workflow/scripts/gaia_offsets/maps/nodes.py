"""The data of the smooth map: the stars of each pixel in one number, freed from curves in G and colour.

Offsets are in uas, pixels nested; a level is log2 of nside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gaia_offsets.core.columns import FRAMES, PARALLAXES
from gaia_offsets.offsets.groups import MAD_TO_SIGMA
from gaia_offsets.offsets.scatter import Scatter
from gaia_offsets.offsets.stars import star_table, variances
from gaia_offsets.offsets.weighted import hampel_weights, weighted_means
from gaia_offsets.sky.positions import pixel_index

VARIABLES = ("phot_g_mean_mag", "colour")  # of the curves, columns of the stars: G [mag] and colour [1/um]
CURVE_LEVEL = 5  # of the pixels inside which stars are compared for the curves; that of the map where it is coarser
STARS_PER_TERM = 10
ROUNDING = 1e-11  # relative size of what rounding leaves of a difference of sums over the sky
CURVE_POINTS = 41
AT_ONCE = 1 << 20  # stars whose terms of the curves are held together

Terms = Callable[[np.ndarray], np.ndarray]
Curves = Mapping[str, Terms]


@dataclass(frozen=True)
class Nodes:
    """Pixels with stars, ascending: weighted mean `offset` less the curves, its `variance`, number of stars `n`.

    `terms` (pixels, terms) are the mean terms of the curves, with `coefficients` and their `covariance`; the error of
    the curves is not in `variance`.
    """

    level: int
    pixels: np.ndarray
    offset: np.ndarray
    variance: np.ndarray
    n: np.ndarray
    terms: np.ndarray
    coefficients: np.ndarray
    covariance: np.ndarray


def outlier_scale(difference: np.ndarray, variance: np.ndarray) -> tuple[float, float]:
    """Mean [uas] and spread, in standard errors, by which outliers are judged; the pattern counts as scatter."""
    known = np.isfinite(difference) & np.isfinite(variance) & (variance > 0)
    if not known.any():
        return 0.0, 1.0
    _, mean, _ = weighted_means(difference, variance, np.zeros(len(difference), dtype=np.int64))
    z = (difference[known] - mean[0]) / np.sqrt(variance[known])
    return float(mean[0]), max(MAD_TO_SIGMA * float(np.median(np.abs(z))), 1.0)


def robust_weights(difference: np.ndarray, variance: np.ndarray, scale: tuple[float, float]) -> np.ndarray:
    """Weight (N,) [1 / uas2] of each star, 0 for outliers and stars without an error; `scale` is outlier_scale's."""
    known = np.isfinite(difference) & np.isfinite(variance) & (variance > 0)
    variance = np.where(known, variance, 1.0)
    z = np.where(known, difference - scale[0], np.inf) / np.sqrt(variance)
    return np.where(known, hampel_weights(z / scale[1]), 0.0) / variance


def curve_terms(x: np.ndarray, intervals: int) -> Terms:
    """Function of values (M,): the terms (M, intervals) of a broken line, of mean zero over x; 0 where null.

    Its corners are quantiles of x between the 1st and the 99th percentile; beyond these it stays level.
    """
    x = x[np.isfinite(x)]
    corners = np.unique(np.quantile(x, np.linspace(0.01, 0.99, intervals + 1))) if len(x) else np.zeros(1)

    def hats(values: np.ndarray) -> np.ndarray:
        each = [np.interp(values, corners, one) for one in np.eye(len(corners))[1:]]
        return np.reshape(each, (len(each), len(values))).T

    mean = hats(x).mean(axis=0) if len(x) else 0.0
    return lambda values: np.where(np.isfinite(values)[:, None], hats(values) - mean, 0.0)


def curves_of(stars: pd.DataFrame, intervals: int, pixel: np.ndarray) -> dict[str, Terms]:
    """`curve_terms` of each of VARIABLES; none with 0 intervals, or with few stars besides one in each pixel (N,)."""
    enough = len(pixel) - len(np.unique(pixel)) >= STARS_PER_TERM * len(VARIABLES) * intervals
    used = VARIABLES if intervals and enough else ()
    return {name: curve_terms(stars[name].to_numpy(dtype=float), intervals) for name in used}


def design(curves: Curves, stars: pd.DataFrame) -> np.ndarray:
    """The terms of all curves side by side, (stars, terms)."""
    terms = (curve(stars[name].to_numpy(dtype=float)) for name, curve in curves.items())
    return np.column_stack([np.zeros((len(stars), 0)), *terms])


class PixelSums:
    """The stars of each pixel of a level added up, piece by piece: as much as `nodes` needs, however many there are."""

    def __init__(self, level: int, terms: int) -> None:
        self.level, self.n = level, np.zeros(12 * 4**level, dtype=np.int64)
        self.sums = np.zeros((len(self.n), terms + 2))  # of the weights, and of weight times each term and the offset
        self.squares = np.zeros((terms + 1, terms + 1))  # over all stars

    def add(self, offset: np.ndarray, weights: np.ndarray, pixel: np.ndarray, terms: np.ndarray) -> None:
        """Add stars: offsets [uas], weights [1 / uas2] and pixels (N,), and terms (N, terms)."""
        use = weights > 0
        pixel, weights, rows = pixel[use], weights[use], np.column_stack([terms, offset])[use]
        self.squares += (rows * weights[:, None]).T @ rows
        self.n += np.bincount(pixel, minlength=len(self.n))
        for number, column in enumerate([np.ones(len(rows)), *rows.T]):
            self.sums[:, number] += np.bincount(pixel, weights * column, minlength=len(self.n))

    def nodes(self) -> Nodes:
        """The pixels with weight; the curves by least squares of the stars' differences inside pixels."""
        groups = self.sums.reshape(-1, 4 ** max(self.level - CURVE_LEVEL, 0), self.sums.shape[1]).sum(axis=1)
        groups = groups[groups[:, 0] > 0]
        inside = self.squares - groups[:, 1:].T @ (groups[:, 1:] / groups[:, :1])
        scale = np.sqrt(np.diag(self.squares))
        inside[np.abs(inside) < ROUNDING * np.outer(scale, scale)] = 0.0  # a term that is constant in each pixel
        covariance = np.linalg.pinv(inside[:-1, :-1], rcond=ROUNDING, hermitian=True)
        coefficients, pixels = covariance @ inside[:-1, -1], np.flatnonzero(self.sums[:, 0])
        variance = 1.0 / self.sums[pixels, 0]
        means = self.sums[pixels, 1:] * variance[:, None]
        offset = means[:, -1] - means[:, :-1] @ coefficients
        return Nodes(self.level, pixels, offset, variance, self.n[pixels], means[:, :-1], coefficients, covariance)


def nested_pixels(stars: pd.DataFrame, nside: int) -> dict[str, np.ndarray]:
    """Nested pixels (N,) of the stars by frame."""
    at = {frame: (stars[names[0]].to_numpy(), stars[names[1]].to_numpy()) for frame, names in FRAMES.items()}
    return {frame: pixel_index(*position, nside=nside, ordering="nested") for frame, position in at.items()}


def sums_of_stars(
    stars: pd.DataFrame, solution: str, scatter: Scatter, curves: Curves, nside: int
) -> dict[str, dict[str, PixelSums]]:
    """The sums of all stars, which are those of the solution, by parallax and frame."""
    terms, level, pixels = design(curves, stars[:0]).shape[1], nside.bit_length() - 1, nested_pixels(stars, nside)
    sums = {parallax: {frame: PixelSums(level, terms) for frame in FRAMES} for parallax in PARALLAXES}
    for parallax in PARALLAXES:
        errors = star_table(stars, parallax, scatter.reference_kind)
        difference, variance = errors.difference, variances(errors, scatter.of(solution, parallax))
        weights = robust_weights(difference, variance, outlier_scale(difference, variance))
        for start in range(0, len(stars), AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            columns = design(curves, stars[rows])
            for frame in FRAMES:
                sums[parallax][frame].add(difference[rows], weights[rows], pixels[frame][rows], columns)
    return sums


def curve_table(nodes: Nodes, stars: pd.DataFrame, curves: Curves) -> pd.DataFrame:
    """Offset [uas] against each variable, zero in the mean over the stars, with standard errors."""
    tables, stop = [pd.DataFrame()], 0
    for name, terms in curves.items():
        values = stars[name].to_numpy(dtype=float)
        start, stop = stop, stop + terms(values[:0]).shape[1]
        if start < stop:  # else one value for all stars, or none
            x = np.linspace(*np.nanquantile(values, [0.01, 0.99]), CURVE_POINTS)
            rows, covariance = terms(x), nodes.covariance[start:stop, start:stop]
            error = np.sqrt(np.einsum("ij,jk,ik->i", rows, covariance, rows))
            offset = rows @ nodes.coefficients[start:stop]
            tables.append(pd.DataFrame({"variable": name, "x": x, "offset": offset, "error": error}))
    return pd.concat(tables, ignore_index=True)
