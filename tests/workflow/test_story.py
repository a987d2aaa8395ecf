"""What a run prints, at its end and when it fails."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pytest
from snakemake_run import SMALL, run_snakemake

TABLE = "results/simulated_giants/tables/global_offsets.csv"
PLUS_MINUS = " \N{PLUS-MINUS SIGN} "


@pytest.fixture(scope="module")
def run(small: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A copy of a small run, and what it printed."""
    folder = tmp_path_factory.mktemp("story") / "run"
    shutil.copytree(small, folder)
    return folder, (small / "printed.txt").read_text(encoding="utf-8")


def test_a_run_tells_sample_stages_and_offsets(run: tuple[Path, str]) -> None:
    folder, printed = run
    assert len(printed.splitlines()) < 40
    assert "\r" not in printed and "\x1b" not in printed
    assert "simulated_giants: measuring offsets (global, trends, map)" in printed
    assert "Simulated giants (toy survey)" in printed
    assert printed.count("no number here says anything about Gaia") == 1
    with open(folder / TABLE, newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["solution"] for row in rows} == {"5p", "6p"}
    for row in rows:
        assert f"{float(row['median']):+.1f} ± {float(row['median_error']):.1f}" in printed


def test_snakemakes_own_lines_are_in_its_log(run: tuple[Path, str]) -> None:
    folder, printed = run
    log = "".join(path.read_text() for path in (folder / ".snakemake/log").glob("*.log"))
    for line in ("Building DAG of jobs...", "rule measure_global:", "Finished jobid:", "Elapsed time:"):
        assert line in log and line not in printed
    assert "no number here says anything about Gaia" in log


def test_a_run_with_nothing_to_do_says_so_and_what_was_measured(run: tuple[Path, str]) -> None:
    folder, first = run
    lines = run_snakemake(folder, **SMALL | {"targets": [TABLE]}).splitlines()
    assert len([line for line in lines if line.startswith("Nothing to be done")]) == 1
    measured = [line for line in first.splitlines() if PLUS_MINUS in line]
    assert measured and [line for line in lines if PLUS_MINUS in line] == measured
    assert len(lines) < 12 and not any("jobs" in line or line.startswith("[") for line in lines)


def test_verbose_and_quiet_are_snakemakes(run: tuple[Path, str]) -> None:
    arguments = SMALL | {"targets": [TABLE]}
    again = ("--forcerun", "measure_global")
    assert "rule measure_global:" in run_snakemake(run[0], "--verbose", *again, **arguments)
    assert PLUS_MINUS not in run_snakemake(run[0], "--quiet", "all", *again, **arguments)


def test_a_failure_is_told_once_without_the_page_around_it(tmp_path: Path) -> None:
    (tmp_path / "given.csv").write_text("")
    dataset = {"simulated": None, "path": str(tmp_path / "given.csv"), "file": "given.csv"}
    printed = run_snakemake(
        tmp_path / "run",
        **SMALL | {"config": {**SMALL["config"], "datasets": {"toy_targets": dataset}}, "targets": [TABLE]},
        fails=True,
    )
    message = "not a table, as the name given.csv promises: what came is empty"
    assert printed.count(message) == 1 and re.search(r"FAILED retrieve \(.*\):\s+datasets\.toy_targets: ", printed)
    for word in ("Traceback", "TableError", "RuleException", "Exiting because", "At least one job"):
        assert word not in printed
    end = printed[printed.index("Failed: ") :].splitlines()
    total = re.search(r"^(\d+) jobs for", printed, re.MULTILINE)[1]
    assert re.fullmatch(rf"Failed: [01] of {total} jobs finished\.", end[0])  # the survey may have been made meanwhile
    assert end[1] == "Start the same command again; finished work is kept."
    log = Path(end[2].removeprefix("Snakemake's full log: ")).read_text()
    assert len(end) == 3 and "Traceback" not in log and message in log
