"""Errors by resampling: bootstrap over stars, jackknife over blocks of the sky.

A resample is not fitted anew: it takes one Newton step from the solution of all stars, by the influence of each star.
The step is exact for a mean and for a mean with fixed weights; the scatter behind weights is not fitted anew. Medians
need neither step nor draws (bootstrap_medians).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gaia_offsets.core.log import progress
from gaia_offsets.offsets.gaussian import fit_density_power
from gaia_offsets.offsets.groups import Groups, group_stars
from gaia_offsets.offsets.weighted import hampel_slopes, hampel_weights, weighted_means

MIN_BLOCKS = 5  # fewer give no error


@dataclass(frozen=True)
class Linearised:
    """An estimator near its solution: the estimate of a resample is `estimate` + sum of `top` / sum of `bottom`.

    `estimate` is that of the `groups`; `top`, `bottom` and `size` (N,), what a star counts for in a block, follow the
    order of their stars.
    """

    groups: Groups
    estimate: np.ndarray
    top: np.ndarray
    bottom: np.ndarray
    size: np.ndarray

    def estimates(self, top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
        """Estimates of resamples from their sums; within the group's range, and unmoved where no weight is left."""
        first, last = self.groups.starts, self.groups.starts + self.groups.counts - 1
        with np.errstate(over="ignore"):
            moved = self.estimate + np.where(bottom > 0, top / np.where(bottom > 0, bottom, 1.0), 0.0)
        return np.clip(moved, self.groups.values[first], self.groups.values[last])


def linear_mean(values: np.ndarray, labels: np.ndarray) -> Linearised:
    """Plain mean of the values (N,) of each group; nulls are left out."""
    groups = group_stars(values, labels)
    mean = groups.sums(groups.values) / groups.counts
    ones = np.ones(len(groups.rows))
    return Linearised(groups, mean, groups.values - groups.spread(mean), ones, ones)


def linear_median(values: np.ndarray, labels: np.ndarray) -> Linearised:
    """Median of each group, by the density of its stars between ranks n/2 +- sqrt(n)/2, as in `median_error`.

    Leaving out a few stars moves a median from one star to the next, by chance; this step has no such grain.
    """
    groups = group_stars(values, labels)
    median, reach = groups.medians(), np.sqrt(groups.counts) / 2
    low, high = (groups.quantile_at((groups.counts - 1) / 2 + side * reach) for side in (-1, 1))
    with np.errstate(divide="ignore"):
        density = 1.0 / ((high - low) * np.sqrt(groups.counts))  # share of the stars in a unit
    ones = np.ones(len(groups.rows))
    sides = np.sign(groups.values - groups.spread(median)) / 2
    return Linearised(groups, median, sides, groups.spread(density), ones)


def linear_gaussian(values: np.ndarray, labels: np.ndarray, *, beta: float) -> Linearised:
    """Mean of the Gaussian core of each group, as `fit_density_power` finds it, together with the sd."""
    groups = group_stars(values, labels)
    mean, sd = fit_density_power(groups, beta=beta)
    n = groups.counts
    fitted = np.isfinite(mean) & (sd > 0)
    s, share = groups.spread(np.where(fitted, sd, 1.0)), groups.spread((n - 1.0) / n)
    z = np.where(groups.spread(fitted), groups.values - groups.spread(np.where(fitted, mean, 0.0)), 0.0) / s
    weight = np.exp(-0.5 * beta * z**2)
    # The two equations of the fit, and minus their slopes by mean and sd, in units of sd.
    for_mean, for_sd = weight * z, weight * (z**2 - share) + share * beta * (1.0 + beta) ** -1.5
    mean_by_mean = weight * (1.0 - beta * z**2)
    mean_by_sd = mean_by_mean * z
    sd_by_mean = weight * z * (2.0 - beta * (z**2 - share))
    sd_by_sd = sd_by_mean * z
    # The sd moves with the resample, too, and the mean with it where the stars lie unevenly.
    sums = [groups.sums(part) for part in (mean_by_sd, sd_by_sd, sd_by_mean)]
    pull = np.where(sums[1] > 0, sums[0] / np.where(sums[1] > 0, sums[1], 1.0), 0.0)
    pull = groups.spread(pull)
    top, bottom = s * (for_mean - pull * for_sd), mean_by_mean - pull * sd_by_mean
    return Linearised(groups, mean, top, bottom, np.ones(len(groups.rows)))


def linear_weighted(values: np.ndarray, variance: np.ndarray, labels: np.ndarray) -> Linearised:
    """Robust weighted mean of each group, as `weighted_means`; stars without a value or a variance are left out."""
    groups = group_stars(values, labels, np.isfinite(variance) & (variance > 0))
    variance = variance[groups.rows]
    _, mean, _ = weighted_means(groups.values, variance, groups.spread(groups.labels))
    z = (groups.values - groups.spread(mean)) / np.sqrt(variance)
    weight = hampel_weights(z) / variance
    return Linearised(groups, mean, weight * (groups.values - groups.spread(mean)), hampel_slopes(z) / variance, weight)


