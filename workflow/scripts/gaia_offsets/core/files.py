"""A rule's small inputs, JSON, and files of the workflow itself: where they are, and their digests for params."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

WORKFLOW = Path(__file__).parents[3]  # the folder of this package's workflow, where it is one of a workflow
LITERATURE, CITATIONS, REFERENCES = (
    WORKFLOW / "resources" / name for name in ("literature.yaml", "citations.yaml", "references.bib")
)
# By the key of the config that names a file of the workflow itself: the folder where it lies.
OWN = {"claims": "workflow/resources", "shipped": "config/data", "file": "workflow/scripts/gaia_offsets/data"}


def own_file(key: str, path: str) -> Path:
    """The file that a key of OWN names: the user's before ours, but of what is shipped."""
    mine = Path(path)
    return mine if key != "shipped" and mine.is_file() else WORKFLOW.parent / OWN[key] / path


@cache
def content(path: Path) -> str:
    """SHA-256 of a file: what is read by content re-runs nothing where the project's folder is copied or moved."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_json(path: str | Path) -> Any:
    """What a JSON file says."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def write_json(path: str | Path, value: Any) -> None:
    """Write a JSON file, for readers with two blanks a level."""
    Path(path).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def read_inputs(inputs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """A rule's small inputs by name, read: tables (CSV, Parquet) and JSON."""
    import pandas as pd

    readers = {".csv": pd.read_csv, ".parquet": pd.read_parquet, ".json": read_json}
    return {name: readers[Path(path).suffix](path) for name, path in inputs}
