"""Columns added to a FITS table piece by piece, and FITS as a whole for a change of format.

Rows are spliced byte by byte. The library fitsio was tried: it copies bit columns as bytes, scaled ones as floats, and
loses TNULL.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from gaia_offsets.core.faults import TableError
from gaia_offsets.core.log import progress, say
from gaia_offsets.publish.fields import FITS_UNITS
from gaia_offsets.tables.fits import (
    ascii_table,
    columnar_table,
    fits_names,
    is_columnar,
    read_columns,
    table_hdu,
    with_nulls,
)
from gaia_offsets.tables.formats import new_file, open_bytes
from gaia_offsets.tables.votable import astropy_column

if TYPE_CHECKING:
    from astropy.table import Table

    from gaia_offsets.correct.correction import Correction

PIECE = 1 << 24  # bytes that are copied at a time
# numpy's and FITS's kind of the new columns; the others are floats, >f8 and D.
KINDS = {"map_n": (">i4", "J"), "map_flag": ("u1", "B")}
VOTABLE = "the VOTable in its primary HDU, which describes the table without the new columns, is left out"


def stream_fits(catalogue: Path, part: Path, work: Correction, chunk: int, *, packed: bool) -> None:
    """Rows are copied as bytes and the new columns appended to each: no column of the catalogue is touched.

    So are the HDUs before the first binary table and after it.
    """
    from astropy.io import fits

    with warnings.catch_warnings(), fits.open(catalogue, memmap=False, lazy_load_hdus=True) as hdus:
        warnings.simplefilter("ignore")  # a file that is too short is refused below, in one line
        _, hdu = table_hdu(hdus, catalogue)
        columns, header, place = hdu.columns, hdu.header.copy(), hdu.fileinfo()
        described = hdus[0].header.get("VOTMETA") and hdus[0].fileinfo()["datLoc"] + hdus[0].fileinfo()["datSpan"]
    work.start(columns.names, {column.name: column.unit for column in columns if column.unit}, catalogue)
    refuse_alike([*fits_names(header), *(field.name for field in work.fields)], catalogue)
    width, rows, tail = header["NAXIS1"], header["NAXIS2"], header["PCOUNT"]
    added = np.dtype([(field.name, KINDS.get(field.name, (">f8",))[0]) for field in work.fields])
    _extend_header(header, work, added.itemsize)
    with open_bytes(catalogue) as source, new_file(part, packed=packed) as target:
        if described:
            say(f"{catalogue}: {VOTABLE}")
            target.write(fits.PrimaryHDU().header.tostring().encode("ascii"))
            source.seek(described)
        _copy(source, target, place["hdrLoc"] - (described or 0))
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
        _copy(source, target, tail)  # gap and heap of columns of variable length
        target.write(bytes(-(rows * header["NAXIS1"] + tail) % 2880))
        source.seek(place["datLoc"] + place["datSpan"])
        shutil.copyfileobj(source, target)


def _extend_header(header: Any, work: Correction, width: int) -> None:
    """Add the new columns, `width` bytes of a row, to the header of a table, and where they come from."""
    for keyword in ("CHECKSUM", "DATASUM"):
        header.remove(keyword, ignore_missing=True)
    for number, field in enumerate(work.fields, start=header["TFIELDS"] + 1):
        header[f"TTYPE{number}"] = field.name
        header[f"TFORM{number}"] = KINDS.get(field.name, (">f8", "D"))[1]
        if field.unit:
            header[f"TUNIT{number}"] = FITS_UNITS.get(field.unit, field.unit)
        header[f"TCOMM{number}"] = field.meaning
        header[f"TUCD{number}"] = field.ucd
    if "CONTINUE" in str(header):
        header.set("LONGSTRN", "OGIP 1.0", "long texts go on in CONTINUE cards")
    header["TFIELDS"] += len(work.fields)
    if "THEAP" in header:
        header["THEAP"] += header["NAXIS2"] * width
    header["NAXIS1"] += width
    for key, value in work.about().items():
        header.add_history(f"gaia_offsets {key}: {value}".encode("ascii", "replace").decode())


def _copy(source: IO[bytes], target: IO[bytes], size: int) -> None:
    for first in range(0, size, PIECE):
        target.write(_exactly(source, min(PIECE, size - first)))


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise TableError(f"{getattr(stream, 'name', 'the file')}: ends too early; it is not complete")
    return data


def read_whole_only(catalogue: Path) -> bool:
    """Whether a FITS table has no rows of bytes to copy: an ASCII table, or one in whole columns."""
    from astropy.io import fits

    with fits.open(catalogue) as hdus:
        _, hdu = table_hdu(hdus, catalogue)
        return isinstance(hdu, fits.TableHDU) or is_columnar(hdu)


def read_fits(catalogue: Path) -> Table:
    """The one table of the file; TableError where it holds more that another format has no room for."""
    from astropy.io import fits
    from astropy.table import Table

    with warnings.catch_warnings(), fits.open(catalogue) as hdus:
        warnings.simplefilter("ignore")
        number, hdu = table_hdu(hdus, catalogue)
        refuse_alike(fits_names(hdu.header), catalogue)
        parts = enumerate(hdus)
        full = [hdu.name or f"number {i}" for i, hdu in parts if hdu.header["NAXIS"] and hdu.header.get("NAXIS1")]
        if hdus[0].header.get("VOTMETA"):
            full.remove(hdus[0].name)
            say(f"{catalogue}: {VOTABLE}")
        if len(full) > 1:
            others = f"{catalogue}: holds {len(full)} HDUs with data ({', '.join(full)})"
            raise TableError(f"{others}; give the output a name that ends in .fits, so that none is lost")
        if isinstance(hdu, fits.TableHDU):
            return ascii_table(hdu)
        return columnar_table(hdu) if is_columnar(hdu) else with_nulls(Table.read(hdus, format="fits", hdu=number), hdu)


def refuse_alike(names: Sequence[str], where: str | Path) -> None:
    """Raise TableError where FITS could not tell two columns apart, because their names differ only in case or not."""
    first: dict[str, str] = {}
    for name in filter(None, names):
        if name.casefold() in first:
            other = first[name.casefold()]
            raise TableError(
                f"{where}: FITS does not tell the columns {other!r} and {name!r} apart; rename one of them"
            )
        first[name.casefold()] = name
