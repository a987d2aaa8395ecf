"""The same bad input at every door for tables of stars: kind by door, refused or told in the same words."""

import gzip
import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable, Table
from astropy.utils.masked import Masked
from unit.shared import ASTROPY, ROOT, command_refuses, refused, refuses
from unit.test_apply import write_map
from unit.test_bad_input import CASES, LINES, spoil

from gaia_offsets import __main__ as command
from gaia_offsets.core.columns import GAIA
from gaia_offsets.core.faults import TableError
from gaia_offsets.correct.apply import correct_parallax, correct_table
from gaia_offsets.correct.means import file_means, group_means, mean_parallax
from gaia_offsets.engine.config.sample import _corrected_faults
from gaia_offsets.publish.offset_map import read_map
from gaia_offsets.sample.corrections import _plausible, zero_point_of
from gaia_offsets.sample.errors import error_factor, true_error
from gaia_offsets.sample.reference import join_group
from gaia_offsets.sample.star_table import StarTable, check_stars
from gaia_offsets.sample.zero_points import MODEL, zero_point
from gaia_offsets.sky.positions import complete_angles, ecliptic_latitude, pixel_index, to_galactic
from gaia_offsets.tables.contracts import Origin, standardise
from gaia_offsets.tables.read import read_table

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


MAP: dict[str, Path] = {}


@pytest.fixture(autouse=True, scope="module")
def _map(tmp_path_factory: pytest.TempPathFactory) -> None:
    MAP["path"] = write_map(tmp_path_factory.mktemp("map"))


def at_command(*words: Any) -> Callable[[Path, Path, Any], str]:
    """A door of the command; `map`, `in` and `out` stand for files."""

    def run(path: Path, folder: Path, capsys: Any) -> str:
        files = {"map": MAP["path"], "in": path, "out": folder / "out.csv"}
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


OF_DR2, HOURS = 'designation = designation.str.replace("DR3", "DR2")', "ra = ra / 15"
# Kinds of bad_input.txt that take Python to say.
KINDS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "DR2 by VizieR's names": lambda t: spoil(t, OF_DR2).rename(columns={"designation": "DR2Name"}),
    "ra in hours, identifiers in designations": lambda t: spoil(t, HOURS).drop(columns=["source_id", "ecl_lat"]),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("kind", "wrong", "without", "words"), CASES["KINDS"], ids=LINES["KINDS"])
def test_every_kind_at_every_door(kind, wrong, without, words, door, tmp_path: Path, capsys: Any) -> None:
    """But at doors `without` it: `map` reads no errors, G and RUWE, and this one tells no release; a `mean` is that of
    any release; of a `sample` check_units looks at milliarcseconds when the reference is there (UNITS).
    """
    if door in without.split():
        return
    path = tmp_path / "t.csv"
    table = KINDS[kind](stars()) if wrong == "see KINDS" else spoil(stars(), wrong)
    table.to_csv(path, index=False)
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


def galactic(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(**dict(zip("lb", to_galactic(table["ra"], table["dec"]), strict=True)))


DR3NAME = {"designation": "DR3Name"}
# The same stars in another form, which every door takes for the same.
SAME: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "l, b in the place of ra, dec": lambda t: galactic(t).drop(columns=["ra", "dec", "ecl_lat"]),
    "ecl_lat null": lambda t: t.assign(ecl_lat=t["ecl_lat"].where(t.index % 2 == 0)),
    "ra null beside l": lambda t: galactic(t).assign(ra=t["ra"].where(t.index != 1)),
    "codes with a point": lambda t: t.assign(astrometric_params_solved="31.0"),
    "identifiers in designations": lambda t: t.drop(columns="source_id"),
    "identifiers in VizieR's designations": lambda t: t.drop(columns="source_id").rename(columns=DR3NAME),
    "sourceid": lambda t: t.rename(columns={"source_id": "sourceId"}),
    "blanks in the line of names": lambda t: t.rename(columns=lambda name: name if name == "source_id" else f" {name}"),
}


