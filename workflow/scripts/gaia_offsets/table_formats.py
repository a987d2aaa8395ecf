"""What a table file is: its format by its name."""

from __future__ import annotations

from pathlib import Path

from gaia_offsets.faults import TableError


def table_format(path: str | Path) -> str:
    """Format of a table file by its name: csv, fits, votable, ecsv or parquet.

    Raises TableError for a name that ends in none of the known ways.
    """
    name = Path(path).name.lower().removesuffix(".gz")
    endings = {
        "csv": (".csv",),
        "fits": (".fits", ".fit"),
        "votable": (".vot", ".votable", ".xml"),
        "ecsv": (".ecsv",),
        "parquet": (".parquet",),
    }
    for fmt, ends in endings.items():
        if name.endswith(ends):
            return fmt
    raise TableError(
        f"{path}: unknown kind of table; its name should end in .csv[.gz], .fits[.gz], .vot, .ecsv or .parquet"
    )
