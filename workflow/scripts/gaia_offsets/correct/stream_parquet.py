"""Columns added to a Parquet file piece by piece, and Parquet as a whole for a change of format."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gaia_offsets.core.log import progress, say
from gaia_offsets.publish.fields import VO_UNITS, Field
from gaia_offsets.tables.formats import refuse_twice
from gaia_offsets.tables.parquet import ASTROPY, VO_PARQUET, arrow_column, parquet_units

if TYPE_CHECKING:
    import pyarrow as pa
    from astropy.table import Table

    from gaia_offsets.correct.correction import Correction


def stream_parquet(catalogue: Path, part: Path, work: Correction, chunk: int, *, packed: bool) -> None:
    """Batches pass through as they are, with the new columns behind theirs."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"map_n": pa.int32(), "map_flag": pa.uint8()}
    # Pages as they come: buffering ahead would read whole row groups, and there may be only one.
    with pq.ParquetFile(catalogue, pre_buffer=False, buffer_size=1 << 20) as file:
        schema = file.schema_arrow
        refuse_twice(schema.names, catalogue)
        work.start(schema.names, parquet_units(schema), catalogue)
        for field in work.fields:
            about = {"unit": field.unit, "description": field.meaning}
            schema = schema.append(pa.field(field.name, kinds.get(field.name, pa.float64()), metadata=about))
        schema = schema.with_metadata(_parquet_metadata(schema, work))
        with pq.ParquetWriter(part, schema, compression="zstd") as writer:
            rows = file.metadata.num_rows
            for batch in progress(file.iter_batches(batch_size=chunk), rows, "rows", each=chunk):
                values = {name: arrow_column(batch, source) for name, source in work.sources.items()}
                added = work.apply(values)
                new = [pa.array(added[name], schema.field(name).type, from_pandas=True) for name in added]
                columns = [*batch.columns, *new]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, names=schema.names).cast(schema))


def _parquet_metadata(schema: pa.Schema, work: Correction) -> dict[bytes, bytes]:
    metadata = dict(schema.metadata or {})
    if ASTROPY in metadata:
        lines = metadata[ASTROPY].decode().split("\n")
        first = lines.index("datatype:") + 1
        end = next((i for i in range(first, len(lines)) if lines[i][:1] not in ("-", " ")), len(lines))
        for field in reversed(work.fields):
            kind = str(schema.field(field.name).type).replace("double", "float64")
            entry = {"name": field.name, "unit": field.unit, "datatype": kind, "description": field.meaning}
            lines.insert(end, f"- {json.dumps({key: value for key, value in entry.items() if value})}")  # JSON is YAML
        metadata[ASTROPY] = "\n".join(lines).encode()
    if VO_PARQUET in metadata:
        text = metadata[VO_PARQUET].decode()
        end = max((found.end() for found in re.finditer(r"<FIELD\b[^>]*/>|</FIELD>", text)), default=len(text))
        new = "".join(_vo_field(field, str(schema.field(field.name).type)) for field in work.fields)
        metadata[VO_PARQUET] = (text[:end] + new + text[end:]).encode()
    return metadata | {f"gaia_offsets.{key}".encode(): value.encode() for key, value in work.about().items()}


def _vo_field(field: Field, kind: str) -> str:
    from xml.sax.saxutils import escape, quoteattr

    about = {"name": field.name, "ucd": field.ucd, "unit": VO_UNITS.get(field.unit, field.unit)}
    about["datatype"] = {"int32": "int", "uint8": "unsignedByte"}.get(kind, "double")
    attributes = "".join(f" {key}={quoteattr(value)}" for key, value in about.items() if value)
    return f"<FIELD{attributes}><DESCRIPTION>{escape(field.meaning)}</DESCRIPTION></FIELD>"


def read_parquet(catalogue: Path) -> Table:
    """The table with units, and masks for nulls; what astropy reads amiss or not is read here, dates as text."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    from astropy.table import MaskedColumn, Table

    arrow = pq.read_table(catalogue)
    schema, own, lists = arrow.schema, {}, []
    for field in schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        if pa.types.is_nested(kind) and ASTROPY not in (schema.metadata or {}):
            lists.append(field.name)
        elif pa.types.is_temporal(kind) or pa.types.is_decimal(kind):
            own[field.name] = pa.float64() if pa.types.is_decimal(kind) else pa.string()
        elif kind != field.type or (arrow.column(field.name).null_count and (text or pa.types.is_integer(kind))):
            own[field.name] = kind
    if lists:
        say(f"{catalogue}: lists and structures are left out: {', '.join(lists)}")
    table, units = Table.read(catalogue, format="parquet", exclude_names=[*own, *lists]), parquet_units(schema)
    for name, kind in own.items():
        column = arrow.column(name).cast(kind)
        if pa.types.is_timestamp(schema.field(name).type):
            column = pc.replace_substring(column, " ", "T")
        null, text = column.is_null().to_numpy(), not (pa.types.is_integer(kind) or pa.types.is_floating(kind))
        values = column.fill_null("" if text else 0).to_numpy()
        table[name] = MaskedColumn(values.astype(str) if text else values, mask=null, name=name)
    for name in table.colnames:
        table[name].unit = getattr(table[name], "unit", None) or units.get(name)
    return table[[name for name in arrow.column_names if name in table.colnames]]


def write_parquet(table: Table, part: Path) -> None:
    """The table with Parquet's own nulls; astropy would write a number there, and beside it a column of masks."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    from astropy.table import Column

    plain, nulls = table.copy(), {}
    for name in table.colnames:
        mask = np.ma.getmaskarray(np.ma.asarray(table[name]))
        if mask.any():
            nulls[name] = mask
            about = {key: getattr(table[name], key) for key in ("unit", "description", "meta")}
            plain[name] = Column(np.asarray(table[name].data.data), name=name, **about)
    plain.write(part, format="parquet", overwrite=True)
    if nulls:
        arrow = pq.read_table(part)
        for name, mask in nulls.items():
            place, column = arrow.column_names.index(name), arrow.column(name)
            arrow = arrow.set_column(place, name, pc.if_else(pa.array(mask), pa.scalar(None, column.type), column))
        pq.write_table(arrow, part)
