"""A smooth map: an exact Gaussian process over the pixels with stars, its kernel learned from them (docs/method.md).

Offset of a pixel = constant + field + white part + noise. The field has the covariance amplitude exp(-angle / length);
the white part is independent from pixel to pixel; the noise is that of the pixel's stars. All offsets are in uas,
angles in degrees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gaia_offsets.healpix import hp
from gaia_offsets.segments import MAD_TO_SIGMA
from gaia_offsets.sky import pixel_centre
from gaia_offsets.weighted import hampel_weights, weighted_means

BLOCK, BLOCKS = 500, 8  # nodes of a block of the likelihood, and how many: nodes of a block are neighbours on the sky
LENGTHS_DEG = (0.5, 60.0)  # between which the length is sought
STARS_PER_TERM = 10
MIN_NODES = 10  # fewer teach nothing about a kernel
MAX_NODES = 16_000  # 2 GiB of covariances
ROUNDING = 1e-11  # what differences of sums over the sky are good to, beside these
PIECE = 1000  # rows of covariances made at a time
SINGLE = 8000  # more nodes are solved for in single precision and refined (`_solve`)
SETTLED = 1e-8  # size of the last step of its refinement beside the solution; at most half of that is left
NOISY = 30.0  # variance of a node beside that of the prior, from which on single precision takes the longer way


VARIABLES = {"phot_g_mean_mag": "phot_g_mean_mag", "colour": "nu_eff_used_in_astrometry"}  # of a dependence: column


class NoMap(ValueError):
    """Too few or too many pixels hold stars; the message is one line."""


@dataclass(frozen=True)
class Kernel:
    """Covariance of the offsets of two pixels: `amplitude` and `white` in uas2, `length_deg`."""

    amplitude: float
    length_deg: float
    white: float

    def field(self, angle_deg: np.ndarray) -> np.ndarray:
        """Covariance of the field at angular distances in degrees; overwrites the array given."""
        angle_deg *= -1.0 / self.length_deg
        np.exp(angle_deg, out=angle_deg)
        angle_deg *= self.amplitude
        return angle_deg


@dataclass(frozen=True)
class Nodes:
    """Pixels with stars, ascending: `pixels`, weighted mean `offset`, its `variance`, number of stars `n`.

    `design` (pixels, 1 + terms) has a column of ones and the weighted mean of each term of the dependence on magnitude
    and colour; `within` is what the stars say of the terms by their differences inside pixels: the normal matrix and
    its right-hand side.
    """

    pixels: np.ndarray
    offset: np.ndarray
    variance: np.ndarray
    n: np.ndarray
    design: np.ndarray
    within: tuple[np.ndarray, np.ndarray]


def unit_vectors(pixels: np.ndarray, *, nside: int, ordering: str) -> np.ndarray:
    """Directions (N, 3) of pixel centres."""

    return hp.ang2vec(*pixel_centre(pixels, nside=nside, ordering=ordering), lonlat=True)


def angles_deg(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angular distances (N, M) in degrees of unit vectors (N, 3) and (M, 3)."""
    cosine = first @ second.T
    np.clip(cosine, -1.0, 1.0, out=cosine)
    np.arccos(cosine, out=cosine)
    cosine *= 180.0 / np.pi
    return cosine


def outlier_scale(difference: np.ndarray, variance: np.ndarray) -> tuple[float, float]:
    """Mean [uas] and spread, in standard errors, by which outliers are judged: those of the sample.

    The pattern on the sky counts as scatter: a pixel of one or two stars could not tell.
    """
    known = np.isfinite(difference) & np.isfinite(variance) & (variance > 0)
    if not known.any():
        return 0.0, 1.0
    _, mean, _, _ = weighted_means(difference, variance, np.zeros(len(difference), dtype=np.int64))
    z = (difference[known] - mean[0]) / np.sqrt(variance[known])
    return float(mean[0]), max(MAD_TO_SIGMA * float(np.median(np.abs(z))), 1.0)


def robust_weights(
    difference: np.ndarray, variance: np.ndarray, scale: tuple[float, float] | None = None
) -> np.ndarray:
    """Weight (N,) [1 / uas2] of each star, 0 for outliers and stars without an error.

    `scale` is the outlier_scale, that of these stars where not given.
    """
    mean, spread = scale or outlier_scale(difference, variance)
    known = np.isfinite(difference) & np.isfinite(variance) & (variance > 0)
    z = np.where(known, difference - mean, np.inf) / np.sqrt(np.where(known, variance, 1.0))
    return np.where(known, hampel_weights(z / spread), 0.0) / np.where(known, variance, 1.0)


