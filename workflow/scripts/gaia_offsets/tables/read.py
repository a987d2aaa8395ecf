"""Reading and writing of tables: files of any known format as standard columns."""

from __future__ import annotations

import difflib
import io
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from gaia_offsets.core.columns import ALIKE, RELEASE, STANDARD, VIZIER, Column
from gaia_offsets.core.faults import TableError
from gaia_offsets.core.log import say
from gaia_offsets.tables.contracts import (
    Origin,
    Tally,
    as_names,
    refuse_value_as_error,
    standardise,
    unit_factor,
    zero_point_in,
)
from gaia_offsets.tables.fits import fits_names, read_columns, table_hdu
from gaia_offsets.tables.formats import (
    is_packed,
    open_bytes,
    parse_votable,
    plain_table,
    read_ecsv,
    read_votable,
    readable,
    refuse_folder,
    table_format,
)
from gaia_offsets.tables.text import csv_batches, csv_frame, csv_header, refuse_twice

if TYPE_CHECKING:
    import pyarrow as pa
    from astropy.table import Table

Part = TypeVar("Part")

VO_PARQUET = b"IVOA.VOTable-Parquet.content"  # where a Parquet file has a VOTable without rows that describes it
ROW_GROUP = 1 << 18  # rows of a piece of a Parquet file


def memory() -> int:
    """Memory of this machine, bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _refuse_beyond_memory(path: Path, fmt: str) -> None:
    """Raise TableError for a packed text file, read as a whole, that unpacks to more than the machine's memory."""
    most = memory()
    # Deflate packs 1,032 to 1 at best: most files need no look. A FITS file is unpacked block by block.
    if fmt in ("fits", "parquet") or not is_packed(path) or path.stat().st_size * 1032 <= most:
        return
    unpacked = 0
    with open_bytes(path) as stream:
        while block := stream.read(1 << 24):
            unpacked += len(block)
            if unpacked > most:
                raise TableError(
                    f"{path}: unpacks to more than {most / 1e9:.3g} GB, the memory of this machine; write it as "
                    "Parquet or FITS, of which only the columns in use are read"
                )


def _read_native(
    path: Path, wanted: set[str] | None, texts: Collection[str] = ()
) -> tuple[dict[str, Callable[[], pd.Series]], dict[str, str]]:
    """How to get each of the (or the wanted) columns of a file, and the units that the file itself states.

    Of Parquet a column is read when it is asked for, of FITS all are read with the first. Of a text file the columns
    `texts` stay text.
    """
    fmt = table_format(path)
    refuse_folder(path)
    _refuse_beyond_memory(path, fmt)
    if fmt == "parquet":
        import pyarrow.parquet as pq

        schema = pq.read_schema(path)
        columns = [name for name in schema.names if wanted is None or name in wanted]
        return {name: partial(_parquet_column, path, name) for name in columns}, parquet_units(schema)
    if fmt == "csv":
        header = csv_header(path)
        for _ in csv_batches(path, columns=[next(filter(None, header.names))]):
            pass  # pandas would fill a row that is too short, and take the first values of longer ones for names
        names = [name for name in header.names if name and (wanted is None or name in wanted)]
        frame = csv_frame(path, names, texts)
        return {name: partial(frame.get, name) for name in names}, header.units
    if fmt == "fits":
        refuse_twice(column_names(path), path)
        header, units = _astropy_columns(next(read_columns(path, wanted, 0)))
        rows = cache(lambda: _astropy_columns(next(read_columns(path, wanted)))[0])
        return {name: partial(lambda name: rows()[name](), name) for name in header}, units
    table = read_votable(path)[0] if fmt == "votable" else read_ecsv(path)
    return _astropy_columns(plain_table(table), wanted)


def whole_columns(
    path: Path, wanted: set[str], texts: Collection[str] = ()
) -> tuple[dict[str, Callable[[], pd.Series]], dict[str, str]]:
    """How to get each of the wanted columns of a file, and the units that it states; the columns `texts` stay text.

    Raises TableError, one line.
    """
    with readable(path):
        return _read_native(path, wanted, texts)