@pytest.mark.parametrize("door", ["sample", "zero point", "map", "mean"])
@pytest.mark.parametrize("case", SAME)
def test_the_same_stars_in_another_form(case: str, door: str, tmp_path: Path, capsys: Any) -> None:
    results = []
    for name, form in (("plain", lambda t: t), ("other", SAME[case])):
        folder = tmp_path / name
        folder.mkdir()
        table = stars()
        table = pd.concat([table, table.iloc[:1]]) if door == "mean" else table  # a star twice
        form(table.reset_index(drop=True)).to_csv(folder / "t.csv", index=False)
        if door == "sample":
            read = read_table(folder / "t.csv", vizier=GAIA, required=("source_id", "parallax"))
            results.append(complete_angles(read)[["source_id", "ra", "dec", "ecl_lat", "parallax"]].astype(float))
            assert not check_stars(read, "t.csv", epoch=2016.0)
        elif door == "mean":
            assert command.main(["mean", str(folder / "t.csv")]) == 0
            said = capsys.readouterr()
            assert "1 rows are of a source_id that the group has already" in said.err
            results.append(pd.read_csv(io.StringIO(said.out)))
        else:
            DOORS[door](folder / "t.csv", folder, capsys)
            out = pd.read_csv(folder / "out.csv")
            assert out["map_offset" if door == "map" else "parallax_corrected"].notna().any()
            results.append(out.filter(regex="corrected|map_|zero|true"))
    pd.testing.assert_frame_equal(*results, rtol=1e-9)


def pieces(table: pd.DataFrame, size: int) -> StarTable:
    stars = StarTable(epoch=2016.0)
    stars.open(list(table), {}, "t.csv")
    stars.take(["parallax", "ra", "dec"])
    for start in range(0, len(table), size):
        part = table.iloc[start : start + size].reset_index(drop=True)
        stars.values({name: part[source] for name, source in stars.sources.items()})
    return stars


def test_a_table_in_pieces_is_judged_as_a_whole() -> None:
    """One wrong star in a last piece of one row is one of all; many small pieces are enough for a refusal."""
    wrong = stars().iloc[[0]].assign(ra=10.0, designation="Gaia DR2 7", ref_epoch=2016.0)
    table = pd.concat([stars().assign(ref_epoch=2016.0), wrong], ignore_index=True)
    for size in (N, N + 1, 7):
        lines = pieces(table, size).finish()
        assert lines[0] == f"t.csv: 1 of {N + 1} rows are of another release: designation is DR2"
        assert len(lines) == 3 and "source_id" in lines[2]
        assert "ra, dec of 1 of 31 rows disagree with ecl_lat" in lines[1]
    for column, value, words in (
        ("ra", stars()["ra"] / 15, "30 of 30 rows disagree"),
        ("ref_epoch", 2015.5, "30 of 30 rows are of another release"),
        ("parallax", 0.5e3 * stars()["parallax"], "30 of 30 parallaxes"),
    ):
        with pytest.raises(TableError, match=words):
            pieces(stars().assign(**{column: value}), 7).finish()
    for column in ("parallax", "ra"):
        last = stars().astype({column: object})
        last.loc[29, column] = "low"
        refuses("the first 'low' in row 30", pieces, last, 7)


@pytest.mark.parametrize("value", [-999, -99, 99.99, 999, 9999])
@pytest.mark.parametrize("door", ["sample", "apply", "mean"])
def test_values_for_none_in_another_unit_are_refused(door: str, value: float, tmp_path: Path) -> None:
    """A unit must not make a plausible parallax of them; -9999 is null everywhere."""
    path = tmp_path / "t.ecsv"
    table = Table.from_pandas(stars().assign(parallax=lambda t: 1e3 * t["parallax"]))
    table["parallax"].unit = "uas"

    def work() -> Any:
        table.write(path, format="ascii.ecsv", overwrite=True)
        if door == "sample":
            return read_table(path)["parallax"]
        if door == "mean":
            return file_means(path)["n"]
        return correct_table(Table.read(path), None, correction="lindegren2021")["parallax_corrected"]

    work()
    table["parallax"][4] = value
    refuses(rf"1 of 30 values are {value:g} uas, .* the first in row 5; leave them empty", work)
    table["parallax"][4] = -9999
    assert work()[0] == N - 1 if door == "mean" else np.isnan(work()[4])


