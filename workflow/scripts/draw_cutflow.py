"""Stars kept after each step of the selection (Sect. 2.1)."""

import sys
from typing import TYPE_CHECKING

import pandas as pd

from gaia_offsets import figures

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    cutflow = pd.read_csv(snakemake.input.cutflow)
    figure = figures.draw_cutflow(cutflow, title=snakemake.params.title)
    figures.save_figure(figure, snakemake.output.png, snakemake.output.pdf, dpi=snakemake.params.dpi)
    print(f"{len(cutflow)} steps", file=sys.stderr)
