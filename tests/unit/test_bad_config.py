"""Faults of a config, each with its whole line: what, where and what to do; all found before a rule runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.shared import ROOT
from unit.test_config import resolved

from gaia_offsets.engine.config.fault import ConfigError
from gaia_offsets.engine.config.tables_at_hand import table_faults


def rows() -> list[tuple[str, str, list[str]]]:
    """What an overlay goes on, the overlay, and the lines that it gives."""
    found: list[tuple[str, str, list[str]]] = []
    base = ""
    for line in Path(__file__).with_name("bad_config.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("    "):
            found[-1][2].append(line.strip())
        elif line.startswith("@"):
            base = line[1:].strip()
        elif line and not line.startswith("#"):
            found.append((base, line, []))
    return found


def faults(*overlays: str) -> list[str]:
    """Lines of the faults of a config and of the tables that it names."""
    try:
        return [str(fault) for fault in table_faults(resolved(*overlays))]
    except ConfigError as error:
        return str(error).splitlines()


@pytest.mark.parametrize(("base", "overlay", "lines"), rows(), ids=[overlay for _, overlay, _ in rows()])
def test_the_fault_has_this_line(
    base: str, overlay: str, lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("folder", "folder.csv"):
        Path(folder).mkdir()
    Path("mine.csv").write_text("source_id|parallax|reference_parallax|name\n1|1|1|a\n")
    Path("groups.csv").write_text("name,dist\na,1\n")
    base = (ROOT / "config" / base).read_text(encoding="utf-8") if base.endswith(".yaml") else base or "{}"
    found = faults(base, overlay.replace("LONGNAME", "a" * 101).replace("LONG", "a" * 260))
    assert [line.replace("a" * 260, "LONG") for line in found or ["no fault"]] == lines


def test_nothing_is_known_of_a_table_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    base, overlay, _ = rows()[-1]
    assert faults(base, overlay) == []
