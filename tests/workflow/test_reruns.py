"""What runs again after an edit: everything that depends on it and nothing else. Dry runs on the finished toy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from snakemake_run import ROOT, TOY, jobs_of, run_snakemake

pytestmark = pytest.mark.xdist_group("toy")
MEASURE = {"measure_global", "measure_trends", "measure_map"}
DRAW = {"draw_offsets", "draw_trends", "draw_maps", "draw_counts"}
PUBLISH = {"publish_dataset", "publish_maps", "describe_pixels", "write_readme"}
# Their inputs, or those of what they read, are files of config/, whose path is another one in a copy.
TIED = {"check_claims", "draw_claims", "compare_samples", "draw_samples", "tell_results"}
BEFORE = {"simulate", "crossmatch_tables", "select_stars", "correct_parallaxes"}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the workflow, with the files' times, that may be edited."""
    for name in ("workflow", "config", "envs", "profiles"):
        shutil.copytree(ROOT / name, tmp_path / "tree" / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "Snakefile", tmp_path / "tree")
    return tmp_path / "tree"


def rerun(toy: Path, tree: Path, **options: object) -> set[str]:
    plan = run_snakemake(toy, "--dry-run", configfiles=[tree / "config/toy.yaml"], root=tree, **options)
    return set(jobs_of(plan)) - {"all"}


def append(path: Path, text: str = "\n# An edit.\n") -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_an_untouched_copy_has_nothing_to_do(toy: Path, copy: Path) -> None:
    assert rerun(toy, copy) <= TIED


def test_an_edit_of_the_estimators(toy: Path, copy: Path) -> None:
    append(copy / "workflow/scripts/gaia_offsets/estimators.py")
    jobs = rerun(toy, copy)
    assert jobs >= MEASURE | DRAW | PUBLISH
    assert not jobs & (BEFORE | {"draw_cutflow"})


def test_an_edit_of_the_matching(toy: Path, copy: Path) -> None:
    append(copy / "workflow/scripts/gaia_offsets/matching.py")
    assert {"crossmatch_tables", "select_stars", "correct_parallaxes"} | MEASURE | DRAW | PUBLISH <= rerun(toy, copy)


def test_an_edit_of_the_selection(toy: Path, copy: Path) -> None:
    append(copy / "workflow/scripts/gaia_offsets/selection.py")
    jobs = rerun(toy, copy)
    assert {"select_stars", "correct_parallaxes", "draw_cutflow"} | MEASURE <= jobs
    assert "crossmatch_tables" not in jobs


def test_an_edit_of_the_figures_computes_no_number_again(toy: Path, copy: Path) -> None:
    append(copy / "workflow/scripts/gaia_offsets/figures.py")
    jobs = rerun(toy, copy)
    assert DRAW | {"draw_cutflow"} <= jobs
    assert not jobs & (BEFORE | MEASURE | PUBLISH)


def test_an_edit_of_a_script(toy: Path, copy: Path) -> None:
    append(copy / "workflow/scripts/measure_trends.py")
    jobs = rerun(toy, copy)
    assert {"measure_trends", "draw_trends"} <= jobs
    assert not jobs & (BEFORE | {"measure_global", "measure_map", "draw_maps", "draw_offsets"})


def test_a_cut_and_a_colour_of_the_config(toy: Path) -> None:
    colour = rerun(toy, ROOT, config={"figures": {"colour_range_uas": [-50, 50]}})
    assert colour == {"draw_maps"}
    cut = rerun(
        toy, ROOT, config={"samples": {"simulated_giants": {"cuts": [{"column": "snr", "op": ">", "value": 60}]}}}
    )
    assert {"select_stars", "correct_parallaxes", "draw_cutflow"} | MEASURE | DRAW | PUBLISH <= cut
    assert not cut & {"simulate"}


def test_the_toy_of_this_directory_is_the_one_that_ran(toy: Path) -> None:
    assert "Nothing to be done" in run_snakemake(toy, "--dry-run", configfiles=[TOY])
