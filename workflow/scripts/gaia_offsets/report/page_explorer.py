"""A page to explore a sample: its sky, trends, pixels and claims, in one file that needs no network."""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from bokeh.core.json_encoder import serialize_json
from bokeh.document import Document
from bokeh.models import ColorBar, ColumnDataSource, CustomJS, HoverTool, LinearColorMapper, Range1d, TapTool, Whisker
from bokeh.plotting import figure
from bokeh.resources import Resources
from bokeh.settings import settings

from gaia_offsets.core.columns import PARALLAXES
from gaia_offsets.core.releases import long_name, standard
from gaia_offsets.report import pages, style
from gaia_offsets.report.skymap import FRAME_AXES, NO_DATA, POLES, Mollweide, choose_projection, great_circle
from gaia_offsets.sky.healpix import boundaries, hp

MU = "\N{MICRO SIGN}as"
TRENDS = {
    "phot_g_mean_mag": "G [mag]",
    "colour": "{colour} [1/\N{MICRO SIGN}m]",
    "sin_ecl_lat": "sine of ecliptic latitude",
}
COLOURS = {"nu_eff_used_in_astrometry": "effective wavenumber", "pseudocolour": "pseudocolour"}
POINTS = ("x", "low", "high", "n", "value", "error", "bottom", "top")  # what the page draws of a bin
CLAIMS = ["claim", "place", "published", "reproduced", "unit", "verdict", "reason"]
# Ids are counted, never drawn at random, whatever the user's settings are; renumbered below.
settings.simple_ids = True


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
        place = away + (longitude - centre + 180.0) % 360.0 - 180.0  # on the side of the centre, beyond 180 cut there
        longitude = projection.longitude + np.clip(place, -179.9999, 179.9999)
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
    points += [(column, value, f"{style.number(value, '+.0f')}\N{DEGREE SIGN}") for value in parallels if value != row]
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
        for number in np.unique(part[inside]):
            use = inside & (part == number)
            if use.sum() > 1:
                lines["xs"].append(x[use].round(4).tolist())
                lines["ys"].append(y[use].round(4).tolist())
    return lines


def trend_points(trends: pd.DataFrame) -> dict[str, Any]:
    """Bins of trends.csv by solution, parallax and variable, as lists."""
    names = {"x": "x_mean", "low": "bin_low", "high": "bin_high", "n": "n"}
    known = trends[np.isfinite(trends["gaussian_mean"].astype(float))]
    found: dict[str, Any] = {}
    for (solution, parallax, variable), rows in known.groupby(["solution", "parallax", "variable"]):
        mean, error = rows["gaussian_mean"], rows["gaussian_mean_error"].fillna(0.0)
        columns = {name: rows[column].round(5).tolist() for name, column in names.items()}
        columns |= {"value": mean.round(3).tolist(), "error": error.round(3).tolist()}
        columns |= {"bottom": (mean - error).round(3).tolist(), "top": (mean + error).round(3).tolist()}
        found.setdefault(solution, {}).setdefault(variable, {})[parallax] = columns
    return found


