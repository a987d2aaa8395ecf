"""Some columns of a FITS table, packed or not, block by block: memory holds those columns, never the file."""

from __future__ import annotations

import gzip
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from astropy.io import fits
    from astropy.table import Table

BLOCK = 1 << 24  # bytes of rows at a time
_OF_A_COLUMN = ("TTYPE", "TFORM", "TUNIT", "TNULL", "TSCAL", "TZERO", "TDISP")


def read_columns(path: Path, wanted: Collection[str] | None, piece: int | None = None) -> Iterator[Table]:
    """The wanted columns (all where null) of the first table of a FITS file, `.fits` or `.fits.gz`; no vectors.

    `piece` rows at a time, at least one table (all at once where null; 0: none, for names and units); an ASCII table,
    which is small, as a whole. Raises ValueError where the file has no table or ends before its last row.
    """
    from astropy.io import fits
    from astropy.table import Table

    with fits.open(path, memmap=True) as hdus:
        hdu = next((hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)), None)
        if hdu is None:
            raise ValueError("no table in the file")
        if isinstance(hdu, fits.TableHDU):
            table = Table.read(hdu, format="fits", unit_parse_strict="silent")
            yield table[[name for name in table.colnames if wanted is None or name in wanted]]
            return
        places = [place for place, column in enumerate(hdu.columns) if _scalar(column)]
        places = [place for place in places if wanted is None or hdu.columns[place].name in wanted]
        header, rows, width, start = hdu.header, hdu.header["NAXIS2"], hdu.header["NAXIS1"], hdu.fileinfo()["datLoc"]
        fields = hdu.columns.dtype
        names = [fields.names[place] for place in places]
        kinds = [fields[name].newbyteorder(">") for name in names]
        offsets = [fields.fields[name][1] for name in names]
    whole = np.dtype({"names": names, "formats": kinds, "offsets": offsets, "itemsize": width})
    narrow = np.dtype(list(zip(names, kinds, strict=True)))
    with (gzip.open if path.name.lower().endswith(".gz") else open)(path, "rb") as stream:
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
            yield Table.read(hdu, format="fits", unit_parse_strict="silent")


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
    """Whether a column has one number or one text a row."""
    repeat, kind = re.match(r"\s*(\d*)([A-Z])", column.format.upper()).groups()
    return not column.dim and (kind == "A" or (repeat in ("", "1") and kind not in "PQX"))


def _narrow(header: fits.Header, places: list[int], rows: int, width: int) -> fits.Header:
    """Header of a table with the columns at these places alone."""
    from astropy.io import fits

    new = fits.Header([("XTENSION", "BINTABLE"), ("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", width), ("NAXIS2", rows)])
    new.update({"PCOUNT": 0, "GCOUNT": 1, "TFIELDS": len(places)})
    for number, place in enumerate(places, start=1):
        told = [key for key in _OF_A_COLUMN if f"{key}{place + 1}" in header]
        new.update({f"{key}{number}": header[f"{key}{place + 1}"] for key in told})
    return new
