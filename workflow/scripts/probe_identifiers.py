"""Find out from a draw of the targets which release their Gaia identifiers are of (Sect. 2.1)."""

import signal
import sys
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.archive import candidates as archive
from gaia_offsets.archive.adql import Crossmatch, crossmatch_query, needed_columns
from gaia_offsets.archive.names import check_names
from gaia_offsets.archive.tap import Archive
from gaia_offsets.core.faults import TableError, open_log
from gaia_offsets.core.files import write_json
from gaia_offsets.core.log import say
from gaia_offsets.tables.values import rounded_source_ids

DRAWN = 2000  # targets asked for: a share is known to 1 %
SEED = 20220121
# Identifiers of the right release agree in nearly all cases, those of a neighbouring release in most. Below a half the
# column is another one, the positions are of another epoch, or digits are lost.
ENOUGH = 0.5


def draw(targets: pd.DataFrame) -> pd.DataFrame:
    """DRAWN of the targets with an identifier, no identifier twice; the same ones each time."""
    known = archive.identified(targets, "source_id")
    known = known.sort_values(["gaia_source_id", "target_id"], kind="stable").drop_duplicates("gaia_source_id")
    rows = np.random.default_rng(SEED).choice(len(known), min(DRAWN, len(known)), replace=False)
    return known.iloc[np.sort(rows)]


def probe_identifiers(
    targets: pd.DataFrame, service: Archive, *, release: dict[str, Any], epoch: float, radius_arcsec: float
) -> dict[str, Any]:
    """`by` (what the identifiers are: one of archive.KINDS), the number `drawn` and, for each kind that the release has
    tables for, the shares that `exist` and that `agree` (lie within `radius_arcsec` of the target at its epoch).

    Raises TableError where there is no identifier or no kind reaches ENOUGH.
    """
    drawn = draw(targets)
    if drawn.empty:
        raise TableError(
            f"targets: no gaia_source_id above 0 among the {len(targets)} to ask for; look at "
            "targets.columns.gaia_source_id, or set crossmatch.by: position"
        )
    shares: dict[str, dict[str, float]] = {}
    for kind in archive.possible_kinds(release):
        match, rows = Crossmatch(release, kind, radius_arcsec, epoch, agree=True), archive.identified(drawn, kind)
        check_names(service, needed_columns(release, kind))
        upload = archive.upload_columns(rows, by=kind)
        candidates = service.ask(crossmatch_query(match), upload, what=f"identifiers as {kind}")
        agreeing = archive.choose_counterparts(candidates, rows, match)
        exist = candidates.loc[candidates["source_id"].notna(), "target_id"].nunique()
        shares[kind] = {"exist": exist / len(drawn), "agree": float(agreeing["source_id"].notna().mean())}
    best = max(shares, key=lambda kind: shares[kind]["agree"])  # the first of equals
    summary = ", ".join(f"{kind} {s['exist']:.1%} exist, {s['agree']:.1%} agree" for kind, s in shares.items())
    say(f"{len(drawn)} identifiers of targets drawn; as {summary} within {radius_arcsec:g} arcsec")
    if shares[best]["agree"] < ENOUGH:
        lost = " (all are multiples of 256, as after a passage through float64)" * rounded_source_ids(
            drawn["gaia_source_id"]
        )
        raise TableError(
            f"targets: gaia_source_id{lost} leads to no known release: of {len(drawn)} drawn, as {summary} within "
            f"{radius_arcsec:g} arcsec, {ENOUGH:.0%} are needed; look at targets.columns.gaia_source_id, "
            "crossmatch.epoch and radius_arcsec, or set crossmatch.by: position"
        )
    say(f"the identifiers are taken as {best}")
    return {"by": best, "drawn": len(drawn), "epoch": epoch, "radius_arcsec": radius_arcsec, "shares": shares}


if __name__ == "__main__":
    open_log(snakemake.log[0])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a cancelled run deletes its job in the archive
    result = probe_identifiers(
        archive.read_whole(snakemake.input.asked),
        Archive.of(snakemake.config["archive"]["url"], snakemake.config["archive"]),
        release=snakemake.params.release,
        epoch=snakemake.params.epoch,
        radius_arcsec=snakemake.params.radius_arcsec,
    )
    write_json(snakemake.output.identifiers, result)
