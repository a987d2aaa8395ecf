"""The line Gaia = zero point + scale * reference: a wrong distance scale changes its slope, not the zero point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gaia_offsets.offsets.stars import Stars, combined_parallax
from gaia_offsets.offsets.weighted import hampel_weights

LINE = ("n", "zero_point", "zero_point_error", "scale", "scale_error", "correlation", "pivot_parallax")
MIN_LINE_STARS = 20
ITERATIONS = 100  # at most


def zero_point_and_scale(stars: Stars, scatter: Mapping[str, float]) -> dict[str, Any]:
    """The line Gaia = zero point + scale * reference [uas]; errors in both, outliers as in the weighted mean.

    Each star's abscissa is the mean of its two parallaxes whose error is uncorrelated with that of the residual, as in
    York et al. 2004, AJP 72, 367. Errors come from the scatter of the stars about the line, not from the stated ones.
    `pivot_parallax` [mas] is where the line's error is smallest. Null with fewer than MIN_LINE_STARS stars, or where
    all have one parallax.
    """
    gaia_error = np.sqrt((scatter["factor"] * stars.gaia_error) ** 2 + scatter["extra"] ** 2)
    known = np.isfinite(stars.difference + gaia_error + stars.fraction + stars.reference_error)
    row = dict.fromkeys(LINE, np.nan) | {"n": int(known.sum())}
    if row["n"] < MIN_LINE_STARS:
        return row
    stars = stars.restrict(known)
    gaia_error = gaia_error[known]
    line = np.array([np.median(stars.difference), 1.0])
    for _ in range(ITERATIONS):
        residual = stars.gaia - line[0] - line[1] * stars.reference
        abscissa = combined_parallax(stars, gaia_error, *line)
        variance = gaia_error**2 + line[1] ** 2 * ((stars.fraction * abscissa) ** 2 + stars.reference_error**2)
        weight = hampel_weights(residual / np.sqrt(variance)) / variance
        centre = np.sum(weight * abscissa) / np.sum(weight)
        instrument = np.stack([np.ones(len(abscissa)), abscissa - centre])
        normal = (instrument * weight) @ np.stack([np.ones(len(abscissa)), stars.reference]).T
        if np.linalg.cond(normal / np.abs(normal).max()) > 1e12:
            return row
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
    return row | dict(zip(LINE[1:], [*numbers, pivot], strict=True))
