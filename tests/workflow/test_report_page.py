"""The report of the toy run opens in a real browser, offline: no errors, navigation works, figures and tables show.

Chromium is driven over its own debugging pipe, so no driver and no Python package is needed. Without Chromium the tests
are skipped, unless GAIA_OFFSETS_REQUIRE_CHROMIUM=1. GAIA_OFFSETS_SCREENSHOTS=FOLDER keeps pictures of the pages.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--window-size=1600,1000", "--remote-debugging-pipe"),
)


class Browser:
    """One page of a headless Chromium, with what it said on its console and what it asked of the network."""

    def __init__(self, profile: Path) -> None:
        # Above 9, so that the two that Chromium speaks on, 3 and 4, are free for dup2.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for pipe in (os.pipe(), os.pipe()) for end in pipe]
        to_browser, self._write, self._read, from_browser = ends
        self._process = subprocess.Popen(
            [BROWSER, *OPTIONS, f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=lambda: (os.dup2(to_browser, 3), os.dup2(from_browser, 4)),
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._buffer, self._number, self._session = b"", 0, None
        self.complaints: list[str] = []
        self.requests: list[str] = []
        pages = [t for t in self.ask("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        attached = self.ask("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def _receive(self, until: float) -> dict:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, until - time.monotonic()))
            chunk = os.read(self._read, 1 << 20) if ready else b""
            if not chunk:
                raise TimeoutError("Chromium does not answer")
            self._buffer += chunk
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _note(self, message: dict) -> None:
        method, data = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(data["exceptionDetails"])[:500])
        elif method == "Runtime.consoleAPICalled" and data["type"] in ("error", "assert"):
            self.complaints.append(json.dumps(data["args"])[:500])
        elif method == "Log.entryAdded" and data["entry"]["level"] == "error":
            self.complaints.append(json.dumps(data["entry"])[:500])
        elif method == "Network.requestWillBeSent":
            self.requests.append(data["request"]["url"][:200])

    def ask(self, method: str, **parameters: object) -> dict:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + 60
        while True:
            answer = self._receive(until)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self._note(answer)

    def run(self, script: str) -> object:
        """Value of a piece of JavaScript in the page."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, script: str) -> object:
        """Value of a piece of JavaScript as soon as it is true."""
        until = time.monotonic() + 60
        while not (value := self.run(script)):
            assert time.monotonic() < until, f"never true: {script}"
            time.sleep(0.05)
        return value

    def click(self, text: str) -> None:
        """Click the first link with this text."""
        found = f"[...document.querySelectorAll('nav a')].find(a => a.textContent.trim() === {json.dumps(text)})"
        self.wait_for(f"!!{found}")
        self.run(f"{found}.click()")

    def picture(self, name: str) -> None:
        if folder := os.environ.get("GAIA_OFFSETS_SCREENSHOTS"):
            time.sleep(0.5)  # the navigation bar slides
            path = Path(folder) / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot")["data"]))

    def close(self) -> None:
        os.close(self._write)
        os.close(self._read)
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """Report of a toy run made in a folder of its own, or the file that GAIA_OFFSETS_REPORT names."""
    if ready := os.environ.get("GAIA_OFFSETS_REPORT"):
        return Path(ready).resolve()
    folder = tmp_path_factory.mktemp("toy")
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    snakemake += ["--configfile", str(ROOT / "config/toy.yaml"), "--workflow-profile", "none", "--quiet"]
    style = ["--report-stylesheet", str(ROOT / "workflow/report/report.css")]
    for step in (["--cores", "2"], ["--report", str(folder / "report.html"), *style]):
        done = subprocess.run([*snakemake, *step], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
    return folder / "report.html"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    if BROWSER is None:
        pytest.fail("GAIA_OFFSETS_REQUIRE_CHROMIUM=1, but there is no Chromium on this machine")
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium, report):
    """The report, freshly opened."""
    chromium.ask("Page.navigate", url="about:blank")
    chromium.complaints.clear()
    chromium.requests.clear()
    chromium.ask("Page.navigate", url=report.as_uri())
    chromium.wait_for("document.readyState === 'complete' && !!document.querySelector('nav a')")
    return chromium


