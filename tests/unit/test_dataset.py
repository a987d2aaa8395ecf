"""The published map: Table 1, its formats read by other people's software, maps, footprint, long version."""

import os
import re
import shutil
import subprocess
import warnings

import healpy as hp
import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.io.fits.scripts import fitscheck
from astropy.io.votable import parse
from astropy.io.votable.ucd import parse_ucd
from astropy.table import Table
from mocpy import MOC
from publish_dataset import readme
from unit import shared
from unit.shared import ASTROPY, GAUSSIAN, SOLUTIONS, refuses

from gaia_offsets.checks.extended_table import describe_pixels, neighbour_consistency, pixel_errors
from gaia_offsets.core.columns import FRAMES
from gaia_offsets.core.version import VERSION, code_version
from gaia_offsets.engine import about
from gaia_offsets.offsets.binned import pixel_offsets
from gaia_offsets.offsets.statistics import group_statistics
from gaia_offsets.publish import dataset as d
from gaia_offsets.publish import write
from gaia_offsets.publish.fields import COLUMNS_OF, CORRECTED, OUTPUT, SMOOTH, TABLE1, TRUE_ERROR, ZERO_POINT, extended
from gaia_offsets.publish.footprint import map_meta, write_footprint
from gaia_offsets.publish.write import write_map
from gaia_offsets.sky.positions import pixel_index, to_galactic

MAP = {"solution": "5p", "nside": 32, "ordering": "nested", "more_than": 50}
FORMATS = ("ecsv", "fits", "csv", "mrt", "vot", "parquet")
SAMPLE = {"title": "Test giants", "release": "edr3", "official": "lindegren2021", "targets": {"dataset": "stars"}}
SAMPLE |= {"crossmatch": {"backend": "none"}, "reference": {"kind": "distance"}}


def describe(
    frame: str = "equatorial", *, dataset: dict | None = None, sample: dict | None = None, corrections=(), **grid
) -> dict:
    grid, own = MAP | grid, {"file": "stars.csv", "citation": "Someone 2021"} | (dataset or {})
    measured = {"simulated": "simulated" in own, "measure": {"gaussian": GAUSSIAN, "map": grid}}
    publish = {"authors": "Surname A.", "systematic_uas": 10.3, "bootstrap": {"replicates": 20, "seed": 1}}
    known = {"none": {"kind": "none"}, "lindegren2021": {"kind": "package", "citation": "x"}}
    config = {"samples": {"test_giants": SAMPLE | measured | (sample or {})}, "datasets": {"stars": own}}
    config |= {"surveys": {"toy": {"seed": 1}}, "publish": publish, "releases": {"edr3": {}}}
    config["corrections"] = known | dict(corrections)
    return map_meta(about.describe(config, "test_giants"), frame, grid)


@pytest.fixture(scope="module")
def tracers() -> pd.DataFrame:
    """Simulated stars over the pole, where pixels are odd and Galactic borders run across them."""
    table, random = shared.tracers(45_000, 20220121, sd=60.0, six=0.05, south=66.0), np.random.default_rng(1)
    table["offset_corrected"] = table["offset_corrected"].where(table["ra"] >= 20)
    return table.assign(bp_rp=np.where(random.random(len(table)) < 0.1, np.nan, 1.1))


def measured(tracers: pd.DataFrame, frame: str, ordering: str = "nested") -> pd.DataFrame:
    angles = (tracers[name].to_numpy() for name in FRAMES[frame])
    pixel = pixel_index(*angles, nside=32, ordering=ordering)
    return pixel_offsets(tracers, pixel, SOLUTIONS, gaussian=GAUSSIAN)


@pytest.fixture(scope="module", params=["equatorial", "galactic", "empty"])
def published(request, tracers):
    """Frame, Table 1 and metadata; `empty` is a sample without a pixel that has enough stars."""
    frame = "equatorial" if request.param == "empty" else request.param
    offsets = measured(tracers if request.param != "empty" else tracers[:40], frame)
    table = d.table1(offsets, frame=frame, **MAP)
    assert (len(table) == 0) == (request.param == "empty")
    return frame, table, describe(frame)


