"""ADQL from names in the config: the cross-match in a Gaia archive, and tables that come from a query.

A `query` block of a dataset names `url`, `table`, `columns` (ours to theirs, or a list of names that are the same), and
may name `join` (another table and the column it shares: only rows with a partner there; releases.named_query adds
`through` where it is of another release), `where` (cuts in our names) and `partition` (a column of ours whose range is
asked for in parts).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gaia_offsets.core.columns import DISTANCES, GAIA, TMASS
from gaia_offsets.core.faults import Fault
from gaia_offsets.core.releases import ASTROMETRY, TABLES, column_of, neighbour_columns, table_of

if TYPE_CHECKING:
    import pandas as pd

_ALIAS = {
    "gaia_source": "g",
    "tmass_best_neighbour": "b",
    "tmass_join": "j",
    "tmass": "m",
    "distances": "d",
    "dr2_neighbourhood": "n",
    "dr3_neighbourhood": "h",
    "all_source_astrometry": "a",
}
# Suffix of what the archive says of the hop from a source to its identifier in the release's bridge.
BRIDGE = "bridge"
# Joined by source_id: by that of the release's bridge, if they are its tables.
_OF_A_SOURCE = ("tmass_best_neighbour", "distances")
_PLAIN = re.compile(r'[a-z][a-z0-9_]*|"[^"]+"')  # stays as it is
# Degrees from a pole within which the flat-sky test below is not used (there the cone alone decides).
_POLAR_CAP = 5.0
# Width in arcsec that the flat-sky test allows on top of the radius; the exact cut is made on the returned rows.
_FLAT_SLACK = 1.0
# Gaia's source_id begins with a HEALPix number (its data model): equal ranges of it are equal areas of the sky.
SOURCE_ID_END = 12 * 2**59
_OPERATORS = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "==": "=", "!=": "<>"}


def quoted(name: str) -> str:
    """A column as ADQL wants it: quoted unless it is so already or is plain lower case.

    VizieR tells names apart that differ in their case only (b_rgeo, B_rgeo).
    """
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def quoted_table(name: str) -> str:
    """A table as ADQL wants it: `gaiaedr3.gaia_source` and `"external".distance` stay, `I/350/gaiaedr3` is quoted."""
    words = all(_PLAIN.fullmatch(part.lower()) for part in name.split("."))
    return name if words else quoted(name)


def hops(release: dict[str, Any], by: str) -> list[tuple[str, str, str]]:
    """The neighbourhood tables from the targets' identifiers to the release's, each with the columns of both its ends.

    None by position or source_id. A release with a table dr3_neighbourhood is reached from DR2 in two hops.
    """
    second = ("dr3_neighbourhood", "dr3_source_id", "source_id")
    if by == "dr3_source_id":
        return [second]
    first = [("dr2_neighbourhood", "dr2_source_id", "dr3_source_id")] if by == "dr2_source_id" else []
    return [*first, second] if first and release.get("dr3_neighbourhood") else first


def used_tables(release: dict[str, Any], by: str) -> dict[str, str]:
    """Role and name of the tables that a cross-match `by` position or an identifier needs.

    2MASS or distance tables that neither the release block nor its bridge has are left out, with the columns they would
    have given. Raises ValueError where another table is missing.
    """
    chain = ("tmass_best_neighbour", "tmass_join", "tmass")
    roles = ["gaia_source"]
    if all(table_of(release, role) for role in chain):
        roles += chain
    if table_of(release, "distances"):
        roles.append("distances")
    if _measured(release) != "gaia_source":
        roles.append(_measured(release))
    roles += [role for role, _, _ in hops(release, by)]
    if not all(release.get(role) for role in roles if role in _OF_A_SOURCE) and "dr3_neighbourhood" not in roles:
        roles.append("dr3_neighbourhood")
    lacking = [role for role in roles if not table_of(release, role)]
    if lacking:
        raise ValueError(f"releases: the release names no table {lacking[0]}, which crossmatch.by: {by} needs")
    return {role: table_of(release, role) for role in roles}


def neighbourhoods(release: dict[str, Any], by: str) -> dict[str, str]:
    """The neighbourhood tables that a cross-match goes through: suffix of their columns in its answer, and role.

    The hops from the targets' identifiers are numbered from 1; the hop to the bridge of the release is BRIDGE.
    """
    through = {str(number): role for number, (role, _, _) in enumerate(hops(release, by), start=1)}
    bridged = "dr3_neighbourhood" in used_tables(release, by) and "dr3_neighbourhood" not in through.values()
    return through | ({BRIDGE: "dr3_neighbourhood"} if bridged else {})


def _measured(release: dict[str, Any]) -> str:
    """Role of the table that gives the columns ASTROMETRY and those of `more_columns`."""
    return release.get("astrometry") or "gaia_source"


def needed_columns(release: dict[str, Any], by: str | None = None) -> dict[str, list[str]]:
    """Names, in the archive's spelling and without quotes, of the tables and columns that the queries use.

    `by` None is for all tables that the release names.
    """
    measured = _measured(release)
    tables = used_tables(release, by) if by else {role: table_of(release, role) for role in TABLES}
    needed: dict[str, list[str]] = {}
    for role, table in tables.items():
        if table is None:
            continue
        names = [column for column in TABLES[role] if role != "gaia_source" or _of(column, release) == role]
        if role == measured:
            names += release.get("more_columns") or []
            names += [cut["column"] for cut in _measured_cuts(release)]
        theirs = (column_of(release, role, name) for name in names)
        needed.setdefault(_bare(table), []).extend(_bare(name) for name in theirs if name)
    return needed


def _of(column: str, release: dict[str, Any]) -> str:
    """Role of the table that gives a Gaia column."""
    return _measured(release) if column in ASTROMETRY else "gaia_source"


def _measured_cuts(release: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows to take of the table of single-star solutions."""
    return [] if _measured(release) == "gaia_source" else release.get("astrometry_cuts") or []


