"""More errors of the global offsets: bootstrap over stars, jackknife over the sky, Gaia's correlated floor."""

import pandas as pd

from gaia_offsets.checks.errors import error_table
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.log import say
from gaia_offsets.offsets.scatter import Scatter
from gaia_offsets.offsets.stars import MEASURED
from gaia_offsets.tables.parquet import read_tracers
from gaia_offsets.tables.read import write_table

if __name__ == "__main__":
    open_log(snakemake.log[0])
    table = error_table(
        read_tracers(snakemake.input.tracers, [*MEASURED, "ra", "dec"]),
        Scatter(snakemake.params.reference, pd.read_csv(snakemake.input.scatter)),
        pd.read_csv(snakemake.input.offsets),
        snakemake.params.gaussian,
        snakemake.params.bootstrap,
    )
    say(table.to_string(index=False))
    write_table(table, snakemake.output.errors)
