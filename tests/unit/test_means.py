"""The mean parallax of a group of stars: closed forms, a compact cluster, and the command."""

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table
from unit.shared import ASTROPY, command_refuses, refuses

from gaia_offsets import __main__ as command
from gaia_offsets.core.releases import SOLVED
from gaia_offsets.correct import means
from gaia_offsets.sky import covariance
from gaia_offsets.sky.covariance import angular_covariance

V0 = float(angular_covariance(0.0))


def test_two_stars_by_the_closed_form():
    """Weights w and 1 - w: mean w a + (1 - w) b, variance w2 (s2 + V0) + (1 - w)2 (t2 + V0) + 2 w (1 - w) V(theta)."""
    s, t, apart = 0.03, 0.06, 5.0
    mean, statistical, error = means.mean_parallax([1.0, 1.2], [s, t], [10.0, 10.0], [20.0, 20.0 + apart])
    w = t**2 / (s**2 + t**2)
    between = 1e-6 * float(angular_covariance(apart))
    variance = w**2 * (s**2 + 1e-6 * V0) + (1 - w) ** 2 * (t**2 + 1e-6 * V0) + 2 * w * (1 - w) * between
    assert mean == pytest.approx(w * 1.0 + (1 - w) * 1.2) and w == pytest.approx(0.8)
    assert statistical == pytest.approx((s**-2 + t**-2) ** -0.5)
    # The cosine's rounding puts a star up to 1e-6 deg from itself, where the covariance has a cusp: 4e-4 uas2.
    assert error == pytest.approx(np.sqrt(variance), rel=1e-7) and between > 5e-5


def test_a_compact_cluster_falls_to_the_floor_and_no_further():
    random = np.random.default_rng(1)
    for n, below in ((100, 0.0120), (5000, 0.01033)):
        place = random.normal(0.0, 1e-6, (2, n))
        _, statistical, error = means.mean_parallax(np.ones(n), np.full(n, 0.05), 10 + place[0], 20 + place[1])
        assert statistical == pytest.approx(0.05 / np.sqrt(n)) and 0.0103 < error < below
    assert error == pytest.approx(1e-3 * np.sqrt(V0), rel=0.003)


def test_many_stars_are_gathered_and_give_nearly_the_same(monkeypatch):
    random = np.random.default_rng(2)
    parallax = 1.0 + random.normal(0, 0.05, 4000)
    stars = parallax, np.full(4000, 0.05), random.uniform(0, 30, 4000), random.uniform(0, 30, 4000)
    exact = means.mean_parallax(*stars)
    monkeypatch.setattr(covariance, "MANY", 100)
    gathered = means.mean_parallax(*stars)
    assert gathered[:2] == exact[:2] and gathered[2] == pytest.approx(exact[2], rel=0.01) and gathered[2] != exact[2]


def table_of(**columns) -> pd.DataFrame:
    """Stars of one place and parallax, but for these columns."""
    rows = max(len(values) for values in columns.values() if not isinstance(values, str | int))
    table = pd.DataFrame({"ra": 10.0, "dec": 20.0, "parallax": 1.0, "parallax_error": 0.1}, index=range(rows))
    return table.assign(**columns)


def stars() -> pd.DataFrame:
    """Two groups under VizieR's names, a star of none, a null and an error of 0."""
    table = pd.DataFrame({"Plx": [1.0, 1.2, 0.5, np.nan, 3.0, 9.0], "e_Plx": [0.03, 0.06, 0.1, 0.1, 0.0, 0.1]})
    table["RA_ICRS"], table["DE_ICRS"] = 10.0, [20.0, 25.0, 1.0, 1.0, 1.0, 1.0]
    table["Gmag"], table["Solved"], table["RUWE"] = 15.5, 31, 1.0
    return table.assign(cluster=["a", "a", "b", "b", "b", None])


