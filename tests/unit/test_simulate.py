"""The simulated survey: table contracts, fractions, the injected truth, and the same bytes from the same seed."""

from __future__ import annotations

import healpy as hp
import numpy as np
import pandas as pd
import pytest

from gaia_offsets.columns import DISTANCES, GAIA, TMASS
from gaia_offsets.matching import match_nearest, propagate
from gaia_offsets.official import zero_point
from gaia_offsets.simulate import (
    CHUNK,
    MAP_NSIDE,
    angular_power,
    covariance,
    geometric_distance,
    moved,
    plates,
    position_offsets,
    residual_field,
    survey_chunks,
    write_survey,
)
from gaia_offsets.sky import ecliptic_latitude, pixel_index, to_galactic
from gaia_offsets.tables import read_table, rounded_source_ids

OFFSET = {
    "global_uas": 2.6,
    "large_scale_uas2": 142.0,
    "large_scale_deg": 16.0,
    "small_scale_uas2": 50.0,
    "small_scale_deg": 1.0,
    "colour_slope_uas": 4.0,
    "plane_uas": -5.0,
}
SURVEY = {
    "seed": 20220121,
    "stars": 30_000,
    "spectra_per_star": 1.373,
    "plates": 30,
    "snr_median": 50,
    "giant_fraction": 0.7,
    "giant_parallax_mas": 0.48,
    "luminosity_reach": 0,
    "dust_kpc": 0,
    "red_clump_completeness": 1,
    "distance_error": 0.085,
    "six_parameter_fraction": 0.06,
    "two_parameter_fraction": 0.01,
    "neighbour_fraction": 0.03,
    "ruwe_tail_fraction": 0.08,
    "missing_colour_fraction": 0.01,
    "offset": OFFSET,
}
FILES = {
    "targets": "targets.fits",
    "red_clump": "red_clump.fits",
    "truth_map": "truth_map.fits",
    **{name: f"{name}.parquet" for name in ("gaia_source", "tmass", "distances", "truth")},
}
# As config.yaml's lamost_giants reads the catalogue.
TARGET_COLUMNS = {
    "target_ra": {"column": "ra", "unit": "deg"},
    "target_dec": {"column": "dec", "unit": "deg"},
    **{name: name for name in ("obsid", "snr", "teff", "logg", "feh", "mks", "ebv")},
}


def written(folder, survey):
    paths = {name: str(folder / file) for name, file in FILES.items()}
    return paths, write_survey(survey, paths)


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """Paths, counts and tables of the survey."""
    paths, rows = written(tmp_path_factory.mktemp("survey"), SURVEY)
    tables = {name: read_table(paths[name]) for name in ("gaia_source", "tmass", "distances", "red_clump")}
    tables["targets"] = read_table(paths["targets"], TARGET_COLUMNS)
    truth_columns = {name: name for name in ("source_id", "parallax_true", "residual_offset")}
    tables["truth"] = read_table(paths["truth"], truth_columns)
    return paths, rows, tables


@pytest.fixture(scope="module")
def stars(survey):
    """Gaia rows of the targets with their truth and the official zero point."""
    _, _, tables = survey
    stars = tables["truth"].merge(tables["gaia_source"], on="source_id", how="left", validate="1:1")
    names = ("phot_g_mean_mag", "nu_eff_used_in_astrometry", "pseudocolour", "ecl_lat", "astrometric_params_solved")
    stars["zero_point"] = zero_point(*(stars[name] for name in names))
    return stars


def share(count, total, expected):
    """Whether a count agrees with a binomial of that probability to 5 sigma."""
    return abs(count - total * expected) < 5 * np.sqrt(total * expected * (1 - expected))


