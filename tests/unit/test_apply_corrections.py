"""Corrections before a map and without one, true errors, and VizieR's names: what `gaia-offsets apply` takes."""

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from crossmatch_tables import open_tables
from unit.shared import ASTROPY, command_refuses, refused, refuses
from unit.test_apply import offsets_of, plain, run, write_map

from gaia_offsets.correct import apply
from gaia_offsets.sample.errors import error_factor
from gaia_offsets.sample.zero_points import zero_point
from gaia_offsets.sky.positions import ecliptic_latitude, pixel_index, to_galactic

MAIZ = "maiz_apellaniz2022"


def vizier() -> Table:
    """Stars under VizieR's names and units: 5p, 6p, too faint for a zero point, 2p, north of the map.

    Near where the circle through the poles of equator and ecliptic meets the ecliptic latitudes -45 and 0.
    """
    ra, dec = np.array([270.1] * 4 + [90.1]), np.array([-68.43928, -68.43928, -23.43928, -23.43928, 23.43928])
    table = Table({"Source": (pixel_index(ra, dec, nside=4096, ordering="nested") << 35) + np.arange(5)})
    table["RA_ICRS"], table["DE_ICRS"] = ra, dec
    table["Plx"] = MaskedColumn([1.0, 1.0, 1.0, 0.0, 1.0], mask=[False, False, False, True, False])
    table["e_Plx"] = MaskedColumn([0.02, 0.02, 0.02, 0.0, 0.02], mask=[False, False, False, True, False])
    table["Gmag"] = [15.0, 15.0, 21.5, 15.0, 15.0]
    table["nueff"] = MaskedColumn([1.35, 0.0, 1.5, 0.0, 1.8], mask=[False, True, False, True, False])
    table["pscol"] = MaskedColumn([0.0, 1.35, 0.0, 0.0, 0.0], mask=[True, False, True, True, True])
    table["ELAT"], table["Solved"] = [-45.0, -45.0, 0.0, 0.0, 0.0], np.array([31, 95, 31, 3, 31], dtype=np.int16)
    table["RUWE"], table["bias"] = [1.0, 1.0, 1.0, 1.0, 1.5], [-20.0, -21.0, np.nan, -22.0, -23.0]
    units = {"RA_ICRS": "deg", "DE_ICRS": "deg", "Plx": "mas", "e_Plx": "mas", "Gmag": "mag", "ELAT": "deg"}
    for name, unit in (units | {"nueff": "um-1", "pscol": "um-1", "bias": "uas"}).items():
        table[name].unit = unit
    return table


# At (15, 1.35, -45) and (15, 1.8, 0), by independent implementations; 6p sources are those of Lindegren et al. 2021b.
SIX = -0.040913
ZERO_POINTS = {
    MAIZ: [-0.036349, SIX, np.nan, np.nan, -0.030113],
    "lindegren2021": [-0.039744, SIX, np.nan, np.nan, -0.032770],
    "column:bias": [-0.020, -0.021, np.nan, -0.022, -0.023],
}
# k is 1.35 at G 14.75 and 1.24 at 15.25, so 1.295 at 15; 1.14 at 21.5. ke is 1.28 at 14.5 and 1.38 at 15.5: 1.33.
TRUE = np.hypot(0.02 * np.array([1.295, 1.295 * 1.25, 1.14, np.nan, 1.295 * 2.33]), 0.0103)


def written(form: str, folder, table: Table | None = None):
    path = folder / f"cat.{form}"
    (vizier() if table is None else table).write(path, format=ASTROPY[form], overwrite=True)
    return path, folder / f"out.{form}"


def map_on(folder, correction: str):
    return write_map(folder, official=correction.removeprefix("column:"), south=True)


