"""Several runs in one folder, thin samples, real stars, and the workflow inside other people's workflows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import forked
import numpy as np
import pandas as pd
import pytest
import yaml
from snakemake_run import MAP, OFFLINE, ROOT, SAMPLES, SMALL, TOY, run_snakemake

from gaia_offsets.core.yamlfile import merge
from gaia_offsets.publish.dataset import read_dataset
from gaia_offsets.publish.offset_map import SHIPPED

GLOBAL = "tables/global_offsets.csv"
DATA = ROOT / "workflow/scripts/gaia_offsets/data"
TABLE1 = "dataset/equatorial.ecsv"
BOTH = ["simulated_giants", "auto"]


def overlay(path: Path, config: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


# ---------------------------------------------------------------- runs side by side


@pytest.mark.slow
def test_the_report_of_a_run_shows_that_run_alone(tmp_path: Path, toy: Path) -> None:
    """What is measured of either sample is the toy's, put in by hand."""
    folder = tmp_path / "run"
    for name in ("first", "second"):
        shutil.copytree(toy / "results/simulated_giants", folder / f"results/{name}")
        sample = {"like": "simulated_giants", "title": f"Simulated {name}"}
        files = [TOY, overlay(tmp_path / f"{name}.yaml", {"run": {"samples": [name]}, "samples": {name: sample}})]
        printed = run_snakemake(folder, configfiles=files, targets=[f"results/runs/{name}/samples.png"])
        assert "\n1 job\n" in printed
    for name, other in (("first", "second"), ("second", "first")):
        table = pd.read_csv(folder / f"results/runs/{name}/samples.csv")
        assert set(table.loc[table["origin"] == "run", "label"]) == {f"Simulated {name}"}
        report, files = tmp_path / f"{name}.html", [TOY, tmp_path / f"{name}.yaml"]
        target = f"results/runs/{name}/samples.png"
        run_snakemake(folder, "--report", report, configfiles=files, targets=[target], cores=None)
        page = report.read_text(encoding="utf-8")
        assert f"Simulated {name}" in page and f"Simulated {other}" not in page


# ---------------------------------------------------------------- thin samples


@pytest.mark.slow
def test_a_thin_sample_gets_pixels_and_bins_that_it_fills_or_is_told_which_key_to_change(tmp_path: Path) -> None:
    auto = {"like": "simulated_giants", "measure": {"trends": {"join": "auto"}, "map": {"nside": "auto"}}}
    config = {"surveys": {"toy": {"stars": 4000, "plates": 600}}, "samples": {"auto": auto}, "run": {"samples": BOTH}}
    targets = [f"results/{name}/{file}" for name in BOTH for file in (GLOBAL, "tables/trends.csv", TABLE1)]
    printed = run_snakemake(tmp_path, configfiles=[TOY], config=config, targets=targets)
    tables = tmp_path / "results/auto/tables"
    made = json.loads((tables / "map_equatorial.json").read_text())
    assert made["chosen_by"] == "sample" and made["nside"] < 32 and made["warning"] is None
    # The finest: half of the stars lie in full pixels; they would not at twice the resolution.
    pixels = pd.read_csv(tables / "map_equatorial.csv").query("solution == '5p' and parallax == 'raw'")
    stars = pd.read_csv(tables / "global_offsets.csv").set_index(["solution", "parallax"]).loc[("5p", "raw"), "n"]
    assert pixels.loc[pixels["n"] > 50, "n"].sum() >= stars / 2
    trends, joined = pd.read_csv(tables / "trends.csv"), json.loads((tables / "trends.json").read_text())["joined"]
    for variable, step in (("phot_g_mean_mag", 0.25), ("colour", 0.02), ("sin_ecl_lat", 0.05)):
        bins = trends[(trends["solution"] == "5p") & (trends["variable"] == variable)]
        width = (bins["bin_high"] - bins["bin_low"]).max()
        assert len(bins) and width == pytest.approx(step * joined["5p"][variable])
    # The other insists on its own.
    warnings = [line for line in printed.splitlines() if line.startswith("WARNING")]
    assert warnings and all(line.startswith("WARNING simulated_giants:") for line in warnings)
    assert "Table 1 is empty" in warnings[-1] and "map.nside" in warnings[-1]
    assert "Table 1 is empty" in (tmp_path / "logs/measure_map/simulated_giants.log").read_text()


# ---------------------------------------------------------------- real stars

# Medians by an independent computation [uas].
KNOWN = {
    ("kepler_giants", "5p"): (2287, -25.92, -6.26),
    ("kepler_giants", "6p"): (52, -28.50, -10.3),
    ("globular_clusters", "5p"): (2961, -25.96, 7.27),
}


@pytest.fixture(scope="module")
def tables(demo: Path) -> dict[str, pd.DataFrame]:
    """Global offsets by sample, with solution and parallax as index."""
    keys = ["solution", "parallax"]
    return {name: pd.read_csv(demo / f"results/{name}/{GLOBAL}").set_index(keys) for name in SAMPLES}


