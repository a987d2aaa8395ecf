"""Pages that are a table and a few words: claims, systematic effects, learned magnitudes."""

from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.report import pages

FIRST = ["claim", "place", "published", "reproduced", "unit", "verdict"]
EFFECTS = ["effect", "sign", "paper_uas", "run_uas", "formula", "paper_inputs", "run_inputs", "source"]
CLAIMS = {"published": ".5g", "reproduced": ".4g", "difference": ".3g", "tolerance": ".3g"}  # numbers of many kinds


def claims_page(claims: pd.DataFrame) -> dict[str, Any]:
    """What the page takes, of claims.csv; the verdict stands beside the claim, its reason in a column of its own."""
    table = claims[[*FIRST, *claims.columns.drop([*FIRST, "id"])]]
    table = table.assign(verdict=table["verdict"].str.replace("not testable: .*", "not testable", regex=True))
    return {"counts": pages.count_verdicts(claims), "table": pages.table(table, CLAIMS)}


def budget_page(budget: pd.DataFrame) -> dict[str, Any]:
    """What the page takes, of budget.csv."""
    return {"table": pages.table(budget[EFFECTS], {"paper_uas": ".2f", "run_uas": ".2f"})}


def learned_page(facts: dict[str, Any], alternatives: pd.DataFrame) -> dict[str, Any]:
    """What the page takes, of learned.json and learned_zero_points.csv."""
    percent = 100.0 * facts["median_scatter_mag"] * np.log(10.0) / 5.0
    formats = {"solved_zero_point": ".2f", "magnitude_shift": ".4f", "slope": ".4f", "slope_shift": ".2f"}
    alternatives = alternatives.rename(columns=lambda name: name.replace("zero_point", "solved_zero_point"))
    return {"facts": facts, "percent": percent, "table": pages.table(alternatives, formats)}