def test_tables_meet_the_contracts(survey):
    _, rows, tables = survey
    assert list(tables["gaia_source"].columns) == list(GAIA)
    assert set(tables["tmass"].columns) == {"ra", "dec", *TMASS}
    assert set(tables["distances"].columns) == {"source_id", *DISTANCES}
    assert {name: len(table) for name, table in tables.items()} == rows
    assert rows["truth"] == rows["tmass"] == SURVEY["stars"]
    assert tables["targets"]["obsid"].is_unique
    assert not tables["targets"].isna().any(axis=None)


def test_units_stand_in_the_fits_files(survey):
    from astropy.table import Table

    paths, _, _ = survey
    targets, clump = Table.read(paths["targets"]), Table.read(paths["red_clump"])
    assert [str(targets[name].unit) for name in ("ra", "dec", "teff", "mks", "ebv")] == [
        "deg",
        "deg",
        "K",
        "mag",
        "mag",
    ]
    assert str(clump["distance"].unit) == "kpc"


def test_counts_and_fractions(survey):
    _, rows, tables = survey
    gaia, targets, tmass = tables["gaia_source"], tables["targets"], tables["tmass"]
    n = len(gaia)
    solved = gaia["astrometric_params_solved"]
    assert share((solved == 3).sum(), n, 0.01)
    assert share((solved == 95).sum(), n, 0.06)
    assert share(n - SURVEY["stars"], SURVEY["stars"], 0.03)
    assert share(gaia["bp_rp"].isna().sum(), n, 0.01)
    assert share((gaia["ruwe"] > 1.4).sum(), gaia["ruwe"].notna().sum(), 0.08)
    assert abs(rows["targets"] / SURVEY["stars"] - 1.373) < 5 * np.sqrt(0.373 / SURVEY["stars"])
    assert abs((targets["snr"] > 50).mean() - 0.5) < 0.02
    assert targets["snr"].min() > 10
    assert (tmass["ks_msigcom"] < 0.03).mean() > 0.85
    assert 0 < tmass["ks_msigcom"].isna().mean() < 0.01


def test_nulls_follow_the_solution(survey):
    _, _, tables = survey
    gaia = tables["gaia_source"]
    solved = gaia["astrometric_params_solved"]
    for name in ("parallax", "parallax_error", "pmra", "pmdec", "ruwe"):
        assert (gaia[name].isna() == (solved == 3)).all(), name
    assert (gaia["nu_eff_used_in_astrometry"].notna() == (solved == 31)).all()
    assert (gaia["pseudocolour"].notna() == (solved == 95)).all()
    assert set(tables["distances"]["source_id"]) == set(gaia.loc[solved != 3, "source_id"])


def test_identifiers_look_like_gaias(survey):
    _, _, tables = survey
    gaia = tables["gaia_source"]
    source_id = gaia["source_id"].astype("int64")
    assert source_id.is_unique
    assert share((source_id % 256 == 128).sum(), len(source_id), 0.5)
    assert not rounded_source_ids(gaia["source_id"] + 2**60)
    # Level 12 of the identifier is the pixel of the position.
    assert (source_id.to_numpy() >> 35 == pixel_index(gaia["ra"], gaia["dec"], nside=4096, ordering="nested")).all()


def test_angles_agree(survey):
    _, _, tables = survey
    gaia = tables["gaia_source"]
    l, b = to_galactic(gaia["ra"].to_numpy(), gaia["dec"].to_numpy())  # noqa: E741
    np.testing.assert_allclose(gaia["b"], b, atol=1e-9)
    np.testing.assert_allclose(gaia["l"], l, atol=1e-9)
    np.testing.assert_allclose(gaia["ecl_lat"], ecliptic_latitude(gaia["ra"], gaia["dec"]), atol=1e-9)


