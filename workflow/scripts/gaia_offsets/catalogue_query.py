"""Tables that come from a TAP query instead of a file: ADQL from a dataset's `query` block; asks nobody anything.

A block names `url`, `table`, `columns` (ours to theirs, or a list of names that are the same), and may name `join`
(another table and the column it shares: only rows with a partner there), `where` (cuts in our names) and `partition`
(a column of ours whose range is asked for in parts).
"""

from __future__ import annotations

import math
import re
from typing import Any

import pandas as pd

from gaia_offsets.adql import delimited

# Gaia's source_id begins with a HEALPix number (its data model): equal ranges of it are equal areas of the sky.
SOURCE_ID_END = 12 * 2**59
_PLAIN = re.compile(r'[a-z][a-z0-9_]*|"[^"]+"')
_OPERATORS = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "==": "=", "!=": "<>"}


class QueryError(ValueError):
    """A `query` block that cannot be written as ADQL; the message is one line."""


def column_map(query: dict[str, Any]) -> dict[str, str]:
    """Our column names and theirs."""
    columns = query["columns"]
    return dict(columns) if isinstance(columns, dict) else {name: name for name in columns}


def parts(query: dict[str, Any]) -> int:
    """Number of parts in which the rows are asked for."""
    return (query.get("partition") or {}).get("parts", 1)


def part_cuts(query: dict[str, Any], part: int) -> list[dict[str, Any]]:
    """The cuts that make part 0..parts-1 of the partition; together they let every non-null value through, once.

    The range `low` to `high` (all source_ids where not given) is divided equally; the first part is open below, the
    last above.
    """
    number = parts(query)
    if number == 1:
        return []
    partition = query["partition"]
    low, high = partition.get("low", 0), partition.get("high", SOURCE_ID_END)
    # Whole numbers stay whole: identifiers do not fit into a float.
    whole = isinstance(low, int) and isinstance(high, int) and high - low >= number
    edges = [low + ((high - low) * k // number if whole else (high - low) * k / number) for k in range(number + 1)]
    cuts = []
    if part > 0:
        cuts.append({"column": partition["column"], "op": ">=", "value": edges[part]})
    if part < number - 1:
        cuts.append({"column": partition["column"], "op": "<", "value": edges[part + 1]})
    return cuts


def select_query(query: dict[str, Any], part: int | None = None) -> str:
    """ADQL for the rows of a part (of all where None), columns under our names."""
    theirs = column_map(query)
    # Quoted, because a name of ours may be a word of ADQL (distance).
    names = ", ".join(f't.{_column(column)} AS "{name}"' for name, column in theirs.items())
    return f"SELECT {names}\n{_from_where(query, part)}"


def count_query(query: dict[str, Any], part: int | None = None) -> str:
    """ADQL for the number `n` of rows that `select_query` of the same arguments gives."""
    return f"SELECT COUNT(*) AS n\n{_from_where(query, part)}"


def needed_columns(query: dict[str, Any]) -> dict[str, list[str]]:
    """Tables and the columns of each that the queries use, in the archive's spelling and without quotes."""
    needed = {_bare(query["table"]): [_bare(column) for column in column_map(query).values()]}
    join = query.get("join")
    if join:
        needed.setdefault(_bare(join["table"]), []).append(_bare(join["by"]))
        needed[_bare(query["table"])].append(_bare(join["by"]))
    return needed


def complete_rows(frame: pd.DataFrame, query: dict[str, Any]) -> pd.DataFrame:
    """The rows with the columns in the config's order, sorted, so that the server's order leaves no trace.

    Raises QueryError where a column did not come.
    """
    names = list(column_map(query))
    lacking = [name for name in names if name not in frame.columns]
    if lacking:
        came = ", ".join(map(str, frame.columns))
        raise QueryError(f"{query['url']}: {query['table']}: column {lacking[0]} did not come back; there are {came}")
    return frame[names].sort_values(names, kind="stable", ignore_index=True)


def condition(column: str, cut: dict[str, Any]) -> str:
    """ADQL of one cut `{column, op, value}` on a column as it stands in the query."""
    op, value = cut["op"], cut.get("value")
    if op == "not_null":
        return f"{column} IS NOT NULL"
    if op == "between":
        return f"{column} BETWEEN {literal(value[0])} AND {literal(value[1])}"
    if op == "in":
        if not value:
            raise QueryError(f"cut on {cut['column']}: the list of op in is empty")
        return f"{column} IN ({', '.join(map(literal, value))})"
    return f"{column} {_OPERATORS[op]} {literal(value)}"


def literal(value: Any) -> str:
    """A number or text as ADQL writes it; raises QueryError for anything else."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise QueryError(f"{value!r} is neither text nor a number")
    return repr(value)


def _from_where(query: dict[str, Any], part: int | None) -> str:
    theirs = column_map(query)
    lines = [f"FROM {delimited(query['table'])} AS t"]
    join = query.get("join")
    if join:
        shared = _column(join["by"])
        lines.append(f"JOIN {delimited(join['table'])} AS j ON j.{shared} = t.{shared}")
    cuts = [*(query.get("where") or []), *([] if part is None else part_cuts(query, part))]
    conditions = [condition(f"t.{_column(theirs[cut['column']])}", cut) for cut in cuts]
    if conditions:
        lines.append("WHERE " + "\n AND ".join(conditions))
    return "\n".join(lines)


def _column(name: str) -> str:
    """A column as ADQL wants it: VizieR's names need quotes where they are not in lower case (b_rgeo, B_rgeo)."""
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def _bare(name: str) -> str:
    return name.replace('"', "")
