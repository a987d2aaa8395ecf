"""Fig. 6: maps of the mean offset, together and one figure for each parallax."""

import sys
from typing import TYPE_CHECKING

import pandas as pd

from gaia_offsets import figures

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    maps = {frame: pd.read_csv(snakemake.input[frame]) for frame in ("equatorial", "galactic")}
    settings = {
        "title": snakemake.params.title,
        "nside": snakemake.params.nside,
        "ordering": snakemake.params.ordering,
        "more_than": snakemake.params.more_than,
        "colour_range": snakemake.params.colour_range,
    }
    figure = figures.draw_maps(maps, **settings)
    figures.save_figure(figure, snakemake.output.png, snakemake.output.pdf, dpi=snakemake.params.dpi)
    for parallax in figures.PARALLAXES:
        figure = figures.draw_maps(maps, **settings, parallaxes=[parallax])
        figures.save_figure(figure, snakemake.output[parallax], dpi=snakemake.params.dpi)
    for frame, table in maps.items():
        print(f"{frame}: {table['hindex'].nunique()} pixels", file=sys.stderr)
