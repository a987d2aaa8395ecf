"""The runs that many tests look at, each made once a session; no threads of numpy, no deadlines.

Threads are turned off before numpy is imported: two workers with two each would wait for one another.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from snakemake_run import DEMO, REAL, ROOT, SMALL, TOY, made_once, run_snakemake

# A deadline is one of wall time: a busy machine would fail a test that is right.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file is a worker's, and all files of tests/tap are one's: they share a server. (Marks of groups do nothing.)"""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "tap" if nodeid.startswith("tests/tap/") else super()._split_scope(nodeid)

    return ByFile(config, log)


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a finished run of the default target with two cores."""
    return made_once(tmp_path_factory, "toy", lambda folder: run_snakemake(folder, configfiles=[TOY], cores=2))


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory, toy: Path) -> Path:
    """The report of that run."""

    def make(folder: Path) -> None:
        style = ["--report-stylesheet", ROOT / "workflow/report/report.css"]
        run_snakemake(toy, "--report", folder / "report.html", *style, configfiles=[TOY], cores=None)

    return made_once(tmp_path_factory, "report", make) / "report.html"


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a run of the toy with 3,000 stars; what it printed is in `printed.txt`. Only to be looked at."""

    def make(folder: Path) -> None:
        (folder / "printed.txt").write_text(run_snakemake(folder, **SMALL), encoding="utf-8")

    return made_once(tmp_path_factory, "small", make)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a run of the shipped real stars up to the tables that tests look at."""
    return made_once(tmp_path_factory, "demo", lambda folder: run_snakemake(folder, configfiles=REAL, **DEMO))
