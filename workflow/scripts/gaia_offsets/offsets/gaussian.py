"""Mean and sd of a Gaussian fitted to the offsets of each group, the paper's estimator (Sect. 3)."""

from __future__ import annotations

import numpy as np

from gaia_offsets.offsets.groups import Groups


def fit_density_power(
    groups: Groups, *, beta: float, tolerance: float = 1e-7, iterations: int = 200
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd (groups,) of the Gaussian core by minimum density power divergence (Basu et al. 1998).

    A star's weight is exp(-beta z^2 / 2), z its distance from the mean in sd. Such weights alone would make the sd too
    small; it is scaled so that Gaussian data give the right one. beta = 0 is maximum likelihood; beta = 1 minimises the
    integrated squared difference of density and data, which is what least squares on a fine histogram does. At 0.3 the
    mean's scatter on pure Gaussian data is 4 % above sigma / sqrt(N). Null for a group of one.
    """
    # Of Gaussian data each step leaves beta / (1 + beta) of the mean's distance from the solution, and half of
    # beta (2 - beta) / (1 + beta) of the sd's: so much further it goes.
    further = 1.0 + beta, 1.0 / (1.0 - 0.5 * beta * (2.0 - beta) / (1.0 + beta))
    mean = groups.medians()
    sd = groups.robust_sigmas(mean)
    if (flat := sd == 0).any():  # more than half of the values are equal
        plain = groups.sums(groups.values) / groups.counts
        squares = groups.sums((groups.values - groups.spread(plain)) ** 2)
        sd = np.where(flat, np.sqrt(squares / groups.counts), sd)
    moving = (groups.counts > 1) & (sd > 0)
    index, part = np.flatnonzero(moving), groups.restrict(moving)
    for _ in range(iterations):
        if len(index) == 0:
            break
        step, new_sd = _density_power_step(part, mean[index], sd[index], beta)
        moved = (np.maximum(np.abs(step), np.abs(new_sd - sd[index])) > tolerance * sd[index]) & (new_sd > 0)
        mean[index] += further[0] * step
        sd[index] = np.where(moved, sd[index] * (new_sd / sd[index]) ** further[1], new_sd)
        if not moved.all():
            index, part = index[moved], part.restrict(moved)
    return np.where(groups.counts > 1, mean, np.nan), np.where(groups.counts > 1, sd, np.nan)


def _density_power_step(part: Groups, mean: np.ndarray, sd: np.ndarray, beta: float) -> tuple[np.ndarray, np.ndarray]:
    """Step of the mean and new sd, (groups,) each."""
    n = part.counts
    deviation = part.values - part.spread(mean)
    weight = np.exp(-0.5 * beta * (deviation / part.spread(sd)) ** 2)
    total, first, second = part.sums(weight), part.sums(weight * deviation), part.sums(weight * deviation**2)
    # The weights cut the wings off; at the solution this term puts back what they take from a Gaussian. One degree of
    # freedom goes to the mean, as in the ordinary standard deviation.
    kept = total - n * beta * (1.0 + beta) ** -1.5
    with np.errstate(invalid="ignore", divide="ignore"):  # of a group whose fit runs away
        step = first / total
        return step, np.sqrt((second - first * step) / np.maximum(kept * (n - 1.0) / n, 1e-3 * n))


def fit_histogram(
    groups: Groups, *, bins: int, half_width: float = 4.0, iterations: int = 100
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd (groups,) by unweighted least squares of a Gaussian on a histogram (Sect. 3, read literally).

    `bins` equal bins within `half_width` robust sigmas of the group's median; amplitude, mean and sd are free. All
    groups are fitted together by Levenberg-Marquardt steps. Null where fewer than 5 stars or where the fit leaves the
    histogram.
    """
    centre = groups.medians()
    scale = groups.robust_sigmas(centre)
    mean, sd = np.full((2, len(centre)), np.nan)
    good = (groups.counts >= 5) & (scale > 0)
    if not good.any():
        return mean, sd
    part, centre, scale = groups.restrict(good), centre[good], scale[good]
    width = 2.0 * half_width / bins
    bin_index = np.floor(((part.values - part.spread(centre)) / part.spread(scale) + half_width) / width)
    inside = (bin_index >= 0) & (bin_index < bins)
    cell = (part.spread(np.arange(len(centre)) * bins) + bin_index)[inside].astype(np.int64)
    counts = np.bincount(cell, minlength=len(centre) * bins).reshape(-1, bins)
    # Density in units of z, so that every group starts from the same guess: amplitude 0.4, mean 0, sd 1.
    x = -half_width + width * (np.arange(bins) + 0.5)
    solved = _least_squares_gaussian(x, counts / (part.counts[:, None] * width), iterations)
    lost = (np.abs(solved[:, 1]) > half_width) | (solved[:, 2] > 2 * half_width) | (solved[:, 2] < width / 4)
    solved[lost] = np.nan
    mean[good], sd[good] = centre + scale * solved[:, 1], scale * solved[:, 2]
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
