"""Absolute magnitudes as a smooth function of labels, learned from Gaia parallaxes together with their zero point.

The reference parallax of a star is the mean parallax of all stars of its labels and dereddened apparent magnitude. By
its labels alone ln(parallax) would be normal about ln(unit) + F; the stars' density along the line of sight (module
density) moves the mean. `unit` [mas] is the parallax at absolute magnitude 0, and F = B(labels) theta the magnitude in
units of 5 / ln 10, by splines and a cubic polynomial of the labels. Gaia's parallax is that plus a zero point. As in
Leung & Bovy 2019 (MNRAS 489, 2079) both are solved for at once: near stars fix the magnitudes, far stars then show the
zero point.

A mean at given labels and apparent magnitude does not depend on how the survey chose the stars by these. So weights and
the instruments of the equations are functions of labels and apparent magnitude; Gaia's parallax has a say in what holds
outliers back alone.
The pattern of the offsets on the sky is scatter here: a constant beside Gaia's error (`extra`) is fitted, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gaia_offsets.learn.density import Strata, sums
from gaia_offsets.offsets.weighted import hampel_weights
from gaia_offsets.tables.read import TableError

MAG = 5.0 / np.log(10.0)  # magnitudes in a unit of F
MIN_STARS = 300
STARS_PER_INTERVAL = 800  # of training for each interval of the splines
MAX_INTERVALS = 10
PRIOR_SD = 1.0  # of a coefficient of F: as much as one or two stars say
SPREAD_PRIOR = 100.0  # 1 / sd^2 of a coefficient of ln(variance); with 10 it runs away in corners of the labels
EXTRA_FLOOR = 1e-4  # mas; less is nothing
SPREAD_RANGE = (0.02, 0.6)  # of the scatter of ln(parallax)
DOMAIN = (0.1, 99.9)  # percentiles of the training labels between which a magnitude is predicted
STEP = 0.03  # of its own error: where an iteration has converged
STEP_OF_SPREAD = 0.03  # the same for the scatter of a star, as a fraction of it
ITERATIONS = 200
UNDAMPED = 15  # from here on half steps: whole ones may go round in circles
# Parallaxes at given labels are skewed, and more so where red clump and branch meet: wider than for offsets.
HAMPEL = (4.0, 6.0, 9.0)
NARROWEST = 0.25  # of spread^2: the density leaves that much of it, wherever its curvature is large
UNSETTLED = (
    "learned magnitudes: the equations of {} training stars do not settle; look at their magnitudes and parallaxes, or "
    "take fewer labels"
)
COUNTED = (5, 9, 13)  # iterations at which the density is counted anew, with the magnitudes that are then known


@dataclass(frozen=True)
class Stars:
    """Training stars: labels (N, L); Gaia parallax, its error and `unit` [mas], (N,)."""

    labels: np.ndarray
    gaia: np.ndarray
    gaia_error: np.ndarray
    unit: np.ndarray

    def restrict(self, use: np.ndarray) -> Stars:
        """The stars of a mask alone."""
        return Stars(*(getattr(self, name)[use] for name in self.__dataclass_fields__))


class Basis:
    """Smooth functions of the labels: a cubic polynomial, and splines of each label where the stars are many."""

    def __init__(self, labels: np.ndarray, dividing: int | None = None) -> None:
        """`labels` (N, L) of the training stars set scale, knots and domain; `dividing` is the one of the strata."""
        from sklearn.pipeline import make_pipeline, make_union
        from sklearn.preprocessing import PolynomialFeatures, SplineTransformer, StandardScaler

        parts: list[Any] = [make_pipeline(StandardScaler(), PolynomialFeatures(3))]
        if (intervals := min(MAX_INTERVALS, len(labels) // STARS_PER_INTERVAL)) > 1:
            knots = {"n_knots": intervals + 1, "knots": "quantile", "extrapolation": "constant"}
            parts.append(SplineTransformer(**knots, include_bias=False))
        self.functions: Any = make_union(*parts).fit(labels)
        self.low, self.high = np.percentile(labels, DOMAIN, axis=0)
        self.dividing = dividing

    def rows(self, labels: np.ndarray) -> np.ndarray:
        """The functions of labels (N, L): (N, terms)."""
        return self.functions.transform(labels)

    def divides(self, labels: np.ndarray) -> np.ndarray:
        """The label (N,) by which the density is counted in strata; zeros where there are none."""
        return np.zeros(len(labels)) if self.dividing is None else labels[:, self.dividing]

    def inside(self, labels: np.ndarray) -> np.ndarray:
        """Whether labels (N, L) lie in the domain of the training stars; false where one is null."""
        return ((labels >= self.low) & (labels <= self.high)).all(axis=1)


@dataclass(frozen=True)
class Fit:
    """A solution: `zero_point` [mas] with its error (0 where not solved for), and what predicts.

    `coefficients` are those of F, with their `covariance`, `spread` those of the ln of the variance of the scatter.
    `strata` is the density along the line of sight, None where none was counted. `slope` is how much F still grows with
    ln(unit) at given labels: a check, 0 within `slope_error` where the density says all; `slope_shift` [mas] is how far
    the zero point would move with it.
    """

    coefficients: np.ndarray
    spread: np.ndarray
    strata: Strata | None
    zero_point: float
    zero_point_error: float
    covariance: np.ndarray
    extra: float  # scatter of Gaia's parallaxes beside their errors, the pattern on the sky for instance [mas]
    slope: float
    slope_error: float
    slope_shift: float

    def predict(self, basis: Basis, labels: np.ndarray, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Reference parallax [mas], its scatter and the fit's own error, both fractions of it; all (N,)."""
        rows = basis.rows(labels)
        y, spread = np.log(unit) + sums(rows, self.coefficients), _spread(rows, self.spread)
        parallax, fraction = expected(y, spread, self.strata, basis.divides(labels))
        return parallax, fraction, np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", rows, self.covariance, rows), 0.0))


