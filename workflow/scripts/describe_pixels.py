"""The long version of Table 1: more statistics, errors of other kinds and the stars of each pixel."""

import sys
from typing import TYPE_CHECKING

import pandas as pd

from gaia_offsets.dataset import EXTENDED, describe_pixels, read_dataset, write_dataset

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

FORMATS = ("ecsv", "fits", "parquet")

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    _, meta = read_dataset(snakemake.input.dataset)
    table = describe_pixels(
        pd.read_parquet(snakemake.input.tracers),
        pd.read_csv(snakemake.input.offsets),
        frame=snakemake.wildcards.frame,
        **{key: meta[key] for key in ("nside", "ordering", "more_than")},
        gaussian=snakemake.params.gaussian,
        systematic_uas=meta["systematic_uas"],
        **snakemake.params.bootstrap,
    )
    for form in FORMATS:
        write_dataset(table, snakemake.output[form], EXTENDED, meta)
    print(f"{len(table)} pixels, {snakemake.params.bootstrap['replicates']} bootstrap replicates", file=sys.stderr)
    for kind in ("corr", "noncorr"):
        ratio = (table[f"e_boot_{kind}"] / table[f"e_domega_{kind}"]).median()
        scatter = table[f"z_{kind}"].std()
        print(f"{kind}: bootstrap over stated error {ratio:.3f}, scatter of z {scatter:.2f}", file=sys.stderr)
