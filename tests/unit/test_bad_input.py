"""Bad input that would give a silently wrong number: each case is refused, or told, with the line that stands here."""

# ruff: noqa: E501 - the lines stand here as the user reads them

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import healpy as hp
import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Table

from gaia_offsets import __main__ as command
from gaia_offsets import apply, dataset, published
from gaia_offsets.columns import GAIA
from gaia_offsets.rawfile import check_file, is_due, write_manifest
from gaia_offsets.reference import check_units, reference_parallax
from gaia_offsets.selection import select_stars
from gaia_offsets.sky import check_positions, ecliptic_latitude, pixel_centre, to_galactic
from gaia_offsets.tables import TableError, read_table

ROOT = Path(__file__).resolve().parents[2]


def refusal(work: Callable[[], Any], folder: Path | None = None, error: type[Exception] = TableError) -> str:
    """The one line with which something is refused, without the folder of the test."""
    with pytest.raises(error) as caught:
        work()
    line = str(caught.value).replace(f"{folder}/", "")
    assert len(line.splitlines()) == 1
    return line


# ---------------------------------------------------------------- tables: rows, columns and values

HEAD, ROW = "source_id,ra,dec,parallax\n", "1,10,20,0.5\n"
# Text of a CSV file (or a file by its name), what the config says of its columns, and the line.
TABLES: dict[str, tuple[str, dict[str, Any], str]] = {
    "a value is missing": (
        HEAD + ROW + "2,10,20\n" + ROW,
        {},
        "t.csv: line 3: 3 value(s) for 4 column(s); mend the file, or fetch it again",
    ),
    "a value is missing in the first row": (
        HEAD + "2,10,20\n" + ROW,
        {},
        "t.csv: line 2: 3 value(s) for 4 column(s); mend the file, or fetch it again",
    ),
    "a value too many": (
        HEAD + ROW + "2,10,20,0.5,9\n",
        {},
        "t.csv: line 3: 5 value(s) for 4 column(s); mend the file, or fetch it again",
    ),
    "a value too many in the first row": (
        HEAD + "7,2,10,20,0.5\n" + ROW,
        {},
        "t.csv: line 2: 5 value(s) for 4 column(s); mend the file, or fetch it again",
    ),
    "the last row is cut": (
        HEAD + ROW + "2,10",
        {},
        "t.csv: line 3: 2 value(s) for 4 column(s); mend the file, or fetch it again",
    ),
    "all rows end in a comma": (
        HEAD + "1,10,20,0.5,\n2,10,20,0.5,\n",
        {},
        "t.csv: line 2: 5 value(s) for 4 column(s); mend the file, or fetch it again",
    ),
    "a comma in a text": (
        "name,parallax\nM 2, north,0.5\n",
        {},
        "t.csv: line 2: 3 value(s) for 2 column(s); mend the file, or fetch it again",
    ),
    "a decimal comma": (
        "name,parallax\nM2,0,5\n",
        {},
        "t.csv: line 2: 3 value(s) for 2 column(s); mend the file, or fetch it again",
    ),
    "a short row after an empty line": (
        HEAD + ROW + "\n" + "2,10\n",
        {},
        "t.csv: line 4: 2 value(s) for 4 column(s); mend the file, or fetch it again",
    ),
    "a short row after a text of two lines": (
        'name,parallax\n"M\n2",0.5\nM3\n',
        {},
        "t.csv: line 4: 1 value(s) for 2 column(s); mend the file, or fetch it again",
    ),
    "a short row in a file of Windows": (
        (HEAD + ROW + "2,10\n").replace("\n", "\r\n"),
        {},
        "t.csv: line 3: 2 value(s) for 4 column(s); mend the file, or fetch it again",
    ),
    "a short row between bars": (
        (HEAD + ROW + "2,10\n").replace(",", "|"),
        {},
        "t.csv: line 3: 2 value(s) for 4 column(s); mend the file, or fetch it again",
    ),
    "a short row between tabs": (
        (HEAD + ROW + "2,10\n").replace(",", "\t"),
        {},
        "t.csv: line 3: 2 value(s) for 4 column(s); mend the file, or fetch it again",
    ),
    "a short row between semicolons": (
        (HEAD + ROW + "2,10\n").replace(",", ";"),
        {},
        "t.csv: line 3: 2 value(s) for 4 column(s); mend the file, or fetch it again",
    ),
    "a short row after a byte order mark": (
        "\ufeff" + HEAD + "2,10\n",
        {},
        "t.csv: line 2: 2 value(s) for 4 column(s); mend the file, or fetch it again",
    ),
    "a short row of a packed file": (
        "short.csv.gz",
        {},
        "short.csv.gz: line 52: 2 value(s) for 4 column(s); mend the file, or fetch it again",
    ),
    "a packed file that is cut": (
        "cut.csv.gz",
        {},
        "cut.csv.gz: cannot be read as a csv table (Compressed file ended before the end-of-stream marker was reached)",
    ),
    "an open quote": (
        'name,parallax\n"M2,0.5\nM3,0.6\n',
        {},
        "t.csv: line 3: damaged (unexpected end of data); mend the file, or fetch it again",
    ),
    "an open quote at the end": (
        'parallax,name\n0.5,"M2\n0.6,M3\n',
        {},
        "t.csv: cannot be read as a csv table (Error tokenizing data. C error: EOF inside string starting at row 1)",
    ),
    "no header": ("\n" + ROW, {}, "t.csv: is no csv table: its first line, which should name the columns, is empty"),
    "a column twice": (
        "parallax,ra,parallax\n0.5,10,0.6\n",
        {},
        "t.csv: the column 'parallax' stands more than once; name each column once",
    ),
    "a column three times": (
        "ra,ra,ra\n1,2,3\n",
        {},
        "t.csv: the column 'ra' stands more than once; name each column once",
    ),
    "a column twice that nobody asks for": (
        "note,parallax,note\na,0.5,b\n",
        {},
        "t.csv: the column 'note' stands more than once; name each column once",
    ),
    "a column twice between bars": (
        "parallax|ra|parallax\n0.5|10|0.6\n",
        {},
        "t.csv: the column 'parallax' stands more than once; name each column once",
    ),
    "a column twice in FITS": (
        "twice.fits",
        {},
        "twice.fits: the column 'parallax' stands more than once; name each column once",
    ),
    "a column twice in Parquet": (
        "twice.parquet",
        {},
        "twice.parquet: cannot be read as a parquet table (Multiple matches for FieldRef.Name(parallax) in parallax: double)",
    ),
    "a FITS file that is cut": (
        "cut.fits",
        {},
        "cut.fits: cannot be read as a fits table (cut short: 500 rows are announced, 135 are there)",
    ),
    "declination beyond the pole": (
        "dec\n91\n",
        {},
        "t.csv: column 'dec': 1 of 1 rows outside -90 to 90 deg for 'dec', the first 91; is it the right column, in the right unit?",
    ),
    "right ascension beyond a turn": (
        "ra\n10\n370\n",
        {},
        "t.csv: column 'ra': 1 of 2 rows outside 0 to 360 deg for 'ra', the first 370; is it the right column, in the right unit?",
    ),
    "-999 as a parallax": (
        "parallax\n0.5\n-999\n",
        {},
        "t.csv: column 'parallax': 1 of 2 rows outside -300 to 1000 mas for 'parallax', the first -999; is it the right column, in the right unit?",
    ),
    "1e20 as a parallax": (
        "parallax\n0.5\n1e20\n",
        {},
        "t.csv: column 'parallax': 1 of 2 rows outside -300 to 1000 mas for 'parallax', the first 1e+20; is it the right column, in the right unit?",
    ),
    "parallax in uas": (
        "parallax\n450\n1520\n",
        {},
        "t.csv: column 'parallax': 1 of 2 rows outside -300 to 1000 mas for 'parallax', the first 1520; is it the right column, in the right unit?",
    ),
    "error of the parallax in uas": (
        "parallax_error\n20\n450\n",
        {},
        "t.csv: column 'parallax_error': 2 of 2 rows outside 0 to 10 mas for 'parallax_error', the first 20; is it the right column, in the right unit?",
    ),
    "99.99 as a magnitude": (
        "phot_g_mean_mag\n12\n99.99\n",
        {},
        "t.csv: column 'phot_g_mean_mag': 1 of 2 rows outside -2 to 25 mag for 'phot_g_mean_mag', the first 99.99; is it the right column, in the right unit?",
    ),
    "-99 as a colour": (
        "bp_rp\n1.1\n-99\n",
        {},
        "t.csv: column 'bp_rp': 1 of 2 rows outside -10 to 15 mag for 'bp_rp', the first -99; is it the right column, in the right unit?",
    ),
    "-999 as a distance": (
        "distance\n1.1\n-999\n",
        {},
        "t.csv: column 'distance': 1 of 2 rows outside 0 to 1e+06 kpc for 'distance', the first -999; is it the right column, in the right unit?",
    ),
    "1e20 as a distance": (
        "distance\n1.1\n1e20\n",
        {},
        "t.csv: column 'distance': 1 of 2 rows outside 0 to 1e+06 kpc for 'distance', the first 1e+20; is it the right column, in the right unit?",
    ),
    "-1 as an error": (
        "distance_error\n-1\n",
        {},
        "t.csv: column 'distance_error': 1 of 1 rows outside 0 to 1e+06 kpc for 'distance_error', the first -1; is it the right column, in the right unit?",
    ),
    "99.99 as a modulus": (
        "distance_modulus\n10\n99.99\n",
        {},
        "t.csv: column 'distance_modulus': 1 of 2 rows outside -10 to 40 mag for 'distance_modulus', the first 99.99; is it the right column, in the right unit?",
    ),
    "0 as a source": (
        "source_id\n0\n",
        {},
        "t.csv: column 'source_id': 1 of 1 rows outside 1 to 9.22337e+18  for 'source_id', the first 0; is it the right column, in the right unit?",
    ),
    "a source as a fraction": (
        "source_id\n1.5\n",
        {},
        "t.csv: column 'source_id': fractions where whole numbers are expected",
    ),
    "a source through float64": (
        "source_id\n4.611686018427388e18\n",
        {},
        "t.csv: column 'source_id': 1 of 1 identifiers are stored as floating-point numbers above 2**53 and have lost digits; write them as 64-bit integers or text",
    ),
    "text where numbers are": (
        "parallax\nlow\n",
        {},
        "t.csv: column 'parallax' holds text where numbers of 'parallax' are expected, the first 'low' in row 1",
    ),
    "an unknown unit": (
        "d\n4\n",
        {"distance": {"column": "d", "unit": "furlongs"}},
        "t.csv: column 'd': unit 'furlongs' is not known; write it as astropy does, e.g. 'kpc', 'mas', 'deg'",
    ),
    "a unit of something else": (
        "d\n4\n",
        {"distance": {"column": "d", "unit": "mag"}},
        "t.csv: column 'd': unit 'mag' cannot be converted to 'kpc'",
    ),
    "VizieR's name and the archive's": (
        "Plx,parallax\n0.5,0.6\n",
        {},
        "t.csv: 'parallax' and 'Plx' could both be the 'parallax'; write `parallax: parallax` in `columns:` or `parallax: Plx` in `columns:`",
    ),
}


