"""The table of the corrections of a sample, side by side, as a page of the report."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.words import number
from gaia_offsets.report import pages
from gaia_offsets.report.figures_corrections import LEFT, coverage, with_warnings

HEADS = {name: f"left {words}" for name, words in LEFT.items()} | {"sin_ecl_lat": "left in sin(ecl_lat)"}


def verdict(corrections: pd.DataFrame, solution: str) -> str:
    """One sentence on what the table can and cannot decide; `corrections` is corrections.csv."""
    table = corrections[(corrections["solution"] == solution) & (corrections["n"] > 0)]
    if table.empty:
        return f"The table decides nothing: there are no {solution} stars."
    can = "The table can tell which correction leaves these stars flatter in G, colour and position"
    percent = 0.01 * float(table["reference_parallax"].median())
    if percent == 0:
        return f"{can}, and which leaves the smaller offset: their true parallax is 0, on any distance scale."
    medians = table.loc[table["correction"] != "none", "median"]
    apart = float(medians.max() - medians.min()) if len(medians) > 1 else 0.0
    between = f", so the {apart:.1f} uas between the corrections are {apart / abs(percent):.1f} %" if apart else ""
    return (
        f"{can}, within the errors beside it; it cannot tell which leaves the right offset, because distances that are "
        f"wrong by 1 % move every offset by {abs(percent):.1f} uas in the median{between}."
    )


def page_table(corrections: pd.DataFrame) -> pd.DataFrame:
    """corrections.csv for the page: each value with its error in one cell [uas]."""

    def both(value: str, error: str, form: str = ".1f") -> list[str | None]:
        pairs = zip(corrections[value], corrections[error], strict=True)
        return [f"{number(x, form)} \N{PLUS-MINUS SIGN} {e:{form}}" if np.isfinite(x) else None for x, e in pairs]

    bounds = zip(corrections["scale_low"], corrections["scale_high"], strict=True)
    return pd.DataFrame(
        {
            **corrections[["correction", "solution", "n"]],
            "median": both("median", "median_error"),
            "its error over blocks": corrections["median_jackknife_error"],
            "weighted mean": both("weighted_mean", "weighted_mean_error"),
            "at parallax 0": [
                f"{number(low, '.1f')} to {number(high, '.1f')}" if np.isfinite(low) else None for low, high in bounds
            ],
            "scale": both("scale", "scale_error", ".4f"),
            **{head: both(f"{name}_left", f"{name}_left_error") for name, head in HEADS.items()},
        }
    )


def corrections_page(corrections: pd.DataFrame, solution: str, experimental: Mapping[str, str]) -> dict[str, Any]:
    """What the page takes; `experimental` says why a correction is that, by name."""
    table = with_warnings(corrections, experimental)
    return {
        "verdict": verdict(table, solution),
        "coverage": coverage(table),
        "experimental": experimental,
        "table": pages.table(page_table(table), {"its error over blocks": ".1f"}),
    }
