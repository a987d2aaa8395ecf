"""What is left beyond noise, by hand and on drawn stars; the table of corrections; and the sentence about it."""

import numpy as np
import pandas as pd
import pytest
from unit.shared import GAUSSIAN, SOLUTIONS

from gaia_offsets.checks.corrections import COLUMNS, correction_table, left_over, shared_stars
from gaia_offsets.core.columns import TRACERS
from gaia_offsets.offsets.scatter import SCATTER_NSIDE, Scatter, both_scatters
from gaia_offsets.offsets.stars import star_table
from gaia_offsets.report.figures_corrections import coverage
from gaia_offsets.report.page_corrections import page_table, verdict
from gaia_offsets.sky.positions import pixel_index

MADE = {"nside": 4, "ordering": "nested", "more_than": 1}


def test_what_is_left_by_hand():
    # Two groups of two stars of variance 2: means -4 and +4, each of variance 1. Q = 32 with weights 1 and 1,
    # V = (32 - 1) / (2 - 2 / 2) = 31.
    difference, variance = np.array([-5.0, -3.0, 3.0, 5.0, 99.0]), np.full(5, 2.0)
    groups, blocks = np.array([0, 0, 7, 7, -1]), np.array([0, 1, 0, 1, 2])
    sd, error = left_over(difference, variance, groups, blocks, more_than=1)
    assert sd == pytest.approx(np.sqrt(31.0)) and np.isnan(error)  # two blocks give no error
    assert np.isnan(left_over(difference, variance, groups, blocks, more_than=2)[0])  # no group has more than two
    # Unequal weights: variances of the means 1/2 and 1: Q = 64 * 2 / 3, V = (Q - 1) / (3 - 5 / 3) = 31.25.
    unequal = left_over(difference, np.array([1.0, 1.0, 2.0, 2.0, 1.0]), groups, blocks, more_than=1)[0]
    assert unequal == pytest.approx(np.sqrt((64 * 2 / 3 - 1) / (3 - 5 / 3)))
    # Means that differ by less than their noise leave nothing.
    assert left_over(difference / 100, variance, groups, blocks, more_than=1)[0] == 0.0


def test_the_error_is_that_of_leaving_out_blocks():
    rng = np.random.default_rng(3)
    groups, blocks = rng.integers(0, 6, 600), rng.integers(0, 8, 600)
    difference = np.array([-30.0, -10, 0, 5, 10, 25])[groups] + rng.normal(0, 10, 600)
    variance = np.full(600, 100.0)
    sd, error = left_over(difference, variance, groups, blocks, more_than=1)
    without, sizes = [], []
    for block in range(8):
        keep = blocks != block
        without.append(left_over(difference[keep], variance[keep], groups[keep], blocks[keep], more_than=1)[0] ** 2)
        sizes.append((~keep).sum())
    shares = 600 / np.array(sizes)  # Busing et al. 1999
    pseudo = shares * sd**2 - (shares - 1) * np.array(without)
    centre = 8 * sd**2 - np.sum((1 - 1 / shares) * np.array(without))
    expected = np.sqrt(np.mean((pseudo - centre) ** 2 / (shares - 1)))
    # Its weights stay, theirs do not.
    assert error == pytest.approx(sd - np.sqrt(sd**2 - expected), rel=0.03)


def tracers(n: int = 4000) -> pd.DataFrame:
    """5p stars whose published parallax is off by a step of 40 uas at G = 12, which the correction `right` knows."""
    rng = np.random.default_rng(8)
    stars = pd.DataFrame(index=range(n), columns=list(TRACERS), dtype=float)
    stars = stars.assign(solution="5p", ra=rng.uniform(0, 90, n), dec=rng.uniform(-40, 40, n))
    stars = stars.assign(phot_g_mean_mag=rng.uniform(10, 14, n), ecl_lat=rng.uniform(-80, 80, n))
    reference = rng.uniform(0.2, 2.0, n)
    zero_point = np.where(stars["phot_g_mean_mag"] < 12, -0.050, -0.010)
    stars = stars.assign(reference_parallax=reference, reference_parallax_error=0.0, parallax_error=0.03)
    stars["parallax"] = reference + zero_point + rng.normal(0, 0.03, n)
    stars = stars.assign(zero_point=-0.030, zero_point_right=zero_point)
    stars["parallax_corrected"] = stars["parallax"] - stars["zero_point"]
    stars["offset_raw"] = 1000 * (stars["parallax"] - reference)
    return stars.assign(offset_corrected=stars["offset_raw"] + 30)


def compared(stars: pd.DataFrame) -> pd.DataFrame:
    trends = pd.DataFrame({"bin_low": [10.0, 12.0], "bin_high": [12.0, 14.0], "variable": "phot_g_mean_mag"})
    trends = trends.assign(solution="5p", parallax="raw")
    pixel = pixel_index(stars["ra"].to_numpy(), stars["dec"].to_numpy(), nside=SCATTER_NSIDE, ordering="nested")
    names = ["raw", "corrected"]
    scatters = pd.DataFrame([both_scatters(star_table(stars, name, "parallax"), pixel) for name in names])
    corrections = {"raw": "none", "corrected": "flat", "right": "right"}
    scatter = Scatter("parallax", scatters.assign(solution="5p", parallax=names))
    return correction_table(stars, SOLUTIONS, scatter, trends, MADE, GAUSSIAN, corrections)


