"""Systematic effects on a typical parallax of the sample, the paper's numbers and this run's (Sect. 2.2)."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.sample.reference import parallax_shift, reference_columns, reference_parallax
from gaia_offsets.sample.selection import select_stars
from gaia_offsets.tables.cuts import cut_mask

REDDENING_ERROR = 0.02  # mag, Sect. 2.2
# Of the paper (Sects. 2.1, 2.2 and 3) and of a run: `omega`, a typical parallax [uas]; `f`, the fractional error of
# reference parallaxes; `coefficient` of extinction; `dwarf` and `giant`, median parallaxes [uas] with their shifts of
# M_Ks; `training`, mean parallax of such stars, `corrected`, the offset that is left, and `floor` [uas]; `limit` of a
# cut [mas]; and what the stars themselves give, `selection` and `red_clump` [uas].
PAPER = {
    **{"omega": 450.0, "f": 0.085, "coefficient": 0.30, "training": 2000.0, "corrected": 2.6, "floor": np.nan},
    **{"dwarf": 1500.0, "dwarf_shift": 0.015, "giant": 450.0, "giant_shift": 0.0049},
    **{"limit": 1.5, "selection": np.nan, "red_clump": 3.6},
}
_SCATTER = "omega = {omega:.0f} uas, f = {f:.3f}"
_SHIFT = "omega ln10/5 dM"
EFFECTS = (  # sign (+- where it is not known), formula, the paper's inputs, the run's inputs, source
    (
        "scale of M_Ks, dwarfs",
        "+",
        _SHIFT,
        "omega = 1500 uas, dM = 0.015 mag",
        "omega = {dwarf:.0f} uas, dM = {dwarf_shift:.4f} mag",
        "Sect. 2.1, Fig. 1; no dwarfs are among the tracers",
    ),
    (
        "scale of M_Ks, giants",
        "+",
        _SHIFT,
        "omega = 450 uas, dM = 0.0049 mag",
        "omega = {giant:.0f} uas, dM = {giant_shift:.4f} mag",
        "Sect. 2.1, Fig. 1",
    ),
    (
        "extinction",
        "+-",
        _SHIFT,
        "omega = 450 uas, E(B-V) error 0.02 mag, A_Ks / E(B-V) = 0.30",
        "omega = {omega:.0f} uas, E(B-V) error 0.02 mag, A_Ks / E(B-V) = {coefficient:.2f}",
        "Sect. 2.2",
    ),
    (
        "scatter of distances through 1/d, mean",
        "-",
        "omega (exp(f^2 / 2) - 1)",
        _SCATTER.format(**PAPER),
        _SCATTER,
        "not in the paper; Sect. 2 for f",
    ),
    (
        "scatter of distances through 1/d, median",
        "-",
        "0: the median of a log-normal does not move",
        _SCATTER.format(**PAPER),
        _SCATTER,
        "not in the paper",
    ),
    (
        "cut on parallax, Gaia's instead of the reference's",
        "-",
        "median offset with the cut on one, minus with the cut on the other",
        "parallax < 1.5 mas",
        "parallax < {limit:g} mas",
        "not in the paper; recomputed from the run's stars",
    ),
    (
        "training on Gaia distances",
        "-",
        "delta omega / omega_training",
        "omega / omega_training = 450 / 2000, delta = 2.6 uas left after correction",
        "omega / omega_training = {omega:.0f} / {training:.0f}, delta = {corrected:.1f} uas",
        "Sect. 2.2",
    ),
    (
        "red clump comparison",
        "-",
        "mean of reference minus red clump parallax, taken as an error of the reference",
        "49,459 pairs",
        "pairs of the run",
        "Sect. 2.2, Fig. 3",
    ),
    (
        "correlated errors of Gaia parallaxes",
        "+-",
        "root of the small-scale covariance, 106.2 uas2; does not average out within a degree",
        "",
        "systematic_uas = {floor:g}",
        "Maiz Apellaniz et al. 2021, A&A 649, A13",
    ),
)
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


def budget(run: Mapping[str, float]) -> pd.DataFrame:
    """The columns COLUMNS, one row an effect, in uas on the offset (Gaia minus reference); unknown run values are null.

    `run` has what PAPER has.
    """
    table = pd.DataFrame(EFFECTS, columns=[name for name in COLUMNS if not name.endswith("_uas")])
    table = table.assign(paper_uas=_effects(PAPER), run_uas=_effects(run))[COLUMNS]
    # A run without the inputs of an effect has no number for it.
    texts = [text.format(**run) for text in table["run_inputs"]]
    return table.assign(run_inputs=np.where(table["run_uas"].isna(), "", texts))


def _effects(numbers: Mapping[str, float]) -> list[float]:
    """The effects [uas], in the order of EFFECTS."""
    omega = numbers["omega"]
    return [
        float(parallax_shift(numbers["dwarf"], numbers["dwarf_shift"])),
        float(parallax_shift(numbers["giant"], numbers["giant_shift"])),
        float(parallax_shift(omega, numbers["coefficient"] * REDDENING_ERROR)),
        -inverse_distance_bias(omega, numbers["f"]),
        0.0,
        numbers["selection"],
        -numbers["corrected"] * omega / numbers["training"],
        -numbers["red_clump"],
        numbers["floor"],
    ]


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
