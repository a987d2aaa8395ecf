"""Targets that carry the Gaia columns already, in standard names and units."""

from gaia_offsets.core.columns import GAIA, RELEASE
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.log import say
from gaia_offsets.sample.star_table import check_stars
from gaia_offsets.tables.read import read_table, write_table

REQUIRED = ("source_id", "parallax", "astrometric_params_solved")

if __name__ == "__main__":
    open_log(snakemake.log[0])
    table = read_table(snakemake.input.targets, snakemake.params.columns, required=REQUIRED, vizier=GAIA)
    say(f"{len(table)} rows of {snakemake.input.targets}")
    say(*check_stars(table, snakemake.input.targets, epoch=snakemake.params.epoch))
    write_table(table.drop(columns=RELEASE, errors="ignore"), snakemake.output.matched)
