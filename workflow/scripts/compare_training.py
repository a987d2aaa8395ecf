"""Fig. 2: absolute magnitudes and colours of training-like stars against those of the giants."""

import sys
from typing import TYPE_CHECKING

import pandas as pd

from gaia_offsets.comparison import observed_stars, training_groups, training_histograms, training_summary
from gaia_offsets.tables import write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    matched = pd.read_parquet(snakemake.input.matched, dtype_backend="numpy_nullable")
    observed = observed_stars(matched, snakemake.params.one_row_per, min_snr=snakemake.params.min_snr)
    groups = training_groups(
        observed,
        pd.read_parquet(snakemake.input.stars),
        snakemake.params.absolute_magnitude,
        max_ebv=snakemake.params.max_ebv,
    )
    histograms = training_histograms(groups)
    summary = training_summary(groups, histograms)
    print(summary.to_string(index=False), file=sys.stderr)
    write_table(histograms, snakemake.output.histograms)
    write_table(summary, snakemake.output.summary)
