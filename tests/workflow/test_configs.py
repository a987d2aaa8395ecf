"""Configs that are right make a plan, offline; configs that are not are refused, all faults at once."""

from __future__ import annotations

import copy
import functools
import operator
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from parsed_workflow import plan
from snakemake.exceptions import WorkflowError
from snakemake_run import REAL, ROOT, TOY, run_snakemake

from gaia_offsets.core.yamlfile import merge
from gaia_offsets.engine.config.complete import resolve
from gaia_offsets.engine.config.fault import ConfigError
from gaia_offsets.engine.config.read import load_yaml


def is_overlay(path: Path) -> bool:
    """Whether a file of config/ is made to be run: config.yaml and its overlays say which samples, others do not."""
    return "run" in yaml.safe_load(path.read_text(encoding="utf-8"))


LISTED = subprocess.run(["git", "ls-files", "config/*.yaml"], cwd=ROOT, capture_output=True, text=True).stdout.split()
# Those that are shipped: a config of the user's own may need files that are not there.
OVERLAYS = sorted(path for path in map(ROOT.joinpath, LISTED or sorted(ROOT.glob("config/*.yaml"))) if is_overlay(path))


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.stem)
def test_every_overlay_has_a_plan(overlay: Path, tmp_path: Path) -> None:
    jobs = plan(tmp_path, {"config.yaml": [], "kepler_learned.yaml": [*REAL, overlay]}.get(overlay.name, [overlay]))
    samples = yaml.safe_load(overlay.read_text())["run"]["samples"]
    assert len(jobs["all"]) == 1
    for rule in ("measure_global", "draw_figures", "publish_dataset"):
        assert len(jobs[rule]) == len(samples), rule
    clump = {"lamost_public": ["lamost_public_clump"]}.get(overlay.stem, [])  # selected for Fig. 3, not measured
    assert sorted(job.wildcards.sample for job in jobs["select_stars"]) == sorted([*samples, *clump])
    # Only a sample with claims is tested against them.
    assert ("check_claims" in jobs) == (overlay.stem in ("config", "simulated_paper", "toy"))


def test_the_older_version_of_a_public_catalogue_has_a_plan(tmp_path: Path) -> None:
    jobs = plan(tmp_path, [ROOT / f"config/{name}.yaml" for name in ("lamost_public", "lamost_public_v1")])
    assert [job.output.file for job in jobs["retrieve"]] == [
        "resources/raw/lamost_dr8_stellar/dr8_v1.0_stellar_LRS.fits.gz"
    ]
    assert len(jobs["probe_identifiers"]) == 2 and len(jobs["query_archive"]) == 20  # giants, and red clump for Fig. 3


def test_a_sample_like_the_papers_has_its_claims(tmp_path: Path) -> None:
    mine = {"run": {"samples": ["mine"]}, "samples": {"mine": {"like": "lamost_giants", "title": "My giants"}}}
    assert len(plan(tmp_path, config=mine)["check_claims"]) == 1


@pytest.mark.parametrize(
    ("claims", "words"), [("claim.yaml", "there is no file claim.yaml"), ("data", "'data' is not of the form")]
)
def test_claims_that_are_not_there_are_named(claims: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(WorkflowError, match=f"samples.lamost_giants.claims: {words}"):
        plan(tmp_path, config={"samples": {"lamost_giants": {"claims": claims}}})


def test_a_run_has_its_own_name_or_that_of_its_last_config(tmp_path: Path) -> None:
    named, unnamed = tmp_path / "mine.yaml", tmp_path / "other.yaml"
    named.write_text("run: {samples: [simulated_giants], name: my_run}")
    unnamed.write_text("{}")
    for files, name in (([], "paper"), ([TOY], "toy"), ([TOY, unnamed], "other"), ([TOY, named], "my_run")):
        assert len(plan(tmp_path, files, targets=[f"results/runs/{name}/samples.csv"])["compare_samples"]) == 1


def test_the_papers_run_says_which_file_to_place_where(tmp_path: Path) -> None:
    printed = run_snakemake(tmp_path, cores=1, fails=True)
    [line] = [line for line in printed.splitlines() if line.startswith("datasets.lamost_dr8_vac: ")]
    for words in ("fetch lamost_dr8_vac.fits", "http://www.lamost.org/", "set datasets.lamost_dr8_vac.path"):
        assert words in line
    assert "Traceback" not in printed and not (tmp_path / "results").exists()


def test_all_faults_are_printed_at_once(tmp_path: Path) -> None:
    """tests/unit/bad_config.txt has many more."""
    broken = {"figures": {"dpi": "high"}, "measure": {"map": {"nside": 33, "more_then": 5}}}
    printed = run_snakemake(tmp_path, "--dry-run", configfiles=[TOY], config=broken, fails=True)
    assert "Traceback" not in printed
    lines = [line.strip() for line in printed.splitlines()]
    start = next(number for number, line in enumerate(lines) if "config has faults" in line) + 1
    assert [line for line in lines[start:] if line.startswith(("figures.", "measure.", "samples."))] == [
        "figures.dpi: 'high' is not of type integer",
        "measure.map.more_then: not a known key; did you mean more_than?",
        "measure.map.nside: 33 is not a power of two",
    ]


NOT_A_MAP = [None, [], "text", 3]
WRONG: dict[str, list[Any]] = {
    "samples": NOT_A_MAP,
    "surveys": NOT_A_MAP,
    "datasets": NOT_A_MAP,
    "samples.lamost_giants": NOT_A_MAP,
    "surveys.standard": NOT_A_MAP,
    "samples.simulated_giants.like": [[], {}, 3],
    "figures.colour_range_uas": [[], [60], "wide", {"low": 1}],
    "measure.trends.edges.colour": [None, [], "fine", [1, "x"], {"start": 1}],
    "samples.lamost_giants.cuts": [{}, [None], [[1]], [{"column": [1]}]],
    "run.samples": [None, "lamost_giants", [None], [["lamost_giants"]]],
    "datasets.toy_gaia": [None],
    "releases.edr3": [None],
    "catalogues": [{"mine": None}],
}


@pytest.mark.parametrize("key", WRONG)
def test_a_value_of_the_wrong_shape_has_its_line_and_no_traceback(key: str) -> None:
    config: dict[str, Any] = {}
    for name in ("workflow/settings.yaml", "config/config.yaml", "config/toy.yaml"):
        config = merge(config, load_yaml(ROOT / name))
    schema = load_yaml(ROOT / "workflow/schemas/config.schema.yaml")
    *path, last = key.split(".")
    for value in WRONG[key]:
        wrong = copy.deepcopy(config)
        functools.reduce(operator.getitem, path, wrong)[last] = value
        with pytest.raises(ConfigError) as caught:
            resolve(wrong, schema)
        assert any(line.startswith(key) for line in str(caught.value).splitlines()), (value, str(caught.value))
