"""What first contact with a release learns from names that are missing and from a sample of the sky."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from tap.release import shipped_block

from gaia_offsets.archive.adql import FIELDS, SOURCE_ID_END, count_query, sample_query
from gaia_offsets.archive.names import Missing
from gaia_offsets.engine.first_contact import census, notes, renamed, solution_block

NU_EFF, PSEUDOCOLOUR, BIAS = "nu_eff_used_in_astrometry", "pseudocolour", "tentative_parallax_bias"
OFFICIAL = {"kind": "column", "column": BIAS}
SINGLE = {"codes": {"single": [31, 63, 95], "2p": 3}, "standard": "single", "colours": {"single": NU_EFF}}


def rows(*groups: tuple[int, int, str], bias: float = -0.03) -> pd.DataFrame:
    """Sources of G 15 by groups: number, code and which colours they have (n, p, both or none); 2p has no parallax."""
    parts = []
    for number, code, colours in groups:
        part = pd.DataFrame({"astrometric_params_solved": [code] * number, "phot_g_mean_mag": 15.0})
        part["parallax"], part["ruwe"] = np.nan if code == 3 else 0.5, 1.0
        part[NU_EFF], part[PSEUDOCOLOUR] = (1.5 if letter in colours else np.nan for letter in "np")
        parts.append(part.assign(**{BIAS: bias}))
    return pd.concat(parts, ignore_index=True)


def learned(sample: pd.DataFrame, solution: dict[str, Any] = SINGLE) -> dict[str, Any]:
    return solution_block({"solution": solution}, census(sample, {"solution": solution}, OFFICIAL))


def test_counts_by_code() -> None:
    sample = rows((60, 95, "np"), (30, 3, ""), (10, 31, "n"))
    sample.loc[:39, BIAS] = [-9999.0] * 20 + [np.nan] * 20
    sample.loc[40:49, BIAS] = -0.05
    faint = sample.assign(phot_g_mean_mag=20.0)  # not counted
    table = census(pd.concat([faint, sample]), {"solution": SINGLE}, OFFICIAL).set_index("code")
    assert table.index.tolist() == [95, 3, 31] and table["class"].tolist() == ["single", "2p", "single"]
    assert table["sources"].tolist() == [60, 30, 10] and table["parallax"].tolist() == [60, 0, 10]
    assert table[NU_EFF].tolist() == [60, 0, 10] and table[PSEUDOCOLOUR].tolist() == [60, 0, 0]
    assert table.loc[95, [BIAS, "median_uas"]].tolist() == pytest.approx([20, -40])


def test_the_standard_class_by_the_counts() -> None:
    both = learned(rows((90, 95, "np"), (5, 31, "n"), (30, 3, "")))
    assert both == {"codes": {"single": [31, 63, 95]}, "standard": "single", "colours": {"single": NU_EFF}}
    # As in EDR3: codes of one class with different colours are two classes.
    apart = learned(rows((90, 31, "n"), (40, 95, "p")))
    assert apart["codes"] == {"single": [31, 63], "single_pseudocolour": [95]}
    assert apart["colours"] == {"single": NU_EFF, "single_pseudocolour": PSEUDOCOLOUR}
    # The draft of two classes, of which the second has the stars; a code that the draft does not know.
    edr3 = {"codes": {"5p": 31, "6p": 95}, "standard": "5p", "colours": {"5p": NU_EFF, "6p": PSEUDOCOLOUR}}
    turned = learned(rows((9, 31, "n"), (90, 95, "np")), edr3)
    assert turned["standard"] == "6p" and turned["colours"] == {"6p": NU_EFF, "5p": NU_EFF}
    new = learned(rows((90, 127, "np"), (9, 31, "np")))
    assert new["standard"] == "single" and new["codes"]["single"] == [31, 63, 95, 127]
    assert learned(rows((9, 3, ""))) == {}


def said(sample: pd.DataFrame) -> str:
    release = {"solution": SINGLE}
    return "\n".join(notes(census(sample, release, OFFICIAL), release, OFFICIAL))


def test_what_is_said_of_it() -> None:
    half = rows((80, 95, "np"), (20, 500, "np"))
    half.loc[:39, BIAS] = np.nan
    lines = said(half)
    assert "Standard class single: 80 of 100 sources (80%), 80 with a parallax; its colour is nu_eff" in lines
    assert "20 sources have a code of no class" in lines and "40 of its 80 parallaxes have no tentative" in lines
    assert "median" not in lines and "is the sign another one?" in said(rows((9, 95, "np"), bias=0.03))
    assert "should its `unit` be uas?" in said(rows((9, 95, "np"), bias=-30.0))
    assert "its colour is unknown" in said(rows((9, 95, ""))) and "nothing is learned" in said(rows((9, 3, "")))


def test_names_that_are_missing_become_a_block() -> None:
    release = shipped_block("dr4")
    source, hop = release["gaia_source"], release["dr3_neighbourhood"]
    near = "gaiadr4.dr3_neighbours"
    assert renamed(release, [Missing(hop, None, near)]) == {"dr3_neighbourhood": near}
    assert renamed(release, [Missing(hop, None, None)]) == {"dr3_neighbourhood": None}
    assert renamed(release, [Missing(source, "astrometric_params", "solved")]) == {"solution": {"column": "solved"}}
    lacking = [Missing(source, "ruwe", "ruwe_dr4"), Missing(hop, "probable_match", "magnitude_difference")]
    assert renamed(release, lacking) == {"columns": {"ruwe": "ruwe_dr4", "probable_match": None}}
    assert renamed(release, [Missing(source, BIAS, None)]) == {"more_columns": []}
    flag = Missing(release["all_source_astrometry"], "quality_flag", "flag")
    assert renamed(release, [flag]) == {"columns": {"quality_flag": "flag"}}
    assert renamed(release, [Missing("gaiadr3.tmass_psc_xsc_join", None, "x")]) == {}  # of the bridge


def test_fields_of_a_sample() -> None:
    """As many fields at each level, all over the sky; of level 1 they are the whole of it."""
    for level in (9, 5, 1):
        text = sample_query({"gaia_source": "t"}, ["ruwe"], level)
        ranges = [line.split()[-3::2] for line in text.replace("WHERE ", "").splitlines() if "BETWEEN" in line]
        low, high = np.array(ranges, dtype=np.int64).T
        assert len(low) == FIELDS and (high - low + 1 == 2 ** (59 - 2 * level)).all() and (low[1:] > high[:-1]).all()
        assert (np.diff(low) == SOURCE_ID_END // FIELDS).all()
        assert count_query(text).startswith("SELECT COUNT(*) AS n\nFROM t AS g")
    assert low[0] == 0 and high[-1] == SOURCE_ID_END - 1
    assert "g.bias AS bias\n" in sample_query({"gaia_source": "t"}, ["ruwe", "bias"], 9)  # one that no block names
