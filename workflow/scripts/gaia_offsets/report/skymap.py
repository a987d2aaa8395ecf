"""Maps of the sky: projections, graticule and the values of HEALPix pixels.

skyproj 2.6 was tried: its axes take no part in the layout, so that labels run into titles and panels; it brings three
packages, while the choice of the map, the ecliptic and the grey sky stay our own code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from matplotlib.patheffects import withStroke

from gaia_offsets.core.words import number
from gaia_offsets.report import style
from gaia_offsets.sky.healpix import hp
from gaia_offsets.sky.positions import all_separations, unit_vectors

FRAME_AXES = {  # name, longitude in the middle of a whole sky, names of the axes
    "equatorial": ("equatorial (ICRS)", 180.0, ("right ascension", "declination")),
    "galactic": ("Galactic", 0.0, ("Galactic longitude", "Galactic latitude")),
}
POLES = {  # longitude and latitude of the poles of the reference lines, degrees; the ecliptic is that of J2000
    "equatorial": {"Galactic plane": (192.859478, 27.128252), "ecliptic": (269.999985, 66.560719)},
    "galactic": {"Galactic plane": (0.0, 90.0), "ecliptic": (96.383989, 29.811446)},
}
NO_DATA = "#d4d4d4"
PATCH_RADIUS_DEG = 30.0  # a footprint inside such a circle (7 % of the sky) is drawn on a map of its own


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
    vectors = unit_vectors(longitude, latitude)
    low, high = vectors.min(axis=0), vectors.max(axis=0)
    mean = (low + high) / 2  # middle of the extent: a crowded end must not push the other end out of the frame
    if np.linalg.norm(mean) > 0:
        mean = mean / np.linalg.norm(mean)
        radius = float(all_separations(vectors, mean[None]).max())
        if radius < PATCH_RADIUS_DEG:
            centre = np.degrees(np.arctan2(mean[1], mean[0])) % 360.0, np.degrees(np.arcsin(mean[2]))
            return Zenithal(*centre, max(1.1 * radius + 2.0, 5.0))
    centres = (preferred + np.arange(0.0, 360.0, 30.0)) % 360.0
    from_edge = np.abs((longitude[:, None] - centres) % 360.0 - 180.0)
    cut = (from_edge < 10.0).sum(axis=0)
    return Mollweide(float(centres[0] if cut[0] <= 2 * cut.min() else centres[np.argmin(cut)]))


def great_circle(longitude: float, latitude: float) -> tuple[np.ndarray, np.ndarray]:
    """The circle 90 degrees from a pole, from its node at pole + 90 on; all in degrees, every half."""
    turn, pole = np.radians(np.linspace(0.0, 360.0, 721)), np.radians(latitude)
    along = np.degrees(np.arctan2(np.sin(pole) * np.sin(turn), np.cos(turn)))
    return longitude + 90.0 + along, np.degrees(np.arcsin(np.cos(pole) * np.sin(turn)))


def sky_panels(
    maps: Mapping[str, pd.DataFrame], made: Mapping[str, Any], *, title: str, rows: int
) -> tuple[Figure, np.ndarray, list[Sky]]:
    """A figure with `rows` rows of panels and a column a frame: the figure, its axes, the sky of each frame.

    `maps` is map_{frame}.csv by frame; `made` is map_equatorial.json: nside, ordering, more_than, chosen_by.
    """
    skies = [Sky(table, frame, made["nside"], made["ordering"]) for frame, table in maps.items()]
    height = 3.3 if any(isinstance(sky.projection, Zenithal) for sky in skies) else 1.9
    figure = style.canvas(0.4 + rows * (height + 0.5), title)
    return figure, figure.subplots(rows, len(maps), squeeze=False), skies


def colour_bar(figure: Figure, axes: np.ndarray, scale: Mapping[str, Any], **options: object) -> Colorbar:
    """One bar below panels."""
    place = {"ax": axes, "location": "bottom", "fraction": 0.08, "shrink": 0.6, "aspect": 40, "pad": 0.03}
    return figure.colorbar(ScalarMappable(**scale), **place, **options)


def offset_scale(
    tables: Iterable[pd.DataFrame], column: str, colour_range: Sequence[float], *, own: bool
) -> dict[str, Any]:
    """Colours of offsets [uas]: of the range, or of their own that shows what is left, 0 in the middle of both."""
    if own:
        values = np.abs(np.concatenate([table[column].to_numpy(float) for table in tables]))
        values = values[np.isfinite(values)]
        reach = 5.0 * np.ceil(np.quantile(values, 0.95) / 5.0) if len(values) else np.inf
        colour_range = [max(colour_range[0], -max(reach, 5.0)), min(colour_range[1], max(reach, 5.0))]
    return {"norm": Normalize(*colour_range), "cmap": "RdBu_r"}


def line_legend(figure: Figure, axes: np.ndarray) -> None:
    """Below a figure, the legend of the reference lines that are in sight."""
    lines = {line.get_label(): line for ax in axes.flat for line in ax.get_legend_handles_labels()[0]}
    if lines:
        figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=len(lines), borderpad=0.1)


def resolution(made: Mapping[str, Any]) -> str:
    """The maps' nside in words, and whether the sample chose it."""
    filled = made["chosen_by"] == "sample" and made["published"] > 0
    return f"nside {made['nside']}" + (", the finest that the sample fills" if filled else "")


