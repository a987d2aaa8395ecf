"""Tables of text: the names of their columns, their rows as text, and the numbers that a text means."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gaia_offsets.core.faults import TableError
from gaia_offsets.tables.formats import open_bytes, refuse_twice

if TYPE_CHECKING:
    import pyarrow as pa
    from astropy.table import Table

LONGEST_HEADER = 1_000_000  # characters of the line that names the columns
# How files write a missing value besides leaving it out; in lower case.
NULL_WORDS = ("nan", "-nan", "null", "none", "na", "n/a", "#n/a", "<na>", "--", "\\n")
NULLS = ("--", "null", "\\N")  # those that pandas does not know itself
_RULE = re.compile(r"[-\s;,|]*-[-\s;,|]*")  # the line of dashes below VizieR's names and units


@dataclass(frozen=True)
class Header:
    """What stands above the rows: names of the columns, separator, number of lines, units by column."""

    names: list[str]
    separator: str
    lines: int
    units: dict[str, str]


def csv_header(path: Path) -> Header:
    """The head of a CSV file: names of the columns, by their line the separator (comma, bar, semicolon or tab).

    Lines that begin with # are passed over, but for one that names the columns; those of an ECSV header (the Gaia
    archive's files have one) give units. So does the line below the names in VizieR's text tables, above a line of
    dashes. Raises TableError where there are no names, or one stands twice.
    """
    with _open_text(path) as stream:
        comments, line = [], _line(stream, path)
        while line.startswith("#"):
            comments.append(line)
            line = _line(stream, path)
        below = [_line(stream, path), _line(stream, path)]
    separator = max(",|;\t", key=line.count)
    units = {}
    if comments and comments[0].startswith("# %ECSV"):
        separator, units = _ecsv_header(comments, separator)
    elif comments and 1 < len(_split(comments[-1], separator)) == len(_split(line, separator)):
        line = comments.pop().removeprefix("#")
    names, lines = [name.strip() for name in _split(line, separator)], len(comments) + 1
    if not any(names):
        raise TableError(f"{path}: is no csv table: its first line, which should name the columns, is empty")
    if _RULE.fullmatch(below[1]) and len(_split(below[1], separator)) == len(names):
        pairs = zip(names, _split(below[0], separator), strict=False)
        units, lines = {name: unit.strip() for name, unit in pairs if unit.strip()}, lines + 2
    refuse_twice(names, path)
    return Header(names, separator, lines, units)


def _line(stream: IO[str], path: Path) -> str:
    line = stream.readline(LONGEST_HEADER)
    if len(line) == LONGEST_HEADER:
        raise TableError(f"{path}: is no csv table: its first line has a million characters or more")
    return line


def _split(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])


def _ecsv_header(comments: list[str], separator: str) -> tuple[str, dict[str, str]]:
    """Separator and units that the YAML in the comment lines states."""
    from astropy.table.meta import get_header_from_yaml

    header = get_header_from_yaml([line.removeprefix("# ").rstrip("\r\n") for line in comments[1:]])
    units = {entry["name"]: str(entry["unit"]) for entry in header.get("datatype", ()) if entry.get("unit")}
    return header.get("delimiter", separator), units


def _open_text(path: Path, errors: str = "strict") -> IO[str]:
    return io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig", errors=errors, newline="")


def csv_frame(path: Path, names: list[str], texts: Iterable[str] = ()) -> pd.DataFrame:
    """These columns of a CSV file as pandas reads them; those in `texts` as text, digit by digit."""
    header = csv_header(path)
    with _open_text(path) as stream:
        for _ in range(header.lines - 1):
            stream.readline()
        return pd.read_csv(
            stream,
            sep=header.separator,
            header=0,
            names=[name or f"Unnamed: {place}" for place, name in enumerate(header.names)],
            usecols=names,
            dtype=dict.fromkeys(texts, "str"),
            na_values=NULLS,
            dtype_backend="numpy_nullable",
        )


def csv_batches(path: Path, *, columns: list[str] | None = None, block_size: int = 1 << 24) -> Iterator[pa.RecordBatch]:
    """The rows of a CSV file in batches, each value as text; all columns or the named ones.

    Raises TableError with the line of the first row that has more or fewer values than the header has names.
    """
    import pyarrow as pa
    import pyarrow.csv as pacsv

    header = csv_header(path)
    names = header.names
    damaged: list[str] = []

    def note(row: pacsv.InvalidRow) -> str:
        damaged.append(row.text)
        return "skip"

    last = ""
    with open_bytes(path) as source:
        for batch in pacsv.open_csv(
            source,
            read_options=pacsv.ReadOptions(block_size=block_size, column_names=names, skip_rows=header.lines),
            parse_options=pacsv.ParseOptions(
                delimiter=header.separator, newlines_in_values=True, invalid_row_handler=note
            ),
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
        _refuse_damaged(path, header, damaged)


def _refuse_damaged(path: Path, header: Header, damaged: list[str]) -> None:
    """Raise TableError with the line of the first row that is damaged; only here rows are looked at one by one."""
    names = header.names
    with _open_text(path, "replace") as stream:
        for _ in range(header.lines):
            stream.readline()
        rows, what = csv.reader(stream, delimiter=header.separator, strict=True), ""
        try:
            number = next((len(row) for row in rows if row and len(row) != len(names)), None)
            if number is not None:
                what = f"line {header.lines + rows.line_num}: {number} value(s) for {len(names)} column(s)"
        except csv.Error as error:
            what = f"line {header.lines + rows.line_num}: damaged ({error})"
    if damaged and not what:
        what = f"a row has another number of values than the header has names ({damaged[0][:60]!r})"
    if what:
        raise TableError(f"{path}: {what}; mend the file, or fetch it again")


def text_numbers(values: Any) -> tuple[np.ndarray, int | None]:
    """The numbers (N,) that texts mean, NaN for a missing one, and the place of the first that means none.

    A Fortran exponent (7.4D-01) is one of Python's. `values` is an Arrow array or a pandas Series of text.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pa.Array.from_pandas(values, type=pa.large_string()) if isinstance(values, pd.Series) else values
    text = pc.utf8_trim_whitespace(text.cast(pa.large_string()))
    null = pc.is_in(pc.utf8_lower(text), value_set=pa.array(["", *NULL_WORDS], pa.large_string()))
    text = pc.if_else(null, pa.scalar(None, pa.large_string()), text)
    for attempt in (text, pc.replace_substring_regex(text, r"^([+-]?[\d.]+)[dD]([+-]?\d+)$", r"\1e\2")):
        try:
            return attempt.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(float), None
        except pa.ArrowInvalid:
            continue
    plain = pc.match_substring_regex(text, r"^[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?$|^[+-]?inf(inity)?$")
    wrong = np.flatnonzero(~pc.fill_null(plain, True).to_numpy(zero_copy_only=False).astype(bool))
    return np.full(len(text), np.nan), int(wrong[0]) if len(wrong) else 0


