"""Scatter of the stars beyond their errors; global offsets, the histograms of Fig. 4, zero point and distance scale.

The scale is that of offset = zero point + (scale - 1) parallax, with errors in both variables.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from gaia_offsets.core.columns import PARALLAXES
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.log import say
from gaia_offsets.offsets.binned import global_offsets, histograms
from gaia_offsets.offsets.line import LINE, zero_point_and_scale
from gaia_offsets.offsets.scatter import SCATTER, SCATTER_NSIDE, Scatter, both_scatters
from gaia_offsets.offsets.stars import MEASURED, drawn_stars, star_table
from gaia_offsets.sky.positions import pixel_index
from gaia_offsets.tables.parquet import read_tracers
from gaia_offsets.tables.read import write_table


def scatter_table(tracers: pd.DataFrame, solutions: Sequence[str], reference_kind: str) -> pd.DataFrame:
    """scatter.csv: factor, extra scatter [uas] and more for each solution and parallax that has stars.

    `sky_factor` and `sky_extra` are those of the whole sample, the pattern on the sky included.
    """
    rows, every = [], drawn_stars(tracers)
    for solution in solutions:
        drawn = every[every["solution"] == solution]
        pixel = pixel_index(*(drawn[name].to_numpy() for name in ("ra", "dec")), nside=SCATTER_NSIDE, ordering="nested")
        for parallax in PARALLAXES if len(drawn) else ():
            row = both_scatters(star_table(drawn, parallax, reference_kind), pixel)
            rows.append({"solution": solution, "parallax": parallax, **row})
    return pd.DataFrame(rows, columns=["solution", "parallax", *SCATTER, "sky_factor", "sky_extra"])


def scale_table(tracers: pd.DataFrame, solutions: Sequence[str], scatter: Scatter) -> pd.DataFrame:
    """zero_point_scale.csv: the line of each solution and parallax that has stars."""
    rows, every = [], drawn_stars(tracers)
    for solution in solutions:
        drawn = every[every["solution"] == solution]
        for parallax in PARALLAXES if len(drawn) else ():
            stars = star_table(drawn, parallax, scatter.reference_kind)
            line = zero_point_and_scale(stars, scatter.of(solution, parallax, sky=True))
            rows.append({"solution": solution, "parallax": parallax, **line})
    return pd.DataFrame(rows, columns=["solution", "parallax", *LINE])


if __name__ == "__main__":
    open_log(snakemake.log[0])
    solutions, reference = list(snakemake.params.solutions), snakemake.params.reference
    tracers = read_tracers(snakemake.input.tracers, [*MEASURED, "ra", "dec"])
    without = int((~np.isfinite(tracers["reference_parallax_error"].to_numpy(dtype=float))).sum())
    if without:
        say(f"WARNING: {without} of {len(tracers)} stars have no reference error, and no weight")
    table = scatter_table(tracers, solutions, reference)
    scatter = Scatter(reference, table)
    offsets = global_offsets(tracers, solutions, snakemake.params.gaussian, scatter)
    scale = scale_table(tracers, solutions, scatter)
    say(*(each.to_string(index=False) for each in (table, offsets, scale)))
    write_table(table, snakemake.output.scatter)
    write_table(offsets, snakemake.output.offsets)
    write_table(histograms(tracers, solutions, width=snakemake.params.width), snakemake.output.histograms)
    write_table(scale, snakemake.output.scale)
