"""Targets with their Gaia and 2MASS counterparts from local tables (Sect. 2.1)."""

import sys
from typing import TYPE_CHECKING, Any

from gaia_offsets.columns import DISTANCES, GAIA, TMASS
from gaia_offsets.matching import match_catalogues
from gaia_offsets.tables import read_table, write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def read_block(
    paths: Any, role: str, block: dict[str, Any] | None, columns: tuple[str, ...], required: tuple[str, ...]
):
    """The table that a block of the sample names, or None where it names none; only the columns of that role."""
    if not block:
        return None
    table = read_table(paths[role], block.get("columns"), required=required)
    return table[[name for name in table.columns if name in columns]]


def crossmatch_tables(paths: Any, sample: dict[str, Any], gaia_epoch: float):
    """One row a target, see match_catalogues; `paths` holds the files by role."""
    match = sample["crossmatch"]
    targets = read_table(paths["targets"], sample["targets"].get("columns"), required=("target_ra", "target_dec"))
    gaia = read_block(
        paths, "gaia", match["gaia"], tuple(GAIA), ("source_id", "ra", "dec", "pmra", "pmdec", "parallax")
    )
    tmass = read_block(paths, "tmass", match.get("tmass"), ("ra", "dec", *TMASS), ("ra", "dec"))
    distances = read_block(paths, "distances", match.get("distances"), ("source_id", *DISTANCES), ("source_id",))
    matched = match_catalogues(
        targets,
        gaia,
        tmass,
        distances,
        target_epoch=match["epoch"],
        gaia_epoch=gaia_epoch,
        radius_arcsec=match["radius_arcsec"],
        tmass_radius_arcsec=match["tmass_radius_arcsec"],
    )
    found = matched["source_id"].notna()
    several = int((matched["match_neighbours"] > 1).sum())
    print(f"{len(gaia)} Gaia sources, {len(targets)} targets: {int(found.sum())} with a counterpart", file=sys.stderr)
    print(f"{several} targets with more than one Gaia source within {match['radius_arcsec']} arcsec", file=sys.stderr)
    if tmass is not None:
        print(f"{int(matched['ks_m'].notna().sum())} targets with a 2MASS counterpart", file=sys.stderr)
    return matched


if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    sample = snakemake.params.sample
    write_table(
        crossmatch_tables(snakemake.input, sample, gaia_epoch=snakemake.params.releases[sample["release"]]["epoch"]),
        snakemake.output.matched,
    )
