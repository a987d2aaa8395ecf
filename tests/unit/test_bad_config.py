"""Faults of a config, each with its whole line: what, where and what to do; all found before a rule runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.test_config import faults, resolved

from gaia_offsets import config as checks


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


MINE = """
run: {samples: [mine]}
datasets: {mine: {path: mine.csv}, groups: {path: groups.csv}}
samples: {mine: {title: Mine, targets: {dataset: mine}, reference: REFERENCE, cuts: CUTS}}
"""
CATALOGUE = "catalogues: {c: {path: mine.csv, sample: mine, frame: galactic, base: raw, columns: COLUMNS}}"
GROUPS = "{kind: group_distance, group: {dataset: groups, key: name, columns: {name: name}}}"
NAMED = "name the file's column in samples.mine"


@pytest.mark.parametrize(
    ("reference", "cuts", "more", "lines"),
    [
        ("{kind: parallax}", "[]", "", []),
        ("{kind: constant, value_mas: 0}", "[]", "", []),
        (
            "{kind: distance}",
            "[]",
            "",
            [f"samples.mine.reference.kind: mine.csv has no column 'distance'; {NAMED}.targets.columns"],
        ),
        (
            "{kind: distance_modulus}",
            "[]",
            "",
            [f"samples.mine.reference.kind: mine.csv has no column 'distance_modulus'; {NAMED}.targets.columns"],
        ),
        (
            "{kind: parallax}",
            "[{column: ruwe, op: <, value: 2}, {column: snr, op: '>', value: 2}]",  # Gaia's own columns come later
            "",
            [f"samples.mine.cuts.1.column: mine.csv has no column 'snr'; {NAMED}.targets.columns"],
        ),
        (
            "{kind: absolute_magnitude, absolute_magnitude: mks, apparent_magnitude: ks_m}",
            "[]",
            "",
            [f"samples.mine.reference.absolute_magnitude: mine.csv has no column 'mks'; {NAMED}.targets.columns"],
        ),
        (
            "{kind: parallax}",
            "[{column: snr, op: '>', value: 2}]",
            "samples: {mine: {targets: {columns: {snr: paralax}}}}",
            ["samples.mine.targets.columns.snr: mine.csv has no column 'paralax'; did you mean parallax?"],
        ),
        (
            GROUPS,
            "[]",
            "",
            [f"samples.mine.reference.kind: groups.csv has no column 'distance'; {NAMED}.reference.group.columns"],
        ),
        (
            "{kind: parallax}",
            "[]",
            CATALOGUE.replace("COLUMNS", "{parallax: plx, ra: source_id}"),
            ["catalogues.c.columns.parallax: mine.csv has no column 'plx'"],
        ),
    ],
)
def test_columns_of_tables_at_hand(
    reference: str, cuts: str, more: str, lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.csv").write_text("source_id|parallax|reference_parallax|name\n1|1|1|a\n")
    Path("groups.csv").write_text("name,dist\na,1\n")
    config = resolved(MINE.replace("REFERENCE", reference).replace("CUTS", cuts), more or "{}")
    assert list(checks.table_faults(config, {})) == lines
    Path("mine.csv").unlink()
    Path("groups.csv").unlink()
    assert list(checks.table_faults(config, {})) == []  # nothing is known of files that are not there
