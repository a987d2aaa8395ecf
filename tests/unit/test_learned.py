"""Learned magnitudes on simulated giants with a known zero point, and the pieces by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from unit.shared import ROOT, refuses
from unit.test_config import resolved

from gaia_offsets.core.releases import coding
from gaia_offsets.learn import learned
from gaia_offsets.learn.density import Density, Strata
from gaia_offsets.learn.residuals import against_known, residual_table
from gaia_offsets.learn.training import Rows, fold_of, learn_magnitudes, training_cuts, warnings_of
from gaia_offsets.offsets.stars import star_table, variances
from gaia_offsets.offsets.weighted import weighted_means
from gaia_offsets.sample.reference import reference_parallax

ZERO_POINT = 0.003  # mas, injected
REFERENCE = {"kind": "learned_magnitude", "apparent_magnitude": "ks_m"}
NONE = {"official": "none", "corrections": {"none": {"kind": "none"}}}
WAY = Rows(one_row_per=None, cuts=[], codes=coding({}), **NONE)
WAY_OF_KEPLER = replace(WAY, official="lindegren2021", corrections={"lindegren2021": {"kind": "package"}})


def giants(seed: int, count: int = 30_000, *, faint: float = np.inf, label_noise: float = 1.0) -> pd.DataFrame:
    """Simulated giants in the columns of a cross-match, with `mks_true` and `parallax_true`.

    Of `count` stars those brighter than `faint`, in Ks, are kept, with a soft edge: a survey limited in magnitude.
    """
    rng = np.random.default_rng(seed)
    branch = np.log(np.exp(-2.1) + (np.exp(0.63) - np.exp(-2.1)) * rng.random(count)) / 0.35
    mks = np.where(rng.random(count) < 0.35, rng.normal(-1.61, 0.1, count), branch)
    feh = rng.normal(-0.2, 0.3, count)
    logg = 2.45 + 0.36 * (mks + 1.61) + label_noise * rng.normal(0.0, 0.07, count)  # masses
    teff = 4800.0 + 155.0 * (mks + 1.61) - 200.0 * (feh + 0.2)
    parallax = 0.5 * rng.lognormal(0.0, 0.5, count)
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
    kept = rng.random(count) < 1.0 / (1.0 + np.exp((columns["ks_m"] - faint) / 0.3))
    return pd.DataFrame(columns)[kept].reset_index(drop=True)


def stars_of(table: pd.DataFrame) -> learned.Stars:
    unit = 10.0 ** (2.0 - 0.2 * table["ks_m"].to_numpy())
    parallax, error = (table[name].to_numpy() for name in ("parallax", "parallax_error"))
    return learned.Stars(table[["teff", "logg", "feh"]].to_numpy(), parallax, error, unit)


def fitted(table: pd.DataFrame) -> tuple[Any, ...]:
    """The stars of a table, the basis of their fit, what it predicts of them, and its zero point [uas]."""
    stars = stars_of(table)
    basis = learned.Basis(stars.labels)
    fit = learned.fit(basis, stars)
    return stars, basis, *fit.predict(basis, stars.labels, stars.unit), 1000.0 * fit.zero_point


@pytest.mark.parametrize(("faint", "count"), [(np.inf, 30_000), (9.0, 90_000)])
def test_the_zero_point_comes_back_whatever_the_survey_selects(faint: float, count: int) -> None:
    """And does not where the density along the line of sight is left out: far stars are the luminous ones."""
    found, without = [], []
    for seed in range(3):
        stars = stars_of(giants(seed, count, faint=faint))
        basis = learned.Basis(stars.labels, dividing=2)
        fit, bare = learned.fit(basis, stars), learned.fit(basis, stars, density=False)
        found.append(
            [fit.zero_point - ZERO_POINT, fit.zero_point_error, fit.slope / fit.slope_error, fit.strata.misfit]
        )
        without.append([(bare.zero_point - ZERO_POINT) / bare.zero_point_error, bare.slope / bare.slope_error])
    off, error, slope, misfit = np.transpose(found)
    assert (error < 0.002).all()
    assert (np.abs(off) < 3.0 * error).all()
    assert abs(off.mean()) < 3.0 * error.mean() / np.sqrt(3.0)
    assert (np.abs(slope) < 3.5).all()
    assert (misfit < 1.15).all()
    assert (np.abs(without) > [5.0, 3.0]).all()  # zero point and slope


def test_the_slope_is_the_drift_that_is_left_and_the_shift_takes_its_zero_point_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = giants(3)
    stars = stars_of(table)
    basis = learned.Basis(stars.labels)
    bare = learned.fit(basis, stars, density=False)
    assert bare.zero_point - ZERO_POINT > 0.02
    assert abs(bare.zero_point + bare.slope_shift - ZERO_POINT) < 0.005
    true = replace(stars, gaia=stars.gaia - ZERO_POINT)
    fit = learned.fit(basis, true, zero_point=False, density=False)
    reference, fraction, _ = fit.predict(basis, stars.labels, stars.unit)
    left = table["mks_true"] - learned.magnitude(reference, stars.unit)
    rows = np.column_stack([table["ks_m"], basis.rows(stars.labels)])
    weight = 1.0 / np.hypot(fraction, stars.gaia_error / reference)  # of the fit; where s is small, F drifts less
    found = np.linalg.lstsq(rows * weight[:, None], left * weight, rcond=None)[0][0]
    assert found == pytest.approx(0.06, abs=0.01) and -fit.slope == pytest.approx(found, abs=0.01)
    error = learned.fit(basis, stars).zero_point_error
    monkeypatch.setattr(learned.Equations, "zero_point_variance", lambda *_: 0.0)
    assert error > 1.05 * learned.fit(basis, stars).zero_point_error  # what counts and scatter leave open


def test_a_mean_parallax_by_hand() -> None:
    """A normal density of ln(parallax), a normal scatter: mean and variance are those of their product."""
    rng = np.random.default_rng(3)
    true, width, spread = rng.normal(-1.0, 0.5, 400_000), 0.5, 0.2
    f = rng.uniform(-1.0, 1.0, len(true))
    log_unit = true + spread * rng.standard_normal(len(true)) - f
    kept = rng.random(len(true)) < 1.0 / (1.0 + np.exp(-(log_unit + 1.5) / 0.1))
    strata = Strata(log_unit[kept], f[kept], np.full(kept.sum(), spread**2), np.zeros(kept.sum()))
    y = np.linspace(-1.8, -0.2, 9)
    parallax, fraction = learned.expected(y, np.full(9, spread), strata, np.zeros(9))
    share = width**2 / (width**2 + spread**2)
    left = share * spread**2
    # The counts say no straight line of ln R: a factor common to all.
    ratio = parallax / np.exp(share * y + 0.5 * left)
    np.testing.assert_allclose(ratio / ratio[4], 1.0, atol=0.01)
    np.testing.assert_allclose(fraction, np.sqrt(np.expm1(left)), rtol=0.05)
    bare, _ = learned.expected(y, np.full(9, spread), None, np.zeros(9))
    np.testing.assert_allclose(bare, np.exp(y + 0.5 * spread**2))


@pytest.mark.parametrize("count", [700, 20_000])
def test_the_misfit_of_counts_is_one_where_three_factors_suffice(count: int) -> None:
    found = []
    for seed in range(6):
        y, f = np.random.default_rng(seed).normal([[-1.0], [0.0]], [[0.5], [0.6]], (2, count))
        found.append(Density(y - f, f, np.full(count, 0.04)).misfit)
    assert np.mean(found) == pytest.approx(1.0, abs=0.12)  # 0.66 and 0.75 with the cells that are all but empty


def test_counts_tell_a_mix_of_labels_that_changes_along_the_line_of_sight() -> None:
    rng = np.random.default_rng(4)
    feh = rng.normal(0.0, 0.3, 60_000)
    f = rng.normal(np.sign(feh) * 0.3, 0.3)
    log_unit = rng.normal(-1.0, np.where(feh > 0, 0.6, 0.25)) - f  # the poor in metals lie in a shell
    together, apart = (Strata(log_unit, f, np.zeros(len(f)), label) for label in (np.zeros(len(f)), feh))
    assert (len(together.parts), len(apart.parts)) == (1, 8)
    assert together.misfit > 1.5 > 1.15 > apart.misfit
    assert len(Strata(log_unit[:5000], f[:5000], np.zeros(5000), feh[:5000]).parts) == 2  # too few stars for more
    assert isinstance(apart.parts[0], Density)
    drift = apart.drift(log_unit + f, np.full(len(f), 0.04), feh)
    one = apart.drift((log_unit + f)[:1], np.full(1, 0.04), feh[:1])  # the others' strata are empty
    np.testing.assert_allclose(one, drift[:, :1])


def test_magnitudes_that_the_labels_fix_are_found_to_a_hundredth() -> None:
    table = giants(4, label_noise=0.0)
    stars, basis, parallax, fraction, own, _ = fitted(table)
    inside = basis.inside(stars.labels)
    error = learned.magnitude(parallax, stars.unit) - table["mks_true"].to_numpy()
    assert np.abs(error[inside]).max() < 0.03
    assert error[inside].std() < 0.01
    assert own[inside].max() < 0.02
    assert fraction.max() < 0.05  # the labels say it all


def test_a_star_has_one_magnitude_wherever_in_a_table_it_stands() -> None:
    table = giants(11, 3000)
    stars = stars_of(table)
    basis = learned.Basis(stars.labels, dividing=2)
    fit = learned.fit(basis, stars)
    whole = fit.predict(basis, stars.labels, stars.unit)
    for some in (np.arange(7, 3000), np.arange(1, 3000, 3), np.array([1234])):
        for part, every in zip(fit.predict(basis, stars.labels[some], stars.unit[some])[:2], whole, strict=False):
            np.testing.assert_array_equal(part, every[some])


def test_the_scatter_is_stated() -> None:
    table = giants(5)
    _, _, parallax, fraction, *_ = fitted(table)
    assert np.sqrt(np.mean(fraction**2)) == pytest.approx(np.std(np.log(parallax / table["parallax_true"])), rel=0.05)
    # The mean of the reference parallaxes is right at every apparent magnitude and all labels.
    for name in ("ks_m", "logg"):
        for part in np.array_split(np.argsort(table[name].to_numpy()), 4):
            assert parallax[part].mean() == pytest.approx(table["parallax_true"].to_numpy()[part].mean(), rel=0.01)


def test_the_weighted_mean_is_the_zero_point_of_the_training() -> None:
    """It is not where weights follow Gaia's parallaxes, as for references with an error of their own."""
    table = giants(7)
    _, _, parallax, fraction, _, zero_point = fitted(table)
    tracers = table.assign(reference_parallax=parallax, reference_parallax_error=fraction * parallax)
    off = {}
    for kind in ("learned_magnitude", "absolute_magnitude"):
        found = star_table(tracers, "raw", kind)
        variance = variances(found, {"factor": 1.0, "extra": 0.0, "centre": 0.0})
        off[kind] = weighted_means(found.difference, variance, np.zeros(len(tracers)))[1][0] - zero_point
    assert abs(off["learned_magnitude"]) < 0.3  # uas
    assert abs(off["absolute_magnitude"]) > 2.0
    # Nor is the median, as the parallaxes at given labels and magnitude are skewed.
    assert -4.5 < 1000.0 * np.median(table["parallax"] - parallax) - zero_point < -1.0


