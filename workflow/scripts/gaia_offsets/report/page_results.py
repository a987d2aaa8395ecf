"""The story of a sample in one page: what was cut, what was found, how it compares."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.releases import adjective
from gaia_offsets.core.words import measured
from gaia_offsets.maps.kernel import LONGEST_DEG
from gaia_offsets.report import pages
from gaia_offsets.report.figures_cutflow import that_removed
from gaia_offsets.report.page_corrections import one_percent
from gaia_offsets.report.page_tables import CLAIMS

LEARNED = {"official_global": "a constant", "official_map": "the map of pixels", "official_smooth": "the smooth map"}
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
            (name, part.set_index("parallax").to_dict("index"), one_percent(tables["corrections"], name))
            for name, part in offsets.groupby("solution")
        ],
        "offsets": pages.table(offsets),
        "scatter": scatter[scatter["parallax"] == "corrected"].to_dict("records"),
        "known": set(scatter[(scatter["parallax"] == "raw") & (scatter["n"] > 0)]["solution"]),
        "scale": pages.table(scale[LINE], {"scale": ".4f", "correlation": ".2f"}) if len(scale) else "",
        "smooth": smooth,
        "longest": LONGEST_DEG,
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
            "differing": pages.table(differing[DIFFERING], CLAIMS) if len(differing) else None,
        }
    return values


def in_words(validation: pd.DataFrame, official: str) -> pd.DataFrame:
    """cross_validation.csv with the words of its splits and corrections."""
    corrections = {"official": official} | {name: f"{official}, {words}" for name, words in LEARNED.items()}
    splits = {split: words.removesuffix(" held out") for split, words in HELD_OUT.items()}
    return validation.replace({"split": splits, "correction": corrections})


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