def magnitude(parallax: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Absolute magnitude [mag] (N,) that makes the mean reference parallax of the apparent magnitude."""
    return MAG * np.log(parallax / unit)


def _spread(rows: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    low, high = 2.0 * np.log(SPREAD_RANGE)
    return np.exp(0.5 * np.clip(sums(rows, coefficients), low, high))


def expected(
    y: np.ndarray, spread: np.ndarray, strata: Strata | None, label: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean parallax [mas] and its scatter as a fraction, (N,), of stars with a median of exp(y) by their labels alone.

    ln(parallax) is normal with `spread` times the density R. Its moments need R only as the scatter smooths it: that of
    exp(k ln(parallax)) is exp(k y + k^2 spread^2 / 2) R(y + k spread^2) / R(y), as in Tweedie's formula (Efron 2011,
    JASA 106, 1602).
    """
    one, two = (0.0, 0.0) if strata is None else strata.drift(y, spread**2, label)
    variance = np.maximum(spread**2 + two - 2.0 * one, NARROWEST * spread**2)  # of ln(parallax)
    return np.exp(y + 0.5 * spread**2 + one), np.sqrt(np.expm1(variance))


@dataclass(frozen=True)
class State:
    """Where the iteration stands.

    `whole` (terms + 1,) are theta and the zero point [mas]; `spread` the coefficients of ln(variance); `extra` [mas];
    `strata` the density.
    """

    whole: np.ndarray
    spread: np.ndarray
    extra: float
    strata: Strata | None = None


@dataclass(frozen=True)
class Residuals:
    """Of the training stars at a state, (N,): ln(photometric parallax) and its scatter by labels alone, reference [mas]
    and its scatter as a fraction, Gaia minus reference [mas], the variance of that [mas2], weights of outliers."""

    y: np.ndarray
    spread: np.ndarray
    reference: np.ndarray
    fraction: np.ndarray
    residual: np.ndarray
    variance: np.ndarray
    robust: np.ndarray


class Equations:
    """The equations of the training stars: for the coefficients and the zero point, and for the scatter."""

    def __init__(self, basis: Basis, stars: Stars, zero_point: bool) -> None:
        """`zero_point` says whether it is solved for."""
        self.stars, self.label, self.log_unit = stars, basis.divides(stars.labels), np.log(stars.unit)
        self.rows = basis.rows(stars.labels)
        self.terms = self.rows.shape[1]
        self.depth = self.log_unit - self.log_unit.mean()
        self.solved = np.append(np.ones(self.terms, dtype=bool), zero_point)
        self.prior = np.append(np.full(self.terms, PRIOR_SD**-2.0), 0.0)
        self.prior[0] = 0.0
        self.spread_prior = SPREAD_PRIOR * (self.prior[:-1] > 0)

    def first_state(self) -> State:
        """One magnitude and one scatter for all stars."""
        theta, spread = np.zeros(self.terms + 1), np.zeros(self.terms)
        theta[0], spread[0] = np.log(np.median(self.stars.gaia / self.stars.unit)), 2.0 * np.log(0.2)
        return State(theta, spread, 0.1 * float(np.median(self.stars.gaia_error)))

    def counted(self, state: State) -> State:
        """The state with the density counted anew."""
        variance = _spread(self.rows, state.spread) ** 2
        return replace(state, strata=Strata(self.log_unit, self.rows @ state.whole[:-1], variance, self.label))

    def residuals(self, state: State) -> Residuals:
        """The stars at a state."""
        y, spread = self.log_unit + self.rows @ state.whole[:-1], _spread(self.rows, state.spread)
        reference, fraction = expected(y, spread, state.strata, self.label)
        residual = self.stars.gaia - state.whole[-1] - reference
        variance = self.stars.gaia_error**2 + state.extra**2 + (fraction * reference) ** 2
        if not np.isfinite(residual + variance).all():
            raise TableError(UNSETTLED.format(len(residual)))
        robust = hampel_weights(residual / np.sqrt(variance), HAMPEL)
        return Residuals(y, spread, reference, fraction, residual, variance, robust)

    def solve(self, whole: np.ndarray, at: Residuals, slope: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Newton step of what is solved for, the inverse of its matrix, and the weighted rows of the equations.

        With `slope` a multiple of ln(unit) is solved for besides, as the first. That the drift by density changes with
        F, some per cent of a step, is left out.
        """
        columns = [self.rows * at.reference[:, None], np.ones((len(at.y), 1))]
        gradient, prior = np.hstack(columns)[:, self.solved], self.prior[self.solved]
        pull = prior * whole[self.solved]
        if slope:
            gradient = np.column_stack([at.reference * self.depth, gradient])
            prior, pull = np.append(0.0, prior), np.append(0.0, pull)
        weighted = gradient * (at.robust / at.variance)[:, None]
        inverse = np.linalg.inv(weighted.T @ gradient + np.diag(prior))
        return inverse @ (at.residual @ weighted - pull), inverse, weighted

    def scatter_step(self, state: State, at: Residuals, damping: float) -> tuple[np.ndarray, float, float, np.ndarray]:
        """New `spread` and `extra`, the largest change of a star's ln(spread), and the covariance of `spread`.

        Scoring of a Gaussian variance (fraction * reference)^2 + extra^2 + error^2, logarithmic in the first two.
        """
        scatter = (at.fraction * at.reference) ** 2
        shares = np.column_stack([self.rows * (scatter / at.variance)[:, None], state.extra**2 / at.variance])
        pull = at.robust * (at.residual**2 / at.variance - 1.0)
        prior = 2.0 * np.append(self.spread_prior, 0.0)
        information = (shares * at.robust[:, None]).T @ shares + np.diag(prior + 1e-9)
        inverse = np.linalg.inv(information)
        move = inverse @ (shares.T @ pull - prior * np.append(state.spread, 0.0))
        largest = np.abs(self.rows @ move[:-1]).max()
        spread = state.spread + damping * move[:-1] / max(largest, 1.0)
        extra = max(state.extra * float(np.exp(0.5 * damping * np.clip(move[-1], -1.0, 1.0))), EXTRA_FLOOR)
        moved = float(np.abs(np.log(_spread(self.rows, spread) / at.spread)).max())
        return spread, extra, moved, 2.0 * inverse[:-1, :-1]

    def zero_point_variance(self, strata: Strata, at: Residuals, influence: np.ndarray, scatter: np.ndarray) -> float:
        """What counts and the covariance of the `scatter` add to the variance of the zero point [mas2].

        `influence` (N,) is how it moves with ln(reference) of each star; the others are solved for anew.
        """
        wider = expected(at.y, at.spread * np.exp(0.005), strata, self.label)[0]
        slopes = (influence * np.log(wider / at.reference) / 0.01) @ self.rows
        return strata.variance(at.y, at.spread**2, self.label, influence) + float(slopes @ scatter @ slopes)


def _sandwich(inverse: np.ndarray, weighted: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Covariance of a solution by the scatter of its residuals, not by the stated errors."""
    score = weighted * residual[:, None]
    return inverse @ (score.T @ score) @ inverse.T


@np.errstate(all="ignore")  # what comes of it is refused
def fit(basis: Basis, stars: Stars, *, zero_point: bool = True, density: bool = True, start: Fit | None = None) -> Fit:
    """Coefficients, scatter, density and zero point of the training stars; the last two only where asked for.

    Raises TableError with too few stars, or where the equations do not settle.
    """
    count = len(stars.gaia)
    if count < MIN_STARS:
        raise TableError(
            f"learned magnitudes: {count} training stars; {MIN_STARS} are needed. Look at the cuts in reference.learn"
        )
    if np.ptp(np.quantile(stars.unit, (0.01, 0.99))) == 0:
        raise TableError(
            f"learned magnitudes: all but some of {count} training stars have one apparent magnitude; take others"
        )
    equations = Equations(basis, stars, zero_point)
    state, counted = equations.first_state(), COUNTED
    if start is not None:
        counted = (1, 4)
        state = State(np.append(start.coefficients, start.zero_point if zero_point else 0.0), start.spread, start.extra)
    for iteration in range(ITERATIONS):
        if density and iteration in counted:
            state = equations.counted(state)
        at = equations.residuals(state)
        step, inverse, weighted = equations.solve(state.whole, at)
        whole, damping = state.whole.copy(), 1.0 if iteration < UNDAMPED else 0.5
        whole[equations.solved] += damping * step
        spread, extra, moved, scatter = equations.scatter_step(state, at, damping)
        state = State(whole, spread, extra, state.strata)
        still = np.abs(step) < STEP * np.sqrt(np.diag(inverse))
        if still.all() and moved < damping * STEP_OF_SPREAD and not (density and iteration < counted[-1]):
            break
    else:
        raise TableError(UNSETTLED.format(count))
    covariance = _sandwich(inverse, weighted, at.residual)
    influence = (weighted @ inverse[-1]) * at.reference
    more = equations.zero_point_variance(state.strata, at, influence, scatter) if state.strata else 0.0
    sloped, inverse, weighted = equations.solve(state.whole, at, slope=True)
    return Fit(
        coefficients=state.whole[:-1],
        spread=state.spread,
        strata=state.strata,
        zero_point=float(state.whole[-1]),
        zero_point_error=float(np.sqrt(covariance[-1, -1] + more)) if zero_point else 0.0,
        covariance=covariance[: equations.terms, : equations.terms],
        extra=state.extra,
        slope=float(sloped[0]),
        slope_error=float(np.sqrt(_sandwich(inverse, weighted, at.residual)[0, 0])),
        slope_shift=float(sloped[-1]) if zero_point else 0.0,
    )
