"""A column in its standard type, unit and range: every value of a table of stars passes here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.columns import DESIGNATIONS, ERRORS, NULL, STANDARD, Column
from gaia_offsets.core.faults import TableError
from gaia_offsets.tables.values import as_booleans, as_floats, as_integers, unit_factor

LONGITUDES = ("ra", "l", "target_ra")  # some tables have them from -180 to 180
NO_LONGITUDE = (-1.0, -9.0, -99.0)
# Values that stand for none in many tables, and the step of numbers that are written with as many digits.
STAND_INS = {-999.0: 1.0, -99.0: 1.0, 99.99: 0.01, 999.0: 1.0, 9999.0: 1.0}
ENOUGH_STARS = 20
LARGE_MAS = 100.0  # that of stars within 10 pc: half of a table's are not so near
_SEVERAL = (list, tuple, dict, np.ndarray)


@dataclass(frozen=True)
class Origin:
    """Where a column comes from: table, name and unit there, number of the first row."""

    where: str | Path
    column: str
    unit: str = ""
    start: int = 0

    def text(self, rows: int) -> str:
        """The beginning of a message about so many rows."""
        some = f", rows {self.start + 1} to {self.start + rows}" if self.start else ""
        return f"{self.where}: column {self.column!r}{some}"


class Tally:
    """What is noted of a table's values, over its pieces; `finish` says it, or refuses the table."""

    def __init__(self) -> None:
        self._unknown: Counter[tuple[str, str]] = Counter()  # column, what is taken as unknown in it
        self._known = self._large = 0  # parallaxes without a unit
        self._parallax = ""

    def unknown(self, origin: Origin, what: str, rows: Any) -> None:
        """Note rows (N,) in which a column has this, which stands for none."""
        self._unknown[origin.column, what] += int(rows.sum())

    def parallaxes(self, origin: Origin, parallax: np.ndarray) -> None:
        """Note parallaxes (N,) in mas, which they are taken to be in where nobody states a unit."""
        self._parallax = origin.column
        self._known += int(np.isfinite(parallax).sum())
        self._large += int((np.abs(parallax) > LARGE_MAS).sum())

    def finish(self, where: str | Path) -> list[str]:
        """Lines about what is taken as unknown; TableError where parallaxes are not in mas."""
        if self._known >= ENOUGH_STARS and 2 * self._large > self._known:
            some = f"{self._large} of {self._known} parallaxes in column {self._parallax!r}, which states no unit,"
            raise TableError(
                f"{where}: {some} are beyond {LARGE_MAS:g} mas; are they in uas? Then say so: --unit parallax=uas, or "
                "`unit: uas` in `columns:`; mas there where they are right"
            )
        lines = ((column, f"{count} {what}") for (column, what), count in self._unknown.items() if count)
        return [f"{where}: column {column!r}: {line} are taken as unknown" for column, line in lines]


def standardise(
    values: pd.Series, name: str, origin: Origin, *, contract: Column | None = None, tally: Tally | None = None
) -> pd.Series:
    """A column in its standard type and unit, from the unit of its origin.

    `contract` is that of the standard name where not given; a column that has none stays as it is. With `tally` an
    error of 0, which is none, and a Gaia identifier of 0 or less become null and are noted there. Raises TableError,
    one line.
    """
    contract = contract or STANDARD.get(name)
    if contract is None:
        return values.rename(name)
    if values.dtype == object and isinstance(next((v for v in values if v is not None), None), _SEVERAL):
        raise TableError(f"{origin.where}: column {origin.column!r} holds several values a row, not one for {name!r}")
    if contract.kind == "text":
        return values.astype("str").rename(name)
    if contract.kind == "bool":
        return as_booleans(values, f"{origin.where}: column {origin.column!r}").rename(name)
    where, start = origin.text(len(values)), origin.start
    if contract.kind == "int":
        values = as_integers(_numbers_of(values) if origin.column.casefold() in DESIGNATIONS else values, where, start)
        if tally is not None and contract.low == 1:
            none = (values <= 0).fillna(False)
            tally.unknown(origin, "identifier(s) of 0 or less", none)
            values = values.mask(none)
    else:
        values = pd.Series(_standard_floats(values, name, origin, contract, tally), values.index, copy=False)
    outside = (values < contract.low) | (values > contract.high)
    count = int(outside.sum())
    if count:
        example = values[outside].iloc[0]
        raise TableError(
            f"{where}: {count} of {len(values)} rows outside {contract.low:g} to {contract.high:g} "
            f"{contract.unit} for {name!r}, the first {example:g}; is it the right column, in the right unit?"
        )
    return values.rename(name)


