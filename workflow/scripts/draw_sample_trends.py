"""Trends of the run's samples on top of one another."""

import sys
from typing import TYPE_CHECKING

import pandas as pd

from gaia_offsets import figures
from gaia_offsets.figures_comparison import draw_sample_trends

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    titles = [sample["title"] for sample in snakemake.params.samples]
    trends = {title: pd.read_csv(path) for title, path in zip(titles, snakemake.input.trends, strict=True)}
    figure = draw_sample_trends(trends, title="Trends of the samples")
    figures.save_figure(figure, snakemake.output.png, snakemake.output.pdf, dpi=snakemake.params.dpi)
    for title, table in trends.items():
        print(f"{title}: {len(table)} bins", file=sys.stderr)
