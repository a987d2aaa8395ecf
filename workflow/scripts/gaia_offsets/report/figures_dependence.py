"""Dependence of the offset on G and colour, from the differences of stars inside pixels."""

import pandas as pd
from matplotlib.figure import Figure

from gaia_offsets.core.columns import PARALLAXES
from gaia_offsets.report import style


@style.styled
def draw_dependence(curves: pd.DataFrame, colour: str, *, title: str) -> Figure:
    """Curves with their bands of one standard error; `curves` is smooth_dependence.csv [uas], `colour` a column."""
    figure = style.canvas(2.9, title)
    variables = ["phot_g_mean_mag", "colour"]
    for ax, variable in zip(figure.subplots(1, 2, sharey=True), variables, strict=True):
        ax.axhline(0.0, **style.DASHED)
        ax.set_xlabel(style.axis_label(variable, colour))
        for parallax in PARALLAXES:
            curve = style.rows(curves, variable=variable, parallax=parallax)
            if len(curve) == 0:  # an empty file has no numbers in its columns
                continue
            low, high = curve["offset"] - curve["error"], curve["offset"] + curve["error"]
            ax.fill_between(curve["x"], low, high, color=style.COLOURS[parallax], alpha=0.25, linewidth=0)
            line = "-" if parallax == "corrected" else (0, (5, 2))
            ax.plot(curve["x"], curve["offset"], color=style.COLOURS[parallax], linestyle=line, label=parallax)
        if len(style.rows(curves, variable=variable)) == 0:
            style.note(ax, "no curve: too few stars")
    first = figure.axes[0]
    first.set_ylabel(f"offset, 0 in the mean [{style.UAS}]")
    if len(curves):
        first.legend()
    return figure
