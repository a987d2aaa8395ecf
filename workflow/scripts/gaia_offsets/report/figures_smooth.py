"""The smooth map: offset, raw and corrected, and the standard error of the corrected one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from gaia_offsets.report import style
from gaia_offsets.report.skymap import colour_bar, sky_panels, sky_row


@style.styled
def draw_smooth(
    maps: Mapping[str, pd.DataFrame],
    made: Mapping[str, Any],
    solution: str,
    *,
    title: str,
    colour_range: Sequence[float],
) -> Figure:
    """A column a frame; rows: raw and corrected offset on one colour scale, and the error of the corrected one.

    `maps` has smooth_{frame}.csv by frame: parallax, hindex, offset, error [uas], n; `made` is smooth.json.
    """
    figure, axes, skies = sky_panels(maps, made, title=title, rows=3)
    errors = np.concatenate([table.loc[table["parallax"] == "corrected", "error"] for table in maps.values()])
    top = float(np.ceil(np.quantile(errors, 0.99))) if len(errors) else 1.0
    scales = [{"norm": Normalize(*colour_range), "cmap": "RdBu_r"}, {"norm": Normalize(0.0, top), "cmap": "viridis"}]
    panels = [("raw", "offset", 0), ("corrected", "offset", 0), ("corrected", "error", 1)]
    for row, (parallax, column, scale) in zip(axes, panels, strict=True):
        tables = (style.rows(table, parallax=parallax) for table in maps.values())
        what = parallax if column == "offset" else f"error of {parallax}"
        words = {"title": lambda sky, _, what=what: f"{what}, {sky.name}", "none": "too few pixels with stars"}
        sky_row(row, skies, tables, column, scales[scale], **words)
    label = f"smooth map, offset, {solution} [{style.UAS}]; nside {made['nside']}"
    colour_bar(figure, axes[:2], scales[0], extend="both", label=label)
    colour_bar(figure, axes[2:], scales[1], extend="max", label=f"standard error [{style.UAS}]")
    return figure
