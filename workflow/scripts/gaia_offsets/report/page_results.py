"""The story of a sample in one page: what was cut, what was found, how it compares."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.releases import adjective
from gaia_offsets.core.words import UAS, measured
from gaia_offsets.maps.kernel import LONGEST_DEG
from gaia_offsets.report import pages
from gaia_offsets.report.figures_cutflow import that_removed
from gaia_offsets.report.page_claims import FORMATS
from gaia_offsets.report.page_corrections import one_percent

LEARNED = {
    "official_global": "a constant",
    "official_map": "the map of pixels",
    "official_smooth": "the smooth map",
}
HELD_OUT = {"star": "Single stars held out", "block": "Blocks of the sky held out"}
GAINS = {"log_predictive_density": ".4f", "gain": ".4f", "gain_over_constant": ".4f", "covered": ".2f"}
NOISE = 2.0  # standard errors below which a gain is called noise
DIFFERING = ["claim", "place", "unit", "published", "reproduced", "difference", "difference_sigma", "reason"]
LINE = ["solution", "parallax", "n", "zero_point", "zero_point_error", "scale", "scale_error", "correlation"]


def story(tables: Mapping[str, Any], solutions: Sequence[str], official: str) -> dict[str, Any]:
    """What the template results.html.j2 takes, besides what every page takes.

    `tables` are cutflow, offsets (global_offsets.csv), scatter, scale (zero_point_scale.csv), corrections, validation
    (cross_validation.csv), map_equatorial, map_made, smooth_made and, for a sample that is tested against published
    statements, claims; `solutions` are the measured classes, `official` is the sample's correction in words.
    """
    cutflow, offsets, scatter, pixels = (tables[name] for name in ("cutflow", "offsets", "scatter", "map_equatorial"))
    validation, smooth, claims = tables["validation"], tables["smooth_made"], tables.get("claims")
    more_than = tables["map_made"]["more_than"]
    counted = pixels[(pixels["solution"] == solutions[0]) & (pixels["parallax"] == "raw")]["n"]
    known = set(scatter[(scatter["parallax"] == "raw") & (scatter["n"] > 0)]["solution"])
    held = {split: validation[validation["split"] == split] for split in HELD_OUT}
    scale = tables["scale"][np.isfinite(tables["scale"]["scale_error"].astype(float))]
    shown = that_removed(cutflow)
    values = {
        "kept": [(adjective(name), cutflow[f"kept_{name}"].iloc[-1]) for name in solutions],
        "first": cutflow.iloc[0],
        "last": cutflow.iloc[-1],
        "hardest": cutflow.loc[cutflow["removed"].idxmax()],
        "idle": len(cutflow) - len(shown),
        "cutflow": pages.table(shown) if len(shown) > 1 else "",
        "findings": [
            finding(name, part.set_index("parallax"), official, one_percent(tables["corrections"], name))
            for name, part in offsets.groupby("solution")
        ],
        "offsets": pages.table(offsets),
        "scatter": [scatter_finding(row, known) for _, row in scatter.iterrows() if row["parallax"] == "corrected"],
        "scale": pages.table(scale[LINE], {"scale": ".4f", "correlation": ".2f"}) if len(scale) else "",
        "smooth": [smooth_finding(parallax, kernel) for parallax, kernel in smooth["kernels"].items()],
        "smooth_warning": smooth["warning"],
        "pixels": int((counted > more_than).sum()),
        "more_than": more_than,
        "official": official,
        "validated": [validated(split, rows, solutions[0], official) for split, rows in held.items()],
        "noise": f"{NOISE:g}",
        "validation": pages.table(in_words(validation, official), GAINS),
        "counts": None,
    }
    if claims is not None:
        differing = claims[claims["verdict"].map(pages.tone) == "differs"]
        values |= {
            "counts": pages.count_verdicts(claims),
            "differing": pages.table(differing[DIFFERING], FORMATS) if len(differing) else None,
        }
    return values


def in_words(validation: pd.DataFrame, official: str) -> pd.DataFrame:
    """cross_validation.csv with the words of its splits and corrections."""
    corrections = {"official": official} | {name: f"{official}, {words}" for name, words in LEARNED.items()}
    splits = {"star": "single stars", "block": "blocks of the sky"}
    return validation.replace({"split": splits, "correction": corrections})


def finding(solution: str, rows: pd.DataFrame, official: str, moved: float) -> str:
    """What was found of the stars of a solution; `rows` of global_offsets.csv by parallax."""
    words = []
    begins = {"raw": f"the published parallaxes of the {solution} stars are"}
    begins |= {"corrected": f"corrected by {official}"} if official != "none" else {}
    for parallax, begin in begins.items():
        if parallax in rows.index and np.isfinite(rows.loc[parallax, "median"]):
            row = rows.loc[parallax]
            size = "too small" if row["median"] < 0 else "too large"
            words.append(f"{begin} {size} by {measured(abs(row['median']), row['median_error'])} {UAS}")
    if not words:
        return f"No {solution} star has an offset."
    return "; ".join(words) + (
        f". Distances that are wrong by 1 % move this by {moved:.1f} {UAS}." if moved > 0 else "."
    )


def scatter_finding(row: pd.Series, known: Collection[str]) -> str:
    """One sentence on the errors of the stars; a row of scatter.csv. `known` are solutions with raw stars."""
    if not row["n"] and row["solution"] in known:
        return f"No {row['solution']} star has a zero point, so there are no weighted means of corrected parallaxes."
    if not row["n"]:
        return f"No {row['solution']} star has an error of its reference parallax, so there are no weighted means."
    if not np.isfinite(row["pull_sd"]):
        return f"Too few {row['solution']} stars test their errors by their scatter: these are taken as stated."
    extra = f", with {row['extra']:.0f} {UAS} added in quadrature," if row["extra"] >= 0.5 else ""
    return (
        f"The {row['solution']} stars scatter {row['pull_sd']:.2f} times as much as the published errors say; Gaia's "
        f"errors times {row['factor']:.2f}{extra} explain it."
    )


def smooth_finding(parallax: str, learned: dict[str, Any]) -> str:
    """One sentence on the pattern on the sky; an entry of `kernels` in smooth.json."""
    kernel, unnoticed = learned["mixture"][0], f"{learned['unnoticed_uas']:.1f} {UAS} (sd)"
    if kernel["amplitude"] + kernel["white"] == 0.0:
        return f"The {parallax} offsets show no pattern on the sky; one of less than {unnoticed} would go unnoticed."
    # The search ends there: the pattern is wider than the sample.
    wide = kernel["length_deg"] > 0.99 * LONGEST_DEG
    reach = f"{LONGEST_DEG:.0f}\N{DEGREE SIGN} or more" if wide else f"about {kernel['length_deg']:.0f}\N{DEGREE SIGN}"
    local = f", and by {kernel['white'] ** 0.5:.1f} {UAS} from pixel to pixel" if kernel["white"] >= 0.0025 else ""
    return (
        f"The {parallax} offsets vary over the sky by {kernel['amplitude'] ** 0.5:.1f} {UAS} (sd) over {reach}{local}."
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
        return f"{held}: no correction beats the zero point of {official} alone beyond noise."
    best = better["gain"].idxmax()
    first = f"{LEARNED[best]} on top of the zero point of {official} predicts them better than the zero point alone"
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
    return measured(row[column], row[f"{column}_error"], ".4f")
