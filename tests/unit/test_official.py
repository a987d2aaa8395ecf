"""The wrapped official zero point against reference values (from the package's own tables)."""

import numpy as np
import pandas as pd
import pytest

from gaia_offsets.sample.official import zero_point

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


def test_reference_values_in_one_call_in_chunks_and_as_scalars():
    g, colour, latitude, expected = np.array(FIVE + SIX, dtype=float).T
    solved = np.repeat([31, 95], [len(FIVE), len(SIX)])
    nu_eff, pseudo = np.where(solved == 31, colour, np.nan), np.where(solved == 95, colour, np.nan)
    whole = zero_point(g, nu_eff, pseudo, latitude, solved)
    assert whole == pytest.approx(expected, abs=1.01e-6)
    assert (zero_point(g, nu_eff, pseudo, latitude, solved, chunk=3) == whole).all()
    assert zero_point(10.0, 1.5, None, 0.0, 31) == pytest.approx([-0.034606], abs=1e-6)
    assert zero_point([], [], [], [], []).shape == (0,)


def test_hand_check():
    # q00, q01, q02 between the nodes 17.5 and 19.0 of z5 (the file z5_200720.txt of the package)
    q = (-29.18 + 10.78 / 3, -0.09 + 6.07 / 3, 2.41 - 8.87 / 3)
    expected = (q[0] + q[1] + q[2] * 2 / 3) / 1000
    assert zero_point([18.0], [1.48], [None], [90.0], [31]) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize(
    ("known", "null"),
    [
        *[((6.0, 1.48, None, 31), (5.999, 1.48, None, 31)), ((21.0, 1.48, None, 31), (21.001, 1.48, None, 31))],
        *[((15.0, 1.1, None, 31), (15.0, 1.099, None, 31)), ((15.0, 1.9, None, 31), (15.0, 1.901, None, 31))],
        *[((15.0, None, 1.24, 95), (15.0, None, 1.2399, 95)), ((15.0, None, 1.72, 95), (15.0, None, 1.7201, 95))],
        *[((15.0, 1.5, 1.5, 31), (15.0, 1.5, 1.5, solved)) for solved in (3, 0, np.nan)],
    ],
)
def test_edges_of_the_range_are_included_and_beyond_is_null(known, null):
    g, nu, pseudo, solved = zip(known, null, strict=True)
    assert np.isfinite(zero_point(g, nu, pseudo, [10.0, 10.0], solved)).tolist() == [True, False]


@pytest.mark.parametrize(
    "colour", [np.ma.masked_array([1.5, 1.5], mask=[True, False]), pd.array([None, 1.5], dtype="Float64")]
)
def test_masked_values_are_not_used(colour):
    result = zero_point([15.0, 15.0], colour, [np.nan, np.nan], [0.0, 0.0], [31, 31])
    assert np.isfinite(result).tolist() == [False, True]