def _standard_floats(values: pd.Series, name: str, origin: Origin, contract: Column, tally: Tally | None) -> np.ndarray:
    where = origin.text(len(values))
    numbers = as_floats(values, where, name, origin.start)
    factor = unit_factor(origin.unit, contract.unit, where)
    if factor != 1.0:
        _refuse_stand_ins(numbers, where, origin, contract.unit)
        numbers = numbers * factor
    missing = ~np.isfinite(numbers) | (numbers == NULL * factor) | np.isclose(numbers, NULL, 1e-9, 0)
    if tally is not None and name in ERRORS:
        none = numbers == 0.0
        tally.unknown(origin, "error(s) of 0", none)
        missing |= none
    if missing.any():
        numbers = np.where(missing, np.nan, numbers)
    if tally is not None and name == "parallax" and not origin.unit:
        tally.parallaxes(origin, numbers)
    if name in LONGITUDES:
        turned = (numbers >= -180.0) & (numbers < 0.0) & ~np.isin(numbers, NO_LONGITUDE)
        numbers = np.where(turned, numbers + 360.0, numbers) if turned.any() else numbers
    return numbers


def _refuse_stand_ins(numbers: np.ndarray, where: str, origin: Origin, unit: str) -> None:
    """Raise TableError for values (-999, 99.99) that tables write for none and that pass in another unit.

    A column of rounded numbers may hold them honestly: they are those where they stand 100 times as often as each of
    the other numbers of as many digits that lie within a tenth of them.
    """
    for value, step in STAND_INS.items():
        hit = np.isclose(numbers, value, 1e-7, 0)
        if not hit.any():
            continue
        near = numbers[(np.abs(numbers - value) < 0.1 * abs(value)) & ~hit] / step
        others = np.abs(near - np.rint(near)) < 1e-7 * abs(value) / step
        if hit.sum() > 100 * others.sum() / (0.2 * abs(value) / step):
            first = origin.start + int(np.argmax(hit)) + 1
            raise TableError(
                f"{where}: {int(hit.sum())} of {len(numbers)} values are {value:g} {origin.unit}, which stands for "
                f"none in many tables, the first in row {first}; leave them empty, or give the column in {unit} where "
                "they are right"
            )


def _numbers_of(designations: pd.Series) -> pd.Series:
    """The identifiers in names such as Gaia DR3 123, null in names of another kind."""
    return designations.astype("str").str.extract(r"(?i)^\s*gaia.*\s(\d+)\s*$", expand=False)


def zero_point_in(unit: str) -> Column:
    """Contract of a zero point in mas or uas."""
    contract = STANDARD["zero_point"]
    factor = 1 / unit_factor(unit, contract.unit, "a zero point")
    return replace(contract, unit=unit, low=contract.low * factor, high=contract.high * factor)


def refuse_value_as_error(sources: Mapping[str, str], where: str | Path) -> None:
    """Raise TableError where one column stands for a quantity and for its error; `sources` by our name."""
    for name, source in sources.items():
        if sources.get(f"{name}_error") == source:
            raise TableError(
                f"{where}: column {source!r} is named as {name!r} and as its error; an error is another column"
            )
