"""Fig. 4: distributions of the offsets with their Gaussian fits."""

import sys
from typing import TYPE_CHECKING

import pandas as pd

from gaia_offsets import figures

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    histograms = pd.read_csv(snakemake.input.histograms)
    offsets = pd.read_csv(snakemake.input.offsets)
    figure = figures.draw_offsets(histograms, offsets, title=snakemake.params.title)
    figures.save_figure(figure, snakemake.output.png, snakemake.output.pdf, dpi=snakemake.params.dpi)
    for row in offsets.itertuples():
        print(f"{row.solution} {row.parallax}: {row.n} stars", file=sys.stderr)
