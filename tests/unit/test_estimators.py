"""Grouped estimators: known answers, empty and tiny groups, and the Gaussian fit's bias and scatter by Monte Carlo."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import curve_fit
from unit import shared
from unit.shared import GAUSSIAN, SOLUTIONS

from gaia_offsets.offsets.binned import global_offsets, histograms, pixel_offsets, trends
from gaia_offsets.offsets.gaussian import fit_density_power, fit_histogram
from gaia_offsets.offsets.groups import group_stars
from gaia_offsets.offsets.scatter import Scatter
from gaia_offsets.offsets.statistics import STATISTICS, group_statistics


def test_known_statistics():
    values = np.array([1.0, 2.0, 3.0, 4.0, np.nan, 7.0, 7.0, 7.0, 5.0])
    table = group_statistics(values, np.array([0, 0, 0, 0, 0, 1, 1, 1, 2]), GAUSSIAN)
    assert list(table.columns) == list(STATISTICS) and table.index.tolist() == [0, 1, 2]
    assert table["n"].tolist() == [4, 3, 1]
    assert table["median"].tolist() == [2.5, 7.0, 5.0] and table["mean"].tolist() == [2.5, 7.0, 5.0]
    assert table["sd"][0] == pytest.approx((5 / 3) ** 0.5)
    assert table["mean_error"][0] == pytest.approx(table["sd"][0] / 2)
    assert table["gaussian_mean_error"][0] == pytest.approx(table["gaussian_sd"][0] / 2)
    assert table["median_error"][0] == 1.0  # ranks 1.5 -+ 1: (3.5 - 1.5) / 2
    uneven = group_statistics(np.array([0.0, 1.0, 3.0, 7.0]), np.zeros(4, dtype=int), GAUSSIAN)
    assert uneven["median_error"][0] == 2.25  # (5 - 0.5) / 2
    assert table.loc[1, ["sd", "gaussian_sd", "median_error"]].tolist() == [0.0, 0.0, 0.0]
    assert table.loc[2, ["sd", "mean_error", "gaussian_mean", "gaussian_sd", "median_error"]].isna().all()
    for nothing in ([], [np.nan, np.nan]):
        table = group_statistics(np.array(nothing), np.zeros(len(nothing), dtype=int), GAUSSIAN)
        assert len(table) == 0 and list(table.columns) == list(STATISTICS)


@given(
    hnp.arrays(float, st.integers(1, 60), elements=st.floats(-1e3, 1e3, width=32) | st.just(np.nan)),
    st.integers(1, 6),
    st.integers(0, 2**32 - 1),
)
def test_groups_equal_pandas_and_ignore_the_order(values, groups, seed):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, groups, len(values))
    table = group_statistics(values, label, GAUSSIAN)
    expected = pd.Series(values).groupby(label).agg(["count", "median", "mean", "std"])
    expected = expected[expected["count"] > 0]
    assert table[["n", "median", "mean", "sd"]].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-6, nan_ok=True)
    turn = rng.permutation(len(values))
    pd.testing.assert_frame_equal(group_statistics(values[turn], label[turn], GAUSSIAN), table)


@given(st.floats(-100, 100), st.floats(0.1, 50))
def test_the_fit_moves_and_stretches_with_the_data(shift, scale):
    x = np.random.default_rng(4).standard_t(3, 200)
    mean, sd = fit_density_power(group_stars(x, np.zeros(200)), beta=0.3)
    moved, stretched = fit_density_power(group_stars(shift + scale * x, np.zeros(200)), beta=0.3)
    assert moved == pytest.approx(shift + scale * mean, rel=1e-5, abs=1e-5 * scale)
    assert stretched == pytest.approx(scale * sd, rel=1e-5)


@pytest.mark.parametrize("contaminated", [False, True])
@pytest.mark.parametrize(("n", "groups"), [(50, 6000), (100, 6000), (1000, 1000), (20_000, 160)])
def test_bias_and_scatter_of_the_fit(n, groups, contaminated):
    """On Gaussian draws, and with 5 % of them five times wider.

    The plain mean's expectation (0) and variance (1/n) are exact, so fit minus mean, whose scatter is small, tells the
    fit's bias and variance with far less Monte Carlo noise than the fit alone.
    """
    rng = np.random.default_rng(6)
    z = rng.standard_normal((groups, n))
    x = np.where(rng.random(z.shape) < 0.05, 5 * z, z) if contaminated else z
    fit, sd = fit_density_power(group_stars(x.ravel(), np.repeat(np.arange(groups), n)), beta=0.3)
    fit, mean = np.sqrt(n) * fit, np.sqrt(n) * z.mean(axis=1)
    scatter = np.sqrt(1 + 2 * np.cov(mean, fit - mean)[0, 1] + (fit - mean).var())
    assert (fit - mean).std() / np.sqrt(groups) < (0.05 if contaminated else 0.025)
    assert abs((fit - mean).mean()) < (0.1 if contaminated else 0.05)
    assert 0.9 < scatter < (1.15 if contaminated else 1.1)
    assert contaminated or sd.mean() == pytest.approx(1, abs=0.03)


def test_histogram_fit_equals_curve_fit():
    rng = np.random.default_rng(7)
    samples = [rng.normal(m, s, 500) for m, s in ((0, 1), (-30, 45), (5, 0.01))]
    groups = group_stars(np.concatenate(samples), np.repeat([0, 1, 2], 500))
    mean, sd = fit_histogram(groups, bins=40)
    centre = groups.medians()
    scale = groups.robust_sigmas(centre)
    for i, values in enumerate(samples):
        count, edges = np.histogram((values - centre[i]) / scale[i], bins=40, range=(-4, 4))
        x = (edges[1:] + edges[:-1]) / 2
        best, _ = curve_fit(lambda x, a, m, s: a * np.exp(-0.5 * ((x - m) / s) ** 2), x, count, p0=[count.max(), 0, 1])
        assert mean[i] == pytest.approx(centre[i] + scale[i] * best[1], abs=1e-4 * scale[i])
        assert sd[i] == pytest.approx(scale[i] * abs(best[2]), rel=1e-4)
    # Deviations from 2: 2, 1, 1, 5, their median 1.5; over the 0.674490 that hold half of a Gaussian.
    by_hand = group_stars(np.array([0.0, 1.0, 3.0, 7.0]), np.zeros(4))
    assert by_hand.robust_sigmas(by_hand.medians()) == pytest.approx(1.5 / 0.67448975)
    few_or_equal = group_stars(np.array([1.0, 2.0] + [5.0] * 6), np.repeat([0, 1], [2, 6]))
    assert np.isnan(fit_histogram(few_or_equal, bins=40)).all()


def tracers(n=3000):
    table = shared.tracers(n, 9)
    return table.assign(offset_corrected=table["offset_corrected"].where(np.arange(n) % 50 > 0))


EDGES = {"phot_g_mean_mag": [9, 11, 12, 14], "colour": [1.4, 1.5, 1.6], "sin_ecl_lat": [-1, 0, 0.5, 1]}


def trend(stars, edges, min_stars, join, variable="phot_g_mean_mag"):
    """Raw 5p bins of one variable, and the number joined."""
    table, joined = trends(stars, SOLUTIONS, edges, min_stars=min_stars, join=join, gaussian=GAUSSIAN)
    part = table[(table["variable"] == variable) & (table["parallax"] == "raw") & (table["solution"] == "5p")]
    return part, joined["5p"][variable]


def test_global_offsets_have_a_row_each_solution_and_parallax():
    stars = tracers()
    table = global_offsets(stars, SOLUTIONS, GAUSSIAN)
    expected = [(s, p) for s in ("5p", "6p") for p in ("raw", "corrected")]
    assert list(zip(table["solution"], table["parallax"], strict=True)) == expected
    assert table["n"][0] == (stars["solution"] == "5p").sum() and table["n"][1] < table["n"][0]
    assert table["median"][0] == np.median(stars["offset_raw"][stars["solution"] == "5p"])


def test_trends_leave_out_thin_bins_and_keep_within_their_edges():
    stars = tracers()
    table, _ = trends(stars, SOLUTIONS, EDGES, min_stars=100, join=1, gaussian=GAUSSIAN)
    assert (table["n"] >= 100).all()
    assert ((table["x_mean"] >= table["bin_low"]) & (table["x_mean"] < table["bin_high"])).all()
    assert set(table[table["variable"] == "colour"]["solution"]) == {"5p", "6p"}
    inside = stars[(stars["solution"] == "5p") & (stars["phot_g_mean_mag"] >= 11) & (stars["phot_g_mean_mag"] < 12)]
    first, _ = trend(stars, EDGES, 100, 1)
    row = first[first["bin_low"] == 11].iloc[0]
    assert row["n"] == len(inside) and row["median"] == np.median(inside["offset_raw"])
    assert row["x_mean"] == pytest.approx(inside["phot_g_mean_mag"].mean())


def test_pixels_need_two_stars_and_need_no_6p():
    stars = tracers().assign(solution="5p")
    pixel = np.arange(len(stars)) // 2
    pixel[-1] = 10**6
    table = pixel_offsets(stars, pixel, SOLUTIONS, gaussian=GAUSSIAN)
    assert (table["n"] >= 2).all() and 10**6 not in set(table["hindex"]) and set(table["solution"]) == {"5p"}
    shuffled = stars.sample(frac=1, random_state=1)
    again = pixel_offsets(shuffled, pixel[shuffled.index], SOLUTIONS, gaussian=GAUSSIAN)
    pd.testing.assert_frame_equal(table, again)


def test_weighted_means_stand_beside_the_others():
    # By hand: variances (2 * 10)^2 + 30^2 and (2 * 20)^2 + 10^2.
    stars = pd.DataFrame({"solution": ["5p", "5p", "6p"], "phot_g_mean_mag": [9.5, 9.6, 9.7], "ecl_lat": [5.0] * 3})
    stars = stars.assign(nu_eff_used_in_astrometry=1.45, pseudocolour=1.45, parallax=[1.0, 1.1, 1.0])
    stars = stars.assign(parallax_error=[0.01, 0.02, 0.01], reference_parallax=1.02, parallax_corrected=np.nan)
    stars = stars.assign(reference_parallax_error=[0.03, 0.01, 0.02], offset_raw=[-20.0, 80.0, -20.0])
    stars["offset_corrected"] = np.nan
    fitted = pd.DataFrame({"solution": ["5p"], "parallax": ["raw"], "factor": [2.0], "extra": [0.0], "centre": [0.0]})
    scatter = Scatter("parallax", fitted.assign(sky_factor=fitted["factor"], sky_extra=fitted["extra"]))
    weights = 1 / np.array([1300.0, 1700.0])
    mean, error = (weights @ [-20.0, 80.0]) / weights.sum(), weights.sum() ** -0.5
    for table in (
        global_offsets(stars, SOLUTIONS, GAUSSIAN, scatter),
        pixel_offsets(stars, np.zeros(3, int), SOLUTIONS, gaussian=GAUSSIAN, scatter=scatter),
        trends(stars, SOLUTIONS, EDGES, min_stars=2, join=1, gaussian=GAUSSIAN, scatter=scatter)[0],
    ):
        first = table.iloc[0]
        assert [first["weighted_mean"], first["weighted_mean_error"]] == pytest.approx([mean, error])
    # The 6p star has no fitted scatter, and none of them has one without the table.
    assert global_offsets(stars, SOLUTIONS, GAUSSIAN, scatter).iloc[1:]["weighted_mean"].isna().all()
    assert global_offsets(stars, SOLUTIONS, GAUSSIAN)["weighted_mean"].isna().all()


def test_histogram_table_counts_every_star_near_zero():
    table = histograms(tracers(), SOLUTIONS, width=10)
    raw = table[(table["solution"] == "5p") & (table["parallax"] == "raw")]
    assert raw["count"].sum() == (tracers()["solution"] == "5p").sum()
    assert ((raw["bin_high"] - raw["bin_low"]) == 10).all()
    assert ((raw["bin_low"] < 0) & (raw["bin_high"] > 0)).sum() == 1


def test_bins_are_joined_until_half_of_the_stars_are_in_full_ones():
    edges = EDGES | {"phot_g_mean_mag": np.arange(10.0, 14.01, 0.25)}
    stars = tracers(400).assign(solution="5p", phot_g_mean_mag=np.linspace(10, 14, 400, endpoint=False))  # 25 a bin
    for min_stars, together in ((25, 1), (26, 2), (50, 2), (51, 4), (400, 16), (401, 16)):
        part, joined = trend(stars, edges, min_stars, "auto")
        assert joined == together and part["n"].sum() == (400 if min_stars <= 400 else 0)
        assert np.allclose(part["bin_high"] - part["bin_low"], 0.25 * together)
    assert len(trend(stars, edges, 26, 1)[0]) == 0
    four = stars.iloc[:4].assign(phot_g_mean_mag=[10.1, 10.2, 11.0, 12.0])  # half of them in a bin of two: enough
    assert trend(four, edges, 2, "auto")[1] == 1
    # 16 bins by threes: the last one is what is left.
    part, _ = trend(stars, edges, 2, 3)
    assert part["n"].tolist() == [75] * 5 + [25] and part["bin_high"].iloc[-1] == 14.0
    # The last edge belongs to the last bin.
    last, _ = trend(stars.assign(nu_eff_used_in_astrometry=1.6), EDGES, 2, 1, variable="colour")
    assert last["n"].tolist() == [400] and last["bin_high"].tolist() == [1.6]
    empty = stars.iloc[:0]
    assert len(trends(empty, SOLUTIONS, EDGES, min_stars=2, join="auto", gaussian=GAUSSIAN)[0]) == 0
    assert len(pixel_offsets(empty, np.zeros(0, dtype=int), SOLUTIONS, gaussian=GAUSSIAN)) == 0
    assert len(global_offsets(empty, SOLUTIONS, GAUSSIAN)) == 0
