"""Ask the archive for the Gaia, 2MASS and distance columns of one chunk of the targets (Sect. 2.1)."""

import sys
import time
from typing import Any

import pandas as pd

from gaia_offsets.archive import adql
from gaia_offsets.archive import candidates as archive
from gaia_offsets.archive.names import check_names
from gaia_offsets.archive.tap import Archive


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
    kind: str | None = None,
) -> pd.DataFrame:
    """One row a target of the chunk, with the columns of its Gaia source; see archive.choose_counterparts.

    By identifier, which are of `kind` (archive.KINDS): the targets that have one are asked for by it, and by position
    all that have none or whose source does not exist or does not agree with the position.
    """
    rows = targets.iloc[archive.chunk_rows(targets, chunk, chunks, by=by)]
    ways = {"release": release, "epoch": epoch, "radius_arcsec": radius_arcsec, "pm_margin_arcsec": pm_margin_arcsec}
    what = f"chunk {chunk + 1} of {chunks}"
    if by != "identifier":
        return _ask(rows, service, by=by, what=what, **ways)
    known = archive.identified(rows, kind)
    first = _ask(known, service, by=kind, agree=True, what=f"{what}, by {kind}", **ways)
    first = first[first["source_id"].notna()]
    rest = rows[~rows["target_id"].isin(first["target_id"])]
    second = _ask(rest, service, by="position", what=f"{what}, by position", **ways)
    found = int(second["source_id"].notna().sum())
    print(
        f"{what}: {len(rows)} targets; {len(first)} found by {kind}, {found} by position (of {len(rows) - len(known)} "
        f"without an identifier and {len(known) - len(first)} whose identifier leads to no source within "
        f"{radius_arcsec:g} arcsec), {len(rows) - len(first) - found} not found",
        file=sys.stderr,
    )
    return pd.concat([first, second]).sort_values("target_id", ignore_index=True)


def _ask(
    rows: pd.DataFrame,
    service: Archive,
    *,
    by: str,
    what: str,
    release: dict[str, Any],
    epoch: float,
    radius_arcsec: float,
    pm_margin_arcsec: float,
    agree: bool = False,
) -> pd.DataFrame:
    """One row a target, with the columns of its counterpart; nobody is asked where there is no target."""
    # By identifier there is no cone, and without `agree` neither radius nor epoch.
    years = epoch - release["epoch"] if by == "position" or agree else 0.0
    cone = {"radius_arcsec": radius_arcsec, "years": years, "margin_arcsec": pm_margin_arcsec}
    more = release.get("more_columns") or []
    candidates = pd.DataFrame(columns=["target_id", *archive.PROVIDED, *more])
    if len(rows):
        needed = adql.needed_columns(release, by)
        check_names(service, needed)
        started = time.monotonic()
        print(f"{what}: {len(rows)} rows up", file=sys.stderr)
        query, count = adql.crossmatch_query(release, by, **cone), adql.count_query(release, by, **cone)
        candidates = service.ask(query, archive.upload_columns(rows, by=by), count=count, what=what)
        seconds = time.monotonic() - started
        rate = len(candidates) / seconds
        back = f"{len(candidates)} rows back in {seconds:.0f} s, {rate:.0f} rows/s"
        print(f"{what}: {back}, from {service.url}", file=sys.stderr)
        if line := archive.bridge_line(candidates):
            print(f"{what}: {line}", file=sys.stderr)
    near = {"radius_arcsec": radius_arcsec, "years": years, "agree": agree}
    answer = archive.choose_counterparts(candidates, rows, by=by, more_columns=more, **near)
    print(archive.ambiguous(answer, by), file=sys.stderr)
    return answer
