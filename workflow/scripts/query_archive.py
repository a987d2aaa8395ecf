"""Ask the archive for the Gaia, 2MASS and distance columns of one chunk of the targets (Sect. 2.1)."""

import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd

from gaia_offsets.archive import candidates as archive
from gaia_offsets.archive.adql import Crossmatch, crossmatch_query, needed_columns
from gaia_offsets.archive.names import check_names
from gaia_offsets.archive.tap import Archive
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.files import read_json
from gaia_offsets.core.log import say


def query_archive(
    targets: pd.DataFrame, service: Archive, match: Crossmatch, *, chunk: int, chunks: int, kind: str | None = None
) -> pd.DataFrame:
    """One row a target of chunk 0..chunks-1, with the columns of its Gaia source; see archive.choose_counterparts.

    `targets` are those of archive.targets_to_ask, of which chunks are equal slices.
    By identifier, which are of `kind` (archive.KINDS): the targets that have one are asked for by it, and by position
    all that have none or whose source does not exist or does not agree with the position.
    """
    rows = targets.iloc[len(targets) * chunk // chunks : len(targets) * (chunk + 1) // chunks]
    what = f"chunk {chunk + 1} of {chunks}"
    if match.by != "identifier":
        return _ask(rows, service, match, what)
    known = archive.identified(rows, kind)
    first = _ask(known, service, replace(match, by=kind, agree=True), f"{what}, by {kind}")
    first = first[first["source_id"].notna()]
    rest = rows[~rows["target_id"].isin(first["target_id"])]
    second = _ask(rest, service, replace(match, by="position"), f"{what}, by position")
    placed = int(second["source_id"].notna().sum())
    say(
        f"{what}: {len(rows)} targets; {len(first)} found by {kind}, {placed} by position (of {len(rows) - len(known)} "
        f"without an identifier and {len(known) - len(first)} whose identifier leads to no source within "
        f"{match.radius_arcsec:g} arcsec), {len(rows) - len(first) - placed} not found"
    )
    return pd.concat([first, second]).sort_values("target_id", ignore_index=True)


def _ask(rows: pd.DataFrame, service: Archive, match: Crossmatch, what: str) -> pd.DataFrame:
    """One row a target, with the columns of its counterpart; nobody is asked where there is no target."""
    candidates = pd.DataFrame(columns=["target_id", *archive.PROVIDED, *match.more_columns])
    if len(rows):
        check_names(service, needed_columns(match.release, match.by))
        started = time.monotonic()
        say(f"{what}: {len(rows)} rows up")
        candidates = service.ask(crossmatch_query(match), archive.upload_columns(rows, by=match.by), what=what)
        seconds = time.monotonic() - started
        rate = len(candidates) / seconds
        back = f"{len(candidates)} rows back in {seconds:.0f} s, {rate:.0f} rows/s"
        say(f"{what}: {back}, from {service.url}")
        if line := archive.bridge_line(candidates):
            say(f"{what}: {line}")
    answer = archive.choose_counterparts(candidates, rows, match)
    say(archive.ambiguous(answer, match.by))
    return answer


if __name__ == "__main__":
    open_log(snakemake.log[0])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a cancelled run deletes its job in the archive
    started = time.monotonic()
    answer = query_archive(
        archive.read_whole(snakemake.input.asked),
        Archive.of(snakemake.config["archive"]["url"], snakemake.config["archive"]),
        Crossmatch(
            snakemake.params.release,
            snakemake.params.by,
            radius_arcsec=snakemake.params.radius_arcsec or 0.0,  # by source_id there is none
            epoch=snakemake.params.epoch,
            margin_arcsec=snakemake.params.pm_margin_arcsec,
        ),
        chunk=int(snakemake.wildcards.chunk),
        chunks=snakemake.params.chunks,
        kind=read_json(snakemake.input.identifiers)["by"] if snakemake.input.identifiers else None,
    )
    say(f"{int(answer['source_id'].notna().sum())} of {len(answer)} targets have a counterpart")
    archive.write_whole(answer, snakemake.output.chunk)
    seconds, folder = time.monotonic() - started, Path(snakemake.output.chunk).parent
    say(archive.progress_line(folder, snakemake.params.chunks, seconds))
