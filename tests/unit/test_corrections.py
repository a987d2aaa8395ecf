"""Corrections as data: values of an independent implementation, each kind by hand, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import yaml
from unit.shared import ROOT, refused, refuses

from gaia_offsets.core.columns import TRACERS
from gaia_offsets.publish.dataset import at_centres
from gaia_offsets.publish.fields import TABLE1
from gaia_offsets.publish.write import write_dataset
from gaia_offsets.sample.corrections import with_offsets, zero_point_of
from gaia_offsets.sky.positions import pixel_index

FOLDER = ROOT / "workflow/scripts/gaia_offsets/data"
CORRECTIONS = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))["corrections"]
for block in CORRECTIONS.values():
    block |= {"path": str(FOLDER / block["file"])} if "file" in block else {}


def table(g, nu_eff, ecl_lat, solved=31, **more) -> pd.DataFrame:
    five = np.asarray(solved) == 31
    columns = {"phot_g_mean_mag": g, "ecl_lat": ecl_lat, "astrometric_params_solved": solved}
    columns |= {"nu_eff_used_in_astrometry": np.where(five, nu_eff, np.nan)}
    return pd.DataFrame({**columns, "pseudocolour": np.where(five, np.nan, nu_eff), **more})


def tracers(stars: pd.DataFrame, official: str = "lindegren2021", corrections=CORRECTIONS, **more) -> pd.DataFrame:
    return with_offsets(stars, official=official, corrections=corrections, **more)


# As MAIZ, of Ding et al. 2024, ecliptic latitudes as angles.
DING = [
    *[(8, 1.5, 0, -0.005044), (10, 1.45, 20, -0.002966), (12, 1.45, 20, -0.006189), (12.5, 1.45, 20, 0.004834)],
    *[(13.5, 1.48, 0, -0.020778), (15, 1.35, -45, -0.044639), (17, 1.25, 45, -0.016903), (17.8, 1.6, 60, -0.027803)],
    *[(18, 1.48, 30, -0.018886), (20, 1.6, 0, -0.013137)],
]


def test_ding_has_its_values_and_ends_at_20_deg_from_the_plane():
    g, nu_eff, latitude, expected = np.array(DING).T
    found = zero_point_of(table(g, nu_eff, latitude, b=-20.0), "ding2024", CORRECTIONS)
    assert found == pytest.approx(expected, abs=1e-6)
    edge = table([15.0] * 5, 1.35, -45.0, [31, 31, 31, 31, 95], b=[20.0, 20.001, -20.001, np.nan, 0.0])
    found = zero_point_of(edge, "ding2024", CORRECTIONS)
    assert np.isfinite(found).tolist() == [True, False, False, False, False]


def test_coefficients_by_hand(tmp_path):
    # At G 11, between the rows: q00 = 20, q01 = 4, q02 = 9, q30 = 2, q40 = 1; nu_eff 1.14, sin(30 deg) = 1/2.
    path = tmp_path / "q.csv"
    path.write_text("g_mag,q00_uas,q01_uas,q02_uas,q30_uas,q40_uas\n10,10,2,9,2,1\n12,30,6,9,2,1\n")
    corrections = {"mine": {"kind": "coefficients", "path": str(path)}}
    g, nu_eff = [11.0, 9.0, 13.0, 11.0, 11.0, 11.0], [1.14, 1.5, 1.5, 1.82, 1.95, 1.5]
    stars = table(g, nu_eff, 30.0, [31, 31, 31, 31, 31, 95])
    by_hand = [20 + 4 / 2 + 9 * (1 / 4 - 1 / 3) - 2 * 0.1, 10 + 1 - 0.75, 30 + 3 - 0.75, 22 - 0.75 + 0.1]
    by_hand += [np.nan, np.nan]
    assert 1000 * zero_point_of(stars, "mine", corrections) == pytest.approx(by_hand, nan_ok=True)
    # q10 and q20 act between 1.24 and 1.72, and stay what they are at these ends.
    path.write_text("g_mag,q10_uas,q20_uas\n10,100,1000\n12,100,1000\n")
    stars = table(11.0, [1.38, 1.58, 1.24, 1.14, 1.8], 30.0)
    by_hand = [-10 + 1.0, 10.0, -24 + 13.824, -24 + 13.824, 24.0]
    assert 1000 * zero_point_of(stars, "mine", corrections) == pytest.approx(by_hand)


def test_six_parameter_stars_take_the_correction_that_is_named_for_them():
    stars = table([12.0, 12.0, 12.0], 1.45, 20.0, [31, 95, 3])
    found = zero_point_of(stars, "maiz_apellaniz2022", CORRECTIONS)
    assert found[1] == pytest.approx(-0.023354, abs=1e-6)  # of Lindegren et al. 2021b
    assert np.isnan(found[2]) and abs(found[0] - found[1]) > 1e-3
    block = {name: value for name, value in CORRECTIONS["maiz_apellaniz2022"].items() if name != "six_parameter"}
    assert np.isnan(zero_point_of(stars, "five", {"five": block})[1])


def test_a_column_has_its_unit_and_none_is_zero():
    stars = table(12.0, [1.4, 1.4], 0.0, tentative_parallax_bias=pd.array([-25.0, None], dtype="Float64"))
    for unit, expected in (("uas", -0.025), ("mas", -25.0)):
        block = {"kind": "column", "column": "tentative_parallax_bias", "unit": unit}
        assert zero_point_of(stars, "dr4", {"dr4": block}) == pytest.approx([expected, np.nan], nan_ok=True)
    assert zero_point_of(stars, "none", CORRECTIONS).tolist() == [0.0, 0.0]


# ---------------------------------------------------------------- maps

META = {"release": "Gaia EDR3", "official": "lindegren2021", "frame": "equatorial", "nside": 32, "ordering": "nested"}
META |= {"solution": "5p"}


@pytest.fixture
def map_path(tmp_path):
    """A map of one pixel, that of ra 30, dec 20: +5 uas on the corrected, -20 on the published parallax."""
    pixel = pixel_index(np.array([30.0]), np.array([20.0]), nside=32, ordering="nested")
    table = at_centres(pd.Index(pixel), frame="equatorial", nside=32, ordering="nested")
    values = {"domega_corr": 5.0, "domega_noncorr": -20.0, "e_domega_corr": 1.0, "e_domega_noncorr": 1.0, "n": 60}
    path = tmp_path / "equatorial.ecsv"
    write_dataset(table.assign(**values), path, TABLE1, META)
    return str(path)


def on_the_map(on: str, path: str, release: str = "dr3") -> np.ndarray:
    stars = table([12.0, 12.0, 12.0], 1.45, 20.0, ra=[30.0, 200.0, np.nan], dec=[20.0, 20.0, 20.0])
    block = {"kind": "map", "dataset": path, "path": path, "on_top_of": on, "release": release}
    return zero_point_of(stars, "map", CORRECTIONS | {"map": block})


def test_a_map_goes_on_top_of_what_it_stands_on_alone_and_no_farther_than_its_pixels(map_path, tmp_path):
    known = [-0.024509 + 0.005, np.nan, np.nan]  # the model at (12, 1.45, 20); outside; no position
    assert on_the_map("lindegren2021", map_path) == pytest.approx(known, abs=1e-6, nan_ok=True)
    assert on_the_map("none", map_path) == pytest.approx([-0.020, np.nan, np.nan], nan_ok=True)  # the raw map
    line = "correction map: .* stands on lindegren2021, not on maiz_apellaniz2022"
    refuses(line, on_the_map, "maiz_apellaniz2022", map_path)
    refuses("is a map of Gaia EDR3, the sample is of dr4", on_the_map, "none", map_path, release="dr4")
    without = tmp_path / "equatorial.csv"
    lines = open(map_path, encoding="utf-8").read().splitlines()
    without.write_text("\n".join(line for line in lines if not line.startswith("#")).replace(" ", ","))
    refuses("does not state its frame; .* or use its .ecsv or .fits", on_the_map, "lindegren2021", str(without))


# ---------------------------------------------------------------- refusals


def test_unknown_names_missing_columns_and_bad_coefficients_are_refused(tmp_path):
    stars = table([12.0], 1.4, 0.0)
    refuses("'mine' is not one of none, lindegren2021", zero_point_of, stars, "mine", CORRECTIONS)
    for name, without in (("dr4", "bias"), ("lindegren2021", "ecl_lat"), ("maiz_apellaniz2022", "ecl_lat")):
        known = CORRECTIONS | {"dr4": {"kind": "column", "column": "bias"}}
        line = f"correction {name}: .* no column '{without}'"
        refuses(line, zero_point_of, stars.drop(columns=without, errors="ignore"), name, known)
    path = tmp_path / "q.csv"
    corrections = {"mine": {"kind": "coefficients", "path": str(path)}}
    for text, words in (
        ("g_mag,q50_uas\n10,1\n", "q00_uas to q42_uas"),
        ("g,q00_uas\n10,1\n", "should be g_mag"),
        ("g_mag,q00_uas\n10,1\n10,2\n", "g_mag should increase"),
        ("g_mag,q00_uas\n10,1\n11,\n", "g_mag should increase"),
        ("g_mag,q00_uas\n10,a\n11,b\n", "q00_uas should hold numbers"),
        ("g_mag,q00_uas\n10,1\n11,2,3\n", "line 3: 3 value"),
        ("g_mag,q00_uas\n10,1\n11\n", "line 3: 1 value"),
        ("g_mag,q00_uas,q00_uas\n10,1,2\n", "q00_uas"),
    ):
        path.write_text(text)
        refuses(words, zero_point_of, stars, "mine", corrections)


# ---------------------------------------------------------------- tracers

STARS = {"source_id": [1, 2, 3], "astrometric_params_solved": [31, 95, 31], "phot_g_mean_mag": [15.0, 15.0, 22.0]}
STARS |= {"nu_eff_used_in_astrometry": [1.35, np.nan, 1.5], "pseudocolour": [np.nan, 1.35, np.nan]}
STARS |= {"ecl_lat": [-45.0, -45.0, 0.0], "parallax": [0.5, 0.4, 0.3], "reference_parallax": [0.45, 0.45, 0.3]}
STARS = pd.DataFrame(STARS)


def test_offsets_are_gaia_minus_reference_in_microarcseconds():
    table = tracers(STARS)
    assert list(table.columns) == list(TRACERS) and table["solution"].tolist() == ["5p", "6p", "5p"]
    assert table["offset_raw"].tolist() == pytest.approx([50.0, -50.0, 0.0])
    corrected = [50 + 39.744, -50 + 40.913, np.nan]  # the third is outside the model
    assert table["offset_corrected"].tolist() == pytest.approx(corrected, abs=2e-3, nan_ok=True)
    none = tracers(STARS, official="none")
    assert none["offset_corrected"].isna().all() and none["offset_raw"].notna().all()


def test_no_zero_point_at_all_and_wrong_units_are_told():
    with refused("any of 3 stars.*nu_eff_used_in_astrometry"):
        tracers(STARS.assign(nu_eff_used_in_astrometry=np.nan, pseudocolour=np.nan))
    many = pd.concat([STARS.iloc[:2]] * 20, ignore_index=True)
    refuses("median of 40 stars.*units", tracers, many.assign(parallax=many["parallax"] * 1000))
    few = STARS.assign(parallax=[1.5, 1.4, 1.3])
    assert tracers(few)["offset_raw"].median() > 900


def test_further_corrections_stand_behind_the_columns_of_the_tracers():
    found = tracers(STARS, also=["maiz_apellaniz2022"])
    assert list(found.columns) == [*TRACERS, "zero_point_maiz_apellaniz2022"]
    assert found[list(TRACERS)].equals(tracers(STARS))
    assert found["zero_point_maiz_apellaniz2022"].tolist()[:2] == pytest.approx([-0.036349, -0.040913], abs=1e-6)
    turned = tracers(STARS, official="maiz_apellaniz2022", also=["lindegren2021"])
    assert turned["zero_point"].equals(found["zero_point_maiz_apellaniz2022"].rename("zero_point"))
    assert turned["offset_corrected"].iloc[0] == pytest.approx(50 + 36.349, abs=2e-3)
    more = CORRECTIONS | {"dr4": {"kind": "column", "column": "bias"}}
    refuses("correction dr4: the table has no column 'bias'", tracers, STARS, "none", more, also=["dr4"])


def test_inflated_errors_stand_in_the_place_of_published_ones(tmp_path):
    stars = STARS.assign(parallax_error=0.02, ruwe=[1.0, 1.0, np.nan])
    found = tracers(stars, inflate="maiz_apellaniz2022")
    assert found["parallax_error"].tolist() == pytest.approx([0.02 * 1.295, 0.02 * 1.295 * 1.25, np.nan], nan_ok=True)
    assert list(found.columns) == [*TRACERS, "parallax_error_published"]
    assert (found["parallax_error_published"] == 0.02).all()
    mild = tracers(stars.drop(columns="ruwe"), inflate="el_badry2021")["parallax_error"]
    assert (mild >= 0.02).all() and mild[0] == pytest.approx(0.02 * 1.0617 + 0.02 * 0.00023, abs=1e-5)
    with refused("maiz_apellaniz2022 gives no error for any of 3 stars; it takes .*ruwe"):
        tracers(stars.assign(ruwe=np.nan), inflate="maiz_apellaniz2022")


def test_a_sentinel_is_null_and_a_wrong_unit_is_told():
    stars = STARS.assign(bias=[-9999.0] + [-0.03] * (len(STARS) - 1))
    corrections = CORRECTIONS | {"mine": {"kind": "column", "column": "bias"}}
    found = tracers(stars, also=["mine"], corrections=corrections)["zero_point_mine"]
    assert np.isnan(found.iloc[0]) and (found.iloc[1:] == -0.03).all()
    refuses(r"mine.*unit", tracers, stars.assign(bias=-30.0), also=["mine"], corrections=corrections)
    # One of `also` may know none of the stars.
    none = tracers(stars.assign(bias=np.nan), also=["mine"], corrections=corrections)
    assert none["zero_point_mine"].isna().all() and none["zero_point"].notna().any()
