"""The notebook runs offline and its numbers hold; the site is whole: a link that leads nowhere fails."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from unit.shared import ROOT

NOTEBOOKS = sorted((ROOT / "docs/notebook").glob("*.ipynb"))
site = runpy.run_path(str(ROOT / "docs/make_site.py"))


def test_notebooks_are_kept_without_what_they_printed() -> None:
    assert NOTEBOOKS
    for path in NOTEBOOKS:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        assert len(code) >= 3
        assert [cell for cell in code if cell["outputs"] or cell["execution_count"] is not None] == []


def test_from_the_shipped_map_to_corrected_parallaxes(tmp_path: Path) -> None:
    page, space = site["run_notebook"](ROOT / "docs/notebook/correct_parallaxes.ipynb", tmp_path)
    medians = {name: values.median() for name, values in space["offsets"].items()}
    # All 2,287 stars have -25.92 and -6.26 by an independent computation; these are the 2,112 in pixels of the map, and
    # 8 % of the stars left out move a median with an error of 0.6 uas by 0.17 uas (sd).
    assert len(space["stars"]) == 2287 and space["offsets"]["published"].count() == 2112
    assert medians["published"] == pytest.approx(-25.92, abs=0.6)
    assert medians["official zero point"] == pytest.approx(-6.26, abs=0.6)
    # The map was made of these stars: what is left is below its own error, about 4 uas a pixel of 40 stars.
    assert abs(medians["raw map"]) < 1 and abs(medians["zero point and map"]) < 1
    assert page.count("![](") == 1 and (tmp_path / "correct_parallaxes_1.png").stat().st_size > 10_000
    assert f"published            median  {medians['published']:.1f}" in page


def test_the_site_is_whole_and_fetches_nothing(tmp_path: Path) -> None:
    site["lay_out"](tmp_path / "build/docs")
    config = (ROOT / "docs/mkdocs.yml").read_text(encoding="utf-8").replace("../build", str(tmp_path / "build"))
    (tmp_path / "mkdocs.yml").write_text(config, encoding="utf-8")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", tmp_path / "mkdocs.yml"]
    done = subprocess.run(command, capture_output=True, text=True, env={"NO_MKDOCS_2_WARNING": "1"})
    assert done.returncode == 0, done.stderr
    pages = sorted((tmp_path / "build/site").rglob("*.html"))
    assert len(pages) > 15
    for page in pages:
        if page.name == "404.html":  # for a server alone, with addresses from its root
            continue
        tags = re.findall(r"<(?:img|script|link)\b[^>]*>", page.read_text(encoding="utf-8"))
        found = [re.search(r"""\b(?:src|href)=["']?([^"'\s>]+)""", tag) for tag in tags if "canonical" not in tag]
        fetched = [address[1] for address in found if address]
        assert fetched and [address for address in fetched if re.match(r"(https?:)?//", address)] == [], page
        for address in fetched:
            assert (page.parent / address.partition("?")[0]).is_file(), f"{page.name}: {address}"
    # A page that is laid out and a link of it: a broken one must not pass.
    broken = tmp_path / "build/docs/docs/files.md"
    broken.write_text(broken.read_text(encoding="utf-8") + "\n[nowhere](method.md#no-such-heading)\n", encoding="utf-8")
    assert subprocess.run(command, capture_output=True).returncode != 0
