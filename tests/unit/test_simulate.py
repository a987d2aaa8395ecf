"""The simulated survey: table contracts, fractions, the injected truth, and the same bytes from the same seed."""

import healpy as hp
import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from gaia_offsets.core.columns import DISTANCES, GAIA, TMASS
from gaia_offsets.sample.zero_points import zero_point
from gaia_offsets.simulate import survey as simulate
from gaia_offsets.simulate.field import MAP_NSIDE, angular_power, covariance, position_offsets, residual_field
from gaia_offsets.simulate.gaia import geometric_distance
from gaia_offsets.simulate.stars import moved, plates
from gaia_offsets.sky.match import match_nearest, propagate
from gaia_offsets.sky.positions import ecliptic_latitude, pixel_index, separation, to_galactic, unit_vectors
from gaia_offsets.tables.read import read_table
from gaia_offsets.tables.values import rounded_source_ids

OFFSET = {"global_uas": 2.6, "large_scale_uas2": 142.0, "large_scale_deg": 16.0, "small_scale_uas2": 50.0}
OFFSET |= {"small_scale_deg": 1.0, "colour_slope_uas": 4.0, "plane_uas": -5.0}
QUIET = {**OFFSET, "large_scale_uas2": 0.0, "small_scale_uas2": 0.0, "plane_uas": 0.0}
SURVEY = {"seed": 20220121, "stars": 30_000, "spectra_per_star": 1.373, "plates": 30, "giant_fraction": 0.7}
SURVEY |= {"distance_error": 0.085, "six_parameter_fraction": 0.06, "two_parameter_fraction": 0.01, "offset": OFFSET}
SURVEY |= {"labels": "straight_lines", "catalogue_mks": True, "snr_median": 50, "giant_parallax_mas": 0.48}
SURVEY |= {"luminosity_reach": 0, "magnitude_window": None, "dust_kpc": 0, "red_clump_completeness": 1}
SURVEY |= {"neighbour_fraction": 0.03, "ruwe_tail_fraction": 0.08, "missing_colour_fraction": 0.01}
FILES = {"targets": "targets.fits", "red_clump": "red_clump.fits", "truth_map": "truth_map.fits"}
FILES |= {name: f"{name}.parquet" for name in ("gaia_source", "tmass", "distances", "truth")}
# As config.yaml's lamost_giants reads the catalogue.
TARGET_COLUMNS = {f"target_{name}": {"column": name, "unit": "deg"} for name in ("ra", "dec")}
TARGET_COLUMNS |= {name: name for name in ("obsid", "snr", "teff", "logg", "feh", "mks", "ebv")}


def written(folder, survey):
    paths = {name: str(folder / file) for name, file in FILES.items()}
    return paths, simulate.write_survey(survey, paths)


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """Paths and counts of the survey."""
    return written(tmp_path_factory.mktemp("survey"), SURVEY)


@pytest.fixture(scope="module")
def tables(survey):
    columns = {"targets": TARGET_COLUMNS}
    columns["truth"] = {name: name for name in ("source_id", "parallax_true", "residual_offset")}
    return {name: read_table(path, columns.get(name)) for name, path in survey[0].items() if name != "truth_map"}


@pytest.fixture(scope="module")
def gaia(tables):
    return tables["gaia_source"]


@pytest.fixture(scope="module")
def stars(tables, gaia):
    """Gaia rows of the targets with their truth, the official zero point and what is left of the parallax."""
    stars = tables["truth"].merge(gaia, on="source_id", how="left", validate="1:1")
    names = ("phot_g_mean_mag", "nu_eff_used_in_astrometry", "pseudocolour", "ecl_lat", "astrometric_params_solved")
    official = zero_point("lindegren2021", *(stars[name] for name in names))
    left = stars["parallax"] - official - stars["residual_offset"] / 1000 - stars["parallax_true"]
    return stars.assign(zero_point=official, left=left)


def share(count, total, expected):
    """Whether a count agrees with a binomial of that probability to 5 sigma."""
    return abs(count - total * expected) < 5 * np.sqrt(total * expected * (1 - expected))


def test_tables_meet_the_contracts(survey, tables, gaia):
    paths, rows = survey
    assert list(gaia.columns) == list(GAIA) and set(tables["tmass"].columns) == {"ra", "dec", *TMASS}
    assert set(tables["distances"].columns) == {"source_id", *DISTANCES}
    assert {name: len(tables[name]) for name in rows} == rows and rows["truth"] == rows["tmass"] == SURVEY["stars"]
    assert tables["targets"]["obsid"].is_unique and not tables["targets"].isna().any(axis=None)
    targets, clump = Table.read(paths["targets"]), Table.read(paths["red_clump"])
    units = {"ra": "deg", "dec": "deg", "teff": "K", "mks": "mag", "ebv": "mag"}
    assert {name: str(targets[name].unit) for name in units} == units and str(clump["distance"].unit) == "kpc"


