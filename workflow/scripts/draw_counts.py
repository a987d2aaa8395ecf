"""Number of stars by sky pixel in both frames."""

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
    maps = {frame: pd.read_csv(snakemake.input[frame]) for frame in ("equatorial", "galactic")}
    made = json.loads(Path(snakemake.input.settings).read_text(encoding="utf-8"))
    figure = figures.draw_counts(
        maps,
        title=snakemake.params.title,
        **{key: made[key] for key in ("nside", "ordering", "more_than", "chosen_by")},
    )
    figures.save_figure(figure, snakemake.output.png, snakemake.output.pdf, dpi=snakemake.params.dpi)
    for frame, table in maps.items():
        print(f"{frame}: {table['hindex'].nunique()} pixels", file=sys.stderr)
