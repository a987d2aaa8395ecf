"""Put the parts of a queried dataset together, count them against the service, and write where they came from."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from gaia_offsets import adql
from gaia_offsets.archive import write_whole
from gaia_offsets.download import check_file, count_rows
from gaia_offsets.tap import Archive, ArchiveError

SECONDS = ("timeout_s", "stall_s", "poll_s", "max_wait_s")
PATIENCE = [("maxrec", int), ("attempts", int)] + [(name, float) for name in SECONDS]


def merge_catalogue(
    parts: list[pd.DataFrame], service: Archive, query: dict[str, Any], *, dataset: str
) -> pd.DataFrame:
    """All rows; ArchiveError where the service counts another number over all parts (nulls, new rows)."""
    table = pd.concat(parts, ignore_index=True)
    counted = service.count(adql.table_count(query), what=f"{dataset}, all parts")
    if counted != len(table):
        raise ArchiveError(
            f"{service.url}: datasets.{dataset}: the parts have {len(table)} rows, COUNT(*) over all says {counted}: "
            "the service's table has changed or the partition's column has nulls; delete the parts, or add a not_null "
            f"cut to datasets.{dataset}.query.where"
        )
    print(f"{len(table)} rows in {len(parts)} parts, as many as COUNT(*) says", file=sys.stderr)
    return table


def describe(dataset: str, entry: dict[str, Any], file: Path) -> dict[str, Any]:
    """Manifest of the file: what it is, from where, when, digest and rows."""
    length, digest = check_file(file, file.name)
    return {
        "dataset": dataset,
        "file": file.name,
        "bytes": length,
        "sha256": digest,
        "rows": count_rows(file),
        "url": entry["query"]["url"],
        "query": adql.table_query(entry["query"]),
        "parts": adql.parts(entry["query"]),
        "retrieved": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **{key: entry.get(key) for key in ("licence", "doi", "citation")},
    }


if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)  # left open: the traceback must reach it
    entry, dataset = snakemake.params.entry, snakemake.wildcards.dataset
    query = entry["query"]
    service = Archive(query["url"], **{name: kind(snakemake.resources[f"archive_{name}"]) for name, kind in PATIENCE})
    # Nullable, or a missing identifier would turn the others into float64.
    frames = [pd.read_parquet(part, dtype_backend="numpy_nullable") for part in snakemake.input.parts]
    write_whole(merge_catalogue(frames, service, query, dataset=dataset), snakemake.output.file)
    record = json.dumps(describe(dataset, entry, Path(snakemake.output.file)), indent=2, sort_keys=True)
    Path(snakemake.output.manifest).write_text(record + "\n", encoding="utf-8")