def test_rounded_numbers_may_be_what_stands_for_none_elsewhere() -> None:
    """Parallaxes in whole uas hold 999 as they hold 998; 200 times as often, it is no parallax."""
    random = np.random.default_rng(3)
    values = np.rint(random.uniform(-1200, 1500, 100_000))
    origin = Origin("t.csv", "plx", "uas")
    assert standardise(pd.Series(values), "parallax", origin)[0] == pytest.approx(1e-3 * values[0])
    assert standardise(pd.Series(np.round(values[:3000] / 7, 2)), "parallax", origin).notna().all()
    values[:9000] = 999
    refuses("values are 999 uas", standardise, pd.Series(values), "parallax", origin)


@pytest.mark.parametrize("door", ["sample", "map", "mean"])
def test_near_stars_pass_where_their_unit_is_stated(door: str, tmp_path: Path, capsys: Any) -> None:
    stars().assign(parallax=lambda t: 500 * t["parallax"]).to_csv(tmp_path / "t.csv", index=False)
    if door == "sample":
        table = read_table(tmp_path / "t.csv", {"parallax": {"column": "parallax", "unit": "mas"}})
        assert table["parallax"].max() > 200
    else:
        words = ("apply", "map", "in", "out") if door == "map" else ("mean", "in")
        at_command(*words, "--unit", "parallax=mas")(tmp_path / "t.csv", tmp_path, capsys)


ERROR = b'<INFO name="QUERY_STATUS" value="ERROR">no such column</INFO></RESOURCE></VOTABLE>'
OF_IT = "an error of the service: no such column"
CUT = b'</TABLE><INFO name="QUERY_STATUS" value="OVERFLOW"/>'
# Files that hold no whole table, and the words of the line.
FILES: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "cut at the service's limit": ("t.vot", lambda b: b.replace(b"</TABLE>", CUT), "is not whole: the service cut it"),
    "an error of the service": ("t.vot", lambda b: b[: b.index(b"<TABLE")] + ERROR, OF_IT),
    "half a FITS file": ("t.fits", lambda b: b[:6000], "t.fits: "),
    "a page": ("t.parquet", lambda b: b"<html>log in</html>", "t.parquet: cannot be"),
    "no ECSV": ("t.ecsv", lambda b: b"<html>log in</html>", "is no ECSV file: it begins with '<html>"),
    "a short row": ("t.csv", lambda b: b + b"1,2\n", "line 32: 2 value(s) for 12 column(s)"),
    "two columns of a name": ("t.vot", lambda b: b.replace(b'"phot_g_mean_mag"', b'"parallax"'), "more than once"),
    "UTF-16": ("t.csv", lambda b: b.decode().encode("utf-16"), "'utf-8' codec can't decode"),
}


@pytest.mark.parametrize("door", [name for name in DOORS if name != "python"])  # where there is no file
@pytest.mark.parametrize("case", FILES)
def test_every_broken_file_at_every_door(case: str, door: str, tmp_path: Path, capsys: Any) -> None:
    name, damage, words = FILES[case]
    path = tmp_path / name
    table = Table.from_pandas(stars())
    table["designation"] = np.array(stars()["designation"].tolist())
    table.write(path, format=ASTROPY[name.removeprefix("t.")])
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(TableError) as caught:
        DOORS[door](path, tmp_path, capsys)
    assert words in str(caught.value)


