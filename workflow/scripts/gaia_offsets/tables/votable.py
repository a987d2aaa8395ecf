"""VOTable and ECSV, which are read as a whole, and astropy's tables as plain columns."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gaia_offsets.core.faults import TableError
from gaia_offsets.core.log import say
from gaia_offsets.tables.formats import open_bytes, refuse_twice

if TYPE_CHECKING:
    from astropy.io.votable.tree import TableElement, VOTableFile
    from astropy.table import Table


def read_ecsv(path: Path) -> Table:
    """An ECSV file, packed or not; `null` is a null, as in the Gaia archive's files."""
    from astropy.io.ascii import masked
    from astropy.table import Table

    with open_bytes(path) as stream:
        text = stream.read().decode("utf-8-sig")
    if not text.startswith("# %ECSV"):
        raise TableError(f"{path}: is no ECSV file: it begins with {text[:40]!r}, not with '# %ECSV'")
    return Table.read(text, format="ascii.ecsv", fill_values=[(masked, "0"), ("null", "0"), ("", "0")])


def parse_votable(stream: IO[bytes], **more: Any) -> VOTableFile:
    """A VOTable as astropy parses it, without its many warnings."""
    from astropy.io.votable import parse

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return parse(stream, **more)


def read_votable(path: Path) -> tuple[Table, TableElement]:
    """The one table of a VOTable file, and its element with all that it says of itself.

    Raises TableError for an answer of a service that is cut (OVERFLOW) or a message of its fault, and for several
    tables.
    """
    with open_bytes(path) as stream:
        file = parse_votable(stream, filename=str(path))
    _refuse_status(file, path)
    tables = list(file.iter_tables())
    if len(tables) != 1:
        what = f"holds {len(tables)} tables; write each to a file of its own" if tables else "holds no table"
        raise TableError(f"{path}: {what}")
    refuse_twice((field.name for field in tables[0].fields), path)  # astropy would give the second another name
    return tables[0].to_table(use_names_over_ids=True), tables[0]


def read_whole(path: Path, form: str) -> Table:
    """The one table of a VOTable or an ECSV file, in plain columns."""
    return plain_table(read_votable(path)[0] if form == "votable" else read_ecsv(path))


def _refuse_status(file: VOTableFile, path: Path) -> None:
    """Raise TableError where a service says that the answer is cut, or is none."""
    queue: list[Any] = [file]
    while queue:
        element = queue.pop()
        queue += [*getattr(element, "resources", ()), *getattr(element, "tables", ())]
        for info in element.infos:
            status = str(info.value).upper() if info.name.upper() == "QUERY_STATUS" else ""
            if status == "OVERFLOW":
                raise TableError(
                    f"{path}: is not whole: the service cut it at its limit of rows (QUERY_STATUS OVERFLOW); ask again "
                    "with a higher limit (MAXREC), or in parts"
                )
            if status == "ERROR":
                reason = " ".join((info.content or "").split())
                raise TableError(f"{path}: holds no table but an error of the service: {reason or 'no reason given'}")


def plain_table(table: Table) -> Table:
    """An astropy Table of plain columns, one value a row, text as text.

    Coordinates and times become several columns (sky.ra, sky.dec), vectors of one element their element.
    """
    from astropy.table import Column, MaskedColumn, Table
    from astropy.table.serialize import represent_mixins_as_columns

    if any(not isinstance(table[name], Column) for name in table.colnames):
        table = Table(represent_mixins_as_columns(table))
        table.meta.pop("__serialized_columns__", None)
        table.meta["comments"] = [line for line in table.meta.get("comments", ()) if "__serialized" not in line]
    for name in table.colnames:
        column = table[name]
        if column.ndim == 2 and column.shape[1] == 1:
            table[name] = column[:, 0]
        elif column.dtype.kind in "SO" and column.ndim == 1:
            null = np.ma.getmaskarray(np.ma.asarray(column)) | np.array([value is None for value in column], bool)
            words = [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in np.ma.getdata(column)]
            about = {"description": column.description, "unit": column.unit, "meta": column.meta}
            values = np.where(null, "", np.array(words, dtype=str)) if words else np.zeros(0, "U1")
            table[name] = MaskedColumn(values, mask=null, **about) if null.any() else Column(values, **about)
    return table


def without_vectors(table: Table, where: str | Path, form: str) -> Table:
    """The table without the columns that hold vectors, for a format that has no room for them; it says which."""
    vectors = [name for name in table.colnames if table[name].ndim > 1]
    if vectors:
        say(f"{where}: {form} takes no vectors; left out: {', '.join(vectors)}")
        table = table[[name for name in table.colnames if name not in vectors]]
    return table


def flat_columns(table: Table) -> list[str]:
    """Names of the columns of one value a row."""
    return [name for name in table.colnames if table[name].ndim == 1]


def astropy_column(table: Table, name: str) -> pd.Series:
    """A column of one value a row as pandas has it: integers with nulls stay integers."""
    return table[[name]].to_pandas(use_nullable_int=True)[name]
