"""Star-weighted means and the fitted scatter: closed forms and injected truths (simulated stars)."""

import numpy as np
import pandas as pd
import pytest

from gaia_offsets.offsets import weighted
from gaia_offsets.offsets.line import zero_point_and_scale
from gaia_offsets.offsets.scatter import Scatter, fit_scatter
from gaia_offsets.offsets.stars import Stars, combined_parallax, star_table, variances
from gaia_offsets.offsets.weighted import weighted_means

STATED = {"factor": 1.0, "extra": 0.0, "centre": -30.0}


def lognormal_stars(n: int, seed: int, *, zero_point: float = -30.0, scale: float = 1.0, fraction: float = 0.085):
    """Simulated giants: Gaia's errors 15 to 60 uas, reference parallaxes with errors in their logarithm."""
    rng = np.random.default_rng(seed)
    parallax, error = 450.0 * rng.lognormal(0.0, 0.5, n), rng.uniform(15.0, 60.0, n)
    gaia = zero_point + scale * parallax + error * rng.standard_normal(n)
    reference = parallax * np.exp(fraction * rng.standard_normal(n) - 0.5 * fraction**2)
    return Stars(gaia, reference, error, np.full(n, fraction), np.zeros(n))


def test_means_of_few_stars_by_hand() -> None:
    values, variance = np.array([1.0, 4.0, 7.0, np.nan, 5.0]), np.array([1.0, 4.0, 1.0, 1.0, np.nan])
    labels, mean, error = weighted_means(values, variance, np.array([3, 3, 8, 8, 8]))
    assert labels.tolist() == [3, 8]
    assert mean == pytest.approx([(1.0 + 4.0 / 4.0) / 1.25, 7.0]) and error == pytest.approx([1.25**-0.5, 1.0])
    z = np.array([0.0, 2.9, -3.0, 4.0, -5.0, 6.5, 8.0, 50.0])
    assert weighted.hampel_weights(2.0 * z, (6.0, 10.0, 16.0)) == pytest.approx(weighted.hampel_weights(z))
    assert weighted.hampel_weights(z) == pytest.approx([1.0, 1.0, 1.0, 0.75, 0.6, 3.0 / 6.5 * 0.5, 0.0, 0.0])
    stars = np.append(np.linspace(-1.0, 1.0, 21), 1000.0)  # an outlier has no say
    _, mean, error = weighted_means(stars, np.ones(22), np.zeros(22))
    assert mean[0] == pytest.approx(0.0, abs=1e-6) and error[0] == pytest.approx(21**-0.5)


def test_a_good_star_is_no_outlier_beside_a_poor_one() -> None:
    _, mean, error = weighted_means(np.array([0.0, 1000.0]), np.array([1.0, 1e6]), np.zeros(2))
    assert mean[0] == pytest.approx(0.001, abs=1e-4) and error[0] == pytest.approx(1.0, abs=1e-4)
    rng = np.random.default_rng(6)
    sd = np.tile([20.0, 300.0], 4000)  # pairs
    values = sd * rng.standard_normal(8000)
    _, mean, error = weighted_means(values, sd**2, np.repeat(np.arange(4000), 2))
    assert np.nanstd(mean) == pytest.approx(20.0, rel=0.05) and np.isfinite(mean).mean() > 0.999
    _, mean, error = weighted_means(np.array([0.0, 100.0]), np.ones(2), np.zeros(2))
    assert np.isnan(mean[0]) and np.isnan(error[0])  # which of the two is wrong, nobody can tell


def test_few_stars_are_taken_at_their_stated_errors() -> None:
    pixels = np.arange(0, 12 * 32**2, 400)
    few = fit_scatter(lognormal_stars(15, 1), pixels[:15])
    assert (few["n"], few["degrees"], few["factor"], few["extra"]) == (15, 14, 1.0, 0.0) and np.isnan(few["pull_sd"])
    some = [fit_scatter(lognormal_stars(100, seed), np.resize(pixels, 100)) for seed in range(40)]
    assert all(found["extra"] == 0.0 and found["degrees"] >= 69 for found in some)
    assert np.median([found["factor"] for found in some]) == pytest.approx(1.0, abs=0.1)


def test_a_reference_by_its_kind() -> None:
    """A lognormal loses its mean; stars of a group share the error of its distance."""
    table = pd.DataFrame({"parallax": [1.0], "parallax_error": 0.02, "reference_parallax": 0.5})
    table = table.assign(reference_parallax_error=0.05)
    stars = star_table(table, "raw", "absolute_magnitude")
    assert stars.reference[0] == pytest.approx(500.0 * np.exp(-0.005)) and stars.fraction[0] == pytest.approx(0.1)
    stars = star_table(table, "raw", "parallax")
    assert stars.reference[0] == 500.0 and stars.fraction[0] == 0.0 and stars.reference_error[0] == pytest.approx(50.0)
    table = pd.DataFrame({"parallax": [0.1] * 2, "parallax_error": 0.05, "reference_parallax": 0.1})
    stars = star_table(table.assign(reference_parallax_error=[0.003, np.nan]), "raw", "group_distance")
    assert variances(stars, STATED) == pytest.approx([50.0**2, np.nan], nan_ok=True)