def test_every_target_is_near_its_propagated_gaia_source(survey):
    _, _, tables = survey
    gaia, targets = tables["gaia_source"], tables["targets"]
    true = gaia[gaia["source_id"].isin(tables["truth"]["source_id"]) & gaia["pmra"].notna()]
    moved_back = propagate(*(true[name].to_numpy() for name in ("ra", "dec", "pmra", "pmdec")), -16.0)
    stars = targets.drop_duplicates(["target_ra", "target_dec"])
    _, separation, _ = match_nearest(*moved_back, stars["target_ra"].to_numpy(), stars["target_dec"].to_numpy(), 3.0)
    assert np.nanmax(separation) < 1.0
    assert not np.isnan(separation).any()
    # Rayleigh of 0.1 arcsec a coordinate: without the proper motions it would be wider.
    assert np.sqrt(np.mean(separation**2)) == pytest.approx(0.1 * np.sqrt(2), rel=0.03)
    still = match_nearest(true["ra"], true["dec"], stars["target_ra"], stars["target_dec"], 3.0)[1]
    assert np.sqrt(np.nanmean(still**2)) > 0.15


def test_neighbours_are_close_and_fainter(survey):
    _, _, tables = survey
    gaia, tmass = tables["gaia_source"], tables["tmass"]
    neighbour = gaia[~gaia["source_id"].isin(tables["truth"]["source_id"])]
    index, separation, _ = match_nearest(neighbour["ra"], neighbour["dec"], tmass["ra"], tmass["dec"], 8.0)
    assert (index >= 0).all()
    assert np.quantile(separation, [0.05, 0.95]) == pytest.approx([1.25, 5.75], abs=0.25)
    assert neighbour["phot_g_mean_mag"].median() > gaia["phot_g_mean_mag"].median() + 1.5


def test_parallax_is_truth_plus_zero_point_plus_residual(stars):
    good = stars[(stars["ruwe"] <= 1.4) & stars["zero_point"].notna()]
    assert len(good) > 20_000
    left = good["parallax"] - good["zero_point"] - good["residual_offset"] / 1000 - good["parallax_true"]
    for _, group in good.groupby("astrometric_params_solved"):
        pull = left[group.index] / group["parallax_error"]
        assert abs(pull.mean()) < 4 / np.sqrt(len(pull))
        assert pull.std() == pytest.approx(1.0, abs=4 / np.sqrt(2 * len(pull)))
    # The zero point itself is there: without it the mean is off by tens of uas.
    assert 1000 * (left + good["zero_point"]).median() == pytest.approx(-35, abs=12)


def test_poor_fits_scatter_more_than_they_say(stars):
    poor = stars[(stars["ruwe"] > 1.6) & stars["zero_point"].notna()]
    left = poor["parallax"] - poor["zero_point"] - poor["residual_offset"] / 1000 - poor["parallax_true"]
    assert (left / poor["parallax_error"] / poor["ruwe"]).std() == pytest.approx(1.0, abs=0.1)


def test_residual_is_the_map_plus_colour(stars):
    sky = position_offsets(OFFSET, SURVEY["seed"])
    pixel = pixel_index(stars["ra"], stars["dec"], nside=MAP_NSIDE, ordering="nested")
    colour = stars["residual_offset"] - sky[pixel]
    known = stars["bp_rp"].notna()
    slope, value = np.polyfit(stars.loc[known, "bp_rp"] - 1.2, colour[known], 1)
    assert slope == pytest.approx(4.0, abs=0.02)
    assert value == pytest.approx(0.0, abs=0.01)


def test_truth_map_is_the_mean_of_its_parts(survey):
    paths, _, _ = survey
    truth, header = hp.read_map(paths["truth_map"], nest=True, h=True)
    header = dict(header)
    assert (header["ORDERING"], header["NSIDE"], header["COORDSYS"], header["TUNIT1"]) == ("NESTED", 32, "C", "uas")
    fine = position_offsets(OFFSET, SURVEY["seed"])
    np.testing.assert_allclose(truth, hp.ud_grade(fine, 32, order_in="NESTED", order_out="NESTED"), atol=1e-9)


