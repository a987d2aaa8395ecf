"""docs/numbers.md and columns.md are those of their sources; every column that the toy writes is in numbers.md."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from snakemake_run import ROOT

sys.path.insert(0, str(ROOT / "docs"))
import make_columns_page
import make_numbers_page

SAMPLE = "results/simulated_giants"


def test_the_page_is_that_of_its_source() -> None:
    for name, source in (("numbers", make_numbers_page), ("columns", make_columns_page)):
        assert (ROOT / f"docs/{name}.md").read_text(encoding="utf-8") == source.page(), "run make docs"


@pytest.mark.slow
def test_every_column_of_the_toy_is_told(toy: Path) -> None:
    told = yaml.safe_load((ROOT / "docs/numbers.yaml").read_text(encoding="utf-8"))
    known = {
        re.escape(file)
        .replace(r"\{frame\}", "(equatorial|galactic)")
        .replace(r"\{run\}", "toy")
        .replace(r"\*", r"\w+"): {name for name, *_ in rows}
        for file, _, rows in make_numbers_page.columns(told)
    }
    files = [*toy.glob(f"{SAMPLE}/**/*.csv"), *toy.glob(f"{SAMPLE}/**/*.parquet"), *toy.glob("results/runs/toy/*.csv")]
    assert len(files) > 25
    for file in files:
        written = (
            pq.read_schema(file).names if file.suffix == ".parquet" else pd.read_csv(file, nrows=0, comment="#").columns
        )
        path = file.relative_to(toy / (SAMPLE if SAMPLE in str(file) else "results")).as_posix()
        (columns,) = [names for pattern, names in known.items() if re.fullmatch(pattern, path)]
        assert {name for name in written if not name.endswith(".mask")} <= columns, path
