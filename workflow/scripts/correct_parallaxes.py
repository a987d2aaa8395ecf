"""Tracers: official zero point, corrected parallax and the two offsets of each star (Sect. 3)."""

import sys

import pandas as pd

from gaia_offsets.official import with_offsets
from gaia_offsets.tables import check_table, write_table

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    tracers = with_offsets(pd.read_parquet(snakemake.input.stars), official=snakemake.params.official)
    outside = int(tracers["zero_point"].isna().sum())
    print(f"{len(tracers)} tracers, {outside} of them without an official zero point", file=sys.stderr)
    write_table(check_table(tracers, list(tracers.columns), snakemake.output.tracers), snakemake.output.tracers)
