"""CDS X-Match on loopback, well and badly behaved: the complete answer or one clear line."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tap.survey import made_up_sky
from unit.cds_peer import CdsPeer, answer, cut_between_lines, cut_in_line, drop, stall
from xmatch_cds import xmatch_cds

from gaia_offsets.archive import merge_chunks
from gaia_offsets.matching import match_catalogues, propagate
from gaia_offsets.xmatch import XMatch, XMatchError, choose_nearest

RADIUS = 3.0


@pytest.fixture(scope="module")
def sky() -> dict[str, pd.DataFrame]:
    return made_up_sky(600)


@pytest.fixture(scope="module")
def gaia_2000(sky: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Simulated sources where they were in 2000, as X-Match keeps them."""
    gaia = sky["gaia_source"]
    ra, dec = propagate(*(gaia[name].to_numpy(float) for name in ("ra", "dec", "pmra", "pmdec")), -16.0)
    return pd.DataFrame({"source_id": gaia["source_id"].to_numpy(np.int64), "ra": ra, "dec": dec})


@pytest.fixture
def peer(gaia_2000: pd.DataFrame) -> Iterator[CdsPeer]:
    with CdsPeer(gaia_2000) as running:
        yield running


@pytest.fixture
def targets(sky: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """As prepare_targets leaves them; one in ten is not asked for."""
    ids = np.arange(len(sky["targets"]))
    return sky["targets"].assign(target_id=ids, preselected=ids % 10 != 0)


def service(peer: CdsPeer, **changes: Any) -> XMatch:
    """An impatient client."""
    settings = {"url": peer.url, "table": "vizier:I/350/gaiaedr3", "source_id": "source_id", "rows": 300}
    settings |= {"maxrec": 2_000_000, "stall_s": 8, "pause_s": 0.05, "attempts": 3}
    return XMatch(**settings | changes)


def test_the_counterparts_of_a_local_match(peer: CdsPeer, sky: dict[str, pd.DataFrame], targets: pd.DataFrame) -> None:
    local = match_catalogues(
        *sky.values(), target_epoch=2000, gaia_epoch=2016, radius_arcsec=RADIUS, tmass_radius_arcsec=1.5
    )
    parts = [xmatch_cds(targets, service(peer), chunk=k, chunks=2, radius_arcsec=RADIUS) for k in range(2)]
    got = merge_chunks(targets, parts)
    asked = got["preselected"].to_numpy()
    columns = ["source_id", "match_neighbours", "match_separation"]
    wanted = local.loc[asked, columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(
        got.loc[asked, columns].reset_index(drop=True), wanted, check_dtype=False, rtol=0, atol=2e-6
    )
    assert got.loc[~asked, "source_id"].isna().all()
    # The sky has what makes it difficult.
    assert wanted["source_id"].isna().sum() > 10 and (wanted["match_neighbours"] > 1).sum() > 10
    # Blocks of 300 at most, one at a time.
    assert max(int(job["rows"]) for job in peer.asked) == 300 and peer.most == 1
    assert {job["selection"] for job in peer.asked} == {"all"}


OTHERS = answer(200, b"angDist,target_id,source_id\n0.1,9999,5\n", "text/csv")
PASSING = {"busy": answer(503), "error": answer(500), "html": answer(200), "empty": answer(200, b"")}
PASSING |= {"in_line": cut_in_line, "a_line": cut_between_lines(1), "lines": cut_between_lines(200)}
PASSING |= {"dropped": drop, "silent": stall, "others": OTHERS}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_fault_that_passes(peer: CdsPeer, targets: pd.DataFrame, fault: Any) -> None:
    block = targets.head(250)
    wanted = service(peer).candidates(block, RADIUS)
    peer.plan = [fault]
    pd.testing.assert_frame_equal(service(peer).candidates(block, RADIUS), wanted)
    assert not peer.plan and len(wanted) > 200


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (answer(200), "no table with the column.* came back.*DOCTYPE"),
        (cut_in_line, "ends within a line"),
        (cut_between_lines(40), "incomplete answer"),
        (stall, "timed out"),
        (answer(503), "503"),
    ],
    ids=["html", "in_line", "lines", "silent", "busy"],
)
def test_a_fault_that_stays(peer: CdsPeer, targets: pd.DataFrame, fault: Any, line: str) -> None:
    # Every second answer is the second look, which is right.
    peer.plan = [fault, lambda reply: None] * 2 if "incomplete" in line else [fault] * 2
    with pytest.raises(XMatchError, match=line) as caught:
        service(peer, attempts=2, stall_s=0.5).candidates(targets.head(100), RADIUS)
    assert "\n" not in str(caught.value) and peer.url in str(caught.value) and "2 tries" in str(caught.value)


