"""The notebook runs offline and its numbers hold; the site is whole: a link that leads nowhere fails."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from unit.shared import ROOT

import gaia_offsets

NOTEBOOK = ROOT / "docs/notebook/correct_parallaxes.ipynb"
site = runpy.run_path(str(ROOT / "docs/make_site.py"))


def test_the_notebook_is_short_public_and_kept_without_what_it_printed() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert len(cells) <= 20
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"] is not None] == []
    ours = re.findall(r"gaia_offsets.*", "".join(line for cell in code for line in cell["source"]))
    assert len(ours) == 1 and set(ours[0].partition(" import ")[2].split(", ")) <= set(gaia_offsets.__all__)


def test_from_a_catalogue_to_corrected_parallaxes_and_an_offset_of_ones_own(tmp_path: Path) -> None:
    page, space = site["run_notebook"](NOTEBOOK, tmp_path)
    medians, own = space["core"]["median"], pd.concat(space["own"])["median"]
    # All 2,287 stars have -25.92 and -6.26 by an independent computation; these are the 2,112 in pixels of the map, and
    # 8 % of the stars left out move a median with an error of 0.6 uas by 0.17 uas (sd).
    assert len(space["stars"]) == 2287 and (space["core"]["n"] == 2112).all()
    assert medians["published"] == pytest.approx(-25.92, abs=0.6)
    assert medians["zero point"] == pytest.approx(-6.26, abs=0.6)
    # The map was made of these stars: what is left is below its own error, about 4 uas a pixel of 40 stars.
    assert abs(medians["raw map"]) < 1 and abs(medians["zero point and map"]) < 1
    # Of the clusters, as `make demo` measures them.
    assert own.to_list() == pytest.approx([-25.96, -22.5, 7.27, 2.7], abs=0.06)
    assert (space["means"]["error"] > 0.0103).all()
    assert page.count("![](") == 2 and (tmp_path / "correct_parallaxes_1.png").stat().st_size > 10_000
    assert f"published           2112   {medians['published']:.1f}" in page


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
