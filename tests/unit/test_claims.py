"""Claims: the file holds the paper's numbers, measures give values computed by hand, patterns are found and missed."""

from __future__ import annotations

import re
from pathlib import Path

import check_claims
import numpy as np
import pandas as pd
import pytest
import yaml

from gaia_offsets import claims
from gaia_offsets.claims import Run

ROOT = Path(__file__).resolve().parents[2]
CLAIMS = check_claims.read_claims(ROOT / "config/claims.yaml")


def trend(values, error=1.0, solution="5p", parallax="raw", variable="phot_g_mean_mag", start=9.0, step=0.25):
    """trends.csv of one combination from the offsets of its bins."""
    values = np.asarray(values, dtype=float)
    x = start + step * (np.arange(len(values)) + 0.5)
    labels = {"solution": solution, "parallax": parallax, "variable": variable}
    bins = {"x_mean": x, "n": 150, "gaussian_mean": values, "gaussian_mean_error": error}
    return pd.DataFrame({**bins, **labels})


def sky(raw, corrected=None, error=2.0, latitude=None):
    """Map table of 5p stars with latitudes."""
    parts = []
    for parallax, values in (("raw", raw), ("corrected", raw if corrected is None else corrected)):
        values = np.asarray(values, dtype=float)
        place = np.linspace(-80, 80, len(values)) if latitude is None else latitude
        rows = {"hindex": np.arange(len(values)), "n": 80, "gaussian_mean": values, "gaussian_mean_error": error}
        parts.append(pd.DataFrame({**rows, "latitude": place, "solution": "5p", "parallax": parallax}))
    return pd.concat(parts, ignore_index=True)


def run(**tables) -> Run:
    return Run(tables, {"nside": 32, "more_than": 50})


NOISE = np.random.default_rng(2).standard_normal(40)


def test_the_paper_s_numbers_are_all_there():
    stated = {claim.get("published") for claim in CLAIMS}
    numbers = {268003, 5070, -27.9, -26.5, 2.6, 2.9, -17, 0.015, 0.0049, 10.3, 1.0, 1.2, 0.085, 49459, 3.6, 41, -1, 3}
    assert numbers | {12288, 3.36, 50, -30, 0} <= stated
    ids = " ".join(claim["id"] for claim in CLAIMS)
    for pattern in ("hump_10", "hump_12", "flat_g", "colour_kept", "ecliptic", "plane_raw", "map_corrected_within"):
        assert pattern in ids
    assert all(re.match(r"(Abstract|Sect\.|Fig\.)", claim["place"]) for claim in CLAIMS)


def test_arithmetic_and_quotations_have_verdicts_of_their_own_on_any_stars():
    for simulated, prefix in ((False, ""), (True, "simulated: ")):
        table = check_claims.check_claims(CLAIMS, run(), simulated=simulated)
        verdicts = table["verdict"].groupby([claim["kind"] for claim in CLAIMS]).unique()
        assert verdicts["arithmetic"].tolist() == [f"{prefix}arithmetic holds"]
        assert verdicts["quoted"].tolist() == [f"{prefix}quoted"]
    wrong = [{**claim, "published": claim["published"] + 1} for claim in CLAIMS if claim["id"] == "pixel_number"]
    assert check_claims.check_claims(wrong, run(), simulated=False)["verdict"].tolist() == ["arithmetic fails"]


def test_without_tables_nothing_is_tested_and_every_verdict_says_whose_stars():
    table = check_claims.check_claims(CLAIMS, run(), simulated=True)
    assert table["verdict"].str.startswith("simulated: ").all()
    of_stars = [claim["kind"] in ("number", "pattern") and claim["measure"] != "setting" for claim in CLAIMS]
    assert table[of_stars]["verdict"].str.contains("not testable: ").all() and table["reason"].str.len().min() > 10
    assert check_claims.check_claims(CLAIMS[:1], run(), simulated=False)["verdict"][0].startswith("not testable")
    assert list(table.columns) == check_claims.COLUMNS and len(table) == len(CLAIMS)


def check(name: str, *, simulated: bool = False, **tables) -> pd.Series:
    claim = next(claim for claim in CLAIMS if claim["id"] == name)
    return check_claims.check_claims([claim], run(**tables), simulated=simulated).iloc[0]


def test_simulated_stars_neither_agree_nor_differ_with_a_statement_on_the_sky():
    offsets = pd.DataFrame([{"solution": "5p", "parallax": "raw", "median": -3.0, "median_error": 0.5}])
    row = check("median_raw_5p", simulated=True, global_offsets=offsets)
    assert row["verdict"] == "simulated: not tested here" and row["reproduced"] == -3.0
    assert "the simulated ones: beyond the tolerance" in row["reason"] and "the injected" in row["reason"]


