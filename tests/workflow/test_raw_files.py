"""A raw file is looked at by `retrieve` before it is read, whoever put it there and whatever Snakemake remembers."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from snakemake_run import run_snakemake

RAW, TARGET = "resources/raw/mine/stars.csv", "resources/mine/crossmatch.none.parquet"
TEXT = "source_id,ra,dec,parallax,astrometric_params_solved\n" + "".join(
    f"{number},10,20,0.5,31\n" for number in range(1, 4)
)
SHIFTED = TEXT.replace("0.5", "0.55")
SAMPLE = {"title": "Mine", "targets": {"dataset": "mine"}, "cuts": []}
SAMPLE["reference"] = {"kind": "constant", "value_mas": 0}


def run(folder: Path, *, fails: bool = False, **entry: Any) -> str:
    """What a run prints that matches the sample, whose dataset the config describes so."""
    config = {"run": {"samples": ["mine"]}, "samples": {"mine": SAMPLE}, "datasets": {"mine": entry}}
    return run_snakemake(folder, config=config, targets=[TARGET], fails=fails)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_file_that_someone_put_there_is_checked(tmp_path: Path) -> None:
    put(tmp_path / RAW, SHIFTED)
    printed = run(tmp_path, fails=True, file="stars.csv", sha256=digest(TEXT))
    assert f"{RAW}: wrong sha256: expected {digest(TEXT)}, got {digest(SHIFTED)}" in " ".join(printed.split())
    put(tmp_path / RAW, TEXT)
    run(tmp_path, file="stars.csv", sha256=digest(TEXT))
    log = (tmp_path / "logs/retrieve/mine/stars.csv.log").read_text()
    assert f"{RAW}: {len(TEXT)} bytes, sha256 {digest(TEXT)}; kept as it is" in log
    assert "Nothing to be done" in run(tmp_path, file="stars.csv", sha256=digest(TEXT))
    # Edited after the run: it is looked at again.
    put(tmp_path / RAW, SHIFTED)
    assert "wrong sha256" in run(tmp_path, fails=True, file="stars.csv", sha256=digest(TEXT))
    put(tmp_path / RAW, TEXT)
    # The config finds another digest right: the file is looked at again.
    assert "wrong sha256" in run(tmp_path, fails=True, file="stars.csv", sha256=digest(SHIFTED))


@pytest.mark.slow
def test_a_folder_of_another_machine_is_checked_and_another_path_is_read(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    first, second = put(tmp_path / "a.csv", TEXT), put(tmp_path / "b.csv", SHIFTED)
    run(here, file="stars.csv", path=str(first))
    shutil.copytree(here / "resources/raw", there / "resources/raw")  # and nothing that Snakemake remembers
    put(there / RAW, SHIFTED)
    run(there, file="stars.csv", path=str(first))  # the file is brought again
    assert (pd.read_parquet(there / TARGET)["parallax"] == 0.5).all()
    shutil.rmtree(there / ".snakemake")
    run(there, file="stars.csv", path=str(second))
    assert (pd.read_parquet(there / TARGET)["parallax"] == 0.55).all()
    run(here, file="stars.csv", path=str(second))  # where Snakemake remembers, it is copied again
    assert (pd.read_parquet(here / TARGET)["parallax"] == 0.55).all()
