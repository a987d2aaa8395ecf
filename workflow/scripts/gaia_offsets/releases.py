"""Release blocks of the config: the names that the archive is asked by, and how solutions are coded. Ground floor."""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from gaia_offsets.columns import DISTANCES, GAIA, TMASS

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
    "dr3_neighbourhood": _HOP,
    "agn_cross_id": ("source_id",),
}


def named_epoch(release: Any) -> float | None:
    """Epoch of a release by its name (Gaia EDR3, dr3); None for anything else."""
    found = re.search(r"E?DR\d", str(release).upper())
    return EPOCHS.get(found[0]) if found else None


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
    return {**{key: value for key, value in release.items() if key != "solution"}, "columns": renames}


def roles(query: Mapping[str, Any]) -> list[str]:
    """Tables of a `query` block that are roles of a release (gaia_source) and not names of a service."""
    tables = [query.get("table"), (query.get("join") or {}).get("table")]
    return [table for table in tables if table in TABLES]


def named_query(query: Mapping[str, Any], release: Mapping[str, Any]) -> dict[str, Any]:
    """A query on roles of a release, with the names that the release gives to its tables and columns."""
    names, result = asked_names(release), copy.deepcopy(dict(query))
    renames = names["columns"]
    for block in (result, result.get("join") or {}):
        if block.get("table") in TABLES:
            block["table"] = names[block["table"]]
    if result.get("join"):
        result["join"]["by"] = renames.get(result["join"]["by"], result["join"]["by"])
    columns = result["columns"]
    if isinstance(columns, list) and set(columns) & set(renames):
        result["columns"] = {name: renames.get(name, name) for name in columns}
    return result


def near(word: str, words: Any, cutoff: float = 0.6) -> str | None:
    """The word most like another, None where none is alike."""
    return next(iter(difflib.get_close_matches(word, words, n=1, cutoff=cutoff)), None)


def release_faults(release: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a release block, one line each, with the key below it."""
    known = coding(release)
    places: dict[int, str] = {}
    for name, codes in known["codes"].items():
        for code in codes if isinstance(codes, list) else [codes]:
            if code in places:
                yield f"solution.codes.{name}: {code} is {places[code]} already"
            places[code] = name
    for name in set(known["codes"]) & set(known["bits"]):
        yield f"solution.bits.{name}: it stands in codes already; one place says what a class is"
    for name in set(known["colours"]) - set(classes(known)):
        yield f"solution.colours.{name}: it is no class of codes or bits"
    if known["standard"] not in known["colours"]:
        yield f"solution.standard: {known['standard']!r} has no entry in solution.colours, and so is not measured"
    chosen = release.get("astrometry") or "gaia_source"
    if not release.get(chosen):
        yield f"astrometry: the release names no table {chosen}"
