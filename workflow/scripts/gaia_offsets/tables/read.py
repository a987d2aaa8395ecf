"""Reading and writing of tables: files of any known format as standard columns."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.columns import ALIKE, RELEASE, STANDARD, VIZIER, Column
from gaia_offsets.core.faults import TableError
from gaia_offsets.core.log import say
from gaia_offsets.tables.contracts import Origin, Tally, refuse_value_as_error, standardise, zero_point_in
from gaia_offsets.tables.formats import table_format
from gaia_offsets.tables.native import NativeTable
from gaia_offsets.tables.parquet import write_pieces
from gaia_offsets.tables.values import as_names, unit_factor


def nearest(name: str, names: Collection[str]) -> str:
    """The names most like one that is missing, in any case of letters, to end a message with; "" where none is."""
    lower = {other.lower(): other for other in reversed(list(names))}
    near = [lower[other] for other in difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.5)]
    return f"; nearest: {', '.join(near)}" if near else ""


def column_for(name: str, present: Collection[str], where: str | Path, say: str) -> str | None:
    """The column for a standard name where the user names none: that name, VizieR's, one of ALIKE, or None.

    Raises TableError where both are present; `say` tells how to choose, with {column} for the column.
    """
    sources = [own for own in (name, VIZIER.get(name)) if own in present]
    if len(sources) > 1:
        choice = " or ".join(say.format(name=name, column=own) for own in sources)
        raise TableError(f"{where}: {' and '.join(map(repr, sources))} could both be the {name!r}; write {choice}")
    if not sources and name in ALIKE:
        alike = (next((own for own in sorted(present) if own.casefold() == other), None) for other in ALIKE[name])
        sources = [own for own in alike if own]
    return sources[0] if sources else None


def read_table(path: str | Path, columns: dict[str, Any] | None = None, **how: Any) -> pd.DataFrame:
    """A table of any known format in standard names, types and units: see TableFile, whose arguments are taken."""
    return TableFile(path, columns, **how).read()


class TableFile:
    """A table file of any known format; its columns have their standard names, its rows are still to be read.

    `columns` maps a standard (or the user's own) name to a column of the file: a name, or `{column, unit}` where the
    unit is the file's and is converted to the standard one. A `kind` says what a column of the user's own is: `name` a
    text, digit by digit as in the file, or the unit (mas, uas) of a zero point, to which it is converted from the one
    that the file states. Columns of the file that already bear a standard name need no entry, nor do VizieR's columns
    that stand for the standard names in `vizier`. Columns not mentioned either way are left out. A unit stated in the
    file itself is used where the map gives none; where neither does, the standard unit is assumed.

    Raises TableError (one line: file, column, number of rows, what to do) for a file that cannot be read, a missing
    column, one of the `required` for which nothing stands, two columns for one name, an identifier stored as a fraction
    or a value outside the column's range. `names` are the columns that it has.
    """

    def __init__(
        self,
        path: str | Path,
        columns: dict[str, Any] | None = None,
        *,
        required: tuple[str, ...] | list[str] = (),
        vizier: Iterable[str] = (),
    ) -> None:
        self.path, self._tally = Path(path), Tally()
        vizier, columns = tuple(vizier), columns or {}
        entries = {name: entry if isinstance(entry, dict) else {"column": entry} for name, entry in columns.items()}
        self._kinds = {name: entry["kind"] for name, entry in entries.items() if entry.get("kind")}
        sources = {name: entry["column"] for name, entry in entries.items()}
        refuse_value_as_error(sources, path)
        self._native = NativeTable(self.path)
        _check_names(self._native, sources)
        free, named = set(self._native.names) - set(sources.values()), set(sources.values())
        for name in (*vizier, *RELEASE) if vizier else ():
            if name not in sources:
                source = column_for(name, free, path, "`{name}: {column}` in `columns:`")
                if source not in (None, name):
                    sources[name] = source
        # By our name: the file's, and the unit of its values.
        self._columns: dict[str, tuple[str, str]] = {}
        for name, source in sources.items():
            unit = entries.get(name, {}).get("unit")
            self._columns[name] = source, self._native.units.get(source, "") if unit is None else unit
        self._take_others(named)
        lacking = [name for name in required if name not in self._columns]
        if lacking:
            raise TableError(
                f"{path}: nothing stands for {', '.join(lacking)}; name the file's column in `columns:` of the config"
            )
        self.names = list(self._columns)
        texts = [sources[name] for name, kind in self._kinds.items() if kind == "name"]
        self._native.choose([source for source, _ in self._columns.values()], texts)

    def _take_others(self, renamed: Collection[str]) -> None:
        """Take the file's columns that bear a standard name; one that has another name of ours is not taken again."""
        for name in self._native.names:
            if name in STANDARD and name not in self._columns and name not in renamed:
                unit = self._native.units.get(name, "")
                try:
                    unit_factor(unit, STANDARD[name].unit, f"{self.path}: column {name!r}")
                except TableError as error:
                    # Nobody asked for this column by name: another table's unit must not stop the run.
                    say(f"{error}; the column is left out")
                    continue
                self._columns[name] = (name, unit)

    def read(self) -> pd.DataFrame:
        """All rows and columns."""
        table = self._standard(self._native.column, self.names)
        self._finish()
        return table

    def pieces(self, names: Collection[str] | None = None, *, rows: np.ndarray | None = None) -> Iterator[pd.DataFrame]:
        """These columns (all where not given), ROW_GROUP rows or fewer at a time; the index is the number of the row.

        Of Parquet and of a binary FITS table memory holds no more than a piece. What is refused names its rows. Row
        groups of Parquet are passed over that have none of these `rows` (sorted); other rows come along.
        """
        names = [name for name in self.names if names is None or name in names]
        for start, native in self._native.pieces([self._columns[name][0] for name in names], rows):
            piece = self._standard(native.__getitem__, names, start)
            piece.index = pd.RangeIndex(start, start + len(piece))
            yield piece
        self._finish()

    def _finish(self) -> None:
        tally, self._tally = self._tally, Tally()
        say(*tally.finish(self.path))

    def _standard(self, native: Callable[[str], pd.Series], names: Iterable[str], start: int = 0) -> pd.DataFrame:
        """The columns by standard name; `native` gives those of the file, whose first row is number `start`."""
        frame = {}
        for name in names:
            source, unit = self._columns[name]
            kind = self._kinds.get(name)
            if kind == "name":
                frame[name] = as_names(native(source)).rename(name)
                continue
            contract = zero_point_in(kind) if kind else None
            unit = unit or kind or ""  # the file's own, or the one that the correction is said to be in
            origin = Origin(self.path, source, unit, start)
            frame[name] = standardise(native(source), name, origin, contract=contract, tally=self._tally)
        return pd.DataFrame(frame, copy=False)


def _check_names(native: NativeTable, sources: Mapping[str, str]) -> None:
    """Raise TableError where a source (by our name) is not among the file's columns; with the nearest that are."""
    missing = {source: name for name, source in sources.items() if source not in native.names}
    if not missing:
        return
    names, lacking, near = native.every, [], False
    for source, name in missing.items():
        if source in names:
            vector = "columns of vectors or comment lines at the top cannot be read"
            lacking.append(f"no column {source!r} (wanted as {name!r}) ({vector})")
            continue
        text = nearest(source, names)
        near = near or bool(text)
        lacking.append(f"no column {source!r} (wanted as {name!r}{text})")
    advice = "; put the right name into `columns:` of the config" if near else ""
    more = f" and {len(names) - 60} more" if len(names) > 60 else ""
    raise TableError(f"{native.path}: {', '.join(lacking)}{advice}; the file has: {', '.join(names[:60])}{more}")


def check_table(
    frame: pd.DataFrame,
    columns: tuple[str, ...] | list[str],
    where: str | Path,
    contracts: Mapping[str, Column] | None = None,
) -> pd.DataFrame:
    """The named standard columns in their order and types; raises TableError where one is missing or out of range.

    `contracts` are those of columns that are not the standard ones.
    """
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise TableError(f"{where}: column {missing[0]!r} is missing; has the table been made by an older version?")
    result = {}
    for name in columns:
        result[name] = standardise(frame[name], name, Origin(where, name), contract=(contracts or {}).get(name))
    return pd.DataFrame(result, index=frame.index)


def write_table(
    frame: pd.DataFrame,
    path: str | Path,
    units: Mapping[str, str] | None = None,
    meanings: Mapping[str, str] | None = None,
) -> None:
    """Write a table as Parquet or CSV by the name's ending; the same rows give the same bytes.

    `units` and `meanings` by column stand in the fields of a Parquet file, where `parquet_units` finds the units.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if table_format(path) == "parquet":
        write_pieces([frame], path, units, meanings)
    else:
        frame.to_csv(path, index=False, lineterminator="\n")
