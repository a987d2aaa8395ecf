"""The toy under the draft names of Gaia DR4, from a real TAP server: the local back end's tracers, byte for byte."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from prepare_targets import prepare_targets
from query_archive import query_archive
from snakemake_run import TOY, run_snakemake
from tap.conftest import FirstDay
from tap.first_day import BESIDE, BIAS, RARE, SMALL, as_dr4, with_rare_codes
from tap.proxy import FaultyProxy
from tap.release import DR4

from gaia_offsets.archive.adql import Crossmatch
from gaia_offsets.archive.candidates import ambiguous, merge_chunks, targets_to_ask
from gaia_offsets.archive.tap import Archive
from gaia_offsets.sky.match import propagate

pytestmark = pytest.mark.slow
SAMPLE = "simulated_giants"
TRACERS = f"results/{SAMPLE}/tracers.parquet"
LOOPBACK = {**os.environ, "no_proxy": "127.0.0.1"}


def make(folder: Path, settings: dict[str, Any], target: str = TRACERS, fails: bool = False) -> str:
    """What a run of the toy with an overlay says."""
    return run_snakemake(
        folder, configfiles=[TOY], config=SMALL | settings, targets=[target], fails=fails, environment=LOOPBACK
    )


@pytest.fixture(scope="module")
def rare(dr4: FirstDay) -> pd.DataFrame:
    """DR4's sources with rare codes among them."""
    return with_rare_codes(as_dr4(dr4.edr3))["gaia_source"]


@pytest.fixture(scope="module")
def local(dr4: FirstDay, rare: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the run on the tables at hand."""
    folder = tmp_path_factory.mktemp("local")
    rare.to_parquet(folder / "gaia_dr4.parquet", index=False)
    match = {"gaia": {"dataset": "mine", "columns": {BIAS: BIAS}}}
    settings = {"samples": {SAMPLE: {"release": "dr4", "crossmatch": match}}}
    make(folder, settings | {"datasets": {"mine": {"path": str(folder / "gaia_dr4.parquet")}}})
    return folder


@pytest.mark.parametrize("astrometry", ["gaia_source", "all_source_astrometry"])
def test_the_back_ends_agree_on_dr4(astrometry: str, local: Path, dr4: FirstDay, tmp_path: Path) -> None:
    settings = dr4.overlay(gaia_source="gaiadr4.gaia_source_rare", astrometry=astrometry)
    make(tmp_path, settings | {"samples": {SAMPLE: {"release": "dr4", "crossmatch": {"backend": "archive"}}}})
    assert (tmp_path / TRACERS).read_bytes() == (local / TRACERS).read_bytes()
    tracers = pd.read_parquet(tmp_path / TRACERS)
    assert len(tracers) > 200 and set(tracers["astrometric_params_solved"]) == {95}
    assert tracers["zero_point"].notna().mean() > 0.9
    flow = pd.read_csv(tmp_path / f"results/{SAMPLE}/tables/cutflow.csv").set_index("criterion")["removed"]
    assert all(flow[f"is no {name} solution"] > 10 for name in RARE.values()) and flow["is no 2p solution"] > 0
    assert flow["is no resolved solution"] == 0
    mine, theirs = (pd.read_parquet(run / f"resources/{SAMPLE}/stars.parquet")[BIAS] for run in (tmp_path, local))
    pd.testing.assert_series_equal(mine, theirs)
    assert mine.nunique() > 100


def test_a_run_with_a_wrong_name_uploads_nothing(dr4: FirstDay, proxy: FaultyProxy, tmp_path: Path) -> None:
    settings = dr4.overlay(proxy.url, solution={"column": "astrometric_param"})
    settings["samples"] = {SAMPLE: {"release": "dr4", "crossmatch": {"backend": "archive"}}}
    said = make(tmp_path, settings, fails=True)
    assert "does not have gaiadr4.gaia_source: astrometric_param (nearest: astrometric_params)" in said
    assert proxy.count("POST", "/async") == 0


def ask(url: str, targets: pd.DataFrame, by: str, epoch: float | None = None) -> pd.DataFrame:
    """The targets with their counterparts."""
    patience = {"maxrec": 50_000, "timeout_s": 60, "stall_s": 20, "poll_s": 0.1, "attempts": 3, "max_wait_s": 5}
    prepared, _ = prepare_targets(targets, cuts=[], by=by, radius_arcsec=1.0)
    release = DR4 | {"bridged": DR4["bridged"] | BESIDE}
    match = Crossmatch(release, by, radius_arcsec=1.0, epoch=epoch, margin_arcsec=30.0)
    asked = targets_to_ask(prepared, by=by)
    answer = query_archive(asked, Archive.of(url, patience), match, chunk=0, chunks=1)
    return merge_chunks(prepared, [answer])


def test_identifiers_of_two_releases_ago(dr4: FirstDay) -> None:
    ids = dr4.edr3["gaia_source"]["source_id"].head(200)
    distances = dr4.edr3["distances"].set_index("source_id")["r_med_geo"].reindex(ids)
    for by, step in (("dr3_source_id", 1), ("dr2_source_id", 2)):
        got = ask(dr4.url, pd.DataFrame({f"gaia_{by[:3]}_source_id": ids + step}), by)
        assert got["source_id"].tolist() == ids.tolist(), by
        assert got["r_med_geo"].tolist() == pytest.approx(distances.tolist(), nan_ok=True)
        # Of ten DR2 sources one is two in DR3, and of ten DR3 sources one is two or three in DR4.
        number = int((got["match_neighbours"] > 1).sum())
        assert number == 20 * step
        assert ambiguous(got, by).startswith(f"{number} targets are ambiguous")
        assert got["match_separation"].iloc[3] == pytest.approx(0.04 * step)


def test_positions_of_either_epoch(dr4: FirstDay) -> None:
    gaia = as_dr4(dr4.edr3)["gaia_source"].head(200)
    distances = dr4.edr3["distances"].set_index("source_id")["r_med_geo"].reindex(gaia["source_id"])
    motion = [gaia[name].to_numpy(float) for name in ("ra", "dec", "pmra", "pmdec")]
    for epoch in (2000.0, 2016.0, 2017.5):
        ra, dec = propagate(*motion, epoch - 2017.5)
        got = ask(dr4.url, pd.DataFrame({"target_ra": ra, "target_dec": dec}), "position", epoch)
        assert got["source_id"].tolist() == gaia["source_id"].tolist()
        assert got["r_med_geo"].tolist() == pytest.approx(distances.tolist(), nan_ok=True)
        assert got["match_separation"].max() < 1e-6 and got["match_neighbours"].max() == 1
