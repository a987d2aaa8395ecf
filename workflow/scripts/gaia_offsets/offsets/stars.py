"""Every star with its own errors: Gaia's, the reference's, and the variance of the difference; all values in uas.

A star without one of its errors has no weight, and is null here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from gaia_offsets.core.columns import LEARNED, REFERENCE_KINDS
from gaia_offsets.offsets.weighted import HAMPEL

DRAWN = 1_000_000  # stars, evenly drawn, that stand for a larger sample where a fit goes through it many times
# Columns of a tracers table that the estimators read; a correction by another name needs its own one besides.
MEASURED = ("solution", "phot_g_mean_mag", "parallax", "parallax_error", "parallax_corrected")
MEASURED += ("reference_parallax", "reference_parallax_error", "offset_raw", "offset_corrected")


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
    expected: bool = False  # the reference is a mean at what chose the star: weights may depend on it, not on Gaia's

    @property
    def difference(self) -> np.ndarray:
        """Offset of each star, Gaia minus reference."""
        return self.gaia - self.reference

    def restrict(self, use: np.ndarray | slice) -> Stars:
        """The stars of `use`, indices or a mask, alone."""
        arrays = {name: values[use] for name, values in vars(self).items() if name != "expected"}
        return replace(self, **arrays)


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
    A learned magnitude gives the mean parallax already, at given labels and apparent magnitude (`expected`).
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
    none = np.zeros(len(gaia))
    if reference_kind == LEARNED:
        return Stars(gaia, reference, gaia_error, fraction, none, expected=True)
    return Stars(gaia, reference * np.exp(-0.5 * fraction**2), gaia_error, fraction, none)


def combined_parallax(stars: Stars, gaia_error: np.ndarray, offset: float, scale: float = 1.0) -> np.ndarray:
    """Weighted mean of reference and Gaia parallax, each star's own, (N,) in uas.

    Gaia's is taken as offset + scale times the true one. The mean's error is uncorrelated with that of the difference:
    weights that depend on it, unlike weights that depend on the reference, do not bias a mean. An `expected` reference
    stands for itself: the error of the difference is uncorrelated with it alone.
    """
    if stars.expected:
        return stars.reference
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
