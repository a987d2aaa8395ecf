"""Figures are drawn from tables of every shape, name what they show, keep text on the canvas, repeat to the byte."""

from functools import cache, partial
from itertools import combinations as combinations_of

import healpy as hp
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from unit.shared import SOLUTIONS

from gaia_offsets.report.figures_corrections import draw_corrections
from gaia_offsets.report.figures_cutflow import draw_cutflow
from gaia_offsets.report.figures_dependence import draw_dependence
from gaia_offsets.report.figures_magnitudes import draw_magnitudes
from gaia_offsets.report.figures_maps import draw_counts, draw_maps
from gaia_offsets.report.figures_offsets import draw_offsets, draw_scale, draw_trends
from gaia_offsets.report.figures_red_clump import draw_red_clump
from gaia_offsets.report.figures_samples import draw_sample_scales, draw_sample_trends, draw_samples
from gaia_offsets.report.figures_smooth import draw_smooth
from gaia_offsets.report.figures_training import draw_training
from gaia_offsets.report.skymap import Mollweide, Zenithal, choose_projection
from gaia_offsets.report.style import save_figure

TITLE = "Simulated giants (toy survey)"
UAS = r"$\mu$as"
MADE = {"nside": 32, "ordering": "nested", "more_than": 50, "chosen_by": "config"}


def drawn(draw, maps, made=MADE, **about):
    """A figure of the 5p rows of the maps."""
    maps = {frame: table[table["solution"] == "5p"] for frame, table in maps.items()}
    return draw(maps, made, "5p", title=TITLE, **about)


fig6 = partial(drawn, draw_maps, colour_range=[-60, 60])
counts = partial(drawn, draw_counts)
SPANS = {"phot_g_mean_mag": (11, 15), "colour": (1.3, 1.6), "sin_ecl_lat": (-0.4, 1.0)}
TRENDS = {"title": TITLE, "min_stars": 100, "joined": {s: dict.fromkeys(SPANS, 1) for s in ("5p", "6p")}}
ALL = {s: dict.fromkeys(SPANS, 14) for s in ("5p", "6p")}
FIT = ["gaussian_mean", "gaussian_mean_error", "gaussian_sd"]


def statistics(n: np.ndarray, mean: float) -> pd.DataFrame:
    """Statistics [uas] of groups of n stars: the offsets differ by a few uas from group to group."""
    n = np.asarray(n)
    error = 65.0 / np.sqrt(n)
    middle = mean + 5.0 * np.sin(np.arange(len(n)))
    columns = {"n": n, "median": middle + 0.3, "median_error": 1.25 * error, "mean": middle - 1.0, "mean_error": error}
    return pd.DataFrame({**columns, "sd": 80.0, **dict(zip(FIT, (middle, error, 65.0), strict=True))})


def combinations(solutions: tuple[str, ...] = ("5p", "6p")) -> list[tuple[str, str, float]]:
    return [(s, p, mean) for s in solutions for p, mean in (("raw", -28.0), ("corrected", 2.6))]


def global_tables(solutions: tuple[str, ...] = ("5p", "6p")) -> tuple[pd.DataFrame, pd.DataFrame]:
    edges = np.arange(-400.0, 401.0, 10.0)
    histograms, offsets = [], []
    for solution, parallax, mean in combinations(solutions):
        n = {"5p": 8000, "6p": 300}[solution]
        middle = (edges[1:] + edges[:-1]) / 2
        count = np.round(n * 10 / (65 * np.sqrt(2 * np.pi)) * np.exp(-0.5 * ((middle - mean) / 65) ** 2)).astype(int)
        bins = {"bin_low": edges[:-1], "bin_high": edges[1:], "count": count}
        histograms.append(pd.DataFrame({"solution": solution, "parallax": parallax, **bins}))
        offsets.append(statistics([n], mean).assign(solution=solution, parallax=parallax))
    return pd.concat(histograms), pd.concat(offsets)


def trends_table(solutions: tuple[str, ...] = ("5p", "6p")) -> pd.DataFrame:
    parts = []
    for solution, parallax, mean in combinations(solutions):
        for variable, (low, high) in SPANS.items():
            edges = np.linspace(low, high, 13)
            bins = {"bin_low": edges[:-1], "bin_high": edges[1:], "x_mean": (edges[1:] + edges[:-1]) / 2}
            labels = {"solution": solution, "parallax": parallax, "variable": variable}
            parts.append(statistics(np.full(12, 150), mean).assign(**labels, **bins))
    return pd.concat(parts, ignore_index=True)


