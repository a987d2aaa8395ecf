"""A tracers table in pieces, with more stars than are held at once: the results are those of the table as a whole."""

import tracemalloc
from itertools import pairwise

import measure_map
import numpy as np
import pandas as pd
import pytest
from smooth_map import smooth_maps
from unit.shared import SOLUTIONS

from gaia_offsets.offsets import buckets, segments, tracers, weighted
from gaia_offsets.offsets.buckets import Buckets
from gaia_offsets.offsets.estimators import global_offsets, histograms, trends
from gaia_offsets.offsets.segments import Segments
from gaia_offsets.offsets.tracers import Tracers, drawn_stars, read_scatter
from gaia_offsets.offsets.weighted import Scatter, star_table, weighted_means
from gaia_offsets.sky.positions import FRAMES, complete_angles
from gaia_offsets.tables import parquet
from gaia_offsets.tables.read import write_table

GAUSSIAN = {"method": "density_power", "beta": 0.3}
EDGES = {"phot_g_mean_mag": np.linspace(10, 16, 13), "colour": np.linspace(1.2, 1.7, 6)}
EDGES |= {"sin_ecl_lat": np.linspace(-1, 1, 9)}
MAP = {"nside": "auto", "ordering": "nested", "more_than": 5}


@pytest.fixture(scope="module")
def stars() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 8_000
    ra, dec = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    error = rng.uniform(0.01, 0.04, n)
    reference = rng.uniform(0.3, 2.0, n)
    columns = {"solution": rng.choice(["5p", "6p"], n, p=[0.9, 0.1]), "ra": ra, "dec": dec}
    columns |= {"phot_g_mean_mag": rng.uniform(9.9, 16.1, n)}
    columns |= {"nu_eff_used_in_astrometry": np.where(rng.random(n) < 0.02, np.nan, rng.uniform(1.2, 1.7, n))}
    columns |= {"pseudocolour": rng.uniform(1.2, 1.7, n)}
    columns |= {"parallax": reference + rng.normal(-0.03, error) + 0.01 * np.sin(np.radians(ra))}
    columns |= {"parallax_error": error, "reference_parallax": reference, "reference_parallax_error": 0.05 * reference}
    table = pd.DataFrame(columns)
    table["parallax_corrected"] = np.where(rng.random(n) < 0.02, np.nan, table["parallax"] + 0.03)
    for name, column in {"offset_raw": "parallax", "offset_corrected": "parallax_corrected"}.items():
        table[name] = 1000.0 * (table[column] - table["reference_parallax"])
    return complete_angles(table)


@pytest.fixture
def path(stars, tmp_path, monkeypatch) -> str:
    """The table as a file of 20 row groups."""
    monkeypatch.setattr(parquet, "ROW_GROUP", 1000)
    path = tmp_path / "tracers.parquet"
    write_table(stars, path)
    return str(path)


def scatter_table() -> pd.DataFrame:
    rows = [(s, p, 1.1, 12.0, 1.2, 15.0, -20.0) for s in ("5p", "6p") for p in ("raw", "corrected")]
    return pd.DataFrame(rows, columns=["solution", "parallax", "factor", "extra", "sky_factor", "sky_extra", "centre"])


def measured(pieces, scatter: Scatter) -> list[pd.DataFrame]:
    grid = {"nside": 4, "ordering": "nested"}
    found = [global_offsets(pieces, SOLUTIONS, GAUSSIAN, scatter), histograms(pieces, SOLUTIONS, width=10)]
    found.append(trends(pieces, SOLUTIONS, EDGES, min_stars=100, join="auto", gaussian=GAUSSIAN, scatter=scatter)[0])
    nside = measure_map.choose_nside(pieces, "5p", MAP)
    found += [
        measure_map.measure_map(pieces, list(SOLUTIONS), scatter, frame, nside, MAP, GAUSSIAN)[0] for frame in FRAMES
    ]
    maps, curves, _ = smooth_maps(pieces, "5p", scatter, **grid, reach_deg=3.0, splines=4)
    return [*found, *maps.values(), curves]


WHOLE, SMALLER = (tracers.DRAWN, segments.BLOCK), (700, 500)


@pytest.mark.parametrize(
    ("kind", "limits"), [("distance", WHOLE), ("distance", SMALLER), ("learned_magnitude", SMALLER)]
)
def test_a_table_in_pieces_gives_the_numbers_of_the_whole(stars, path, kind, limits, tmp_path, monkeypatch):
    monkeypatch.setattr(tracers, "DRAWN", limits[0])
    for module in (segments, weighted):
        monkeypatch.setattr(module, "BLOCK", limits[1])
    scatter_table().to_csv(tmp_path / "scatter.csv", index=False)
    scatter = read_scatter(tmp_path / "scatter.csv", kind, path)
    whole = measured([stars.assign(colour=stars["nu_eff_used_in_astrometry"])], scatter)
    monkeypatch.setattr(buckets, "AT_ONCE", 3000)
    pieces = measured(Tracers(path, stars.columns, colour="nu_eff_used_in_astrometry"), scatter)
    assert all(len(table) for table in whole)
    for one, other in zip(whole, pieces, strict=True):
        # What is fitted per group has the same stars in the same order; sums over pieces differ in the last digits.
        exact = [name for name in one.columns if name not in ("x_mean", "offset", "error", "x")]
        pd.testing.assert_frame_equal(one[exact], other[exact], check_exact=True, check_dtype=False)
        pd.testing.assert_frame_equal(one, other, rtol=1e-7, check_dtype=False)


