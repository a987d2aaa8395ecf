"""Claims: the file holds the paper's numbers, measures give values computed by hand, patterns are found and missed."""

import re

import numpy as np
import pandas as pd
import pytest
import yaml
from unit.shared import ROOT, refuses

from gaia_offsets.paper import claims
from gaia_offsets.paper import verdicts as check_claims
from gaia_offsets.paper.claims import Run

CLAIMS = check_claims.read_claims(ROOT / "workflow/resources/claims.yaml")
NOISE = np.random.default_rng(2).standard_normal(40)


def trend(values, error=1.0, parallax="raw", variable="phot_g_mean_mag", start=9.0, step=0.25):
    """trends.csv of 5p stars from the offsets of its bins."""
    x = start + step * (np.arange(len(values)) + 0.5)
    bins = {"x_mean": x, "n": 150, "gaussian_mean": np.asarray(values, float), "gaussian_mean_error": error}
    return pd.DataFrame({**bins, "solution": "5p", "parallax": parallax, "variable": variable})


def sky(raw, corrected=None, latitude=None):
    """Map table of 5p stars with latitudes."""
    parts = []
    for parallax, values in (("raw", raw), ("corrected", raw if corrected is None else corrected)):
        place = np.linspace(-80, 80, len(values)) if latitude is None else latitude
        rows = {"hindex": np.arange(len(values)), "n": 80, "gaussian_mean": np.asarray(values, float)}
        rows |= {"gaussian_mean_error": 2.0, "latitude": place, "solution": "5p", "parallax": parallax}
        parts.append(pd.DataFrame(rows))
    return pd.concat(parts, ignore_index=True)


def run(**tables) -> Run:
    return Run(tables, {"nside": 32, "more_than": 50}, "5p")


def check(name: str, *, simulated: bool = False, **tables) -> pd.Series:
    claim = next(claim for claim in CLAIMS if claim["id"] == name)
    return check_claims.check_claims([claim], run(**tables), simulated=simulated).iloc[0]


def verdict(name: str, **tables) -> str:
    return check(name, **tables)["verdict"]


def test_the_paper_s_numbers_are_all_there():
    stated = {claim.get("published") for claim in CLAIMS}
    numbers = {268003, 5070, -27.9, -26.5, 2.6, 2.9, -17, 0.015, 0.0049, 10.3, 1.0, 1.2, 0.085, 49459, 3.6, 41, -1, 3}
    assert numbers | {12288, 3.36, 50, -30, 0} <= stated
    ids = " ".join(claim["id"] for claim in CLAIMS)
    for pattern in ("hump_10", "hump_12", "flat_g", "colour_kept", "ecliptic", "plane_raw", "map_corrected_within"):
        assert pattern in ids
    assert all(re.match(r"(Abstract|Sect\.|Fig\.)", claim["place"]) for claim in CLAIMS)


@pytest.mark.parametrize("simulated", [False, True])
def test_what_needs_no_star_has_a_verdict_without_tables_and_the_rest_has_none(simulated):
    prefix = "simulated: " if simulated else ""
    table = check_claims.check_claims(CLAIMS, run(), simulated=simulated)
    assert list(table.columns) == check_claims.COLUMNS and len(table) == len(CLAIMS)
    verdicts = table["verdict"].groupby([claim["kind"] for claim in CLAIMS]).unique()
    assert verdicts["arithmetic"].tolist() == [f"{prefix}arithmetic holds"]
    assert verdicts["quoted"].tolist() == [f"{prefix}quoted"]
    of_stars = [claim["kind"] in ("number", "pattern") and claim["measure"] != "setting" for claim in CLAIMS]
    assert table[of_stars]["verdict"].str.startswith(f"{prefix}not testable: ").all()
    assert table["verdict"].str.startswith(prefix).all() and (table["reason"][of_stars].str.len() > 10).all()
    wrong = [{**claim, "published": claim["published"] + 1} for claim in CLAIMS if claim["id"] == "pixel_number"]
    fails = check_claims.check_claims(wrong, run(), simulated=simulated)
    assert fails["verdict"].tolist() == [f"{prefix}arithmetic fails"]


