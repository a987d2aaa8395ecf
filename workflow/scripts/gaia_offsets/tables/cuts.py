"""A cut of the config: which rows of a table pass it, and how it reads."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from gaia_offsets.core.faults import TableError

_COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def cut_mask(frame: pd.DataFrame, cut: dict[str, Any]) -> np.ndarray:
    """Boolean array: rows of `frame` that pass one cut `{column, op, value, solution?}`.

    A null value fails every cut. A cut with a `solution` lets the rows of other solutions pass; it needs the column
    `solution`. Ops: <, <=, >, >=, ==, !=, between (inclusive), in, not_null.

    Raises TableError where the table has no such column, or text where the cut has a number or the reverse.
    """
    column, op, value = cut["column"], cut["op"], cut.get("value")
    if column not in frame.columns:
        raise TableError(
            f"cut on {column!r}: the table has no such column; it has {', '.join(map(str, frame.columns))}. "
            "Name the file's column in `columns:` of the sample"
        )
    values = frame[column]
    known = values.notna().to_numpy()
    _refuse_mixed(values, cut)
    if op == "not_null" or not known.any():
        passed = known
    elif op == "between":
        passed = ((values >= value[0]) & (values <= value[1])).fillna(False).to_numpy(dtype=bool) & known
    elif op == "in":
        passed = values.isin(value).to_numpy(dtype=bool) & known
    else:
        passed = _COMPARE[op](values, value).fillna(False).to_numpy(dtype=bool) & known
    if cut.get("solution"):
        passed = passed | (frame["solution"] != cut["solution"]).to_numpy(dtype=bool, na_value=True)
    return passed


def _refuse_mixed(values: pd.Series, cut: dict[str, Any]) -> None:
    """Raise TableError where numbers would be compared with text, which is never equal, or has no order."""
    wanted = cut.get("value") if isinstance(cut.get("value"), list) else [cut.get("value")]
    text = values.dropna().map(type).eq(str).any() if values.dtype == object else not is_numeric_dtype(values)
    mixed = [value for value in wanted if value is not None and isinstance(value, str) != bool(text)]
    if mixed and values.notna().any():
        holds, advice = ("text", "put the value in") if text else ("numbers", "write the value without")
        raise TableError(
            f"cut on {cut['column']!r}: the column holds {holds}, {cut['op']} compares it with {mixed[0]!r}; "
            f"{advice} quotes, or name another column"
        )


def describe_cut(cut: dict[str, Any]) -> str:
    """A cut as a line of the cut flow, e.g. `1.1 <= nu_eff_used_in_astrometry <= 1.9 (5p)`."""
    column, op, value = cut["column"], cut["op"], cut.get("value")
    if op == "between":
        text = f"{value[0]:g} <= {column} <= {value[1]:g}"
    elif op == "not_null":
        text = f"{column} is known"
    elif op == "in":
        text = f"{column} in {', '.join(map(str, value))}"
    else:
        text = f"{column} {op} {value:g}" if isinstance(value, int | float) else f"{column} {op} {value}"
    return f"{text} ({cut['solution']})" if cut.get("solution") else text
