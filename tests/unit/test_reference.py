"""Reference parallaxes against arithmetic that the paper states or that anyone can redo."""

import numpy as np
import pandas as pd
import pytest

from gaia_offsets.reference import extinction_ks, join_group, parallax_shift, reference_parallax
from gaia_offsets.tables import TableError


@pytest.mark.parametrize(
    ("parallax", "magnitude", "shift"),
    [(450.0, 0.0049, 1.015), (1500.0, 0.015, 10.36), (450.0, 0.006, 1.243)],  # Sect. 2.1 and 2.2
)
def test_magnitude_error_becomes_parallax_error(parallax, magnitude, shift):
    assert parallax_shift(parallax, magnitude) == pytest.approx(shift, rel=1e-3)


def test_distance_modulus_ten_is_one_kiloparsec():
    table = pd.DataFrame({"distance_modulus": [10.0, 15.0], "distance_modulus_error": [0.1, np.nan]})
    parallax, error = reference_parallax(table, {"kind": "distance_modulus"})
    assert parallax == pytest.approx([1.0, 0.1])
    assert error[0] == pytest.approx(0.1 * np.log(10) / 5) and np.isnan(error[1])


def test_distance_in_kpc():
    table = pd.DataFrame({"distance": [2.0, 0.0, np.nan], "distance_error": [0.2, 0.1, 0.1]})
    parallax, error = reference_parallax(table, {"kind": "distance"})
    assert parallax[0] == 0.5 and error[0] == pytest.approx(0.05)
    assert np.isnan(parallax[1:]).all() and np.isnan(error[1:]).all()


def test_absolute_magnitude_with_extinction():
    # Ks = 10, M_Ks = -1.61, A_Ks = 0.3 * 0.1: modulus 11.58
    table = pd.DataFrame({"mks": [-1.61], "ks_m": [10.0], "ebv": [0.1]})
    spec = {"kind": "absolute_magnitude", "absolute_magnitude": "mks", "apparent_magnitude": "ks_m"}
    spec |= {"extinction": {"column": "ebv", "coefficient": 0.3}, "fractional_error": 0.085}
    parallax, error = reference_parallax(table, spec)
    assert parallax[0] == pytest.approx(10 ** (2 - 11.58 / 5))
    assert error[0] == pytest.approx(0.085 * parallax[0])
    assert reference_parallax(table, spec | {"absolute_magnitude": -1.61})[0] == pytest.approx(parallax)


def test_extinction_of_a_colour_excess():
    table = pd.DataFrame({"j_m": [11.0], "ks_m": [10.2]})
    spec = {"blue": "j_m", "red": "ks_m", "intrinsic": 0.62, "coefficient": 0.5}
    assert extinction_ks(table, spec) == pytest.approx([0.09])
    assert extinction_ks(table, None) == [0.0]


def test_constant_and_parallax_column():
    table = pd.DataFrame({"reference_parallax": [0.3, np.nan], "reference_parallax_error": [0.01, 0.01]})
    assert reference_parallax(table, {"kind": "constant", "value_mas": 0.0})[0].tolist() == [0.0, 0.0]
    parallax, error = reference_parallax(table, {"kind": "parallax"})
    assert parallax[0] == 0.3 and np.isnan(parallax[1]) and error[0] == 0.01


def test_missing_column_is_named():
    with pytest.raises(TableError, match="no column 'ks_m' for apparent magnitude"):
        spec = {"kind": "absolute_magnitude", "absolute_magnitude": 0.0, "apparent_magnitude": "ks_m"}
        reference_parallax(pd.DataFrame({"mks": [1.0]}), spec)


def test_group_distances_are_joined_by_key():
    stars = pd.DataFrame({"cluster": ["b", "a", "b"]})
    groups = pd.DataFrame({"cluster": ["a", "b"], "distance": [1.0, 2.0], "distance_error": [0.1, 0.2]})
    joined = join_group(stars, groups, "cluster")
    assert joined["distance"].tolist() == [2.0, 1.0, 2.0]
    assert reference_parallax(joined, {"kind": "group_distance"})[0].tolist() == [0.5, 1.0, 0.5]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"cluster": ["a"], "distance": [1.0]}, "no distance for cluster 'b' and 0 others .2 rows"),
        ({"cluster": ["a", "a", "b"], "distance": [1.0, 1.0, 1.0]}, "cluster 'a' stands more than once"),
        ({"name": ["a"], "distance": [1.0]}, "the groups table has no column 'cluster'"),
    ],
)
def test_faulty_groups_are_refused(groups, message):
    with pytest.raises(TableError, match=message):
        join_group(pd.DataFrame({"cluster": ["b", "a", "b"]}), pd.DataFrame(groups), "cluster")
