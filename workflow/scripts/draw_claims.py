"""The table of claims as a page of the report."""

import sys

import pandas as pd

from gaia_offsets import pages
from gaia_offsets.faults import open_log

FIRST = ["claim", "place", "published", "reproduced", "unit", "verdict"]
FORMATS = {"published": ".5g", "reproduced": ".4g", "difference": ".3g", "in sigma": ".1f"}


def shown(claims: pd.DataFrame) -> pd.DataFrame:
    """claims.csv as a reader wants it: the verdict beside the claim, without the reason, which has its own column."""
    table = claims[[*FIRST, *(name for name in claims.columns if name not in (*FIRST, "id"))]]
    verdict = table["verdict"].str.replace("not testable: .*", "not testable", regex=True)
    return table.assign(verdict=verdict).rename(columns={"difference_sigma": "in sigma"})


if __name__ == "__main__":
    open_log(snakemake.log[0])
    claims = pd.read_csv(snakemake.input.claims)
    counts = pages.count_verdicts(claims)
    pages.save(
        snakemake.output.page,
        "claims.html.j2",
        title=f"What the paper states, tested on: {snakemake.params.title}",
        simulated=snakemake.params.simulated,
        counts=counts,
        table=pages.table(shown(claims), FORMATS),
    )
    print(", ".join(f"{count} {word}" for word, count in counts.items()), file=sys.stderr)
