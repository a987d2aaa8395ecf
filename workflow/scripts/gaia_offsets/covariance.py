"""How the errors of Gaia's parallaxes are correlated on the sky: covariance [uas2] against angular distance [deg]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

PIECE = 64  # rows of the matrix of distances at a time
DAMPED_DEG = 40.0  # beyond this exp(-(angle / 0.35)^0.8) < 1e-19 changes no bit of the sum that it stands in


def maiz_apellaniz2021(angle_deg: np.ndarray) -> np.ndarray:
    """Covariance [uas2] of EDR3 parallaxes at angular distances in degrees.

    After Maiz Apellaniz et al. 2021, A&A 649, A13: a damped oscillation from the Magellanic Clouds below 3 deg, on
    top of straight lines from quasars. Its numbers reached us at second hand.
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
    vectors: np.ndarray, weights: np.ndarray, covariance: Callable[[np.ndarray], np.ndarray] = maiz_apellaniz2021
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
        angle = np.degrees(np.arccos(np.clip(vectors[start : start + PIECE] @ vectors[start:].T, -1.0, 1.0)))
        total += np.sum(part * (covariance(angle) @ behind), axis=0)
    return total
