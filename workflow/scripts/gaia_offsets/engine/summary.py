"""What a run says at its end: the measured offsets, warnings, and where everything lies. Standard library only."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gaia_offsets.core.files import read_json

# What a sample's rules were made with, and warn of.
MADE_WITH = ("smooth.json", "trends.json", "map_equatorial.json", "map_galactic.json")
Table = Mapping[tuple[str, str], Mapping[str, str]]  # rows of global_offsets.csv by solution and parallax


def summary(results: str, samples: Sequence[Mapping[str, Any]], run: str, seconds: float | None) -> str:
    """The closing text: measured offsets of each sample that has them, warnings, and where everything lies.

    `seconds` is None where there was nothing to do.
    """
    tables = {sample["name"]: _read(Path(results, sample["name"], "tables/global_offsets.csv")) for sample in samples}
    measured = [sample for sample in samples if tables[sample["name"]]]
    lines = []
    if seconds is not None:
        minutes, rest = divmod(round(seconds), 60)
        lines = ["", f"Done in {f'{minutes} min ' if minutes else ''}{rest} s."]
    if measured:
        lines += ["", *_offsets(measured, tables)]
        simulated = [sample["name"] for sample in measured if sample.get("simulated")]
        where = "" if len(simulated) == len(measured) else f" in {', '.join(simulated)}"
        lines += [f"(simulated stars{where}: no number here says anything about Gaia)"] if simulated else []
    warnings = [f"WARNING {s['name']}: {text}" for s in samples for text in _warnings(Path(results, s["name"]))]
    warnings += [f"WARNING {s['name']}: {text}" for s in measured for text in _without_zero_point(s, tables[s["name"]])]
    lines += ["", *warnings] if warnings else []
    return "\n".join([*lines, "", *_files(results, [sample["name"] for sample in measured], run)])


def _read(path: Path) -> Table:
    """global_offsets.csv; empty where it is not there."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {(row["solution"], row["parallax"]): row for row in csv.DictReader(file)}


def _offsets(samples: Sequence[Mapping[str, Any]], tables: Mapping[str, Table]) -> Iterator[str]:
    """The table of offsets [uas]."""
    rows = [["median offset [uas]", "", "stars", "raw", "corrected"]]
    for sample in samples:
        table = tables[sample["name"]]
        for solution in dict.fromkeys(solution for solution, _ in table):
            raw, corrected = (table.get((solution, parallax), {}) for parallax in ("raw", "corrected"))
            # The zero point is not there for every star.
            stars, left = (f"{int(row['n']):,}" if row else "" for row in (raw, corrected))
            stars += f", {left} corrected" if left not in ("", stars) else ""
            statistic = sample.get("statistic", "median")
            title = (sample.get("title") or sample["name"]) + " (weighted mean)" * (statistic != "median")
            rows.append([title, solution, stars, *(_offset(row, statistic) for row in (raw, corrected))])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for title, solution, *numbers in rows:
        cells = [title.ljust(widths[0]), solution.ljust(widths[1]), *map(str.rjust, numbers, widths[2:])]
        yield "  ".join(cells).rstrip()


def _offset(row: Mapping[str, str], statistic: str) -> str:
    """Median or weighted mean and its error, a dash for what is not there; a single star has no error."""
    value, error = (float(row.get(name) or "nan") for name in (statistic, f"{statistic}_error"))
    text = f"{value:+.1f}" if math.isfinite(value) else "-"
    return f"{text} ± {error:.1f}" if math.isfinite(error) else text


def _warnings(folder: Path) -> list[str]:
    """What the rules that measured a sample warned of."""
    made = [folder / "tables" / name for name in MADE_WITH]
    return [text for text in dict.fromkeys(read_json(path).get("warning") for path in made if path.is_file()) if text]


def _without_zero_point(sample: Mapping[str, Any], table: Table) -> Iterator[str]:
    """Solutions of which fewer than half of the stars have a corrected parallax."""
    for solution in dict.fromkeys(solution for solution, _ in table):
        stars, corrected = (int(table.get((solution, name), {}).get("n") or 0) for name in ("raw", "corrected"))
        if sample.get("official", "none") != "none" and 2 * corrected < stars:
            yield (
                f"{corrected} of {stars} {solution} stars have a zero point of {sample['official']}; "
                f"logs/correct_parallaxes/{sample['name']}.log says which of its columns are empty"
            )


def _files(results: str, names: Sequence[str], run: str) -> Iterator[str]:
    """Where everything lies, first what to open first; a run of some targets only may have made none of it."""
    if Path(results, "runs", run, "index.html").is_file():
        yield f"look at  {results}/runs/{run}/index.html"
    others = f" (and so for {', '.join(names[1:])})" if len(names) > 1 else ""
    for kind, folder in (("figures", "figures"), ("Table 1", "dataset")):
        if any(Path(results, name, folder).is_dir() for name in names):
            yield f"{kind:7}  {results}/{names[0]}/{folder}/{others}"
    report, state = Path(results, "runs", run, "report.html"), ""
    tables = [path for name in names for path in Path(results, name, "tables").iterdir()]
    if "--report-after-run" in sys.argv:
        pass  # Snakemake makes it now
    elif not report.is_file():
        state = f" (to make it: the same command with --report {report})"
    elif any(path.stat().st_mtime > report.stat().st_mtime for path in tables):
        state = " (older than these numbers; the same command with --report and that name makes it anew)"
    yield f"report   {report}{state}"