def test_table1_is_the_papers(tracers):
    offsets = measured(tracers, "galactic")
    table = d.table1(offsets, frame="galactic", **MAP)
    names = "hindex ra dec gl gb domega_corr e_domega_corr domega_noncorr e_domega_noncorr n"
    assert list(table.columns) == names.split() and table["hindex"].is_monotonic_increasing
    raw = offsets[(offsets["solution"] == "5p") & (offsets["parallax"] == "raw")].set_index("hindex")
    assert set(table["hindex"]) == set(raw.index[raw["n"] > 50])
    row, same = table.iloc[7], raw.loc[table["hindex"][7]]
    assert row["domega_noncorr"] == pytest.approx(same["gaussian_mean"], abs=5e-4)
    assert row["e_domega_noncorr"] == pytest.approx(same["gaussian_sd"] / np.sqrt(same["n"]), abs=5e-4)
    assert row["n"] == same["n"]
    found = pixel_index(table["gl"].to_numpy(), table["gb"].to_numpy(), nside=32, ordering="nested")
    assert (found == table["hindex"]).all()
    longitude, latitude = to_galactic(table["ra"].to_numpy(), table["dec"].to_numpy())
    np.testing.assert_allclose(latitude, table["gb"], atol=2e-6)
    np.testing.assert_allclose(longitude, table["gl"], atol=2e-6)


def test_a_pixel_and_its_corrected_value_need_more_stars_than_the_number():
    rows = [("5p", "raw", 9, 60), ("5p", "raw", 0, 50), ("5p", "raw", 1, 51), ("6p", "raw", 2, 99)]
    rows += [("5p", "corrected", 1, 40), ("5p", "corrected", 9, 60)]
    offsets = pd.DataFrame(rows, columns=["solution", "parallax", "hindex", "n"])
    offsets = offsets.assign(gaussian_mean=-28.0, gaussian_mean_error=6.0)
    table = d.table1(offsets, frame="equatorial", **MAP)
    assert table[["hindex", "n"]].to_numpy().tolist() == [[1, 51], [9, 60]]
    assert table["domega_noncorr"].tolist() == [-28.0] * 2 and table["domega_corr"].isna().tolist() == [True, False]
    assert table["e_domega_corr"].isna().tolist() == [True, False]
    zero = d.table1(offsets.assign(gaussian_mean=-1e-4), frame="equatorial", **MAP)["domega_noncorr"]
    assert not np.signbit(zero).any()  # no -0.000
    poles = offsets[:2].assign(n=99, hindex=[0, 12287])
    table = d.table1(poles, **MAP | {"frame": "galactic", "ordering": "ring"})
    assert table["gb"].tolist() == pytest.approx([88.538, -88.538], abs=1e-3) and table["gl"].tolist() == [45.0, 315.0]


def written(table, form, folder, fields=TABLE1, meta=None):
    """Path of the table in a format."""
    write.write_dataset(table, folder / f"map.{form}", fields, meta or describe())
    return folder / f"map.{form}"


@pytest.mark.parametrize("form", FORMATS)
def test_formats_hold_the_same_numbers_twice_with_units_and_descriptions(published, form, tmp_path):
    _, table, meta = published
    path = written(table, form, tmp_path, meta=meta)
    first = path.read_bytes()
    back, facts = d.read_dataset(path)
    pd.testing.assert_frame_equal(back, table, check_exact=True)
    assert facts == ({} if form == "csv" else meta | {"rows": len(table)})
    assert written(table, form, tmp_path, meta=meta).read_bytes() == first
    without = table.assign(domega_corr=np.nan, e_domega_corr=np.nan)  # a sample without official zero point
    pd.testing.assert_frame_equal(d.read_dataset(written(without, form, tmp_path, meta=meta))[0], without)
    if form == "csv":
        return
    read = Table.read(path, format=ASTROPY.get(form, "ascii.mrt"))
    for field in TABLE1:
        if field.unit:
            assert (1 * read[field.name].unit).to_value(field.unit) == pytest.approx(1.0), field.name
        else:
            assert read[field.name].unit in (None, u.dimensionless_unscaled)
        if form != "fits":
            meaning = field.meaning.format(solution="5p", correction="the zero point lindegren2021")
            assert " ".join(read[field.name].description.split()).removeprefix("? ") == meaning