@pytest.mark.parametrize(("name", "text"), [row[1:] for row in CASES["REAL"]], ids=LINES["REAL"])
@pytest.mark.parametrize("packed", [False, True])
def test_files_that_people_have_are_read(name: str, text: str, packed: bool, tmp_path: Path) -> None:
    path = tmp_path / name  # gzip under a name without .gz, too
    content = text.encode().decode("unicode_escape").encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    table = read_table(path, vizier=GAIA)
    assert table["parallax"].tolist() == pytest.approx([0.5, np.nan], nan_ok=True) and table["ra"].tolist() == [10, 10]
    assert table["source_id"].tolist() == [7, 8]
    output = io.StringIO()
    out = correct_table(Table.from_pandas(table.assign(bias=-0.03)), None, correction="column:bias")
    out.write(output, format="ascii.csv")
    assert out["parallax_corrected"][0] == pytest.approx(0.53)


# ---------------------------------------------------------------- what belongs to some doors only

ZERO_POINTS = {
    "in uas, said to be in mas": (-30.0, "mas", None, "outside -0.5 to 0.5 mas"),
    "99 for none": (99.0, "mas", None, "outside -0.5 to 0.5 mas"),
    "-999 uas for none": (-999.0, "uas", None, "outside -500 to 500 uas"),
    "a unit of the file against the config's": (-0.03, "uas", "mas", ""),
    "the same in arcsec": (-3e-5, "uas", "arcsec", ""),
    "a word": ("low", "mas", None, "the first 'low' in row 1"),
}


@pytest.mark.parametrize("case", ZERO_POINTS)
def test_a_zero_point_by_column_of_a_sample(case: str, tmp_path: Path) -> None:
    """Read in the unit that the config says, from the one that the file states."""
    value, unit, stated, words = ZERO_POINTS[case]
    table, columns = Table({"parallax": [1.0] * 3, "bias": [value] * 3}), {"mine": {"column": "bias", "kind": unit}}
    table["bias"].unit = stated
    table.write(tmp_path / "t.ecsv", format="ascii.ecsv")
    if words:
        refuses(words, read_table, tmp_path / "t.ecsv", columns)
    else:
        assert read_table(tmp_path / "t.ecsv", columns)["mine"].tolist() == pytest.approx([-30.0] * 3)


def test_zero_points_of_the_other_sign_are_told_and_a_thousand_times_too_small_ones_refused(capsys: Any) -> None:
    for sign, told in ((-1, 0), (1, 1)):
        correct_table(stars().assign(bias=sign * 0.03), None, correction="column:bias")
        assert capsys.readouterr().err.count("30 of 30 zero points in column 'bias' are positive") == told
    table, mine = pd.DataFrame({"bias": np.full(25, -3e-5)}), {"mine": {"kind": "column", "column": "bias"}}
    mine = zero_point_of(table, "mine", mine)
    refuses(r"half of the zero points are below 0\.0001 mas", _plausible, mine, "mine")


@pytest.mark.parametrize("value", [-30.0, 99.0, -3e-5])
def test_a_zero_point_by_column_of_apply(value: float, tmp_path: Path, capsys: Any) -> None:
    stars().assign(bias=value).to_csv(tmp_path / "t.csv", index=False)
    words = "outside -0.5 to 0.5 mas" if abs(value) > 1 else "smaller than 0.0001 mas"
    files = tmp_path / "t.csv", tmp_path / "o.csv"
    command_refuses(capsys, words, "apply", "-", *files, "--correction", "column:bias")


