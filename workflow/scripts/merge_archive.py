"""Put the archive's answers back to all targets (Sect. 2.1)."""

from gaia_offsets.archive.candidates import merge_chunks, read_whole
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.log import say
from gaia_offsets.sample.star_table import check_stars
from gaia_offsets.tables.read import write_table

if __name__ == "__main__":
    open_log(snakemake.log[0])
    merged = merge_chunks(read_whole(snakemake.input.targets), [read_whole(chunk) for chunk in snakemake.input.chunks])
    say(
        f"{len(merged)} targets, {int(merged['preselected'].sum())} asked for, "
        f"{int(merged['source_id'].notna().sum())} with a counterpart, "
        f"{int((merged['match_neighbours'] > 1).sum())} of them ambiguous (more than one Gaia source)"
    )
    say(*check_stars(merged, snakemake.output.matched))
    write_table(merged, snakemake.output.matched)
