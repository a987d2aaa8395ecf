"""Put the parts of a queried dataset together, count them against the service, and write where they came from."""

from pathlib import Path
from typing import Any

import pandas as pd

from gaia_offsets.archive import candidates as archive
from gaia_offsets.archive import table_query
from gaia_offsets.archive.rawfile import check_file, write_manifest
from gaia_offsets.archive.tap import Archive, ArchiveError
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.log import say


def merge_catalogue(
    parts: list[pd.DataFrame], service: Archive, query: dict[str, Any], *, dataset: str
) -> pd.DataFrame:
    """All rows, where a bridge is crossed one a source (archive.nearest_in_bridge).

    Raises ArchiveError where the service counts another number over all parts (nulls, new rows).
    """
    table = pd.concat(parts, ignore_index=True)
    counted = service.count(table_query.rows_query(query), what=f"{dataset}, all parts")
    if counted != len(table):
        raise ArchiveError(
            f"{service.url}: datasets.{dataset}: the parts have {len(table)} rows, COUNT(*) over all says {counted}: "
            "the service's table has changed or the partition's column has nulls; delete the parts, or add a not_null "
            f"cut to datasets.{dataset}.query.where"
        )
    say(f"{len(table)} rows in {len(parts)} parts from {service.url}, as many as COUNT(*) says")
    if not table_query.bridge_columns(query):
        return table
    nearest = archive.nearest_in_bridge(table)
    say(f"{len(nearest)} of them are the best pair of a source and an identifier of the bridge")
    return nearest


if __name__ == "__main__":
    open_log(snakemake.log[0])
    entry, dataset = snakemake.params.entry, snakemake.wildcards.dataset
    query = entry["query"]
    # Nullable, or a missing identifier would turn the others into float64.
    frames = [pd.read_parquet(part, dtype_backend="numpy_nullable") for part in snakemake.input.parts]
    tap = Archive.of(snakemake.config["datasets"][dataset]["query"]["url"], snakemake.config["archive"])
    file = Path(snakemake.output.file)
    archive.write_whole(merge_catalogue(frames, tap, query, dataset=dataset), file)
    origin = {"url": tap.url, "query": table_query.rows_query(query), "parts": table_query.parts(query)}
    write_manifest(snakemake.output.manifest, dataset, entry, file, *check_file(file, file.name), **origin)
