"""What the page to explore is made of: offsets by pixel of each correction, outlines of pixels, the same bytes."""

import base64
import subprocess
import sys

import healpy as hp
import numpy as np
import pandas as pd
import pytest
from measure_map import with_corrections
from snakemake_run import ROOT
from unit import shared
from unit.shared import GAUSSIAN, SOLUTIONS

from gaia_offsets.core.columns import FRAMES
from gaia_offsets.offsets.binned import pixel_offsets
from gaia_offsets.report.explorer_sky import corners, packed, sky_layers
from gaia_offsets.report.headline import medians
from gaia_offsets.report.skymap import Mollweide, Zenithal
from gaia_offsets.sky.positions import pixel_index

MADE = {"nside": 8, "ordering": "nested", "more_than": 20}


@pytest.fixture(scope="module")
def tracers() -> pd.DataFrame:
    """Simulated stars all over the sky, one in five without a zero point of `other`."""
    other = np.where(np.arange(30_000) % 5 == 0, np.nan, -0.04)
    return shared.tracers(30_000, 7).assign(zero_point_other=other)


def test_the_map_has_every_other_correction_and_mean_g(tracers):
    five = tracers[tracers["solution"] == "5p"].reset_index(drop=True)
    pixel = pixel_index(*(tracers[name].to_numpy() for name in FRAMES["equatorial"]), nside=8, ordering="nested")
    measured = pixel_offsets(tracers, pixel, SOLUTIONS, gaussian=GAUSSIAN)
    inside = pixel[(tracers["solution"] == "5p").to_numpy()]
    table = with_corrections(measured, five, inside, GAUSSIAN, ["other"])
    pd.testing.assert_frame_equal(table.iloc[: len(measured)][list(measured)], measured)
    for parallax in ("raw", "other"):
        row = table[(table["parallax"] == parallax) & (table["solution"] == "5p")].iloc[3]
        stars = five[inside == row["hindex"]]
        assert row["g_mean"] == pytest.approx(stars["phot_g_mean_mag"].mean())
        stars = stars[stars["zero_point_other"].notna()] if parallax == "other" else stars
        assert row["n"] == len(stars)
    assert row["gaussian_mean"] == pytest.approx(stars["offset_raw"].mean() + 40, abs=15)
    assert table.loc[table["solution"] == "6p", "g_mean"].isna().all()
    none = with_corrections(measured[:0], five[:0], inside[:0], GAUSSIAN, ["other"])
    assert none.empty and list(none.columns) == list(table.columns)


def unpacked(found: dict, name: str, low: float, high: float) -> np.ndarray:
    steps = np.frombuffer(base64.b64decode(found[name]), dtype="<u2").reshape(-1, found["each"])
    return low + steps / 65535 * (high - low)


@pytest.mark.parametrize("nside", [1, 8, 64])
@pytest.mark.parametrize("ordering", ["nested", "ring"])
@pytest.mark.parametrize("projection", [Mollweide(180.0), Mollweide(0.0), Zenithal(120.0, 40.0, 20.0)])
def test_outlines_cover_the_sky_as_pixels_do(nside, ordering, projection):
    """Both projections are equal-area: each outline has the area of a pixel, and its centre lies inside."""
    index = np.arange(hp.nside2npix(nside))
    centre = hp.pix2ang(nside, index, nest=ordering == "nested", lonlat=True)
    if isinstance(projection, Zenithal):
        x, y = projection.forward(*centre)
        index = index[np.hypot(x, y) < 0.2]
    found = corners(index, {"nside": nside, "ordering": ordering}, projection)
    x0, x1, y0, y1 = projection.limits
    x, y = unpacked(found, "x", x0, x1), unpacked(found, "y", y0, y1)
    area = 0.5 * np.abs((x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1))
    place = np.abs((centre[0][index] - getattr(projection, "longitude", 0) + 180) % 360 - 180)
    inner = (place < 130) & (np.abs(centre[1][index]) < 60) if nside > 1 else np.zeros(len(index), dtype=bool)
    expected = 4 * np.pi / hp.nside2npix(nside)
    np.testing.assert_allclose(area[inner], expected, rtol=0.05 if nside == 8 else 0.02)
    assert area.max() < 1.3 * expected  # none is torn over the map
    if len(index) == hp.nside2npix(nside):
        assert area.sum() == pytest.approx(4 * np.pi, rel=0.12 if nside == 1 else 0.03)


