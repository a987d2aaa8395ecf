"""Bad input that would give a silently wrong number: each case is refused with its line in bad_input.txt."""

# ruff: noqa: E501 - the lines stand here as the user reads them

import gzip
import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import healpy as hp
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from astropy import units as u
from astropy.io import fits
from astropy.io.votable import from_table, parse
from astropy.table import Table
from unit.shared import ASTROPY
from unit.test_apply import write_map

from gaia_offsets import __main__ as command
from gaia_offsets.archive.rawfile import check_file, is_due, write_manifest
from gaia_offsets.core.columns import GAIA
from gaia_offsets.publish.offset_map import read_map
from gaia_offsets.sample.reference import check_units, reference_parallax
from gaia_offsets.sample.selection import select_stars
from gaia_offsets.sample.star_table import check_stars
from gaia_offsets.sky.positions import ecliptic_latitude, to_galactic
from gaia_offsets.tables.read import TableError, read_table

TEXT = Path(__file__).with_name("bad_input.txt").read_text(encoding="utf-8")
# By table the cases of bad_input.txt: what is given, where Python does not say it, and the line that the user reads.
CASES = {
    section.partition("]")[0]: [entry.split(" :: ") for entry in section.strip().splitlines()[1:]]
    for section in TEXT.split("\n[")[1:]
}
GIVEN = {name: {case: given[0] for case, *given, _ in cases if given} for name, cases in CASES.items()}
LINES = {name: {case: line for case, *_, line in cases} for name, cases in CASES.items()}


def spoil(table: pd.DataFrame, wrong: str) -> pd.DataFrame:
    """As bad_input.txt says it: `name: value` in the third row, or columns that are something else in all rows."""
    if ": " in wrong:
        name, value = wrong.split(": ")
        return table.assign(**{name: table[name].astype("str").where(table.index != 2, value)})
    noise = np.random.default_rng(41).normal(0, 1.0, len(table))
    for statement in filter(None, wrong.split("; ")):
        known = {"nan": np.nan, "noise": noise, "backwards": lambda column: column.to_numpy()[::-1]}
        table = table.eval(statement, engine="python", local_dict=known)
    return table


def refusal(work: Callable[[], Any], folder: Path | None = None, error: type[Exception] = TableError) -> str:
    """The one line with which something is refused, without the folder of the test."""
    with pytest.raises(error) as caught:
        work()
    line = str(caught.value).replace(f"{folder}/", "")
    assert len(line.splitlines()) == 1
    return line


# ---------------------------------------------------------------- tables: rows, columns and values

HEAD, ROW = "source_id,ra,dec,parallax\n", "1,10,20,0.5\n"
# Of the cases that need it what the config says of the columns; each is the text of a CSV file, or a file by its name.
COLUMNS = {
    "an unknown unit": {"distance": {"column": "d", "unit": "furlongs"}},
    "a unit of something else": {"distance": {"column": "d", "unit": "mag"}},
}


def content_of(text: str) -> bytes:
    """What a file of bad_input.txt holds; `30 x` is before a line that stands 30 times."""
    text = text.replace("(nothing)", "").encode().decode("unicode_escape")
    return re.sub(r"(\d+) x (.*\n)", lambda found: int(found[1]) * found[2], text).encode()


def twice(path: Path, *names: str) -> None:
    """A Parquet file with these columns, and the parallax twice."""
    columns = [*names, "parallax", "parallax"]
    pq.write_table(pa.table([[5.0 + place] for place in range(len(columns))], names=columns), path)


def table_file(folder: Path, content: str) -> Path:
    """A file with this content, or the one that has this name."""
    path = folder / (content if content.endswith((".gz", ".fits", ".parquet")) else "t.csv")
    packed = gzip.compress((HEAD + 50 * ROW + "2,10\n").encode(), mtime=0)
    if content.endswith(".gz"):
        path.write_bytes(packed if content == "short.csv.gz" else packed[:-12])
    elif content.endswith(".fits"):
        alike(path, 500)
        if content == "twice.fits":
            fits.setval(path, "TTYPE1", value="parallax", ext=1)
        else:
            path.write_bytes(path.read_bytes()[:9000])
    elif content.endswith(".parquet"):
        twice(path)
    else:
        path.write_bytes(content_of(content))
    return path


