"""The smooth map: offset, raw and corrected, and the standard error of the corrected one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from gaia_offsets.report import style
from gaia_offsets.report.skymap import colour_bar, line_legend, offset_scale, sky_panels, sky_row

PANELS = {name: (name.split()[0], "offset") for name in ("raw offset", "corrected offset")}
PANELS |= {"standard error of the corrected offset": ("corrected", "error")}


@style.styled
def draw_smooth(
    maps: Mapping[str, pd.DataFrame],
    made: Mapping[str, Any],
    solution: str,
    *,
    title: str,
    colour_range: Sequence[float],
) -> Figure:
    """A column a frame; rows: raw and corrected offset, and the error of the corrected one.

    `maps` has smooth_{frame}.csv by frame: parallax, hindex, offset, error [uas], n; `made` is smooth.json.
    """
    if not any(map(len, maps.values())):
        figure = style.canvas(1.0, title)
        style.blank(figure.subplots(), f"no smooth map: too few pixels with {solution} stars")
        return figure
    figure, axes, skies = sky_panels(maps, made, title=title, rows=3)
    for row, (what, (parallax, column)) in zip(axes, PANELS.items(), strict=True):
        tables = [style.rows(table, parallax=parallax) for table in maps.values()]
        own = parallax == "corrected" and column == "offset"
        scale, extend = offset_scale(tables, column, colour_range, own=own), "both"
        if column == "error":
            errors = np.concatenate([table[column] for table in tables])
            top = float(np.ceil(np.quantile(errors, 0.99))) if len(errors) else 1.0
            scale, extend = {"norm": Normalize(0.0, top), "cmap": "viridis"}, "max"
        words = {"title": lambda sky, _, what=what: f"{what}, {sky.name}", "none": "too few pixels with stars"}
        sky_row(row, skies, tables, column, scale, **words)
        more = "on a scale of its own" if own else f"nside {made['nside']}"
        colour_bar(figure, row, scale, extend=extend, label=f"{what}, {solution} [{style.UAS}], {more}")
    line_legend(figure, axes)
    return figure
