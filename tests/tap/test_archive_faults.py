"""Each way in which an archive can fail ends in the complete answer or in one clear line, with no job left behind."""

from __future__ import annotations

import subprocess
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tap import proxy as faults
from tap.proxy import FaultyProxy
from tap.release import RELEASE

from gaia_offsets.archive import adql, tap
from gaia_offsets.archive.names import check_names
from gaia_offsets.archive.tap import Archive, ArchiveError, upload_document

Wanted = dict[str, np.ndarray]

pytestmark = pytest.mark.slow
RESULT = "/results/result"
QUERY = adql.crossmatch_query(adql.Crossmatch(RELEASE, "source_id"))
NOBODY = "http://127.0.0.1:9/tap"


def archive(url: str | list[str], **changes: Any) -> Archive:
    """An impatient client."""
    patience = {"maxrec": 50_000, "timeout_s": 30, "stall_s": 5, "poll_s": 0.1, "attempts": 3, "max_wait_s": 5}
    return Archive.of(url, patience | changes)


@pytest.fixture(scope="module")
def wanted(sky: dict[str, pd.DataFrame]) -> dict[str, np.ndarray]:
    """Fifty identifiers, the last of which no archive knows."""
    ids = sky["gaia_source"]["source_id"].to_numpy(dtype=np.int64)[:50].copy()
    ids[-1] = 2**62 + 1
    return {"target_id": np.arange(50), "source_id": ids}


def ask(client: Archive, wanted: Wanted) -> pd.DataFrame:
    """The fifty sources."""
    return client.ask(QUERY, wanted, what="chunk 1 of 1")


def complete(frame: pd.DataFrame, wanted: Wanted) -> bool:
    """Whether all fifty are there, exactly, and the unknown one is null."""
    frame = frame.sort_values("target_id")
    found = frame["source_id"].notna().to_numpy()
    return bool(
        (frame["target_id"].to_numpy() == wanted["target_id"]).all()
        and found.sum() == 49
        and not found[-1]
        and (frame["source_id"][found].to_numpy(dtype=np.int64) == wanted["source_id"][:-1]).all()
    )


def test_a_quiet_server(proxy: FaultyProxy, wanted: Wanted) -> None:
    assert complete(ask(archive(proxy.url), wanted), wanted)
    assert proxy.count("POST", "/async") == 1
    assert sum(method == "DELETE" for method, _ in proxy.seen) == 1


@pytest.mark.parametrize(
    ("method", "ending", "fault", "jobs"),
    [
        pytest.param("POST", "/async", faults.busy(1), 1, id="503 with Retry-After before the job"),
        pytest.param("GET", RESULT, faults.busy(None), 1, id="503 before the result"),
        pytest.param("GET", RESULT, faults.drop, 1, id="connection dropped in the result"),
        pytest.param("GET", RESULT, faults.truncate, 1, id="result that ends early"),
        pytest.param("GET", RESULT, faults.stall(3), 1, id="silence beyond the time-out"),
        pytest.param("GET", RESULT, faults.replace(faults.ERROR_DOCUMENT), 1, id="error document with HTTP 200"),
        pytest.param("GET", RESULT, faults.keep_rows(20), 2, id="rows missing in a valid result"),
        pytest.param("POST", "/async", faults.replace(faults.ERROR_DOCUMENT), 1, id="error document instead of a job"),
    ],
)
def test_a_fault_that_passes(
    proxy: FaultyProxy, wanted: Wanted, method: str, ending: str, fault: Any, jobs: int
) -> None:
    proxy.plan(method, ending, fault)
    assert complete(ask(archive(proxy.url, stall_s=1.5), wanted), wanted)
    assert not proxy.faults, "the fault was not met"
    # A fault on the way of the result does not run the query again.
    assert proxy.count("POST", "/phase") == jobs


@pytest.mark.parametrize(
    ("hand", "line"),
    [(FaultyProxy.abort_next_job, "ended as ABORTED"), (FaultyProxy.delete_next_job, "vanished from the archive")],
)
def test_a_job_that_another_hand_ends_is_run_again(
    proxy: FaultyProxy, wanted: Wanted, capsys: Any, hand: Any, line: str
) -> None:
    hand(proxy)
    assert complete(ask(archive(proxy.url), wanted), wanted)
    assert proxy.count("POST", "/phase") == 2
    assert line in capsys.readouterr().err


