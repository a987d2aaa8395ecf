"""Correcting a catalogue with a published map: values, flags, refusals, formats, memory, and a round trip."""

import dataclasses
import gzip
import os
import subprocess
import sys
from pathlib import Path

import healpy as hp
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from unit.shared import ASTROPY, GAUSSIAN, SOLUTIONS, command_refuses, refused, refuses

from gaia_offsets import __main__ as command
from gaia_offsets.correct import apply, streams
from gaia_offsets.correct.correction import check_base
from gaia_offsets.offsets.binned import pixel_offsets
from gaia_offsets.publish import dataset, write
from gaia_offsets.publish import fields as published
from gaia_offsets.publish.offset_map import read_map
from gaia_offsets.sample.zero_points import zero_point
from gaia_offsets.sky.positions import ecliptic_latitude, pixel_centre, pixel_index, to_galactic
from gaia_offsets.tables.read import read_table

ADDED = [field.name for field in published.OUTPUT]
GRID = {"frame": "equatorial", "nside": 4, "ordering": "nested"}


def offsets_of(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Raw and corrected offset of the test maps, uas; no two pixels are the same."""
    return -30.0 - 0.25 * pixels, 2.0 + 0.5 * pixels


def write_map(folder, *, form="ecsv", corrected=True, south=False, wrong=lambda table: table, said=None, **meta):
    """A map of the northern or southern part of the frame, as a dataset file; the grid is among `meta`.

    `wrong` makes of the table what is written, and `said` is metadata that are not true of it.
    """
    grid = {key: meta.get(key, value) for key, value in GRID.items()}
    pixels = np.arange(192)
    latitude = pixel_centre(pixels, nside=4, ordering=grid["ordering"])[1]
    pixels = pixels[latitude < 0 if south else latitude > 0]
    rows = pd.DataFrame({"hindex": pixels, "n": 60 + pixels, "gaussian_mean_error": 5.0 + 0.01 * pixels})
    kinds = zip(("raw", "corrected"), offsets_of(pixels), strict=True)
    rows = pd.concat([rows.assign(parallax=kind, gaussian_mean=mean) for kind, mean in kinds], ignore_index=True)
    rows = rows[(rows["parallax"] == "raw") | corrected].assign(solution="5p")
    facts = {key: f"some {key}" for key, *_ in published.META} | grid
    facts |= {"simulated": False, "more_than": 50, "systematic_uas": 10.3, "official": "lindegren2021", **meta}
    path = folder / f"map.{form}"
    table = wrong(dataset.table1(rows, solution="5p", more_than=50, **grid))
    write.write_dataset(table, path, published.TABLE1, facts | (said or {}))
    return path


@pytest.fixture(scope="module")
def map_file(tmp_path_factory) -> Path:
    return write_map(tmp_path_factory.mktemp("map"))


@pytest.fixture(scope="module")
def raw(map_file) -> apply.OffsetMap:
    return read_map(map_file, parallax="raw")


def correct(catalogue, output, offsets, **settings):
    return apply.correct_file(catalogue, output, apply.Correction(offsets, base="raw"), **settings)


def run(*words) -> int:
    return command.main(["apply", *map(str, words)])


@pytest.fixture(scope="module")
def stars() -> Table:
    """A catalogue with every kind of row and of column."""
    random = np.random.default_rng(4)
    n = 300
    table = Table()
    ra, dec = random.uniform(0, 360, n), random.uniform(-89, 89, n)
    table["source_id"] = (pixel_index(ra, dec, nside=4096, ordering="nested") << 35) + np.arange(n)
    table["ra"], table["dec"] = ra * u.deg, dec * u.deg
    parallax = random.normal(1, 0.3, n)
    parallax[3] = np.nan
    table["parallax"] = MaskedColumn(parallax, mask=np.isnan(parallax), unit="mas")
    table["ra"][4], table["dec"][5] = -9999.0, np.nan
    table["astrometric_params_solved"] = np.where(np.arange(n) == 6, 3, 31).astype(np.int16)
    table["name"] = [f'star "{i}", x' if i % 7 == 0 else f"s{i}" for i in range(n)]
    table["count"] = MaskedColumn(np.arange(n), mask=np.arange(n) % 3 == 0)
    return table


def expected(stars: Table, frame: str = "equatorial") -> tuple[np.ndarray, np.ndarray]:
    """Flag and corrected parallax by the definition, star by star."""
    flags, values = [], []
    for row in stars:
        parallax = np.nan if np.ma.is_masked(row["parallax"]) else row["parallax"]
        on_sky = 0 <= row["ra"] <= 360 and abs(row["dec"]) <= 90
        pixel, inside = 0, False
        if on_sky:
            place = (row["ra"], row["dec"])
            place = place if frame == "equatorial" else [float(x) for x in to_galactic(*place)]
            pixel = hp.ang2pix(4, *place, nest=True, lonlat=True)
            inside = hp.pix2ang(4, pixel, nest=True, lonlat=True)[1] > 0
        no_parallax = np.isnan(parallax) or row["astrometric_params_solved"] == 3
        flags.append(2 if no_parallax else 3 if not on_sky else 0 if inside else 1)
        values.append(parallax - 1e-3 * offsets_of(pixel)[0] if flags[-1] == 0 else np.nan)
    return np.array(flags), np.array(values)


def plain(column) -> np.ndarray:
    return np.ma.filled(np.ma.asarray(column).astype(float), np.nan)


@pytest.mark.parametrize("frame", ["equatorial", "galactic"])
def test_arrays_by_definition(frame, stars, tmp_path):
    offsets = read_map(write_map(tmp_path, frame=frame), parallax="raw")
    flags, values = expected(stars, frame)
    assert set(flags) == {0, 1, 2, 3}
    for table in (stars, stars.to_pandas()):
        result = apply.correct_table(table, offsets, base="raw")
        np.testing.assert_array_equal(result["map_flag"], flags)
        np.testing.assert_allclose(result["parallax_map_corrected"], values, rtol=0, atol=1e-12)
    known = flags == 0
    assert np.isnan(result["map_offset"][~known]).all() and (result["map_n"][~known] == 0).all()
    assert (result["map_error_systematic"][known] == 10.3).all()
    assert result["map_error_statistical"][known].between(5, 6.92).all()
    assert "parallax_map_corrected" not in stars.colnames


def test_lists_edges_of_the_sky_and_nothing(map_file):
    corrected = read_map(map_file, parallax="corrected")
    places = [0, 360, 10, 10, -180], [90, 89.999, 50, None, 50]
    result = apply.correct_parallax([1.0, 1.0, None, 1.0, 1.0], *places, corrected, base="official")
    assert result["map_flag"].tolist() == [0, 0, 2, 3, 0]
    first = hp.ang2pix(4, 0, 90, nest=True, lonlat=True)
    assert result["map_offset"][0] == offsets_of(first)[1]
    assert result["parallax_map_corrected"][0] == pytest.approx(1 - 1e-3 * offsets_of(first)[1])
    assert all(len(values) == 0 for values in apply.correct_parallax([], [], [], corrected, base="official").values())


def test_units_and_frames_of_a_table_are_honoured_or_refused(stars, raw):
    there = apply.correct_table(stars, raw, base="raw")
    other = stars.copy()
    other["parallax"], other["ra"] = other["parallax"].to("arcsec"), other["ra"].to("rad")
    back = apply.correct_table(other, raw, base="raw")
    np.testing.assert_allclose(back["parallax_map_corrected"], there["parallax_map_corrected"])
    good = stars[10:]
    l, b = to_galactic(np.asarray(good["ra"]), np.asarray(good["dec"]))  # noqa: E741
    turned = Table({"plx": np.asarray(good["parallax"]) * 1000, "glon": np.where(l > 180, l - 360, l), "glat": b})
    columns = {"parallax": {"column": "plx", "unit": "uas"}, "l": "glon", "b": "glat"}
    back = apply.correct_table(turned, raw, base="raw", columns=columns)
    np.testing.assert_allclose(back["map_offset"], there["map_offset"][10:])
    np.testing.assert_allclose(back["parallax_map_corrected"], there["parallax_map_corrected"][10:])
    other["parallax"].unit = "mag"
    refuses("'parallax'.*'mag'.*'mas'", apply.correct_table, other, raw, base="raw")
    missing = good.copy()
    missing["parallax"][:2] = [-9999.0, np.inf]
    assert (apply.correct_table(missing, raw, base="raw")["map_flag"][:2] == 2).all()


def test_official_zero_point_computed_on_the_way(map_file):
    """Stars inside the model's range, outside of it, and outside the footprint."""
    corrected = read_map(map_file, parallax="corrected")
    columns = {"ra": [90.0, 90.0, 270.0], "dec": [23.4393, 23.4393, -23.4393]}  # on the ecliptic
    columns |= {"parallax": 1.0, "ecl_lat": 0.0, "pseudocolour": np.nan}
    columns |= {"phot_g_mean_mag": [15.0, 25.0, 15.0], "nu_eff_used_in_astrometry": 1.5}
    table = pd.DataFrame(columns).assign(astrometric_params_solved=31)
    result = apply.correct_table(table, corrected, correction="lindegren2021")
    official = zero_point("lindegren2021", [15.0], [1.5], [np.nan], [0.0], [31])[0]
    offset = result["map_offset"][0]
    assert official < -0.01 and result["subtracted_zero_point"][0] == official
    assert result["map_flag"].tolist() == [0, 4, 1]
    values = [1 - official - 1e-3 * offset, np.nan, np.nan]  # half a correction is none
    assert result["parallax_map_corrected"].tolist() == pytest.approx(values, nan_ok=True)
    with refused("'phot_g_mean_mag'"):
        apply.correct_table(table.drop(columns="phot_g_mean_mag"), corrected, correction="lindegren2021")


@pytest.mark.parametrize(
    ("base", "parallax", "correction", "words"),
    [
        ("raw", "corrected", "none", "corrected map .* base raw: use the raw map; or"),
        ("official", "raw", "none", "raw map .* base official: use the corrected map"),
        ("raw", "raw", "lindegren2021", "the raw map does not"),
        ("official", "corrected", "maiz_apellaniz2022", "subtracted already"),
        ("published", "raw", "none", "neither raw"),
        ("raw", "raw", "gaia", "'gaia' is none of none, lindegren2021"),
    ],
)
def test_map_and_base_that_do_not_go_together(base, parallax, correction, words, map_file):
    refuses(words, check_base, base, parallax, correction, error=apply.ApplyError)
    if correction == "none":
        with refused(words, apply.ApplyError):
            apply.correct_parallax([1.0], [1.0], [50.0], read_map(map_file, parallax=parallax), base=base)


def test_a_column_stands_for_one_thing(map_file):
    stars = pd.DataFrame({"ra": [1.0], "dec": [50.0], "npar": [31.0]})
    columns = {name: {"column": "npar"} for name in ("parallax", "astrometric_params_solved")}
    words = "'npar' cannot be parallax and astrometric_params_solved at once"
    stars = stars.assign(phot_g_mean_mag=12.0, nu_eff_used_in_astrometry=1.5, pseudocolour=1.5, ecl_lat=3.0)
    with refused(words):
        apply.correct_table(stars, None, correction="lindegren2021", columns=columns)


@pytest.mark.parametrize("form", ["ecsv", "fits", "vot", "parquet", "mrt", "csv"])
@pytest.mark.parametrize("grid", [GRID, GRID | {"frame": "galactic", "ordering": "ring"}])
def test_every_format_of_the_map(form, grid, tmp_path):
    path = write_map(tmp_path, form=form, **grid)
    offsets = read_map(path, parallax="corrected", **(grid | {"systematic_uas": 10.3} if form == "csv" else {}))
    assert {key: getattr(offsets, key) for key in grid} == grid and offsets.systematic_uas == 10.3
    assert (offsets.offset == offsets_of(offsets.pixels)[1]).all() and (offsets.n == 60 + offsets.pixels).all()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        *[({key: None}, f"does not state its {key}") for key in GRID],
        *[({"systematic_uas": None}, "--systematic"), ({"systematic_uas": -1.0}, "floor of -1")],
        *[({"frame": "ecliptic"}, "'ecliptic'"), ({"ordering": "peano"}, "'peano'"), ({"nside": 5}, "power of two")],
        *[({key: value}, "do not lie") for key, value in (("ordering", "ring"), ("frame", "galactic"), ("nside", 8))],
        ({"parallax": "both"}, "neither raw nor corrected"),
    ],
)
def test_maps_that_are_refused(wrong, words, tmp_path):
    path = write_map(tmp_path, form="csv")
    with refused(words, apply.ApplyError):
        read_map(path, **{"parallax": "raw", "systematic_uas": 10.3, **GRID, **wrong})