def map_table(hindex: np.ndarray, solutions: tuple[str, ...] = ("5p",), n: int = 70) -> pd.DataFrame:
    counts = np.full(len(hindex), n)
    rows = [(statistics(counts, mean), s, p) for s, p, mean in combinations(solutions)]
    parts = [part.assign(solution=s, parallax=p, hindex=hindex) for part, s, p in rows]
    return pd.concat(parts, ignore_index=True)


def patch(longitude: float, latitude: float, radius: float) -> np.ndarray:
    return hp.query_disc(32, hp.ang2vec(longitude, latitude, lonlat=True), np.radians(radius), nest=True)


def northern() -> np.ndarray:
    _, latitude = hp.pix2ang(32, np.arange(12288), nest=True, lonlat=True)
    return np.flatnonzero(latitude > -10)


def maps(hindex: np.ndarray, change=lambda table: table, **settings) -> dict[str, pd.DataFrame]:
    return {frame: change(map_table(hindex, **settings)) for frame in ("equatorial", "galactic")}


def cutflow_table() -> pd.DataFrame:
    criteria = ["rows of the targets table", "1.1 <= nu_eff_used_in_astrometry <= 1.9 (5p)", "cost in $ < 3 and $ > 1"]
    criteria.append("a_column_with_a_very_long_name_that_nobody_should_use_but_somebody_will >= 17")
    kept = np.array([7_100_000, 41_000, 300, 0])
    counts = {"kept": kept, "removed": -np.diff(kept, prepend=kept[0])}
    counts |= {"kept_5p": kept * 95 // 100, "kept_6p": kept // 50}
    return pd.DataFrame({"step": range(4), "criterion": criteria, **counts})


def without(table: pd.DataFrame) -> pd.DataFrame:
    return table.iloc[:0]


def with_nulls(table: pd.DataFrame) -> pd.DataFrame:
    """Every third row has no Gaussian fit, every fifth no error of it."""
    table = table.reset_index(drop=True)
    table.loc[table.index % 3 == 0, FIT] = np.nan
    table.loc[table.index % 5 == 0, "gaussian_mean_error"] = np.nan
    return table


def many(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(**{name: table[name] * 10**5 for name in ("n", "count") if name in table})


EDGES = np.arange(-50.5, 51.5) * 0.02
HISTOGRAM = pd.concat(
    pd.DataFrame(
        {"kind": kind, "bin_low": EDGES[:-1], "bin_high": EDGES[1:]}
        | {"count": np.round(200 * np.exp(-0.5 * (((EDGES[1:] + EDGES[:-1]) / 2 - mean) / 0.2) ** 2)).astype(int)}
    )
    for kind, mean in (("dwarf", 0.015), ("giant", 0.005))
)
FITS = pd.DataFrame(
    {"kind": ["dwarf", "giant"], "n": [5013, 5013], "gaussian_mean": [0.015, 0.0049], "gaussian_sd": [0.2, 0.2]}
    | {"gaussian_mean_error": [0.0028, 0.0028], "median_parallax": [1.5, 0.45]}
)
SHARES = np.array([0.1, 0.4, 0.3, 0.2])
TRAINING = pd.concat(
    pd.DataFrame({"variable": variable, "group": group, "bin_low": np.arange(4.0), "bin_high": np.arange(1.0, 5.0)})
    .assign(count=(1000 * SHARES).astype(int), share=SHARES)
    for variable in ("mks", "bp_rp") for group in ("training", "giants")
)  # fmt: skip
SUMMARY = pd.DataFrame({"group": ["training", "giants"], "n": [1000, 268003]})
PARALLAX = np.random.default_rng(1).uniform(0.1, 1.5, 3000)
PAIRS = pd.DataFrame({"reference_parallax": PARALLAX * 1.01, "red_clump_parallax": PARALLAX})
CLUMP = pd.DataFrame({"n": [49459], "mean": [-3.6], "sd": [41.0]})
X = np.arange(125.0, 1400.0, 50.0)
TREND = pd.concat(
    pd.DataFrame({"abscissa": name, "x_mean": X, "median": 0.002 * X - 1, "median_error": 0.3, "n": 120})
    for name in ("red_clump", "mean")
)
SAMPLES = pd.DataFrame(
    [
        ("run", "Simulated giants & more, cost in $ and $", "5p", "raw", -33.1, 0.6, 9068),
        ("run", "Simulated giants & more, cost in $ and $", "5p", "corrected", 1.8, 0.6, 9068),
        ("literature", "Lindegren et al. 2021b, quasars", "all", "raw", -17.0, np.nan, np.nan),
        ("literature", "Ren et al. 2021, W UMa binaries", "6p", "corrected", 4.6, 3.7, np.nan),
    ],
    columns=["origin", "label", "solution", "parallax", "offset", "error", "n"],
)
MANY = {f"Sample of giants number {number}, simulated": trends_table() for number in range(9)}
RED_CLUMP = {"title": TITLE, "min_stars": 100}

LINE_COLUMNS = ["parallax", "n", "zero_point", "zero_point_error", "scale", "scale_error", "correlation"]
LINES = [("raw", 2287, -17.8, 1.3, 0.989, 0.0016, -0.92), ("corrected", 2287, -4.5, 1.2, 0.996, 0.0016, -0.93)]
LINES = pd.DataFrame(LINES, columns=LINE_COLUMNS).assign(solution="5p")
WIDE = LINES.assign(scale_error=0.05, zero_point_error=9.0)
SIDE_BY_SIDE = pd.DataFrame({"correction": ["none", "lindegren2021", "a_$b_2022"], "solution": "5p", "n": 2287})
SIDE_BY_SIDE = SIDE_BY_SIDE.assign(median=[-26.0, -6.3, 0.7], median_error=0.6, weighted_mean=[-26.1, -7.4, -1.3])
SIDE_BY_SIDE = SIDE_BY_SIDE.assign(weighted_mean_error=0.5, scale_low=[-19.0, -6.0, 0.0], scale_high=[-16.0, -3.0, 3.0])
for column in ("phot_g_mean_mag", "colour", "sin_ecl_lat", "sky"):
    SIDE_BY_SIDE[[f"{column}_left", f"{column}_left_error"]] = [8.0, 0.7]
CURVES = pd.DataFrame({"parallax": np.repeat(["raw", "corrected"], 20), "variable": ["phot_g_mean_mag", "colour"] * 20})
CURVES = CURVES.assign(x=np.linspace(1.3, 1.6, 40), offset=np.linspace(-4, 4, 40), error=0.5)


def smooth(pixels):
    """The smooth map of some pixels in both frames."""
    table = pd.DataFrame({"hindex": np.tile(pixels, 2), "parallax": np.repeat(["raw", "corrected"], len(pixels))})
    table = table.assign(offset=np.linspace(-40.0, 20.0, len(table)), error=np.linspace(2.0, 9.0, len(table)), n=60)
    made = {"nside": 32, "ordering": "nested"}
    return draw_smooth({"equatorial": table, "galactic": table}, made, "5p", title=TITLE, colour_range=(-60, 60))


GLOBAL, GLOBAL_5P = global_tables(), global_tables(("5p",))
CASES = {
    "fig4": lambda: draw_offsets(*GLOBAL, SOLUTIONS, title=TITLE),
    "fig4 no 6p": lambda: draw_offsets(*GLOBAL_5P, SOLUTIONS, title=TITLE),
    "fig4 empty": lambda: draw_offsets(without(GLOBAL[0]), without(GLOBAL[1]), SOLUTIONS, title=TITLE),
    "fig4 nulls": lambda: draw_offsets(GLOBAL[0], with_nulls(GLOBAL[1]), SOLUTIONS, title=TITLE),
    "fig4 many": lambda: draw_offsets(*map(many, GLOBAL), SOLUTIONS, title=TITLE),
    "fig5": lambda: draw_trends(trends_table(), solutions=SOLUTIONS, **TRENDS),
    "fig5 no 6p": lambda: draw_trends(trends_table(("5p",)), solutions=SOLUTIONS, **TRENDS),
    "fig5 empty": lambda: draw_trends(without(trends_table()), solutions=SOLUTIONS, **TRENDS),
    "fig5 nulls": lambda: draw_trends(with_nulls(trends_table()), solutions=SOLUTIONS, **TRENDS),
    "fig5 one bin": lambda: draw_trends(trends_table().iloc[:1], solutions=SOLUTIONS, **TRENDS | {"joined": ALL}),
    "fig6 sky": lambda: fig6(maps(northern())),
    "fig6 patch": lambda: fig6(maps(patch(150, 30, 12))),
    "fig6 pole": lambda: fig6(maps(patch(0, 89, 12))),
    "fig6 one pixel": lambda: fig6(maps(np.array([4000]))),
    "fig6 no 5p": lambda: fig6(maps(patch(150, 30, 12), solutions=("6p",))),
    "fig6 few stars": lambda: fig6(maps(patch(150, 30, 12), n=3)),
    "fig6 empty": lambda: fig6(maps(patch(0, 0, 9), change=without)),
    "fig6 nulls": lambda: fig6(maps(patch(0, 0, 9), change=with_nulls)),
    "fig6 raw": lambda: fig6(maps(northern()), parallaxes=["raw"]),
    "counts sky": lambda: counts(maps(northern())),
    "counts patch": lambda: counts(maps(patch(150, 30, 12))),
    "counts one pixel": lambda: counts(maps(np.array([4000]))),
    "counts empty": lambda: counts(maps(np.array([], dtype=int))),
    "cutflow": lambda: draw_cutflow(cutflow_table(), ["5p", "6p"], title=TITLE),
    "cutflow long title": lambda: draw_cutflow(cutflow_table(), ["5p", "6p"], title="Simulated giants & more, " * 7),
    "fig1": lambda: draw_magnitudes(HISTOGRAM, FITS, title=TITLE),
    "fig1 no dwarfs": lambda: draw_magnitudes(HISTOGRAM, FITS[1:], title=TITLE),
    "fig1 empty": lambda: draw_magnitudes(without(HISTOGRAM), without(FITS), title=TITLE),
    "fig1 nulls": lambda: draw_magnitudes(HISTOGRAM, FITS.assign(gaussian_mean=np.nan), title=TITLE),
    "fig2": lambda: draw_training(TRAINING, SUMMARY, title=TITLE),
    "fig2 empty": lambda: draw_training(without(TRAINING), SUMMARY, title=TITLE),
    "fig3": lambda: draw_red_clump(PAIRS, TREND, CLUMP, abscissa="red_clump", **RED_CLUMP),
    "fig3 mean": lambda: draw_red_clump(PAIRS, TREND, CLUMP, abscissa="mean", **RED_CLUMP),
    "fig3 no bins": lambda: draw_red_clump(PAIRS[:20], without(TREND), CLUMP, abscissa="red_clump", **RED_CLUMP),
    "fig3 no pairs": lambda: draw_red_clump(*map(without, (PAIRS, TREND, CLUMP)), abscissa="mean", **RED_CLUMP),
    "samples": lambda: draw_samples(SAMPLES, title=TITLE),
    "samples one": lambda: draw_samples(SAMPLES[:1], title=TITLE),
    "samples without literature": lambda: draw_samples(SAMPLES[:2], title=TITLE),
    "sample trends": lambda: draw_sample_trends([("a", trends_table())] * 2, "5p", "colour", title=TITLE),
    "sample trends many": lambda: draw_sample_trends(list(MANY.items()), "5p", "colour", title=TITLE),
    "sample trends empty": lambda: draw_sample_trends([("a", without(trends_table()))], "5p", "colour", title=TITLE),
    "scale": lambda: draw_scale(LINES, "5p", title=TITLE),
    "scale empty": lambda: draw_scale(without(LINES), "5p", title=TITLE),
    "scale nulls": lambda: draw_scale(with_nulls(LINES), "5p", title=TITLE),
    "corrections": lambda: draw_corrections(SIDE_BY_SIDE, "5p", title=TITLE),
    "corrections empty": lambda: draw_corrections(without(SIDE_BY_SIDE), "5p", title=TITLE),
    "corrections nulls": lambda: draw_corrections(with_nulls(SIDE_BY_SIDE), "5p", title=TITLE),
    "sample scales": lambda: draw_sample_scales([(name, LINES) for name in MANY], "5p", title=TITLE),
    "sample scales wide": lambda: draw_sample_scales([*[("a", LINES)] * 2, ("b", WIDE)], "5p", title=TITLE),
    "sample scales empty": lambda: draw_sample_scales([("a", without(LINES))], "5p", title=TITLE),
    "smooth sky": lambda: smooth(northern()),
    "smooth patch": lambda: smooth(patch(150, 30, 12)),
    "smooth empty": lambda: smooth(np.array([], dtype=int)),
    "curves": lambda: draw_dependence(CURVES, "nu_eff_used_in_astrometry", title=TITLE),
    "curves empty": lambda: draw_dependence(without(CURVES).astype(object), "nu_eff_used_in_astrometry", title=TITLE),
}  # fmt: skip


@cache
def made(case: str) -> Figure:
    return CASES[case]()


def texts(figure: Figure) -> list[Text]:
    """What is drawn: an axis keeps labels of ticks beyond its limits, which are not."""
    drawn: dict[Text, None] = {}
    plain = Text.draw
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(Text, "draw", lambda text, renderer: (drawn.setdefault(text), plain(text, renderer))[1])
        figure.canvas.draw()
    return [text for text in drawn if text.get_visible() and text.get_text().strip()]


def words(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in texts(figure))


def inside(text: Text, figure: Figure) -> bool:
    box, page = text.get_window_extent(), figure.bbox
    return page.x0 - 0.5 <= box.x0 and page.y0 - 0.5 <= box.y0 and box.x1 <= page.x1 + 0.5 and box.y1 <= page.y1 + 0.5


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("error")
def test_every_case_is_drawn_with_all_text_on_the_canvas(case):
    figure = made(case)
    assert figure.get_figwidth() == pytest.approx(7.1)
    found = texts(figure)
    assert [text.get_text() for text in found if not inside(text, figure)] == []
    assert min(text.get_fontsize() for text in found) >= 7 and "imulated giants" in figure.get_suptitle()


SHOWN = {
    "fig4": ["mean -28.0 ± 0.7", "mean +2.6 ± 3.8", "sd 65.0", "median -27.7 ± 0.9", "8,000 stars", "300 stars"],
    "fig4 no 6p": ["no 6p stars"],
    "fig5 no 6p": ["no 6p bin with 100 stars"] * 3,
    "fig6 no 5p": ["no pixel with more than 50 5p stars"] * 4,
    "fig6 few stars": ["no pixel with more than 50 5p stars"] * 4,
    "counts empty": ["no 5p stars"] * 2,
    "cutflow": ["7,100,000", "7,059,000", "38,950", "$ < 3 and $ > 1", "1.1 ≤ nu_eff_used_in_astrometry ≤ 1.9 (5p)"],
    "fig1": ["mean +0.0150 ± 0.0028", "mean +0.0049 ± 0.0028", "sd 0.200", "5,013 stars", "[mag]"],
    "fig1 no dwarfs": ["no dwarfs"],
    "fig2": ["1,000 training-like stars", "268,003 giants"],
    "fig3": ["49,459 stars in common", f"mean difference -3.6 {UAS}", f"sd 41 {UAS}"],
    "scale": ["raw, 2,287 5p stars", "68 %"],
    "scale empty": ["no line"],
    "corrections": ["a_$b_2022", "weighted mean", "on the sky", "left beyond noise"],
    "corrections empty": ["no 5p stars"],
    "smooth empty": ["no smooth map: too few pixels with 5p stars"],
    "fig5 one bin": ["all bins joined"],
    "smooth patch": ["on a scale of its own"],
    "sample scales wide": ["the most precise"],
    "curves": ["G [mag]", "0 in the mean"],
    "fig3 no bins": ["no bin with 100 stars"],
}


@pytest.mark.parametrize("case", SHOWN)
def test_figures_name_numbers_and_what_is_missing(case):
    shown = words(made(case)).replace("\n", " ").replace("\N{MINUS SIGN}", "-")
    for piece in SHOWN[case]:
        assert shown.count(piece) >= SHOWN[case].count(piece), piece


def test_offsets_gaussian_has_the_area_of_the_histogram():
    ax = made("fig4").axes[0]
    dashed = [line for line in ax.lines if len(line.get_xdata()) > 2]
    areas = [np.trapezoid(line.get_ydata(), line.get_xdata()) for line in dashed]
    assert areas == pytest.approx([8000 * 10] * 2, rel=1e-3)
    assert [line.get_color() for line in dashed] == ["#0072B2", "#C1272D"]
    assert [ax.get_xlabel() for ax in made("fig4").axes] == [f"offset, Gaia minus reference parallax [{UAS}]"] * 2


def test_trends_have_units_reference_lines_and_one_scale_a_row():
    figure = made("fig5")
    axes = np.array(figure.axes).reshape(3, 2)
    assert [ax.get_ylabel() for ax in axes[:, 0]] == [f"offset [{UAS}]"] * 3
    assert [ax.get_xlabel() for ax in axes[0]] == ["G [mag]"] * 2
    assert "wavenumber" in axes[1, 0].get_xlabel() and "pseudocolour" in axes[1, 1].get_xlabel()
    assert all(r"[$\mu$m$^{-1}$]" in ax.get_xlabel() for ax in axes[1])
    for left, right in axes:
        assert left.get_ylim() == right.get_ylim()
        levels = {tuple(line.get_ydata()) for line in left.lines if line.get_linestyle() == "--"}
        assert levels == {(-30.0, -30.0), (0.0, 0.0)}


def test_a_wild_bin_does_not_flatten_the_others_and_is_marked():
    trends = trends_table()
    trends.loc[0, "gaussian_mean"] = 5000.0
    ax = draw_trends(trends, solutions=SOLUTIONS, **TRENDS).axes[0]
    assert ax.get_ylim()[1] < 150
    (mark,) = [line for line in ax.lines if line.get_marker() == "^"]
    assert 0 < mark.get_ydata()[0] < ax.get_ylim()[1]


def pixel_colour(figure: Figure, panel: int, hindex: int) -> float:
    """Value that a panel shows at the centre of a pixel."""
    ax = figure.axes[panel]
    image = ax.images[0]
    x0, x1, y0, y1 = image.get_extent()
    longitude, latitude = hp.pix2ang(32, hindex, nest=True, lonlat=True)
    sky = choose_projection(np.array([longitude]), np.array([latitude]), preferred=0)
    x, y = sky.forward(longitude, latitude)
    data = image.get_array()
    return float(data[int((y - y0) / (y1 - y0) * data.shape[0]), int((x - x0) / (x1 - x0) * data.shape[1])])


def test_map_shows_the_pixel_where_it_lies_on_one_scale():
    figure = made("fig6 one pixel")
    titles = [f"{kind}, {frame}" for kind in ("raw", "corrected") for frame in ("equatorial (ICRS)", "Galactic")]
    assert [ax.get_title() for ax in figure.axes[:4]] == titles
    assert [pixel_colour(figure, panel, 4000) for panel in range(4)] == pytest.approx([-28.0, -28.0, 2.6, 2.6])
    assert [ax.images[0].get_clim()[1] for ax in figure.axes[:4]] == [60.0, 60.0, 5.0, 5.0]
    assert figure.axes[4].get_xlabel() == f"raw mean offset, Gaia minus reference parallax, 5p [{UAS}]; nside 32"
    assert "on a scale of its own" in figure.axes[5].get_xlabel()
    assert {ax.images[0].get_clim() for ax in fig6(maps(northern()), parallaxes=["corrected"]).axes[:2]} == {
        (-60.0, 60.0)
    }


def test_map_leaves_out_pixels_at_the_threshold():
    table = map_table(np.array([4000, 4001]))
    table.loc[table["hindex"] == 4001, "n"] = 50
    image = fig6({"equatorial": table}).axes[0].images[0].get_array()
    assert set(np.unique(image.compressed())) == {table["gaussian_mean"][0]}
    ring = map_table(hp.nest2ring(32, np.array([4000, 4001])))
    ring.loc[ring["hindex"] == hp.nest2ring(32, 4001), "n"] = 50
    same = fig6({"equatorial": ring}, made=MADE | {"ordering": "ring"})
    assert np.ma.allequal(image, same.axes[0].images[0].get_array())


def test_counts_note_the_threshold():
    table = map_table(patch(150, 30, 12))
    table.loc[:9, "n"] = 50
    shown = words(counts({"equatorial": table}))
    total = len(patch(150, 30, 12))
    assert f"equatorial (ICRS): {total - 10} of {total} pixels above 50" in shown


@pytest.mark.parametrize("sky", [Mollweide(90.0), Zenithal(150.0, 40.0, 35.0)])
def test_projections_return_where_they_came_from_and_keep_areas(sky):
    longitude, latitude = (angle.ravel() for angle in np.meshgrid(np.arange(130.0, 171, 8), np.arange(20.0, 61, 8)))
    there = sky.forward(longitude, latitude)
    assert np.allclose(sky.inverse(*there), [longitude, latitude], atol=1e-4)
    step = 1e-3
    east, north = sky.forward(longitude + step, latitude), sky.forward(longitude, latitude + step)
    assert (east[0] < there[0]).all()  # longitude grows to the left
    a, b = np.subtract(east, there), np.subtract(north, there)
    area = np.abs(a[0] * b[1] - a[1] * b[0]) / np.radians(step) ** 2 / np.cos(np.radians(latitude))
    assert np.allclose(area, 1.0, rtol=0.01)


def test_whole_sky_is_cut_where_the_footprint_has_its_gap():
    longitude, latitude = hp.pix2ang(32, northern(), nest=True, lonlat=True)
    assert choose_projection(longitude, latitude, preferred=180.0).longitude == 180.0
    outside_gap = (longitude < 240) | (longitude > 300)
    sky = choose_projection(longitude[outside_gap], latitude[outside_gap], preferred=180.0)
    assert isinstance(sky, Mollweide) and sky.longitude == 90.0
    nowhere = choose_projection(np.array([]), np.array([]), preferred=180.0)
    assert isinstance(nowhere, Mollweide) and nowhere.longitude == 180.0


def test_cells_of_the_cutflow_do_not_overlap():
    figure = made("cutflow")
    boxes = [text.get_window_extent() for text in texts(figure) if text.axes is figure.axes[1]]
    assert len(boxes) == 5 * 4 and not any(a.overlaps(b) for a, b in combinations_of(boxes, 2))


def test_magnitudes_stand_in_their_bins_and_the_gaussian_has_their_area():
    for ax, mean in zip(made("fig1").axes, FITS["gaussian_mean"], strict=True):
        bars = ax.patches[0].get_data()
        assert (bars.edges == EDGES).all() and bars.values.argmax() == np.searchsorted(EDGES, mean) - 1
        (curve,) = [line for line in ax.lines if len(line.get_xdata()) > 2]
        assert np.trapezoid(curve.get_ydata(), curve.get_xdata()) == pytest.approx(5013 * 0.02, rel=1e-3)
        assert curve.get_xdata()[curve.get_ydata().argmax()] == pytest.approx(mean, abs=0.002)


def test_training_is_black_and_giants_are_blue():
    for ax in made("fig2").axes:
        assert [to_hex(patch.get_edgecolor()) for patch in ax.patches] == ["#000000", "#0072b2"]
        assert [text.get_text() for text in ax.get_legend().get_texts()] == SHOWN["fig2"]


def test_red_clump_draws_the_chosen_abscissa_as_points():
    bottom = made("fig3").axes[1]
    levels = sorted(line.get_ydata()[0] for line in bottom.lines if len(line.get_xdata()) == 2)
    assert levels == [-3, -1, 0, 1, 3] and bottom.get_xlabel() == f"red clump parallax [{UAS}]"
    assert "mean" in made("fig3 mean").axes[1].get_xlabel()


def test_samples_stand_in_order_with_their_colours():
    ax = made("samples").axes[0]
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels == [f"{SAMPLES['label'][0]}, 5p", SAMPLES["label"][2], f"{SAMPLES['label'][3]}, 6p"]
    points = {tuple(line.get_xdata()): line.get_color() for line in ax.lines if line.get_marker() in "os"}
    assert points[(-33.1,)] == points[(-17.0,)] == "#0072B2" and points[(1.8,)] == points[(4.6,)] == "#C1272D"


@pytest.mark.parametrize("case", ["fig4", "fig6 raw"])
def test_second_drawing_has_the_same_bytes_and_no_dates(case, tmp_path):
    names = ["a.png", "a.pdf"]
    for folder in ("one", "two"):
        save_figure(CASES[case](), *(tmp_path / folder / name for name in names), dpi=50)
    for name in names:
        content = (tmp_path / "one" / name).read_bytes()
        assert content == (tmp_path / "two" / name).read_bytes()
        assert b"matplotlib" not in content.lower() and b"CreationDate" not in content


def test_a_figure_without_its_title_gives_the_room_to_its_panels(tmp_path):
    with_title, without = CASES["fig4"](), CASES["fig4"]()
    save_figure(with_title, tmp_path / "a.png", dpi=50)
    save_figure(without, tmp_path / "b.png", dpi=50, titles=False)
    assert with_title.get_suptitle() and not without.get_suptitle()
    assert without.axes[0].get_position().y1 > with_title.axes[0].get_position().y1 + 0.03