def sky_note(ax: Axes, text: str) -> None:
    """Words on a map, on white paper."""
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 2.0}
    ax.text(0.5, 0.75, text, transform=ax.transAxes, ha="center", va="center", zorder=4, bbox=paper)


def sky_row(
    axes: np.ndarray,
    skies: list[Sky],
    tables: Iterable[pd.DataFrame],
    column: str,
    scale: Mapping[str, Any],
    *,
    title: Callable[[Sky, pd.DataFrame], str],
    none: str,
) -> None:
    """A row of maps of a column of tables (hindex), a frame each; words where no pixel has a value."""
    for ax, sky, table in zip(axes, skies, tables, strict=True):
        sky.draw(ax, table["hindex"], table[column], scale)
        ax.set_title(title(sky, table))
        if not np.isfinite(table[column].to_numpy(float)).any():
            sky_note(ax, none)


class Sky:
    """Drawing of pixel values in one frame; the projection is chosen from all pixels of the table."""

    def __init__(self, table: pd.DataFrame, frame: str, nside: int, ordering: str) -> None:
        self.name, preferred, self._axes = FRAME_AXES[frame]
        self._poles = POLES[frame]
        self.nside, nest = nside, ordering == "nested"
        hindex = np.unique(table["hindex"].to_numpy(dtype=np.int64))
        longitude, latitude = hp.pix2ang(nside, hindex, nest=nest, lonlat=True)
        self.projection = choose_projection(longitude, latitude, preferred=preferred)
        self.centres = longitude, latitude
        x0, x1, y0, y1 = self.projection.limits
        step = np.sqrt((x1 - x0) * (y1 - y0) / 5e5)  # a raster finer than the printed one
        x, y = np.arange(x0 + step / 2, x1, step), np.arange(y0 + step / 2, y1, step)
        longitude, latitude = self.projection.inverse(*np.meshgrid(x, y))
        self._on_sky = np.isfinite(longitude)
        place = longitude[self._on_sky], latitude[self._on_sky]
        self._index = hp.ang2pix(nside, *place, nest=nest, lonlat=True)

    def draw(self, ax: Axes, hindex: pd.Series, values: pd.Series, scale: Mapping[str, Any]) -> None:
        """Draw values by pixel, a graticule and the reference lines; `scale` has the norm and the cmap of colours."""
        whole = np.full(hp.nside2npix(self.nside), np.nan)
        whole[hindex.to_numpy(dtype=np.int64)] = values.to_numpy(dtype=float)
        image = np.full(self._on_sky.shape, np.nan)
        image[self._on_sky] = whole[self._index]
        x0, x1, y0, y1 = self.projection.limits
        ax.set_aspect("equal")
        ax.set(xlim=(x0, x1), ylim=(y0, y1))
        image = np.ma.masked_invalid(image)
        shown = ax.imshow(image, origin="lower", extent=(x0, x1, y0, y1), zorder=1, **scale)
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
        for (name, pole), line in zip(self._poles.items(), ("-", "--"), strict=True):
            self._line(ax, *great_circle(*pole), color="black", linewidth=0.9, linestyle=line, label=name)

    def _line(self, ax: Axes, longitude: np.ndarray, latitude: np.ndarray, **look: object) -> None:
        """Draw a path on the sky, broken where it leaves the map; nothing where it does not come into sight."""
        x, y = self.projection.forward(longitude, latitude)
        x0, x1, y0, y1 = self.projection.limits
        if not ((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)).any():
            return
        x = np.where(np.hypot(np.diff(x, prepend=x[0]), np.diff(y, prepend=y[0])) > 0.5, np.nan, x)
        ax.plot(x, y, **look, zorder=2)

    def _graticule(self, ax: Axes, meridians: np.ndarray, parallels: np.ndarray) -> None:
        thin = {"color": "0.35", "linewidth": 0.35}
        for longitude in meridians:
            latitude = np.linspace(-90.0, 90.0, 361)
            self._line(ax, np.full_like(latitude, longitude), latitude, **thin)
        for latitude in parallels:
            longitude = self.projection.longitude + np.linspace(-179.999, 179.999, 721)
            self._line(ax, longitude, np.full_like(longitude, latitude), **thin)

    def _whole_sky_graticule(self, ax: Axes) -> None:
        centre = self.projection.longitude
        meridians, parallels = (centre + np.arange(-120.0, 121.0, 60.0)) % 360.0, np.arange(-60.0, 61.0, 30.0)
        self._graticule(ax, meridians, parallels)
        for latitude in parallels:
            x, y = self.projection.forward(centre + 179.999, latitude)
            label = f"{number(latitude, '+.0f') if latitude else '0'}\N{DEGREE SIGN}"
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
        ax.set_yticks(y, [f"{number(value, '+g') if value else '0'}\N{DEGREE SIGN}" for value in parallels])
        ax.tick_params(length=0)
        ax.set(xlabel=self._axes[0], ylabel=self._axes[1])


def _edge_ticks(place: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Where round angles (degrees) meet an edge of the map: places, angles and their step."""
    low, high = float(angle.min()), float(angle.max())
    step = next((step for step in (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 45.0) if (high - low) / step <= 6), 60.0)
    values = step * np.arange(np.ceil(low / step), np.floor(high / step) + 1)
    beyond = angle[None, :] >= values[:, None]
    which, where = np.nonzero(beyond[:, 1:] != beyond[:, :-1])
    return place[where], values[which], step
