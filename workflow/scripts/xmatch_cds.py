"""Ask CDS X-Match for the nearest Gaia source of each target of one chunk (Sect. 2.1)."""

import sys
from typing import TYPE_CHECKING

import pandas as pd

from gaia_offsets.archive import chunk_rows, read_whole, write_whole
from gaia_offsets.xmatch import XMatch, choose_nearest

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

PATIENCE = {"rows": int, "maxrec": int, "attempts": int, "stall_s": float, "pause_s": float}


def xmatch_cds(
    targets: pd.DataFrame, service: XMatch, *, chunk: int, chunks: int, radius_arcsec: float
) -> pd.DataFrame:
    """One row a target of the chunk, see xmatch.choose_nearest."""
    rows = targets.iloc[chunk_rows(targets, chunk, chunks, by="position")]
    return choose_nearest(service.candidates(rows, radius_arcsec), rows["target_id"].to_numpy())


if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)  # left open: the traceback must reach it
    release = snakemake.params.release
    nearest = xmatch_cds(
        read_whole(snakemake.input.targets),
        XMatch(
            snakemake.params.url,
            release["xmatch_table"],
            release["xmatch_source_id"],
            **{name: kind(snakemake.resources[f"xmatch_{name}"]) for name, kind in PATIENCE.items()},
        ),
        chunk=int(snakemake.wildcards.chunk),
        chunks=snakemake.params.chunks,
        radius_arcsec=snakemake.params.radius_arcsec,
    )
    found = int(nearest["source_id"].notna().sum())
    print(f"chunk {snakemake.wildcards.chunk}: {found} of {len(nearest)} targets have a counterpart", file=sys.stderr)
    write_whole(nearest, snakemake.output.chunk)
