"""Learned magnitudes on simulated giants with a known zero point, and the pieces by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from unit.shared import ROOT, refuses

from gaia_offsets.core.releases import coding
from gaia_offsets.learn import learned
from gaia_offsets.learn.residuals import against_known, residual_table
from gaia_offsets.learn.training import Rows, fold_of, learn_magnitudes, training_cuts
from gaia_offsets.offsets.stars import error_by_magnitude, star_table, typical_error, variances
from gaia_offsets.offsets.weighted import weighted_means
from gaia_offsets.sample.reference import reference_parallax

ZERO_POINT = 0.003  # mas, injected
REFERENCE = {"kind": "learned_magnitude", "apparent_magnitude": "ks_m"}
NONE = {"official": "none", "corrections": {"none": {"kind": "none"}}}
WAY = Rows(one_row_per=None, cuts=[], codes=coding({}), **NONE)


def giants(seed: int, count: int = 30_000, *, reach: float = 0.0, label_noise: float = 1.0) -> pd.DataFrame:
    """Simulated giants in the columns of a cross-match, with `mks_true` and `parallax_true`.

    `reach` 1: far giants are as bright as near ones, as in a survey limited in magnitude.
    """
    rng = np.random.default_rng(seed)
    branch = np.log(np.exp(-2.1) + (np.exp(0.63) - np.exp(-2.1)) * rng.random(count)) / 0.35
    mks = np.where(rng.random(count) < 0.35, rng.normal(-1.61, 0.1, count), branch)
    feh = rng.normal(-0.2, 0.3, count)
    logg = 2.45 + 0.36 * (mks + 1.61) + label_noise * rng.normal(0.0, 0.07, count)  # masses
    teff = 4800.0 + 155.0 * (mks + 1.61) - 200.0 * (feh + 0.2)
    parallax = 0.5 * 10.0 ** (0.2 * reach * (mks + 1.61)) * rng.lognormal(0.0, 0.5, count)
    g = mks + 12.0 - 5.0 * np.log10(parallax)
    # Gaia's error grows with G, so that of stars at one distance the luminous ones have the smaller error.
    error = 0.015 * 10.0 ** (0.2 * np.maximum(g - 13.0, 0.0)) * rng.lognormal(0.0, 0.1, count)
    labels = {"teff": (teff, 80.0), "logg": (logg, 0.12), "feh": (feh, 0.08)}
    observed = {name: true + label_noise * rng.normal(0.0, sd, count) for name, (true, sd) in labels.items()}
    columns = {"source_id": pd.array(np.arange(count) * 1024 + (1 << 58), dtype="Int64")}
    columns |= {"astrometric_params_solved": pd.array(np.full(count, 31), dtype="Int64")}
    columns |= {"parallax": parallax + ZERO_POINT + error * rng.standard_normal(count), "parallax_error": error}
    columns |= {"ks_m": mks + 10.0 - 5.0 * np.log10(parallax), "phot_g_mean_mag": g, **observed, "mks_true": mks}
    columns |= {"parallax_true": parallax}
    return pd.DataFrame(columns)


def stars_of(table: pd.DataFrame) -> learned.Stars:
    unit = 10.0 ** (2.0 - 0.2 * table["ks_m"].to_numpy())
    parallax, error, g = (table[name].to_numpy() for name in ("parallax", "parallax_error", "phot_g_mean_mag"))
    return learned.Stars(table[["teff", "logg", "feh"]].to_numpy(), parallax, error, unit, g)


def fitted(table: pd.DataFrame) -> tuple[Any, ...]:
    """The stars of a table, the basis of their fit, what it predicts of them, and its zero point [uas]."""
    stars = stars_of(table)
    basis = learned.Basis(stars.labels)
    fit = learned.fit(basis, stars)
    return stars, basis, *fit.predict(basis, stars.labels, stars.unit), 1000.0 * fit.zero_point


@pytest.mark.parametrize("reach", [0.0, 0.7])
def test_the_zero_point_comes_back(reach: float) -> None:
    found = []
    for seed in range(3):
        stars = stars_of(giants(seed, reach=reach))
        fit = learned.fit(learned.Basis(stars.labels), stars)
        found.append([1000.0 * (fit.zero_point - ZERO_POINT), 1000.0 * fit.zero_point_error])
    off, error = np.transpose(found)
    assert (error < 3.5).all() and (np.abs(off) < 3.0 * error).all()
    assert abs(off.mean()) < 3.0 * error.mean() / np.sqrt(3.0)


def test_what_a_survey_limited_in_brightness_does_to_a_fit_without_slope() -> None:
    stars = stars_of(giants(1, reach=0.7))
    fit = learned.fit(learned.Basis(stars.labels), stars, slope=False)
    assert 1000.0 * (fit.zero_point - ZERO_POINT) < -10.0 * 1000.0 * fit.zero_point_error
    assert fit.slope == fit.slope_error == 0.0


def test_magnitudes_that_the_labels_fix_are_found_to_a_hundredth() -> None:
    table = giants(4, label_noise=0.0)
    stars, basis, parallax, fraction, own, _ = fitted(table)
    inside = basis.inside(stars.labels)
    error = learned.magnitude(parallax, fraction, stars.unit) - table["mks_true"].to_numpy()
    assert np.abs(error[inside]).max() < 0.03 and error[inside].std() < 0.01
    assert own[inside].max() < 0.02 and fraction.max() < 0.05  # the labels say it all


def test_the_scatter_is_stated() -> None:
    table = giants(5)
    _, _, parallax, fraction, *_ = fitted(table)
    assert np.sqrt(np.mean(fraction**2)) == pytest.approx(np.std(np.log(parallax / table["parallax_true"])), rel=0.05)
    # The mean of the reference parallaxes is right at every distance, which a mean of magnitudes is not.
    for low, high in ((0.2, 0.4), (0.4, 0.7), (0.7, 1.5)):
        here = table["parallax_true"].between(low, high)
        assert parallax[here].mean() == pytest.approx(table["parallax_true"][here].mean(), rel=0.01)


def test_the_combined_parallax_has_an_error_of_its_own() -> None:
    rng = np.random.default_rng(6)
    gaia, reference = 0.5 + 0.03 * rng.standard_normal(200_000), 0.5 * (1.0 + 0.1 * rng.standard_normal(200_000))
    combined = learned.combine(gaia, np.full(200_000, 0.03), reference, np.full(200_000, 0.1))
    assert abs(np.corrcoef(combined, gaia - reference)[0, 1]) < 0.03
    assert np.corrcoef(reference, gaia - reference)[0, 1] < -0.8


def test_the_weighted_mean_is_the_zero_point_of_the_training() -> None:
    """With Gaia's own errors it is not: of the stars of one learned magnitude the luminous ones have the smaller."""
    table = giants(7)
    _, _, parallax, fraction, _, zero_point = fitted(table)
    mean_of_lognormal = parallax * np.exp(0.5 * fraction**2)
    tracers = table.assign(reference_parallax=mean_of_lognormal, reference_parallax_error=fraction * mean_of_lognormal)
    off = {}
    for kind in ("learned_magnitude", "absolute_magnitude"):
        found = star_table(tracers, "raw", kind)
        variance = variances(found, {"factor": 1.0, "extra": 0.0, "centre": 0.0})
        off[kind] = weighted_means(found.difference, variance, np.zeros(len(tracers)))[1][0] - zero_point
    assert abs(off["learned_magnitude"]) < 0.3  # uas
    assert off["absolute_magnitude"] < -1.0