def test_layers_of_an_empty_sample_and_numbers_survive_the_packing():
    pixels = pd.DataFrame(columns=["parallax", "hindex", "n", "g_mean", "gaussian_mean", "gaussian_mean_error"])
    smooth = pd.DataFrame(columns=["parallax", "hindex", "offset", "error", "n"])
    grids = {kind: {"nside": 8, "ordering": "nested"} for kind in ("pixels", "smooth")}
    layers = sky_layers(pixels, smooth, "galactic", grids)
    assert layers["maps"]["pixels"]["offsets"] == {} and layers["grid"]["xs"]
    values = np.array([-27.806, np.nan, 1e5])
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(packed(values, "<f4")), "<f4"), values.astype("<f4"))


# In a process of its own, too: ids of bokeh are counted; with BOKEH_SIMPLE_IDS=no they would be drawn at random.
PAGE = """
import pandas as pd
from gaia_offsets.report.page_explorer import explorer
measured = {"solution": "5p", "parallax": "raw", "hindex": [3, 5], "n": 30}
pixels = pd.DataFrame(measured | {"g_mean": 13.0, "gaussian_mean": -28.5, "gaussian_mean_error": 2.0})
smooth = pd.DataFrame(measured | {"offset": -28.5, "error": 2.0})
gaussian = {"parallax": "raw", "n": 60, "gaussian_mean": 1.0, "gaussian_mean_error": 1.0}
offsets = pd.DataFrame({"solution": ["5p"], "median": 1.0, "median_error": 1.0} | gaussian)
bins = {"variable": "colour", "bin_low": 1.0, "bin_high": 2.0, "x_mean": 1.5}
trends = pd.DataFrame({"solution": ["5p"]} | bins | gaussian)
made = {"nside": 8, "ordering": "nested", "more_than": 20}
maps = {"map_equatorial": pixels, "map_galactic": pixels, "smooth_equatorial": smooth, "smooth_galactic": smooth}
tables = maps | {"offsets": offsets, "trends": trends, "map_made": made, "smooth_made": made}
told = explorer(tables, {"5p": "nu_eff_used_in_astrometry"}, {"raw": "none"}, {"none": "none"}, [-60, 60])
told = str({**told, "bokeh": len(told["bokeh"])})
"""


def test_the_page_has_the_same_bytes_in_two_processes():
    here = {}
    exec(PAGE, here)
    environment = {"BOKEH_SIMPLE_IDS": "no", "PYTHONPATH": str(ROOT / "workflow/scripts")}
    command = [sys.executable, "-c", f"{PAGE}print(told)"]
    there = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    assert there == f"{here['told']}\n" and '"id":"m1"' in there


def test_headline_of_a_run():
    table = pd.DataFrame({"solution": ["5p", "5p", "6p", "6p"], "parallax": ["raw", "corrected"] * 2})
    table = table.assign(
        n=[2287, 2287, 52, 51], median=[-25.93, 6.26, -28.5, np.nan], median_error=[0.6, 0.5, np.nan, 1]
    )
    compared = pd.DataFrame({"solution": ["5p", "6p"], "reference_parallax": [700.0, np.nan]})
    rows = medians([{"title": "Giants", "simulated": True, "correction": "A 2021"}], [table], [compared])
    assert rows["solution"].tolist() == ["5p", "6p"] and rows["sample"].str.contains("simulated stars").all()
    assert rows["stars"].tolist() == ["2,287", "52, 51 corrected"] and rows["correction"].tolist() == ["A 2021", ""]
    assert rows.loc[0, ["raw", "corrected_error", "one_percent"]].tolist() == [-25.93, 0.5, 7.0]
    learned = {"title": "Giants", "simulated": False, "correction": "A", "statistic": "weighted_mean"}
    weighted = table.assign(weighted_mean=1.5, weighted_mean_error=0.1)
    row = medians([learned], [weighted], [compared]).iloc[0]
    assert (row["sample"], row["raw"], row["raw_error"]) == ("Giants (weighted mean)", 1.5, 0.1)
    none = table.assign(n=0, median=np.nan)
    assert medians([{"title": "Giants", "simulated": False, "correction": "none"}], [none], [compared]).empty
