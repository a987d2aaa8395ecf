"""Number of stars by sky pixel in both frames."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from gaia_offsets import style
from gaia_offsets.faults import open_log
from gaia_offsets.skymap import colour_bar, resolution, sky_note, sky_panels


@style.styled
def draw_counts(maps: Mapping[str, pd.DataFrame], made: Mapping[str, Any], *, title: str) -> Figure:
    """Number of 5p stars by sky pixel in each frame (pixels with 2 stars or more), on a logarithmic scale.

    `maps` has map_{frame}.csv by frame; `made` is map_equatorial.json. A line on the colour bar marks its more_than:
    the published map has the pixels above it.
    """
    figure, axes, skies = sky_panels(maps, made, title=title, rows=1)
    counts = [style.rows(table, solution="5p", parallax="raw") for table in maps.values()]
    limit = made["more_than"]
    most = max(table["n"].to_numpy(dtype=float).max(initial=10.0) for table in counts)
    scale = {"norm": LogNorm(1, max(most, 1.5 * limit)), "cmap": "viridis"}
    for ax, sky, table in zip(axes[0], skies, counts, strict=True):
        sky.draw(ax, table["hindex"], table["n"], scale)
        ax.set_title(f"{sky.name}: {(table['n'] > limit).sum():,} of {len(table):,} pixels above {limit}")
        if len(table) == 0:
            sky_note(ax, "no 5p stars")
    text = f"5p stars in a pixel, {resolution(made)}; published above the mark at {limit}"
    bar = colour_bar(figure, axes, scale, format=style.THOUSANDS, label=text)
    bar.ax.axvline(limit, color="white", linewidth=2.4)
    bar.ax.axvline(limit, color="black", linewidth=1.0)
    return figure


if __name__ == "__main__":
    open_log(snakemake.log[0])
    maps = {frame: pd.read_csv(snakemake.input[frame]) for frame in ("equatorial", "galactic")}
    made = json.loads(Path(snakemake.input.settings).read_text(encoding="utf-8"))
    figure = draw_counts(maps, made, title=snakemake.params.title)
    style.save_figure(figure, snakemake.output.png, snakemake.output.pdf, dpi=snakemake.params.dpi)
    for frame, table in maps.items():
        print(f"{frame}: {table['hindex'].nunique()} pixels", file=sys.stderr)
