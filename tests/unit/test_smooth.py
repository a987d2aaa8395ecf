"""The smooth map: closed forms of a Gaussian process and injected skies (simulated)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import check_grad
from smooth_map import smooth_maps

from gaia_offsets import smooth, weighted

NSIDE = 16
GRID = {"nside": NSIDE, "ordering": "nested"}


def sky(kernel: smooth.Kernel | None, seed: int, *, stars: int = 20_000, sd: float = 60.0):
    """Simulated stars in the northern pixels: their offsets with noise, their pixels, and the truth of all pixels."""
    rng = np.random.default_rng(seed)
    pixels = np.arange(12 * NSIDE**2)
    vectors = smooth.unit_vectors(pixels, **GRID)
    truth = np.full(len(pixels), 3.0)
    if kernel is not None:
        covariance = kernel.field(smooth.angles_deg(vectors, vectors)) + kernel.white * np.eye(len(pixels))
        truth += np.linalg.cholesky(covariance + 1e-6 * np.eye(len(pixels))) @ rng.standard_normal(len(pixels))
    north = pixels[vectors[:, 2] > 0.3]
    pixel = rng.choice(north, stars, p=rng.dirichlet(np.full(len(north), 0.7)))
    return truth[pixel] + sd * rng.standard_normal(stars), np.full(stars, sd**2), pixel, truth


def nodes_of(offset: np.ndarray, variance: np.ndarray, pixel: np.ndarray) -> smooth.Nodes:
    return smooth.gather(offset, smooth.robust_weights(offset, variance), pixel, np.zeros((len(offset), 0)))


def test_nodes_by_hand() -> None:
    nodes = smooth.gather(
        np.array([1.0, 4.0, 7.0, 9.0]), np.array([1.0, 0.25, 2.0, 0.0]), np.array([5, 5, 2, 9]), np.zeros((4, 0))
    )
    assert nodes.pixels.tolist() == [2, 5] and nodes.n.tolist() == [1, 2]
    assert nodes.offset == pytest.approx([7.0, 1.6]) and nodes.variance == pytest.approx([0.5, 0.8])


def test_slopes_of_the_likelihood() -> None:
    offset, variance, pixel, _ = sky(None, 1, stars=2000)
    nodes = nodes_of(offset, variance, pixel)
    vectors = smooth.unit_vectors(nodes.pixels, **GRID)
    halves = [slice(0, 150), slice(150, 300)]
    parts = [(smooth.angles_deg(vectors[h], vectors[h]), nodes.offset[h], nodes.variance[h]) for h in halves]
    for point in (np.log([100.0, 10.0, 30.0]), np.log([10.0, 40.0, 200.0])):
        error = check_grad(lambda x: smooth.likelihood(x, parts)[0], lambda x: smooth.likelihood(x, parts)[1], point)
        assert error < 1e-6


def test_posterior_is_that_of_the_textbook() -> None:
    """Universal kriging with a constant, by dense formulas (Rasmussen & Williams 2006, Eq. 2.41 and 2.42)."""
    rng = np.random.default_rng(2)
    kernel = smooth.Kernel(90.0, 12.0, 15.0)
    pixels, others = np.arange(0, 60, 2), np.arange(1, 60, 4)
    nodes = smooth.Nodes(pixels, rng.normal(0, 12, 30), rng.uniform(5, 300, 30), np.ones(30, dtype=int),
                         np.ones((30, 1)), (np.zeros((1, 1)), np.zeros(1)))  # fmt: skip
    at = smooth.unit_vectors(pixels, **GRID)
    field = smooth.fit_field(at, nodes, kernel)
    everywhere = np.concatenate([at, smooth.unit_vectors(others, **GRID)])
    prior = kernel.field(smooth.angles_deg(everywhere, everywhere))
    np.fill_diagonal(prior, kernel.amplitude + 15.0)  # an arc cosine near 1 is good to 1e-8 only
    inverse = np.linalg.inv(prior[:30, :30] + np.diag(nodes.variance))
    cross = prior[:, :30]
    one = np.ones(30)
    spread = 1.0 / (one @ inverse @ one)
    constant = spread * (one @ inverse @ nodes.offset)
    mean = constant + cross @ inverse @ (nodes.offset - constant)
    left = 1.0 - cross @ inverse @ one
    sd = np.sqrt(np.diag(prior - cross @ inverse @ cross.T) + left**2 * spread)
    assert field.offset == pytest.approx(mean[:30]) and field.error == pytest.approx(sd[:30])
    offset, error = smooth.predict(field, everywhere[30:], piece=4)
    assert offset == pytest.approx(mean[30:]) and error == pytest.approx(sd[30:])


@pytest.mark.parametrize(
    ("length_deg", "white", "noise", "kind"),
    [
        (20.0, 1e-5, (1.0, 2.5), "float32"),
        (20.0, 1e-5, (-1.0, 0.0), "float32"),
        (20.0, 10.0, (1.0, 8.0), "float32"),  # some nodes add next to nothing
        (1e7, 1e-5, (-5.0, -4.0), "float64"),  # singular in single precision
        (1e5, 1e-9, (-2.3, -2.0), "float64"),  # the refinement does not settle
    ],
)
def test_single_precision_is_refined_and_left_where_it_is_not_enough(
    monkeypatch: pytest.MonkeyPatch, length_deg: float, white: float, noise: tuple[float, float], kind: str
) -> None:
    rng = np.random.default_rng(4)
    pixels, kernel = np.sort(rng.choice(12 * NSIDE**2, 700, replace=False)), smooth.Kernel(120.0, length_deg, white)
    design = np.column_stack([np.ones(700), rng.normal(size=700), np.zeros(700)])
    within, variance = (np.diag([0.0, 5.0, 5.0]), np.array([0.0, 2.0, 1.0])), 10 ** rng.uniform(*noise, 700)
    nodes = smooth.Nodes(pixels, rng.normal(0, 12, 700), variance, np.ones(700, dtype=int), design, within)
    at, others = (
        smooth.unit_vectors(some, **GRID) for some in (pixels, np.setdiff1d(np.arange(12 * NSIDE**2), pixels))
    )
    double = smooth.fit_field(at, nodes, kernel)
    monkeypatch.setattr(smooth, "SINGLE", 0)
    monkeypatch.setattr(smooth, "PIECE", 150)
    single = smooth.fit_field(at, nodes, kernel)
    assert double.whitening.dtype == float and single.whitening.dtype == kind
    for name, rtol in {"offset": 1e-9, "coefficients": 1e-9, "covariance": 1e-9, "error": 2e-5}.items():
        np.testing.assert_allclose(getattr(single, name), getattr(double, name), rtol=rtol, atol=1e-12)
    for one, other, rtol in zip(
        smooth.predict(single, others), smooth.predict(double, others), (1e-9, 2e-5), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=1e-12)


def test_a_term_that_is_constant_in_each_pixel_teaches_the_kernel_nothing() -> None:
    """Few pixels with two stars among many with one: what differences of large sums leave is rounding."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        pixel = np.concatenate([np.arange(11_000), np.arange(80)])
        terms = np.column_stack([rng.normal(size=11_080), rng.normal(size=11_080)])
        terms[11_000:, 1] = terms[:80, 1]
        nodes = smooth.gather(rng.normal(0, 50, 11_080), rng.uniform(1e-4, 1e-3, 11_080), pixel, terms)
        matrix, right = nodes.within
        assert matrix[1, 1] > 0 and right[1] != 0
        assert not matrix[2].any() and not matrix[:, 2].any() and right[2] == 0


