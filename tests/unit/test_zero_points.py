"""Zero points by model, against the published package, its own tables and another implementation."""

import warnings

import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from astropy.table import MaskedColumn
from astropy.utils.masked import Masked
from unit.shared import MAIZ, refused, refuses
from zero_point import zpt

from gaia_offsets.publish.fields import MODELS, OFFICIAL
from gaia_offsets.sample import zero_points
from gaia_offsets.sample.zero_points import published_table, zero_point, zero_point_5p

NODES = published_table("maiz_apellaniz2022_zero_point_5p")


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
    assert np.isfinite(zero_point(OFFICIAL, g, nu, pseudo, [10.0, 10.0], solved)).tolist() == [True, False]


@pytest.mark.parametrize(("g", "nu_eff", "latitude", "expected"), MAIZ)
def test_zero_points_of_another_implementation(g, nu_eff, latitude, expected):
    assert zero_point_5p([g], [nu_eff], [latitude], NODES)[0] == pytest.approx(expected, abs=1e-6)
    assert zero_point("maiz_apellaniz2022", g, nu_eff, None, latitude, 31) == pytest.approx(expected, abs=1e-6)


def test_coefficients_are_constant_outside_their_nodes_and_null_outside_the_model() -> None:
    middle = NODES[NODES["g_mag"].between(10, 15)]
    ends = zero_point_5p([6.0, 9.9, 16.0, 21.0, 5.9, 21.1], [1.5] * 6, [30.0] * 6, middle)
    assert ends[0] == ends[1] and ends[2] == ends[3] and ends[0] != ends[3] and np.isnan(ends[4:]).all()
    nothing = zero_point_5p([np.nan, 15.0, 15.0, 15.0], [1.5, np.nan, 1.5, 1.0], [0.0, 0.0, np.nan, 0.0], NODES)
    assert np.isnan(nothing).all()


def mixed(n: int) -> dict[str, np.ndarray]:
    """Random stars of all solutions, some of them beyond the model's range, each with the colour of its solution."""
    rng = np.random.default_rng(11)
    solution, g = rng.choice([31, 95, 3], n, p=[0.5, 0.4, 0.1]), rng.uniform(5.0, 22.0, n)
    colour = np.where(solution == 31, rng.uniform(1.0, 2.0, n), rng.uniform(1.2, 1.76, n))
    stars = {"g": g, "nu_eff": np.where(solution == 31, colour, np.nan)}
    stars |= {"pseudocolour": np.where(solution == 95, colour, np.nan)}
    return {**stars, "ecl_lat": rng.uniform(-90.0, 90.0, n), "solution": solution}


def test_a_random_mix_of_5p_and_6p_is_that_of_the_published_package_with_nulls_where_it_warns(monkeypatch) -> None:
    stars = mixed(5000)
    solution, whole = stars["solution"], zero_point(OFFICIAL, **stars)
    zpt.load_tables()
    known = np.isin(solution, (31, 95))
    arrays = [np.nan_to_num(values[known]) for values in stars.values()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        silent = zpt.get_zpt(*arrays, _warnings=True)  # beyond the range it is a number of no meaning, with a warning
    strict = zpt.get_zpt(*arrays, _warnings=False)
    inside = np.isfinite(strict)
    np.testing.assert_array_equal(whole[known][inside], silent[inside])
    assert np.isnan(whole[known][~inside]).all() and np.isnan(whole[~known]).all()
    assert 500 < inside.sum() < known.sum() - 500
    monkeypatch.setattr(zero_points, "CHUNK", 300)
    np.testing.assert_array_equal(zero_point(OFFICIAL, **stars), whole)
    for row in (*np.flatnonzero(solution == 31)[:20], *np.flatnonzero(solution == 95)[:20]):
        one = zero_point(OFFICIAL, **{name: values[row].item() for name, values in stars.items()})
        assert isinstance(one, float)
        np.testing.assert_array_equal(one, whole[row])


@pytest.mark.parametrize("model", MODELS)
def test_arrays_of_every_kind_give_the_same_and_an_input_that_is_null_gives_null(model: str) -> None:
    stars = mixed(200)
    whole = zero_point(model, **stars)
    mask = np.arange(200) % 3 == 0
    expected = np.where(mask, np.nan, whole)
    units = {"g": u.mag, "nu_eff": 1 / u.um, "pseudocolour": 1 / u.um, "ecl_lat": u.deg, "solution": u.one}
    needed = dict.fromkeys(stars, True) | {"nu_eff": stars["solution"] == 31, "pseudocolour": stars["solution"] == 95}
    for name, values in stars.items():
        for other in (
            np.ma.masked_array(values, mask),
            pd.Series(values).convert_dtypes().mask(mask),
            MaskedColumn(values, mask=mask, unit=units[name]),
            Masked(values * units[name], mask),
            np.where(mask, None, values.astype(object)).tolist(),
        ):
            found = zero_point(model, **{**stars, name: other})
            np.testing.assert_array_equal(found, np.where(needed[name], expected, whole))


def test_single_nulls_and_what_cannot_be() -> None:
    with refused("model 'lindegren' is none of lindegren2021, maiz_apellaniz2022"):
        zero_point("lindegren", 15.0, 1.5, None, 0.0, 31)
    assert zero_point(OFFICIAL, [], [], [], [], []).shape == (0,)
    for null in (None, np.nan, pd.NA, np.ma.masked):
        assert np.isnan(
            [zero_point(OFFICIAL, null, 1.5, None, 0.0, 31), zero_point(OFFICIAL, 15, 1.5, 1.5, 0, null)]
        ).all()
    refuses("outside -90 to 90 deg", zero_point, OFFICIAL, 15.0, 1.5, None, 95.0, 31)
