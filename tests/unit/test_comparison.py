"""Figs. 1 to 3 in numbers: known shifts come back, the tilt of binning in a parallax with errors is there and goes."""

import numpy as np
import pandas as pd
import pytest
import yaml
from compare_samples import from_literature
from unit.shared import GAUSSIAN, ROOT, refused, refuses

from gaia_offsets.paper import comparison
from gaia_offsets.paper.magnitudes import magnitude_differences, magnitude_fits, magnitude_histogram
from gaia_offsets.paper.red_clump import (
    clump_of_sample,
    red_clump_pairs,
    red_clump_summary,
    red_clump_trend,
    symmetric_parallax,
)
from gaia_offsets.paper.training_set import training_groups, training_histograms, training_summary
from gaia_offsets.tables import parquet
from gaia_offsets.tables.read import write_table

REFERENCE = {"kind": "absolute_magnitude", "absolute_magnitude": "mks", "apparent_magnitude": "ks_m"}
REFERENCE["extinction"] = {"column": "ebv", "coefficient": 0.3}
PER_SOURCE = {"columns": ["source_id"], "prefer": "snr", "ties": "obsid"}


def observed(count: int = 4000, shift: float = 0.02) -> pd.DataFrame:
    """Spectra of stars whose Gaia magnitude is `shift` fainter than the catalogue's, give or take 0.1 mag."""
    rng = np.random.default_rng(5)
    mks, ebv = rng.uniform(-4, 5, count), rng.uniform(0, 0.1, count)
    distance = rng.uniform(300, 4000, count)
    noise = 0.1 * rng.standard_normal(count)
    table = pd.DataFrame({"mks": mks, "ebv": ebv, "r_med_geo": distance, "parallax": 1000.0 / distance, "bp_rp": 1.2})
    magnitude = mks + shift + noise + 0.3 * ebv + 5 * np.log10(distance) - 5
    return table.assign(logg=np.where(mks < 1, 2.5, 4.4), ks_m=magnitude)


