"""Zero points of Gaia EDR3 and DR3 parallaxes: of Lindegren et al. 2021b, by their package, and by other coefficients.

The coefficients of Maiz Apellaniz 2022 (A&A 657, A130) reached us by public code; they stand in ../data.
"""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.faults import TableError
from gaia_offsets.core.releases import EDR3_CODING, SOLVED
from gaia_offsets.publish.fields import MODELS, OFFICIAL
from gaia_offsets.sample.star_table import star_arrays

# What a zero point depends on.
MODEL = ("phot_g_mean_mag", "nu_eff_used_in_astrometry", "pseudocolour", "ecl_lat", SOLVED)
# Ranges of the model, edges included as in the paper (Sect. 2.1); the package itself leaves the edges out.
G_RANGE = (6.0, 21.0)
NU_EFF_RANGE = (1.1, 1.9)
PSEUDOCOLOUR_RANGE = (1.24, 1.72)
CHUNK = 1_000_000  # stars at a time, which bounds what the package takes of memory


def check_edr3(solved: np.ndarray, column: str = SOLVED, where: str = "the table") -> None:
    """Raise TableError where codes of solutions, (N,), or the name of their column are not those of EDR3 and DR3.

    Codes of 0 and below stand for none. In DR4, too, solutions are coded 31 or 95; recipes of EDR3 are wrong for them.
    """
    other = (solved > 0) & ~np.isin(solved, list(EDR3_CODING["codes"].values()))
    codes = ", ".join(f"{code:g}" for code in np.unique(solved[other])[:5])
    if codes or column == "astrometric_params":
        raise TableError(
            f"{where}: column {column!r} is of another release than Gaia EDR3 and DR3"
            + (f": {other.sum()} of {len(solved)} stars are coded {codes}, not 31, 95 or 3" if codes else "")
            + "; zero points and error factors of EDR3 are wrong for it: take a correction of its own release"
        )


def zero_point(model: str, g: Any, nu_eff: Any, pseudocolour: Any, ecl_lat: Any, solution: Any) -> Any:
    """Zero point [mas] of Gaia EDR3 and DR3 parallaxes, (N,): `parallax - zero_point` is corrected.

    `model` is lindegren2021 or maiz_apellaniz2022 (its 5p sources; 6p as the former). `g` is phot_g_mean_mag [mag],
    `nu_eff` nu_eff_used_in_astrometry [1/um], which 5p sources have, `pseudocolour` [1/um] that of 6p sources,
    `ecl_lat` [deg], `solution` astrometric_params_solved: 31 (5p), 95 (6p), mixed as they come. Each is a list, an
    array with or without a mask, a pandas Series or an astropy Quantity or Column, whose unit is honoured; one value
    stands for all stars. Single values alone give a single one.

    A star has NaN where an input that its solution needs is null or outside the model's range (G 6 to 21; nu_eff 1.1 to
    1.9, pseudocolour 1.24 to 1.72), or where it has another solution. Raises TableError for an unknown model, for codes
    of another release, for values that cannot be what they are for (a latitude of 95 deg) and for other shapes.

    >>> zero_point("lindegren2021", g=10.0, nu_eff=1.5, pseudocolour=None, ecl_lat=0.0, solution=31).round(6).item()
    -0.034606
    >>> g, nu_eff, pseudocolour = [15.0, 17.0, 22.0], [1.35, None, 1.35], [None, 1.6, None]
    >>> zero_point("lindegren2021", g, nu_eff, pseudocolour, ecl_lat=[-45.0, 60.0, 0.0], solution=[31, 95, 31]).round(6)
    array([-0.039744, -0.012075,       nan])
    """
    if model not in MODELS:
        raise TableError(f"zero_point: model {model!r} is none of {', '.join(MODELS)}")
    given = dict(zip(MODEL, (g, nu_eff, pseudocolour, ecl_lat, solution), strict=True))
    stars = star_arrays("zero_point", **given)
    check_edr3(stars[-1])
    result = model_zero_point(model, *stars)
    return result if any(np.ndim(values) for values in given.values()) else result[0]


