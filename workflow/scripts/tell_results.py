"""The story of a sample in one page: what was cut, what was found, how it compares."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from gaia_offsets.claims import results_page

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    names = [name for name in ("cutflow", "offsets", "pixels", "claims") if snakemake.input.get(name)]
    made = json.loads(Path(snakemake.input.settings).read_text(encoding="utf-8"))
    tables = {name: pd.read_csv(snakemake.input[name]) for name in names}
    text = results_page(
        f"Results: {snakemake.params.title}",
        **tables,
        more_than=made["more_than"],
        simulated=snakemake.params.simulated,
    )
    with open(snakemake.output.page, "w", encoding="utf-8", newline="\n") as stream:
        stream.write(text)
    print(", ".join(f"{len(table)} rows of {name}" for name, table in tables.items()), file=sys.stderr)
