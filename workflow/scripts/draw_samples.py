"""Global offsets of the run's samples beside those of the literature, one line each."""

import sys
from typing import TYPE_CHECKING

import pandas as pd

from gaia_offsets import figures
from gaia_offsets.claims import html_table, page, paragraph
from gaia_offsets.figures_comparison import draw_samples

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    samples = pd.read_csv(snakemake.input.samples, dtype={"n": "Int64"})
    title = "Global offsets of the samples of this run and of the literature"
    figure = draw_samples(samples, title=title)
    figures.save_figure(figure, snakemake.output.png, snakemake.output.pdf, dpi=snakemake.params.dpi)
    table = html_table(samples.drop(columns="simulated"), {"offset": ".1f", "error": ".1f"})
    text = "Samples whose name says so are simulated: their numbers say nothing about Gaia."
    with open(snakemake.output.page, "w", encoding="utf-8", newline="\n") as stream:
        stream.write(page(f"{title} [uas]", paragraph(text), table, simulated=False))
    print(f"{len(samples)} offsets", file=sys.stderr)
