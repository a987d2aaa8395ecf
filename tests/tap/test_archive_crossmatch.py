"""The archive back end gives the table that the local one gives, row for row, and survives being killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from prepare_targets import prepare_targets
from query_archive import query_archive
from snakemake_run import run_snakemake, snakemake_command
from tap import proxy as faults
from tap.proxy import FaultyProxy
from tap.release import RELEASE

from gaia_offsets.archive.adql import Crossmatch
from gaia_offsets.archive.candidates import merge_chunks, read_whole, targets_to_ask, write_whole
from gaia_offsets.archive.tap import Archive
from gaia_offsets.core.columns import DISTANCES, GAIA, TMASS

Sky = dict[str, pd.DataFrame]

pytestmark = pytest.mark.slow
CUTS = [{"column": "snr", "op": ">=", "value": 50}, {"column": "logg", "op": "<=", "value": 3.8}]
NEAR = {"epoch": 2000.0, "radius_arcsec": 3.0, "margin_arcsec": 60.0}
ARCHIVE = {"maxrec": 50_000, "timeout_s": 60, "stall_s": 20, "poll_s": 0.3, "attempts": 3, "max_wait_s": 5}


def from_archive(url: str, targets: pd.DataFrame, cuts: list[dict[str, Any]], by: str, chunks: int) -> pd.DataFrame:
    """The three steps of the rules in a row."""
    prepared, _ = prepare_targets(targets, cuts=cuts, by=by, radius_arcsec=NEAR["radius_arcsec"])
    archive = Archive.of(url, ARCHIVE | {"poll_s": 0.1})
    match, asked = Crossmatch(RELEASE, by, **NEAR), targets_to_ask(prepared, by=by)
    parts = [query_archive(asked, archive, match, chunk=chunk, chunks=chunks) for chunk in range(chunks)]
    return merge_chunks(prepared, parts)


def test_archive_and_local_agree_row_for_row(proxy: FaultyProxy, sky: Sky, local: pd.DataFrame) -> None:
    got = from_archive(proxy.url, sky["targets"], CUTS, "position", 2)
    asked = got["preselected"].to_numpy()
    assert 0.5 < asked.mean() < 0.9
    assert got.loc[~asked, "source_id"].isna().all()
    columns = [name for name in local.columns if name != "preselected"]
    pd.testing.assert_frame_equal(
        got.loc[asked, columns], local.loc[asked, columns], check_dtype=False, check_exact=True
    )
    # The sky holds what makes a cross-match difficult, so that the equality means something.
    there = local[asked & local["source_id"].notna()]
    assert (there["match_neighbours"] > 1).sum() > 30
    assert (np.hypot(there["pmra"], there["pmdec"]) * 16 > 3000).sum() > 10
    assert there["pmra"].isna().sum() > 20 and (there["dec"] > 89).sum() > 100
    assert local.loc[asked, "source_id"].isna().sum() > 30 and there["ks_m"].isna().sum() > 30
    assert int(there["source_id"].max()) > 2**60


def test_identifiers_find_their_own_source(proxy: FaultyProxy, sky: Sky) -> None:
    gaia = sky["gaia_source"].head(300)
    ids = pd.concat([gaia["source_id"], pd.Series([2**62 + 1, None], dtype="Int64")], ignore_index=True)
    got = from_archive(proxy.url, pd.DataFrame({"obsid": range(302), "source_id": ids}), [], "source_id", 1)
    assert got["source_id"].iloc[:300].tolist() == gaia["source_id"].tolist()
    assert got["source_id"].iloc[300:].isna().all()
    assert got["preselected"].tolist() == [True] * 301 + [False]
    pd.testing.assert_frame_equal(got.loc[:299, list(GAIA)], gaia[list(GAIA)], check_dtype=False, check_exact=True)


def test_dr2_identifiers_take_the_nearer_source(proxy: FaultyProxy, sky: Sky) -> None:
    gaia = sky["gaia_source"].head(300)
    targets = pd.DataFrame({"gaia_dr2_source_id": gaia["source_id"] + 1})
    got = from_archive(proxy.url, targets, [], "dr2_source_id", 1)
    assert got["source_id"].tolist() == gaia["source_id"].tolist()
    # Every tenth DR2 source became two; the second is 90 mas away.
    assert got["match_neighbours"].tolist() == [2 if place % 10 == 0 else 1 for place in range(300)]
    assert 0 < got["match_separation"].max() < 0.006


def test_stilts_finds_the_same_pairs(require_stilts: str, sky: Sky, local: pd.DataFrame, tmp_path: Path) -> None:
    """An independent programme on the positions propagated by astropy; nearest source of each target."""
    import astropy.units as u
    from astropy.coordinates import SkyCoord
    from astropy.time import Time

    gaia, targets = sky["gaia_source"], sky["targets"]
    motion = {
        f"pm_{ours}": gaia[name].fillna(0).to_numpy(float) * u.mas / u.yr
        for ours, name in (("ra_cosdec", "pmra"), ("dec", "pmdec"))
    }
    place = (gaia[name].to_numpy() * u.deg for name in ("ra", "dec"))
    now = SkyCoord(*place, **motion, obstime=Time("J2016"), distance=1 * u.kpc)
    then = now.apply_space_motion(new_obstime=Time("J2000"))
    there = pd.DataFrame({"source_id": gaia["source_id"], "ra": then.ra.deg, "dec": then.dec.deg})
    there.to_csv(tmp_path / "gaia.csv", index=False)
    targets[["obsid", "target_ra", "target_dec"]].to_csv(tmp_path / "targets.csv", index=False)
    command = [require_stilts, "tskymatch2", "ifmt1=csv", "ifmt2=csv", "in1=targets.csv", "in2=gaia.csv"]
    command += ["ra1=target_ra", "dec1=target_dec", "ra2=ra", "dec2=dec", "error=3", "find=best1", "join=1and2"]
    subprocess.run([*command, "out=pairs.csv", "ofmt=csv"], cwd=tmp_path, check=True, capture_output=True)
    pairs = pd.read_csv(tmp_path / "pairs.csv").set_index("obsid")["source_id"].sort_index()
    ours = local.dropna(subset=["source_id"]).set_index("obsid")["source_id"].sort_index()
    assert len(pairs) > 3000
    pd.testing.assert_series_equal(pairs, ours, check_dtype=False)


def test_killed_in_the_middle_and_started_again(proxy: FaultyProxy, sky: Sky, tmp_path: Path) -> None:
    """kill -9 while the second chunk is on its way: the first is not fetched again, the table is as if undisturbed."""
    targets = sky["targets"].head(900)
    targets.to_parquet(tmp_path / "targets.parquet")
    sample = {"title": "Stars", "release": "edr3", "official": "none", "targets": {"dataset": "mine"}, "cuts": CUTS}
    sample |= {"reference": {"kind": "constant", "value_mas": 0.0}, "one_row_per": None}
    place = {"epoch": NEAR["epoch"], "radius_arcsec": NEAR["radius_arcsec"]}
    sample["crossmatch"] = {"backend": "archive", "by": "position", **place}
    config = {"run": {"samples": ["stars"]}, "samples": {"stars": sample}, "releases": {"edr3": RELEASE}}
    config["datasets"] = {"mine": {"file": "targets.parquet", "path": "targets.parquet"}}
    margin = {"pm_margin_arcsec": NEAR["margin_arcsec"]}
    config["archive"] = ARCHIVE | margin | {"url": proxy.url, "chunks": 2}
    # One after the other and without a lock, which the killed run would leave behind.
    options = "--nolock", "--resources", "archive=1"
    target = "resources/stars/crossmatch.archive.parquet"
    settings = {"config": config, "cores": 1, "targets": [target]}
    command = snakemake_command(tmp_path, *options, **settings)
    folder = tmp_path / "resources/stars/archive"
    proxy.plan("GET", "/results/result", lambda answer: None, faults.stall(600))
    with open(tmp_path / "first.log", "w") as log:
        first = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + 90
    while proxy.faults and time.monotonic() < deadline and first.poll() is None:
        time.sleep(0.05)
    assert not proxy.faults, (tmp_path / "first.log").read_text()
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    finished = sorted(folder.glob("chunk_*.parquet"))
    assert len(finished) == 1
    stamp, jobs = finished[0].stat().st_mtime_ns, proxy.count("POST", "/phase")
    orphan = next(path for method, path in reversed(proxy.seen) if method == "POST" and path.endswith("/phase"))

    run_snakemake(tmp_path, *options, **settings, environment={**os.environ, "no_proxy": "127.0.0.1"})
    assert finished[0].stat().st_mtime_ns == stamp
    assert proxy.count("POST", "/phase") == jobs + 1
    write_whole(from_archive(proxy.url, targets, CUTS, "position", 2), tmp_path / "undisturbed.parquet")
    result = tmp_path / target
    assert result.read_bytes() == (tmp_path / "undisturbed.parquet").read_bytes()
    table = read_whole(result)
    assert list(table["target_id"]) == list(range(900)) and {*GAIA, *TMASS, *DISTANCES} <= set(table.columns)
    log = (tmp_path / "logs/query_archive/stars.1.log").read_text()
    assert "chunk 2 of 2" in log and "rows back" in log
    # What kill -9 left on the server, the archive removes after some days; here it is removed by hand.
    faults.fetch("DELETE", proxy.upstream.removesuffix("/tap") + orphan.removesuffix("/phase"))