def test_an_injected_sky_comes_back() -> None:
    kernel = smooth.Kernel(150.0, 15.0, 10.0)
    offset, variance, pixel, truth = sky(kernel, 3)
    nodes = nodes_of(offset, variance, pixel)
    learned = smooth.fit_kernel(nodes, **GRID)
    assert 50.0 < learned.amplitude < 450.0 and 4.0 < learned.length_deg < 45.0
    table, _ = smooth.smooth_map(nodes, learned, **GRID, reach_deg=8.0)
    assert (table["hindex"].diff().dropna() > 0).all() and (table["error"] > 0).all()
    residual = table["offset"].to_numpy() - truth[table["hindex"]]
    here = table["n"].to_numpy() > 0
    assert np.sqrt(np.mean(residual[here] ** 2)) < 0.6 * np.sqrt(np.mean((nodes.offset - truth[nodes.pixels]) ** 2))
    for part in (here, ~here):  # 68 % within three binomial errors, those of correlated pixels being larger
        inside = np.mean(np.abs(residual[part]) < table["error"].to_numpy()[part])
        assert abs(inside - 0.683) < 3.0 * np.sqrt(0.22 / (0.3 * part.sum()))


def test_pixels_that_are_asked_for_are_those_of_the_whole_map() -> None:
    offset, variance, pixel, _ = sky(None, 11, stars=3000)
    nodes, kernel = nodes_of(offset, variance, pixel), smooth.Kernel(150.0, 15.0, 10.0)
    whole = smooth.smooth_map(nodes, kernel, **GRID, reach_deg=8.0)[0].set_index("hindex")
    empty = whole.index[whole["n"] == 0].to_numpy()
    wanted = np.concatenate([empty[::5], nodes.pixels[:20], [12 * NSIDE**2 - 1]])  # the last is out of reach
    part = smooth.smooth_map(nodes, kernel, **GRID, reach_deg=8.0, wanted=wanted)[0].set_index("hindex")
    assert sorted(part.index) == sorted([*nodes.pixels, *empty[::5]]) and len(empty[::5]) > 10
    pd.testing.assert_frame_equal(part, whole.loc[part.index], rtol=1e-9)


