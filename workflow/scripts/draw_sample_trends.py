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
def draw_sample_trends(trends: Sequence[tuple[str, pd.DataFrame]], *, title: str) -> Figure:
    """Mean offset of the 5p stars of several samples against G, colour and sin(ecliptic latitude), raw and corrected.

    `trends` has each sample's title and its trends.csv. A row of panels has one scale.
    """
    figure = style.canvas(7.4, title)
    axes = figure.subplots(3, 2, sharex="row", sharey="row")
    looks = [
        {"color": colour, "marker": marker, "markersize": 3}
        for _, colour, marker in zip(trends, cycle(style.SAMPLE_COLOURS), cycle(style.SAMPLE_MARKERS), strict=False)
    ]
    for row, (variable, labels) in zip(axes, style.VARIABLES.items(), strict=True):
        parts = [style.rows(table, solution="5p", variable=variable) for _, table in trends]
        parts = [part[np.isfinite(part["gaussian_mean"].astype(float))] for part in parts]
        every = pd.concat(parts)
        for ax, parallax in zip(row, style.PARALLAXES, strict=True):
            ax.set(xlabel=labels["5p"], ylim=style.robust_range(every))
            for level in style.LEVELS:
                ax.axhline(level, **style.DASHED)
            for part, look in zip(parts, looks, strict=True):
                style.trend_points(ax, style.rows(part, parallax=parallax), **look)
            if len(style.rows(every, parallax=parallax)) == 0:
                style.note(ax, "no 5p bin with enough stars")
        if limits := style.padded(every):
            row[0].set_xlim(limits)
        row[0].set_ylabel(f"offset [{style.UAS}]")
    for ax, parallax in zip(axes[0], style.PARALLAXES, strict=True):
        ax.set_title(f"{parallax} parallaxes, 5p")
    handles = [
        Line2D([], [], linestyle="none", label=name, **look) for (name, _), look in zip(trends, looks, strict=True)
    ]
    style.sample_legend(figure, len(handles), handles=handles)
    return figure


if __name__ == "__main__":
    open_log(snakemake.log[0])
    trends = style.sample_tables(snakemake.params.samples, snakemake.input.trends)
    figure = draw_sample_trends(trends, title="Trends of the samples")
    style.save_figure(figure, snakemake.output.png, snakemake.output.pdf, dpi=snakemake.params.dpi)
    for title, table in trends:
        print(f"{title}: {len(table)} bins", file=sys.stderr)
