"""Every star with its own errors: Gaia's, the reference's, and the variance of the difference; all values in uas.

A star without one of its errors has no weight, and is null here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from gaia_offsets.core.columns import LEARNED, REFERENCE_KINDS
from gaia_offsets.offsets.weighted import HAMPEL

DRAWN = 1_000_000  # stars, evenly drawn, that stand for a larger sample where a fit goes through it many times
# Columns of a tracers table that the estimators read; a correction by another name needs its own one besides.
MEASURED = ("solution", "phot_g_mean_mag", "parallax", "parallax_error", "parallax_corrected")
MEASURED += ("reference_parallax", "reference_parallax_error", "offset_raw", "offset_corrected")
ERROR_BINS = 40  # of G, for the median error of Gaia


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
        """The stars of `use`, indices or a mask, alone."""
        return Stars(*(getattr(self, name)[use] for name in self.__dataclass_fields__))


def drawn_stars(tracers: pd.DataFrame) -> pd.DataFrame:
    """Every star; of a solution with more than DRAWN every second, fourth, ... one, as many as are at most DRAWN."""
    solution, drawn = tracers["solution"].to_numpy(), np.zeros(len(tracers), dtype=bool)
    for name in pd.unique(solution):
        rows, step = np.flatnonzero(solution == name), 1
        while -(-len(rows) // step) > DRAWN:
            step *= 2
        drawn[rows[::step]] = True
    return tracers if drawn.all() else tracers[drawn]


def chosen_parallax(tracers: pd.DataFrame, parallax: str) -> np.ndarray:
    """Gaia's parallax [mas], (N,): `raw`, `corrected` by the official correction, or by another of that name."""
    if parallax not in ("raw", "corrected"):
        return (tracers["parallax"] - tracers[f"zero_point_{parallax}"]).to_numpy(dtype=float, na_value=np.nan)
    column = "parallax" if parallax == "raw" else "parallax_corrected"
    return tracers[column].to_numpy(dtype=float, na_value=np.nan)


def star_table(tracers: pd.DataFrame, parallax: str, reference_kind: str) -> Stars:
    """Stars of a tracers table [mas] for the parallax `raw`, `corrected` or of a further correction, by its name.

    An error of a distance or a magnitude is one of ln(parallax): exp(-f^2 / 2) takes out the mean of its lognormal.
    Behind learned magnitudes Gaia's error is the typical one of the star's labels and distance: of the stars of one
    magnitude that the labels say, the luminous ones are brighter and have smaller errors, and would draw the mean.
    """
    reference, gaia_error, error = (
        1000.0 * tracers[name].to_numpy(dtype=float, na_value=np.nan)
        for name in ("reference_parallax", "parallax_error", "reference_parallax_error")
    )
    gaia = 1000.0 * chosen_parallax(tracers, parallax)
    if REFERENCE_KINDS[reference_kind].error == "parallax":
        return Stars(gaia, reference, gaia_error, np.zeros(len(gaia)), error)
    with np.errstate(invalid="ignore", divide="ignore"):
        fraction = np.where(reference > 0, error / reference, np.nan)
    if REFERENCE_KINDS[reference_kind].error == "shared":
        fraction = 0.0 * fraction  # the stars of a group share that error, it is none of a single star; nulls stay null
    stars = Stars(gaia, reference * np.exp(-0.5 * fraction**2), gaia_error, fraction, np.zeros(len(gaia)))
    if reference_kind == LEARNED:
        g = tracers["phot_g_mean_mag"].to_numpy(dtype=float, na_value=np.nan)
        log_error = error_by_magnitude(g, gaia_error)
        for _ in range(2):  # the combined parallax depends a little on the error
            combined = np.maximum(combined_parallax(stars, stars.gaia_error, 0.0), 0.1 * stars.reference)
            stars = replace(stars, gaia_error=typical_error(gaia_error, g, log_error, stars.reference, combined))
    return stars


def error_by_magnitude(g: np.ndarray, gaia_error: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A function of G [mag] that gives the median of ln(error): linear between bins of equal numbers of stars."""
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
    log_error: Callable[[np.ndarray], np.ndarray],
    reference: np.ndarray,
    combined: np.ndarray,
) -> np.ndarray:
    """Gaia's error (N,) as it would be at the magnitude that the labels and the combined parallax say.

    `reference` and `combined` are parallaxes of one unit; `log_error` is what error_by_magnitude gives.
    """
    expected = g + 5.0 * np.log10(reference / combined)
    return gaia_error * np.exp(log_error(expected) - log_error(g))


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
    for _ in range(4):  # the reference's variance is taken at the combined parallax
        variance = (stars.fraction * combined) ** 2 + reference_error
        combined = np.clip(stars.reference + variance / (variance + error) * step, low, high)
    return combined


def variances(stars: Stars, scatter: Mapping[str, float]) -> np.ndarray:
    """Variance of each star's difference (N,) [uas2]: (factor Gaia's)^2 + extra^2 + that of the reference.

    `scatter` has `factor`, `extra` and `centre`, an offset good to some tens of uas.
    """
    gaia_variance = (scatter["factor"] * stars.gaia_error) ** 2 + scatter["extra"] ** 2
    combined = combined_parallax(stars, np.sqrt(gaia_variance), scatter["centre"])
    return gaia_variance + (stars.fraction * combined) ** 2 + stars.reference_error**2
