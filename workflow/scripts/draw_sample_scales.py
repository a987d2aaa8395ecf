"""Zero point and distance scale of the run's samples on top of one another, standard class, corrected."""

import sys
from collections.abc import Sequence
from itertools import cycle

import pandas as pd
from matplotlib.figure import Figure

from gaia_offsets import style
from gaia_offsets.faults import open_log


@style.styled
def draw_sample_scales(lines: Sequence[tuple[str, pd.DataFrame]], solution: str, *, title: str) -> Figure:
    """Zero point [uas] against scale of several samples, corrected parallaxes.

    `lines` has each sample's title and the rows of its standard class of zero_point_scale.csv; `solution` names it. The
    same stars on other distance scales differ in the scale and share the zero point.
    """
    figure = style.canvas(4.2, title)
    ax = figure.subplots()
    shown = 0
    looks = zip(lines, cycle(style.SAMPLE_COLOURS), cycle(style.SAMPLE_MARKERS), strict=False)
    for (name, table), colour, marker in looks:
        for _, row in style.rows(table, parallax="corrected").iterrows():
            shown += style.scale_ellipses(ax, row, color=colour, marker=marker, label=name)
    if not shown:
        style.blank(ax, f"no line: too few {solution} stars with reference errors")
        return figure
    style.scale_axes(ax)
    style.sample_legend(figure, shown, title="ellipses: 68 % (line), 95 % (dots)")
    return figure


if __name__ == "__main__":
    open_log(snakemake.log[0])
    samples = snakemake.params.samples
    lines, solution = style.sample_tables(samples, snakemake.input.scale), style.among(samples, "standard")
    title = f"Zero point and distance scale of the samples, corrected parallaxes, {solution}"
    figure = draw_sample_scales(lines, solution, title=title)
    style.save_figure(figure, snakemake.output.png, snakemake.output.pdf, dpi=snakemake.params.dpi)
    print(f"{len(lines)} samples", file=sys.stderr)