def test_groups_of_a_sample_are_text_and_none_gives_no_distance(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("d\n1\n")
    twice = {"distance": "d", "distance_error": "d"}
    refuses("column 'd' is named as 'distance' and as its error", read_table, tmp_path / "one.csv", twice)
    (tmp_path / "stars.csv").write_text("cl,parallax\n007,1\n7,1\nNA,1\n,1\n")
    (tmp_path / "groups.csv").write_text("cl,distance\n7,1\n007,2\n")
    columns = {"cluster": {"column": "cl", "kind": "name"}}
    tables = [read_table(tmp_path / name, columns) for name in ("stars.csv", "groups.csv")]
    joined = join_group(*tables, "cluster")
    assert joined["distance"].tolist() == pytest.approx([2.0, 1.0, np.nan, np.nan], nan_ok=True)
    refuses("no distance for cluster '07'", join_group, tables[0].assign(cluster="07"), tables[1], "cluster")


def test_apply_recognises_its_own_output(tmp_path: Path, capsys: Any) -> None:
    path, once, again = tmp_path / "t.csv", tmp_path / "once.csv", tmp_path / "again.csv"
    stars().to_csv(path, index=False)
    given = write_map(tmp_path)

    def apply(*words: Any) -> tuple[int, str]:
        code = command.main(["apply", *map(str, words)])
        return code, capsys.readouterr().err

    assert apply("-", path, once, "--correction", "lindegren2021")[0] == 0
    for more in ((), ("--parallax", "parallax"), ("--parallax", "parallax_corrected")):
        code, said = apply(given, once, again, *more)
        assert code == 1 and "--base official --parallax parallax_corrected" in said
    both = tmp_path / "both.csv"
    assert apply(given, path, both, "--correction", "lindegren2021")[0] == 0
    for more in ((), ("--parallax", "parallax_corrected")):
        assert apply(given, once, again, "--base", "official", "--overwrite", *more)[0] == 0
        left, right = (pd.read_csv(file)["parallax_map_corrected"] for file in (again, both))
        np.testing.assert_allclose(left, right, rtol=0, atol=1e-12)
    code, said = apply(given, once, tmp_path / "o.csv", "--base", "official", "--parallax", "parallax")
    assert code == 1 and "is the published parallax; --base official takes parallax_corrected" in said
    assert apply(given, both, tmp_path / "o.csv")[0] == 1
    renamed = pd.read_csv(once).rename(columns={"parallax_corrected": "PARALLAX_CORRECTED_1"})
    renamed.to_csv(path, index=False)
    assert "corrected once" in apply(given, path, tmp_path / "o.csv")[1]
    code, said = apply(given, path, tmp_path / "o.csv", "--base", "official")
    assert code == 0 and "too (--parallax NAME)" not in said
    renamed.assign(parallax_corrected=1.0).to_csv(path, index=False)
    said = apply(given, path, tmp_path / "o.csv", "--base", "official", "--overwrite")[1]
    assert "PARALLAX_CORRECTED_1, from which" in said and "there are parallax_corrected, too (--parallax NAME)" in said
    for name in ("parallax_error_true", "parallax_error_true_x", "PARALLAX_ERROR_TRUE_2"):
        stars().assign(**{name: 0.1}).to_csv(path, index=False)
        assert f"has a column {name!r} already" in apply("-", path, tmp_path / "p.csv", "--inflate")[1]


def test_a_table_of_quantities_is_what_its_units_say(tmp_path: Path) -> None:
    """As bare arrays are (see below)."""
    offsets, table = read_map(write_map(tmp_path), parallax="raw"), stars()
    degrees = {name: np.asarray(table[name]) * u.deg for name in ("ra", "dec")}
    given = QTable({"parallax": (np.asarray(table["parallax"]) * u.mas).to(u.arcsec), **degrees})
    back = np.asarray(correct_table(given, offsets)["parallax_map_corrected"])
    np.testing.assert_allclose(back, correct_table(table, offsets)["parallax_map_corrected"])


FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "correct_parallax": (correct_parallax, ("parallax", "ra", "dec")),
    "mean_parallax": (mean_parallax, ("parallax", "parallax_error", "ra", "dec")),
    "zero_point": (partial(zero_point, "lindegren2021"), MODEL),
    "error_factor": (error_factor, ("phot_g_mean_mag", "astrometric_params_solved", "ruwe")),
    "true_error": (lambda errors: true_error(errors, np.ones(N)), ("parallax_error",)),
}


