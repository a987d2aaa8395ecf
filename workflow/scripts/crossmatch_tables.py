"""Targets with their Gaia and 2MASS counterparts from local tables (Sect. 2.1)."""

import gc
import sys
from typing import Any

import pandas as pd

from gaia_offsets.columns import DISTANCES, GAIA, STANDARD, TMASS
from gaia_offsets.faults import open_log
from gaia_offsets.matching import attach, find_counterparts
from gaia_offsets.rawfile import check_raw
from gaia_offsets.sky import check_positions
from gaia_offsets.tables import pieces, read_table, write_pieces

# By role: the columns that a table gives, and those that it must have.
ROLES = {
    "gaia": (tuple(GAIA), ("source_id", "ra", "dec", "pmra", "pmdec", "parallax")),
    "tmass": (("ra", "dec", *TMASS), ("ra", "dec")),
    "distances": (("source_id", *DISTANCES), ("source_id",)),
}


def read_tables(paths: Any, columns: dict[str, Any]) -> dict[str, pd.DataFrame | None]:
    """The tables by role, None where the sample names none; each with only the columns of its role."""
    targets = read_table(paths["targets"], columns["targets"], required=("target_ra", "target_dec"))
    gc.collect()  # astropy's table of the file refers to itself, and would stay as large as the targets
    tables: dict[str, pd.DataFrame | None] = dict.fromkeys(ROLES)
    for role, (given, required) in ROLES.items():
        if role in columns:
            table = read_table(paths[role], columns[role], required=required, vizier=GAIA if role == "gaia" else ())
            # A column that the map names and that is no standard one is wanted too.
            kept = [name for name in table.columns if name in given or name not in STANDARD]
            tables[role] = table[kept]
    for line in check_positions(tables["gaia"], paths["gaia"]):
        print(line, file=sys.stderr)
    return {"targets": targets, **tables}


if __name__ == "__main__":
    open_log(snakemake.log[0])
    for line in check_raw(snakemake.input.manifests, snakemake.params.raw):
        print(line, file=sys.stderr)
    params = snakemake.params
    tables = read_tables(snakemake.input, params.columns)
    found = find_counterparts(
        **tables,
        target_epoch=params.target_epoch,
        gaia_epoch=params.gaia_epoch,
        radius_arcsec=params.radius_arcsec,
        tmass_radius_arcsec=params.tmass_radius_arcsec,
        workers=snakemake.threads,
    )
    matched, several = int((found.gaia >= 0).sum()), int((found.neighbours > 1).sum())
    print(
        f"{len(tables['gaia'])} Gaia sources, {len(found.gaia)} targets: {matched} with a counterpart", file=sys.stderr
    )
    print(f"{several} targets with more than one Gaia source within {params.radius_arcsec} arcsec", file=sys.stderr)
    if found.tmass is not None:
        print(f"{int((found.tmass >= 0).sum())} targets with a 2MASS counterpart", file=sys.stderr)
    write_pieces(
        (attach(**tables, found=found, rows=rows) for rows in pieces(len(found.gaia))), snakemake.output.matched
    )
