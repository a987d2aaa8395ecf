"""The table of the corrections of a sample, side by side, as a page of the report."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from gaia_offsets.core.words import UAS
from gaia_offsets.report import pages
from gaia_offsets.report.figures_corrections import LEFT, coverage

SHOWN = ["correction", "solution", "n", "median", "median_error", "block_error", "weighted_mean", "weighted_mean_error"]
SHOWN += ["at_zero", "at_zero_error", "scale", "scale_error"]
SHOWN += [f"{name}_left{error}" for name in LEFT for error in ("", "_error")]


def one_percent(corrections: pd.DataFrame, solution: str) -> float:
    """How far distances that are wrong by 1 % move the offset in the median [uas]; null where there are no stars."""
    reference = corrections.loc[corrections["solution"] == solution, "reference_parallax"]
    return abs(0.01 * float(reference.median()))


def verdict(corrections: pd.DataFrame, solution: str) -> str:
    """One sentence on what the table can and cannot decide; `corrections` is corrections.csv."""
    table = corrections[(corrections["solution"] == solution) & (corrections["n"] > 0)]
    if table.empty:
        return f"The table decides nothing: there are no {solution} stars."
    can = "The table can tell which correction leaves these stars flatter in G, colour and position"
    moved = one_percent(table, solution)
    if moved == 0:
        return f"{can}, and which leaves the smaller offset: their true parallax is 0, on any distance scale."
    medians = table.loc[table["correction"] != "none", "median"]
    apart = float(medians.max() - medians.min()) if len(medians) > 1 else 0.0
    same = f" One wrong by {apart / moved:.1f} % would do as much as the {apart:.1f} {UAS} between the corrections."
    return (
        f"{can}, within the errors beside it. It cannot tell which leaves the right offset, because a distance scale "
        f"that is wrong by 1 % moves every offset by {moved:.1f} {UAS} in the median.{same if apart else ''}"
    )


def page_table(corrections: pd.DataFrame) -> pd.DataFrame:
    """Columns of corrections.csv for the page [uas]."""
    low, high = (corrections[name].astype(float) for name in ("scale_low", "scale_high"))
    table = corrections.assign(at_zero=(low + high) / 2, at_zero_error=(high - low) / 2)
    return table.rename(columns={"median_jackknife_error": "block_error"})[SHOWN]


def corrections_page(
    corrections: pd.DataFrame, solution: str, words: Mapping[str, str], experimental: Mapping[str, str]
) -> dict[str, Any]:
    """What the page takes; `words` has those of the corrections, `experimental` says why some are that."""
    corrections = corrections.replace({"correction": words})
    return {
        "verdict": verdict(corrections, solution),
        "coverage": coverage(corrections),
        "experimental": experimental,
        "table": pages.table(page_table(corrections), {"scale": ".4f"}),
    }