def test_counts_and_fractions(survey, tables, gaia):
    targets, tmass, n = tables["targets"], tables["tmass"], len(gaia)
    solved = gaia["astrometric_params_solved"]
    assert share((solved == 3).sum(), n, 0.01) and share((solved == 95).sum(), n, 0.06)
    assert share(n - SURVEY["stars"], SURVEY["stars"], 0.03) and share(gaia["bp_rp"].isna().sum(), n, 0.01)
    assert share((gaia["ruwe"] > 1.4).sum(), gaia["ruwe"].notna().sum(), 0.08)
    assert abs(survey[1]["targets"] / SURVEY["stars"] - 1.373) < 5 * np.sqrt(0.373 / SURVEY["stars"])
    assert abs((targets["snr"] > 50).mean() - 0.5) < 0.02 and targets["snr"].min() > 10
    assert (tmass["ks_msigcom"] < 0.03).mean() > 0.85 and 0 < tmass["ks_msigcom"].isna().mean() < 0.01


def test_nulls_follow_the_solution(tables, gaia):
    solved = gaia["astrometric_params_solved"]
    for name in ("parallax", "parallax_error", "pmra", "pmdec", "ruwe"):
        assert (gaia[name].isna() == (solved == 3)).all(), name
    assert (gaia["nu_eff_used_in_astrometry"].notna() == (solved == 31)).all()
    assert (gaia["pseudocolour"].notna() == (solved == 95)).all()
    assert set(tables["distances"]["source_id"]) == set(gaia.loc[solved != 3, "source_id"])


def test_identifiers_look_like_gaias_and_angles_agree(gaia):
    source_id = gaia["source_id"].astype("int64")
    assert source_id.is_unique and share((source_id % 256 == 128).sum(), len(source_id), 0.5)
    assert not rounded_source_ids(gaia["source_id"] + 2**60)
    # Level 12 of the identifier is the pixel of the position.
    assert (source_id.to_numpy() >> 35 == pixel_index(gaia["ra"], gaia["dec"], nside=4096, ordering="nested")).all()
    angles = *to_galactic(gaia["ra"].to_numpy(), gaia["dec"].to_numpy()), ecliptic_latitude(gaia["ra"], gaia["dec"])
    np.testing.assert_allclose(gaia[["l", "b", "ecl_lat"]], np.transpose(angles), atol=1e-9)


def test_every_target_is_near_its_propagated_gaia_source(tables, gaia):
    true = gaia[gaia["source_id"].isin(tables["truth"]["source_id"]) & gaia["pmra"].notna()]
    moved_back = propagate(*(true[name].to_numpy() for name in ("ra", "dec", "pmra", "pmdec")), -16.0)
    where = (tables["targets"].drop_duplicates(["target_ra", "target_dec"])[f"target_{name}"] for name in ("ra", "dec"))
    targets = [angle.to_numpy() for angle in where]
    _, separation, _ = match_nearest(*moved_back, *targets, 3.0)
    assert np.max(separation) < 1.0  # none is null
    # Rayleigh of 0.1 arcsec a coordinate: without the proper motions it would be wider.
    assert np.sqrt(np.mean(separation**2)) == pytest.approx(0.1 * np.sqrt(2), rel=0.03)
    still = match_nearest(true["ra"], true["dec"], *targets, 3.0)[1]
    assert np.sqrt(np.nanmean(still**2)) > 0.15


def test_neighbours_are_close_and_fainter(tables, gaia):
    tmass, neighbour = tables["tmass"], gaia[~gaia["source_id"].isin(tables["truth"]["source_id"])]
    index, separation, _ = match_nearest(neighbour["ra"], neighbour["dec"], tmass["ra"], tmass["dec"], 8.0)
    assert (index >= 0).all() and np.quantile(separation, [0.05, 0.95]) == pytest.approx([1.25, 5.75], abs=0.25)
    assert neighbour["phot_g_mean_mag"].median() > gaia["phot_g_mean_mag"].median() + 1.5


