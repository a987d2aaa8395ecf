"""Patterns of simulated skies, and the tables that compare what was measured with what was injected."""

import numpy as np
import pandas as pd
import pytest
from unit.test_config import BASE, resolved

from gaia_offsets.checks.truth import add_area, nearest_means, pull_of_a_star, true_line
from gaia_offsets.checks.validation import by_pixel_set, coverage_table, maps_table
from gaia_offsets.engine.config.shorthand import validation_runs
from gaia_offsets.offsets.line import zero_point_and_scale
from gaia_offsets.offsets.scatter import fit_scatter
from gaia_offsets.offsets.stars import Stars, variances
from gaia_offsets.offsets.statistics import group_statistics
from gaia_offsets.offsets.weighted import weighted_means
from gaia_offsets.simulate.field import TRUTH_NSIDE, angular_power, covariance, residual_field
from gaia_offsets.sky.covariance import angular_covariance
from gaia_offsets.sky.positions import pixel_index

OFFSET = {"large_scale_uas2": 142.0, "large_scale_deg": 16.0, "small_scale_uas2": 50.0, "small_scale_deg": 1.0}
GRID = {"nside": 32, "ordering": "nested"}


# ---------------------------------------------------------------- skies


def test_patterns_have_their_covariance() -> None:
    angle = np.array([0.0, 1.0, 16.0])
    assert covariance(angle, OFFSET | {"pattern": "two_scales"}) == pytest.approx(covariance(angle, OFFSET))
    assert covariance(angle, OFFSET | {"pattern": "maiz_apellaniz2021"}) == pytest.approx(angular_covariance(angle))
    assert covariance(angle, OFFSET | {"pattern": "steep"}) == pytest.approx(192.0 * np.exp([0.0, -1 / 512, -0.5]))
    steep, standard = (angular_power(OFFSET | {"pattern": name}, 60) for name in ("steep", "two_scales"))
    assert steep[2] > standard[2] and steep[40] < 1e-3 * standard[40]


def test_the_white_pattern_is_independent_from_pixel_to_pixel() -> None:
    field = residual_field(OFFSET | {"pattern": "white"}, 1, 2 * TRUTH_NSIDE).reshape(-1, 4)
    assert (field == field[:, :1]).all()  # one number in each level-5 pixel
    values = field[:, 0]
    assert values.var() == pytest.approx(192.0, rel=0.05)
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 4 / np.sqrt(len(values))
    assert not residual_field(OFFSET | {"pattern": "none"}, 1, TRUTH_NSIDE).any()


# ---------------------------------------------------------------- config

SKIES = {"sample": "lamost_giants", "survey": {"like": "standard", "stars": 500}, "skies": {"a": {"seeds": [1, 2]}}}


def test_skies_become_surveys_datasets_and_samples() -> None:
    config = resolved({"validation": SKIES}, {"validation": {"skies": {"a": {"offset": {"pattern": "white"}}}}})
    survey, sample = config["surveys"]["validate_a_2"], config["samples"]["validate_a_2"]
    assert (survey["seed"], survey["stars"], survey["offset"]["pattern"]) == (2, 500, "white")
    assert survey["plates"] == BASE["surveys"]["standard"]["plates"]
    assert survey["offset"]["plane_uas"] == BASE["surveys"]["standard"]["offset"]["plane_uas"]
    assert sample["simulated"] and sample["claims"] is None
    assert sample["cuts"] == config["samples"]["lamost_giants"]["cuts"]
    assert config["datasets"]["validate_a_2_tmass"]["simulated"] == {"survey": "validate_a_2", "table": "tmass"}
    assert validation_runs(config) == [("validate_a_1", "a", 1), ("validate_a_2", "a", 2)]


