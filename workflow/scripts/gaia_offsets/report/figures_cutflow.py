"""Stars kept after each step of the selection (Sect. 2.1)."""

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gaia_offsets.report import style


@style.styled
def draw_cutflow(cutflow: pd.DataFrame, solutions: Sequence[str], *, title: str) -> Figure:
    """Stars kept after each step of the selection, with the parts of each solution, and the removed.

    `cutflow` is cutflow.csv: step, criterion, kept, removed and kept_{solution} of each. The axis is logarithmic.
    """
    steps = that_removed(cutflow)
    labels = [textwrap.fill(readable(text), 34) for text in steps["criterion"]]
    lines = sum(max(2, label.count("\n") + 1) for label in labels)
    figure = style.canvas(1.1 + 0.13 * lines, title)
    ax, listing = figure.subplots(1, 2, sharey=True, width_ratios=(1.0, 1.05))
    place = np.arange(len(steps))
    ax.barh(place, steps["kept"], height=0.8, color="0.88", label="all")
    for number, (solution, colour) in enumerate(zip(solutions, style.OTHER_COLOURS, strict=False)):
        shift = 0.76 * ((number + 0.5) / len(solutions) - 0.5)
        counts, height = steps[f"kept_{solution}"], 0.68 / len(solutions)
        ax.barh(place + shift, counts, height=height, color=colour, label=solution)
    ax.set_xscale("log")
    ax.set_xlim(0.5, 2.0 * max(10, int(steps["kept"].max())))
    ax.set_ylim(len(steps) - 0.4, -0.6)
    ax.set_yticks(place, labels, parse_math=False)
    ax.tick_params(axis="y", length=0)
    idle = len(cutflow) - len(steps)
    left_out = f"; {idle} {'steps' if idle > 1 else 'step'} that removed none left out" if idle else ""
    ax.set_xlabel(f"rows kept after the step (logarithmic{left_out})", x=0.3 if idle else 0.5)
    spacing = {"borderaxespad": 0.2, "columnspacing": 1.2}
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=1 + len(solutions), **spacing)
    listing.set_axis_off()
    columns = [("kept", "kept", "black", 0.25)]  # of the cut flow: name, head of its list, colour and place of the list
    places = np.linspace(0.52, 0.74, len(solutions))
    columns += [(f"kept_{name}", name, "black", x) for name, x in zip(solutions, places, strict=True)]
    for name, head, colour, x in (*columns, ("removed", "removed", "0.35", 1.0)):
        listing.text(x, -0.72, head, ha="right", va="bottom", size=7, color=colour)
        for y, value in zip(place, steps[name], strict=True):
            listing.text(x, y, f"{int(value):,}", ha="right", va="center", size=7, color=colour)
    return figure


def that_removed(cutflow: pd.DataFrame) -> pd.DataFrame:
    """Rows of cutflow.csv in order: the first, and the steps that removed something."""
    return cutflow[(cutflow["step"] == cutflow["step"].min()) | (cutflow["removed"] > 0)].sort_values("step")


def readable(criterion: str) -> str:
    """The criterion with the signs of print."""
    return criterion.replace("<=", "\N{LESS-THAN OR EQUAL TO}").replace(">=", "\N{GREATER-THAN OR EQUAL TO}")
