"""Offsets in bins of G, colour and ecliptic latitude (Fig. 5)."""

import sys
from typing import TYPE_CHECKING

import pandas as pd

from gaia_offsets.config import expand_edges
from gaia_offsets.estimators import trends
from gaia_offsets.tables import write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    bins = snakemake.params.trends
    table = trends(
        pd.read_parquet(snakemake.input.tracers),
        {variable: expand_edges(edges) for variable, edges in bins["edges"].items()},
        min_stars=bins["min_stars"],
        gaussian=snakemake.params.gaussian,
    )
    print(f"{len(table)} bins with at least {bins['min_stars']} stars", file=sys.stderr)
    write_table(table, snakemake.output.trends)
