"""Zero point and distance scale together: offset = zero point + (scale - 1) parallax, errors in both variables."""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.estimators import PARALLAXES, SOLUTIONS
from gaia_offsets.tables import write_table
from gaia_offsets.weighted import Scatter, Stars, combined_parallax, hampel_weights, star_table

COLUMNS = ("n", "zero_point", "zero_point_error", "scale", "scale_error", "correlation", "pivot_parallax")
MIN_STARS = 20


def zero_point_and_scale(stars: Stars, scatter: Mapping[str, float], *, iterations: int = 100) -> dict[str, Any]:
    """The line Gaia = zero point + scale * reference [uas]; errors in both, outliers as in the weighted mean.

    Each star's abscissa is the mean of its two parallaxes whose error is uncorrelated with that of the residual, as in
    York et al. 2004, AJP 72, 367. Errors come from the scatter of the stars about the line, not from the stated ones.
    `pivot_parallax` [mas] is where the line's error is smallest. Null with fewer than MIN_STARS stars, or where all
    have one parallax.
    """
    gaia_error = np.sqrt((scatter["factor"] * stars.gaia_error) ** 2 + scatter["extra"] ** 2)
    known = np.isfinite(stars.difference + gaia_error + stars.fraction + stars.reference_error)
    found = dict.fromkeys(COLUMNS, np.nan) | {"n": int(known.sum())}
    if found["n"] < MIN_STARS:
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
    return found | dict(zip(COLUMNS[1:], [*numbers, pivot], strict=True))


def scale_table(tracers: pd.DataFrame, scatter: Scatter) -> pd.DataFrame:
    """zero_point_scale.csv: the line of each solution and parallax that has stars."""
    rows = []
    for solution in SOLUTIONS:
        tracers_of = tracers[tracers["solution"] == solution]
        for parallax in PARALLAXES if len(tracers_of) else ():
            stars = star_table(tracers_of, parallax, scatter.reference_kind)
            line = zero_point_and_scale(stars, scatter.of(solution, parallax, sky=True))
            rows.append({"solution": solution, "parallax": parallax, **line})
    return pd.DataFrame(rows, columns=["solution", "parallax", *COLUMNS])


if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    scatter = Scatter(snakemake.params.reference, pd.read_csv(snakemake.input.scatter))
    table = scale_table(pd.read_parquet(snakemake.input.tracers), scatter)
    print(table.to_string(index=False), file=sys.stderr)
    write_table(table, snakemake.output.scale)