@pytest.mark.slow
def test_the_real_stars_that_are_shipped_give_the_known_offsets(tables: dict[str, pd.DataFrame]) -> None:
    for (name, solution), (n, raw, corrected) in KNOWN.items():
        assert tables[name].loc[(solution, "raw"), "n"] == n
        digits = 0.06 if solution == "6p" else 0.006
        assert tables[name].loc[(solution, "raw"), "median"] == pytest.approx(raw, abs=digits)
        assert tables[name].loc[(solution, "corrected"), "median"] == pytest.approx(corrected, abs=digits)
    # The distance scale moves the offset by far more than its statistical error: radii 3.2 % larger, about +23 uas.
    medians = {name: table.loc[("5p", "corrected"), "median"] for name, table in tables.items()}
    assert 20 < medians["kepler_giants_sharma2016"] - medians["kepler_giants"] < 26
    # The paper's own chain through magnitudes gives what the distances give.
    assert abs(medians["kepler_giants_magnitudes"] - medians["kepler_giants"]) < 2


# Medians by an independent computation, 5p [uas]; those of the Kepler giants by G, too. Of the 2,287 giants 2,259 lie
# within 20 deg of the Galactic plane, where ding2024 ends.
BY_CORRECTION = {
    "kepler_giants": (2259, {"none": -26.00, "lindegren2021": -6.26, "maiz_apellaniz2022": -0.69, "ding2024": -7.02}),
    "globular_clusters": (2961, {"none": -25.96, "lindegren2021": 7.27, "maiz_apellaniz2022": 6.96}),
}
BY_G = {  # in bins of half a magnitude from G = 10.5 on
    "lindegren2021": [-6.6, -5.8, -6.8, -5.8, -8.0, -2.2],
    "maiz_apellaniz2022": [-6.5, 0.4, 2.5, -0.5, 2.1, -3.3],
}


@pytest.mark.slow
def test_corrections_side_by_side_give_the_known_offsets(demo: Path, tables: dict[str, pd.DataFrame]) -> None:
    on_map = pd.read_csv(demo / "results/kepler_giants_magnitudes/tables/corrections.csv")
    on_map = on_map.set_index(["solution", "correction"])
    table1 = read_dataset(demo / MAP)[0]
    assert on_map.loc[("5p", "map"), "n"] == table1["n"].sum()  # the stars of its pixels
    for name in SHIPPED:  # what comes with the package is this run's, to a unit of the last digit; else: make maps
        (table, facts), (here, now) = map(
            read_dataset, (DATA / f"{name}.ecsv", demo / MAP.replace("kepler_giants", name))
        )
        pd.testing.assert_frame_equal(here, table, rtol=0, atol=0.0011)
        assert now == facts | {name: now[name] for name in ("config_digest", "versions")}
    assert abs(on_map.loc[("5p", "map"), "median"]) < 2 and on_map.loc[("5p", "lindegren2021"), "median"] < -5
    for name, (n, medians) in BY_CORRECTION.items():
        table = pd.read_csv(demo / f"results/{name}/tables/corrections.csv")
        rows = table[table["solution"] == "5p"].set_index("correction")
        assert list(rows.index) == list(medians) and (rows["n"] == n).all()
        assert rows["median"].to_dict() == pytest.approx(medians, abs=0.006)
        page = (demo / f"results/{name}/corrections.html").read_text(encoding="utf-8")
        assert "cannot tell which leaves the right offset" in page and "Maiz Apellaniz 2022" in page
        assert ("2024 (experimental):" in page) == ("the same 2,259 stars" in page) == ("ding2024" in medians)
        if "n_own" in rows:
            assert rows["n_own"].tolist() == [2287, 2287, 2287, 2259]
            continue
        # The numbers of all stars are those of global_offsets.csv.
        for correction, parallax in (("none", "raw"), ("lindegren2021", "corrected")):
            for column in ("median", "median_error", "weighted_mean", "weighted_mean_error"):
                assert rows.loc[correction, column] == tables[name].loc[("5p", parallax), column]
    stars = pd.read_parquet(demo / "results/kepler_giants/tracers.parquet").query("solution == '5p'")
    bins = pd.cut(stars["phot_g_mean_mag"], np.arange(10.5, 13.6, 0.5), right=False)
    for column, correction in (
        ("zero_point", "lindegren2021"),
        ("zero_point_maiz_apellaniz2022", "maiz_apellaniz2022"),
    ):
        offset = 1000 * (stars["parallax"] - stars[column] - stars["reference_parallax"])
        assert offset.groupby(bins, observed=True).median().to_list() == pytest.approx(BY_G[correction], abs=0.06)


SMALLEST = """
run: {samples: [mine]}
datasets: {mine: {path: mine.csv}}
samples:
  mine:
    title: My stars
    targets: {dataset: mine}
    reference: {kind: distance}
"""


