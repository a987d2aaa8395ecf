"""Gaia sources near any target from a HATS catalogue, read by LSDB; the cross-match chooses from them (Sect. 2.1)."""

from typing import Any

import pandas as pd

from gaia_offsets.core.columns import GAIA
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.log import say
from gaia_offsets.tables.hats import lsdb_for
from gaia_offsets.tables.read import TableError, read_table, write_table

NEEDED = ("source_id", "ra", "dec", "pmra", "pmdec", "parallax")


def wanted_columns(present: list[str], columns: dict[str, Any], catalogue: str) -> list[str]:
    """Names in the catalogue of the Gaia columns that it has and of what `columns` (ours: theirs) maps besides.

    Raises TableError for a column that the map names or the cross-match needs and the catalogue lacks.
    """
    named = {ours: entry["column"] if isinstance(entry, dict) else entry for ours, entry in columns.items()}
    theirs = {name: name for name in GAIA} | named
    for ours, name in theirs.items():
        if name not in present and (ours in NEEDED or ours in named):
            where = f"crossmatch.hats.columns.{ours}"
            raise TableError(f"{catalogue}: no column {name!r} among its {len(present)}; name the right one in {where}")
    return [name for name in dict.fromkeys(theirs.values()) if name in present]


def search_hats(
    targets: pd.DataFrame, catalogue: str, columns: dict[str, Any], *, radius_arcsec: float, workers: int
) -> pd.DataFrame:
    """Sources of a HATS catalogue within a radius of any target, with the catalogue's column names, by right ascension.

    `catalogue` is a path or an address, `targets` has target_ra and target_dec in degrees, rows without are left out.
    LSDB looks for a target near each source: so one neighbour suffices, and the catalogue needs no margin.
    """
    lsdb = lsdb_for("crossmatch.backend hats")
    import dask

    try:
        present = lsdb.open_catalog(catalogue).all_columns
        gaia = lsdb.open_catalog(catalogue, columns=wanted_columns(present, columns, catalogue))
    except OSError as error:
        what = "crossmatch.hats.catalogue is the path or the address of a HATS catalogue or collection"
        raise TableError(f"{catalogue}: cannot be opened ({error}); {what}") from None
    # Spectra of one star are one position.
    positions = targets[["target_ra", "target_dec"]].dropna().drop_duplicates().reset_index(drop=True)
    if positions.empty:
        raise TableError("targets: no row has target_ra and target_dec")
    near = lsdb.from_dataframe(
        positions,
        ra_column="target_ra",
        dec_column="target_dec",
        margin_threshold=radius_arcsec,
        catalog_name="targets",
    )
    pairs = gaia.crossmatch(near, n_neighbors=1, radius_arcsec=radius_arcsec, suffix_method="overlapping_columns")
    with dask.config.set(scheduler="threads", num_workers=workers):
        sources = pd.DataFrame(pairs[list(gaia.columns)].compute())
    order = [columns.get(name, name) for name in ("ra", "source_id")]
    order = [entry["column"] if isinstance(entry, dict) else entry for entry in order]
    return sources.sort_values(order, ignore_index=True)


if __name__ == "__main__":
    open_log(snakemake.log[0])
    params = snakemake.params
    targets = read_table(snakemake.input.targets, params.columns, required=("target_ra", "target_dec"))
    sources = search_hats(
        targets,
        params.hats["catalogue"],
        params.hats.get("columns") or {},
        radius_arcsec=params.radius_arcsec + params.pm_margin_arcsec,
        workers=snakemake.threads,
    )
    say(f"{len(sources)} Gaia sources near {len(targets)} targets in {params.hats['catalogue']}")
    write_table(sources, snakemake.output.sources)