def test_absolute_magnitudes_have_the_error_of_the_config(survey):
    """Two spectra of a star differ by sqrt(2) times 8.5 % in distance where both have SNR > 50, by more below."""
    _, _, tables = survey
    pairs = tables["targets"].groupby(["target_ra", "target_dec"]).filter(lambda spectra: len(spectra) == 2)
    first, second = pairs.iloc[::2].reset_index(), pairs.iloc[1::2].reset_index()
    difference = (first["mks"] - second["mks"]) * np.log(10) / 5 / np.sqrt(2)
    good = (first["snr"] > 50) & (second["snr"] > 50)
    assert good.sum() > 1000
    assert difference[good].std() == pytest.approx(0.085, rel=0.08)
    assert difference[(first["snr"] < 30) & (second["snr"] < 30)].std() > 0.15


def test_red_clump_distances(survey, stars):
    _, _, tables = survey
    clump = tables["red_clump"]
    index, _, _ = match_nearest(clump["ra"], clump["dec"], stars["ra"], stars["dec"], 3.0)
    ratio = clump["distance"].to_numpy() * stars["parallax_true"].to_numpy()[index]
    assert len(clump) == pytest.approx(0.7 * 0.35 * SURVEY["stars"], rel=0.05)
    assert np.median(ratio) == pytest.approx(1.0, abs=0.003)
    assert np.subtract(*np.quantile(ratio, [0.8413, 0.1587])) / 2 == pytest.approx(0.05, rel=0.05)


def test_geometric_distance_follows_the_parallax_and_the_prior():
    sharp = geometric_distance(np.array([2.0]), np.array([0.002]))
    assert sharp["r_med_geo"][0] == pytest.approx(500, rel=1e-3)
    assert sharp["r_hi_geo"][0] / sharp["r_med_geo"][0] == pytest.approx(1.001, rel=1e-4)
    # No information: the peak of r^3 exp(-r) in ln r.
    assert geometric_distance(np.array([-1.0]), np.array([1e4]))["r_med_geo"][0] == pytest.approx(3000, rel=1e-3)


def test_geometric_distances_inherit_the_residual_offset(survey, stars):
    """A positive residual makes parallaxes larger, so distances smaller."""
    _, _, tables = survey
    near = stars[(stars["parallax_error"] < 0.03) & (stars["parallax_true"].between(0.8, 2)) & (stars["ruwe"] < 1.4)]
    near = near.merge(tables["distances"], on="source_id")
    excess = 1e6 / near["r_med_geo"] - 1e3 * near["parallax_true"]
    assert excess.mean() == pytest.approx(near["residual_offset"].mean(), abs=2.0)


def test_power_spectrum_sums_to_the_covariance():
    degree = 3 * MAP_NSIDE - 1
    power = angular_power(OFFSET, degree)
    for angle in (5.0, 16.0, 60.0):
        terms = (2 * np.arange(degree + 1) + 1) / (4 * np.pi) * power
        total = np.polynomial.legendre.legval(np.cos(np.radians(angle)), terms)
        assert total == pytest.approx(covariance(angle, OFFSET), rel=0.01)


def test_field_has_the_covariance_of_the_config():
    """Products of pixels 1, 5 and 16 deg apart over 100 seeds (the sky of one seed differs by some 10 %)."""
    nside = 64
    fields = np.array([residual_field(OFFSET, seed, nside) for seed in range(100)])
    assert np.mean(fields**2) == pytest.approx(192.0, rel=0.05)
    pixel = np.random.default_rng(0).integers(0, 12 * nside**2, 10_000)
    ra, dec = hp.pix2ang(nside, pixel, nest=True, lonlat=True)
    for angle in (1.0, 5.0, 16.0):
        other = pixel_index(*moved(ra, dec, np.full(len(ra), angle), ra), nside=nside, ordering="nested")
        pair = np.array(hp.pix2vec(nside, pixel, nest=True)), np.array(hp.pix2vec(nside, other, nest=True))
        apart = np.degrees(2 * np.arcsin(np.linalg.norm(pair[0] - pair[1], axis=0) / 2))
        expected = covariance(apart[apart > 0], OFFSET).mean()
        found = np.mean((fields[:, pixel] * fields[:, other])[:, apart > 0])
        assert found == pytest.approx(expected, rel=0.05, abs=4.0), angle