def test_a_number_is_compared_within_its_tolerance_on_real_stars_alone():
    def offsets(median):
        row = {"solution": "5p", "parallax": "raw", "median": median, "median_error": 0.5}
        return {"global_offsets": pd.DataFrame([row])}

    bad = check("median_raw_5p", **offsets(-24.9))
    assert (verdict("median_raw_5p", **offsets(-28.4)), bad["verdict"]) == ("agrees", "differs")
    assert (bad["difference"], bad["difference_sigma"]) == pytest.approx((3.0, 6.0))
    unknown = check("median_raw_5p", **offsets(np.nan))
    assert unknown["verdict"].startswith("not testable") and np.isnan(unknown["reproduced"])
    assert re.match("not testable.*6p, raw.*global_offsets", verdict("median_raw_6p", **offsets(-27.9)))
    other_release = pd.DataFrame({"step": [0, 1], "kept_single": [5, 4]})
    assert verdict("stars_5p", cutflow=other_release).startswith("not testable: the cut flow has no kept_5p")
    row = check("median_raw_5p", simulated=True, **offsets(-3.0))
    assert row["verdict"] == "simulated: not tested here" and row["reproduced"] == -3.0
    assert "the simulated ones: beyond the tolerance" in row["reason"] and "the injected" in row["reason"]


def test_a_hump_is_found_where_it_is():
    flat, g = NOISE[:24] - 30, 9 + 0.25 * (np.arange(24) + 0.5)
    hump = 15.0 * ((g > 12) & (g < 13))
    for values, expected in ((flat + hump, "agrees"), (flat, "differs"), (flat - hump, "differs")):
        assert verdict("hump_12_5p", trends=trend(values)) == expected
    assert "G = 13 to 14" in verdict("hump_12_5p", trends=trend((flat + hump)[:14]))
    value, error = claims.hump(run(trends=trend(flat + hump)), "5p", "raw", [12, 13], [[11, 12], [13, 14]])
    assert value == pytest.approx(15, abs=3 * error)


def test_variation_is_told_from_noise_and_its_reduction_is_measured():
    wave = NOISE + 10 * np.sin(np.arange(40))
    assert verdict("pattern_g_5p", trends=trend(wave)) == "agrees"
    assert verdict("pattern_g_5p", trends=trend(NOISE)) == "differs"

    def flat(raw, corrected):
        return check("flat_g_5p", trends=pd.concat([trend(raw), trend(corrected, parallax="corrected")]))

    rng = np.random.default_rng(6)
    errors = rng.uniform(1, 5, 40)
    sigmas = [claims._inconstancy(errors * rng.standard_normal(40), errors)[0] for _ in range(2000)]
    assert np.mean(sigmas) == pytest.approx(0, abs=0.1) and np.std(sigmas) == pytest.approx(1, abs=0.1)  # noise alone
    assert flat(wave, NOISE)["verdict"] == "agrees"
    row = flat(wave, NOISE + 8 * np.sin(np.arange(40)))
    assert row["verdict"] == "differs" and row["reproduced"] == pytest.approx(0.8, abs=0.05)
    assert "nothing to reduce" in flat(NOISE, NOISE)["verdict"]


def test_a_slope_is_significant_only_above_the_scatter_of_the_bins():
    def ecliptic(values):
        return trend(values, variable="sin_ecl_lat", start=-1.0, step=0.05)

    line = np.arange(40)
    for values, expected in ((NOISE - 30, "agrees"), (NOISE + line, "differs"), (NOISE - line, "differs")):
        assert verdict("ecliptic_raw_5p", trends=ecliptic(values)) == expected
    # A slope under a scatter twenty times the errors is no trend.
    assert verdict("ecliptic_raw_5p", trends=ecliptic(20 * NOISE + 0.1 * line)) == "agrees"
    value, error = claims.slope(run(trends=ecliptic(2.0 * line)), "5p", "raw", "sin_ecl_lat")
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


