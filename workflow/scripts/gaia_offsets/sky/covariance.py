"""How the errors of Gaia's parallaxes are correlated on the sky: covariance [uas2] against angular distance [deg]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gaia_offsets.core.log import progress
from gaia_offsets.sky.healpix import hp
from gaia_offsets.sky.positions import all_separations

PIECE = 64  # rows of the matrix of distances at a time
MANY = 3000  # stars or cells of which all pairs are reckoned
FINEST, COARSEST = 4096, 64  # nside of the cells of many stars: 0.9 to 52 arcmin
BLOCK = 16  # cells of COARSEST in a block, 3.7 deg wide
NEAR_DEG = 12.0  # from here on blocks stand for their cells
DAMPED_DEG = 40.0  # beyond this exp(-(angle / 0.35)^0.8) < 1e-19 changes no bit of the sum that it stands in


def angular_covariance(angle_deg: np.ndarray) -> np.ndarray:
    """Covariance [uas2] of EDR3 parallaxes at angular distances in degrees.

    After Maiz Apellaniz et al. 2021, A&A 649, A13: a damped oscillation from the Magellanic Clouds below 3 deg, on
    top of straight lines from quasars. Its numbers reached us at second hand.

    >>> angular_covariance([0.0, 1.0, 30.0, 90.0]).round(1)
    array([106.2,  75.3,  14.6,  -1.5])
    """
    angle = np.asarray(angle_deg, dtype=float)
    phase = np.radians(-50.0)
    wave = np.cos(2.0 * np.pi * angle / 1.05 + phase) / np.cos(phase)
    damped, near = np.full(angle.shape, 0.06), angle < DAMPED_DEG
    damped[near] += 0.94 * np.exp(-((angle[near] / 0.35) ** 0.8))
    small = 46.2 * (0.6 * np.exp(-angle / 1.4) + 0.4 * wave * damped)
    lines = 1.62 * (np.maximum(40.0 - angle, 0.0) + np.minimum(140.0 - angle, 0.0))
    return small + np.where(angle < 3.0, 60.0, lines)


def mean_covariance(
    vectors: np.ndarray, weights: np.ndarray, covariance: Callable[[np.ndarray], np.ndarray] = angular_covariance
) -> np.ndarray:
    """Variance [uas2] that correlated errors give a weighted mean: the mean of the covariance over all pairs.

    `vectors` (N, 3) are directions of stars, or of pixels that hold them; `weights` (N,) their shares in the mean, or
    (N, means) those in several, which cost little more than one. A pair of one star with itself counts in full.
    """
    weights = np.asarray(weights, dtype=float) / np.sum(weights, axis=0)
    total = np.zeros(weights.shape[1:])
    for start in range(0, len(vectors), PIECE):
        # Each pair once: those behind the piece count for both orders.
        part, behind = weights[start : start + PIECE], 2.0 * weights[start:]
        behind[: len(part)] /= 2.0
        angle = all_separations(vectors[start : start + PIECE], vectors[start:])
        total += np.sum(part * (covariance(angle) @ behind), axis=0)
    return total


def gathered_covariance(
    vectors: np.ndarray, weights: np.ndarray, covariance: Callable[[np.ndarray], np.ndarray] = angular_covariance
) -> float:
    """mean_covariance of many stars: cells of the sky stand for theirs, beyond NEAR_DEG larger ones.

    A cell lies at the mean of its stars, so that where pixels meet does not matter; those in one cell count as one
    place, which makes the covariance larger, by the share of the pairs in one cell: one of hundreds or thousands.
    """
    nside = FINEST
    cell = np.asarray(hp.vec2pix(nside, *np.asarray(vectors).T, nest=True))
    if len(cell) <= MANY:
        return float(mean_covariance(vectors, weights, covariance))
    while nside > COARSEST and len(np.unique(cell)) > MANY:
        cell, nside = cell >> 2, nside // 2
    cells, share, centre = _cells(cell, vectors, np.asarray(weights, dtype=float) / np.sum(weights))
    if len(cells) <= MANY:
        return float(mean_covariance(centre, share, covariance))
    blocks, block_share, block_centre = _cells(cells // BLOCK, centre, share)
    edges, total = np.searchsorted(cells // BLOCK, np.append(blocks, blocks[-1] + 1)), 0.0
    for own in progress(range(len(blocks)), len(blocks), "parts of the sky", each=500):
        angle = all_separations(block_centre[own : own + 1], block_centre)[0]
        near = angle < NEAR_DEG
        total += block_share[own] * (covariance(angle[~near]) @ block_share[~near])
        others = np.concatenate([np.arange(edges[place], edges[place + 1]) for place in np.flatnonzero(near)])
        mine = slice(edges[own], edges[own + 1])
        total += share[mine] @ covariance(all_separations(centre[mine], centre[others])) @ share[others]
    return float(total)


def _cells(cell: np.ndarray, vectors: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The cells that hold something, ascending, the weight in each and its mean direction."""
    cells, place = np.unique(cell, return_inverse=True)
    share = np.bincount(place, weights)
    mean = np.stack([np.bincount(place, weights * axis) for axis in np.asarray(vectors).T], axis=1)
    return cells, share, mean / np.linalg.norm(mean, axis=1, keepdims=True)
