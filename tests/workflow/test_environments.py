"""Each environment names what its rules import, at versions that exist, and its packages are enough to run them.

No test here asks conda or conda-forge: a stand-in makes the interpreters, of the packages that are installed here.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from environments import ROOT, closure, distributions, imported, make_interpreter, packages, rules_of
from packaging.markers import Marker
from snakemake_run import OFFLINE, TOY, snakemake_command

ALL = sorted((ROOT / "envs").glob("*.yaml"))
# LSDB is not in the lock, so that what it imports is not known here; tests/hats runs that rule where it is installed.
ENVS = [env for env in ALL if env.stem != "hats"]
each = pytest.mark.parametrize("env", ENVS, ids=lambda path: path.stem)
NOT_ON_CONDA_FORGE = {"gaiadr3-zeropoint", "pygaia"}  # it has no output of this name

# Version in the environments and in the lock, where they differ. conda-forge cannot be looked up from where this was
# made: the environments have versions that lock files of others took from it in September 2026, which work together.
DIFFERENT = {
    "numpy": ("2.5.3", "2.5.5"),
    "scipy": ("1.18.0", "1.18.1"),
    "pandas": ("3.0.5", "3.1.1"),
    "pyarrow": ("25.0.0", "26.0.1"),
    "astropy": ("8.0.1", "8.0.2"),
    "healpy": ("1.20.0", "1.20.1"),
    "matplotlib": ("3.11.1", "3.11.2"),
    "bokeh": ("3.9.2", "3.10.2"),
    "markupsafe": ("3.0.3", "3.0.4"),
    "mocpy": ("0.17.1", "0.21.0"),  # the newest recipe seen; it writes the same bytes
    "ujson": ("5.12.1", "6.1.0"),  # the newest recipe seen
}


def test_every_environment_has_rules_and_the_walk_sees_their_imports() -> None:
    """Or the tests below would find nothing: an import at the top, in a function, by name, and in a module of ours."""
    assert sum(len(rules_of(env.stem)) for env in ALL) == len(list((ROOT / "workflow/scripts").glob("*.py")))
    assert imported("publish_dataset.py") >= {"mocpy", "astropy.io", "healpy"}
    assert "pyarrow.parquet" in imported("simulate.py")
    assert "sklearn.preprocessing" in imported("learn_magnitudes.py")


@each
def test_an_environment_names_exactly_what_its_rules_import(env: Path) -> None:
    conda, pip = packages(env)
    wanted = distributions(set().union(*(imported(f"{rule}.py") for rule in rules_of(env.stem))))
    # What packages by pip need and no other brings is named, too, or pip would fetch it in the version of the day.
    brought = closure(pip) - closure(wanted & set(conda)) - set(pip)
    assert {*conda, *pip} == wanted | brought
    assert set(pip) <= NOT_ON_CONDA_FORGE


def lock(python: str) -> dict[str, str]:
    """Versions of the lock for a version of Python."""
    lines = re.findall(r"^([\w.-]+)==(\S+)(?: ; (.*?))? \\$", (ROOT / "envs/requirements.lock").read_text(), re.M)
    asked = {"python_version": python.rsplit(".", 1)[0], "python_full_version": python}
    return {name: version for name, version, marker in lines if not marker or Marker(marker).evaluate(asked)}


def test_environments_and_lock_agree_but_where_it_is_said() -> None:
    pythons = {re.search(r"- python=(\S+)", env.read_text(encoding="utf-8"))[1] for env in ENVS}
    [python] = pythons  # the lock's versions depend on it: numpy 2.5 needs 3.12, the lock's range begins at 3.11
    locked, named = lock(python), {}
    for env in ENVS:
        for name, version in {**packages(env)[0], **packages(env)[1]}.items():
            assert named.setdefault(name, version) == version, f"{name} differs from one environment to another"
    assert {name: (named[name], locked[name]) for name in named if named[name] != locked[name]} == DIFFERENT


@pytest.fixture(scope="module")
def interpreters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By environment, an interpreter that has only its packages."""
    folder = tmp_path_factory.mktemp("envs")
    return {env.stem: make_interpreter(folder / env.stem, {**packages(env)[0], **packages(env)[1]}) for env in ENVS}


