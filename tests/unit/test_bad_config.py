"""Faults of a config, each with its whole line: what, where and what to do; all found before a rule runs."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from unit.shared import ROOT
from unit.test_config import resolved

from gaia_offsets.engine.config.fault import ConfigError
from gaia_offsets.engine.config.tables_at_hand import table_faults


def rows() -> list[tuple[str, str, dict[str, Any], list[str]]]:
    """What an overlay goes on, the overlay as it is written and as it is meant, and the lines that it gives."""
    found: list[tuple[str, str, dict[str, Any], list[str]]] = []
    base = keys = ""
    for line in Path(__file__).with_name("bad_config.txt").read_text(encoding="utf-8").splitlines():
        text, sign, fault = re.fullmatch(r"(.*?)(?: *(=>|::) (.*))?", line).groups()
        if text.startswith("@"):
            base = text[1:].strip()
        elif text and not line.startswith("#"):
            keys, _, value = text.partition(": ") if re.match(r"[a-z_0-9.]+: ", text) else ("", "", text)
            overlay = yaml.safe_load(value.replace("LONGNAME", "a" * 101).replace("LONG", "a" * 260))
            for key in reversed(keys.split(".") if keys else []):
                overlay = {int(key) if key.isdigit() else key: overlay}
            found.append((base, text, overlay, []))
        if sign:
            found[-1][3].append(fault if sign == "::" else f"{keys}{'' if fault.startswith('.') else ': '}{fault}")
    return found


ROWS = rows()


def faults(*overlays: str | dict[str, Any]) -> list[str]:
    """Lines of the faults of a config and of the tables that it names."""
    try:
        return [str(fault) for fault in table_faults(resolved(*overlays))]
    except ConfigError as error:
        return str(error).splitlines()


@pytest.mark.parametrize(
    ("base", "overlay", "lines"), [(base, *row) for base, _, *row in ROWS], ids=[r[1] for r in ROWS]
)
def test_the_fault_has_this_line(base, overlay, lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("folder", "folder.csv"):
        Path(folder).mkdir()
    Path("mine.csv").write_text("source_id|parallax|reference_parallax|name\n1|1|1|a\n")
    Path("groups.csv").write_text("name,dist\na,1\n")
    base = (ROOT / "config" / base).read_text(encoding="utf-8") if base.endswith(".yaml") else base or "{}"
    found = faults(base, overlay)
    assert [line.replace("a" * 260, "LONG") for line in found or ["no fault"]] == lines


def test_nothing_is_known_of_a_table_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    base, _, overlay, _ = ROWS[-1]
    assert faults(base, overlay) == []
