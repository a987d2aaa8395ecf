"""Compare the products of two runs: tools/compare_results.py FIRST SECOND, two folders `results`; 1 where they differ.

Numbers of tables (CSV, Parquet, FITS) may differ by 1e-9 of the larger one; the commit that made a file and the record
of a run (provenance.json) do not count.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.io import fits

RELATIVE = 1e-9
COMMIT = re.compile(r"\(commit\w+\)")  # in a text without blanks
TABLES = {".csv": pd.read_csv, ".parquet": pd.read_parquet}


def table_difference(first: pd.DataFrame, second: pd.DataFrame) -> str:
    """In what two tables differ beyond the rounding of numbers, as a text; empty where in nothing."""
    if list(first.columns) != list(second.columns) or len(first) != len(second):
        return f"{first.shape[0]} rows of {list(first.columns)}, {second.shape[0]} rows of {list(second.columns)}"
    found = []
    for name in first.columns:
        one, two = first[name], second[name]
        if pd.api.types.is_float_dtype(one) and pd.api.types.is_float_dtype(two):
            a, b = one.to_numpy(float), two.to_numpy(float)
            same = np.isclose(a, b, rtol=RELATIVE, atol=0.0, equal_nan=True)
        else:
            same = ((one == two) | (one.isna() & two.isna())).to_numpy(bool)
        if not same.all():
            found.append(f"{name} in {np.count_nonzero(~same)} of {len(same)} rows")
    return ", ".join(found)


def difference(first: Path, second: Path) -> str:
    """In what two files of one name differ, as a text; empty where in nothing that counts."""
    if first.read_bytes() == second.read_bytes() or first.name == "provenance.json":
        return ""
    if first.suffix == ".fits":
        found = fits.FITSDiff(str(first), str(second), ignore_keywords=["VERSIONS", "CHECKSUM"], rtol=RELATIVE)
        return "" if found.identical else " ".join(found.report().split())[-300:]
    if first.suffix in TABLES:
        return table_difference(*(TABLES[path.suffix](path) for path in (first, second)))
    try:
        one, two = (COMMIT.sub("", "".join(path.read_text(encoding="utf-8").split())) for path in (first, second))
    except UnicodeDecodeError:
        return "other bytes"
    return "" if one == two else "another text"


def differences(first: Path, second: Path) -> Iterator[str]:
    """A line for every product that only one run has or that differs."""
    one, two = ({path.relative_to(run) for path in run.rglob("*") if path.is_file()} for run in (first, second))
    yield from (f"only in {run}: {name}" for run, names in ((first, one - two), (second, two - one)) for name in names)
    for name in sorted(one & two):
        if text := difference(first / name, second / name):
            yield f"{name}: {text}"


if __name__ == "__main__":
    lines = sorted(differences(*map(Path, sys.argv[1:3])))
    print("\n".join(lines) or "no difference")
    sys.exit(bool(lines))