def test_a_star_of_the_typical_luminosity_keeps_its_error() -> None:
    g, error = np.linspace(10.0, 16.0, 400), 0.02 * 10.0 ** (0.1 * np.linspace(0.0, 6.0, 400))
    known = error_by_magnitude(g, error)
    np.testing.assert_array_equal(typical_error(error, g, known, np.ones(400), np.ones(400)), error)
    # Farther than the reference says: as bright as it is, the star is luminous; its like would be 0.5 mag fainter.
    fainter = typical_error(error, g, known, np.full(400, 10.0**0.1), np.ones(400))
    np.testing.assert_allclose(fainter[30:-60] / error[30:-60], 10.0**0.05, rtol=1e-3)
    assert (error_by_magnitude(np.full(3, np.nan), error[:3])(g) == 0.0).all()


def test_median_magnitude_of_a_mean_parallax() -> None:
    unit, fraction = np.array([0.2]), np.array([0.15])
    magnitude = learned.magnitude(np.array([0.5]), fraction, unit)
    assert magnitude[0] == pytest.approx(5.0 * np.log10(2.5) + 0.5 * 0.15**2 * 5.0 / np.log(10.0))
    # What star_table takes out of the parallax of that magnitude is what was put in.
    table = pd.DataFrame({"ks_m": [10.0 - 5.0 * np.log10(0.2)], "learned_magnitude": magnitude})
    table["learned_magnitude_error"] = fraction * learned.MAG
    parallax, error = reference_parallax(table, REFERENCE)
    assert error[0] / parallax[0] == pytest.approx(0.15) and parallax[0] * np.exp(-0.5 * 0.15**2) == pytest.approx(0.5)


