"""The tables of claims and of systematic effects as pages of the report."""

from typing import Any

import pandas as pd

from gaia_offsets.report import pages

FIRST = ["claim", "place", "published", "reproduced", "unit", "verdict"]
EFFECTS = ["effect", "sign", "paper_uas", "run_uas", "formula", "paper_inputs", "run_inputs", "source"]
FORMATS = {"published": ".5g", "reproduced": ".4g", "difference": ".3g", "in sigma": ".1f"}


def shown(claims: pd.DataFrame) -> pd.DataFrame:
    """claims.csv as a reader wants it: the verdict beside the claim, without the reason, which has its own column."""
    table = claims[[*FIRST, *(name for name in claims.columns if name not in (*FIRST, "id"))]]
    verdict = table["verdict"].str.replace("not testable: .*", "not testable", regex=True)
    return table.assign(verdict=verdict).rename(columns={"difference_sigma": "in sigma"})


def claims_page(claims: pd.DataFrame) -> dict[str, Any]:
    """What the page takes, of claims.csv."""
    return {"counts": pages.count_verdicts(claims), "table": pages.table(shown(claims), FORMATS)}


def budget_page(budget: pd.DataFrame) -> dict[str, Any]:
    """What the page takes, of budget.csv."""
    return {"table": pages.table(budget[EFFECTS], {"paper_uas": ".2f", "run_uas": ".2f"})}