def crossmatch_query(
    release: dict[str, Any], by: str, *, radius_arcsec: float = 0.0, years: float = 0.0, margin_arcsec: float = 0.0
) -> str:
    """Candidates in Gaia of each row of TAP_UPLOAD.targets, with 2MASS and distances; at least one row a target.

    The upload has `target_id` and `ra`, `dec` [deg] (by position) or `source_id` (of the release, DR2 or DR3). All
    joins are outer joins: a target without a counterpart comes back with nulls, so one that does not come back at all
    was lost.

    By position: `years` lead from the release's epoch to that of the targets. A cone of radius + margin about each
    target uses the archive's index; within it a source is a candidate if its position, carried by its proper motion,
    comes within a box of the radius and 1 arcsec. Sources without proper motion and targets within 5 deg of a pole are
    spared that test. The exact separation is the caller's to compute from ra, dec, pmra, pmdec.
    """
    return f"SELECT {', '.join(_selected(release, by))}\n{_joined(release, by, radius_arcsec, years, margin_arcsec)}"


def count_query(
    release: dict[str, Any], by: str, *, radius_arcsec: float = 0.0, years: float = 0.0, margin_arcsec: float = 0.0
) -> str:
    """Number of rows `n` that `crossmatch_query` of the same arguments gives."""
    return f"SELECT COUNT(*) AS n\n{_joined(release, by, radius_arcsec, years, margin_arcsec)}"


def _namer(release: dict[str, Any]) -> Callable[[str, str], str]:
    def name(role: str, column: str) -> str:
        return f"{_ALIAS[role]}.{quoted(column_of(release, role, column))}"

    return name


def _selected(release: dict[str, Any], by: str) -> list[str]:
    name = _namer(release)
    tables = used_tables(release, by)
    columns = [(_of(column, release), column) for column in GAIA]
    columns += [("tmass", column) for column in TMASS if "tmass" in tables]
    columns += [("distances", column) for column in DISTANCES if "distances" in tables]
    columns += [(_measured(release), column) for column in release.get("more_columns") or ()]
    selected = ["t.target_id AS target_id", *(f"{name(role, column)} AS {column}" for role, column in columns)]
    for suffix, role in neighbourhoods(release, by).items():
        selected += [f"{name(role, column)} AS {column}_{suffix}" for column in neighbour_columns(release, role)]
    return selected


def _joined(release: dict[str, Any], by: str, radius_arcsec: float, years: float, margin_arcsec: float) -> str:
    name, tables = _namer(release), used_tables(release, by)
    lines = ["FROM TAP_UPLOAD.targets AS t"]

    def join(role: str, condition: str) -> None:
        lines.append(f"LEFT OUTER JOIN {quoted_table(tables[role])} AS {_ALIAS[role]} ON {condition}")

    source_id = name("gaia_source", "source_id")
    if by == "position":
        join("gaia_source", _near(name, radius_arcsec, years, margin_arcsec))
    elif by in ("source_id", "dr2_source_id", "dr3_source_id"):
        last = "t.source_id"
        for role, theirs, ours in hops(release, by):
            join(role, f"{name(role, theirs)} = {last}")
            last = name(role, ours)
        join("gaia_source", f"{source_id} = {last}")
    else:
        raise ValueError(f"crossmatch.by: {by!r} is not one of position, source_id, dr2_source_id, dr3_source_id")
    measured = _measured(release)
    if measured != "gaia_source":
        named = [(name(measured, cut["column"]), cut) for cut in _measured_cuts(release)]
        cuts = "".join(f" AND {condition(column, cut)}" for column, cut in named)
        join(measured, f"{name(measured, 'source_id')} = {source_id}{cuts}")
    if BRIDGE in neighbourhoods(release, by):
        join("dr3_neighbourhood", f"{name('dr3_neighbourhood', 'source_id')} = {source_id}")

    def of_the_source(role: str) -> str:
        key = source_id if release.get(role) else name("dr3_neighbourhood", "dr3_source_id")
        return f"{name(role, 'source_id')} = {key}"

    if "tmass" in tables:
        oid = "clean_tmass_psc_xsc_oid"
        join("tmass_best_neighbour", of_the_source("tmass_best_neighbour"))
        join("tmass_join", f"{name('tmass_join', oid)} = {name('tmass_best_neighbour', oid)}")
        join("tmass", f"{name('tmass', 'designation')} = {name('tmass_join', 'original_psc_source_id')}")
    if "distances" in tables:
        join("distances", of_the_source("distances"))
    return "\n".join(lines)