def sky_figure(limits: list[float], colour_range: list[float]) -> Any:
    """The empty map; the page's script fills the sources, found by their names."""
    x0, x1, y0, y1 = limits
    shade = [matplotlib.colors.to_hex(colour) for colour in matplotlib.colormaps["RdBu_r"](np.linspace(0, 1, 255))]
    mapper = LinearColorMapper(palette=shade, low=colour_range[0], high=colour_range[1], nan_color="#ffffff")
    plot = figure(
        name="sky", x_range=Range1d(x0, x1), y_range=Range1d(y0, y1), match_aspect=True, sizing_mode="stretch_width",
        aspect_ratio=1.75 if x1 > 1.5 * y1 else 0.95, tools="pan,wheel_zoom,reset,save", toolbar_location="above",
        x_axis_type=None, y_axis_type=None, outline_line_color=None,
    )  # fmt: skip
    plot.xgrid.visible = plot.ygrid.visible = False
    sources = {name: ColumnDataSource(name=name) for name in ("limb", "grid", "planes", "ecliptic", "labels", "pixels")}
    sources["limb"].data = sources["labels"].data = {"x": [], "y": [], "text": []}
    for name in ("grid", "planes", "ecliptic"):
        sources[name].data = {"xs": [], "ys": []}
    columns = ("xs", "ys", "value", "error", "n", "hindex", "longitude", "latitude", "g_text", "value_text")
    sources["pixels"].data = {name: [] for name in columns}
    plot.patch("x", "y", source=sources["limb"], fill_color=NO_DATA, line_color="black", line_width=0.8)
    look = {"line_color": "#ffffff", "line_width": 0.2, "line_alpha": 0.0, "hover_line_color": "#000000"}
    drawn = plot.patches(
        "xs", "ys", source=sources["pixels"], fill_color={"field": "value", "transform": mapper}, hover_line_alpha=1.0,
        hover_line_width=1.5, selection_line_color="#000000", selection_line_alpha=1.0, selection_line_width=2.5,
        nonselection_fill_alpha=1.0, nonselection_line_alpha=0.0, **look,
    )  # fmt: skip
    plot.multi_line("xs", "ys", source=sources["grid"], line_color="#595959", line_width=0.4)
    plot.multi_line("xs", "ys", source=sources["planes"], line_color="black")
    plot.multi_line("xs", "ys", source=sources["ecliptic"], line_color="black", line_dash="dashed")
    look = {"text_font_size": "11px", "text_align": "center", "text_baseline": "middle", "padding": 1}
    plot.text("x", "y", "text", source=sources["labels"], background_fill_color="#ffffffb0", **look)
    tips = [("pixel", "@hindex"), (f"offset [{MU}]", "@value_text"), ("N", "@n"), ("mean G", "@g_text")]
    tips.append(("position", "@longitude{0.00}\N{DEGREE SIGN}, @latitude{0.00}\N{DEGREE SIGN}"))
    plot.add_tools(HoverTool(renderers=[drawn], tooltips=tips, point_policy="follow_mouse"), TapTool(renderers=[drawn]))
    sources["pixels"].selected.js_on_change("indices", CustomJS(code="window.explorer.picked(cb_obj.indices)"))
    look = {"title_text_font_style": "normal", "title_text_font_size": "11px", "height": 10, "padding": 4}
    bar = ColorBar(color_mapper=mapper, title=f"mean offset, Gaia minus reference parallax [{MU}]", **look)
    plot.add_layout(bar, "below")
    return plot


def trend_figure(variable: str, colour: str, shown: Mapping[str, Any], span: tuple[float, float]) -> Any:
    """A panel of trends with one source a parallax, at first those of `shown`.

    `colour` says what the colour is, `span` is the range of offsets.
    """
    plot = figure(
        name=variable, height=280, sizing_mode="stretch_width", tools="pan,wheel_zoom,reset,save", y_range=span,
        x_axis_label=TRENDS[variable].format(colour=colour), y_axis_label=f"offset [{MU}]", toolbar_location="above",
    )  # fmt: skip
    for level in style.LEVELS:
        plot.hspan(y=level, line_color="black", line_dash="dashed", line_width=0.7)
    drawn = []
    for parallax, marker in zip(PARALLAXES, ("circle", "square"), strict=True):
        columns = shown.get(parallax) or {name: [] for name in POINTS}
        source = ColumnDataSource(columns, name=f"{variable} {parallax}")
        look = {"color": style.COLOURS[parallax], "legend_label": parallax}
        drawn.append(plot.scatter("x", "value", source=source, marker=marker, size=6, **look))
        bars = Whisker(source=source, base="x", lower="bottom", upper="top", line_color=style.COLOURS[parallax])
        bars.upper_head = bars.lower_head = None
        plot.add_layout(bars)
    tips = [(f"offset [{MU}]", "@value{0.0} \N{PLUS-MINUS SIGN} @error{0.0}"), ("N", "@n"), ("bin", "@low to @high")]
    plot.add_tools(HoverTool(renderers=drawn, tooltips=tips))
    plot.legend.click_policy, plot.legend.orientation, plot.legend.location = "hide", "horizontal", "top_right"
    plot.legend.padding, plot.legend.background_fill_alpha = 2, 0.7
    return plot


