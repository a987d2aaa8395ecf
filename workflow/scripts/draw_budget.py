"""The table of systematic effects as a page of the report."""

import sys
from typing import TYPE_CHECKING

import pandas as pd

from gaia_offsets.claims import html_table, page, paragraph

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

TEXT = (
    "Effects on the offset, Gaia minus reference parallax, in microarcseconds: as the paper's numbers give them and "
    "with the numbers of this run. A sign of +- says that the effect can go either way."
)

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    budget = pd.read_csv(snakemake.input.budget)
    order = ["effect", "sign", "paper_uas", "run_uas", "formula", "paper_inputs", "run_inputs", "source"]
    table = html_table(budget[order], {"paper_uas": ".2f", "run_uas": ".2f"})
    with open(snakemake.output.page, "w", encoding="utf-8", newline="\n") as stream:
        title = f"Systematic effects: {snakemake.params.title}"
        stream.write(page(title, paragraph(TEXT), table, simulated=snakemake.params.simulated))
    print(f"{len(budget)} effects", file=sys.stderr)
