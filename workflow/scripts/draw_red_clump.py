"""Fig. 3: reference parallaxes against those of a red clump catalogue."""

import sys
from typing import TYPE_CHECKING

import pandas as pd

from gaia_offsets import figures
from gaia_offsets.figures_comparison import draw_red_clump

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    trend = pd.read_csv(snakemake.input.trend)
    figure = draw_red_clump(
        pd.read_parquet(snakemake.input.pairs),
        trend,
        pd.read_csv(snakemake.input.summary),
        title=snakemake.params.title,
        abscissa=snakemake.params.abscissa,
        min_stars=snakemake.params.min_stars,
    )
    figures.save_figure(figure, snakemake.output.png, snakemake.output.pdf, dpi=snakemake.params.dpi)
    print(f"{len(trend)} bins", file=sys.stderr)
