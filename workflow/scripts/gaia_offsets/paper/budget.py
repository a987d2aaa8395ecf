"""Systematic effects on a typical parallax of the sample, the paper's numbers and this run's (Sect. 2.2)."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.sample.reference import parallax_shift, reference_columns, reference_parallax
from gaia_offsets.sample.selection import select_stars
from gaia_offsets.tables.cuts import cut_mask

GIANT, DWARF, TRAINING = 450.0, 1500.0, 2000.0  # uas, typical parallaxes, Sects. 2.1 and 2.2
SHIFT = {"dwarf": 0.015, "giant": 0.0049}  # mag, Sect. 2.1
REDDENING_ERROR, A_KS = 0.02, 0.30  # mag; and the coefficient that makes 0.006 mag of it, Sect. 2.2
RED_CLUMP = 3.6  # uas, Sect. 2.2
CORRECTED = 2.6  # uas, Sect. 3
COLUMNS = ["effect", "sign", "formula", "paper_inputs", "paper_uas", "run_inputs", "run_uas", "source"]
ON_PARALLAX = ("parallax", "reference_parallax")
POSITION = ("source_id", "ra", "dec", "astrometric_params_solved", "parallax")


def inverse_distance_bias(parallax: float, fraction: float) -> float:
    """Mean of a parallax from a distance modulus minus the true one, same unit; the median has no such bias.

    The modulus has a Gaussian error, the parallax hence a log-normal one with standard deviation `fraction` of ln.
    """
    return float(parallax * np.expm1(0.5 * fraction**2))


def selection_shift(offset: np.ndarray, parallax: np.ndarray, reference_parallax: np.ndarray, limit: float) -> float:
    """Median offset of the stars with Gaia parallax < limit, minus that of those with reference parallax < limit.

    Offsets in any unit, which the result keeps; parallaxes and limit in mas. A cut on one of the two parallaxes keeps
    the stars whose error made it low, which shifts the offset: downwards for Gaia's, upwards for the reference.
    """
    gaia, reference = offset[parallax < limit], offset[reference_parallax < limit]
    gaia, reference = gaia[np.isfinite(gaia)], reference[np.isfinite(reference)]
    if len(gaia) == 0 or len(reference) == 0:
        return float("nan")
    return float(np.median(gaia) - np.median(reference))


def parallax_limit(cuts: list[dict[str, Any]]) -> float | None:
    """Upper limit [mas] that the cuts put on Gaia's or the reference parallax, or None."""
    limits = [cut["value"] for cut in cuts if cut["column"] in ON_PARALLAX and cut["op"] in ("<", "<=")]
    return float(limits[0]) if limits else None


