"""Bootstrap and jackknife against closed forms and full refits; the correlated floor; errors.csv."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from unit.shared import GAUSSIAN, SOLUTIONS, tracers

from gaia_offsets.checks.errors import error_table
from gaia_offsets.offsets import resample
from gaia_offsets.offsets.binned import global_offsets
from gaia_offsets.offsets.gaussian import fit_density_power
from gaia_offsets.offsets.groups import Groups, group_stars
from gaia_offsets.offsets.scatter import Scatter
from gaia_offsets.offsets.weighted import HAMPEL, hampel_slopes, hampel_weights, weighted_means
from gaia_offsets.sky import covariance
from gaia_offsets.sky.covariance import angular_covariance
from gaia_offsets.sky.positions import pixel_centre, pixel_index, pixel_vectors, sky_blocks


def sky(seed: int, groups: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian values with 5 % of outliers, and their groups."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 50, groups * size) * np.where(rng.random(groups * size) < 0.05, 4, 1)
    return values, np.repeat(np.arange(groups), size)


def refitted(values: np.ndarray, groups: np.ndarray, fit, replicates: int = 400) -> np.ndarray:
    """Errors (groups,) over resamplings that are all fitted anew."""
    stars, random, estimates = group_stars(values, groups), np.random.default_rng(7), []
    first, size = stars.spread(stars.starts), stars.spread(stars.counts)
    for _ in range(replicates):
        # The values ascend within each group, and so must those drawn.
        drawn = np.sort(first + (random.random(len(first)) * size).astype(np.int64))
        estimates.append(fit(replace(stars, values=stars.values[drawn])))
    return np.nanstd(estimates, axis=0, ddof=1)


BOOTSTRAP = {"replicates": 1000, "seed": 3}  # 1,000 know an error to 2.2 %


def bootstrapped(fit) -> np.ndarray:
    return resample.bootstrap_errors([fit], **BOOTSTRAP)[0]


def close_to(errors: np.ndarray, others: np.ndarray, tolerance: float) -> None:
    assert np.median(errors / others) == pytest.approx(1, abs=tolerance)


def test_bootstrap_of_a_mean_is_its_sd_over_root_n():
    values, groups = sky(1, 300, 40)
    errors = bootstrapped(resample.linear_mean(values, groups))
    closed = values.reshape(300, 40).std(axis=1) / np.sqrt(40)
    # Each ratio scatters by 2.2 %, the mean of 300 by 0.13 %.
    assert np.std(errors / closed) == pytest.approx(0.022, rel=0.25)
    close_to(errors, closed, 0.005)


def test_bootstrap_of_a_weighted_mean():
    rng = np.random.default_rng(2)
    sd = rng.uniform(20, 80, 20_000)
    values = rng.normal(0, sd)
    fit = resample.linear_weighted(values, sd**2, np.repeat(np.arange(200), 100))
    weights = (1 / sd**2).reshape(200, 100)
    residual = values.reshape(200, 100) - fit.estimate[:, None]
    sandwich = np.sqrt(np.sum((weights * residual) ** 2, axis=1)) / weights.sum(axis=1)
    # Outliers beyond 3 sd are capped, which these Gaussian stars reach now and then; the ratio has a second order.
    close_to(bootstrapped(fit), sandwich, 0.02)


@pytest.mark.parametrize(("size", "tolerance"), [(5, 0.1), (20, 0.03), (100, 0.015), (200, 0.03)])
def test_one_step_against_full_refits_of_the_gaussian_mean(size, tolerance):
    """The last of a skewed group: the sd of the fit moves with the resample and the mean with it."""
    values, groups = sky(3, 8000 // size, size)
    if size == 200:
        values, groups = np.random.default_rng(4).exponential(50, 20_000), np.repeat(np.arange(100), 200)
    slow = refitted(values, groups, lambda draw: fit_density_power(draw, beta=0.3, tolerance=1e-4)[0])
    close_to(bootstrapped(resample.linear_gaussian(values, groups, beta=0.3)), slow, tolerance)


def test_one_step_against_full_refits_of_the_weighted_mean():
    values, groups = sky(5, 100, 60)
    variance = np.full(len(values), 2500.0)
    slow = refitted(values, groups, lambda draw: weighted_means(draw.values, variance, groups)[1])
    close_to(bootstrapped(resample.linear_weighted(values, variance, groups)), slow, 0.03)


@pytest.mark.parametrize("size", [2, 7, 40, 41])
def test_medians_without_draws(size):
    values, groups = sky(6, 6000 // size, size)
    fast = resample.bootstrap_medians(group_stars(values, groups), **BOOTSTRAP)
    slow = refitted(values, groups, Groups.medians)
    close_to(fast, slow, 0.01)
    if size == 2:  # the mean of two draws from two values
        distance = np.abs(np.diff(values.reshape(-1, 2), axis=1))[:, 0]
        close_to(fast, distance / 2 / np.sqrt(2), 0.005)


def test_groups_of_one_and_of_equal_stars():
    values, groups = np.array([1.0, 5.0, 5.0, 5.0, np.nan]), np.array([0, 1, 1, 1, 1])
    plain, weighted = resample.linear_mean(values, groups), resample.linear_weighted(values, np.ones(5), groups)
    for fit in (plain, weighted, resample.linear_gaussian(values, groups, beta=0.3)):
        errors = resample.bootstrap_errors([fit], replicates=9, seed=1)[0]
        assert np.isnan(errors[0]) and errors[1] == 0
    assert np.isnan(resample.bootstrap_medians(group_stars(values, groups), replicates=9, seed=1)[0])
    nothing = resample.linear_gaussian(np.zeros(0), np.zeros(0, dtype=int), beta=0.3)
    assert len(resample.bootstrap_errors([nothing], replicates=2, seed=1)[0]) == 0


def test_fits_drawn_together_have_the_errors_of_each_alone():
    """Two of one number of stars share their draws, the third has another number: the same bytes as one by one."""
    values, groups = sky(16, 30, 40)
    fewer = np.where(np.arange(len(values)) % 7 == 0, np.nan, values)
    fits = [resample.linear_mean(values, groups), resample.linear_mean(fewer, groups)]
    fits.append(resample.linear_gaussian(values[::-1], groups[::-1], beta=0.3))
    together = resample.bootstrap_errors(fits, replicates=50, seed=1)
    alone = [resample.bootstrap_errors([fit], replicates=50, seed=1)[0] for fit in fits]
    for one, other in zip(together, alone, strict=True):
        assert np.array_equal(one, other)
    # As drawn star by star.
    random, mean = np.random.default_rng(1), []
    fit = fits[0]
    for _ in range(50):
        place = np.repeat(fit.groups.starts, 40) + (random.random(len(values)) * 40).astype(int)
        mean.append(fit.groups.values[place].reshape(30, 40).mean(axis=1))
    assert together[0] == pytest.approx(np.std(mean, axis=0, ddof=1), rel=1e-9)


def test_covariances_of_all_pairs_whatever_the_pieces(monkeypatch):
    rng = np.random.default_rng(17)
    vectors, weights = rng.normal(size=(300, 3)), rng.random((300, 2))
    vectors /= np.linalg.norm(vectors, axis=1)[:, None]
    every = angular_covariance(np.degrees(np.arccos(np.clip(vectors @ vectors.T, -1.0, 1.0))))
    expected = np.einsum("im,ij,jm->m", weights, every, weights) / weights.sum(axis=0) ** 2
    for piece in (7, 300, 1000):
        monkeypatch.setattr(covariance, "PIECE", piece)
        assert covariance.mean_covariance(vectors, weights) == pytest.approx(expected, rel=1e-6)  # arccos of nearly 1
    assert covariance.mean_covariance(vectors, weights[:, 0]) == pytest.approx(expected[0], rel=1e-6)


def test_slopes_of_the_weights():
    z = np.linspace(-10, 10, 4001) + 1e-4
    slopes = np.gradient(z * hampel_weights(z), z)
    away = np.abs(np.abs(z)[:, None] - np.array(HAMPEL)).min(axis=1) > 0.02
    assert hampel_slopes(z)[away] == pytest.approx(slopes[away], abs=1e-6)


def test_jackknife_of_equal_blocks_is_the_closed_form():
    """Stars of a block share their offset: the error is that between blocks, 10 times the bootstrap's over stars."""
    rng = np.random.default_rng(9)
    offsets, noise = rng.normal(0, 30, 400), rng.normal(0, 50, 40_000)
    blocks = np.repeat(np.arange(400), 100)
    for values in (noise, np.repeat(offsets, 100)):
        fit = resample.linear_mean(values, np.zeros(len(values), dtype=int))
        error = resample.jackknife_error(values.mean(), *resample.without_blocks(fit, blocks))
        assert error == pytest.approx(values.reshape(400, 100).mean(axis=1).std(ddof=1) / np.sqrt(400), rel=1e-9)
    assert error == pytest.approx(10 * bootstrapped(fit)[0], rel=0.1)
    assert np.isnan(resample.jackknife_error(1.0, np.ones(4), np.ones(4)))  # too few blocks
    assert resample.jackknife_error(1.0, np.ones(5), np.ones(5)) == 0