def _astropy_columns(
    table: Table, wanted: Collection[str] | None = None
) -> tuple[dict[str, Callable[[], pd.Series]], dict[str, str]]:
    flat = [
        name for name in table.colnames if table[name].ndim == 1 and (wanted is None or name in wanted)
    ]  # a DataFrame has no vector columns
    units = {name: str(table[name].unit) for name in flat if table[name].unit is not None}
    return {name: partial(astropy_column, table, name) for name in flat}, units


def astropy_column(table: Table, name: str) -> pd.Series:
    """A column of one value a row as pandas has it: integers with nulls stay integers."""
    return table[[name]].to_pandas(use_nullable_int=True)[name]


def arrow_column(batch: pa.RecordBatch, name: str) -> pd.Series:
    """A column of a piece of a Parquet file; its nulls are those of Arrow and of astropy's masks."""
    import pyarrow as pa

    frame = _to_pandas(pa.Table.from_batches([batch.select(_with_masks([name], batch.schema))]))
    return _unmasked(frame, batch.schema, name)


def _parquet_column(path: Path, name: str) -> pd.Series:
    import pyarrow.parquet as pq

    schema = pq.read_schema(path)
    return _unmasked(_to_pandas(pq.read_table(path, columns=_with_masks([name], schema))), schema, name)


def _with_masks(names: Iterable[str], schema: pa.Schema) -> list[str]:
    """The columns, and those in which astropy keeps which of their values are masked."""
    return [own for name in names for own in (name, f"{name}.mask") if own in schema.names]


def _unmasked(frame: pd.DataFrame, schema: pa.Schema, name: str) -> pd.Series:
    mask = f"{name}.mask"
    values = frame[name].mask(frame[mask].astype("bool")) if mask in frame else frame[name]
    return values.str.decode("utf-8") if str(schema.field(name).type) in ("binary", "large_binary") else values


def _native_pieces(
    path: Path,
    names: Sequence[str],
    native: Mapping[str, Callable[[], pd.Series]],
    rows: np.ndarray | None,
) -> Iterator[tuple[int, dict[str, Callable[[], pd.Series]]]]:
    """Number of the first row, and how to get these columns, of ROW_GROUP rows or fewer; `native` is the whole file's.

    At least one piece. `rows` are those of TableFile.pieces.
    """
    fmt, start = table_format(path), 0
    with readable(path):
        if fmt == "parquet":
            yield from _parquet_pieces(path, names, rows)
        elif fmt == "fits":
            for table in read_columns(path, names, ROW_GROUP):
                columns, _ = _astropy_columns(table)
                yield start, {name: partial(_text_as_text, columns[name]) for name in names}
                start += len(table)
        else:
            whole = {name: native[name]() for name in names}
            for piece in pieces(max((len(values) for values in whole.values()), default=0)):
                yield piece.start, {name: partial(values.__getitem__, piece) for name, values in whole.items()}


