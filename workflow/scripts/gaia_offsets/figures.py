"""The paper's Figs. 4 to 6, the counts and the cut flow: each function takes tables and returns a Figure."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse
from matplotlib.patheffects import withStroke
from matplotlib.ticker import StrMethodFormatter

UAS = r"$\mu$as"
SOLUTIONS = ("5p", "6p")
SOLUTION_NAMES = {"5p": "five-parameter solutions (5p)", "6p": "six-parameter solutions (6p)"}
PARALLAXES = ("raw", "corrected")
COLOURS = {"raw": "#0072B2", "corrected": "#C1272D"}  # the paper's code; marker and fill differ as well
SOLUTION_COLOURS = {"5p": "#009E73", "6p": "#E69F00"}
FRAME_NAMES = {"equatorial": "equatorial (ICRS)", "galactic": "Galactic"}
TWO_COLUMNS = 7.1  # inches, the journal's full width
NO_DATA = "#d4d4d4"
PATCH_RADIUS_DEG = 30.0  # a footprint inside such a circle (7 % of the sky) is drawn on a map of its own

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
# matplotlib's defaults first: a matplotlibrc on the user's machine must not change a figure.
_styled = matplotlib.style.context(["default", _OURS])


def _canvas(width: float, height: float, title: str) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(textwrap.fill(title, int(13 * width)), parse_math=False)
    return figure


@_styled
def save_figure(figure: Figure, *paths: str | Path, dpi: int) -> None:
    """Write a figure to each path (.png or .pdf); the same figure gives the same bytes: no dates, no versions."""
    clean = {".png": ("Software",), ".pdf": ("Creator", "Producer", "CreationDate")}
    for path in map(Path, paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=dpi, metadata=dict.fromkeys(clean[path.suffix]))
        figure.set_layout_engine("none")  # settled by the first: the PDF has the PNG's layout, at no further cost


def _number(value: float, spec: str) -> str:
    return f"{value:{spec}}".replace("-", "\N{MINUS SIGN}")


def _rows(table: pd.DataFrame, **where: str) -> pd.DataFrame:
    """Rows where each named column equals its value."""
    keep = np.ones(len(table), dtype=bool)
    for name, value in where.items():
        keep &= (table[name] == value).to_numpy(dtype=bool)
    return table[keep]


def _note(ax: Axes, text: str) -> None:
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color="0.35")


def _blank(ax: Axes, text: str) -> None:
    """A panel that has nothing to show says so."""
    ax.set(xticks=[], yticks=[])
    _note(ax, text)


# ---------------------------------------------------------------- Fig. 4


@_styled
def draw_offsets(histograms: pd.DataFrame, offsets: pd.DataFrame, *, title: str) -> Figure:
    """Fig. 4: distributions of the offsets with their Gaussian fits, 5p left and 6p right.

    `histograms` has columns solution, parallax, bin_low, bin_high [uas], count; `offsets` is global_offsets.csv [uas].
    The curves have the area of the histograms. The axis spans 4 sd of the fits; stars beyond it are not shown.
    """
    figure = _canvas(TWO_COLUMNS, 3.1, title)
    axes = figure.subplots(1, 2)
    reach = offsets[["gaussian_mean", "gaussian_sd"]].dropna()
    for ax, solution in zip(axes, SOLUTIONS, strict=True):
        ax.set_title(SOLUTION_NAMES[solution])
        ax.set_xlabel(f"offset, Gaia minus reference parallax [{UAS}]")
        bins = _rows(histograms, solution=solution)
        if bins["count"].sum() == 0:
            _blank(ax, f"no {solution} stars")
            continue
        width = float((bins["bin_high"] - bins["bin_low"]).median())
        peak = float(bins["count"].max())
        for parallax, side in zip(PARALLAXES, ("left", "right"), strict=True):
            counts = _rows(bins, parallax=parallax).sort_values("bin_low")
            fits = _rows(offsets, solution=solution, parallax=parallax)
            if len(counts):
                _histogram(ax, counts, parallax)
            if len(fits):
                peak = max(peak, _gaussian(ax, fits.iloc[0], width, COLOURS[parallax]))
                _fit_label(ax, fits.iloc[0], parallax, side)
        ax.axvline(0.0, color="0.3", linewidth=0.6, linestyle=":", zorder=0)
        if len(reach):
            ax.set_xlim(
                float((reach["gaussian_mean"] - 4 * reach["gaussian_sd"]).min()),
                float((reach["gaussian_mean"] + 4 * reach["gaussian_sd"]).max()),
            )
        ax.set_ylim(0.0, 1.5 * peak)  # room for the labels
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        ax.set_ylabel(f"stars in a bin of {width:g} {UAS}")
    return figure


def _histogram(ax: Axes, counts: pd.DataFrame, parallax: str) -> None:
    edges = np.append(counts["bin_low"].to_numpy(), counts["bin_high"].iloc[-1])
    colour = COLOURS[parallax]
    if parallax == "raw":
        ax.stairs(counts["count"], edges, fill=True, color=colour, alpha=0.25, linewidth=0)
    ax.stairs(counts["count"], edges, color=colour, linewidth=0.9)


def _gaussian(ax: Axes, fit: pd.Series, width: float, colour: str) -> float:
    """Draw the fit with the area of the histogram; returns its peak."""
    mean, sd = float(fit["gaussian_mean"]), float(fit["gaussian_sd"])
    if not (np.isfinite(mean) and sd > 0):
        return 0.0
    peak = float(fit["n"]) * width / (sd * np.sqrt(2 * np.pi))
    z = np.linspace(-4, 4, 321)
    ax.plot(mean + sd * z, peak * np.exp(-0.5 * z**2), color=colour, linestyle=(0, (4, 2)), linewidth=1.1)
    return peak


def _fit_label(ax: Axes, fit: pd.Series, parallax: str, side: str) -> None:
    def with_error(name: str) -> str:
        value, error = float(fit[name]), float(fit[f"{name}_error"])
        text = _number(value, "+.1f") if np.isfinite(value) else "unknown"
        return f"{text} \N{PLUS-MINUS SIGN} {error:.1f}" if np.isfinite(error) else text

    sd = float(fit["gaussian_sd"])
    lines = [
        f"{parallax} [{UAS}]",
        f"mean {with_error('gaussian_mean')}",
        f"sd {sd:.1f}" if np.isfinite(sd) else "sd unknown",
        f"median {with_error('median')}",
        f"{int(fit['n']):,} stars",
    ]
    x = 0.03 if side == "left" else 0.97
    ax.text(
        *(x, 0.965, "\n".join(lines)), transform=ax.transAxes, color=COLOURS[parallax], size=7, ha=side, va="top",
        linespacing=1.25,
    )  # fmt: skip


# ---------------------------------------------------------------- Fig. 5

_VARIABLES = {
    "phot_g_mean_mag": {"5p": "G [mag]", "6p": "G [mag]"},
    "colour": {
        "5p": r"effective wavenumber $\nu_\mathrm{eff}$ [$\mu$m$^{-1}$]",
        "6p": r"pseudocolour [$\mu$m$^{-1}$]",
    },
    "sin_ecl_lat": {"5p": r"sine of ecliptic latitude, sin $\beta$", "6p": r"sine of ecliptic latitude, sin $\beta$"},
}
_MARKERS = {"raw": "o", "corrected": "s"}


@_styled
def draw_trends(trends: pd.DataFrame, *, title: str, min_stars: int, joined: Mapping[str, Mapping[str, int]]) -> Figure:
    """Fig. 5: mean offset (Gaussian fit) in bins of G, colour and sin(ecliptic latitude), 5p left and 6p right.

    `trends` is trends.csv: solution, parallax, variable, bin_low, bin_high, x_mean and the statistics [uas]. A row of
    panels has one scale, chosen so that a wild bin does not flatten the others: it is drawn as a triangle at the edge.
    `joined` says how many bins of the config became one, by solution and variable; a panel says so where it is not 1.
    """
    figure = _canvas(TWO_COLUMNS, 7.3, title)
    axes = figure.subplots(3, 2, sharey="row")
    known = trends[np.isfinite(trends["gaussian_mean"].astype(float))]
    for row, variable in zip(axes, _VARIABLES, strict=True):
        points = _rows(known, variable=variable)
        low, high = _robust_range(
            points["gaussian_mean"].to_numpy(float), points["gaussian_mean_error"].to_numpy(float)
        )
        shared = None if variable == "colour" else _padded(points["x_mean"].to_numpy(float))
        for ax, solution in zip(row, SOLUTIONS, strict=True):
            part = _rows(points, solution=solution)
            ax.set_xlabel(_VARIABLES[variable][solution])
            ax.set_ylim(low, high)
            for level in (-30.0, 0.0):
                ax.axhline(level, color="black", linestyle="--", linewidth=0.7, zorder=0)
            for parallax in PARALLAXES:
                _trend_points(ax, _rows(part, parallax=parallax), parallax, low, high)
            if joined[solution][variable] > 1:
                text = f"{joined[solution][variable]} bins joined, the sample is thin"
                ax.text(0.02, 0.04, text, transform=ax.transAxes, size=6.5, color="0.35", va="bottom")
            if len(part):
                ax.set_xlim(shared or _padded(part["x_mean"].to_numpy(float)))
            else:
                ax.set_xticks([])
                _note(ax, f"no {solution} bin with {min_stars} stars")
        row[0].set_ylabel(f"offset [{UAS}]")
    for ax, solution in zip(axes[0], SOLUTIONS, strict=True):
        ax.set_title(SOLUTION_NAMES[solution])
    handles = [
        Line2D([], [], color=COLOURS[p], marker=_MARKERS[p], markersize=3, linestyle="none", label=p)
        for p in PARALLAXES
    ]
    axes[0, 0].legend(handles=handles, loc="upper right", ncols=2, handletextpad=0.1, columnspacing=1.0)
    return figure


def _padded(x: np.ndarray) -> tuple[float, float] | None:
    if len(x) == 0:
        return None
    low, high = float(x.min()), float(x.max())
    pad = 0.04 * (high - low) or 0.05 * max(abs(low), 1.0)
    return low - pad, high + pad


def _robust_range(mean: np.ndarray, error: np.ndarray) -> tuple[float, float]:
    """Limits that hold both dashed lines and the points, but for those far outside the spread of most."""
    if len(mean) == 0:
        return -60.0, 30.0
    first, middle, last = np.percentile(mean, [10, 50, 90])
    reach = 2.0 * max(last - first, 20.0)
    error = np.nan_to_num(error)
    low = min(-35.0, max(float((mean - error).min()), middle - reach))
    high = max(5.0, min(float((mean + error).max()), middle + reach))
    return low - 0.06 * (high - low), high + 0.16 * (high - low)  # the legend stands above the points


def _trend_points(ax: Axes, part: pd.DataFrame, parallax: str, low: float, high: float) -> None:
    x, y, error = (part[name].to_numpy(float) for name in ("x_mean", "gaussian_mean", "gaussian_mean_error"))
    style = {"color": COLOURS[parallax], "linestyle": "none", "markersize": 2.6}
    ax.errorbar(x, y, yerr=np.nan_to_num(error), marker=_MARKERS[parallax], elinewidth=0.7, **style)
    edge = 0.02 * (high - low)
    for outside, marker, place in ((y > high, "^", high - edge), (y < low, "v", low + edge)):
        if outside.any():
            ax.plot(x[outside], np.full(outside.sum(), place), marker=marker, **{**style, "markersize": 4})


# ---------------------------------------------------------------- maps


class Mollweide:
    """Whole sky, equal-area, about a longitude (degrees); longitude grows to the left."""

    def __init__(self, longitude: float) -> None:
        self.longitude = longitude
        self.limits = (-2 * np.sqrt(2), 2 * np.sqrt(2), -np.sqrt(2), np.sqrt(2))
        self._theta = np.linspace(-np.pi / 2, np.pi / 2, 20001)
        self._latitude = np.arcsin(np.clip((2 * self._theta + np.sin(2 * self._theta)) / np.pi, -1, 1))

    def forward(self, longitude: np.ndarray, latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Plane coordinates of positions in degrees."""
        theta = np.interp(np.radians(latitude), self._latitude, self._theta)
        away = np.radians((np.asarray(longitude, dtype=float) - self.longitude + 180.0) % 360.0 - 180.0)
        return -2 * np.sqrt(2) / np.pi * away * np.cos(theta), np.sqrt(2) * np.sin(theta)

    def inverse(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions in degrees; null outside the ellipse."""
        theta = np.arcsin(np.clip(y / np.sqrt(2), -1, 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            away = -np.pi * x / (2 * np.sqrt(2) * np.cos(theta))
        inside = np.abs(away) <= np.pi
        latitude = np.degrees(np.arcsin(np.clip((2 * theta + np.sin(2 * theta)) / np.pi, -1, 1)))
        longitude = (self.longitude + np.degrees(away)) % 360.0
        return np.where(inside, longitude, np.nan), np.where(inside, latitude, np.nan)


class Zenithal:
    """A circle of the sky, equal-area (Lambert), about a point (degrees); longitude grows to the left."""

    def __init__(self, longitude: float, latitude: float, radius: float) -> None:
        self.longitude, self.latitude = longitude, np.radians(latitude)
        size = 2 * np.sin(np.radians(radius) / 2)
        self.limits = (-size, size, -size, size)

    def forward(self, longitude: np.ndarray, latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Plane coordinates of positions in degrees."""
        away, phi = np.radians(np.asarray(longitude, dtype=float) - self.longitude), np.radians(latitude)
        sine, cosine = np.sin(self.latitude), np.cos(self.latitude)
        distance = sine * np.sin(phi) + cosine * np.cos(phi) * np.cos(away)
        k = np.sqrt(2 / np.maximum(1 + distance, 1e-9))
        return -k * np.cos(phi) * np.sin(away), k * (cosine * np.sin(phi) - sine * np.cos(phi) * np.cos(away))

    def inverse(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions in degrees."""
        rho = np.maximum(np.hypot(x, y), 1e-12)
        c = 2 * np.arcsin(np.clip(rho / 2, -1, 1))
        sine, cosine = np.sin(self.latitude), np.cos(self.latitude)
        latitude = np.arcsin(np.clip(np.cos(c) * sine + y * np.sin(c) * cosine / rho, -1, 1))
        away = np.arctan2(-x * np.sin(c), rho * cosine * np.cos(c) - y * sine * np.sin(c))
        return (self.longitude + np.degrees(away)) % 360.0, np.degrees(latitude)


def choose_projection(longitude: np.ndarray, latitude: np.ndarray, *, preferred: float) -> Mollweide | Zenithal:
    """The map that shows positions (degrees) best.

    A footprint inside a circle of PATCH_RADIUS_DEG is drawn alone. Else the whole sky about the `preferred` longitude,
    or about another multiple of 30 degrees where that spares half or more of the pixels that the edge would cut.
    """
    if len(longitude) == 0:
        return Mollweide(preferred)
    lon, lat = np.radians(longitude), np.radians(latitude)
    vectors = np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    low, high = vectors.min(axis=0), vectors.max(axis=0)
    mean = (low + high) / 2  # middle of the extent: a crowded end must not push the other end out of the frame
    if np.linalg.norm(mean) > 0:
        mean = mean / np.linalg.norm(mean)
        radius = float(np.degrees(np.arccos(np.clip(vectors @ mean, -1, 1))).max())
        if radius < PATCH_RADIUS_DEG:
            centre = np.degrees(np.arctan2(mean[1], mean[0])) % 360.0, np.degrees(np.arcsin(mean[2]))
            return Zenithal(*centre, max(1.1 * radius + 2.0, 5.0))
    centres = (preferred + np.arange(0.0, 360.0, 30.0)) % 360.0
    from_edge = np.abs((longitude[:, None] - centres) % 360.0 - 180.0)
    cut = (from_edge < 10.0).sum(axis=0)
    return Mollweide(float(centres[0] if cut[0] <= 2 * cut.min() else centres[np.argmin(cut)]))


_PREFERRED = {"equatorial": 180.0, "galactic": 0.0}
_COORD = {"equatorial": "C", "galactic": "G"}  # healpy's letters


@_styled
def draw_maps(
    maps: Mapping[str, pd.DataFrame],
    *,
    title: str,
    nside: int,
    ordering: str,
    more_than: int,
    chosen_by: str,
    colour_range: Sequence[float],
    parallaxes: Sequence[str] = PARALLAXES,
) -> Figure:
    """Fig. 6: mean offset (Gaussian fit) by sky pixel, 5p; a row a parallax, a column a frame, one colour scale.

    `maps` has map_{frame}.csv by frame: solution, parallax, hindex, n and the statistics [uas]. Shown are pixels with
    more than `more_than` stars; the rest of the sky is grey. `chosen_by` says who chose nside: config or sample.
    """
    shape = len(parallaxes), len(maps)
    sky = {frame: _Sky(table, frame, nside, ordering) for frame, table in maps.items()}
    figure = _canvas(TWO_COLUMNS, 0.9 + shape[0] * _panel_height(sky), title)
    axes = figure.subplots(*shape, squeeze=False)
    norm, cmap = Normalize(*colour_range), matplotlib.colormaps["RdBu_r"]
    lines: dict[str, Artist] = {}
    for row, parallax in zip(axes, parallaxes, strict=True):
        for ax, (frame, table) in zip(row, maps.items(), strict=True):
            pixels = _rows(table, solution="5p", parallax=parallax)
            pixels = pixels[pixels["n"] > more_than]
            lines |= sky[frame].draw(ax, pixels["hindex"], pixels["gaussian_mean"], norm, cmap)
            ax.set_title(f"{parallax}, {FRAME_NAMES[frame]}")
            if not np.isfinite(pixels["gaussian_mean"].to_numpy(float)).any():
                _sky_note(ax, f"no pixel with more than {more_than} 5p stars")
    bar = figure.colorbar(ScalarMappable(norm, cmap), **_bar(axes), extend="both")
    bar.set_label(f"mean offset, Gaia minus reference parallax, 5p [{UAS}]; {_resolution(nside, chosen_by)}")
    _line_legend(figure, lines)
    return figure


@_styled
def draw_counts(
    maps: Mapping[str, pd.DataFrame], *, title: str, nside: int, ordering: str, more_than: int, chosen_by: str
) -> Figure:
    """Number of 5p stars by sky pixel in each frame (pixels with 2 stars or more), on a logarithmic scale.

    A line on the colour bar marks `more_than`: the published map has the pixels above it.
    """
    sky = {frame: _Sky(table, frame, nside, ordering) for frame, table in maps.items()}
    figure = _canvas(TWO_COLUMNS, 0.9 + _panel_height(sky), title)
    axes = figure.subplots(1, len(maps), squeeze=False)
    counts = {frame: _rows(table, solution="5p", parallax="raw") for frame, table in maps.items()}
    most = max(table["n"].to_numpy(dtype=float).max(initial=10.0) for table in counts.values())
    norm, cmap = LogNorm(1, max(most, 1.5 * more_than)), matplotlib.colormaps["viridis"]
    lines: dict[str, Artist] = {}
    for ax, (frame, table) in zip(axes[0], counts.items(), strict=True):
        lines |= sky[frame].draw(ax, table["hindex"], table["n"], norm, cmap)
        above = int((table["n"] > more_than).sum())
        ax.set_title(f"{FRAME_NAMES[frame]}: {above:,} of {len(table):,} pixels above {more_than}")
        if len(table) == 0:
            _sky_note(ax, "no 5p stars")
    bar = figure.colorbar(ScalarMappable(norm, cmap), **_bar(axes))
    bar.ax.axvline(more_than, color="white", linewidth=2.4)
    bar.ax.axvline(more_than, color="black", linewidth=1.0)
    bar.ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    bar.set_label(f"5p stars in a pixel, {_resolution(nside, chosen_by)}; published above the mark at {more_than}")
    _line_legend(figure, lines)
    return figure


def _resolution(nside: int, chosen_by: str) -> str:
    return f"nside {nside}" + (", the finest that the sample fills" if chosen_by == "sample" else "")


def _bar(axes: np.ndarray) -> dict[str, object]:
    return {"ax": axes, "location": "bottom", "fraction": 0.08, "shrink": 0.6, "aspect": 40, "pad": 0.03}


def _panel_height(sky: Mapping[str, _Sky]) -> float:
    return 3.3 if any(isinstance(one.projection, Zenithal) for one in sky.values()) else 1.9


def _sky_note(ax: Axes, text: str) -> None:
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 2.0}
    ax.text(0.5, 0.75, text, transform=ax.transAxes, ha="center", va="center", zorder=4, bbox=paper)


def _line_legend(figure: Figure, lines: Mapping[str, Artist]) -> None:
    if lines:
        figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=len(lines), borderpad=0.1)


class _Sky:
    """Drawing of pixel values in one frame; the projection is chosen from all pixels of the table's 5p stars."""

    def __init__(self, table: pd.DataFrame, frame: str, nside: int, ordering: str) -> None:
        import healpy as hp

        self.frame, self.nside, self.nest = frame, nside, ordering == "nested"
        hindex = np.unique(_rows(table, solution="5p")["hindex"].to_numpy(dtype=np.int64))
        longitude, latitude = hp.pix2ang(nside, hindex, nest=self.nest, lonlat=True)
        self.projection = choose_projection(longitude, latitude, preferred=_PREFERRED[frame])
        self.centres = longitude, latitude
        x0, x1, y0, y1 = self.projection.limits
        step = np.sqrt((x1 - x0) * (y1 - y0) / 5e5)  # a raster finer than the printed one
        x, y = np.arange(x0 + step / 2, x1, step), np.arange(y0 + step / 2, y1, step)
        longitude, latitude = self.projection.inverse(*np.meshgrid(x, y))
        self._on_sky = np.isfinite(longitude)
        place = longitude[self._on_sky], latitude[self._on_sky]
        self._index = hp.ang2pix(nside, *place, nest=self.nest, lonlat=True)

    def draw(
        self, ax: Axes, hindex: pd.Series, values: pd.Series, norm: Normalize, cmap: Colormap
    ) -> dict[str, Artist]:
        """Draw values by pixel with a graticule; returns the reference lines in sight, for the legend."""
        import healpy as hp

        whole = np.full(hp.nside2npix(self.nside), np.nan)
        whole[hindex.to_numpy(dtype=np.int64)] = values.to_numpy(dtype=float)
        image = np.full(self._on_sky.shape, np.nan)
        image[self._on_sky] = whole[self._index]
        x0, x1, y0, y1 = self.projection.limits
        ax.set_aspect("equal")
        ax.set(xlim=(x0, x1), ylim=(y0, y1))
        shown = ax.imshow(
            np.ma.masked_invalid(image), origin="lower", extent=(x0, x1, y0, y1), norm=norm, cmap=cmap, zorder=1
        )  # fmt: skip
        if isinstance(self.projection, Mollweide):
            limb = {"xy": (0, 0), "width": x1 - x0, "height": y1 - y0}
            ax.add_patch(Ellipse(**limb, facecolor=NO_DATA, edgecolor="none", zorder=0))
            edge = ax.add_patch(Ellipse(**limb, facecolor="none", edgecolor="black", linewidth=0.6, clip_on=False))
            shown.set_clip_path(edge)
            ax.set(xticks=[], yticks=[])  # hidden, but they would cost time
            ax.set_axis_off()
            self._whole_sky_graticule(ax)
        else:
            ax.set_facecolor(NO_DATA)
            self._patch_graticule(ax)
        lines = {}
        along = np.linspace(0.0, 360.0, 721)
        for name, letter, style in (("Galactic plane", "G", "-"), ("ecliptic", "E", "--")):
            path = hp.Rotator(coord=[letter, _COORD[self.frame]])(along, np.zeros_like(along), lonlat=True)
            artist = self._line(ax, *path, color="black", linewidth=0.9, linestyle=style)
            if artist is not None:
                lines[name] = artist
        return lines

    def _line(self, ax: Axes, longitude: np.ndarray, latitude: np.ndarray, **style: object) -> Artist | None:
        """Draw a path on the sky, broken where it leaves the map; None where it does not come into sight."""
        x, y = self.projection.forward(longitude, latitude)
        x0, x1, y0, y1 = self.projection.limits
        if not ((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)).any():
            return None
        x = np.where(np.hypot(np.diff(x, prepend=x[0]), np.diff(y, prepend=y[0])) > 0.5, np.nan, x)
        return ax.plot(x, y, **style, zorder=2)[0]

    def _graticule(self, ax: Axes, meridians: np.ndarray, parallels: np.ndarray) -> None:
        style = {"color": "0.35", "linewidth": 0.35}
        for longitude in meridians:
            latitude = np.linspace(-90.0, 90.0, 361)
            self._line(ax, np.full_like(latitude, longitude), latitude, **style)
        for latitude in parallels:
            longitude = self.projection.longitude + np.linspace(-179.999, 179.999, 721)
            self._line(ax, longitude, np.full_like(longitude, latitude), **style)

    def _whole_sky_graticule(self, ax: Axes) -> None:
        centre = self.projection.longitude
        meridians, parallels = (centre + np.arange(-120.0, 121.0, 60.0)) % 360.0, np.arange(-60.0, 61.0, 30.0)
        self._graticule(ax, meridians, parallels)
        for latitude in parallels:
            x, y = self.projection.forward(centre + 179.999, latitude)
            label = f"{_number(latitude, '+.0f') if latitude else '0'}\N{DEGREE SIGN}"
            side = "center" if latitude == 0 else "bottom" if latitude > 0 else "top"
            ax.annotate(label, (x, y), (-2, 0), textcoords="offset points", size=7, ha="right", va=side)
        # Longitudes stand on the parallel where they hide the fewest pixels.
        nearby = [int((np.abs(self.centres[1] - latitude) < 8.0).sum()) for latitude in (0.0, -30.0, 30.0)]
        row = (0.0, -30.0, 30.0)[int(np.argmin(nearby))]
        for longitude in meridians:
            x, y = self.projection.forward(longitude, row)
            ax.text(
                x, y, f"{longitude:.0f}\N{DEGREE SIGN}", size=7, ha="center", va="center", zorder=3,
                path_effects=[withStroke(linewidth=2.0, foreground="white")],
            )  # fmt: skip

    def _patch_graticule(self, ax: Axes) -> None:
        x0, x1, y0, _ = self.projection.limits
        along = np.linspace(x0, x1, 4001)
        longitude = self.projection.inverse(along, np.full_like(along, y0))[0]
        latitude = self.projection.inverse(np.full_like(along, x0), along)[1]
        x, meridians, step_x = _edge_ticks(along, np.degrees(np.unwrap(np.radians(longitude))))
        y, parallels, step_y = _edge_ticks(along, latitude)
        self._graticule(ax, np.arange(0.0, 360.0, step_x), np.arange(-90.0 + step_y, 90.0, step_y))
        ax.set_xticks(x, [f"{value % 360:g}\N{DEGREE SIGN}" for value in meridians])
        ax.set_yticks(y, [f"{_number(value, '+g') if value else '0'}\N{DEGREE SIGN}" for value in parallels])
        ax.tick_params(length=0)
        names = (
            ("right ascension", "declination")
            if self.frame == "equatorial"
            else ("Galactic longitude", "Galactic latitude")
        )
        ax.set(xlabel=names[0], ylabel=names[1])


def _edge_ticks(place: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Where round angles (degrees) meet an edge of the map: places, angles and their step."""
    low, high = float(angle.min()), float(angle.max())
    step = next((step for step in (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 45.0) if (high - low) / step <= 6), 60.0)
    values = step * np.arange(np.ceil(low / step), np.floor(high / step) + 1)
    beyond = angle[None, :] >= values[:, None]
    which, where = np.nonzero(beyond[:, 1:] != beyond[:, :-1])
    return place[where], values[which], step


# ---------------------------------------------------------------- cut flow


@_styled
def draw_cutflow(cutflow: pd.DataFrame, *, title: str) -> Figure:
    """Stars kept after each step of the selection, with the parts that have 5p and 6p solutions, and the removed.

    `cutflow` is cutflow.csv: step, criterion, kept, removed, kept_5p, kept_6p. The axis is logarithmic.
    """
    steps = cutflow.sort_values("step")
    labels = [textwrap.fill(_readable(text), 34) for text in steps["criterion"]]
    lines = sum(max(2, label.count("\n") + 1) for label in labels)
    figure = _canvas(TWO_COLUMNS, 1.1 + 0.13 * lines, title)
    ax, listing = figure.subplots(1, 2, sharey=True, width_ratios=(1.0, 1.05))
    place = np.arange(len(steps))
    ax.barh(place, steps["kept"], height=0.8, color="0.88", label="all")
    for solution, shift in (("5p", -0.19), ("6p", 0.19)):
        colour = SOLUTION_COLOURS[solution]
        ax.barh(place + shift, steps[f"kept_{solution}"], height=0.34, color=colour, label=solution)
    ax.set_xscale("log")
    ax.set_xlim(0.5, 2.0 * max(10, int(steps["kept"].max())))
    ax.set_ylim(len(steps) - 0.4, -0.6)
    ax.set_yticks(place, labels)
    for label in ax.get_yticklabels():
        label.set_parse_math(False)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("rows kept after the step (logarithmic)")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, borderaxespad=0.2, columnspacing=1.2)
    listing.set_axis_off()
    columns = {"kept": ("kept", "black"), "kept_5p": ("5p", "black"), "kept_6p": ("6p", "black")}
    columns["removed"] = ("removed", "0.35")
    for x, (name, (head, colour)) in zip((0.25, 0.52, 0.74, 1.0), columns.items(), strict=True):
        style = {"ha": "right", "size": 7, "color": colour}
        listing.text(x, -0.72, head, va="bottom", **style)
        for y, value in zip(place, steps[name], strict=True):
            listing.text(x, y, f"{int(value):,}", va="center", **style)
    return figure


def _readable(criterion: str) -> str:
    return criterion.replace("<=", "\N{LESS-THAN OR EQUAL TO}").replace(">=", "\N{GREATER-THAN OR EQUAL TO}")