def bootstrap_errors(fits: Sequence[Linearised], *, replicates: int, seed: int) -> list[np.ndarray]:
    """Standard deviation (groups,) of each fit's estimates over resamplings of each group's stars with replacement.

    Null for a group of one. Fits whose groups have the same sizes have the same draws, and are drawn together.
    """
    alike: dict[bytes, list[int]] = {}
    for number, fit in enumerate(fits):
        alike.setdefault(fit.groups.counts.tobytes(), []).append(number)
    errors = {}
    for numbers in alike.values():
        errors |= zip(numbers, _drawn_together([fits[number] for number in numbers], replicates, seed), strict=True)
    return [errors[number] for number in range(len(fits))]


def _drawn_together(fits: Sequence[Linearised], replicates: int, seed: int) -> list[np.ndarray]:
    from scipy import sparse

    groups, n = fits[0].groups, len(fits[0].groups.rows)
    columns, ends = np.arange(n, dtype=np.int32), np.append(groups.starts, n).astype(np.int32)
    parts = np.stack([part for fit in fits for part in (fit.top, fit.bottom)], axis=1)
    first, size = groups.spread(groups.starts), groups.spread(groups.counts).astype(float)
    random, uniform, drawn = np.random.default_rng(seed), np.empty(n), np.empty(n, dtype=np.int64)
    total, squares = np.zeros((2, len(fits), len(groups.starts)))
    for _ in progress(range(replicates), replicates, "draws"):
        # Into the same arrays again: new ones of this size cost more than the sums.
        np.multiply(random.random(out=uniform), size, out=uniform)
        np.copyto(drawn, uniform, casting="unsafe")
        drawn += first
        times = np.bincount(drawn, minlength=n).astype(float)
        sums = sparse.csr_array((times, columns, ends), shape=(len(groups.starts), n)) @ parts
        step = np.stack([fit.estimates(*sums[:, 2 * k : 2 * k + 2].T) - fit.estimate for k, fit in enumerate(fits)])
        total, squares = total + step, squares + step**2
    return list(_spread(total, squares, replicates, groups.counts))


def _spread(total: np.ndarray, squares: np.ndarray, replicates: int, counts: np.ndarray) -> np.ndarray:
    """Standard deviations from sums over the replicates; null for a group of one."""
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = (squares - total**2 / replicates) / (replicates - 1)
    return np.sqrt(np.where((replicates > 1) & (counts > 1), np.maximum(variance, 0.0), np.nan))


def bootstrap_medians(groups: Groups, *, replicates: int, seed: int) -> np.ndarray:
    """Standard deviation (groups,) of the medians over resamplings of each group; null for a group of one.

    No star is drawn. Resampling takes places floor(n u) with uniform u; the k-th lowest of n such u has a beta
    distribution, so the middle places can be drawn at once.
    """
    n = groups.counts
    low, even = (n + 1) // 2, n % 2 == 0  # rank of the middle one, or the lower of two
    random = np.random.default_rng(seed)
    total, squares, middle = np.zeros(len(n)), np.zeros(len(n)), groups.medians()
    for _ in progress(range(replicates), replicates, "draws"):
        lower = random.beta(low, n - low + 1)
        upper = np.where(even, lower + (1.0 - lower) * random.beta(1, np.maximum(n - low, 1)), lower)
        index = [groups.starts + np.minimum(np.floor(n * u), n - 1).astype(np.int64) for u in (lower, upper)]
        step = (groups.values[index[0]] + groups.values[index[1]]) / 2 - middle
        total, squares = total + step, squares + step**2
    return _spread(total, squares, replicates, n)


def without_blocks(fit: Linearised, blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Estimates of a single group without each block (blocks,), and the sizes of the blocks; `blocks` (N,) labels.

    Blocks in which no star counts are left out.
    """
    block = np.unique(blocks[fit.groups.rows], return_inverse=True)[1]
    top, bottom, size = (np.bincount(block, part) for part in (fit.top, fit.bottom, fit.size))
    estimates = fit.estimates(fit.top.sum() - top, fit.bottom.sum() - bottom)
    return estimates[size > 0], size[size > 0]


def jackknife_error(estimate: float, without: np.ndarray, sizes: np.ndarray) -> float:
    """Error of an estimate by the jackknife over blocks of unequal size (Busing et al. 1999, Stat. Comput. 9, 3).

    `without` (blocks,) are the estimates without each block, `sizes` what the blocks count for. Null with fewer than
    MIN_BLOCKS blocks.
    """
    if len(without) < MIN_BLOCKS:
        return np.nan
    shares = np.sum(sizes) / sizes  # at least 1; blocks of one size: their number
    pseudo = shares * estimate - (shares - 1.0) * without
    centre = len(without) * estimate - np.sum((1.0 - 1.0 / shares) * without)
    return float(np.sqrt(np.mean((pseudo - centre) ** 2 / (shares - 1.0))))
