"""Fig. 1: absolute magnitudes from Gaia distances against those of the catalogue."""

import sys
from typing import TYPE_CHECKING

import pandas as pd

from gaia_offsets.comparison import magnitude_differences, magnitude_fits, magnitude_histogram, observed_stars
from gaia_offsets.tables import write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    matched = pd.read_parquet(snakemake.input.matched, dtype_backend="numpy_nullable")
    stars = observed_stars(matched, snakemake.params.one_row_per, min_snr=snakemake.params.min_snr)
    differences = magnitude_differences(stars, snakemake.params.reference, max_logg=snakemake.params.max_logg)
    fits = magnitude_fits(differences, snakemake.params.gaussian)
    print(f"{len(differences)} of {len(stars)} stars have both magnitudes", file=sys.stderr)
    print(fits.to_string(index=False), file=sys.stderr)
    write_table(fits, snakemake.output.fits)
    write_table(magnitude_histogram(differences), snakemake.output.histogram)
