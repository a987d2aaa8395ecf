"""Tables that come from a query: the ADQL of a `query` block of a dataset.

It names `url`, `table`, `columns` (ours to theirs, or a list of names that are the same), and may name `join` (another
table and the column it shares: only rows with a partner there; releases.named_query adds `through` where it is of
another release), `where` (cuts in our names) and `partition` (a column of ours whose range is asked for in parts).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gaia_offsets.archive.adql import SOURCE_ID_END, QueryError, bare, condition, quoted, quoted_table

if TYPE_CHECKING:
    import pandas as pd


def column_map(query: dict[str, Any]) -> dict[str, str]:
    """Our column names and theirs."""
    columns = query["columns"]
    return dict(columns) if isinstance(columns, dict) else {name: name for name in columns}


def bridge_columns(query: dict[str, Any]) -> dict[str, str]:
    """What comes of the neighbourhood that a join goes through, our names and theirs; nothing without one."""
    return ((query.get("join") or {}).get("through") or {}).get("columns") or {}


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


def rows_query(query: dict[str, Any], part: int | None = None) -> str:
    """ADQL for the rows of a part (of all where None), columns under our names."""
    theirs = column_map(query)
    columns = {name: f"t.{quoted(column)}" for name, column in theirs.items()}
    columns |= {name: f"h.{quoted(column)}" for name, column in bridge_columns(query).items()}
    # Quoted, because a name of ours may be a word of ADQL (distance).
    names = ", ".join(f'{column} AS "{name}"' for name, column in columns.items())
    lines = [f"SELECT {names}", f"FROM {quoted_table(query['table'])} AS t"]
    join = query.get("join")
    if join:
        ours, other = f"t.{quoted(join['by'])}", join["by"]
        if through := join.get("through"):
            lines.append(f"JOIN {quoted_table(through['table'])} AS h ON h.{quoted(through['by'])} = {ours}")
            ours, other = f"h.{quoted(through['columns']['dr3_source_id'])}", through["theirs"]
        lines.append(f"JOIN {quoted_table(join['table'])} AS j ON j.{quoted(other)} = {ours}")
    cuts = [*(query.get("where") or []), *([] if part is None else part_cuts(query, part))]
    conditions = [condition(f"t.{quoted(theirs[cut['column']])}", cut) for cut in cuts]
    if conditions:
        lines.append("WHERE " + "\n AND ".join(conditions))
    return "\n".join(lines)


def needed_columns(query: dict[str, Any]) -> dict[str, list[str]]:
    """Tables and the columns of each that the queries use, in the archive's spelling and without quotes."""
    needed = {bare(query["table"]): [bare(column) for column in column_map(query).values()]}
    join = query.get("join")
    if join:
        through = join.get("through") or {}
        needed.setdefault(bare(join["table"]), []).append(bare(through.get("theirs", join["by"])))
        needed[bare(query["table"])].append(bare(join["by"]))
        if through:
            needed[bare(through["table"])] = [bare(name) for name in (through["by"], *through["columns"].values())]
    return needed


def complete_rows(frame: pd.DataFrame, query: dict[str, Any]) -> pd.DataFrame:
    """The rows with the columns in the config's order, sorted, so that the server's order leaves no trace.

    Raises QueryError where a column did not come.
    """
    names = [*column_map(query), *bridge_columns(query)]
    lacking = [name for name in names if name not in frame.columns]
    if lacking:
        came = ", ".join(map(str, frame.columns))
        raise QueryError(f"{query['url']}: {query['table']}: column {lacking[0]} did not come back; there are {came}")
    return frame[names].sort_values(names, kind="stable", ignore_index=True)
