"""Reading, checking and writing of tables against the column contracts."""

from __future__ import annotations

import csv
import difflib
import gzip
import os
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from gaia_offsets.columns import STANDARD, VIZIER
from gaia_offsets.faults import Fault
from gaia_offsets.fitscolumns import read_columns

if TYPE_CHECKING:
    import pyarrow as pa
    from astropy.table import Table


class TableError(Fault, ValueError):
    """A table that cannot be used; the message is one line: what, where, what to do."""


Part = TypeVar("Part")

LONGEST_HEADER = 1_000_000  # characters of the line that names the columns
ROW_GROUP = 1 << 18  # rows of a piece of a Parquet file
NULLS = ("--", "null")  # besides pandas' own: how astropy and the archives print a missing value


def table_format(path: str | Path) -> str:
    """Format of a table file by its name: csv, fits, votable, ecsv or parquet.

    Raises TableError for a name that ends in none of the known ways.
    """
    name = Path(path).name.lower().removesuffix(".gz")
    endings = {
        "csv": (".csv",),
        "fits": (".fits", ".fit"),
        "votable": (".vot", ".votable", ".xml"),
        "ecsv": (".ecsv",),
        "parquet": (".parquet",),
    }
    for fmt, ends in endings.items():
        if name.endswith(ends):
            return fmt
    raise TableError(
        f"{path}: unknown kind of table; its name should end in .csv[.gz], .fits[.gz], .vot, .ecsv or .parquet"
    )


def refuse_twice(names: Iterable[str], where: str | Path) -> None:
    """Raise TableError where a column's name stands more than once: nobody could say which of the two is meant."""
    twice = [name for name, count in Counter(names).items() if name and count > 1]
    if twice:
        raise TableError(f"{where}: the column {twice[0]!r} stands more than once; name each column once")


def csv_header(path: Path) -> tuple[list[str], str]:
    """Names of the columns of a CSV file, and its separator by the first line: comma, LAMOST's bar, semicolon or tab.

    Raises TableError where there are no names, or one stands twice.
    """
    with _open_text(path) as stream:
        first = stream.readline(LONGEST_HEADER)
    if len(first) == LONGEST_HEADER:
        raise TableError(f"{path}: is no csv table: its first line has a million characters or more")
    separator = max(",|;\t", key=first.count)
    names = next(csv.reader([first], delimiter=separator), [])
    if not any(names):
        raise TableError(f"{path}: is no csv table: its first line, which should name the columns, is empty")
    refuse_twice(names, path)
    return names, separator


def _open_text(path: Path, errors: str = "strict") -> IO[str]:
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    return opener(path, "rt", encoding="utf-8-sig", errors=errors, newline="")


def csv_batches(path: Path, *, columns: list[str] | None = None, block_size: int = 1 << 24) -> Iterator[pa.RecordBatch]:
    """The rows of a CSV file in batches, each value as text; all columns or the named ones.

    Raises TableError with the line of the first row that has more or fewer values than the header has names.
    """
    import pyarrow as pa
    import pyarrow.csv as pacsv

    names, separator = csv_header(path)
    damaged: list[str] = []

    def note(row: pacsv.InvalidRow) -> str:
        damaged.append(row.text)
        return "skip"

    opener, last = gzip.open if path.name.lower().endswith(".gz") else open, ""
    with opener(path, "rb") as source:
        for batch in pacsv.open_csv(
            source,
            read_options=pacsv.ReadOptions(block_size=block_size, column_names=names, skip_rows=1),
            parse_options=pacsv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=note),
            convert_options=pacsv.ConvertOptions(
                include_columns=columns or [], column_types=dict.fromkeys(names, pa.string())
            ),
        ):
            if damaged:
                break
            last = batch.column(batch.num_columns - 1)[-1].as_py() if batch.num_rows else last
            yield batch
    # An open quote takes all that follows for one value; that of the last row is then full of lines.
    if damaged or "\n" in last:
        _refuse_damaged(path, names, separator, damaged)


