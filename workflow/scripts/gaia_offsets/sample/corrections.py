"""Corrections of a parallax as data: of a package, by coefficients, in a column, by a map on top of another, or none.

A correction is a block of the config, `{kind, ...}`; one that reads a file has its `path` beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.columns import FRAMES, NULL, STANDARD, TRACERS
from gaia_offsets.core.files import own_file
from gaia_offsets.core.releases import is_edr3
from gaia_offsets.publish.fields import OFFICIAL
from gaia_offsets.publish.offset_map import read_map
from gaia_offsets.sample.errors import INFLATING, error_factor
from gaia_offsets.sample.reference import check_units
from gaia_offsets.sample.selection import solution
from gaia_offsets.sample.star_table import CORRECTION, ENOUGH_STARS, TINY_MAS
from gaia_offsets.sample.zero_points import MODEL, zero_point, zero_point_5p
from gaia_offsets.tables.native import column_names
from gaia_offsets.tables.read import TableError, read_table
from gaia_offsets.tables.values import as_numbers

PUBLISHED_ERROR = "parallax_error_published"
UNITS = {"mas": 1.0, "uas": 1e-3}


def zero_point_of(table: pd.DataFrame, name: str, corrections: Mapping[str, Mapping[str, Any]]) -> np.ndarray:
    """The zero point in mas, (N,), of the correction `name`: `parallax - zero_point` is corrected.

    `corrections` holds its block and those that it stands on. Null where the correction says nothing of a star. Raises
    TableError for an unknown name, a missing column, a file that is none, or a map that stands on something else.
    """
    if name not in corrections:
        raise TableError(f"corrections: {name!r} is not one of {', '.join(corrections)}")
    block = corrections[name]
    kind = block["kind"]
    if kind == "none":
        return np.zeros(len(table))
    if kind == "column":
        return UNITS[block.get("unit", "mas")] * _column(table, block["column"], name)
    if kind == "map":
        below = corrections[block["on_top_of"]].get("column") or block["on_top_of"]
        return zero_point_of(table, block["on_top_of"], corrections) + _map_offset(table, name, block, below)
    model = {column: _column(table, column, name) for column in MODEL}
    if kind == "package":
        return zero_point(OFFICIAL, *model.values())
    g, nu_eff, _, latitude, solved = model.values()
    result = np.where(solved == 31, zero_point_5p(g, nu_eff, latitude, read_coefficients(block["path"])), np.nan)
    if block.get("six_parameter"):
        six = solved == 95
        result[six] = zero_point_of(table[six], block["six_parameter"], corrections)
    if (limit := block.get("max_abs_b_deg")) is not None:
        result[~(np.abs(_column(table, "b", name)) <= limit)] = np.nan
    return result


def _column(table: pd.DataFrame, column: str, name: str) -> np.ndarray:
    if column not in table.columns:
        raise TableError(
            f"correction {name}: the table has no column {column!r}; name the file's in `columns:` of the sample"
        )
    values = as_numbers(table[column], f"correction {name}: {column!r}")
    return np.where(values == NULL, np.nan, values)


def with_paths(blocks: Mapping[str, Mapping[str, Any]], maps: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Corrections by name, each with the `path` of its file, null where it has none; `maps` are by correction_NAME."""
    paths = {name: own_file("file", block["file"]) for name, block in blocks.items() if "file" in block}
    return {
        name: {**block, "path": paths.get(name) or maps.get(f"correction_{name}")} for name, block in blocks.items()
    }


def read_coefficients(path: str) -> pd.DataFrame:
    """Coefficients q_jk [uas] by G: a table with g_mag, increasing, and columns q00_uas, q01_uas, ... q42_uas."""
    names = {"g_mag", *(f"q{j}{k}_uas" for j in range(5) for k in range(3))}
    present = column_names(path)
    if "g_mag" not in present or len(present) < 2 or not names.issuperset(present):
        raise TableError(f"{path}: columns should be g_mag and q00_uas to q42_uas; it has {', '.join(present)}")
    table = read_table(path, {name: name for name in present})
    if text := [name for name in present if not pd.api.types.is_numeric_dtype(table[name])]:
        raise TableError(f"{path}: column {text[0]} should hold numbers")
    table = table.astype(float)
    if not np.isfinite(table.to_numpy()).all() or not (np.diff(table["g_mag"]) > 0).all():
        raise TableError(f"{path}: g_mag should increase from row to row, and no value may be missing")
    return table