def test_groups_of_a_file(tmp_path, capsys):
    path = tmp_path / "stars.csv"
    stars().to_csv(path, index=False)
    assert command.main(["mean", str(path), "--group", "cluster"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "group,n,left_out,mean_parallax,error_statistical,error"
    mean, statistical, error = means.mean_parallax([1.0, 1.2], [0.03, 0.06], [10, 10], [20, 25])
    assert lines[1] == f"a,2,0,{mean:.6f},{statistical:.6f},{error:.6f}"
    assert lines[2] == f"b,1,2,0.500000,0.100000,{np.hypot(0.1, 1e-3 * np.sqrt(V0)):.6f}" and len(lines) == 3
    assert command.main(["mean", str(path), "--inflate"]) == 0
    row = capsys.readouterr().out.splitlines()[1].split(",")
    assert row[:3] == ["all", "4", "2"] and command.main(["mean", str(path), "--inflate", "el_badry2021"]) == 0
    mild = capsys.readouterr().out.splitlines()[1].split(",")
    f = 1.141 + 0.0040 * 15.5 - 0.00062 * 15.5**2  # the peak at G 12.65 does not reach 15.5
    assert float(mild[4]) / float(row[4]) == pytest.approx(f / 1.22, rel=1e-3)
    assert float(row[4]) == pytest.approx(1.22 * (1 / 0.03**2 + 1 / 0.06**2 + 2 / 0.1**2) ** -0.5, abs=1e-6)


def test_a_unit_and_what_is_refused(tmp_path, capsys):
    path = tmp_path / "stars.csv"
    stars().assign(Plx=1000 * stars()["Plx"]).rename(columns={"Plx": "p"}).to_csv(path, index=False)
    assert command.main(["mean", str(path), "--parallax", "p", "--unit", "parallax=uas", "--group", "cluster"]) == 0
    assert capsys.readouterr().out.splitlines()[2].startswith("b,1,2,0.500000")
    for words, *more in (("parallax",), ("'nobody'", "--parallax", "p", "--group", "nobody")):
        command_refuses(capsys, words, "mean", path, *more)
    stars().assign(parallax=1.0).to_csv(path, index=False)
    refuses("'parallax' and 'Plx' could both be", means.file_means, path)
    assert means.file_means(path, columns={"parallax": "Plx"})["n"].tolist() == [4]
    table = pd.DataFrame({name: [1.0] for name in (*means.NEEDED, "phot_g_mean_mag", SOLVED)})
    refuses("no column 'ruwe'", means.group_means, table, inflate=True)


def test_a_file_is_read_by_the_columns_that_the_mean_needs(tmp_path, capsys):
    """A unit alone keeps VizieR's name, and a column that nobody asked for may hold anything."""
    path = tmp_path / "mine.csv"
    path.write_text("obsid,RA_ICRS,DE_ICRS,Plx,e_Plx\na-1,10,20,500,20\na-2,50,60,700,20\n")
    assert command.main(["mean", str(path), "--unit", "parallax=uas", "--unit", "parallax_error=uas"]) == 0
    row = capsys.readouterr().out.splitlines()[1].split(",")
    assert row[:2] == ["all", "2"] and float(row[3]) == pytest.approx(0.6)
    command_refuses(capsys, "--inflate", "mean", path, "--parallax-error", "parallax_error_true")


def test_many_stars_of_the_whole_sky_by_cells_and_blocks(monkeypatch):
    """Near cells by pairs, far ones by blocks: the sum over all pairs of stars, to 2 percent of its size on the sky."""
    random = np.random.default_rng(5)
    vectors = random.normal(size=(6000, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[:2000] = vectors[:2000] * 0.1 + vectors[0]  # a third of them in one place, 5 deg wide
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    weights = random.uniform(0.5, 1.5, 6000)
    exact = float(covariance.mean_covariance(vectors, weights))
    monkeypatch.setattr(covariance, "MANY", 200)
    assert covariance.gathered_covariance(vectors, weights) == pytest.approx(exact, rel=0.02)


def test_a_cluster_where_pixels_meet_keeps_the_floor():
    random = np.random.default_rng(6)
    place = random.normal(0.0, 1e-4, (2, 30_000))
    for ra, dec in ((45.0, 0.0), (0.0, 41.81031489577862), (90.0, 0.0)):  # corners of the coarsest pixels
        error = means.mean_parallax(np.ones(30_000), np.full(30_000, 0.05), ra + place[0], dec + place[1])[2]
        assert error >= 1e-3 * np.sqrt(V0) * 0.9995


# Name of the kind, what stands in the column, and the groups with their numbers of stars; the rest has none.
NAMES = {
    "64 bits and one missing": ([str(2**62 + 1), str(2**62 + 2), ""], {str(2**62 + 1): 1, str(2**62 + 2): 1}),
    "zeros in front": (["007", "7", "07"], {"007": 1, "07": 1, "7": 1}),
    "a point": (["1", "1.0", "1"], {"1": 2, "1.0": 1}),
    "words for none": (["NA", "None", "null", "M 2"], {"M 2": 1}),
    "blanks": (["M 2", "  ", " M 2"], {"M 2": 2}),
    "close numbers": (["0.12345678901", "0.12345678902"], {"0.12345678901": 1, "0.12345678902": 1}),
}


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("form", ["csv", "fits", "vot", "ecsv", "parquet"])
def test_names_of_groups_are_text_digit_by_digit(kind, form, tmp_path, capsys):
    names, expected = NAMES[kind]
    table = table_of(cl=names)
    path = tmp_path / f"t.{form}"
    Table({name: np.array(table[name].tolist()) for name in table}).write(path, format=ASTROPY[form])
    found = means.file_means(path, group="cl")
    assert dict(zip(found["group"], found["n"], strict=True)) == dict(sorted(expected.items()))
    without = len(names) - sum(expected.values())
    assert (f"{without} of {len(names)} stars have no group" in capsys.readouterr().err) == (without > 0)


def test_numbers_of_groups_keep_their_digits_beside_one_that_is_missing(tmp_path):
    numbers, expected = [2**62 + 1, None, 2**62 + 3], [str(2**62 + 1), str(2**62 + 3)]
    for values, groups in (
        *((pd.array(numbers, dtype=kind), expected) for kind in ("Int64", "UInt64")),
        ([1.0, np.nan, 2.0], ["1", "2"]),
        ([0.1, 0.1 + 1e-15, np.nan], ["0.1", "0.100000000000001"]),
    ):
        table_of(cl=values).to_parquet(tmp_path / "t.parquet")
        assert means.file_means(tmp_path / "t.parquet", group="cl")["group"].tolist() == groups
    for given in (numbers, np.ma.MaskedArray([number or 0 for number in numbers], [False, True, False])):
        assert means.group_means(table_of(ra=[10.0] * 3), given)["group"].tolist() == expected


@pytest.mark.parametrize("name", ["designation", "DESIGNATION"])
@pytest.mark.parametrize("text", ["Gaia DR2 1", "GAIA DR2 1", "gaia  dr2 1"])
def test_factors_of_edr3_are_refused_on_dr2(name, text):
    table = table_of(phot_g_mean_mag=[15.0], astrometric_params_solved=31, ruwe=[1.0], **{name: text})
    refuses("1 of 1 rows are of another release", means.group_means, table, inflate=True)
    assert means.group_means(table)["n"].tolist() == [1]


def test_identifiers_of_0_are_none_and_the_others_also_in_capitals_count_once(tmp_path, capsys):
    table_of(SOURCE_ID=[7, 7, 0, 0, -9999]).to_csv(tmp_path / "t.csv", index=False)
    assert means.file_means(tmp_path / "t.csv")["n"].tolist() == [4]
    said = capsys.readouterr().err
    assert "1 rows are of a source_id" in said and "3 identifier(s) of 0 or less are taken as unknown" in said


def test_a_star_counts_once_and_an_absurd_parallax_is_told(tmp_path, capsys):
    table = table_of(parallax=[1.0, 1.0, 1.1, 99.99])
    once = means.group_means(table[1:3])
    table.assign(source_id=[7, 7, 8, 9]).to_csv(tmp_path / "t.csv", index=False)
    found = means.file_means(tmp_path / "t.csv")
    said = capsys.readouterr().err
    assert found["n"].tolist() == [3] and "1 rows are of a source_id that the group has already" in said
    assert "1 parallaxes lie more than 10 mas from the median" in said
    means.mean_parallax([1.0, 1.0, 99.99], [0.1] * 3, [10.0] * 3, [20.0] * 3)
    assert "1 parallaxes lie more than 10 mas from the median" in capsys.readouterr().err
    table[:3].assign(source_id=[7, 7, 8]).to_csv(tmp_path / "t.csv", index=False)
    pd.testing.assert_frame_equal(means.file_means(tmp_path / "t.csv"), once)
    # A null row does not take the place of a good one of the same star.
    found = means.group_means(table_of(parallax=[np.nan, 1.0], source_id=7)).iloc[0]
    assert (found["n"], found["left_out"], found["mean_parallax"]) == (1, 1, 1.0)


def test_a_mean_after_a_correction_names_its_column(tmp_path, capsys):
    columns = {"ra": [90.0], "dec": [23.4393], "parallax": [1.0], "parallax_error": [0.1], "bias": [-0.03]}
    path = tmp_path / "t.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    assert command.main(["mean", str(path), "--correction", "column:bias"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[1].startswith("all,1,0,1.030000")
    assert "mean of the column 'parallax' [mas, for no unit is stated] after column:bias" in said.err
    pd.DataFrame(columns).assign(parallax_corrected=1.03).to_csv(path, index=False)
    assert command.main(["mean", str(path)]) == 0
    assert "'parallax' is the parallax; there are parallax_corrected, too" in capsys.readouterr().err
    table = pd.read_csv(path).assign(parallax_map_corrected=1.05, PARALLAX_CORRECTED_2=1.02)
    means.group_means(table)
    others = "parallax_corrected, PARALLAX_CORRECTED_2, parallax_map_corrected"
    assert f"'parallax' is the parallax; there are {others}, too" in capsys.readouterr().err
    table.to_csv(path, index=False)
    assert command.main(["mean", str(path), "--parallax", "parallax_map_corrected"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[1].startswith("all,1,0,1.050000")
    assert "'parallax_map_corrected' is the parallax; there are parallax_corrected, PARALLAX_CORRECTED_2" in said.err
    for name in ("parallax_error_true", "Parallax_Error_True_1"):
        table.assign(**{name: 0.1}).to_csv(path, index=False)
        line = rf"{name} \(--parallax-error\) holds already"
        command_refuses(capsys, line, "mean", path, "--parallax-error", name)
