"""The official zero point of Lindegren et al. 2021b, from the package gaiadr3-zeropoint."""

from __future__ import annotations

import warnings

import numpy as np

from gaia_offsets.core.faults import TableError
from gaia_offsets.core.releases import EDR3_CODING, SOLVED
from gaia_offsets.sample.star_table import star_arrays

# Ranges of the model, edges included as in the paper (Sect. 2.1); the package itself leaves the edges out.
G_RANGE = (6.0, 21.0)
NU_EFF_RANGE = (1.1, 1.9)
PSEUDOCOLOUR_RANGE = (1.24, 1.72)


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

    G in mag, nu_eff and pseudocolour in 1/um, ecliptic latitude in degrees; arrays as star_table.star_arrays takes
    them. `parallax_corrected = parallax - zero_point`. `chunk` rows at a time bound the memory. Raises TableError for
    codes of another release (check_edr3) and values that cannot be what they are for.
    """
    from zero_point import zpt

    zpt.load_tables()
    g, nu_eff, pseudo, latitude, solved = star_arrays(
        "zero_point",
        phot_g_mean_mag=phot_g_mean_mag,
        nu_eff_used_in_astrometry=nu_eff_used_in_astrometry,
        pseudocolour=pseudocolour,
        ecl_lat=ecl_lat,
        astrometric_params_solved=astrometric_params_solved,
    )
    check_edr3(solved)
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
