"""The samples of a run side by side: global offsets with those of the literature, trends, zero points and scales."""

import textwrap
from collections.abc import Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gaia_offsets.core.columns import PARALLAXES
from gaia_offsets.report import style

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
        fill = style.COLOURS[parallax] if origin == "run" else "white"
        return {**style.look(parallax, 4), "markerfacecolor": fill, "linestyle": "none"}

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
    bars = "bars: statistical errors of this run, errors as published (some with systematic parts) of the literature"
    ax.set_xlabel(f"global offset, Gaia minus reference parallax [{style.UAS}]\n{bars}", x=0.3)
    handles = [
        Line2D([], [], **look(parallax, origin), label=f"{parallax}, {name}")
        for origin, name in (("run", "this run"), ("literature", "literature"))
        for parallax in PARALLAXES
    ]
    spacing = {"handletextpad": 0.1, "columnspacing": 1.0}
    ax.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.3, 1.0), ncols=4, **spacing)
    return figure


@style.styled
def draw_sample_trends(trends: Sequence[tuple[str, pd.DataFrame]], solution: str, colour: str, *, title: str) -> Figure:
    """Mean offset of several samples against G, colour and sin(ecliptic latitude), raw and corrected.

    `trends` has each sample's title and the rows of its standard class of trends.csv; `solution` names the class and
    `colour` the axis of its colour. A row of panels has one scale; samples in a heap get a row of their own, too.
    """
    panels = []
    for variable in style.VARIABLES:
        parts = [style.rows(table, variable=variable) for _, table in trends]
        parts = [part[np.isfinite(part["gaussian_mean"].astype(float))] for part in parts]
        panels += [(variable, shown) for shown in (parts, narrow(parts)) if shown]
    figure = style.canvas(2.47 * len(panels), title)
    axes = figure.subplots(len(panels), 2, sharex="row", sharey="row")
    looks = [
        {"color": colour, "marker": marker, "markersize": 3}
        for _, colour, marker in zip(trends, cycle(style.SAMPLE_COLOURS), cycle(style.SAMPLE_MARKERS), strict=False)
    ]
    for row, (variable, parts) in zip(axes, panels, strict=True):
        every = pd.concat(parts)
        for ax, parallax in zip(row, PARALLAXES, strict=True):
            ax.set(
                xlabel=colour if variable == "colour" else style.axis_label(variable, ""),
                ylim=style.robust_range(every),
            )
            style.levels(ax)
            for part, look in zip(parts, looks, strict=True):
                style.trend_points(ax, style.rows(part, parallax=parallax), **look)
            if len(style.rows(every, parallax=parallax)) == 0:
                style.note(ax, f"no {solution} bin with enough stars")
        if limits := style.padded(every):
            row[0].set_xlim(limits)
        row[0].set_ylabel(f"offset [{style.UAS}]")
    for ax, parallax in zip(axes[0], PARALLAXES, strict=True):
        ax.set_title(f"{parallax} parallaxes, {solution}")
    handles = [
        Line2D([], [], linestyle="none", label=name, **look) for (name, _), look in zip(trends, looks, strict=True)
    ]
    style.sample_legend(figure, len(handles), handles=handles)
    return figure


def narrow(parts: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """The bins of those samples that lie in one heap on the axis of all; nothing where no two do."""

    def span(table: pd.DataFrame) -> float:
        return float(table["x_mean"].max() - table["x_mean"].min()) if len(table) else 0.0

    whole = span(pd.concat(parts))
    heap = [part if span(part) < 0.2 * whole else part[:0] for part in parts]
    return heap if sum(map(bool, map(len, heap))) > 1 and span(pd.concat(heap)) < 0.2 * whole else []


@style.styled
def draw_sample_scales(lines: Sequence[tuple[str, pd.DataFrame]], solution: str, *, title: str) -> Figure:
    """Zero point [uas] against scale of several samples, corrected parallaxes.

    `lines` has each sample's title and the rows of its standard class of zero_point_scale.csv; `solution` names it. The
    same stars on other distance scales differ in the scale and share the zero point.
    """
    figure = style.canvas(4.2, title)
    rows = pd.concat([style.rows(table, parallax="corrected").assign(label=name) for name, table in lines])
    looks = zip(cycle(style.SAMPLE_COLOURS), cycle(style.SAMPLE_MARKERS), rows["label"], strict=False)
    looks = [dict(zip(("color", "marker", "label"), look, strict=True)) for look in looks]
    drawn = [(row, look) for (_, row), look in zip(rows.iterrows(), looks, strict=True)]
    sds = rows[["zero_point_error", "scale_error"]].astype(float)
    sharp = (sds <= 3.0 * sds.min()).all(axis=1)  # a wide ellipse would press these onto one another
    panels = {"all": drawn, "the most precise": [one for one, fine in zip(drawn, sharp, strict=True) if fine]}
    two = 0 < sharp.sum() < sds.notna().all(axis=1).sum()
    axes = figure.subplots(1, 1 + two, squeeze=False)[0]
    for ax, (name, part) in zip(axes, panels.items(), strict=False):
        if style.scale_panel(ax, part, solution) and ax is axes[0]:
            handles = ax.get_legend_handles_labels()[0]
            style.sample_legend(figure, len(handles), title=style.ELLIPSES_TITLE, handles=handles)
        if two:
            ax.set_title(name)
    return figure