def claim_rows(claims: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of claims.csv for the page, each with the class of its verdict; numbers stay numbers."""
    table = claims[CLAIMS].assign(tone=claims["verdict"].map(pages.tone)).astype(object)
    return table.where(table.notna(), None).to_dict("records")


def document_json(document: Document) -> tuple[str, list[tuple[str, str]]]:
    """The document as JSON, and name and id of its roots; ids count from 1, whatever the process made before."""
    text = serialize_json(document.to_json())
    ids = {old: f"m{number}" for number, old in enumerate(dict.fromkeys(re.findall(r'"(p\d+)"', text)), start=1)}
    text = re.sub(r'"(p\d+)"', lambda found: f'"{ids[found[1]]}"', text)
    return text, [(root.name, ids[root.id]) for root in document.roots]


def script_safe(text: str) -> str:
    """JSON that may stand in a script of a page."""
    return text.replace("<", "\\u003c")


def explorer(
    *,
    pixels: Mapping[str, pd.DataFrame],
    smooth: Mapping[str, pd.DataFrame],
    offsets: pd.DataFrame,
    trends: pd.DataFrame,
    solutions: Mapping[str, str],
    claims: pd.DataFrame | None,
    made: Mapping[str, Any],
    smooth_made: Mapping[str, Any],
    names: Mapping[str, str],
    colour_range: list[float],
) -> dict[str, Any]:
    """What the template explore.html.j2 takes, besides title and simulated.

    `pixels` is map_{frame}.csv and `smooth` smooth_{frame}.csv by frame; `made` is map_equatorial.json,
    `smooth_made` smooth.json; `names` has the corrections by the parallax that they make, as in compare_corrections.
    """
    grids = {"pixels": made, "smooth": smooth_made}
    grids = {kind: {key: grid[key] for key in ("nside", "ordering")} for kind, grid in grids.items()}
    shown = {frame: style.rows(table, solution=standard(solutions)) for frame, table in pixels.items()}
    shown = {frame: table[table["n"] > made["more_than"]] for frame, table in shown.items()}
    frames = {frame: sky_layers(shown[frame], smooth[frame], frame, grids) for frame in pixels}
    document = Document(title="")
    document.add_root(sky_figure(frames["equatorial"]["limits"], colour_range))
    known = trends[np.isfinite(trends["gaussian_mean"].astype(float))]
    points = trend_points(trends)
    colour = ", ".join(f"{COLOURS[column]} ({name})" for name, column in solutions.items())
    for variable in TRENDS:
        span = style.robust_range(known[known["variable"] == variable])  # that of Fig. 5
        document.add_root(trend_figure(variable, colour, points.get(standard(solutions), {}).get(variable, {}), span))
    text, roots = document_json(document)
    data = {
        "frames": frames,
        "trends": points,
        "claims": claim_rows(claims) if claims is not None else [],
    }
    told = {
        "raw": "published parallax (raw)",
        "corrected": f"after {names.get('corrected', 'no zero point')} (corrected)",
    }
    measured = offsets[["solution", "parallax", "n", "median", "median_error", "gaussian_mean", "gaussian_mean_error"]]
    return {
        "data": script_safe(json.dumps(data, separators=(",", ":"), allow_nan=False)),
        "document": script_safe(text),
        "roots": roots,
        "width": 1000 if frames["equatorial"]["limits"][1] > 2 else 620,
        "bokeh": "\n".join(Resources(mode="inline", components=["bokeh"]).js_raw),
        "parallaxes": {name: told.get(name, f"after {name}") for name in names},
        "frames": {frame: FRAME_AXES[frame][0] for frame in frames},
        "kinds": {"pixels": f"pixels (nside {made['nside']})", "smooth": f"smooth (nside {smooth_made['nside']})"},
        "solutions": {name: long_name(name) for name in solutions},
        "more_than": made["more_than"],
        "offsets": pages.table(measured, dict.fromkeys(measured.columns[3:], ".1f")),
        "claimed": claims is not None,
    }
