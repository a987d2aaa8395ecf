"""Fig. 5: mean offset against magnitude, colour and ecliptic latitude."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from gaia_offsets import figures

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    trends = pd.read_csv(snakemake.input.trends)
    made = json.loads(Path(snakemake.input.settings).read_text(encoding="utf-8"))
    figure = figures.draw_trends(
        trends, title=snakemake.params.title, min_stars=snakemake.params.min_stars, joined=made["joined"]
    )
    figures.save_figure(figure, snakemake.output.png, snakemake.output.pdf, dpi=snakemake.params.dpi)
    for (solution, parallax, variable), bins in trends.groupby(["solution", "parallax", "variable"]):
        print(f"{solution} {parallax} {variable}: {len(bins)} bins", file=sys.stderr)