def test_the_median_pixel_has_the_error_of_a_median_and_shares_have_binomial_ones():
    # Deviations from the mean, -30: 10, 0, 20, 10, 20; their squares sum to 1000, so that sd / sqrt(n) = sqrt(50).
    pixels = sky([-40, -30, -10, -20, -50, -999])
    pixels.loc[pixels["gaussian_mean"] == -999, "n"] = 50  # not more than 50
    measured = claims.pixel_median(run(map_equatorial=pixels), "raw")
    assert measured == pytest.approx((-30.0, 1.2533 * 50**0.5))
    assert claims.pixel_median(run(map_equatorial=sky([3, 9, 0, 0])), "raw")[0] == 1.5
    pixels = run(map_equatorial=sky([-40, -30, -1, 0, 5]))
    assert claims.pixel_share(pixels, "raw", high=0) == pytest.approx((0.6, (0.6 * 0.4 / 5) ** 0.5))
    assert claims.pixel_share(pixels, "raw", low=-30, high=30)[0] == pytest.approx(0.6)
    assert claims.pixel_share(pixels, "raw") == (1.0, 0.2)  # not 0: one pixel more could have been outside


def test_the_plane_is_compared_with_the_rest_by_the_size_of_the_offsets():
    # In the plane 40 and 20: mean 30, variance 200. Elsewhere 10, 14, 12: mean 12, variance 4. 10 deg is elsewhere.
    pixels = sky([-40, 20, 10, -14, -12], latitude=[-9.9, 5.0, 10.0, -30.0, 60.0])
    excess = claims.plane_excess(run(map_galactic=pixels), "raw", band_deg=10)
    assert excess == pytest.approx((18.0, (200 / 2 + 4 / 3) ** 0.5))
    refuses("both sides", claims.plane_excess, run(map_galactic=pixels), "raw", band_deg=5, error=claims.NotTestable)


def test_patterns_on_the_map_are_tested():
    latitude = np.linspace(-80, 80, 200)
    values = np.tile(2 * NOISE, 5) - 25 - 20 * (np.abs(latitude) < 10)
    tables = {f"map_{frame}": sky(values, values + 28, latitude=latitude) for frame in ("equatorial", "galactic")}
    for name in ("map_raw_negative", "map_corrected_within", "plane_raw"):
        assert verdict(name, **tables) == "agrees"
    assert check("plane_raw", **tables)["difference_sigma"] > 3
    assert check("map_pattern_kept", **tables)["reproduced"] == pytest.approx(1.0)
    few = {name: table.assign(n=50) for name, table in tables.items()}
    assert "fewer than 3 pixels" in verdict("map_median_raw", **few)


ENTRY = {"id": "median", "text": "x", "place": "Sect. 3", "unit": "uas", "kind": "number", "published": 1}
ENTRY |= {"tolerance": 1, "measure": "offset", "with": {"solution": "5p", "parallax": "raw", "statistic": "median"}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tolerence": 1}, "median.tolerence: .*mean tolerance"),
        ({"measure": "ofset"}, "median.measure: 'ofset'.*mean offset"),
        ({"with": {**ENTRY["with"], "paralax": "raw"}}, "median.with.paralax: offset.*mean parallax"),
        ({"with": {"solution": "5p"}}, "median.with.parallax: missing; offset"),
        ({"kind": "nmber"}, "median.kind: 'nmber'.*number, arithmetic, pattern, quoted"),
        ({"kind": "pattern"}, "median: .*at_least and at_most"),
        ({"place": None}, "median.place: missing"),
    ],
)
def test_faults_of_the_file_are_one_line_each(tmp_path, change, message):
    entry = {key: value for key, value in {**ENTRY, **change}.items() if value is not None}
    faults = faults_of(tmp_path, yaml.safe_dump([entry]))
    assert any(re.match(f".*claims.yaml: {message}", fault) for fault in faults)


def test_other_files_are_refused_in_one_line(tmp_path):
    twice = yaml.safe_dump([CLAIMS[0], CLAIMS[0]])
    for text, words in ((twice, "spectra: .*more than once"), ("a: 1", "list"), ("- {id: a, text: [\n", "YAML")):
        (fault,) = faults_of(tmp_path, text)
        assert re.match(rf".*claims\.yaml(:2)?: .*{words}", fault)


def faults_of(folder, text: str) -> list[str]:
    (folder / "claims.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(check_claims.Fault) as fault:
        check_claims.read_claims(folder / "claims.yaml")
    return str(fault.value).splitlines()