@pytest.mark.parametrize("case", GIVEN["TABLES"])
def test_a_table_is_refused(case: str, tmp_path: Path) -> None:
    path, columns = table_file(tmp_path, GIVEN["TABLES"][case]), COLUMNS.get(case, {})
    assert refusal(lambda: read_table(path, columns, vizier=GAIA), tmp_path) == LINES["TABLES"][case]


# ---------------------------------------------------------------- positions


def sky(n: int = 60) -> pd.DataFrame:
    """Stars all over the sky with every column that tells of a position, as Gaia gives them."""
    random = np.random.default_rng(14)
    ra, dec = random.uniform(0, 360, n), np.degrees(np.arcsin(random.uniform(-1, 1, n)))
    pixel = hp.ang2pix(4096, ra, dec, nest=True, lonlat=True)
    l, b = to_galactic(ra, dec)  # noqa: E741
    table = pd.DataFrame({"source_id": pd.array((pixel << 35) + 128 * random.integers(1, 2**20, n), dtype="Int64")})
    return table.assign(ra=ra, dec=dec, l=l, b=b, ecl_lat=ecliptic_latitude(ra, dec))


@pytest.mark.parametrize(("case", "wrong", "dropped", "line"), CASES["POSITIONS"], ids=LINES["POSITIONS"])
def test_a_wrong_position_is_refused(case: str, wrong: str, dropped: str, line: str) -> None:
    table = spoil(sky(), wrong).drop(columns=dropped.split())
    advice = "are they swapped, in hours or in radians, or are these columns of something else? Correct `columns:` of"
    assert refusal(lambda: check_stars(table, "t.csv")) == f"{line}; {advice} the table in the config"


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
    assert check_stars(sky().assign(**wrong(sky())), "t.csv") == lines


def test_every_nth_row_of_a_long_table_is_enough() -> None:
    table = pd.concat([sky()] * 5000, ignore_index=True)
    assert check_stars(table, "t.csv") == []
    assert "of 100000 rows disagree" in refusal(lambda: check_stars(table.assign(ra=table["ra"] / 15), "t.csv"))


# ---------------------------------------------------------------- units


def tracers(kind: str, distance: float, wrong: str = "", n: int = 400) -> pd.DataFrame:
    """Stars about `distance` kpc away, known to 5 %, as select_stars gives them, but for what is wrong in them."""
    random = np.random.default_rng(41)
    true = random.uniform(0.8, 1.2, n) / distance
    known = np.exp(random.normal(0, 0.05, n)) / true
    table = pd.DataFrame({"parallax": true - 0.03 + random.normal(0, 0.03, n), "parallax_error": 0.03})
    if kind == "constant":
        table = table.assign(parallax=random.normal(-0.02, 0.3, n), parallax_error=0.3)
    table = table.assign(distance=known, distance_error=0.05 * known, reference_parallax=1 / known)
    table = table.assign(distance_modulus=10 + 5 * np.log10(known), distance_modulus_error=0.11)
    table = table.assign(reference_parallax_error=0.05 / known)
    table = spoil(table, wrong)
    parallax, error = reference_parallax(table, {"kind": kind, "value_mas": 0.0})
    return table.assign(reference_parallax=parallax, reference_parallax_error=error)


@pytest.mark.parametrize("case", GIVEN["UNITS"])
def test_a_wrong_unit_is_refused(case: str) -> None:
    of, wrong = GIVEN["UNITS"][case].split(" kpc: ")  # the kind of the reference and the distance of the stars
    kind, distance = of.split(", ")
    assert refusal(lambda: check_units(tracers(kind, float(distance), wrong))) == LINES["UNITS"][case]
    check_units(tracers(kind, float(distance)))  # and nothing else is


@pytest.mark.parametrize("distance", [0.2, 1.0, 8.0, 20.0, 50.0, 800.0])
def test_right_units_pass_at_any_distance(distance: float) -> None:
    for kind in ("distance", "distance_modulus", "parallax"):
        check_units(tracers(kind, distance))
        check_units(tracers(kind, distance, "parallax_error = @nan"))
    # As good as Hipparcos: errors as large as the parallaxes, and offsets that scatter by them.
    loose = "reference_parallax = reference_parallax + @noise; reference_parallax_error = 1.0"
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

# Of the others the text says which column is wrong in the third row, or which metadata.
MAPS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "a pixel twice": lambda table: table.iloc[[0, 1, 1, *range(3, len(table))]],
    "values in mas": lambda table: table.assign(**table[["domega_noncorr", "e_domega_noncorr"]] / 1000),
    "errors in nas": lambda table: table.assign(e_domega_noncorr=1000 * table["e_domega_noncorr"]),
}


