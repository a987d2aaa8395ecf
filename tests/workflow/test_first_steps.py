"""The first steps that fail say what to do: set-up without Python or network, configs that are no YAML."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from parsed_workflow import plan
from snakemake.exceptions import WorkflowError
from snakemake_run import ROOT


def make(folder: Path, *words: str | Path, fails: bool = True) -> str:
    """What `make` prints in a folder with the Makefile."""
    (folder / "envs").mkdir(exist_ok=True)
    for name in ("Makefile", "pyproject.toml", "envs/requirements.lock"):
        shutil.copy2(ROOT / name, folder / name)
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", *map(str, words)], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert (done.returncode != 0) == fails, done.stdout
    return done.stdout


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_missing_python_is_asked_for(tmp_path: Path) -> None:
    said = make(tmp_path, "toy", "PYTHON=python9")
    assert said.startswith(
        "There is no python9: install Python 3.11 or newer, or name yours: make toy PYTHON=/path/to/python3\n"
    )


def test_an_old_python_is_refused(tmp_path: Path) -> None:
    old = program(
        tmp_path / "old", f'exec {sys.executable} -c "import sys; sys.version_info = (3, 9); exec(sys.argv[1])" "$2"'
    )
    said = make(tmp_path, "setup", f"PYTHON={old}")
    assert said.startswith("Python 3.11 or newer is needed: make PYTHON=/path/to/python3\n")


def test_without_a_network_the_set_up_says_so(tmp_path: Path) -> None:
    """A Python whose virtual environment has a pip that reaches nothing."""
    program(tmp_path / "pip", 'echo "ERROR: No matching distribution found"; exit 1')
    python = program(tmp_path / "python", 'test "$2" != venv || { mkdir -p .venv/bin; cp pip .venv/bin/python; }')
    said = make(tmp_path, "setup", f"PYTHON={python}")
    assert (
        "No matching distribution found\nThe packages of envs/requirements.lock did not come. Without a network" in said
    )
    assert "Then type the same command again." in said and not (tmp_path / ".venv/.ready").exists()


@pytest.fixture
def checked(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    shutil.copy2(ROOT / "config/config.yaml", tmp_path / "config")
    return tmp_path


def check(folder: Path, config: str, *, fails: bool = True) -> str:
    (folder / "mine.yaml").write_text(config)
    (folder / "ready").touch()  # newer than the lock, so that make sets nothing up
    return make(folder, "check", "CONFIG=mine.yaml", f"BIN={Path(sys.executable).parent}", "READY=ready", fails=fails)


def test_a_slip_of_the_indentation_is_told_with_file_and_line(checked: Path) -> None:
    said = check(checked, "run:\n  samples: [mine]\nsamples:\n  mine:\n    title: Mine\n   like: lamost_giants\n")
    assert said.startswith("mine.yaml:6: not YAML: ") and "look at indentation (blanks, no tabs), colons" in said
    assert check(checked, "run: {name: &a {b: *a}}\n").startswith(
        "mine.yaml:1: the anchor of this value refers to itself"
    )
    assert check(checked, "figures: {dpi: 2}\n").startswith("figures.dpi: 2 is less than the minimum of 50")
    assert check(checked, "figures: {dpi: 200}\n", fails=False) == "No fault; the run's name is mine\n"


def refused(folder: Path, *arguments: Any, **options: Any) -> str:
    """What a dry run in a folder is refused with."""
    with pytest.raises(WorkflowError) as caught:
        plan(folder, *arguments, **options)
    return str(caught.value)


def test_snakemake_finds_what_yaml_does_not_mind(tmp_path: Path) -> None:
    levels = ["a0: &a0 [1, 1]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10))]
    text = "\n".join(["run: {samples: [x]}", "run: {samples: [y]}", "claims: &c [*c]", *levels, ""])
    (tmp_path / "bad.yaml").write_text(text)
    said = refused(tmp_path, [tmp_path / "bad.yaml"])
    assert f"{tmp_path}/bad.yaml:2: the key 'run' stands in line 1 already; keep one of them" in said
    assert f"{tmp_path}/bad.yaml:3: the anchor of this value refers to itself" in said
    assert f"{tmp_path}/bad.yaml:10: its aliases make more than 200000 values of this one" in said


def test_a_slip_in_the_workflows_own_config_is_told_with_file_and_line(tmp_path: Path) -> None:
    for name in ("workflow", "config", "profiles"):
        shutil.copytree(ROOT / name, tmp_path / "tree" / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "Snakefile", tmp_path / "tree")
    path = tmp_path / "tree/config/config.yaml"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    number = next(number for number, line in enumerate(lines, 1) if line.startswith("  samples: "))
    lines[number - 1] = f" {lines[number - 1]}"  # the next key then stands too far to the left
    path.write_text("".join(lines), encoding="utf-8")
    assert re.search(
        rf"\n{path}:{number + 1}: not YAML: .*; look at indentation", refused(tmp_path, root=tmp_path / "tree")
    )


def test_columns_that_a_table_at_hand_does_not_have_are_found(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("source_id,parallax,dist\n1,1,1\n")
    sample = {"title": "Mine", "targets": {"dataset": "mine", "columns": {"teff": "temp"}}}
    sample["reference"] = {"kind": "distance"}
    cuts = [{"column": "ebv", "op": "<", "value": 1}]
    config = {"run": {"samples": ["mine"]}, "datasets": {"mine": {"path": "mine.csv"}}, "samples": {"mine": sample}}
    sample["cuts"] = cuts
    said = refused(tmp_path, config=config)
    named = "name the file's column in samples.mine.targets.columns"
    for line in (
        "samples.mine.targets.columns.teff: mine.csv has no column 'temp'",
        f"samples.mine.reference.kind: mine.csv has no column 'distance'; {named}",
        f"samples.mine.cuts.0.column: mine.csv has no column 'ebv'; {named}",
    ):
        assert line in said.splitlines()
    sample["targets"]["columns"] = {"distance": "dist"}
    sample["cuts"] = []
    assert "retrieve" in plan(tmp_path, config=config)
