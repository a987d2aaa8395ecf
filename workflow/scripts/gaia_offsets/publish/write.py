"""The published map written in many formats, from one description of its columns; the same table, the same bytes."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gaia_offsets.publish.fields import COLUMNS_OF, FITS_UNITS, META, OFFSETS, TABLE1, VO_UNITS, Field, worded
from gaia_offsets.sky.positions import COORDSYS
from gaia_offsets.tables.formats import ASTROPY, table_format

if TYPE_CHECKING:
    from astropy.io.fits import HDUList, Header
    from astropy.table import Table

COOSYS = {"pos.eq.": "ICRS", "pos.galactic.": "galactic"}  # systems of VOTable 1.4, by UCD
# Letters that are no accented ones.
SPELT = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D"}
    | {"\N{EN DASH}": "-", "\N{RIGHT SINGLE QUOTATION MARK}": "'"}
)


def as_astropy(table: pd.DataFrame, fields: Sequence[Field], meta: Mapping[str, Any]) -> Table:
    """The table with units, formats, descriptions, UCDs and metadata; nulls are masked."""
    from astropy.table import Column, MaskedColumn, Table

    columns = []
    for field in fields:
        values = table[field.name].to_numpy()
        about = {
            "name": field.name,
            "unit": field.unit or None,
            "description": field.meaning,
            "meta": {"ucd": field.ucd},
        }
        if field.decimals is not None:
            about["format"] = f"%.{field.decimals}f"
        null = np.isnan(values) if field.decimals is not None else np.zeros(len(values), dtype=bool)
        columns.append(MaskedColumn(values, mask=null, **about) if null.any() else Column(values, **about))
    return Table(columns, meta=dict(meta))


def write_dataset(table: pd.DataFrame, path: str | Path, fields: Sequence[Field], meta: Mapping[str, Any]) -> None:
    """Write a table in the format of the file's ending: .ecsv, .fits, .csv, .mrt, .vot or .parquet.

    The same table gives the same bytes: no dates. A CSV file has no room for the metadata.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    fields = worded(fields, meta)
    described = as_astropy(table, fields, {**meta, "rows": len(table)})
    if path.suffix == ".mrt":
        path.write_text(plain_ascii(machine_readable(table, fields, meta)), encoding="ascii")
    elif (form := table_format(path)) == "votable":
        _write_votable(described, path)
    elif form == "fits":
        _write_fits(described, path)
    else:
        described.write(path, format=ASTROPY[form])


def healpix_header(meta: Mapping[str, Any], pixels: int) -> Header:
    """FITS header of a partial-sky HEALPix table of so many pixels, with the metadata.

    The keywords are those that healpy writes for a partial map, and OBS_NPIX, which chealpix looks for.
    """
    from astropy.io import fits

    header = fits.Header()
    header["PIXTYPE"] = ("HEALPIX", "HEALPix pixels")
    header["INDXSCHM"] = ("EXPLICIT", "the first column is the index of the pixel")
    header["OBJECT"] = ("PARTIAL", "part of the sky")
    header["OBS_NPIX"] = (pixels, "number of pixels")
    header["COORDSYS"] = (COORDSYS[meta["frame"]], "C equatorial (ICRS), G Galactic")
    for key, keyword, meaning in META:
        if key not in meta:
            continue
        value = meta[key].upper() if key == "ordering" else meta[key]
        header[keyword] = plain_ascii(value) if isinstance(value, str) else (value, meaning)
    return header


def fits_bytes(hdus: HDUList) -> bytes:
    """A FITS file with DATASUM and CHECKSUM in each HDU, undated, and LONGSTRN where a text takes several cards."""
    for hdu in hdus:
        if "CONTINUE" in str(hdu.header):
            hdu.header.set("LONGSTRN", "OGIP 1.0", "long texts go on in CONTINUE cards")
        hdu.add_checksum(when="")
    stream = BytesIO()
    hdus.writeto(stream)
    return stream.getvalue()


def plain_ascii(text: str) -> str:
    """The text for files that hold ASCII only (FITS headers, machine-readable tables): letters lose their accents.

    A letter that has no such form becomes `?`.
    """
    spelt = unicodedata.normalize("NFKD", text.translate(SPELT))
    return "".join(letter for letter in spelt if not unicodedata.combining(letter)).encode("ascii", "replace").decode()


def _write_fits(described: Table, path: Path, parallax: str | None = None) -> None:
    """A FITS table of pixels; `parallax` where it holds the map of one alone."""
    from astropy.io import fits

    columns, codes = [], {"i8": "K", "i4": "J", "f8": "D"}
    for column in described.itercols():
        values = column.filled(np.nan) if hasattr(column, "filled") else column
        unit = None if column.unit is None else FITS_UNITS.get(str(column.unit), str(column.unit))
        columns.append(fits.Column(column.name, codes[column.dtype.str[1:]], unit=unit, array=np.asarray(values)))
    hdu = fits.BinTableHDU.from_columns(columns, name="OFFSETS")
    for number, column in enumerate(described.itercols(), start=1):
        hdu.header[f"TCOMM{number}"], hdu.header[f"TUCD{number}"] = column.description, column.meta["ucd"]
    hdu.header.extend(healpix_header(described.meta, len(described)), update=True)
    if parallax:
        hdu.header["PARALLAX"] = (parallax, f"raw: published; corrected: {described.meta.get('official')}")
    path.write_bytes(fits_bytes(fits.HDUList([fits.PrimaryHDU(), hdu])))


