"""The smooth map: closed forms of kriging and injected skies (simulated)."""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import check_grad
from smooth_map import smooth_maps
from unit.shared import refuses

from gaia_offsets.maps import kernel as smooth_kernel
from gaia_offsets.maps import nodes as smooth_nodes
from gaia_offsets.maps import windows as smooth_windows
from gaia_offsets.maps.kernel import Kernel, centres
from gaia_offsets.offsets.scatter import SCATTER, Scatter
from gaia_offsets.sky.healpix import hp

LEVEL = 4
PATTERN = Kernel(150.0, 15.0, 1.0, 10.0)
GRID = {"nside": 16, "ordering": "nested"}
KERNELS = {
    "none": Kernel(0.0, 100.0, 1.0, 0.0),
    "exponential": Kernel(120.0, 12.0, 1.0, 0.0),
    "rough, with a white part": Kernel(90.0, 12.0, 0.5, 15.0),
    "smooth": Kernel(150.0, 25.0, 2.0, 0.0),
    "white": Kernel(0.0, 12.0, 1.0, 60.0),
}


def covariance(kernel: Kernel, vectors: np.ndarray) -> np.ndarray:
    """By its formula, d the chord in degrees."""
    chord = np.degrees(np.linalg.norm(vectors[:, None] - vectors[None], axis=2))
    return kernel.amplitude * np.exp(-((chord / kernel.length_deg) ** kernel.power)) + kernel.white * np.eye(len(chord))


@cache
def root(kernel: Kernel) -> np.ndarray:
    """Of the covariance of all pixels."""
    pixels = np.arange(12 * 4**LEVEL)
    return np.linalg.cholesky(covariance(kernel, centres(pixels, LEVEL)) + 1e-6 * np.eye(len(pixels)))


def sky(kernel: Kernel, seed: int, *, stars: int = 20_000, sd: float = 60.0):
    """Simulated stars in the northern pixels: their offsets with noise, their pixels, and the truth of all pixels."""
    rng = np.random.default_rng(seed)
    pixels = np.arange(12 * 4**LEVEL)
    vectors = centres(pixels, LEVEL)
    truth = 3.0 + root(kernel) @ rng.standard_normal(len(pixels))
    north = pixels[vectors[:, 2] > 0.3]
    pixel = rng.choice(north, stars, p=rng.dirichlet(np.full(len(north), 0.7)))
    return truth[pixel] + sd * rng.standard_normal(stars), np.full(stars, sd**2), pixel, truth


def nodes_of(
    offset: np.ndarray, variance: np.ndarray, pixel: np.ndarray, terms: np.ndarray | None = None, level: int = LEVEL
) -> smooth_nodes.Nodes:
    terms = np.zeros((len(offset), 0)) if terms is None else terms
    weights = smooth_nodes.robust_weights(offset, variance, smooth_nodes.outlier_scale(offset, variance))
    sums = smooth_nodes.PixelSums(level, terms.shape[1])
    sums.add(offset, weights, pixel, terms)
    return sums.nodes()


def some_nodes(pixels: np.ndarray, level: int, kernel: Kernel, *, seed: int = 2, terms: int = 0) -> smooth_nodes.Nodes:
    """Nodes with offsets drawn from a kernel, and curves with the coefficients 0 and a covariance."""
    rng, count = np.random.default_rng(seed), len(pixels)
    variance, spread = rng.uniform(5, 300, count), rng.normal(size=(terms, terms))
    offset = rng.multivariate_normal(np.zeros(count), covariance(kernel, centres(pixels, level)) + np.diag(variance))
    n = np.ones(count, dtype=int)
    mean_terms = rng.normal(size=(count, terms))
    return smooth_nodes.Nodes(level, pixels, offset, variance, n, mean_terms, np.zeros(terms), spread @ spread.T)


