"""The table of systematic effects as a page of the report."""

import sys

import pandas as pd

from gaia_offsets import pages
from gaia_offsets.faults import open_log

COLUMNS = ["effect", "sign", "paper_uas", "run_uas", "formula", "paper_inputs", "run_inputs", "source"]

if __name__ == "__main__":
    open_log(snakemake.log[0])
    budget = pd.read_csv(snakemake.input.budget)
    pages.save(
        snakemake.output.page,
        "budget.html.j2",
        title=f"Systematic effects: {snakemake.params.title}",
        simulated=snakemake.params.simulated,
        table=pages.table(budget[COLUMNS], {"paper_uas": ".2f", "run_uas": ".2f"}),
    )
    print(f"{len(budget)} effects", file=sys.stderr)
