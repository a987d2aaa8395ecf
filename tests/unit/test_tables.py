"""Reading any table into standard names, types and units, and refusing what is wrong in one clear line."""

import datetime
import gzip
import tracemalloc
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, Table
from unit.shared import ASTROPY, refused, refuses

from gaia_offsets.core.columns import GAIA, VIZIER
from gaia_offsets.core.faults import TableError
from gaia_offsets.correct.apply import Correction, correct_file
from gaia_offsets.publish.fields import ZERO_POINT
from gaia_offsets.tables import native, parquet
from gaia_offsets.tables.formats import table_format
from gaia_offsets.tables.read import check_table, read_table, write_table
from gaia_offsets.tables.text import csv_header
from gaia_offsets.tables.values import rounded_source_ids

BIG = 4611686018427387905  # 2**62 + 1


def sample_table() -> Table:
    table = Table()
    table["source_id"] = np.array([BIG, 17], dtype=np.int64)
    table["plx"] = MaskedColumn([500.0, 1.0], mask=[False, True], unit=u.uas)
    table["d"] = [1500.0, 2500.0]
    table["ruwe"] = np.array([1.0, np.nan], dtype=np.float32)
    table["cluster"] = ["M2", "M92"]
    table["other"] = [1, 2]
    return table


COLUMNS = {"parallax": {"column": "plx", "unit": "uas"}, "distance": {"column": "d", "unit": "pc"}}
COLUMNS["cluster"] = "cluster"


def write(table: Table, path):
    if path.name.endswith((".csv", ".csv.gz")):
        table.to_pandas().to_csv(path, index=False)
    elif path.suffix == ".parquet":
        table.to_pandas(use_nullable_int=True).to_parquet(path)
    else:
        table.write(path, format=ASTROPY[path.name.split(".")[1]])
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.fits", "t.fits.gz", "t.vot", "t.ecsv", "t.parquet"])
def test_every_format_gives_the_same_table(tmp_path, name):
    frame = read_table(write(sample_table(), tmp_path / name), COLUMNS)
    assert sorted(frame.columns) == ["cluster", "distance", "parallax", "ruwe", "source_id"]
    assert frame["source_id"].tolist() == [BIG, 17] and str(frame["source_id"].dtype) == "Int64"
    assert frame["parallax"][0] == pytest.approx(0.5) and np.isnan(frame["parallax"][1])
    assert frame["distance"].tolist() == pytest.approx([1.5, 2.5])
    assert frame["ruwe"][0] == 1.0 and np.isnan(frame["ruwe"][1]) and frame["cluster"].tolist() == ["M2", "M92"]


def text_file(folder, text):
    (folder / "t.csv").write_text(text)
    return folder / "t.csv"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_and_missing_values_of_text(tmp_path, separator):
    rows = f"source_id,ra,snrg\n{BIG},1.0,--\n,null,55.5\n18,-9999,-9999.0\n"
    frame = read_table(text_file(tmp_path, rows.replace(",", separator)), {"snr": "snrg"})
    # A missing identifier does not round the others.
    assert frame["source_id"].isna().tolist() == [False, True, False] and frame["source_id"][0] == BIG
    assert frame["ra"].tolist() == pytest.approx([1.0, np.nan, np.nan], nan_ok=True)
    assert frame["snr"].tolist() == pytest.approx([np.nan, 55.5, np.nan], nan_ok=True)


