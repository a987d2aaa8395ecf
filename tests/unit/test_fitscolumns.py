"""Columns of a FITS table read block by block, packed or not, against astropy's own reader of the whole."""

import gzip
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.table import Table
from unit.shared import refuses

from gaia_offsets.correct.stream_fits import read_fits
from gaia_offsets.tables import fits as fitscolumns
from gaia_offsets.tables import parquet
from gaia_offsets.tables.fits import read_columns
from gaia_offsets.tables.native import column_names
from gaia_offsets.tables.read import TableFile, read_table

ROWS = 1001


def difficult(path: Path) -> Path:
    """Every kind of column that a catalogue may have, behind an image, with another table after it."""
    rng = np.random.default_rng(3)
    columns = [
        fits.Column("text", "19A", array=np.array([f"J{i:018d}"[: 5 + i % 15] for i in range(ROWS)])),
        fits.Column("id", "K", array=rng.integers(1, 2**62, ROWS), null=-9999),
        fits.Column("scaled", "I", array=rng.integers(0, 300, ROWS).astype("int16")),
        fits.Column("unsigned", "J", array=rng.integers(0, 2**32, ROWS).astype("uint32"), bzero=2**31),
        fits.Column("vector", "3E", array=rng.normal(size=(ROWS, 3))),
        fits.Column("flag", "L", array=rng.random(ROWS) > 0.5),
        fits.Column("bits", "5X", array=rng.random((ROWS, 5)) > 0.5),
        fits.Column("ra", "D", array=rng.uniform(0, 360, ROWS), unit="deg"),
        fits.Column("lists", "PJ()", array=np.array([np.arange(i % 4) for i in range(ROWS)], dtype=object)),
        fits.Column("snrg", "E", array=np.where(np.arange(ROWS) % 9 == 0, np.nan, 5.0), unit="no unit of ours"),
        fits.Column("small", "B", array=rng.integers(0, 255, ROWS), null=7),
    ]
    columns[1].array[::50] = -9999
    other = fits.BinTableHDU.from_columns([fits.Column("other", "J", array=np.arange(5))])
    table = fits.BinTableHDU.from_columns(columns)
    table.header.update({"TSCAL3": 0.1, "TZERO3": 3.0})
    fits.HDUList([fits.PrimaryHDU(np.zeros((3, 3))), table, other]).writeto(path)
    return path


@pytest.fixture(params=["a.fits", "a.fits.gz"])
def file(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(fitscolumns, "BLOCK", 5000)  # some tens of rows
    return difficult(tmp_path / request.param)


SCALARS = ["text", "id", "scaled", "unsigned", "flag", "ra", "snrg", "small"]


@pytest.mark.filterwarnings("ignore::astropy.units.UnitsWarning")
@pytest.mark.parametrize("wanted", [None, {"id", "small", "text", "nothing"}, {"snrg", "ra"}])
def test_they_are_what_astropy_reads(file: Path, wanted: set[str] | None) -> None:
    got = next(read_columns(file, wanted))
    whole = Table.read(file, hdu=1, character_as_bytes=False)
    assert got.colnames == [name for name in SCALARS if wanted is None or name in wanted]
    for name in got.colnames:
        ours, theirs = got[name], whole[name]
        assert ours.unit == theirs.unit and ours.dtype == theirs.dtype, name
        assert np.array_equal(np.ma.getmaskarray(ours), np.ma.getmaskarray(theirs)), name
        np.testing.assert_array_equal(np.ma.filled(ours), np.ma.filled(theirs), err_msg=name)
    frame = read_table(file, {"gaia_dr2_source_id": "id"})
    assert frame["gaia_dr2_source_id"].isna().sum() == 21 and int(frame["gaia_dr2_source_id"].max()) > 2**60
    assert column_names(file)[:2] == ["text", "id"]


def test_piece_by_piece_they_are_those_of_the_whole(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP", 250)
    spec = {"label": "text", "gaia_dr2_source_id": "id", "snr": {"column": "snrg", "unit": ""}, "ra": "ra"}
    pieces = list(TableFile(file, spec).pieces())
    assert [len(piece) for piece in pieces] == [250] * 4 + [1] and pieces[3].index[0] == 750
    pd.testing.assert_frame_equal(pd.concat(pieces), read_table(file, spec), check_dtype=False)
    assert list(next(TableFile(file, spec).pieces({"ra", "label"}))) == ["label", "ra"]


def test_a_file_that_ends_early_or_has_no_table(file: Path, tmp_path: Path) -> None:
    content = file.read_bytes()
    packed = file.name.endswith(".gz")
    content = gzip.decompress(content) if packed else content
    start = fits.open(file)[1].fileinfo()["datLoc"]
    file.write_bytes(gzip.compress(content[: start + 10_000]) if packed else content[: start + 10_000])
    refuses("cut short: 1001 rows are announced, ", read_table, file, {"x": "id"})
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(file, overwrite=True)
    for columns in ({"x": "id"}, None):
        refuses("a.fits.*: cannot be read as a fits table .no table in the file", read_table, file, columns)


@pytest.mark.parametrize("name", ["a.fits", "a.fits.gz"])
def test_memory_holds_the_columns_and_not_the_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitscolumns, "BLOCK", 1_000_000)
    names = ["ra", "snrg", *(f"x{number}" for number in range(80))]
    table = np.zeros(20_000, dtype=[(column, "f8") for column in names])  # 13 MB
    table["ra"] = np.arange(20_000) % 360
    fits.BinTableHDU(table).writeto(tmp_path / name)
    tracemalloc.start()
    frame = read_table(tmp_path / name, {"snr": "snrg"})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert frame["ra"].sum() == table["ra"].sum() and list(frame.columns) == ["snr", "ra"] and peak < 6_000_000


@pytest.mark.parametrize("form", ["rows", "columns"])
def test_a_null_is_that_of_the_integers_before_they_are_scaled(form: str, tmp_path: Path) -> None:
    """TNULL is of the raw integers, also of unsigned ones; a value that equals it only after scaling is none."""
    raw = {"parallax": np.array([500, -32768, 3], ">i2"), "source_id": np.array([5 - 2**63, 2, 5], ">i8")}
    kinds = {"parallax": ("I", {"null": -32768}), "source_id": ("K", {"null": 5})}
    if form == "rows":
        columns = [fits.Column(n, kinds[n][0], array=raw[n], **kinds[n][1]) for n in raw]
    else:
        columns = [fits.Column(n, f"3{kinds[n][0]}", dim="(3)", array=raw[n][None], **kinds[n][1]) for n in raw]
    hdu = fits.BinTableHDU.from_columns(columns)
    hdu.header.update({"TSCAL1": 1e-3, "TZERO1": 0.1, "TZERO2": 2**63})
    hdu.writeto(tmp_path / "a.fits")
    for table in (next(read_columns(tmp_path / "a.fits", None)), read_fits(tmp_path / "a.fits")):
        assert table["parallax"].tolist()[::2] == pytest.approx([0.6, 0.103]) and table["parallax"].mask[1]
        assert table["source_id"].tolist() == [5, 2**63 + 2, None]
