"""The toy survey, run once; every other test looks at what it left."""

from __future__ import annotations

from pathlib import Path

import pytest
from snakemake_run import ROOT, TOY, made_once, run_snakemake


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a finished run of the default target with two cores."""
    return made_once(tmp_path_factory, "toy", lambda folder: run_snakemake(folder, configfiles=[TOY]))


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory, toy: Path) -> Path:
    """The report of that run."""

    def make(folder: Path) -> None:
        style = ["--report-stylesheet", ROOT / "workflow/report/report.css"]
        run_snakemake(toy, "--report", folder / "report.html", *style, configfiles=[TOY], cores=None)

    return made_once(tmp_path_factory, "report", make) / "report.html"