def test_a_sky_may_have_its_own_sample_and_survey() -> None:
    own = {"seeds": [2], "sample": "other", "survey": {"stars": 700, "labels": "physical", "catalogue_mks": False}}
    other = {"samples": {"other": {"like": "lamost_giants", "title": "Other", "official": "none"}}}
    more = {"validation": {"survey": {"plates": 9}, "skies": {"b": own}}}
    config = resolved({"validation": SKIES}, more, other)
    surveys, samples = config["surveys"], config["samples"]
    keys = ("seed", "stars", "plates", "labels", "catalogue_mks")
    assert [surveys["validate_a_2"][key] for key in keys] == [2, 500, 9, "straight_lines", True]
    assert [surveys["validate_b_2"][key] for key in keys] == [2, 700, 9, "physical", False]
    assert [samples[name]["official"] for name in ("validate_a_2", "validate_b_2")] == ["lindegren2021", "none"]
    assert samples["validate_b_2"]["targets"]["dataset"] == "validate_b_2_targets"
    assert [run[1:] for run in validation_runs(config)] == [("a", 1), ("a", 2), ("b", 2)]


# ---------------------------------------------------------------- the truth of a number


@pytest.mark.parametrize("estimator", ["median", "mean", "gaussian_mean", "weighted_mean"])
def test_a_number_follows_shifts_of_its_stars_as_its_truth_does(estimator: str) -> None:
    """Stars of two kinds are shifted: the number moves as the mean of the shifts with the weights of its truth."""
    rng = np.random.default_rng(5)
    sd = np.where(np.arange(200_000) % 2, 20.0, 60.0)
    noise, shift = sd * rng.standard_normal(len(sd)), np.where(sd < 30.0, 1.0, 0.0)

    def measure(offset: np.ndarray) -> pd.Series:
        row = group_statistics(offset, np.zeros(len(sd)), {"method": "density_power", "beta": 0.3}).iloc[0]
        _, mean, _ = weighted_means(offset, sd**2, np.zeros(len(sd)))
        return pd.concat([row, pd.Series({"weighted_mean": mean[0]})])

    before, after = measure(noise), measure(noise + shift)
    stars = pd.DataFrame({"offset": noise, "difference": noise, "variance": sd**2, "true_variance": sd**2})
    weight = pull_of_a_star(estimator, before, stars, 0.3)
    share = np.sum(weight * shift) / np.sum(weight)
    assert share == pytest.approx({"median": 0.75, "mean": 0.5, "weighted_mean": 0.9}.get(estimator, share), abs=0.01)
    assert after[estimator] - before[estimator] == pytest.approx(share, abs=0.03)


def test_the_true_line_is_that_of_the_injected_offsets_and_nearest_stars_are_averaged() -> None:
    parallax = np.linspace(0.2, 1.0, 50)
    stars = pd.DataFrame({"parallax_true": parallax, "truth": -4.0 + 10.0 * parallax, "true_variance": 900.0})
    assert true_line(stars) == pytest.approx({"zero_point": -4.0, "scale": 1.01})
    rng = np.random.default_rng(2)
    stars = pd.DataFrame({"ra": rng.uniform(0.0, 60.0, 4000), "dec": rng.uniform(-5.0, 5.0, 4000)})
    values = np.where(stars["ra"] < 30.0, -10.0, 10.0)
    pixels = pixel_index(np.array([10.0, 50.0]), np.zeros(2), **GRID)
    assert nearest_means(stars, values, "equatorial", pixels, GRID)["value"].tolist() == [-10.0, 10.0]


def test_pixels_without_stars_have_the_injected_map_and_the_mean_colour_part() -> None:
    truth_map = np.arange(12.0 * 32**2)
    stars = pd.DataFrame({"ra": [10.0, 50.0], "dec": [5.0, 30.0]})
    at = truth_map[pixel_index(stars["ra"], stars["dec"], **GRID)]
    pixels = pd.DataFrame({"hindex": [3, 4, 4], "n": [0, 0, 2], "truth": [np.nan, np.nan, 7.0]})
    frames = ["equatorial", "galactic", "equatorial"]
    pixels = pixels.assign(frame=frames, quantity="smooth", parallax="corrected")
    filled = add_area(pixels, stars.assign(true_corrected=at + 1.5), truth_map, GRID)
    assert filled["truth"].tolist() == pytest.approx([4.5, np.nan, 7.0, 5.5], nan_ok=True)
    assert filled["quantity"].tolist() == ["smooth"] * 3 + ["smooth_area"]