def test_an_interrupted_client_deletes_its_job(
    proxy: FaultyProxy, wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Archive, "_wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ask(archive(proxy.url), wanted)
    assert sum(method == "DELETE" for method, _ in proxy.seen) == 1


@pytest.mark.parametrize(
    ("fault", "tries", "line"),
    [
        pytest.param(faults.overflow, 1, r"cut the result at 50 rows .*raise archive\.chunks", id="overflow"),
        pytest.param(faults.busy(3600), 1, r"come back in 3600 s.*run again later", id="closed for an hour"),
        pytest.param(
            faults.replace(faults.ERROR_DOCUMENT), 2, r"database has gone away \(2 tries\)", id="error document"
        ),
        pytest.param(faults.replace(faults.ERROR_DOCUMENT, 400), 1, "HTTP 400: .*has gone", id="HTTP 400"),
        pytest.param(faults.keep_rows(20), 1, "30 of 50 targets did not come back", id="rows missing"),
    ],
)
def test_a_fault_that_stays_ends_in_one_line(
    proxy: FaultyProxy, wanted: Wanted, fault: Any, tries: int, line: str
) -> None:
    proxy.plan("GET", RESULT, *[fault] * tries**2)
    with pytest.raises(ArchiveError, match=line) as caught:
        ask(archive(proxy.url, attempts=tries), wanted)
    message = str(caught.value)
    assert "\n" not in message and message.startswith(f"{proxy.url}: ")


def test_exactly_as_many_rows_as_a_limit(
    proxy: FaultyProxy, sky: dict[str, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    """2,000 rows are believed only when the archive counts as many."""
    ids = sky["gaia_source"]["source_id"].to_numpy(dtype=np.int64)[:1990]
    more = np.concatenate([ids, np.arange(10) + 5])
    targets = {"target_id": np.arange(2000), "source_id": more}
    assert len(archive(proxy.url).ask(QUERY, targets, what="chunk")) == 2000
    assert proxy.count("POST", "/phase") == 2
    with pytest.raises(ArchiveError, match=r"2000 rows of 2500 came back, cut at a limit.*raise archive\.chunks"):
        monkeypatch.setattr(tap, "count_query", lambda _: "SELECT COUNT(*) + 500 AS n FROM TAP_UPLOAD.targets")
        archive(proxy.url).ask(QUERY, targets, what="chunk")


def test_maxrec_is_seen(proxy: FaultyProxy, wanted: Wanted) -> None:
    with pytest.raises(ArchiveError, match=r"cut the result at 30 rows \(archive.maxrec: 30\)"):
        ask(archive(proxy.url, maxrec=30), wanted)


def test_a_job_that_takes_too_long(proxy: FaultyProxy) -> None:
    pairs = "gaiaedr3.gaia_source AS a, gaiaedr3.gaia_source AS b"
    slow = f"SELECT COUNT(*) AS n FROM {pairs} WHERE SQRT(a.ra*b.ra)+a.dec < b.dec"
    started = time.monotonic()
    with pytest.raises(ArchiveError, match=r"slow: still \w+ after 1 s; raise archive.timeout_s"):
        archive(proxy.url, timeout_s=1).ask(slow, {"target_id": np.arange(3)}, what="slow")
    assert time.monotonic() - started < 10


def test_a_query_that_the_archive_cannot_run(proxy: FaultyProxy) -> None:
    with pytest.raises(ArchiveError, match=r"wrong, count: the job ended as ERROR: .*no_such_column.*run again later"):
        archive(proxy.url, attempts=1).count("\nFROM gaiaedr3.gaia_source WHERE no_such_column > 0", what="wrong")


def test_nobody_there() -> None:
    with pytest.raises(ArchiveError, match=r"Connection refused.*run again later"):
        archive("http://127.0.0.1:9/tap", attempts=2).look_up("SELECT 1 AS n", what="anything")


def test_wrong_names_are_told_at_once(proxy: FaultyProxy) -> None:
    wrong = RELEASE | {
        "tmass": "gaiadr1.tmass_valid",
        "columns": {"ruwe": "renorm", "bp_rp": "colour", "r_med_geo": "r_med"},
    }
    needed = adql.needed_columns(wrong, "position")
    with pytest.raises(ArchiveError) as caught:
        check_names(archive(proxy.url), needed)
    message = str(caught.value)
    lacks = "gaiaedr3.gaia_source: colour (nearest: pseudocolour); gaiaedr3.gaia_source: renorm (nearest: ruwe); "
    lacks += "table gaiadr1.tmass_valid (nearest: gaiadr1.tmass_original_valid); "
    lacks += "external.gaiaedr3_distance: r_med (nearest: r_med_geo)"
    assert message == f"{proxy.url}: the archive does not have {lacks}; correct the names in the config's `releases`"
    assert proxy.count("POST", "/sync") == 2 and proxy.count("POST", "/async") == 0


def test_uploads_are_valid_votables(wanted: Wanted, tmp_path: Any, require_stilts: str) -> None:
    positions = {"target_id": np.arange(3), "ra": np.array([0.1, 359.99, 180.0]), "dec": np.array([-90.0, 1 / 3, 90.0])}
    for number, columns in enumerate((wanted, positions)):
        document = tmp_path / f"{number}.vot"
        document.write_bytes(upload_document(columns))
        result = subprocess.run([require_stilts, "votlint", document], capture_output=True, text=True, check=True)
        assert "ERROR" not in result.stdout + result.stderr


# ---------------------------------------------------------------- several addresses


def test_the_next_address_is_asked(proxy: FaultyProxy, wanted: Wanted, capsys: pytest.CaptureFixture[str]) -> None:
    client = archive([NOBODY, proxy.url], attempts=2)
    for _ in range(2):
        assert complete(ask(client, wanted), wanted) and client.url == proxy.url
    assert capsys.readouterr().err.count(f"asking {proxy.url} from now on") == 1


def test_a_job_that_one_service_does_not_end_is_another_s(proxy: FaultyProxy, wanted: Wanted) -> None:
    first = FaultyProxy(proxy.upstream)
    try:
        first.plan("GET", RESULT, faults.replace(faults.ERROR_DOCUMENT))
        client = archive([first.url, proxy.url], attempts=1)
        assert complete(ask(client, wanted), wanted) and client.url == proxy.url and not first.faults
        first.plan("GET", RESULT, faults.overflow)
        with pytest.raises(ArchiveError, match="the archive cut the result"):  # an answer, if no good one
            ask(archive([first.url, proxy.url]), wanted)
        assert proxy.count("POST", "/async") == 1
    finally:
        first.shutdown()
        first.server_close()


def test_nobody_answers(wanted: Wanted) -> None:
    with pytest.raises(ArchiveError, match=rf"{NOBODY}: chunk.*; {NOBODY}2: chunk") as caught:
        ask(archive([NOBODY, f"{NOBODY}2"], attempts=1), wanted)
    assert "\n" not in str(caught.value)
