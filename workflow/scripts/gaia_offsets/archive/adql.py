"""ADQL from names in the config: how names and values are written, the cross-match, a sample of the sky."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from gaia_offsets.core.columns import DISTANCES, GAIA, TMASS
from gaia_offsets.core.faults import Fault
from gaia_offsets.core.files import WORKFLOW
from gaia_offsets.core.releases import ASTROMETRY, TABLES, column_of, neighbour_columns, table_of

if TYPE_CHECKING:
    from jinja2 import Template

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
_PLAIN = re.compile(r'[a-z][a-z0-9_]*|"[^"]+"')  # stays as it is
# Width in arcsec that the cross-match's test in a flat sky allows on top of the radius.
_FLAT_SLACK = 1.0
# Gaia's source_id begins with a HEALPix number (its data model): equal ranges of it are equal areas of the sky.
SOURCE_ID_END = 12 * 2**59
_OPERATORS = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "==": "=", "!=": "<>"}


class QueryError(Fault, ValueError):
    """Settings that cannot be written as ADQL; the message is one line."""


# ---------------------------------------------------------------- names and values


class Adql(str):
    """Text that may stand in a query: names and values of the config become it here alone, quoted."""


def quoted(name: str) -> str:
    """A column as ADQL wants it: quoted unless it is so already or is plain lower case.

    VizieR tells names apart that differ in their case only (b_rgeo, B_rgeo).
    """
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def quoted_table(name: str) -> str:
    """A table as ADQL wants it: `gaiaedr3.gaia_source` and `"external".distance` stay, `I/350/gaiaedr3` is quoted."""
    words = all(_PLAIN.fullmatch(part.lower()) for part in name.split("."))
    return name if words else quoted(name)


def bare(name: str) -> str:
    """A name as TAP_SCHEMA has it."""
    return name.replace('"', "")


def literal(value: Any) -> str:
    """A number or text as ADQL writes it; raises QueryError for anything else."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise QueryError(f"{value!r} is neither text nor a number")
    return repr(value)


def condition(column: str, cut: Mapping[str, Any]) -> str:
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


def count_query(query: str) -> str:
    """ADQL for the number `n` of rows that a query of this package gives."""
    return "SELECT COUNT(*) AS n" + query[query.index("\nFROM ") :]


# ---------------------------------------------------------------- tables and columns of a release


def hops(release: Mapping[str, Any], by: str) -> list[str]:
    """Roles of the neighbourhood tables from the targets' identifiers to the release's; none by position or source_id.

    A release with a table dr3_neighbourhood is reached from DR2 in two hops.
    """
    if by == "dr2_source_id":
        return ["dr2_neighbourhood", *(["dr3_neighbourhood"] if release.get("dr3_neighbourhood") else [])]
    return {"position": [], "source_id": [], "dr3_source_id": ["dr3_neighbourhood"]}[by]


def used_tables(release: Mapping[str, Any], by: str) -> dict[str, str]:
    """Role and name of the tables that a cross-match `by` position or an identifier needs.

    2MASS or distance tables that neither the release block nor its bridge has are left out, with the columns they would
    have given. Raises QueryError where another table is missing.
    """
    chain = ("tmass_best_neighbour", "tmass_join", "tmass")
    roles = ["gaia_source"]
    if all(table_of(release, role) for role in chain):
        roles += chain
    if table_of(release, "distances"):
        roles.append("distances")
    if _measured(release) != "gaia_source":
        roles.append(_measured(release))
    roles += hops(release, by)
    # What is joined by source_id is joined by that of the release's bridge, if it is the bridge's table.
    of_a_source = {"tmass_best_neighbour", "distances"} & set(roles)
    if not all(release.get(role) for role in of_a_source) and "dr3_neighbourhood" not in roles:
        roles.append("dr3_neighbourhood")
    lacking = [role for role in roles if not table_of(release, role)]
    if lacking:
        raise QueryError(f"releases: the release names no table {lacking[0]}, which crossmatch.by: {by} needs")
    return {role: table_of(release, role) for role in roles}


def neighbourhoods(release: Mapping[str, Any], by: str) -> dict[str, str]:
    """The neighbourhood tables that a cross-match goes through: suffix of their columns in its answer, and role.

    The hops from the targets' identifiers are numbered from 1; the hop to the bridge of the release is BRIDGE.
    """
    through = {str(number): role for number, role in enumerate(hops(release, by), start=1)}
    bridged = "dr3_neighbourhood" in used_tables(release, by) and "dr3_neighbourhood" not in through.values()
    return through | ({BRIDGE: "dr3_neighbourhood"} if bridged else {})


def needed_columns(release: Mapping[str, Any], by: str | None = None) -> dict[str, list[str]]:
    """Names, in the archive's spelling and without quotes, of the tables and columns that the queries use.

    `by` None is for all tables that the release names.
    """
    tables = used_tables(release, by) if by else {role: table_of(release, role) for role in TABLES}
    needed: dict[str, list[str]] = {}
    for role, table in tables.items():
        if table is not None:
            needed.setdefault(bare(table), []).extend(map(bare, _columns(release, role).values()))
    return needed


def _measured(release: Mapping[str, Any]) -> str:
    """Role of the table that gives the columns ASTROMETRY and those of `more_columns`."""
    return release.get("astrometry") or "gaia_source"


