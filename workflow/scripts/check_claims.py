"""What the paper states against what the run gives: published, reproduced, difference, verdict and why."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from gaia_offsets.claims import Run, check_claims, count_verdicts, read_claims
from gaia_offsets.sky import pixel_centre
from gaia_offsets.tables import write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    settings = json.loads(Path(snakemake.input.settings).read_text(encoding="utf-8"))
    claims = read_claims(snakemake.input.claims)
    tables = {name: pd.read_csv(path) for name, path in snakemake.input.items() if name not in ("claims", "settings")}
    for frame in ("equatorial", "galactic"):
        table = tables[f"map_{frame}"]
        _, latitude = pixel_centre(table["hindex"], nside=settings["nside"], ordering=settings["ordering"])
        tables[f"map_{frame}"] = table.assign(latitude=latitude)
    run = Run(tables, {"nside": settings["nside"], "more_than": settings["more_than"]})
    table = check_claims(claims, run, simulated=snakemake.params.simulated)
    print(", ".join(f"{count} {word}" for word, count in count_verdicts(table).items()), file=sys.stderr)
    write_table(table, snakemake.output.claims)
