"""First contact with a release (docs/new_release.md): has the archive its names, and how are its solutions coded?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.archive import adql
from gaia_offsets.archive.adql import G
from gaia_offsets.archive.names import Missing, missing_names
from gaia_offsets.archive.tap import Archive
from gaia_offsets.core.files import WORKFLOW
from gaia_offsets.core.log import say
from gaia_offsets.core.releases import MAY_LACK, SOLVED, TABLES, asked_names, coding, column_of, table_of
from gaia_offsets.engine.config.complete import resolve
from gaia_offsets.engine.config.fault import ConfigError
from gaia_offsets.engine.config.read import load_yaml
from gaia_offsets.sample.corrections import zero_point_of
from gaia_offsets.sample.selection import solution

COLOURS = ("nu_eff_used_in_astrometry", "pseudocolour")
BRIGHT = 17.0  # mag: tracers are brighter; most sources of the sky are fainter, and coded otherwise
LEVELS = (9, 5, 1)  # HEALPix levels of the fields: 48 of level 9 hold some 30,000 of two billion sources
ENOUGH = 500  # bright sources, for a share to 2 %; a service that holds less of the sky is asked for larger fields


def check_release(name: str, files: Sequence[str] = (), url: str | None = None) -> tuple[dict[str, Any], list[Missing]]:
    """An overlay with what was learned of `releases.NAME`, and the names that the archive lacks.

    A report goes to standard error. `files` are config files over the workflow's own, `url` an address in the place of
    archive.url. Raises ConfigError for what is wrong with the config, ArchiveError where the archive does not answer.
    """
    own = (WORKFLOW / "settings.yaml", WORKFLOW.parent / "config/config.yaml")
    if not own[-1].is_file():
        advice = "check-release reads the config of a workflow's folder (make setup)"
        raise ConfigError([f"{own[-1]} is not there: {advice}"])
    config = resolve(load_yaml(*own, *files), load_yaml(WORKFLOW / "schemas/config.schema.yaml"))
    if name not in config["releases"]:
        raise ConfigError([f"{name!r} is not one of releases: {', '.join(config['releases'])}"])
    release, settings = config["releases"][name], config["archive"]
    tap = Archive.of(url or settings["url"], settings)
    learned, missing = first_contact(tap, name, release, official_column(release, config["corrections"]))
    return {"releases": {name: learned}}, missing


def official_column(release: Mapping[str, Any], corrections: Mapping[str, Any]) -> dict[str, Any] | None:
    """The release's correction that comes as a column, by its block; else the first of more_columns, in mas."""
    block = corrections.get(release.get("official"), {})
    if block.get("kind") == "column":
        return block
    return {"kind": "column", "column": release["more_columns"][0]} if release.get("more_columns") else None


def first_contact(
    service: Archive, name: str, release: Mapping[str, Any], official: Mapping[str, Any] | None
) -> tuple[dict[str, Any], list[Missing]]:
    """`check_release` of a block of the complete config; `official` is a correction of kind column."""
    names = asked_names(release)
    needed = adql.needed_columns(names)
    missing = missing_names(service, needed)
    asked = sum(1 + len(set(columns)) for columns in needed.values())
    say(f"releases.{name} at {service.url}: {asked} names asked for, {len(missing)} missing")
    say(*(f"  {item}" for item in missing))
    learned = renamed(release, missing)
    columns = sampled_columns(names, missing, official)
    if not columns:
        say("No sample of the sky: the table of sources, source_id or the column of the code has another name")
        return learned, missing
    rows, level = sample(service, names, columns)
    table = census(rows, release, official)
    say(
        f"{len(rows)} sources in {adql.FIELDS} fields of the sky (HEALPix level {level}); with G < {BRIGHT:g}:",
        table.to_string(index=False, na_rep="-", float_format="%.1f"),
        *notes(table, release, official),
    )
    solutions = solution_block(release, table)
    return learned | {"solution": learned.get("solution", {}) | solutions}, missing


def renamed(release: Mapping[str, Any], missing: Sequence[Missing]) -> dict[str, Any]:
    """Keys of the release block with the nearest names in the place of those that the archive lacks; null for none."""
    block: dict[str, Any] = {}
    for item in missing:
        role = next((role for role in TABLES if (release.get(role) or "").replace('"', "") == item.table), None)
        if role is None:
            continue  # a table of the bridge: it stands in another block
        if item.column is None:
            block[role] = item.nearest
            continue
        names = (*TABLES[role], *(release.get("more_columns") or ()))
        names += tuple(cut["column"] for cut in release.get("astrometry_cuts") or ())
        asked = asked_names(release)
        ours = next(ours for ours in names if (column_of(asked, role, ours) or "").replace('"', "") == item.column)
        if ours in MAY_LACK:
            block.setdefault("columns", {})[ours] = None
        elif ours == SOLVED and item.nearest:
            block.setdefault("solution", {})["column"] = item.nearest
        elif item.nearest:
            block.setdefault("columns", {})[ours] = item.nearest
        elif ours in (release.get("more_columns") or ()):
            block["more_columns"] = [name for name in release["more_columns"] if name != ours]
    return block


def sampled_columns(names: dict[str, Any], missing: Sequence[Missing], official: Mapping[str, Any] | None) -> list[str]:
    """The columns of a sample that the archive has, our names; none where it cannot be taken."""
    lacking = {(item.table, item.column) for item in missing}

    def there(role: str, column: str) -> bool:
        table, theirs = (table_of(names, role) or "").replace('"', ""), column_of(names, role, column).replace('"', "")
        return bool(table) and not lacking & {(table, None), (table, theirs)}

    measured = names.get("astrometry") or "gaia_source"
    if not (there("gaia_source", "source_id") and there(measured, "source_id") and there(measured, SOLVED)):
        return []
    wanted = ["parallax", *COLOURS, "ruwe", *([official["column"]] if official else [])]
    return [SOLVED, *([G] if there("gaia_source", G) else []), *(name for name in wanted if there(measured, name))]


