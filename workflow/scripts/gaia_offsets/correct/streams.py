"""Columns added to a table: to one in memory, or to a file of any size in chunks of rows.

Rows of a FITS table are spliced byte by byte. The library fitsio was tried: it copies bit columns as bytes, scaled ones
as floats, and loses TNULL.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import sys
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from gaia_offsets.core.faults import TableError
from gaia_offsets.core.progress import progress
from gaia_offsets.publish.fields import FITS_UNITS, VO_UNITS, Field
from gaia_offsets.tables.fits import (
    ascii_table,
    columnar_table,
    fits_names,
    is_columnar,
    read_columns,
    table_hdu,
    with_nulls,
)
from gaia_offsets.tables.formats import open_bytes, reason, refuse_folder, refuse_twice, table_format
from gaia_offsets.tables.parquet import VO_PARQUET, arrow_column, parquet_units
from gaia_offsets.tables.text import csv_batches, csv_header, csv_table
from gaia_offsets.tables.votable import astropy_column, plain_table, read_ecsv, read_votable, without_vectors

if TYPE_CHECKING:
    import pyarrow as pa
    from astropy.table import Table

CHUNK = 250_000  # rows; 50 million stay below 1 GiB


class Work(Protocol):
    """What is added to a table, and how it is computed from a chunk of its rows."""

    fields: Sequence[Field]  # the columns to add
    sources: Mapping[str, str]  # the columns needed: our name, the table's

    def start(self, names: Sequence[str], units: Mapping[str, str], where: str | Path) -> None:
        """Sets `sources`, from the table's columns and the units that it states; TableError where one is missing."""

    def apply(self, values: Mapping[str, pd.Series]) -> dict[str, np.ndarray]:
        """The columns to add, from those needed as they stand in the table, by our name in the table's units."""

    def finish(self) -> None:
        """Called after the last chunk, before the output appears; TableError where the whole cannot be right."""

    def about(self) -> Mapping[str, str]:
        """Facts for the metadata of the output."""


def with_columns(table: pd.DataFrame | Table, work: Work, where: str | Path) -> pd.DataFrame | Table:
    """A copy of a table with the columns of `work` added; `where` is what messages call it."""
    work.start(native_names(table, where), native_units(table), where)
    added = work.apply({name: native_column(table, source, where) for name, source in work.sources.items()})
    work.finish()
    result = table.copy()
    for field in work.fields:
        result[field.name] = added[field.name]
        if hasattr(result, "colnames"):
            from astropy.table import Column

            about = {"unit": field.unit or None, "description": field.meaning, "meta": {"ucd": field.ucd}}
            result[field.name] = Column(added[field.name], **about)
    return result


def native_names(table: pd.DataFrame | Table, where: str | Path) -> list[str]:
    """Columns of a table in memory; TableError where it is none, or one stands twice or has no text for a name."""
    if not isinstance(table, pd.DataFrame) and not hasattr(table, "colnames"):
        raise TableError(f"{where}: should be a DataFrame or an astropy Table, not {type(table).__name__}")
    names = list(table.colnames if hasattr(table, "colnames") else table.columns)
    if other := [name for name in names if not isinstance(name, str)]:
        raise TableError(f"{where}: names of columns should be text, unlike {other[0]!r}; rename it")
    refuse_twice(names, where)
    return names


def native_units(table: pd.DataFrame | Table) -> dict[str, str]:
    """Units that a table in memory states, by column."""
    units = {name: getattr(table[name], "unit", None) for name in getattr(table, "colnames", ())}  # a SkyCoord has none
    return {name: str(unit) for name, unit in units.items() if unit is not None}


def native_column(table: pd.DataFrame | Table, name: str, where: str | Path) -> pd.Series:
    """A column of a table in memory, in its own unit; TableError where it has several values a row."""
    column = table[name]
    if not hasattr(table, "colnames"):
        return column.reset_index(drop=True)
    if column.ndim > 1:
        raise TableError(f"{where}: column {name!r} holds vectors, not numbers")
    return astropy_column(table, name) if hasattr(column, "dtype") else pd.Series(column.value, name=name)


