"""README of a sample's results: its files, how to read and cite them, and what they cannot tell."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gaia_offsets.dataset import read_dataset, readme

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    datasets = {frame: read_dataset(snakemake.input[frame]) for frame in ("equatorial", "galactic")}
    text = readme(datasets)
    Path(snakemake.output.readme).write_text(text, encoding="utf-8")
    print(f"{len(text.splitlines())} lines", file=sys.stderr)
