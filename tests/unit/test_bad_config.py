"""Faults of a config, each with its whole line: what, where and what to do; all found before a rule runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.test_config import faults


def rows() -> list[tuple[str, list[str]]]:
    """Overlays and the lines that they give."""
    found: list[tuple[str, list[str]]] = []
    for line in Path(__file__).with_name("bad_config.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("    "):
            found[-1][1].append(line.strip())
        elif line and not line.startswith("#"):
            found.append((line, []))
    return found


@pytest.mark.parametrize(("overlay", "lines"), rows(), ids=[overlay for overlay, _ in rows()])
def test_the_fault_has_this_line(
    overlay: str, lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("folder", "folder.csv"):
        Path(folder).mkdir()
    found = faults(overlay.replace("LONGNAME", "a" * 101).replace("LONG", "a" * 260))
    assert lines and [line.replace("a" * 260, "LONG") for line in found] == lines
