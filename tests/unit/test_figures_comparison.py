"""Figs. 1 to 3 and the pictures of samples: made from tables of every shape, with all text on the canvas."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from unit.test_figures import TITLE, UAS, inside, texts, trends_table, without, words

from gaia_offsets import figures_comparison as figures

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

CASES = {
    "fig1": lambda: figures.draw_magnitudes(HISTOGRAM, FITS, title=TITLE),
    "fig1 no dwarfs": lambda: figures.draw_magnitudes(HISTOGRAM, FITS[1:], title=TITLE),
    "fig1 empty": lambda: figures.draw_magnitudes(without(HISTOGRAM), without(FITS), title=TITLE),
    "fig1 nulls": lambda: figures.draw_magnitudes(HISTOGRAM, FITS.assign(gaussian_mean=np.nan), title=TITLE),
    "fig2": lambda: figures.draw_training(TRAINING, SUMMARY, title=TITLE),
    "fig2 empty": lambda: figures.draw_training(without(TRAINING), SUMMARY, title=TITLE),
    "fig3": lambda: figures.draw_red_clump(
        PAIRS, TREND, CLUMP, title=TITLE, abscissa="red_clump", min_stars=100
    ),
    "fig3 mean": lambda: figures.draw_red_clump(PAIRS, TREND, CLUMP, title=TITLE, abscissa="mean", min_stars=100),
    "fig3 no bins": lambda: figures.draw_red_clump(
        PAIRS[:20], without(TREND), CLUMP, title=TITLE, abscissa="red_clump", min_stars=100
    ),
    "fig3 no pairs": lambda: figures.draw_red_clump(
        without(PAIRS), without(TREND), without(CLUMP), title=TITLE, abscissa="mean", min_stars=100
    ),
    "samples": lambda: figures.draw_samples(SAMPLES, title=TITLE),
    "samples one": lambda: figures.draw_samples(SAMPLES[:1], title=TITLE),
    "samples without literature": lambda: figures.draw_samples(SAMPLES[:2], title=TITLE),
    "trends": lambda: figures.draw_sample_trends(dict.fromkeys("ab", trends_table()), title=TITLE),
    "trends many": lambda: figures.draw_sample_trends(MANY, title=TITLE),
    "trends empty": lambda: figures.draw_sample_trends({"a": without(trends_table())}, title=TITLE),
}  # fmt: skip


@cache
def made(case: str) -> Figure:
    return CASES[case]()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("error")
def test_every_case_is_drawn_with_all_text_on_the_canvas(case):
    figure = made(case)
    assert figure.get_figwidth() == pytest.approx(7.1)
    found = texts(figure)
    assert [text.get_text() for text in found if not inside(text, figure)] == []
    assert min(text.get_fontsize() for text in found) >= 7
    assert "imulated giants" in figure.get_suptitle()


def test_magnitudes_name_means_and_units():
    shown = words(made("fig1"))
    for piece in ("mean +0.0150 ± 0.0028", "mean +0.0049 ± 0.0028", "sd 0.200", "5,013 stars", "[mag]"):
        assert piece in shown
    assert "no dwarfs" in words(made("fig1 no dwarfs"))


def test_training_is_black_and_giants_are_blue():
    for ax in made("fig2").axes:
        assert [patch.get_edgecolor()[:3] for patch in ax.patches] == [
            (0, 0, 0),
            pytest.approx((0, 114 / 255, 178 / 255)),
        ]
        assert [text.get_text() for text in ax.get_legend().get_texts()] == [
            "1,000 training-like stars",
            "268,003 giants",
        ]


def test_red_clump_draws_the_chosen_abscissa_as_points():
    shown = words(made("fig3"))
    for piece in ("49,459 stars in common", f"mean difference \N{MINUS SIGN}3.6 {UAS}", f"sd 41 {UAS}"):
        assert piece in shown
    bottom = made("fig3").axes[1]
    levels = sorted(line.get_ydata()[0] for line in bottom.lines if len(line.get_xdata()) == 2)
    assert levels == [-3, -1, 0, 1, 3]
    assert bottom.get_xlabel() == f"red clump parallax [{UAS}]"
    assert "mean" in made("fig3 mean").axes[1].get_xlabel()
    assert "no bin with 100 stars" in words(made("fig3 no bins"))


def test_samples_stand_in_order_with_their_colours():
    ax = made("samples").axes[0]
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels == [
        "Simulated giants & more, cost in $ and $, 5p",
        "Lindegren et al. 2021b, quasars",
        "Ren et al. 2021, W UMa binaries, 6p",
    ]
    points = {tuple(line.get_xdata()): line.get_color() for line in ax.lines if line.get_marker() in "os"}
    assert points[(-33.1,)] == points[(-17.0,)] == "#0072B2" and points[(1.8,)] == points[(4.6,)] == "#C1272D"
