"""How far the errors of the stars explain their scatter: a factor on Gaia's errors and an extra term."""

import sys

import numpy as np
import pandas as pd

from gaia_offsets.estimators import PARALLAXES, SOLUTIONS
from gaia_offsets.faults import open_log
from gaia_offsets.sky import pixel_index
from gaia_offsets.tables import write_table
from gaia_offsets.weighted import SCATTER, SCATTER_NSIDE, both_scatters, star_table


def scatter_table(tracers: pd.DataFrame, reference_kind: str) -> pd.DataFrame:
    """scatter.csv: factor, extra scatter [uas] and more for each solution and parallax that has stars.

    `sky_factor` and `sky_extra` are those of the whole sample, the pattern on the sky included.
    """
    pixel = pixel_index(tracers["ra"].to_numpy(), tracers["dec"].to_numpy(), nside=SCATTER_NSIDE, ordering="nested")
    rows = []
    for solution in SOLUTIONS:
        here = (tracers["solution"] == solution).to_numpy()
        for parallax in PARALLAXES if here.any() else ():
            stars = star_table(tracers[here], parallax, reference_kind)
            rows.append({"solution": solution, "parallax": parallax, **both_scatters(stars, pixel[here])})
    return pd.DataFrame(rows, columns=["solution", "parallax", *SCATTER, "sky_factor", "sky_extra"])


if __name__ == "__main__":
    open_log(snakemake.log[0])
    tracers = pd.read_parquet(snakemake.input.tracers)
    table = scatter_table(tracers, snakemake.params.reference)
    print(table.to_string(index=False), file=sys.stderr)
    without = int((~np.isfinite(tracers["reference_parallax_error"])).sum())
    if without:
        print(f"WARNING: {without} of {len(tracers)} stars have no reference error, and no weight", file=sys.stderr)
    write_table(table, snakemake.output.scatter)