def test_units_of_a_file_are_honoured(published, tmp_path):
    _, table, meta = published
    path = written(table, "ecsv", tmp_path, meta=meta)
    changed = Table.read(path, format="ascii.ecsv")
    changed["domega_noncorr"] = changed["domega_noncorr"].to("mas")
    changed["domega_noncorr"].format = None
    changed.write(path, format="ascii.ecsv", overwrite=True)
    pd.testing.assert_frame_equal(d.read_dataset(path)[0], table)


def test_accents_and_a_citation_over_several_lines_in_every_format(published, tmp_path):
    """Names lose their accents and no letter where a format holds ASCII only."""
    _, table, _ = published
    meta = describe(dataset={"citation": "Someone 2021,\n  Journal 1, 2\n"})
    assert meta["citation"].endswith("; Someone 2021, Journal 1, 2")
    meta |= {"authors": "É. Müller, J. Ñandú, B. Łoś, K. Strauß"}
    for form in ("mrt", "fits", "ecsv", "vot"):
        found = d.read_dataset(written(table, form, tmp_path, meta=meta))[1]
        plain = "E. Muller, J. Nandu, B. Los, K. Strauss" if form in ("mrt", "fits") else meta["authors"]
        assert (found["authors"], found["citation"]) == (plain, meta["citation"])


def test_fits_table_is_a_healpix_map(published, tmp_path):
    frame, table, meta = published
    path = written(table, "fits", tmp_path, meta=meta)
    header = fits.getheader(path, 1)
    expected = {"PIXTYPE": "HEALPIX", "ORDERING": "NESTED", "NSIDE": 32, "INDXSCHM": "EXPLICIT", "OBJECT": "PARTIAL"}
    expected |= {"COORDSYS": {"equatorial": "C", "galactic": "G"}[frame], "SIMULATE": False, "MORETHAN": 50}
    assert {key: header[key] for key in expected} == expected and "subtract" in header["SIGN"]
    values = hp.read_map(path, field=6, nest=True)
    assert (values[table["hindex"]] == table["domega_noncorr"]).all()
    fits.open(path).verify("exception")


@pytest.mark.parametrize("fields", [TABLE1, SMOOTH, extended(["6p"]), (*OUTPUT, ZERO_POINT, CORRECTED, TRUE_ERROR)])
def test_ucds_are_words_of_the_ivoa(fields):
    for field in fields:
        parse_ucd(field.ucd, check_controlled_vocabulary=True)


def test_ucds_and_systems_stand_in_fits_and_votable(published, tmp_path):
    frame, table, meta = published
    header = fits.getheader(written(table, "fits", tmp_path, meta=meta), 1)
    assert [header[f"TUCD{number}"] for number in range(1, 11)] == [field.ucd for field in TABLE1]
    path = written(table, "vot", tmp_path, meta=meta)
    resource = parse(path, verify="exception").resources[0]
    columns = {column.name: column for column in resource.tables[0].fields}
    assert {name: column.ucd for name, column in columns.items()} == {field.name: field.ucd for field in TABLE1}
    systems = {system.ID: system.system for system in resource.coordinate_systems}
    stated = {name: systems[column.ref] for name, column in columns.items() if column.ref}
    assert stated == {"ra": "ICRS", "dec": "ICRS", "gl": "galactic", "gb": "galactic"}
    params = {param.name: param.value for param in resource.tables[0].params}
    expected = {"LEVEL": 5, "ISNEST": True, "COLNAME": "hindex", "CSYS": {"equatorial": "C", "galactic": "G"}[frame]}
    assert params == {f"STIL_HPX_{name}": value for name, value in expected.items()}
    write_map(table, tmp_path / "map.fits", parallax="corrected", meta=meta)
    header = fits.getheader(tmp_path / "map.fits", 1)
    fields = {field.name: field.ucd for field in TABLE1}
    names = ("hindex", "domega_corr", "e_domega_corr", "n")
    assert [header[f"TUCD{number}"] for number in range(1, 5)] == [fields[name] for name in names]