def budget(
    *,
    parallax_uas: float,
    fraction: float,
    coefficient: float,
    floor_uas: float,
    limit_mas: float | None,
    selection_uas: float,
    corrected_uas: float,
    magnitudes: Mapping[str, Mapping[str, float]],
    training_uas: float,
    red_clump_uas: float,
) -> pd.DataFrame:
    """The columns COLUMNS, one row an effect, in uas on the offset (Gaia minus reference); unknown run values are null.

    `parallax_uas`: typical parallax of the run; `fraction`: fractional error of its reference parallaxes;
    `coefficient`: extinction per reddening; `magnitudes`: shift [mag] and median_parallax [mas] by kind of star;
    `training_uas`: mean parallax of the training-like stars; sign + or - where known, else +-.
    """
    shift = "omega ln10/5 dM"
    paper_scatter = f"omega = {GIANT:.0f} uas, f = 0.085"
    run_scatter = f"omega = {parallax_uas:.0f} uas, f = {fraction:.3f}"
    reddening = f"E(B-V) error {REDDENING_ERROR} mag, A_Ks / E(B-V) = "
    rows = []
    for kind, omega in (("dwarf", DWARF), ("giant", GIANT)):
        own = magnitudes.get(kind, {"shift": np.nan, "median_parallax": np.nan})
        own_omega = 1000 * own["median_parallax"]
        rows.append(
            (
                f"scale of M_Ks, {kind}s",
                "+",
                shift,
                f"omega = {omega:.0f} uas, dM = {SHIFT[kind]} mag",
                float(parallax_shift(omega, SHIFT[kind])),
                f"omega = {own_omega:.0f} uas, dM = {own['shift']:.4f} mag",
                float(parallax_shift(own_omega, own["shift"])),
                "Sect. 2.1, Fig. 1" + ("; no dwarfs are among the tracers" if kind == "dwarf" else ""),
            )
        )
    rows += [
        (
            "extinction",
            "+-",
            shift,
            f"omega = {GIANT:.0f} uas, {reddening}{A_KS:.2f}",
            float(parallax_shift(GIANT, A_KS * REDDENING_ERROR)),
            f"omega = {parallax_uas:.0f} uas, {reddening}{coefficient:.2f}",
            float(parallax_shift(parallax_uas, coefficient * REDDENING_ERROR)),
            "Sect. 2.2",
        ),
        (
            "scatter of distances through 1/d, mean",
            "-",
            "omega (exp(f^2 / 2) - 1)",
            paper_scatter,
            -inverse_distance_bias(GIANT, 0.085),
            run_scatter,
            -inverse_distance_bias(parallax_uas, fraction),
            "not in the paper; Sect. 2 for f",
        ),
        (
            "scatter of distances through 1/d, median",
            "-",
            "0: the median of a log-normal does not move",
            paper_scatter,
            0.0,
            run_scatter,
            0.0,
            "not in the paper",
        ),
        (
            "cut on parallax, Gaia's instead of the reference's",
            "-",
            "median offset with the cut on one, minus with the cut on the other",
            "parallax < 1.5 mas",
            np.nan,
            f"parallax < {limit_mas or np.nan:g} mas",
            selection_uas,
            "not in the paper; recomputed from the run's stars",
        ),
        (
            "training on Gaia distances",
            "-",
            "delta omega / omega_training",
            f"omega / omega_training = {GIANT:.0f} / {TRAINING:.0f}, delta = {CORRECTED} uas left after correction",
            -CORRECTED * GIANT / TRAINING,
            f"omega / omega_training = {parallax_uas:.0f} / {training_uas:.0f}, delta = {corrected_uas:.1f} uas",
            -corrected_uas * parallax_uas / training_uas,
            "Sect. 2.2",
        ),
        (
            "red clump comparison",
            "-",
            "mean of reference minus red clump parallax, taken as an error of the reference",
            "49,459 pairs",
            -RED_CLUMP,
            "pairs of the run",
            -red_clump_uas,
            "Sect. 2.2, Fig. 3",
        ),
        (
            "correlated errors of Gaia parallaxes",
            "+-",
            "root of the small-scale covariance, 106.2 uas2; does not average out within a degree",
            "",
            np.nan,
            f"systematic_uas = {floor_uas:g}",
            floor_uas,
            "Maiz Apellaniz et al. 2021, A&A 649, A13",
        ),
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    # A run without the inputs of an effect has no number for it.
    table.loc[table["run_uas"].isna(), "run_inputs"] = ""
    return table


def selection_columns(
    cuts: list[dict[str, Any]], one_row_per: dict[str, Any] | None, reference: dict[str, Any]
) -> set[str]:
    """Columns of the cross-matched table that `selection_effect` reads."""
    keys = (*one_row_per["columns"], one_row_per.get("prefer"), one_row_per.get("ties")) if one_row_per else ()
    return {*POSITION, *keys, *(cut["column"] for cut in cuts), *reference_columns(reference)} - {None}


def selection_effect(
    matched: Iterable[pd.DataFrame],
    *,
    cuts: list[dict[str, Any]],
    one_row_per: dict[str, Any] | None,
    reference: dict[str, Any],
    codes: dict[str, Any],
) -> float:
    """Median offset with the cut on Gaia's parallax minus that on the reference's, all other cuts made [uas].

    `matched` are pieces of the cross-matched table; of their columns `selection_columns` are enough.
    """
    limit = parallax_limit(cuts)
    if limit is None:
        return float("nan")
    others = [cut for cut in cuts if cut["column"] not in ON_PARALLAX]
    # Where a star's best row is below a limit on what makes it the best, all of its rows are: no need to compare them.
    early = [cut for cut in others if cut["column"] == (one_row_per or {}).get("prefer") and cut["op"] in (">", ">=")]
    early = [{"column": "source_id", "op": "not_null"}, *(cut for cut in early if not cut.get("solution"))]
    pieces = (piece[np.all([cut_mask(piece, cut) for cut in early], axis=0)] for piece in matched)
    pieces = (piece.assign(reference_parallax=reference_parallax(piece, reference)[0]) for piece in pieces)
    stars, *_ = select_stars(pieces, one_row_per=one_row_per, cuts=others, codes=codes)
    gaia, own = (stars[name].to_numpy(dtype=float, na_value=np.nan) for name in ON_PARALLAX)
    return selection_shift(1000.0 * (gaia - own), gaia, own, limit)