def test_the_smallest_useful_sample(tmp_path: Path) -> None:
    stars = pd.DataFrame({"source_id": [5, 6, 7, 7], "ra": 10.0, "dec": 20.0, "astrometric_params_solved": 31})
    stars = stars.assign(parallax=[0.97, 0.98, 0.96, 0.96], distance=1.0, phot_g_mean_mag=15.0)
    stars.assign(nu_eff_used_in_astrometry=1.45).to_csv(tmp_path / "mine.csv", index=False)
    run_snakemake(tmp_path, config=yaml.safe_load(SMALLEST), targets=[f"results/mine/{GLOBAL}"])
    raw = pd.read_csv(tmp_path / f"results/mine/{GLOBAL}").set_index(["solution", "parallax"]).loc[("5p", "raw")]
    assert raw["n"] == 3 and raw["median"] == pytest.approx(-30.0)


@pytest.mark.slow
def test_claims_of_the_users_own(tmp_path: Path, small: Path) -> None:
    folder = shutil.copytree(small, tmp_path / "run")
    claim = {"id": "n", "text": "Stars", "place": "here", "unit": "", "kind": "number", "published": 5, "tolerance": 1}
    claim |= {"measure": "stars", "with": {"column": "kept_5p"}}
    overlay(folder / "mine.yaml", [claim])
    config = {**SMALL["config"], "samples": {"simulated_giants": {"claims": "mine.yaml"}}}
    run_snakemake(folder, configfiles=[TOY], config=config, targets=["results/simulated_giants/claims.csv"])
    table = pd.read_csv(folder / "results/simulated_giants/claims.csv")
    assert table["id"].tolist() == ["n"] and table["verdict"].tolist() == ["simulated: not tested here"]


# ---------------------------------------------------------------- inside other workflows

SNAKEFILE = """
configfile: "mine.yaml"

module offsets:
    snakefile: {address}
    config: config
    pathvars:
        results="out/products",
        resources="out/inputs",

use rule * from offsets as offsets_*

rule mine:
    default_target: True
    input: "out/products/simulated_giants/{table}", "out/products/simulated_giants/claims.csv"
    output: "mine.csv"
    shell: "cp {{input[0]}} {{output}}"
"""
ADDRESSES = {
    "path": f'"{ROOT}/workflow/Snakefile"',
    "address": 'github("somebody/gaia-offsets", path="workflow/Snakefile", tag="1.0.0")',
}


def hosted(folder: Path) -> dict[str, str]:
    """Settings of git by which addresses of GitHub lead to `folder`: there our files are a repository with a tag."""
    origin = folder / "somebody/gaia-offsets"
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@y", f"--git-dir={origin}/.git", f"--work-tree={ROOT}"]
    if (listed := subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True)).returncode:
        pytest.skip("no git checkout: nothing tells the project's files from the user's")
    subprocess.run(["git", "init", "-q", origin], check=True)
    add = [*git, "add", "--pathspec-from-file=-", "--pathspec-file-nul"]
    for command in (add, [*git, "commit", "-q", "-m", "all"], [*git, "tag", "1.0.0"]):
        subprocess.run(command, cwd=ROOT, input=listed.stdout, check=True)
    settings = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.file://{folder}/.insteadOf"}
    return {**settings, "GIT_CONFIG_VALUE_0": "https://github.com/", "XDG_CACHE_HOME": str(folder / "cache")}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ADDRESSES)
def test_as_a_module_of_another_workflow(kind: str, tmp_path: Path, small: Path) -> None:
    theirs, elsewhere = (tmp_path / name for name in ("theirs", "elsewhere"))
    for folder in (theirs, elsewhere):
        folder.mkdir()
    overlay(theirs / "mine.yaml", merge(yaml.safe_load(TOY.read_text(encoding="utf-8")), SMALL["config"]))
    (theirs / "Snakefile").write_text(SNAKEFILE.format(address=ADDRESSES[kind], table=GLOBAL), encoding="utf-8")
    command = ["snakemake", "--cores", "2", "--directory", str(theirs), "-s", str(theirs / "Snakefile")]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | OFFLINE
    env |= hosted(tmp_path / "hosted") if kind == "address" else {}
    planned, printed = [], tmp_path / "printed.txt"
    # From a third folder: neither the files nor the rules may lean on where the command was typed.
    for words in ([], ["--report", "report.html"], ["-n"], ["-n", "offsets_all"]):
        code = forked.run([*command, *words], elsewhere, env, printed, timeout=300)
        planned.append(printed.read_text())
        assert code == 0, planned[-1][-3000:]
        assert "Done in" not in planned[-1]  # the story is for our own runs
    assert "Nothing to be done" in planned[2] and (theirs / "report.html").is_file()
    assert "out/products/runs/mine/" in planned[3] and "products/lamost" not in planned[3]
    assert (theirs / "mine.csv").read_bytes() == (small / f"results/simulated_giants/{GLOBAL}").read_bytes()
    assert not (theirs / "results").exists() and not (theirs / "resources").exists()
    assert list(elsewhere.iterdir()) == []