def test_every_fits_file_is_clean_by_fitscheck_and_fitsverify(published, tmp_path):
    _, table, meta = published
    paths = [written(table, "fits", tmp_path, meta=meta), tmp_path / "moc.fits", tmp_path / "raw.fits"]
    write_footprint(table["hindex"].to_numpy(), paths[1], meta)
    write_map(table, paths[2], parallax="raw", meta=meta)
    for path in paths:
        first = path.read_bytes()
        assert not re.search(rb"20\d\d-\d\d-\d\dT", first)  # checksums are dated nowhere
        with warnings.catch_warnings(), fits.open(path, checksum=True) as hdus:
            warnings.simplefilter("error")
            assert [hdu.verify_checksum() for hdu in hdus] == [1] * len(hdus)
            assert [hdu.verify_datasum() for hdu in hdus] == [1] * len(hdus)
        assert fitscheck.main([str(path)]) == 0
    if verify := shutil.which("fitsverify"):
        done = subprocess.run([verify, "-q", *map(str, paths)], capture_output=True, text=True)
        assert done.stdout.count("verification OK") == len(paths), done.stdout + done.stderr
    changed = paths[2].read_bytes()
    paths[2].write_bytes(changed.replace(b"Test giants", b"Best giants"))
    assert changed != paths[2].read_bytes() and fitscheck.main([str(paths[2])]) > 0  # or the check finds nothing


def test_keywords_of_the_map_are_those_that_healpy_writes(published, tmp_path):
    frame, table, meta = published
    whole = np.full(12288, hp.UNSEEN)
    whole[[17, 4000]] = 1.0
    options = {"partial": True, "nest": True, "coord": {"equatorial": "C", "galactic": "G"}[frame]}
    hp.write_map(tmp_path / "healpy.fits", whole, dtype=np.float64, **options)
    theirs = fits.getheader(tmp_path / "healpy.fits", 1)
    write_map(table, tmp_path / "ours.fits", parallax="raw", meta=meta)
    ours = fits.getheader(tmp_path / "ours.fits", 1)
    same = ("PIXTYPE", "ORDERING", "COORDSYS", "NSIDE", "INDXSCHM", "OBJECT", "TTYPE1")
    assert {key: ours[key] for key in same} == {key: theirs[key] for key in same}
    assert ours["OBS_NPIX"] == len(table)  # healpy leaves it out; chealpix looks for it


def test_files_of_older_versions_are_still_read(published, tmp_path):
    """Without what came later: UCDs, systems, checksums, number of rows, parameters for STIL."""
    _, table, meta = published
    path = written(table, "fits", tmp_path, meta=meta)
    with fits.open(path) as hdus:
        for hdu in hdus:
            for card in list(hdu.header):
                if re.match("TUCD|CHECKSUM|DATASUM|LONGSTRN|OBS_NPIX|ROWS", card):
                    del hdu.header[card]
        hdus.writeto(tmp_path / "old.fits")
    path = written(table, "vot", tmp_path, meta=meta)
    later = r'<(COOSYS|PARAM) .*?/>|<INFO [^>]*name="rows".*?/>| ucd=".*?"| ref=".*?"'
    old = re.sub(later, "", path.read_text(encoding="utf-8"))
    (tmp_path / "old.vot").write_text(old, encoding="utf-8")
    for name in ("old.fits", "old.vot"):
        back, facts = d.read_dataset(tmp_path / name)
        pd.testing.assert_frame_equal(back, table)
        assert facts == meta


def test_the_version_names_the_commit_of_a_clean_checkout_only(tmp_path):
    def git(*arguments: str) -> str:
        names = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        command = ["git", "-C", str(tmp_path), *names, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    version = code_version.__wrapped__
    assert version(tmp_path) == VERSION  # git does not know it
    git("init", "-q")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/file").write_text("one")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    assert version(tmp_path) == f"{VERSION} (commit {git('rev-parse', '--short=12', 'HEAD')})"
    assert version(tmp_path / "inner") == VERSION  # a commit of somebody else's repository
    (tmp_path / "inner/file").write_text("two")
    assert version(tmp_path) == VERSION and describe()["versions"].startswith(f"gaia-offsets {code_version()}, numpy ")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [("x.csv", "hindex,ra\n1,2\n", "'dec'"), ("x.fits", "not FITS", "in fits"), ("x.ecsv", None, "no such file")],
)
def test_other_file_is_refused_in_one_line(name, text, words, tmp_path):
    if text:
        (tmp_path / name).write_text(text)
    refuses(words, d.read_dataset, tmp_path / name)


def run_stilts(*arguments: str) -> str:
    path = shutil.which("stilts")
    if path is None:
        if os.environ.get("GAIA_OFFSETS_REQUIRE_TAP") == "1":
            pytest.fail("stilts is not on the PATH, and GAIA_OFFSETS_REQUIRE_TAP=1 asks for it")
        pytest.skip("stilts is not on the PATH")
    done = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("published", ["equatorial", "empty"], indirect=True)  # a process takes a second
