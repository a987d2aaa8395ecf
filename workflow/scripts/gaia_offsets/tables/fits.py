"""Some columns of a FITS table, packed or not, block by block: memory holds those columns, never the file."""

from __future__ import annotations

import gc
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from gaia_offsets.core.columns import STANDARD, VIZIER
from gaia_offsets.tables.formats import is_packed, open_bytes

if TYPE_CHECKING:
    from astropy.io import fits
    from astropy.table import Table

BLOCK = 1 << 24  # bytes of rows at a time
LARGE_PACKED = 1 << 26  # bytes that are unpacked in a second or two
_OF_A_COLUMN = ("TTYPE", "TFORM", "TUNIT", "TNULL", "TSCAL", "TZERO", "TDISP")


def table_hdu(hdus: fits.HDUList, path: Path, wanted: Collection[str] = ()) -> tuple[int, Any]:
    """Number and HDU of the table that is meant: the first of those that hold a known or a wanted column, or the first.

    Raises ValueError where there is no table, or where several hold columns of stars (a large packed file is
    not looked through).
    """
    from astropy.io import fits

    known, tables, fitting = {*STANDARD, *VIZIER.values(), *wanted}, [], []
    for number, hdu in enumerate(hdus):
        if isinstance(hdu, fits.BinTableHDU | fits.TableHDU):
            tables.append((number, hdu))
            if known.intersection(fits_names(hdu.header)):
                fitting.append((number, hdu))
                if is_packed(path) and path.stat().st_size > LARGE_PACKED:
                    break  # to look behind it, the whole of the file would be unpacked
    if not tables:
        raise ValueError("no table in the file")
    if len(fitting) > 1:
        names = ", ".join(f"{number} {hdu.name}".strip() for number, hdu in fitting)
        raise ValueError(f"{len(fitting)} tables of stars in one file, HDUs {names}: write each to a file of its own")
    return (fitting or tables)[0]


def fits_names(header: Any) -> list[str]:
    """Names of the columns of a FITS table by its header; astropy gives one that stands twice another name."""
    return [header.get(f"TTYPE{number}", "") for number in range(1, header["TFIELDS"] + 1)]


def is_columnar(hdu: Any) -> bool:
    """Whether a table is one row of whole columns, as TOPCAT's column-oriented FITS has it."""
    if hdu.header["NAXIS2"] != 1 or hdu.header["XTENSION"] != "BINTABLE" or not len(hdu.columns):
        return False
    ends = [re.findall(r"\d+", column.dim or "")[-1:] for column in hdu.columns]
    return len({end[0] if end else "" for end in ends}) == 1 and ends[0] not in ([], ["1"])


def columnar_table(hdu: Any) -> Table:
    """The table that stands in one row of whole columns."""
    from astropy.table import Column, Table

    row = hdu.data[0]
    table = Table([Column(np.asarray(row[c.name]), name=c.name, unit=c.unit or None) for c in hdu.columns])
    return with_nulls(table, hdu, 0)


def with_nulls(table: Table, hdu: Any, rows: Any = slice(None)) -> Table:
    """The table of these rows of an HDU, null where its integers are TNULL before TSCAL and TZERO; astropy: after."""
    from astropy.table import MaskedColumn

    # Of coordinates astropy makes one column, of another name.
    nulls = [column.null not in (None, "") and column.name in table.colnames for column in hdu.columns]
    if not any(nulls):
        return table
    raw = np.asarray(hdu.data.view(np.ndarray))[rows]
    for own, column, has in zip(raw.dtype.names, hdu.columns, nulls, strict=True):
        if not has:
            continue
        values, null = table[column.name], raw[own] == column.null
        if not np.array_equal(null, np.ma.getmaskarray(np.ma.asarray(values))):
            about = {key: getattr(values, key) for key in ("unit", "description", "format", "meta")}
            table[column.name] = MaskedColumn(np.ma.getdata(values), mask=null, **about)
    return table


def ascii_table(hdu: Any) -> Table:
    """An ASCII table, which is small; a blank, or what TNULL says, is a missing number."""
    from astropy.table import Column, MaskedColumn, Table

    columns, rows = [], hdu.header["NAXIS2"]
    data = np.frombuffer(hdu._get_raw_data(rows * hdu.header["NAXIS1"], np.uint8, hdu._data_offset), np.uint8)
    data = data.reshape(rows, hdu.header["NAXIS1"])
    for column in hdu.columns:
        width, start = int(re.findall(r"\d+", column.format)[0]), column.start - 1
        cells = (
            np.ascontiguousarray(data[:, start : start + width]).view(f"S{width}")[:, 0] if rows else np.zeros(0, "S")
        )
        text = np.char.strip(np.char.decode(cells, "ascii", "replace"))
        if column.format[0] == "A":
            columns.append(Column(text.astype(str), name=column.name))
            continue
        null = np.isin(text, ("", "NaN", str(column.null or "").strip()))
        numbers = np.char.replace(np.char.upper(np.where(null, "0", text)), "D", "E")
        values = numbers.astype(np.int64 if column.format[0] == "I" else float)
        values = values * (column.bscale or 1) + (column.bzero or 0)
        columns.append(MaskedColumn(values, mask=null, name=column.name, unit=column.unit or None))
    return Table(columns)


