"""Magnitudes against Gaia distances (Fig. 1), training stars (Fig. 2), and what the cut on parallax does."""

import pandas as pd

from gaia_offsets.core.columns import LEARNED, magnitude_column
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.files import write_json
from gaia_offsets.core.log import say
from gaia_offsets.paper.budget import parallax_limit, selection_columns, selection_effect
from gaia_offsets.paper.comparison import read_observed
from gaia_offsets.paper.magnitudes import magnitude_differences, magnitude_fits, magnitude_histogram
from gaia_offsets.paper.training_set import OWN, training_groups, training_histograms, training_summary
from gaia_offsets.sample.reference import reference_columns
from gaia_offsets.tables.parquet import read_pieces
from gaia_offsets.tables.read import write_table

if __name__ == "__main__":
    open_log(snakemake.log[0])
    matched, comparison = snakemake.input.matched, snakemake.params.comparison
    reference, one_row_per, cuts = (snakemake.params[name] for name in ("reference", "one_row_per", "cuts"))
    magnitude = magnitude_column(reference)
    columns = {"r_med_geo", "logg", "parallax", *reference_columns(reference), *OWN.values(), magnitude}
    observed = read_observed(matched, snakemake.input.learned, columns, one_row_per, min_snr=comparison["min_snr"])

    differences = magnitude_differences(observed, reference, max_logg=comparison["max_logg"])
    fits = magnitude_fits(differences, snakemake.params.gaussian)
    say(f"{len(differences)} of {len(observed)} stars have both magnitudes")
    write_table(fits, snakemake.output.magnitudes)
    write_table(magnitude_histogram(differences), snakemake.output.magnitudes_histogram)

    giants = pd.concat(read_pieces(snakemake.input.stars, {*OWN.values(), magnitude}))
    groups = training_groups(observed, giants, magnitude, max_ebv=comparison["max_ebv_training"])
    histograms = training_histograms(groups)
    summary = training_summary(groups, histograms)
    say(fits.to_string(index=False), summary.to_string(index=False))
    write_table(histograms, snakemake.output.training_histogram)
    write_table(summary, snakemake.output.training)

    cut = {"limit_mas": parallax_limit(cuts), "effect_uas": None}
    if cut["limit_mas"] is not None and magnitude != LEARNED:
        pieces = read_pieces(matched, selection_columns(cuts, one_row_per, reference))
        about = {"one_row_per": one_row_per, "reference": reference, "codes": snakemake.params.codes}
        cut["effect_uas"] = selection_effect(pieces, cuts=cuts, **about)
    write_json(snakemake.output.parallax_cut, cut)