def dense(nodes: smooth_nodes.Nodes, kernel: Kernel, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Universal kriging with a constant by dense formulas (Rasmussen & Williams 2006, Eq. 2.41 and 2.42)."""
    everything = np.union1d(nodes.pixels, wanted)
    prior = covariance(kernel, centres(everything, nodes.level))
    rows, here = np.searchsorted(everything, nodes.pixels), np.searchsorted(everything, wanted)
    inverse = np.linalg.inv(prior[np.ix_(rows, rows)] + np.diag(nodes.variance))
    cross, one = prior[np.ix_(here, rows)], np.ones(len(rows))
    spread = 1.0 / (one @ inverse @ one)
    matrix = cross @ inverse + np.outer(1.0 - cross @ inverse @ one, spread * (one @ inverse))  # of the offsets
    variance = np.diag(prior)[here] - np.einsum("ij,ij->i", cross @ inverse, cross)
    variance += (1.0 - cross @ inverse @ one) ** 2 * spread
    carried = matrix @ nodes.terms
    return matrix @ nodes.offset, np.sqrt(variance + np.einsum("ij,jk,ik->i", carried, nodes.covariance, carried))


def test_nodes_by_hand() -> None:
    sums = smooth_nodes.PixelSums(1, 0)
    sums.add(np.array([1.0, 4.0]), np.array([1.0, 0.25]), np.array([5, 5]), np.zeros((2, 0)))
    sums.add(np.array([7.0, 9.0]), np.array([2.0, 0.0]), np.array([2, 9]), np.zeros((2, 0)))
    nodes = sums.nodes()
    assert nodes.pixels.tolist() == [2, 5] and nodes.n.tolist() == [1, 2]
    assert nodes.offset == pytest.approx([7.0, 1.6]) and nodes.variance == pytest.approx([0.5, 0.8])


@pytest.mark.parametrize("point", [[0.8, 2.0, 1.0, 0.2], [0.1, 3.5, 1.7, 1.0], [2.0, 1.0, 0.4, 0.01]])
def test_slopes_of_the_likelihood(point: list[float]) -> None:
    nodes = some_nodes(np.arange(300), LEVEL, KERNELS["exponential"])
    at = centres(nodes.pixels, LEVEL)
    parts = slice(0, 140), slice(140, 300)
    blocks = [
        (smooth_kernel.log_distances(at[p], at[p]), nodes.offset[p] / 12.0, nodes.variance[p] / 144.0) for p in parts
    ]
    value, slopes = (lambda x, part=part: smooth_kernel.likelihood(x, blocks)[part] for part in (0, 1))
    assert check_grad(value, slopes, np.array(point)) < 1e-6


def test_likelihood_is_that_of_the_textbook() -> None:
    """Of one block: with the offsets' contrasts, in which no constant is (Patterson & Thompson 1971)."""
    kernel = KERNELS["rough, with a white part"]
    nodes = some_nodes(np.arange(40), LEVEL, kernel)
    at = centres(nodes.pixels, LEVEL)
    full = covariance(kernel, at) + np.diag(nodes.variance)
    contrasts = np.linalg.svd(np.ones((1, 40)))[2][1:]
    left = contrasts @ full @ contrasts.T
    value = np.linalg.slogdet(left)[1] + contrasts @ nodes.offset @ np.linalg.solve(left, contrasts @ nodes.offset)
    point = np.array([kernel.amplitude, np.log(kernel.length_deg), kernel.power, kernel.white])
    block = (smooth_kernel.log_distances(at, at), nodes.offset, nodes.variance)
    # The contrasts are orthonormal: ln det(1'1) comes back.
    assert 2 * 40 * smooth_kernel.likelihood(point, [block])[0] == pytest.approx(value + np.log(40.0), rel=1e-9)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_windows_against_a_dense_solution(kernel: Kernel) -> None:
    """A footprint with both poles and right ascension 0, and pixels around it; curves with errors."""
    pixels = np.arange(12 * 4**LEVEL)
    vectors = centres(pixels, LEVEL)
    inside = (np.abs(vectors[:, 2]) > 0.9) | ((vectors[:, 0] > 0.5) & (np.abs(vectors[:, 2]) < 0.5))
    chosen = pixels[inside & (np.random.default_rng(1).random(len(pixels)) < 0.7)]
    nodes, wanted = some_nodes(chosen, LEVEL, kernel, terms=2), pixels[inside]
    offset, error = dense(nodes, kernel, wanted)
    table = smooth_windows.smooth_map(nodes, [(kernel, 1.0)], reach_deg=30.0).set_index("hindex").loc[wanted]
    assert np.abs((table["offset"] - offset) / error).max() < 0.15
    assert (table["error"] / error).between(0.98, 1.05).all()


def test_coarse_maps_are_the_dense_solution_and_distant_fields_do_not_meet() -> None:
    """Where the sky is one window, nothing is approximated."""
    apart = np.concatenate([np.arange(20), 11 * 256 + np.arange(20)])
    every = [(level, np.arange(12 * 4**level), 3, "rough, with a white part", 180.0) for level in (0, 1, 3)]
    for (level, pixels, step, kernel, reach), most in zip([*every, (LEVEL, apart, 1, "exponential", 0.0)],
                                                          (1e-8, 1e-8, 0.02, 0.15), strict=True):  # fmt: skip
        nodes = some_nodes(pixels[::step], level, KERNELS[kernel], terms=1 if step > 1 else 0)
        table = smooth_windows.smooth_map(nodes, [(KERNELS[kernel], 1.0)], reach_deg=reach)
        offset, error = dense(nodes, KERNELS[kernel], pixels)
        assert table["hindex"].tolist() == pixels.tolist() and (np.abs(table["offset"] - offset) / error).max() < most


@pytest.mark.parametrize("finest", [1, 4, 5])
def test_a_window_holds_the_sky_once(finest: int) -> None:
    coarsest = max(finest - 3, 0)
    for cell in (0, 5, 12 * 4**coarsest - 1):
        window = smooth_windows.window(cell, coarsest, finest)
        seen = [smooth_windows.parts(cells, finest - level) for level, cells in window]
        assert sorted(np.concatenate(seen)) == list(range(12 * 4**finest))


def test_one_pixel_is_no_map_but_is_predicted() -> None:
    nodes = some_nodes(np.array([100]), LEVEL, KERNELS["none"])
    line = "1 pixels hold stars with errors, it takes 10"
    refuses(line, smooth_kernel.learn_kernels, nodes, error=smooth_kernel.NoMap)
    offset, variance = smooth_windows.predict(nodes, KERNELS["exponential"], np.array([100]))
    assert offset == pytest.approx(nodes.offset) and variance == pytest.approx(nodes.variance)  # all is the constant


def test_a_mixture_has_the_mean_and_the_variance_of_its_kernels() -> None:
    nodes = some_nodes(np.arange(40), LEVEL, KERNELS["exponential"])
    tables = [smooth_windows.smooth_map(nodes, [(kernel, 1.0)], reach_deg=3.0) for kernel in KERNELS.values()]
    weights = np.array([0.4, 0.3, 0.1, 0.15, 0.05])
    offset, error = (np.array([table[name] for table in tables]) for name in ("offset", "error"))
    table = smooth_windows.smooth_map(nodes, zip(KERNELS.values(), weights, strict=True), reach_deg=3.0)
    mean = weights @ offset
    assert table["offset"].to_numpy() == pytest.approx(mean)
    assert table["error"].to_numpy() ** 2 == pytest.approx(weights @ (error**2 + (offset - mean) ** 2))


def test_injected_skies_come_back() -> None:
    inside = []
    for seed in range(3, 9):
        offset, variance, pixel, truth = sky(PATTERN, seed)
        nodes = nodes_of(offset, variance, pixel)
        learned = smooth_kernel.learn_kernels(nodes)
        assert sum(weight for _, weight in learned) == pytest.approx(1.0, abs=1e-5)
        assert 50.0 < learned[0][0].amplitude < 450.0 and 4.0 < learned[0][0].length_deg < 60.0
        table = smooth_windows.smooth_map(nodes, learned, reach_deg=8.0)
        assert (table["hindex"].diff().dropna() > 0).all() and (table["error"] > 0).all()
        residual = table["offset"].to_numpy() - truth[table["hindex"]]
        here = table["n"].to_numpy() > 0
        own = nodes.offset - truth[nodes.pixels]
        assert np.sqrt(np.mean(residual[here] ** 2)) < 0.6 * np.sqrt(np.mean(own**2))
        within = np.abs(residual) < table["error"].to_numpy()
        inside.append([within[here].mean(), within[~here].mean()])
    assert np.abs(np.mean(inside, axis=0) - 0.683).max() < 0.06


def test_a_smooth_sky_gets_a_smooth_kernel_and_smaller_errors() -> None:
    offset, variance, pixel, truth = sky(KERNELS["smooth"], 4)
    nodes = nodes_of(offset, variance, pixel)
    learned = smooth_kernel.learn_kernels(nodes)
    assert learned[0][0].power > 1.5
    both = learned, [(Kernel(150.0, 25.0, 1.0, 0.0), 1.0)]
    smooth, rough = (smooth_windows.smooth_map(nodes, kernels, reach_deg=0.0) for kernels in both)
    assert smooth["error"].mean() < 0.8 * rough["error"].mean()
    assert 0.55 < np.mean(np.abs(smooth["offset"] - truth[smooth["hindex"]]) < smooth["error"]) < 0.85


def test_a_sky_without_pattern_gets_no_kernel() -> None:
    offset, variance, pixel, _ = sky(KERNELS["none"], 5)
    nodes = nodes_of(offset, variance, pixel)
    learned = smooth_kernel.learn_kernels(nodes)
    kernel, weight = learned[0]
    assert kernel.amplitude == kernel.white == 0.0 and weight > 0.5
    table = smooth_windows.smooth_map(nodes, learned, reach_deg=0.0)
    assert table["hindex"].tolist() == nodes.pixels.tolist()  # nothing beyond the reach
    assert np.std(table["offset"]) < 0.05 * np.std(nodes.offset)
    # What other kernels would leave is in the error: more than that of the mean, no more than what goes unnoticed.
    mean_error = 1.0 / np.sqrt(np.sum(1.0 / nodes.variance))
    assert mean_error < table["error"].mean() < smooth_kernel.unnoticed(nodes)
    assert np.average(table["offset"], weights=1 / nodes.variance) == pytest.approx(3.0, abs=4.0 * mean_error)


def test_what_goes_unnoticed_is_the_scatter_of_a_pattern_s_variance() -> None:
    rng, variance = np.random.default_rng(6), np.random.default_rng(7).uniform(5, 300, 400)
    found, weight = [], 1.0 / variance
    for _ in range(2000):
        offset = rng.normal(0.0, np.sqrt(variance))
        square = weight @ (offset - np.average(offset, weights=weight)) ** 2 - (len(weight) - 1)
        found.append(square / (weight.sum() - weight @ weight / weight.sum()))
    nodes = smooth_nodes.Nodes(LEVEL, np.arange(400), variance, variance, np.ones(400), np.zeros((400, 0)), np.zeros(0),
                               np.zeros((0, 0)))  # fmt: skip
    assert np.sqrt(np.std(found)) == pytest.approx(smooth_kernel.unnoticed(nodes), rel=0.03)


def test_pixels_that_are_asked_for_are_those_of_the_whole_map() -> None:
    offset, variance, pixel, _ = sky(KERNELS["none"], 11, stars=3000)
    nodes, kernels = nodes_of(offset, variance, pixel), [(Kernel(150.0, 15.0, 1.0, 10.0), 1.0)]
    whole = smooth_windows.smooth_map(nodes, kernels, reach_deg=8.0).set_index("hindex")
    empty = whole.index[whole["n"] == 0].to_numpy()
    wanted = np.concatenate([empty[::5], nodes.pixels[:20], [12 * 4**LEVEL - 1]])  # the last is out of reach
    part = smooth_windows.smooth_map(nodes, kernels, reach_deg=8.0, wanted=wanted).set_index("hindex")
    assert sorted(part.index) == sorted([*nodes.pixels, *empty[::5]]) and len(empty[::5]) > 10
    pd.testing.assert_frame_equal(part, whole.loc[part.index], rtol=1e-9)


def test_outliers_and_stars_without_errors_have_no_weight() -> None:
    offset, variance = np.array([0.0, 1.0, -1.0, 500.0, 2.0, np.nan]), np.array([4.0, 4.0, 4.0, 4.0, np.nan, 4.0])
    weights = smooth_nodes.robust_weights(offset, variance, smooth_nodes.outlier_scale(offset, variance))
    assert weights == pytest.approx([0.25, 0.25, 0.25, 0.0, 0.0, 0.0])
    offset, variance, *_ = sky(Kernel(200.0, 15.0, 1.0, 0.0), 4, sd=2.0)  # a pattern larger than the errors makes none
    assert (smooth_nodes.robust_weights(offset, variance, smooth_nodes.outlier_scale(offset, variance)) > 0).all()


@pytest.mark.parametrize("level", [LEVEL, 7])
def test_curves_come_back_with_their_errors(level: int) -> None:
    """Also where few pixels hold two stars: stars are compared inside pixels of level 5."""
    pulls, rng = [], np.random.default_rng(8)
    for seed in range(12):
        offset, variance, pixel, _ = sky(KERNELS["exponential"], seed, stars=8000)
        fine = pixel * 4 ** (level - LEVEL) + rng.integers(0, 4 ** (level - LEVEL), len(pixel))
        # Stars of one part of the sky are fainter, so that position alone would take up the dependence.
        magnitude = 12.0 + (pixel % 200) / 100.0 + rng.normal(0.0, 0.5, len(pixel))
        terms = smooth_nodes.curve_terms(magnitude, 3)
        nodes = nodes_of(offset + 10.0 * (magnitude - magnitude.mean()), variance, fine, terms(magnitude), level)
        x = np.linspace(11.8, 14.0, 5)
        curve, rows = 10.0 * (x - magnitude.mean()), terms(x)
        pulls.append((rows @ nodes.coefficients - curve) / np.sqrt(np.diag(rows @ nodes.covariance @ rows.T)))
    assert 0.7 < np.std(pulls) < 1.3 and np.abs(pulls).max() < 4.0


def test_a_curve_is_level_beyond_its_corners_and_knows_no_nulls_and_few_stars_get_none() -> None:
    x = np.append(np.linspace(10.0, 14.0, 1000), np.nan)
    terms = smooth_nodes.curve_terms(x, 3)
    assert np.abs(terms(x)[:-1].mean(axis=0)).max() < 1e-9 and not terms(x)[-1].any()
    assert terms(np.array([14.0, 20.0]))[0] == pytest.approx(terms(np.array([14.0, 20.0]))[1])
    for none in (np.full(5, np.nan), np.full(5, 12.0)):
        assert smooth_nodes.curve_terms(none, 3)(x).shape == (1001, 0)
    stars = pd.DataFrame({"phot_g_mean_mag": np.linspace(9, 14, 300), "colour": 1.5})
    pixel = np.arange(300) // 2  # 150 stars besides one a pixel; two variables of n terms ask for 20 n
    assert not smooth_nodes.curves_of(stars, 8, pixel) and not smooth_nodes.curves_of(stars, 0, pixel)
    assert list(smooth_nodes.curves_of(stars, 7, pixel)) == ["phot_g_mean_mag", "colour"]


def test_a_term_that_is_constant_in_each_pixel_is_no_curve() -> None:
    """Few pixels with two stars among many with one: what differences of large sums leave is rounding."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        pixel = np.concatenate([np.arange(11_000), np.arange(80)])
        terms = np.column_stack([rng.normal(size=11_080), rng.normal(size=11_080)])
        terms[11_000:, 1] = terms[:80, 1]
        sums = smooth_nodes.PixelSums(5, 2)
        sums.add(rng.normal(0, 50, 11_080), rng.uniform(1e-4, 1e-3, 11_080), pixel, terms)
        nodes = sums.nodes()
        assert nodes.covariance[0, 0] > 0 and not nodes.covariance[1].any()
        assert nodes.coefficients[0] != 0 and nodes.coefficients[1] == 0


def mapped(offset: np.ndarray, pixel: np.ndarray, **how: Any) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Maps of tracers in the centres of pixels, with these offsets in both parallaxes, and what is told of them."""
    ra, dec = hp.pix2ang(GRID["nside"], pixel, nest=True, lonlat=True)
    stars = pd.DataFrame({"solution": "5p", "ra": ra, "dec": dec, "l": ra, "b": dec, "phot_g_mean_mag": 12.0})
    stars = stars.assign(colour=1.5, reference_parallax=1.0, reference_parallax_error=1e-9, parallax_error=0.06)
    parallax = 1.0 + offset / 1000.0
    stars = stars.assign(parallax=parallax, parallax_corrected=parallax, offset_raw=offset, offset_corrected=offset)
    row = dict.fromkeys(SCATTER, 0.0) | {"sky_factor": 1.0, "sky_extra": 0.0, "solution": "5p", "factor": 1.0}
    scatter = Scatter("parallax", pd.DataFrame([row | {"parallax": name} for name in ("raw", "corrected")]))
    maps, _, made = smooth_maps(stars, "5p", scatter, **GRID | {"reach_deg": 5.0, "splines": 0} | how)
    return maps, made


def test_ring_ordering_gives_the_same_map() -> None:
    offset, _, pixel, _ = sky(PATTERN, 6, stars=4000)
    (nested, made), (ring, same) = (mapped(offset, pixel, ordering=ordering) for ordering in ("nested", "ring"))
    assert same == made | {"ordering": "ring"} and made["warning"] is None
    for frame, table in ring.items():
        assert (table.groupby("parallax")["hindex"].diff().dropna() > 0).all()
        again = table.assign(hindex=hp.ring2nest(16, table["hindex"])).sort_values(["parallax", "hindex"])
        expected = nested[frame].sort_values(["parallax", "hindex"], ignore_index=True)
        pd.testing.assert_frame_equal(again.reset_index(drop=True), expected)


def test_smooth_json_says_what_would_go_unnoticed_and_warns_of_few_stars_and_pixels() -> None:
    offset, _, pixel, _ = sky(KERNELS["none"], 12, stars=4000)
    _, made = mapped(offset, pixel)
    facts = made["kernels"]["corrected"]
    assert facts["pixels"] == len(np.unique(pixel)) and facts["mixture"][0]["amplitude"] == 0.0
    assert 0.5 < facts["unnoticed_uas"] < 60.0
    offset, _, pixel, _ = sky(PATTERN, 12, stars=300)
    assert "a pixel with any: the errors of raw are too small" in mapped(offset, pixel, reach_deg=0.0)[1]["warning"]
    few = pixel < np.unique(pixel)[9]
    maps, made = mapped(offset[few], pixel[few])
    assert not len(maps["equatorial"])
    assert "no smooth map of raw parallaxes: 9 pixels hold stars with errors, it takes 10" in made["warning"]


def test_without_errors_there_is_no_map_and_the_reason_is_told() -> None:
    """A parallax of which nothing is known, as without an official correction, is no fault."""
    stars = pd.DataFrame({"solution": "5p", "ra": np.linspace(0, 90, 40), "dec": 0.0, "l": 10.0, "b": 20.0})
    stars = stars.assign(parallax=1.0, parallax_corrected=np.nan, reference_parallax=1.1, parallax_error=np.nan)
    stars = stars.assign(reference_parallax_error=0.1, offset_raw=-100.0, offset_corrected=np.nan)
    row = dict.fromkeys(SCATTER, np.nan) | {"sky_factor": np.nan, "sky_extra": np.nan, "solution": "5p"}
    scatter = Scatter("parallax", pd.DataFrame([row | {"parallax": name} for name in ("raw", "corrected")]))
    maps, curves, made = smooth_maps(stars, "5p", scatter, **GRID, reach_deg=3.0, splines=0)
    assert [len(table) for table in (*maps.values(), curves)] == [0, 0, 0]
    assert made["warning"] == "no smooth map of raw parallaxes: no 5p star has errors of both parallaxes"