def test_maps_that_say_otherwise_or_nothing(map_file, tmp_path):
    with refused("equatorial, not galactic", apply.ApplyError):
        read_map(map_file, parallax="raw", frame="galactic")
    with refused("no pixel has a corrected", apply.ApplyError):
        read_map(write_map(tmp_path, corrected=False), parallax="corrected")


FORMS = [(a, b) for a in ASTROPY for b in ASTROPY if a == b or "csv" not in (a, b)]


@pytest.mark.parametrize(("before", "after"), [*FORMS, ("csv", "parquet"), ("parquet", "csv")])
def test_files_in_and_out(before, after, stars, raw, tmp_path, monkeypatch):
    catalogue, output = tmp_path / f"cat.{before}", tmp_path / f"out.{after}"
    stars.write(catalogue, format=ASTROPY[before])
    content = catalogue.read_bytes()
    monkeypatch.setattr(streams, "CHUNK", 64)
    counts = correct(catalogue, output, raw)
    flags, values = expected(stars)
    assert counts.tolist() == np.bincount(flags, minlength=5).tolist()
    result = Table.read(output, format=ASTROPY[after])
    assert [name for name in result.colnames if name not in stars.colnames] == ADDED
    assert (np.asarray(result["map_flag"]) == flags).all()
    np.testing.assert_allclose(plain(result["parallax_map_corrected"]), values, rtol=0, atol=1e-12)
    assert (np.asarray(result["source_id"]) == np.asarray(stars["source_id"])).all()
    assert [str(text) for text in result["name"]] == [str(text) for text in stars["name"]]
    np.testing.assert_array_equal(plain(result["count"])[1::3], plain(stars["count"])[1::3])
    if "csv" not in (before, after):
        for name, unit in (("map_offset", "uas"), ("parallax_map_corrected", "mas")):
            assert (1 * result[name].unit).to_value(unit) == pytest.approx(1)
    assert catalogue.read_bytes() == content and not list(tmp_path.glob("*.part"))