@pytest.mark.parametrize("form", ASTROPY)
@pytest.mark.parametrize("correction", ZERO_POINTS)
@pytest.mark.parametrize("mapped", [False, True])
def test_every_correction_on_a_file_with_names_of_vizier(form, correction, mapped, tmp_path):
    path, output = written(form, tmp_path)
    given = map_on(tmp_path, correction) if mapped else "-"
    unit = ["--unit", "correction=uas"] if correction.startswith("column") and form == "csv" else []
    assert run(given, path, output, "--correction", correction, "--inflate", *unit) == 0
    result = Table.read(output, format=ASTROPY[form])
    zero = np.array(ZERO_POINTS[correction])
    np.testing.assert_allclose(plain(result["subtracted_zero_point"]), zero, rtol=0, atol=1e-6)
    np.testing.assert_allclose(plain(result["parallax_error_true"]), TRUE, rtol=1e-12)
    if not mapped:
        assert result.colnames[-3:] == ["parallax_corrected", "subtracted_zero_point", "parallax_error_true"]
        expected = np.array([1.0, 1.0, 1.0, np.nan, 1.0]) - zero
        np.testing.assert_allclose(plain(result["parallax_corrected"]), expected, rtol=0, atol=1e-6)
        return
    assert result["map_flag"].tolist() == [0, 0, 4, 2, 1]
    pixel = pixel_index([270.1], [-68.43928], nside=4, ordering="nested")[0]
    expected = np.array([1.0, 1.0, np.nan, np.nan, np.nan]) - zero - 1e-3 * offsets_of(pixel)[1]
    np.testing.assert_allclose(plain(result["parallax_map_corrected"]), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("base", ["raw", "official"])
@pytest.mark.parametrize("frame", ["equatorial", "galactic"])
def test_a_map_alone_and_galactic_names(base, frame, tmp_path, capsys):
    table = vizier()
    table["GLON"], table["GLAT"] = to_galactic(np.asarray(table["RA_ICRS"]), np.asarray(table["DE_ICRS"]))
    table.remove_columns(["RA_ICRS", "DE_ICRS"])
    path, output = written("fits", tmp_path, table)
    given = write_map(tmp_path, frame=frame, south=frame == "equatorial")
    if frame == "galactic":  # the stars are at b = -21
        words = r"none of 5 rows is in the map's footprint, 88 pixels of 15 deg, l 0 to 349, b 10 to 78; nothing is"
        command_refuses(capsys, words, "apply", given, path, output, "--base", base)
        assert not output.exists()
        return
    assert run(given, path, output, "--base", base) == 0
    said = capsys.readouterr().err
    assert ("stands on lindegren2021: it must be the one subtracted already" in said) == (base == "official")
    pixel = pixel_index([270.1], [-68.43928], nside=4, ordering="nested")[0]
    found = Table.read(output)[0]
    assert (found["map_flag"], found["map_offset"]) == (0, offsets_of(pixel)[base == "official"])


def test_inflate_alone_and_the_report(tmp_path, capsys):
    path, output = written("csv", tmp_path)
    assert run("-", path, output, "--inflate") == 0
    assert "1 of 5 rows have no parallax_error_true" in capsys.readouterr().err
    assert list(pd.read_csv(output).columns) == [*vizier().colnames, "parallax_error_true"]
    assert run("-", path, output, "--with-official", "--overwrite") == 0
    assert capsys.readouterr().err.splitlines() == [
        "3 of 5 rows: corrected with lindegren2021",
        "1 of 5 rows: no parallax: null",
        "1 of 5 rows: an input is null, or out of the range of lindegren2021: null",
    ]


@pytest.mark.parametrize("form", ["fits", "parquet", "vot", "ecsv"])
def test_the_column_says_whose_errors_they_are(form, tmp_path, capsys):
    table = vizier()
    table.remove_column("RUWE")  # which el_badry2021 does not take
    path, output = written(form, tmp_path, table)
    assert run("-", path, output, "--inflate", "el_badry2021") == 0
    found = Table.read(output, format=ASTROPY[form])
    f = np.maximum(1.141 + 0.0040 * np.asarray(table["Gmag"]) - 0.00062 * np.asarray(table["Gmag"]) ** 2, 1.0)
    f[3] = np.nan  # 2p
    expected = 0.02 * (f + 0.21 * np.exp(-(((15.0 - 12.65) / 0.9) ** 2)) * (np.asarray(table["Gmag"]) == 15.0))
    np.testing.assert_allclose(plain(found["parallax_error_true"]), expected, rtol=1e-9)
    if form == "fits":
        said = fits.getheader(output, 1)[f"TCOMM{len(found.colnames)}"]
    else:
        said = found["parallax_error_true"].description
    assert " ".join(said.split()) == "published error times f(G), without a systematic floor (El-Badry et al. 2021)"
    with pytest.raises(SystemExit):
        run("-", path, output, "--inflate", "elbadry")
    assert "'elbadry' is not maiz_apellaniz2022 or el_badry2021" in capsys.readouterr().err


def test_ecliptic_latitude_is_computed_where_there_is_none():
    table = vizier()
    table.remove_column("ELAT")
    result = apply.correct_table(table, None, correction=MAIZ)
    latitude = ecliptic_latitude(np.array([270.1]), np.array([-68.43928]))
    expected = zero_point("lindegren2021", [15.0], [np.nan], [1.35], latitude, [95])[0]
    assert result["subtracted_zero_point"][1] == expected


def test_a_map_and_a_correction_that_do_not_go_together(tmp_path, capsys):
    path, output = written("fits", tmp_path)
    (tmp_path / "bias").mkdir()
    official, bias = write_map(tmp_path), map_on(tmp_path / "bias", "column:bias")
    for words, *arguments in (
        ("the map stands on lindegren2021, not on maiz_apellaniz2022", official, "--correction", MAIZ),
        ("the map stands on lindegren2021, not on column:bias", official, "--correction", "column:bias"),
        ("the map stands on bias, not on lindegren2021", bias, "--with-official"),
        ("a zero point is subtracted already", official, "--base", "official", "--correction", MAIZ),
        ("a zero point is subtracted already", "-", "--base", "official", "--correction", MAIZ),
        ("use the corrected map", official, "--map", "raw", "--correction", "lindegren2021"),
        ("'gaia' is none of none, lindegren2021, maiz_apellaniz2022, column:NAME", "-", "--correction", "gaia"),
        ("no column 'nothing'", "-", "--correction", "column:nothing"),
        ("nothing to do", "-"),
        ("MAP is -", "-", "--inflate", "--nside", "4"),
        ("NAME=UNIT", "-", "--inflate", "--unit", "correction=uas"),
    ):
        command_refuses(capsys, words, "apply", arguments[0], path, output, *arguments[1:])


def test_recipes_of_edr3_are_refused_for_another_release(tmp_path, capsys):
    """DR4 by its map, by the name of its column of codes, and by its codes, of which 31 and 95 are EDR3's, too."""
    table = vizier()
    path, output = written("csv", tmp_path, table)
    of_dr4 = write_map(tmp_path, release="Gaia DR4", official=MAIZ)
    table["Solved"][4] = 479
    other, _ = written("ecsv", tmp_path, table)
    table.rename_column("Solved", "astrometric_params")
    named, _ = written("fits", tmp_path, table)
    solved = ("--astrometric-params-solved", "astrometric_params")
    for words, given, catalogue, *options in (
        ("the map is of Gaia DR4: inflate is", of_dr4, path, "--inflate"),
        (f"the map is of Gaia DR4: {MAIZ} is", of_dr4, path, "--correction", MAIZ),
        ("'Solved' is of another release .*: 1 of 5 stars are coded 479", "-", other, "--with-official"),
        ("'Solved' is of another release .*: 1 of 5 stars are coded 479", "-", other, "--inflate"),
        ("'astrometric_params' is of another release", "-", named, "--correction", MAIZ, *solved),
        ("'astrometric_params' is of another release", "-", named, "--inflate", *solved),
    ):
        command_refuses(capsys, words, "apply", given, catalogue, output, *options)
        assert not output.exists()
    with refused("1 of 2 stars are coded 63"):
        zero_point("lindegren2021", [15.0] * 2, [1.5] * 2, [1.5] * 2, [0.0] * 2, [31, 63])
    refuses("1 of 2 stars are coded 63", error_factor, [15.0] * 2, [31, 63], [1.0] * 2)


def test_two_columns_that_could_be_the_same_are_refused(tmp_path, capsys):
    both = vizier()
    both["parallax"] = np.arange(5.0)
    path, output = written("parquet", tmp_path, both)
    line = "'parallax' and 'Plx' could both be the 'parallax'; write --parallax parallax or --parallax Plx"
    command_refuses(capsys, f"^{path}: {line}\n$", "apply", "-", path, output, "--with-official")
    assert run("-", path, output, "--with-official", "--parallax", "Plx") == 0
    assert run("-", path, output, "--inflate", "--overwrite") == 0  # which parallax does not matter here
    less = vizier()
    less["Plx"] = 1000.0 * np.asarray(less["Plx"])  # a unit without a column goes with the names of VizieR
    path, output = written("csv", tmp_path, less)
    assert run("-", path, output, "--correction", MAIZ, "--unit", "parallax=uas") == 0
    assert pd.read_csv(output)["parallax_corrected"][0] == pytest.approx(1.036349, abs=1e-6)
    both["ruwe"] = 1.0
    refuses("'ruwe' and 'RUWE'.*--ruwe RUWE", apply.correct_table, both, None, inflate=True)
    for missing in ("e_Plx", "Gmag", "Solved", "RUWE"):
        less = vizier()
        less.remove_column(missing)
        refuses("no column", apply.correct_table, less, None, inflate=True)


def test_a_map_that_does_not_say_what_it_stands_on(tmp_path, capsys):
    path, output = written("fits", tmp_path)
    silent = write_map(tmp_path, form="csv")
    grid = ("--frame", "equatorial", "--nside", "4", "--ordering", "nested", "--systematic", "10.3")
    assert run(silent, path, output, "--correction", MAIZ, *grid) == 0
    assert "make sure that it is maiz_apellaniz2022" in capsys.readouterr().err
    assert "correction: maiz_apellaniz2022" in str(Table.read(output).meta)


def test_a_table_of_gaia_sources_for_the_local_match(tmp_path):
    pd.DataFrame({"target_ra": [10.0], "target_dec": [50.0]}).to_csv(tmp_path / "targets.csv", index=False)
    table = vizier()
    table["pmRA"], table["pmDE"] = 0.0, 0.0
    position = [np.asarray(table[name]) for name in ("RA_ICRS", "DE_ICRS")]  # which the table is tested against
    table["ELAT"] = ecliptic_latitude(*position)
    table["Source"] = (pixel_index(*position, nside=4096, ordering="nested") << 35) + np.arange(5)
    path, _ = written("ecsv", tmp_path, table)
    paths = {"targets": tmp_path / "targets.csv", "gaia": path}
    gaia = open_tables(paths, {"targets": {}, "gaia": {}})["gaia"].read()
    assert {"source_id", "ra", "dec", "pmra", "parallax", "ruwe"} <= set(gaia.columns) and len(gaia) == 5
