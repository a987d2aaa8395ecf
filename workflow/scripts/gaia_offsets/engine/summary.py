"""What a run says at its end: the measured offsets, warnings, and where everything lies. Standard library only."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gaia_offsets.core.files import read_json

# What a sample's rules were made with, and warn of.
TOLD = ("smooth.json", "trends.json", "map_equatorial.json", "map_galactic.json")


def summary(results: str, samples: Sequence[Mapping[str, Any]], run: str, seconds: float | None) -> str:
    """The closing text: measured offsets of each sample that has them, warnings, and where everything lies.

    `seconds` is None where there was nothing to do.
    """
    warnings = [
        f"WARNING {sample['name']}: {text}" for sample in samples for text in _warnings(Path(results, sample["name"]))
    ]
    rows, measured = [["median offset [uas]", "", "stars", "raw", "corrected"]], []
    for sample in samples:
        path = Path(results, sample["name"], "tables/global_offsets.csv")
        if not path.is_file():
            continue
        measured.append(sample)
        with path.open(newline="", encoding="utf-8") as file:
            table = {(row["solution"], row["parallax"]): row for row in csv.DictReader(file)}
        for solution in dict.fromkeys(solution for solution, _ in table):
            warnings += _without_zero_point(sample, solution, table)
            raw, corrected = (table.get((solution, parallax), {}) for parallax in ("raw", "corrected"))
            # The zero point is not there for every star.
            stars = ", ".join(dict.fromkeys(f"{int(row['n']):,}" for row in (raw, corrected) if row))
            rows.append([sample.get("title") or sample["name"], solution, stars, _offset(raw), _offset(corrected)])
    lines = []
    if seconds is not None:
        minutes, rest = divmod(round(seconds), 60)
        lines = ["", f"Done in {f'{minutes} min ' if minutes else ''}{rest} s."]
    if measured:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        cells = [
            [row[0].ljust(widths[0]), row[1].ljust(widths[1]), *map(str.rjust, row[2:], widths[2:])] for row in rows
        ]
        lines += ["", *("  ".join(row).rstrip() for row in cells)]
        simulated = [sample["name"] for sample in measured if sample.get("simulated")]
        where = "" if len(simulated) == len(measured) else f" in {', '.join(simulated)}"
        lines += [f"(simulated stars{where}: no number here says anything about Gaia)"] if simulated else []
    lines += ["", *warnings] if warnings else []
    names = [sample["name"] for sample in measured]
    kinds = {"figures": "figures", "Table 1": "dataset"}
    # A run of some targets only may have made neither.
    made = {kind: sub for kind, sub in kinds.items() if any(Path(results, name, sub).is_dir() for name in names)}
    others = f" (and so for {', '.join(names[1:])})" if len(names) > 1 else ""
    lines += ["", *(f"{kind:7}  {results}/{names[0]}/{sub}/{others}" for kind, sub in made.items())]
    report = Path(results, "runs", run, "report.html")
    tables = [path for name in names for path in Path(results, name, "tables").iterdir()]
    state = ""
    if "--report-after-run" in sys.argv:
        pass  # Snakemake makes it now
    elif not report.is_file():
        state = f" (to make it: the same command with --report {report})"
    elif any(path.stat().st_mtime > report.stat().st_mtime for path in tables):
        state = " (older than these numbers; the same command with --report and that name makes it anew)"
    lines.append(f"report   {report}{state}")
    return "\n".join(lines)


def _warnings(folder: Path) -> list[str]:
    """What the rules that measured a sample warned of."""
    made = [folder / "tables" / name for name in TOLD]
    warnings = [read_json(path).get("warning") for path in made if path.is_file()]
    return [text for text in dict.fromkeys(warnings) if text]


def _without_zero_point(
    sample: Mapping[str, Any], solution: str, table: Mapping[tuple[str, str], Mapping[str, str]]
) -> list[str]:
    """A line where fewer than half of the stars of a solution have a corrected parallax."""
    stars, corrected = (int(table.get((solution, name), {}).get("n") or 0) for name in ("raw", "corrected"))
    if sample.get("official", "none") == "none" or 2 * corrected >= stars:
        return []
    return [
        f"WARNING {sample['name']}: {corrected} of {stars} {solution} stars have a zero point of {sample['official']}; "
        f"logs/correct_parallaxes/{sample['name']}.log says which of its columns are empty"
    ]


def _offset(row: Mapping[str, str]) -> str:
    """Median and its error, a dash for what is not there; a single star has no error."""
    numbers = [float(row.get(name) or "nan") for name in ("median", "median_error")]
    texts = [
        f"{value:{spec}}" if math.isfinite(value) else "-" for value, spec in zip(numbers, ("+.1f", ".1f"), strict=True)
    ]
    return texts[0] if texts[1] == "-" else " ± ".join(texts)
