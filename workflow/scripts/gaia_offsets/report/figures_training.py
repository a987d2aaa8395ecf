"""Fig. 2: absolute magnitudes and colours of training-like stars against those of the giants."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from gaia_offsets.report import style

GROUPS = {  # the paper's colours
    "training": ("training-like stars", "black"),
    "giants": ("giants", style.COLOURS["raw"]),
}
VARIABLES = {"mks": r"absolute magnitude $M_{K_s}$ [mag]", "bp_rp": "BP \N{MINUS SIGN} RP [mag]"}


@style.styled
def draw_training(histograms: pd.DataFrame, summary: pd.DataFrame, *, title: str) -> Figure:
    """Fig. 2: M_Ks (left) and BP - RP (right) of training-like stars and of the giants, as shares of each group.

    `histograms` has variable (mks|bp_rp), group (training|giants), bin_low, bin_high [mag], count, share; `summary`
    has n by group.
    """
    figure = style.canvas(3.0, title)
    counts = summary.set_index("group")["n"]
    for ax, (variable, label) in zip(figure.subplots(1, 2), VARIABLES.items(), strict=True):
        ax.set(xlabel=label, ylabel="share of the group in a bin")
        part = style.rows(histograms, variable=variable)
        if part["count"].sum() == 0:
            style.blank(ax, "no stars")
            continue
        for group, (name, colour) in GROUPS.items():
            bins = style.rows(part, group=group)
            style.steps(ax, bins, "share", color=colour, linewidth=1.1, label=f"{counts[group]:,} {name}")
        filled = part[part["share"] > 0.0005]
        ax.set_xlim(float(filled["bin_low"].min()), float(filled["bin_high"].max()))
        ax.set_ylim(0.0, 1.35 * float(part["share"].max()))
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
        ax.legend(loc="upper left")
    return figure
