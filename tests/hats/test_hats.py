"""Back end hats: the same pairs as the local back end, on a HATS catalogue of a simulated survey; tracers as HATS."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import publish_hats
import pytest
import search_hats
from frames import match_catalogues
from parsed_workflow import plan
from snakemake_run import SMALL, TOY, differences, run_snakemake

from gaia_offsets.sky.match import propagate
from gaia_offsets.tables.read import TableError

TRACERS = "results/simulated_giants/tracers.parquet"
HERE = importlib.util.find_spec("lsdb") is not None
HOW = "LSDB is not installed: pip install -r envs/hats-requirements.txt"


@pytest.fixture(autouse=True)
def lsdb_is_here(request: pytest.FixtureRequest) -> None:
    if not HERE and "without" not in request.node.name:
        pytest.fail(HOW) if os.environ.get("GAIA_OFFSETS_REQUIRE_LSDB") == "1" else pytest.skip(HOW)


def written(table: pd.DataFrame, folder: Path) -> Path:
    """A HATS catalogue of many small partitions and no margin."""
    import lsdb

    made = lsdb.from_dataframe(table, ra_column="ra", dec_column="dec", partition_rows=500, margin_threshold=None)
    made.write_catalog(folder, catalog_name="gaia", as_collection=False, progress_bar=False)
    return folder


def sky(n: int = 3000) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Targets at J2000 and made-up Gaia sources at J2016, crowded, some fast, around the pole and across 0 h."""
    rng = np.random.default_rng(7)
    ra = np.concatenate([rng.uniform(0, 360, n // 2), rng.uniform(-0.2, 0.2, n // 2) % 360])
    dec = np.concatenate([rng.uniform(89.9, 90, n // 2), rng.uniform(-0.2, 0.2, n // 2)])
    pm = rng.normal(0, 400, (2, n))
    gaia = pd.DataFrame({"source_id": rng.permutation(n) + 1, "ra": ra, "dec": dec, "pmra": pm[0], "pmdec": pm[1]})
    gaia["parallax"] = rng.normal(1, 0.1, n)
    then = propagate(ra, dec, *pm, -16.0)
    targets = pd.DataFrame({"target_ra": then[0], "target_dec": np.clip(then[1] + rng.normal(0, 2e-4, n), -90, 90)})
    targets = pd.concat([targets.iloc[: n // 2], targets.iloc[::3]], ignore_index=True)
    targets.loc[5, "target_ra"] = np.nan
    return targets, gaia


def test_pairs_are_those_of_all_sources(tmp_path: Path) -> None:
    targets, gaia = sky()
    how = {"target_epoch": 2000.0, "gaia_epoch": 2016.0, "radius_arcsec": 3.0, "tmass_radius_arcsec": 1.0}
    every = match_catalogues(targets, gaia, None, None, **how)
    catalogue = written(gaia, tmp_path / "gaia")
    near = search_hats.search_hats(targets, str(catalogue), {}, radius_arcsec=33.0, workers=2)
    assert len(near) == near["source_id"].nunique() < len(gaia)
    found = match_catalogues(targets, near.convert_dtypes(dtype_backend="numpy_nullable"), None, None, **how)
    assert every["match_neighbours"].max() > 1 and 100 < every["source_id"].notna().sum() < len(every)
    for column in ("source_id", "match_neighbours", "match_separation"):
        assert found[column].equals(every[column]), column


def test_faults_are_one_line(tmp_path: Path) -> None:
    targets, gaia = sky(200)
    catalogue = str(written(gaia.rename(columns={"pmra": "mu"}), tmp_path / "gaia"))
    how = {"radius_arcsec": 3.0, "workers": 1}
    with pytest.raises(TableError, match=r"no column 'pmra' among its 6; name the right one in .*columns.pmra$"):
        search_hats.search_hats(targets, catalogue, {}, **how)
    assert "mu" in search_hats.search_hats(targets, catalogue, {"pmra": "mu"}, **how).columns
    with pytest.raises(TableError, match=r"cannot be opened .*crossmatch.hats.catalogue"):
        search_hats.search_hats(targets, str(tmp_path / "nowhere"), {}, **how)


def test_without_lsdb_the_fault_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lsdb", None)
    with pytest.raises(TableError, match=r"LSDB, which is not installed .*: pip install -r envs/hats-requirements.txt"):
        search_hats.search_hats(pd.DataFrame(), "x", {}, radius_arcsec=1.0, workers=1)


@pytest.mark.nightly
def test_a_run_gives_the_tracers_of_the_local_back_end(tmp_path: Path, small: Path) -> None:
    hats = tmp_path / "hats"
    survey = pd.read_parquet(small / "resources/simulated/toy/gaia_source.parquet")
    catalogue = written(survey, tmp_path / "catalogue")
    match = {"backend": "hats", "gaia": None, "hats": {"catalogue": str(catalogue)}}
    config = SMALL["config"] | {"samples": {"simulated_giants": {"crossmatch": match}}}
    run_snakemake(hats, **SMALL | {"config": config, "targets": [TRACERS]})
    assert len(pd.read_parquet(hats / TRACERS)) > 500
    for file in (TRACERS, "resources/simulated_giants/crossmatch.local.parquet"):
        assert (hats / file).read_bytes() == (small / file).read_bytes(), file


def tracers() -> pd.DataFrame:
    """Simulated tracers over the whole sky, by source_id, with nulls, as their file has them."""
    rng = np.random.default_rng(11)
    n = 4000
    table = pd.DataFrame({"source_id": np.sort(rng.integers(2**50, 2**62, n)), "ra": rng.uniform(0, 360, n)})
    table["dec"] = np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    table["pseudocolour"] = np.where(rng.uniform(size=n) < 0.9, np.nan, 1.5)
    table["solution"] = np.where(table["pseudocolour"].isna(), "5p", "6p")
    table["parallax"], table["offset_raw"] = rng.normal(1, 0.1, n), rng.normal(-30, 40, n)
    return table.convert_dtypes(dtype_backend="pyarrow")


def test_published_tracers_are_those_of_the_table_and_the_same_bytes(tmp_path: Path) -> None:
    import lsdb

    table = tracers()
    assert table["pseudocolour"].isna().sum() > 3000
    for name in ("one", "two"):
        publish_hats.publish_hats(table, tmp_path / name, name="stars", title="Simulated stars")
    assert differences(tmp_path / "one", tmp_path / "two", ".") == []
    made = lsdb.open_catalog(tmp_path / "one", columns="all")
    assert len(made.get_healpix_pixels()) > 3
    rows = pd.DataFrame(made.compute()).sort_values("source_id", ignore_index=True)
    pd.testing.assert_frame_equal(rows, table)
    facts = (tmp_path / "one/hats.properties").read_text(encoding="utf-8")
    assert "obs_title=Simulated stars\n" in facts and "parallax [mas], offset_raw [uas]" in facts
    near = made.cone_search(ra=10.0, dec=0.0, radius_arcsec=36000.0).compute()
    assert 10 < len(near) < 100
    table.loc[7, "dec"] = None
    with pytest.raises(TableError, match="1 of 4000 tracers have no ra, dec"):
        publish_hats.publish_hats(table, tmp_path / "three", name="stars", title="Simulated stars")


@pytest.mark.nightly
def test_a_run_publishes_its_tracers(tmp_path: Path) -> None:
    import lsdb

    config = SMALL["config"] | {"samples": {"simulated_giants": {"publish_hats": True}}}
    run_snakemake(tmp_path, **SMALL | {"config": config, "targets": ["results/simulated_giants/hats"]})
    rows = pd.DataFrame(lsdb.open_catalog(tmp_path / "results/simulated_giants/hats", columns="all").compute())
    table = pd.read_parquet(tmp_path / TRACERS, dtype_backend="pyarrow")
    assert len(table) > 500
    pd.testing.assert_frame_equal(rows.sort_values("source_id", ignore_index=True), table)


def test_without_being_asked_no_run_writes_one(tmp_path: Path) -> None:
    assert "publish_hats" not in plan(tmp_path, [TOY], everything=True)
    asked = {"samples": {"simulated_giants": {"publish_hats": True}}}
    assert "publish_hats" in plan(tmp_path, [TOY], asked, everything=True)