def test_a_number_is_compared_within_its_tolerance():
    def offsets(median):
        row = {"solution": "5p", "parallax": "raw", "median": median, "median_error": 0.5}
        return pd.DataFrame([row])

    good, bad = (check("median_raw_5p", global_offsets=offsets(median)) for median in (-28.4, -24.9))
    assert (good["verdict"], bad["verdict"]) == ("agrees", "differs")
    assert bad["difference"] == pytest.approx(3.0) and bad["difference_sigma"] == pytest.approx(6.0)
    unknown = check("median_raw_5p", global_offsets=offsets(np.nan))
    assert unknown["verdict"] == "not testable: the run has no value for it" and np.isnan(unknown["reproduced"])
    other = check("median_raw_6p", global_offsets=offsets(-27.9))
    assert other["verdict"] == "not testable: no rows of 6p, raw in the table global_offsets"


def test_a_hump_is_found_where_it_is():
    flat = NOISE[:24] - 30
    g = 9 + 0.25 * (np.arange(24) + 0.5)
    humped = flat + 15.0 * ((g > 12) & (g < 13))
    assert check("hump_12_5p", trends=trend(humped))["verdict"] == "agrees"
    assert check("hump_12_5p", trends=trend(flat))["verdict"] == "differs"
    assert check("hump_12_5p", trends=trend(flat - 15.0 * ((g > 12) & (g < 13))))["verdict"] == "differs"  # a dip
    assert "no bin of 5p in G = 13 to 14" in check("hump_12_5p", trends=trend(humped[:14]))["verdict"]
    value, error = claims.hump(run(trends=trend(humped)), "5p", "raw", inside=[12, 13], outside=[[11, 12], [13, 14]])
    assert value == pytest.approx(15, abs=3 * error)


def test_variation_is_told_from_noise_and_its_reduction_is_measured():
    wave = 10 * np.sin(np.arange(40))
    parts = [trend(NOISE + wave), trend(NOISE, parallax="corrected")]
    assert check("pattern_g_5p", trends=parts[0])["verdict"] == "agrees"
    assert check("pattern_g_5p", trends=trend(NOISE))["verdict"] == "differs"
    assert check("flat_g_5p", trends=pd.concat(parts))["verdict"] == "agrees"
    kept = pd.concat([trend(NOISE + wave), trend(NOISE + 0.8 * wave, parallax="corrected")])
    row = check("flat_g_5p", trends=kept)
    assert row["verdict"] == "differs" and row["reproduced"] == pytest.approx(0.8, abs=0.05)
    nothing = pd.concat([trend(NOISE), trend(NOISE, parallax="corrected")])
    assert "nothing to reduce" in check("flat_g_5p", trends=nothing)["verdict"]


def test_noise_alone_has_no_significance_on_average():
    rng = np.random.default_rng(6)
    errors = rng.uniform(1, 5, 40)
    sigmas = [claims._inconstancy(errors * rng.standard_normal(40), errors)[0] for _ in range(2000)]
    assert np.mean(sigmas) == pytest.approx(0, abs=0.1) and np.std(sigmas) == pytest.approx(1, abs=0.1)


def test_a_slope_is_significant_only_above_the_scatter_of_the_bins():
    def ecliptic(values):
        return trend(values, variable="sin_ecl_lat", start=-1.0, step=0.05)

    assert check("ecliptic_raw_5p", trends=ecliptic(NOISE - 30))["verdict"] == "agrees"
    assert check("ecliptic_raw_5p", trends=ecliptic(NOISE + np.arange(40)))["verdict"] == "differs"
    # The same slope under a scatter twenty times the errors is no trend.
    assert check("ecliptic_raw_5p", trends=ecliptic(20 * NOISE + 0.1 * np.arange(40)))["verdict"] == "agrees"
    value, error = claims.slope(run(trends=ecliptic(2.0 * np.arange(40))), "5p", "raw", "sin_ecl_lat")
    # Sum of (x - mean)^2 over 40 bins 0.05 wide: 0.05^2 * 40 * (40^2 - 1) / 12 = 13.325; errors of 1 uas.
    assert (value, error) == pytest.approx((40.0, 13.325**-0.5))


def test_means_are_weighted_by_the_inverse_square_of_the_errors():
    # Weights 1 and 1/4: (1 * 1 + 4 / 4) / 1.25 = 1.6 and 1.25^-0.5 = 0.894; the third bin lies elsewhere.
    bins = {"abscissa": "red_clump", "bin_low": [100, 150, 300], "bin_high": [150, 200, 350]}
    bins |= {"median": [1.0, 4.0, 99.0], "median_error": [1.0, 2.0, 0.1]}
    relative = claims.relative(run(red_clump_trend=pd.DataFrame(bins)), low=125, high=175)
    assert relative == pytest.approx((1.6, 1.25**-0.5))
    # The scatter of a level, 3 / sqrt(2) / sqrt(2) = 1.5, counts where it is larger than the errors say.
    level = "5p", "raw", "phot_g_mean_mag"
    assert claims.level(run(trends=trend([1, 4], error=[1, 2])), *level) == pytest.approx((1.6, 1.5))
    assert claims.level(run(trends=trend([4, 4], error=[1, 2])), *level) == pytest.approx((4.0, 1.25**-0.5))


