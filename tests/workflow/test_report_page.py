"""The report of the toy run opens in a real browser, offline: no errors, navigation works, figures and tables show.

Without Chromium the tests are skipped, unless GAIA_OFFSETS_REQUIRE_CHROMIUM=1. GAIA_OFFSETS_SCREENSHOTS=FOLDER keeps
pictures of the pages.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FIGURES = ("1: absolute", "2: training", "3: red clump", "4: offsets", "5: trends", "6: maps", "cut flow")

expect.set_options(timeout=60_000)  # a loaded machine is slow

pytestmark = [
    pytest.mark.skipif(
        CHROMIUM is None and os.environ.get("GAIA_OFFSETS_REQUIRE_CHROMIUM") != "1",
        reason="no Chromium on this machine (apt-get install chromium)",
    )
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.fail("GAIA_OFFSETS_REQUIRE_CHROMIUM=1, but there is no Chromium on this machine")
    with sync_playwright() as playwright:
        options = ["--host-resolver-rules=MAP * ~NOTFOUND", "--disable-dev-shm-usage"]
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=options)


@pytest.fixture
def page(chromium: Browser, report: Path) -> Iterator[Page]:
    """The report, freshly opened; a complaint on its console or a look at the network fails the test."""
    page = chromium.new_page(viewport={"width": 1600, "height": 1000})
    complaints, asked = [], []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "assert") else None)
    page.on("request", lambda request: asked.append(request.url[:200]))
    page.goto(report.as_uri())
    expect(page.locator("nav a").first).to_be_visible()
    yield page
    page.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:", "blob:"))] == []


def entries(page: Page, category: str) -> list[str]:
    """Open a category from the menu; the texts of its rows."""
    page.locator("nav").first.get_by_role("link", name=category, exact=True).click()
    expect(page.locator("nav tbody tr").first).to_be_visible()
    return page.locator("nav tbody tr").all_inner_texts()


def keep_picture(page: Page, name: str) -> None:
    if folder := os.environ.get("GAIA_OFFSETS_SCREENSHOTS"):
        page.wait_for_timeout(500)  # the navigation bar slides
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_page_opens(page: Page) -> None:
    assert page.title()
    for word in ("Figures", "Claims", "Results"):
        expect(page.locator("body")).to_contain_text(word)
    keep_picture(page, "first")


def test_the_result_comes_before_the_rules(page: Page) -> None:
    top = page.locator(".headline")
    for word in ("Median of Gaia minus reference parallax", "Simulated giants", "simulated stars: nothing about Gaia"):
        expect(top).to_contain_text(word)
    for image in top.locator("img").all():
        page.wait_for_function("(image) => image.naturalWidth > 800", arg=image.element_handle())
        box = image.bounding_box()
        assert box["width"] > 500 and box["height"] > 200
    graph = page.locator("#app #rulegraph").bounding_box()
    assert top.bounding_box()["y"] < 300 and graph["y"] > box["y"] + box["height"]
    page.get_by_role("link", name="A page to explore").first.click()  # of the words below it, or of the menu
    expect(page.locator("nav tbody tr").first).to_contain_text("simulated_giants")


def test_the_page_to_explore_opens_in_the_report(page: Page) -> None:
    menu = page.locator("nav li a span").all_inner_texts()
    assert menu.index("A page to explore") == min(
        map(menu.index, ("A page to explore", "Claims", "Figures", "Results"))
    )
    entries(page, "A page to explore")
    page.locator("nav tbody tr", has_text="simulated_giants").locator("a").first.click()
    expect(page.frame_locator("iframe").locator("body[data-ready=yes]")).to_be_visible()
    expect(page.frame_locator("iframe").locator("#pixel_table")).to_contain_text("rows")
    keep_picture(page, "explore")


def test_every_figure_shows(page: Page) -> None:
    rows = entries(page, "Figures")
    for label in FIGURES:
        assert any(label in row for row in rows), f"{label} is not among {rows}"
        page.locator("nav tbody tr", has_text=label).locator("a").first.click()
        image = page.locator("img[src^='data:image/png']")
        image.wait_for()
        page.wait_for_function("(image) => image.complete && image.naturalWidth > 800", arg=image.element_handle())
        # All of it lies in the window: what stands above its top could not be scrolled to.
        box = image.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 1000, f"{label} is cut off by {box}"
        keep_picture(page, f"figure_{label[0]}")


PAGES = {
    "Claims": ["simulated: arithmetic holds", "12,288", "Giants with five-parameter"],
    "Error budget": ["scale of M_Ks, giants", "extinction", "1.24"],
    "Results": ["What was cut", "What was found", "How it compares", "simulated"],
    "Corrections": ["cannot tell which leaves the right offset", "lindegren2021", "simulated"],
    "Samples side by side": ["Simulated giants", "Ren et al. 2021", "\N{MINUS SIGN}28.6"],
}


def test_tables_show(page: Page) -> None:
    for category, words in PAGES.items():
        page.locator("nav li a").first.click()  # the first crumb: the menu
        entries(page, category)
        row = "table" if category.startswith("Samples") else "simulated_giants"
        page.locator("nav tbody tr", has_text=row).locator("a").first.click()
        for word in words:
            expect(page.frame_locator("iframe").locator("body")).to_contain_text(word)
        box = page.locator("iframe").bounding_box()
        assert box["width"] > 800 and box["height"] > 600
        keep_picture(page, f"page_{category.replace(' ', '_')}")


def test_navigation_leads_back_and_captions_show(page: Page) -> None:
    entries(page, "Figures")
    page.locator("nav tbody tr", has_text="3: red clump").locator("a").last.click()
    expect(page.locator("nav").first).to_contain_text("The stars are simulated")
    keep_picture(page, "caption")
    page.locator("nav li a").first.click()  # the first crumb
    expect(page.locator("nav").first).to_contain_text("Statistics")
