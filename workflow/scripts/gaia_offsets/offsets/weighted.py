"""Every star with its own error, Gaia's and the reference's: differences, fitted scatter, weighted means, lines.

All values are in uas. A star without one of its errors has no weight, and is null here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.offsets.segments import BLOCK, MAD_TO_SIGMA, Segments, by_place

# A deviation [sd] counts in full up to the first, no more from there to the second, nothing after the third.
HAMPEL = (3.0, 5.0, 8.0)
SCATTER_BETA = 0.3  # density power of the fit of the scatter, as in the Gaussian fit of the paper's estimator
SCATTER_NSIDE = 32  # of its groups, pixels of 3.4 deg2: the pattern on the sky hardly changes inside one
FACTOR_RANGE = (0.3, 10.0)
LINE = ("n", "zero_point", "zero_point_error", "scale", "scale_error", "correlation", "pivot_parallax")
MIN_LINE_STARS = 20
MIN_DEGREES = 20, 200  # stars minus groups that it takes to fit the factor, and the extra scatter as well
SCATTER = ("n", "degrees", "factor", "extra", "centre", "pull_sd")
# Reference parallaxes that come from a distance or a magnitude have errors in ln(parallax).
ERROR_BINS = 40  # of G, for the median error of Gaia
LEARNED = "learned_magnitude"
LOGARITHMIC = ("distance", "group_distance", "distance_modulus", "absolute_magnitude", LEARNED)


@dataclass(frozen=True)
class Scatter:
    """scatter.csv of a sample: `factor` and `extra` [uas] of each solution and parallax; and its kind of reference.

    `sky_factor` and `sky_extra` count the pattern on the sky as scatter. `typical` has what error_by_magnitude says of
    each solution, where a table is not at hand as a whole.
    """

    reference_kind: str
    table: pd.DataFrame
    typical: Mapping[str, Callable[[np.ndarray], np.ndarray]] = field(default_factory=dict)

    def of(self, solution: str, parallax: str, *, sky: bool = False) -> dict[str, float]:
        """Factor on Gaia's errors, extra scatter [uas] and a robust mean [uas]; null where nothing is known.

        With `sky` for numbers of stars of the whole sky: what is left out of Gaia's scatter gives its parallax too much
        weight in the combined one, whose error is then not uncorrelated with the difference.
        """
        row = self.table[(self.table["solution"] == solution) & (self.table["parallax"] == parallax)]
        names = {"factor": "sky_factor", "extra": "sky_extra"} if sky else {"factor": "factor", "extra": "extra"}
        names["centre"] = "centre"
        return {name: float(row[column].iloc[0]) if len(row) else np.nan for name, column in names.items()}


@dataclass(frozen=True)
class Stars:
    """What the weighted estimator takes from the tracers: arrays (N,), uas.

    `gaia` the parallax; `reference` the reference parallax, freed from the mean of its lognormal error where it has
    one; `gaia_error`; `fraction` the reference's error over its parallax (0 where the error is no fraction) and
    `reference_error` the error that is none.
    """

    gaia: np.ndarray
    reference: np.ndarray
    gaia_error: np.ndarray
    fraction: np.ndarray
    reference_error: np.ndarray

    @property
    def difference(self) -> np.ndarray:
        """Offset of each star, Gaia minus reference."""
        return self.gaia - self.reference

    def restrict(self, use: np.ndarray | slice) -> Stars:
        """The stars of `use`, places or a mask, alone."""
        return Stars(*(getattr(self, name)[use] for name in self.__dataclass_fields__))

    def blocks(self) -> Iterator[tuple[slice, Stars]]:
        """Rows of BLOCK stars at most, and these stars alone."""
        for start in range(0, len(self.gaia), BLOCK):
            rows = slice(start, start + BLOCK)
            yield rows, self.restrict(rows)


def chosen_parallax(tracers: pd.DataFrame, parallax: str) -> np.ndarray:
    """Gaia's parallax [mas], (N,): `raw`, `corrected` by the official correction, or by another of that name."""
    if parallax not in ("raw", "corrected"):
        return (tracers["parallax"] - tracers[f"zero_point_{parallax}"]).to_numpy(dtype=float, na_value=np.nan)
    column = "parallax" if parallax == "raw" else "parallax_corrected"
    return tracers[column].to_numpy(dtype=float, na_value=np.nan)


