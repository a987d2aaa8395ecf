"""What the values of a column mean, whatever a file makes of them: numbers, whole numbers, names, and their unit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.faults import TableError
from gaia_offsets.tables.text import NULL_WORDS, text_numbers


def floats(table: pd.DataFrame, name: str) -> np.ndarray:
    """A column of a table as float64 (N,), NaN where it is null."""
    return table[name].to_numpy(dtype=float, na_value=np.nan)


def _is_text(values: pd.Series) -> bool:
    return values.dtype == object or isinstance(values.dtype, pd.StringDtype)


def as_floats(values: pd.Series, where: str, name: str, start: int) -> np.ndarray:
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


def as_booleans(values: pd.Series, where: str) -> pd.Series:
    if values.isna().any():
        raise TableError(f"{where}: {int(values.isna().sum())} of {len(values)} values are missing; give true or false")
    return values.astype("bool")


def as_integers(values: pd.Series, where: str, start: int = 0) -> pd.Series:
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