def test_fits_keeps_every_byte_of_odd_columns(stars, tmp_path, monkeypatch):
    """Vectors, scaled and unsigned integers, null integers, columns of variable length, an extension in front."""
    n = len(stars)
    ragged = np.empty(n, dtype=object)
    ragged[:] = [np.arange(i % 5) for i in range(n)]
    columns = [
        fits.Column("parallax", "D", unit="mas", array=plain(stars["parallax"])),
        fits.Column("ra", "J", unit="deg", array=np.arange(n) * 1_200_000),
        fits.Column("dec", "E", unit="deg", array=plain(stars["dec"])),
        fits.Column("vector", "3D", array=np.arange(3.0 * n).reshape(n, 3)),
        fits.Column("unsigned", "I", bzero=32768, array=np.arange(n, dtype=np.uint16) + 40000),
        fits.Column("astrometric_params_solved", "I", null=3, array=np.where(np.arange(n) % 2, 31, 3)),  # 3: a null
        fits.Column("ragged", "PJ()", array=ragged),
    ]
    path, output = tmp_path / "odd.fits", tmp_path / "out.fits"
    hdu = fits.BinTableHDU.from_columns(columns, name="STARS")
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros((7, 7))), hdu]).writeto(path, checksum=True)
    fits.setval(path, "TSCAL2", value=1e-6, ext=2)
    offsets = read_map(write_map(tmp_path, simulated=True), parallax="raw")
    monkeypatch.setattr(streams, "CHUNK", 37)
    correct(path, output, offsets)
    with fits.open(output) as hdus, fits.open(path) as originals:
        hdus.verify("exception")
        assert "simulated: True" in str(hdus[2].header["HISTORY"]) and hdus[2].name == "STARS"
        assert hdus[1].data.shape == (7, 7) and len(hdus) == 3
        for name in originals[2].columns.names:
            left, right = hdus[2].data[name], originals[2].data[name]
            assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(left, right, strict=True)), name
        stars = hdus[2].data
        pixel = hp.ang2pix(4, stars["ra"], np.nan_to_num(stars["dec"]), nest=True, lonlat=True)
        known = stars["map_flag"] == 0
        assert known.sum() > 100
        np.testing.assert_allclose(stars["map_offset"][known], offsets_of(pixel)[0][known])