def star_table(
    tracers: pd.DataFrame,
    parallax: str,
    reference_kind: str,
    typical: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Stars:
    """Stars of a tracers table [mas] for the parallax `raw`, `corrected` or of a further correction, by its name.

    An error of a distance or a magnitude is one of ln(parallax): exp(-f^2 / 2) takes out the mean of its lognormal.
    Behind learned magnitudes Gaia's error is the typical one of the star's labels and distance: of the stars of one
    magnitude that the labels say, the luminous ones are brighter and have smaller errors, and would draw the mean.
    `typical` is what error_by_magnitude says of the whole solution where these stars are a part of it.
    """
    reference, gaia_error, error = (
        1000.0 * tracers[name].to_numpy(dtype=float, na_value=np.nan)
        for name in ("reference_parallax", "parallax_error", "reference_parallax_error")
    )
    gaia = 1000.0 * chosen_parallax(tracers, parallax)
    if reference_kind not in LOGARITHMIC:
        return Stars(gaia, reference, gaia_error, np.zeros(len(gaia)), error)
    with np.errstate(invalid="ignore", divide="ignore"):
        fraction = np.where(reference > 0, error / reference, np.nan)
    if reference_kind == "group_distance":
        fraction = 0.0 * fraction  # the stars of a group share that error: it is none of a single star
    stars = Stars(gaia, reference * np.exp(-0.5 * fraction**2), gaia_error, fraction, np.zeros(len(gaia)))
    if reference_kind == LEARNED:
        g = tracers["phot_g_mean_mag"].to_numpy(dtype=float, na_value=np.nan)
        known = typical or error_by_magnitude(g, gaia_error)
        for _ in range(2):  # the combined parallax depends a little on the error
            combined = np.maximum(combined_parallax(stars, stars.gaia_error, 0.0), 0.1 * stars.reference)
            stars = replace(stars, gaia_error=typical_error(gaia_error, g, known, stars.reference, combined))
    return stars


def error_by_magnitude(g: np.ndarray, gaia_error: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Median of ln(error) as a function of G, from bins of equal numbers of stars; linear between, constant outside."""
    there = np.flatnonzero(np.isfinite(g) & (gaia_error > 0))
    if len(there) == 0:
        return lambda magnitude: np.zeros(np.shape(magnitude))
    order = there[np.argsort(g[there], kind="stable")]
    parts = np.array_split(order, max(1, min(ERROR_BINS, len(order) // 50)))
    middles = [np.median(g[part]) for part in parts]
    errors = [np.median(np.log(gaia_error[part])) for part in parts]
    return lambda magnitude: np.interp(magnitude, middles, errors)


def typical_error(
    gaia_error: np.ndarray,
    g: np.ndarray,
    known: Callable[[np.ndarray], np.ndarray],
    reference: np.ndarray,
    combined: np.ndarray,
) -> np.ndarray:
    """Gaia's error (N,) as it would be at the magnitude that the labels and the combined parallax say.

    `reference` and `combined` are parallaxes of one unit; `known` is what error_by_magnitude gives.
    """
    expected = g + 5.0 * np.log10(reference / combined)
    return gaia_error * np.exp(known(expected) - known(g))


def combined_parallax(stars: Stars, gaia_error: np.ndarray, offset: float, scale: float = 1.0) -> np.ndarray:
    """Weighted mean of reference and Gaia parallax, each star's own, (N,) in uas.

    Gaia's is taken as offset + scale times the true one. The mean's error is uncorrelated with that of the difference:
    weights that depend on it, unlike weights that depend on the reference, do not bias a mean.
    """
    step = (stars.gaia - offset) / scale - stars.reference
    error, reference_error = (gaia_error / scale) ** 2, stars.reference_error**2
    # An outlier in Gaia must not raise its own variance.
    reach = HAMPEL[0] * (stars.fraction * stars.reference + stars.reference_error)
    low, high = stars.reference - reach, stars.reference + reach
    combined = stars.reference
    for _ in range(4):
        variance = (stars.fraction * combined) ** 2
        variance += reference_error
        combined = variance + error
        np.divide(variance, combined, out=combined)
        combined *= step
        combined += stars.reference
        np.clip(combined, low, high, out=combined)
    return combined


def variances(stars: Stars, scatter: Mapping[str, float]) -> np.ndarray:
    """Variance of each star's difference (N,) [uas2]: (factor Gaia's)^2 + extra^2 + that of the reference.

    `scatter` has `factor`, `extra` and `centre`, an offset good to some tens of uas.
    """
    found = np.empty(len(stars.gaia))
    for rows, part in stars.blocks():
        gaia_variance = (scatter["factor"] * part.gaia_error) ** 2 + scatter["extra"] ** 2
        combined = combined_parallax(part, np.sqrt(gaia_variance), scatter["centre"])
        found[rows] = gaia_variance + (part.fraction * combined) ** 2 + part.reference_error**2
    return found


def hampel_weights(z: np.ndarray) -> np.ndarray:
    """Weights of deviations in units of their sd: 1 for small ones, 0 for outliers (Hampel et al. 1986)."""
    full, flat, gone = HAMPEL
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
    values: np.ndarray, variance: np.ndarray, groups: np.ndarray, *, iterations: int = 50, tolerance: float = 1e-6
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Labels, weighted means, their errors and the numbers of stars of the groups, ascending by label.

    `values`, `variance` and `groups` are (N,); a star without a value or variance is left out. Weights are
    1 / variance times those of Hampel, from the weighted median on; the error is the root of 1 / (sum of the weights).
    Both are null for a group whose stars exclude one another.
    """
    known = np.isfinite(values) & np.isfinite(variance) & (variance > 0)
    if not known.all():
        values, variance, groups = values[known], variance[known], np.asarray(groups)[known]
    segments = Segments(values, groups, (variance,))
    mean, error = np.full((2, len(segments.counts)), np.nan)
    for where, part in segments.parts():
        mean[where], error[where] = _weighted_means(part, iterations, tolerance)
    return segments.labels, mean, error, segments.counts


def _weighted_means(part: Segments, iterations: int, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    def moments(values: np.ndarray, variance: np.ndarray, mean: np.ndarray) -> np.ndarray:
        step = values - mean
        weight = hampel_weights(step / np.sqrt(variance)) / variance
        return np.stack([weight, weight * step])

    mean = _weighted_medians(part)
    total, moving = np.zeros(len(mean)), np.ones(len(mean), dtype=bool)
    for _ in range(iterations):
        new_total, first = part.total(moments, mean)
        total = np.where(moving, new_total, total)
        step = np.where(moving & (total > 0), first / np.where(total > 0, total, 1.0), 0.0)
        mean = mean + step
        moving &= np.abs(step) * np.sqrt(total) > tolerance
        if not moving.any():
            break
    with np.errstate(divide="ignore"):
        error = np.where(total > 0, 1.0 / np.sqrt(total), np.nan)
    return np.where(total > 0, mean, np.nan), error


def _weighted_medians(part: Segments) -> np.ndarray:
    """Value of each group with half of the weight on either side; between two stars where both will do.

    Of a group that has more than BLOCK stars the median of the blocks' medians: it is where the iteration begins, and
    needs neither sorting nor memory.
    """
    if len(part.counts) == 1 and len(part.values) > BLOCK:
        return np.array([np.median([np.median(part.values[rows]) for rows, _, _ in part.blocks()])])
    group = part.spread(np.arange(len(part.counts)))
    order = by_place(group, np.argsort(part.values))
    values, weight, group = part.values[order], 1.0 / part.columns[0][order], group[order]
    total = np.bincount(group, weight)
    running = np.cumsum(weight / total[group])  # grows by 1 from group to group
    middle = np.arange(len(total)) + 0.5
    low, high = (np.searchsorted(running, middle + shift) for shift in (-1e-9, 1e-9))
    return 0.5 * (values[low] + values[high])


def zero_point_and_scale(stars: Stars, scatter: Mapping[str, float], *, iterations: int = 100) -> dict[str, Any]:
    """The line Gaia = zero point + scale * reference [uas]; errors in both, outliers as in the weighted mean.

    Each star's abscissa is the mean of its two parallaxes whose error is uncorrelated with that of the residual, as in
    York et al. 2004, AJP 72, 367. Errors come from the scatter of the stars about the line, not from the stated ones.
    `pivot_parallax` [mas] is where the line's error is smallest. Null with fewer than MIN_LINE_STARS stars, or where
    all have one parallax.
    """
    gaia_error = np.sqrt((scatter["factor"] * stars.gaia_error) ** 2 + scatter["extra"] ** 2)
    known = np.isfinite(stars.difference + gaia_error + stars.fraction + stars.reference_error)
    found = dict.fromkeys(LINE, np.nan) | {"n": int(known.sum())}
    if found["n"] < MIN_LINE_STARS:
        return found
    stars = stars.restrict(known)
    gaia_error = gaia_error[known]
    line, sd = np.array([np.median(stars.difference), 1.0]), np.ones(2)
    for _ in range(iterations):
        residual = stars.gaia - line[0] - line[1] * stars.reference
        abscissa = combined_parallax(stars, gaia_error, *line)
        variance = gaia_error**2 + line[1] ** 2 * ((stars.fraction * abscissa) ** 2 + stars.reference_error**2)
        weight = hampel_weights(residual / np.sqrt(variance)) / variance
        centre = np.sum(weight * abscissa) / np.sum(weight)
        instrument = np.stack([np.ones(len(abscissa)), abscissa - centre])
        normal = (instrument * weight) @ np.stack([np.ones(len(abscissa)), stars.reference]).T
        if np.linalg.cond(normal / np.abs(normal).max()) > 1e12:
            return found
        new = np.linalg.solve(normal, (instrument * weight) @ stars.gaia)
        score = instrument * weight * (stars.gaia - new[0] - new[1] * stars.reference)
        inverse = np.linalg.inv(normal)
        covariance = inverse @ (score @ score.T) @ inverse.T
        sd = np.sqrt(np.diag(covariance))
        moved, line = np.abs(new - line) > 1e-6 * sd, new
        if not moved.any():
            break
    with np.errstate(invalid="ignore"):  # points on a line have no scatter
        numbers = [*np.stack([line, sd], axis=1).ravel(), covariance[0, 1] / sd.prod()]
        pivot = -covariance[0, 1] / covariance[1, 1] / 1000.0
    return found | dict(zip(LINE[1:], [*numbers, pivot], strict=True))


def fit_scatter(stars: Stars, pixels: np.ndarray | None = None) -> dict[str, Any]:
    """Factor on Gaia's errors and extra scatter [uas] that explain the scatter of the stars.

    It is the scatter within `pixels` (N,), nested and of SCATTER_NSIDE, so that the pattern of the offsets is no
    scatter; in larger pixels where a thin sample leaves too few degrees of freedom; without `pixels` that of all stars
    together. Both numbers minimise the density power divergence (Basu et al. 1998) of Gaussians with each star's own
    variance: outliers count little. With fewer degrees of freedom than MIN_DEGREES the extra scatter is 0, with fewer
    still the factor is 1.

    Returns `n` stars with both errors, `degrees` of freedom, `factor`, `extra`, `centre`, the median difference, and
    `pull_sd`, the robust sd of the pulls with the published errors. Null, with n = 0, without such a star.
    """
    from scipy.optimize import minimize

    difference = stars.difference
    known = np.flatnonzero(np.isfinite(difference + stars.gaia_error + stars.fraction + stars.reference_error))
    if len(known) == 0:
        return dict.fromkeys(SCATTER, np.nan) | {"n": 0, "degrees": 0}
    groups = np.zeros(len(known), dtype=np.int64) if pixels is None else pixels[known].astype(np.int64)
    while (degrees := len(groups) - len(np.unique(groups))) < MIN_DEGREES[1] and groups.any():
        groups = groups >> 2  # a nested pixel has four children
    _, place, counts = np.unique(groups, return_inverse=True, return_counts=True)
    use = known[counts[place] > 1]
    scatter = {"factor": 1.0, "extra": 0.0, "centre": float(np.median(difference[known]))}
    found = {"n": len(known), "degrees": degrees}
    if degrees < MIN_DEGREES[0]:
        return found | scatter | {"pull_sd": np.nan}
    part = stars.restrict(use)
    place, values = place[counts[place] > 1], difference[use]
    unit = float(np.median(part.gaia_error)) or 1.0
    pulls = None
    for _ in range(3):  # the groups' means depend a little on the scatter
        variance = variances(part, scatter)
        labels, mean, error, _ = weighted_means(values, variance, place)
        at = np.searchsorted(labels, place)
        deviation = values - mean[at]
        share = np.maximum(1.0 - error[at] ** 2 / variance, 1e-3)  # what the mean, which holds the star, leaves of it
        pulls = deviation / np.sqrt(share * variance) if pulls is None else pulls
        reference = variance - (scatter["factor"] * part.gaia_error) ** 2 - scatter["extra"] ** 2
        best = minimize(
            _divergence,
            [scatter["factor"], max(scatter["extra"] / unit, 0.1) if degrees >= MIN_DEGREES[1] else 0.0],
            args=(deviation / unit, part.gaia_error / unit, reference / unit**2, share),
            method="L-BFGS-B",
            jac=True,
            bounds=[FACTOR_RANGE, (0.0, None if degrees >= MIN_DEGREES[1] else 0.0)],
        )
        scatter |= {"factor": float(best.x[0]), "extra": float(unit * best.x[1])}
    robust = MAD_TO_SIGMA * float(np.median(np.abs(pulls - np.median(pulls))))
    return found | scatter | {"pull_sd": robust}


def both_scatters(stars: Stars, pixel: np.ndarray) -> dict[str, Any]:
    """A row of scatter.csv: SCATTER, and `sky_factor` and `sky_extra` of all stars as one group.

    `pixel` (N,) are pixels of SCATTER_NSIDE.
    """
    sky = fit_scatter(stars)
    return fit_scatter(stars, pixel) | {"sky_factor": sky["factor"], "sky_extra": sky["extra"]}


def _divergence(
    parameters: np.ndarray, deviation: np.ndarray, gaia_error: np.ndarray, reference: np.ndarray, share: np.ndarray
) -> tuple[float, np.ndarray]:
    """Density power divergence, up to a constant, of Gaussians with each star's variance; arrays (N,) in one unit.

    With its slopes by the two parameters, factor and extra scatter.
    """
    factor, extra = parameters
    beta, level = SCATTER_BETA, 1.0 / np.sqrt(1.0 + SCATTER_BETA)
    total = np.zeros(3)
    for start in range(0, len(deviation), BLOCK):
        rows = slice(start, start + BLOCK)
        gaia_variance, kept = gaia_error[rows] ** 2, share[rows]
        variance = np.maximum(kept * (factor**2 * gaia_variance + extra**2 + reference[rows]), 1e-12)
        square = deviation[rows] ** 2 / variance
        peak = np.exp(-0.5 * beta * np.log(variance))
        bell = (1.0 + 1.0 / beta) * np.exp(-0.5 * beta * square)
        slope = peak * (level - bell * (1.0 - square)) * kept / variance
        total += [(peak * (level - bell)).sum(), (slope * gaia_variance).sum(), slope.sum()]
    total /= len(deviation)
    return float(total[0]), -beta * np.array([factor * total[1], extra * total[2]])
