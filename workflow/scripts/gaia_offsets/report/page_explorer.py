"""A page to explore a sample: its sky, trends and pixels, in one file that needs no network."""

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

from gaia_offsets.core.columns import FRAMES, PARALLAXES
from gaia_offsets.core.releases import long_name, standard
from gaia_offsets.core.words import UAS
from gaia_offsets.report import pages, style
from gaia_offsets.report.explorer_sky import sky_layers
from gaia_offsets.report.skymap import FRAME_AXES, NO_DATA

TRENDS = {
    "phot_g_mean_mag": "G [mag]",
    "colour": "colour [1/\N{GREEK SMALL LETTER MU}m]",
    "sin_ecl_lat": "sine of ecliptic latitude",
}
COLOURS = {"nu_eff_used_in_astrometry": "effective wavenumber", "pseudocolour": "pseudocolour"}
POINTS = ("x", "low", "high", "n", "value", "error", "bottom", "top")  # what the page draws of a bin
MEASURED = ["solution", "parallax", "n", "median", "median_error", "gaussian_mean", "gaussian_mean_error"]
# Ids are counted, never drawn at random, whatever the user's settings are; renumbered below.
settings.simple_ids = True


def trend_points(trends: pd.DataFrame) -> dict[str, Any]:
    """Bins of trends.csv by solution, parallax and variable, as lists."""
    names = {"x": "x_mean", "low": "bin_low", "high": "bin_high", "n": "n"}
    known = trends[np.isfinite(trends["gaussian_mean"].astype(float))]
    points: dict[str, Any] = {}
    for (solution, parallax, variable), rows in known.groupby(["solution", "parallax", "variable"]):
        mean, error = rows["gaussian_mean"], rows["gaussian_mean_error"].fillna(0.0)
        columns = {name: rows[column].round(5).tolist() for name, column in names.items()}
        columns |= {"value": mean.round(3).tolist(), "error": error.round(3).tolist()}
        columns |= {"bottom": (mean - error).round(3).tolist(), "top": (mean + error).round(3).tolist()}
        points.setdefault(solution, {}).setdefault(variable, {})[parallax] = columns
    return points


def sky_figure(limits: list[float], colour_range: list[float]) -> Any:
    """The empty map; the page's script fills the sources, found by their names."""
    x0, x1, y0, y1 = limits
    shade = [matplotlib.colors.to_hex(colour) for colour in matplotlib.colormaps["RdBu_r"](np.linspace(0, 1, 255))]
    mapper = LinearColorMapper(
        palette=shade, low=colour_range[0], high=colour_range[1], nan_color="#ffffff", name="scale"
    )
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
    tips = [("pixel", "@hindex"), (f"offset [{UAS}]", "@value_text"), ("stars", "@n"), ("mean G", "@g_text")]
    tips.append(("position", "@longitude{0.00}\N{DEGREE SIGN}, @latitude{0.00}\N{DEGREE SIGN}"))
    plot.add_tools(HoverTool(renderers=[drawn], tooltips=tips, point_policy="follow_mouse"), TapTool(renderers=[drawn]))
    sources["pixels"].selected.js_on_change("indices", CustomJS(code="window.explorer.picked(cb_obj.indices)"))
    look = {"title_text_font_style": "normal", "title_text_font_size": "11px", "height": 10, "padding": 4}
    bar = ColorBar(color_mapper=mapper, title=f"mean offset, Gaia minus reference parallax [{UAS}]", **look)
    plot.add_layout(bar, "below")
    return plot


def trend_figure(variable: str, shown: Mapping[str, Any], span: tuple[float, float]) -> Any:
    """A panel of trends with one source a parallax, at first those of `shown`; `span` is the range of offsets."""
    plot = figure(
        name=variable, height=280, sizing_mode="stretch_width", tools="pan,wheel_zoom,reset,save", y_range=span,
        x_axis_label=TRENDS[variable], y_axis_label=f"offset [{UAS}]", toolbar_location="above",
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
    tips = [
        (f"offset [{UAS}]", "@value{0.0} \N{PLUS-MINUS SIGN} @error{0.0}"),
        ("stars", "@n"),
        ("bin", "@low to @high"),
    ]
    plot.add_tools(HoverTool(renderers=drawn, tooltips=tips))
    plot.legend.click_policy, plot.legend.orientation, plot.legend.location = "hide", "horizontal", "top_right"
    plot.legend.padding, plot.legend.background_fill_alpha = 2, 0.7
    return plot


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
    tables: Mapping[str, Any],
    solutions: Mapping[str, str],
    names: Mapping[str, str],
    words: Mapping[str, str],
    colour_range: list[float],
) -> dict[str, Any]:
    """What the template explore.html.j2 takes, besides what every page takes.

    `tables` are map_{frame} and smooth_{frame} of both frames, offsets (global_offsets.csv), trends, map_made
    (map_equatorial.json) and smooth_made (smooth.json); `names` has the corrections by the parallax that they make, as
    in compare_corrections, and `words` their words by name.
    """
    made, smooth_made, trends = (tables[name] for name in ("map_made", "smooth_made", "trends"))
    grids = {"pixels": made, "smooth": smooth_made}
    grids = {kind: {key: grid[key] for key in ("nside", "ordering")} for kind, grid in grids.items()}
    frames = {}
    for frame in FRAMES:
        pixels = style.rows(tables[f"map_{frame}"], solution=standard(solutions))
        pixels = pixels[pixels["n"] > made["more_than"]]
        frames[frame] = sky_layers(pixels, tables[f"smooth_{frame}"], frame, grids)
    document = Document(title="")
    document.add_root(sky_figure(frames["equatorial"]["limits"], colour_range))
    known = trends[np.isfinite(trends["gaussian_mean"].astype(float))]
    points = trend_points(trends)
    for variable in TRENDS:
        span = style.robust_range(known[known["variable"] == variable])  # that of Fig. 5
        document.add_root(trend_figure(variable, points.get(standard(solutions), {}).get(variable, {}), span))
    text, roots = document_json(document)
    data = {"frames": frames, "trends": points, "range": colour_range}
    return {
        "data": script_safe(json.dumps(data, separators=(",", ":"), allow_nan=False)),
        "document": script_safe(text),
        "roots": roots,
        "wide": frames["equatorial"]["limits"][1] > 2,
        "bokeh": "\n".join(Resources(mode="inline", components=["bokeh"]).js_raw),
        "parallaxes": {key: f"after {words[name]}" for key, name in names.items()} | {"raw": "published (raw)"},
        "frames": {frame: FRAME_AXES[frame][0] for frame in frames},
        "kinds": {"pixels": f"pixels (nside {made['nside']})", "smooth": f"smooth (nside {smooth_made['nside']})"},
        "solutions": {name: long_name(name) for name in solutions},
        "colour": " or ".join(f"{COLOURS[column]} ({name})" for name, column in solutions.items()),
        "more_than": made["more_than"],
        "offsets": pages.table(tables["offsets"][MEASURED]),
    }
