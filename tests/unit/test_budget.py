"""The budget repeats the paper's arithmetic and gives the run's own numbers with the right sign."""

import numpy as np
import pandas as pd
import pytest

from gaia_offsets.core.releases import EDR3_CODING
from gaia_offsets.paper import budget
from gaia_offsets.sample.selection import select_stars


def table(**changes):
    run = {"omega": 500.0, "f": 0.1, "coefficient": 0.3, "floor": 10.3, "limit": 1.5, "selection": -0.5}
    run |= {"corrected": 4.0, "training": 2000.0, "red_clump": 3.0, "dwarf": np.nan, "dwarf_shift": np.nan}
    return budget.budget(run | {"giant": 500.0, "giant_shift": 0.01} | changes).set_index("effect")


LN = np.log(10) / 5


@pytest.mark.parametrize(
    ("effect", "paper", "run"),
    [
        ("scale of M_Ks, dwarfs", 1500 * LN * 0.015, np.nan),
        ("scale of M_Ks, giants", 450 * LN * 0.0049, 500 * LN * 0.01),
        ("extinction", 450 * LN * 0.006, 500 * LN * 0.3 * 0.02),
        ("red clump comparison", -3.6, -3.0),
        ("training on Gaia distances", -2.6 * 450 / 2000, -4.0 * 500 / 2000),
        ("scatter of distances through 1/d, mean", -1.63, -500 * (np.exp(0.005) - 1)),
        ("cut on parallax, Gaia's instead of the reference's", np.nan, -0.5),
    ],
)
def test_numbers_follow_their_formula(effect, paper, run):
    row = table().loc[effect]
    assert (row["paper_uas"], row["run_uas"]) == pytest.approx((paper, run), abs=0.005, nan_ok=True)
    assert (row["run_inputs"] == "") == np.isnan(run)


def test_what_the_run_lacks_is_null_without_inputs_and_a_limit_is_found_among_the_cuts():
    run = table(red_clump=np.nan, limit=np.nan, selection=np.nan)
    for effect in ("red clump comparison", "cut on parallax, Gaia's instead of the reference's"):
        assert np.isnan(run["run_uas"][effect]) and run["run_inputs"][effect] == ""
    assert "nan" not in run.to_csv()
    cuts = [{"column": "snr", "op": ">=", "value": 50}, {"column": "parallax", "op": "<", "value": 1.5}]
    limits = [budget.parallax_limit(some) for some in (cuts, cuts[:1], [cuts[1] | {"op": ">"}])]
    assert limits == [1.5, None, None]


def test_inverse_distance_bias_is_that_of_simulated_distances():
    modulus_error = 0.085 * 5 / np.log(10)
    parallax = 450 * 10 ** (0.2 * modulus_error * np.random.default_rng(3).standard_normal(1_000_000))
    assert parallax.mean() - 450 == pytest.approx(budget.inverse_distance_bias(450, 0.085), abs=0.15)


def test_a_cut_on_gaia_lowers_the_offset_and_one_on_the_reference_raises_it():
    rng = np.random.default_rng(8)
    true = rng.uniform(0.2, 1.0, 200_000)
    gaia, own = (true + 0.05 * rng.standard_normal(len(true)) for _ in range(2))
    offset = 1000 * (gaia - own)
    assert budget.selection_shift(offset, gaia, own, 0.4) < -5 and budget.selection_shift(offset, gaia, own, 9.0) == 0.0
    assert np.isnan(budget.selection_shift(offset, gaia, own, -1.0))


@pytest.mark.parametrize("prefer", ["snr", "parallax_error", None])
def test_selection_effect_needs_no_row_that_cannot_be_a_star(prefer):
    """Against a selection of all rows and columns; the best row of some stars fails a cut that another passes."""
    rng = np.random.default_rng(1)
    rows = 4000
    true = rng.uniform(0.3, 2.5, rows)
    columns = {"source_id": pd.array(rng.integers(0, 1500, rows), dtype="Int64"), "ra": 10.0, "dec": 20.0}
    columns |= {"astrometric_params_solved": pd.array(rng.choice([31, 95, 3], rows), dtype="Int8")}
    columns |= {"parallax": true + rng.normal(0, 0.2, rows), "parallax_error": rng.uniform(0.01, 0.05, rows)}
    columns |= {"distance": 1 / (true + rng.normal(0, 0.02, rows)), "snr": rng.choice([20.0, 60.0, 90.0, np.nan], rows)}
    columns |= {"unused": "text"}
    matched = pd.DataFrame(columns)
    matched.loc[::9, "source_id"] = pd.NA
    one_row_per, reference = {"columns": ["source_id"], "prefer": prefer}, {"kind": "distance"}
    cuts = [{"column": "snr", "op": ">=", "value": 50}, {"column": "parallax", "op": "<", "value": 1.5}]
    cuts.append({"column": "parallax_error", "op": ">", "value": 0.02, "solution": "5p"})
    columns = budget.selection_columns(cuts, one_row_per, reference)
    pieces = [matched.loc[start : start + 999, matched.columns.isin(columns)] for start in range(0, rows, 1000)]
    effect = budget.selection_effect(pieces, cuts=cuts, one_row_per=one_row_per, reference=reference, codes=EDR3_CODING)
    whole = matched.assign(reference_parallax=1 / matched["distance"])
    stars, *_ = select_stars(whole, one_row_per=one_row_per, cuts=[cuts[0], cuts[2]])
    offset, gaia, own = stars["parallax"] - stars["reference_parallax"], stars["parallax"], stars["reference_parallax"]
    assert effect == pytest.approx(1000 * (offset[gaia < 1.5].median() - offset[own < 1.5].median()), rel=1e-12)
    assert effect < -3 and "unused" not in columns