def third_row(given: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    name, value = given.split(" = ")
    return lambda table: table.assign(**{name: table[name].where(np.arange(len(table)) != 2, float(value))})


@pytest.mark.parametrize("case", LINES["MAPS"])
def test_a_map_is_refused(case: str, tmp_path: Path) -> None:
    given = GIVEN["MAPS"].get(case, "")
    more = {"said": yaml.safe_load(given)} if ": " in given else {"wrong": third_row(given) if given else MAPS[case]}
    path = write_map(tmp_path, **more)
    assert refusal(lambda: read_map(path, parallax="raw"), tmp_path) == LINES["MAPS"][case]


def drop_last_row(path: Path) -> None:
    """The file again without its last row, by means that know nothing of what is in it."""
    if path.suffix == ".fits":
        with fits.open(path) as hdus:
            hdus[1].data = hdus[1].data[:-1]
            hdus.writeto(path, overwrite=True)
    elif path.suffix == ".vot":
        file = parse(path)
        table = next(file.iter_tables())
        table.array = table.array[:-1]
        file.to_xml(str(path), tabledata_format="tabledata")
    elif path.suffix == ".parquet":
        table = pq.read_table(path)
        pq.write_table(table.slice(0, len(table) - 1), path)
    else:
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


@pytest.mark.parametrize("form", ["ecsv", "fits", "vot", "parquet", "mrt"])
def test_a_map_with_a_row_less_is_refused(form: str, tmp_path: Path) -> None:
    path = write_map(tmp_path, form=form)
    assert len(read_map(path, parallax="raw").pixels) == 88
    drop_last_row(path)
    line = f"map.{form}: has 87 rows where its metadata say 88; take the whole file"
    assert refusal(lambda: read_map(path, parallax="raw"), tmp_path) == line


# ---------------------------------------------------------------- gaia-offsets apply

STARS = "ra,dec,parallax\n" + "45,5,0.5\n" * 30


def two_tables(path: Path) -> None:
    file = from_table(Table.read(STARS, format="ascii.csv"))
    file.resources.append(from_table(Table({"a": [1]})).resources[0])
    file.to_xml(str(path))


def alike(path: Path, rows: int = 30, more: tuple[str, ...] = ()) -> None:
    names = ("ra", "dec", "parallax", *more)
    fits.BinTableHDU.from_columns([fits.Column(name, "D", array=np.full(rows, 0.5)) for name in names]).writeto(path)


def with_an_image(path: Path) -> None:
    table = fits.table_to_hdu(Table.read(STARS, format="ascii.csv"))
    fits.HDUList([fits.PrimaryHDU(), table, fits.ImageHDU(np.ones((3, 3)), name="SKY")]).writeto(path)


ONE_STAR = pd.DataFrame({"ra": [45.0], "dec": 5.0, "parallax": 0.5})
# How a catalogue is made that is no text.
APPLY: dict[str, Callable[[Path], Any]] = {
    "a column twice in Parquet": lambda path: twice(path, "ra", "dec"),
    "names that differ in case": lambda path: alike(path, more=("RA",)),
    "names that differ in case, other format": lambda path: alike(path, more=("RA",)),
    "a name like one to be added": lambda path: alike(path, more=("MAP_FLAG",)),
    "names that FITS cannot tell apart": lambda path: ONE_STAR.assign(RA=1.0).to_parquet(path),
    "an image that would be lost": with_an_image,
    "a table that would be lost": two_tables,
}


@pytest.mark.parametrize(("case", "files", "content", "line"), CASES["APPLY"], ids=LINES["APPLY"])
def test_a_catalogue_is_refused_and_nothing_is_touched(case, files, content, line, tmp_path: Path, capsys: Any) -> None:
    name, _, output, *options = files.split()
    offsets, catalogue = write_map(tmp_path), tmp_path / name
    (tmp_path / "link.ecsv").symlink_to(offsets)
    (tmp_path / "there.csv").write_text("mine")
    (tmp_path / f"{output}.part").write_text("mine too")
    if content == "see APPLY":
        APPLY[case](catalogue)
    else:
        catalogue.write_bytes(content_of(content))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert command.main(["apply", str(offsets), str(catalogue), str(tmp_path / output), *options]) == 1
    assert capsys.readouterr().err.replace(f"{tmp_path}/", "") == f"{line}\n"
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
        back = Table.read(output, format=ASTROPY[form]).to_pandas()
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
