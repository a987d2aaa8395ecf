"""The corrections of a sample side by side: global offset, distance scale, and what each leaves beyond noise."""

import pandas as pd

from gaia_offsets.checks.corrections import correction_table
from gaia_offsets.core.columns import PARALLAXES
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.files import read_json
from gaia_offsets.core.log import say
from gaia_offsets.offsets.scatter import Scatter
from gaia_offsets.offsets.stars import MEASURED
from gaia_offsets.tables.parquet import read_tracers
from gaia_offsets.tables.read import write_table

if __name__ == "__main__":
    open_log(snakemake.log[0])
    solutions, corrections = snakemake.params.solutions, snakemake.params.corrections
    further = [f"zero_point_{name}" for name in corrections if name not in PARALLAXES]
    columns = [*MEASURED, "ra", "dec", "ecl_lat", *solutions.values(), *further]
    table = correction_table(
        read_tracers(snakemake.input.tracers, columns),
        solutions,
        Scatter(snakemake.params.reference, pd.read_csv(snakemake.input.scatter)),
        pd.read_csv(snakemake.input.trends),
        read_json(snakemake.input.settings),
        snakemake.params.gaussian,
        corrections,
    )
    say(table.to_string(index=False))
    write_table(table, snakemake.output.corrections)