def test_the_table_of_a_step_that_one_correction_knows():
    table = compared(tracers())
    assert list(table.columns) == COLUMNS and table["correction"].tolist() == ["none", "flat", "right"]
    rows = table.set_index("correction")
    assert rows["n"].tolist() == [4000] * 3
    for name, offset in (("none", -30.0), ("flat", 0.0), ("right", 0.0)):
        assert rows.loc[name, "weighted_mean"] == pytest.approx(offset, abs=3 * rows.loc[name, "weighted_mean_error"])
        # Two bins 40 uas apart have an sd of 20 sqrt(2).
        left, error = rows.loc[name, ["phot_g_mean_mag_left", "phot_g_mean_mag_left_error"]]
        assert left == pytest.approx(0.0 if name == "right" else 28.3, abs=3 * error)
    assert rows.loc["right", "weighted_mean_error"] < 0.9 * rows.loc["flat", "weighted_mean_error"]
    assert np.isnan(rows["colour_left"]).all()  # trends.csv has no bin of it
    assert (rows["scale_low"] < rows["weighted_mean"] + 4).all() and (rows["scale_low"] < rows["scale_high"]).all()
    assert rows["scale"].to_numpy() == pytest.approx(1.0, abs=0.01)
    assert rows["reference_parallax"].to_numpy() == pytest.approx(1100, abs=40)


def test_corrections_are_compared_on_the_stars_that_all_have():
    stars = tracers(600)
    stars.loc[:99, "zero_point_right"] = np.nan
    rows = compared(stars)
    assert list(rows.columns) == [*COLUMNS[:3], "n_own", *COLUMNS[3:]]
    assert rows["n"].tolist() == [500] * 3 and rows["n_own"].tolist() == [600, 600, 500]
    # Numbers are those of the 500 alone, also the scatter behind the weights.
    alone = compared(stars[100:])
    pd.testing.assert_frame_equal(rows.drop(columns="n_own"), alone)
    assert coverage(rows)[0].startswith("5p: all rows are measured on the same 500 stars")
    assert "none 600, flat 600, right 500" in coverage(rows)[0] and coverage(alone) == []


def test_a_correction_that_has_none_of_the_stars_leaves_the_others_theirs():
    stars = tracers(600).assign(zero_point_right=np.nan)
    rows = compared(stars).set_index("correction")
    assert rows["n"].tolist() == [600, 600, 0] and np.isnan(rows.loc["right", "median"])
    # Only the published parallax has more stars: the corrections are compared as ever.
    assert shared_stars({"raw": np.array([True, True]), "corrected": np.array([True, False])}) is None
    # No star has both: nothing is compared, and the page says so.
    half = tracers(600)
    half.loc[:299, "zero_point_right"], half.loc[300:, ["parallax_corrected", "offset_corrected"]] = np.nan, np.nan
    rows = compared(half)
    assert rows["n"].tolist() == [0] * 3 and rows["n_own"].tolist() == [600, 300, 300]
    assert "the same 0 stars" in coverage(rows)[0] and "decides nothing" in verdict(rows, "5p")


def test_the_sentence_says_what_the_distance_scale_makes_of_a_difference():
    rows = pd.DataFrame({"correction": ["none", "a", "b"], "solution": "5p", "n": 9, "median": [-26.0, -6.0, 1.0]})
    text = verdict(rows.assign(reference_parallax=700.0), "5p")
    assert "cannot tell which leaves the right offset" in text and "by 1 % moves every offset by 7.0 \u03bcas" in text
    assert "One wrong by 1.0 % would do as much as the 7.0 \u03bcas between the corrections" in text
    assert "between" not in verdict(rows.iloc[:2].assign(reference_parallax=700.0), "5p")
    assert "their true parallax is 0" in verdict(rows.assign(reference_parallax=0.0), "5p")
    assert "decides nothing" in verdict(rows.assign(solution="6p", reference_parallax=1.0), "5p")


def test_the_page_has_each_value_with_its_error():
    left = [f"{name}_left" for name in ("phot_g_mean_mag", "colour", "sin_ecl_lat", "sky")]
    columns = ["median", "weighted_mean", "scale", *left]
    row = {"correction": "lindegren2021", "solution": "5p", "n": 2287, "median_jackknife_error": 0.47}
    row |= dict.fromkeys(columns, -6.26) | dict.fromkeys([f"{name}_error" for name in columns], 0.49)
    full, lacking = {"scale": 0.996, "scale_low": -5.7, "scale_high": 3.3}, {"sky_left": np.nan, "scale_low": np.nan}
    table = page_table(pd.DataFrame([row | full, row | lacking]))
    assert table.loc[0, ["median", "scale", "at_zero", "at_zero_error"]].tolist() == pytest.approx(
        [-6.26, 0.996, -1.2, 4.5]
    )
    assert table["at_zero"].isna()[1] and table["sky_left"].isna().tolist() == [False, True]