@pytest.mark.parametrize(("factor", "moved"), [(10.0, 0.5), (0.1, 10.0)])
def test_what_a_per_cent_of_wrong_parallaxes_does(factor: float, moved: float) -> None:
    """Those too large are held back; those near zero look like far stars (docs/method.md)."""
    table = giants(11, 20_000)
    spoiled = table.assign(parallax=table["parallax"].where(table.index % 100 > 0, factor * table["parallax"]))
    off = fitted(spoiled)[-1] - fitted(table)[-1]
    assert abs(off) < moved


def test_magnitude_of_a_mean_parallax() -> None:
    magnitude = learned.magnitude(np.array([0.5]), np.array([0.2]))
    assert magnitude[0] == pytest.approx(5.0 * np.log10(2.5))
    table = pd.DataFrame({"ks_m": [10.0 - 5.0 * np.log10(0.2)], "learned_magnitude": magnitude})
    table["learned_magnitude_error"] = 0.15 * learned.MAG
    parallax, error = reference_parallax(table, REFERENCE)
    assert (parallax[0], error[0] / parallax[0]) == (pytest.approx(0.5), pytest.approx(0.15))


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
    assert predicted["training"].tolist()[:5] == [False, False, False, False, True]
    assert facts["rows"] == 4000 == facts["predicted"] + facts["without_labels"] + facts["outside"] + facts["vague"]
    assert facts["without_labels"] == 2
    assert lines[0] == "3998 rows with a 5p solution"


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
    assert ways["density"].tolist() == 4 * ["yes", "no"]
    assert (ways["slope"][1::2] > 0.03).all()  # without it: far stars are fainter than thought, dM / dm > 0
    # Without a correction raw and corrected parallaxes are the same.
    np.testing.assert_allclose(ways["offset_shift"][:4], ways["offset_shift"][4:], atol=0.1)
    check = facts["check"]
    assert check["n"] == facts["predicted"]
    assert abs(check["mean"] + learned.MAG * (facts["zero_point_uas"] / 1000.0 - ZERO_POINT) / 0.5) < 0.01
    assert check["sd"] == pytest.approx(facts["median_scatter_mag"], rel=0.1)
    means = residuals[residuals["variable"] == "logg"]
    assert (means["mean"].abs() < 4.0 * means["mean_error"]).mean() > 0.9


