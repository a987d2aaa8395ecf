"""Writes docs/columns.md from the contracts of columns; `make docs` runs it and a test compares."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

from gaia_offsets.core import columns  # noqa: E402 - only now on the path

INTRODUCTION = """# Standard columns

The names that the workflow and `gaia-offsets` know, written by `make docs` from `gaia_offsets/core/columns.py`. A table
with Gaia's names, the archive's or VizieR's, needs no entry in `columns:`; any other name does
(`distance: {column: dist, unit: pc}`), or an option of the command (`--parallax MyPlx`). Values outside of the range
are refused. In bold: what `gaia-offsets apply` can use.
"""
GROUPS = {
    "Gaia": columns.GAIA,
    "Your stars": columns.TARGETS,
    "2MASS": columns.TMASS,
    "Geometric distances": columns.DISTANCES,
    "What the cross-match adds": columns.MATCH,
    "What the correction adds": columns.OFFSETS,
}


def page() -> str:
    """The whole page as Markdown."""
    parts = [INTRODUCTION]
    for title, group in GROUPS.items():
        parts.append(f"\n## {title}\n\n| column | at VizieR | unit | range | meaning |\n|---|---|---|---|---|")
        for name, column in group.items():
            shown = f"**`{name}`**" if name in columns.CATALOGUE else f"`{name}`"
            vizier = f"`{columns.VIZIER[name]}`" if name in columns.VIZIER else ""
            reach = f"{column.low:g} to {column.high:g}" if column.kind == "float" else ""
            parts.append(f"| {shown} | {vizier} | {column.unit} | {reach} | {column.meaning} |")
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    (ROOT / "docs/columns.md").write_text(page(), encoding="utf-8")
