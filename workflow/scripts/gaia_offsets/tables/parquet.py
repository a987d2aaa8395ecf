"""Parquet: columns with their nulls and units, tables in pieces, and how tables of stars are written."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from gaia_offsets.tables.votable import parse_votable

if TYPE_CHECKING:
    import pyarrow as pa

Part = TypeVar("Part")

VO_PARQUET = b"IVOA.VOTable-Parquet.content"  # where a Parquet file has a VOTable without rows that describes it
ASTROPY = b"table_meta_yaml"  # where astropy keeps the units of a Parquet file
ROW_GROUP = 1 << 18  # rows of a piece of a Parquet file


def parquet_units(schema: pa.Schema) -> dict[str, str]:
    """Units by column of a Parquet file, from the fields' metadata (ours) or the file's (astropy's or a VOTable)."""
    units = {field.name: (field.metadata or {}).get(b"unit", b"").decode() for field in schema}
    metadata = schema.metadata or {}
    if theirs := metadata.get(ASTROPY):
        from astropy.table.meta import get_header_from_yaml

        header = get_header_from_yaml(theirs.decode().split("\n"))
        units |= {entry["name"]: str(entry["unit"]) for entry in header["datatype"] if entry.get("unit")}
    if described := metadata.get(VO_PARQUET):
        for table in parse_votable(io.BytesIO(described)).iter_tables():
            units |= {field.name: str(field.unit) for field in table.fields if field.unit is not None}
    return {name: unit for name, unit in units.items() if unit}


def parquet_column(path: Path, name: str) -> pd.Series:
    """A column of a file."""
    import pyarrow.parquet as pq

    return _with_nulls(pq.read_table(path, columns=_with_masks([name], pq.read_schema(path))), [name])[name]


def arrow_column(batch: pa.RecordBatch, name: str) -> pd.Series:
    """A column of a piece of a file."""
    import pyarrow as pa

    return _with_nulls(pa.Table.from_batches([batch.select(_with_masks([name], batch.schema))]), [name])[name]


def parquet_pieces(
    path: Path, names: Sequence[str], rows: np.ndarray | None = None
) -> Iterator[tuple[int, pd.DataFrame]]:
    """Number of the first row, and these columns, of ROW_GROUP rows or fewer; at least one piece.

    Row groups that have none of the `rows` (sorted) are passed over.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    start, some = 0, False
    # Pages as they come: a file may be a single row group.
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
        columns = _with_masks(names, file.schema_arrow)
        for group in range(file.num_row_groups):
            end = start + file.metadata.row_group(group).num_rows
            if rows is None or np.searchsorted(rows, start) < np.searchsorted(rows, end):
                for batch in file.iter_batches(ROW_GROUP, row_groups=[group], columns=columns):
                    yield start, _with_nulls(pa.Table.from_batches([batch]), names)
                    start, some = start + len(batch), True
            start = end
        if not some:
            yield 0, _with_nulls(file.schema_arrow.empty_table().select(columns), names)


def _with_masks(names: Iterable[str], schema: pa.Schema) -> list[str]:
    """The columns, and those in which astropy keeps which of their values are masked."""
    return [own for name in names for own in (name, f"{name}.mask") if own in schema.names]


def _with_nulls(table: pa.Table, names: Iterable[str]) -> pd.DataFrame:
    """These columns as pandas has them; their nulls are those of Arrow and of astropy's masks, bytes become text."""
    binary = {field.name for field in table.schema if str(field.type) in ("binary", "large_binary")}
    frame, columns = _to_pandas(table), {}
    for name in names:
        mask = f"{name}.mask"
        values = frame[name].mask(frame[mask].astype("bool")) if mask in frame else frame[name]
        columns[name] = values.str.decode("utf-8") if name in binary else values
    return pd.DataFrame(columns, copy=False)


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    """The Arrow table as a DataFrame; its memory goes over column by column.

    Nullable integers: a missing identifier must not turn the others into float64. Without pandas' own metadata, which
    would make an index of a column.
    """
    import pyarrow as pa

    kinds = {pa.int8(): pd.Int8Dtype(), pa.int16(): pd.Int16Dtype(), pa.int32(): pd.Int32Dtype()}
    kinds |= {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    kinds |= {pa.uint8(): pd.UInt8Dtype(), pa.uint16(): pd.UInt16Dtype(), pa.uint32(): pd.UInt32Dtype()}
    kinds |= {pa.uint64(): pd.UInt64Dtype()}
    table = table.replace_schema_metadata(None)
    return table.to_pandas(types_mapper=kinds.get, split_blocks=True, self_destruct=True)


def read_pieces(path: str | Path, columns: Collection[str] | None = None) -> Iterator[pd.DataFrame]:
    """A Parquet table of this workflow in pieces, whose index is the number of the row.

    Of `columns` (all where not given) those that the table has.
    """
    import pyarrow.parquet as pq

    names = [name for name in pq.read_schema(path).names if columns is None or name in columns]
    for start, piece in parquet_pieces(Path(path), names):
        piece.index += start
        yield piece


def read_tracers(path: str | Path, columns: Iterable[str], solution: str | None = None) -> pd.DataFrame:
    """The columns of a table of tracers, of one class of solutions alone where it is named.

    Row group by row group: pandas.read_parquet takes half as much memory again.
    """
    pieces = read_pieces(path, {"solution", *columns})
    return pd.concat(
        [piece if solution is None else piece[(piece["solution"] == solution).to_numpy()] for piece in pieces],
        ignore_index=True,
    )


def join_pieces(columns: dict[str, list[pd.Series]]) -> pd.DataFrame:
    """The table of columns in pieces, which are taken out of `columns` one after the other, to hold none twice."""
    joined = {name: pd.concat(columns.pop(name), ignore_index=True) for name in list(columns)}
    return pd.DataFrame(joined, copy=False)


def pieces(rows: int) -> list[slice]:
    """Slices of ROW_GROUP rows, one at least."""
    return [slice(start, min(start + ROW_GROUP, rows)) for start in range(0, max(rows, 1), ROW_GROUP)]


def ahead(parts: Iterable[Part]) -> Iterator[Part]:
    """The parts one after another; a thread makes the next one while this one is used."""
    parts = iter(parts)
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, parts, parts)
        while (part := coming.result()) is not parts:
            coming = pool.submit(next, parts, parts)
            yield part


def write_pieces(
    frames: Iterable[pd.DataFrame],
    path: str | Path,
    units: Mapping[str, str] | None = None,
    meanings: Mapping[str, str] | None = None,
    *,
    fast: bool = False,
    threads: int = 1,
) -> None:
    """Write a table piece by piece as Parquet; the bytes do not depend on how it is cut.

    `units` and `meanings` of columns stand in the metadata of their fields. `fast` is for large tables of this workflow
    alone: the bytes of a number stand apart (BYTE_STREAM_SPLIT) and LZ4 packs them, which is written and read twice as
    fast, but not by every reader. With several threads one of them makes the next piece while this one is written.
    """
    import pyarrow as pa

    tables = (pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None) for frame in frames)
    tables = ahead(tables) if threads > 1 else tables
    first, about = next(tables), {"unit": units or {}, "description": meanings or {}}
    known = [{key: texts[f.name] for key, texts in about.items() if texts.get(f.name)} for f in first.schema]
    schema = pa.schema(f.with_metadata(facts or None) for f, facts in zip(first.schema, known, strict=True))
    _write_arrow((table.cast(schema) for table in chain([first], tables)), schema, path, fast=fast)


