"""Cross-match: against brute force, across epochs, at the poles and over the meridian."""

import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from frames import Frame, match_catalogues
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.shared import refuses
from unit.test_tables import write

from gaia_offsets.sky import match as matching
from gaia_offsets.sky.match import Match, attach, find_counterparts, match_nearest, propagate
from gaia_offsets.sky.positions import separation, unit_vectors
from gaia_offsets.tables import parquet
from gaia_offsets.tables.read import TableFile


def test_propagation_agrees_with_astropy():
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 360, 200), np.degrees(np.arcsin(rng.uniform(-0.99, 0.99, 200)))
    pmra, pmdec = rng.normal(0, 300, 200), rng.normal(0, 300, 200)
    start = SkyCoord(ra, dec, unit="deg", pm_ra_cosdec=pmra * u.mas / u.yr, pm_dec=pmdec * u.mas / u.yr)
    expected = start.spherical_offsets_by(pmra * -16 * u.mas, pmdec * -16 * u.mas)
    moved = propagate(ra, dec, pmra, pmdec, -16.0)
    apart = 3600.0 * separation(unit_vectors(*moved), unit_vectors(expected.ra.deg, expected.dec.deg))
    assert apart.max() < 1e-4


def test_propagation_over_the_pole_and_of_nothing_and_after_no_time():
    ra, dec = propagate([10.0, 20.0], [5.0, 89.9999], [np.nan, 0.0], [np.nan, 1e3], 16.0)
    assert ra[0] == pytest.approx(10.0) and dec[0] == pytest.approx(5.0)
    assert ra[1] == pytest.approx(200.0) and dec[1] == pytest.approx(90 - (16 - 0.36) / 3600)
    ra, dec = propagate([10.0, 370.0], [5.0, -6.0], [1e3, np.nan], [1e3, 0.0], 0.0)
    assert ra.tolist() == [10.0, 370.0] and dec.tolist() == [5.0, -6.0]


@pytest.mark.parametrize("centre", [(0.0, 0.0), (123.0, 89.999), (359.9999, -30.0), (50.0, -90.0)])
def test_nearest_equals_brute_force(centre):
    rng = np.random.default_rng(2)
    near = SkyCoord(*centre, unit="deg")

    def field(n):
        position = near.directional_offset_by(rng.uniform(0, 360, n) * u.deg, 60 * np.sqrt(rng.random(n)) * u.arcsec)
        return position.ra.deg, position.dec.deg

    a, b = field(300), field(400)
    index, apart_arcsec, neighbours = match_nearest(*a, *b, 3.0)
    apart = 3600.0 * separation(unit_vectors(*a)[:, None], unit_vectors(*b)[None])
    best = apart.min(axis=1)
    assert (index == np.where(best <= 3.0, apart.argmin(axis=1), -1)).all()
    assert apart_arcsec[index >= 0] == pytest.approx(best[best <= 3.0], abs=1e-6)
    assert (neighbours == (apart <= 3.0).sum(axis=1)).all() and 0 < (index >= 0).sum() < 300


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_order_of_the_rows_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(0, 0.01, (2, 20)), rng.uniform(0, 0.01, (2, 30))
    index, separation, neighbours = match_nearest(*a, *b, 5.0)
    turn, turn_b = rng.permutation(20), rng.permutation(30)
    again, separation2, neighbours2 = match_nearest(*a[:, turn], *b[:, turn_b], 5.0)
    assert (np.where(again >= 0, turn_b[again], -1) == index[turn]).all()
    assert np.allclose(separation2, separation[turn], equal_nan=True) and (neighbours2 == neighbours[turn]).all()


