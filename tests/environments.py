"""What the rules of an environment import, and an interpreter that has only its packages, linked from those here.

As a program it stands in for the few commands of conda that Snakemake calls: `env create` makes such an interpreter.
It is not conda: versions are those installed here, whatever the file says.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import venv
from collections.abc import Iterable, Iterator
from importlib import metadata
from itertools import pairwise
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "workflow/scripts"
CONDA_NAMES = {"matplotlib-base": "matplotlib"}  # where conda-forge's name is not PyPI's


def packages(env: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Versions, by PyPI's name, of what an environment file names (not Python, not pip): from conda-forge, by pip."""
    entries = yaml.safe_load(env.read_text(encoding="utf-8"))["dependencies"]
    conda = dict(entry.split("=") for entry in entries if isinstance(entry, str))
    pip = dict(line.split("==") for entry in entries if isinstance(entry, dict) for line in entry["pip"])
    conda = {CONDA_NAMES.get(name, name): version for name, version in conda.items() if name not in ("python", "pip")}
    return conda, pip


def rules_of(env: str) -> list[str]:
    """Names of the rules that run in an environment."""
    named = re.compile(rf'envs/{env}\.yaml"(?:(?!envs/)[\s\S])*?scripts/(\w+)\.py"')
    files = sorted((ROOT / "workflow/rules").glob("*.smk"))
    return [name for path in files for name in named.findall(path.read_text(encoding="utf-8"))]


def imported(script: str) -> set[str]:
    """Modules of others that a script and our modules behind it import anywhere, also inside functions."""
    found, seen, queue = set(), set(), [SCRIPTS / script]
    while queue:
        path = queue.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in _imports(ast.parse(path.read_bytes())):
            place = SCRIPTS.joinpath(*name.split("."))
            if name.split(".")[0] != "gaia_offsets":
                found.add(name)
            else:
                queue += [file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()]
    return {name for name in found if name.split(".")[0] not in sys.stdlib_module_names}


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            if node.module.split(".")[0] == "gaia_offsets":
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_module":
            name = node.args[0]  # a text, or one that begins with the package: f"healpy.{name}"
            yield name.value if isinstance(name, ast.Constant) else name.values[0].value.rstrip(".")


def distributions(modules: Iterable[str]) -> set[str]:
    """The packages that these modules belong to."""
    known = metadata.packages_distributions()
    return {canonicalize_name(known[top][0]) for top in {module.split(".")[0] for module in modules}}


def closure(names: Iterable[str]) -> set[str]:
    """These packages and all that they require here."""
    found, queue = set(), [Requirement(name) for name in names]
    while queue:
        wanted = queue.pop()
        for extra in {"", *wanted.extras}:
            key = (canonicalize_name(wanted.name), extra)
            if key not in found:
                found.add(key)
                required = map(Requirement, metadata.requires(wanted.name) or ())
                queue += [entry for entry in required if not entry.marker or entry.marker.evaluate({"extra": extra})]
    return {name for name, _ in found}


def make_interpreter(prefix: Path, names: Iterable[str]) -> Path:
    """An interpreter in `prefix` that imports these packages, what they require, and nothing else."""
    venv.create(prefix, symlinks=True, with_pip=False)
    [site] = prefix.glob("lib/python*/site-packages")
    for name in closure(names):
        found = metadata.distribution(name)
        for top in {file.parts[0] for file in found.files} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(found.locate_file(top))
    return prefix / "bin/python"


def conda(arguments: list[str]) -> None:
    """What Snakemake asks of conda."""
    if arguments[:1] == ["--version"]:
        print("conda 24.9.2")
    elif arguments[:1] == ["info"]:
        print(json.dumps({"conda_prefix": str(Path(sys.argv[1])), "platform": "linux-64"}))
    elif arguments[:2] == ["config", "--get"]:
        print(json.dumps({"success": True, "get": {"channel_priority": "strict"}}))
    elif arguments[:2] == ["env", "create"]:
        given = dict(pairwise(arguments))
        names = packages(Path(given["--file"]))
        make_interpreter(Path(given["--prefix"]), [name for part in names for name in part])
    elif arguments[:1] != ["clean"]:
        sys.exit(f"the stand-in for conda does not know {arguments}")


if __name__ == "__main__":
    conda(sys.argv[2:])