def add_columns(catalogue: Path, output: Path, work: Work, *, chunk: int = CHUNK) -> None:
    """Write a table file again with the columns of `work` added; `output` appears when it is complete.

    FITS, Parquet and CSV, written in the format they were read in, go through in chunks of rows; VOTable, ECSV and a
    change of format take memory for the whole table. Raises TableError, one line, for a file that cannot be read.
    """
    before, after = table_format(catalogue), table_format(output)
    part = output.with_name(f".{uuid.uuid4().hex}.part")  # a name that no file of the user has
    streams = {"parquet": _stream_parquet, "csv": _stream_csv, "fits": _stream_fits}
    try:
        refuse_folder(catalogue)
        if before == after and before in streams and not (before == "fits" and _read_whole_only(catalogue)):
            streams[before](catalogue, part, work, chunk, packed=output.name.lower().endswith(".gz"))
            work.finish()
        else:
            _write_whole(with_columns(_read_whole(catalogue, before), work, catalogue), part, after, work)
        part.replace(output)
    except TableError:
        raise
    except Exception as error:  # the readers raise dozens of types; the user needs one line
        raise TableError(f"{catalogue}: cannot be corrected as a {before} table ({reason(error)})") from error
    finally:
        part.unlink(missing_ok=True)


def _write(path: Path, packed: bool) -> IO[bytes]:
    """A new file, through gzip where it is to be packed; no date in it."""
    return gzip.GzipFile(filename="", fileobj=open(path, "wb"), mode="wb", mtime=0) if packed else open(path, "wb")


def _stream_parquet(catalogue: Path, part: Path, work: Work, chunk: int, *, packed: bool) -> None:
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
                writer.write_batch(_with_added(batch, work.apply(values), schema))