@pytest.mark.parametrize("form", ["csv", "fits"])
def test_packed_files_stay_packed(form, stars, raw, tmp_path):
    catalogue, output = tmp_path / f"cat.{form}.gz", tmp_path / f"out.{form}.gz"
    stars.write(tmp_path / f"cat.{form}", format=ASTROPY[form])
    catalogue.write_bytes(gzip.compress((tmp_path / f"cat.{form}").read_bytes()))
    correct(catalogue, output, raw)
    first = output.read_bytes()
    correct(catalogue, output, raw, overwrite=True)
    assert output.read_bytes() == first and first[:2] == b"\x1f\x8b" and first[4:8] == bytes(4)  # no time
    (tmp_path / f"plain.{form}").write_bytes(gzip.decompress(first))
    result = Table.read(tmp_path / f"plain.{form}", format=ASTROPY[form])
    assert (np.asarray(result["map_flag"]) == expected(stars)[0]).all()


def test_text_of_a_csv_passes_untouched(raw, tmp_path):
    path, output = tmp_path / "cat.csv", tmp_path / "out.csv"
    path.write_text('id,ra,dec,parallax,note\n0012,1.50,50.0,0.4500,"a, ""b"""\n7, 2.0 ,50,,\n8,nan,50,1e-1,null\n')
    correct(path, output, raw)
    lines = output.read_text().splitlines()
    assert lines[0] == "id,ra,dec,parallax,note," + ",".join(ADDED)
    assert lines[1].startswith('0012,1.50,50.0,0.4500,"a, ""b""",')
    assert lines[2].startswith("7, 2.0 ,50,,,,,,,0,2") and lines[3].startswith("8,nan,50,1e-1,null,,,,,0,3")


