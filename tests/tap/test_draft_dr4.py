"""The toy under the draft names of Gaia DR4, from a real TAP server: the local back end's tracers, byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from prepare_targets import prepare_targets
from query_archive import query_archive
from tap.conftest import require_server
from tap.proxy import FaultyProxy
from tap.release import DR4
from tap.server import TapServer
from tap.survey import archive_tables

from gaia_offsets.archive import ambiguous, merge_chunks
from gaia_offsets.matching import propagate
from gaia_offsets.tap import Archive

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SAMPLE = "simulated_giants"
STARS, YEARS = 2000, 1.5  # J2016.0 to J2017.5
BIAS = "tentative_parallax_bias"
CODES = {7: "3p", 27: "4p", 63: "five_and_radial_motion", 479: "acceleration", 2079: "orbital"}
CODES |= {4127: "variability_induced_mover"}
NAMES = ("gaia_source", "tmass", "distances")
# The draft knows no table of 2MASS and distances; these stand in for them.
TABLES = {
    "tmass_best_neighbour": "gaiadr4.tmass_psc_xsc_best_neighbour",
    "tmass_join": "gaiadr4.tmass_psc_xsc_join",
    "tmass": "gaiadr1.tmass_original_valid",
    "distances": '"external".gaiadr4_distance',
}


def snakemake(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Snakemake with the toy's config in a folder."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder]
    command += ["--cores", "2", "--configfile", ROOT / "config/toy.yaml", *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, env=os.environ, timeout=300)


def make(folder: Path, settings: dict[str, Any], target: str, fails: bool = False) -> str:
    """What a run with an overlay says."""
    folder.mkdir(exist_ok=True)
    (folder / "overlay.yaml").write_text(yaml.safe_dump(settings))
    done = snakemake(folder, folder / "overlay.yaml", "--", target)
    assert (done.returncode != 0) == fails, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def as_dr4(sky: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The survey's Gaia sources at J2017.5 with DR4's codes and a correction column."""
    gaia = sky["gaia_source"].copy()
    motion = [gaia[name].to_numpy(float) for name in ("ra", "dec", "pmra", "pmdec")]
    gaia["ra"], gaia["dec"] = propagate(*motion, YEARS)
    solved = gaia["astrometric_params_solved"].to_numpy(np.int64)
    turned = (solved == 31) & (np.arange(len(gaia)) % 4 == 0)
    solved[turned] = np.resize(list(CODES), int(turned.sum()))
    gaia.loc[solved == 27, ["parallax", "parallax_error"]] = np.nan
    gaia["astrometric_params_solved"] = pd.array(solved, dtype="Int64")
    gaia[BIAS] = -0.02 - 1e-5 * (np.arange(len(gaia)) % 1000)
    return {**sky, "gaia_source": gaia}


