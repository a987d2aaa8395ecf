"""The tracers as a HATS catalogue: Parquet files by place on the sky, for LSDB."""

from pathlib import Path

import pandas as pd

from gaia_offsets.core.columns import STANDARD
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.log import say
from gaia_offsets.tables.hats import lsdb_for
from gaia_offsets.tables.read import TableError


def publish_hats(tracers: pd.DataFrame, folder: str | Path, *, name: str, title: str) -> None:
    """Write tracers, with Arrow's own types, as the HATS catalogue `name` in an empty or new folder.

    The columns are the tracers' and `_healpix_29`. The same tracers give the same bytes: the date of making, which LSDB
    would write, is left out. HATS has no place for units; they stand in the description. Raises TableError where a
    tracer has no position.
    """
    lsdb = lsdb_for("publish_hats: true")
    import dask

    lost = int(tracers[["ra", "dec"]].isna().any(axis=1).sum())
    if lost:
        raise TableError(f"{lost} of {len(tracers)} tracers have no ra, dec, by which a HATS catalogue is ordered")
    units = [
        f"{column} [{STANDARD[column].unit}]" for column in tracers if column in STANDARD and STANDARD[column].unit
    ]
    about = {"obs_title": title, "obs_description": f"Units: {', '.join(units)}", "hats_creation_date": None}
    catalogue = lsdb.from_dataframe(tracers, ra_column="ra", dec_column="dec", margin_threshold=None)
    with dask.config.set(scheduler="synchronous"):
        catalogue.write_catalog(
            folder, catalog_name=name, as_collection=False, addl_hats_properties=about, progress_bar=False
        )


if __name__ == "__main__":
    open_log(snakemake.log[0])
    tracers = pd.read_parquet(snakemake.input.tracers, dtype_backend="pyarrow")
    publish_hats(tracers, snakemake.output.catalogue, name=snakemake.wildcards.sample, title=snakemake.params.title)
    say(f"{len(tracers)} tracers in {snakemake.output.catalogue}")