def _refuse_damaged(path: Path, names: list[str], separator: str, damaged: list[str]) -> None:
    """Raise TableError with the line of the first row that is damaged; only here rows are looked at one by one."""
    with _open_text(path, "replace") as stream:
        rows, what = csv.reader(stream, delimiter=separator, strict=True), ""
        try:
            number = next((len(row) for row in rows if row and len(row) != len(names)), None)
            if number is not None:
                what = f"line {rows.line_num}: {number} value(s) for {len(names)} column(s)"
        except csv.Error as error:
            what = f"line {rows.line_num}: damaged ({error})"
    if damaged and not what:
        what = f"a row has another number of values than the header has names ({damaged[0][:60]!r})"
    if what:
        raise TableError(f"{path}: {what}; mend the file, or fetch it again")


def memory() -> int:
    """Memory of this machine, bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _refuse_beyond_memory(path: Path, fmt: str) -> None:
    """Raise TableError for a packed text file, read as a whole, that unpacks to more than the machine's memory."""
    most = memory()
    # Deflate packs 1,032 to 1 at best: most files need no look. A FITS file is unpacked block by block.
    if fmt == "fits" or not path.name.lower().endswith(".gz") or path.stat().st_size * 1032 <= most:
        return
    unpacked = 0
    with gzip.open(path, "rb") as stream:
        while block := stream.read(1 << 24):
            unpacked += len(block)
            if unpacked > most:
                raise TableError(
                    f"{path}: unpacks to more than {most / 1e9:.3g} GB, the memory of this machine; write it as "
                    "Parquet or FITS, of which only the columns in use are read"
                )


def _read_native(path: Path, wanted: set[str] | None) -> tuple[dict[str, Callable[[], pd.Series]], dict[str, str]]:
    """How to get each of the (or the wanted) columns of a file, and the units that the file itself states.

    Of Parquet a column is read when it is asked for, of FITS all are read with the first.
    """
    fmt = table_format(path)
    _refuse_beyond_memory(path, fmt)
    if fmt == "parquet":
        import pyarrow.parquet as pq

        schema = pq.read_schema(path)
        columns = [name for name in schema.names if wanted is None or name in wanted]
        return {name: partial(_parquet_column, path, name) for name in columns}, parquet_units(schema)
    if fmt == "csv":
        keep = None if wanted is None else (lambda name: name in wanted)
        names, separator = csv_header(path)
        for _ in csv_batches(path, columns=[next(filter(None, names))]):
            pass  # pandas would fill a row that is too short, and take the first values of longer ones for names
        frame = pd.read_csv(path, sep=separator, usecols=keep, na_values=NULLS, dtype_backend="numpy_nullable")
        return {name: partial(frame.get, name) for name in frame.columns}, {}
    if fmt == "fits":
        refuse_twice(column_names(path), path)
        header, units = _astropy_columns(next(read_columns(path, wanted, 0)))
        rows = cache(lambda: _astropy_columns(next(read_columns(path, wanted)))[0])
        return {name: partial(lambda name: rows()[name](), name) for name in header}, units
    from astropy.table import Table

    if fmt == "votable":
        table = Table.read(path, format="votable", use_names_over_ids=True)
    else:
        table = Table.read(path, format="ascii.ecsv")
    return _astropy_columns(table, wanted)


def _astropy_columns(
    table: Table, wanted: Collection[str] | None = None
) -> tuple[dict[str, Callable[[], pd.Series]], dict[str, str]]:
    flat = [
        name for name in table.colnames if table[name].ndim == 1 and (wanted is None or name in wanted)
    ]  # a DataFrame has no vector columns
    units = {name: str(table[name].unit) for name in flat if table[name].unit is not None}
    return {name: partial(_astropy_column, table, name) for name in flat}, units


