"""The same bad input at every door for tables of stars: kind by door, refused or told in the same words."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table
from unit.test_apply import write_map

from gaia_offsets import __main__ as command
from gaia_offsets.apply import correct_table
from gaia_offsets.columns import GAIA
from gaia_offsets.faults import TableError
from gaia_offsets.sky import ecliptic_latitude, pixel_index
from gaia_offsets.star_table import check_stars
from gaia_offsets.tables import read_table

N = 30


def stars() -> pd.DataFrame:
    """Stars with all columns that Gaia gives, in one place of the northern sky, all of them right."""
    random = np.random.default_rng(8)
    ra, dec = random.uniform(290, 294, N), random.uniform(37, 43, N)
    pixel = pixel_index(ra, dec, nside=4096, ordering="nested")
    table = pd.DataFrame({"source_id": (pixel << 35) + 128 + np.arange(N)})
    table = table.assign(ra=ra, dec=dec, ecl_lat=ecliptic_latitude(ra, dec), parallax=random.uniform(0.3, 1.5, N))
    table = table.assign(parallax_error=random.uniform(0.01, 0.03, N), phot_g_mean_mag=random.uniform(10, 14, N))
    table = table.assign(nu_eff_used_in_astrometry=1.45, pseudocolour=np.nan, astrometric_params_solved=31, ruwe=1.0)
    return table.assign(designation=[f"Gaia DR3 {number}" for number in table["source_id"]])


def sample(path: Path, folder: Path, capsys: Any) -> str:
    for line in check_stars(read_table(path, vizier=GAIA, required=("source_id", "parallax")), path, epoch=2016.0):
        print(line)
    said = capsys.readouterr()
    return said.out + said.err


def at_command(*words: Any) -> Callable[[Path, Path, Any], str]:
    """A door of the command; `map`, `in` and `out` stand for files."""

    def run(path: Path, folder: Path, capsys: Any) -> str:
        files = {"map": write_map(folder), "in": path, "out": folder / "out.csv"}
        code = command.main([str(files.get(word, word)) for word in words])
        said = capsys.readouterr().err
        if code:
            assert said.count("\n") == 1 and not files["out"].exists()
            raise TableError(said)
        return said

    return run


def in_python(path: Path, folder: Path, capsys: Any) -> str:
    table = pd.read_csv(path) if path.suffix == ".csv" else Table.read(path)
    correct_table(table, None, correction="lindegren2021", inflate=True)
    return capsys.readouterr().err


DOORS: dict[str, Callable[[Path, Path, Any], str]] = {
    "sample": sample,
    "zero point": at_command("apply", "-", "in", "out", "--correction", "lindegren2021", "--inflate"),
    "map": at_command("apply", "map", "in", "out"),
    "mean": at_command("mean", "in"),
    "python": in_python,
}
FILE = "a table in memory is no file"
LATER = "check_units looks at offsets and errors together when the reference is there (test_bad_input.UNITS)"
UNREAD = "the column is not read here"


def change(**columns: Callable[[pd.DataFrame], Any]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda table: table.assign(**{name: value(table) for name, value in columns.items()})


def one(name: str, value: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The value in the third row."""
    return change(**{name: lambda table: table[name].astype(object).where(np.arange(N) != 2, value)})


