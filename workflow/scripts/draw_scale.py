"""Zero point and distance scale of a sample, 5p, with their ellipses of error."""

import sys

import pandas as pd
from matplotlib.figure import Figure

from gaia_offsets import style
from gaia_offsets.faults import open_log


@style.styled
def draw_scale(lines: pd.DataFrame, *, title: str) -> Figure:
    """Zero point [uas] against scale for both parallaxes of the 5p stars; `lines` is zero_point_scale.csv."""
    figure = style.canvas(3.6, title)
    ax = figure.subplots()
    shown = [
        style.scale_ellipses(
            ax,
            row,
            color=style.COLOURS[parallax],
            marker=style.MARKERS[parallax],
            label=f"{parallax}, {row['n']:,} 5p stars",
        )
        for parallax in style.PARALLAXES
        for _, row in style.rows(lines, solution="5p", parallax=parallax).iterrows()
    ]
    if not any(shown):
        style.blank(ax, "no line: too few 5p stars with reference errors")
        return figure
    style.scale_axes(ax)
    ax.legend(title="ellipses: 68 % (line), 95 % (dots)", loc="best")
    return figure


if __name__ == "__main__":
    open_log(snakemake.log[0])
    lines = pd.read_csv(snakemake.input.scale)
    figure = draw_scale(lines, title=snakemake.params.title)
    style.save_figure(figure, snakemake.output.png, snakemake.output.pdf, dpi=snakemake.params.dpi)
    print(f"{len(lines)} lines", file=sys.stderr)
