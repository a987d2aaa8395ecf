"""How far the errors of the stars explain their scatter: a factor on Gaia's errors and an extra term."""

import sys
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from gaia_offsets.estimators import PARALLAXES
from gaia_offsets.faults import open_log
from gaia_offsets.sky import pixel_index
from gaia_offsets.tables import write_table
from gaia_offsets.tracers import MEASURED, Tracers, drawn_stars
from gaia_offsets.weighted import SCATTER, SCATTER_NSIDE, both_scatters, star_table


def scatter_table(tracers: Iterable[pd.DataFrame], solutions: Sequence[str], reference_kind: str) -> pd.DataFrame:
    """scatter.csv: factor, extra scatter [uas] and more for each solution and parallax that has stars.

    `sky_factor` and `sky_extra` are those of the whole sample, the pattern on the sky included. Tracers come in pieces.
    """
    rows = []
    for solution, drawn in drawn_stars(tracers, solutions).items():
        position = (drawn[name].to_numpy() for name in ("ra", "dec"))
        pixel = pixel_index(*position, nside=SCATTER_NSIDE, ordering="nested")
        for parallax in PARALLAXES if len(drawn) else ():
            row = both_scatters(star_table(drawn, parallax, reference_kind), pixel)
            rows.append({"solution": solution, "parallax": parallax, **row})
    return pd.DataFrame(rows, columns=["solution", "parallax", *SCATTER, "sky_factor", "sky_extra"])


if __name__ == "__main__":
    open_log(snakemake.log[0])
    path = snakemake.input.tracers
    table = scatter_table(
        Tracers(path, (*MEASURED, "ra", "dec")), list(snakemake.params.solutions), snakemake.params.reference
    )
    print(table.to_string(index=False), file=sys.stderr)
    stars = without = 0
    for piece in Tracers(path, ("reference_parallax_error",)):
        error = piece["reference_parallax_error"].to_numpy(dtype=float)
        stars, without = stars + len(error), without + int((~np.isfinite(error)).sum())
    if without:
        print(f"WARNING: {without} of {stars} stars have no reference error, and no weight", file=sys.stderr)
    write_table(table, snakemake.output.scatter)
