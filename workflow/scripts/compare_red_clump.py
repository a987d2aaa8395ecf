"""Fig. 3: reference parallaxes against those of a red clump catalogue."""

import numpy as np
import pandas as pd

from gaia_offsets.core.faults import open_log
from gaia_offsets.core.log import say
from gaia_offsets.paper.red_clump import (
    clump_of_sample,
    red_clump_pairs,
    red_clump_summary,
    red_clump_trend,
    symmetric_parallax,
)
from gaia_offsets.tables.read import read_table, write_table

if __name__ == "__main__":
    open_log(snakemake.log[0])
    stars = pd.read_parquet(snakemake.input.stars)
    if snakemake.params.from_sample:
        clump = clump_of_sample(pd.read_parquet(snakemake.input.red_clump))
    else:
        clump = read_table(snakemake.input.red_clump, snakemake.params.columns, required=("ra", "dec", "distance"))
    pairs = red_clump_pairs(
        stars,
        clump,
        release_epoch=snakemake.params.release_epoch,
        epoch=snakemake.params.epoch,
        radius_arcsec=snakemake.params.radius_arcsec,
    )
    fraction = float((stars["reference_parallax_error"] / stars["reference_parallax"]).median())
    if not np.isfinite(fraction):
        fraction = snakemake.params.red_clump_error  # no error is known: weigh both alike
    errors = {"reference_error": fraction, "red_clump_error": snakemake.params.red_clump_error}
    abscissae = {"red_clump": pairs["red_clump_parallax"].to_numpy(), "mean": symmetric_parallax(pairs, **errors)}
    trend = red_clump_trend(
        pairs,
        abscissae,
        width=snakemake.params.bin_uas,
        min_stars=snakemake.params.min_stars,
        gaussian=snakemake.params.gaussian,
    )
    summary = red_clump_summary(pairs, len(clump), snakemake.params.gaussian)
    say(f"{len(stars)} stars, {len(clump)} red clump stars, {len(pairs)} in common")
    say(f"fractional errors: {errors}", summary.to_string(index=False))
    write_table(pairs, snakemake.output.pairs)
    write_table(trend, snakemake.output.trend)
    write_table(summary, snakemake.output.summary)