def test_other_bad_files(tmp_path):
    assert [table_format(name) for name in ("a.B.CSV.gz", "x.fit", "x.xml")] == ["csv", "fits", "votable"]
    (tmp_path / "t.fits").write_text("<html>not found</html>")
    content = write(sample_table(), tmp_path / "t.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(content[:-9])
    known = {"none.fits": "no such file", "t.xlsx": "unknown kind of table"}
    for name, words in (known | {"t.fits": "fits table", "cut.parquet": "parquet table"}).items():
        refuses(f"{name}: .*{words}", read_table, tmp_path / name)
    with refused("nothing stands for parallax"):
        read_table(write(sample_table(), tmp_path / "t.csv"), required=("source_id", "parallax"))


def test_names_of_vizier(tmp_path):
    row = "Source,RA_ICRS,DE_ICRS,Plx,e_Plx,Gmag,BP-RP,nueff,pscol,ELAT,Solved,RUWE,GLON,GLAT,pmRA,pmDE\n"
    path = text_file(tmp_path, row + f"{BIG},10,20,0.5,0.02,15,1.1,1.5,,5,31,1.0,120,-40,1,2\n")
    frame = read_table(path, vizier=GAIA)
    assert set(frame.columns) == set(GAIA) == set(VIZIER) and frame["source_id"][0] == BIG
    assert frame.loc[0, ["parallax", "bp_rp", "astrometric_params_solved", "b"]].tolist() == [0.5, 1.1, 31, -40.0]
    assert read_table(path).shape[1] == 0  # only where they are asked for
    assert read_table(path, {"parallax": {"column": "Plx", "unit": "uas"}}, vizier=GAIA)["parallax"][0] == 0.0005
    path = text_file(tmp_path, "Plx,parallax\n0.5,0.6\n")
    with refused("'parallax' and 'Plx' could both be the 'parallax'; write `parallax: parallax` in `columns:` or"):
        read_table(path, vizier=GAIA)
    assert read_table(path, {"parallax": "Plx"}, vizier=GAIA)["parallax"][0] == 0.5
    assert read_table(path, {"mine": "Plx"}, vizier=GAIA)["parallax"][0] == 0.6


def test_identifiers_that_went_through_float64():
    real = pd.Series((np.int64(1) << 61) + 128 * np.arange(1, 51))
    assert not rounded_source_ids(real) and rounded_source_ids(real.astype(float).astype("int64"))
    assert not rounded_source_ids(real[:5].astype(float).astype("int64"))


def test_check_table_orders_and_refuses(tmp_path):
    frame = pd.DataFrame({"dec": [1.0], "ra": [2.0]})
    assert list(check_table(frame, ["ra", "dec"], "x").columns) == ["ra", "dec"]
    refuses("x: column 'parallax'", check_table, frame, ["parallax"], "x")


@pytest.mark.parametrize("name", ["t.parquet", "t.csv"])
def test_written_bytes_depend_on_the_rows_alone(tmp_path, name):
    frame = pd.DataFrame({"source_id": pd.array([BIG, None], dtype="Int64"), "parallax": [0.1, np.nan]})
    frame.attrs["made"] = "now"
    write_table(frame, tmp_path / "a" / name)
    write_table(frame.copy(), tmp_path / "b" / name)
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    back = read_table(tmp_path / "a" / name)
    assert back["source_id"][0] == BIG and back["parallax"][0] == 0.1


def test_units_masks_bytes_and_index_are_those_of_the_table(tmp_path):
    table = sample_table()
    table["d"].unit = u.pc
    for name, form in (("t.parquet", "parquet"), ("t.ecsv", "ascii.ecsv")):
        table.write(tmp_path / name, format=form)
        frame = read_table(tmp_path / name, {"parallax": "plx", "distance": "d", "cluster": "cluster"})
        assert frame["distance"].tolist() == [1.5, 2.5]
        assert frame["parallax"][0] == pytest.approx(0.5) and np.isnan(frame["parallax"][1])
    pandas = pd.DataFrame({"source_id": [BIG, 17, 18], "cluster": [b"M2", b"M92", None]}).set_index("source_id")
    pandas.to_parquet(tmp_path / "pandas.parquet")
    frame = read_table(tmp_path / "pandas.parquet", {"cluster": "cluster"})
    assert frame["source_id"].tolist() == [BIG, 17, 18] and frame["cluster"][:2].tolist() == ["M2", "M92"]


VO_PARQUET = (
    '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>'
    '<FIELD name="parallax" datatype="double" unit="uas"/><FIELD name="zp" datatype="double" unit="uas">'
    "<DESCRIPTION>bias</DESCRIPTION></FIELD></TABLE></RESOURCE></VOTABLE>"
)


@pytest.mark.parametrize("form", ["parquet", "fits", "ecsv"])
def test_units_of_a_parquet_file_with_a_votable_are_read_and_passed_on(tmp_path, form):
    content = pa.table({"parallax": [500.0, 700.0], "zp": [-30.0, -40.0]})
    described = content.replace_schema_metadata({"IVOA.VOTable-Parquet.content": VO_PARQUET})
    pq.write_table(described, tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet")["parallax"].tolist() == pytest.approx([0.5, 0.7])
    output = tmp_path / f"out.{form}"
    correct_file(tmp_path / "t.parquet", output, Correction(None, correction="column:zp"))
    back = read_table(output, {"parallax_corrected": "parallax_corrected"})
    assert back["parallax"].tolist() == pytest.approx([0.5, 0.7])  # the unit is still there
    assert back["parallax_corrected"].tolist() == pytest.approx([0.53, 0.74])
    if form == "parquet":
        units = parquet.parquet_units(pq.read_schema(output))
        assert units == {"parallax": "uas", "zp": "uas", "parallax_corrected": "mas", ZERO_POINT.name: "mas"}


ODD = {"date": datetime.date(2016, 1, 1), "moment": datetime.datetime(2016, 1, 1, 12), "exact": Decimal("1.25")}
ODD = {name: pa.array([value, None]) for name, value in {**ODD, "lists": [1, 2]}.items()}
ODD |= {"word": pa.array(["a", None]).dictionary_encode(), "large": pa.array([2**62, None], pa.uint64())}


@pytest.mark.parametrize("form", ["parquet", "fits", "vot", "ecsv", "csv"])
def test_dates_lists_and_unsigned_numbers_of_parquet_in_every_format(tmp_path, form, capsys):
    pq.write_table(pa.table({"parallax": [0.5, 0.7], "zp": [-0.03, -0.04], **ODD}), tmp_path / "t.parquet")
    output = tmp_path / f"out.{form}"
    correct_file(tmp_path / "t.parquet", output, Correction(None, correction="column:zp"))
    if form == "parquet":
        assert pq.read_table(output)["lists"].to_pylist() == [[1, 2], None]
        return
    assert "lists and structures are left out: lists" in capsys.readouterr().err
    back = read_table(output, {name: name for name in ODD if name != "lists"})
    assert [str(back[name][0])[:19] for name in ("date", "moment")] == ["2016-01-01", "2016-01-01T12:00:00"]
    assert back["word"][0] == "a" and back["exact"][0] == 1.25 and back["large"][0] == 2**62
    assert back[["exact", "large"]].isna()[1:].all(axis=None)


def test_what_64_bits_or_one_value_cannot_hold_is_refused_in_one_line(tmp_path):
    (tmp_path / "t.csv").write_text("source_id\n7\n9223372036854775809\n")
    with refused("1 of 2 numbers are beyond 64 bits with a sign, the first 9223372036854775809 in row 2"):
        read_table(tmp_path / "t.csv")
    large, lists = pa.array([7, 2**63 + 1], pa.uint64()), pa.array([[1.0, 2.0], [3.0]])
    for name, values, words in (
        ("source_id", large, "beyond 64 bits with a sign, the first 9223372036854775809"),
        ("parallax", lists, "holds several values a row, not one for 'parallax'"),
    ):
        pq.write_table(pa.table({name: values}), tmp_path / "t.parquet")
        refuses(words, read_table, tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_bytes(gzip.compress(b"source_id\n7\n") + b"more")
    refuses("other bytes follow the end of what gzip packed", read_table, tmp_path / "t.csv")


def test_units_of_logarithms_are_numbers_and_a_foreign_unit_stops_nobody(tmp_path, capsys):
    table = Table({"logg": [2.5], "distance": [3.0]})
    table["logg"].unit, table["distance"].unit = u.dex(u.cm / u.s**2), u.s
    path = tmp_path / "t.ecsv"
    table.write(path, format="ascii.ecsv")
    frame = read_table(path)
    assert frame["logg"][0] == 2.5 and "distance" not in frame and "the column is left out" in capsys.readouterr().err
    assert read_table(path, {"distance": {"column": "distance", "unit": ""}})["distance"][0] == 3.0


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.fits", "t.fits.gz", "t.parquet", "t.vot"])
def test_a_name_that_has_changed_is_answered_with_the_nearest(tmp_path, name, monkeypatch):
    path = write(Table({"obsid": [1], "snr_g": [2.0], "snr_r": [3.0], "GAIA_SOURCE_ID": [4]}), tmp_path / name)
    columns = {"snr": "snrg", "gaia_dr2_source_id": "gaia_source_id", "teff": "zzz"}
    if not name.endswith(".vot"):  # whose header is not read alone
        monkeypatch.setattr(native.NativeTable, "column", None)  # the rows are not looked at
    with refused(
        "no column 'snrg' .wanted as 'snr'; nearest: snr_g, snr_r., "
        "no column 'gaia_source_id' .wanted as 'gaia_dr2_source_id'; nearest: GAIA_SOURCE_ID., "
        "no column 'zzz' .wanted as 'teff'.; put the right name into `columns:` of the config; "
        "the file has: obsid, snr_g, snr_r, GAIA_SOURCE_ID"
    ):
        read_table(path, columns)


def test_a_table_in_pieces_gives_the_bytes_of_the_whole_and_is_read_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "ROW_GROUP", 4)
    frame = pd.DataFrame({"source_id": pd.array([2**62 + 1, None, *range(1, 9)], dtype="Int64"), "x": np.nan})
    frame = frame.assign(x=frame["x"].where(frame.index < 4, 0.5), name=["a", None] * 5, known=frame.index > 4)
    write_table(frame, tmp_path / "whole.parquet")
    parquet.write_pieces((frame[rows] for rows in parquet.pieces(len(frame))), tmp_path / "pieces.parquet")
    assert (tmp_path / "whole.parquet").read_bytes() == (tmp_path / "pieces.parquet").read_bytes()
    parquet.write_pieces((frame[rows] for rows in parquet.pieces(len(frame))), tmp_path / "ahead.parquet", threads=2)
    assert (tmp_path / "whole.parquet").read_bytes() == (tmp_path / "ahead.parquet").read_bytes()

    def broken():
        yield frame
        raise TableError("the second piece")

    for threads in (1, 2):
        refuses("the second piece", parquet.write_pieces, broken(), tmp_path / "t.parquet", threads=threads)
    parts = list(parquet.read_pieces(tmp_path / "whole.parquet", ["x", "source_id", "absent"]))
    assert [part.index.tolist() for part in parts] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert parts[0]["source_id"].tolist()[0] == 2**62 + 1 and list(parts[0].columns) == ["source_id", "x"]
    write_table(frame[:0], tmp_path / "empty.parquet")
    assert [len(part) for part in parquet.read_pieces(tmp_path / "empty.parquet")] == [0]


def test_parquet_has_a_dictionary_of_words_and_none_of_measured_numbers(tmp_path):
    frame = pd.DataFrame({"source_id": [2**62 + 1, 7], "x": [0.5, 0.25], "solution": ["5p", "6p"]})
    write_table(frame, tmp_path / "t.parquet")
    group = pq.ParquetFile(tmp_path / "t.parquet").metadata.row_group(0)
    with_one = {group.column(i).path_in_schema: group.column(i).has_dictionary_page for i in range(3)}
    assert with_one == {"source_id": False, "x": False, "solution": True}
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), frame, check_dtype=False)


def test_a_packed_file_beyond_the_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    """24 MB of text in 24 kB; and 100 MB without the end of a line."""
    path, line, rows = tmp_path / "bomb.csv.gz", tmp_path / "line.csv.gz", 3_000_000
    path.write_bytes(gzip.compress(b"ra,dec\n" + b"1.0,2.0\n" * rows))
    line.write_bytes(gzip.compress(b"a;" * 50_000_000, compresslevel=1))
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(native, "memory", lambda: 20_000_000)
    told = "bomb.csv.gz: unpacks to more than 0.02 GB, the memory of this machine; write it as Parquet or FITS"
    endless = "line.csv.gz: is no csv table: its first line has a million characters or more"
    for words, read, file, most in (
        (told, read_table, path, 60_000_000),  # two blocks of 16 MB, not the table
        (endless, csv_header, line, 20_000_000),
    ):
        tracemalloc.start()
        refuses(words, read, file)
        assert tracemalloc.get_traced_memory()[1] < most
        tracemalloc.stop()
    monkeypatch.setattr(native, "memory", lambda: 30_000_000)
    assert len(read_table(path)) == rows