@pytest.mark.parametrize("name", ["gaussian", "weighted"])
def test_one_step_without_a_block_is_the_refit(name):
    values, _ = sky(11, 1, 4000)
    blocks, one = np.repeat(np.arange(10), 400), np.zeros(4000, dtype=int)
    if name == "gaussian":
        fit = resample.linear_gaussian(values, one, beta=0.3)
        others = [values[blocks != b] for b in range(10)]
        again = [fit_density_power(group_stars(some, one[: len(some)]), beta=0.3)[0][0] for some in others]
    else:
        variance = np.full(4000, 2500.0)
        fit = resample.linear_weighted(values, variance, one)
        again = [weighted_means(values[blocks != b], variance[blocks != b], one[blocks != b])[1][0] for b in range(10)]
    without, _ = resample.without_blocks(fit, blocks)
    assert without - fit.estimate == pytest.approx(np.array(again) - fit.estimate, rel=0.1, abs=0.01)


def test_blocks_of_a_sample_on_little_sky_are_finer():
    rng = np.random.default_rng(12)
    whole = sky_blocks(rng.uniform(0, 360, 5000), np.degrees(np.arcsin(rng.uniform(-1, 1, 5000))))
    assert len(np.unique(whole)) == 12 * 4**2
    field = rng.uniform(285, 300, 2000), rng.uniform(37, 52, 2000)
    assert 10 <= len(np.unique(sky_blocks(*field))) < 40
    assert len(np.unique(sky_blocks(np.full(9, 10.0), np.full(9, 10.0)))) == 1