def call(function: str, **wrong: Any) -> Any:
    what, names = FUNCTIONS[function]
    mapped = function == "correct_parallax"
    more = {"offsets": read_map(MAP["path"], parallax="raw"), "base": "raw"} if mapped else {}
    return what(*({**stars(), **wrong}[name] for name in names), **more)


# What is wrong with the values of a column, and words of the line.
ARRAYS: dict[str, tuple[str, Callable[[np.ndarray], Any], str]] = {
    "a sentinel": ("", lambda x: np.where(np.arange(N) == 2, -999, x), "the first -999"),
    "booleans": ("", lambda x: x > 1, "true and false|whole numbers|outside"),
    "a word": ("", lambda x: ["low", *x[1:]], "text|not whole numbers"),
    "two axes": ("", lambda x: np.stack([x, x], axis=1), "give one value a star"),
    "rows of several lengths": ("", lambda x: [[1], [1, 2]], "give one value a star"),
    "one star less": ("", lambda x: x[1:], "of several lengths"),
    "another quantity": ("", lambda x: x * u.kg, "unit 'kg' cannot be converted"),
    "a structured array": ("", lambda x: np.ones(N, dtype=[("a", float)]), "give one value a star"),
    "uas": ("parallax", lambda x: 1e3 * x, "outside -300 to 1000 mas"),
    "errors in arcsec": ("parallax_error", lambda x: 1e-3 * x, "smaller than 0.003 mas"),
    "a negative error": ("parallax_error", lambda x: -x, "outside 0 to 10 mas"),
}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("kind", ARRAYS)
def test_bare_arrays_are_refused_as_columns_are(kind: str, function: str) -> None:
    only, wrong, words = ARRAYS[kind]
    for name in FUNCTIONS[function][1]:
        lone = kind == "one star less" and function == "true_error"
        code = kind in ("booleans", "another quantity") and name == "astrometric_params_solved"
        if only in ("", name) and not lone and not code:
            values = stars()[name].fillna(1.0).to_numpy()
            refuses(words, call, function, **{name: wrong(values)})


@pytest.mark.parametrize("function", FUNCTIONS)
def test_bare_arrays_of_every_kind_mean_the_same(function: str) -> None:
    plain, table = call(function), stars()
    units = {"parallax": u.mas, "parallax_error": u.mas, "ra": u.deg, "dec": u.deg, "ecl_lat": u.deg}
    other = {u.mas: u.uas, u.deg: u.rad}
    names = [name for name in FUNCTIONS[function][1] if not table[name].isna().any()]
    columns = {name: table[name].to_numpy() for name in names}
    for kinds in (
        {name: values.tolist() for name, values in columns.items()},
        {name: np.ma.masked_array(values, np.zeros(N, bool)) for name, values in columns.items()},
        {name: pd.Series(values, range(5, N + 5)).convert_dtypes() for name, values in columns.items()},
        {name: values.astype(">f8") for name, values in columns.items()},
        {name: QTable({"a": values})["a"] for name, values in columns.items()},
        {name: (columns[name] * unit).to(other[unit]) for name, unit in units.items() if name in names},
        {name: Masked(columns[name] * unit) for name, unit in units.items() if name in names},
    ):
        for one, two in zip(as_list(call(function, **kinds)), as_list(plain), strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-8)  # the covariance has a cusp at 0


def as_list(result: Any) -> list[Any]:
    return list(result.values()) if isinstance(result, dict) else list(np.atleast_1d(result))


HIDE = {
    "a mask": lambda x: Masked(x * u.mas, np.arange(N) == 2),
    "None": lambda x: [*x[:2], None, *x[3:]],
    "NA": lambda x: [*x[:2], pd.NA, *x[3:]],
}


