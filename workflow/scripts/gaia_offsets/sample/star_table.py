"""One door for tables of stars: their columns are found, converted and checked, whoever reads them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.columns import FRAMES, STANDARD, VIZIER
from gaia_offsets.core.faults import TableError
from gaia_offsets.core.log import say
from gaia_offsets.core.releases import EPOCHS, named_epoch
from gaia_offsets.core.words import near, nearest
from gaia_offsets.sky.positions import ADVICE, ANGLES, Positions, complete_angles
from gaia_offsets.tables.contracts import ENOUGH_STARS, Origin, Tally, refuse_value_as_error, standardise
from gaia_offsets.tables.formats import readable
from gaia_offsets.tables.native import NativeTable
from gaia_offsets.tables.read import column_for
from gaia_offsets.tables.values import as_column, as_names, floats, unit_factor

CORRECTION = "correction"  # our name of the column that column:NAME names
# Half of the values of no table in mas are smaller: errors of Gaia are 0.007 mas and more, zero points some 0.03.
TINY_MAS = {"parallax": 0.005, "parallax_error": 0.003, CORRECTION: 1e-4}
_WORDS = {"parallax": "parallaxes", "parallax_error": "errors", CORRECTION: "zero points"}
_RELEASE = r"(?:E?DR|(?:Early )?Data Release )"
IDENTITY = ("source_id", "designation", "ref_epoch")  # looked at where they are there, whatever they hold


class Checks:
    """Positions and release of the stars of a table, over its pieces, against what else the table says of them."""

    def __init__(self, where: str | Path, *, epoch: float | None = None, advice: str = ADVICE) -> None:
        """`epoch` is that of the release of what the stars are used with."""
        self._where, self._epoch, self._advice = where, epoch, advice
        self._positions, self._rows = Positions(), 0
        self._wrong: Counter[str] = Counter()
        self._known: Counter[str] = Counter()
        self._first: dict[str, Any] = {}

    def look(self, stars: pd.DataFrame) -> None:
        """Count in the next piece, by standard names."""
        self._positions.look(stars)
        self._rows += len(stars)
        for name in ("designation", "ref_epoch"):
            if self._epoch is None or name not in stars:
                continue
            values = stars[name]
            if name == "designation":
                values = values.astype("str").str.extract(rf"(?i)^\s*gaia[\s_]*({_RELEASE}\d)", expand=False)
                epochs = values.map({value: named_epoch(value) for value in values.dropna().unique()}).astype(float)
                known = epochs.notna()
            else:
                epochs, known = values, values.round(2).isin(EPOCHS.values())
            wrong = known & ((epochs - self._epoch).abs() > 0.01)
            self._known[name] += int(known.sum())
            self._wrong[name] += int(wrong.sum())
            if wrong.any():
                self._first.setdefault(name, values[wrong].iloc[0])

    def finish(self) -> list[str]:
        """Lines about rows that contradict; TableError where most of them do."""
        lines = []
        for name, first in self._first.items():
            line = f"{self._where}: {self._wrong[name]} of {self._rows} rows are of another release: {name} is {first}"
            if 2 * self._wrong[name] > self._known[name]:
                raise TableError(
                    f"{line}; what they are used with is of epoch {self._epoch:g}: take that of one release"
                )
            lines.append(line)
        return [*lines, *self._positions.judge(self._where, self._advice)]


def check_stars(stars: pd.DataFrame, where: str | Path, *, epoch: float | None = None) -> list[str]:
    """Lines about rows of a whole table whose position or release is not what else it says of it: see Checks."""
    checks = Checks(where, epoch=epoch)
    checks.look(stars)
    return checks.finish()


class StarTable:
    """The standard columns of a table of stars, in memory or in pieces: `open`, `take`, then `values` a piece."""

    def __init__(self, columns: Mapping[str, Any] | None = None, *, epoch: float | None = None) -> None:
        """`columns` maps standard names, or CORRECTION, to the table's: a name, or `{column, unit}`.

        `epoch` is that of the release that the stars should be of.
        """
        columns = columns or {}
        self.entries = {name: dict(e) if isinstance(e, Mapping) else {"column": e} for name, e in columns.items()}
        for name, entry in self.entries.items():
            if not set(entry) <= {"column", "unit"} or not all(isinstance(text, str) for text in entry.values()):
                raise TableError(f"columns: {name}: {columns[name]!r} should be a name, or {{column, unit}} with texts")
        self.contracts = {**STANDARD, CORRECTION: STANDARD["zero_point"]}
        self.epoch = epoch
        self.sources: dict[str, str] = {}
        self._tally = Tally()
        self._known: Counter[str] = Counter()
        self._tiny: Counter[str] = Counter()
        self._positive = 0
        self._lines: dict[str, str] = {}
        self._start = 0

    def open(self, names: Sequence[str], units: Mapping[str, str], where: str | Path) -> None:
        """The table's columns and the units that it states; TableError where one that is named is missing."""
        self.where, self.names, self._units = where, list(names), units
        stated = {name: entry["column"] for name, entry in self.entries.items() if "column" in entry}
        refuse_value_as_error(stated, where)
        for name, source in stated.items():
            if source not in names:
                told = f"{nearest(source, names)}; it has: {', '.join(names[:40])}"
                raise TableError(f"{where}: no column {source!r} (wanted as {name!r}){told}")
        self._stated, self._free = stated, set(names) - set(stated.values())
        advice = "Name the right columns and units (--ra, --dec, --unit ra=hourangle)"
        self._checks = Checks(where, epoch=self.epoch, advice=advice)

    def find(self, name: str) -> str | None:
        """The column that stands for a standard name, None where there is none; TableError where there are two."""
        return self._stated.get(name) or column_for(name, self._free, self.where, f"{_option(name)} {{column}}")

    def take(self, needed: Iterable[str], wanted: Iterable[str] = ()) -> None:
        """Sets `sources`: the columns needed, those wanted that are there, and those that tell of place and release.

        Raises TableError with all that are missing.
        """
        needed = list(dict.fromkeys(needed))
        placed = any(all(map(self.find, pair)) for pair in FRAMES.values())  # the one pair of angles tells the others
        missing = [name for name in needed if not self.find(name) and not (placed and name in ANGLES)]
        if missing:
            called = (f"{name!r}" + (f" (VizieR: {VIZIER[name]})" if name in VIZIER else "") for name in missing)
            options = (f"{_option(name)} {near(name, self._free, 0.7) or 'COLUMN'}" for name in missing)
            raise TableError(
                f"{self.where}: no column {', '.join(called)}: name the column that stands for it, {' '.join(options)}"
            )
        every = dict.fromkeys([*needed, *wanted, *ANGLES, *IDENTITY])
        self.sources = {name: source for name in every if (source := self.find(name))}
        roles = Counter(source for name, source in self.sources.items() if name in needed)
        if twice := [column for column, count in roles.items() if count > 1]:
            names = " and ".join(name for name in needed if self.sources.get(name) == twice[0])
            raise TableError(f"{self.where}: column {twice[0]!r} cannot be {names} at once; name another for one")
        self._optional = set(IDENTITY) - set(needed)
        self._angles = [name for name in needed if name in ANGLES]
        for name in set(self.sources) - self._optional:  # a unit that is none is refused before a row is read
            contract = self.contracts[name]
            if contract.kind == "float":
                unit_factor(self.unit(name), contract.unit, f"{self.where}: column {self.sources[name]!r}")

    def unit(self, name: str) -> str:
        """Unit of the column that stands for a standard name, "" where neither the caller nor the table states one."""
        return self.entries.get(name, {}).get("unit") or self._units.get(self.sources[name], "")

    def values(self, piece: Mapping[str, Any]) -> pd.DataFrame:
        """The next piece by standard name, in standard units, checked; `piece` has the columns of `sources`.

        Raises TableError, one line, for a value that cannot be what the column is taken for.
        """
        frame: dict[str, pd.Series] = {}
        for name, values in piece.items():
            origin = Origin(self.where, self.sources[name], self.unit(name), self._start)
            try:
                frame[name] = standardise(values, name, origin, contract=self.contracts[name], tally=self._tally)
            except TableError as error:
                if name not in self._optional:
                    raise
                self._tell(f"{error}; nobody asked for this column: it is not looked at")
        stars = pd.DataFrame(frame, copy=False)
        for name, limit in TINY_MAS.items():
            if name in stars:
                size = stars[name].abs()
                self._known[name] += int(size.notna().sum())
                self._tiny[name] += int(((size < limit) & ((size > 0) | (name != CORRECTION))).sum())
                if name == "parallax_error":  # one of them would be the whole of a mean
                    stars[name] = stars[name].mask(size < limit)
        if CORRECTION in stars:
            self._positive += int((stars[CORRECTION] > 0).sum())
        self._checks.look(stars)
        self._start += len(stars)
        return self._completed(stars)

    def _completed(self, stars: pd.DataFrame) -> pd.DataFrame:
        """The stars with those angles that are needed and not there, or null, where others tell them."""
        lacking = [name for name in self._angles if name not in stars or stars[name].isna().any()]
        if not (lacking and any(set(pair) <= set(stars) for pair in FRAMES.values())):
            return stars
        full = complete_angles(stars, lacking)
        return stars.assign(**{name: full[name] for name in self._angles})

    def _tell(self, line: str) -> None:
        self._lines.setdefault(re.sub(r"\d[\d.]*", "", line), line)  # once, not for each piece

    def finish(self) -> list[str]:
        """Lines about the whole; TableError where it cannot be in the unit that it is taken to be in."""
        for name, limit in TINY_MAS.items():
            known, tiny = self._known[name], self._tiny[name]
            enough = 1 if name == "parallax_error" else ENOUGH_STARS  # no star has such an error
            if known >= enough and 2 * tiny > known:
                raise TableError(
                    f"{self.where}: {tiny} of {known} {_WORDS[name]} in column {self.sources[name]!r} are smaller than "
                    f"{limit:g} mas; are they in arcsec? Then say so: --unit {name}=arcsec, or `columns:`"
                )
        if tiny := self._tiny["parallax_error"]:
            some = f"{tiny} error(s) below {TINY_MAS['parallax_error']:g} mas are taken as unknown"
            self._tell(f"{self.where}: column {self.sources['parallax_error']!r}: {some}")
        known = self._known[CORRECTION]
        if known >= ENOUGH_STARS and 10 * self._positive > 9 * known:
            some = f"{self._positive} of {known} zero points in column {self.sources[CORRECTION]!r} are positive"
            self._tell(
                f"{self.where}: {some}; Gaia's are negative for most stars: a zero point is subtracted, not added"
            )
        return [*self._lines.values(), *self._checks.finish(), *self._tally.finish(self.where)]


