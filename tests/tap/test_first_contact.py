"""The first day of a made-up DR4: what check-release learns, and the samples that run by one word."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from snakemake_run import ROOT, TOY, run_snakemake
from tap.conftest import FirstDay
from tap.first_day import BIAS, SMALL

from gaia_offsets.__main__ import main

pytestmark = pytest.mark.slow
NU_EFF = "nu_eff_used_in_astrometry"


@pytest.fixture
def contact(dr4: FirstDay, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """A function: exit code, pasteable block and report of the command with keys of the release block."""

    def ask(**release: Any) -> tuple[int, dict[str, Any], str]:
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(dr4.overlay(**release)))
        code = main(["check-release", "dr4", "--configfile", str(tmp_path / "mine.yaml")])
        said = capsys.readouterr()
        assert said.out, said.err
        return code, yaml.safe_load(said.out)["releases"]["dr4"], said.err

    return ask


def row(report: str, code: int) -> list[str]:
    """The line of the table of a code, after code and class."""
    return next(line.split()[2:] for line in report.splitlines() if line.split()[:1] == [str(code)])


@pytest.mark.parametrize(("table", "common"), [("gaia_source", 95), ("gaia_source_31", 31)])
def test_the_standard_class_is_that_of_the_common_code(table: str, common: int, contact: Any, dr4: FirstDay) -> None:
    code, block, report = contact(gaia_source=f"gaiadr4.{table}")
    assert code == 0 and " 0 missing\n" in report
    solved, g = (dr4.edr3["gaia_source"][name] for name in ("astrometric_params_solved", "phot_g_mean_mag"))
    number = str(int(((solved == 31) & (g < 17)).sum()))
    # Sources, parallaxes, nu_eff, pseudocolour, RUWE: all of them; a correction for nearly all.
    counts = row(report, common)
    assert counts[:5] == [number] * 5 and 0.9 < int(counts[5]) / int(number) <= 1 and -60 < float(counts[6]) < -10
    standard = block["solution"]["standard"]
    assert common in block["solution"]["codes"][standard] and block["solution"]["colours"] == {standard: NU_EFF}


def test_a_block_of_the_coding_of_edr3_learns_that_95_is_the_standard_one(contact: Any) -> None:
    edr3 = {"codes": {"5p": 31, "6p": 95, "single": []}, "standard": "5p"}
    edr3["colours"] = {"5p": NU_EFF, "6p": "pseudocolour"}
    code, block, _ = contact(solution=edr3)
    assert code == 0 and block["solution"]["standard"] == "6p" and block["solution"]["colours"]["6p"] == NU_EFF


def test_a_correction_that_is_half_null(contact: Any) -> None:
    code, _, report = contact(gaia_source="gaiadr4.gaia_source_half")
    counts = row(report, 95)
    assert code == 0 and 0.4 < int(counts[5]) / int(counts[0]) < 0.6
    assert f"parallaxes have no {BIAS}: their zero point is null" in report


def test_names_that_are_wrong(contact: Any) -> None:
    wrong = {"dr3_neighbourhood": "gaiadr4.dr3_neighbours", "more_columns": ["tentative_parallax_bia"]}
    code, block, report = contact(**wrong)
    assert code == 1 and "names are missing: paste the block" in report
    assert "  table gaiadr4.dr3_neighbours (nearest: gaiadr4.dr3_neighbourhood)\n" in report
    assert block["dr3_neighbourhood"] == "gaiadr4.dr3_neighbourhood"
    assert block["columns"] == {"tentative_parallax_bia": BIAS}
    assert row(report, 95), "the sample is taken all the same"
    code, block, report = contact(**block)
    assert code == 0 and " 0 missing\n" in report  # what was pasted is right
    code, block, report = contact(solution={"column": "astrometric_param"})
    assert code == 1 and block["solution"] == {"column": "astrometric_params"} and "No sample of the sky" in report


# ---------------------------------------------------------------- one word


@pytest.fixture(scope="module")
def run(dr4: FirstDay, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The paper's sample and the quasars on DR4, and the paper's on the same stars under EDR3's codes, from tables."""
    folder = tmp_path_factory.mktemp("one_word")
    coarse = {"map": {"nside": 8, "more_than": 20}}
    mine = dr4.overlay(["http://127.0.0.1:9/tap", dr4.url])  # nobody is at the first address
    mine["datasets"] = {"lamost_dr8_vac": {"path": str(dr4.folder / "targets.fits")}}
    mine["datasets"] |= {"red_clump_catalogue": {"path": str(dr4.folder / "red_clump.fits")}}
    mine["datasets"] |= {"quasars": {"query": {"partition": {"parts": 2}}}}
    mine["run"] = {"samples": ["lamost_giants", "quasars"]}
    mine["samples"] = {"lamost_giants": {"release": "dr4", "measure": coarse}, "quasars": {"release": "dr4"}}
    products = [f"results/{sample}/dataset/equatorial.ecsv" for sample in mine["samples"]]
    products += [f"results/{sample}/tables/global_offsets.csv" for sample in mine["samples"]]
    here = {**os.environ, "no_proxy": "127.0.0.1"}
    run_snakemake(folder, configfiles=[ROOT / "config/quasars.yaml"], config=mine, targets=products, environment=here)
    toy = SMALL | {"samples": {"simulated_giants": {"measure": coarse}}}
    same = ["results/simulated_giants/dataset/equatorial.ecsv", "results/simulated_giants/tables/global_offsets.csv"]
    run_snakemake(folder, configfiles=[TOY], config=toy, targets=same)
    return folder / "results"


def test_the_map_of_the_common_code_is_that_of_edr3(run: Path) -> None:
    from astropy.table import Table

    names = ("lamost_giants", "simulated_giants")
    dr4, edr3 = (Table.read(run / f"{name}/dataset/equatorial.ecsv").to_pandas() for name in names)
    assert len(edr3) > 7 and edr3["n"].sum() > 500
    pd.testing.assert_frame_equal(dr4[["hindex", "n"]], edr3[["hindex", "n"]])
    for name in ("domega_corr", "e_domega_corr", "domega_noncorr", "e_domega_noncorr"):
        np.testing.assert_allclose(dr4[name], edr3[name], rtol=0, atol=1e-6)
    first, second = (pd.read_csv(run / f"{name}/tables/global_offsets.csv") for name in names)
    columns = ["parallax", "n", "median", "mean", "gaussian_mean"]
    ours = first[columns].reset_index(drop=True)
    theirs = second.loc[second["solution"] == "5p", columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(ours, theirs, rtol=0, atol=1e-6)


def test_the_quasars_of_the_bridge(run: Path) -> None:
    tracers = pd.read_parquet(run / "quasars/tracers.parquet")
    assert len(tracers) > 2900 and tracers["source_id"].is_unique and (tracers["source_id"] % 8 == 0).all()
    assert tracers["zero_point"].tolist() == [-0.025] * len(tracers)
    table = pd.read_csv(run / "quasars/tables/global_offsets.csv").set_index("parallax")
    assert table.loc["raw", "mean"] == pytest.approx(-30, abs=4 * 300 / len(tracers) ** 0.5)
    raw = run.parent / "resources/raw/quasars/quasars.parquet"
    manifest = json.loads(Path(f"{raw}.manifest.json").read_text())
    assert manifest["url"].startswith("http://127.0.0.1:") and manifest["url"] != "http://127.0.0.1:9/tap"
    log = (run.parent / "logs/query_archive/lamost_giants.0.log").read_text()
    assert "asking http://127.0.0.1:" in log and f"rows/s, from {manifest['url']}" in log
    assert "with an identifier in the bridge" in log