def test_a_mean_over_the_sky_counts_the_pattern_as_scatter() -> None:
    """Scatter within pixels alone gives Gaia too much weight in the combined parallax, which biases mean and line."""
    rng = np.random.default_rng(3)
    pixels, each, fraction = 4000, 100, 0.085
    pattern = np.repeat(20.0 * rng.standard_normal(pixels), each)
    pattern -= pattern.mean()
    true = 450.0 * rng.lognormal(0.0, 0.4, len(pattern))
    gaia_error = np.full(len(true), 30.0)
    gaia = true + pattern + gaia_error * rng.standard_normal(len(true))
    reference = true * (1.0 + fraction * rng.standard_normal(len(true)))
    stars = Stars(gaia, reference, gaia_error, np.full(len(true), fraction), np.zeros(len(true)))
    truth = 1.0 / (30.0**2 + 20.0**2 + (fraction * true) ** 2)
    truth = float(truth @ pattern / truth.sum())
    off, line = {}, {}
    for name, groups in (("pixels", np.repeat(np.arange(pixels), each)), ("sky", np.zeros(len(true)))):
        scatter = fit_scatter(stars, groups)
        _, mean, error = weighted_means(stars.difference, variances(stars, scatter), np.zeros(len(true)))
        off[name], line[name] = mean[0] - truth, zero_point_and_scale(stars, scatter)
        assert error[0] == pytest.approx(0.09, abs=0.02)
    assert off["pixels"] < -0.5 and abs(off["sky"]) < 0.3  # 3 errors
    slope = {name: (found["scale"] - 1.0) / found["scale_error"] for name, found in line.items()}
    assert slope["pixels"] > 4.0 and abs(slope["sky"]) < 3.0


# ---------------------------------------------------------------- the tables


def compared(off: list[float], error: float = 2.0, **columns: object) -> pd.DataFrame:
    table = pd.DataFrame({"value": off, "truth": 0.0, "error": error, "sky": "flat", "seed": range(len(off))})
    names = {"table": "global_offsets", "quantity": "mean", "solution": "5p", "parallax": "corrected", "frame": None}
    return table.assign(**{**names, "hindex": np.nan, "n": 100, **columns})


def test_coverage_counts_what_the_intervals_hold() -> None:
    row = coverage_table(by_pixel_set(compared([-1.0, 1.0, 3.0, 5.0]))).iloc[0]
    assert (row["seeds"], row["n"], row["bias"], row["stated_error"]) == (4, 4, 2.0, 2.0)
    assert (row["coverage_68"], row["coverage_95"]) == (0.5, 0.75)
    assert row["scatter"] == pytest.approx(np.sqrt(20 / 3)) and row["bias_error"] == pytest.approx(np.sqrt(20 / 12))
    assert row["pull_sd"] == pytest.approx(row["scatter"] / 2) == pytest.approx(1 / row["stated_over_scatter"])


def test_maps_are_compared_on_the_same_pixels() -> None:
    same = {"table": "map", "frame": "equatorial", "seed": 1}
    paper = compared([4.0, -4.0, 8.0], **same, quantity="gaussian_mean", hindex=[1, 2, 3], n=[60, 60, 2])
    smooth = compared([1.0, -1.0, 4.0, 3.0], **same, quantity="smooth", hindex=[1, 2, 3, 4], n=[60, 60, 2, 0])
    maps = maps_table(by_pixel_set(pd.concat([paper, smooth], ignore_index=True)))
    row = maps[maps["estimator"] == "smooth"].set_index("pixels")
    assert row["number"].to_dict() == {"n>50": 2, "n>=2": 3, "no stars": 1}
    assert row.loc["n>50", ["rmse", "ratio"]].tolist() == [1.0, 0.25]
    assert row.loc["n>=2", "ratio"] == pytest.approx(np.sqrt(18 / 96))
    assert row.loc["no stars", "rmse"] == 3.0 and np.isnan(row.loc["no stars", "ratio"])