def test_no_star_is_predicted_by_a_model_that_saw_it() -> None:
    table = giants(7, 4000)
    spoiled = table.copy()
    spoiled.loc[17, "parallax"] += 0.04
    first, second = (learn_magnitudes(one, REFERENCE, WAY)[0] for one in (table, spoiled))
    fold = fold_of(table["source_id"], 5)
    changed = (first["learned_magnitude"] - second["learned_magnitude"]).abs().to_numpy()
    assert changed[17] < 1e-9 or np.isnan(changed[17])
    assert np.nanmax(changed[fold == fold[17]]) < 1e-9 and np.nanmin(changed[fold != fold[17]]) > 0.0


def test_what_gets_no_magnitude() -> None:
    table = giants(8, 4000)
    table.loc[0, "teff"] = np.nan
    table.loc[1, "source_id"] = pd.NA
    table.loc[2, "teff"] = 9000.0
    table.loc[3, "astrometric_params_solved"] = 95
    predicted, _, _, facts, lines = learn_magnitudes(table, REFERENCE, WAY)
    assert predicted["learned_magnitude"].isna().tolist()[:4] == [True, True, True, False]
    assert predicted["training"].tolist()[:5] == [False, False, True, False, True]
    assert facts["rows"] == 4000 == facts["predicted"] + facts["without_labels"] + facts["outside"] + facts["vague"]
    assert facts["without_labels"] == 2 and lines[0] == "3998 rows with a 5p solution"


def test_every_way_to_train_stands_side_by_side() -> None:
    table = giants(9, 8000)
    checked = REFERENCE | {"learn": {"check": "mks_true"}}
    _, ways, residuals, facts, _ = learn_magnitudes(table, checked, WAY)
    assert len(ways) == 8
    told = yaml.safe_load((ROOT / "docs/numbers.yaml").read_text(encoding="utf-8"))["tables"]
    for name, table in (("zero_points", ways), ("residuals", residuals)):
        assert set(told[f"tables/learned_{name}.csv"]["columns"]) == set(table.columns)
    assert ways["adopted"].tolist() == ["yes"] + [""] * 7
    own = ways.iloc[0]
    assert (own["magnitude_shift"], own["offset_shift"]) == (0.0, 0.0)
    assert ways["zero_point"].isna().tolist() == 2 * [False, False, True, True]
    assert ways["slope"].isna().tolist() == 4 * [False, True]
    # Without a correction raw and corrected parallaxes are the same.
    np.testing.assert_allclose(ways["offset_shift"][:4], ways["offset_shift"][4:], atol=0.1)
    check = facts["check"]
    assert check["n"] == facts["predicted"] and abs(check["mean"]) < 0.05
    assert check["sd"] == pytest.approx(facts["median_scatter_mag"], rel=0.1)
    means = residuals[residuals["variable"] == "logg"]
    assert (means["mean"].abs() < 4.0 * means["mean_error"]).mean() > 0.9


def test_residuals_known_magnitudes_and_cuts_of_the_training_by_hand() -> None:
    stars = pd.DataFrame({"residual": [0.01, -0.03], "variance": [4e-4, 4e-4], "combined": [0.5, 1.0]})
    stars = stars.assign(fraction=0.02, gaia_variance=3e-4)
    table = residual_table({"teff": np.array([4000.0, 4000.5])}, stars)
    assert table["n"].tolist() == [1, 1]
    unit = 5.0 / np.log(10.0)
    np.testing.assert_allclose(table["mean"], unit * np.array([0.01 / 0.5, -0.03]))
    np.testing.assert_allclose(table["mean_error"], unit * np.array([0.02 / 0.5, 0.02]))
    np.testing.assert_allclose(table["scatter"], unit * np.sqrt([0.0, 6e-4]))
    np.testing.assert_allclose(table["predicted_scatter"], unit * 0.02)
    found = against_known(np.array([1.0, 2.0, np.nan, 3.0]), np.array([0.9, 2.1, 5.0, np.nan]))
    assert [found[name] for name in ("n", "mean", "sd")] == pytest.approx([2, 0.0, 0.1 * np.sqrt(2.0)])
    assert against_known(np.array([1.0]), np.array([1.0])) == {"n": 1}
    logg, parallax = {"column": "logg", "op": "<=", "value": 3.8}, {"column": "parallax", "op": "<", "value": 1.5}
    assert training_cuts(None, [logg, parallax, parallax | {"column": "reference_parallax"}]) == [logg]
    assert training_cuts([parallax], [logg]) == [parallax]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.drop(columns="logg"), "no column 'logg'"),
        (lambda t: t.drop(columns="ks_m"), "no column 'ks_m'"),
        (lambda t: t.iloc[:200], "too few training stars"),
        (lambda t: t.assign(parallax_error=np.nan), "too few training stars"),
        (lambda t: t.assign(astrometric_params_solved=95), "0 rows with a 5p solution"),
    ],
)
def test_what_cannot_be_learned(change, said: str) -> None:
    refuses(said, learn_magnitudes, change(giants(10, 1000)), REFERENCE, WAY)