@pytest.mark.slow
@each
def test_its_packages_are_enough_for_every_import(interpreters: dict[str, Path], env: Path) -> None:
    """Also for those inside functions; the scripts of the archive and of learned magnitudes are no part of the toy."""
    rules = rules_of(env.stem)
    modules = sorted(set().union(*(imported(f"{rule}.py") for rule in rules)))
    code = f"from importlib import import_module\nfor name in {rules + modules}: import_module(name)"
    search = {"PYTHONPATH": str(ROOT / "workflow/scripts")}
    done = subprocess.run([interpreters[env.stem], "-c", code], env=search, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_an_interpreter_lacks_what_its_environment_does_not_name(interpreters: dict[str, Path]) -> None:
    for env, module in (("analysis", "sklearn"), ("archive", "matplotlib.pyplot"), ("learn", "requests")):
        done = subprocess.run([interpreters[env], "-c", f"import {module}"], env={}, capture_output=True, text=True)
        assert "ModuleNotFoundError" in done.stderr, (env, module)


# ---------------------------------------------------------------- a run


def lone_snakemake(folder: Path) -> Path:
    """An interpreter for Snakemake that lends jobs nothing.

    A script's search path ends with all of Snakemake's, so that a package missing from an environment would silently
    come from there. Here it holds only what Snakemake's own preamble of a script needs; the rest is found by a hook of
    this interpreter, which jobs do not inherit.
    """
    python = make_interpreter(folder, [])
    [site] = folder.glob("lib/python*/site-packages")
    [installed] = [Path(path) for path in sys.path if (Path(path) / "snakemake/__init__.py").is_file()]
    parts = [f"snakemake_interface_{part}" for part in ("common", "logger_plugins", "storage_plugins")]
    for name in ("snakemake", *parts):
        (site / name).symlink_to(installed / name)
    (site / "sitecustomize.py").write_text(f"""
import sys
from importlib.machinery import PathFinder
from importlib.metadata import DistributionFinder, MetadataPathFinder

class Beside:
    def find_spec(name, path=None, target=None):
        return PathFinder.find_spec(name, path or [{str(installed)!r}], target)

    def find_distributions(context):
        context = DistributionFinder.Context(name=context.name, path=[{str(installed)!r}])
        return MetadataPathFinder.find_distributions(context)

sys.meta_path.append(Beside)
""")
    return python


@pytest.mark.nightly
def test_the_toy_runs_with_nothing_but_its_environments(tmp_path: Path) -> None:
    """`--sdm conda` with a stand-in for conda: a check of the directives and of what the files name, not of conda."""
    conda = tmp_path / "conda/bin/conda"
    conda.parent.mkdir(parents=True)
    stand_in = ROOT / "tests/environments.py"
    conda.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{stand_in}" "{conda.parents[1]}" "$@"\n')
    conda.chmod(0o755)
    (conda.parent / "activate").write_text('export CONDA_PREFIX="$1" PATH="$1/bin:$PATH"\n')
    run = tmp_path / "run"
    # The Kepler giants lend one raw file: `retrieve` is a rule of the archive's environment that needs no network.
    raw = "resources/raw/kepler_giants/kepler_giants.csv.gz"
    configs = [ROOT / "config/real_stars.yaml", TOY]
    command = snakemake_command(run, "--sdm", "conda", targets=["all", raw], configfiles=configs)
    command[0] = str(lone_snakemake(tmp_path / "snakemake"))
    env = {**os.environ, **OFFLINE, "PATH": f"{conda.parent}:{os.environ['PATH']}"}
    env.pop("PYTHONPATH", None)
    done = subprocess.run(command, cwd=run, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout[-6000:]
    assert (run / raw).is_file()
    made = json.loads((run / "results/simulated_giants/tables/map_equatorial.json").read_text())
    assert made["nside"] == 32
    used = {path.read_text(encoding="utf-8") for path in (run / ".snakemake/conda").glob("*.yaml")}
    assert used == {(ROOT / f"envs/{name}.yaml").read_text(encoding="utf-8") for name in ("analysis", "archive")}