@pytest.mark.parametrize("form", ["fits", "votable", "mrt", "csv", "ecsv", "parquet"])
def test_stilts_reads_the_same_numbers(published, form, tmp_path):
    """ECSV and Parquet where the installed STILTS has them; Debian's 3.4.7 is built without both."""
    _, table, meta = published
    if len(table) == 0 and form in ("mrt", "csv"):
        pytest.skip("STILTS guesses column types of text tables from their rows, and there are none")
    path, back = written(table, form.replace("votable", "vot"), tmp_path, meta=meta), tmp_path / "back.csv"
    said = run_stilts("tpipe", f"ifmt={form}", f"in={path}", "ofmt=csv", f"out={back}")
    if "No table handler available" in said and form in ("ecsv", "parquet"):
        pytest.skip(f"this STILTS is built without {form}")
    assert back.exists(), said
    read = pd.read_csv(back)
    assert list(read.columns) == list(table.columns)
    np.testing.assert_array_equal(read.to_numpy(dtype=float), table.to_numpy(dtype=float))
    if form == "votable":
        said = run_stilts("votlint", str(path))
        assert "ERROR" not in said and "WARNING" not in said, said


@pytest.mark.slow
def test_stilts_draws_the_votable_as_it_draws_the_fits_table(published, tmp_path):
    """Pixels, level and ordering come from the files; the colour bar, which names the unit, is left out."""
    _, table, meta = published
    pictures = {}
    for form in ("fits", "vot", "empty"):
        kept = table[:0] if form == "empty" else table
        path = written(kept, form.replace("empty", "vot"), tmp_path, meta=meta)
        layer = ["layer1=healpix", f"in1={path}", "value1=domega_noncorr", "auxvisible=false"]
        out = tmp_path / f"{form}.png"
        said = run_stilts("plot2sky", *layer, "projection=aitoff", "xpix=300", "ypix=200", "omode=out", f"out={out}")
        assert out.exists(), said
        pictures[form] = out.read_bytes()
    assert pictures["vot"] == pictures["fits"]
    assert len(table) == 0 or pictures["vot"] != pictures["empty"]  # something is drawn


def test_machine_readable_bytes_are_where_the_header_says(published):
    _, table, meta = published
    text = write.machine_readable(table, TABLE1, meta)
    header, _, rows = text.rpartition("-" * 80 + "\n")
    assert text.startswith("Title: ") and max(map(len, header.splitlines())) <= 80
    assert len(rows.splitlines()) == len(table)
    line = next(line for line in header.splitlines() if " domega_noncorr " in line)
    first, last = int(line[:4]), int(line[5:9])
    cells = [row[first - 1 : last] for row in rows.splitlines()]
    assert [float(cell) for cell in cells] == table["domega_noncorr"].tolist()
    assert all(cell[-1].isdigit() for cell in cells)


@pytest.mark.parametrize("ordering", ["nested", "ring"])
def test_maps_read_by_healpy(published, tracers, ordering, tmp_path):
    frame, table, _ = published
    if len(table):
        grid = MAP | {"ordering": ordering}
        table = d.table1(measured(tracers, frame, ordering=ordering), frame=frame, **grid)
    meta = describe(frame, ordering=ordering)
    for parallax, names in COLUMNS_OF.items():
        path = tmp_path / f"{parallax}.fits"
        written = []
        for _ in range(2):
            write_map(table, path, parallax=parallax, meta=meta)
            written.append(path.read_bytes())
        assert written[0] == written[1]
        offset, error, n = hp.read_map(path, field=(0, 1, 2), nest=ordering == "nested")
        known = table[table[names.value].notna()]
        assert (offset != hp.UNSEEN).sum() == len(known)
        pixels = known["hindex"].to_numpy()
        assert (offset[pixels] == known[names.value]).all() and (n[pixels] == known["n"]).all()
        assert (error[pixels] == known[names.error]).all()
        header = fits.getheader(path, 1)
        assert header["ORDERING"] == ordering.upper() and header["PARALLAX"] == parallax
        assert u.Unit(header["TUNIT2"], format="fits") == u.uas
        if parallax == "corrected" and len(table):
            assert len(known) < len(table)  # nothing stands for an offset that is not known