def test_field_depends_on_the_seed_only():
    first, again, other = (residual_field(OFFSET, seed, nside=32) for seed in (1, 1, 2))
    assert (first == again).all()
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.5


def test_quiet_sky_has_no_offset():
    quiet = {**OFFSET, "large_scale_uas2": 0.0, "small_scale_uas2": 0.0, "plane_uas": 0.0, "global_uas": 1.5}
    assert np.allclose(position_offsets(quiet, 1, nside=16), 1.5)


def test_plane_part_is_largest_in_the_galactic_plane():
    plane = {**OFFSET, "large_scale_uas2": 0.0, "small_scale_uas2": 0.0, "global_uas": 0.0}
    sky = position_offsets(plane, 1, nside=64)
    _, b = to_galactic(*hp.pix2ang(64, np.arange(len(sky)), nest=True, lonlat=True))
    assert sky[np.abs(b) < 0.5] == pytest.approx(-5.0, abs=0.02)
    assert sky[np.abs(np.abs(b) - 10) < 0.3] == pytest.approx(-5.0 * np.exp(-0.5), abs=0.1)


@pytest.mark.parametrize("count", [1, 14, 4000])
def test_plates(count):
    tiles = plates({**SURVEY, "plates": count})
    assert tiles["visits"].sum() == count
    assert tiles["visits"].min() >= 1
    assert tiles["dec"].min() >= -10
    assert tiles["dec"].max() <= 60
    l, _ = to_galactic(tiles["ra"], tiles["dec"])  # noqa: E741
    anticentre = (np.abs(l - 180) < 30) & (np.abs(tiles["b"]) < 30)
    if count == 4000:
        assert tiles["visits"][anticentre].mean() > 1.5 * tiles["visits"][~anticentre].mean()


def test_few_plates_make_one_region():
    tiles = plates(SURVEY)
    x, y = np.radians(tiles["ra"]), np.radians(tiles["dec"])
    vectors = np.column_stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)])
    touching = vectors @ vectors.T > np.cos(np.radians(5.0))
    reached = touching[0]
    for _ in tiles["ra"]:
        reached = touching[reached].any(axis=0)
    assert reached.all()


def test_same_survey_gives_the_same_bytes_and_another_seed_another_sky(tmp_path):
    small = {**SURVEY, "stars": 2000}
    contents = []
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        (tmp_path / name).mkdir()
        paths, _ = written(tmp_path / name, {**small, "seed": seed})
        contents.append({table: (tmp_path / name / file).read_bytes() for table, file in FILES.items()})
        assert set(paths) == set(contents[-1])
    assert contents[0] == contents[1]
    assert all(contents[0][table] != contents[2][table] for table in FILES)


def test_chunks_depend_on_the_seed_and_their_number_only(monkeypatch):
    """A longer survey begins with the stars of a shorter one, and no identifier comes twice."""
    monkeypatch.setattr("gaia_offsets.simulate.CHUNK", 1000)
    sky = np.zeros(12 * MAP_NSIDE**2)
    short, long = (list(survey_chunks({**SURVEY, "stars": count}, sky)) for count in (2000, 2500))
    assert [len(chunk["truth"]["source_id"]) for chunk in long] == [1000, 1000, 500]
    for table, columns in short[1].items():
        for name, values in columns.items():
            np.testing.assert_array_equal(values, long[1][table][name])
    for table, name in (("gaia_source", "source_id"), ("targets", "obsid")):
        assert pd.Index(np.concatenate([chunk[table][name] for chunk in long])).is_unique
    assert CHUNK * 2 * 100 < 2**28  # running numbers of 20 million stars fit below the pixel
