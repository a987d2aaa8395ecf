"""Global offsets of each solution and parallax, the histograms of Fig. 4, and zero point and distance scale together.

The scale is that of offset = zero point + (scale - 1) parallax, with errors in both variables.
"""

import sys
from collections.abc import Iterable, Sequence

import pandas as pd

from gaia_offsets.estimators import PARALLAXES, global_offsets, histograms
from gaia_offsets.faults import open_log
from gaia_offsets.tables import write_table
from gaia_offsets.tracers import MEASURED, Tracers, drawn_stars, read_scatter
from gaia_offsets.weighted import LINE, Scatter, star_table, zero_point_and_scale


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
    path, solutions = snakemake.input.tracers, list(snakemake.params.solutions)
    tracers = Tracers(path, (*MEASURED, *PARALLAXES.values()))
    scatter = read_scatter(snakemake.input.scatter, snakemake.params.reference, path)
    offsets = global_offsets(tracers, solutions, snakemake.params.gaussian, scatter)
    scale = scale_table(tracers, solutions, scatter)
    print(offsets.to_string(index=False), scale.to_string(index=False), sep="\n", file=sys.stderr)
    write_table(offsets, snakemake.output.offsets)
    counts = histograms(Tracers(path, ("solution", *PARALLAXES.values())), solutions, width=snakemake.params.width)
    write_table(counts, snakemake.output.histograms)
    write_table(scale, snakemake.output.scale)
