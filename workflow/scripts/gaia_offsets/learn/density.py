"""How the stars of a sample thin out along the line of sight, from counts alone: what their selection cannot hide.

Of stars chosen by apparent magnitude, whose parallax at given labels scatters about exp(y), y = ln(unit) + F, there are
A(F) S(ln unit) R(y): a mix of labels, a selection, and the density per y smoothed by the scatter. S does not come into
the mean parallax at a given apparent magnitude and given labels, and R does (docs/method.md, "Learned magnitudes"). The
counts leave a factor exp(a y) of R open, which shifts F by a constant and changes nothing else.
"""

from __future__ import annotations

from typing import Any

import numpy as np

STARS_PER_CELL, BINS = 1.5, (6, 40)  # of the counts, in each of ln(unit) and F; wide bins would smear R
SURE = 0.3  # stars that a cell should have to count in the misfit: chi2 of the many emptier ones is 0 or huge
RANGE = (0.5, 99.5)  # percentiles that the bins cover
STARS_PER_KNOT, KNOTS = 300, (4, 8)  # of the cubic spline ln R
RIDGE = 1e-3  # settles the constants and straight lines that the three functions share
ITERATIONS, STEP = 50, 1e-6
MAX_STRATA, STRATA_RANGE, MIN_STARS = 8, (2.0, 98.0), 2000  # strata of equal width; stars of one


def sums(rows: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Sum over the last axis of rows times coefficients, each row by itself.

    A product of matrices rounds by where in a block a row stands, so that a star would not have the same magnitude in
    every table.
    """
    return np.ascontiguousarray(rows * coefficients).sum(axis=-1)


class Density:
    """ln R(y) of the stars of one stratum, but for a straight line in y.

    `coefficients` and `covariance` are those of the functions of `rows`; `misfit` is chi2 per degree of freedom of the
    counts, 1 where R is the same for all labels.
    """

    def __init__(self, log_unit: np.ndarray, f: np.ndarray, variance: np.ndarray) -> None:
        """From ln(unit), F and the variance of the scatter about y, (N,), of the stars."""
        from sklearn.preprocessing import SplineTransformer

        bins = int(np.clip(np.sqrt(len(f) / STARS_PER_CELL), *BINS))
        edges = [np.linspace(*np.percentile(values, RANGE), bins + 1) for values in (f, log_unit)]
        counts = np.histogram2d(f, log_unit, edges)[0].ravel()
        cells = np.divmod(np.arange(bins**2), bins)
        y = sum(0.5 * (edge[1:] + edge[:-1])[cell] for edge, cell in zip(edges, cells, strict=True))
        quantiles = np.linspace(0.01, 0.99, int(np.clip(len(f) // STARS_PER_KNOT, *KNOTS)))
        knots = np.unique(np.quantile(log_unit + f, quantiles))[:, None]
        self.spline: Any = SplineTransformer(knots=knots, extrapolation="linear", include_bias=False).fit(y[:, None])
        each = np.eye(bins)
        self._fit(np.hstack([self.rows(y), *(each[cell] for cell in cells)]), counts, bins)
        middle = np.linspace(*np.quantile(log_unit + f, (0.05, 0.95)), 50)
        self.curvature = min(2.0 * np.polyfit(middle, self.rows(middle) @ self.coefficients, 2)[0], 0.0)
        self.smoothing = float(np.mean(variance))

    def _fit(self, design: np.ndarray, counts: np.ndarray, bins: int) -> None:
        """Poisson regression by weighted least squares, iterated; two columns for each bin are A and S."""
        ridge, log_mean, solution = RIDGE * np.eye(design.shape[1]), np.log(counts + 0.5), np.zeros(design.shape[1])
        for _ in range(ITERATIONS):
            mean, old = np.exp(log_mean), solution
            weighted = design * mean[:, None]
            inverse = np.linalg.inv(weighted.T @ design + ridge)
            solution = inverse @ (weighted.T @ (log_mean + (counts - mean) / mean))
            log_mean = np.clip(design @ solution, -20.0, 20.0)
            if np.abs(solution - old).max() < STEP:
                break
        terms = design.shape[1] - 2 * bins
        self.coefficients, self.covariance, mean = solution[:terms], inverse[:terms, :terms], np.exp(log_mean)
        left, sure = 1.0 - np.sum(weighted @ inverse * design, axis=1), mean > SURE  # left: of a cell, by its leverage
        self.misfit = float(np.sum(((counts - mean) ** 2 / mean)[sure]) / max(left[sure].sum(), 1.0))

    def rows(self, y: np.ndarray) -> np.ndarray:
        """Functions of y (N,), the sum of which by `coefficients` is ln R: (N, terms)."""
        return self.spline.transform(y[:, None])

    def steps(self, y: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """Rows of ln R(y + k variance) - ln R(y) for k = 1 and 2: (2, N, terms).

        R as counted is smoothed by the usual scatter; a star's own makes it wider, as that of a normal density.
        """
        width = 1.0 / np.maximum(1.0 - self.curvature * (variance - self.smoothing), 0.5)
        here = self.rows(y)
        return np.stack([width[:, None] * (self.rows(y + k * variance) - here) for k in (1, 2)])


class Strata:
    """A Density for each part of the stars by one label, as its mix changes along the line of sight."""

    def __init__(self, log_unit: np.ndarray, f: np.ndarray, variance: np.ndarray, label: np.ndarray) -> None:
        """Of ln(unit), F, the variance of the scatter and the label that divides the stars, (N,)."""
        for count in range(MAX_STRATA, 0, -1):
            self.edges = np.linspace(*np.percentile(label, STRATA_RANGE), count + 1)[1:-1]
            size = [int(mine.sum()) for mine in self.divided(label)]
            if min(size) >= MIN_STARS:
                break
        self.parts = [Density(log_unit[mine], f[mine], variance[mine]) for mine in self.divided(label)]
        self.misfit = float(np.average([part.misfit for part in self.parts], weights=size))

    def divided(self, label: np.ndarray) -> list[np.ndarray]:
        """Masks of the strata, (N,) each."""
        stratum = np.searchsorted(self.edges, label)
        return [stratum == number for number in range(len(self.edges) + 1)]

    def drift(self, y: np.ndarray, variance: np.ndarray, label: np.ndarray) -> np.ndarray:
        """ln R(y + k variance) - ln R(y) of stars for k = 1 and 2: (2, N)."""
        drift = np.zeros((2, len(y)))
        for part, mine in zip(self.parts, self.divided(label), strict=True):
            if mine.any():
                drift[:, mine] = sums(part.steps(y[mine], variance[mine]), part.coefficients)
        return drift

    def variance(self, y: np.ndarray, variance: np.ndarray, label: np.ndarray, influence: np.ndarray) -> float:
        """Variance of a number that the counts leave; `influence` (N,) is its change with the drift of each star."""
        total = 0.0
        for part, mine in zip(self.parts, self.divided(label), strict=True):
            slope = influence[mine] @ part.steps(y[mine], variance[mine])[0]
            total += float(slope @ part.covariance @ slope)
        return total
