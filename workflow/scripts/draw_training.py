"""Fig. 2: absolute magnitudes and colours of training-like stars against those of the giants."""

import sys
from typing import TYPE_CHECKING

import pandas as pd

from gaia_offsets import figures
from gaia_offsets.figures_comparison import draw_training

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    summary = pd.read_csv(snakemake.input.summary)
    figure = draw_training(pd.read_csv(snakemake.input.histograms), summary, title=snakemake.params.title)
    figures.save_figure(figure, snakemake.output.png, snakemake.output.pdf, dpi=snakemake.params.dpi)
    for row in summary.itertuples():
        print(f"{row.group}: {row.n} stars", file=sys.stderr)