@pytest.mark.parametrize("ordering", ["nested", "ring"])
def test_footprint_in_mocpy(published, ordering, tmp_path):
    frame, table, _ = published
    nested = table["hindex"].to_numpy()
    pixels = nested if ordering == "nested" else hp.nest2ring(32, nested)
    write_footprint(pixels, tmp_path / "map.moc.fits", describe(frame, ordering=ordering))
    moc = MOC.from_fits(str(tmp_path / "map.moc.fits"))
    assert moc.sky_fraction == pytest.approx(len(table) / 12288, rel=1e-12 if frame == "equatorial" else 2e-3)
    inside = moc.contains_lonlat(table["ra"].to_numpy() * u.deg, table["dec"].to_numpy() * u.deg)
    assert inside.all()
    random = np.random.default_rng(5)
    ra, dec = random.uniform(0, 360, 5000), np.degrees(np.arcsin(random.uniform(0.85, 1, 5000)))
    angles = (ra, dec) if frame == "equatorial" else to_galactic(ra, dec)
    truth = np.isin(pixel_index(*angles, nside=32, ordering="nested"), nested)
    agree = moc.contains_lonlat(ra * u.deg, dec * u.deg) == truth
    assert agree.mean() > (0.9999 if frame == "equatorial" else 0.97)


def test_simulated_sample_says_so_everywhere(tmp_path, tracers):
    meta = {frame: describe(frame, dataset={"simulated": {"survey": "toy", "table": "targets"}}) for frame in FRAMES}
    tables = {frame: d.table1(measured(tracers, frame), frame=frame, **MAP) for frame in meta}
    table = tables["galactic"]
    assert meta["galactic"]["simulated"] is True and "SIMULATED" in meta["galactic"]["title"]
    write_map(table, tmp_path / "map.fits", parallax="raw", meta=meta["galactic"])
    header = fits.getheader(tmp_path / "map.fits", 1)
    assert header["SIMULATE"] is True and "SIMULATED" in header["TITLE"]
    for form in set(FORMATS) - {"csv"}:
        path = written(table, form, tmp_path, meta=meta["galactic"])
        assert b"SIMULATED" in path.read_bytes() and d.read_dataset(path)[1]["simulated"] is True
    text = readme({frame: (tables[frame], meta[frame]) for frame in meta}, ["6p"])
    assert "simulated" in text and "Someone 2021" in text and f"{len(table)} pixels with {table['n'].sum()}" in text


def test_a_map_names_the_data_behind_it_and_its_digest_changes_with_settings_but_not_with_local_paths():
    known, sha = describe(), "0123456789abcdef"
    assert known["inputs"] == "stars: stars.csv"
    assert describe(dataset={"sha256": 4 * sha})["inputs"] == f"stars: stars.csv (sha256 {sha})"
    assert describe(dataset={"simulated": {"survey": "toy", "table": "targets"}})["inputs"] == "simulated survey toy"
    asked = describe(sample={"crossmatch": {"backend": "archive"}})["inputs"]
    assert asked == "stars: stars.csv; answers of the Gaia archive"
    package = {"lindegren2021": {"kind": "package", "citation": "y"}}
    for same in ({"dataset": {"path": "/x/else.csv"}}, {"sample": {"also": ["none"]}}, {"corrections": package}):
        assert describe(**same)["config_digest"] == known["config_digest"]
    column = {"lindegren2021": {"kind": "column", "column": "z"}}
    more = {"dataset": {"sha256": "0" * 64}}, {"sample": {"official": "none"}}, {"more_than": 20}
    for other in (*more, {"corrections": column}):
        assert describe(**other)["config_digest"] != known["config_digest"]