def _parquet_pieces(
    path: Path, names: Sequence[str], rows: np.ndarray | None
) -> Iterator[tuple[int, dict[str, Callable[[], pd.Series]]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    start, some = 0, False
    # Pages as they come: a file may be a single row group.
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
        schema, columns = file.schema_arrow, _with_masks(names, file.schema_arrow)
        for group in range(file.num_row_groups):
            end = start + file.metadata.row_group(group).num_rows
            none = rows is not None and np.searchsorted(rows, start) == np.searchsorted(rows, end)
            for batch in () if none else file.iter_batches(ROW_GROUP, row_groups=[group], columns=columns):
                frame = _to_pandas(pa.Table.from_batches([batch]))
                yield start, {name: partial(_unmasked, frame, schema, name) for name in names}
                start += len(frame)
            some, start = some or not none, end
        if not some:
            frame = _to_pandas(schema.empty_table().select(columns))
            yield 0, {name: partial(_unmasked, frame, schema, name) for name in names}


def _text_as_text(column: Callable[[], pd.Series]) -> pd.Series:
    """A column whose type is not that of the values in this piece: a piece without any text looks like one of none."""
    values = column()
    return values.astype("str") if values.dtype == object else values


def parquet_units(schema: pa.Schema) -> dict[str, str]:
    """Units by column of a Parquet file, from the fields' metadata (ours) or the file's (astropy's or a VOTable)."""
    units = {field.name: (field.metadata or {}).get(b"unit", b"").decode() for field in schema}
    theirs = (schema.metadata or {}).get(b"table_meta_yaml")
    if theirs:
        from astropy.table.meta import get_header_from_yaml

        header = get_header_from_yaml(theirs.decode().split("\n"))
        units |= {entry["name"]: str(entry["unit"]) for entry in header["datatype"] if entry.get("unit")}
    if described := (schema.metadata or {}).get(VO_PARQUET):
        for table in parse_votable(io.BytesIO(described)).iter_tables():
            units |= {field.name: str(field.unit) for field in table.fields if field.unit is not None}
    return {name: unit for name, unit in units.items() if unit}


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
    """A Parquet table of this workflow, row group by row group; the index is the number of the row.

    Of `columns` (all where not given) those that the table has.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        names = [name for name in file.schema_arrow.names if columns is None or name in columns]
        start = 0
        for group in range(file.num_row_groups):
            piece = _to_pandas(file.read_row_group(group, columns=names))
            piece.index += start
            start += len(piece)
            yield piece


def column_names(path: str | Path) -> list[str]:
    """Names of the columns of a table file, without reading its rows where the format allows it.

    Raises TableError, one line, for a file that cannot be read.
    """
    path = Path(path)
    with readable(path):
        fmt = table_format(path)
        refuse_folder(path)
        if fmt == "parquet":
            import pyarrow.parquet as pq

            return list(pq.read_schema(path).names)
        if fmt == "csv":
            return csv_header(path).names
        if fmt == "fits":
            from astropy.io import fits

            with fits.open(path, memmap=True) as hdus:
                return fits_names(table_hdu(hdus, path)[1].header)
        return list(_read_native(path, None)[0])


def column_for(name: str, present: Collection[str], where: str | Path, say: str) -> str | None:
    """The column that stands for a standard name without being told: the name itself, VizieR's, one of ALIKE, or None.

    Raises TableError where both are present; `say` tells how to choose, with {column} for the column.
    """
    found = [own for own in (name, VIZIER.get(name)) if own in present]
    if len(found) > 1:
        choice = " or ".join(say.format(name=name, column=own) for own in found)
        raise TableError(f"{where}: {' and '.join(map(repr, found))} could both be the {name!r}; write {choice}")
    if not found and name in ALIKE:
        alike = (next((own for own in sorted(present) if own.casefold() == other), None) for other in ALIKE[name])
        found = [own for own in alike if own]
    return found[0] if found else None


def read_table(
    path: str | Path,
    columns: dict[str, Any] | None = None,
    *,
    required: tuple[str, ...] | list[str] = (),
    vizier: Iterable[str] = (),
    others: bool = True,
) -> pd.DataFrame:
    """Read a table of any known format into standard names, types and units.

    `columns` maps a standard (or the user's own) name to a column of the file: a name, or
    `{column, unit}` where the unit is the file's and is converted to the standard one. A `kind` says what a column of
    the user's own is: `name` a text, digit by digit as in the file, or the unit (mas, uas) of a zero point, to which
    it is converted from the one that the file states. Columns of the file that already
    bear a standard name need no entry, nor do VizieR's columns that stand for the standard names in `vizier`. Columns
    not mentioned either way are left out; without `others` so are those that no entry of `columns` names. A unit stated
    in the file itself is used where the map gives none; where neither does, the standard unit is assumed.

    Raises TableError (one line: file, column, number of rows, what to do) for a file that cannot be read, a missing
    column, two columns for one name, an identifier stored as a fraction or a value outside the column's range.
    """
    return TableFile(path, columns, required=required, vizier=vizier, others=others).read()


class TableFile:
    """A table file of any known format; its columns have their standard names, its rows are still to be read.

    The arguments and what is refused are those of `read_table`. `names` are the columns that it has.
    """

    def __init__(
        self,
        path: str | Path,
        columns: dict[str, Any] | None = None,
        *,
        required: tuple[str, ...] | list[str] = (),
        vizier: Iterable[str] = (),
        others: bool = True,
    ) -> None:
        self.path = path = Path(path)
        vizier = tuple(vizier)
        spec = {name: _entry(entry) for name, entry in (columns or {}).items()}
        self._kinds = {name: entry["kind"] for name, entry in (columns or {}).items() if _kind(entry)}
        self._tally = Tally()
        sources = {source: name for name, (source, _) in spec.items()}
        refuse_value_as_error({name: source for name, (source, _) in spec.items()}, path)
        texts = [spec[name][0] for name, kind in self._kinds.items() if kind == "name"]
        with readable(path):
            wanted = None
            if table_format(path) in ("parquet", "csv", "fits"):  # a header that can be read alone
                names = column_names(path)
                _check_names(path, sources, names)
                alike = {name for name in names if vizier and name.casefold() in chain(*ALIKE.values())}
                wanted = {*sources, *STANDARD, *(VIZIER.get(name) for name in vizier), *alike}
            self._native, units = _read_native(path, wanted, texts)
        _check_names(path, sources, self._native)
        free = set(self._native) - set(sources)
        for name in (*vizier, *RELEASE) if vizier else ():
            if name not in spec:
                source = column_for(name, free, path, "`{name}: {column}` in `columns:`")
                if source not in (None, name):
                    spec[name] = (source, None)
        # By our name: the file's, and the unit of its values.
        self._columns = {
            name: (source, units.get(source, "") if unit is None else unit) for name, (source, unit) in spec.items()
        }
        for name in self._native if others else ():
            # A column that the map gives another name is not taken again under its own.
            if name in STANDARD and name not in self._columns and name not in sources:
                try:
                    unit_factor(units.get(name, ""), STANDARD[name].unit, f"{path}: column {name!r}")
                except TableError as error:
                    # Nobody asked for this column by name: another table's unit must not stop the run.
                    say(f"{error}; the column is left out")
                    continue
                self._columns[name] = (name, units.get(name, ""))
        lacking = [name for name in required if name not in self._columns]
        if lacking:
            raise TableError(
                f"{path}: nothing stands for {', '.join(lacking)}; name the file's column in `columns:` of the config"
            )
        self.names = list(self._columns)

    def read(self) -> pd.DataFrame:
        """All rows and columns."""
        table = self._standard(self._native, self.names)
        self._finish()
        return table

    def pieces(self, names: Collection[str] | None = None, *, rows: np.ndarray | None = None) -> Iterator[pd.DataFrame]:
        """These columns (all where not given), ROW_GROUP rows or fewer at a time; the index is the number of the row.

        Of Parquet and of a binary FITS table memory holds no more than a piece. What is refused names its rows. Row
        groups of Parquet are passed over that have none of these `rows` (sorted); other rows come along.
        """
        names = [name for name in self.names if names is None or name in names]
        wanted = [self._columns[name][0] for name in names]
        for start, native in _native_pieces(self.path, wanted, self._native, rows):
            piece = self._standard(native, names, start)
            piece.index = pd.RangeIndex(start, start + len(piece))
            yield piece
        self._finish()

    def _finish(self) -> None:
        tally, self._tally = self._tally, Tally()
        say(*tally.finish(self.path))

    def _standard(
        self, native: Mapping[str, Callable[[], pd.Series]], names: Iterable[str], start: int = 0
    ) -> pd.DataFrame:
        frame = {}
        for name in names:
            source, unit = self._columns[name]
            with readable(self.path):
                values = native[source]()
            kind = self._kinds.get(name)
            if kind == "name":
                frame[name] = as_names(values).rename(name)
                continue
            contract = zero_point_in(kind) if kind else None
            unit = unit or kind or ""  # the file's own, or the one that the correction is said to be in
            origin = Origin(self.path, source, unit, start)
            frame[name] = standardise(values, name, origin, contract=contract, tally=self._tally)
        return pd.DataFrame(frame, copy=False)


def _entry(entry: Any) -> tuple[str, str | None]:
    """Column and unit of an entry of a map of columns."""
    return (entry["column"], entry.get("unit")) if isinstance(entry, dict) else (entry, None)


def _kind(entry: Any) -> str | None:
    return entry.get("kind") if isinstance(entry, dict) else None


def _check_names(path: Path, sources: dict[str, str], read: Collection[str]) -> None:
    """Raise TableError where a column (keys; values are our names) is not among those read; with the file's nearest."""
    missing = [source for source in sources if source not in read]
    if not missing:
        return
    present, lacking, near = column_names(path), [], False
    lower = {name.lower(): name for name in reversed(present)}
    for source in missing:
        nearest = [lower[name] for name in difflib.get_close_matches(source.lower(), lower, n=3, cutoff=0.5)]
        near = near or (bool(nearest) and source not in present)
        told = f"; nearest: {', '.join(nearest)}" if nearest and source not in present else ""
        vector = " (columns of vectors or comment lines at the top cannot be read)" if source in present else ""
        lacking.append(f"no column {source!r} (wanted as {sources[source]!r}{told}){vector}")
    advice = "; put the right name into `columns:` of the config" if near else ""
    more = f" and {len(present) - 60} more" if len(present) > 60 else ""
    raise TableError(f"{path}: {', '.join(lacking)}{advice}; the file has: {', '.join(present[:60])}{more}")


def check_table(
    frame: pd.DataFrame,
    columns: tuple[str, ...] | list[str],
    where: str | Path,
    contracts: Mapping[str, Column] | None = None,
) -> pd.DataFrame:
    """The named standard columns in their order and types; raises TableError where one is missing or out of range.

    `contracts` are those of columns that are not the standard ones.
    """
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise TableError(f"{where}: column {missing[0]!r} is missing; has the table been made by an older version?")
    result = {}
    for name in columns:
        result[name] = standardise(frame[name], name, Origin(where, name), contract=(contracts or {}).get(name))
    return pd.DataFrame(result, index=frame.index)


def write_table(
    frame: pd.DataFrame,
    path: str | Path,
    units: Mapping[str, str] | None = None,
    meanings: Mapping[str, str] | None = None,
) -> None:
    """Write a table as Parquet or CSV by the name's ending; the same rows give the same bytes.

    `units` and `meanings` by column stand in the fields of a Parquet file, where `parquet_units` finds the units.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if table_format(path) == "parquet":
        write_pieces([frame], path, units, meanings)
    else:
        frame.to_csv(path, index=False, lineterminator="\n")


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
    write_arrow((table.cast(schema) for table in chain([first], tables)), schema, path, fast=fast)


def parquet_options(schema: pa.Schema) -> dict[str, Any]:
    """How pyarrow's ParquetWriter shall write a table of stars: a dictionary of values for text and the like alone.

    No column holds lists. A dictionary of measured numbers or identifiers would hold most of them once; it is given up
    after three times the work of writing them, and the file is a fifth larger.
    """
    import pyarrow as pa

    words = [f.name for f in schema if not (pa.types.is_floating(f.type) or pa.types.is_int64(f.type))]
    return {"compression": "zstd", "use_dictionary": words}


def write_arrow(tables: Iterable[pa.Table], schema: pa.Schema, path: str | Path, *, fast: bool = False) -> None:
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
