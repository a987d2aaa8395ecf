"""Pages of the report: what they show is escaped, verdicts are counted apart, the results tell their story."""

import re

import numpy as np
import pandas as pd
import pytest

from gaia_offsets.checks import cross_validation as cross_validate
from gaia_offsets.report import page_results, pages

NAV = {"nav": [pages.run_links("a & b", "../r/"), ("S <2>", [("results.html", "Results")])], "here": "results.html"}

VERDICTS = ("agrees", "agrees", "differs", "not tested here", "not testable: no rows", "arithmetic holds", "quoted")
COUNTS = {"agrees": 2, "differs": 1, "holds": 1, "fails": 0, "quoted": 1, "untested": 2}


@pytest.mark.parametrize("prefix", ["", "simulated: "])
def test_only_tests_of_the_run_count_as_agreeing_or_differing(prefix):
    assert pages.count_verdicts(pd.DataFrame({"verdict": [prefix + verdict for verdict in VERDICTS]})) == COUNTS
    assert pages.tone(f"{prefix}not testable: the table differs") == "untested"


def test_pages_escape_what_they_show_and_hold_no_address():
    frame = pd.DataFrame({"claim": ["a < b & c"], "verdict": ["simulated: differs"], "n": [12288], "x_y": [-0.12345]})
    frame = frame.assign(none=np.nan, large=1234.6, median=-0.26, median_error=np.nan, scale=1.0, scale_error=0.2)
    table = pages.table(frame, {"x_y": ".2f"})
    page = pages.render("budget.html.j2", title="T <1>", simulated=True, table=table, **NAV)
    assert "<title>T &lt;1&gt;</title>" in page and '<th class="number">x y</th>' in page and "median_error" not in page
    assert '<a href="../r/index.html">Run a &amp; b</a>' in page and "<b>S &lt;2&gt;</b>" in page
    assert re.findall('<a href="(.*?)" aria-current="page">', page) == ["results.html"]
    assert '<td class="claim">a &lt; b &amp; c</td><td class="verdict differs">simulated: differs</td>' in page
    numbers = re.findall(r'<td class="number">(.*?)</td>', page)
    assert numbers == ["12,288", "\N{MINUS SIGN}0.12", "1,235", "\N{MINUS SIGN}0.3", "1.0 \N{PLUS-MINUS SIGN} 0.2"]
    assert "<td>\N{EN DASH}</td>" in page and "are simulated" in page and "http" not in page
    assert "are simulated" not in pages.render("budget.html.j2", title="T", simulated=False, table="", **NAV)


@pytest.mark.parametrize("tested", [True, False])
def test_results_page_tells_the_story(tested):
    steps = {"criterion": ["rows of the targets table", "snr >= 50"], "kept": [1000, 400], "removed": [0, 600]}
    cutflow = pd.DataFrame({"step": [0, 1], **steps, "kept_5p": [900, 380], "kept_6p": [50, 20]})
    numbers = {"median": [-30.04, 2.0], "median_error": [0.5, np.nan]}
    offsets = pd.DataFrame({"solution": "5p", "parallax": ["raw", "corrected"], "n": 380, **numbers})
    pixels = pd.DataFrame({"solution": "5p", "parallax": "raw", "n": [50, 51, 80]})
    claims = pd.DataFrame("a", index=range(7), columns=page_results.DIFFERING).assign(verdict=VERDICTS)
    scatter = {"solution": ["5p", "6p"], "parallax": "corrected", "n": [380, 0], "factor": [1.706, np.nan]}
    scatter = pd.DataFrame({**scatter, "extra": [12.4, np.nan], "pull_sd": [1.379, np.nan]})
    scale = pd.DataFrame({"solution": "5p", "parallax": ["raw", "corrected"], "zero_point": [np.nan, -4.52]})
    scale = scale.assign(zero_point_error=[np.nan, 1.2], scale=0.996, correlation=-0.93, n=9)
    scale["scale_error"] = [np.nan, 0.0016]
    gains = [("none", -0.6, -0.602), ("official", 0.0, -0.0019), ("official_global", 0.0019, 0.0)]
    gains.append(("official_map", 0.0008, -0.0011))
    of_smooth = {"star": ("official_smooth", 0.0051, 0.0032), "block": ("official_smooth", -0.004, -0.0059)}
    rows = [
        (split, name, 380, 2, 1.0, -5.1, gain, 0.001, over, 0.001, 21.5)
        for split, smooth in of_smooth.items() for name, gain, over in (*gains, smooth)
    ]  # fmt: skip
    validation = pd.DataFrame(rows, columns=cross_validate.COLUMNS)
    kernel = {"weight": 1.0, "amplitude": 144.0, "length_deg": 11.2, "power": 1.0, "white": 4.0}
    smooth = {"kernels": {"corrected": {"unnoticed_uas": 0.65, "mixture": [kernel]}}}
    smooth["warning"] = "no smooth map: 3 pixels" if tested else None
    tables = {"cutflow": cutflow, "offsets": offsets, "scatter": scatter, "scale": scale, "map_equatorial": pixels}
    tables |= {"validation": validation, "claims": claims if tested else None}
    tables |= {"smooth_made": smooth, "map_made": {"more_than": 50}}
    tables |= {"corrections": pd.DataFrame({"solution": ["5p"], "reference_parallax": 700.0})}
    told = page_results.story(tables, ["5p", "6p"], "A 2021")
    page = pages.render("results.html.j2", title="Results: test", simulated=False, **told, **NAV)
    text = " ".join(re.sub(r"<(style|script)>.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL).split())
    assert not re.findall(r"\buas\b|[a-z]+_[a-z]+", text)  # no key is to be read
    pieces = ["1,000 rows", "400 stars", "380 with", "20 with", "snr &gt;= 50\u201d, with 600"]
    pieces += ["2 pixels with more than 50", "scatter 1.38 times", "errors times 1.71, with 12 \u03bcas"]
    pieces += ["too small by 30.0 \u00b1 0.5 \u03bcas", "too large by 2.0 \u03bcas."]  # the second's error is not known
    pieces += ["wrong by 1 % move this by 7.0 \u03bcas", "by 12.0 \u03bcas (sd) over about 11\N{DEGREE SIGN}"]
    pieces += [
        "No 6p star has an error of its reference parallax",
        "\u22124.5 \u00b1 1.2 0.9960 \u00b1 0.0016 \u22120.93",
    ]
    pieces += [
        "Single stars held out: the smooth map on top of the zero point of A 2021 predicts them better than "
        "the zero point alone, by 0.0051 \u00b1 0.0010 in ln of the density; the smooth map beats a constant by 0.0032 "
        "\u00b1 0.0010.",
        "Blocks of the sky held out: no correction beats the zero point of A 2021 alone beyond noise.",
    ]
    assert ("no smooth map" in text) is tested
    if tested:
        pieces += ["5 statements", "2 agree", "1 differ and 2 cannot", "1 pieces of arithmetic", "1 numbers are quoted"]
        assert page.count('<td class="claim">') == 1 and "fail" not in text
    assert all(piece in text for piece in pieces) and ("How it compares" in text) is tested