@pytest.mark.parametrize("one_row_per", [PER_SOURCE, PER_SOURCE | {"prefer": "quality"}, None])
def test_what_is_read_early_changes_no_star(tmp_path, monkeypatch, one_row_per):
    """Read in pieces with the rows that can matter: the stars of the whole table, one a source with enough S/N."""
    columns = {"source_id": pd.array([7, 7, 8, None, 9], dtype="Int64"), "snr": [60.0, 90.0, 49.0, 300.0, 50.0]}
    few = pd.DataFrame(columns | {"obsid": [1, 2, 3, 4, 5], "quality": [1.0, 2.0, 9.0, 9.0, 9.0]})
    kept = comparison.observed_stars(few, one_row_per, min_snr=50)["obsid"].tolist()
    assert kept == ([2, 5] if one_row_per else [1, 2, 5])
    rng = np.random.default_rng(3)
    columns = {"source_id": pd.array(rng.integers(0, 300, 1000), dtype="Int64")}
    columns |= {"snr": rng.choice([10.0, 49.0, 50.0, 80.0, np.nan], 1000)}
    columns |= {"quality": rng.integers(0, 9, 1000).astype(float), "obsid": np.arange(1000)}
    columns |= {"mks": rng.normal(size=1000), "unused": "text"}
    matched = pd.DataFrame(columns)
    matched.loc[::7, "source_id"] = pd.NA
    monkeypatch.setattr(parquet, "ROW_GROUP", 128)
    write_table(matched, tmp_path / "matched.parquet")
    read = comparison.read_observed(str(tmp_path / "matched.parquet"), [], ["mks"], one_row_per, min_snr=50)
    expected = comparison.observed_stars(matched, one_row_per, min_snr=50)
    assert "unused" not in read and 50 < len(read) < 500
    expected = expected[read.columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(read.reset_index(drop=True), expected, check_dtype=False)


def test_magnitude_differences_return_the_shift_for_both_kinds():
    stars = observed()
    table = magnitude_differences(stars, REFERENCE, max_logg=3.8)
    fits = magnitude_fits(table, GAUSSIAN).set_index("kind")
    assert fits.index.tolist() == ["dwarf", "giant"] and fits["n"].sum() == len(stars)
    assert np.abs(fits["gaussian_mean"] - 0.02).to_numpy() == pytest.approx(0, abs=0.01)
    assert fits["gaussian_sd"].to_numpy() == pytest.approx(0.1, rel=0.05)
    giants = stars[stars["logg"] < 3.8]
    assert fits.loc["giant", "median_parallax"] == pytest.approx(giants["parallax"].median())


def test_magnitude_differences_by_hand_in_bins_that_are_centred_on_0():
    # 1 kpc: modulus 10, so M_Gaia = 12 - 0.3 * 0.5 - 10 = 1.85. 100 pc: modulus 5, so M_Gaia = 9 - 5 = 4.
    stars = {"logg": [3.8, 3.81], "mks": [1.80, 4.10], "ks_m": [12.0, 9.0], "ebv": [0.5, 0.0]}
    stars |= {"r_med_geo": [1000.0, 100.0], "parallax": [1.0, 10.0]}
    table = magnitude_differences(pd.DataFrame(stars), REFERENCE, max_logg=3.8)
    assert table["kind"].tolist() == ["giant", "dwarf"] and table["parallax"].tolist() == [1.0, 10.0]
    assert table["difference"].to_numpy() == pytest.approx([0.05, -0.10])
    giants = pd.DataFrame({"kind": "giant", "difference": [0.0, 0.009, -0.009, 0.011, -0.051, 1.009, 1.011, -1.011]})
    table = magnitude_histogram(pd.concat([giants, pd.DataFrame({"kind": "dwarf", "difference": [-1.009]})]))
    assert table.groupby("kind")["bin_low"].agg(["size", "min"]).to_numpy().tolist() == [[101, -1.01], [101, -1.01]]
    assert table["bin_high"].to_numpy() == pytest.approx(table["bin_low"] + 0.02)
    filled = table[table["count"] > 0]
    assert filled["kind"].tolist() == ["dwarf", *["giant"] * 4] and filled["count"].tolist() == [1, 1, 3, 1, 1]
    assert filled["bin_low"].to_numpy() == pytest.approx([-1.01, -0.07, -0.01, 0.01, 0.99])


def test_stars_without_a_distance_are_left_out_and_a_missing_column_is_named():
    stars = observed(10)
    stars.loc[:3, "r_med_geo"] = np.nan
    assert len(magnitude_differences(stars, REFERENCE, max_logg=3.8)) == 6
    with refused("'r_med_geo'.*comparison.*null"):
        magnitude_differences(stars.drop(columns="r_med_geo"), REFERENCE, max_logg=3.8)
    none = magnitude_differences(stars.iloc[:0], REFERENCE, max_logg=3.8)
    assert len(magnitude_fits(none, GAUSSIAN)) == 0 and len(magnitude_histogram(none)) == 0


def test_training_like_stars_have_little_reddening_and_cover_what_they_reach():
    stars = observed()
    giants = stars[(stars["logg"] < 3.8) & (stars["ebv"] > 0.05)]
    groups = training_groups(stars, giants, "mks", max_ebv=0.02)
    assert groups["training"]["ebv"].max() < 0.02 and len(groups["giants"]) == len(giants)
    histograms = training_histograms(groups)
    shares = histograms.groupby(["variable", "group"])["share"].sum()
    assert shares.to_numpy() == pytest.approx(np.ones(4))
    summary = training_summary(groups, histograms).set_index("group")
    assert summary.loc["giants", "covered_mks"] > 0.95  # 800 stars over 45 bins
    assert summary.loc["giants", "covered_bp_rp"] == 1.0
    assert summary.loc["giants", "mean_parallax"] == pytest.approx(giants["parallax"].mean())
    # Training stars that are all dwarfs cover no giant.
    dwarfs = training_groups(stars[stars["logg"] > 3.8], giants, "mks", max_ebv=0.02)
    uncovered = training_summary(dwarfs, training_histograms(dwarfs)).set_index("group")
    assert uncovered.loc["giants", "covered_mks"] == 0.0


def test_red_clump_pairs_allow_for_proper_motion():
    stars = pd.DataFrame({"source_id": [1, 2, 3], "ra": [10.0, 20.0, 30.0], "dec": 0.0, "pmdec": 0.0})
    stars = stars.assign(pmra=[0.0, 1000.0, 0.0], reference_parallax=[0.5, 0.4, 0.3])
    there = 20.0 - 16.0 / 3600.0  # where the fast star stood in 2000
    clump = pd.DataFrame({"ra": [10.0, there, 30.0], "dec": [0.0, 0.0, 0.01], "distance": [2.0, 2.0, 2.0]})
    how = {"release_epoch": 2016.0, "epoch": 2000.0, "radius_arcsec": 3.0}
    pairs = red_clump_pairs(stars, clump, **how)
    assert pairs["source_id"].tolist() == [1, 2] and pairs["difference"].to_numpy() == pytest.approx([0.0, -100.0])
    assert pairs["separation"].max() < 0.01 and len(red_clump_pairs(stars, clump.iloc[:0], **how)) == 0
    # Stars of another sample stand for a catalogue; the first has no distance, and the fast one the same epoch.
    other = stars.assign(reference_parallax=[np.nan, 0.5, 0.3])[::-1]
    pairs = red_clump_pairs(stars.assign(reference_parallax=0.51), clump_of_sample(other), **how | {"epoch": 2016.0})
    assert pairs["source_id"].tolist() == [2, 3] and pairs["difference"].to_numpy() == pytest.approx([10.0, 210.0])


def tilted_pairs() -> pd.DataFrame:
    """Equal true parallaxes, 8.5 % and 5 % errors of their logarithms, and a distribution that falls steeply."""
    rng = np.random.default_rng(11)
    true = 0.45 * rng.lognormal(0.0, 0.25, 60_000)
    ours, clump = (true * np.exp(error * rng.standard_normal(len(true))) for error in (0.085, 0.05))
    return pd.DataFrame({"reference_parallax": ours, "red_clump_parallax": clump, "difference": 1000 * (ours - clump)})


def test_binning_in_the_red_clump_parallax_tilts_and_the_symmetric_mean_does_not():
    pairs = tilted_pairs()
    symmetric = symmetric_parallax(pairs, reference_error=0.085, red_clump_error=0.05)
    abscissae = {"red_clump": pairs["red_clump_parallax"].to_numpy(), "mean": symmetric}
    trend = red_clump_trend(pairs, abscissae, width=50, min_stars=100, gaussian=GAUSSIAN)
    assert trend["n"].min() >= 100
    np.testing.assert_array_equal(trend["bin_high"] - trend["bin_low"], 50)
    assert ((trend["x_mean"] >= trend["bin_low"]) & (trend["x_mean"] < trend["bin_high"])).all()
    tilt = {name: np.polyfit(np.log(part["x_mean"]), part["median"], 1)[0] for name, part in trend.groupby("abscissa")}
    # Regression dilution: the slope of ln(ours) on ln(red clump) is 1 - 0.05^2 / (0.05^2 + 0.25^2).
    assert tilt["red_clump"] == pytest.approx(-100 * 0.05**2 / (0.05**2 + 0.25**2), rel=0.25)
    assert abs(tilt["mean"]) < 0.5
    summary = red_clump_summary(pairs, 12345, GAUSSIAN)
    assert len(summary) == 1 and summary["n"][0] == len(pairs) and summary["catalogue_rows"][0] == 12345
    assert summary["relative_scatter"][0] == pytest.approx(np.hypot(0.085, 0.05), rel=0.01)
    assert summary["mean"][0] == pytest.approx(pairs["difference"].mean())


def test_the_shipped_literature_has_its_signs_and_says_what_is_partly_known():
    refuses("literature.yaml: entry 0", from_literature, [{"paper": "x"}], "literature.yaml")
    path = ROOT / "workflow/resources/literature.yaml"
    rows = from_literature(yaml.safe_load(path.read_text(encoding="utf-8")), path)
    new = {row.label: [row.parallax, row.offset, row.error] for row in rows.itertuples()}
    assert new["Vasiliev & Baumgardt 2021, 170 globular clusters, G > 13"] == ["corrected", 10, 3]
    assert new["Molinaro et al. 2023, Cepheids"] == ["corrected", 22, 4]
    assert new["Riess et al. 2022, 17 cluster Cepheids (unconfirmed: sign)"] == ["corrected", 3, 4]
    assert new["Bobylev 2026, 151 VLBI masers and radio stars"] == ["raw", -38, 11]
    assert new["Ding et al. 2025, orbital parallaxes, G < 13"] == ["raw", -38.9, 10.3]
    assert new["Cruz Reyes & Anderson 2023, 28 clusters, 12.5 < G < 17"][:2] == ["corrected", 0]
    assert [label for label in rows["label"] if "unconfirmed" in label] == [label for label in new if "Riess" in label]
    assert max(map(len, rows["label"])) <= 58  # what the figure shows of a label
