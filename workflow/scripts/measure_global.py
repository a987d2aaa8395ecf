"""Global offsets of each solution and parallax, the histograms of Fig. 4, and zero point and distance scale together.

The scale is that of offset = zero point + (scale - 1) parallax, with errors in both variables.
"""

import sys

import pandas as pd

from gaia_offsets.estimators import PARALLAXES, SOLUTIONS, global_offsets, histograms
from gaia_offsets.faults import open_log
from gaia_offsets.tables import write_table
from gaia_offsets.weighted import LINE, Scatter, star_table, zero_point_and_scale


def scale_table(tracers: pd.DataFrame, scatter: Scatter) -> pd.DataFrame:
    """zero_point_scale.csv: the line of each solution and parallax that has stars."""
    rows = []
    for solution in SOLUTIONS:
        tracers_of = tracers[tracers["solution"] == solution]
        for parallax in PARALLAXES if len(tracers_of) else ():
            stars = star_table(tracers_of, parallax, scatter.reference_kind)
            line = zero_point_and_scale(stars, scatter.of(solution, parallax, sky=True))
            rows.append({"solution": solution, "parallax": parallax, **line})
    return pd.DataFrame(rows, columns=["solution", "parallax", *LINE])


if __name__ == "__main__":
    open_log(snakemake.log[0])
    tracers = pd.read_parquet(snakemake.input.tracers)
    scatter = Scatter(snakemake.params.reference, pd.read_csv(snakemake.input.scatter))
    offsets, scale = global_offsets(tracers, snakemake.params.gaussian, scatter), scale_table(tracers, scatter)
    print(offsets.to_string(index=False), scale.to_string(index=False), sep="\n", file=sys.stderr)
    write_table(offsets, snakemake.output.offsets)
    write_table(histograms(tracers, width=snakemake.params.width), snakemake.output.histograms)
    write_table(scale, snakemake.output.scale)
