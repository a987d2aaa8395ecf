"""Fig. 6: maps of the mean offset, together and one figure for each parallax."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from gaia_offsets import style
from gaia_offsets.faults import open_log
from gaia_offsets.skymap import colour_bar, resolution, sky_note, sky_panels


@style.styled
def draw_maps(
    maps: Mapping[str, pd.DataFrame],
    made: Mapping[str, Any],
    *,
    title: str,
    colour_range: Sequence[float],
    parallaxes: Sequence[str] = style.PARALLAXES,
) -> Figure:
    """Fig. 6: mean offset (Gaussian fit) by sky pixel, 5p; a row a parallax, a column a frame, one colour scale.

    `maps` has map_{frame}.csv by frame: solution, parallax, hindex, n and the statistics [uas]. `made` is
    map_equatorial.json: nside, ordering, chosen_by (config or sample) and more_than; shown are pixels with more stars
    than that, the rest of the sky is grey.
    """
    figure, axes, skies = sky_panels(maps, made, title=title, rows=len(parallaxes))
    scale = {"norm": Normalize(*colour_range), "cmap": "RdBu_r"}
    for row, parallax in zip(axes, parallaxes, strict=True):
        for ax, sky, table in zip(row, skies, maps.values(), strict=True):
            pixels = style.rows(table, solution="5p", parallax=parallax)
            pixels = pixels[pixels["n"] > made["more_than"]]
            sky.draw(ax, pixels["hindex"], pixels["gaussian_mean"], scale)
            ax.set_title(f"{parallax}, {sky.name}")
            if not np.isfinite(pixels["gaussian_mean"].to_numpy(float)).any():
                sky_note(ax, f"no pixel with more than {made['more_than']} 5p stars")
    text = f"mean offset, Gaia minus reference parallax, 5p [{style.UAS}]; {resolution(made)}"
    colour_bar(figure, axes, scale, extend="both", label=text)
    return figure


if __name__ == "__main__":
    open_log(snakemake.log[0])
    maps = {frame: pd.read_csv(snakemake.input[frame]) for frame in ("equatorial", "galactic")}
    made = json.loads(Path(snakemake.input.settings).read_text(encoding="utf-8"))
    looks = {"title": snakemake.params.title, "colour_range": snakemake.params.colour_range}
    figure = draw_maps(maps, made, **looks)
    style.save_figure(figure, snakemake.output.png, snakemake.output.pdf, dpi=snakemake.params.dpi)
    for parallax in style.PARALLAXES:
        figure = draw_maps(maps, made, **looks, parallaxes=[parallax])
        style.save_figure(figure, snakemake.output[parallax], dpi=snakemake.params.dpi)
    for frame, table in maps.items():
        print(f"{frame}: {table['hindex'].nunique()} pixels", file=sys.stderr)
