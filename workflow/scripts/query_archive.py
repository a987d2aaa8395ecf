"""Ask the archive for the Gaia, 2MASS and distance columns of one chunk of the targets (Sect. 2.1)."""

import signal
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd

from gaia_offsets import adql, archive
from gaia_offsets.faults import open_log
from gaia_offsets.tap import Archive


def query_archive(
    targets: pd.DataFrame,
    service: Archive,
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
    rows = targets.iloc[archive.chunk_rows(targets, chunk, chunks, by=by)]
    # By identifier there is no radius, no epoch and no cone.
    near = {"radius_arcsec": radius_arcsec, "years": epoch - release["epoch"] if by == "position" else 0.0}
    cone = {**near, "margin_arcsec": pm_margin_arcsec}
    more = release.get("more_columns") or []
    candidates = pd.DataFrame(columns=["target_id", *archive.PROVIDED, *more])
    if len(rows):
        needed = adql.needed_columns(release, by)
        service.check_names(needed, adql.schema_query(list(needed)))
        started, what = time.monotonic(), f"chunk {chunk + 1} of {chunks}"
        print(f"{what}: {len(rows)} rows up", file=sys.stderr)
        query, count = adql.crossmatch_query(release, by, **cone), adql.count_query(release, by, **cone)
        candidates = service.ask(query, archive.upload_columns(rows, by=by), count=count, what=what)
        seconds = time.monotonic() - started
        rate = len(candidates) / seconds
        print(f"{what}: {len(candidates)} rows back in {seconds:.0f} s, {rate:.0f} rows/s", file=sys.stderr)
    answer = archive.choose_counterparts(candidates, rows, by=by, more_columns=more, **near)
    print(archive.ambiguous(answer, by), file=sys.stderr)
    return answer


if __name__ == "__main__":
    open_log(snakemake.log[0])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a cancelled run deletes its job in the archive
    started = time.monotonic()
    answer = query_archive(
        archive.read_whole(snakemake.input.targets),
        archive.service(snakemake.params.url, snakemake.resources),
        chunk=int(snakemake.wildcards.chunk),
        chunks=snakemake.params.chunks,
        release=snakemake.params.release,
        by=snakemake.params.by,
        epoch=snakemake.params.epoch,
        radius_arcsec=snakemake.params.radius_arcsec,
        pm_margin_arcsec=snakemake.params.pm_margin_arcsec,
    )
    print(f"{int(answer['source_id'].notna().sum())} of {len(answer)} targets have a counterpart", file=sys.stderr)
    archive.write_whole(answer, snakemake.output.chunk)
    seconds, folder = time.monotonic() - started, Path(snakemake.output.chunk).parent
    print(archive.progress_line(folder, snakemake.params.chunks, seconds), file=sys.stderr)