def test_the_median_pixel_has_the_error_of_a_median():
    # Deviations from the mean, -30: 10, 0, 20, 10, 20; their squares sum to 1000, so that sd / sqrt(n) = sqrt(50).
    pixels = sky([-40, -30, -10, -20, -50, -999])
    pixels.loc[pixels["gaussian_mean"] == -999, "n"] = 50  # not more than 50
    measured = claims.pixel_median(run(map_equatorial=pixels), "raw")
    assert measured == pytest.approx((-30.0, 1.2533 * 50**0.5))
    assert claims.pixel_median(run(map_equatorial=sky([3, 9, 0, 0])), "raw")[0] == 1.5


def test_the_plane_is_compared_with_the_rest_by_the_size_of_the_offsets():
    # In the plane 40 and 20: mean 30, variance 200. Elsewhere 10, 14, 12: mean 12, variance 4. 10 deg is elsewhere.
    pixels = sky([-40, 20, 10, -14, -12], latitude=[-9.9, 5.0, 10.0, -30.0, 60.0])
    excess = claims.plane_excess(run(map_galactic=pixels), "raw", band_deg=10)
    assert excess == pytest.approx((18.0, (200 / 2 + 4 / 3) ** 0.5))
    with pytest.raises(claims.NotTestable, match="both sides"):
        claims.plane_excess(run(map_galactic=pixels), "raw", band_deg=5)


def test_shares_of_pixels_have_binomial_errors():
    pixels = run(map_equatorial=sky([-40, -30, -1, 0, 5]))
    assert claims.pixel_share(pixels, "raw", high=0) == pytest.approx((0.6, (0.6 * 0.4 / 5) ** 0.5))
    assert claims.pixel_share(pixels, "raw", low=-30, high=30)[0] == pytest.approx(0.6)
    assert claims.pixel_share(pixels, "raw") == (1.0, 0.2)  # not 0: one pixel more could have been outside


def test_patterns_on_the_map_are_tested():
    latitude = np.linspace(-80, 80, 200)
    values = np.tile(2 * NOISE, 5) - 25 - 20 * (np.abs(latitude) < 10)
    tables = {f"map_{frame}": sky(values, values + 28, latitude=latitude) for frame in ("equatorial", "galactic")}
    assert check("map_raw_negative", **tables)["verdict"] == "agrees"
    assert check("map_corrected_within", **tables)["verdict"] == "agrees"
    row = check("plane_raw", **tables)
    assert row["verdict"] == "agrees" and row["difference_sigma"] > 3
    assert check("map_pattern_kept", **tables)["reproduced"] == pytest.approx(1.0)
    few = {name: table.assign(n=50) for name, table in tables.items()}
    assert "fewer than 3 pixels" in check("map_median_raw", **few)["verdict"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tolerence": 1}, "median.tolerence: not a known key; did you mean tolerance?"),
        ({"measure": "ofset"}, "median.measure: 'ofset' is not a known one; did you mean offset?"),
        ({"with": {"solution": "5p", "paralax": "raw"}}, "median.with.paralax: offset takes no such; did you mean parallax?"),  # noqa: E501
        ({"with": {"solution": "5p"}}, "median.with.parallax: missing; offset needs it"),
        ({"kind": "nmber"}, "median.kind: 'nmber' is none of number, arithmetic, pattern, quoted"),
        ({"kind": "pattern"}, "median: a pattern needs one of at_least and at_most"),
        ({"place": None}, "median.place: missing"),
    ],
)  # fmt: skip
def test_faults_of_the_file_are_one_line_each(tmp_path, change, message):
    entry = {"id": "median", "text": "x", "place": "Sect. 3", "unit": "uas", "kind": "number", "published": 1}
    entry |= {"tolerance": 1, "measure": "offset"}
    entry["with"] = {"solution": "5p", "parallax": "raw", "statistic": "median"}
    entry = {key: value for key, value in {**entry, **change}.items() if value is not None}
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump([entry]), encoding="utf-8")
    with pytest.raises(check_claims.ClaimError) as fault:
        check_claims.read_claims(path)
    assert f"{path}: {message}" in str(fault.value).splitlines()


def test_twice_the_same_name_and_other_than_a_list_are_refused(tmp_path):
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump([CLAIMS[0], CLAIMS[0]]), encoding="utf-8")
    with pytest.raises(check_claims.ClaimError, match="spectra: stands more than once"):
        check_claims.read_claims(path)
    path.write_text("a: 1", encoding="utf-8")
    with pytest.raises(check_claims.ClaimError, match="should be a list"):
        check_claims.read_claims(path)


def test_a_file_that_is_no_yaml_is_named_in_one_line(tmp_path):
    path = tmp_path / "claims.yaml"
    path.write_text("- {id: a, text: [\n")
    with pytest.raises(check_claims.ClaimError, match=r"claims\.yaml: cannot be read as YAML") as caught:
        check_claims.read_claims(path)
    assert len(str(caught.value).splitlines()) == 1