def test_combined_parallax_by_hand() -> None:
    stars = Stars(*(np.array([value]) for value in (480.0, 500.0, 30.0, 0.0, 40.0)))
    # Gaia without its offset is 510; its share is 40^2 / (30^2 + 40^2).
    assert combined_parallax(stars, stars.gaia_error, -30.0)[0] == pytest.approx(0.64 * 510.0 + 0.36 * 500.0)


def test_weights_do_not_bias_the_mean() -> None:
    naive, ours = [], []
    for seed in range(8):
        stars = lognormal_stars(50_000, seed)
        variance = variances(stars, STATED)
        _, mean, error = weighted_means(stars.difference, variance, np.zeros(50_000))
        ours.append((mean[0] + 30.0) / error[0])
        wrong = stars.gaia_error**2 + (stars.fraction * stars.reference) ** 2
        naive.append((np.average(stars.difference, weights=1.0 / wrong) + 30.0) / error[0])
    assert abs(np.mean(ours)) < 3.0 / np.sqrt(8)
    assert np.mean(naive) > 5.0  # what weights with the reference in them would do
    assert np.std((stars.difference + 30.0) / np.sqrt(variance)) == pytest.approx(1.0, abs=0.014)


def test_scatter_is_found_within_groups() -> None:
    rng = np.random.default_rng(4)
    stars = lognormal_stars(60_000, 4)
    group = rng.integers(0, 600, 60_000)
    pattern = 40.0 * rng.standard_normal(600)[group]
    stated = Stars(stars.gaia + pattern + 12.0 * rng.standard_normal(60_000), stars.reference,
                   stars.gaia_error / 1.3, stars.fraction, stars.reference_error)  # fmt: skip
    stated.gaia[:60] += 5000.0
    found = fit_scatter(stated, group)
    assert found["factor"] == pytest.approx(1.3, rel=0.03) and found["extra"] == pytest.approx(12.0, abs=2.5)
    assert found["n"] == 60_000 and found["centre"] == pytest.approx(-30.0, abs=3.0)
    # Mean variances: 37.5^2 + 45^2 / 12 of Gaia, (0.085 * 450)^2 exp(1 / 2) of the reference, 12^2.
    gaia, reference = 37.5**2 + 45.0**2 / 12.0, (0.085 * 450.0) ** 2 * np.exp(0.5)
    assert found["pull_sd"] == pytest.approx(np.sqrt((gaia + reference + 144.0) / (gaia / 1.69 + reference)), rel=0.05)


def test_without_reference_errors_nothing_is_weighted() -> None:
    stars = lognormal_stars(50, 5)
    unknown = Stars(stars.gaia, stars.reference, stars.gaia_error, np.full(50, np.nan), stars.reference_error)
    found = fit_scatter(unknown, np.zeros(50))
    assert found["n"] == 0 and np.isnan(found["factor"])
    labels, *_ = weighted_means(unknown.difference, variances(unknown, STATED), np.zeros(50))
    assert len(labels) == 0
    nothing = Scatter("distance", pd.DataFrame(columns=["solution", "parallax"]))
    assert np.isnan(nothing.of("5p", "raw")["factor"])


def test_line_with_errors_in_both() -> None:
    pulls = []
    for seed in range(40):
        stars = lognormal_stars(4000, 100 + seed, zero_point=-12.0, scale=0.97)
        stars.gaia[:10] += 1000.0  # outliers
        line = zero_point_and_scale(stars, STATED)
        zero_point = (line["zero_point"] + 12.0) / line["zero_point_error"]
        pulls.append([zero_point, (line["scale"] - 0.97) / line["scale_error"]])
    assert np.abs(np.mean(pulls, axis=0)).max() < 3.5 / np.sqrt(40)
    assert np.std(pulls, axis=0) == pytest.approx([1.0, 1.0], abs=0.35)
    assert line["correlation"] < -0.5 and 0.2 < line["pivot_parallax"] < 0.8


def test_lines_without_noise() -> None:
    reference = np.linspace(200.0, 900.0, 50)
    stars = Stars(-20.0 + 0.98 * reference, reference, np.full(50, 10.0), np.full(50, 0.05), np.zeros(50))
    line = zero_point_and_scale(stars, STATED)
    assert line["zero_point"] == pytest.approx(-20.0, abs=1e-6) and line["scale"] == pytest.approx(0.98, abs=1e-9)
    for reference in (np.full(50, 400.0), np.linspace(1.0, 2.0, 5)):  # none through one parallax or few stars
        errors, none = np.full(len(reference), 10.0), np.zeros(len(reference))
        line = zero_point_and_scale(Stars(reference - 30.0, reference, errors, none, none), STATED)
        assert line["n"] == len(reference) and np.isnan(line["scale"])
