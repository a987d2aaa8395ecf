"""Absolute magnitudes as a smooth function of labels, learned from Gaia parallaxes together with their zero point.

The reference parallax of a star is unit * exp(F), where `unit` [mas] is the parallax of a star of its dereddened
apparent magnitude and of absolute magnitude 0. F = B(labels) theta + slope * ln(unit / mean) is the magnitude in units
of 5 / ln 10: splines and a cubic polynomial of the labels. Gaia's parallax is that plus a zero point. As in Leung &
Bovy 2019 (MNRAS 489, 2079) both are solved for at once: near stars fix the magnitudes, far stars then show the zero
point.

Errors that a plain fit makes, of some to tens of uas, are kept out (docs/method.md, tests):
- The labels do not fix the magnitude: at one set of labels, stars that look far are on average less far than they look.
  So the equations take each star at the mean of its two parallaxes whose error is uncorrelated with the residual, as
  in line.zero_point_and_scale, and not at its photometric parallax.
- In a survey limited in apparent magnitude the far stars of one set of labels are the luminous ones. `slope` lets the
  magnitude depend on the apparent one.
- Of two stars at one distance with the same labels the more luminous is brighter and has the smaller error in Gaia, so
  that weights with that error prefer it. Each star gets the error typical of its distance and labels.
- The pattern of the offsets on the sky is scatter here: a constant beside Gaia's error (`extra`) is fitted, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gaia_offsets.offsets.stars import error_by_magnitude, typical_error
from gaia_offsets.offsets.weighted import HAMPEL, hampel_weights
from gaia_offsets.tables.read import TableError

MAG = 5.0 / np.log(10.0)  # magnitudes in a unit of F
MIN_STARS = 300
STARS_PER_INTERVAL = 800  # of training for each interval of the splines
MAX_INTERVALS = 10
PRIOR_SD = 1.0  # of a coefficient of F: as much as one or two stars say
SPREAD_PRIOR = 10.0  # the same of the ln of the variance, as a number of stars
EXTRA_FLOOR = 1e-4  # mas; less is nothing
SPREAD_RANGE = (0.02, 0.6)  # fractions of a distance that the scatter may reach
DOMAIN = (0.1, 99.9)  # percentiles of the training labels between which a magnitude is predicted
STEP = 0.03  # of its own error: where an iteration has converged
STEP_OF_SPREAD = 0.03  # the same for the scatter of a star, as a fraction of it
ITERATIONS = 200
UNDAMPED = 15  # from here on the scatter takes half its step: whole steps may go round in circles


@dataclass(frozen=True)
class Stars:
    """Training stars: labels (N, L); Gaia parallax, its error and `unit` [mas], G [mag], all (N,)."""

    labels: np.ndarray
    gaia: np.ndarray
    gaia_error: np.ndarray
    unit: np.ndarray
    g: np.ndarray

    def restrict(self, use: np.ndarray) -> Stars:
        """The stars of a mask alone."""
        return Stars(*(getattr(self, name)[use] for name in self.__dataclass_fields__))


class Basis:
    """Smooth functions of the labels: a cubic polynomial, and splines of each label where the stars are many."""

    def __init__(self, labels: np.ndarray) -> None:
        """`labels` (N, L) of the training stars set scale, knots and domain."""
        from sklearn.pipeline import make_pipeline, make_union
        from sklearn.preprocessing import PolynomialFeatures, SplineTransformer, StandardScaler

        def functions(intervals: int, degree: int) -> Any:
            parts = [make_pipeline(StandardScaler(), PolynomialFeatures(degree))]
            if intervals > 1:
                knots = {"n_knots": intervals + 1, "knots": "quantile", "extrapolation": "constant"}
                parts.append(SplineTransformer(**knots, include_bias=False))
            return make_union(*parts).fit(labels)

        intervals = min(MAX_INTERVALS, len(labels) // STARS_PER_INTERVAL)
        self.low, self.high = np.percentile(labels, DOMAIN, axis=0)
        self.mean, self.spread = functions(intervals, 3), functions(min(intervals, 3), 2)

    def inside(self, labels: np.ndarray) -> np.ndarray:
        """Whether labels (N, L) lie in the domain of the training stars; false where one is null."""
        return ((labels >= self.low) & (labels <= self.high)).all(axis=1)


@dataclass(frozen=True)
class Fit:
    """A solution: `zero_point` [mas] and `slope` with their errors (0 where not solved for), and what predicts.

    Of the training stars, (N,): `residual` Gaia minus zero point minus reference [mas], its `variance` [mas2], the
    `combined` parallax [mas] and the `fraction`, the scatter of ln(reference parallax).
    """

    coefficients: np.ndarray
    spread: np.ndarray
    slope: float
    slope_error: float
    zero_point: float
    zero_point_error: float
    covariance: np.ndarray
    level: float  # mean of ln(unit)
    extra: float  # scatter of Gaia's parallaxes beside their errors, the pattern on the sky for instance [mas]
    residual: np.ndarray
    variance: np.ndarray
    combined: np.ndarray
    fraction: np.ndarray

    def predict(self, basis: Basis, labels: np.ndarray, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Reference parallax [mas], its scatter and the fit's own error, both fractions of it; all (N,)."""
        mean, depth = basis.mean.transform(labels), np.log(unit) - self.level
        parallax = unit * np.exp(mean @ self.coefficients + self.slope * depth)
        rows = np.column_stack([mean, depth])
        own = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", rows, self.covariance, rows), 0.0))
        return parallax, _fraction(basis.spread.transform(labels), self.spread), own