# ---------------------------------------------------------------- errors.csv


def placed(ra: np.ndarray, dec: np.ndarray) -> pd.DataFrame:
    """Simulated stars at these places."""
    return tracers(len(ra), 13, sd=30.0, six=0).assign(ra=ra, dec=dec)


def errors(stars: pd.DataFrame, gaussian: dict = GAUSSIAN, replicates: int = 300) -> pd.DataFrame:
    known = {"solution": "5p", "parallax": ["raw", "corrected"], "factor": 1.0, "extra": 0.0, "centre": 0.0}
    scatter = Scatter("parallax", pd.DataFrame({**known, "sky_factor": 1.0, "sky_extra": 0.0}))
    offsets = global_offsets(stars, SOLUTIONS, gaussian, scatter)
    table = error_table(stars, scatter, offsets, gaussian, {"replicates": replicates, "seed": 1})
    return table.set_index(["solution", "parallax", "estimator"]).sort_index()


def test_floor_of_one_pixel_and_of_two_stars():
    ra, dec = pixel_centre(np.array([5000, 5001]), nside=64, ordering="nested")
    in_one = errors(placed(np.full(30, ra[0]), np.full(30, dec[0])))
    assert in_one["correlated_floor"].to_numpy() == pytest.approx(np.sqrt(106.2))
    assert in_one["jackknife_error"].isna().all() and in_one["bootstrap_error"].notna().all()
    first, second = pixel_vectors(np.array([5000, 5001]), nside=64, ordering="nested")
    angle = np.degrees(np.arccos(first @ second))
    two = errors(placed(ra, dec))
    variance = (angular_covariance(0.0) + angular_covariance(angle)) / 2
    assert two["correlated_floor"].to_numpy() == pytest.approx(np.sqrt(variance))
    three = errors(placed(np.append(ra, ra[0]), np.append(dec, dec[0])))  # 2/3 and 1/3
    variance = (5 * angular_covariance(0.0) + 4 * angular_covariance(angle)) / 9
    plain = three.drop("weighted_mean", level="estimator")  # it caps a star beyond 3 sd
    assert plain["correlated_floor"].to_numpy() == pytest.approx(np.sqrt(variance))


@pytest.mark.parametrize("method", ["density_power", "histogram"])
def test_errors_of_independent_stars_agree(method):
    rng = np.random.default_rng(14)
    stars = placed(rng.uniform(0, 360, 4000), np.degrees(np.arcsin(rng.uniform(-1, 1, 4000))))
    table = errors(stars, GAUSSIAN | {"method": method})
    assert len(table) == 8 and (table["n"] == 4000).all() and (table["blocks"] == 192).all()
    plain = table.drop("gaussian_mean", level="estimator")
    if method == "histogram":  # it has no slopes
        none = table.xs("gaussian_mean", level="estimator")[["bootstrap_error", "jackknife_error"]]
        assert none.isna().all(axis=None)
        table = plain
    ratio = table["jackknife_error"] / table["bootstrap_error"]  # 192 blocks know an error to 5 %
    assert ratio.to_numpy() == pytest.approx(1, abs=0.25)
    assert (plain["bootstrap_error"] / plain["analytic_error"]).to_numpy() == pytest.approx(1, abs=0.12)
    offsets = table.xs(("5p", "raw"))
    assert offsets.loc["mean", "value"] == pytest.approx(stars["offset_raw"].mean())


def test_without_reference_errors_the_weighted_mean_has_none():
    rng = np.random.default_rng(15)
    stars = placed(rng.uniform(0, 360, 500), rng.uniform(-60, 60, 500)).assign(reference_parallax_error=np.nan)
    row = errors(stars).loc[("5p", "corrected", "weighted_mean")]
    assert row["n"] == 0 and row["blocks"] == 0 and row.drop(["n", "blocks"]).isna().all()
    assert errors(stars).loc[("5p", "corrected", "mean")].notna().all()


def test_sums_of_weights_make_the_floor_of_the_weighted_mean():
    """The stars of one of two pixels have no error, and no weight."""
    ra, dec = pixel_centre(np.array([5000, 9000]), nside=64, ordering="nested")
    stars = placed(np.repeat(ra, 20), np.repeat(dec, 20))
    stars.loc[pixel_index(stars["ra"], stars["dec"], nside=64, ordering="nested") == 9000, "parallax_error"] = np.nan
    row = errors(stars).xs(("5p", "raw"))["correlated_floor"]
    assert row["weighted_mean"] == pytest.approx(np.sqrt(106.2)) and row["mean"] < row["weighted_mean"]