class PixelSums:
    """The stars of each pixel added up, piece by piece: as much as `nodes` needs, however many there are.

    `pixels` is the number of pixels of the sky, `terms` that of the terms. What is added up lies about the weighted
    means of the first stars, so that the squares do not cancel.
    """

    def __init__(self, pixels: int, terms: int) -> None:
        self.total, self.n = np.zeros(pixels), np.zeros(pixels, dtype=np.int64)
        self.origin: np.ndarray | None = None
        self.first, self.second = np.zeros((pixels, terms + 1)), np.zeros((terms + 1, terms + 1))

    def add(self, values: np.ndarray, weights: np.ndarray, pixel: np.ndarray, terms: np.ndarray) -> None:
        """Add stars: offsets [uas], weights [1 / uas2] and pixels (N,), and terms (N, terms)."""
        from scipy.sparse import csc_array

        use, many = weights > 0, len(self.total)
        if not use.all():
            values, weights, pixel, terms = values[use], weights[use], pixel[use], terms[use]
        if len(values) == 0:
            return
        rows = np.column_stack([terms, values])
        if self.origin is None:
            self.origin = weights @ rows / weights.sum()
        rows -= self.origin
        # A column a star, its weight in the row of its pixel: the product adds up all terms at once.
        of_pixel = csc_array((weights, pixel, np.arange(len(pixel) + 1)), shape=(many, len(pixel)))
        self.first += of_pixel @ rows
        self.second += (rows * weights[:, None]).T @ rows
        self.total += np.bincount(pixel, weights, minlength=many)
        self.n += np.bincount(pixel, minlength=many)

    def nodes(self) -> Nodes:
        """The stars of each pixel in one number; pixels without weight do not appear."""
        pixels = np.flatnonzero(self.total)
        total = self.total[pixels]
        shift = self.first[pixels] / total[:, None]
        means = shift if self.origin is None else self.origin + shift
        within = self.second - (shift * total[:, None]).T @ shift
        scale = np.sqrt(np.diag(self.second))
        within[np.abs(within) < ROUNDING * np.outer(scale, scale)] = 0.0  # a term that is constant in each pixel
        # The constant, first of the design, says nothing inside a pixel.
        matrix = np.pad(within[:-1, :-1], [(1, 0), (1, 0)])
        design = np.column_stack([np.ones(len(pixels)), means[:, :-1]])
        right = np.concatenate([[0.0], within[:-1, -1]])
        return Nodes(pixels, means[:, -1], 1.0 / total, self.n[pixels], design, (matrix, right))


def gather(values: np.ndarray, weights: np.ndarray, pixel: np.ndarray, terms: np.ndarray) -> Nodes:
    """Nodes of stars (N,) that are at hand together, as in PixelSums; `terms` is (N, terms)."""
    sums = PixelSums(int(pixel.max(initial=-1)) + 1, terms.shape[1])
    sums.add(values, weights, pixel, terms)
    return sums.nodes()


