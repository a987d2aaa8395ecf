"""Columns added to a table: to one in memory, or to a file of any size in chunks of rows."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gaia_offsets.core.faults import TableError
from gaia_offsets.core.log import say
from gaia_offsets.correct.stream_fits import read_fits, read_whole_only, refuse_alike, stream_fits
from gaia_offsets.correct.stream_parquet import read_parquet, stream_parquet, write_parquet
from gaia_offsets.publish.fields import VO_UNITS
from gaia_offsets.tables.formats import ASTROPY, new_file, reason, table_format
from gaia_offsets.tables.native import native_column, native_names, native_units
from gaia_offsets.tables.text import csv_batches, csv_header, csv_table
from gaia_offsets.tables.votable import plain_table, read_whole, without_vectors

if TYPE_CHECKING:
    import pyarrow as pa
    from astropy.table import Table

    from gaia_offsets.correct.correction import Correction

CHUNK = 250_000  # rows; 50 million stay below 1 GiB


def with_columns(table: pd.DataFrame | Table, work: Correction, where: str | Path) -> pd.DataFrame | Table:
    """A copy of a table with the columns of `work` added; `where` is what messages call it."""
    work.start(native_names(table, where), native_units(table), where)
    added = work.apply({name: native_column(table, source, where) for name, source in work.sources.items()})
    work.finish()
    result = table.copy()
    for field in work.fields:
        result[field.name] = added[field.name]
        if hasattr(result, "colnames"):
            from astropy.table import Column

            about = {"unit": field.unit or None, "description": field.meaning, "meta": {"ucd": field.ucd}}
            result[field.name] = Column(added[field.name], **about)
    return result


def add_columns(catalogue: Path, output: Path, work: Correction) -> None:
    """Write a table file again with the columns of `work` added; `output` appears when it is complete.

    FITS, Parquet and CSV, written in the format they were read in, go through in chunks of rows; VOTable, ECSV and a
    change of format take memory for the whole table. Raises TableError, one line, for a file that cannot be read.
    """
    before, after = table_format(catalogue), table_format(output)
    part = output.with_name(f".{uuid.uuid4().hex}.part")  # a name that no file of the user has
    streams = {"parquet": stream_parquet, "csv": _stream_csv, "fits": stream_fits}
    try:
        if before == after and before in streams and not (before == "fits" and read_whole_only(catalogue)):
            streams[before](catalogue, part, work, CHUNK, packed=output.name.lower().endswith(".gz"))
            work.finish()
        else:
            _write_whole(with_columns(_read_whole(catalogue, before), work, catalogue), part, after, work)
        work.refuse_elsewhere()
        part.replace(output)
    except TableError:
        raise
    except Exception as error:  # the readers raise dozens of types; the user needs one line
        raise TableError(f"{catalogue}: cannot be corrected as a {before} table ({reason(error)})") from error
    finally:
        part.unlink(missing_ok=True)


def _stream_csv(catalogue: Path, part: Path, work: Correction, chunk: int, *, packed: bool) -> None:
    """The catalogue's own columns pass through as text, so that not a digit of them changes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    head = csv_header(catalogue)
    names, separator = head.names, head.separator
    if head.lines > 1:
        say(f"{catalogue}: the {head.lines - 1} lines above the rows, but for the names, are left out")
    work.start(names, head.units, catalogue)
    special = rf"[{separator}\"\r\n]"

    def quoted(text: pa.Array) -> pa.Array:
        inner = pc.binary_join_element_wise('"', pc.replace_substring(text, '"', '""'), '"', "")
        return pc.if_else(pc.match_substring_regex(text, special), inner, text)

    def lines(columns: Sequence[pa.Array]) -> bytes:
        text = [pc.fill_null(column.cast(pa.large_string()), "") for column in columns]
        newline, between = (pa.scalar(mark, pa.large_string()) for mark in ("\n", separator))
        text[-1] = pc.binary_join_element_wise(text[-1], newline, pa.scalar("", pa.large_string()))
        joined = pc.binary_join_element_wise(*text, between)
        size = pc.sum(pc.binary_length(joined)).as_py() or 0
        return joined.buffers()[2].slice(0, size).to_pybytes() if size else b""  # the rows lie one after another

    with new_file(part, packed=packed) as target:
        header = [*names, *(field.name for field in work.fields)]
        target.write(lines([quoted(pa.array([name])) for name in header]))
        for batch in csv_batches(catalogue, block_size=16 * chunk):
            added = work.apply({name: batch.column(source).to_pandas() for name, source in work.sources.items()})
            new = [pa.array(added[field.name], from_pandas=True) for field in work.fields]
            target.write(lines([*map(quoted, batch.columns), *new]))


def _read_whole(catalogue: Path, form: str) -> Table:
    """The catalogue's one table; TableError where the file holds more that another format has no room for."""
    readers = {"csv": csv_table, "fits": read_fits, "parquet": read_parquet}
    return plain_table(readers[form](catalogue)) if form in readers else read_whole(catalogue, form)


def _write_whole(table: Table, part: Path, form: str, work: Correction) -> None:
    about = work.about()
    if form in ("csv", "parquet"):
        table = without_vectors(table, "the output", form)
    if form in ("fits", "votable"):
        table = _storable(table, form)
    if form == "votable":
        for name in table.colnames:
            unit = table[name].unit
            table[name].unit = VO_UNITS.get(str(unit), unit)
        table.meta["description"] = "; ".join(f"{key}: {value}" for key, value in about.items())
    elif form == "fits":
        refuse_alike(table.colnames, "the output")
        table.meta["comments"] = [f"gaia_offsets {key}: {value}" for key, value in about.items()]
    else:
        table.meta["gaia_offsets"] = about
    if form == "parquet":
        write_parquet(table, part)
    else:
        table.write(part, format=ASTROPY[form], overwrite=True)


def _storable(table: Table, form: str) -> Table:
    """The table for FITS or VOTable: integers that it has room for, and nulls told by a value that no row has."""
    for name in table.colnames:
        kind, null = getattr(table[name], "dtype", np.dtype(object)), np.ma.is_masked(table[name])
        if null and kind.kind == "b" and form == "fits":  # astropy would write true for none
            table[name] = np.where(table[name].mask, "", table[name].data.data.astype(str))
        if kind.kind not in "iu":
            continue
        if kind.kind == "u" and (null or (form == "votable" and kind.itemsize > 1)):
            if kind.itemsize == 8 and (table[name] > 2**63 - 1).any():
                raise TableError(f"the output: column {name!r} has numbers above 2**63, which {form} cannot hold here")
            table[name] = table[name].astype(np.int64)
        elif kind == np.int8:  # astropy would write true and false, or nothing
            table[name] = table[name].astype(np.int16)
        if null:
            numbers, limits = table[name].compressed(), np.iinfo(table[name].dtype)
            table[name].fill_value = next(i for i in range(limits.min, limits.max) if i not in numbers)
    return table