def _with_added(batch: pa.RecordBatch, added: Mapping[str, np.ndarray], schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    new = [pa.array(added[name], type=schema.field(name).type, from_pandas=True) for name in added]
    names = schema.names[: batch.num_columns] + list(added)
    return pa.RecordBatch.from_arrays([*batch.columns, *new], names=names).cast(schema)


_ASTROPY = b"table_meta_yaml"  # where astropy keeps the units of a Parquet file


def _parquet_metadata(schema: pa.Schema, work: Work) -> dict[bytes, bytes]:
    metadata = dict(schema.metadata or {})
    if _ASTROPY in metadata:
        lines = metadata[_ASTROPY].decode().split("\n")
        first = lines.index("datatype:") + 1
        end = next((i for i in range(first, len(lines)) if lines[i][:1] not in ("-", " ")), len(lines))
        for field in reversed(work.fields):
            kind = str(schema.field(field.name).type).replace("double", "float64")
            entry = {"name": field.name, "unit": field.unit, "datatype": kind, "description": field.meaning}
            lines.insert(end, f"- {json.dumps({key: value for key, value in entry.items() if value})}")  # JSON is YAML
        metadata[_ASTROPY] = "\n".join(lines).encode()
    if VO_PARQUET in metadata:
        text = metadata[VO_PARQUET].decode()
        end = max((found.end() for found in re.finditer(r"<FIELD\b[^>]*/>|</FIELD>", text)), default=len(text))
        new = "".join(_vo_field(field, str(schema.field(field.name).type)) for field in work.fields)
        metadata[VO_PARQUET] = (text[:end] + new + text[end:]).encode()
    return metadata | {f"gaia_offsets.{key}".encode(): value.encode() for key, value in work.about().items()}


def _vo_field(field: Field, kind: str) -> str:
    from xml.sax.saxutils import escape, quoteattr

    told = {"name": field.name, "ucd": field.ucd, "unit": VO_UNITS.get(field.unit, field.unit)}
    told["datatype"] = {"int32": "int", "uint8": "unsignedByte"}.get(kind, "double")
    attributes = "".join(f" {key}={quoteattr(value)}" for key, value in told.items() if value)
    return f"<FIELD{attributes}><DESCRIPTION>{escape(field.meaning)}</DESCRIPTION></FIELD>"


def _stream_csv(catalogue: Path, part: Path, work: Work, chunk: int, *, packed: bool) -> None:
    """The catalogue's own columns pass through as text, so that not a digit of them changes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    head = csv_header(catalogue)
    names, separator = head.names, head.separator
    if head.lines > 1:
        print(
            f"{catalogue}: the {head.lines - 1} lines above the rows, but for the names, are left out", file=sys.stderr
        )
    work.start(names, head.units, catalogue)
    special = rf"[{separator}\"\r\n]"

    def quoted(text: pa.Array) -> pa.Array:
        inner = pc.binary_join_element_wise('"', pc.replace_substring(text, '"', '""'), '"', "")
        return pc.if_else(pc.match_substring_regex(text, special), inner, text)

    def lines(columns: Sequence[pa.Array]) -> bytes:
        text = [pc.fill_null(column.cast(pa.large_string()), "") for column in columns]
        newline, between = (pa.scalar(mark, pa.large_string()) for mark in ("\n", separator))
        text[-1] = pc.binary_join_element_wise(text[-1], newline, pa.scalar("", pa.large_string()))
        joined = pc.binary_join_element_wise(*text, between)
        size = pc.sum(pc.binary_length(joined)).as_py() or 0
        return joined.buffers()[2].slice(0, size).to_pybytes() if size else b""  # the rows lie one after another

    with _write(part, packed) as target:
        header = [*names, *(field.name for field in work.fields)]
        target.write(lines([quoted(pa.array([name])) for name in header]))
        for batch in csv_batches(catalogue, block_size=16 * chunk):
            added = work.apply({name: batch.column(source).to_pandas() for name, source in work.sources.items()})
            new = [pa.array(added[field.name], from_pandas=True) for field in work.fields]
            target.write(lines([*map(quoted, batch.columns), *new]))


def _stream_fits(catalogue: Path, part: Path, work: Work, chunk: int, *, packed: bool) -> None:
    """Rows are copied as bytes and the new columns appended to each: no column of the catalogue is touched.

    So are the HDUs before the first binary table and after it.
    """
    from astropy.io import fits

    with warnings.catch_warnings(), fits.open(catalogue, memmap=False, lazy_load_hdus=True) as hdus:
        warnings.simplefilter("ignore")  # a file that is too short is refused below, in one line
        _, hdu = table_hdu(hdus, catalogue)
        columns, header, place = hdu.columns, hdu.header.copy(), hdu.fileinfo()
        described = hdus[0].header.get("VOTMETA") and hdus[0].fileinfo()["datLoc"] + hdus[0].fileinfo()["datSpan"]
    for keyword in ("CHECKSUM", "DATASUM"):
        header.remove(keyword, ignore_missing=True)
    units = {column.name: column.unit for column in columns if column.unit}
    work.start(columns.names, units, catalogue)
    _refuse_alike([*fits_names(header), *(field.name for field in work.fields)], catalogue)
    width, rows, tail = header["NAXIS1"], header["NAXIS2"], header["PCOUNT"]
    kinds = {"map_n": ">i4", "map_flag": "u1"}
    added = np.dtype([(field.name, kinds.get(field.name, ">f8")) for field in work.fields])
    for number, field in enumerate(work.fields, start=header["TFIELDS"] + 1):
        header[f"TTYPE{number}"] = field.name
        header[f"TFORM{number}"] = {"map_n": "J", "map_flag": "B"}.get(field.name, "D")
        if field.unit:
            header[f"TUNIT{number}"] = FITS_UNITS.get(field.unit, field.unit)
        header[f"TCOMM{number}"] = field.meaning
        header[f"TUCD{number}"] = field.ucd
    if "CONTINUE" in str(header):
        header.set("LONGSTRN", "OGIP 1.0", "long texts go on in CONTINUE cards")
    header["TFIELDS"] += len(work.fields)
    if "THEAP" in header:
        header["THEAP"] += rows * added.itemsize
    header["NAXIS1"] = width + added.itemsize
    for key, value in work.about().items():
        header.add_history(f"gaia_offsets {key}: {value}".encode("ascii", "replace").decode())
    with open_bytes(catalogue) as source, _write(part, packed) as target:
        if described:
            print(f"{catalogue}: {_VOTABLE}", file=sys.stderr)
            target.write(fits.PrimaryHDU().header.tostring().encode("ascii"))
            source.seek(described)
        for size in _pieces(place["hdrLoc"] - (described or 0)):
            target.write(_exactly(source, size))
        target.write(header.tostring().encode("ascii"))
        source.seek(place["datLoc"])
        values = read_columns(catalogue, set(work.sources.values()), chunk)
        for first in progress(range(0, rows, chunk), rows, "rows", each=chunk):
            count = min(chunk, rows - first)
            block = np.frombuffer(_exactly(source, count * width), dtype=np.uint8).reshape(count, width)
            needed = next(values)
            if vectors := set(work.sources.values()) - set(needed.colnames):
                raise TableError(f"{catalogue}: column {vectors.pop()!r} holds vectors, not numbers")
            result = work.apply({name: astropy_column(needed, own) for name, own in work.sources.items()})
            new = np.empty(count, dtype=added)
            for name in added.names:
                new[name] = result[name]
            target.write(np.hstack([block, new.view(np.uint8).reshape(count, added.itemsize)]).tobytes())
        for size in _pieces(tail):  # gap and heap of columns of variable length
            target.write(_exactly(source, size))
        target.write(bytes(-(rows * header["NAXIS1"] + tail) % 2880))
        source.seek(place["datLoc"] + place["datSpan"])
        shutil.copyfileobj(source, target)


def _pieces(size: int, piece: int = 1 << 24) -> Iterator[int]:
    for first in range(0, size, piece):
        yield min(piece, size - first)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise TableError(f"{getattr(stream, 'name', 'the file')}: ends too early; it is not complete")
    return data


_VOTABLE = "the VOTable in its primary HDU, which describes the table without the new columns, is left out"


def _read_whole_only(catalogue: Path) -> bool:
    """Whether a FITS table has no rows of bytes to copy: an ASCII table, or one in whole columns."""
    from astropy.io import fits

    with fits.open(catalogue) as hdus:
        _, hdu = table_hdu(hdus, catalogue)
        return isinstance(hdu, fits.TableHDU) or is_columnar(hdu)


def _read_whole(catalogue: Path, form: str) -> Table:
    """The catalogue's one table; TableError where the file holds more that another format has no room for."""

    if form == "csv":
        return csv_table(catalogue)
    if form == "fits":
        return plain_table(_read_fits(catalogue))
    if form == "votable":
        return plain_table(read_votable(catalogue)[0])
    return plain_table(_read_parquet(catalogue) if form == "parquet" else read_ecsv(catalogue))


def _read_parquet(catalogue: Path) -> Table:
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
        if pa.types.is_nested(kind) and _ASTROPY not in (schema.metadata or {}):
            lists.append(field.name)
        elif pa.types.is_temporal(kind) or pa.types.is_decimal(kind):
            own[field.name] = pa.float64() if pa.types.is_decimal(kind) else pa.string()
        elif kind != field.type or (arrow.column(field.name).null_count and (text or pa.types.is_integer(kind))):
            own[field.name] = kind
    if lists:
        print(f"{catalogue}: lists and structures are left out: {', '.join(lists)}", file=sys.stderr)
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


def _write_parquet(table: Table, part: Path) -> None:
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


def _read_fits(catalogue: Path) -> Table:
    from astropy.io import fits
    from astropy.table import Table

    with warnings.catch_warnings(), fits.open(catalogue) as hdus:
        warnings.simplefilter("ignore")
        number, hdu = table_hdu(hdus, catalogue)
        _refuse_alike(fits_names(hdu.header), catalogue)
        parts = enumerate(hdus)
        full = [hdu.name or f"number {i}" for i, hdu in parts if hdu.header["NAXIS"] and hdu.header.get("NAXIS1")]
        if hdus[0].header.get("VOTMETA"):
            full.remove(hdus[0].name)
            print(f"{catalogue}: {_VOTABLE}", file=sys.stderr)
        if len(full) > 1:
            others = f"{catalogue}: holds {len(full)} HDUs with data ({', '.join(full)})"
            raise TableError(f"{others}; give the output a name that ends in .fits, so that none is lost")
        if isinstance(hdu, fits.TableHDU):
            return ascii_table(hdu)
        return columnar_table(hdu) if is_columnar(hdu) else with_nulls(Table.read(hdus, format="fits", hdu=number), hdu)


_ASTROPY_FORMATS = {
    "fits": "fits",
    "votable": "votable",
    "ecsv": "ascii.ecsv",
    "csv": "ascii.csv",
}


def _write_whole(table: Table, part: Path, form: str, work: Work) -> None:
    about = work.about()
    if form in ("csv", "parquet"):
        table = without_vectors(table, "the output", form)
    if form in ("fits", "votable"):
        table = _storable(table, form)
    if form == "votable":
        for name in table.colnames:
            unit = table[name].unit
            table[name].unit = VO_UNITS.get(str(unit), unit)
        table.meta["description"] = "; ".join(f"{key}: {value}" for key, value in about.items())
    elif form == "fits":
        _refuse_alike(table.colnames, "the output")
        table.meta["comments"] = [f"gaia_offsets {key}: {value}" for key, value in about.items()]
    else:
        table.meta["gaia_offsets"] = about
    if form == "parquet":
        _write_parquet(table, part)
    else:
        table.write(part, format=_ASTROPY_FORMATS[form], overwrite=True)


def _storable(table: Table, form: str) -> Table:
    """The table for FITS or VOTable: integers that it has room for, and nulls told by a value that no row has."""
    for name in table.colnames:
        kind, null = getattr(table[name], "dtype", np.dtype(object)), np.ma.is_masked(table[name])
        if null and kind.kind == "b" and form == "fits":  # astropy would write true for none
            table[name] = np.where(table[name].mask, "", table[name].data.data.astype(str))
        if kind.kind not in "iu":
            continue
        if kind.kind == "u" and (null or (form == "votable" and kind.itemsize > 1)):
            if kind.itemsize == 8 and (table[name] > 2**63 - 1).any():
                raise TableError(f"the output: column {name!r} has numbers above 2**63, which {form} cannot hold here")
            table[name] = table[name].astype(np.int64)
        elif kind == np.int8:  # astropy would write true and false, or nothing
            table[name] = table[name].astype(np.int16)
        if null:
            numbers, limits = table[name].compressed(), np.iinfo(table[name].dtype)
            table[name].fill_value = next(i for i in range(limits.min, limits.max) if i not in numbers)
    return table


def _refuse_alike(names: Sequence[str], where: str | Path) -> None:
    """Raise TableError where FITS could not tell two columns apart, because their names differ only in case or not."""
    first: dict[str, str] = {}
    for name in filter(None, names):
        if name.casefold() in first:
            other = first[name.casefold()]
            raise TableError(
                f"{where}: FITS does not tell the columns {other!r} and {name!r} apart; rename one of them"
            )
        first[name.casefold()] = name