def test_bootstrap_error_is_that_of_the_mean():
    random = np.random.default_rng(3)
    groups = np.repeat(np.arange(60), 400)
    values = random.normal(-30, 50, len(groups))
    errors = pixel_errors([values], groups, GAUSSIAN, replicates=100, seed=1)[0]
    assert errors.mean() == pytest.approx(50 / np.sqrt(400), rel=0.08)
    stated = group_statistics(values, groups, GAUSSIAN)["gaussian_mean_error"]
    assert (errors / stated).between(0.6, 1.5).all()
    assert pixel_errors([values], groups, GAUSSIAN, replicates=100, seed=1)[0].equals(errors)
    histogram = pixel_errors([values], groups, GAUSSIAN | {"method": "histogram"}, replicates=50, seed=1)[0]
    assert len(histogram) == 60 and histogram.isna().all()  # no slopes
    # One star has no error, equal stars have none to speak of.
    errors = pixel_errors([np.array([1.0, 5.0, 5.0, 5.0])], np.array([0, 1, 1, 1]), GAUSSIAN, replicates=9, seed=1)[0]
    assert np.isnan(errors[0]) and errors[1] == 0
    assert len(pixel_errors([np.array([])], np.array([], dtype=int), GAUSSIAN, replicates=2, seed=1)[0]) == 0


def test_neighbour_consistency():
    centre = 1000
    ring = hp.get_all_neighbours(32, centre, nest=True)
    pixels = np.sort(np.r_[centre, ring[:4]])
    values, errors = np.where(pixels == centre, 20.0, 10.0), np.full(5, 6.0)
    z = neighbour_consistency(pixels, values, errors, nside=32, ordering="nested")
    assert z[pixels == centre] == pytest.approx(10.0 / np.hypot(6.0, 3.0))
    lonely = neighbour_consistency(pixels[:2], values[:2], errors[:2], nside=32, ordering="nested")
    assert np.isnan(lonely).all()
    values[pixels == centre] = np.nan
    assert np.isnan(neighbour_consistency(pixels, values, errors, nside=32, ordering="nested")[pixels == centre])
    random = np.random.default_rng(8)  # a flat sky
    pixels, errors = np.arange(3072), random.uniform(4, 9, 3072)
    z = neighbour_consistency(pixels, random.normal(0, errors), errors, nside=16, ordering="ring")
    assert np.isfinite(z).all() and np.std(z) == pytest.approx(1.0, abs=0.06)


LONG = {"gaussian": GAUSSIAN, "systematic_uas": 10.3, "bootstrap": {"replicates": 10, "seed": 1}}
LONG |= {key: MAP[key] for key in ("nside", "ordering")}


def long_version(tracers, offsets, frame):
    pixel = pixel_index(*(tracers[name].to_numpy() for name in FRAMES[frame]), nside=32, ordering="nested")
    return describe_pixels(d.table1(offsets, frame=frame, **MAP), tracers, pixel, offsets, list(SOLUTIONS), LONG)


def test_long_version(tracers, tmp_path):
    offsets = measured(tracers, "equatorial")
    table = long_version(tracers, offsets, "equatorial")
    short = d.table1(offsets, frame="equatorial", **MAP)
    pd.testing.assert_frame_equal(table[short.columns], short)
    pixel = pixel_index(tracers["ra"].to_numpy(), tracers["dec"].to_numpy(), nside=32, ordering="nested")
    here = tracers[pixel == table["hindex"][3]]
    stars, row = here[here["solution"] == "5p"], table.iloc[3]
    assert row["n"] == len(stars) and row["n_6p"] == len(here) - len(stars)
    assert row["g_mean"] == pytest.approx(stars["phot_g_mean_mag"].mean(), abs=1e-4)
    assert row["bp_rp_mean"] == pytest.approx(1.1)
    assert row["median_noncorr"] == pytest.approx(stars["offset_raw"].median(), abs=1e-3)
    assert row["sd_noncorr"] == pytest.approx(stars["offset_raw"].std(), abs=1e-3) and (table["e_syst"] == 10.3).all()
    for form in FORMATS:
        back, _ = d.read_dataset(written(table, form, tmp_path, extended(["6p"])))
        pd.testing.assert_frame_equal(back, table)


def test_nothing_measured_gives_empty_tables(tracers, tmp_path):
    measured(tracers[:0], "galactic").to_csv(tmp_path / "map.csv", index=False)
    table = long_version(tracers[:0], pd.read_csv(tmp_path / "map.csv"), "galactic")
    assert len(table) == 0
    for form in FORMATS:
        back, _ = d.read_dataset(written(table, form, tmp_path, extended(["6p"]), describe("galactic")))
        pd.testing.assert_frame_equal(back, table, check_dtype=False)
    text = readme({frame: (table[[f.name for f in TABLE1]], describe(frame)) for frame in FRAMES}, ["6p"])
    assert "0 pixels with 0 stars" in text
