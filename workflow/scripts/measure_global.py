"""Scatter of the stars beyond their errors; global offsets, the histograms of Fig. 4, zero point and distance scale.

The scale is that of offset = zero point + (scale - 1) parallax, with errors in both variables.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from gaia_offsets.core.columns import PARALLAXES
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.log import say
from gaia_offsets.offsets.estimators import global_offsets, histograms
from gaia_offsets.offsets.tracers import MEASURED, Tracers, drawn_stars, read_scatter
from gaia_offsets.offsets.weighted import (
    LINE,
    SCATTER,
    SCATTER_NSIDE,
    Scatter,
    both_scatters,
    star_table,
    zero_point_and_scale,
)
from gaia_offsets.sky.positions import pixel_index
from gaia_offsets.tables.read import write_table


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


def scale_table(tracers: Iterable[pd.DataFrame], solutions: Sequence[str], scatter: Scatter) -> pd.DataFrame:
    """zero_point_scale.csv: the line of each solution and parallax that has stars; tracers in pieces."""
    rows = []
    for solution, drawn in drawn_stars(tracers, solutions).items():
        for parallax in PARALLAXES if len(drawn) else ():
            stars = star_table(drawn, parallax, scatter.reference_kind)
            line = zero_point_and_scale(stars, scatter.of(solution, parallax, sky=True))
            rows.append({"solution": solution, "parallax": parallax, **line})
    return pd.DataFrame(rows, columns=["solution", "parallax", *LINE])


if __name__ == "__main__":
    open_log(snakemake.log[0])
    path, solutions, reference = snakemake.input.tracers, list(snakemake.params.solutions), snakemake.params.reference
    table = scatter_table(Tracers(path, (*MEASURED, "ra", "dec")), solutions, reference)
    write_table(table, snakemake.output.scatter)
    stars = without = 0
    for piece in Tracers(path, ("reference_parallax_error",)):
        error = piece["reference_parallax_error"].to_numpy(dtype=float)
        stars, without = stars + len(error), without + int((~np.isfinite(error)).sum())
    if without:
        say(f"WARNING: {without} of {stars} stars have no reference error, and no weight")
    scatter = read_scatter(snakemake.output.scatter, reference, path)
    tracers = Tracers(path, (*MEASURED, *PARALLAXES.values()))
    offsets = global_offsets(tracers, solutions, snakemake.params.gaussian, scatter)
    scale = scale_table(tracers, solutions, scatter)
    say(*(each.to_string(index=False) for each in (table, offsets, scale)))
    write_table(offsets, snakemake.output.offsets)
    counts = histograms(Tracers(path, ("solution", *PARALLAXES.values())), solutions, width=snakemake.params.width)
    write_table(counts, snakemake.output.histograms)
    write_table(scale, snakemake.output.scale)
