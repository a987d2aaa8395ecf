"""Datasets that come from a query, against a real TAP server that misbehaves."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from merge_catalogue import merge_catalogue
from query_catalogue import query_catalogue
from snakemake_run import run_snakemake
from tap import proxy as faults
from tap.proxy import FaultyProxy
from tap.release import RELEASE

from gaia_offsets.archive.adql import SOURCE_ID_END
from gaia_offsets.archive.tap import Archive, ArchiveError

pytestmark = pytest.mark.slow
RESULT = "/results/result"
PATIENCE = {"maxrec": 50_000, "timeout_s": 60, "stall_s": 20, "poll_s": 0.1, "attempts": 3, "max_wait_s": 5}


def query(url: str, **changes: Any) -> dict[str, Any]:
    """Simulated sources that have a distance, some columns under other names, from a part of the sky."""
    block = {"url": url, "table": "gaiaedr3.gaia_source", "join": {"table": RELEASE["distances"], "by": "source_id"}}
    # Our `distance` is a word of ADQL.
    block["columns"] = {"source_id": "source_id", "parallax": "parallax", "distance": "ruwe", "target_dec": "dec"}
    block["where"] = [{"column": "parallax", "op": ">", "value": 0.2}]
    block["where"].append({"column": "target_dec", "op": "between", "value": [-40, 60]})
    block["partition"] = {"column": "source_id", "parts": 3}
    return block | changes


@pytest.fixture(scope="module")
def wanted(sky: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """What the query should give."""
    gaia = sky["gaia_source"]
    there = gaia["source_id"].isin(sky["distances"]["source_id"]) & (gaia["parallax"] > 0.2)
    gaia = gaia[there & gaia["dec"].between(-40, 60)].rename(columns={"ruwe": "distance", "dec": "target_dec"})
    columns = ["source_id", "parallax", "distance", "target_dec"]
    return gaia[columns].sort_values("source_id", ignore_index=True)


def one_part(url: str, part: int = 0, **changes: Any) -> pd.DataFrame:
    return query_catalogue(Archive.of(url, PATIENCE | changes), query(url), dataset="stars", part=part)


def test_the_parts_are_the_whole(proxy: FaultyProxy, wanted: pd.DataFrame) -> None:
    parts = [one_part(proxy.url, part) for part in range(3)]
    table = merge_catalogue(parts, Archive.of(proxy.url, PATIENCE), query(proxy.url), dataset="stars")
    pd.testing.assert_frame_equal(table, wanted, check_dtype=False, check_exact=True)
    # No star lies in the third of the base pixels that is the last part: a part may be empty.
    assert min(map(len, parts[:2])) > 100 and len(parts[2]) == 0 and table["source_id"].max() > 2**61
    # COUNT(*) and rows of each part, COUNT(*) of all; each job deleted (the fixture looks).
    assert proxy.count("POST", "/async") == 7


@pytest.mark.parametrize("fault", [faults.keep_rows(90), faults.drop, faults.truncate], ids=["rows", "drop", "half"])
def test_a_result_that_is_not_whole(proxy: FaultyProxy, wanted: pd.DataFrame, fault: faults.Fault) -> None:
    proxy.plan("GET", RESULT, lambda answer: None, fault)
    whole = wanted[wanted["source_id"] < SOURCE_ID_END // 3]
    pd.testing.assert_frame_equal(one_part(proxy.url), whole, check_dtype=False, check_exact=True)
    assert not proxy.faults


def test_rows_that_stay_away(proxy: FaultyProxy) -> None:
    proxy.plan("GET", RESULT, lambda answer: None, faults.keep_rows(90), faults.keep_rows(90))
    with pytest.raises(ArchiveError, match=r"part 1 of 3: 90 rows came back, COUNT\(\*\) said \d+ \(2 tries\)"):
        one_part(proxy.url, attempts=2)


def test_more_rows_than_may_come(proxy: FaultyProxy) -> None:
    with pytest.raises(ArchiveError, match=r"part 1 of 3: \d+ rows, archive.maxrec is 100; raise datasets.stars.query"):
        one_part(proxy.url, maxrec=100)
    assert proxy.count("POST", "/async") == 1


def test_a_wrong_name(proxy: FaultyProxy) -> None:
    block = query(proxy.url, columns={"source_id": "source_id", "parallax": "paralax"}, where=None)
    with pytest.raises(
        ArchiveError, match=r"gaiaedr3.gaia_source: paralax \(nearest: parallax\); .*`datasets.stars.query`"
    ):
        query_catalogue(Archive.of(proxy.url, PATIENCE), block, dataset="stars", part=0)
    assert proxy.count("POST", "/async") == 0


def test_nulls_in_the_column_of_the_partition(proxy: FaultyProxy) -> None:
    """Rows without a parallax belong to no range of parallaxes; the last count finds them missing."""
    partition = {"column": "parallax", "parts": 2, "low": 0.0, "high": 1.0}
    block = query(proxy.url, join=None, where=None, partition=partition)
    archive = Archive.of(proxy.url, PATIENCE)
    parts = [query_catalogue(archive, block, dataset="stars", part=part) for part in range(2)]
    with pytest.raises(ArchiveError, match=r"the parts have \d+ rows, COUNT\(\*\) over all says \d+:.* nulls"):
        merge_catalogue(parts, archive, block, dataset="stars")


def test_the_rules_write_file_and_manifest(proxy: FaultyProxy, wanted: pd.DataFrame, tmp_path: Path) -> None:
    entry = {"file": "stars.parquet", "query": query(proxy.url), "citation": "nobody"}
    settings = {"config": {"datasets": {"stars": entry}, "archive": {"poll_s": 0.1}}}
    settings["environment"] = {**os.environ, "no_proxy": "127.0.0.1"}
    raw = Path("resources/raw/stars/stars.parquet")
    run_snakemake(tmp_path, targets=[raw], **settings)
    content = (tmp_path / raw).read_bytes()
    table = pd.read_parquet(tmp_path / raw)
    pd.testing.assert_frame_equal(table, wanted, check_dtype=False, check_exact=True)
    manifest = json.loads((tmp_path / f"{raw}.manifest.json").read_text())
    assert manifest["sha256"] == hashlib.sha256(content).hexdigest() and manifest["rows"] == len(wanted)
    assert manifest["url"] == proxy.url and manifest["query"].startswith("SELECT") and manifest["parts"] == 3
    assert "as many as COUNT(*) says" in (tmp_path / "logs/merge_catalogue/stars/stars.parquet.log").read_text()
    # Where all is there, nobody is asked.
    jobs = proxy.count("POST", "/async")
    assert "Nothing to be done" in run_snakemake(tmp_path, targets=[raw], **settings)
    assert proxy.count("POST", "/async") == jobs
