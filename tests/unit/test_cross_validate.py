"""Cross-validation on simulated stars whose pattern is known; no star here is real."""

from dataclasses import replace

import healpy as hp
import numpy as np
import pandas as pd
import pytest

from gaia_offsets.checks.cross_validation import (
    CORRECTIONS,
    Learning,
    assign_folds,
    at_pixels,
    cross_validation,
    held_out,
)
from gaia_offsets.report.page_results import validated
from gaia_offsets.sky.positions import pixel_index

NSIDE = 4
GAUSSIAN = {"method": "density_power", "beta": 0.3}
LEARNING = Learning("parallax", nside=NSIDE, more_than=10, gaussian=GAUSSIAN, reach_deg=20.0, splines=0)
STARS = 5000


def simulated(pattern: float, constant: float = 0.0, *, seed: int = 1, stars: int = STARS) -> pd.DataFrame:
    """Stars on half of the sky with a constant and a pattern [uas] that the official zero point does not know."""
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(0, 360, stars), np.degrees(np.arcsin(rng.uniform(0, 1, stars)))
    x, y, z = hp.ang2vec(ra, dec, lonlat=True).T
    offset = constant + pattern * (x + 2 * x * y - z * y + 1.5 * (x**2 - y**2))
    error = rng.uniform(0.02, 0.04, stars)
    corrected = 0.5 + offset / 1000 + rng.normal(0, error)
    reference = 0.5 + rng.normal(0, 0.01, stars)
    columns = {"source_id": np.arange(stars) * 128, "solution": np.where(rng.random(stars) < 0.05, "6p", "5p")}
    columns |= {"ra": ra, "dec": dec, "phot_g_mean_mag": rng.uniform(10, 14, stars)}
    columns |= {"colour": rng.uniform(1.3, 1.5, stars), "parallax": corrected - 0.03, "parallax_corrected": corrected}
    columns |= {"parallax_error": error, "reference_parallax": reference, "reference_parallax_error": 0.01}
    columns |= {"offset_raw": 1000 * (corrected - 0.03 - reference), "offset_corrected": 1000 * (corrected - reference)}
    return pd.DataFrame(columns)


def validation(stars: pd.DataFrame, **changes) -> pd.DataFrame:
    return cross_validation(stars[stars["solution"] == "5p"], replace(LEARNING, **changes), folds=5, seed=1)


def by(table: pd.DataFrame, split: str) -> pd.DataFrame:
    return table[table["split"] == split].set_index("correction")


@pytest.fixture(scope="module")
def patterned() -> pd.DataFrame:
    return validation(simulated(20.0))


@pytest.fixture(scope="module")
def plain() -> pd.DataFrame:
    return validation(simulated(0.0))


def test_a_strong_pattern_is_won_by_the_smooth_map(patterned):
    for split in ("star", "block"):
        rows = by(patterned, split)
        assert rows["log_predictive_density"].idxmax() == "official_smooth"
        assert rows.loc["official_smooth", "gain"] > 5 * rows.loc["official_smooth", "gain_error"]
        gain = rows.loc["official_smooth", ["gain_over_constant", "gain_over_constant_error"]]
        assert gain.iloc[0] > 5 * gain.iloc[1]
        assert "the smooth map beats a constant" in validated(split, rows.reset_index(), "5p", "lindegren2021")
    star, block = by(patterned, "star"), by(patterned, "block")
    assert star.loc["official_map", "gain"] > 5 * star.loc["official_map", "gain_error"]
    # Blocks held out are pixels that the map of pixels has not seen.
    assert star.loc["official_map", "covered"] > 0.9 and block.loc["official_map", "covered"] < 0.05
    assert star.loc["official_smooth", "residual_scatter"] < star.loc["official", "residual_scatter"] - 2


def test_without_a_pattern_nothing_is_gained(plain):
    for split in ("star", "block"):
        rows = by(plain, split)
        assert (rows["gain"].drop("none") <= 2 * rows["gain_error"].drop("none")).all()
        assert rows.loc["official_smooth", "gain"] == pytest.approx(0, abs=0.002)
        said = validated(split, rows.reset_index(), "5p", "lindegren2021")
        assert "no correction beats the zero point of lindegren2021 alone beyond noise" in said
        assert rows.loc["none", "gain"] < -5 * rows.loc["none", "gain_error"]  # 30 uas too small


def test_a_constant_alone():
    rows = by(validation(simulated(0.0, 8.0)), "star")
    # Half the square of the constant, over the variance of each star.
    stars = simulated(0.0, 8.0)
    expected = np.mean(0.5 * 64 / (1e6 * stars["parallax_error"] ** 2 + 100))
    gain, error = rows.loc["official_global", ["gain", "gain_error"]]
    assert gain == pytest.approx(expected, abs=4 * error) and gain > 5 * error
    assert "; no map beats a constant beyond noise." in validated("star", rows.reset_index(), "5p", "lindegren2021")


