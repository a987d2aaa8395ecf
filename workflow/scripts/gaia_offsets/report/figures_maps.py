"""Fig. 6: maps of the mean offset, together and one figure for each parallax; and maps of the number of stars."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from gaia_offsets.core.columns import PARALLAXES
from gaia_offsets.report import style
from gaia_offsets.report.skymap import Sky, colour_bar, line_legend, offset_scale, resolution, sky_panels, sky_row


@style.styled
def draw_maps(
    maps: Mapping[str, pd.DataFrame],
    made: Mapping[str, Any],
    solution: str,
    *,
    title: str,
    colour_range: Sequence[float],
    parallaxes: Collection[str] = PARALLAXES,
) -> Figure:
    """Fig. 6: mean offset (Gaussian fit) by sky pixel; a row a parallax, a column a frame.

    Corrected maps under raw ones have a colour scale of their own; a map alone has that of `colour_range`.

    `maps` has the rows of `solution` of map_{frame}.csv by frame: parallax, hindex, n and the statistics [uas]. `made`
    is map_equatorial.json: nside, ordering, chosen_by (config or sample) and more_than; shown are pixels with more
    stars than that, the rest of the sky is grey.
    """
    figure, axes, skies = sky_panels(maps, made, title=title, rows=len(parallaxes))
    for row, parallax in zip(axes, parallaxes, strict=True):
        tables = [style.rows(table, parallax=parallax) for table in maps.values()]
        tables = [table[table["n"] > made["more_than"]] for table in tables]
        words = {"title": lambda sky, _, name=parallax: f"{name}, {sky.name}"}
        words["none"] = f"no pixel with more than {made['more_than']} {solution} stars"
        own = parallax != "raw" and len(parallaxes) > 1
        scale = offset_scale(tables, "gaussian_mean", colour_range, own=own)
        sky_row(row, skies, tables, "gaussian_mean", scale, **words)
        text = f"{parallax} mean offset, Gaia minus reference parallax, {solution} [{style.UAS}]"
        text += ", on a scale of its own" if own else f"; {resolution(made)}"
        colour_bar(figure, row, scale, extend="both", label=text)
    line_legend(figure, axes)
    return figure


@style.styled
def draw_counts(maps: Mapping[str, pd.DataFrame], made: Mapping[str, Any], solution: str, *, title: str) -> Figure:
    """Number of stars by sky pixel in each frame (pixels with 2 stars or more), on a logarithmic scale.

    `maps` has the rows of `solution` of map_{frame}.csv by frame; `made` is map_equatorial.json. A line on the colour
    bar marks its more_than: the published map has the pixels above it.
    """
    figure, axes, skies = sky_panels(maps, made, title=title, rows=1)
    counts = [style.rows(table, parallax="raw") for table in maps.values()]
    limit = made["more_than"]
    most = max(table["n"].to_numpy(dtype=float).max(initial=10.0) for table in counts)
    scale = {"norm": LogNorm(1, max(most, 1.5 * limit)), "cmap": "viridis"}

    def above(sky: Sky, table: pd.DataFrame) -> str:
        return f"{sky.name}: {(table['n'] > limit).sum():,} of {len(table):,} pixels above {limit}"

    sky_row(axes[0], skies, counts, "n", scale, title=above, none=f"no {solution} stars")
    text = f"{solution} stars in a pixel, {resolution(made)}; published above the mark at {limit}"
    bar = colour_bar(figure, axes, scale, format=style.THOUSANDS, label=text)
    line_legend(figure, axes)
    bar.ax.axvline(limit, color="white", linewidth=2.4)
    bar.ax.axvline(limit, color="black", linewidth=1.0)
    return figure
