"""Tables of text: the names of their columns, and their rows as text."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from gaia_offsets.faults import TableError

if TYPE_CHECKING:
    import pyarrow as pa

LONGEST_HEADER = 1_000_000  # characters of the line that names the columns
NULLS = ("--", "null")  # besides pandas' own: how astropy and the archives print a missing value


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
