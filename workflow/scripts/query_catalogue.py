"""Ask a TAP service for one part of a dataset that comes from a query."""

import signal
import sys
from typing import Any

import pandas as pd

from gaia_offsets.archive import candidates as archive
from gaia_offsets.archive import table_query
from gaia_offsets.archive.names import check_names
from gaia_offsets.archive.tap import Archive
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.log import say


def query_catalogue(service: Archive, query: dict[str, Any], *, dataset: str, part: int) -> pd.DataFrame:
    """The rows of one part under our column names, as many as the service counts, sorted."""
    key, what = f"datasets.{dataset}.query", f"part {part + 1} of {table_query.parts(query)}"
    needed = table_query.needed_columns(query)
    check_names(service, needed, key)
    rows = service.select(
        table_query.rows_query(query, part), what=what, narrower=f"raise {key}.partition.parts or archive.maxrec"
    )
    say(f"{what}: {len(rows)} rows from {service.url}, as many as COUNT(*) says")
    return table_query.complete_rows(rows, query)


if __name__ == "__main__":
    open_log(snakemake.log[0])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a cancelled run deletes its job in the archive
    query = snakemake.params.query
    dataset, part = snakemake.wildcards.dataset, int(snakemake.wildcards.part)
    tap = Archive.of(snakemake.config["datasets"][dataset]["query"]["url"], snakemake.config["archive"])
    archive.write_whole(query_catalogue(tap, query, dataset=dataset, part=part), snakemake.output.part)
