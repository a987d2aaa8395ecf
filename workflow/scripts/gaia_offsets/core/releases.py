"""Release blocks of the config: the names that the archive is asked by, and how solutions are coded. Ground floor."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from gaia_offsets.core.columns import DISTANCES, GAIA, TMASS

EDR3 = ("edr3", "dr3")  # releases of one astrometry
EPOCHS = {"DR1": 2015.0, "DR2": 2015.5, "EDR3": 2016.0, "DR3": 2016.0, "DR4": 2017.5}  # Julian years of the positions
SOLVED = "astrometric_params_solved"
# How Gaia EDR3 and DR3 code their solutions (data model, astrometric_params_solved), and what is measured of them.
EDR3_CODING = {
    "column": SOLVED,
    "codes": {"5p": 31, "6p": 95, "2p": 3},
    "bits": {},
    "standard": "5p",
    "colours": {"5p": "nu_eff_used_in_astrometry", "6p": "pseudocolour"},
}
STANDARD = "standard"  # stands for the standard class in a cut's `solution`
_WORDS = {"5p": "five-parameter", "6p": "six-parameter"}
# What a table of single-star solutions gives in the place of gaia_source; positions and motions stay gaia_source's.
ASTROMETRY = ("parallax", "parallax_error", "nu_eff_used_in_astrometry", "pseudocolour", SOLVED, "ruwe")
_HOP = ("source_id", "dr3_source_id", "angular_distance", "magnitude_difference")
# Tables of a release block and the columns that the queries take from each (data model of Gaia EDR3; DR4's is a draft).
TABLES: dict[str, tuple[str, ...]] = {
    "gaia_source": tuple(GAIA),
    "all_source_astrometry": ("source_id", *ASTROMETRY),
    "tmass_best_neighbour": ("source_id", "clean_tmass_psc_xsc_oid"),
    "tmass_join": ("clean_tmass_psc_xsc_oid", "original_psc_source_id"),
    "tmass": ("designation", *TMASS),
    "distances": ("source_id", *DISTANCES),
    "dr2_neighbourhood": ("dr2_source_id", *_HOP[1:]),
    "dr3_neighbourhood": (*_HOP, "probable_match"),
    "agn_cross_id": ("source_id",),
}
# Tables that a release may take from its `bridge`, an earlier release whose identifiers its dr3_neighbourhood gives.
BRIDGED = ("tmass_best_neighbour", "tmass_join", "tmass", "distances", "agn_cross_id")
MAY_LACK = ("probable_match",)  # columns that a release may say it has not, by a null in its `columns`


def named_epoch(release: Any) -> float | None:
    """Epoch of a release by its name (Gaia EDR3, dr3, Gaia Data Release 3); None for anything else."""
    match = re.search(r"E?DR\d", re.sub(r"(E)?(ARLY )?DATA RELEASE ", r"\1DR", str(release).upper()))
    return EPOCHS.get(match[0]) if match else None


def coding(release: Mapping[str, Any]) -> dict[str, Any]:
    """The block `solution` of a release; EDR3's where it is silent.

    `column` is that of the code, `codes` has the code or codes of each class, `bits` masks for all other codes,
    `colours` our column of the colour of each class that is measured, `standard` the class of Table 1 and the maps.
    """
    return {**EDR3_CODING, **(release.get("solution") or {})}


def measured(coding: Mapping[str, Any]) -> dict[str, str]:
    """The classes that are measured with the column of their colour, the standard class first."""
    standard, colours = coding["standard"], coding["colours"]
    return {name: colours[name] for name in sorted(colours, key=lambda name: name != standard)}


def standard(solutions: Mapping[str, str]) -> str:
    """The standard class among the `measured` ones."""
    return next(iter(solutions))


def adjective(solution: str) -> str:
    """A class in words, of its solutions."""
    return _WORDS.get(solution, solution)


def long_name(solution: str) -> str:
    """A class in words, for the title of a panel."""
    return f"{_WORDS[solution]} solutions ({solution})" if solution in _WORDS else f"{solution} solutions"


def is_edr3(release: str) -> bool:
    """Whether a release has the astrometry of EDR3 and DR3, by its name: dr3, edr3_of_a_mirror, Gaia EDR3."""
    return "dr3" in release.lower()


def classes(coding: Mapping[str, Any]) -> list[str]:
    """Names of the classes of solutions, in the order of the config."""
    return [*coding["codes"], *coding["bits"]]


def asked_names(release: Mapping[str, Any]) -> dict[str, Any]:
    """What the queries need of a release: all but its coding, with the name of the solution column among `columns`.

    So a new class of solutions fetches nothing again.
    """
    column = coding(release)["column"]
    renames = ({} if column == SOLVED else {SOLVED: column}) | (release.get("columns") or {})
    asked = {key: value for key, value in release.items() if key not in ("solution", "official", "bridge")}
    return {**asked, "columns": renames}


def bridged(release: Mapping[str, Any], releases: Mapping[str, Any]) -> dict[str, Any]:
    """The tables that a release lacks and its `bridge` has, by their role, and the `columns` renamed in them."""
    if not release.get("bridge"):
        return {}
    earlier = asked_names(releases[release["bridge"]])
    tables = {role: earlier[role] for role in BRIDGED if earlier.get(role) and not release.get(role)}
    return {**tables, "columns": earlier["columns"]} if tables else {}


def table_of(release: Mapping[str, Any], role: str) -> str | None:
    """The table of a role, of the release itself or of its bridge."""
    return release.get(role) or (release.get("bridged") or {}).get(role)


def column_of(release: Mapping[str, Any], role: str, column: str) -> str | None:
    """The archive's name of a column of ours in the table of a role; None where the release has no such column."""
    named = release if release.get(role) else release.get("bridged") or {}
    return (named.get("columns") or {}).get(column, column)


def neighbour_columns(release: Mapping[str, Any], role: str) -> list[str]:
    """What a neighbourhood table of a release says of each of its pairs."""
    return [name for name in TABLES[role][2:] if column_of(release, role, name)]


def roles(query: Mapping[str, Any]) -> list[str]:
    """Tables of a `query` block that are roles of a release (gaia_source) and not names of a service."""
    tables = [query.get("table"), (query.get("join") or {}).get("table")]
    return [table for table in tables if table in TABLES]


def named_query(query: Mapping[str, Any], release: Mapping[str, Any]) -> dict[str, Any]:
    """A query on roles of a release, with the names that the release gives to its tables and columns.

    From the table of sources come the release's `more_columns`, too. A join with a table of the release's bridge goes
    `through` the neighbourhood.
    """
    names, result = asked_names(release), copy.deepcopy(dict(query))
    role, columns = result["table"], result["columns"]
    if role in TABLES:
        result["table"] = table_of(names, role)
        if isinstance(columns, list):
            more = (names.get("more_columns") or []) if role == "gaia_source" else []
            result["columns"] = {name: column_of(names, role, name) for name in [*columns, *more]}
    join = result.get("join")
    if join and join["table"] in TABLES:
        other, by = join["table"], join["by"]
        join |= {"table": table_of(names, other), "by": column_of(names, role, by)}
        if not names.get(other):
            hop = "dr3_neighbourhood"
            pair = ("dr3_source_id", *neighbour_columns(names, hop))
            join["through"] = {
                "table": names[hop],
                "by": column_of(names, hop, "source_id"),
                "columns": {name: column_of(names, hop, name) for name in pair},
                "theirs": column_of(names, other, by),
            }
    return result
