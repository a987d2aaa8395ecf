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
from gaia_offsets.tables.text import NULL_WORDS, text_numbers

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
    values: Any,
    name: str,
    origin: Origin,
    *,
    contract: Column | None = None,
    tally: Tally | None = None,
) -> pd.Series:
    """A column in its standard type and unit, from the unit of its origin.

    `contract` is that of the standard name where not given; a column that has none stays as it is. With `tally` an
    error of 0, which is none, and a Gaia identifier of 0 or less become null and are noted there. Raises TableError,
    one line.
    """
    contract = contract or STANDARD.get(name)
    values = values if isinstance(values, pd.Series) else pd.Series(values, copy=False)
    if contract is None:
        return values.rename(name)
    if values.dtype == object and isinstance(next((v for v in values if v is not None), None), _SEVERAL):
        raise TableError(f"{origin.where}: column {origin.column!r} holds several values a row, not one for {name!r}")
    if contract.kind == "text":
        return values.astype("str").rename(name)
    if contract.kind == "bool":
        return _as_booleans(values, f"{origin.where}: column {origin.column!r}").rename(name)
    start = origin.start
    rows = f", rows {start + 1} to {start + len(values)}" if start else ""
    where = f"{origin.where}: column {origin.column!r}{rows}"
    if contract.kind == "int":
        values = _as_integers(_numbers_of(values) if origin.column.casefold() in DESIGNATIONS else values, where, start)
        if tally is not None and contract.low == 1:
            none = (values <= 0).fillna(False)
            tally.unknown(origin, "identifier(s) of 0 or less", none)
            values = values.mask(none)
    else:
        values = pd.Series(_standard_floats(values, name, origin, contract, where, tally), values.index, copy=False)
    outside = (values < contract.low) | (values > contract.high)
    count = int(outside.sum())
    if count:
        example = values[outside].iloc[0]
        raise TableError(
            f"{where}: {count} of {len(values)} rows outside {contract.low:g} to {contract.high:g} "
            f"{contract.unit} for {name!r}, the first {example:g}; is it the right column, in the right unit?"
        )
    return values.rename(name)


def _standard_floats(
    values: pd.Series, name: str, origin: Origin, contract: Column, where: str, tally: Tally | None
) -> np.ndarray:
    numbers = _as_floats(values, where, name, origin.start)
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


def _is_text(values: pd.Series) -> bool:
    return values.dtype == object or isinstance(values.dtype, pd.StringDtype)


def _as_floats(values: pd.Series, where: str, name: str, start: int) -> np.ndarray:
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "fiu":
        return values.to_numpy(dtype=float)
    if pd.api.types.is_bool_dtype(values.dtype):
        raise TableError(f"{where} holds true and false where numbers of {name!r} are expected")
    if _is_text(values):
        if values.dtype == object:
            values = values.map(_as_text)
        numbers, wrong = text_numbers(values)
        if wrong is not None:
            raise TableError(
                f"{where} holds text where numbers of {name!r} are expected, the first {values.iloc[wrong]!r} in row "
                f"{start + wrong + 1}"
            )
        return numbers
    try:
        return pd.to_numeric(values).astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    except (ValueError, TypeError):
        raise TableError(f"{where} holds {values.dtype} where numbers of {name!r} are expected") from None


def _as_text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return None if value is None or value is pd.NA or value != value else str(value)


def as_names(values: pd.Series) -> pd.Series:
    """Names as text, digit by digit, null where there is none; numbers of a binary format as they are written."""
    known = values.notna()
    if pd.api.types.is_float_dtype(values.dtype):
        numbers = values.astype("Float64").fillna(0.0).to_numpy(dtype=float)
        text = [str(int(x)) if x == np.rint(x) and abs(x) < 2**53 else repr(x) for x in numbers.tolist()]
    elif _is_text(values):
        text = [(_as_text(value) or "").strip() for value in values.where(known, None)]
    else:
        text = values.astype("str").tolist()
    names = pd.Series(text, index=values.index, dtype="str")
    return names.mask(~known | names.str.lower().isin(["", *NULL_WORDS]))


def _as_booleans(values: pd.Series, where: str) -> pd.Series:
    if values.isna().any():
        raise TableError(f"{where}: {int(values.isna().sum())} of {len(values)} values are missing; give true or false")
    return values.astype("bool")


