"""Offsets in bins of G, colour and ecliptic latitude (Fig. 5)."""

from typing import Any

import pandas as pd

from gaia_offsets.core.faults import open_log
from gaia_offsets.core.files import write_json
from gaia_offsets.core.log import say
from gaia_offsets.core.releases import standard
from gaia_offsets.offsets.binned import trends
from gaia_offsets.offsets.scatter import Scatter
from gaia_offsets.offsets.stars import MEASURED
from gaia_offsets.tables.parquet import read_tracers
from gaia_offsets.tables.read import write_table


def expand_edges(edges: Any) -> list[float]:
    """Bin edges from a list or from `{start, stop, step}` (stop included)."""
    if isinstance(edges, dict):
        count = round((edges["stop"] - edges["start"]) / edges["step"])
        # Rounded so that 8.0 + 3 * 0.1 is 8.3 on every machine.
        return [round(edges["start"] + i * edges["step"], 10) for i in range(count + 1)]
    return [float(edge) for edge in edges]


if __name__ == "__main__":
    open_log(snakemake.log[0])
    bins = snakemake.params.trends
    solutions = snakemake.params.solutions
    columns = [*MEASURED, *solutions.values(), "ecl_lat"]
    table, joined = trends(
        read_tracers(snakemake.input.tracers, columns),
        solutions,
        {variable: expand_edges(edges) for variable, edges in bins["edges"].items()},
        min_stars=bins["min_stars"],
        join=bins["join"],
        gaussian=snakemake.params.gaussian,
        scatter=Scatter(snakemake.params.reference, pd.read_csv(snakemake.input.scatter)),
    )
    say(f"{len(table)} bins with at least {bins['min_stars']} stars; bins joined: {joined}")
    made = {"min_stars": bins["min_stars"], "joined": joined, "warning": None}
    if not (table["solution"] == standard(solutions)).any():
        change = "lower trends.min_stars" if bins["join"] == "auto" else "set trends.join to auto"
        few = f"No trend of {standard(solutions)} stars, no bin has {bins['min_stars']} stars"
        made["warning"] = f"{few}: {change} in the sample's `measure`"
        say(f"WARNING: {made['warning']}")
    write_table(table, snakemake.output.trends)
    write_json(snakemake.output.settings, made)