def table_file(folder: Path, content: str) -> Path:
    """A file with this content, or the one that has this name."""
    path = folder / (content if content.endswith((".gz", ".fits", ".parquet")) else "t.csv")
    packed = gzip.compress((HEAD + 50 * ROW + "2,10\n").encode(), mtime=0)
    if content == "short.csv.gz":
        path.write_bytes(packed)
    elif content == "cut.csv.gz":
        path.write_bytes(packed[:-12])
    elif content.endswith(".fits"):
        columns = [fits.Column(name, "D", array=np.arange(500.0)) for name in ("parallax", "ra", "dec")]
        fits.BinTableHDU.from_columns(columns).writeto(path)
        if content == "twice.fits":
            fits.setval(path, "TTYPE3", value="parallax", ext=1)
        else:
            path.write_bytes(path.read_bytes()[:9000])
    elif content.endswith(".parquet"):
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table([[0.5], [0.6]], names=["parallax", "parallax"]), path)
    else:
        path.write_bytes(content.encode())
    return path


@pytest.mark.parametrize("case", TABLES)
def test_a_table_is_refused(case: str, tmp_path: Path) -> None:
    content, columns, line = TABLES[case]
    assert refusal(lambda: read_table(table_file(tmp_path, content), columns, vizier=GAIA), tmp_path) == line


# ---------------------------------------------------------------- positions


def sky(n: int = 60) -> pd.DataFrame:
    """Stars all over the sky with every column that tells of a position, as Gaia gives them."""
    random = np.random.default_rng(14)
    ra, dec = random.uniform(0, 360, n), np.degrees(np.arcsin(random.uniform(-1, 1, n)))
    pixel = hp.ang2pix(4096, ra, dec, nest=True, lonlat=True)
    l, b = to_galactic(ra, dec)  # noqa: E741
    table = pd.DataFrame({"source_id": pd.array((pixel << 35) + 128 * random.integers(1, 2**20, n), dtype="Int64")})
    return table.assign(ra=ra, dec=dec, l=l, b=b, ecl_lat=ecliptic_latitude(ra, dec))


