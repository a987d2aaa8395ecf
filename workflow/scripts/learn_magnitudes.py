"""Absolute magnitudes of the giants, learned from their labels and Gaia parallaxes, with the zero point in between."""

import json

from gaia_offsets.core.faults import open_log
from gaia_offsets.core.files import write_json
from gaia_offsets.core.log import say
from gaia_offsets.learn.training import Rows, learn_magnitudes, read_columns, used_columns
from gaia_offsets.sample.corrections import with_paths
from gaia_offsets.sky.positions import complete_angles
from gaia_offsets.tables.read import write_table

if __name__ == "__main__":
    open_log(snakemake.log[0])
    params = snakemake.params
    corrections = with_paths(snakemake.params.corrections, snakemake.input)
    rows = Rows(params.one_row_per, params.cuts, params.codes, params.official, corrections)
    matched = complete_angles(read_columns(snakemake.input.matched, used_columns(params.reference, rows)))
    predictions, others, residuals, facts, lines = learn_magnitudes(matched, params.reference, rows)
    say(*lines, others.to_string(index=False), json.dumps(facts, indent=2))
    write_table(predictions, snakemake.output.learned)
    write_table(others, snakemake.output.alternatives)
    write_table(residuals, snakemake.output.residuals)
    write_json(snakemake.output.settings, facts)
