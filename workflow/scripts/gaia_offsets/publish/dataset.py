"""The published map (Table 1 and its long version): one table and one description of its columns, in many formats."""

from __future__ import annotations

import re
import textwrap
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gaia_offsets.core.faults import TableError
from gaia_offsets.publish.fields import (
    ENDINGS,
    FITS_UNITS,
    META,
    OFFSETS,
    TABLE1,
    VO_UNITS,
    Field,
    extended,
    worded,
    zero_point_words,
)
from gaia_offsets.sky.positions import COORDSYS, pixel_centre, to_equatorial, to_galactic
from gaia_offsets.tables.fits import table_hdu
from gaia_offsets.tables.formats import readable, refuse_folder, table_format
from gaia_offsets.tables.text import csv_table
from gaia_offsets.tables.values import unit_factor
from gaia_offsets.tables.votable import plain_table, read_ecsv, read_votable

if TYPE_CHECKING:
    from astropy.io.fits import Column, HDUList, Header
    from astropy.table import Table
COOSYS = {"pos.eq.": "ICRS", "pos.galactic.": "galactic"}  # systems of VOTable 1.4, by UCD
# Letters that are no accented ones.
SPELT = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D"}
    | {"\N{EN DASH}": "-", "\N{RIGHT SINGLE QUOTATION MARK}": "'"}
)


def by_parallax(offsets: pd.DataFrame, pixels: pd.Index) -> dict[str, pd.DataFrame]:
    """Rows of map_{frame}.csv, of one class, for the given pixels, one each: `raw` and `corrected`."""
    return {
        parallax: offsets[offsets["parallax"] == parallax].set_index("hindex").reindex(pixels) for parallax in ENDINGS
    }


def table1(
    offsets: pd.DataFrame, *, solution: str, frame: str, nside: int, ordering: str, more_than: int
) -> pd.DataFrame:
    """The paper's Table 1: the columns TABLE1, sorted by hindex.

    `offsets` is map_{frame}.csv. Pixels with more than `more_than` stars of `solution` with a known raw offset;
    corrected columns are null where not more than `more_than` stars have an official zero point. Numbers are rounded
    here, so that every format holds the same.
    """
    offsets = offsets[offsets["solution"] == solution]
    raw = offsets[(offsets["parallax"] == "raw") & (offsets["n"] > more_than)]
    pixels = pd.Index(np.sort(raw["hindex"].to_numpy(dtype=np.int64)), name="hindex")
    table = at_centres(pixels, frame=frame, nside=nside, ordering=ordering)
    for parallax, rows in by_parallax(offsets, pixels).items():
        kind = ENDINGS[parallax]
        rows = rows.where(rows["n"] > more_than)  # a pixel may hold fewer stars with an official zero point
        table[f"domega_{kind}"] = rows["gaussian_mean"].to_numpy(dtype=float)
        table[f"e_domega_{kind}"] = rows["gaussian_mean_error"].to_numpy(dtype=float)
        if parallax == "raw":
            table["n"] = rows["n"].to_numpy().astype(np.int64)
    return rounded(table, TABLE1)


def at_centres(pixels: pd.Index, *, frame: str, nside: int, ordering: str) -> pd.DataFrame:
    """A table with the pixels as `hindex` and their centres: ra, dec, gl, gb [deg]."""
    centre = pixel_centre(pixels.to_numpy(), nside=nside, ordering=ordering)
    ra, dec = centre if frame == "equatorial" else to_equatorial(*centre)
    gl, gb = centre if frame == "galactic" else to_galactic(*centre)
    return pd.DataFrame({"hindex": pixels, "ra": ra, "dec": dec, "gl": gl, "gb": gb})


def rounded(table: pd.DataFrame, fields: Sequence[Field]) -> pd.DataFrame:
    """The columns that the fields name, in their order and with their decimals."""
    decimals = {field.name: field.decimals for field in fields if field.decimals is not None}
    # The sum turns -0.0 into 0.0, which not every format tells apart.
    return table[[field.name for field in fields]].round(decimals) + 0


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
    elif path.suffix == ".vot":
        _write_votable(described, path)
    elif path.suffix == ".fits":
        _write_fits(described, path)
    else:
        described.write(path, format={".ecsv": "ascii.ecsv", ".csv": "ascii.csv", ".parquet": "parquet"}[path.suffix])


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


def _write_fits(described: Table, path: Path) -> None:
    from astropy.io import fits

    codes = {"i": "K", "f": "D"}
    columns = []
    for name in described.colnames:
        column = described[name]
        values = column.filled(np.nan) if hasattr(column, "filled") else column
        unit = None if column.unit is None else str(column.unit)
        code = codes[column.dtype.kind]
        columns.append(fits.Column(name, code, unit=FITS_UNITS.get(unit, unit), array=np.asarray(values)))
    about = [(described[name].description, described[name].meta["ucd"]) for name in described.colnames]
    _write_pixels(columns, about, path, described.meta)


def write_map(table: pd.DataFrame, path: str | Path, *, parallax: str, meta: Mapping[str, Any]) -> None:
    """Partial-sky HEALPix map for `raw` or `corrected`: OFFSET and ERROR [uas] and N of the pixels of Table 1."""
    from astropy.io import fits

    kind = ENDINGS[parallax]
    table = table[table[f"domega_{kind}"].notna()]
    unit = FITS_UNITS["uas"]
    columns = [
        fits.Column("PIXEL", "K", array=table["hindex"].to_numpy()),
        fits.Column("OFFSET", "D", unit=unit, array=table[f"domega_{kind}"].to_numpy()),
        fits.Column("ERROR", "D", unit=unit, array=table[f"e_domega_{kind}"].to_numpy()),
        fits.Column("N", "J", array=table["n"].to_numpy()),
    ]
    correction = zero_point_words(meta.get("official"))
    meanings = (
        "HEALPix index of the pixel",
        OFFSETS[parallax].format(correction=correction),
        "statistical error of OFFSET",
    )
    meanings = (*meanings, f"number of {meta['solution']} stars")
    ucds = {field.name: field.ucd for field in TABLE1}
    about = zip(meanings, (ucds[name] for name in ("hindex", f"domega_{kind}", f"e_domega_{kind}", "n")), strict=True)
    _write_pixels(columns, about, path, {**meta, "rows": len(table)}, parallax)


