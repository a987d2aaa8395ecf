"""Runs the workflow for tests: always in a directory of its own, never in the repository, and without a network."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import forked as forks
import pytest
import yaml

ROOT = Path(__file__).parents[1]
TOY = ROOT / "config/toy.yaml"
REAL = [ROOT / "config/real_stars.yaml"]  # make demo

GIANTS = "results/simulated_giants"
# The run of the fixture `small`, and of the fixture `demo`: on the same stars there, whose distances come from
# magnitudes, the map of the Kepler giants, which the run itself makes first.
SMALL: dict[str, Any] = {
    "configfiles": [TOY],
    "config": {"surveys": {"toy": {"stars": 3000, "plates": 4}}, "measure": {"map": {"more_than": 10}}},
    "targets": [
        *(f"{GIANTS}/tables/{name}.csv" for name in ("global_offsets", "trends", "corrections")),
        f"{GIANTS}/maps/equatorial_corrected.fits",  # no figures: they take longer than all the rest
    ],
}
SAMPLES = list(yaml.safe_load(REAL[-1].read_text(encoding="utf-8"))["samples"])
MAP = "results/kepler_giants/dataset/equatorial.ecsv"
DEMO: dict[str, Any] = {
    "config": {
        "corrections": {"map": {"kind": "map", "dataset": MAP, "on_top_of": "lindegren2021"}},
        "samples": {"kepler_giants_magnitudes": {"also": ["map"]}},
    },
    "targets": [
        *(f"results/{name}/tables/global_offsets.csv" for name in SAMPLES),
        *(f"results/{name}/corrections.html" for name in ("kepler_giants", "globular_clusters")),
        "results/kepler_giants_magnitudes/tables/corrections.csv",
        MAP.replace("kepler_giants", "globular_clusters"),
    ],
}

# Workers of pytest-xdist share the cores.
CORES = 1 if "PYTEST_XDIST_WORKER" in os.environ else 2

# Every client that a job could use goes through a proxy that is not there: who asks the network fails.
NOWHERE = "http://127.0.0.1:9"
OFFLINE = {name: NOWHERE for word in ("http_proxy", "https_proxy", "all_proxy") for name in (word, word.upper())}


def snakemake_command(
    directory: Path,
    *arguments: str | Path,
    targets: Iterable[str | Path] = (),
    configfiles: Iterable[str | Path] = (),
    config: dict[str, Any] | None = None,
    cores: int | None = CORES,
    root: Path = ROOT,
) -> list[str]:
    """The command line; `config` is an overlay, written to `directory`, that comes after `configfiles`."""
    directory.mkdir(parents=True, exist_ok=True)
    overlays = list(configfiles)
    if config is not None:
        overlays.append(directory / "overlay.yaml")
        overlays[-1].write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--snakefile", root / "Snakefile", "--directory", directory]
    command += ["--cores", cores] if cores else []
    command += ["--configfile", *overlays] if overlays else []
    return [str(word) for word in (*command, *arguments, "--", *targets)]


def run_snakemake(
    directory: Path,
    *arguments: str | Path,
    fails: bool = False,
    timeout: float = 900,
    environment: Mapping[str, str] = os.environ,
    forked: bool = True,
    **options: Any,
) -> str:
    """Run Snakemake to its end and return all it printed; the test fails if it did not end as expected."""
    command, environment = snakemake_command(directory, *arguments, **options), {**environment, **OFFLINE}
    with tempfile.NamedTemporaryFile(mode="r", encoding="utf-8") as file:
        if forked:
            code = forks.run(command[2:], directory, environment, Path(file.name), timeout)
        else:
            both = {"stdout": file.fileno(), "stderr": file.fileno()}
            code = subprocess.run(command, cwd=directory, env=environment, timeout=timeout, **both).returncode
        printed = file.read()
    if (code != 0) != fails:
        pytest.fail(f"snakemake returned {code}:\n{printed[-6000:]}", pytrace=False)
    return printed


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A directory filled by `make` once a session, by whichever worker of pytest-xdist comes first; the others wait.

    A lock, because marks that should keep tests on one worker are not always obeyed (pytest-xdist issue 1386).
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, done = base / name, base / f"{name}.done"
    with open(base / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            folder.mkdir()
            try:
                make(folder)
            except BaseException as error:
                done.write_text(str(error) or repr(error), encoding="utf-8")
                raise
            done.touch()
        if failure := done.read_text(encoding="utf-8"):
            pytest.fail(failure, pytrace=False)
    return folder


def differences(first: Path, second: Path, *folders: str) -> list[str]:
    """Names of the files in `folders` of two runs that only one has, or whose bytes differ."""

    def contents(run: Path) -> dict[str, bytes]:
        files = (path for folder in folders for path in (run / folder).rglob("*") if path.is_file())
        return {str(path.relative_to(run)): path.read_bytes() for path in files}

    one, two = contents(first), contents(second)
    assert one, "nothing to compare"
    return sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))