def _option(name: str) -> str:
    """How the command names a column; in Python and in the config it is `columns`."""
    return f"--{name.replace('_', '-')}"


def refuse_other_order(where: str, *tables: Any) -> None:
    """Raise TableError where two pandas objects have the same rows in another order: they are not joined by labels."""
    labels = [table.index for table in tables if isinstance(table, pd.DataFrame | pd.Series)]
    for other in labels[1:]:
        if not other.equals(labels[0]) and len(other) == len(labels[0]) and not other.difference(labels[0]).size:
            raise TableError(
                f"{where}: rows of the same labels in another order; bring them in one order, or take arrays"
            )


def star_arrays(where: str, **arrays: Any) -> list[np.ndarray]:
    """Arrays by their standard names as float64 (N,) in standard units, null where unknown: checked like columns.

    One value stands for all stars. What a table would be told of goes to standard error. Raises TableError, one line.
    """
    refuse_other_order(where, *arrays.values())
    columns = {name: as_column(values, f"{where}: {name}") for name, values in arrays.items()}
    sizes = {name: len(column) for name, column in columns.items() if np.ndim(arrays[name])}
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise TableError(f"{where}: the arrays are of several lengths: {listed}; give one value a star")
    for name in set(columns) - set(sizes):
        columns[name] = columns[name].repeat(next(iter(sizes.values()), 1)).reset_index(drop=True)
    units = {name: str(values.unit) for name, values in arrays.items() if getattr(values, "unit", None) is not None}
    table = StarTable()
    table.open(list(columns), units, where)
    table.take(columns)
    stars = table.values(columns)
    say(*table.finish())
    return [floats(stars, name) for name in arrays]