def _write_pixels(
    columns: list[Column],
    about: Iterable[tuple[str, str]],
    path: str | Path,
    meta: Mapping[str, Any],
    parallax: str | None = None,
) -> None:
    """A FITS table of pixels; `about` has meaning and UCD of each column."""
    from astropy.io import fits

    hdu = fits.BinTableHDU.from_columns(columns, name="OFFSETS")
    for number, (meaning, ucd) in enumerate(about, start=1):
        hdu.header[f"TCOMM{number}"], hdu.header[f"TUCD{number}"] = meaning, ucd
    hdu.header.extend(healpix_header(meta, meta["rows"]), update=True)
    if parallax:
        hdu.header["PARALLAX"] = (parallax, f"raw: published; corrected: {meta.get('official')}")
    Path(path).write_bytes(fits_bytes(fits.HDUList([fits.PrimaryHDU(), hdu])))


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


def read_dataset(path: str | Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A dataset in any of its formats: the table in its units, and the metadata (empty for CSV).

    Raises TableError (one line) for a file that is not such a dataset.
    """
    path = Path(path)
    form = "mrt" if path.suffix == ".mrt" else table_format(path)
    with readable(path, f"a dataset in {form}"):
        refuse_folder(path)
        table, meta = _read_any(path, form)
        table = plain_table(table)
    meta = typed(meta, path)
    if meta.get("rows", len(table)) != len(table):
        raise TableError(f"{path}: has {len(table)} rows where its metadata say {meta['rows']}; take the whole file")
    lacking = [field.name for field in TABLE1 if field.name not in table.colnames]
    if lacking:
        raise TableError(f"{path}: no column {lacking[0]!r}; is this a file of results/*/dataset/?")
    frame = {}
    others = (name.removeprefix("n_") for name in table.colnames if name.startswith("n_"))
    for field in (field for field in extended(others) if field.name in table.colnames):
        column = table[field.name]
        if column.dtype.kind not in "fiu":
            raise TableError(f"{path}: column {field.name!r} holds {column.dtype}, not numbers")
        values = np.ma.filled(np.ma.asarray(column.data).astype(float), np.nan)
        if column.unit is not None and field.unit:
            values = values * unit_factor(str(column.unit), field.unit, f"{path}: column {field.name!r}")
        elif field.decimals is None and (wrong := int((values != np.rint(values)).sum())):
            raise TableError(f"{path}: column {field.name!r}: {wrong} values are missing or no whole numbers")
        if field.decimals is not None:
            values = np.round(values, field.decimals)
        frame[field.name] = values if field.decimals is not None else values.astype(np.int64)
    return pd.DataFrame(frame), meta


def _read_any(path: Path, form: str) -> tuple[Table, dict[str, Any]]:
    from astropy.table import Table

    if form == "fits":
        from astropy.io import fits

        with warnings.catch_warnings(), fits.open(path) as hdus:
            warnings.simplefilter("ignore")  # units that FITS does not know, TOPCAT's uas among them
            number, hdu = table_hdu(hdus, path, {field.name for field in TABLE1})
            table, header = Table.read(hdus, format="fits", hdu=number), hdu.header
        meta = {key: header[keyword] for key, keyword, _ in META if keyword in header}
        if "ordering" in meta:
            meta["ordering"] = str(meta["ordering"]).lower()
        return table, meta
    if form == "votable":
        table, element = read_votable(path)
        return table, {info.name: info.value for info in element.infos}
    if form == "mrt":
        text = path.read_text(encoding="ascii")
        return Table.read(text, format="ascii.mrt"), _notes(text)
    reader = {"ecsv": read_ecsv, "csv": csv_table, "parquet": partial(Table.read, format="parquet")}[form]
    table = reader(path)
    return table, dict(table.meta)


def _notes(text: str) -> dict[str, str]:
    """Metadata of a machine-readable table: its notes `Note (1): key = value`, each with its continuations."""
    found: dict[str, str] = {}
    key = ""
    for line in text.partition("\n---")[2].splitlines():
        start = re.fullmatch(r"Note \(\d+\): (\w+) = (.*)", line)
        if start:
            key, found[start[1]] = start.groups()
        elif key and line.startswith("    "):
            found[key] += " " + line.strip()
        else:
            key = ""
    return found


_TRUTH = {"true": True, "false": False}
_KINDS: dict[str, tuple[Callable[[str], Any], str]] = {
    "simulated": (lambda text: _TRUTH[text.lower()], "true or false"),
    **dict.fromkeys(("nside", "more_than", "rows"), (int, "a whole number")),
    "systematic_uas": (float, "a number"),
}


def typed(meta: Mapping[str, Any], where: str | Path) -> dict[str, Any]:
    """The keys of META that are known, in their own types; TableError for a value of another type."""
    known = {key: meta[key] for key, *_ in META if meta.get(key) is not None}
    for key, value in known.items():
        read, kind = _KINDS.get(key, (str, "a text"))
        try:
            if isinstance(value, list | dict):
                raise ValueError
            known[key] = read(str(value).strip())
        except (KeyError, ValueError):
            raise TableError(f"{where}: its {key} is {value!r}; it should be {kind}") from None
    return known