def test_parallax_is_truth_plus_zero_point_plus_residual(stars):
    known = stars[stars["zero_point"].notna()]
    good = known[known["ruwe"] <= 1.4]
    assert len(good) > 20_000
    for _, group in good.groupby("astrometric_params_solved"):
        pull = group["left"] / group["parallax_error"]
        assert abs(pull.mean()) < 4 / np.sqrt(len(pull))
        assert pull.std() == pytest.approx(1.0, abs=4 / np.sqrt(2 * len(pull)))
    # The zero point itself is there: without it the mean is off by tens of uas.
    assert 1000 * (good["left"] + good["zero_point"]).median() == pytest.approx(-35, abs=12)
    poor = known[known["ruwe"] > 1.6]  # scatter more than they say
    assert (poor["left"] / poor["parallax_error"] / poor["ruwe"]).std() == pytest.approx(1.0, abs=0.1)


def test_residual_is_the_map_plus_colour(stars):
    sky = position_offsets(OFFSET, SURVEY["seed"])
    pixel = pixel_index(stars["ra"], stars["dec"], nside=MAP_NSIDE, ordering="nested")
    colour = stars["residual_offset"] - sky[pixel]
    known = stars["bp_rp"].notna()
    slope, value = np.polyfit(stars.loc[known, "bp_rp"] - 1.2, colour[known], 1)
    assert slope == pytest.approx(4.0, abs=0.02) and value == pytest.approx(0.0, abs=0.01)


def test_truth_map_is_the_mean_of_its_parts(survey):
    truth, header = hp.read_map(survey[0]["truth_map"], nest=True, h=True)
    header = dict(header)
    assert (header["ORDERING"], header["NSIDE"], header["COORDSYS"], header["TUNIT1"]) == ("NESTED", 32, "C", "uas")
    fine = position_offsets(OFFSET, SURVEY["seed"])
    np.testing.assert_allclose(truth, hp.ud_grade(fine, 32, order_in="NESTED", order_out="NESTED"), atol=1e-9)


def test_absolute_magnitudes_have_the_error_of_the_config(tables):
    """Two spectra of a star differ by sqrt(2) times 8.5 % in distance where both have SNR > 50, by more below."""
    targets = tables["targets"]
    pairs = targets[targets.groupby(["target_ra", "target_dec"])["target_ra"].transform("size") == 2]
    first, second = pairs.iloc[::2].reset_index(), pairs.iloc[1::2].reset_index()
    difference = (first["mks"] - second["mks"]) * np.log(10) / 5 / np.sqrt(2)
    good = (first["snr"] > 50) & (second["snr"] > 50)
    assert good.sum() > 1000 and difference[good].std() == pytest.approx(0.085, rel=0.08)
    assert difference[(first["snr"] < 30) & (second["snr"] < 30)].std() > 0.15


def test_red_clump_distances(tables, stars):
    clump = tables["red_clump"]
    index, _, _ = match_nearest(clump["ra"], clump["dec"], stars["ra"], stars["dec"], 3.0)
    ratio = clump["distance"].to_numpy() * stars["parallax_true"].to_numpy()[index]
    assert len(clump) == pytest.approx(0.7 * 0.35 * SURVEY["stars"], rel=0.05)
    assert np.median(ratio) == pytest.approx(1.0, abs=0.003)
    assert np.subtract(*np.quantile(ratio, [0.8413, 0.1587])) / 2 == pytest.approx(0.05, rel=0.05)


def test_geometric_distance_follows_the_parallax_and_the_prior_and_inherits_the_residual_offset(tables, stars):
    sharp = geometric_distance(np.array([2.0]), np.array([0.002]))
    assert sharp["r_med_geo"][0] == pytest.approx(500, rel=1e-3)
    assert sharp["r_hi_geo"][0] / sharp["r_med_geo"][0] == pytest.approx(1.001, rel=1e-4)
    # No information: the peak of r^3 exp(-r) in ln r.
    assert geometric_distance(np.array([-1.0]), np.array([1e4]))["r_med_geo"][0] == pytest.approx(3000, rel=1e-3)
    near = stars[(stars["parallax_error"] < 0.03) & (stars["parallax_true"].between(0.8, 2)) & (stars["ruwe"] < 1.4)]
    near = near.merge(tables["distances"], on="source_id")
    excess = 1e6 / near["r_med_geo"] - 1e3 * near["parallax_true"]
    assert excess.mean() == pytest.approx(near["residual_offset"].mean(), abs=2.0)


