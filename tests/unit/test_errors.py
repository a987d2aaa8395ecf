"""True errors of Maiz Apellaniz 2022 and of El-Badry et al. 2021, by hand."""

import numpy as np
import pytest
from unit.shared import refuses

from gaia_offsets.sample.errors import error_factor, inflation, true_error
from gaia_offsets.sample.zero_points import published_table


def test_error_factors_by_hand():
    """Nodes of k: 1.24 at 15.25, 1.20 at 15.75, 2.62 and 1.14 at the ends; of ke: 1.28 at 14.5, 1.38 at 15.5."""
    g = [15.5, 15.5, 15.5, 15.5, 3.0, 21.0, 12.0]
    solved = [31, 95, 31, 95, 31, 31, 31]
    ruwe = [1.4, 1.0, 1.5, 3.0, 1.0, 1.5, 1.5]
    by_hand = [1.22, 1.22 * 1.25, 1.22 * 2.38, 1.22 * 1.25 * 2.38, 2.62, 1.14 * 2.32, 1.83 * 1.5]
    tables = [published_table(f"maiz_apellaniz2022_{name}").shape for name in ("zero_point_5p", "k")]
    assert tables == [(16, 9), (20, 2)] and error_factor(g, solved, ruwe) == pytest.approx(by_hand, rel=1e-12)
    assert np.isnan(error_factor([15.0] * 3 + [np.nan], [3, np.nan, 31, 31], [1.0, 1.0, np.nan, 1.0])).all()


def test_true_error_by_hand_and_of_an_error_of_0_which_is_none():
    expected = [np.sqrt(0.03**2 + 0.0103**2), np.nan]
    assert true_error([0.02, 0.0], np.array([1.5, 2.0])) == pytest.approx(expected, nan_ok=True)
    for factor in (-1.5, 0.0, [1.5], [[1.5], [1.5]]):
        refuses("factor should be 1 or more", true_error, [0.02, 0.03], factor)
    for wrong in ("elbadry2021", None):
        refuses("is none of maiz_apellaniz2022", error_factor, [15.0], [31], [1.0], inflate=wrong)
        refuses("is none of maiz_apellaniz2022", true_error, [0.02], 1.5, inflate=wrong)


def test_error_factors_of_el_badry():
    """Published values; at least 1, which the formula falls below at G 18.6; no RUWE, and no floor."""
    g, expected = [8, 10, 12, 12.65, 13, 14, 16, 18, 20], [1.133, 1.119, 1.224, 1.302, 1.269, 1.098, 1.046, 1.012, 1.0]
    found = error_factor(g, [31] * 9, inflate="el_badry2021")
    assert found == pytest.approx(expected, abs=6e-4) and found[-1] == 1.0
    assert (error_factor([18.5, 18.7], [95, 95], inflate="el_badry2021") > 1.0).tolist() == [True, False]
    assert np.isnan(error_factor([15.0, np.nan], [3, 31], inflate="el_badry2021")).all()
    assert true_error([0.02], np.array([1.5]), inflate="el_badry2021") == pytest.approx([0.03], rel=1e-12)
    assert [inflation(value) for value in (None, False, True)] == [None, None, "maiz_apellaniz2022"]
    refuses("'elbadry' is none of maiz_apellaniz2022, el_badry2021", inflation, "elbadry")
