"""The toy survey, run once with two cores and once with one; every other test looks at what they left."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest
from snakemake_run import TOY, made_once, run_snakemake


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a finished run of the default target with two cores; `cpu_seconds` is what it cost."""

    def make(folder: Path) -> None:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run_snakemake(folder, configfiles=[TOY])
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cost = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        (folder / "cpu_seconds").write_text(json.dumps(cost))

    return made_once(tmp_path_factory, "toy", make)


@pytest.fixture(scope="session")
def toy_with_one_core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with one core, in another directory."""
    return made_once(tmp_path_factory, "toy_again", lambda folder: run_snakemake(folder, configfiles=[TOY], cores=1))
