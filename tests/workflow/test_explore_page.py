"""The page to explore, of the toy run, in a real browser, offline: what it says of a pixel is what the tables say.

Without Chromium the tests are skipped, unless GAIA_OFFSETS_REQUIRE_CHROMIUM=1. GAIA_OFFSETS_SCREENSHOTS=FOLDER keeps
pictures. The stars are simulated.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect
from workflow.test_report_page import CHROMIUM, chromium  # noqa: F401

pytestmark = [
    pytest.mark.skipif(
        CHROMIUM is None and os.environ.get("GAIA_OFFSETS_REQUIRE_CHROMIUM") != "1",
        reason="no Chromium on this machine (apt-get install chromium)",
    )
]
RESULTS = Path("results/simulated_giants")
WIDTHS = {"laptop": (1300, 900), "phone": (390, 844)}
# Where the middle of a pixel stands in the window, after it was scrolled to.
PLACE = """index => {
  const plot = Bokeh.documents[0].get_model_by_name("sky"), view = Bokeh.index.find_one(plot);
  view.el.scrollIntoView({block: "center"});
  const {hindex, xs, ys} = Bokeh.documents[0].get_model_by_name("pixels").data, i = Array.from(hindex).indexOf(index);
  const middle = corners => corners.reduce((sum, v) => sum + v, 0) / corners.length;
  const box = view.el.getBoundingClientRect();
  return [box.x + view.frame.x_scale.compute(middle(xs[i])), box.y + view.frame.y_scale.compute(middle(ys[i]))];
}"""


@pytest.fixture(params=WIDTHS)
def page(request: pytest.FixtureRequest, chromium: Browser, toy: Path) -> Iterator[Page]:  # noqa: F811
    """The page, freshly opened on a laptop and on a phone; a complaint or a look at the network fails the test."""
    width, height = WIDTHS[request.param]
    page = chromium.new_page(viewport={"width": width, "height": height}, has_touch=width < 500)
    complaints, asked = [], []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "assert") else None)
    page.on("request", lambda request: asked.append(request.url[:200]))
    page.goto((toy / RESULTS / "explore.html").as_uri())
    expect(page.locator("body[data-ready=yes]")).to_be_visible()
    yield page
    if folder := os.environ.get("GAIA_OFFSETS_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"explore_{request.param}_{request.function.__name__}.png", full_page=True)
    page.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:", "blob:"))] == []


def shown(value: float) -> str:
    return f"{value:.1f}".replace("-", "\N{MINUS SIGN}")


def choose(page: Page, **choices: str) -> None:
    for name, value in choices.items():
        page.locator(f"input[name={name}][value='{value}']").check()


def pixel_table(toy: Path, frame: str, parallax: str) -> pd.DataFrame:
    table = pd.read_csv(toy / RESULTS / f"tables/map_{frame}.csv").query("solution == '5p' and n > 50")
    return table[table["parallax"] == parallax].reset_index(drop=True)


def test_a_pixel_says_what_the_table_says(page: Page, toy: Path) -> None:
    for frame, parallax in product(("equatorial", "galactic"), ("raw", "corrected")):
        choose(page, frame=frame, parallax=parallax)
        table = pixel_table(toy, frame, parallax)
        for row in (table.iloc[0], table.iloc[len(table) // 2], table.iloc[-1]):
            check_pixel(page, row)


def check_pixel(page: Page, row: pd.Series) -> None:
    """Tool-tip and read-out of a pixel."""
    place = page.evaluate(PLACE, int(row["hindex"]))
    page.mouse.move(*place)
    tip = page.locator(".bk-Tooltip, .bk-tooltip").first
    words = [str(int(row["hindex"])), str(int(row["n"])), f"{row['g_mean']:.2f}"]
    words.append(f"{shown(row['gaussian_mean'])} \u00b1 {shown(row['gaussian_mean_error'])}")
    for word in words:
        expect(tip).to_contain_text(word)
    page.mouse.click(*place)
    for word in words:
        expect(page.locator("#readout")).to_contain_text(word)
    page.wait_for_timeout(500)  # two clicks at once are a double click, which chooses nothing


def test_the_smooth_map_has_its_own_values(page: Page, toy: Path) -> None:
    choose(page, kind="smooth", parallax="corrected")
    table = pd.read_csv(toy / RESULTS / "tables/smooth_equatorial.csv").query("parallax == 'corrected'")
    row = table.iloc[len(table) // 2]
    page.mouse.click(*page.evaluate(PLACE, int(row["hindex"])))
    expect(page.locator("#readout")).to_contain_text(f"{shown(row['offset'])} \u00b1 {shown(row['error'])}")


def test_east_is_to_the_left_in_both_frames(page: Page, toy: Path) -> None:
    for frame, name in (("equatorial", "longitude"), ("galactic", "longitude")):
        choose(page, frame=frame)
        x = page.evaluate(
            """name => {
              const {xs, ys, latitude, [name]: longitude} = Bokeh.documents[0].get_model_by_name("pixels").data;
              return Array.from(longitude, (v, i) => [v, latitude[i], xs[i][0], ys[i][0]]);
            }""",
            name,
        )
        places = pd.DataFrame(x, columns=["longitude", "latitude", "x", "y"])
        near = places[(places["latitude"] - places["latitude"].median()).abs() < 8]
        near = near[(near["longitude"] - near["longitude"].median()).abs() < 40]
        assert near[["longitude", "x"]].corr().iloc[0, 1] < -0.9
        assert places[["latitude", "y"]].corr().iloc[0, 1] > 0.9


def test_tables_sort_and_filter(page: Page, toy: Path) -> None:
    table = pixel_table(toy, "equatorial", "raw")
    rows, head = page.locator("#pixel_table tbody tr"), page.locator("#pixel_table th", has_text="offset")
    count = page.locator("#pixel_table span")
    expect(count).to_contain_text(f"{len(table)} of {len(table)} rows")
    head.click()
    expect(rows.first.locator("td").nth(3)).to_have_text(shown(table["gaussian_mean"].min()))
    head.click()
    expect(rows.first.locator("td").nth(3)).to_have_text(shown(table["gaussian_mean"].max()))
    limit = int(table["n"].median())
    page.locator("#pixel_table input").fill(f"n>{limit}")
    expect(count).to_contain_text(f"{int((table['n'] > limit).sum())} of {len(table)} rows")
    page.locator("#pixel_table tbody tr").first.click()
    expect(page.locator("#readout")).to_contain_text(shown(table[table["n"] > limit]["gaussian_mean"].max()))
    claims = pd.read_csv(toy / RESULTS / "claims.csv")
    page.locator("#claim_table input").fill("arithmetic holds")
    holds = int(claims["verdict"].str.endswith("arithmetic holds").sum())
    assert 0 < holds < len(claims)
    expect(page.locator("#claim_table span")).to_contain_text(re.compile(rf"^{holds} of {len(claims)} rows"))


def test_trends_are_those_of_the_table(page: Page, toy: Path) -> None:
    trends = pd.read_csv(toy / RESULTS / "tables/trends.csv")
    for solution in ("5p", "6p"):
        choose(page, solution=solution)
        for (variable, parallax), bins in trends[trends["solution"] == solution].groupby(["variable", "parallax"]):
            source = "name => Object.fromEntries(Object.entries(Bokeh.documents[0].get_model_by_name(name).data))"
            found = page.evaluate(source, f"{variable} {parallax}")
            assert found["value"] == pytest.approx(bins["gaussian_mean"].tolist(), abs=1e-3)
            assert found["n"] == bins["n"].tolist()


def test_the_page_fits_its_window_and_says_that_stars_are_simulated(page: Page) -> None:
    expect(page.locator("body")).to_contain_text("The stars are simulated")
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    for name in ("sky", "phot_g_mean_mag", "colour", "sin_ecl_lat"):
        box = page.locator(f"#{name}").bounding_box()
        assert box["width"] > 300 and box["height"] > 180 and box["x"] >= 0
