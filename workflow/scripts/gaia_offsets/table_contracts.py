"""A column in its standard type, unit and range: every value of a table of stars passes here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from gaia_offsets.columns import STANDARD
from gaia_offsets.faults import TableError


def standardise(values: pd.Series, name: str, unit: str, path: Path, source: str, start: int = 0) -> pd.Series:
    """A column in its standard type and unit; `start` is the number of its first row in the file."""
    contract = STANDARD.get(name)
    if contract is None:
        return values.rename(name)
    if contract.kind == "text":
        return values.astype("str").rename(name)
    if contract.kind == "bool":
        return values.astype("bool").rename(name)
    where = f"{path}: column {source!r}{f', rows {start + 1} to {start + len(values)}' if start else ''}"
    if contract.kind == "int":
        values = _as_integers(values, where)
    else:
        try:
            if not (isinstance(values.dtype, np.dtype) and values.dtype.kind in "fiu"):
                values = pd.to_numeric(values).astype("Float64")
            numbers = values.to_numpy(dtype=float, na_value=np.nan)
        except (ValueError, TypeError):
            raise TableError(f"{where} holds text where numbers of {name!r} are expected") from None
        factor = unit_factor(unit, contract.unit, where)
        numbers = numbers if factor == 1.0 else numbers * factor
        # LAMOST and others write -9999 for a missing value; no standard column can hold it as a real one.
        missing = ~np.isfinite(numbers) | (numbers == -9999.0 * factor)
        if missing.any():
            numbers = np.where(missing, np.nan, numbers)
        values = pd.Series(numbers, index=values.index, copy=False)
    outside = (values < contract.low) | (values > contract.high)
    count = int(outside.sum())
    if count:
        example = values[outside].iloc[0]
        raise TableError(
            f"{where}: {count} of {len(values)} rows outside {contract.low:g} to {contract.high:g} "
            f"{contract.unit} for {name!r}, the first {example:g}; is it the right column, in the right unit?"
        )
    return values.rename(name)


def _as_integers(values: pd.Series, where: str) -> pd.Series:
    if values.dtype == object or isinstance(values.dtype, pd.StringDtype):
        text = values.astype("str").str.strip()
        text = text.mask(text.isin(["", "nan", "None", "<NA>"]))
        good = text.isna() | text.str.fullmatch(r"[+-]?\d{1,19}")
        if not bool(good.all()):
            raise TableError(f"{where}: {int((~good).sum())} of {len(values)} values are not whole numbers")
        whole = np.array([0 if x is None or x != x else int(x) for x in text], dtype=np.int64)
        return pd.Series(pd.array(whole, dtype="Int64"), index=values.index).mask(text.isna())
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
    try:
        return values.astype("Int64")
    except (TypeError, ValueError):
        raise TableError(f"{where}: not whole numbers of 64 bits") from None


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
