"""Global offsets of the run's samples beside those of the literature."""

import sys
from typing import Any

import pandas as pd

from gaia_offsets.faults import open_log
from gaia_offsets.tables import TableError, write_table
from gaia_offsets.yamlfile import read_yaml

COLUMNS = ["origin", "label", "simulated", "solution", "parallax", "offset", "error", "n", "reference"]
KEYS = {"paper", "tracers", "solution", "parallax", "offset", "error", "reference"}


def from_run(offsets: pd.DataFrame, title: str, *, simulated: bool) -> pd.DataFrame:
    """The medians of global_offsets.csv of one sample."""
    table = offsets[["solution", "parallax", "n"]].assign(offset=offsets["median"], error=offsets["median_error"])
    return table.assign(origin="run", label=title, simulated=simulated, reference="this run, median").reindex(
        columns=COLUMNS
    )


def from_literature(entries: list[dict[str, Any]], path: str) -> pd.DataFrame:
    """The published offsets of literature.yaml; a label says what of its row is confirmed in part only (`partly`)."""
    for number, entry in enumerate(entries):
        if set(entry) - {"partly"} != KEYS:
            raise TableError(f"{path}: entry {number}: the keys should be {', '.join(sorted(KEYS))}")
    table = pd.DataFrame(entries)
    marks = [f" (PARTLY: {entry['partly']})" if "partly" in entry else "" for entry in entries]
    label = table["paper"] + ", " + table["tracers"] + marks
    return table.assign(origin="literature", label=label, simulated=False).reindex(columns=COLUMNS)


if __name__ == "__main__":
    open_log(snakemake.log[0])
    tables = [
        from_run(pd.read_csv(path), sample["title"], simulated=sample["simulated"])
        for path, sample in zip(snakemake.input.offsets, snakemake.params.samples, strict=True)
    ]
    tables.append(from_literature(read_yaml(snakemake.input.literature), snakemake.input.literature))
    table = pd.concat(tables, ignore_index=True).astype({"n": "Int64", "offset": "float64", "error": "float64"})
    print(f"{len(tables) - 1} samples of the run, {len(tables[-1])} published offsets", file=sys.stderr)
    write_table(table, snakemake.output.samples)