def test_field_has_the_covariance_of_the_config():
    """Products of pixels 1, 5 and 16 deg apart over 60 seeds (the sky of one seed differs by some 10 %)."""
    nside = 64
    fields = np.array([residual_field(OFFSET, seed, nside) for seed in range(60)])
    assert np.mean(fields**2) == pytest.approx(192.0, rel=0.05)
    assert (residual_field(OFFSET, 1, nside) == fields[1]).all()  # the seed decides alone
    assert abs(np.corrcoef(fields[1], fields[2])[0, 1]) < 0.5
    pixel = np.random.default_rng(0).integers(0, 12 * nside**2, 10_000)
    ra, dec = hp.pix2ang(nside, pixel, nest=True, lonlat=True)
    for angle in (1.0, 5.0, 16.0):
        other = pixel_index(*moved(ra, dec, np.full(len(ra), angle), ra), nside=nside, ordering="nested")
        pair = np.array(hp.pix2vec(nside, pixel, nest=True)), np.array(hp.pix2vec(nside, other, nest=True))
        apart = np.degrees(2 * np.arcsin(np.linalg.norm(pair[0] - pair[1], axis=0) / 2))
        expected = covariance(apart[apart > 0], OFFSET).mean()
        found = np.mean((fields[:, pixel] * fields[:, other])[:, apart > 0])
        assert found == pytest.approx(expected, rel=0.05, abs=4.0), angle
    assert covariance([0.0, 1.0], OFFSET) == pytest.approx([192.0, 142 * np.exp(-1 / 16) + 50 * np.exp(-1)])
    power = angular_power(OFFSET, 3 * MAP_NSIDE - 1)  # sums to it
    for angle in (5.0, 16.0, 60.0):
        terms = (2 * np.arange(len(power)) + 1) / (4 * np.pi) * power
        total = np.polynomial.legendre.legval(np.cos(np.radians(angle)), terms)
        assert total == pytest.approx(covariance(angle, OFFSET), rel=0.01)


def test_the_sky_without_its_field_is_global_part_and_galactic_plane():
    assert np.allclose(position_offsets(QUIET, 1, nside=16), 2.6)
    sky = position_offsets({**QUIET, "global_uas": 0.0, "plane_uas": -5.0}, 1, nside=64)
    _, b = to_galactic(*hp.pix2ang(64, np.arange(len(sky)), nest=True, lonlat=True))
    assert sky[np.abs(b) < 0.5] == pytest.approx(-5.0, abs=0.02)
    assert sky[np.abs(np.abs(b) - 10) < 0.3] == pytest.approx(-5.0 * np.exp(-0.5), abs=0.1)


@pytest.mark.parametrize("count", [1, 14, 30, 4000])
def test_plates(count):
    tiles = plates({**SURVEY, "plates": count})
    assert tiles["visits"].sum() == count and tiles["visits"].min() >= 1
    assert tiles["dec"].min() >= -10 and tiles["dec"].max() <= 60
    l, _ = to_galactic(tiles["ra"], tiles["dec"])  # noqa: E741
    anticentre = (np.abs(l - 180) < 30) & (np.abs(tiles["b"]) < 30)
    if count == 4000:
        assert tiles["visits"][anticentre].mean() > 1.5 * tiles["visits"][~anticentre].mean()
    else:  # few plates make one region
        vectors = unit_vectors(tiles["ra"], tiles["dec"])
        touching = separation(vectors[:, None], vectors[None]) < 5.0
        reached = touching[0]
        for _ in tiles["ra"]:
            reached = touching[reached].any(axis=0)
        assert reached.all()


def test_same_survey_gives_the_same_bytes_and_another_seed_another_sky(tmp_path):
    contents = []
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        (tmp_path / name).mkdir()
        written(tmp_path / name, {**SURVEY, "stars": 2000, "seed": seed})
        contents.append({table: (tmp_path / name / file).read_bytes() for table, file in FILES.items()})
    assert contents[0] == contents[1] and all(contents[0][table] != contents[2][table] for table in FILES)


def test_chunks_depend_on_the_seed_and_their_number_only(monkeypatch):
    """A longer survey begins with the stars of a shorter one, and no identifier comes twice."""
    monkeypatch.setattr("gaia_offsets.simulate.survey.CHUNK", 1000)
    sky = np.zeros(12 * MAP_NSIDE**2)
    short, long = (list(simulate.survey_chunks({**SURVEY, "stars": count}, sky)) for count in (2000, 2500))
    assert [len(chunk["truth"]["source_id"]) for chunk in long] == [1000, 1000, 500]
    for table, columns in short[1].items():
        for name, values in columns.items():
            np.testing.assert_array_equal(values, long[1][table][name])
    for table, name in (("gaia_source", "source_id"), ("targets", "obsid")):
        assert pd.Index(np.concatenate([chunk[table][name] for chunk in long])).is_unique
    assert simulate.CHUNK * 2 * 100 < 2**28  # running numbers of 20 million stars fit below the pixel
