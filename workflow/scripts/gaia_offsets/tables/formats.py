"""What a table file is, by its name and its first bytes, and how what goes wrong in reading it is told."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from gaia_offsets.core.faults import TableError

ENDINGS = {
    "csv": (".csv",),
    "fits": (".fits", ".fit"),
    "votable": (".vot", ".votable", ".xml"),
    "ecsv": (".ecsv",),
    "parquet": (".parquet",),
}
NAMED = ".csv[.gz], .fits[.gz], .vot, .ecsv or .parquet"  # in messages
# What astropy calls them.
ASTROPY = {"csv": "ascii.csv", "fits": "fits", "votable": "votable", "ecsv": "ascii.ecsv", "parquet": "parquet"}


def format_of(path: str | Path) -> str | None:
    """Format of a table file by its name: csv, fits, votable, ecsv or parquet; None where it ends in no known way."""
    name = Path(path).name.lower().removesuffix(".gz")
    return next((form for form, endings in ENDINGS.items() if name.endswith(endings)), None)


def table_format(path: str | Path) -> str:
    """The same, of a table that is to be read or written: TableError for a name of no known kind."""
    if form := format_of(path):
        return form
    raise TableError(f"{path}: unknown kind of table; its name should end in {NAMED}")


def is_packed(path: Path) -> bool:
    """Whether a file is packed by gzip, whatever its name says."""
    with open(path, "rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def open_bytes(path: Path) -> IO[bytes]:
    """The unpacked bytes of a file."""
    return gzip.open(path) if is_packed(path) else open(path, "rb")


def new_file(path: Path, *, packed: bool) -> IO[bytes]:
    """A new file to write, through gzip where it is to be packed; no date in it."""
    return gzip.GzipFile(filename="", fileobj=open(path, "wb"), mode="wb", mtime=0) if packed else open(path, "wb")


@contextmanager
def readable(path: Path, what: str | None = None) -> Iterator[None]:
    """What goes wrong in reading the file is told in one line: the readers raise dozens of types."""
    try:
        yield
    except TableError:
        raise
    except FileNotFoundError:
        raise TableError(f"{path}: no such file") from None
    except Exception as error:
        kind = what or f"a {table_format(path)} table"
        raise TableError(f"{path}: cannot be read as {kind} ({reason(error)})") from error


def reason(error: Exception) -> str:
    """What a reader says of a fault, in one line."""
    if isinstance(error, gzip.BadGzipFile) and "Not a gzipped file" in str(error):
        return "other bytes follow the end of what gzip packed; unpack it, and pack it again"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def refuse_twice(names: Iterable[str], where: str | Path) -> None:
    """Raise TableError where a column's name stands more than once: nobody could say which of the two is meant."""
    twice = [name for name, count in Counter(names).items() if name and count > 1]
    if twice:
        raise TableError(f"{where}: the column {twice[0]!r} stands more than once; name each column once")


def refuse_folder(path: Path) -> None:
    """Raise TableError where a folder stands in the place of a file."""
    if path.is_dir():
        raise TableError(f"{path}: is a folder, not a file; join its parts in one file first")
