"""Rehearsal of docs/reproduce.md: simulated stars under the official names, fetched, matched and measured.

The overlays change addresses and sizes only; no file is placed by hand. LAMOST's server is a local one that wants a
token, the Gaia archive and VizieR are a real TAP server on loopback.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pytest
import yaml
from astropy.table import Table
from snakemake_run import ROOT, TOY, run_snakemake
from tap.release import moved
from tap.server import TapServer
from tap.survey import archive_tables, move
from unit.misbehaving_http import Answer, MisbehavingServer

pytestmark = pytest.mark.slow
STARS = 3000
SURVEY = {"stars": STARS, "labels": "physical", "catalogue_mks": False}
TABLES = ("gaia_source", "tmass", "distances", "truth")
TOKEN = "a-token/of+nobody"
PUBLIC, V1, K_GIANTS = (
    ROOT / f"config/{name}.yaml" for name in ("lamost_public", "lamost_public_v1", "lamost_k_giants")
)
TRACERS = "results/{}/tracers.parquet"
MEASURED = ("figures/fig4_offsets.pdf", "figures/fig6_maps.png", "dataset/equatorial.ecsv", "results.html")


def official_file(targets: pd.DataFrame, ids: pd.Series, path: Path) -> Path:
    """The spectra as LAMOST's catalogue has them; -9999 and 0 stand for what is missing."""
    n, rng = len(targets), np.random.default_rng(4)
    ids = ids.to_numpy(dtype=np.int64, na_value=-9999)
    ids[::50], ids[25::50] = 0, -9999
    table = Table({"obsid": targets["obsid"].to_numpy(np.int64), "gaia_source_id": ids})
    table["obsdate"], table["planid"] = np.full(n, "2012-01-01"), np.full(n, "GAC080N37V1")
    table["spid"], table["fiberid"] = rng.integers(1, 17, n, dtype=np.int32), rng.integers(1, 251, n, dtype=np.int32)
    table["class"] = np.full(n, "STAR")
    for name in ("ra", "dec"):
        table[name] = targets[name].to_numpy(float)
    for name in ("snru", "snrg", "snrr", "snri", "snrz"):
        table[name] = targets["snr"].to_numpy("float32") if name == "snrg" else rng.uniform(5, 300, n).astype("float32")
    for name in ("teff", "logg", "feh"):
        table[name] = np.where(rng.random(n) < 0.01, -9999.0, targets[name].to_numpy(float)).astype("float32")
        table[f"{name}_err"] = np.float32(-9999.0)
    table.write(path)  # packed, by its name
    return path


