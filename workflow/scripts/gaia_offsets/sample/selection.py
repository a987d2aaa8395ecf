"""One row a star and the cuts of the config, with the cut flow (Sect. 2.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from gaia_offsets.core.faults import TableError
from gaia_offsets.core.releases import classes, coding, measured
from gaia_offsets.tables.cuts import cut_mask, describe_cut
from gaia_offsets.tables.parquet import join_pieces
from gaia_offsets.tables.values import as_numbers, rounded_source_ids

SUSPECT_MAS = 10.0  # no offset of a real star is that large


def refuse_thin(counts: pd.Series, stars: pd.DataFrame, codes: Mapping[str, Any]) -> None:
    """Raise TableError where Table 1 and the maps would be empty, or nearly, because the release codes otherwise.

    `counts` has the rows with a parallax by their code, `stars` are those that are left. The standard class must have
    a star, and among the rows a tenth of all or more than any other class that has codes of its own.
    """
    standard = codes["standard"]
    names = solution(counts.index.to_series(), codes).fillna("no class")
    by_class = counts.groupby(names.to_numpy()).sum()
    own, kept = by_class.get(standard, 0), (stars["solution"] == standard).any()
    if kept and (own >= 0.1 * counts.sum() or own == by_class.max()):
        return
    listed = ", ".join(f"{code} ({name}): {n:,}" for code, name, n in zip(counts.index, names, counts, strict=True))
    few = f"{own:,} of {counts.sum():,} rows" if kept else "no star that is left"
    raise TableError(
        f"the standard class {standard}, which Table 1 and the maps take, has {few}; rows with a parallax by the code "
        f"of their solution: {listed or 'none'}. If the release codes its solutions otherwise, name the codes in "
        "releases.NAME.solution.codes, or another class in releases.NAME.solution.standard"
    )


def solution(params_solved: pd.Series, codes: Mapping[str, Any] | None = None) -> pd.Series:
    """Class of each solution by its code, null where it has none.

    `codes` is that of releases.coding, EDR3's where not given: 31 is `5p`, 95 `6p`, 3 `2p`. A code that stands among
    its `codes` is of that class; any other is of the first class of its `bits` with which it has a bit in common.
    """
    known = codes or coding({})
    exact = {code: name for name, entry in known["codes"].items() for code in np.atleast_1d(entry).tolist()}
    place, values = pd.factorize(params_solved.astype("Int64"))  # a few codes, millions of stars
    names = [
        exact.get(code) or next((name for name, mask in known["bits"].items() if code & mask), None)
        for code in values.tolist()
    ]
    return pd.Series(pd.array([*names, None], dtype="str").take(place), index=params_solved.index)  # the last: no code


def refuse_empty(cutflow: pd.DataFrame) -> None:
    """Raise TableError where no star is left, with the step of the cut flow at which the last one went."""
    empty = cutflow[cutflow["kept"] == 0]
    if empty.empty:
        return
    step, criterion, removed = empty.iloc[0][["step", "criterion", "removed"]]
    name = criterion.partition("; ")[0]  # without how many had no value
    if step == 0:
        raise TableError("no star is left: the targets table has no rows")
    raise TableError(
        f"no star is left: step {step} of the selection, {name!r}, removed the last {removed} of "
        f"{cutflow['kept'].iloc[0]} rows; look at this column of the table (a null fails every cut) and at the cut"
    )


def best_rows(
    frame: pd.DataFrame, columns: Sequence[str], prefer: str | None = None, ties: str | None = None
) -> np.ndarray:
    """Boolean array that keeps one row of each group of rows equal in `columns`.

    Kept is the row with the highest `prefer` (null lowest), then the lowest `ties`, then the first. The result does
    not depend on the order of the rows where `prefer` and `ties` settle it.
    """
    _refuse_missing(frame, {"columns": columns, "prefer": prefer, "ties": ties})
    where = f"one_row_per.prefer: {prefer!r}"
    preferred = as_numbers(frame[prefer], where, null=-np.inf) if prefer else np.zeros(len(frame))
    keep = ~frame.duplicated(list(columns), keep=False).to_numpy()
    several = ~keep  # only these need an order
    frame, order = frame[several], frame.loc[several, list(columns)]
    order["_place"] = np.flatnonzero(several)
    order["_prefer"] = -preferred[several]
    order["_ties"] = frame[ties].to_numpy() if ties else 0
    order = order.sort_values([*columns, "_prefer", "_ties", "_place"])
    first = ~order.duplicated(list(columns), keep="first").to_numpy()
    keep[order["_place"].to_numpy()[first]] = True
    return keep


def _refuse_missing(frame: pd.DataFrame, one_row_per: Mapping[str, Any] | None) -> None:
    wanted = (*one_row_per["columns"], one_row_per.get("prefer"), one_row_per.get("ties")) if one_row_per else ()
    missing = [name for name in wanted if name and name not in frame.columns]
    if missing:
        raise TableError(
            f"one_row_per: the table has no column {missing[0]!r}; it has {', '.join(map(str, frame.columns))}"
        )


class CutFlow:
    """Counts rows kept and removed by each step; `table()` is cutflow.csv.

    `solved` tells by solution which of all rows (N,) have it. Of each row only the first step that it fails counts.
    """

    def __init__(self, solved: Mapping[str, np.ndarray], first: str) -> None:
        self.alive = np.ones(len(next(iter(solved.values()))), dtype=bool)
        self._solved = solved
        self._rows: list[dict[str, Any]] = []
        self.keep(self.alive, first)

    def keep(self, mask: np.ndarray, criterion: str, null: np.ndarray | None = None) -> None:
        """Keep the rows where `mask` (N,) is true and note the step; `null` (N,) are rows that lack a value.

        How many of those removed lack one is said behind the criterion.
        """
        before, unknown = int(self.alive.sum()), 0 if null is None else int((self.alive & ~mask & null).sum())
        criterion += f"; {unknown} of those removed have no value" if unknown else ""
        self.alive = self.alive & mask
        kept = int(self.alive.sum())
        row = {"step": len(self._rows), "criterion": criterion, "kept": kept, "removed": before - kept}
        row |= {f"kept_{name}": int((self.alive & solved).sum()) for name, solved in self._solved.items()}
        self._rows.append(row)

    def table(self) -> pd.DataFrame:
        """Columns step, criterion, kept, removed, and kept_{solution} of each measured class."""
        return pd.DataFrame(self._rows)


def select_stars(
    matched: pd.DataFrame | Iterable[pd.DataFrame],
    *,
    one_row_per: dict[str, Any] | None,
    cuts: Sequence[dict[str, Any]],
    codes: Mapping[str, Any] | None = None,
    solutions: Sequence[str] | None = None,
    max_offset_mas: float | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, list[str], pd.Series]:
    """Stars that pass, the cut flow, warnings, and the rows with a parallax by the code of their solution (Sect. 2.1).

    `matched`, a table or the pieces of one, has one row an observed spectrum with ra, dec, parallax and
    reference_parallax, null where there is no counterpart, and may hold `preselected` (false: left out before the
    archive was asked). Steps: preselection, Gaia counterpart, each class of solutions in `codes` (as in `solution`)
    that is not among `solutions` (the measured ones), one of these, a position, one row a star, the cuts in their
    order, a known offset, an offset within `max_offset_mas`; without this limit, stars beyond SUSPECT_MAS are counted
    in a step that removes none. The result is sorted by source_id, then position.

    Of a piece remain the first step that each row fails, what one row a star needs, and the rows that pass all.
    """
    codes = codes or coding({})
    used = list(measured(codes))
    before, after = _steps(cuts, codes, solutions or used, max_offset_mas)
    keys = {"source_id", "ra", "dec"}
    if one_row_per:
        keys |= {*one_row_per["columns"], one_row_per.get("prefer"), one_row_per.get("ties")}
    failed, solved, passing, counts = [], [], [], []  # failed: the first step that each row fails, before and after
    observed: dict[str, list[pd.Series]] = {}
    for piece in [matched] if isinstance(matched, pd.DataFrame) else matched:
        _refuse_missing(piece, one_row_per)
        piece = piece.assign(solution=solution(piece["astrometric_params_solved"], codes))
        measurable = piece[["source_id", "parallax"]].notna().all(axis=1)
        counts.append(piece.loc[measurable, "astrometric_params_solved"].astype("Int64").value_counts())
        (first, _), (then, null) = _first_failed(piece, before), _first_failed(piece, after)
        alive = first == len(before)
        for name in filter(keys.__contains__, piece.columns):
            observed.setdefault(name, []).append(piece.loc[alive, name])
        failed.append(np.stack([first, then, null]))
        solved.append(np.stack([(piece["solution"] == name).to_numpy(dtype=bool, na_value=False) for name in used]))
        passing.append(piece[alive & (then == len(after))])
    first, then, null = np.concatenate(failed, axis=1)
    flow = CutFlow(dict(zip(used, np.concatenate(solved, axis=1), strict=True)), "rows of the targets table")
    for number, step in enumerate(before):
        if number or (first == 0).any():  # the first is preselection
            flow.keep(first != number, step.criterion)
    keyed = join_pieces(observed)
    warnings = _identity_warnings(keyed, one_row_per)
    if one_row_per:
        _keep_best(flow, keyed, one_row_per)
    for number, step in enumerate(after):
        flow.keep(then != number, step.criterion, null.astype(bool))
    every = (first == len(before)) & (then == len(after))
    stars = pd.concat(passing, ignore_index=True)[flow.alive[every]]
    suspect = int((_offset(stars) > SUSPECT_MAS).sum())
    if max_offset_mas is None and suspect:
        text = f"{suspect} stars with offsets beyond {SUSPECT_MAS:g} mas are kept; max_offset_mas removes them"
        flow.keep(flow.alive, text)
        warnings.append(f"offsets: {text}; are these values (99.99, -999) that stand for none?")
    stars = stars.sort_values(["source_id", "ra", "dec"], kind="stable", ignore_index=True)
    return stars, flow.table(), warnings, pd.concat(counts).groupby(level=0).sum()


def _keep_best(flow: CutFlow, keyed: pd.DataFrame, one_row_per: Mapping[str, Any]) -> None:
    """The step that keeps one row a star; `keyed` has the rows alive."""
    best, prefer = flow.alive.copy(), one_row_per.get("prefer")
    best[best] = best_rows(keyed, one_row_per["columns"], prefer, one_row_per.get("ties"))
    text = f"one row per {' + '.join(one_row_per['columns'])}"
    flow.keep(best, f"{text}, highest {prefer}" if prefer else text)


class Step(NamedTuple):
    """A criterion, which rows pass it, and the column whose nulls are counted among those that do not."""

    criterion: str
    passes: Callable[[pd.DataFrame], np.ndarray]
    column: str | None = None


def _first_failed(frame: pd.DataFrame, steps: Sequence[Step]) -> tuple[np.ndarray, np.ndarray]:
    """Number (N,) of the first step that a row does not pass, their count for none; whether a null is the reason."""
    first = np.full(len(frame), len(steps), dtype=np.uint8 if len(steps) < 256 else np.int64)
    null = np.zeros(len(frame), dtype=bool)
    for number, step in enumerate(steps):
        fails = ~step.passes(frame) & (first == len(steps))
        first[fails] = number
        if step.column:
            null[fails] = frame[step.column].isna().to_numpy()[fails]
    return first, null


def _steps(
    cuts: Sequence[dict[str, Any]], codes: Mapping[str, Any], solutions: Sequence[str], max_offset_mas: float | None
) -> tuple[list[Step], list[Step]]:
    """The steps before and after the spectra of a star are reduced to one."""

    def all_known(*names: str) -> Callable[[pd.DataFrame], np.ndarray]:
        return lambda frame: frame[list(names)].notna().all(axis=1).to_numpy(dtype=bool)

    def preselected(frame: pd.DataFrame) -> np.ndarray:
        return frame["preselected"].to_numpy(dtype=bool) if "preselected" in frame else np.ones(len(frame), dtype=bool)

    def is_not(name: str) -> Callable[[pd.DataFrame], np.ndarray]:
        return lambda frame: (frame["solution"] != name).to_numpy(dtype=bool, na_value=True)

    others = [name for name in classes(codes) if name not in solutions]
    *first, last = solutions
    wanted = f"{', '.join(first)} or {last}" if first else last
    before = [
        Step("passes the cuts on catalogue columns alone", preselected),
        Step("has a Gaia counterpart", all_known("source_id")),
        # A single other class is what the next step removes.
        *(Step(f"is no {name} solution", is_not(name)) for name in (others if len(others) > 1 else ())),
        Step(f"has a {wanted} solution", lambda frame: frame["solution"].isin(list(solutions)).to_numpy()),
        Step("has a position", all_known("ra", "dec")),
    ]
    after = []
    for cut in cuts:
        column = None if cut["op"] == "not_null" else cut["column"]  # whose name says so
        after.append(Step(describe_cut(cut), partial(cut_mask, cut=cut), column))
    after.append(Step("has a parallax and a reference parallax", all_known("parallax", "reference_parallax")))
    if max_offset_mas is not None:
        text = f"offset within {max_offset_mas:g} mas"
        after.append(Step(text, lambda frame: (_offset(frame) <= max_offset_mas).to_numpy(bool, na_value=False)))
    return before, after


def _offset(frame: pd.DataFrame) -> pd.Series:
    return (frame["parallax"] - frame["reference_parallax"]).abs()


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
        places = frame[twice].groupby("source_id", sort=False)[["ra", "dec"]]
        apart = int((places.max() != places.min()).any(axis=1).sum())
        if apart:
            lines.append(
                f"source_id: {apart} identifiers stand at two or more Gaia positions and are reduced to one row each; "
                "if these are different stars, set one_row_per.columns to [source_id, ra, dec]"
            )
    return lines
