"""Reading any table into standard names, types and units, and refusing what is wrong in one clear line."""

import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, Table

from gaia_offsets.tables import TableError, check_table, read_table, rounded_source_ids, table_format, write_table

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


COLUMNS = {
    "parallax": {"column": "plx", "unit": "uas"},
    "distance": {"column": "d", "unit": "pc"},
    "cluster": "cluster",
}


def write(table: Table, path):
    if path.name.endswith((".csv", ".csv.gz")):
        table.to_pandas().to_csv(path, index=False)
    elif path.suffix == ".parquet":
        table.to_pandas(use_nullable_int=True).to_parquet(path)
    else:
        table.write(path, format={".fits": "fits", ".vot": "votable", ".ecsv": "ascii.ecsv"}[path.suffix])
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.fits", "t.vot", "t.ecsv", "t.parquet"])
def test_every_format_gives_the_same_table(tmp_path, name):
    frame = read_table(write(sample_table(), tmp_path / name), COLUMNS)
    assert sorted(frame.columns) == ["cluster", "distance", "parallax", "ruwe", "source_id"]
    assert frame["source_id"].tolist() == [BIG, 17] and str(frame["source_id"].dtype) == "Int64"
    assert frame["parallax"][0] == pytest.approx(0.5) and np.isnan(frame["parallax"][1])
    assert frame["distance"].tolist() == pytest.approx([1.5, 2.5])
    assert frame["ruwe"][0] == 1.0 and np.isnan(frame["ruwe"][1])
    assert frame["cluster"].tolist() == ["M2", "M92"]


def test_the_files_own_unit_is_used_where_the_map_gives_none(tmp_path):
    path = write(sample_table(), tmp_path / "t.ecsv")
    assert read_table(path, {"parallax": "plx"})["parallax"][0] == pytest.approx(0.5)


def test_lamost_separator_and_missing_value(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("obsid|logg|snrg\n101|-9999|55.5\n102|2.5|-9999.0\n")
    frame = read_table(path, {"snr": "snrg"})
    assert frame["obsid"].tolist() == [101, 102]
    assert np.isnan(frame["logg"][0]) and np.isnan(frame["snr"][1]) and frame["snr"][0] == 55.5


def test_missing_integers_do_not_round_the_others(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"source_id,ra\n{BIG},1.0\n,2.0\n")
    frame = read_table(path)
    assert frame["source_id"][0] == BIG and frame["source_id"].isna()[1]


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("ra,dec\n1,2\n", {"parallax": "plx"}, "no column 'plx' .wanted as 'parallax'.; the file has: ra, dec"),
        ("dec\n91.5\n4\n", {}, "'dec': 1 of 2 rows outside -90 to 90 deg for 'dec', the first 91.5"),
        ("ruwe\nlow\n", {}, "'ruwe' holds text where numbers"),
        ("source_id\n4.4e18\n", {}, "stored as floating-point numbers above 2..53"),
        ("source_id\n1.5\n", {}, "fractions where whole numbers"),
        ("source_id\nGaia EDR3 17\n", {}, "1 of 1 values are not whole numbers"),
        ("d\n4\n", {"distance": {"column": "d", "unit": "mag"}}, "unit 'mag' cannot be converted to 'kpc'"),
        ("d\n4\n", {"distance": {"column": "d", "unit": "furlongs"}}, "unit 'furlongs' is not known"),
        ("", {}, "cannot be read as a csv table"),
    ],
)
def test_bad_tables_get_one_clear_line(tmp_path, text, columns, message):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(TableError, match=message) as caught:
        read_table(path, columns)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_other_bad_files(tmp_path):
    with pytest.raises(TableError, match="no such file"):
        read_table(tmp_path / "none.fits")
    with pytest.raises(TableError, match="unknown kind of table"):
        read_table(tmp_path / "t.xlsx")
    html = tmp_path / "t.fits"
    html.write_text("<html>not found</html>")
    with pytest.raises(TableError, match="cannot be read as a fits table"):
        read_table(html)
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(write(sample_table(), tmp_path / "t.parquet").read_bytes()[:-9])
    with pytest.raises(TableError, match="cannot be read as a parquet table"):
        read_table(cut)
    with pytest.raises(TableError, match="nothing stands for parallax"):
        read_table(write(sample_table(), tmp_path / "t.csv"), required=("source_id", "parallax"))


