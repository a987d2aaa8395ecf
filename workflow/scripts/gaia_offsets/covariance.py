"""How the errors of Gaia's parallaxes are correlated on the sky: covariance [uas2] against angular distance [deg]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

PIECE = 1024  # rows of the matrix of distances at a time


def maiz_apellaniz2021(angle_deg: np.ndarray) -> np.ndarray:
    """Covariance [uas2] of EDR3 parallaxes at angular distances in degrees.

    After Maiz Apellaniz et al. 2021, A&A 649, A13: a damped oscillation from the Magellanic Clouds below 3 deg, on
    top of straight lines from quasars. Its numbers reached us at second hand.
    """
    angle = np.asarray(angle_deg, dtype=float)
    phase = np.radians(-50.0)
    wave = np.cos(2.0 * np.pi * angle / 1.05 + phase) / np.cos(phase)
    damped = 0.94 * np.exp(-((angle / 0.35) ** 0.8)) + 0.06
    small = 46.2 * (0.6 * np.exp(-angle / 1.4) + 0.4 * wave * damped)
    large = np.select(
        [angle < 3.0, angle < 40.0, angle < 140.0], [60.0, 1.62 * (40.0 - angle), 0.0], 1.62 * (140.0 - angle)
    )
    return small + large


def mean_covariance(
    vectors: np.ndarray, weights: np.ndarray, covariance: Callable[[np.ndarray], np.ndarray] = maiz_apellaniz2021
) -> np.ndarray:
    """Variance [uas2] that correlated errors give a weighted mean: the mean of the covariance over all pairs.

    `vectors` (N, 3) are directions of stars, or of pixels that hold them; `weights` (N,) their shares in the mean, or
    (N, means) those in several. A pair of one star with itself counts in full.
    """
    weights = np.asarray(weights, dtype=float) / np.sum(weights, axis=0)
    total = np.zeros(weights.shape[1:])
    for start in range(0, len(vectors), PIECE):
        part = slice(start, start + PIECE)
        angle = np.degrees(np.arccos(np.clip(vectors[part] @ vectors.T, -1.0, 1.0)))
        total += np.sum(weights[part] * (covariance(angle) @ weights), axis=0)
    return total
