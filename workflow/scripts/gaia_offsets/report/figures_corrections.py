"""The corrections of a sample side by side, as a figure of the standard class."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gaia_offsets.report import style

LEFT = {"phot_g_mean_mag": "in G", "colour": "in colour", "sin_ecl_lat": r"in sin $\beta$", "sky": "on the sky"}
OFFSETS = ("median", "weighted_mean")


@style.styled
def draw_corrections(corrections: pd.DataFrame, solution: str, *, title: str) -> Figure:
    """Offsets and what is left of patterns [uas] of a solution, by correction; `corrections` is corrections.csv."""
    table = style.rows(corrections, solution=solution)
    figure = style.canvas(1.6 + 0.5 * len(table), title)
    if table.empty:
        style.blank(figure.subplots(), f"no {solution} stars")
        return figure
    y = np.arange(len(table), dtype=float)
    offsets, left = figure.subplots(1, 2, sharey=True)
    offsets.axvline(0.0, **style.DASHED)
    low, high = (table[name].to_numpy(float) for name in ("scale_low", "scale_high"))
    band = {"height": 0.7, "color": "0.85", "zorder": 0.5, "label": r"at parallax 0, $\pm$1 sd"}
    offsets.barh(y, high - low, left=low, **band)
    looks = zip(OFFSETS, (-0.15, 0.15), "os", style.SAMPLE_COLOURS, strict=False)
    for name, shift, marker, colour in looks:
        error = np.nan_to_num(table[f"{name}_error"].to_numpy(float))
        look = {"marker": marker, "color": colour, "markersize": 4, "linestyle": "none", "elinewidth": 0.9}
        offsets.errorbar(table[name], y + shift, xerr=error, label=name.replace("_", " "), **look)
    offsets.set_xlabel(f"Gaia minus reference parallax [{style.UAS}]")
    for number, (name, words) in enumerate(LEFT.items()):
        value = table[f"{name}_left"].to_numpy(float)
        error = np.nan_to_num(table[f"{name}_left_error"].to_numpy(float))
        look = {"marker": style.SAMPLE_MARKERS[number], "color": style.SAMPLE_COLOURS[number], "markersize": 4}
        shift, bars = 0.2 * (number - 1.5), [np.fmin(error, value), error]  # an sd is not below 0
        left.errorbar(value, y + shift, xerr=bars, elinewidth=0.9, linestyle="none", label=words, **look)
    for place in y[table[[f"{name}_left" for name in LEFT]].isna().all(axis=1)]:
        left.annotate("too few stars", (0.02, place), xycoords=("axes fraction", "data"), va="center", color="0.35")
    left.set_xlabel(f"left beyond noise, sd [{style.UAS}]")
    left.set_xlim(left=-0.02 * left.get_xlim()[1])
    offsets.set_yticks(y, [textwrap.fill(name, 22) for name in table["correction"]], parse_math=False)
    offsets.set_ylim(len(table) - 0.4, -0.6)
    for ax in (offsets, left):
        ax.tick_params(axis="y", length=0)
        ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, columnspacing=1.0)
    return figure


def coverage(corrections: pd.DataFrame) -> list[str]:
    """Which stars the rows are of, where the corrections do not have the same: sentences by corrections.csv."""
    sentences = []
    for solution, table in corrections.groupby("solution") if "n_own" in corrections else ():
        there = table[table["n_own"] > 0]
        if (there["n"] < there["n_own"]).any():
            each = ", ".join(f"{name} {n:,}" for name, n in zip(there["correction"], there["n_own"], strict=True))
            sentences.append(
                f"{solution}: all rows are measured on the same {there['n'].min():,} stars, those that all of these "
                f"corrections have. Each has: {each}. The rows say nothing of stars that one of them lacks, such as "
                "those outside its part of the sky. Leave it out of the list 'also' of the config to compare the "
                "others on all of theirs."
            )
        for name in table.loc[table["n_own"] == 0, "correction"]:
            sentences.append(f"{solution}: {name} has none of these stars, and is not compared.")
    return sentences