def _map_offset(table: pd.DataFrame, name: str, block: Mapping[str, Any], on: str) -> np.ndarray:
    """Offset [mas] of the map's pixel around each star; null outside its footprint. The map should stand on `on`."""
    path = block["path"]
    offsets = read_map(path, parallax="raw" if on == "none" else "corrected", systematic_uas=0.0)
    meta = offsets.meta
    if "official" not in meta:
        raise TableError(
            f"correction {name}: {path} does not say on which correction it stands; take the .ecsv or .fits"
        )
    its, own = meta.get("release"), block.get("release")
    if its and own and its != f"Gaia {own.upper()}" and not (is_edr3(its) and is_edr3(own)):
        raise TableError(
            f"correction {name}: {path} is a map of {its}, the sample is of {own}: take a map of that release"
        )
    if meta.get("simulated") and block.get("simulated") is False:
        raise TableError(f"correction {name}: {path} is made of SIMULATED stars, and the sample's are real")
    if on not in ("none", meta["official"]):
        raise TableError(
            f"correction {name}: {path} stands on {meta['official']}, not on {on}; "
            f"set corrections.{name}.on_top_of to {meta['official']} or none"
        )
    return offsets.look_up(*(_column(table, column, name) for column in FRAMES[offsets.frame]))[0] / 1000.0


def with_offsets(
    stars: pd.DataFrame,
    *,
    official: str,
    also: Sequence[str] = (),
    corrections: Mapping[str, Mapping[str, Any]],
    inflate: str | None = None,
) -> pd.DataFrame:
    """Tracers: the columns TRACERS, with zero point, corrected parallax [mas] and both offsets [uas].

    `stars` has the Gaia columns and the reference parallax. `official` is the correction behind `parallax_corrected`;
    one of kind `none` leaves these columns null. Each correction in `also` adds a column `zero_point_{name}` [mas].
    `inflate` multiplies the errors by the factors of that name and keeps the published ones as PUBLISHED_ERROR. Raises
    TableError where no star gets a zero point or an error, or where offsets or errors can only be in a wrong unit.
    """
    table = stars.reindex(columns=[*dict.fromkeys([*TRACERS, *stars.columns])]).copy()
    if "solution" not in stars:  # select_stars gives the release's own classes
        table["solution"] = solution(table["astrometric_params_solved"])
    known = {name: _plausible(zero_point_of(table, name, corrections), name) for name in also}
    known[official] = _some_zero_point(table, official, corrections)
    none = corrections[official]["kind"] == "none"
    table["zero_point"] = np.nan if none else known[official]
    table["parallax_corrected"] = table["parallax"] - table["zero_point"]
    table["offset_raw"] = 1000.0 * (table["parallax"] - table["reference_parallax"])
    table["offset_corrected"] = 1000.0 * (table["parallax_corrected"] - table["reference_parallax"])
    check_units(table)
    more = {f"zero_point_{name}": known[name] for name in also}
    if inflate:
        more[PUBLISHED_ERROR] = table["parallax_error"]
        given = (_column(table, column, f"inflate: {inflate}") for column in INFLATING[inflate])
        table["parallax_error"] = table["parallax_error"] * error_factor(*given, inflate=inflate)
        if table["parallax_error"].isna().all():
            needed = ", ".join(INFLATING[inflate])
            raise TableError(f"inflate: {inflate} gives no error for any of {len(table)} stars; it takes {needed}")
    return table[list(TRACERS)].assign(**more)


def _some_zero_point(table: pd.DataFrame, name: str, corrections: Mapping[str, Mapping[str, Any]]) -> np.ndarray:
    """The zero point of the stars; raises TableError where not one has any."""
    zero_points = _plausible(zero_point_of(table, name, corrections), name)
    if len(table) and np.isnan(zero_points).all():
        empty = [column for column in MODEL[:4] if table[column].isna().all()]
        raise TableError(
            f"correction {name}: no zero point for any of {len(table)} stars"
            + (
                f"; no values in {', '.join(empty)}"
                if empty
                else "; all are outside the range of the correction or of another solution"
            )
            + "; name the columns in `columns:` of the sample or choose another correction (`official: none` for none)"
        )
    return zero_points


def _plausible(zero_points: np.ndarray, name: str) -> np.ndarray:
    """The zero points [mas] as they are; raises TableError where one can only be a wrong unit or a sentinel."""
    largest = np.max(np.abs(zero_points), initial=0.0, where=np.isfinite(zero_points))
    if largest > STANDARD["zero_point"].high:
        raise TableError(
            f"correction {name}: a zero point of {largest:g} mas is beyond any of Gaia; "
            f"check `unit` of corrections.{name}"
        )
    known = np.abs(zero_points[np.isfinite(zero_points) & (zero_points != 0)])
    if len(known) >= ENOUGH_STARS and np.median(known) < TINY_MAS[CORRECTION]:
        raise TableError(
            f"correction {name}: half of the zero points are below {TINY_MAS[CORRECTION]:g} mas, a thousandth of "
            f"any of Gaia; check `unit` of corrections.{name} and of its column"
        )
    return zero_points