# What is wrong, words of the line, and why a door needs none; "told" where the door says it and goes on.
Kind = tuple[Callable[[pd.DataFrame], pd.DataFrame], str, dict[str, str]]
KINDS: dict[str, Kind] = {
    "parallax in uas": (change(parallax=lambda t: 1e3 * t["parallax"]), "outside -300 to 1000 mas for 'parallax'", {}),
    "parallax in arcsec": (
        change(parallax=lambda t: 1e-3 * t["parallax"]),
        "smaller than 0.005 mas; are they in arcsec",
        {"sample": LATER},
    ),
    "parallax -999": (one("parallax", -999), "the first -999; is it the right column", {}),
    "parallax a word": (one("parallax", "low"), "the first 'low' in row 3", {}),
    "parallax true or false": (
        change(parallax=lambda t: t["parallax"] > 1),
        "where numbers of 'parallax' are expected",
        {},
    ),
    "error in uas": (
        change(parallax_error=lambda t: 1e3 * t["parallax_error"]),
        "outside 0 to 10 mas for 'parallax_error'",
        {"map": UNREAD},
    ),
    "error in arcsec": (
        change(parallax_error=lambda t: 1e-3 * t["parallax_error"]),
        "errors in column 'parallax_error' are smaller than 0.003 mas",
        {"sample": LATER, "map": UNREAD},
    ),
    "error -0.02": (one("parallax_error", -0.02), "the first -0.02", {"map": UNREAD}),
    "error 1e20": (one("parallax_error", 1e20), "the first 1e+20", {"map": UNREAD}),
    "error 0": (
        one("parallax_error", 0),
        "told: 1 error(s) of 0 are taken as unknown",
        {"map": UNREAD},
    ),
    "G 99.99": (one("phot_g_mean_mag", 99.99), "the first 99.99", {"map": UNREAD, "mean": UNREAD}),
    "RUWE -999": (one("ruwe", -999), "the first -999", {"map": UNREAD, "mean": UNREAD}),
    "ra in hours": (change(ra=lambda t: t["ra"] / 15), "rows disagree with", {}),
    "ra and dec in radians": (
        change(ra=lambda t: np.radians(t["ra"]), dec=lambda t: np.radians(t["dec"])),
        "rows disagree with",
        {},
    ),
    "ra and dec swapped": (change(ra=lambda t: t["dec"], dec=lambda t: t["ra"] - 270), "rows disagree with", {}),
    "ecl_lat in radians": (change(ecl_lat=lambda t: np.radians(t["ecl_lat"])), "disagree with ecl_lat", {}),
    "ecl_lat -999": (one("ecl_lat", -999), "the first -999", {}),
    "dec 99": (one("dec", 99), "the first 99", {}),
    "DR2 by its names": (
        change(designation=lambda t: t["designation"].str.replace("DR3", "DR2")),
        "rows are of another release: designation is DR2",
        {"map": "this map does not say of which release it is", "mean": "a mean is that of any release"},
    ),
    "DR2 by its epoch": (
        change(ref_epoch=lambda t: 2015.5),
        "rows are of another release: ref_epoch is 2015.5",
        {"map": "this map does not say of which release it is", "mean": "a mean is that of any release"},
    ),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_at_every_door(kind: str, door: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong, words, reasons = KINDS[kind]
    path = tmp_path / "t.csv"
    wrong(stars()).to_csv(path, index=False)
    if door in reasons:
        return
    if words.startswith("told: "):
        assert words.removeprefix("told: ") in DOORS[door](path, tmp_path, capsys)
        return
    with pytest.raises(TableError) as caught:
        DOORS[door](path, tmp_path, capsys)
    assert words in str(caught.value)


@pytest.mark.parametrize("door", DOORS)
def test_right_stars_pass_every_door_in_silence(door: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stars().to_csv(tmp_path / "t.csv", index=False)
    said = DOORS[door](tmp_path / "t.csv", tmp_path, capsys)
    assert "disagree" not in said and "release" not in said and "unknown" not in said


ERROR = b'<INFO name="QUERY_STATUS" value="ERROR">no such column</INFO></RESOURCE></VOTABLE>'
# Files that hold no whole table, and the words of the line.
FILES: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "cut at the service's limit": (
        "t.vot",
        lambda b: b.replace(b"</TABLE>", b'</TABLE><INFO name="QUERY_STATUS" value="OVERFLOW"/>'),
        "is not whole: the service cut it",
    ),
    "an error of the service": (
        "t.vot",
        lambda b: b[: b.index(b"<TABLE")] + ERROR,
        "an error of the service: no such column",
    ),
    "half a FITS file": ("t.fits", lambda b: b[:6000], "t.fits: "),
    "a page": ("t.parquet", lambda b: b"<html>log in</html>", "t.parquet: cannot be"),
    "no ECSV": ("t.ecsv", lambda b: b"<html>log in</html>", "is no ECSV file: it begins with '<html>"),
    "a short row": ("t.csv", lambda b: b + b"1,2\n", "line 32: 2 value(s) for 12 column(s)"),
    "UTF-16": ("t.csv", lambda b: b.decode().encode("utf-16"), "'utf-8' codec can't decode"),
}


@pytest.mark.parametrize("door", [name for name in DOORS if name != "python"])  # FILE
@pytest.mark.parametrize("case", FILES)
def test_every_broken_file_at_every_door(case: str, door: str, tmp_path: Path, capsys: Any) -> None:
    name, damage, words = FILES[case]
    formats = {".vot": "votable", ".fits": "fits", ".parquet": "parquet", ".ecsv": "ascii.ecsv", ".csv": "ascii.csv"}
    path = tmp_path / name
    table = Table.from_pandas(stars())
    table["designation"] = np.array(stars()["designation"].tolist())
    table.write(path, format=formats[path.suffix])
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(TableError) as caught:
        DOORS[door](path, tmp_path, capsys)
    assert words in str(caught.value)


# Text of a file that people really have, and the parallaxes in it.
REAL: dict[str, tuple[str, str]] = {
    "a comment at the top": ("t.csv", "# made by hand\nsource_id,ra,dec,parallax\n7,10,20,0.5\n8,10,20,\n"),
    "names behind a hash": ("t.csv", "#source_id,ra,dec,parallax\n7,10,20,0.5\n8,10,20,\n"),
    "a header of ECSV": (
        "t.csv",
        "# %ECSV 1.0\n# ---\n# delimiter: ','\n# datatype:\n# - {name: source_id, datatype: int64}\n"
        "# - {name: ra, unit: deg, datatype: float64}\n# - {name: dec, unit: deg, datatype: float64}\n"
        "# - {name: parallax, unit: uas, datatype: float64}\nsource_id,ra,dec,parallax\n7,10,20,500\n8,10,20,null\n",
    ),
    "VizieR's text": (
        "t.csv",
        "#\n#Column Plx\nSource\tRA_ICRS\tDE_ICRS\tPlx\n\tdeg\tdeg\tmas\n---\t---\t---\t---\n"
        "7\t10\t20\t0.5\n8\t10\t20\t   \n",
    ),
    "exponents of Fortran": ("t.csv", "source_id,ra,dec,parallax\n7,1.0D+01,20,5.0D-01\n8,10,20,\n"),
    "words for none": ("t.csv", "source_id,ra,dec,parallax\n7,10,20,0.5\n8,10,20,\\N\n"),
    "null in ECSV": (
        "t.ecsv",
        "# %ECSV 1.0\n# ---\n# delimiter: ','\n# datatype:\n# - {name: source_id, datatype: int64}\n"
        "# - {name: ra, datatype: float64}\n# - {name: dec, datatype: float64}\n"
        "# - {name: parallax, datatype: float64}\nsource_id,ra,dec,parallax\n7,10,20,0.5\n8,10,20,null\n",
    ),
}


@pytest.mark.parametrize("case", REAL)
@pytest.mark.parametrize("packed", [False, True])
def test_files_that_people_have_are_read(case: str, packed: bool, tmp_path: Path) -> None:
    import gzip

    name, text = REAL[case]
    path = tmp_path / name  # gzip under a name without .gz, too
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    table = read_table(path, vizier=GAIA)
    assert table["parallax"].tolist() == pytest.approx([0.5, np.nan], nan_ok=True) and table["ra"].tolist() == [10, 10]
    assert table["source_id"].tolist() == [7, 8]
    output = io.StringIO()
    out = correct_table(Table.from_pandas(table.assign(bias=-0.03)), None, correction="column:bias")
    out.write(output, format="ascii.csv")
    assert out["parallax_corrected"][0] == pytest.approx(0.53)
