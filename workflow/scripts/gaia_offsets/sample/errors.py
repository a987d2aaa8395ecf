"""How much too small the published errors of parallaxes are: numbers that reached us by public code.

Of Maiz Apellaniz 2022 (A&A 657, A130), and of El-Badry, Rix & Heintz 2021 (MNRAS 506, 2269).
"""

from __future__ import annotations

import numpy as np

from gaia_offsets.core.faults import TableError
from gaia_offsets.core.releases import SOLVED
from gaia_offsets.publish.fields import INFLATIONS, NONE
from gaia_offsets.sample.star_table import star_arrays
from gaia_offsets.sample.zero_points import check_edr3, published_table

MAIZ_APELLANIZ, EL_BADRY = INFLATIONS
# What error_factor takes of a star, by the inflation.
INFLATING = {MAIZ_APELLANIZ: ("phot_g_mean_mag", SOLVED, "ruwe"), EL_BADRY: ("phot_g_mean_mag", SOLVED)}
FLOOR_MAS = {MAIZ_APELLANIZ: 0.0103, EL_BADRY: 0.0}  # root of the angular covariance at 0 deg
SIX_PARAMETERS = 1.25  # k of 6p sources over that of 5p sources
RUWE_LIMIT = 1.4
# Above RUWE_LIMIT k grows by 1 + ke: G and ke.
_KE = ((12.5, 13.5, 14.5, 15.5, 16.5, 17.5), (0.50, 1.01, 1.28, 1.38, 1.44, 1.32))


def inflation(inflate: str | bool | None) -> str | None:
    """The name of an inflation, None for none; True is the first of INFLATIONS. Raises TableError for another name."""
    name = MAIZ_APELLANIZ if inflate is True else inflate or None
    if name is not None and name not in INFLATIONS:
        raise TableError(f"inflate: {inflate!r} is none of {', '.join(INFLATIONS)}")
    return name


def error_factor(
    phot_g_mean_mag: np.ndarray,
    astrometric_params_solved: np.ndarray,
    ruwe: np.ndarray | None = None,
    *,
    inflate: str = MAIZ_APELLANIZ,
) -> np.ndarray:
    """How many times larger than published a parallax error is, (N,), by Maiz Apellaniz 2022 or El-Badry et al. 2021.

    maiz_apellaniz2022: k(G) of 5p sources, more for 6p or a high RUWE. el_badry2021: f(G) of their eq. 16, at least 1;
    takes no RUWE. Null for other solutions than 31 and 95 and for null inputs, of which G or RUWE of 0 is one. Raises
    TableError for codes of another release and values that cannot be what they are.

    >>> error_factor([15.0, 15.0, 15.0], astrometric_params_solved=[31, 95, 3], ruwe=[1.0, 1.0, 1.0]).round(3)
    array([1.295, 1.619,   nan])
    """
    inflate = inflation(inflate or NONE)
    given = {"phot_g_mean_mag": phot_g_mean_mag, SOLVED: astrometric_params_solved, "ruwe": ruwe}
    g, solved, *more = star_arrays("error_factor", **{name: given[name] for name in INFLATING[inflate]})
    check_edr3(solved)
    g, *more = (np.where(values > 0, values, np.nan) for values in (g, *more))  # 0 stands for none
    if inflate == EL_BADRY:
        peak = 0.21 * np.exp(-(((g - 12.65) / 0.90) ** 2))
        return np.where(np.isin(solved, (31, 95)), np.maximum(peak + 1.141 + 0.0040 * g - 0.00062 * g**2, 1.0), np.nan)
    ruwe = more[0]
    nodes = published_table("maiz_apellaniz2022_k")
    k = np.interp(g, nodes["g_mag"], nodes["k"])
    k = np.where(solved == 95, SIX_PARAMETERS * k, k) * np.where(ruwe > RUWE_LIMIT, 1.0 + np.interp(g, *_KE), 1.0)
    return np.where(np.isin(solved, (31, 95)) & np.isfinite(ruwe), k, np.nan)


def true_error(parallax_error: np.ndarray, factor: np.ndarray, *, inflate: str = MAIZ_APELLANIZ) -> np.ndarray:
    """True error [mas] of single parallaxes, (N,), from published ones [mas], of which 0 is none, and error_factor.

    Raises TableError for what cannot be an error or its factor.

    >>> true_error([0.02, 0.02], error_factor([15.0, 18.0], [31, 31], ruwe=[1.0, 1.0])).round(4)
    array([0.0279, 0.025 ])
    """
    (errors,) = star_arrays("true_error", parallax_error=parallax_error)
    factors = np.asarray(factor, dtype=float)
    if factors.shape not in ((), errors.shape) or (factors < 1.0).any():
        raise TableError("true_error: factor should be 1 or more, one value a star: that of error_factor")
    return np.hypot(factors * errors, FLOOR_MAS[inflation(inflate or NONE)])
