"""The paper's Table 1 of one frame in every format, and the footprint (Table 1)."""

import sys
from typing import TYPE_CHECKING

import pandas as pd

from gaia_offsets.dataset import TABLE1, describe, table1, write_dataset, write_footprint

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

FORMATS = ("ecsv", "fits", "csv", "mrt", "vot", "parquet")

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    wildcards, params = snakemake.wildcards, snakemake.params
    table = table1(pd.read_csv(snakemake.input.offsets), frame=wildcards.frame, **params.measure["map"])
    meta = describe(
        wildcards.sample,
        wildcards.frame,
        sample=params.sample,
        datasets=params.datasets,
        surveys=params.surveys,
        measure=params.measure,
        publish=params.publish,
    )
    for form in FORMATS:
        write_dataset(table, snakemake.output[form], TABLE1, meta)
    write_footprint(table["hindex"].to_numpy(), snakemake.output.moc, meta)
    print(f"{len(table)} pixels with {int(table['n'].sum())} 5p stars", file=sys.stderr)
    print(f"{int(table['domega_corr'].isna().sum())} of them without a corrected offset", file=sys.stderr)