def read_columns(path: Path, wanted: Collection[str] | None, piece: int | None = None) -> Iterator[Table]:
    """The wanted columns (all where null) of the table of a FITS file, packed or not; no vectors.

    `piece` rows at a time, at least one table (all at once where null; 0: none, for names and units); an ASCII table
    or one in columns, which is small, as a whole. Raises ValueError where the file has no table or ends before its
    last row.
    """
    from astropy.io import fits
    from astropy.table import Table

    with fits.open(path, memmap=True) as hdus:
        _, hdu = table_hdu(hdus, path, wanted or ())
        if isinstance(hdu, fits.TableHDU) or is_columnar(hdu):
            table = ascii_table(hdu) if isinstance(hdu, fits.TableHDU) else columnar_table(hdu)
            yield table[[name for name in table.colnames if wanted is None or name in wanted]]
            return
        places = [place for place, column in enumerate(hdu.columns) if _scalar(column)]
        places = [place for place in places if wanted is None or hdu.columns[place].name in wanted]
        header, rows, width, start = hdu.header, hdu.header["NAXIS2"], hdu.header["NAXIS1"], hdu.fileinfo()["datLoc"]
        fields = hdu.columns.dtype
        names = [fields.names[place] for place in places]
        kinds = [fields[name].base.newbyteorder(">") for name in names]
        offsets = [fields.fields[name][1] for name in names]
    whole = np.dtype({"names": names, "formats": kinds, "offsets": offsets, "itemsize": width})
    narrow = np.dtype(list(zip(names, kinds, strict=True)))
    with open_bytes(path) as stream:
        stream.seek(start)
        for first in range(0, rows, piece) if piece and rows else [0]:
            count = min(rows - first, rows if piece is None else piece)
            head = _narrow(header, places, count, narrow.itemsize).tostring().encode("ascii")
            file = bytearray(len(head) + -(-count * narrow.itemsize // 2880) * 2880)  # a FITS file in memory
            file[: len(head)] = head
            _copy(stream, whole, np.frombuffer(file, dtype=narrow, count=count, offset=len(head)), first, rows)
            content = bytes(file)  # astropy takes nothing else
            del file
            hdu = fits.BinTableHDU.fromstring(content, uint=True)
            table = with_nulls(Table.read(hdu, format="fits", unit_parse_strict="silent"), hdu)
            del hdu, content
            gc.collect()  # an HDU is in a circle with its data: they would wait for the collector, piece after piece
            yield table
            del table


def _copy(stream: IO[bytes], whole: np.dtype, packed: np.ndarray, first: int, rows: int) -> None:
    """Fill `packed` with its columns of the next rows of the stream, which has `rows`, the next is number `first`."""
    at_once = max(BLOCK // whole.itemsize, 1)
    for start in range(0, len(packed), at_once):
        count = min(at_once, len(packed) - start)
        block = stream.read(count * whole.itemsize)
        if len(block) < count * whole.itemsize:
            there = first + start + len(block) // whole.itemsize
            raise ValueError(f"cut short: {rows} rows are announced, {there} are there")
        values = np.frombuffer(block, dtype=whole)
        for name in whole.names:
            packed[name][start : start + count] = values[name]


def _scalar(column: fits.Column) -> bool:
    """Whether a column has one number or one text a row; a vector of one element is its element."""
    repeat, kind = re.match(r"\s*(\d*)([A-Z])", column.format.upper()).groups()
    size = re.findall(r"\d+", column.dim or "")[kind == "A" :]
    return all(length == "1" for length in size) and (kind == "A" or (repeat in ("", "1") and kind not in "PQX"))


def _narrow(header: fits.Header, places: list[int], rows: int, width: int) -> fits.Header:
    """Header of a table with the columns at these places alone."""
    from astropy.io import fits

    new = fits.Header([("XTENSION", "BINTABLE"), ("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", width), ("NAXIS2", rows)])
    new.update({"PCOUNT": 0, "GCOUNT": 1, "TFIELDS": len(places)})
    for number, place in enumerate(places, start=1):
        keys = [key for key in _OF_A_COLUMN if f"{key}{place + 1}" in header]
        new.update({f"{key}{number}": header[f"{key}{place + 1}"] for key in keys})
    return new