def test_empty_lists_and_rows_without_a_position_harm_no_other():
    assert match_nearest([], [], [1.0], [1.0], 3.0)[0].shape == (0,)
    nan = np.nan
    for others, expected in (([], [-1, -1, -1]), ([nan, 1.0], [1, -1, -1])):
        found = match_nearest([1.0, nan, 1.0], [2.0, 2.0, nan], others, [2.0] * len(others), 3.0)
        assert found[0].tolist() == expected and found[2].tolist() == [int(index >= 0) for index in expected]
        assert np.isnan(found[1][1:]).all()
    # Of equally near ones it is the first.
    same = [10.0] * 5 + [50.0] * 40 + [200.0]
    index, apart, neighbours = match_nearest([10.0, 50.0, 200.0], [20.0] * 3, same, [20.0] * 46, 3.0)
    assert index.tolist() == [0, 5, 45] and neighbours.tolist() == [5, 40, 1] and (apart < 1e-6).all()


def test_threads_and_pieces_change_nothing(monkeypatch):
    rng = np.random.default_rng(5)
    ra, dec = rng.uniform(0, 1, 3000), rng.uniform(-1, 1, 3000)
    others = ra[::-1] + rng.normal(0, 3e-4, 3000), dec[::-1] + rng.normal(0, 3e-4, 3000)
    once = match_nearest(ra, dec, *others, 2.0), propagate(ra, dec, 100 * ra, 100 * dec, 16.0)
    monkeypatch.setattr(matching, "PIECE", 100)
    monkeypatch.setattr(matching, "pieces", lambda rows: [slice(first, first + 700) for first in range(0, rows, 700)])
    again = match_nearest(ra, dec, *others, 2.0, workers=2), propagate(ra, dec, 100 * ra, 100 * dec, 16.0, workers=2)
    assert 0.5 < (once[0][0] >= 0).mean() < 1 and once[0][2].max() > 1
    for one, other in zip(once[0] + once[1], again[0] + again[1], strict=True):
        np.testing.assert_array_equal(one, other)


def catalogues():
    targets = pd.DataFrame({"obsid": [1, 2, 3], "target_ra": [10.0, 10.0, 200.0], "target_dec": [20.0, 20.0, 5.0]})
    gaia = {"source_id": [BIG, 7], "ra": 10.0, "dec": [20.0 + 8.0 / 3600, 20.0 + 2.0 / 3600], "pmra": [0.0, np.nan]}
    gaia = pd.DataFrame(gaia | {"pmdec": [500.0, np.nan], "parallax": [0.5, np.nan]})
    tmass = pd.DataFrame({"ra": [10.0], "dec": [20.0 + 0.1 / 3600], "ks_m": [9.5], "ks_msigcom": [0.02]})
    distances = pd.DataFrame({"source_id": [7, BIG], "r_med_geo": [100.0, 2000.0]})
    return targets, gaia, tmass, distances


BIG = 4611686018427387905  # 2**62 + 1: lost if it ever becomes a float
SETTINGS = {"target_epoch": 2000.0, "gaia_epoch": 2016.0, "radius_arcsec": 3.0, "tmass_radius_arcsec": 1.0}


def test_the_moving_star_is_found_where_it_was():
    matched = match_catalogues(*catalogues(), **SETTINGS)
    # 500 mas/yr over 16 yr are 8 arcsec: at J2000 the first source stood on the target.
    assert matched["source_id"][:2].tolist() == [BIG] * 2 and matched["source_id"].isna()[2]
    assert matched["match_separation"][:2].tolist() == pytest.approx([0.0, 0.0], abs=1e-3)
    assert matched["match_neighbours"].tolist() == [2, 2, 0] and matched["obsid"].tolist() == [1, 2, 3]
    assert matched["ks_m"][:2].tolist() == [9.5, 9.5] and np.isnan(matched["ks_m"][2])
    assert matched["r_med_geo"][:2].tolist() == [2000.0, 2000.0]
    without = match_catalogues(*catalogues()[:2], None, None, **SETTINGS)
    assert "ks_m" not in without and "r_med_geo" not in without and len(without) == 3