def test_banned_is_not_tried_again(peer: CdsPeer, targets: pd.DataFrame) -> None:
    peer.plan = [answer(403), answer(403)]
    with pytest.raises(XMatchError, match=r"HTTP 403.*in parallel.*cds"):
        service(peer).candidates(targets.head(10), RADIUS)
    assert len(peer.plan) == 1


def test_exactly_as_many_rows_as_the_service_ever_gives(peer: CdsPeer, targets: pd.DataFrame) -> None:
    rows = np.arange(2_000_000) % 10
    body = b"angDist,target_id,source_id\n" + b"".join(b"0.1,%d,5\n" % row for row in rows)
    peer.plan = [answer(200, body, "text/csv")]
    with pytest.raises(XMatchError, match=r"2000000 rows.*lower xmatch\.rows"):
        service(peer).candidates(targets.head(10), RADIUS)


def test_as_many_rows_as_asked_for(peer: CdsPeer, targets: pd.DataFrame) -> None:
    with pytest.raises(XMatchError, match=r"50 rows.*where answers are cut"):
        service(peer, maxrec=50).candidates(targets.head(100), RADIUS)


def test_nearest_then_lower_identifier() -> None:
    rows = [(7, 2**62 + 3, 0.5), (7, 2**62 + 1, 0.5), (7, 9, 0.9), (7, 9, 0.9), (2, 4, 1.0)]
    found = pd.DataFrame(rows, columns=["target_id", "source_id", "match_separation"])
    chosen = choose_nearest(found, np.array([7, 5, 2]))
    assert chosen["target_id"].tolist() == [2, 5, 7]
    assert chosen["source_id"].fillna(0).tolist() == [4, 0, 2**62 + 1]
    assert chosen["match_neighbours"].tolist() == [1, 0, 3]


def test_no_targets_no_request(peer: CdsPeer, targets: pd.DataFrame) -> None:
    chosen = xmatch_cds(targets.head(0), service(peer), chunk=0, chunks=1, radius_arcsec=RADIUS)
    assert len(chosen) == 0 and not peer.asked


def test_stilts_takes_the_peer_for_the_service(peer: CdsPeer, targets: pd.DataFrame, tmp_path: Path) -> None:
    """An independent client of the protocol, so that the peer is not only what our client expects."""
    stilts = shutil.which("stilts")
    if stilts is None:
        reason = "stilts is not installed; apt-get install stilts"
        (pytest.fail if os.environ.get("GAIA_OFFSETS_REQUIRE_TAP") == "1" else pytest.skip)(reason)
    targets[["target_id", "target_ra", "target_dec"]].to_csv(tmp_path / "targets.csv", index=False)
    command = [stilts, "cdsskymatch", "in=targets.csv", "ifmt=csv", "ra=target_ra", "dec=target_dec", "find=all"]
    command += [f"radius={RADIUS}", "cdstable=I/350/gaiaedr3", "blocksize=300", "usemoc=false"]
    command += [f"serviceurl={peer.url}", "out=pairs.csv", "ofmt=csv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    theirs = pd.read_csv(tmp_path / "pairs.csv")
    ours = service(peer).candidates(targets, RADIUS)
    keys = ["target_id", "source_id"]
    assert sorted(theirs[keys].itertuples(index=False)) == sorted(ours[keys].itertuples(index=False))
    assert len(ours) > 600