def _as_integers(values: pd.Series, where: str, start: int = 0) -> pd.Series:
    if _is_text(values):
        text = values.map(_as_text).astype("str").str.strip()
        text = text.mask(text.str.lower().isin(["", *NULL_WORDS]))
        good = text.isna() | text.str.fullmatch(r"[+-]?(\d+|\d{1,15}\.0*)")  # 31.0 is 31; beyond, digits are lost
        if not bool(good.all()):
            place = int(np.argmin(good.to_numpy(dtype=bool)))
            raise TableError(
                f"{where}: {int((~good).sum())} of {len(values)} values are not whole numbers, the first "
                f"{values.iloc[place]!r} in row {start + place + 1}"
            )
        whole = [0 if x is None or x != x else int(x.partition(".")[0]) for x in text]
        large = [place for place, x in enumerate(whole) if not -(2**63) <= x < 2**63]
        _refuse_large(values, large, where, start)
        return pd.Series(pd.array(np.array(whole, dtype=np.int64), dtype="Int64"), index=values.index).mask(text.isna())
    if pd.api.types.is_float_dtype(values.dtype):
        plain = values.astype("Float64")
        large = int((plain.abs() > 2**53).sum())
        if large:
            raise TableError(
                f"{where}: {large} of {len(values)} identifiers are stored as floating-point numbers above 2**53 and "
                "have lost digits; write them as 64-bit integers or text"
            )
        rest = plain.dropna()
        if bool((rest != rest.round()).any()):
            raise TableError(f"{where}: fractions where whole numbers are expected")
        return plain.astype("Int64")
    if pd.api.types.is_unsigned_integer_dtype(values.dtype):
        _refuse_large(values, np.flatnonzero((values > 2**63 - 1).fillna(False).to_numpy(dtype=bool)), where, start)
    try:
        return values.astype("Int64")
    except (TypeError, ValueError, OverflowError):
        raise TableError(f"{where}: holds {values.dtype} where whole numbers are expected") from None


def _refuse_large(values: pd.Series, places: Any, where: str, start: int) -> None:
    """Raise TableError where there are places of numbers that 64 bits do not hold."""
    if len(places):
        raise TableError(
            f"{where}: {len(places)} of {len(values)} numbers are beyond 64 bits with a sign, the first "
            f"{values.iloc[places[0]]} in row {start + int(places[0]) + 1}"
        )


def as_numbers(values: pd.Series, where: str, *, null: float = np.nan) -> np.ndarray:
    """A column as float64 (N,), `null` where unknown; TableError where it holds text."""
    try:
        return values.to_numpy(dtype=float, na_value=null)
    except (TypeError, ValueError):
        raise TableError(f"{where}: the column holds text, such as {values.dropna().iloc[0]!r}, not numbers") from None


def unit_factor(unit: str, standard: str, where: str) -> float:
    """Factor from a unit (as astropy writes it, "" for none) to the standard one; TableError where there is none."""
    if not unit or unit == standard:
        return 1.0
    # Logarithms and magnitudes of a system, e.g. log(cm.s**-2), dex or mag(Vega), are numbers in the standard unit.
    if (not standard and unit.startswith(("dex", "log", "["))) or (standard == "mag" and unit.startswith("mag(")):
        return 1.0
    from astropy import units as u

    try:
        return float(u.Unit(unit).to(u.Unit(standard)))
    except u.UnitConversionError:
        raise TableError(f"{where}: unit {unit!r} cannot be converted to {standard!r}") from None
    except ValueError:
        raise TableError(
            f"{where}: unit {unit!r} is not known; write it as astropy does, e.g. 'kpc', 'mas', 'deg'"
        ) from None


def rounded_source_ids(source_id: pd.Series) -> bool:
    """Whether Gaia identifiers look as if they had gone through float64 (53 bits) on their way.

    Real identifiers above 2**60 are odd multiples of 128 half of the time; after float64 all are multiples of 256.
    Needs 20 such identifiers to say so, else False.
    """
    large = source_id.dropna().astype("int64")
    large = large[large > 2**60]
    return bool(len(large) >= 20 and (large % 256 == 0).all())


def as_column(values: Any, where: str, dtype: Any = None) -> pd.Series:
    """Values, one a star, as a column without their unit: a list, an array with masks or units, a nullable column.

    Raises TableError for what has another shape.
    """
    if isinstance(values, pd.Series | pd.api.extensions.ExtensionArray):
        return pd.Series(values).reset_index(drop=True)
    try:
        plain = np.ma.asarray(getattr(values, "value", values), dtype)
    except (TypeError, ValueError):  # rows of several lengths, a list of quantities
        plain = None
    if plain is None or plain.ndim > 1 or plain.dtype.names:
        raise TableError(f"{where}: give one value a star, an array of shape (N,)")
    column = pd.Series(np.atleast_1d(plain.data), copy=False)
    return column.mask(np.atleast_1d(plain.mask)) if np.ma.is_masked(plain) else column