def test_a_slope_is_warned_of_where_it_does_harm() -> None:
    rows = {"zero_point": True, "zero_point_error_uas": 0.3, "predicted": 1, "rows": 1, "without_labels": 0}
    harmless = rows | {"slope": 0.024, "slope_error": 0.002, "slope_shift_uas": 7.1}
    assert [*warnings_of(harmless)] == [*warnings_of(harmless | {"slope": 0.04, "slope_error": 0.02})] == []
    for harm in ({"slope": -0.031}, {"slope_shift_uas": -8.1}):
        assert "still drift" in next(warnings_of(harmless | harm))


def test_the_kepler_giants_give_what_the_method_says() -> None:
    configs = ((ROOT / "config" / name).read_text() for name in ("real_stars.yaml", "kepler_learned.yaml"))
    sample = resolved(*configs)["samples"]["kepler_giants_learned"]
    table = pd.read_csv(ROOT / "config/data/kepler_giants.csv.gz").rename(columns={"kic": "source_id"})
    *_, facts, _ = learn_magnitudes(table.rename(columns={"m_h": "feh"}), sample["reference"], WAY_OF_KEPLER)
    check, text = facts["check"], (ROOT / "docs/method.md").read_text(encoding="utf-8")
    assert f"of {check['n']:,} stars is {check['mean']:+.3f} ± {check['mean_error']:.3f} mag" in text
    assert f"a scatter of {check['sd']:.2f} mag; the model states {facts['median_scatter_mag']:.2f}" in text
    assert f"slope is {facts['slope']:.3f} ± {facts['slope_error']:.3f}" in text
    assert "no zero point was solved for" in facts["warning"] and "still drift" in facts["warning"]


