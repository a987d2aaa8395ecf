"""Global offsets of the run's samples beside those of the literature, one line each."""

import sys
import textwrap

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gaia_offsets import pages, style
from gaia_offsets.faults import open_log

TITLE = "Global offsets of the samples of this run and of the literature"
LINE = ["origin", "label", "solution"]  # columns that name a line


@style.styled
def draw_samples(samples: pd.DataFrame, *, title: str) -> Figure:
    """Global offsets of the run's samples and of the literature, one line each with its error, like a forest plot.

    `samples` is samples.csv: origin (run|literature), label, solution (or all), parallax, offset, error [uas], n.
    """
    # The run's samples first; a wider step between the two.
    lines = samples.drop_duplicates(LINE)[LINE].sort_values("origin", ascending=False, kind="stable")
    place = np.arange(len(lines)) + 0.6 * (lines["origin"] == "literature").to_numpy()
    figure = style.canvas(1.3 + 0.24 * (len(lines) + 1), title)
    ax = figure.subplots()
    for level in style.LEVELS:
        ax.axvline(level, **style.DASHED)

    def look(parallax: str, origin: str) -> dict[str, object]:
        """Filled markers for the run, open ones for the literature."""
        colour = style.COLOURS[parallax]
        fill = colour if origin == "run" else "white"
        marker = style.MARKERS[parallax]
        return {"color": colour, "marker": marker, "markersize": 4, "markerfacecolor": fill, "linestyle": "none"}

    for parallax, shift in (("raw", -0.14), ("corrected", 0.14)):
        part = lines.merge(style.rows(samples, parallax=parallax), how="left", on=LINE)
        x, error = part["offset"].to_numpy(float), np.nan_to_num(part["error"].to_numpy(float))
        for origin in ("run", "literature"):
            mine = (part["origin"] == origin).to_numpy() & np.isfinite(x)
            y = place[mine] + shift
            ax.errorbar(x[mine], y, xerr=error[mine], elinewidth=0.9, **look(parallax, origin))
    labels = [
        textwrap.shorten(text, 58) + ("" if solution == "all" else f", {solution}")
        for text, solution in zip(lines["label"], lines["solution"], strict=True)
    ]
    ax.set_yticks(place, labels, parse_math=False)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(place.max(initial=0) + 0.6, -0.6)
    for edge in np.flatnonzero(np.diff(place) > 1.5):
        ax.axhline((place[edge] + place[edge + 1]) / 2, color="0.6", linewidth=0.6)
    ax.set_xlabel(f"global offset, Gaia minus reference parallax [{style.UAS}]")
    handles = [
        Line2D([], [], **look(parallax, origin), label=f"{parallax}, {name}")
        for origin, name in (("run", "this run"), ("literature", "literature"))
        for parallax in style.PARALLAXES
    ]
    ax.legend(
        handles=handles, loc="lower center", bbox_to_anchor=(0.3, 1.0), ncols=4, handletextpad=0.1, columnspacing=1.0
    )
    return figure


if __name__ == "__main__":
    open_log(snakemake.log[0])
    samples = pd.read_csv(snakemake.input.samples, dtype={"n": "Int64"})
    figure = draw_samples(samples, title=TITLE)
    style.save_figure(figure, snakemake.output.png, snakemake.output.pdf, dpi=snakemake.params.dpi)
    table = pages.table(samples.drop(columns="simulated"), {"offset": ".1f", "error": ".1f"})
    pages.save(
        snakemake.output.page,
        "samples.html.j2",
        title=f"{TITLE} [uas]",
        simulated=False,
        some_simulated=bool(samples["simulated"].any()),
        table=table,
    )
    print(f"{len(samples)} offsets", file=sys.stderr)
