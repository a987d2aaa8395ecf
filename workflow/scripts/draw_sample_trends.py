"""Trends of the run's samples on top of one another."""

import sys
from collections.abc import Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gaia_offsets import style
from gaia_offsets.faults import open_log


@style.styled
def draw_sample_trends(trends: Sequence[tuple[str, pd.DataFrame]], solution: str, colour: str, *, title: str) -> Figure:
    """Mean offset of several samples against G, colour and sin(ecliptic latitude), raw and corrected.

    `trends` has each sample's title and the rows of its standard class of trends.csv; `solution` names the class and
    `colour` the axis of its colour. A row of panels has one scale.
    """
    figure = style.canvas(7.4, title)
    axes = figure.subplots(3, 2, sharex="row", sharey="row")
    looks = [
        {"color": colour, "marker": marker, "markersize": 3}
        for _, colour, marker in zip(trends, cycle(style.SAMPLE_COLOURS), cycle(style.SAMPLE_MARKERS), strict=False)
    ]
    for row, variable in zip(axes, style.VARIABLES, strict=True):
        parts = [style.rows(table, variable=variable) for _, table in trends]
        parts = [part[np.isfinite(part["gaussian_mean"].astype(float))] for part in parts]
        every = pd.concat(parts)
        for ax, parallax in zip(row, style.PARALLAXES, strict=True):
            ax.set(
                xlabel=colour if variable == "colour" else style.axis_label(variable, ""),
                ylim=style.robust_range(every),
            )
            for level in style.LEVELS:
                ax.axhline(level, **style.DASHED)
            for part, look in zip(parts, looks, strict=True):
                style.trend_points(ax, style.rows(part, parallax=parallax), **look)
            if len(style.rows(every, parallax=parallax)) == 0:
                style.note(ax, f"no {solution} bin with enough stars")
        if limits := style.padded(every):
            row[0].set_xlim(limits)
        row[0].set_ylabel(f"offset [{style.UAS}]")
    for ax, parallax in zip(axes[0], style.PARALLAXES, strict=True):
        ax.set_title(f"{parallax} parallaxes, {solution}")
    handles = [
        Line2D([], [], linestyle="none", label=name, **look) for (name, _), look in zip(trends, looks, strict=True)
    ]
    style.sample_legend(figure, len(handles), handles=handles)
    return figure


if __name__ == "__main__":
    open_log(snakemake.log[0])
    samples = snakemake.params.samples
    trends = style.sample_tables(samples, snakemake.input.trends)
    colours = [{"axis": style.axis_label("colour", sample["colour"])} for sample in samples]
    solution, colour = style.among(samples, "standard"), style.among(colours, "axis")
    figure = draw_sample_trends(trends, solution, colour, title="Trends of the samples")
    style.save_figure(figure, snakemake.output.png, snakemake.output.pdf, dpi=snakemake.params.dpi)
    for title, table in trends:
        print(f"{title}: {len(table)} bins", file=sys.stderr)
