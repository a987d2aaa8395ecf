"""The official zero point of Lindegren et al. 2021b, from the package gaiadr3-zeropoint, and the two offsets."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from gaia_offsets.columns import TRACERS
from gaia_offsets.selection import solution
from gaia_offsets.tables import TableError

# Ranges of the model, edges included as in the paper (Sect. 2.1); the package itself leaves the edges out.
G_RANGE = (6.0, 21.0)
NU_EFF_RANGE = (1.1, 1.9)
PSEUDOCOLOUR_RANGE = (1.24, 1.72)
# No tracer of any release was ever off by a third of a milliarcsecond in the median; a wrong unit is at once.
IMPLAUSIBLE_UAS = 300.0
ENOUGH_STARS = 20


def zero_point(
    phot_g_mean_mag: np.ndarray,
    nu_eff_used_in_astrometry: np.ndarray,
    pseudocolour: np.ndarray,
    ecl_lat: np.ndarray,
    astrometric_params_solved: np.ndarray,
    *,
    chunk: int = 1_000_000,
) -> np.ndarray:
    """Official zero point in mas, (N,); null outside the model's range, for 2p sources and for null inputs.

    G in mag, nu_eff and pseudocolour in 1/um, ecliptic latitude in degrees. Takes lists, None, masked arrays and
    nullable columns. `parallax_corrected = parallax - zero_point`. `chunk` rows at a time bound the memory.
    """
    from zero_point import zpt

    zpt.load_tables()
    g, nu_eff, pseudo, latitude, solved = (
        _plain(values)
        for values in (phot_g_mean_mag, nu_eff_used_in_astrometry, pseudocolour, ecl_lat, astrometric_params_solved)
    )
    colour = np.where(solved == 31, nu_eff, pseudo)
    low = np.where(solved == 31, NU_EFF_RANGE[0], PSEUDOCOLOUR_RANGE[0])
    high = np.where(solved == 31, NU_EFF_RANGE[1], PSEUDOCOLOUR_RANGE[1])
    inside = np.isin(solved, (31, 95)) & (g >= G_RANGE[0]) & (g <= G_RANGE[1])
    inside &= (colour >= low) & (colour <= high) & np.isfinite(latitude)
    rows = np.flatnonzero(inside)
    result = np.full(g.shape, np.nan)
    for start in range(0, len(rows), chunk):
        part = rows[start : start + chunk]
        with warnings.catch_warnings():
            # With its warnings off the package returns null on the edges of the range; all rows here are inside.
            warnings.simplefilter("ignore")
            result[part] = zpt.get_zpt(
                g[part], colour[part], colour[part], latitude[part], solved[part].astype(int), _warnings=True
            )
    return result


def _plain(values: object) -> np.ndarray:
    """Any column as a plain float64 array with NaN for masked and missing entries."""
    if isinstance(values, pd.Series | pd.api.extensions.ExtensionArray):
        return np.atleast_1d(pd.Series(values).to_numpy(dtype=float, na_value=np.nan))
    if np.ma.isMaskedArray(values):
        return np.atleast_1d(np.ma.asarray(values).astype(float).filled(np.nan))
    return np.atleast_1d(np.asarray(values, dtype=float))


def with_offsets(stars: pd.DataFrame, *, official: str) -> pd.DataFrame:
    """Tracers: the columns TRACERS, with zero point, corrected parallax [mas] and both offsets [uas].

    `stars` has the Gaia columns and the reference parallax. `official` is `lindegren2021` or `none` (all null). Raises
    TableError where no star gets an official zero point, or where the median offset can only be a wrong unit.
    """
    table = stars.reindex(columns=[*dict.fromkeys([*TRACERS, *stars.columns])]).copy()
    if "solution" not in stars:  # select_stars gives the release's own classes
        table["solution"] = solution(table["astrometric_params_solved"])
    if official == "lindegren2021":
        names = ("phot_g_mean_mag", "nu_eff_used_in_astrometry", "pseudocolour", "ecl_lat")
        table["zero_point"] = zero_point(*(table[name] for name in names), table["astrometric_params_solved"])
        if len(table) and table["zero_point"].isna().all():
            empty = [name for name in names if table[name].isna().all()]
            raise TableError(
                f"official zero point: none for any of {len(table)} stars"
                + (f"; no values in {', '.join(empty)}" if empty else "; all are outside the range of the model")
                + "; name the columns in `columns:` of the sample or set official: none"
            )
    else:
        table["zero_point"] = np.nan
    table["parallax_corrected"] = table["parallax"] - table["zero_point"]
    table["offset_raw"] = 1000.0 * (table["parallax"] - table["reference_parallax"])
    table["offset_corrected"] = 1000.0 * (table["parallax_corrected"] - table["reference_parallax"])
    typical = table["offset_raw"].median()
    spread = (table["offset_raw"] - typical).abs().median() / np.sqrt(max(len(table), 1))
    # A handful of faint stars may lie that far off by chance; a sample whose own scatter excludes it has a wrong unit.
    if len(table) >= ENOUGH_STARS and abs(typical) > max(IMPLAUSIBLE_UAS, 5 * spread):
        raise TableError(
            f"offsets: the median of {len(table)} stars is {typical / 1000:+.3f} mas, beyond any zero point of Gaia; "
            "check the units of the parallax and of the reference (mas, kpc) in `columns:` of the sample"
        )
    return table[list(TRACERS)]