def model_zero_point(
    model: str, g: np.ndarray, nu_eff: np.ndarray, pseudocolour: np.ndarray, ecl_lat: np.ndarray, solved: np.ndarray
) -> np.ndarray:
    """zero_point of float arrays (N,) that are checked already."""
    result = _by_package(g, np.where(solved == 31, nu_eff, pseudocolour), ecl_lat, solved)
    if model != OFFICIAL:
        five = solved == 31
        nodes = published_table("maiz_apellaniz2022_zero_point_5p")
        result[five] = zero_point_5p(g[five], nu_eff[five], ecl_lat[five], nodes)
    return result


def _by_package(g: np.ndarray, colour: np.ndarray, ecl_lat: np.ndarray, solved: np.ndarray) -> np.ndarray:
    """Zero point by the package gaiadr3-zeropoint; `colour` is nu_eff of 5p and pseudocolour of 6p sources."""
    from zero_point import zpt

    zpt.load_tables()
    low = np.where(solved == 31, NU_EFF_RANGE[0], PSEUDOCOLOUR_RANGE[0])
    high = np.where(solved == 31, NU_EFF_RANGE[1], PSEUDOCOLOUR_RANGE[1])
    inside = np.isin(solved, (31, 95)) & (g >= G_RANGE[0]) & (g <= G_RANGE[1])
    rows = np.flatnonzero(inside & (colour >= low) & (colour <= high) & np.isfinite(ecl_lat))
    result = np.full(g.shape, np.nan)
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        with warnings.catch_warnings():
            # With its warnings off the package returns null on the edges of the range; all rows here are inside.
            warnings.simplefilter("ignore")
            solutions = solved[part].astype(int)
            result[part] = zpt.get_zpt(g[part], colour[part], colour[part], ecl_lat[part], solutions, _warnings=True)
    return result


@cache
def published_table(name: str) -> pd.DataFrame:
    """A table of ../data by its name without ending, the first column G [mag] of its nodes; not to be changed."""
    return pd.read_csv(Path(__file__).parents[1] / "data" / f"{name}.csv")


def zero_point_5p(g: np.ndarray, nu_eff: np.ndarray, ecl_lat: np.ndarray, nodes: pd.DataFrame) -> np.ndarray:
    """Zero point [mas] of 5p sources, (N,): sum of q_jk(G) c_j(nu_eff) b_k(beta), Lindegren et al. 2021b, Appendix A.

    G in mag, nu_eff in 1/um, ecliptic latitude in degrees. The q_jk are linear in G between the rows of `nodes` (g_mag,
    q00_uas, ...). Null for null inputs and outside the package's range of G and nu_eff.
    """
    g, nu, beta = (np.asarray(values, dtype=float) for values in (g, nu_eff, ecl_lat))
    sine = np.sin(np.radians(beta))
    colours = {
        "0": np.ones_like(nu),
        "1": np.clip(nu - 1.48, -0.24, 0.24),
        "2": np.clip(1.48 - nu, 0.0, 0.24) ** 3,
        "3": np.minimum(nu - 1.24, 0.0),
        "4": np.maximum(nu - 1.72, 0.0),
    }
    latitudes = {"0": np.ones_like(sine), "1": sine, "2": sine**2 - 1.0 / 3.0}
    terms = (  # columns are called q_jk with j and k, e.g. q12_uas
        np.interp(g, nodes["g_mag"], nodes[column]) * colours[column[1]] * latitudes[column[2]]
        for column in nodes.columns.drop("g_mag")
    )
    inside = (nu >= NU_EFF_RANGE[0]) & (nu <= NU_EFF_RANGE[1]) & (g >= G_RANGE[0]) & (g <= G_RANGE[1])
    return np.where(inside, 1e-3 * sum(terms), np.nan)
