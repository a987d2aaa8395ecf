"""Sizes of the project, that a test lets only fall: lines, words, functions above the limits; `make sizes` writes them.

What must grow is written anew by the same command, and shows in the commit.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
FILE = Path(__file__).with_suffix(".yaml")
# By name, patterns of the files whose lines are counted.
LINES = {
    "scripts": ["workflow/scripts/*.py"],
    "package": ["workflow/scripts/gaia_offsets/**/*.py"],
    "rules": ["Snakefile", "workflow/Snakefile", "workflow/rules/*.smk"],
    "config": ["config/*.yaml", "workflow/resources/*.yaml", "workflow/settings.yaml"],
    "tests": ["tests/**/*.py", "tests/**/*.txt"],
    "tools": ["tools/**/*.py"],
}
# docs/config.md, numbers.md and columns.md are written by programs.
WRITTEN = ["README.md", "docs/*.md", "config/data/README.md"]
LIMITS = {"function": 60, "module": 320, "script": 100}  # lines


def files(patterns: list[str]) -> list[Path]:
    return sorted({path for pattern in patterns for path in ROOT.glob(pattern)})


def length(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def functions(path: Path) -> list[int]:
    """Lines of every function of a file."""
    nodes = ast.walk(ast.parse(path.read_bytes()))
    return [node.end_lineno - node.lineno + 1 for node in nodes if isinstance(node, ast.FunctionDef)]


def beyond_ruff() -> dict[str, list[str]]:
    """By file, a code for every function that ruff finds too complex (C901) or with too many parameters (PLR0913)."""
    words = ["check", "--ignore-noqa", "--config", "lint.per-file-ignores={}", "--select", "C901,PLR0913"]
    told = subprocess.run(
        [sys.executable, "-m", "ruff", *words, "--output-format", "json", ROOT], capture_output=True, text=True
    )
    found: dict[str, list[str]] = {}
    for fault in json.loads(told.stdout):
        found.setdefault(Path(fault["filename"]).relative_to(ROOT).as_posix(), []).append(fault["code"])
    return found


def measure() -> dict[str, dict[str, int]]:
    """All sizes."""
    scripts, modules = files(LINES["scripts"]), files(LINES["package"])
    texts = [path for path in files(WRITTEN) if path.name not in ("config.md", "numbers.md", "columns.md")]
    longest = [lines for path in [*scripts, *modules] for lines in functions(path)]
    return {
        "lines": {name: sum(map(length, files(patterns))) for name, patterns in LINES.items()},
        "words": {"docs": sum(len(path.read_text(encoding="utf-8").split()) for path in texts)},
        "above": {
            "complexity 15 or 7 parameters": sum(map(len, beyond_ruff().values())),
            f"{LIMITS['function']} lines of a function": sum(lines > LIMITS["function"] for lines in longest),
            f"{LIMITS['module']} lines of a module": sum(length(path) > LIMITS["module"] for path in modules),
            f"{LIMITS['script']} lines of a script": sum(length(path) > LIMITS["script"] for path in scripts),
        },
    }


if __name__ == "__main__":
    before = yaml.safe_load(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    sizes = measure()
    for kind, entries in sizes.items():
        for name, value in entries.items():
            old = before.get(kind, {}).get(name)
            print(f"{kind} {name}: {old} -> {value}{'  GREW' if old is not None and value > old else ''}")
    FILE.write_text(f"# {__doc__.splitlines()[0]}\n{yaml.safe_dump(sizes, sort_keys=False)}", encoding="utf-8")
