"""Writes docs/numbers.md from docs/numbers.yaml: each column, its unit and meaning, and the function that makes it.

`make docs` runs it. A test compares, and holds numbers.yaml against the tables of the toy.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "workflow/scripts"
sys.path.insert(0, str(SCRIPTS))

from gaia_offsets.publish import fields as published  # noqa: E402 - only now on the path

INTRODUCTION = """# Where does this number come from?

Every column of the tables that the run of a sample writes, its unit, its meaning, and the function that makes it
(tables of `make validate`: [validation.md](validation.md)). Written by
`make docs` from `docs/numbers.yaml`. Paths are below `results/{sample}/`, those of a run below `results/`. The README
beside each sample tells its own numbers; [method.md](method.md) tells why they are made so, [files.md](files.md) which
rule writes which file.
"""


def functions() -> dict[str, Path]:
    """File of each function and class of scripts and package, as `name` and as `module.name`, and of each script.

    A name that stands in two modules is known by `module.name` alone.
    """
    found: dict[str, list[Path]] = {}
    for path in sorted(SCRIPTS.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                for name in (node.name, f"{path.stem}.{node.name}"):
                    found.setdefault(name, []).append(path)
    scripts = {path.stem: path for path in SCRIPTS.glob("*.py")}
    return scripts | {name: paths[0] for name, paths in found.items() if len(set(paths)) == 1}


def columns(told: dict[str, Any]) -> Iterator[tuple[str, str, list[tuple[str, str, str, str]]]]:
    """File, what it is about, and its columns: name, unit, meaning, function."""
    for file, table in told["tables"].items():
        unit = re.search(r"\[(.*)\]", table["about"])
        rows = []
        for name, own in table["columns"].items():
            mark, meaning, function = (part.strip() for part in (own or told["common"][name]).split("|"))
            rows.append((name, unit[1] if mark == "same" and unit else mark, meaning, function))
        script = f"[{table['made']}.py](../workflow/scripts/{table['made']}.py)"
        yield file, f"{table['about']}; rule `{table['made']}`, {script}", rows
    words = {"solution": "5p", "correction": "the correction's zero point"}
    smooth = {**told["datasets"], **told["smooth"]}
    for file, about, fields, made in (
        ("dataset/{frame}.*", "Table 1: the pixels with enough stars", published.TABLE1, told["datasets"]),
        ("dataset/{frame}_extended.*", "its long version", published.extended(["6p"]), told["datasets"]),
        ("dataset/{frame}_smooth.*", "the smooth map", published.SMOOTH, smooth),
    ):
        yield file, about, [(f.name, f.unit, f.meaning.format(**words), made[f.name]) for f in fields]


def page() -> str:
    """The whole page as Markdown. Raises KeyError for a function that is not there."""
    places, parts = functions(), [INTRODUCTION]
    for file, about, rows in columns(yaml.safe_load((ROOT / "docs/numbers.yaml").read_text(encoding="utf-8"))):
        parts.append(
            f"\n## `{file}`\n{about[0].upper()}{about[1:]}.\n\n| column | unit | meaning | made by |\n|---|---|---|---|"
        )
        for name, unit, meaning, function in rows:
            path = places[function].relative_to(ROOT).as_posix() if function else ""
            link = f"[`{function}`](../{path})" if function else ""
            parts.append(f"| `{name}` | {unit} | {meaning} | {link} |")
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    (ROOT / "docs/numbers.md").write_text(page(), encoding="utf-8")
