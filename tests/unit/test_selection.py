"""One row a star, cuts and cut flow."""

import contextlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.shared import refused, refuses

from gaia_offsets.core.releases import coding
from gaia_offsets.sample.corrections import with_offsets
from gaia_offsets.sample.selection import best_rows, refuse_empty, refuse_thin, select_stars, solution
from gaia_offsets.tables.cuts import cut_mask, describe_cut

FRAME = pd.DataFrame({"x": [1.0, 2.0, 3.0, np.nan], "name": ["a", "b", "c", "a"], "solution": ["5p", "6p", "5p", "6p"]})


@pytest.mark.parametrize(
    ("op", "value", "passed"),
    [
        *[("<", 2, "1000"), ("<=", 2, "1100"), (">", 2, "0010"), (">=", 2, "0110"), ("==", 2, "0100")],
        *[("!=", 2, "1010"), ("between", [1, 2], "1100"), ("in", [1, 3], "1010"), ("not_null", None, "1110")],
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "Float64"])
def test_each_operator_and_nulls_fail(op, value, passed, dtype):
    frame, cut = FRAME.astype({"x": dtype}), {"column": "x", "op": op, "value": value}
    assert cut_mask(frame, cut).tolist() == [digit == "1" for digit in passed]
    with_solution = cut_mask(frame, cut | {"solution": "5p"})  # the second and the fourth are 6p
    assert with_solution.tolist() == [passed[0] == "1", True, passed[2] == "1", True]


def test_cuts_on_text_and_their_descriptions():
    assert cut_mask(FRAME, {"column": "name", "op": "==", "value": "a"}).tolist() == [True, False, False, True]
    assert describe_cut({"column": "ruwe", "op": "<=", "value": 1.4}) == "ruwe <= 1.4"
    cut = {"column": "nu_eff_used_in_astrometry", "op": "between", "value": [1.1, 1.9], "solution": "5p"}
    assert describe_cut(cut) == "1.1 <= nu_eff_used_in_astrometry <= 1.9 (5p)"
    refuses("'y'.*x, name, solution", cut_mask, FRAME, {"column": "y", "op": "<", "value": 1})
    for op, value in ((">", 3), ("==", 3), ("!=", 3), ("in", ["a", 3]), ("between", [1, 2])):
        with refused(f"'name': the column holds text, {op} compares it with [13]; put the value in quotes"):
            cut_mask(FRAME, {"column": "name", "op": op, "value": value})
    for op, value in (("==", "2"), ("in", [1, "2"])):
        with refused(f"'x': the column holds numbers, {op} compares it with '2'; write the value without quotes"):
            cut_mask(FRAME, {"column": "x", "op": op, "value": value})
    with refused("one_row_per.prefer: 'name': the column holds text, such as 'a', not numbers"):
        best_rows(FRAME, ["x"], prefer="name")
    refuses("one_row_per.*'quality'", best_rows, FRAME, ["name"], prefer="quality")


def test_highest_snr_wins_and_ties_go_to_the_lowest_obsid():
    frame = pd.DataFrame({"id": [7, 7, 7, 8, 8], "snr": [50.0, 80.0, 80.0, np.nan, 3.0], "obsid": [1, 9, 4, 2, 5]})
    assert best_rows(frame, ["id"], "snr", "obsid").tolist() == [False, False, True, False, True]
    assert best_rows(frame, ["id"]).tolist() == [True, False, False, True, False]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 1000)), unique_by=lambda row: row[2]))
def test_one_row_a_group_whatever_the_order(rows):
    frame = pd.DataFrame(rows, columns=["id", "snr", "obsid"]).astype("int64")
    best = {row[0]: row[2] for row in sorted(rows, key=lambda row: (row[1], -row[2]))}  # the last one stays
    for table in (frame, frame.iloc[::-1].reset_index(drop=True)):
        kept = table[best_rows(table, ["id"], "snr", "obsid")]
        assert sorted(zip(kept["id"], kept["obsid"], strict=True)) == sorted(best.items())


MATCHED = {"source_id": pd.array([5, 5, 3, None, 4, 2], dtype="Int64")}
MATCHED |= {"astrometric_params_solved": pd.array([31, 31, 95, None, 3, 31], dtype="Int64")}
MATCHED |= {"snr": [10.0, 60.0, 70.0, 90.0, 90.0, 90.0], "obsid": [1, 2, 3, 4, 5, 6]}
MATCHED |= {"ra": [1.0, 1.0, 2.0, 3.0, 4.0, 5.0], "dec": 0.0, "ruwe": [1.0, 1.0, 1.0, 1.0, 1.0, 2.0], "parallax": 0.5}
MATCHED |= {"reference_parallax": 0.4}
MATCHED = pd.DataFrame(MATCHED)
ONE_ROW = {"columns": ["source_id"], "prefer": "snr", "ties": "obsid"}


