"""The sky of the page to explore, in the plane: outlines of pixels and their numbers, grid, planes and labels."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.words import number
from gaia_offsets.report.skymap import FRAME_AXES, POLES, Mollweide, choose_projection, great_circle
from gaia_offsets.sky.healpix import boundaries, hp


def sky_layers(pixels: pd.DataFrame, smooth: pd.DataFrame, frame: str, grids: Mapping[str, Any]) -> dict[str, Any]:
    """What the page draws of one frame: its projection's limits, lines and labels, and the maps by kind.

    `pixels` has rows of map_{frame}.csv, `smooth` is smooth_{frame}.csv; `grids` has nside and ordering of both. A map
    has, for each of its pixels, index, centre [deg], mean G [mag], corners in the plane, and by parallax offset, error
    [uas], n.
    """
    wide = {
        "pixels": pixels,
        "smooth": smooth.rename(columns={"offset": "gaussian_mean", "error": "gaussian_mean_error"}),
    }
    index = {kind: np.unique(table["hindex"].to_numpy(dtype=np.int64)) for kind, table in wide.items()}
    centres = {kind: _centre(index[kind], grids[kind]) for kind in wide}
    _, preferred, _ = FRAME_AXES[frame]
    projection = choose_projection(*map(np.concatenate, zip(*centres.values(), strict=True)), preferred=preferred)
    maps = {}
    for kind, table in wide.items():
        if kind == "pixels" or grids["smooth"] == grids["pixels"]:
            g = pixels[pixels["parallax"] == "raw"].set_index("hindex")["g_mean"].reindex(index[kind])
        else:
            g = pd.Series(np.nan, index=index[kind])
        maps[kind] = {
            "nside": grids[kind]["nside"],
            "hindex": packed(index[kind], "<i4"),
            "longitude": packed(centres[kind][0], "<f4"),
            "latitude": packed(centres[kind][1], "<f4"),
            "g": packed(g, "<f4"),
            "corners": corners(index[kind], grids[kind], projection),
            "offsets": {
                str(parallax): {
                    name: packed(rows[column].astype(float).fillna(0 if kind_of == "<i4" else np.nan), kind_of)
                    for name, column, kind_of in (
                        ("value", "gaussian_mean", "<f4"),
                        ("error", "gaussian_mean_error", "<f4"),
                        ("n", "n", "<i4"),
                    )
                }
                for parallax, part in table.groupby("parallax", sort=False)
                for rows in [part.set_index("hindex").reindex(index[kind])]
            },
        }
    return {"maps": maps, "limits": [round(x, 6) for x in projection.limits], **graticule(projection, frame)}


def _centre(index: np.ndarray, grid: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    return hp.pix2ang(grid["nside"], index, nest=grid["ordering"] == "nested", lonlat=True)


def packed(values: Any, kind: str) -> str:
    """An array as base64 of its bytes, little-endian as typed arrays of browsers have it."""
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()


def corners(index: np.ndarray, grid: Mapping[str, Any], projection: Any) -> dict[str, Any]:
    """Corners of the pixels in the plane, as 16-bit steps of its limits: all x and all y, `each` points a pixel.

    A pixel that the edge of a whole sky cuts is drawn on the side of its centre, so that it is not torn over the map.
    """
    step = max(1, 16 // grid["nside"])  # sides of large pixels are curved
    x0, x1, y0, y1 = projection.limits
    each = 4 * step
    if len(index) == 0:
        return {"each": each, "x": "", "y": ""}
    vectors = boundaries(grid["nside"], index, step=step, nest=grid["ordering"] == "nested")  # (N, 3, each)
    longitude, latitude = hp.vec2ang(vectors.transpose(0, 2, 1).reshape(-1, 3), lonlat=True)
    if isinstance(projection, Mollweide):
        centre = np.repeat(_centre(index, grid)[0], each)
        pole = np.abs(latitude) > 90 - 1e-6  # has any longitude: that of the pixel
        longitude = np.where(pole, centre, longitude)
        away = (centre - projection.longitude + 180.0) % 360.0 - 180.0
        relative = away + (longitude - centre + 180.0) % 360.0 - 180.0  # on the centre's side, beyond 180 cut there
        longitude = projection.longitude + np.clip(relative, -179.9999, 179.9999)
    x, y = projection.forward(longitude, latitude)
    scaled = [np.clip((v - low) / (high - low), 0, 1) * 65535 for v, low, high in ((x, x0, x1), (y, y0, y1))]
    return {"each": each, "x": packed(np.round(scaled[0]), "<u2"), "y": packed(np.round(scaled[1]), "<u2")}


def graticule(projection: Any, frame: str) -> dict[str, Any]:
    """Lines of the sky in the plane: `grid` every 30 (whole sky) or 5 deg, `planes` (Galactic, ecliptic), labels."""
    whole = isinstance(projection, Mollweide)
    x0, x1, y0, y1 = projection.limits
    step = 30.0 if whole else 5.0
    latitude, longitude = np.linspace(-89.9, 89.9, 181), projection.longitude + np.linspace(-179.999, 179.999, 361)
    meridians = np.arange(0.0, 360.0, 2 * step if whole else step)
    parallels = np.arange(-90.0 + step, 90.0, step)
    paths = [(np.full_like(latitude, value), latitude) for value in meridians]
    paths += [(longitude, np.full_like(longitude, value)) for value in parallels]
    planes = [great_circle(*pole) for pole in POLES[frame].values()]
    labels: dict[str, list[Any]] = {"x": [], "y": [], "text": []}
    # Longitudes stand on the parallel in the middle, latitudes on the meridian at the left.
    _, middle = projection.inverse(np.zeros(1), np.zeros(1)) if not whole else (0.0, np.zeros(1))
    row = step * np.round(float(middle[0]) / step)
    column = projection.longitude + 179.999 if whole else step * np.round(projection.longitude / step)
    inner = meridians[np.abs((meridians - projection.longitude + 180.0) % 360.0 - 180.0) < 175.0]  # not on the edge
    points = [(value, row, f"{value:.0f}\N{DEGREE SIGN}") for value in inner]
    points += [(column, value, f"{number(value, '+.0f')}\N{DEGREE SIGN}") for value in parallels if value != row]
    for lon, lat, text in points:
        x, y = (float(v) for v in projection.forward(np.array(lon), np.array(lat)))
        if x0 <= x <= x1 and y0 <= y <= y1:
            for name, value in zip(labels, (round(x, 4), round(y, 4), text), strict=True):
                labels[name].append(value)
    return {
        "grid": _lines(projection, paths),
        "planes": _lines(projection, planes[:1]),
        "ecliptic": _lines(projection, planes[1:]),
        "labels": labels,
        "limb": _limb(projection),
    }


def _limb(projection: Any) -> dict[str, list[float]]:
    x0, x1, y0, y1 = projection.limits
    if not isinstance(projection, Mollweide):
        return {"x": [x0, x1, x1, x0], "y": [y0, y0, y1, y1]}
    turn = np.linspace(0.0, 2 * np.pi, 181)
    return {"x": (x1 * np.cos(turn)).round(4).tolist(), "y": (y1 * np.sin(turn)).round(4).tolist()}


def _lines(projection: Any, paths: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, list[list[float]]]:
    """Paths in the plane, cut where they leave the map or jump over it."""
    x0, x1, y0, y1 = projection.limits
    lines: dict[str, list[list[float]]] = {"xs": [], "ys": []}
    for longitude, latitude in paths:
        x, y = projection.forward(longitude, latitude)
        inside = (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)
        jump = np.hypot(np.diff(x, prepend=x[0]), np.diff(y, prepend=y[0])) > 0.5
        part = np.cumsum(jump | (inside != np.roll(inside, 1)))
        for one in np.unique(part[inside]):
            use = inside & (part == one)
            if use.sum() > 1:
                lines["xs"].append(x[use].round(4).tolist())
                lines["ys"].append(y[use].round(4).tolist())
    return lines