def magnitude(parallax: np.ndarray, fraction: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Median absolute magnitude [mag] (N,) behind a mean reference parallax with a lognormal scatter of `fraction`.

    stars.star_table takes the mean of the lognormal out again.
    """
    return MAG * (np.log(parallax / unit) + 0.5 * fraction**2)


def _fraction(rows: np.ndarray, spread: np.ndarray) -> np.ndarray:
    low, high = 2.0 * np.log(SPREAD_RANGE)
    return np.exp(0.5 * np.clip(rows @ spread, low, high))


def combine(gaia: np.ndarray, gaia_error: np.ndarray, reference: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    """Mean of two parallaxes [mas] (N,) whose error is uncorrelated with their difference; outliers are held back."""
    combined, reach = reference, HAMPEL[0] * fraction * reference
    for _ in range(4):
        variance = (fraction * combined) ** 2
        share = variance / (variance + gaia_error**2)
        combined = np.clip(share * gaia + (1.0 - share) * reference, 0.1 * reference, reference + reach)
        combined = np.maximum(combined, reference - reach)
    return combined


@dataclass(frozen=True)
class State:
    """Where the iteration stands: the coefficients of F with slope and zero point, and the scatter.

    `whole` (terms + 2,) are theta, the slope and the zero point [mas]; `spread` the coefficients of ln(variance);
    `extra` [mas]; `error` [mas] (N,) the typical error of each star.
    """

    whole: np.ndarray
    spread: np.ndarray
    extra: float
    error: np.ndarray


@dataclass(frozen=True)
class Residuals:
    """Of the training stars at a state, (N,): the fields of Fit of these names, and the weights of the equations."""

    reference: np.ndarray
    residual: np.ndarray
    combined: np.ndarray
    fraction: np.ndarray
    scatter: np.ndarray
    variance: np.ndarray
    robust: np.ndarray


class Equations:
    """The equations of the training stars: for the coefficients, slope and zero point, and for the scatter."""

    def __init__(self, basis: Basis, stars: Stars, level: float, solved: tuple[bool, bool]) -> None:
        """`level` is the mean of ln(unit); `solved` says whether slope and zero point are solved for."""
        self.stars, self.mean, self.spread = (
            stars,
            basis.mean.transform(stars.labels),
            basis.spread.transform(stars.labels),
        )
        self.depth, self.terms = np.log(stars.unit) - level, self.mean.shape[1]
        self.solved = np.concatenate([np.ones(self.terms, dtype=bool), solved])
        prior = np.zeros(self.terms + 2)
        prior[1 : self.terms] = PRIOR_SD**-2.0
        self.prior = prior[self.solved]
        self.spread_prior = np.full(self.spread.shape[1], SPREAD_PRIOR)
        self.spread_prior[0] = 0.0
        self.median_error = error_by_magnitude(stars.g, stars.gaia_error)

    def first_state(self) -> State:
        """One magnitude and one scatter for all stars."""
        theta, spread = np.zeros(self.terms + 2), np.zeros(self.spread.shape[1])
        theta[0], spread[0] = np.log(np.median(self.stars.gaia / self.stars.unit)), 2.0 * np.log(0.2)
        return State(theta, spread, 0.1 * float(np.median(self.stars.gaia_error)), self.stars.gaia_error)

    def residuals(self, state: State) -> tuple[Residuals, np.ndarray]:
        """The stars at a state, and their typical errors there."""
        stars, error, (tilt, zero) = self.stars, state.error, state.whole[self.terms :]
        reference = stars.unit * np.exp(self.mean @ state.whole[: self.terms] + tilt * self.depth)
        fraction = _fraction(self.spread, state.spread)
        residual = stars.gaia - zero - reference
        for _ in range(2):
            combined = combine(stars.gaia - zero, np.hypot(error, state.extra), reference, fraction)
            error = typical_error(stars.gaia_error, stars.g, self.median_error, reference, combined)
        scatter = (fraction * combined) ** 2
        variance = error**2 + state.extra**2 + scatter
        robust = hampel_weights(residual / np.sqrt(variance))
        return Residuals(reference, residual, combined, fraction, scatter, variance, robust), error

    def newton_step(self, whole: np.ndarray, at: Residuals) -> tuple[np.ndarray, np.ndarray]:
        """Step of what is solved for, and its covariance, by instrumental variables."""
        weight = at.robust / at.variance
        far = np.log(at.combined)
        far = far - np.average(far, weights=weight * at.combined**2)
        one = np.ones(len(weight))
        instrument = np.column_stack([self.mean * at.combined[:, None], at.combined * far, one])[:, self.solved]
        gradient = np.column_stack([self.mean * at.reference[:, None], at.reference * self.depth, one])[:, self.solved]
        inverse = np.linalg.inv((instrument * weight[:, None]).T @ gradient + np.diag(self.prior))
        step = inverse @ (instrument.T @ (weight * at.residual) - self.prior * whole[self.solved])
        score = instrument * (weight * at.residual)[:, None]
        return step, inverse @ (score.T @ score) @ inverse.T

    def scatter_step(self, state: State, at: Residuals, damping: float) -> tuple[np.ndarray, float, float]:
        """New `spread` and `extra`, and the largest change of a star's ln(fraction).

        Scoring of a Gaussian variance (fraction * combined)^2 + extra^2 + error^2, logarithmic in the first two.
        """
        shares = np.column_stack([self.spread * (at.scatter / at.variance)[:, None], state.extra**2 / at.variance])
        pull = at.robust * (at.residual**2 / at.variance - 1.0)
        prior = 2.0 * np.append(self.spread_prior, 0.0)
        information = (shares * at.robust[:, None]).T @ shares + np.diag(prior + 1e-9)
        move = np.linalg.solve(information, shares.T @ pull - prior * np.append(state.spread, 0.0))
        largest = np.abs(self.spread @ move[:-1]).max()
        spread = state.spread + damping * move[:-1] / max(largest, 1.0)
        extra = max(state.extra * float(np.exp(0.5 * damping * np.clip(move[-1], -1.0, 1.0))), EXTRA_FLOOR)
        return spread, extra, float(np.abs(np.log(_fraction(self.spread, spread) / at.fraction)).max())


def fit(basis: Basis, stars: Stars, *, zero_point: bool = True, slope: bool = True, start: Fit | None = None) -> Fit:
    """Coefficients, scatter, zero point and slope of the training stars; the last two are 0 where not asked for.

    Raises TableError with too few stars, or where the equations do not settle.
    """
    count = len(stars.gaia)
    if count < MIN_STARS:
        raise TableError(
            f"learned magnitudes: {count} training stars; {MIN_STARS} are needed. Look at the cuts in reference.learn"
        )
    level = float(np.log(stars.unit).mean()) if start is None else start.level
    equations = Equations(basis, stars, level, (slope, zero_point))
    state = equations.first_state()
    if start is not None:
        ends = [start.slope if slope else 0.0, start.zero_point if zero_point else 0.0]
        state = State(np.concatenate([start.coefficients, ends]), start.spread, start.extra, stars.gaia_error)
    for iteration in range(ITERATIONS):
        damping = 1.0 if iteration < UNDAMPED else 0.5
        at, error = equations.residuals(state)
        step, covariance = equations.newton_step(state.whole, at)
        errors = np.sqrt(np.maximum(np.diag(covariance), 1e-30))
        whole = state.whole.copy()
        whole[equations.solved] += step
        spread, extra, moved = equations.scatter_step(state, at, damping)
        state = State(whole, spread, extra, error)
        if (np.abs(step) < STEP * errors).all() and moved < damping * STEP_OF_SPREAD:
            break
    else:
        raise TableError(
            f"learned magnitudes: the equations of {count} training stars do not settle; take fewer labels"
        )
    terms, inner = equations.terms, equations.solved[:-1]
    known = np.zeros((terms + 1, terms + 1))
    known[np.ix_(inner, inner)] = covariance[: inner.sum(), : inner.sum()]
    return Fit(
        coefficients=state.whole[:terms],
        spread=state.spread,
        slope=float(state.whole[terms]),
        slope_error=float(errors[terms]) if slope else 0.0,
        zero_point=float(state.whole[-1]),
        zero_point_error=float(errors[-1]) if zero_point else 0.0,
        covariance=known,
        level=level,
        extra=state.extra,
        residual=at.residual,
        variance=at.variance,
        combined=at.combined,
        fraction=at.fraction,
    )
