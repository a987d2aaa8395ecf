"""Fig. 1: absolute magnitudes from Gaia distances against those of the catalogue."""

import sys
from typing import TYPE_CHECKING

import pandas as pd

from gaia_offsets import figures
from gaia_offsets.figures_comparison import draw_magnitudes

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    fits = pd.read_csv(snakemake.input.fits)
    figure = draw_magnitudes(pd.read_csv(snakemake.input.histogram), fits, title=snakemake.params.title)
    figures.save_figure(figure, snakemake.output.png, snakemake.output.pdf, dpi=snakemake.params.dpi)
    for row in fits.itertuples():
        print(f"{row.kind}: {row.n} stars", file=sys.stderr)