pytestmark = [
    pytest.mark.xdist_group("report"),  # one toy run for all tests
    pytest.mark.skipif(
        BROWSER is None and os.environ.get("GAIA_OFFSETS_REQUIRE_CHROMIUM") != "1",
        reason="no Chromium on this machine (apt-get install chromium)",
    ),
]


def entries(browser: Browser, category: str) -> list[str]:
    """Open a category from the menu; the texts of its rows."""
    browser.click(category)
    browser.wait_for("document.querySelectorAll('nav tbody tr').length > 0")
    return browser.run("[...document.querySelectorAll('nav tbody tr')].map(row => row.textContent.trim())")


ROW = "[...document.querySelectorAll('nav tbody tr')].find"


def open_entry(browser: Browser, text: str) -> None:
    """Look at the result whose row holds this text."""
    row = (
        "[...document.querySelectorAll('nav tbody tr')].find(row => row.textContent.includes(" + json.dumps(text) + "))"
    )
    browser.run(f"{row}.querySelector('a').click()")


def test_page_opens_offline_without_a_complaint(browser):
    assert browser.run("document.title")
    text = browser.wait_for("document.body.innerText.includes('Figures') && document.body.innerText")
    assert "Claims" in text and "Results" in text
    browser.picture("first")
    assert browser.complaints == []
    assert [url for url in browser.requests if not url.startswith(("file:", "data:", "about:", "blob:"))] == []


def test_every_figure_shows(browser):
    rows = entries(browser, "Figures")
    wanted = ("1: absolute", "2: training", "3: red clump", "4: offsets", "5: trends", "6: maps", "cut flow")
    for label in wanted:
        assert any(label in row for row in rows), f"{label} is not among {rows}"
        open_entry(browser, label)
        image = "[...document.querySelectorAll('img')].find(image => image.src.startsWith('data:image/png'))"
        browser.wait_for(f"(image => image?.complete && image.naturalWidth > 800)({image})")
        # All of it lies in the window: what stands above its top could not be scrolled to.
        box = browser.run(f"(box => [box.top, innerHeight - box.bottom])({image}.getBoundingClientRect())")
        assert min(box) >= 0, f"{label} is cut off by {box}"
        browser.picture(f"figure_{label[0]}")
    assert browser.complaints == []


@pytest.mark.parametrize(
    ("category", "row", "words"),
    [
        ("Claims", "simulated_giants", ["simulated: agrees", "12,288", "Giants with five-parameter solutions"]),
        ("Error budget", "simulated_giants", ["scale of M_Ks, giants", "extinction", "1.24"]),
        ("Results", "simulated_giants", ["What was cut", "What was found", "How it compares", "simulated"]),
        ("Samples side by side", "table", ["Simulated giants", "Ren et al. 2021", "\N{MINUS SIGN}28.6"]),
    ],
)
def test_tables_show(browser, category, row, words):
    entries(browser, category)
    open_entry(browser, row)
    browser.wait_for("!!document.querySelector('iframe')")
    # The page stands in a frame of another origin (data:): its text is read from the frame's source.
    text = browser.wait_for(
        "fetch(document.querySelector('iframe').src).then(r => r.text()).then(t => "
        "new DOMParser().parseFromString(t, 'text/html').body.textContent)"
    )
    for word in words:
        assert word in text
    frame = browser.run("(r => [r.width, r.height])(document.querySelector('iframe').getBoundingClientRect())")
    assert frame[0] > 800 and frame[1] > 600
    browser.picture(f"page_{category.replace(' ', '_')}")


def test_navigation_leads_back_and_captions_show(browser):
    entries(browser, "Figures")
    browser.run(f"[...{ROW}(row => row.textContent.includes('3: red clump')).querySelectorAll('a')].at(-1).click()")
    browser.wait_for("document.querySelector('nav').innerText.includes('The stars are simulated')")
    browser.picture("caption")
    browser.run("document.querySelector('nav li a').click()")  # the first crumb
    browser.wait_for("document.querySelector('nav').innerText.includes('Statistics')")
    assert browser.complaints == []
