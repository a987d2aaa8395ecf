"""Global offsets of each solution and parallax, and the histograms of Fig. 4."""

import sys

import pandas as pd

from gaia_offsets.estimators import global_offsets, histograms
from gaia_offsets.faults import open_log
from gaia_offsets.tables import write_table
from gaia_offsets.weighted import Scatter

if __name__ == "__main__":
    open_log(snakemake.log[0])
    tracers = pd.read_parquet(snakemake.input.tracers)
    scatter = Scatter(snakemake.params.reference, pd.read_csv(snakemake.input.scatter))
    offsets = global_offsets(tracers, snakemake.params.gaussian, scatter)
    print(offsets.to_string(index=False), file=sys.stderr)
    write_table(offsets, snakemake.output.offsets)
    write_table(histograms(tracers, width=snakemake.params.width), snakemake.output.histograms)
