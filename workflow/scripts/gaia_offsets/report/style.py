"""How figures look: fonts, colours, canvas, files, and the small parts that two figures share."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

UAS = r"$\mu$as"
COLOURS = {"raw": "#0072B2", "corrected": "#C1272D"}  # the paper's code; marker and fill differ as well
MARKERS = {"raw": "o", "corrected": "s"}
# Of samples side by side.
SAMPLE_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
SAMPLE_MARKERS = "osD^vP*"
TWO_COLUMNS = 7.1  # inches, the journal's full width
LEVELS = (-30.0, 0.0)  # uas, drawn in each figure of offsets
DASHED = {"color": "black", "linestyle": "--", "linewidth": 0.7, "zorder": 0}
THOUSANDS = "{x:,.0f}"  # numbers on an axis
_INVERSE_MICRON = r"[$\mu$m$^{-1}$]"
VARIABLES = ("phot_g_mean_mag", "colour", "sin_ecl_lat")  # of the trends
_AXES = {  # what stands below their panels; a colour by its column
    "phot_g_mean_mag": "G [mag]",
    "nu_eff_used_in_astrometry": rf"effective wavenumber $\nu_\mathrm{{eff}}$ {_INVERSE_MICRON}",
    "pseudocolour": f"pseudocolour {_INVERSE_MICRON}",
    "sin_ecl_lat": r"sine of ecliptic latitude, sin $\beta$",
}
OTHER_COLOURS = ("#009E73", "#E69F00", "#CC79A7", "#56B4E9")  # of the classes of solutions beside one another

_OURS = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 8.0,
    "axes.linewidth": 0.6,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 7.0,
    "legend.frameon": False,
    "figure.titlesize": 9.0,
    "lines.linewidth": 1.0,
    "pdf.fonttype": 42,  # journals ask for TrueType, not Type 3
}
# Decorator of whatever draws. matplotlib's defaults come first: a matplotlibrc of the user must not change a figure.
styled = matplotlib.style.context(["default", _OURS])


def look(parallax: str, size: float) -> dict[str, object]:
    """Colour and marker of the points of a parallax."""
    return {"color": COLOURS[parallax], "marker": MARKERS[parallax], "markersize": size}


def canvas(height: float, title: str) -> Figure:
    """An empty figure of the journal's full width and a `height` [inches]; its title is taken literally."""
    figure = Figure(figsize=(TWO_COLUMNS, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(textwrap.fill(title, int(13 * TWO_COLUMNS)), parse_math=False)
    return figure


@styled
def save_figure(figure: Figure, *paths: str | Path, dpi: int, titles: bool = True) -> None:
    """Write a figure to each path (.png or .pdf), without its title where not `titles`.

    The same figure gives the same bytes: no dates, no versions.
    """
    if not titles:
        figure.suptitle("")
    clean = {".png": ("Software",), ".pdf": ("Creator", "Producer", "CreationDate")}
    figure.set_dpi(dpi)
    if engine := figure.get_layout_engine():
        engine.execute(figure)
        figure.set_layout_engine(None)  # settled: with any engine, each file would be drawn twice
    for path in map(Path, paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=dpi, metadata=dict.fromkeys(clean[path.suffix]))


def axis_label(variable: str, colour: str) -> str:
    """What stands below the axis of a variable of the trends, where the colour is that column."""
    return _AXES[colour if variable == "colour" else variable]


def rows(table: pd.DataFrame, **where: str) -> pd.DataFrame:
    """Rows where each named column equals its value."""
    keep = np.ones(len(table), dtype=bool)
    for name, value in where.items():
        keep &= (table[name] == value).to_numpy(dtype=bool)
    return table[keep]


def sample_tables(samples: Sequence[Mapping[str, object]], paths: Sequence[str]) -> list[tuple[str, pd.DataFrame]]:
    """Title and rows of the standard class of each sample of a run, in its order; two samples may bear one title."""
    pairs = [(sample, pd.read_csv(path)) for sample, path in zip(samples, paths, strict=True)]
    return [(str(sample["title"]), rows(table, solution=str(sample["standard"]))) for sample, table in pairs]


def among(samples: Sequence[Mapping[str, object]], key: str) -> str:
    """What the samples of a run say under a key, each value once."""
    return ", ".join(dict.fromkeys(str(sample[key]) for sample in samples))


def sample_legend(figure: Figure, entries: int, **options: object) -> None:
    """The legend of several samples below a figure; their titles are taken literally."""
    legend = figure.legend(loc="outside lower center", ncols=min(2, entries), **options)
    for text in legend.get_texts():
        text.set_parse_math(False)


def note(ax: Axes, text: str) -> None:
    """Grey words in the middle of a panel."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color="0.35")


def blank(ax: Axes, text: str) -> None:
    """A panel that has nothing to show says so."""
    ax.set(xticks=[], yticks=[])
    note(ax, text)


def corner(ax: Axes, lines: list[str], *, x: float = 0.03, y: float = 0.965, **style: object) -> None:
    """Lines of text in an upper corner of a panel."""
    ax.text(x, y, "\n".join(lines), transform=ax.transAxes, size=7, va="top", linespacing=1.25, **style)


# ---------------------------------------------------------------- histograms


def steps(ax: Axes, bins: pd.DataFrame, values: str, *, color: str, fill: float = 0.0, **style: object) -> None:
    """Draw a column of bins (bin_low, bin_high) as steps; `fill` is how opaque the area below them is."""
    edges = np.append(bins["bin_low"].to_numpy(), bins["bin_high"].iloc[-1])
    if fill:
        ax.stairs(bins[values], edges, fill=True, color=color, alpha=fill, linewidth=0)
    ax.stairs(bins[values], edges, color=color, **style)


def gaussian(ax: Axes, fit: pd.Series, width: float, x: np.ndarray | None = None, **style: object) -> float:
    """Draw a fit with the area of the histogram of n stars in bins of `width`; returns its peak, 0 without a fit.

    `fit` has gaussian_mean, gaussian_sd and n; the curve spans 4 sd or stands at `x`, all in the unit of `width`.
    """
    mean, sd = float(fit["gaussian_mean"]), float(fit["gaussian_sd"])
    if not (np.isfinite(mean) and sd > 0):
        return 0.0
    if x is None:
        x = mean + sd * np.linspace(-4, 4, 321)
    peak = float(fit["n"]) * width / (sd * np.sqrt(2 * np.pi))
    ax.plot(x, peak * np.exp(-0.5 * ((x - mean) / sd) ** 2), linestyle=(0, (4, 2)), **style)
    return peak


# ---------------------------------------------------------------- trends: rows of trends.csv


def padded(points: pd.DataFrame) -> tuple[float, float] | None:
    """Limits of the x axis; None without points."""
    if len(points) == 0:
        return None
    low, high = float(points["x_mean"].min()), float(points["x_mean"].max())
    pad = 0.05 * (high - low) or 0.05 * max(abs(low), 1.0)
    return low - pad, high + pad


def robust_range(points: pd.DataFrame) -> tuple[float, float]:
    """Limits [uas] that hold both levels and the points, but for those far outside the spread of most."""
    if len(points) == 0:
        return -60.0, 30.0
    mean, error = points["gaussian_mean"].to_numpy(float), np.nan_to_num(points["gaussian_mean_error"].to_numpy(float))
    first, middle, last = np.percentile(mean, [10, 50, 90])
    reach = 2.0 * max(last - first, 20.0)
    low = min(-35.0, max(float((mean - error).min()), middle - reach))
    high = max(5.0, min(float((mean + error).max()), middle + reach))
    return low - 0.06 * (high - low), high + 0.16 * (high - low)  # the legend stands above the points


def levels(ax: Axes) -> None:
    """Lines at the levels that each figure of offsets has."""
    for level in LEVELS:
        ax.axhline(level, **DASHED)


def trend_points(ax: Axes, points: pd.DataFrame, **style: object) -> None:
    """Draw means with their errors, those that have one."""
    error = np.nan_to_num(points["gaussian_mean_error"].to_numpy(float))
    ax.errorbar(points["x_mean"], points["gaussian_mean"], yerr=error, linestyle="none", elinewidth=0.7, **style)


# ---------------------------------------------------------------- zero point and scale: rows of zero_point_scale.csv

ELLIPSES = {0.68: "-", 0.95: (0, (2, 2))}  # share of the probability inside, and the line
ELLIPSES_TITLE = "ellipses: 68 % (line), 95 % (dots)"


def scale_ellipses(ax: Axes, row: pd.Series, *, color: str, marker: str, label: str) -> bool:
    """Draw a line's zero point and scale with their 68 % and 95 % ellipses; False where it has none."""
    sds = row[["zero_point_error", "scale_error"]].to_numpy(float)
    if not (np.isfinite(sds).all() and (sds > 0).all()):
        return False
    turn = np.linspace(0.0, 2.0 * np.pi, 181)
    rho = float(row["correlation"])
    circle = np.stack([np.cos(turn), rho * np.cos(turn) + np.sqrt(max(1.0 - rho**2, 0.0)) * np.sin(turn)])
    for share, line in ELLIPSES.items():
        x, y = np.sqrt(-2.0 * np.log(1.0 - share)) * circle * sds[:, None]
        ax.plot(row["zero_point"] + x, row["scale"] + y, color=color, linestyle=line)
    ax.plot(row["zero_point"], row["scale"], marker, color=color, markersize=4, linestyle="none", label=label)
    return True


def scale_panel(ax: Axes, drawn: Iterable[tuple[pd.Series, dict[str, str]]], solution: str) -> bool:
    """Lines with the look of each, and those of no offset, in axes of zero point and scale; whether there are any."""
    if not sum(scale_ellipses(ax, row, **look) for row, look in drawn):
        blank(ax, f"no line: too few {solution} stars with reference errors")
        return False
    ax.axvline(0.0, **DASHED)
    ax.axhline(1.0, **DASHED)
    ax.set(xlabel=f"zero point, offset at parallax 0 [{UAS}]", ylabel="Gaia parallax over reference parallax")
    ax.margins(0.1)
    ax.ticklabel_format(axis="y", useOffset=False)
    return True
