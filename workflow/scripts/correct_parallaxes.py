"""Tracers: official zero point, corrected parallax and the two offsets of each star (Sect. 3); other zero points."""

import sys

import pandas as pd

from gaia_offsets.corrections import with_offsets
from gaia_offsets.faults import open_log
from gaia_offsets.tables import check_table, write_table

if __name__ == "__main__":
    open_log(snakemake.log[0])
    corrections = {
        name: {**block, "path": snakemake.input.get(f"correction_{name}")}
        for name, block in snakemake.params.corrections.items()
    }
    official, also = snakemake.params.official, snakemake.params.also
    tracers = with_offsets(
        pd.read_parquet(snakemake.input.stars), official=official, also=also, corrections=corrections
    )
    for name, column in {official: "zero_point", **{name: f"zero_point_{name}" for name in also}}.items():
        print(f"{len(tracers)} tracers, {tracers[column].isna().sum()} without a zero point of {name}", file=sys.stderr)
    write_table(check_table(tracers, list(tracers.columns), snakemake.output.tracers), snakemake.output.tracers)
