"""The wrapped official zero point against reference values (from the package's own tables)."""

import numpy as np
import pandas as pd
import pytest

from gaia_offsets.columns import TRACERS
from gaia_offsets.official import with_offsets, zero_point
from gaia_offsets.tables import TableError

FIVE = [
    *[(10, 1.5, 0, -0.034606), (12, 1.45, 20, -0.024509), (12.5, 1.45, 20, -0.016645), (13, 1.48, 0, -0.034093)],
    *[(13.5, 1.48, 0, -0.043384), (14, 1.4, 30, -0.038574), (15, 1.35, -45, -0.039744), (16, 1.6, 60, -0.024256)],
    *[(17, 1.25, 45, -0.047079), (18, 1.48, 90, -0.024018), (18, 1.48, -90, -0.027884), (20, 1.6, 0, -0.010163)],
    *[(15, 1.15, 0, -0.077748), (15, 1.8, 0, -0.032770)],
]
SIX = [
    *[(12, 1.45, 20, -0.023354), (14, 1.4, 30, -0.038325), (15, 1.35, -45, -0.040913), (17, 1.6, 60, -0.012075)],
    (20, 1.5, 0, -0.012171),
]


def test_reference_values_in_one_call():
    g, colour, latitude, expected = np.array(FIVE + SIX, dtype=float).T
    solved = np.repeat([31, 95], [len(FIVE), len(SIX)])
    nu_eff, pseudo = np.where(solved == 31, colour, np.nan), np.where(solved == 95, colour, np.nan)
    assert zero_point(g, nu_eff, pseudo, latitude, solved) == pytest.approx(expected, abs=1.01e-6)


def test_hand_check():
    # q00, q01, q02 between the nodes 17.5 and 19.0 of z5 (the file z5_200720.txt of the package)
    q = (-29.18 + 10.78 / 3, -0.09 + 6.07 / 3, 2.41 - 8.87 / 3)
    assert zero_point([18.0], [1.48], [None], [90.0], [31]) == pytest.approx(
        (q[0] + q[1] + q[2] * 2 / 3) / 1000, abs=2e-6
    )


def test_edges_of_the_range_are_included_and_beyond_is_null():
    g = [6.0, 21.0, 5.999, 21.001, 15.0, 15.0, 15.0, 15.0]
    nu = [1.48, 1.48, 1.48, 1.48, 1.1, 1.9, 1.099, 1.901]
    result = zero_point(g, nu, [None] * 8, [10.0] * 8, [31] * 8)
    assert np.isfinite(result).tolist() == [True, True, False, False, True, True, False, False]
    result = zero_point([15.0] * 4, [None] * 4, [1.24, 1.72, 1.2399, 1.7201], [0.0] * 4, [95] * 4)
    assert np.isfinite(result).tolist() == [True, True, False, False]


@pytest.mark.parametrize("solved", [3, 0, np.nan])
def test_other_solutions_are_null_and_do_no_harm(solved):
    result = zero_point([15.0, 15.0], [1.5, 1.5], [1.5, 1.5], [0.0, 0.0], [solved, 31])
    assert np.isnan(result[0]) and np.isfinite(result[1])


def test_masked_values_are_not_used():
    masked = np.ma.masked_array([1.5, 1.5], mask=[True, False])
    result = zero_point([15.0, 15.0], masked, [np.nan, np.nan], [0.0, 0.0], [31, 31])
    assert np.isnan(result[0]) and np.isfinite(result[1])
    nullable = pd.array([None, 1.5], dtype="Float64")
    assert np.isnan(zero_point([15.0, 15.0], nullable, [np.nan] * 2, [0.0, 0.0], [31, 31])).tolist() == [True, False]


def test_chunks_and_scalars_change_nothing():
    g, nu, latitude, _ = np.array(FIVE, dtype=float).T
    whole = zero_point(g, nu, nu * np.nan, latitude, np.full(len(g), 31))
    assert (zero_point(g, nu, nu * np.nan, latitude, np.full(len(g), 31), chunk=3) == whole).all()
    assert zero_point(10.0, 1.5, None, 0.0, 31) == pytest.approx([-0.034606], abs=1e-6)
    assert zero_point([], [], [], [], []).shape == (0,)


def stars():
    return pd.DataFrame(
        {
            "source_id": [1, 2, 3],
            "astrometric_params_solved": [31, 95, 31],
            "phot_g_mean_mag": [15.0, 15.0, 22.0],
            "nu_eff_used_in_astrometry": [1.35, np.nan, 1.5],
            "pseudocolour": [np.nan, 1.35, np.nan],
            "ecl_lat": [-45.0, -45.0, 0.0],
            "parallax": [0.5, 0.4, 0.3],
            "reference_parallax": [0.45, 0.45, 0.3],
        }
    )


def test_offsets_are_gaia_minus_reference_in_microarcseconds():
    table = with_offsets(stars(), official="lindegren2021")
    assert list(table.columns) == list(TRACERS)
    assert table["offset_raw"].tolist() == pytest.approx([50.0, -50.0, 0.0])
    assert table["offset_corrected"].tolist()[:2] == pytest.approx([50 + 39.744, -50 + 40.913], abs=2e-3)
    assert table["solution"].tolist() == ["5p", "6p", "5p"]


def test_outside_the_model_only_the_corrected_offset_is_null():
    table = with_offsets(stars(), official="lindegren2021")
    assert np.isnan(table["offset_corrected"][2]) and np.isfinite(table["offset_raw"][2])
    none = with_offsets(stars(), official="none")
    assert none["offset_corrected"].isna().all() and none["offset_raw"].notna().all()


def test_no_zero_point_at_all_and_wrong_units_are_told():
    with pytest.raises(TableError, match="none for any of 3 stars; no values in nu_eff_used_in_astrometry"):
        table = stars().assign(nu_eff_used_in_astrometry=np.nan, pseudocolour=np.nan)
        with_offsets(table, official="lindegren2021")
    many = pd.concat([stars().iloc[:2]] * 20, ignore_index=True)
    with pytest.raises(TableError, match=r"the median of 40 stars is .* mas.*check the units"):
        with_offsets(many.assign(parallax=many["parallax"] * 1000), official="lindegren2021")
    few = stars().assign(parallax=[1.5, 1.4, 1.3])
    assert with_offsets(few, official="lindegren2021")["offset_raw"].median() > 900
