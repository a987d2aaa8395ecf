"""Ask the archive for the Gaia, 2MASS and distance columns of one chunk of the targets (Sect. 2.1)."""

import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import pandas as pd

from gaia_offsets import adql
from gaia_offsets.archive import (
    PROVIDED,
    Archive,
    choose_counterparts,
    chunk_rows,
    key_columns,
    read_whole,
    write_whole,
)

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def query_archive(
    targets: pd.DataFrame,
    archive: Archive,
    *,
    chunk: int,
    chunks: int,
    release: dict[str, Any],
    by: str,
    epoch: float,
    radius_arcsec: float,
    pm_margin_arcsec: float,
) -> pd.DataFrame:
    """One row a target of the chunk, with the columns of its nearest Gaia source; see archive.choose_counterparts."""
    rows = targets.iloc[chunk_rows(targets, chunk, chunks, by=by)]
    # By identifier there is no radius, no epoch and no cone.
    near = {"radius_arcsec": radius_arcsec, "years": epoch - release["epoch"] if by == "position" else 0.0}
    candidates = pd.DataFrame(columns=["target_id", "angular_distance", *PROVIDED])
    if len(rows):
        needed = adql.needed_columns(release, by)
        archive.check_names(needed, adql.schema_query(list(needed)))
        cone = {**near, "margin_arcsec": pm_margin_arcsec}
        keys = [rows[name].to_numpy() for name in key_columns(by)]
        names = ("ra", "dec") if by == "position" else ("source_id",)
        started, what = time.monotonic(), f"chunk {chunk + 1} of {chunks}"
        print(f"{what}: {len(rows)} rows up", file=sys.stderr)
        candidates = archive.ask(
            adql.crossmatch_query(release, by, **cone),
            what=what,
            targets={"target_id": rows["target_id"].to_numpy(dtype="int64"), **dict(zip(names, keys, strict=True))},
            count=adql.count_query(release, by, **cone),
        )
        seconds = time.monotonic() - started
        rate = len(candidates) / seconds
        print(f"{what}: {len(candidates)} rows back in {seconds:.0f} s, {rate:.0f} rows/s", file=sys.stderr)
    return choose_counterparts(candidates, rows, by=by, **near)


if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)  # left open: the traceback must reach it
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a cancelled run deletes its job in the archive
    answer = query_archive(
        read_whole(snakemake.input.targets),
        Archive(
            snakemake.params.url,
            maxrec=snakemake.resources.archive_maxrec,
            timeout_s=snakemake.resources.archive_timeout_s,
            stall_s=snakemake.resources.archive_stall_s,
            poll_s=snakemake.resources.archive_poll_s,
            attempts=snakemake.resources.archive_attempts,
            max_wait_s=snakemake.resources.archive_max_wait_s,
        ),
        chunk=int(snakemake.wildcards.chunk),
        chunks=snakemake.params.chunks,
        release=snakemake.params.release,
        by=snakemake.params.by,
        epoch=snakemake.params.epoch,
        radius_arcsec=snakemake.params.radius_arcsec,
        pm_margin_arcsec=snakemake.params.pm_margin_arcsec,
    )
    print(f"{int(answer['source_id'].notna().sum())} of {len(answer)} targets have a counterpart", file=sys.stderr)
    write_whole(answer, snakemake.output.chunk)