def _measured_cuts(release: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows to take of the table of single-star solutions."""
    return [] if _measured(release) == "gaia_source" else release.get("astrometry_cuts") or []


def _of(column: str, release: Mapping[str, Any]) -> str:
    """Role of the table that gives a Gaia column."""
    return _measured(release) if column in ASTROMETRY else "gaia_source"


def _columns(release: Mapping[str, Any], role: str) -> dict[str, str]:
    """The columns that the queries take from the table of a role: our names, and the archive's."""
    names = [column for column in TABLES[role] if role != "gaia_source" or _of(column, release) == role]
    if role == _measured(release):
        names += [*(release.get("more_columns") or ()), *(cut["column"] for cut in _measured_cuts(release))]
    theirs = {name: column_of(release, role, name) for name in names}
    return {name: column for name, column in theirs.items() if column}


def _name(release: Mapping[str, Any], role: str, column: str) -> Adql:
    """A column of ours as it stands in the query."""
    return Adql(f"{_ALIAS[role]}.{quoted(column_of(release, role, column))}")


def _names(release: Mapping[str, Any], role: str) -> dict[str, Adql]:
    return {column: _name(release, role, column) for column in _columns(release, role)}


def _cuts(release: Mapping[str, Any]) -> Adql:
    """The cuts of the join with the table of single-star solutions."""
    named = [(_name(release, _measured(release), cut["column"]), cut) for cut in _measured_cuts(release)]
    return Adql("".join(f" AND {condition(name, cut)}" for name, cut in named))


# ---------------------------------------------------------------- the cross-match


@dataclass(frozen=True)
class Crossmatch:
    """How targets find their sources in a release.

    `release` is a block of the config as releases.asked_names gives it, `by` is position, source_id (of this release),
    dr2_source_id or dr3_source_id. The radius is about the target at its `epoch`, a Julian year; without one
    nothing is carried by its proper motion. `margin_arcsec` is what sources may have moved since. `agree`: by
    identifier, too, a source must lie within the radius.
    """

    release: Mapping[str, Any]
    by: str
    radius_arcsec: float = 0.0
    epoch: float | None = None
    margin_arcsec: float = 0.0
    agree: bool = False

    @property
    def years(self) -> float:
        """From the release's epoch to that of the targets."""
        return 0.0 if self.epoch is None else self.epoch - self.release["epoch"]

    @property
    def more_columns(self) -> list[str]:
        return list(self.release.get("more_columns") or ())


def crossmatch_query(match: Crossmatch) -> str:
    """Candidates in Gaia of each row of TAP_UPLOAD.targets, at least one row a target.

    workflow/templates/crossmatch.adql.j2 is the query. The exact separation is the caller's to compute.
    """
    release, tables, years = match.release, used_tables(match.release, match.by), match.years
    through = neighbourhoods(release, match.by)
    names = {role: _names(release, role) for role in tables}
    columns = [(_of(name, release), name, name) for name in GAIA]
    columns += [("tmass", name, name) for name in TMASS if "tmass" in tables]
    columns += [("distances", name, name) for name in DISTANCES if "distances" in tables]
    columns += [(_measured(release), name, name) for name in match.more_columns]
    for suffix, role in through.items():
        columns += [(role, name, f"{name}_{suffix}") for name in neighbour_columns(release, role)]
    return _template().render(
        dict.fromkeys(_ALIAS)  # a table that is not used is null
        | {role: Adql(quoted_table(table)) for role, table in tables.items()}
        | {_ALIAS[role]: columns for role, columns in names.items()},
        by=match.by,
        hops=len(hops(release, match.by)),
        bridge=BRIDGE in through,
        own_tmass=bool(release.get("tmass_best_neighbour")),
        own_distances=bool(release.get("distances")),
        columns=Adql(", ".join(f"{names[role][name]} AS {quoted(ours)}" for role, name, ours in columns)),
        astrometry_cuts=_cuts(release),
        cone_deg=Adql(f"{(match.radius_arcsec + (match.margin_arcsec if years else 0.0)) / 3600.0:.9f}"),
        moved=Adql(f"{'-' if years < 0 else '+'} {abs(years) / 1000.0:.9f}") if years else None,
        box_arcsec=Adql(f"{match.radius_arcsec + _FLAT_SLACK:g}"),
    )


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    def only_adql(value: Any) -> Adql:
        if not isinstance(value, Adql):
            raise QueryError(f"{value!r} was not written as ADQL and may not stand in a query")
        return value

    folder = FileSystemLoader(WORKFLOW / "templates")
    options = {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    return Environment(loader=folder, finalize=only_adql, **options).get_template("crossmatch.adql.j2")


# ---------------------------------------------------------------- a sample of the sky

FIELDS = 48  # of a sample: one in each of the sky's 48 pixels of level 1
G = "phot_g_mean_mag"  # stands in gaia_source alone


def sample_query(release: Mapping[str, Any], columns: list[str], level: int) -> str:
    """Query for `columns` (ours) of all sources in FIELDS pixels of a HEALPix level.

    By ranges of source_id: the table's key, by which its rows lie on the disk, so that a range is read in one piece.
    Sources of neighbouring random_index lie all over the disk, and a GROUP BY without ranges reads two billion rows.
    """
    measured = _measured(release)
    cell, whole = 2 ** (59 - 2 * level), 12 * 4**level
    first = [(2 * field + 1) * whole // (2 * FIELDS) * cell for field in range(FIELDS)]
    source_id = _name(release, "gaia_source", "source_id")
    selected = [f"{_name(release, 'gaia_source' if c == G else measured, c)} AS {quoted(c)}" for c in columns]
    lines = [f"SELECT {', '.join(selected)}", f"FROM {quoted_table(release['gaia_source'])} AS g"]
    if measured != "gaia_source":
        on = f"{_name(release, measured, 'source_id')} = {source_id}{_cuts(release)}"
        lines.append(f"JOIN {quoted_table(release[measured])} AS {_ALIAS[measured]} ON {on}")
    ranges = "\n OR ".join(f"{source_id} BETWEEN {low} AND {low + cell - 1}" for low in first)
    return "\n".join([*lines, f"WHERE {ranges}"])