def write_map(table: pd.DataFrame, path: str | Path, *, parallax: str, meta: Mapping[str, Any]) -> None:
    """Partial-sky HEALPix map for `raw` or `corrected`: OFFSET and ERROR [uas] and N of the pixels of Table 1."""
    names, ucds = COLUMNS_OF[parallax], {field.name: field.ucd for field in TABLE1}
    fields = (
        Field("PIXEL", "", None, "HEALPix index of the pixel", ucds["hindex"]),
        Field("OFFSET", "uas", 3, OFFSETS[parallax], ucds[names.value]),
        Field("ERROR", "uas", 3, "statistical error of OFFSET", ucds[names.error]),
        Field("N", "", None, "number of {solution} stars", ucds["n"]),
    )
    rows = table.loc[table[names.value].notna(), ["hindex", names.value, names.error, "n"]]
    rows = rows.set_axis([field.name for field in fields], axis=1).astype({"N": "int32"})
    _write_fits(as_astropy(rows, worded(fields, meta), {**meta, "rows": len(rows)}), Path(path), parallax)


def _write_votable(described: Table, path: Path) -> None:
    from astropy.io.votable.tree import CooSys, Info, Param, VOTableFile

    described = described.copy()
    for name in described.colnames:
        unit = described[name].unit
        described[name].unit = VO_UNITS.get(str(unit), unit)
    file = VOTableFile.from_table(described)
    resource, table = file.resources[0], file.resources[0].tables[0]
    resource.coordinate_systems.extend(CooSys(ID=system, system=system) for system in COOSYS.values())
    for field in table.fields:
        field.ref = next((system for ucd, system in COOSYS.items() if field.ucd.startswith(ucd)), None)
    grid = {
        "LEVEL": ("int", described.meta["nside"].bit_length() - 1),
        "ISNEST": ("boolean", described.meta["ordering"] == "nested"),
        "COLNAME": ("char", described.colnames[0]),
        "CSYS": ("char", COORDSYS[described.meta["frame"]]),
    }
    for name, (kind, value) in grid.items():  # how STIL (TOPCAT, STILTS) marks a HEALPix map
        more = {"arraysize": "*"} if kind == "char" else {}
        table.params.append(Param(file, name=f"STIL_HPX_{name}", datatype=kind, value=value, **more))
    table.name, table.description = described.meta["sample"], described.meta["title"]
    table.infos.extend(Info(name=key, value=str(described.meta[key])) for key, *_ in META)
    text = BytesIO()
    file.to_xml(text)
    content = text.getvalue()
    if len(described) == 0:
        # astropy leaves DATA out where there are no rows, and then STIL sees no table.
        content = content.replace(b"<INFO", b"<DATA><TABLEDATA></TABLEDATA></DATA>\n   <INFO", 1)
    path.write_bytes(content)


def _wrap(text: str, **indents: str) -> str:
    indents = {"subsequent_indent": "    "} | indents
    return textwrap.fill(text, 80, break_on_hyphens=False, break_long_words=False, **indents)


def machine_readable(table: pd.DataFrame, fields: Sequence[Field], meta: Mapping[str, Any]) -> str:
    """A machine-readable table as the AAS journals and the CDS ask for: byte-by-byte description, notes, rows.

    Widths do not fall below what every format needs, so that an empty table has a description, too.
    """
    texts, rows, start = [], [], 1
    for field in fields:
        values = table[field.name]
        spec = "d" if field.decimals is None else f".{field.decimals}f"
        column = ["" if value != value else f"{value:{spec}}" for value in values.tolist()]
        width = max([len(text) for text in column] + [len(field.name), (field.decimals or 0) + 5])
        kind = f"I{width}" if field.decimals is None else f"F{width}.{field.decimals}"
        unit = VO_UNITS.get(field.unit, field.unit) or "---"
        null = "? " if values.isna().any() else ""
        head = f"{start:4d}-{start + width - 1:4d} {kind:<6} {unit:<7} {field.name:<16} "
        rows.append(_wrap(null + field.meaning, initial_indent=head, subsequent_indent=" " * len(head)))
        texts.append([f"{text:>{width}}" for text in column])
        start += width + 1
    line, meta = "-" * 80, {**meta, "rows": len(table)}
    # "Note (1):" and so on, or STILTS takes the lines for rows.
    notes = [_wrap(f"Note ({number}): {key} = {meta[key]}") for number, (key, *_) in enumerate(META, start=1)]
    lines = [
        _wrap(f"Title: {meta['title']}"),
        _wrap(f"Authors: {meta['authors']}"),
        "Table: Offsets of the parallax in HEALPix pixels",
        "=" * 80,
        "Byte-by-byte Description of file: table.dat",
        line,
        f"{'Bytes':>9} {'Format':<6} {'Units':<7} {'Label':<16} Explanations",
        line,
        *rows,
        line,
        *notes,
        line,
        *(" ".join(row) for row in zip(*texts, strict=True)),
    ]
    return "\n".join(lines) + "\n"
