"""Targets with their Gaia and 2MASS counterparts from local tables (Sect. 2.1)."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from gaia_offsets.core.columns import GAIA
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.log import say
from gaia_offsets.sample.star_table import check_stars
from gaia_offsets.sky.match import Counterparts, Match, attach, find_counterparts
from gaia_offsets.tables.parquet import write_pieces
from gaia_offsets.tables.read import TableFile

# By role: the columns that a table must have.
ROLES = {
    "targets": ("target_ra", "target_dec"),
    "gaia": ("source_id", "ra", "dec", "pmra", "pmdec", "parallax"),
    "tmass": ("ra", "dec"),
    "distances": ("source_id",),
}


def open_tables(paths: Any, columns: dict[str, Any]) -> dict[str, TableFile]:
    """The tables that the sample names, by role."""
    return {
        role: TableFile(paths[role], columns[role], required=required, vizier=GAIA if role == "gaia" else ())
        for role, required in ROLES.items()
        if role in columns
    }


def look_at(path: Any, epoch: float) -> Callable[[pd.DataFrame], None]:
    """What looks at positions and release of the Gaia table and prints what it notes, each line once."""
    told = set()

    def look(frame: pd.DataFrame) -> None:
        for line in check_stars(frame, path, epoch=epoch):
            if line not in told:
                say(line)
            told.add(line)

    return look


def counts(found: Counterparts, radius_arcsec: float) -> list[str]:
    """What there is of each, for the log."""
    lines = [
        f"{found.among} Gaia sources, {len(found.source)} targets: {int((found.source >= 0).sum())} with a counterpart",
        f"{int((found.neighbours > 1).sum())} targets with more than one Gaia source within {radius_arcsec} arcsec",
    ]
    if "tmass" in found.others:
        has = found.others["tmass"][1] >= 0
        lines.append(f"{int(has[found.source[found.source >= 0]].sum())} targets with a 2MASS counterpart")
    return lines


if __name__ == "__main__":
    open_log(snakemake.log[0])
    params = snakemake.params
    tables = open_tables(snakemake.input, params.columns)
    radii = params.radius_arcsec, params.tmass_radius_arcsec
    how = Match(params.target_epoch, params.gaia_epoch, *radii, workers=snakemake.threads)
    found = find_counterparts(**tables, how=how, check=look_at(snakemake.input.gaia, params.gaia_epoch))
    say(*counts(found, params.radius_arcsec))
    matched = attach(tables["targets"], found)
    write_pieces(matched, snakemake.output.matched, fast=True, threads=snakemake.threads)