def read_stars(
    path: str | Path, table: StarTable, needed: Sequence[str], *, group: str | None = None, also: Any = None
) -> tuple[pd.DataFrame, pd.Series | None]:
    """The stars of a whole file by standard name, and the names in the column `group`, which is read as text.

    `also` is a Correction, whose corrected parallax takes the place of the file's.
    """
    native = NativeTable(Path(path))
    names = native.every
    if group is not None and group not in names:
        told = f"{nearest(group, names)}; it has: {', '.join(names[:40])}"
        raise TableError(f"{path}: no column {group!r} (--group){told}")
    table.open(names, native.units, path)
    table.take(needed)
    if also:
        also.start(names, native.units, path)
    sources = [*table.sources.values(), *(also.sources.values() if also else ()), *([group] if group else [])]
    if missing := set(sources) - set(native.names):
        raise TableError(f"{path}: column {missing.pop()!r} holds vectors, not one value a row")
    native.choose(sources, [group] if group else [])
    with readable(native.path):
        stars = table.values({name: native.column(source) for name, source in table.sources.items()})
        groups = as_names(native.column(group)) if group else None
    if also:
        added = also.apply({name: native.column(source) for name, source in also.sources.items()})
        stars["parallax"] = added["parallax_corrected"]
        also.finish()
    return stars, groups