def test_large_groups_give_the_numbers_of_small_ones(monkeypatch):
    """A group worked on in blocks, among others, against all at once."""
    rng = np.random.default_rng(6)
    group = np.repeat([3, 4, 9, 70_000], [5, 4000, 300, 900])[rng.permutation(5205)]
    values, variance = rng.standard_t(3, 5205), rng.uniform(0.5, 2.0, 5205)
    found = []
    for block in (segments.BLOCK, 250):
        monkeypatch.setattr(segments, "BLOCK", block)
        together = Segments(values, group)
        parts = [part.labels.tolist() for _, part in together.parts()]
        assert parts == ([[3, 4, 9, 70_000]] if block > 5205 else [[3], [4], [9], [70_000]])
        spread = together.total(lambda v, centre: [v, (v - centre) ** 2], together.medians())
        found.append([together.robust_sigmas(together.medians()), *spread, *weighted_means(values, variance, group)])
    for label, sigma, mean in zip(*(found[0][k] for k in (3, 0, 4)), strict=True):
        some = values[group == label]
        assert sigma == pytest.approx(1.482602218505602 * np.median(np.abs(some - np.median(some))), rel=1e-14)
        alone = weighted_means(some, variance[group == label], np.zeros(len(some), dtype=int))
        assert mean == pytest.approx(alone[1][0], rel=1e-12)
    for one, other in zip(*found, strict=True):
        assert other == pytest.approx(one, rel=1e-12)


def test_rows_come_back_by_group_in_their_order(monkeypatch):
    rng = np.random.default_rng(7)
    group, value = rng.integers(0, 1000, 5000), np.arange(5000.0)
    for limit in (buckets.AT_ONCE, 1200):
        monkeypatch.setattr(buckets, "AT_ONCE", limit)
        with Buckets(1000) as kept:
            for rows in np.split(np.arange(5000), 10):
                kept.add(group[rows], {"value": value[rows]})
            ranges = [(found, column("value")) for found, column in kept.ranges()]
            folder = kept._folder
            assert len(ranges) == (1 if limit > 5000 else 63)
        assert folder is None or not folder.exists()
        groups, values = (np.concatenate(part) for part in zip(*ranges, strict=True))
        order = np.argsort(groups, kind="stable")
        assert (values[order] == value[np.argsort(group, kind="stable")]).all()
        edges = [(found.min(), found.max()) for found, _ in ranges]
        assert all(low > high for (_, high), (low, _) in pairwise(edges))


def test_ranges_do_not_depend_on_what_comes_first(monkeypatch):
    """A table in order on the sky: the first rows are of a few groups."""
    monkeypatch.setattr(buckets, "AT_ONCE", 100)
    group = np.sort(np.random.default_rng(8).integers(0, 200_000, 3000))
    with Buckets(200_000) as kept:
        for rows in np.split(np.arange(3000), 30):
            kept.add(group[rows], {"value": 1.0 * group[rows]})
        ranges = [(found, column("value")) for found, column in kept.ranges()]
        with pytest.raises(ValueError, match="200000 where there are 200000"):
            kept.add(np.array([200_000]), {"value": np.zeros(1)})
    assert len(ranges) == 64 and (np.concatenate([found for found, _ in ranges]) == group).all()
    assert all((found == value).all() for found, value in ranges)


def test_stars_are_drawn_evenly_through_all_pieces(stars, path, monkeypatch):
    every = {name: stars[stars["solution"] == name].reset_index(drop=True) for name in ("5p", "6p", "7p")}
    assert len(every["5p"]) > 2400
    for limit in (len(stars), 600):
        monkeypatch.setattr(tracers, "DRAWN", limit)
        for pieces in (Tracers(path), [stars]):
            for name, drawn in drawn_stars(pieces, list(every)).items():
                step = next(2**k for k in range(9) if -(-len(every[name]) // 2**k) <= limit)
                some = every[name][::step].reset_index(drop=True)
                pd.testing.assert_frame_equal(drawn, some, check_dtype=False)


def test_drawn_stars_do_not_keep_the_others_in_memory(monkeypatch):
    monkeypatch.setattr(tracers, "DRAWN", 1000)
    piece = pd.DataFrame({"solution": "5p", "x": np.arange(200_000.0)})
    tracemalloc.start()
    try:
        drawn = drawn_stars((piece.copy() for _ in range(30)), ["5p"])["5p"]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 500 < len(drawn) <= 1000
    assert peak < 10 * piece.memory_usage()["x"]  # of 30 pieces


def test_typical_errors_of_a_piece_are_those_of_the_sample(stars, path, tmp_path):
    scatter_table().to_csv(tmp_path / "scatter.csv", index=False)
    scatter = read_scatter(tmp_path / "scatter.csv", "learned_magnitude", path)
    some = stars[stars["solution"] == "5p"]
    whole = star_table(some, "raw", "learned_magnitude")
    part = star_table(some[:500], "raw", "learned_magnitude", scatter.typical["5p"])
    assert part.gaia_error == pytest.approx(whole.gaia_error[:500], rel=1e-12)
    assert star_table(some[:500], "raw", "learned_magnitude").gaia_error != pytest.approx(part.gaia_error, rel=1e-3)
