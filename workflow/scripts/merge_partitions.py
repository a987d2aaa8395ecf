"""The targets of all parts of the sky with their counterparts, in the order of the targets table again."""

import sys
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gaia_offsets import tables
from gaia_offsets.faults import open_log
from gaia_offsets.matching import ROW
from gaia_offsets.progress import progress
from gaia_offsets.tables import TableError, write_arrow


def merge_partitions(parts: Sequence[str]) -> Iterator[pa.Table]:
    """The rows of the files in the order of ROW, without it, a row group at a time; each file has them ascending.

    Raises TableError where a row is in none of the files or in two.
    """
    files = [pq.ParquetFile(part, pre_buffer=False, buffer_size=1 << 16) for part in parts]
    group = tables.ROW_GROUP
    streams = [file.iter_batches(max(group // len(files), 1)) for file in files]
    held = [file.schema_arrow.empty_table() for file in files]
    total = sum(file.metadata.num_rows for file in files)
    for start in progress(range(0, max(total, 1), group), total, "rows", each=group):
        end, window = min(start + group, total), []
        for number, stream in enumerate(streams):
            while len(held[number]) == 0 or held[number][ROW][-1].as_py() < end:
                if (batch := next(stream, None)) is None:
                    break
                held[number] = pa.concat_tables([held[number], pa.Table.from_batches([batch])])
            count = np.searchsorted(held[number][ROW].to_numpy(), end)
            window.append(held[number].slice(0, count))
            held[number] = held[number].slice(count)
        rows = pa.concat_tables(window).combine_chunks()
        order = np.argsort(rows[ROW].to_numpy(), kind="stable")
        if not np.array_equal(rows[ROW].to_numpy()[order], np.arange(start, end)):
            raise TableError(
                f"{parts[0]} and the other parts: rows {start + 1} to {end} of the targets are not there once each; "
                "delete these files and run again"
            )
        yield rows.take(order).drop_columns([ROW])


if __name__ == "__main__":
    open_log(snakemake.log[0])
    parts = list(snakemake.input.parts)
    schema = pq.read_schema(parts[0])
    schema = schema.remove(schema.get_field_index(ROW))
    write_arrow(merge_partitions(parts), schema, snakemake.output.matched, fast=True)
    print(f"{len(parts)} parts, {pq.read_metadata(snakemake.output.matched).num_rows} targets", file=sys.stderr)
