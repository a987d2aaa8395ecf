"""The table of claims as a page of the report."""

import sys
from typing import TYPE_CHECKING

import pandas as pd

from gaia_offsets.claims import count_verdicts, html_table, page, paragraph

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    claims = pd.read_csv(snakemake.input.claims)
    counts = count_verdicts(claims)
    text = (
        f"{counts['agrees']} agree, {counts['differs']} differ, {counts['untested']} cannot be tested with these stars."
    )
    digits = {"published": ".5g", "reproduced": ".4g", "difference": ".3g", "in sigma": ".1f"}
    first = ["claim", "place", "published", "reproduced", "unit", "verdict"]
    shown = claims[[*first, *(name for name in claims.columns if name not in (*first, "id"))]]
    # The reason of an untested claim has a column of its own here.
    shown = shown.assign(verdict=shown["verdict"].str.replace("not testable: .*", "not testable", regex=True))
    shown = shown.rename(columns={"difference_sigma": "in sigma"})
    with open(snakemake.output.page, "w", encoding="utf-8", newline="\n") as stream:
        parts = paragraph(text), html_table(shown, digits)
        title = f"What the paper states, tested on: {snakemake.params.title}"
        stream.write(page(title, *parts, simulated=snakemake.params.simulated))
    print(text, file=sys.stderr)
