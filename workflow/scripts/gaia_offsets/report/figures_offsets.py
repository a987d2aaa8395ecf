"""Distributions of the offsets (Fig. 4), offset against G, colour and latitude (Fig. 5), zero point and scale."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gaia_offsets.core.columns import PARALLAXES
from gaia_offsets.core.releases import long_name
from gaia_offsets.core.words import measured
from gaia_offsets.report import style


@style.styled
def draw_offsets(histograms: pd.DataFrame, offsets: pd.DataFrame, solutions: Collection[str], *, title: str) -> Figure:
    """Fig. 4: distributions of the offsets with their Gaussian fits, a panel a solution.

    `histograms` has columns solution, parallax, bin_low, bin_high [uas], count; `offsets` is global_offsets.csv [uas].
    The curves have the area of the histograms. The axis spans 4 sd of the fits; stars beyond it are not shown.
    """
    figure = style.canvas(3.1, title)
    known = offsets.dropna(subset=["gaussian_mean", "gaussian_sd"])
    spans = known["gaussian_mean"].to_numpy() + np.outer([-4, 4], known["gaussian_sd"])
    low, high = (spans.min(), spans.max()) if spans.size else (-np.inf, np.inf)
    for ax, solution in zip(figure.subplots(1, len(solutions), squeeze=False)[0], solutions, strict=True):
        ax.set_title(long_name(solution))
        ax.set_xlabel(f"offset, Gaia minus reference parallax [{style.UAS}]")
        bins = style.rows(histograms, solution=solution)
        if bins["count"].sum() == 0:
            style.blank(ax, f"no {solution} stars")
            continue
        width = float((bins["bin_high"] - bins["bin_low"]).median())
        peak = float(bins["count"].max())
        for parallax, place in (("raw", {"x": 0.03, "ha": "left"}), ("corrected", {"x": 0.97, "ha": "right"})):
            colour = style.COLOURS[parallax]
            counts = style.rows(bins, parallax=parallax).sort_values("bin_low")
            fits = style.rows(offsets, solution=solution, parallax=parallax)
            shown = counts[(counts["bin_low"] >= low) & (counts["bin_high"] <= high)]
            if len(shown):
                style.steps(ax, shown, "count", color=colour, fill=0.25 * (parallax == "raw"), linewidth=0.9)
            if len(fits):
                peak = max(peak, style.gaussian(ax, fits.iloc[0], width, color=colour, linewidth=1.1))
                style.corner(ax, label(fits.iloc[0], parallax, int(shown["count"].sum())), color=colour, **place)
        ax.axvline(0.0, color="0.3", linewidth=0.6, linestyle=":", zorder=0)
        if len(known):
            ax.set_xlim(low, high)
        ax.set_ylim(0.0, 1.5 * peak)  # room for the labels
        ax.yaxis.set_major_formatter(style.THOUSANDS)
        ax.set_ylabel(f"stars in a bin of {width:g} {style.UAS}")
    return figure


def label(fit: pd.Series, parallax: str, inside: int) -> list[str]:
    """The numbers of a fit, a row of global_offsets.csv, in words; `inside` is how many stars the panel shows."""

    def with_error(name: str) -> str:
        return measured(fit[name], fit[f"{name}_error"], "+.1f") or "unknown"

    beyond = int(fit["n"]) - inside
    return [
        f"{parallax} [{style.UAS}]",
        f"mean {with_error('gaussian_mean')}",
        f"sd {measured(fit['gaussian_sd'], np.nan) or 'unknown'}",
        f"median {with_error('median')}",
        f"{int(fit['n']):,} stars" + f", {beyond:,} outside" * (beyond > 0),
    ]


@style.styled
def draw_trends(
    trends: pd.DataFrame,
    solutions: Mapping[str, str],
    *,
    title: str,
    min_stars: int,
    joined: Mapping[str, Mapping[str, int]],
) -> Figure:
    """Fig. 5: mean offset (Gaussian fit) in bins of G, colour and sin(ecliptic latitude), a column a solution.

    `trends` is trends.csv: solution, parallax, variable, bin_low, bin_high, x_mean and the statistics [uas];
    `solutions` has the column of each class's colour. A row of panels has one scale, chosen so that a wild bin does not
    flatten the others: it is drawn as a triangle at the edge. `joined` says how many bins of the config became one, by
    solution and variable; a panel says so where it is not 1.
    """
    figure = style.canvas(7.3, title)
    axes = figure.subplots(3, len(solutions), sharey="row", squeeze=False)
    known = trends[np.isfinite(trends["gaussian_mean"].astype(float))]
    for row, variable in zip(axes, style.VARIABLES, strict=True):
        points = style.rows(known, variable=variable)
        limits = style.robust_range(points)
        for ax, (solution, colour) in zip(row, solutions.items(), strict=True):
            part = style.rows(points, solution=solution)
            ax.set(xlabel=style.axis_label(variable, colour), ylim=limits)
            style.levels(ax)
            for parallax in PARALLAXES:
                panel_points(ax, style.rows(part, parallax=parallax), parallax)
            if len(part):  # solutions have colours of their own, all else in common
                ax.set_xlim(style.padded(part if variable == "colour" else points))
                ax.locator_params(axis="x", nbins=7)
                if (bins := joined[solution][variable]) > 1:
                    text = "all bins joined" if part["bin_low"].nunique() == 1 else f"{bins} bins joined"
                    ax.set_title(text, loc="right", size=7, color="0.35")
            else:
                ax.set_xticks([])
                style.note(ax, f"no {solution} bin with {min_stars} stars")
        row[0].set_ylabel(f"offset [{style.UAS}]")
    for ax, solution in zip(axes[0], solutions, strict=True):
        ax.set_title(long_name(solution))
    drawn = [name for name in PARALLAXES if (known["parallax"] == name).any()] or PARALLAXES
    handles = [Line2D([], [], linestyle="none", label=name, **style.look(name, 3)) for name in drawn]
    axes[0, 0].legend(handles=handles, loc="upper right", ncols=2, handletextpad=0.1, columnspacing=1.0)
    return figure


def panel_points(ax: Axes, points: pd.DataFrame, parallax: str) -> None:
    """The points of one parallax; those beyond the panel as triangles at its edge."""
    style.trend_points(ax, points, **style.look(parallax, 2.6))
    low, high = ax.get_ylim()
    edge = 0.02 * (high - low)
    mean = points["gaussian_mean"]
    for outside, marker, y in ((mean > high, "^", high - edge), (mean < low, "v", low + edge)):
        x = points["x_mean"][outside]
        if len(x):
            triangles = {"marker": marker, "markersize": 4, "linestyle": "none"}
            ax.plot(x, np.full(len(x), y), color=style.COLOURS[parallax], **triangles)


@style.styled
def draw_scale(lines: pd.DataFrame, solution: str, *, title: str) -> Figure:
    """Zero point [uas] against scale of a solution for both parallaxes; `lines` is zero_point_scale.csv."""
    figure = style.canvas(3.6, title)
    ax = figure.subplots()
    drawn = []
    for _, row in style.rows(lines, solution=solution).iterrows():
        look = {"color": style.COLOURS[row["parallax"]], "marker": style.MARKERS[row["parallax"]]}
        drawn.append((row, look | {"label": f"{row['parallax']}, {row['n']:,} {solution} stars"}))
    if style.scale_panel(ax, drawn, solution):
        ax.legend(title=style.ELLIPSES_TITLE, loc="best")
    return figure