def select(table=MATCHED, cuts=(), one_row_per=ONE_ROW):
    return select_stars(table, one_row_per=one_row_per, cuts=cuts)[:3]


@pytest.mark.parametrize(
    ("change", "cuts", "words"),
    [
        ({}, [("ruwe", "<", 1)], "step 5 .*'ruwe < 1', removed the last 3 of 6 rows; look at this column"),
        ({}, [("ruwe", "<", 2), ("snr", ">", 99), ("ruwe", ">", 0)], "step 6 .*'snr > 99', removed the last 2 of 6"),
        ({"astrometric_params_solved": 3}, (), "'has a 5p or 6p solution', removed the last 5 of 6 rows"),
        ({"source_id": pd.NA}, (), "step 1 .*'has a Gaia counterpart', removed the last 6 of 6 rows"),
        ({"ra": np.nan}, (), "'has a position'"),
        ({"reference_parallax": np.nan}, (), "'has a parallax and a reference parallax', removed the last 3"),
        ({"ruwe": None}, [("ruwe", "not_null", None)], "'ruwe is known', removed the last 3"),
        ({"snr": np.nan}, [("snr", "between", [1, 2])], "'1 <= snr <= 2', removed the last 3"),
        (None, [("ruwe", "<", 1)], "the targets table has no rows"),
    ],
)
def test_where_no_star_is_left_the_step_is_told(change, cuts, words):
    table = MATCHED.iloc[:0] if change is None else MATCHED.assign(**change).astype({"source_id": "Int64"})
    cuts = [dict(zip(("column", "op", "value"), cut, strict=True)) for cut in cuts]
    refuses(f"no star is left: .*{words}", refuse_empty, select(table, cuts)[1])


def test_cut_flow_accounts_for_every_row():
    ruwe = [{"column": "ruwe", "op": "<=", "value": 1.4}]
    stars, flow, warnings = select(cuts=ruwe)
    assert stars["source_id"].tolist() == [3, 5] and stars["obsid"].tolist() == [3, 2]
    assert flow["kept"].tolist() == [6, 5, 4, 4, 3, 2, 2] and flow["removed"].tolist() == [0, 1, 1, 0, 1, 1, 0]
    assert flow["kept_5p"].tolist() == [3, 3, 3, 3, 2, 1, 1] and flow["kept_6p"].tolist() == [1] * 7 and not warnings
    stars, flow, _ = select(MATCHED.iloc[:0], cuts=ruwe)
    assert len(stars) == 0 and flow["kept"].tolist() == [0] * 7


def test_pieces_of_a_table_give_what_the_whole_gives():
    cuts = [{"column": "snr", "op": ">=", "value": 50}, {"column": "ruwe", "op": "<=", "value": 1.4}]
    table = MATCHED.assign(preselected=[True] * 5 + [False])
    whole = select(table, cuts)
    for size in (1, 2, 4):  # the two spectra of source 5 stand in one piece, or in two
        parts = select((table[first : first + size] for first in range(0, len(table), size)), cuts)
        pd.testing.assert_frame_equal(parts[0], whole[0])
        pd.testing.assert_frame_equal(parts[1], whole[1])
        assert parts[2] == whole[2]
    with refused("one_row_per.*'quality'; it has .*ruwe"):
        select(iter([table]), one_row_per={"columns": ["source_id"], "prefer": "quality"})


def test_what_is_unknown_or_was_not_asked_is_a_step_of_its_own():
    _, flow, _ = select(MATCHED.assign(preselected=[True, True, True, False, True, True]))
    assert "catalogue columns" in flow["criterion"][1] and flow["removed"][1] == 1
    table = MATCHED.assign(ra=[1.0, 1.0, np.nan, 3.0, 4.0, 5.0], reference_parallax=[0.4] * 5 + [np.nan])
    stars, flow, _ = select(table)
    removed = dict(zip(flow["criterion"], flow["removed"], strict=True))
    assert removed["has a position"] == 1 and removed["has a parallax and a reference parallax"] == 1
    assert stars["source_id"].tolist() == [5]


def test_rounded_identifiers_are_noticed():
    ids = (1_360_404_197_786_810_880 + 256 * np.arange(25)).astype(np.int64)
    table = pd.DataFrame({"source_id": np.repeat(ids, 2), "ra": np.arange(50.0), "dec": 0.0})
    table = table.assign(astrometric_params_solved=31, parallax=1.0, reference_parallax=1.0)
    _, _, warnings = select(table, one_row_per={"columns": ["source_id"]})
    assert "float64" in warnings[0] and "25 identifiers" in warnings[1]
    _, flow, _ = select(table, one_row_per={"columns": ["source_id", "ra", "dec"]})
    assert flow["kept"].iloc[-1] == 50


