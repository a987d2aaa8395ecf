"""Some columns of a FITS table, packed or not, block by block: memory holds those columns, never the file."""

from __future__ import annotations

import gzip
import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from astropy.io import fits
    from astropy.table import Table

BLOCK = 1 << 24  # bytes of rows at a time
_OF_A_COLUMN = ("TTYPE", "TFORM", "TUNIT", "TNULL", "TSCAL", "TZERO", "TDISP")


def read_columns(path: Path, wanted: Collection[str] | None) -> Table:
    """The wanted columns (all where null) of the first table of a FITS file, `.fits` or `.fits.gz`; no vectors.

    Raises ValueError where the file has no table or ends before its last row.
    """
    from astropy.io import fits
    from astropy.table import Table

    with fits.open(path, memmap=True) as hdus:
        hdu = next((hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)), None)
        if hdu is None:
            raise ValueError("no table in the file")
        if isinstance(hdu, fits.TableHDU):  # ASCII tables are small
            table = Table.read(hdu, format="fits", unit_parse_strict="silent")
            return table[[name for name in table.colnames if wanted is None or name in wanted]]
        places = [place for place, column in enumerate(hdu.columns) if _scalar(column)]
        places = [place for place in places if wanted is None or hdu.columns[place].name in wanted]
        rows, width, start = hdu.header["NAXIS2"], hdu.header["NAXIS1"], hdu.fileinfo()["datLoc"]
        fields = hdu.columns.dtype
        names = [fields.names[place] for place in places]
        kinds = [fields[name].newbyteorder(">") for name in names]
        offsets = [fields.fields[name][1] for name in names]
        header = _narrow(hdu.header, places, rows, sum(kind.itemsize for kind in kinds))
    whole = np.dtype({"names": names, "formats": kinds, "offsets": offsets, "itemsize": width})
    head = header.tostring().encode("ascii")
    narrow = np.dtype(list(zip(names, kinds, strict=True)))
    file = bytearray(len(head) + -(-rows * narrow.itemsize // 2880) * 2880)  # a FITS file in memory, of these columns
    file[: len(head)] = head
    packed = np.frombuffer(file, dtype=narrow, count=rows, offset=len(head))
    at_once = max(BLOCK // width, 1)
    block, values = b"", packed[:0]
    with (gzip.open if path.name.lower().endswith(".gz") else open)(path, "rb") as stream:
        stream.seek(start)
        for first in range(0, rows, at_once):
            count = min(at_once, rows - first)
            block = stream.read(count * width)
            if len(block) < count * width:
                raise ValueError(f"cut short: {rows} rows are announced, {first + len(block) // width} are there")
            values = np.frombuffer(block, dtype=whole)
            for name in names:
                packed[name][first : first + count] = values[name]
    del packed, values, block
    content = bytes(file)  # astropy takes nothing else
    del file
    return Table.read(fits.BinTableHDU.fromstring(content, uint=True), format="fits", unit_parse_strict="silent")


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