def _astropy_column(table: Table, name: str) -> pd.Series:
    return table[[name]].to_pandas(use_nullable_int=True)[name]


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
    within: tuple[str, float, float] | None,
) -> Iterator[tuple[int, dict[str, Callable[[], pd.Series]]]]:
    """Number of the first row, and how to get these columns, of ROW_GROUP rows or fewer; `native` is the whole file's.

    At least one piece. `rows` and `within` are those of TableFile.pieces, in the file's unit.
    """
    fmt, start = table_format(path), 0
    with _readable(path):
        if fmt == "parquet":
            yield from _parquet_pieces(path, names, rows, within)
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
    path: Path, names: Sequence[str], rows: np.ndarray | None, within: tuple[str, float, float] | None
) -> Iterator[tuple[int, dict[str, Callable[[], pd.Series]]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    start, some = 0, False
    # Pages as they come: a file may be a single row group.
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
        schema, columns = file.schema_arrow, _with_masks(names, file.schema_arrow)
        for group in range(file.num_row_groups):
            about = file.metadata.row_group(group)
            end = start + about.num_rows
            none = rows is not None and np.searchsorted(rows, start) == np.searchsorted(rows, end)
            if within and not none:
                told = about.column(schema.names.index(within[0])).statistics
                none = told is not None and told.has_min_max and (told.max < within[1] or told.min > within[2])
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
    """Units by column of a Parquet file, from the fields' metadata (ours) or from the file's (astropy's)."""
    units = {field.name: (field.metadata or {}).get(b"unit", b"").decode() for field in schema}
    theirs = (schema.metadata or {}).get(b"table_meta_yaml")
    if theirs:
        from astropy.table.meta import get_header_from_yaml

        header = get_header_from_yaml(theirs.decode().split("\n"))
        units |= {entry["name"]: str(entry["unit"]) for entry in header["datatype"] if entry.get("unit")}
    return {name: unit for name, unit in units.items() if unit}


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    """The Arrow table as a DataFrame; its memory goes over column by column.

    Nullable integers: a missing identifier must not turn the others into float64. Without pandas' own metadata, which
    would make an index of a column.
    """
    import pyarrow as pa

    kinds = {pa.int8(): pd.Int8Dtype(), pa.int16(): pd.Int16Dtype(), pa.int32(): pd.Int32Dtype()}
    kinds |= {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
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
    """Names of the columns of a table file, without reading its rows where the format allows it."""
    path = Path(path)
    fmt = table_format(path)
    if fmt == "parquet":
        import pyarrow.parquet as pq

        return list(pq.read_schema(path).names)
    if fmt == "csv":
        return csv_header(path)[0]
    if fmt == "fits":
        from astropy.io import fits

        with fits.open(path, memmap=True) as hdus:
            # The first only: to look behind it, the whole of a packed file would be unpacked.
            tables = (hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU | fits.TableHDU))
            return next((fits_names(hdu.header) for hdu in tables), [])
    return list(_read_native(path, None)[0])


def fits_names(header: Any) -> list[str]:
    """Names of the columns of a FITS table by its header; astropy gives one that stands twice another name."""
    return [header.get(f"TTYPE{number}", "") for number in range(1, header["TFIELDS"] + 1)]


def column_for(name: str, present: Collection[str], where: str | Path, say: str) -> str | None:
    """The column that stands for a standard name without being told: the name itself, or VizieR's for it; else None.

    Raises TableError where both are present; `say` tells how to choose, with {column} for the column.
    """
    found = [own for own in (name, VIZIER.get(name)) if own in present]
    if len(found) > 1:
        choice = " or ".join(say.format(name=name, column=own) for own in found)
        raise TableError(f"{where}: {' and '.join(map(repr, found))} could both be the {name!r}; write {choice}")
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
    `{column, unit}` where the unit is the file's and is converted to the standard one. Columns of the file that already
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
        spec = {name: _entry(entry) for name, entry in (columns or {}).items()}
        sources = {source: name for name, (source, _) in spec.items()}
        with _readable(path):
            if table_format(path) in ("parquet", "csv", "fits"):  # a header that can be read alone
                _check_names(path, sources, column_names(path))
            wanted = {*sources, *STANDARD, *(VIZIER.get(name) for name in vizier)}
            self._native, units = _read_native(path, wanted)
        _check_names(path, sources, self._native)
        free = set(self._native) - set(sources)
        for name in vizier:
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
                    print(f"{error}; the column is left out", file=sys.stderr)
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
        return self._standard(self._native, self.names)

    def pieces(
        self,
        names: Collection[str] | None = None,
        *,
        rows: np.ndarray | None = None,
        within: tuple[str, float, float] | None = None,
    ) -> Iterator[pd.DataFrame]:
        """These columns (all where not given), ROW_GROUP rows or fewer at a time; the index is the number of the row.

        Of Parquet and of a binary FITS table memory holds no more than a piece. What is refused names its rows. Row
        groups of Parquet are passed over that have none of these `rows` (sorted), or no value of a column, in its
        standard unit, within the two of `within`; other rows come along.
        """
        names = [name for name in self.names if names is None or name in names]
        wanted = [self._columns[name][0] for name in names]
        if within:
            (source, unit), where = self._columns[within[0]], f"{self.path}: column {within[0]!r}"
            factor = unit_factor(unit, STANDARD[within[0]].unit, where)
            within = source, within[1] / factor, within[2] / factor
        for start, native in _native_pieces(self.path, wanted, self._native, rows, within):
            piece = self._standard(native, names, start)
            piece.index = pd.RangeIndex(start, start + len(piece))
            yield piece

    def _standard(
        self, native: Mapping[str, Callable[[], pd.Series]], names: Iterable[str], start: int = 0
    ) -> pd.DataFrame:
        frame = {}
        for name in names:
            source, unit = self._columns[name]
            with _readable(self.path):
                values = native[source]()
            frame[name] = _standardise(values, name, unit, self.path, source, start)
        return pd.DataFrame(frame, copy=False)


def _entry(entry: Any) -> tuple[str, str | None]:
    """Column and unit of an entry of a map of columns."""
    return (entry["column"], entry.get("unit")) if isinstance(entry, dict) else (entry, None)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What goes wrong in reading the file is told in one line: the readers raise dozens of types."""
    try:
        yield
    except TableError:
        raise
    except FileNotFoundError:
        raise TableError(f"{path}: no such file") from None
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TableError(f"{path}: cannot be read as a {table_format(path)} table ({reason})") from error


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


def _standardise(values: pd.Series, name: str, unit: str, path: Path, source: str, start: int = 0) -> pd.Series:
    """A column in its standard type and unit; `start` is the number of its first row in the file."""
    contract = STANDARD.get(name)
    if contract is None:
        return values.rename(name)
    if contract.kind == "text":
        return values.astype("str").rename(name)
    if contract.kind == "bool":
        return values.astype("bool").rename(name)
    where = f"{path}: column {source!r}{f', rows {start + 1} to {start + len(values)}' if start else ''}"
    if contract.kind == "int":
        values = _as_integers(values, where)
    else:
        try:
            if not (isinstance(values.dtype, np.dtype) and values.dtype.kind in "fiu"):
                values = pd.to_numeric(values).astype("Float64")
            numbers = values.to_numpy(dtype=float, na_value=np.nan)
        except (ValueError, TypeError):
            raise TableError(f"{where} holds text where numbers of {name!r} are expected") from None
        factor = unit_factor(unit, contract.unit, where)
        numbers = numbers if factor == 1.0 else numbers * factor
        # LAMOST and others write -9999 for a missing value; no standard column can hold it as a real one.
        missing = ~np.isfinite(numbers) | (numbers == -9999.0 * factor)
        if missing.any():
            numbers = np.where(missing, np.nan, numbers)
        values = pd.Series(numbers, index=values.index, copy=False)
    outside = (values < contract.low) | (values > contract.high)
    count = int(outside.sum())
    if count:
        example = values[outside].iloc[0]
        raise TableError(
            f"{where}: {count} of {len(values)} rows outside {contract.low:g} to {contract.high:g} "
            f"{contract.unit} for {name!r}, the first {example:g}; is it the right column, in the right unit?"
        )
    return values.rename(name)


def _as_integers(values: pd.Series, where: str) -> pd.Series:
    if values.dtype == object or isinstance(values.dtype, pd.StringDtype):
        text = values.astype("str").str.strip()
        text = text.mask(text.isin(["", "nan", "None", "<NA>"]))
        good = text.isna() | text.str.fullmatch(r"[+-]?\d{1,19}")
        if not bool(good.all()):
            raise TableError(f"{where}: {int((~good).sum())} of {len(values)} values are not whole numbers")
        whole = np.array([0 if x is None or x != x else int(x) for x in text], dtype=np.int64)
        return pd.Series(pd.array(whole, dtype="Int64"), index=values.index).mask(text.isna())
    if pd.api.types.is_float_dtype(values.dtype):
        plain = values.astype("Float64")
        large = int((plain.abs() > 2**53).sum())
        if large:
            raise TableError(
                f"{where}: {large} of {len(values)} identifiers are stored as floating-point numbers above 2**53 and "
                "have lost digits; write them as 64-bit integers or text"
            )
        rest = plain.dropna()
        if bool((rest != rest.round()).any()):
            raise TableError(f"{where}: fractions where whole numbers are expected")
        return plain.astype("Int64")
    try:
        return values.astype("Int64")
    except (TypeError, ValueError):
        raise TableError(f"{where}: not whole numbers of 64 bits") from None


def as_numbers(values: pd.Series, where: str, *, null: float = np.nan) -> np.ndarray:
    """A column as float64 (N,), `null` where unknown; TableError where it holds text."""
    try:
        return values.to_numpy(dtype=float, na_value=null)
    except (TypeError, ValueError):
        raise TableError(f"{where}: the column holds text, such as {values.dropna().iloc[0]!r}, not numbers") from None


def unit_factor(unit: str, standard: str, where: str) -> float:
    """Factor from a unit (as astropy writes it, "" for none) to the standard one; TableError where there is none."""
    if not unit or unit == standard:
        return 1.0
    # Logarithms and magnitudes of a system, e.g. log(cm.s**-2), dex or mag(Vega), are numbers in the standard unit.
    if (not standard and unit.startswith(("dex", "log", "["))) or (standard == "mag" and unit.startswith("mag(")):
        return 1.0
    from astropy import units as u

    try:
        return float(u.Unit(unit).to(u.Unit(standard)))
    except u.UnitConversionError:
        raise TableError(f"{where}: unit {unit!r} cannot be converted to {standard!r}") from None
    except ValueError:
        raise TableError(
            f"{where}: unit {unit!r} is not known; write it as astropy does, e.g. 'kpc', 'mas', 'deg'"
        ) from None


def rounded_source_ids(source_id: pd.Series) -> bool:
    """Whether Gaia identifiers look as if they had gone through float64 (53 bits) on their way.

    Real identifiers above 2**60 are odd multiples of 128 half of the time; after float64 all are multiples of 256.
    Needs 20 such identifiers to say so, else False.
    """
    large = source_id.dropna().astype("int64")
    large = large[large > 2**60]
    return bool(len(large) >= 20 and (large % 256 == 0).all())


def check_table(frame: pd.DataFrame, columns: tuple[str, ...] | list[str], where: str | Path) -> pd.DataFrame:
    """The named standard columns in their order and types; raises TableError where one is missing or out of range."""
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise TableError(f"{where}: column {missing[0]!r} is missing; has the table been made by an older version?")
    result = {}
    for name in columns:
        result[name] = _standardise(frame[name], name, "", Path(where), name)
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
        options["data_page_size"] = 1 << 16  # who reads many files at a time holds a page of each column of each
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