DR4 = {
    "codes": {"5p": 31, "6p": 95, "2p": 3, "3p": 7, "4p": 27, "five_and_radial_motion": 63},
    "bits": {"resolved": 8192, "variability_induced_mover": 4096, "orbital": 2048, "acceleration": 1920},
    **{key: coding({})[key] for key in ("standard", "colours")},
}
CODES = {3: "2p", 7: "3p", 27: "4p", 31: "5p", 63: "five_and_radial_motion", 95: "6p", 479: "acceleration"}
CODES |= {2015: "acceleration", 2079: "orbital", 2463: "orbital", 4127: "variability_induced_mover", 8223: "resolved"}
CODES |= {6175: "variability_induced_mover", 10271: "resolved"}


def test_solutions_by_bits():
    coded = pd.Series([*CODES, None, 32], dtype="Int64")
    assert solution(coded, DR4)[: len(CODES)].tolist() == list(CODES.values())
    assert solution(coded, DR4)[len(CODES) :].isna().all()
    # What EDR3 does not have stays without a class there.
    assert solution(coded).dropna().to_dict() == {0: "2p", 3: "5p", 5: "6p"}
    several = {"codes": {"5p": [31, 63], "6p": 95}, "bits": {}}
    assert solution(pd.Series([31, 63, 95, 3]), several)[:3].tolist() == ["5p", "5p", "6p"]


@pytest.mark.parametrize(
    ("counted", "kept", "words"),
    [
        ({31: 100, 95: 10}, ["5p", "6p"], None),
        ({31: 10, 95: 90}, ["5p", "6p"], None),  # a tenth is enough
        ({31: 9, 95: 5, 63: 4}, ["5p"], None),  # so is more than any other class has
        ({31: 9, 95: 91}, ["5p", "6p"], r"class 5p.*has 9 of 100 rows.*31 \(5p\): 9, 95 \(6p\): 91.*solution.codes"),
        ({95: 90, 63: 4}, ["6p"], r"has no star that is left.*63 \(no class\): 4, 95 \(6p\): 90"),
        ({31: 100}, ["6p"], "has no star that is left"),  # the cuts took them all
    ],
)
def test_a_standard_class_without_stars_stops_the_run(counted, kept, words):
    counts = pd.Series(counted).sort_index()
    with refused(words) if words else contextlib.nullcontext():
        refuse_thin(counts, pd.DataFrame({"solution": kept}), coding({}))


def test_rows_are_counted_by_the_code_of_their_solution():
    table = pd.DataFrame({"astrometric_params_solved": pd.array([31, 31, 95, 479, None], dtype="Int64")})
    table = table.assign(source_id=range(1, 6), ra=0.0, dec=0.0, parallax=[1.0, 1.0, None, 1.0, 1.0])
    *_, counts = select_stars(table.assign(reference_parallax=1.0), one_row_per=None, cuts=())
    assert counts.to_dict() == {31: 2, 479: 1}


def test_each_class_that_is_left_out_has_its_step():
    n = len(CODES) + 1
    table = pd.DataFrame({"astrometric_params_solved": pd.array([*CODES, 32], dtype="Int64")})
    table = table.assign(source_id=range(1, n + 1), ra=0.0, dec=0.0, parallax=1.0, reference_parallax=1.0)
    stars, flow, *_ = select_stars(table, one_row_per=None, cuts=(), codes=DR4)
    removed = dict(zip(flow["criterion"], flow["removed"], strict=True))
    for name, number in (("2p", 1), ("acceleration", 2), ("orbital", 2), ("resolved", 2), ("4p", 1)):
        assert removed[f"is no {name} solution"] == number
    assert removed["has a 5p or 6p solution"] == 1  # the code that no class has
    assert stars["solution"].tolist() == ["5p", "6p"]
    wanted = ["5p", "6p", "acceleration"]
    stars, flow, *_ = select_stars(table, one_row_per=None, cuts=(), codes=DR4, solutions=wanted)
    assert stars["solution"].value_counts().to_dict() == {"5p": 1, "6p": 1, "acceleration": 2}
    assert "has a 5p, 6p or acceleration solution" in flow["criterion"].tolist()
    assert "is no acceleration solution" not in flow["criterion"].tolist()
    # A recipe of EDR3 refuses codes that EDR3 does not have; without one the tracers keep these names.
    stars = stars.reindex(columns=[*stars.columns, "phot_g_mean_mag", "nu_eff_used_in_astrometry", "pseudocolour"])
    stars = stars.assign(phot_g_mean_mag=15.0, nu_eff_used_in_astrometry=1.5, pseudocolour=1.5, ecl_lat=10.0)
    with refused("is of another release than Gaia EDR3"):
        with_offsets(stars, official="lindegren2021", corrections={"lindegren2021": {"kind": "package"}})
    tracers = with_offsets(stars, official="none", corrections={"none": {"kind": "none"}})
    assert tracers["solution"].tolist() == stars["solution"].tolist()