def test_residuals_known_magnitudes_and_cuts_of_the_training_by_hand() -> None:
    stars = pd.DataFrame({"residual": [0.01, -0.03], "variance": [4e-4, 4e-4], "reference": [0.5, 1.0]})
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
        (lambda t: t.iloc[:400], "412 it takes"),
        (lambda t: t.rename(columns={"feh": "m_h"}), "no column 'feh'"),
        (lambda t: t.assign(parallax_error=np.nan), "too few training stars"),
        (lambda t: t.assign(parallax_error=np.inf), "0 with labels, magnitude and parallax"),
        (lambda t: t.assign(ks_m=np.inf), "0 with labels, magnitude and parallax"),
        (lambda t: t.assign(astrometric_params_solved=95), "0 rows with a 5p solution"),
        (lambda t: t.assign(ks_m=9.0), "have one apparent magnitude"),
        (lambda t: t.assign(parallax=-t["parallax"]), "do not settle; look at their magnitudes and parallaxes"),
        (lambda t: t.assign(ks_m=t["ks_m"].where(t.index % 100 > 0, -999.0)), "do not settle"),
    ],
)
def test_what_cannot_be_learned(change, said: str) -> None:
    refuses(said, learn_magnitudes, change(giants(10, 1000)), REFERENCE, WAY)