@pytest.mark.parametrize("hide", HIDE)
def test_what_is_masked_in_an_array_is_null(hide: str) -> None:
    hidden = HIDE[hide](stars()["parallax"].to_numpy())
    assert np.flatnonzero(call("correct_parallax", parallax=hidden)["map_flag"]).tolist() == [2]
    refuses("1 of 30 values of 'parallax' are null", call, "mean_parallax", parallax=hidden)


def test_a_map_of_simulated_stars_says_so_and_is_no_correction_of_real_ones(tmp_path: Path, capsys: Any) -> None:
    path = write_map(tmp_path, simulated=True, release="Gaia DR3")
    offsets = read_map(path, parallax="raw")
    correct_parallax([1.0], [290.0], [40.0], offsets, base="raw")
    assert "map.ecsv: made of SIMULATED stars" in capsys.readouterr().err
    correct_table(stars(), offsets)
    assert "map.ecsv: made of SIMULATED stars" in capsys.readouterr().err
    block = {"kind": "map", "path": str(path), "on_top_of": "none", "simulated": False, "release": "dr3"}
    corrections = {"map": block, "none": {"kind": "none"}}
    words = "is made of SIMULATED stars, and the sample's are real"
    refuses(words, zero_point_of, stars(), "map", corrections)
    block["simulated"] = True
    assert np.isfinite(zero_point_of(stars(), "map", corrections)).all()


def test_columns_and_codes_in_python_that_say_something_else(tmp_path: Path) -> None:
    offsets = read_map(write_map(tmp_path, release="Gaia EDR3"), parallax="raw")
    for entry in (0, None, ["parallax"], {"colum": "ruwe"}, {"column": "parallax", "unit": None}):
        with refused("columns: parallax: .* should be a name, or {column, unit}"):
            correct_table(stars(), offsets, columns={"parallax": entry})
    refuses("correction None is none of none, lindegren2021", correct_table, stars(), offsets, correction=None)
    refuses("1 of 1 stars are coded 479", correct_parallax, [1.0], [290.0], [40.0], offsets, base="raw", solved=479)
    place = SkyCoord([290.0] * u.deg, [40.0] * u.deg)
    with refused("no position: name the columns for ra, dec"):
        correct_table(QTable({"parallax": [1.0] * u.mas, "place": place}), offsets)


def test_tables_and_groups_of_a_wrong_shape_are_refused() -> None:
    table = stars()
    for groups in (["a"], np.array(["a"] * (N + 1)), "parallax", np.full((N, 2), "a")):
        refuses("groups", group_means, table, groups)
    twice = pd.concat([table, table[["parallax"]]], axis=1)
    numbered = table.rename(columns={"parallax": 0})
    for wrong, words in ((twice, "'parallax' stands more than once"), (numbered, "unlike 0"), ({}, "not dict")):
        for door in (group_means, lambda given: correct_table(given, None, correction="lindegren2021")):
            refuses(words, door, wrong)


def test_identifiers_that_have_lost_digits_are_those_of_several_stars(tmp_path: Path, capsys: Any) -> None:
    """In a mean each counts; a star twice without an identifier is told."""
    table = stars().assign(source_id=lambda t: t["source_id"].where(t.index > 2, t["source_id"][0]))
    table = pd.concat([table, table.iloc[:1]], ignore_index=True)
    assert group_means(table)["n"].tolist() == [N]
    said = capsys.readouterr().err
    assert "2 rows have the source_id of a star at another position" in said and "1 rows are of a source_id" in said
    assert group_means(table.drop(columns=["source_id", "designation"]))["n"].tolist() == [N + 1]
    assert "1 rows equal another in position, parallax and error" in capsys.readouterr().err


def test_few_stars_in_arcsec_are_refused_by_their_errors_and_a_magnitude_or_ruwe_of_0_is_none() -> None:
    few = stars()[:2].assign(parallax=3e-4, parallax_error=1e-5)
    refuses("errors in column 'parallax_error' are smaller than 0.003 mas", group_means, few)
    for inflate in ("maiz_apellaniz2022", "el_badry2021"):
        factor = error_factor([15.0, 0.0], 31, 1.0, inflate=inflate)
        assert factor[0] > 1 and np.isnan(factor[1])
    assert np.isnan(error_factor([15.0], 31, 0.0))


