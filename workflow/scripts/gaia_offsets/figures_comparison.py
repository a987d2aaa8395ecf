"""The paper's Figs. 1 to 3 and the pictures of several samples: each function takes tables and returns a Figure."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter, StrMethodFormatter

from gaia_offsets.figures import (
    _MARKERS,
    _VARIABLES,
    COLOURS,
    PARALLAXES,
    TWO_COLUMNS,
    UAS,
    _blank,
    _canvas,
    _note,
    _number,
    _padded,
    _robust_range,
    _rows,
    _styled,
)

GROUPS = {"training": ("training-like stars", "black"), "giants": ("giants", COLOURS["raw"])}  # the paper's code
ABSCISSAE = {"red_clump": "red clump parallax", "mean": "error-weighted mean of both parallaxes"}
SAMPLE_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
SAMPLE_MARKERS = "osD^vP*"


@_styled
def draw_magnitudes(histogram: pd.DataFrame, fits: pd.DataFrame, *, title: str) -> Figure:
    """Fig. 1: M_Ks from Gaia distances minus that of the catalogue, dwarfs left and giants right, with Gaussian fits.

    `histogram` has kind, bin_low, bin_high [mag], count; `fits` the statistics [mag] by kind.
    """
    figure = _canvas(TWO_COLUMNS, 3.0, title)
    for ax, kind in zip(figure.subplots(1, 2), ("dwarf", "giant"), strict=True):
        ax.set_title(f"{kind}s")
        ax.set_xlabel(r"$M_{K_s}$ from Gaia distance minus catalogue [mag]")
        counts, fit = _rows(histogram, kind=kind), _rows(fits, kind=kind)
        if len(fit) == 0 or counts["count"].sum() == 0:
            _blank(ax, f"no {kind}s")
            continue
        row = fit.iloc[0]
        mean, sd = float(row["gaussian_mean"]), float(row["gaussian_sd"])
        width = float((counts["bin_high"] - counts["bin_low"]).median())
        edges = np.append(counts["bin_low"].to_numpy(), counts["bin_high"].iloc[-1])
        ax.stairs(counts["count"], edges, color=COLOURS["raw"], fill=True, alpha=0.3, linewidth=0)
        ax.stairs(counts["count"], edges, color=COLOURS["raw"], linewidth=0.9)
        peak = float(counts["count"].max())
        lines = [f"{int(row['n']):,} stars"]
        if np.isfinite(mean) and sd > 0:
            x = np.linspace(-1.0, 1.0, 801)
            height = float(row["n"]) * width / (sd * np.sqrt(2 * np.pi))
            ax.plot(x, height * np.exp(-0.5 * ((x - mean) / sd) ** 2), color="black", linestyle=(0, (4, 2)))
            peak = max(peak, height)
            error = float(row["gaussian_mean_error"])
            lines = [f"mean {_number(mean, '+.4f')} \N{PLUS-MINUS SIGN} {error:.4f}", f"sd {sd:.3f}", *lines]
        ax.text(0.03, 0.965, "\n".join(lines), transform=ax.transAxes, size=7, va="top", linespacing=1.25)
        ax.axvline(0.0, color="0.3", linewidth=0.6, linestyle=":", zorder=0)
        ax.set(xlim=(-0.9, 0.9), ylim=(0.0, 1.3 * peak))
        ax.set_ylabel(f"stars in a bin of {width:g} mag")
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    return figure


@_styled
def draw_training(histograms: pd.DataFrame, summary: pd.DataFrame, *, title: str) -> Figure:
    """Fig. 2: M_Ks (left) and BP - RP (right) of training-like stars and of the giants, as shares of each group.

    `histograms` has variable (mks|bp_rp), group (training|giants), bin_low, bin_high [mag], share; `summary` has n.
    """
    figure = _canvas(TWO_COLUMNS, 3.0, title)
    labels = {"mks": r"absolute magnitude $M_{K_s}$ [mag]", "bp_rp": "BP \N{MINUS SIGN} RP [mag]"}
    counts = summary.set_index("group")["n"]
    for ax, (variable, label) in zip(figure.subplots(1, 2), labels.items(), strict=True):
        ax.set(xlabel=label, ylabel="share of the group in a bin")
        part = _rows(histograms, variable=variable)
        if part["count"].sum() == 0:
            _blank(ax, "no stars")
            continue
        for group, (name, colour) in GROUPS.items():
            bins = _rows(part, group=group)
            edges = np.append(bins["bin_low"].to_numpy(), bins["bin_high"].iloc[-1])
            ax.stairs(bins["share"], edges, color=colour, linewidth=1.1, label=f"{counts[group]:,} {name}")
        filled = part[part["share"] > 0.0005]
        ax.set_xlim(float(filled["bin_low"].min()), float(filled["bin_high"].max()))
        ax.set_ylim(0.0, 1.35 * float(part["share"].max()))
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
        ax.legend(loc="upper left")
    return figure


@_styled
def draw_red_clump(
    pairs: pd.DataFrame, trend: pd.DataFrame, summary: pd.DataFrame, *, title: str, abscissa: str, min_stars: int
) -> Figure:
    """Fig. 3: our parallax against the red clump's (top) and the relative difference against `abscissa` (bottom).

    `pairs` has both parallaxes [mas], `trend` the medians [%] in bins of each abscissa [uas], `summary` one row [uas].
    The medians against the other abscissa are drawn as a thin line.
    """
    figure = _canvas(TWO_COLUMNS, 5.6, title)
    top, bottom = figure.subplots(2, 1, height_ratios=(1.5, 1.0), sharex=True)
    x, y = 1000 * pairs["red_clump_parallax"].to_numpy(), 1000 * pairs["reference_parallax"].to_numpy()
    if len(pairs) == 0:
        for ax in (top, bottom):
            _blank(ax, "no star in common with the red clump catalogue")
        return figure
    reach = 1.15 * float(np.quantile(np.concatenate([x, y]), 0.998))
    image = top.hexbin(x, y, gridsize=(130, 35), extent=(0, reach, 0, reach), mincnt=1, cmap="viridis", norm=LogNorm())
    image.set_linewidth(0.1)
    figure.colorbar(image, ax=top, label="stars in a cell", pad=0.01, format=StrMethodFormatter("{x:,.0f}"))
    top.plot([0, reach], [0, reach], color="black", linewidth=0.8)
    row = summary.iloc[0]
    text = [
        f"{int(row['n']):,} stars in common",
        f"mean difference {_number(row['mean'], '+.1f')} {UAS}",
        f"sd {row['sd']:.0f} {UAS}",
    ]
    top.text(0.03, 0.95, "\n".join(text), transform=top.transAxes, size=7, va="top", linespacing=1.25)
    top.set(xlim=(0, reach), ylim=(0, reach), ylabel=f"our parallax [{UAS}]")
    for level, style in ((0.0, "-"), (-3.0, ":"), (-1.0, "--"), (1.0, "--"), (3.0, ":")):
        bottom.axhline(level, color="black", linewidth=0.6, linestyle=style, zorder=0)
    other = next(name for name in ABSCISSAE if name != abscissa)
    line = _rows(trend, abscissa=other)
    bottom.plot(line["x_mean"], line["median"], color="0.55", linewidth=1.0, label=f"against {ABSCISSAE[other]}")
    points = _rows(trend, abscissa=abscissa)
    bottom.errorbar(
        points["x_mean"], points["median"], yerr=np.nan_to_num(points["median_error"]), color=COLOURS["raw"],
        marker="o", markersize=3, linestyle="none", elinewidth=0.8, label=f"against {ABSCISSAE[abscissa]}",
    )  # fmt: skip
    shown = trend["median"].abs().max() if len(trend) else 0.0
    limit = float(np.clip(1.3 * shown, 5.0, 30.0))
    bottom.set(xlim=(0, reach), ylim=(-limit, 1.25 * limit))
    bottom.set_ylabel("relative difference [%]")
    top.tick_params(labelbottom=True)
    top.set_xlabel(f"red clump parallax [{UAS}]")
    bottom.set_xlabel(f"{ABSCISSAE[abscissa]} [{UAS}]")
    if len(trend):
        bottom.legend(loc="upper left", ncols=2)
    else:
        _note(bottom, f"no bin with {min_stars} stars")
    return figure


@_styled
def draw_samples(samples: pd.DataFrame, *, title: str) -> Figure:
    """Global offsets of the run's samples and of the literature, one line each with its error, like a forest plot.

    `samples` is samples.csv: origin (run|literature), label, solution (5p|6p|all), parallax, offset, error [uas], n.
    """
    rows = samples.drop_duplicates(["origin", "label", "solution"])[["origin", "label", "solution"]]
    # The run's samples first; a wider step between the two.
    rows = rows.sort_values("origin", ascending=False, kind="stable").reset_index(drop=True)
    place = np.arange(len(rows)) + 0.6 * (rows["origin"] == "literature").to_numpy()
    figure = _canvas(TWO_COLUMNS, 1.3 + 0.24 * (len(rows) + 1), title)
    ax = figure.subplots()
    for level in (-30.0, 0.0):
        ax.axvline(level, color="black", linestyle="--", linewidth=0.7, zorder=0)
    for parallax, shift in (("raw", -0.14), ("corrected", 0.14)):
        part = rows.merge(_rows(samples, parallax=parallax), how="left", on=["origin", "label", "solution"])
        x, error = part["offset"].to_numpy(float), np.nan_to_num(part["error"].to_numpy(float))
        for origin, fill in (("run", COLOURS[parallax]), ("literature", "white")):
            mine = (part["origin"] == origin).to_numpy() & np.isfinite(x)
            ax.errorbar(
                x[mine], (place + shift)[mine], xerr=error[mine], color=COLOURS[parallax], marker=_MARKERS[parallax],
                markersize=4, markerfacecolor=fill, linestyle="none", elinewidth=0.9,
            )  # fmt: skip
    labels = [
        textwrap.shorten(text, 58) + ("" if s == "all" else f", {s}")
        for text, s in rows[["label", "solution"]].to_numpy()
    ]
    ax.set_yticks(place, labels)
    for tick in ax.get_yticklabels():
        tick.set_parse_math(False)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(place.max(initial=0) + 0.6, -0.6)
    for edge in np.flatnonzero(np.diff(place) > 1.5):
        ax.axhline((place[edge] + place[edge + 1]) / 2, color="0.6", linewidth=0.6)
    ax.set_xlabel(f"global offset, Gaia minus reference parallax [{UAS}]")
    names = {"run": "this run", "literature": "literature"}
    handles = [
        Line2D([], [], color=COLOURS[p], marker=_MARKERS[p], markersize=4, linestyle="none",
               markerfacecolor=COLOURS[p] if origin == "run" else "white", label=f"{p}, {name}")
        for origin, name in names.items()
        for p in PARALLAXES
    ]  # fmt: skip
    ax.legend(
        handles=handles, loc="lower center", bbox_to_anchor=(0.3, 1.0), ncols=4, handletextpad=0.1, columnspacing=1.0
    )
    return figure


@_styled
def draw_sample_trends(trends: Mapping[str, pd.DataFrame], *, title: str) -> Figure:
    """Mean offset of the 5p stars of several samples against G, colour and sin(ecliptic latitude), raw and corrected.

    `trends` has trends.csv by the sample's title. A row of panels has one scale.
    """
    figure = _canvas(TWO_COLUMNS, 7.4, title)
    axes = figure.subplots(3, 2, sharex="row", sharey="row")
    for row, (variable, labels) in zip(axes, _VARIABLES.items(), strict=True):
        parts = {name: _rows(table, solution="5p", variable=variable) for name, table in trends.items()}
        parts = {name: part[np.isfinite(part["gaussian_mean"].astype(float))] for name, part in parts.items()}
        every = pd.concat(parts.values())
        low, high = _robust_range(every["gaussian_mean"].to_numpy(float), every["gaussian_mean_error"].to_numpy(float))
        for ax, parallax in zip(row, PARALLAXES, strict=True):
            ax.set(xlabel=labels["5p"], ylim=(low, high))
            for level in (-30.0, 0.0):
                ax.axhline(level, color="black", linestyle="--", linewidth=0.7, zorder=0)
            for number, part in enumerate(parts.values()):
                _sample_points(ax, _rows(part, parallax=parallax), number)
            if len(_rows(every, parallax=parallax)) == 0:
                _note(ax, "no 5p bin with enough stars")
        limits = _padded(every["x_mean"].to_numpy(float))
        if limits:
            row[0].set_xlim(limits)
        row[0].set_ylabel(f"offset [{UAS}]")
    for ax, parallax in zip(axes[0], PARALLAXES, strict=True):
        ax.set_title(f"{parallax} parallaxes, 5p")
    handles = [Line2D([], [], **_sample_style(number), label=name) for number, name in enumerate(trends)]
    legend = figure.legend(handles=handles, loc="outside lower center", ncols=min(2, len(handles)))
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def _sample_style(number: int) -> dict[str, object]:
    colour = SAMPLE_COLOURS[number % len(SAMPLE_COLOURS)]
    return {
        "color": colour,
        "marker": SAMPLE_MARKERS[number % len(SAMPLE_MARKERS)],
        "markersize": 3,
        "linestyle": "none",
    }


def _sample_points(ax: Axes, part: pd.DataFrame, number: int) -> None:
    x, y, error = (part[name].to_numpy(float) for name in ("x_mean", "gaussian_mean", "gaussian_mean_error"))
    ax.errorbar(x, y, yerr=np.nan_to_num(error), elinewidth=0.7, **_sample_style(number))
