"""The published map (Table 1 and its long version) as a table: made from map_{frame}.csv, and read from any format."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gaia_offsets.core.faults import TableError
from gaia_offsets.publish.fields import COLUMNS_OF, META, TABLE1, Field, extended
from gaia_offsets.sky.positions import pixel_centre, to_equatorial, to_galactic
from gaia_offsets.tables.fits import table_hdu
from gaia_offsets.tables.formats import readable, refuse_folder, table_format
from gaia_offsets.tables.text import csv_table
from gaia_offsets.tables.values import floats, unit_factor
from gaia_offsets.tables.votable import plain_table, read_ecsv, read_votable

if TYPE_CHECKING:
    from astropy.table import Table


def by_parallax(offsets: pd.DataFrame, pixels: pd.Index) -> dict[str, pd.DataFrame]:
    """Rows of map_{frame}.csv, of one class, for the given pixels, one each: `raw` and `corrected`."""
    return {
        parallax: offsets[offsets["parallax"] == parallax].set_index("hindex").reindex(pixels)
        for parallax in COLUMNS_OF
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
        names = COLUMNS_OF[parallax]
        rows = rows.where(rows["n"] > more_than)  # a pixel may hold fewer stars with an official zero point
        table[names.value], table[names.error] = floats(rows, "gaussian_mean"), floats(rows, "gaussian_mean_error")
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


def read_dataset(path: str | Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A dataset in any of its formats: the table in its units, and the metadata (empty for CSV).

    Raises TableError (one line) for a file that is not such a dataset.

    >>> table, meta = read_dataset("equatorial.ecsv")
    >>> meta["nside"], meta["ordering"], len(table)
    (4, 'nested', 88)
    >>> table[["hindex", "domega_noncorr", "e_domega_noncorr", "n"]].head(2)
       hindex  domega_noncorr  e_domega_noncorr   n
    0       0          -30.00              5.00  60
    1       1          -30.25              5.01  61
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
        frame[field.name] = values.astype(np.int64) if field.decimals is None else np.round(values, field.decimals)
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
    notes: dict[str, str] = {}
    key = ""
    for line in text.partition("\n---")[2].splitlines():
        start = re.fullmatch(r"Note \(\d+\): (\w+) = (.*)", line)
        if start:
            key, notes[start[1]] = start.groups()
        elif key and line.startswith("    "):
            notes[key] += " " + line.strip()
        else:
            key = ""
    return notes


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