@pytest.mark.parametrize("name", ["two.fits", "two.fits.gz"])
def test_two_tables_of_stars_in_one_file_are_refused(name: str, tmp_path: Path) -> None:
    table = fits.BinTableHDU(Table.from_pandas(stars().drop(columns="designation")))
    fits.HDUList([fits.PrimaryHDU(), table, table.copy()]).writeto(tmp_path / name)
    refuses("2 tables of stars in one file, HDUs 1, 2", file_means, tmp_path / name)


@pytest.mark.parametrize("form", ["fits", "vot"])
def test_integers_and_booleans_of_every_kind_keep_values_and_nulls(form: str, tmp_path: Path) -> None:
    """No value may be the one that stands for none; booleans with nulls become words of FITS."""
    kinds: dict[str, list[Any]] = {"Int64": [999999, -(2**63), None], "Int16": [16959, -(2**15), None]}
    kinds |= {"Int8": [63, -128, None], "UInt8": [63, 0, None]}
    table, offsets, out = stars()[:3].drop(columns="designation"), write_map(tmp_path), tmp_path / f"out.{form}"
    numbers = table.assign(**{kind: pd.array(values, dtype=kind) for kind, values in kinds.items()})
    numbers.to_parquet(tmp_path / "t.parquet")
    assert command.main(["apply", str(offsets), str(tmp_path / "t.parquet"), str(out)]) == 0
    found = read_table(out, {name: {"column": name} for name in kinds})
    for name, values in kinds.items():
        assert [None if pd.isna(value) else value for value in found[name]] == values
    known = Table.from_pandas(table)
    known["flag"] = np.ma.array([True, False, True], mask=[False, False, True])
    known.write(tmp_path / "t.ecsv", format="ascii.ecsv")
    assert command.main(["apply", str(offsets), str(tmp_path / "t.ecsv"), str(out), "--overwrite"]) == 0
    assert Table.read(out)["flag"].tolist() == (["True", "False", ""] if form == "fits" else [True, False, None])


def test_rows_of_one_label_in_several_orders_are_refused() -> None:
    table = stars()
    other = table.sort_values("parallax")
    refuses("rows of the same labels in another order", group_means, other, table["designation"])
    with refused("rows of the same labels in another order"):
        mean_parallax(other["parallax"], table["parallax_error"], table["ra"], table["dec"])
    assert group_means(other, pd.Series(["a"] * N, range(1, N + 1)))["n"].tolist() == [N]


def test_errors_that_are_inflated_already_are_not_inflated_by_a_sample() -> None:
    columns = {"parallax_error": "parallax_error_true_x", "parallax": "parallax_corrected"}
    sample: dict[str, Any] = {"inflate": "el_badry2021", "official": "none", "reference": {}}
    sample |= {"targets": {"dataset": "d", "columns": columns}, "crossmatch": {"backend": "none"}}
    config = {"corrections": {"none": {"kind": "none"}}}
    (fault,) = _corrected_faults(sample, config)
    assert "inflate would enlarge it once more" in fault.text
    assert not list(_corrected_faults({**sample, "inflate": None}, config))


def test_the_example_of_the_method_page(capsys: Any) -> None:
    """The shipped identifiers have lost digits; no star is left out for that."""
    found = file_means(ROOT / "config/data/globular_cluster_members.csv.gz", group="cluster", inflate=True)
    m12 = found.set_index("group").loc["M12"].round(4).tolist()
    assert m12 == [330, 0, 0.1729, 0.0030, 0.0108] and found["n"].sum() == 4551
    line = "M12: 330 stars, 0.1729 mas with a statistical error of 0.0030 and a whole error of 0.0108"
    assert line in (ROOT / "docs/method.md").read_text(encoding="utf-8")