def python(*arguments) -> subprocess.CompletedProcess:
    """A new Python that finds gaia_offsets."""
    scripts = str(Path(apply.__file__).parents[1])
    words = [sys.executable, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": scripts})


def test_command(stars, tmp_path):
    path, output = tmp_path / "cat.parquet", tmp_path / "out.parquet"
    renamed = stars.copy()
    renamed.rename_column("parallax", "plx")
    renamed.write(path, format="parquet")
    offsets = write_map(tmp_path, simulated=True)
    done = python("-m", "gaia_offsets", "apply", offsets, path, output, "--parallax", "plx")
    assert done.returncode == 0 and "map_flag 0:" in done.stderr and "SIMULATED" in done.stderr
    assert (Table.read(output)["map_flag"] == expected(stars)[0]).all()


def test_command_refuses_in_one_line(stars, map_file, tmp_path, capsys):
    path, output = tmp_path / "cat.fits", tmp_path / "out.fits"
    stars.write(path)
    (tmp_path / "short.fits").write_bytes(path.read_bytes()[:12000])
    start = (map_file, path, output)

    def refuses(words, *arguments):
        command_refuses(capsys, words, "apply", *arguments)

    for words, *more in (
        ("use the corrected map", "--base", "official", "--map", "raw"),
        ("'plx'", "--parallax", "plx"),
        ("nested, not ring", "--ordering", "ring"),
        ("to 'mas'", "--unit", "parallax=mag"),
        ("NAME=UNIT", "--unit", "plx"),
        ("holds text where numbers", "--parallax", "name"),
        ("'phot_g_mean_mag'", "--with-official"),
    ):
        refuses(words, *start, *more)
    refuses("no such file", map_file, tmp_path / "none.fits", output)
    refuses("no such file", tmp_path / "none.ecsv", path, output)
    refuses("unknown kind of table", map_file, path, tmp_path / "out.txt")
    refuses("its frame", write_map(tmp_path, form="csv"), path, output)
    refuses("short.fits", map_file, tmp_path / "short.fits", output)
    for form in ("csv", "parquet", "fits"):
        for words, columns in (("no position", {}), ("the first 'x' in row 1", {"parallax": ["x"], "dec": [1.0]})):
            odd = tmp_path / f"odd.{form}"
            Table({"parallax": [1.0], "ra": [1.0], **columns}).write(odd, format=ASTROPY[form], overwrite=True)
            refuses(words, map_file, odd, tmp_path / f"o.{form}")
    assert run(*start) == 0
    refuses("corrected once", map_file, output, tmp_path / "twice.fits")
    assert not list(tmp_path.glob("*.part"))


def test_maps_that_come_with_it_have_names(tmp_path, capsys):
    assert command.main(["maps"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("kepler_giants: Gaia EDR3, 2112 stars, 47 pixels of 1.8 deg, ra 283 to 300, dec 37 to 51\n")
    assert "\nglobular_clusters: Gaia EDR3, 2961 stars, 12 pixels of 7.3 deg around (ra, dec) = (264, 48), " in said
    stars = pd.DataFrame({"ra": [290.0, 10.0], "dec": [42.0, -30.0], "parallax": 0.8})
    stars.to_csv(tmp_path / "t.csv", index=False)
    assert run("kepler_giants", tmp_path / "t.csv", tmp_path / "out.csv") == 0
    assert pd.read_csv(tmp_path / "out.csv")["map_flag"].tolist() == [0, 1]
    assert apply.correct_table(stars, "globular_clusters")["map_flag"].tolist() == [1, 1]  # only files are refused
    command_refuses(capsys, "no map that comes with this: kepler_giants, glob", "apply", "kepler", "t.csv", "o.csv")
    pixels = np.unique(pixel_index(np.arange(340.0, 380.0) % 360, np.linspace(1, 5, 40), nside=32, ordering="nested"))
    values = (np.full(len(pixels), value) for value in (-30.0, 5.0, 60))
    across = apply.OffsetMap("raw", "equatorial", 32, "nested", 10.3, pixels, *values, {})
    assert across.footprint == "22 pixels of 1.8 deg, ra 340 to 18, dec 1 to 5"


def test_units_of_the_command_by_hand(map_file, tmp_path):
    """Every unit is another than ours, and every number below was computed by hand: a changed factor shows."""
    # 11 h 20 m are 170 deg and 0.4 rad are 22.918 deg, z = 0.38942. HEALPix, nside 4 (Gorski et al. 2005): the lines
    # 4 (0.5 + 170/90 -+ 0.75 z) are 8.39 and 10.72: face 6, x = 10 - 8 = 2, y = 3 - 0 = 3, index 16 * 6 + 0b1110 = 110.
    path, output = tmp_path / "cat.csv", tmp_path / "out.csv"
    path.write_text("ra,dec,plx\n11.3333333333,0.4,1234.5\n")
    units = ("--unit", "ra=hourangle", "--unit", "dec=rad", "--parallax", "plx", "--unit", "parallax=uas")
    assert run(map_file, path, output, *units) == 0
    row = pd.read_csv(output).iloc[0]
    # The map: -30 - 110 / 4 = -57.5 uas, error 5 + 1.1 uas, 60 + 110 stars. 1234.5 + 57.5 uas = 1.292 mas.
    assert (row["map_offset"], row["map_error_statistical"], row["map_n"]) == (-57.5, 6.1, 170)
    assert row["parallax_map_corrected"] == pytest.approx(1.292, abs=1e-12) and row["plx"] == 1234.5


@pytest.mark.parametrize("form", ASTROPY)
def test_empty_catalogue(form, raw, tmp_path):
    path, output = tmp_path / f"none.{form}", tmp_path / f"out.{form}"
    Table(dict.fromkeys(("parallax", "ra", "dec"), np.zeros(0))).write(path, format=ASTROPY[form])
    correct(path, output, raw)
    result = Table.read(output, format=ASTROPY[form])
    assert len(result) == 0 and result.colnames[3:] == ADDED


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="no peak memory is told; getrusage's is the parent's"
)
@pytest.mark.parametrize("form", ["parquet", "fits", "csv"])
def test_memory_does_not_grow_with_the_catalogue(form, map_file, tmp_path):
    """Every option, Parquet in one row group; without chunks, twice the rows take 70 MB more."""
    n = 200_000
    random = np.random.default_rng(2)
    columns = {"source_id": np.arange(n), "ra": random.uniform(0, 360, n), "dec": random.uniform(-90, 90, n)}
    columns |= {"Plx": random.integers(1, 9, n) / 4, "e_Plx": 0.25, "Gmag": random.integers(24, 84, n) / 4}
    table = pd.DataFrame(columns).assign(nueff=1.5, pscol=1.5, Solved=31, RUWE=1.0)
    table["ELAT"] = ecliptic_latitude(columns["ra"], columns["dec"])
    paths = [tmp_path / f"{rows}.{form}" for rows in (n // 2, n)]
    for path in paths:
        part = table[: int(path.stem)]
        if form == "parquet":
            part.to_parquet(path, row_group_size=n)
        elif form == "csv":
            csv.write_csv(pa.Table.from_pandas(part), path)
        else:
            fits.BinTableHDU(part.to_records(index=False)).writeto(path)
    code = (
        "import sys; from gaia_offsets.correct import streams; streams.CHUNK = 20_000\n"
        "from gaia_offsets.__main__ import main; options = ['--overwrite', '--with-official', '--inflate']\n"
        "for path in sys.argv[3:]:\n"
        "    assert main(['apply', sys.argv[1], path, sys.argv[2], *options]) == 0\n"
        "    print(*(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    done = python("-c", code, map_file, tmp_path / f"out.{form}", *paths)
    assert done.returncode == 0, done.stderr
    peaks = [int(line) / 1024 for line in done.stdout.split()]
    assert peaks[1] - peaks[0] < 40, peaks


def test_round_trip_on_simulated_stars():
    """A map from one half of simulated stars corrects the other: no offset stays, and the pattern is gone."""
    random = np.random.default_rng(20220121)
    n, nside, sd = 120_000, 32, 60.0
    ra, dec = random.uniform(100, 135, n), np.degrees(np.arcsin(random.uniform(0.3, 0.75, n)))
    pattern = 20 * np.sqrt(2) * np.sin(np.radians(12 * ra)) * np.sign(np.cos(np.radians(9 * dec)))  # some 20 uas
    truth = random.uniform(0.3, 1.2, n)
    parallax = truth + 1e-3 * (-28 + pattern + random.normal(0, sd, n))
    pixel = pixel_index(ra, dec, nside=nside, ordering="nested")
    half = random.random(n) < 0.5
    tracers = pd.DataFrame({"solution": "5p", "offset_raw": 1e3 * (parallax - truth)})[half]
    measured = pixel_offsets(tracers.assign(offset_corrected=np.nan), pixel[half], SOLUTIONS, gaussian=GAUSSIAN)
    table = dataset.table1(measured, solution="5p", frame="equatorial", nside=nside, ordering="nested", more_than=50)
    assert len(table) > 90
    columns = (table[name].to_numpy() for name in ("hindex", "domega_noncorr", "e_domega_noncorr", "n"))
    offsets = apply.OffsetMap("raw", "equatorial", nside, "nested", 10.3, *columns, {})
    result = apply.correct_parallax(parallax[~half], ra[~half], dec[~half], offsets, base="raw")
    inside = result["map_flag"] == 0
    left = 1e3 * (result["parallax_map_corrected"] - truth[~half])[inside]
    before = 1e3 * (parallax - truth)[~half][inside]
    here = pixel[~half][inside]
    # The error of the median of the stars corrected, and that of the map, whose stars are as many.
    error = np.hypot(1.2533, 1.0) * sd / np.sqrt(len(left))
    assert abs(np.median(before)) > 20 * error and abs(np.median(left)) < 3 * error

    by_pixel = pd.DataFrame({"before": before, "left": left, "pattern": pattern[~half][inside]}).groupby(here)
    means, count = by_pixel.mean(), by_pixel["left"].size()
    noise = sd**2 / count
    map_noise = table.set_index("hindex")["e_domega_noncorr"][means.index] ** 2
    injected = means["pattern"].var()
    assert injected > 15**2 and means["before"].var() == pytest.approx(injected + noise.mean(), rel=0.15)
    assert means["left"].var() == pytest.approx((noise + map_noise).mean(), rel=0.35)
    drop = means["before"].var() - means["left"].var()
    assert drop == pytest.approx(injected - map_noise.mean(), rel=0.15)
    outside = result["map_flag"] == 1
    assert outside.any() and np.isnan(result["parallax_map_corrected"][outside]).all()


def test_masks_of_astropys_parquet_are_nulls(map_file, tmp_path):
    table = Table({"ra": [10.0, 10.0], "dec": [40.0, 40.0], "parallax": MaskedColumn([1.0, 0.5], mask=[True, False])})
    table.write(tmp_path / "masked.parquet", format="parquet")
    assert run(map_file, tmp_path / "masked.parquet", tmp_path / "out.parquet", "--base", "raw") == 0
    assert pa.parquet.read_table(tmp_path / "out.parquet")["map_flag"].to_pylist() == [2, 0]


def test_a_map_of_edr3_refuses_codes_that_edr3_does_not_have(map_file):
    offsets = read_map(map_file, parallax="raw")
    table = pd.DataFrame({"ra": 10.0, "dec": 20.0, "parallax": [0.5, 0.6], "astrometric_params_solved": [31, 79]})
    assert len(apply.correct_table(table, offsets)) == 2  # a map that does not say its release
    offsets = dataclasses.replace(offsets, meta={**offsets.meta, "release": "Gaia EDR3"})
    refuses("1 of 2 stars are coded 79", apply.correct_table, table, offsets)
    assert len(apply.correct_table(table.drop(columns="astrometric_params_solved"), offsets)) == 2


@pytest.mark.parametrize("form", ["parquet", "fits", "vot", "ecsv", "csv"])
@pytest.mark.parametrize("origin", ["parquet", "ecsv", "csv"])
def test_whole_numbers_and_nulls_pass_from_format_to_format(origin, form, tmp_path):
    """Read back by pandas and by this program: digits of 64-bit numbers, nulls as nulls, and no columns of masks."""
    ids = [2**62 + 1, None, 2**62 + 2]
    stars = pd.DataFrame({"member": pd.array(ids, dtype="Int64"), "parallax": [0.5, np.nan, 0.7]})
    stars = stars.assign(zp=0.0, note=["a", None, "b"])
    if origin == "ecsv":
        Table.from_pandas(stars).write(tmp_path / "in.ecsv")
    else:
        getattr(stars, f"to_{origin}")(tmp_path / f"in.{origin}", index=False)
    output = tmp_path / f"out.{form}"
    assert command.main(["apply", "-", str(tmp_path / f"in.{origin}"), str(output), "--correction", "column:zp"]) == 0
    if form == "parquet":
        back = pd.read_parquet(output, dtype_backend="numpy_nullable")
        assert back["member"].tolist() == [ids[0], pd.NA, ids[2]]
        assert back["note"].isna().tolist() == back["parallax"].isna().tolist() == [False, True, False]
        assert not [name for name in back if name.endswith(".mask")]
    back = read_table(output, columns={"member": "member"})
    assert back["member"].astype("Int64").tolist() == [ids[0], pd.NA, ids[2]]
