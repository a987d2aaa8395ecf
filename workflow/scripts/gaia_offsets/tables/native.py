"""The columns of a table file of any known format as they stand in it: names, units and values, whole or in pieces."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gaia_offsets.core.faults import TableError
from gaia_offsets.tables import parquet
from gaia_offsets.tables.fits import fits_names, read_columns, table_hdu
from gaia_offsets.tables.formats import is_packed, open_bytes, readable, refuse_folder, refuse_twice, table_format
from gaia_offsets.tables.text import csv_batches, csv_frame, csv_header
from gaia_offsets.tables.votable import astropy_column, flat_columns, read_whole

if TYPE_CHECKING:
    from astropy.table import Table


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


class NativeTable:
    """The columns of one value a row of a table file: their names, units and values as they stand in it.

    `every` has the names of those with several values, too. Names come from the header where the format allows it.
    Raises TableError, one line, for what cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._format = path, table_format(path)
        self._wanted: Collection[str] = ()
        self._texts: Collection[str] = ()
        self._whole: pd.DataFrame | None = None
        with readable(path):
            refuse_folder(path)
            _refuse_beyond_memory(path, self._format)
            if self._format == "parquet":
                import pyarrow.parquet as pq

                schema = pq.read_schema(path)
                self.every = self.names = list(schema.names)
                self.units = parquet.parquet_units(schema)
            elif self._format == "csv":
                header = csv_header(path)
                self.every, self.units = header.names, header.units
                self.names = [name for name in header.names if name]
            else:
                if self._format == "fits":
                    self.every = _fits_names(path)
                    table = next(read_columns(path, None, 0))
                else:
                    table = read_whole(path, self._format)
                    self.every = table.colnames
                self.names = flat_columns(table)
                self.units = {name: str(table[name].unit) for name in self.names if table[name].unit is not None}
                self._table = None if self._format == "fits" else table

    def choose(self, names: Collection[str], texts: Collection[str] = ()) -> None:
        """Say which columns will be asked for: they are read together; of a text file, `texts` stay text."""
        self._wanted, self._texts = list(dict.fromkeys(names)), texts

    def _frame(self) -> pd.DataFrame:
        """The chosen columns of all rows, of a file that is not read column by column."""
        if self._whole is None and self._format == "csv":
            # pandas would fill a row that is too short, and take the first values of longer ones for names.
            for _ in csv_batches(self.path, columns=self.names[:1]):
                pass
            self._whole = csv_frame(self.path, self._wanted, self._texts)
        elif self._whole is None:
            table = next(read_columns(self.path, self._wanted)) if self._table is None else self._table
            self._whole, self._table = _as_frame(table, self._wanted), None
        return self._whole

    def column(self, name: str) -> pd.Series:
        """A column of all rows."""
        with readable(self.path):
            return parquet.parquet_column(self.path, name) if self._format == "parquet" else self._frame()[name]

    def pieces(self, names: Collection[str], rows: np.ndarray | None = None) -> Iterator[tuple[int, pd.DataFrame]]:
        """Number of the first row, and these columns, of ROW_GROUP rows or fewer; `rows` as in TableFile.pieces."""
        names = list(dict.fromkeys(names))
        with readable(self.path):
            if self._format == "parquet":
                yield from parquet.parquet_pieces(self.path, names, rows)
            elif self._format == "fits":
                start = 0
                for table in read_columns(self.path, names, parquet.ROW_GROUP):
                    frame = _as_frame(table, names)
                    # The type is not that of the values in this piece: one without any text looks like one of none.
                    yield start, frame.astype({name: "str" for name in names if frame[name].dtype == object})
                    start += len(frame)
            else:
                for piece in parquet.pieces(len(self._frame())):
                    yield piece.start, self._frame()[names].iloc[piece]


def _as_frame(table: Table, names: Iterable[str]) -> pd.DataFrame:
    return pd.DataFrame({name: astropy_column(table, name) for name in names}, copy=False)


def _fits_names(path: Path) -> list[str]:
    """Names of the columns of a FITS table; TableError where one stands twice."""
    from astropy.io import fits

    with fits.open(path, memmap=True) as hdus:
        names = fits_names(table_hdu(hdus, path)[1].header)
    refuse_twice(names, path)
    return names


def column_names(path: str | Path) -> list[str]:
    """Names of the columns of a table file; TableError, one line, for a file that cannot be read."""
    return NativeTable(Path(path)).every


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