def under_dr4_names(sky: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tables of the server, under the names of the draft block and of TABLES."""
    then = archive_tables(sky, 1.5, years=-17.5)
    renamed = {name.replace("edr3", "dr4"): frame for name, frame in then.items() if "dr2_" not in name}
    source = renamed["gaiadr4.gaia_source"].rename(columns={"astrometric_params_solved": "astrometric_params"})
    measured = ["parallax", "parallax_error", "nu_eff_used_in_astrometry", "pseudocolour", "astrometric_params", "ruwe"]
    # Every source twice in the table of single-star solutions; only the good row has its parallax.
    single = source[["source_id", *measured, BIAS]].assign(quality_flag=0)
    poor = single.assign(quality_flag=1, parallax=-9.0)
    # Every source was one DR3 source and one DR2 source. Every tenth DR3 source has a second, much fainter partner
    # that is nearer; every tenth DR2 source (another tenth) became two in DR3.
    dr4 = source["source_id"].to_numpy(np.int64)
    hops = {}
    for name, ours, theirs, first in (
        ("dr3", "source_id", "dr3_source_id", 0),
        ("dr2", "dr3_source_id", "dr2_source_id", 5),
    ):
        near = pd.DataFrame({theirs: dr4 + (1 if name == "dr3" else 2), ours: dr4 + (0 if name == "dr3" else 1)})
        near["angular_distance"] = np.float32(40.0)
        near["magnitude_difference"] = np.linspace(-0.02, 0.02, len(near)).astype("float32")
        split = near.iloc[first:-1:10].copy()
        split[ours] = near[ours].to_numpy()[first + 1 :: 10][: len(split)]
        split["angular_distance"], split["magnitude_difference"] = np.float32(2.0), np.float32(-3.0)
        hops[name] = pd.concat([near, split], ignore_index=True)
    return renamed | {
        "gaiadr4.gaia_source": source,
        "gaiadr4.all_source_astrometry": pd.concat([single, poor], ignore_index=True),
        "gaiadr4.dr3_neighbourhood": hops["dr3"],
        "gaiadr3.dr2_neighbourhood": hops["dr2"],
    }


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, pd.DataFrame]]:
    """A folder with the toy's tables as DR4 would have them, and the tables."""
    require_server()
    folder = tmp_path_factory.mktemp("dr4")
    simulated = folder / "resources/simulated/toy"
    make(folder, {"surveys": {"toy": {"stars": STARS}}}, str((simulated / "gaia_source.parquet").relative_to(folder)))
    sky = as_dr4({name: pd.read_parquet(simulated / f"{name}.parquet") for name in NAMES})
    sky["gaia_source"].to_parquet(folder / "gaia_dr4.parquet", index=False)
    return folder, sky


@pytest.fixture(scope="module")
def dr4_server(survey: tuple[Path, dict[str, pd.DataFrame]]) -> Iterator[TapServer]:
    """A TAP server that holds them under the draft's names."""
    tap = TapServer(under_dr4_names(survey[1]))
    try:
        yield tap.start()
    finally:
        tap.stop()


def settings(url: str, sample: dict[str, Any], release: dict[str, Any] | None = None) -> dict[str, Any]:
    """The overlay of a run on dr4."""
    return {
        "surveys": {"toy": {"stars": STARS}},
        "releases": {"dr4": TABLES | (release or {})},
        "archive": {"url": url, "chunks": 2, "poll_s": 0.3},
        "samples": {SAMPLE: {"release": "dr4"} | sample},
        # The simulated survey injects it under any name of a release.
        "corrections": {"lindegren2021": {"releases": ["edr3", "dr3", "dr4"]}},
    }


@pytest.fixture(scope="module")
def local(survey: tuple[Path, dict[str, pd.DataFrame]]) -> Path:
    """Folder of the run on the tables at hand."""
    folder, _ = survey
    columns = {BIAS: BIAS}
    run = settings("http://127.0.0.1:9/tap", {"crossmatch": {"gaia": {"dataset": "mine", "columns": columns}}})
    run["datasets"] = {"mine": {"path": str(folder / "gaia_dr4.parquet"), "file": "gaia_dr4.parquet"}}
    make(folder, run, f"results/{SAMPLE}/tracers.parquet")
    return folder


@pytest.mark.parametrize("astrometry", ["gaia_source", "all_source_astrometry"])
def test_the_back_ends_agree_on_dr4(astrometry: str, local: Path, dr4_server: TapServer, tmp_path: Path) -> None:
    sample = {"crossmatch": {"backend": "archive"}}
    make(tmp_path, settings(dr4_server.url, sample, {"astrometry": astrometry}), f"results/{SAMPLE}/tracers.parquet")
    result = tmp_path / f"results/{SAMPLE}/tracers.parquet"
    assert result.read_bytes() == (local / f"results/{SAMPLE}/tracers.parquet").read_bytes()
    tracers = pd.read_parquet(result)
    assert len(tracers) > 200 and set(tracers["solution"]) == {"5p", "6p"}
    assert set(tracers["astrometric_params_solved"]) == {31, 95} and tracers["zero_point"].notna().all()
    flow = pd.read_csv(tmp_path / f"results/{SAMPLE}/tables/cutflow.csv").set_index("criterion")["removed"]
    assert all(flow[f"is no {name} solution"] > 10 for name in CODES.values()) and flow["is no 2p solution"] > 0
    assert flow["is no resolved solution"] == flow["has a 5p or 6p solution"] == 0
    mine, theirs = (pd.read_parquet(run / f"resources/{SAMPLE}/stars.parquet") for run in (tmp_path, local))
    assert mine[BIAS].notna().all() and mine[BIAS].tolist() == theirs[BIAS].tolist()
    assert mine[BIAS].nunique() > 100


def test_a_column_renamed_at_the_last_minute(dr4_server: TapServer, tmp_path: Path) -> None:
    between = FaultyProxy(dr4_server.url)
    try:
        wrong = {"solution": {"column": "astrometric_param"}, "dr3_neighbourhood": "gaiadr4.dr3_neighbours"}
        run = settings(between.url, {"crossmatch": {"backend": "archive"}}, wrong) | {"release": "dr4"}
        said = make(tmp_path, run, "check_release", fails=True)
        assert "3 missing\n" in said, said
        assert "gaiadr4.all_source_astrometry: astrometric_param (nearest: astrometric_params)" in said
        assert "gaiadr4.gaia_source: astrometric_param (nearest: astrometric_params)" in said
        assert "table gaiadr4.dr3_neighbours (nearest: gaiadr4.dr3_neighbourhood)" in said
        said = make(tmp_path, run, f"results/{SAMPLE}/tracers.parquet", fails=True)
        assert "does not have gaiadr4.gaia_source: astrometric_param (nearest: astrometric_params)" in said
        assert between.count("POST", "/async") == 0, "something was uploaded"
        right = settings(between.url, {"crossmatch": {"backend": "archive"}}) | {"release": "dr4"}
        for _ in range(2):  # it asks each time that it is asked for
            said = make(tmp_path, right, "check_release")
            assert "names asked for, 0 missing" in said
    finally:
        between.shutdown()
        between.server_close()


def ask(url: str, targets: pd.DataFrame, by: str, epoch: float | None = None) -> pd.DataFrame:
    """The targets with their counterparts."""
    patience = {"maxrec": 50_000, "timeout_s": 60, "stall_s": 20, "poll_s": 0.1, "attempts": 3, "max_wait_s": 5}
    near = {"epoch": epoch, "radius_arcsec": 1.0, "pm_margin_arcsec": 30.0}
    prepared, _ = prepare_targets(targets, cuts=[], by=by, radius_arcsec=1.0)
    release = DR4 | TABLES
    answer = query_archive(prepared, Archive(url, **patience), chunk=0, chunks=1, release=release, by=by, **near)
    return merge_chunks(prepared, [answer])


def test_identifiers_of_two_releases_ago(dr4_server: TapServer, survey: tuple[Path, dict[str, pd.DataFrame]]) -> None:
    ids = survey[1]["gaia_source"]["source_id"].head(200)
    for by, step, several in (("dr3_source_id", 1, 20), ("dr2_source_id", 2, None)):
        got = ask(dr4_server.url, pd.DataFrame({f"gaia_{by[:3]}_source_id": ids + step}), by)
        assert got["source_id"].tolist() == ids.tolist(), by
        number = int((got["match_neighbours"] > 1).sum())
        # Of ten DR2 sources, one is two in DR3, and one DR3 source is two in DR4.
        assert number == (several or 40) and ambiguous(got, by).startswith(f"{number} targets are ambiguous")
        assert got["match_separation"].iloc[3] == pytest.approx(0.04 * step)


def test_positions_of_either_epoch(dr4_server: TapServer, survey: tuple[Path, dict[str, pd.DataFrame]]) -> None:
    gaia = survey[1]["gaia_source"].head(200)
    motion = [gaia[name].to_numpy(float) for name in ("ra", "dec", "pmra", "pmdec")]
    for epoch in (2000.0, 2016.0, 2017.5):
        ra, dec = propagate(*motion, epoch - 2017.5)
        got = ask(dr4_server.url, pd.DataFrame({"target_ra": ra, "target_dec": dec}), "position", epoch)
        assert got["source_id"].tolist() == gaia["source_id"].tolist()
        assert got["match_separation"].max() < 1e-6