def k_giants(targets: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Giants with a distance modulus good to 0.24 mag, as VizieR would have them."""
    stars = truth.merge(targets.drop_duplicates("source_id"), on="source_id")
    giants = stars[(stars["logg"] < 3.5) & (stars["parallax_true"] > 0)].sort_values("source_id", ignore_index=True)
    modulus = 10 - 5 * np.log10(giants["parallax_true"]) + np.random.default_rng(6).normal(0, 0.24, len(giants))
    rounded = {"DM": modulus.round(3), "e_DM": np.full(len(giants), 0.24)}
    return pd.DataFrame({"RAJ2000": giants["ra"], "DEJ2000": giants["dec"], **rounded})


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory, server: TapServer) -> Path:
    """A folder with the tables of a small simulated survey and the official files made of them."""
    folder = tmp_path_factory.mktemp("public")
    made = folder / "resources/simulated/toy"
    target = (made / "targets.fits").relative_to(folder)
    run_snakemake(folder, configfiles=[TOY], config={"surveys": {"toy": SURVEY}}, targets=[target])
    targets = Table.read(made / "targets.fits").to_pandas()
    truth = pd.read_parquet(made / "truth.parquet")
    targets["source_id"] = source_of(targets, made)
    official_file(targets, targets["source_id"], folder / "dr8_v2.0_LRS_stellar.fits.gz")
    # tap.survey: the DR2 identifier of a source is one higher.
    official_file(targets, targets["source_id"] + 1, folder / "dr8_v1.0_stellar_LRS.fits.gz")
    k_giants(targets, truth).to_parquet(folder / "k_giants.parquet")
    return folder


def source_of(targets: pd.DataFrame, made: Path) -> pd.Series:
    """The true source of each spectrum: that of the truth nearest to it at the targets' epoch."""
    from gaia_offsets.sky.match import match_nearest, propagate

    gaia = pd.read_parquet(made / "gaia_source.parquet", columns=["source_id", "ra", "dec", "pmra", "pmdec"])
    gaia = gaia[gaia["source_id"].isin(pd.read_parquet(made / "truth.parquet")["source_id"])]
    then = propagate(*(gaia[name].to_numpy(float) for name in ("ra", "dec", "pmra", "pmdec")), -16.0)
    index, _, _ = match_nearest(targets["ra"].to_numpy(), targets["dec"].to_numpy(), *then, 3.0)
    found = pd.Series(pd.array(gaia["source_id"].to_numpy()[index], dtype="Int64"))
    return found.mask(index < 0)


@pytest.fixture(scope="module")
def services(survey: Path, server: TapServer) -> Iterator[tuple[str, MisbehavingServer]]:
    """Address of the TAP server, and LAMOST's server."""
    from urllib.parse import quote_plus

    sky = {name: pd.read_parquet(survey / f"resources/simulated/toy/{name}.parquet") for name in TABLES[:3]}
    tables = move(archive_tables(sky, 1.5), "rehearsal") | {
        "vizier.k_giants": pd.read_parquet(survey / "k_giants.parquet")
    }
    server.add(tables)
    with MisbehavingServer() as http:
        for config in (PUBLIC, V1):
            entry = yaml.safe_load(config.read_text())["datasets"]["lamost_dr8_stellar"]
            place = urlsplit(entry["url"])
            asked = f"{place.path}?{place.query}"
            page = Answer(b"<!DOCTYPE html><title>Sign in</title>")
            http.plan[asked] = [page]
            http.plan[f"{asked}&token={quote_plus(TOKEN)}"] = [Answer((survey / entry["file"]).read_bytes())]
        yield server.url, http


def overlay(services: tuple[str, MisbehavingServer], config: Path = PUBLIC) -> dict[str, Any]:
    """Addresses and sizes of the rehearsal."""
    url, http = services
    place = urlsplit(yaml.safe_load(config.read_text())["datasets"]["lamost_dr8_stellar"]["url"])
    return {
        "releases": {"edr3": moved("rehearsal")},
        "archive": {"url": url, "chunks": 2, "poll_s": 0.1},
        "datasets": {"lamost_dr8_stellar": {"url": http.url(f"{place.path}?{place.query}")}},
    }


@pytest.fixture(scope="module")
def run(survey: Path, services: tuple[str, MisbehavingServer], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the rehearsal: both configs whole, and the public sample once more with the tables at hand."""
    folder = tmp_path_factory.mktemp("rehearsal")
    settings = overlay(services)
    settings["run"] = {"samples": ["lamost_public", "lamost_k_giants"]}
    settings["datasets"]["lamost_k_giants"] = {"query": {"url": services[0], "table": "vizier.k_giants"}}
    # Beside the rehearsal: the same spectra with the tables at hand.
    names = dict(zip(("gaia", "tmass", "distances"), TABLES, strict=False))
    made = survey / "resources/simulated/toy"
    settings["datasets"] |= {f"my_{role}": {"path": str(made / f"{name}.parquet")} for role, name in names.items()}
    match = {"backend": "local", "tmass_radius_arcsec": 1.5, **{role: {"dataset": f"my_{role}"} for role in names}}
    settings["samples"] = {"local": {"like": "lamost_public", "title": "At hand", "crossmatch": match}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAMOST_TOKEN", TOKEN)
        patch.setenv("NO_PROXY", "127.0.0.1")
        targets = ["all", TRACERS.format("local")]
        run_snakemake(folder, configfiles=[PUBLIC, K_GIANTS], config=settings, targets=targets, timeout=2400)
    return folder


def test_the_public_sample_has_the_tracers_of_the_tables_at_hand(run: Path, survey: Path) -> None:
    ours, local = (pd.read_parquet(run / TRACERS.format(name)) for name in ("lamost_public", "local"))
    truth = pd.read_parquet(survey / "resources/simulated/toy/truth.parquet")
    assert len(ours) > 300 and ours["source_id"].isin(truth["source_id"]).mean() > 0.995
    both = ours.merge(local, on="source_id")["source_id"]
    # An identifier knows its star where another source is nearer to the target; positions do not.
    assert len(both) > 0.99 * max(len(ours), len(local))
    same = [frame[frame["source_id"].isin(both)].reset_index(drop=True) for frame in (ours, local)]
    pd.testing.assert_frame_equal(*same, check_exact=True)


def test_the_identifiers_release_is_found_and_told(run: Path) -> None:
    found = json.loads((run / "resources/lamost_public/archive/identifiers.json").read_text())
    assert found["by"] == "source_id" and found["shares"]["source_id"]["agree"] > 0.97
    assert found["shares"]["dr2_source_id"]["exist"] == 0
    logs = [(run / f"logs/query_archive/lamost_public.{chunk}.log").read_text() for chunk in (0, 1)]
    assert all("found by source_id" in log and "without an identifier" in log for log in logs)


def test_the_k_giants_give_the_injected_offset(run: Path, survey: Path) -> None:
    tracers = pd.read_parquet(run / TRACERS.format("lamost_k_giants"))
    truth = pd.read_parquet(survey / "resources/simulated/toy/truth.parquet")
    joined = tracers[tracers["solution"] == "5p"].merge(truth, on="source_id", validate="one_to_one")
    assert len(joined) > 300
    table = pd.read_csv(run / "results/lamost_k_giants/tables/global_offsets.csv").set_index(["solution", "parallax"])
    for parallax, true in (
        ("raw", joined["residual_offset"] + 1000 * joined["zero_point"]),
        ("corrected", joined["residual_offset"]),
    ):
        row = table.loc[("5p", parallax)]
        assert abs(row["median"] - true.mean()) < 4 * row["median_error"] < 30, (parallax, row["median"], true.mean())


def test_the_learned_magnitudes_give_it_as_far_as_so_few_stars_can(run: Path, survey: Path) -> None:
    """800 training stars fix the zero point to some 16 uas; `make validate` has the strong test."""
    tracers = pd.read_parquet(run / TRACERS.format("lamost_public"))
    truth = pd.read_parquet(survey / "resources/simulated/toy/truth.parquet")
    joined = tracers[tracers["solution"] == "5p"].merge(truth, on="source_id", validate="one_to_one")
    results = run / "results/lamost_public/tables"
    learned = json.loads((results / "learned.json").read_text())
    row = pd.read_csv(results / "global_offsets.csv").set_index(["solution", "parallax"]).loc[("5p", "corrected")]
    error = np.hypot(row["median_error"], learned["zero_point_error_uas"])
    assert abs(row["median"] - joined["residual_offset"].mean()) < 3 * error < 75
    ratio = np.log(joined["reference_parallax"] / joined["parallax_true"])
    assert 0.03 < ratio.std() < 0.25  # distances to some per cent, nothing copied


def test_figures_and_table_1_are_there(run: Path) -> None:
    for name in ("fig1_magnitudes", "fig2_training", "fig3_red_clump"):
        assert (run / f"results/lamost_public/figures/{name}.pdf").stat().st_size > 500
    clump = pd.read_csv(run / "results/lamost_public/tables/red_clump.csv").iloc[0]
    assert clump["n"] > 50 and clump["relative_scatter"] < 0.25
    for sample in ("lamost_public", "lamost_k_giants"):
        for name in MEASURED:
            assert (run / "results" / sample / name).stat().st_size > 500


def test_the_token_is_in_no_file_of_the_run(run: Path, services: tuple[str, MisbehavingServer]) -> None:
    asked = [seen.path for seen in services[1].served]
    assert any(path.endswith("&token=a-token%2Fof%2Bnobody") for path in asked)
    manifest = json.loads(next(run.glob("resources/raw/lamost_dr8_stellar/*.manifest.json")).read_text())
    assert manifest["url"].endswith("?name=dr8_v2.0_LRS_stellar.fits.gz") and manifest["rows"] > STARS
    spellings = (TOKEN.encode(), b"a-token%2F", b"a-token%2f")
    for path in (path for path in run.rglob("*") if path.is_file()):
        assert not any(spelling in path.read_bytes() for spelling in spellings), path


def test_v1_with_dr2_identifiers_gives_the_same_tracers(
    run: Path, services: tuple[str, MisbehavingServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    options = {"configfiles": [PUBLIC, V1], "config": overlay(services, V1)}
    target = TRACERS.format("lamost_public")
    said = run_snakemake(tmp_path, targets=[target], fails=True, **options)
    assert "a registered user of this server can set the environment variable LAMOST_TOKEN" in said
    monkeypatch.setenv("LAMOST_TOKEN", TOKEN)
    run_snakemake(tmp_path, targets=[target], **options)
    found = json.loads((tmp_path / "resources/lamost_public/archive/identifiers.json").read_text())
    assert found["by"] == "dr2_source_id" and found["shares"]["source_id"]["exist"] == 0
    assert (tmp_path / target).read_bytes() == (run / target).read_bytes()


def test_a_name_that_has_changed_is_told_before_anything_long(
    services: tuple[str, MisbehavingServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("LAMOST_TOKEN", TOKEN)
    settings = overlay(services)
    settings["samples"] = {"lamost_public": {"targets": {"columns": {"snr": "snr_g", "feh": "fe_h"}}}}
    settings["archive"]["url"] = "http://127.0.0.1:9/tap"
    said = run_snakemake(tmp_path, configfiles=[PUBLIC], config=settings, fails=True)
    assert "no column 'snr_g' (wanted as 'snr'; nearest: snrg" in said
    assert "no column 'fe_h' (wanted as 'feh'; nearest: feh" in said
    settings["datasets"]["lamost_k_giants"] = {"query": {"url": services[0], "columns": {"distance_modulus": "D_M"}}}
    for table, words in (
        ("vizier.k_giant", "does not have table vizier.k_giant (nearest: vizier.k_giants)"),
        ("vizier.k_giants", "does not have vizier.k_giants: D_M (nearest: dm)"),
    ):
        settings["datasets"]["lamost_k_giants"]["query"]["table"] = table
        said = run_snakemake(tmp_path, configfiles=[PUBLIC, K_GIANTS], config=settings, fails=True)
        assert words in said and "correct the names in the config's `datasets.lamost_k_giants.query`" in said