def test_formats_by_name():
    assert (
        table_format("a.B.CSV.gz") == "csv" and table_format("x.fit") == "fits" and table_format("x.xml") == "votable"
    )


def test_identifiers_that_went_through_float64():
    real = pd.Series((np.int64(1) << 61) + 128 * np.arange(1, 51))
    assert not rounded_source_ids(real)
    assert rounded_source_ids(real.astype(float).astype("int64"))
    assert not rounded_source_ids(real[:5].astype(float).astype("int64"))


def test_check_table_orders_and_refuses(tmp_path):
    frame = pd.DataFrame({"dec": [1.0], "ra": [2.0]})
    assert list(check_table(frame, ["ra", "dec"], "x").columns) == ["ra", "dec"]
    with pytest.raises(TableError, match="x: column 'parallax' is missing"):
        check_table(frame, ["parallax"], "x")


@pytest.mark.parametrize("name", ["t.parquet", "t.csv"])
def test_written_bytes_depend_on_the_rows_alone(tmp_path, name):
    frame = pd.DataFrame({"source_id": pd.array([BIG, None], dtype="Int64"), "parallax": [0.1, np.nan]})
    frame.attrs["made"] = "now"
    write_table(frame, tmp_path / "a" / name)
    write_table(frame.copy(), tmp_path / "b" / name)
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    back = read_table(tmp_path / "a" / name)
    assert back["source_id"][0] == BIG and back["parallax"][0] == 0.1


def test_parquet_units_masks_bytes_and_index_are_those_of_the_table(tmp_path):
    table = sample_table()
    table["d"].unit = u.pc
    table.write(tmp_path / "astropy.parquet", format="parquet")
    frame = read_table(tmp_path / "astropy.parquet", {"parallax": "plx", "distance": "d", "cluster": "cluster"})
    assert frame["distance"].tolist() == [1.5, 2.5]
    assert frame["parallax"][0] == pytest.approx(0.5) and np.isnan(frame["parallax"][1])
    pandas = pd.DataFrame({"source_id": [BIG, 17, 18], "cluster": [b"M2", b"M92", None]}).set_index("source_id")
    pandas.to_parquet(tmp_path / "pandas.parquet")
    frame = read_table(tmp_path / "pandas.parquet", {"cluster": "cluster"})
    assert frame["source_id"].tolist() == [BIG, 17, 18] and frame["cluster"][:2].tolist() == ["M2", "M92"]


def test_units_of_logarithms_are_numbers_and_a_foreign_unit_stops_nobody(tmp_path, capsys):
    table = Table({"logg": [2.5], "distance": [3.0]})
    table["logg"].unit, table["distance"].unit = u.dex(u.cm / u.s**2), u.s
    path = tmp_path / "t.ecsv"
    table.write(path, format="ascii.ecsv")
    frame = read_table(path)
    assert frame["logg"][0] == 2.5 and "distance" not in frame
    assert "the column is left out" in capsys.readouterr().err
    assert read_table(path, {"distance": {"column": "distance", "unit": ""}})["distance"][0] == 3.0


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_and_printed_nulls(tmp_path, separator):
    path = tmp_path / "t.csv"
    path.write_text(f"ra{separator}dec\n1.0{separator}--\nnull{separator}2.0\n")
    frame = read_table(path)
    assert frame["ra"][0] == 1.0 and np.isnan(frame["ra"][1]) and np.isnan(frame["dec"][0])
