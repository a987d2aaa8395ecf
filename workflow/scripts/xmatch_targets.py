"""Put X-Match's answers back to all targets, for the archive to be asked by source_id."""

import sys
from typing import TYPE_CHECKING

from gaia_offsets.archive import merge_chunks, read_whole, write_whole

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)  # left open: the traceback must reach it
    targets = merge_chunks(read_whole(snakemake.input.targets), [read_whole(chunk) for chunk in snakemake.input.chunks])
    found = int(targets["source_id"].notna().sum())
    print(f"{int(targets['preselected'].sum())} of {len(targets)} targets asked for, {found} matched", file=sys.stderr)
    write_whole(targets, snakemake.output.targets)