def learn_kernel(vectors: np.ndarray, offset: np.ndarray, variance: np.ndarray) -> Kernel:
    """Kernel of the nodes by restricted marginal likelihood: `vectors` (N, 3) in an order in which neighbours are near.

    The nodes are cut into blocks of up to BLOCK, BLOCKS of which, evenly spread, have their exact likelihood each and
    one constant together.
    """
    from scipy.optimize import minimize

    blocks = np.array_split(np.arange(len(offset)), -(-len(offset) // BLOCK))
    if len(blocks) > BLOCKS:
        blocks = [blocks[place] for place in np.linspace(0, len(blocks) - 1, BLOCKS).round().astype(int)]
    parts = [(angles_deg(vectors[block], vectors[block]), offset[block], variance[block]) for block in blocks]
    total = max(float(np.var(offset) - np.median(variance)), 0.01 * float(np.median(variance)))
    bounds = [np.log([1e-6 * total, 1e4 * total]), np.log(LENGTHS_DEG), np.log([1e-6 * total, 1e2 * total])]
    start = np.log([0.6 * total, 10.0, 0.4 * total])
    found = minimize(
        likelihood, start, args=(parts,), jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-7}
    )
    # Rounded: what the order of additions changes shall change no byte of the map.
    return Kernel(*(float(f"{number:.6g}") for number in np.exp(found.x)))


def likelihood(
    logarithms: np.ndarray, parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> tuple[float, np.ndarray]:
    """Minus the restricted log likelihood of a node, and its slopes by the logarithms of the kernel's parameters.

    `parts` are independent: angles (N, N) [deg], offsets (N,) [uas] and variances (N,) [uas2] of each; one constant is
    integrated out of all (Rasmussen & Williams 2006, Sect. 2.7 and 5.4.1).
    """
    from scipy.linalg import lapack

    kernel = Kernel(*np.exp(logarithms))
    half_log, square, traces = 0.0, np.zeros((2, 2)), np.zeros(3)
    slopes = np.zeros((3, 2, 2))  # of the squares: by amplitude, length and white part
    # The same memory for all parts: new memory costs as much as the sums.
    work = np.empty((3, max(len(offset) for _, offset, _ in parts) ** 2))
    for angle, offset, variance in parts:
        field, covariance, by_length = (some[: angle.size].reshape(angle.shape) for some in work)
        np.copyto(field, angle)
        kernel.field(field)
        np.copyto(covariance, field)
        covariance[np.diag_indices(len(offset))] += kernel.white + variance
        np.multiply(field, angle, out=by_length)
        by_length /= kernel.length_deg
        factor = _cholesky(covariance, clean=True)
        sides = np.stack([np.ones(len(offset)), offset])
        solved = lapack.dpotrs(factor, sides.T, lower=1)[0].T
        half_log, square = half_log + np.log(np.diag(factor)).sum(), square + solved @ sides.T
        half = lapack.dpotri(factor, lower=1, overwrite_c=1)[0].T  # the upper triangle of the inverse, zero below
        diagonal = np.diag(half)
        traces += [
            2.0 * np.vdot(half, field) - diagonal @ np.diag(field),
            2.0 * np.vdot(half, by_length) - diagonal @ np.diag(by_length),
            kernel.white * diagonal.sum(),
        ]
        slopes += solved @ field @ solved.T, solved @ by_length @ solved.T, kernel.white * solved @ solved.T
    (ones, cross), mean = square[0], square[0, 1] / square[0, 0]
    left = np.array([-mean, 1.0])  # what the constant leaves of the offsets
    slope = traces - left @ slopes @ left - slopes[:, 0, 0] / ones
    value = half_log + 0.5 * (square[1, 1] - cross * mean) + 0.5 * np.log(ones)
    count = sum(len(offset) for _, offset, _ in parts)
    return value / count, 0.5 * slope / count


def _cholesky(covariance: np.ndarray, *, clean: bool) -> np.ndarray:
    """Cholesky factor, the lower triangle in LAPACK's order, of a positive definite matrix, whose place it takes.

    Of `covariance`, in numpy's order, the upper triangle is enough: it stands where LAPACK looks for the lower one. The
    other half of the factor is zero if `clean`, else what stood there.
    """
    from scipy.linalg import get_lapack_funcs

    (potrf,) = get_lapack_funcs(("potrf",), (covariance,))
    factor, fault = potrf(covariance.T, lower=1, clean=clean, overwrite_a=1)
    if fault:
        raise ArithmeticError("smooth map: the covariances of the pixels are not positive definite")
    return factor


def _covariances(vectors: np.ndarray, kernel: Kernel, variance: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Rows of the covariances of the offsets at `vectors`, PIECE at a time, each from the diagonal on."""
    for start in range(0, len(vectors), PIECE):
        rows = slice(start, min(start + PIECE, len(vectors)))
        piece = kernel.field(angles_deg(vectors[rows], vectors[start:]))
        piece[np.diag_indices(len(piece))] = kernel.amplitude + kernel.white + variance[rows]
        yield rows, piece


def _whitening(vectors: np.ndarray, kernel: Kernel, variance: np.ndarray, kind: type = np.float64) -> np.ndarray:
    """W (N, N) that makes the offsets at `vectors` independent: W^T W is the inverse of their covariance.

    The lower triangle in LAPACK's order; what stands in the upper one means nothing. Half of the flops of the inverse
    itself, and the products with it are half as dear. `kind` is the type of its numbers.
    """
    from scipy.linalg import get_lapack_funcs

    covariance = np.empty((len(vectors), len(vectors)), dtype=kind)
    for rows, piece in _covariances(vectors, kernel, variance):
        covariance[rows, rows.start :] = piece
    (trtri,) = get_lapack_funcs(("trtri",), (covariance,))
    return trtri(_cholesky(covariance, clean=False), lower=1, overwrite_c=1)[0]


def _times(whitening: np.ndarray, columns: np.ndarray, *, transposed: bool = False) -> np.ndarray:
    """W, or its transpose, times columns (N, M), which are overwritten where they have its type and LAPACK's order."""
    from scipy.linalg import get_blas_funcs

    (trmm,) = get_blas_funcs(("trmm",), (whitening,))
    return trmm(1.0, whitening, columns, lower=1, trans_a=transposed, overwrite_b=1)


def _inverse_times(whitening: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The inverse covariance times columns (N, M)."""
    return _times(whitening, _times(whitening, columns.astype(whitening.dtype)), transposed=True).astype(float)


def _solve(
    vectors: np.ndarray, kernel: Kernel, variance: np.ndarray, sides: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """W of `_whitening`, and the inverse covariance times `sides` (N, M).

    More than SINGLE nodes have a W in single precision, in half of the memory and little more than half of the time.
    What this loses of the product is won back by iterative refinement with covariances in double precision (Higham
    2002, Accuracy and Stability of Numerical Algorithms, Ch. 12); where that does not settle all is done in double.
    """
    if len(vectors) > SINGLE:
        with suppress(ArithmeticError):
            return _refined(vectors, kernel, variance, sides)
    whitening = _whitening(vectors, kernel, variance)
    return whitening, _inverse_times(whitening, sides)


def _refined(
    vectors: np.ndarray, kernel: Kernel, variance: np.ndarray, sides: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`_solve` by single precision; ArithmeticError where that is not enough."""
    whitening = _whitening(vectors, kernel, variance, np.float32)
    solved, size = _inverse_times(whitening, sides), 1.0
    while size > SETTLED:
        step = _inverse_times(whitening, sides - _covariance_times(vectors, kernel, variance, solved))
        solved += step
        beside = np.maximum(np.abs(solved).max(axis=0), np.finfo(float).tiny)
        last, size = size, float(np.max(np.abs(step).max(axis=0) / beside))
        if not size < last / 3:
            raise ArithmeticError("smooth map: single precision is not enough")
    return whitening, solved


def _covariance_times(vectors: np.ndarray, kernel: Kernel, variance: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The covariances of the offsets at `vectors` times columns (N, M)."""
    product = np.zeros(columns.shape)
    for rows, piece in _covariances(vectors, kernel, variance):
        product[rows] += piece @ columns[rows.start :]
        product[rows.stop :] += piece[:, len(piece) :].T @ columns[rows]
    return product


def _squares_of_columns(whitening: np.ndarray) -> np.ndarray:
    """Sum of squares of each column of W: the diagonal of the inverse covariance."""
    rows, total = whitening.T, np.empty(len(whitening))
    for start in range(0, len(rows), PIECE):
        piece = rows[start : start + PIECE, start:]
        corner, behind = np.triu(piece[:, : len(piece)]), piece[:, len(piece) :]
        total[start : start + PIECE] = _squared(corner) + _squared(behind)
    return total


def _squared(rows: np.ndarray) -> np.ndarray:
    """Sum of squares of each row, in double precision."""
    return np.einsum("ij,ij->i", rows, rows, dtype=float)


def _left_of_prior(kernel: Kernel, whitening: np.ndarray, cross: np.ndarray) -> np.ndarray:
    """What the nodes leave of the variance of pixels, whose covariances with them, the rows of `cross`, are lost."""
    white = _times(whitening, cross.T.astype(whitening.dtype, copy=False)).T
    return kernel.amplitude + kernel.white - _squared(white)


@dataclass(frozen=True)
class Field:
    """A fitted field: what `predict` needs, and the posterior `offset` and `error` at the nodes themselves.

    `coefficients` and their `covariance` are those of the design: the constant, then the terms.
    """

    kernel: Kernel
    coefficients: np.ndarray
    covariance: np.ndarray
    vectors: np.ndarray
    whitening: np.ndarray  # its square is the inverse of the covariance of the nodes' offsets
    by_residual: np.ndarray  # the inverse times what the design leaves of the offsets
    by_design: np.ndarray
    offset: np.ndarray
    error: np.ndarray


def fit_field(vectors: np.ndarray, nodes: Nodes, kernel: Kernel) -> Field:
    """Condition the process on the nodes at `vectors` (N, 3): posterior mean and standard error, white part included.

    The coefficients of the design are fitted together with the field (generalised least squares). Offsets are those
    where all terms are zero.
    """
    sides = np.column_stack([nodes.offset, nodes.design])
    whitening, solved = _solve(vectors, kernel, nodes.variance, sides)
    by_offset, by_design = solved[:, 0], solved[:, 1:]
    matrix = nodes.within[0] + nodes.design.T @ by_design
    spread = np.linalg.pinv(matrix, hermitian=True)
    coefficients = spread @ (nodes.within[1] + by_design.T @ nodes.offset)
    residual = nodes.offset - nodes.design @ coefficients
    by_residual = by_offset - by_design @ coefficients
    # What the data of the node do not replace of the constant, and of the terms.
    left = nodes.variance[:, None] * by_design - nodes.design
    left[:, 0] += 1.0
    variance = nodes.variance - nodes.variance**2 * _squares_of_columns(whitening)
    if whitening.dtype != float:  # of a node that adds little, almost nothing of these large numbers remains
        noisy = np.flatnonzero(nodes.variance > NOISY * (kernel.amplitude + kernel.white))
        for start in range(0, len(noisy), PIECE):
            part = noisy[start : start + PIECE]
            cross = kernel.field(angles_deg(vectors[part], vectors))
            cross[np.arange(len(part)), part] = kernel.amplitude + kernel.white
            variance[part] = _left_of_prior(kernel, whitening, cross)
    variance += squares(left, spread)
    return Field(
        kernel=kernel,
        coefficients=coefficients,
        covariance=spread,
        vectors=vectors,
        whitening=whitening,
        by_residual=by_residual,
        by_design=by_design,
        offset=coefficients[0] + residual - nodes.variance * by_residual,
        error=np.sqrt(np.maximum(variance, 0.0)),
    )


def squares(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """row @ matrix @ row of each row."""
    return np.einsum("ij,ij->i", rows @ matrix, rows)


def predict(field: Field, vectors: np.ndarray, piece: int = PIECE) -> tuple[np.ndarray, np.ndarray]:
    """Posterior mean and standard error (M,) of pixels without stars, at unit vectors (M, 3)."""
    offset, error = np.empty(len(vectors)), np.empty(len(vectors))
    for start in range(0, len(vectors), piece):
        part = slice(start, start + piece)
        cross = field.kernel.field(angles_deg(vectors[part], field.vectors))
        offset[part] = field.coefficients[0] + cross @ field.by_residual
        left = -cross @ field.by_design
        left[:, 0] += 1.0
        variance = _left_of_prior(field.kernel, field.whitening, cross) + squares(left, field.covariance)
        error[part] = np.sqrt(np.maximum(variance, 0.0))
    return offset, error


def within_reach(
    pixels: np.ndarray, *, nside: int, ordering: str, reach_deg: float, wanted: np.ndarray | None = None
) -> np.ndarray:
    """Pixels, ascending, other than the given ones whose centre is at most reach_deg from the centre of one of them.

    All such pixels, or those of `wanted`.
    """
    from scipy.spatial import cKDTree

    everywhere = np.setdiff1d(np.arange(hp.nside2npix(nside)) if wanted is None else wanted, pixels)
    tree = cKDTree(unit_vectors(pixels, nside=nside, ordering=ordering))
    chord = 2.0 * np.sin(np.radians(min(reach_deg, 180.0)) / 2.0)
    distance, _ = tree.query(unit_vectors(everywhere, nside=nside, ordering=ordering))
    return everywhere[distance <= chord]


def neighbour_order(pixels: np.ndarray, *, nside: int, ordering: str) -> np.ndarray:
    """Places (N,) of the pixels in an order in which neighbours follow one another: the nested one."""

    return np.argsort(pixels if ordering == "nested" else hp.ring2nest(nside, pixels))


def fit_kernel(nodes: Nodes, *, nside: int, ordering: str) -> Kernel:
    """Kernel of the nodes, freed from the dependence on the terms that stars of one pixel show.

    Raises NoMap where there are fewer than MIN_NODES or more than MAX_NODES nodes.
    """
    if len(nodes.pixels) < MIN_NODES:
        raise NoMap(f"{len(nodes.pixels)} pixels hold stars with errors, it takes {MIN_NODES}")
    if len(nodes.pixels) > MAX_NODES:
        raise NoMap(
            f"{len(nodes.pixels)} pixels of nside {nside} hold stars, {MAX_NODES} fit into memory; a coarser "
            "measure.map.nside, or fewer in measure.smooth.more_nsides, would do"
        )
    matrix, right = nodes.within
    offset = nodes.offset - nodes.design @ (np.linalg.pinv(matrix, rcond=ROUNDING, hermitian=True) @ right)
    order = neighbour_order(nodes.pixels, nside=nside, ordering=ordering)
    vectors = unit_vectors(nodes.pixels, nside=nside, ordering=ordering)
    return learn_kernel(vectors[order], offset[order], nodes.variance[order])


def smooth_map(
    nodes: Nodes, kernel: Kernel, *, nside: int, ordering: str, reach_deg: float, wanted: np.ndarray | None = None
) -> tuple[pd.DataFrame, Field]:
    """hindex, offset, error [uas] and n of the nodes and of the pixels within reach of one; and the field.

    `wanted` are the pixels without stars that are asked for, where not all are.
    """
    field = fit_field(unit_vectors(nodes.pixels, nside=nside, ordering=ordering), nodes, kernel)
    others = within_reach(nodes.pixels, nside=nside, ordering=ordering, reach_deg=reach_deg, wanted=wanted)
    offset, error = predict(field, unit_vectors(others, nside=nside, ordering=ordering))
    here = pd.DataFrame({"hindex": nodes.pixels, "offset": field.offset, "error": field.error, "n": nodes.n})
    around = pd.DataFrame({"hindex": others, "offset": offset, "error": error, "n": 0})
    return pd.concat([here, around], ignore_index=True).sort_values("hindex", ignore_index=True), field


def spline_function(x: np.ndarray, intervals: int) -> Callable[[np.ndarray], np.ndarray]:
    """Function of values (M,) that gives cubic B-splines (M, intervals + 2), centred on their means over x (N,).

    Knots are quantiles of x between the 1st and the 99th percentile; beyond these the curve stays level. A value that
    is null counts as average. Without two different knots there are no splines, (M, 0).
    """
    from scipy.interpolate import BSpline

    x = x[np.isfinite(x)]
    knots = np.unique(np.quantile(x, np.linspace(0.01, 0.99, intervals + 1))) if len(x) else np.zeros(1)
    if len(knots) < 2:
        return lambda values: np.zeros((len(values), 0))
    knots = np.concatenate([[knots[0]] * 3, knots, [knots[-1]] * 3])

    def raw(values: np.ndarray) -> np.ndarray:
        # The first column follows from the others: they add up to one. Nothing is extrapolated: scipy would look for
        # values beyond the knots, slowly.
        return BSpline.design_matrix(np.clip(values, knots[0], knots[-1]), knots, 3, extrapolate=True).toarray()[:, 1:]

    centre = raw(x).mean(axis=0)

    def splines(values: np.ndarray) -> np.ndarray:
        found, known = np.zeros((len(values), len(centre))), np.isfinite(values)
        if known.any():
            found[known] = raw(values[known]) - centre
        return found

    return splines


def dependence(stars: pd.DataFrame, intervals: int, pixel: np.ndarray) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """`spline_function` of each of VARIABLES over the stars; none with 0 intervals.

    None either where the pixels (N,) do not hold STARS_PER_TERM stars a term besides one star each: the kernel is
    learned from what the differences of stars of one pixel leave.
    """
    enough = len(pixel) - len(np.unique(pixel)) >= STARS_PER_TERM * len(VARIABLES) * (intervals + 2)
    used = VARIABLES if intervals and enough else {}
    return {name: spline_function(stars[column].to_numpy(dtype=float), intervals) for name, column in used.items()}


def design(functions: Mapping[str, Callable[[np.ndarray], np.ndarray]], stars: pd.DataFrame) -> np.ndarray:
    """The terms of all variables side by side, (stars, terms)."""
    terms = (function(stars[VARIABLES[name]].to_numpy(dtype=float)) for name, function in functions.items())
    return np.column_stack([np.zeros((len(stars), 0)), *terms])
