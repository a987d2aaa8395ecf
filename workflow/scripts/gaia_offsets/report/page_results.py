"""The story of a sample in one page: what was cut, what was found, how it compares."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.releases import adjective
from gaia_offsets.core.words import number
from gaia_offsets.maps.kernel import LONGEST_DEG
from gaia_offsets.report import pages

LEARNED = {"official_global": "a constant", "official_map": "the map of pixels", "official_smooth": "the smooth map"}
HELD_OUT = {"star": "Single stars held out", "block": "Blocks of the sky held out"}
FOUR_DECIMALS = ["log_predictive_density", "gain", "gain_error", "gain_over_constant", "gain_over_constant_error"]
NOISE = 2.0  # standard errors below which a gain is called noise
DIFFERING = ["claim", "place", "unit", "published", "reproduced", "difference", "difference_sigma", "reason"]


def story(tables: Mapping[str, Any], solutions: Sequence[str], official: str) -> dict[str, Any]:
    """What the template results.html.j2 takes, besides title and simulated.

    `tables` are cutflow, offsets (global_offsets.csv), scatter, scale (zero_point_scale.csv), validation
    (cross_validation.csv), map_equatorial, map_made, smooth_made and, for a sample that is tested against published
    statements, claims; `solutions` are the measured classes.
    """
    cutflow, offsets, scatter, pixels = (tables[name] for name in ("cutflow", "offsets", "scatter", "map_equatorial"))
    validation, smooth, claims = tables["validation"], tables["smooth_made"], tables.get("claims")
    more_than = tables["map_made"]["more_than"]
    one_decimal = dict.fromkeys(offsets.select_dtypes("float").columns, ".1f")
    counted = pixels[(pixels["solution"] == solutions[0]) & (pixels["parallax"] == "raw")]["n"]
    known = set(scatter[(scatter["parallax"] == "raw") & (scatter["n"] > 0)]["solution"])
    held = {split: validation[validation["split"] == split] for split in HELD_OUT}
    values = {
        "kept": [(adjective(name), cutflow[f"kept_{name}"].iloc[-1]) for name in solutions],
        "first": cutflow.iloc[0],
        "last": cutflow.iloc[-1],
        "hardest": cutflow.loc[cutflow["removed"].idxmax()],
        "cutflow": pages.table(cutflow),
        "findings": [finding(name, part.set_index("parallax")) for name, part in offsets.groupby("solution")],
        "offsets": pages.table(offsets, one_decimal),
        "scatter": [scatter_finding(row, known) for _, row in scatter.iterrows() if row["parallax"] == "corrected"],
        "scale": [scale_finding(row) for _, row in tables["scale"].iterrows() if np.isfinite(row["scale_error"])],
        "smooth": [smooth_finding(parallax, kernel) for parallax, kernel in smooth["kernels"].items()],
        "smooth_warning": smooth["warning"],
        "pixels": int((counted > more_than).sum()),
        "more_than": more_than,
        "official": official,
        "validated": [validated(split, rows, solutions[0], official) for split, rows in held.items()],
        "noise": f"{NOISE:g}",
        "validation": pages.table(validation, dict.fromkeys(FOUR_DECIMALS, ".4f")),
        "counts": None,
    }
    if claims is not None:
        differing = claims[claims["verdict"].map(pages.tone) == "differs"]
        values |= {
            "counts": pages.count_verdicts(claims),
            "differing": pages.table(differing[DIFFERING]) if len(differing) else None,
        }
    return values


def finding(solution: str, rows: pd.DataFrame) -> str:
    """One sentence on the stars of a solution; `rows` of global_offsets.csv by parallax."""
    words = []
    for parallax, name in (("raw", "published"), ("corrected", "corrected")):
        if parallax in rows.index:
            row = rows.loc[parallax]
            size = "too small" if row["median"] < 0 else "too large"
            error = f" \u00b1 {row['median_error']:.1f}" if np.isfinite(row["median_error"]) else ""
            words.append(f"{name} parallaxes are {size} by {abs(row['median']):.1f}{error} uas")
    return f"{solution}: in the median, {' and '.join(words)}."


def scatter_finding(row: pd.Series, known: Collection[str]) -> str:
    """One sentence on the errors of the stars; a row of scatter.csv. `known` are solutions with raw stars."""
    if not row["n"] and row["solution"] in known:
        return f"{row['solution']}: no star has a zero point, so there are no weighted means of corrected parallaxes."
    if not row["n"]:
        return f"{row['solution']}: no star has an error of its reference parallax, so there are no weighted means."
    if not np.isfinite(row["pull_sd"]):
        return f"{row['solution']}: too few stars to test their errors by their scatter; they are taken as stated."
    return (
        f"{row['solution']}: the stars scatter {row['pull_sd']:.2f} times as much as the published errors say; Gaia's "
        f"errors times {row['factor']:.2f}, with {row['extra']:.0f} uas added in quadrature, explain them."
    )


def scale_finding(row: pd.Series) -> str:
    """One sentence on zero point and distance scale; a row of zero_point_scale.csv."""
    zero_point = f"({number(row['zero_point'], '.1f')} \u00b1 {row['zero_point_error']:.1f}) uas"
    scale = f"({row['scale']:.4f} \u00b1 {row['scale_error']:.4f}) times the reference parallax"
    correlation = f"correlation {number(row['correlation'], '.2f')}"
    return f"{row['solution']}, {row['parallax']}: Gaia parallax = {zero_point} + {scale}, {correlation}."


def smooth_finding(parallax: str, learned: dict[str, Any]) -> str:
    """One sentence on the pattern on the sky; an entry of `kernels` in smooth.json."""
    kernel, unnoticed = learned["mixture"][0], f"{learned['unnoticed_uas']:.1f} uas (sd)"
    if kernel["amplitude"] + kernel["white"] == 0.0:
        return f"{parallax}: the stars show no pattern on the sky; one of less than {unnoticed} would go unnoticed."
    # The search ends there: the pattern is wider than the sample.
    wide = kernel["length_deg"] > 0.99 * LONGEST_DEG
    reach = f"{LONGEST_DEG:.0f} deg or more" if wide else f"about {kernel['length_deg']:.0f} deg"
    return (
        f"{parallax}: the offset varies over the sky by {kernel['amplitude'] ** 0.5:.1f} uas (sd) over {reach}, "
        f"and by {kernel['white'] ** 0.5:.1f} uas from pixel to pixel."
    )


def validated(split: str, rows: pd.DataFrame, solution: str, official: str) -> str:
    """One sentence on what a split of cross_validation.csv shows; `rows` are those of the split."""
    rows = rows.set_index("correction")
    learned, held = rows.loc[list(LEARNED)], HELD_OUT[split]
    if not learned["n"].all():
        return f"{held}: nothing to validate, no {solution} star has what it takes."
    if learned["gain_error"].isna().any():
        return f"{held}: the stars lie in too few blocks of the sky for an error of the gains."
    better = learned[learned["gain"] > NOISE * learned["gain_error"]]
    if better.empty:
        return f"{held}: no correction beats the zero point {official} alone beyond noise."
    best = better["gain"].idxmax()
    first = f"{LEARNED[best]} on top of the zero point {official} predicts them better than the zero point alone"
    text = f"{held}: {first}, by {_gain(better.loc[best], 'gain')} in ln of the density"
    if best != "official_global" and "official_global" in better.index:
        text += f", {LEARNED['official_global']} by {_gain(better.loc['official_global'], 'gain')}"
    over = learned.drop(index="official_global")
    over = over[over["gain_over_constant"] > NOISE * over["gain_over_constant_error"]]
    if over.empty:
        return f"{text}; no map beats a constant beyond noise."
    best = over["gain_over_constant"].idxmax()
    return f"{text}; {LEARNED[best]} beats a constant by {_gain(over.loc[best], 'gain_over_constant')}."


def _gain(row: pd.Series, column: str) -> str:
    return f"{row[column]:.4f} \u00b1 {row[f'{column}_error']:.4f}"
