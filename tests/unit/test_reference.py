"""Reference parallaxes against arithmetic that the paper states or that anyone can redo."""

import numpy as np
import pandas as pd
import pytest
import yaml
from unit.shared import ROOT, refuses

from gaia_offsets.core.columns import LEARNED, REFERENCE_KINDS
from gaia_offsets.sample.reference import extinction_ks, join_group, parallax_shift, reference_parallax

NAN, MODULUS = np.nan, 10 ** (2 - 11.58 / 5)  # Ks = 10, M_Ks = -1.61, A_Ks = 0.3 * 0.1: modulus 11.58
MKS = {"kind": "absolute_magnitude", "absolute_magnitude": "mks", "apparent_magnitude": "ks_m"}
MKS |= {"fractional_error": 0.085, "extinction": {"column": "ebv", "coefficient": 0.3}}
STAR = {"mks": [-1.61], "ks_m": [10.0], "ebv": [0.1]}


@pytest.mark.parametrize(
    ("parallax", "magnitude", "shift"),
    [(450.0, 0.0049, 1.015), (1500.0, 0.015, 10.36), (450.0, 0.006, 1.243)],  # Sect. 2.1 and 2.2
)
def test_magnitude_error_becomes_parallax_error(parallax, magnitude, shift):
    assert parallax_shift(parallax, magnitude) == pytest.approx(shift, rel=1e-3)


MODULI = {"distance_modulus": [10.0, 15.0], "distance_modulus_error": [0.1, NAN]}
DISTANCES = {"distance": [2.0, 0.0, NAN], "distance_error": [0.2, 0.1, 0.1]}
KPC = {"kind": "distance", "fractional_error": 0.5}  # the table's own error goes first
PARALLAXES = {"reference_parallax": [0.3, NAN], "reference_parallax_error": [0.01, 0.01]}


@pytest.mark.parametrize(
    ("table", "spec", "parallax", "error"),
    [
        (MODULI, {"kind": "distance_modulus"}, [1.0, 0.1], [0.1 * np.log(10) / 5, NAN]),
        (DISTANCES, KPC, [0.5, NAN, NAN], [0.05, NAN, NAN]),
        (STAR, MKS, [MODULUS], [0.085 * MODULUS]),
        (STAR, MKS | {"absolute_magnitude": -1.61}, [MODULUS], [0.085 * MODULUS]),
        ({"any": [1, 2]}, {"kind": "constant", "value_mas": 0.0}, [0.0, 0.0], [0.0, 0.0]),
        (PARALLAXES, {"kind": "parallax"}, [0.3, NAN], [0.01, 0.01]),
    ],
)
def test_every_kind_by_hand(table, spec, parallax, error):
    found = reference_parallax(pd.DataFrame(table), spec)
    assert found[0] == pytest.approx(parallax, nan_ok=True) and found[1] == pytest.approx(error, nan_ok=True)


def test_text_where_magnitudes_are_expected_is_refused():
    line = "reference parallax: 'mks' for absolute magnitude: the column holds text, such as 'bright', not numbers"
    refuses(line, reference_parallax, pd.DataFrame(STAR | {"mks": ["bright"]}), MKS)


def test_extinction_of_a_colour_excess_and_a_missing_column():
    table = pd.DataFrame({"j_m": [11.0], "ks_m": [10.2]})
    spec = {"blue": "j_m", "red": "ks_m", "intrinsic": 0.62, "coefficient": 0.5}
    assert extinction_ks(table, spec) == pytest.approx([0.09]) and extinction_ks(table, None) == [0.0]
    refuses("'ks_m'.*apparent magnitude", reference_parallax, pd.DataFrame({"mks": [1.0]}), MKS)


def test_group_distances_are_joined_by_key():
    stars = pd.DataFrame({"cluster": ["b", "a", "b"]})
    groups = pd.DataFrame({"cluster": ["a", "b"], "distance": [1.0, 2.0], "distance_error": [0.1, 0.2]})
    joined = join_group(stars, groups, "cluster")
    assert joined["distance"].tolist() == [2.0, 1.0, 2.0]
    assert reference_parallax(joined, {"kind": "group_distance"})[0].tolist() == [0.5, 1.0, 0.5]
    for faulty, words in (
        ({"cluster": ["a"], "distance": [1.0]}, "'b' and 0 others .2 rows"),
        ({"cluster": ["a", "a", "b"], "distance": [1.0, 1.0, 1.0]}, "'a'.*more than once"),
        ({"name": ["a"], "distance": [1.0]}, "groups.*'cluster'"),
    ):
        refuses(words, join_group, stars, pd.DataFrame(faulty), "cluster")


def test_every_kind_of_the_schema_has_a_parallax_and_a_kind_of_error():
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    kinds = schema["$defs"]["sample"]["properties"]["reference"]["properties"]["kind"]["enum"]
    assert set(kinds) == set(REFERENCE_KINDS)
    table = pd.DataFrame({**MODULI, "distance": 2.0, "reference_parallax": 0.5, LEARNED: -1.61, **PARALLAXES})
    table = table.assign(mks=-1.61, ks_m=10.0, ebv=0.1, learned_magnitude_error=0.1)
    for kind in kinds:
        parallax, _ = reference_parallax(table, {**MKS, "kind": kind, "value_mas": 0.0})
        assert np.isfinite(parallax[0]), kind
