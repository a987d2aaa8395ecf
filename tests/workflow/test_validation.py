"""`make validate` made small: three simulated skies from raw catalogues to tables that compare them with the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from snakemake_run import ROOT, made_once, run_snakemake

SMALL = ROOT / "config/validate_small.yaml"
pytestmark = pytest.mark.nightly


@pytest.fixture(scope="module")
def validated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """results/validation/ of a finished run."""
    folder = made_once(
        tmp_path_factory, "validated", lambda folder: run_snakemake(folder, configfiles=[SMALL], targets=["validate"])
    )
    return folder / "results/validation"


@pytest.fixture(scope="module")
def coverage(validated: Path) -> pd.DataFrame:
    table = pd.read_csv(validated / "coverage.csv")
    return table[(table["solution"] == "5p") & (table["parallax"] == "corrected")]


def test_the_weighted_global_offset_is_unbiased_and_the_plain_mean_is_not(coverage: pd.DataFrame) -> None:
    rows = coverage[coverage["table"] == "global_offsets"].set_index("quantity")
    assert (rows["seeds"] == 3).all()
    deviation = rows["bias"] / (rows["stated_error"] / np.sqrt(3))
    assert abs(deviation["weighted_mean"]) < 4.0
    assert deviation["mean"] < -4.0  # so three seeds tell a bias of 2 uas


def test_zero_point_and_scale_are_those_injected(coverage: pd.DataFrame) -> None:
    rows = coverage[coverage["table"] == "zero_point_scale"].set_index("quantity")
    assert (abs(rows["bias"]) < 4.0 * rows["stated_error"] / np.sqrt(3)).all()
    assert rows.loc["scale", "stated_error"] < 0.005


@pytest.mark.parametrize(("column", "share"), [("coverage_68", 0.6827), ("coverage_95", 0.95)])
@pytest.mark.parametrize("frame", ["equatorial", "galactic"])
def test_intervals_of_pixels_hold_the_truth_as_often_as_they_say(
    coverage: pd.DataFrame, column: str, share: float, frame: str
) -> None:
    rows = coverage[(coverage["frame"] == frame) & (coverage["pixels"] == "n>=2")].set_index("quantity")
    assert rows.loc["smooth", "n"] > 400
    limit = 4.0 * np.sqrt(share * (1.0 - share) / rows["n"])
    assert (abs(rows[column] - share) < limit)[["gaussian_mean", "weighted_mean", "smooth"]].all()
    assert abs(rows.loc["nearest", column] - share) > limit["nearest"]  # its errors leave the pattern out


def test_the_smooth_map_is_nearer_the_truth_than_the_papers(validated: Path) -> None:
    maps = pd.read_csv(validated / "maps.csv").set_index(["estimator", "frame", "pixels"])
    smooth = maps.loc["smooth"]
    assert (smooth["ratio_high"].dropna() < 1.0).all() and smooth["ratio"].notna().sum() == 4
    assert (smooth.loc[("equatorial", "n>50"), "ratio"]) > (smooth.loc[("equatorial", "n>=2"), "ratio"])
    assert maps.loc[("smooth", "equatorial", "no stars"), "number"] > 100
    assert np.isnan(maps.loc[("smooth", "equatorial", "no stars"), "ratio"])


def test_what_the_smooth_map_misses_has_less_power(validated: Path) -> None:
    power = pd.read_csv(validated / "power.csv").pivot(index="degree", columns="map", values="power").loc[5:]
    assert (power["smooth"] < power["gaussian_mean"]).mean() > 0.9
    assert power["smooth"].sum() < 0.5 * power["injected"].sum()


def test_the_page_and_the_headline_are_there(validated: Path) -> None:
    assert (validated / "validation.png").stat().st_size > 50_000
    assert "standard                       3" in (validated / "headline.txt").read_text()