def test_a_sky_without_pattern_is_flat() -> None:
    offset, variance, pixel, _ = sky(None, 5)
    nodes = nodes_of(offset, variance, pixel)
    table, field = smooth.smooth_map(nodes, smooth.fit_kernel(nodes, **GRID), **GRID, reach_deg=0.0)
    assert table["hindex"].tolist() == nodes.pixels.tolist()  # nothing beyond the reach
    assert np.std(table["offset"]) < 0.1 * np.std(nodes.offset)
    assert field.coefficients[0] == pytest.approx(3.0, abs=4.0 * np.sqrt(field.covariance[0, 0]))


def test_ring_ordering_gives_the_same_map() -> None:
    import healpy as hp

    offset, variance, pixel, _ = sky(smooth.Kernel(150.0, 15.0, 10.0), 6, stars=4000)
    tables = []
    for ordering, index in (("nested", pixel), ("ring", hp.nest2ring(NSIDE, pixel))):
        nodes, grid = nodes_of(offset, variance, index), {"nside": NSIDE, "ordering": ordering}
        table, _ = smooth.smooth_map(nodes, smooth.fit_kernel(nodes, **grid), **grid, reach_deg=5.0)
        tables.append(
            table.assign(hindex=table["hindex"] if ordering == "nested" else hp.ring2nest(NSIDE, table["hindex"]))
        )
    again = tables[1].sort_values("hindex", ignore_index=True)
    pd.testing.assert_frame_equal(again, tables[0], rtol=1e-3, check_dtype=False)


def test_outliers_and_stars_without_errors_have_no_weight() -> None:
    weights = smooth.robust_weights(
        np.array([0.0, 1.0, -1.0, 500.0, 2.0, np.nan]), np.array([4.0, 4.0, 4.0, 4.0, np.nan, 4.0])
    )
    assert weights == pytest.approx([0.25, 0.25, 0.25, 0.0, 0.0, 0.0])