def sample(service: Archive, names: dict[str, Any], columns: list[str]) -> tuple[pd.DataFrame, int]:
    """These columns of the sources in FIELDS fields, and the fields' HEALPix level: the first with ENOUGH bright."""
    for level in LEVELS:
        query = adql.sample_query(names, columns, level)
        how = {"what": f"a sample of the sky, level {level}", "narrower": "raise archive.maxrec"}
        rows = service.select(query, **how)
        if bright(rows).sum() >= ENOUGH:
            break
    return rows, level


def bright(rows: pd.DataFrame) -> np.ndarray:
    """Which sources are brighter than BRIGHT; all of them where G did not come."""
    return (rows[G] < BRIGHT).to_numpy() if G in rows else np.ones(len(rows), dtype=bool)


def census(rows: pd.DataFrame, release: Mapping[str, Any], official: Mapping[str, Any] | None) -> pd.DataFrame:
    """By code, the most frequent first: its class, and how many of the bright sources have which column.

    Of the official correction also the median [uas].
    """
    rows = rows[bright(rows)]
    columns = [name for name in ("parallax", *COLOURS, "ruwe") if name in rows]
    have = rows[columns].notna()
    if official and official["column"] in rows:
        correction = 1000.0 * zero_point_of(rows, "official", {"official": official})
        have[official["column"]] = np.isfinite(correction)
    have.insert(0, "sources", True)
    by_code = {"by": rows[SOLVED].astype("Int64"), "dropna": False}
    table = have.groupby(**by_code).sum().astype(int)
    if official and official["column"] in have:
        table["median_uas"] = pd.Series(correction, index=rows.index).groupby(**by_code).median().to_numpy()
    table = table.sort_values(["sources"], ascending=False, kind="stable").rename_axis("code").reset_index()
    table.insert(1, "class", solution(table["code"], coding(release)))
    return table


def _colour(counts: pd.Series | Mapping[str, int]) -> str | None:
    """The colour that at least nine tenths of the parallaxes have, nu_eff before the pseudocolour."""
    return next((name for name in COLOURS if counts.get(name, 0) >= 0.9 * counts["parallax"]), None)


def solution_block(release: Mapping[str, Any], table: pd.DataFrame) -> dict[str, Any]:
    """The block `solution` by the counts: the class of the most frequent code with parallaxes is the standard one.

    A class whose codes have different colours is split, and a frequent code without a class comes into the standard
    one. Nothing where no bright source has a parallax.
    """
    known = coding(release)
    if "parallax" not in table or not table["parallax"].sum():
        return {}
    ranked = table.sort_values("parallax", ascending=False, kind="stable")
    top = ranked.iloc[0]
    standard = known["standard"] if pd.isna(top["class"]) else top["class"]
    ranked = ranked.assign(**{"class": ranked["class"].mask(ranked["code"] == top["code"], standard)})
    block: dict[str, Any] = {"codes": {}, "standard": standard, "colours": {}}
    for name in dict.fromkeys([standard, *known["colours"]]):
        own = ranked[(ranked["class"] == name) & (ranked["parallax"] > 0)]
        listed = np.atleast_1d(known["codes"].get(name, [])).tolist()
        listed += [code for code in own["code"].tolist() if code not in listed and name in known["codes"]]
        colours = {row["code"]: _colour(row) for _, row in own.iterrows()}
        first = next((colour for colour in colours.values() if colour), None)
        if first is None:
            continue
        other = [code for code, colour in colours.items() if colour not in (first, None)]
        block["colours"][name] = first
        if name in known["codes"]:
            block["codes"][name] = sorted(code for code in listed if code not in other)
        if other:
            block["codes"][f"{name}_{colours[other[0]]}"] = sorted(other)
            block["colours"][f"{name}_{colours[other[0]]}"] = colours[other[0]]
    return {key: value for key, value in block.items() if value}


def notes(table: pd.DataFrame, release: Mapping[str, Any], official: Mapping[str, Any] | None) -> Iterator[str]:
    """What the counts mean, a line each."""
    block, whole = solution_block(release, table), int(table["sources"].sum())
    if not block:
        yield "No bright source of the sample has a parallax: nothing is learned of the standard class"
        return
    standard = block["standard"]
    codes, colour = (block.get(key, {}).get(standard) for key in ("codes", "colours"))
    own = table[table["code"].isin(codes) if codes else table["class"] == standard]
    counts = own.drop(columns=["code", "class"]).sum()
    yield (
        f"Standard class {standard}: {int(counts['sources'])} of {whole} sources ({counts['sources'] / whole:.0%}), "
        f"{int(counts['parallax'])} with a parallax; its colour is {colour or 'unknown: neither column is filled'}"
    )
    if loose := int(table.loc[table["class"].isna(), "sources"].sum()):
        yield f"{loose} sources have a code of no class: name it in solution.codes or solution.bits"
    if official and official["column"] in table:
        name, without = official["column"], int(counts["parallax"] - counts[official["column"]])
        median = float(own.loc[own["sources"].idxmax(), "median_uas"])
        if without:
            yield (
                f"{without} of its {int(counts['parallax'])} parallaxes have no {name}: their zero point is null, and "
                "they leave the corrected numbers and maps"
            )
        if median > 0:
            yield f"{name} has a median of {median:+.1f} uas; EDR3's zero points are negative: is the sign another one?"
        if abs(median) > 1000:
            yield f"{name} has a median of {median:+.1f} uas; should its `unit` be uas?"
