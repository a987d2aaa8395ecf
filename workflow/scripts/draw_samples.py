"""Global offsets of the run's samples beside those of the literature, one line each."""

import sys
from typing import TYPE_CHECKING

import pandas as pd

from gaia_offsets import figures, pages
from gaia_offsets.figures_comparison import draw_samples

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    samples = pd.read_csv(snakemake.input.samples, dtype={"n": "Int64"})
    title = "Global offsets of the samples of this run and of the literature"
    figure = draw_samples(samples, title=title)
    figures.save_figure(figure, snakemake.output.png, snakemake.output.pdf, dpi=snakemake.params.dpi)
    table = pages.table(samples.drop(columns="simulated"), {"offset": ".1f", "error": ".1f"})
    pages.save(snakemake.output.page, "samples.html.j2", title=f"{title} [uas]", simulated=False, table=table)
    print(f"{len(samples)} offsets", file=sys.stderr)
