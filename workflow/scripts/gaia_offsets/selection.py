"""One row a star and the cuts of the config, with the cut flow (Sect. 2.1)."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from gaia_offsets.releases import USED, classes, coding
from gaia_offsets.tables import TableError, as_numbers, rounded_source_ids

SUSPECT_MAS = 10.0  # no offset of a real star is that large
_COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def solution(params_solved: pd.Series, codes: Mapping[str, Any] | None = None) -> pd.Series:
    """Class of each solution by its code, null where it has none.

    `codes` is that of releases.coding, EDR3's where not given: 31 is `5p`, 95 `6p`, 3 `2p`. A code that stands among
    its `codes` is of that class; any other is of the first class of its `bits` with which it has a bit in common.
    """
    known = codes or coding({})
    exact = {code: name for name, entry in known["codes"].items() for code in np.atleast_1d(entry).tolist()}
    solved = params_solved.astype("Int64")
    named, bits = solved.map(exact).astype("str"), solved.fillna(0).to_numpy(dtype=np.int64)
    for name, mask in known["bits"].items():
        named = named.mask(named.isna().to_numpy() & (bits & mask > 0), name)
    return named


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


def refuse_empty(cutflow: pd.DataFrame) -> None:
    """Raise TableError where no star is left, with the step of the cut flow at which the last one went."""
    empty = cutflow[cutflow["kept"] == 0]
    if empty.empty:
        return
    step, criterion, removed = empty.iloc[0][["step", "criterion", "removed"]]
    if step == 0:
        raise TableError("no star is left: the targets table has no rows")
    raise TableError(
        f"no star is left: step {step} of the selection, {criterion!r}, removed the last {removed} of "
        f"{cutflow['kept'].iloc[0]} rows; look at this column of the table (a null fails every cut) and at the cut"
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


def best_rows(
    frame: pd.DataFrame, columns: Sequence[str], prefer: str | None = None, ties: str | None = None
) -> np.ndarray:
    """Boolean array that keeps one row of each group of rows equal in `columns`.

    Kept is the row with the highest `prefer` (null lowest), then the lowest `ties`, then the first. The result does
    not depend on the order of the rows where `prefer` and `ties` settle it.
    """
    missing = [name for name in (*columns, prefer, ties) if name and name not in frame.columns]
    if missing:
        raise TableError(
            f"one_row_per: the table has no column {missing[0]!r}; it has {', '.join(map(str, frame.columns))}"
        )
    order = frame.loc[:, list(columns)].copy()
    order["_place"] = np.arange(len(frame))
    by, ascending = list(columns), [True] * len(columns)
    if prefer:
        order["_prefer"] = as_numbers(frame[prefer], f"one_row_per.prefer: {prefer!r}", null=-np.inf)
        by.append("_prefer")
        ascending.append(False)
    if ties:
        order["_ties"] = frame[ties].to_numpy()
        by.append("_ties")
        ascending.append(True)
    order = order.sort_values([*by, "_place"], ascending=[*ascending, True], kind="stable")
    first = ~order.duplicated(list(columns), keep="first").to_numpy()
    keep = np.zeros(len(frame), dtype=bool)
    keep[order["_place"].to_numpy()[first]] = True
    return keep


class CutFlow:
    """Counts rows kept and removed by each step; `table()` is cutflow.csv."""

    def __init__(self, frame: pd.DataFrame, first: str) -> None:
        self._rows: list[dict[str, Any]] = []
        self.frame = frame
        self._note(first, 0)

    def _note(self, criterion: str, removed: int) -> None:
        solved = self.frame["solution"]
        row = {"step": len(self._rows), "criterion": criterion, "kept": len(self.frame), "removed": removed}
        row |= {"kept_5p": int((solved == "5p").sum()), "kept_6p": int((solved == "6p").sum())}
        self._rows.append(row)

    def keep(self, mask: np.ndarray, criterion: str) -> None:
        """Keep the rows where `mask` is true and note the step."""
        before = len(self.frame)
        self.frame = self.frame[mask]
        self._note(criterion, before - len(self.frame))

    def table(self) -> pd.DataFrame:
        """Columns step, criterion, kept, removed, kept_5p, kept_6p."""
        return pd.DataFrame(self._rows)


def select_stars(
    matched: pd.DataFrame,
    *,
    one_row_per: dict[str, Any] | None,
    cuts: Sequence[dict[str, Any]],
    codes: Mapping[str, Any] | None = None,
    solutions: Sequence[str] = USED,
    max_offset_mas: float | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Stars that pass, the cut flow, and warnings (Sect. 2.1).

    `matched` has one row an observed spectrum with ra, dec, parallax and reference_parallax, null where there is
    no counterpart, and may hold `preselected` (false: left out before the archive was asked). Steps: preselection, Gaia
    counterpart, each class of solutions in `codes` (as in `solution`) that is not among `solutions`, one of these, a
    position, one row a star, the cuts in their order, a known offset, an offset within `max_offset_mas`; without this
    limit, stars beyond SUSPECT_MAS are counted in a step that removes none. The result is sorted by source_id, then
    position.
    """
    codes = codes or coding({})
    matched = matched.assign(solution=solution(matched["astrometric_params_solved"], codes))
    flow = CutFlow(matched, "rows of the targets table")
    if "preselected" in matched.columns and not matched["preselected"].all():
        flow.keep(flow.frame["preselected"].to_numpy(dtype=bool), "passes the cuts on catalogue columns alone")
    flow.keep(flow.frame["source_id"].notna().to_numpy(), "has a Gaia counterpart")
    others = [name for name in classes(codes) if name not in solutions]
    for name in others if len(others) > 1 else ():  # a single one is what the next step removes
        flow.keep((flow.frame["solution"] != name).to_numpy(dtype=bool, na_value=True), f"is no {name} solution")
    *first, last = solutions
    wanted = f"{', '.join(first)} or {last}" if first else last
    flow.keep(flow.frame["solution"].isin(list(solutions)).to_numpy(), f"has a {wanted} solution")
    flow.keep(flow.frame[["ra", "dec"]].notna().all(axis=1).to_numpy(dtype=bool), "has a position")
    warnings = _identity_warnings(flow.frame, one_row_per)
    if one_row_per:
        keep = best_rows(flow.frame, one_row_per["columns"], one_row_per.get("prefer"), one_row_per.get("ties"))
        text = f"one row per {' + '.join(one_row_per['columns'])}"
        flow.keep(keep, f"{text}, highest {one_row_per['prefer']}" if one_row_per.get("prefer") else text)
    for cut in cuts:
        flow.keep(cut_mask(flow.frame, cut), describe_cut(cut))
    known = flow.frame[["parallax", "reference_parallax"]].notna().all(axis=1)
    flow.keep(known.to_numpy(dtype=bool), "has a parallax and a reference parallax")
    offset = (flow.frame["parallax"] - flow.frame["reference_parallax"]).abs()
    suspect = int((offset > SUSPECT_MAS).sum())
    if max_offset_mas is not None:
        flow.keep((offset <= max_offset_mas).to_numpy(dtype=bool), f"offset within {max_offset_mas:g} mas")
    elif suspect:
        text = f"{suspect} stars with offsets beyond {SUSPECT_MAS:g} mas are kept; max_offset_mas removes them"
        flow.keep(np.ones(len(flow.frame), dtype=bool), text)
        warnings.append(f"offsets: {text}; are these values (99.99, -999) that stand for none?")
    stars = flow.frame.sort_values(["source_id", "ra", "dec"], kind="stable").reset_index(drop=True)
    return stars, flow.table(), warnings


def _identity_warnings(frame: pd.DataFrame, one_row_per: dict[str, Any] | None) -> list[str]:
    """Lines about identifiers that cannot be what they claim to be."""
    lines = []
    if rounded_source_ids(frame["source_id"]):
        lines.append(
            f"source_id: all {len(frame)} identifiers are multiples of 256, as after a passage through float64; "
            "different stars can share one, so do not join on them"
        )
    twice = frame.duplicated("source_id", keep=False)
    if one_row_per is None and bool(twice.any()):
        lines.append(f"source_id: {int(twice.sum())} rows share an identifier and one_row_per is null: all are kept")
    if one_row_per and one_row_per["columns"] == ["source_id"] and bool(twice.any()):
        spread = frame[twice].groupby("source_id")[["ra", "dec"]].nunique().max(axis=1)
        apart = int((spread > 1).sum())
        if apart:
            lines.append(
                f"source_id: {apart} identifiers stand at two or more Gaia positions and are reduced to one row each; "
                "if these are different stars, set one_row_per.columns to [source_id, ra, dec]"
            )
    return lines