def test_dependence_on_magnitude_is_fitted_with_the_position() -> None:
    offset, variance, pixel, truth = sky(smooth.Kernel(150.0, 15.0, 0.0), 7, stars=30_000)
    rng = np.random.default_rng(8)
    # Stars of one part of the sky are fainter, so that position alone would take up the dependence.
    magnitude = 12.0 + (pixel % 200) / 100.0 + rng.normal(0.0, 0.5, len(pixel))
    offset = offset + 10.0 * (magnitude - magnitude.mean())
    magnitude[:100] = np.nan
    function = smooth.spline_function(magnitude, 3)
    terms = function(magnitude)
    assert np.abs(terms[100:].mean(axis=0)).max() < 1e-9 and not terms[:100].any()
    nodes = smooth.gather(offset, smooth.robust_weights(offset, variance), pixel, terms)
    table, field = smooth.smooth_map(nodes, smooth.fit_kernel(nodes, **GRID), **GRID, reach_deg=0.0)
    x = np.linspace(11.8, 14.0, 12)
    rows = function(x)
    curve, error = rows @ field.coefficients[1:], np.sqrt(smooth.squares(rows, field.covariance[1:, 1:]))
    assert np.abs((curve - 10.0 * (x - np.nanmean(magnitude))) / error).max() < 3.5
    pull = (table["offset"] - truth[table["hindex"]]) / table["error"]
    assert abs(pull.std() - 1.0) < 0.15


def test_too_few_pixels() -> None:
    offset, variance, pixel, _ = sky(None, 9, stars=200)
    few = pixel < np.unique(pixel)[9]
    with pytest.raises(smooth.NoMap, match="9 pixels"):
        smooth.fit_kernel(nodes_of(offset[few], variance[few], pixel[few]), **GRID)


def test_too_many_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smooth, "MAX_NODES", 20)
    nodes = nodes_of(*sky(None, 9, stars=200)[:3])
    with pytest.raises(smooth.NoMap, match=r"measure\.map\.nside"):
        smooth.fit_kernel(nodes, **GRID)


def test_a_pattern_larger_than_the_errors_makes_no_outliers() -> None:
    offset, variance, *_ = sky(smooth.Kernel(200.0, 15.0, 0.0), 4, sd=2.0)
    assert (smooth.robust_weights(offset, variance) > 0).all()


def test_few_stars_get_no_curves() -> None:
    stars = pd.DataFrame({"phot_g_mean_mag": np.linspace(9, 14, 300), "nu_eff_used_in_astrometry": 1.5})
    pixel = np.arange(300) // 2  # 150 stars besides one a pixel; two variables of six terms ask for 120 and 240
    assert not smooth.dependence(stars, 10, pixel)
    assert list(smooth.dependence(stars, 4, pixel)) == ["phot_g_mean_mag", "colour"]


def test_without_errors_there_is_no_map_and_the_reason_is_told() -> None:
    """A parallax of which nothing is known, as without an official correction, is no fault."""
    stars = pd.DataFrame(
        {"solution": "5p", "ra": np.linspace(0, 90, 40), "dec": 0.0, "l": 10.0, "b": 20.0}, index=range(40)
    )
    stars = stars.assign(parallax=1.0, parallax_corrected=np.nan, reference_parallax=1.1, parallax_error=np.nan)
    stars = stars.assign(reference_parallax_error=0.1, offset_raw=-100.0, offset_corrected=np.nan)
    row = dict.fromkeys(weighted.SCATTER, np.nan) | {"sky_factor": np.nan, "sky_extra": np.nan, "solution": "5p"}
    scatter = weighted.Scatter("parallax", pd.DataFrame([row | {"parallax": name} for name in ("raw", "corrected")]))
    maps, curves, made = smooth_maps([stars], "5p", scatter, **GRID, reach_deg=3.0, splines=0)
    assert [len(table) for table in (*maps.values(), curves)] == [0, 0, 0]
    assert made["warning"] == "no smooth map of raw parallaxes: no 5p star has errors of both parallaxes"
