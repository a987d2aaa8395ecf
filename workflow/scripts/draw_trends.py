"""Fig. 5: mean offset against magnitude, colour and ecliptic latitude."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gaia_offsets import style
from gaia_offsets.faults import open_log


@style.styled
def draw_trends(trends: pd.DataFrame, *, title: str, min_stars: int, joined: Mapping[str, Mapping[str, int]]) -> Figure:
    """Fig. 5: mean offset (Gaussian fit) in bins of G, colour and sin(ecliptic latitude), 5p left and 6p right.

    `trends` is trends.csv: solution, parallax, variable, bin_low, bin_high, x_mean and the statistics [uas]. A row of
    panels has one scale, chosen so that a wild bin does not flatten the others: it is drawn as a triangle at the edge.
    `joined` says how many bins of the config became one, by solution and variable; a panel says so where it is not 1.
    """
    figure = style.canvas(7.3, title)
    axes = figure.subplots(3, 2, sharey="row")
    known = trends[np.isfinite(trends["gaussian_mean"].astype(float))]
    for row, (variable, labels) in zip(axes, style.VARIABLES.items(), strict=True):
        points = style.rows(known, variable=variable)
        limits = style.robust_range(points)
        for ax, solution in zip(row, style.SOLUTIONS, strict=True):
            part = style.rows(points, solution=solution)
            ax.set(xlabel=labels[solution], ylim=limits)
            for level in style.LEVELS:
                ax.axhline(level, **style.DASHED)
            for parallax in style.PARALLAXES:
                panel_points(ax, style.rows(part, parallax=parallax), parallax)
            if joined[solution][variable] > 1:
                text = f"{joined[solution][variable]} bins joined"
                ax.text(0.02, 0.04, text, transform=ax.transAxes, size=6.5, color="0.35", va="bottom")
            if len(part):  # 5p and 6p have colours of their own, all else in common
                ax.set_xlim(style.padded(part if variable == "colour" else points))
            else:
                ax.set_xticks([])
                style.note(ax, f"no {solution} bin with {min_stars} stars")
        row[0].set_ylabel(f"offset [{style.UAS}]")
    for ax, name in zip(axes[0], style.SOLUTIONS.values(), strict=True):
        ax.set_title(name)
    handles = [
        Line2D([], [], color=style.COLOURS[p], marker=style.MARKERS[p], markersize=3, linestyle="none", label=p)
        for p in style.PARALLAXES
    ]
    axes[0, 0].legend(handles=handles, loc="upper right", ncols=2, handletextpad=0.1, columnspacing=1.0)
    return figure


def panel_points(ax: Axes, points: pd.DataFrame, parallax: str) -> None:
    """The points of one parallax; those beyond the panel as triangles at its edge."""
    style.trend_points(ax, points, color=style.COLOURS[parallax], marker=style.MARKERS[parallax], markersize=2.6)
    low, high = ax.get_ylim()
    edge = 0.02 * (high - low)
    mean = points["gaussian_mean"]
    for outside, marker, y in ((mean > high, "^", high - edge), (mean < low, "v", low + edge)):
        x = points["x_mean"][outside]
        if len(x):
            triangles = {"marker": marker, "markersize": 4, "linestyle": "none"}
            ax.plot(x, np.full(len(x), y), color=style.COLOURS[parallax], **triangles)


if __name__ == "__main__":
    open_log(snakemake.log[0])
    trends = pd.read_csv(snakemake.input.trends)
    made = json.loads(Path(snakemake.input.settings).read_text(encoding="utf-8"))
    figure = draw_trends(
        trends, title=snakemake.params.title, min_stars=snakemake.params.min_stars, joined=made["joined"]
    )
    style.save_figure(figure, snakemake.output.png, snakemake.output.pdf, dpi=snakemake.params.dpi)
    for (solution, parallax, variable), bins in trends.groupby(["solution", "parallax", "variable"]):
        print(f"{solution} {parallax} {variable}: {len(bins)} bins", file=sys.stderr)
