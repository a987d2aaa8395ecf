"""Offsets in the HEALPix pixels of one frame (Fig. 6, Table 1)."""

import sys
from typing import TYPE_CHECKING

import pandas as pd

from gaia_offsets.estimators import pixel_offsets
from gaia_offsets.sky import FRAMES, pixel_index
from gaia_offsets.tables import write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    tracers = pd.read_parquet(snakemake.input.tracers)
    angles = (tracers[name].to_numpy() for name in FRAMES[snakemake.wildcards.frame])
    pixel = pixel_index(*angles, nside=snakemake.params.nside, ordering=snakemake.params.ordering)
    table = pixel_offsets(tracers, pixel, gaussian=snakemake.params.gaussian)
    print(f"{len(table)} rows for {table['hindex'].nunique()} pixels with two stars or more", file=sys.stderr)
    write_table(table, snakemake.output.offsets)
