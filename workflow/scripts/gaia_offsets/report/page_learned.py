"""The page of the model behind the learned magnitudes."""

from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.words import number
from gaia_offsets.report import pages

FORMATS = {"zero_point": ".2f", "zero_point_error": ".2f", "magnitude_shift": ".4f", "offset_shift": ".1f"}
FORMATS |= {"slope": ".4f", "slope_error": ".4f", "slope_shift": ".2f"}


def spoken(facts: dict[str, Any]) -> list[str]:
    """Sentences of the page; `facts` is learned.json."""
    percent = 100.0 * facts["median_scatter_mag"] * np.log(10.0) / 5.0
    domain = "; ".join(f"{name} {low:.4g} to {high:.4g}" for name, (low, high) in facts["domain"].items())
    lines = [
        f"{facts['training_stars']:,} giants with {facts['solution']} solutions trained a function of "
        f"{', '.join(facts['labels'])} with {facts['terms']} terms. Their cuts: {'; '.join(facts['cuts']) or 'none'}. "
        "None is on the parallax or its precision: it would prefer stars whose parallaxes came out large.",
        zero_point_sentence(facts),
        density_sentence(facts),
        f"The magnitudes scatter by {facts['median_scatter_mag']:.3f} mag (median), {percent:.1f} % of a distance.",
        f"No star was predicted by a model that saw it ({facts['folds']} folds). {facts['predicted']:,} of "
        f"{facts['rows']:,} rows have a magnitude; {facts['without_labels']:,} lack a label, a magnitude or a "
        f"counterpart, {facts['outside']:,} lie outside the domain of the training, for {facts['vague']:,} the model "
        "knows too little.",
        f"Do not use the magnitudes outside {domain}, for dwarfs, or for a population that the training "
        "stars do not hold.",
    ]
    if check := facts.get("check"):
        lines.append(_checked(check))
    return lines


def zero_point_sentence(facts: dict[str, Any]) -> str:
    """What is known of the zero point of the training's parallaxes."""
    if not facts["zero_point"]:
        return "Their parallaxes, less the sample's own zero point, were taken as they are: none more was solved for."
    zero, error = number(facts["zero_point_uas"], ".2f"), facts["zero_point_error_uas"]
    return (
        f"The zero point left in their parallaxes after the sample's correction came out with the magnitudes: {zero} "
        f"\u00b1 {error:.2f} uas. The error is common to all offsets of the sample and stands in none of their errors."
    )


def density_sentence(facts: dict[str, Any]) -> str:
    """How well the counts and a slope that is left speak for the drift of the magnitudes."""
    strata = f"in strata of {facts['strata']}" if facts["strata"] else "of all of them together"
    slope, shift = number(facts["slope"], "+.4f"), number(facts["slope_shift_uas"], "+.2f")
    text = (
        f"How luminous stars of the same labels are at each apparent magnitude follows from counts {strata} "
        f"(\u03c7\u00b2 per degree of freedom {facts['counts_misfit']:.2f}; 1 where the mix of labels is the same at "
        f"all distances). A slope fitted besides is {slope} \u00b1 {facts['slope_error']:.4f} mag per mag"
    )
    return text + (f"; with it the zero point would move by {shift} uas." if facts["zero_point"] else ".")


def _checked(check: dict[str, Any]) -> str:
    if "mean" not in check:
        return f"No star has a known magnitude ({check['column']}) beside the learned one."
    mean, median = (number(check[name], "+.4f") for name in ("mean", "median"))
    return (
        f"Against {check['column']}, which the training has not seen, {check['n']:,} stars: learned minus known "
        f"{mean} \u00b1 {check['mean_error']:.4f} mag in the mean, {median} in the median, sd {check['sd']:.3f}, "
        f"robust sd {check['robust_sd']:.3f} mag."
    )


def learned_page(facts: dict[str, Any], alternatives: pd.DataFrame) -> dict[str, Any]:
    """What the page takes, of learned.json and learned_zero_points.csv."""
    return {"sentences": spoken(facts), "warning": facts["warning"], "table": pages.table(alternatives, FORMATS)}