def csv_table(path: Path) -> Table:
    """A CSV file as an astropy Table; a column with values like 007 stays text, for a number has no such zeros."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from astropy.table import MaskedColumn, Table

    head, parts = csv_header(path), list(csv_batches(path))
    table = Table()
    for name in head.names:
        text = pa.chunked_array([part.column(name) for part in parts], pa.string()).combine_chunks()
        trimmed, numbers, wrong = pc.utf8_trim_whitespace(text), *text_numbers(text)
        values, null = numbers, np.isnan(numbers)
        known = trimmed.filter(pa.array(~null))
        whole = len(known) and pc.all(pc.match_substring_regex(known, r"^[+-]?\d+$")).as_py()
        large = whole and (np.abs(numbers[~null]) >= 2.0**63).any()  # 64 bits may not hold them
        if wrong is not None or large or pc.any(pc.match_substring_regex(known, r"^[+-]?0\d|^[+-]?\d{20}")).as_py():
            values = text.to_numpy(zero_copy_only=False).astype(str)
            null = values == ""
        elif whole:
            values = np.zeros(len(text), np.int64)
            values[~null] = pc.replace_substring_regex(known, r"^\+", "").cast(pa.int64()).to_numpy()
        table[name] = MaskedColumn(values, mask=null) if null.any() else values
        table[name].unit = head.units.get(name)
    return table
