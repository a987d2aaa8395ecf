"""The covariance of the offsets of two pixels, learned from the pixels with stars (docs/method.md, The smooth map).

Offset of a pixel = constant + field + white part + noise. The field has the covariance
amplitude exp(-(d / length)^power) at the distance d; the white part is independent from pixel to pixel; the noise is
that of the pixel's stars. Offsets are in uas, pixels nested.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaia_offsets.maps.nodes import Nodes
from gaia_offsets.sky.healpix import hp
from gaia_offsets.sky.positions import pixel_vectors

BLOCK, BLOCKS = 160, 256  # nodes of a block of the likelihood, neighbours on the sky, and how many at most
MIN_NODES = 10  # fewer teach nothing about a kernel
LONGEST_DEG = 100.0  # the shortest length is half of a pixel's side
# Families of kernels: prior weight, bounds of the power and of the white part. The smooth ones (power 2) state small
# errors and have to be earned, as has the freedom of the last. No pattern at all has the rest, a half.
FAMILIES = ((0.37, (1.0, 1.0), (0.0, 0.0)), (0.12, (2.0, 2.0), (0.0, 0.0)), (0.01, (0.3, 2.0), (0.0, 100.0)))
AMPLITUDES, LENGTHS = (0.25, 1.0, 4.0), (0.4, 1.0, 2.5)  # of the kernels of a family, times those of its best
ENOUGH = 0.95  # of the weights: the lightest kernels beyond are left out, each costs a map
SAME = -12.0  # ln(distance / deg) of less than 0.03 arcsec: a pixel and itself


class NoMap(ValueError):
    """Too few pixels hold stars; the message is one line."""


@dataclass(frozen=True)
class Kernel:
    """Covariance of the offsets of two pixels: `amplitude` and `white` in uas2, `length_deg`, `power`."""

    amplitude: float
    length_deg: float
    power: float
    white: float

    def field(self, log_distance: np.ndarray) -> np.ndarray:
        """Covariance of the field at `log_distances`."""
        return self.amplitude * np.exp(-np.exp(self.power * (log_distance - np.log(self.length_deg))))


def centres(pixels: np.ndarray, level: int) -> np.ndarray:
    """Unit vectors (N, 3) of the centres of nested pixels."""
    return pixel_vectors(pixels, nside=2**level, ordering="nested")


def log_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """ln of the distances [deg], (N, M), of unit vectors (N, 3) and (M, 3); far below SAME for equal ones.

    Straight through the sphere: of angles along it, powers above 1 make no covariance.
    """
    square = 2.0 * np.degrees(1.0) ** 2 * (1.0 - first @ second.T)
    square[square < np.exp(2.0 * SAME)] = np.finfo(float).tiny
    return 0.5 * np.log(square)


def unnoticed(nodes: Nodes) -> float:
    """Sd [uas] of a pattern that the stars cannot tell from none: its variance is the error of an estimate of it.

    After DerSimonian & Laird (1986, Controlled Clinical Trials 7, 177); the chi2 of N nodes scatters by sqrt(2 N).
    """
    weight = 1.0 / nodes.variance
    return float((np.sqrt(2.0 * len(weight)) / (weight.sum() - weight @ weight / weight.sum())) ** 0.5)


def learn_kernels(nodes: Nodes) -> list[tuple[Kernel, float]]:
    """Kernels with their weights, heaviest first: prior times restricted likelihood, 1 in sum.

    They are few where the stars know the kernel. Where they do not, as in a small survey or under a weak pattern, the
    error of the map holds what the kernels disagree about. Raises NoMap with fewer than MIN_NODES nodes.
    """
    from scipy.optimize import minimize

    if len(nodes.pixels) < MIN_NODES:
        raise NoMap(f"{len(nodes.pixels)} pixels hold stars with errors, it takes {MIN_NODES}")
    weight, least = 1.0 / nodes.variance, unnoticed(nodes) ** 2
    excess = weight @ (nodes.offset - np.average(nodes.offset, weights=weight)) ** 2 - len(weight)
    unit = max(excess / weight.sum(), least)  # of variances in the search: about the amplitude
    at, count = centres(nodes.pixels, nodes.level), -(-len(weight) // BLOCK)
    blocks = np.array_split(np.arange(len(at)), count)
    blocks = [blocks[one] for one in np.unique(np.linspace(0, count - 1, BLOCKS).round().astype(int))]
    data = [
        (log_distances(at[one], at[one]), nodes.offset[one] / unit**0.5, nodes.variance[one] / unit) for one in blocks
    ]
    lengths = np.log([np.degrees(hp.nside2resol(2**nodes.level)) / 2.0, LONGEST_DEG])
    points, priors = [np.array([0.0, lengths[1], 1.0, 0.0])], [1.0 - sum(prior for prior, _, _ in FAMILIES)]
    for prior, powers, white in FAMILIES:
        bounds = [(0.0, 100.0), lengths, powers, white]
        start = np.clip([0.5, np.log(4.0), 1.0, 0.5], *np.transpose(bounds))
        best = minimize(
            likelihood, start, (data,), jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-7}
        ).x
        amplitudes = max(best[0], least / unit) * np.array(AMPLITUDES)
        scales = np.clip(best[1] + np.log(LENGTHS), *lengths)
        points += [np.array([amplitude, length, *best[2:]]) for amplitude in amplitudes for length in scales]
        priors += [prior / 9.0] * 9
    points, same = np.unique(points, axis=0, return_inverse=True)  # lengths at a bound come twice
    log = np.log(np.bincount(same.ravel(), priors))
    log -= sum(map(len, blocks)) * np.array([likelihood(point, data)[0] for point in points])
    weights = np.exp(log - log.max())
    order = np.argsort(-weights, kind="stable")
    order = order[: np.searchsorted(np.cumsum(weights[order]), ENOUGH * weights.sum()) + 1]
    # Rounded: what the order of additions changes shall change no byte of the map.
    kernels = points[order] * [unit, 1.0, 1.0, unit]
    kernels[:, 1] = np.exp(kernels[:, 1])
    rows = np.column_stack([kernels, weights[order] / weights[order].sum()])
    rows = [[float(f"{number:.6g}") for number in row] for row in rows]
    return [(Kernel(*row[:-1]), row[-1]) for row in rows]


Block = tuple[np.ndarray, np.ndarray, np.ndarray]  # `log_distances` (N, N), offset (N,) and variance (N,) of nodes


def likelihood(point: np.ndarray, blocks: list[Block]) -> tuple[float, np.ndarray]:
    """Minus the restricted log likelihood of a node, and its slopes by amplitude, ln length, power and white part.

    Blocks count as independent, with one constant together. With P the inverse covariance less what the constant takes
    of it and r = P y, a slope is half of the sum over (P - r r^T) times the covariance's (Rasmussen & Williams 2006,
    Sect. 2.7 and 5.4.1).
    """
    from scipy.linalg import lapack

    amplitude, log_length, power, white = point
    half_log, ones, cross, square, solved, slopes = 0.0, 0.0, 0.0, 0.0, [], np.zeros(4)
    for distance, offset, variance in blocks:
        scaled = np.exp(power * (distance - log_length))
        shape, diagonal = np.exp(-scaled), np.diag_indices(len(offset))
        covariance = amplitude * shape
        covariance[diagonal] += white + variance
        factor, fault = lapack.dpotrf(covariance, lower=1, clean=1)
        if fault:
            raise ArithmeticError("smooth map: the covariances of the pixels are not positive definite")
        half_log += np.log(np.diag(factor)).sum()
        inverse = lapack.dpotri(factor, lower=1)[0]
        inverse += np.tril(inverse, -1).T
        by_one = inverse.sum(axis=0)
        ones, cross = ones + by_one.sum(), cross + by_one @ offset
        solved.append((scaled, shape, inverse, by_one))
    for (distance, offset, _), (scaled, shape, inverse, by_one) in zip(blocks, solved, strict=True):
        left = offset - cross / ones
        rest = inverse @ left
        square += rest @ left
        inverse -= np.outer(by_one, by_one / ones) + np.outer(rest, rest)
        field = amplitude * inverse * shape * scaled
        slopes += [
            np.vdot(inverse, shape),
            power * field.sum(),
            -np.vdot(field, distance - log_length),
            np.trace(inverse),
        ]
    count = sum(len(offset) for _, offset, _ in blocks)
    return (half_log + 0.5 * (square + np.log(ones))) / count, 0.5 * slopes / count
