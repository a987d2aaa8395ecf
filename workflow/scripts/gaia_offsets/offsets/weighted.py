"""Robust weighted means of groups of stars: each star by its own variance, outliers by Hampel's weights."""

from __future__ import annotations

import numpy as np

from gaia_offsets.offsets.groups import Groups, group_stars

# A deviation [sd] counts in full up to the first, is capped there up to the second, and fades to nothing at the third.
HAMPEL = (3.0, 5.0, 8.0)


def hampel_weights(z: np.ndarray, limits: tuple[float, float, float] = HAMPEL) -> np.ndarray:
    """Weights of deviations in units of their sd: 1 for small ones, 0 for outliers (Hampel et al. 1986)."""
    full, flat, gone = limits
    z = np.maximum(np.abs(np.asarray(z)), 1e-300)
    weight = np.minimum(full / z, 1.0)
    z -= gone
    z *= -1.0 / (gone - flat)
    return np.multiply(weight, np.clip(z, 0.0, 1.0, out=z), out=weight)


def hampel_slopes(z: np.ndarray) -> np.ndarray:
    """Slope of z times its weight: 1 for small deviations, 0 where they are capped or gone, negative in between."""
    full, flat, gone = HAMPEL
    z = np.abs(z)
    return np.select([z <= full, (z > flat) & (z < gone)], [1.0, -full / (gone - flat)], 0.0)


def weighted_means(
    values: np.ndarray, variance: np.ndarray, labels: np.ndarray, *, iterations: int = 50, tolerance: float = 1e-6
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, weighted means and their errors of the groups, ascending by label.

    `values`, `variance` and `labels` are (N,); a star without a value or variance is left out. Weights are
    1 / variance times those of Hampel, from the weighted median on; the error is the root of 1 / (sum of the weights).
    Both are null for a group whose stars exclude one another.
    """
    variance = np.asarray(variance, dtype=float)
    groups = group_stars(values, labels, np.isfinite(variance) & (variance > 0))
    variance = variance[groups.rows]
    mean, total = _weighted_medians(groups, variance), np.zeros(len(groups.counts))
    index, part = np.arange(len(mean)), groups  # the groups whose means still move
    for _ in range(iterations):
        if len(index) == 0:
            break
        step = part.values - part.spread(mean[index])
        weight = hampel_weights(step / np.sqrt(variance)) / variance
        total[index] = part.sums(weight)
        shift = part.sums(weight * step) / np.where(total[index] > 0, total[index], 1.0)
        mean[index] += shift
        moved = np.abs(shift) * np.sqrt(total[index]) > tolerance
        if not moved.all():
            variance = variance[part.spread(moved)]
            index, part = index[moved], part.restrict(moved)
    with np.errstate(divide="ignore"):
        error = np.where(total > 0, 1.0 / np.sqrt(total), np.nan)
    return groups.labels, np.where(total > 0, mean, np.nan), error


def _weighted_medians(groups: Groups, variance: np.ndarray) -> np.ndarray:
    """Value of each group with half of the weight on either side; between two stars where both will do."""
    weight = 1.0 / variance
    running = np.cumsum(weight / groups.spread(groups.sums(weight)))  # grows by 1 from group to group
    middle = np.arange(len(groups.counts)) + 0.5
    low, high = (np.searchsorted(running, middle + shift) for shift in (-1e-9, 1e-9))
    return 0.5 * (groups.values[low] + groups.values[high])