def parquet_options(schema: pa.Schema) -> dict[str, Any]:
    """How pyarrow's ParquetWriter shall write a table of stars: a dictionary of values for text and the like alone.

    No column holds lists. A dictionary of measured numbers or identifiers would hold most of them once; it is given up
    after three times the work of writing them, and the file is a fifth larger.
    """
    import pyarrow as pa

    words = [f.name for f in schema if not (pa.types.is_floating(f.type) or pa.types.is_int64(f.type))]
    return {"compression": "zstd", "use_dictionary": words}


def _write_arrow(tables: Iterable[pa.Table], schema: pa.Schema, path: str | Path, *, fast: bool) -> None:
    """Write Arrow tables of one schema one after another in row groups of ROW_GROUP rows; see write_pieces."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    options = parquet_options(schema)
    if fast:
        floats = [field.name for field in schema if pa.types.is_floating(field.type)]
        options |= {"compression": "lz4", "use_byte_stream_split": floats}
        options["data_page_size"] = 1 << 16  # who reads it holds a page of each column
    waiting, count, full = [], 0, 0
    with pq.ParquetWriter(path, schema, **options) as writer:
        for table in tables:
            waiting.append(table)
            count += len(table)
            if count >= ROW_GROUP:
                whole = pa.concat_tables(waiting).combine_chunks()
                full = count - count % ROW_GROUP
                writer.write_table(whole.slice(0, full), ROW_GROUP)
                waiting, count = [whole.slice(full)], count - full
        if count or not full:
            writer.write_table(pa.concat_tables(waiting).combine_chunks(), ROW_GROUP)