def test_densities_are_those_of_the_true_variances(plain):
    stars = simulated(0.0)
    variance = (1e6 * stars["parallax_error"] ** 2 + 100)[stars["solution"] == "5p"]
    expected = np.mean(-0.5 * np.log(2 * np.pi * np.e * variance))
    rows = by(plain, "star")
    assert rows["n"].unique() + rows["left_out"].unique() == len(variance)
    assert rows.loc["official", "log_predictive_density"] == pytest.approx(expected, abs=0.03)  # 1 / sqrt(2 n) = 0.009


@pytest.mark.parametrize("labels", ["star", "block"])
def test_stars_held_out_do_not_leak(labels):
    """What is said of the stars of a fold is the same whatever their own parallaxes are."""
    stars = simulated(20.0, stars=1500).query("solution == '5p'").reset_index(drop=True)
    pixel = pixel_index(stars["ra"], stars["dec"], nside=2, ordering="nested")
    fold = assign_folds(stars["source_id"] if labels == "star" else pixel, folds=3, seed=2)
    changed, held = stars.copy(), fold == 1
    for name in ("parallax", "parallax_corrected"):
        changed.loc[held, name] += np.random.default_rng(3).normal(0.1, 0.1, held.sum())
    for name, column in (("offset_raw", "parallax"), ("offset_corrected", "parallax_corrected")):
        changed[name] = 1000 * (changed[column] - changed["reference_parallax"])
    before, after = held_out(stars, fold, LEARNING), held_out(changed, fold, LEARNING)
    for name in CORRECTIONS:
        column = "parallax" if name == "none" else "parallax_corrected"
        said = [
            1000 * (table[column] - table["reference_parallax"]) - result[name]["residual"]
            for table, result in ((stars, before), (changed, after))
        ]
        assert said[0][held].to_numpy() == pytest.approx(said[1][held].to_numpy(), abs=1e-9)
        assert before[name]["variance"][held].equals(after[name]["variance"][held])
        if name not in ("none", "official"):  # and the test can tell: the other folds learn from them
            assert (np.abs(said[0] - said[1])[~held] > 0.1).mean() > 0.5


def test_rows_of_one_star_share_a_fold_and_a_map_falls_back_on_its_constant():
    fold = assign_folds(np.repeat(np.arange(100), 3), folds=5, seed=1)
    assert (fold.reshape(100, 3) == fold.reshape(100, 3)[:, :1]).all() and np.bincount(fold[::3]).tolist() == [20] * 5
    assert (assign_folds(np.arange(100), folds=5, seed=2) != fold[::3]).any()
    table = pd.DataFrame({"hindex": [3, 7], "offset": [1.0, np.nan], "error": [0.5, 0.5]})
    offset, error, covered = at_pixels((-2.0, 0.1, table), np.array([3, 7, 9]))
    assert offset.tolist() == [1.0, -2.0, -2.0] and error.tolist() == [0.5, 0.1, 0.1]
    assert covered.tolist() == [True, False, False]


def test_outliers_are_left_out_of_every_score(plain):
    stars = simulated(0.0)
    wild = np.flatnonzero(stars["solution"] == "5p")[:30]
    stars.loc[wild, ["parallax", "parallax_corrected"]] += 1.0
    stars.loc[wild, ["offset_raw", "offset_corrected"]] += 1000.0
    table = validation(stars)
    assert (table["left_out"] == plain["left_out"] + 30).all()
    assert table["log_predictive_density"].to_numpy() == pytest.approx(plain["log_predictive_density"], abs=0.02)


@pytest.mark.parametrize(
    "change", [{"reference_parallax_error": np.nan}, {"solution": "6p"}, {"ra": 10.0, "dec": 10.0}]
)
def test_samples_that_cannot_be_validated(change):
    table = validation(simulated(0.0, stars=60).assign(**change))
    assert len(table) == 10
    block, star = by(table, "block"), by(table, "star")
    assert (block["n"] == 0).all() and block["gain"].isna().all()
    assert "nothing to validate" in validated("block", block.reset_index(), "5p", "lindegren2021")
    if "ra" in change:
        assert (star["n"] > 50).all() and star["gain"].notna().all() and star["gain_error"].isna().all()
        assert "too few blocks" in validated("star", star.reset_index(), "5p", "lindegren2021")
    else:
        assert (star["n"] == 0).all()


def test_it_is_deterministic_and_knows_splines():
    stars = simulated(20.0, stars=800)
    first, second = (validation(stars, splines=3) for _ in range(2))
    assert first.equals(second) and by(first, "star").loc["official_smooth", "gain"] > 0