def test_further_columns_of_the_gaia_table_come_along_and_faulty_tables_are_refused():
    targets, gaia, tmass, distances = catalogues()
    twice = pd.concat([gaia, gaia]), pd.concat([distances, distances])
    refuses("Gaia table: 2 source_ids", match_catalogues, targets, twice[0], tmass, distances, **SETTINGS)
    refuses("distances table: 2 source_ids", match_catalogues, targets, gaia, tmass, twice[1], **SETTINGS)
    both = targets.assign(ra=1.0, ks_m=2.0)
    refuses("columns ks_m, ra ", match_catalogues, both, gaia, tmass, distances, **SETTINGS)
    biased = gaia.assign(bias=[-0.02, -0.03])
    matched = match_catalogues(targets, biased, None, None, **SETTINGS)
    assert matched["bias"].tolist() == pytest.approx([-0.02, -0.02, np.nan], nan_ok=True)
    words = "columns bias would be overwritten"
    refuses(words, match_catalogues, targets.assign(bias=1.0), biased, None, None, **SETTINGS)


def sky(n):
    """Targets at the sources and beside them, of which some move fast, and tables that hold parts of them."""
    rng = np.random.default_rng(8)
    ra, dec = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    gaia = pd.DataFrame({"source_id": rng.permutation(n) + 2**62, "ra": ra, "dec": dec})
    gaia = gaia.assign(pmra=rng.normal(0, 3e3, n), pmdec=rng.normal(0, 3e3, n), parallax=rng.random(n))
    gaia.loc[::7, ["pmra", "pmdec"]] = np.nan
    gaia = pd.concat([gaia, gaia[::5].assign(source_id=gaia["source_id"][::5] + n)], ignore_index=True)  # equally near
    then = propagate(*(gaia[name].to_numpy() for name in ("ra", "dec", "pmra", "pmdec")), -16.0)
    seen = rng.integers(0, n, 2 * n)
    targets = pd.DataFrame({"obsid": np.arange(2 * n), "target_ra": then[0][seen], "target_dec": then[1][seen]})
    targets.loc[3::50, "target_dec"] = np.nan
    tmass = pd.DataFrame({"ra": then[0], "dec": then[1], "ks_m": rng.random(len(gaia))})[::2]
    distances = gaia[["source_id"]].assign(r_med_geo=rng.random(len(gaia)))[::3]
    return {"targets": targets, "gaia": gaia, "tmass": tmass, "distances": distances}


@pytest.mark.parametrize("kind", ["parquet", "fits", "csv"])
def test_tables_in_pieces_give_what_frames_do(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "ROW_GROUP", 100)
    frames = sky(200)
    paths = {role: tmp_path / f"{role}.{kind if role == 'targets' else 'parquet'}" for role in frames}
    files = {role: TableFile(write(Table.from_pandas(frames[role]), path)) for role, path in paths.items()}
    whole = find_counterparts(**files, how=Match(**SETTINGS))
    parquet.write_pieces(attach(files["targets"], whole), tmp_path / "whole.parquet", fast=True)
    matched = pd.concat(parquet.read_pieces(tmp_path / "whole.parquet"))
    assert 0.9 < matched["source_id"].notna().mean() < 1 and (matched["match_neighbours"] > 1).any()
    assert matched["ks_m"].notna().any() and matched["r_med_geo"].notna().any()
    expected = match_catalogues(**frames, **SETTINGS)
    pd.testing.assert_frame_equal(matched, expected, check_dtype=False, rtol=1e-12)


@pytest.mark.parametrize("where", ["gaia", "distances"])
def test_a_source_that_stands_twice_is_refused(where):
    frames = {role: frame.reset_index(drop=True) for role, frame in sky(100).items()}
    frames[where].loc[7, "source_id"] = frames[where].loc[8, "source_id"]  # at another place of the sky
    tables = {role: Frame(frame) for role, frame in frames.items()}
    refuses("table: 1 source_ids stand more than once", find_counterparts, **tables, how=Match(**SETTINGS))