IDS, GALACTIC, ECLIPTIC = ["l", "b", "ecl_lat"], ["source_id", "ecl_lat"], ["source_id", "l", "b"]  # columns to drop
# The columns to leave out, what is wrong with the others, and the line.
POSITIONS: dict[str, tuple[list[str], Callable[[pd.DataFrame], dict[str, Any]], str]] = {
    "ra in hours": (
        IDS,
        lambda t: {"ra": t["ra"] / 15},
        "t.csv: positions: ra, dec of 60 of 60 rows disagree with the pixels in source_id, by 56.9 deg in the median; are they swapped, in hours or in radians, or are these columns of something else? Correct `columns:` of the table in the config",
    ),
    "ra and dec in radians": (
        IDS,
        lambda t: {"ra": np.radians(t["ra"]), "dec": np.radians(t["dec"])},
        "t.csv: positions: ra, dec of 60 of 60 rows disagree with the pixels in source_id, by 90.2 deg in the median; are they swapped, in hours or in radians, or are these columns of something else? Correct `columns:` of the table in the config",
    ),
    "dec in radians": (
        IDS,
        lambda t: {"dec": np.radians(t["dec"])},
        "t.csv: positions: ra, dec of 59 of 60 rows disagree with the pixels in source_id, by 32.1 deg in the median; are they swapped, in hours or in radians, or are these columns of something else? Correct `columns:` of the table in the config",
    ),
    "ra and dec swapped": (
        IDS,
        lambda t: {"ra": t["dec"] % 360, "dec": t["ra"] / 4},
        "t.csv: positions: ra, dec of 60 of 60 rows disagree with the pixels in source_id, by 102 deg in the median; are they swapped, in hours or in radians, or are these columns of something else? Correct `columns:` of the table in the config",
    ),
    "ra from -180 to 180, cut": (
        IDS,
        lambda t: {"ra": t["ra"].clip(0, 180)},
        "t.csv: positions: ra, dec of 36 of 60 rows disagree with the pixels in source_id, by 59.5 deg in the median; are they swapped, in hours or in radians, or are these columns of something else? Correct `columns:` of the table in the config",
    ),
    "dec without its sign": (
        IDS,
        lambda t: {"dec": t["dec"].abs()},
        "t.csv: positions: ra, dec of 35 of 60 rows disagree with the pixels in source_id, by 72.8 deg in the median; are they swapped, in hours or in radians, or are these columns of something else? Correct `columns:` of the table in the config",
    ),
    "l, b for ra, dec": (
        IDS,
        lambda t: {"ra": t["l"], "dec": t["b"]},
        "t.csv: positions: ra, dec of 60 of 60 rows disagree with the pixels in source_id, by 94.3 deg in the median; are they swapped, in hours or in radians, or are these columns of something else? Correct `columns:` of the table in the config",
    ),
    "rows of another order": (
        IDS,
        lambda t: {"source_id": t["source_id"].to_numpy()[::-1]},
        "t.csv: positions: ra, dec of 60 of 60 rows disagree with the pixels in source_id, by 85.7 deg in the median; are they swapped, in hours or in radians, or are these columns of something else? Correct `columns:` of the table in the config",
    ),
    "numbers of another survey": (
        IDS,
        lambda t: {"source_id": t["source_id"] // 7},
        "t.csv: positions: ra, dec of 60 of 60 rows disagree with the pixels in source_id, by 95 deg in the median; are they swapped, in hours or in radians, or are these columns of something else? Correct `columns:` of the table in the config",
    ),
    "ra in hours, l and b": (
        GALACTIC,
        lambda t: {"ra": t["ra"] / 15},
        "t.csv: positions: ra, dec of 60 of 60 rows disagree with l, b, by 56.9 deg in the median; are they swapped, in hours or in radians, or are these columns of something else? Correct `columns:` of the table in the config",
    ),
    "l in hours": (
        GALACTIC,
        lambda t: {"l": t["l"] / 15},
        "t.csv: positions: ra, dec of 59 of 60 rows disagree with l, b, by 52.1 deg in the median; are they swapped, in hours or in radians, or are these columns of something else? Correct `columns:` of the table in the config",
    ),
    "l and b swapped": (
        GALACTIC,
        lambda t: {"l": t["b"] % 360, "b": t["l"] / 4},
        "t.csv: positions: ra, dec of 60 of 60 rows disagree with l, b, by 95.2 deg in the median; are they swapped, in hours or in radians, or are these columns of something else? Correct `columns:` of the table in the config",
    ),
    "ra, dec for l, b": (
        GALACTIC,
        lambda t: {"l": t["ra"], "b": t["dec"]},
        "t.csv: positions: ra, dec of 60 of 60 rows disagree with l, b, by 94.3 deg in the median; are they swapped, in hours or in radians, or are these columns of something else? Correct `columns:` of the table in the config",
    ),
    "ecl_lat in radians": (
        ECLIPTIC,
        lambda t: {"ecl_lat": np.radians(t["ecl_lat"])},
        "t.csv: positions: ra, dec of 59 of 60 rows disagree with ecl_lat, by 26.1 deg in the median; are they swapped, in hours or in radians, or are these columns of something else? Correct `columns:` of the table in the config",
    ),
    "dec for ecl_lat": (
        ECLIPTIC,
        lambda t: {"ecl_lat": t["dec"]},
        "t.csv: positions: ra, dec of 59 of 60 rows disagree with ecl_lat, by 19.4 deg in the median; are they swapped, in hours or in radians, or are these columns of something else? Correct `columns:` of the table in the config",
    ),
    "b for ecl_lat": (
        ECLIPTIC,
        lambda t: {"ecl_lat": t["b"]},
        "t.csv: positions: ra, dec of 60 of 60 rows disagree with ecl_lat, by 28.7 deg in the median; are they swapped, in hours or in radians, or are these columns of something else? Correct `columns:` of the table in the config",
    ),
    "l in hours, no ra": (
        ["ra", "dec", "ecl_lat"],
        lambda t: {"l": t["l"] / 15},
        "t.csv: positions: l, b of 59 of 60 rows disagree with the pixels in source_id, by 52.1 deg in the median; are they swapped, in hours or in radians, or are these columns of something else? Correct `columns:` of the table in the config",
    ),
}


@pytest.mark.parametrize("case", POSITIONS)
def test_a_wrong_position_is_refused(case: str) -> None:
    dropped, wrong, line = POSITIONS[case]
    table = sky()
    table = table.assign(**wrong(table)).drop(columns=dropped)
    assert refusal(lambda: check_positions(table, "t.csv")) == line


# What is right, or wrong in a few rows only, and the lines about it.
TOLERATED: dict[str, tuple[Callable[[pd.DataFrame], dict[str, Any]], list[str]]] = {
    "as Gaia gives them": (lambda t: {}, []),
    "ids through float64": (lambda t: {"source_id": t["source_id"].astype(float).astype("Int64")}, []),
    "twenty years of the fastest star": (lambda t: {"dec": t["dec"] - np.sign(t["dec"]) * 0.058}, []),
    "no positions": (lambda t: dict.fromkeys(("ra", "dec", "l", "b", "ecl_lat"), np.nan), []),
    "no ids": (lambda t: {"source_id": pd.array([None] * len(t), dtype="Int64")}, []),
    "numbers that are no Gaia's": (
        lambda t: {"source_id": np.arange(1, 61)},
        ["t.csv: 60 of 60 source_ids are below 2**35, not Gaia's; they tell no position"],
    ),
    "a few rows in hours": (
        lambda t: {"ra": np.where(np.arange(60) < 5, t["ra"] / 15, t["ra"])},
        [
            "t.csv: positions: ra, dec of 5 of 60 rows disagree with l, b, by 80.6 deg in the median",
            "t.csv: positions: ra, dec of 5 of 60 rows disagree with ecl_lat, by 20.8 deg in the median",
            "t.csv: positions: ra, dec of 5 of 60 rows disagree with the pixels in source_id, by 80.6 deg in the median",
        ],
    ),
}


@pytest.mark.parametrize("case", TOLERATED)
def test_what_is_said_of_positions_that_are_kept(case: str) -> None:
    wrong, lines = TOLERATED[case]
    assert check_positions(sky().assign(**wrong(sky())), "t.csv") == lines


def test_every_nth_row_of_a_long_table_is_enough() -> None:
    table = pd.concat([sky()] * 5000, ignore_index=True)
    assert check_positions(table, "t.csv") == []
    assert "of 100000 rows disagree" in refusal(lambda: check_positions(table.assign(ra=table["ra"] / 15), "t.csv"))


# ---------------------------------------------------------------- units


Wrong = dict[str, Callable[[pd.DataFrame], Any]]


def tracers(kind: str, distance: float, wrong: Wrong, n: int = 400) -> pd.DataFrame:
    """Stars about `distance` kpc away, known to 5 %, as select_stars gives them, but for the columns that are wrong."""
    random = np.random.default_rng(41)
    true = random.uniform(0.8, 1.2, n) / distance
    known = np.exp(random.normal(0, 0.05, n)) / true
    table = pd.DataFrame({"parallax": true - 0.03 + random.normal(0, 0.03, n), "parallax_error": 0.03})
    if kind == "constant":
        table = table.assign(parallax=random.normal(-0.02, 0.3, n), parallax_error=0.3)
    table = table.assign(distance=known, distance_error=0.05 * known, reference_parallax=1 / known)
    table = table.assign(distance_modulus=10 + 5 * np.log10(known), distance_modulus_error=0.11)
    table = table.assign(reference_parallax_error=0.05 / known)
    for name, value in wrong.items():
        table[name] = value(table)
    parallax, error = reference_parallax(table, {"kind": kind, "value_mas": 0.0})
    return table.assign(reference_parallax=parallax, reference_parallax_error=error)


def times(factor: float, *names: str) -> Wrong:
    """Columns in another unit."""
    return {name: lambda table, name=name: table[name] * factor for name in names}


NO_ERRORS: Wrong = {"parallax_error": lambda table: np.nan}
# Kind of the reference, distance of the stars [kpc], what is wrong, and the line.
UNITS: dict[str, tuple[str, float, Wrong, str]] = {
    "pc called kpc": (
        "distance",
        1.1,
        times(1e3, "distance"),
        "offsets: the median of 400 stars is +0.892 mas, the median parallax 973 times the reference: beyond any zero point of Gaia; check the units of the parallax and of the reference (mas, kpc) in `columns:` of the sample",
    ),
    "pc called kpc, far": (
        "distance",
        4.4,
        times(1e3, "distance"),
        "offsets: the median of 400 stars is +0.199 mas, the median parallax 871 times the reference: beyond any zero point of Gaia; check the units of the parallax and of the reference (mas, kpc) in `columns:` of the sample",
    ),
    "pc called kpc, very far": (
        "distance",
        20.0,
        times(1e3, "distance"),
        "reference parallax: its median is 5.05e-05 mas, a distance of 1.98e+04 kpc; is it in pc? Say so in `columns:` of the sample; a sample without any parallax has `reference: {kind: constant, value_mas: 0}`",
    ),
    "kpc called pc": (
        "distance",
        4.4,
        times(1e-3, "distance"),
        "offsets: the median of 400 stars is -229.154 mas, the median parallax 0.000871 times the reference: beyond any zero point of Gaia; check the units of the parallax and of the reference (mas, kpc) in `columns:` of the sample",
    ),
    "Mpc called kpc": (
        "distance",
        20.0,
        times(1e-3, "distance"),
        "offsets: the median of 400 stars is -50.423 mas, the median parallax 0.000431 times the reference: beyond any zero point of Gaia; check the units of the parallax and of the reference (mas, kpc) in `columns:` of the sample",
    ),
    "m called kpc": (
        "distance",
        4.4,
        times(3.1e19, "distance"),
        "offsets: the median of 400 stars is +0.200 mas, the median parallax 2.7e+19 times the reference: beyond any zero point of Gaia; check the units of the parallax and of the reference (mas, kpc) in `columns:` of the sample",
    ),
    "a modulus called distance": (
        "distance",
        2.2,
        {"distance": lambda t: t["distance_modulus"]},
        "offsets: the median of 400 stars is +0.347 mas, the median parallax 5.06 times the reference: beyond any zero point of Gaia; check the units of the parallax and of the reference (mas, kpc) in `columns:` of the sample",
    ),
    "a distance called modulus": (
        "distance_modulus",
        2.2,
        {"distance_modulus": lambda t: t["distance"]},
        "offsets: the median of 400 stars is -36.198 mas, the median parallax 0.0118 times the reference: beyond any zero point of Gaia; check the units of the parallax and of the reference (mas, kpc) in `columns:` of the sample",
    ),
    "a distance called parallax": (
        "parallax",
        2.2,
        {"reference_parallax": lambda t: t["distance"]},
        "offsets: the median of 400 stars is -1.763 mas, the median parallax 0.198 times the reference: beyond any zero point of Gaia; check the units of the parallax and of the reference (mas, kpc) in `columns:` of the sample",
    ),
    "the distance's error in pc": (
        "distance",
        4.4,
        times(1e3, "distance_error"),
        "reference_parallax_error: its median is 11.5 mas, the offsets scatter by 0.0319 mas and the reference parallax is 0.229 mas; check the unit of the error in `columns:` of the sample",
    ),
    "the distance's error in Mpc": (
        "distance",
        4.4,
        times(1e-3, "distance_error"),
        "reference_parallax_error: its median is 1.15e-05 mas, the offsets scatter by 0.0319 mas and the reference parallax is 0.229 mas; check the unit of the error in `columns:` of the sample",
    ),
    "distance and error swapped": (
        "distance",
        4.4,
        {"distance": lambda t: t["distance_error"]},
        "offsets: the median of 400 stars is -4.378 mas, the median parallax 0.0435 times the reference: beyond any zero point of Gaia; check the units of the parallax and of the reference (mas, kpc) in `columns:` of the sample",
    ),
    "the modulus' error in mmag": (
        "distance_modulus",
        2.2,
        times(1e3, "distance_modulus_error"),
        "reference_parallax_error: its median is 23.2 mas, the offsets scatter by 0.04 mas and the reference parallax is 0.459 mas; check the unit of the error in `columns:` of the sample",
    ),
    "the modulus' error in kmag": (
        "distance_modulus",
        2.2,
        times(1e-3, "distance_modulus_error"),
        "reference_parallax_error: its median is 2.32e-05 mas, the offsets scatter by 0.04 mas and the reference parallax is 0.459 mas; check the unit of the error in `columns:` of the sample",
    ),
    "reference parallax in uas": (
        "parallax",
        4.4,
        times(1e3, "reference_parallax"),
        "offsets: the median of 400 stars is -229.154 mas, the median parallax 0.000871 times the reference: beyond any zero point of Gaia; check the units of the parallax and of the reference (mas, kpc) in `columns:` of the sample",
    ),
    "reference parallax in arcsec": (
        "parallax",
        4.4,
        times(1e-3, "reference_parallax"),
        "offsets: the median of 400 stars is +0.199 mas, the median parallax 871 times the reference: beyond any zero point of Gaia; check the units of the parallax and of the reference (mas, kpc) in `columns:` of the sample",
    ),
    "its error in uas": (
        "parallax",
        4.4,
        times(1e3, "reference_parallax_error"),
        "reference_parallax_error: its median is 11.5 mas, the offsets scatter by 0.0319 mas and the reference parallax is 0.229 mas; check the unit of the error in `columns:` of the sample",
    ),
    "parallax in uas": (
        "distance",
        4.4,
        times(1e3, "parallax"),
        "offsets: the median of 400 stars is +199.432 mas, the median parallax 871 times the reference: beyond any zero point of Gaia; check the units of the parallax and of the reference (mas, kpc) in `columns:` of the sample",
    ),
    "parallax in arcsec": (
        "distance",
        2.2,
        times(1e-3, "parallax", "parallax_error"),
        "parallax: half of 400 are smaller than 0.005 mas, less than any error of Gaia; are they in arcsec? Say so in `columns:` of the sample",
    ),
    "parallax in arcsec, far": (
        "distance",
        5.0,
        times(1e-3, "parallax", "parallax_error"),
        "parallax: half of 400 are smaller than 0.005 mas, less than any error of Gaia; are they in arcsec? Say so in `columns:` of the sample",
    ),
    "parallax of quasars in arcsec": (
        "constant",
        1.0,
        times(1e-3, "parallax", "parallax_error"),
        "parallax: half of 400 are smaller than 0.005 mas, less than any error of Gaia; are they in arcsec? Say so in `columns:` of the sample",
    ),
    "parallax of quasars in arcsec, no errors": (
        "constant",
        1.0,
        {**times(1e-3, "parallax"), **NO_ERRORS},
        "parallax: half of 400 are smaller than 0.005 mas, less than any error of Gaia; are they in arcsec? Say so in `columns:` of the sample",
    ),
    "parallax of quasars in uas": (
        "constant",
        1.0,
        times(1e3, "parallax", "parallax_error"),
        "offsets: 400 stars scatter by 316 mas, beyond any error of Gaia; check the units of the parallax and of the reference (mas, kpc) in `columns:` of the sample",
    ),
    "the parallax' error in uas": (
        "distance",
        4.4,
        times(1e3, "parallax_error"),
        "parallax_error: its median is 30 mas, the offsets scatter by 0.0319 mas and the reference parallax is 0.229 mas; check the unit of the error in `columns:` of the sample",
    ),
    "the parallax' error in arcsec": (
        "distance",
        4.4,
        times(1e-3, "parallax_error"),
        "parallax_error: its median is 3e-05 mas, the offsets scatter by 0.0319 mas and the reference parallax is 0.229 mas; check the unit of the error in `columns:` of the sample",
    ),
}


@pytest.mark.parametrize("case", UNITS)
def test_a_wrong_unit_is_refused(case: str) -> None:
    kind, distance, wrong, line = UNITS[case]
    assert refusal(lambda: check_units(tracers(kind, distance, wrong))) == line
    check_units(tracers(kind, distance, {}))  # and nothing else is


@pytest.mark.parametrize("distance", [0.2, 1.0, 8.0, 20.0, 50.0, 800.0])
def test_right_units_pass_at_any_distance(distance: float) -> None:
    for kind in ("distance", "distance_modulus", "parallax"):
        check_units(tracers(kind, distance, {}))
        check_units(tracers(kind, distance, NO_ERRORS))
    # As good as Hipparcos: errors as large as the parallaxes, and offsets that scatter by them.
    noise = np.random.default_rng(3).normal(0, 1.0, 400)
    loose = {"reference_parallax": lambda t: t["reference_parallax"] + noise, "reference_parallax_error": lambda t: 1.0}
    check_units(tracers("parallax", distance, loose))


# ---------------------------------------------------------------- values that stand for none


def matched(reference: float, parallax: float = 0.5) -> pd.DataFrame:
    """Ten stars, of which two have this reference parallax and this parallax."""
    table = pd.DataFrame({"source_id": range(1, 11), "ra": 10.0, "dec": 20.0, "astrometric_params_solved": 31})
    odd = np.arange(10) < 2
    return table.assign(parallax=np.where(odd, parallax, 0.5), reference_parallax=np.where(odd, reference, 0.53))


@pytest.mark.parametrize(("reference", "parallax"), [(99.99, 0.5), (0.5, 99.99), (0.5, -99.0), (200.0, 0.5)])
def test_values_that_stand_for_none_are_counted_or_removed(reference: float, parallax: float) -> None:
    def select(**limit: float) -> tuple[pd.DataFrame, list[Any], list[str]]:
        stars, flow, lines, _ = select_stars(matched(reference, parallax), one_row_per=None, cuts=[], **limit)
        return stars, flow.iloc[-1][["criterion", "kept", "removed"]].tolist(), lines

    told = "2 stars with offsets beyond 10 mas are kept; max_offset_mas removes them"
    stars, row, lines = select()
    assert (len(stars), row) == (10, [told, 10, 0])
    assert lines == [f"offsets: {told}; are these values (99.99, -999) that stand for none?"]
    stars, row, lines = select(max_offset_mas=5.0)
    assert (len(stars), row, lines) == (8, ["offset within 5 mas", 8, 2], [])


def test_the_cut_flow_says_how_many_had_no_value() -> None:
    table = matched(0.5).assign(ruwe=[np.nan] * 4 + [1.0] * 4 + [2.0] * 2)
    flow = select_stars(table, one_row_per=None, cuts=[{"column": "ruwe", "op": "<=", "value": 1.4}])[1]
    assert flow["criterion"].tolist()[-2] == "ruwe <= 1.4; 4 of those removed have no value"
    assert flow["removed"].tolist()[-2] == 6


def test_no_row_of_the_cut_flow_without_them() -> None:
    _, flow, lines, _ = select_stars(matched(0.5), one_row_per=None, cuts=[])
    assert flow["criterion"].iloc[-1] == "has a parallax and a reference parallax" and lines == []


# ---------------------------------------------------------------- raw files


SAID = {"urls": ["https://example.org/stars.csv"]}


def change(manifest: Path, **what: Any) -> None:
    write_at(manifest, json.dumps(json.loads(manifest.read_text()) | what), 1_000_001)


def write_at(file: Path, text: str, date: int = 1_000_000) -> None:
    file.write_text(text)
    os.utime(file, (date, date))


# What the config says, and what happened to the file and its manifest: each makes the file due.
RAW: dict[str, tuple[dict[str, Any], Callable[[Path, Path], Any]]] = {
    "another one of as many bytes": ({}, lambda file, _: write_at(file, (HEAD + ROW).replace("0.5", "0.6"), 1_000_002)),
    "cut, of the same date": ({}, lambda file, _: write_at(file, HEAD)),
    "older": ({}, lambda file, _: write_at(file, HEAD + ROW, 900_000)),
    "the manifest is gone": ({}, lambda _, manifest: manifest.unlink()),
    "the manifest is cut": ({}, lambda _, manifest: manifest.write_text('{"sha256": "')),
    "another sha256": ({"sha256": "0" * 64}, lambda *_: None),
    "another size": ({"bytes": 7}, lambda *_: None),
    "another path": ({"path": "mine.csv"}, lambda *_: None),
    "another shipped file": ({"shipped": "giants.csv"}, lambda *_: None),
    "another address": ({"urls": ["https://example.org/new.csv"]}, lambda *_: None),
    "another query": ({"query": "SELECT b"}, lambda _, m: change(m, query="SELECT a")),
    "a file where there was a query": ({}, lambda _, m: change(m, query="SELECT a", url="https://t.org")),
}


@pytest.fixture
def raw(tmp_path: Path) -> tuple[Path, Path]:
    """A raw file and its manifest, which is right."""
    file = tmp_path / "stars.csv"
    write_at(file, HEAD + ROW)
    manifest = tmp_path / "stars.csv.manifest.json"
    write_manifest(manifest, "stars", {}, file, *check_file(file, file.name), url=SAID["urls"][0])
    change(manifest)
    return file, manifest


@pytest.mark.parametrize("case", RAW)
def test_a_raw_file_that_is_not_what_it_should_be_is_due(case: str, raw: tuple[Path, Path]) -> None:
    said, damage = RAW[case]
    damage(*raw)
    assert is_due(raw[0], SAID | said)


def test_a_raw_file_that_is_right_is_not_due(raw: tuple[Path, Path]) -> None:
    file, _ = raw
    digest = hashlib.sha256((HEAD + ROW).encode()).hexdigest()
    assert not is_due(file, SAID) and not is_due(file, SAID | {"bytes": len(HEAD + ROW), "query": None})
    assert not is_due(file, {"urls": []})  # it was put there
    # With a digest in the config it does not matter where the file came from.
    assert not is_due(file, {"urls": [], "sha256": digest.upper(), "path": "elsewhere.csv"})
    file.unlink()
    assert not is_due(file, SAID)  # it is brought anyway


# ---------------------------------------------------------------- maps

FORMS = ("ecsv", "fits", "vot", "parquet", "mrt")


def write_map(
    folder: Path, form: str = "ecsv", wrong: Callable[[pd.DataFrame], Any] | None = None, **more: Any
) -> Path:
    """A map of four pixels, wrong in the values that `wrong` changes in place and the metadata in `more`."""
    pixels = np.arange(4)
    table = pd.DataFrame({"hindex": pixels, **dict.fromkeys(field.name for field in published.TABLE1[1:])})
    table["ra"], table["dec"] = pixel_centre(pixels, nside=4, ordering="nested")
    table["gl"], table["gb"] = to_galactic(table["ra"], table["dec"])
    table = table.assign(domega_noncorr=-30.0, e_domega_noncorr=5.0, domega_corr=2.0, e_domega_corr=5.0, n=60)
    if wrong is not None:
        wrong(table)
    meta = {key: f"some {key}" for key, *_ in published.META if key != "rows"} | {"frame": "equatorial", "nside": 4}
    meta |= {"ordering": "nested", "simulated": False, "more_than": 50, "systematic_uas": 10.3, **more}
    path = folder / f"map.{form}"
    dataset.write_dataset(table, path, published.TABLE1, meta)
    return path


def put(column: str, value: float) -> Callable[[pd.DataFrame], Any]:
    def wrong(table: pd.DataFrame) -> None:
        table.loc[2, column] = value

    return wrong


def twice(table: pd.DataFrame) -> None:
    table.loc[2] = table.loc[1]
    table["hindex"], table["n"] = table["hindex"].astype(int), table["n"].astype(int)


MAPS: dict[str, tuple[Callable[[pd.DataFrame], Any] | None, dict[str, Any], str]] = {
    "a pixel twice": (
        twice,
        {},
        "map.ecsv: column 'hindex': 1 of 4 pixels are wrong, the first 1; each should stand once; take the map as it was published",
    ),
    "a pixel of another place": (
        put("hindex", 77),
        {},
        "map.ecsv: 1 of 4 pixel centres do not lie in their pixel for frame equatorial, nside 4 and ordering nested; give those of the map",
    ),
    "an offset of 1e9 uas": (
        put("domega_noncorr", 1e9),
        {},
        "map.ecsv: column 'domega_noncorr': 1 of 4 pixels are wrong, the first 1e+09; each should be within 10000 uas; take the map as it was published",
    ),
    "an offset that stands for none": (
        put("domega_noncorr", -999.0),
        {},
        "map.ecsv: column 'domega_noncorr': 1 of 4 pixels are wrong, the first -999; each should be null where there is no offset; take the map as it was published",
    ),
    "an offset of -1e9 uas": (
        put("domega_noncorr", -1e9),
        {},
        "map.ecsv: column 'domega_noncorr': 1 of 4 pixels are wrong, the first -1e+09; each should be within 10000 uas; take the map as it was published",
    ),
    "offsets in mas": (
        put("domega_noncorr", 30000.0),
        {},
        "map.ecsv: column 'domega_noncorr': 1 of 4 pixels are wrong, the first 30000; each should be within 10000 uas; take the map as it was published",
    ),
    "a negative error": (
        put("e_domega_noncorr", -5.0),
        {},
        "map.ecsv: column 'e_domega_noncorr': 1 of 4 pixels are wrong, the first -5; each should be 0 to 10000 uas; take the map as it was published",
    ),
    "no error": (
        put("e_domega_noncorr", np.nan),
        {},
        "map.ecsv: column 'e_domega_noncorr': 1 of 4 pixels are wrong, the first nan; each should be 0 to 10000 uas; take the map as it was published",
    ),
    "an error of 1e9 uas": (
        put("e_domega_noncorr", 1e9),
        {},
        "map.ecsv: column 'e_domega_noncorr': 1 of 4 pixels are wrong, the first 1e+09; each should be 0 to 10000 uas; take the map as it was published",
    ),
    "a negative number of stars": (
        put("n", -1),
        {},
        "map.ecsv: column 'n': 1 of 4 pixels are wrong, the first -1; each should be 0 or more; take the map as it was published",
    ),
    "a negative floor": (
        None,
        {"systematic_uas": -1.0},
        "map.ecsv: a systematic floor of -1.0 uas; it should be 0 or more",
    ),
    "a floor that is none": (
        None,
        {"systematic_uas": float("nan")},
        "map.ecsv: a systematic floor of nan uas; it should be 0 or more",
    ),
    "an infinite floor": (
        None,
        {"systematic_uas": float("inf")},
        "map.ecsv: a systematic floor of inf uas; it should be 0 or more",
    ),
    "an nside of 5": (None, {"nside": 5}, "map.ecsv: nside 5 is not a power of two"),
    "an unknown frame": (
        None,
        {"frame": "ecliptic"},
        "map.ecsv: unknown frame 'ecliptic'; known are equatorial and galactic",
    ),
    "the other ordering": (
        None,
        {"ordering": "ring"},
        "map.ecsv: 4 of 4 pixel centres do not lie in their pixel for frame equatorial, nside 4 and ordering ring; give those of the map",
    ),
}


@pytest.mark.parametrize("case", MAPS)
def test_a_map_is_refused(case: str, tmp_path: Path) -> None:
    wrong, meta, line = MAPS[case]
    path = write_map(tmp_path, wrong=wrong, **meta)
    assert refusal(lambda: apply.read_map(path, parallax="raw"), tmp_path) == line


def drop_last_row(path: Path) -> None:
    """The file again without its last row, by means that know nothing of what is in it."""
    if path.suffix == ".fits":
        with fits.open(path) as hdus:
            hdus[1].data = hdus[1].data[:-1]
            hdus.writeto(path, overwrite=True)
    elif path.suffix == ".vot":
        from astropy.io.votable import parse

        file = parse(path)
        table = next(file.iter_tables())
        table.array = table.array[:-1]
        file.to_xml(str(path), tabledata_format="tabledata")
    elif path.suffix == ".parquet":
        import pyarrow.parquet as pq

        pq.write_table(pq.read_table(path).slice(0, 3), path)
    else:
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


@pytest.mark.parametrize("form", FORMS)
def test_a_map_with_a_row_less_is_refused(form: str, tmp_path: Path) -> None:
    path = write_map(tmp_path, form)
    assert len(apply.read_map(path, parallax="raw").pixels) == 4
    drop_last_row(path)
    line = f"map.{form}: has 3 rows where its metadata say 4; take the whole file"
    assert refusal(lambda: apply.read_map(path, parallax="raw"), tmp_path) == line


# ---------------------------------------------------------------- gaia-offsets apply

STARS = "ra,dec,parallax\n" + "45,5,0.5\n" * 30


def two_tables(path: Path) -> None:
    from astropy.io.votable import from_table, parse
    from astropy.io.votable.tree import TableElement

    file = from_table(Table.read(STARS, format="ascii.csv"))
    other = parse(path) if path.exists() else from_table(Table({"a": [1]}))
    assert isinstance(other.resources[0].tables[0], TableElement)
    file.resources.append(other.resources[0])
    file.to_xml(str(path))


def alike(path: Path, *more: str) -> None:
    names = ("ra", "dec", "parallax", *more)
    fits.BinTableHDU.from_columns([fits.Column(name, "D", array=np.full(30, 0.5)) for name in names]).writeto(path)


def with_an_image(path: Path) -> None:
    table = fits.table_to_hdu(Table.read(STARS, format="ascii.csv"))
    fits.HDUList([fits.PrimaryHDU(), table, fits.ImageHDU(np.ones((3, 3)), name="SKY")]).writeto(path)


def parquet(path: Path, **columns: Any) -> None:
    pd.DataFrame({"ra": [45.0], "dec": 5.0, "parallax": 0.5} | columns).to_parquet(path)


def twice_in_parquet(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table([[45.0], [5.0], [0.5], [0.6]], names=["ra", "dec", "parallax", "parallax"]), path)


# Name of the catalogue, its text or how it is made, name of the output, further options, and the line.
APPLY: dict[str, tuple[str, str | Callable[[Path], Any], str, list[str], str]] = {
    "a column twice": (
        "c.csv",
        STARS.replace("ra,", "parallax,", 1),
        "o.csv",
        [],
        "c.csv: the column 'parallax' stands more than once; name each column once",
    ),
    "a column twice, other format": (
        "c.csv",
        STARS.replace("ra,", "parallax,", 1),
        "o.fits",
        [],
        "c.csv: the column 'parallax' stands more than once; name each column once",
    ),
    "a column twice in Parquet": (
        "c.parquet",
        twice_in_parquet,
        "o.parquet",
        [],
        "c.parquet: the column 'parallax' stands more than once; name each column once",
    ),
    "a short row": (
        "c.csv",
        STARS + "45,5\n",
        "o.csv",
        [],
        "c.csv: line 32: 2 value(s) for 3 column(s); mend the file, or fetch it again",
    ),
    "a short row, other format": (
        "c.csv",
        STARS + "45,5\n",
        "o.ecsv",
        [],
        "c.csv: line 32: 2 value(s) for 3 column(s); mend the file, or fetch it again",
    ),
    "a long row": (
        "c.csv",
        STARS + "45,5,0.5,7\n",
        "o.csv",
        [],
        "c.csv: line 32: 4 value(s) for 3 column(s); mend the file, or fetch it again",
    ),
    "an open quote": (
        "c.csv",
        STARS + '45,5,"0.5\n45,5,0.5\n',
        "o.csv",
        [],
        "c.csv: column 'parallax' holds text where numbers of 'parallax' are expected, the first '0.5\\n45,5,0.5\\n' in row 31",
    ),
    "an open quote in a text": (
        "c.csv",
        STARS.replace("\n", ",M2\n") + '45,5,0.5,"M3\n45,5,0.5,M4\n',
        "o.csv",
        [],
        "c.csv: line 33: damaged (unexpected end of data); mend the file, or fetch it again",
    ),
    "names that differ in case": (
        "c.fits",
        lambda p: alike(p, "RA"),
        "o.fits",
        [],
        "c.fits: FITS does not tell the columns 'ra' and 'RA' apart; rename one of them",
    ),
    "names that differ in case, other format": (
        "c.fits",
        lambda p: alike(p, "RA"),
        "o.csv",
        [],
        "c.fits: FITS does not tell the columns 'ra' and 'RA' apart; rename one of them",
    ),
    "a name like one to be added": (
        "c.fits",
        lambda p: alike(p, "MAP_FLAG"),
        "o.fits",
        [],
        "c.fits: FITS does not tell the columns 'MAP_FLAG' and 'map_flag' apart; rename one of them",
    ),
    "names that FITS cannot tell apart": (
        "c.parquet",
        lambda p: parquet(p, RA=1.0),
        "o.fits",
        [],
        "the output: FITS does not tell the columns 'ra' and 'RA' apart; rename one of them",
    ),
    "an image that would be lost": (
        "c.fits",
        with_an_image,
        "o.csv",
        [],
        "c.fits: holds 2 HDUs with data (number 1, SKY); give the output a name that ends in .fits, so that none is lost",
    ),
    "a table that would be lost": (
        "c.vot",
        two_tables,
        "o.vot",
        [],
        "c.vot: holds 2 tables; write each to a file of its own",
    ),
    "parallaxes in arcsec": (
        "c.csv",
        STARS.replace("0.5", "0.0005"),
        "o.csv",
        [],
        "c.csv: 30 of 30 parallaxes in column 'parallax' are smaller than 0.005 mas; are they in arcsec? Then say so: --unit parallax=arcsec, or `columns:`",
    ),
    "parallaxes in arcsec in FITS": (
        "c.csv",
        STARS.replace("0.5", "0.0005"),
        "o.fits",
        [],
        "c.csv: 30 of 30 parallaxes in column 'parallax' are smaller than 0.005 mas; are they in arcsec? Then say so: --unit parallax=arcsec, or `columns:`",
    ),
    "parallaxes in uas": (
        "c.csv",
        STARS.replace("0.5", "5000"),
        "o.csv",
        [],
        "c.csv: column 'parallax': 30 of 30 rows outside -300 to 1000 mas for 'parallax', the first 5000; is it the right column, in the right unit?",
    ),
    "-999 for no parallax": (
        "c.csv",
        STARS + "45,5,-999\n",
        "o.csv",
        [],
        "c.csv: column 'parallax': 1 of 31 rows outside -300 to 1000 mas for 'parallax', the first -999; is it the right column, in the right unit?",
    ),
    "1e20 for no parallax": (
        "c.csv",
        STARS + "45,5,1e20\n",
        "o.csv",
        [],
        "c.csv: column 'parallax': 1 of 31 rows outside -300 to 1000 mas for 'parallax', the first 1e+20; is it the right column, in the right unit?",
    ),
    "text for no parallax": (
        "c.csv",
        STARS + "45,5,none given\n",
        "o.csv",
        [],
        "c.csv: column 'parallax' holds text where numbers of 'parallax' are expected, the first 'none given' in row 31",
    ),
    "a negative floor": (
        "c.csv",
        STARS,
        "o.csv",
        ["--systematic", "-1"],
        "map.ecsv: a systematic floor of -1.0 uas; it should be 0 or more",
    ),
    "a floor that is none": (
        "c.csv",
        STARS,
        "o.csv",
        ["--systematic", "nan"],
        "map.ecsv: a systematic floor of nan uas; it should be 0 or more",
    ),
    "an infinite floor": (
        "c.csv",
        STARS,
        "o.csv",
        ["--systematic", "inf"],
        "map.ecsv: a systematic floor of inf uas; it should be 0 or more",
    ),
    "the map as output": (
        "c.csv",
        STARS,
        "map.ecsv",
        ["--overwrite"],
        "map.ecsv: is the map itself, which is never overwritten; choose another output",
    ),
    "the catalogue as output": (
        "c.csv",
        STARS,
        "c.csv",
        ["--overwrite"],
        "c.csv: is the catalogue itself, which is never overwritten; choose another output",
    ),
    "the map under another name": (
        "c.csv",
        STARS,
        "link.ecsv",
        ["--overwrite"],
        "link.ecsv: is the map itself, which is never overwritten; choose another output",
    ),
    "an output that is there": (
        "c.csv",
        STARS,
        "there.csv",
        [],
        "there.csv: exists already; remove it, or give --overwrite",
    ),
    "an empty catalogue": (
        "c.csv",
        "",
        "o.csv",
        [],
        "c.csv: is no csv table: its first line, which should name the columns, is empty",
    ),
}


@pytest.mark.parametrize("case", APPLY)
def test_a_catalogue_is_refused_and_nothing_is_touched(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, content, output, options, line = APPLY[case]
    offsets, catalogue = write_map(tmp_path), tmp_path / name
    (tmp_path / "link.ecsv").symlink_to(offsets)
    (tmp_path / "there.csv").write_text("mine")
    (tmp_path / f"{output}.part").write_text("mine too")
    if callable(content):
        content(catalogue)
    else:
        catalogue.write_text(content)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert command.main(["apply", str(offsets), str(catalogue), str(tmp_path / output), *options]) == 1
    said = capsys.readouterr().err.replace(f"{tmp_path}/", "")
    assert said.count("\n") == 1 and said.strip() == line
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_file_that_is_called_part_stays(tmp_path: Path) -> None:
    catalogue, mine = tmp_path / "c.csv", tmp_path / "o.csv.part"
    catalogue.write_text(STARS)
    mine.write_text("mine")
    assert command.main(["apply", str(write_map(tmp_path)), str(catalogue), str(tmp_path / "o.csv")]) == 0
    assert mine.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.csv", "map.ecsv", "o.csv", "o.csv.part"]


@pytest.mark.parametrize("form", ["csv", "csv.gz", "fits", "parquet", "vot", "ecsv"])
def test_text_that_looks_like_a_number_survives(form: str, tmp_path: Path) -> None:
    catalogue, output = tmp_path / "c.csv", tmp_path / f"o.{form}"
    catalogue.write_text("name,ra,dec,parallax,count\n00000,45,5,0.5,7\n007,45,5,0.5,8\n12,45,5,0.5,9\n")
    assert command.main(["apply", str(write_map(tmp_path)), str(catalogue), str(output)]) == 0
    if form.startswith("csv"):
        back = pd.read_csv(output, dtype={"name": str})
    else:
        kind = {"fits": "fits", "parquet": "parquet", "vot": "votable", "ecsv": "ascii.ecsv"}[form]
        back = Table.read(output, format=kind).to_pandas()
    names = [name.decode() if isinstance(name, bytes) else name for name in back["name"]]
    assert names == ["00000", "007", "12"] and back["count"].tolist() == [7, 8, 9]
    assert back["map_flag"].tolist() == [0, 0, 0]


def test_other_hdus_survive(tmp_path: Path) -> None:
    catalogue, output = tmp_path / "c.fits", tmp_path / "o.fits.gz"
    table = fits.table_to_hdu(Table.read(STARS, format="ascii.csv"))
    primary, other = fits.PrimaryHDU(np.arange(6.0).reshape(2, 3)), Table({"a": [1, 2] * u.mas})
    fits.HDUList([primary, table, fits.table_to_hdu(other), fits.ImageHDU(np.ones((3, 3)))]).writeto(catalogue)
    assert command.main(["apply", str(write_map(tmp_path)), str(catalogue), str(output)]) == 0
    with fits.open(output) as hdus, fits.open(catalogue) as originals:
        hdus.verify("exception")
        assert len(hdus) == 4 and (hdus[1].data["map_flag"] == 0).all()
        for place in (0, 2, 3):
            assert hdus[place].header == originals[place].header
            assert hdus[place].data.tobytes() == originals[place].data.tobytes()