def _near(name: Callable[[str, str], str], radius_arcsec: float, years: float, margin_arcsec: float) -> str:
    ra, dec, pmra, pmdec = (name("gaia_source", column) for column in ("ra", "dec", "pmra", "pmdec"))
    cone = (radius_arcsec + (margin_arcsec if years else 0.0)) / 3600.0
    inside = f"1 = CONTAINS(POINT('ICRS', {ra}, {dec}), CIRCLE('ICRS', t.ra, t.dec, {cone:.9f}))"
    if not years:
        return inside
    # Only arithmetic, SIN, COS and ABS, which every archive has; EPOCH_PROP_POS is ESA's alone.
    moved = f"{'-' if years < 0 else '+'} {abs(years) / 1000.0:.9f} *"
    east = f"3600 * DEGREES(COS(RADIANS({dec})) * SIN(RADIANS({ra} - t.ra))) {moved} {pmra}"
    north = f"3600 * ({dec} - t.dec) {moved} {pmdec}"
    box = radius_arcsec + _FLAT_SLACK
    return (
        f"{inside}\n AND ({pmra} IS NULL OR ABS(t.dec) > {90 - _POLAR_CAP:g}"
        f" OR (ABS({east}) < {box:g} AND ABS({north}) < {box:g}))"
    )


# ---------------------------------------------------------------- a sample of the sky

FIELDS = 48  # of a sample: one in each of the sky's 48 pixels of level 1
G = "phot_g_mean_mag"  # stands in gaia_source alone


def sample_query(release: dict[str, Any], columns: list[str], level: int) -> tuple[str, str]:
    """Query for `columns` (ours) of all sources in FIELDS pixels of a HEALPix level, and one for their number.

    By ranges of source_id: the table's key, by which its rows lie on the disk, so that a range is read in one piece.
    Sources of neighbouring random_index lie all over the disk, and a GROUP BY without ranges reads two billion rows.
    """
    name, measured = _namer(release), _measured(release)
    cell, whole = 2 ** (59 - 2 * level), 12 * 4**level
    first = [(2 * field + 1) * whole // (2 * FIELDS) * cell for field in range(FIELDS)]
    source_id = name("gaia_source", "source_id")
    lines = [f"FROM {quoted_table(release['gaia_source'])} AS g"]
    if measured != "gaia_source":
        cuts = (f" AND {condition(name(measured, cut['column']), cut)}" for cut in _measured_cuts(release))
        on = f"{name(measured, 'source_id')} = {source_id}{''.join(cuts)}"
        lines.append(f"JOIN {quoted_table(release[measured])} AS {_ALIAS[measured]} ON {on}")
    ranges = "\n OR ".join(f"{source_id} BETWEEN {low} AND {low + cell - 1}" for low in first)
    body = "\n".join([*lines, f"WHERE {ranges}"])
    selected = [f"{name(_measured(release) if c != G else 'gaia_source', c)} AS {c}" for c in columns]
    return f"SELECT {', '.join(selected)}\n{body}", f"SELECT COUNT(*) AS n\n{body}"


# ---------------------------------------------------------------- tables that come from a query


class QueryError(Fault, ValueError):
    """A `query` block that cannot be written as ADQL; the message is one line."""


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


def table_query(query: dict[str, Any], part: int | None = None) -> str:
    """ADQL for the rows of a part (of all where None), columns under our names."""
    columns = {name: f"t.{quoted(column)}" for name, column in column_map(query).items()}
    columns |= {name: f"h.{quoted(column)}" for name, column in bridge_columns(query).items()}
    # Quoted, because a name of ours may be a word of ADQL (distance).
    names = ", ".join(f'{column} AS "{name}"' for name, column in columns.items())
    return f"SELECT {names}\n{_from_where(query, part)}"


def table_count(query: dict[str, Any], part: int | None = None) -> str:
    """ADQL for the number `n` of rows that `table_query` of the same arguments gives."""
    return f"SELECT COUNT(*) AS n\n{_from_where(query, part)}"


def table_columns(query: dict[str, Any]) -> dict[str, list[str]]:
    """Tables and the columns of each that the queries use, in the archive's spelling and without quotes."""
    needed = {_bare(query["table"]): [_bare(column) for column in column_map(query).values()]}
    join = query.get("join")
    if join:
        through = join.get("through") or {}
        needed.setdefault(_bare(join["table"]), []).append(_bare(through.get("theirs", join["by"])))
        needed[_bare(query["table"])].append(_bare(join["by"]))
        if through:
            needed[_bare(through["table"])] = [_bare(name) for name in (through["by"], *through["columns"].values())]
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
    lines = [f"FROM {quoted_table(query['table'])} AS t"]
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


def _bare(name: str) -> str:
    return name.replace('"', "")
