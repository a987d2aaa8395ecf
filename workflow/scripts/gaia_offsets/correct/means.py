"""The mean parallax of a group of stars, with the error that Gaia's correlated errors leave in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.faults import TableError
from gaia_offsets.core.log import say
from gaia_offsets.core.releases import EPOCHS, SOLVED
from gaia_offsets.correct.correction import Correction
from gaia_offsets.publish.fields import CORRECTED, NONE, OUTPUT, TRUE_ERROR, named_like
from gaia_offsets.sample.errors import INFLATING, error_factor, inflation
from gaia_offsets.sample.selection import SUSPECT_MAS
from gaia_offsets.sample.star_table import StarTable, read_stars, refuse_other_order, star_arrays
from gaia_offsets.sample.zero_points import check_edr3
from gaia_offsets.sky.covariance import angular_covariance, gathered_covariance
from gaia_offsets.sky.positions import unit_vectors
from gaia_offsets.tables.native import native_column, native_names, native_units
from gaia_offsets.tables.values import as_column, as_names, floats

NEEDED = ("parallax", "parallax_error", "ra", "dec")


def mean_parallax(
    parallax: Any,
    parallax_error: Any,
    ra: Any,
    dec: Any,
    *,
    covariance: Callable[[np.ndarray], np.ndarray] = angular_covariance,
) -> tuple[float, float, float]:
    """Weighted mean of parallaxes, its statistical error and its whole error, mas.

    Inputs (N,), N > 0, none null: mas and degrees, or with units. Errors are those of single stars without any floor.
    The weights are 1 / error^2: the best ones where the stars lie so close together that their correlated errors are
    the same. The whole error adds the mean of `covariance` [uas2 at angles in degrees] over all pairs of stars, each
    with itself included: for many stars in one place it falls to the root of the covariance at 0, 10.3 uas, and not
    further. Raises TableError for a null, and an error of 0 is one.

    >>> mean, statistical, whole = mean_parallax([0.50, 0.54], [0.03, 0.03], ra=[10.0, 10.0], dec=[20.0, 20.1])
    >>> f"{mean:.3f} +- {statistical:.3f} (stat) +- {whole:.3f} (whole)"
    '0.520 +- 0.021 (stat) +- 0.024 (whole)'
    """
    where = "mean_parallax"
    stars = star_arrays(where, parallax=parallax, parallax_error=parallax_error, ra=ra, dec=dec)
    for name, values in zip(NEEDED, stars, strict=True):
        if not len(values) or np.isnan(values).any():
            raise TableError(f"{where}: {int(np.isnan(values).sum())} of {len(values)} values of {name!r} are null")
    say(*_suspects(where, _far(stars[0])))
    return _mean(*stars, covariance)


def _far(parallax: np.ndarray) -> int:
    """How many parallaxes of a group lie too far from its median to be of it."""
    return int((np.abs(parallax - np.median(parallax)) > SUSPECT_MAS).sum())


def _suspects(where: str | Path, count: int) -> list[str]:
    line = f"{where}: {count} parallaxes lie more than {SUSPECT_MAS:g} mas from the median of their group"
    return [f"{line}; are these values (99.99, -99) that stand for none?"] if count else []


def _mean(
    parallax: np.ndarray,
    errors: np.ndarray,
    ra: np.ndarray,
    dec: np.ndarray,
    covariance: Callable[[np.ndarray], np.ndarray] = angular_covariance,
) -> tuple[float, float, float]:
    """mean_parallax of what is checked already."""
    weights = errors**-2.0
    total = weights.sum()
    correlated = 1e-6 * gathered_covariance(unit_vectors(ra, dec), weights, covariance)
    mean = float(parallax @ weights / total)
    return mean, float(total**-0.5), float(np.sqrt(1.0 / total + correlated))


def group_means(stars: Any, groups: Sequence[Any] | None = None, *, inflate: str | bool | None = None) -> pd.DataFrame:
    """One row a group, by its name: group, n, left_out, mean_parallax, error_statistical, error [mas].

    `stars`, a DataFrame or an astropy Table of N rows, has parallax, parallax_error, ra and dec in standard units or
    its own. With `inflate`, maiz_apellaniz2022 (True) or el_badry2021, it has what error_factor takes, too, and errors
    are first multiplied by that. `groups` (N,) are names, one group where None; stars without a name belong to none.
    Left out of a group and counted are stars with a null, or an error of 0. What else is left out is said on standard
    error: stars without a group, further rows of a source_id in a group. Raises TableError for a column that is missing
    or wrong.

    >>> stars = pd.DataFrame({"parallax": [0.5, 0.54, 0.2], "parallax_error": 0.03, "ra": 10.0, "dec": [20, 20.1, 5]})
    >>> group_means(stars, ["M 1", "M 1", "field"]).round(3)
       group  n  left_out  mean_parallax  error_statistical  error
    0    M 1  2         0           0.52              0.021  0.024
    1  field  1         0           0.20              0.030  0.032
    """
    inflate, where = inflation(inflate), "mean parallax"
    table = StarTable(epoch=EPOCHS["EDR3"] if inflate else None)  # whose parallaxes the factors are for
    table.open(native_names(stars, where), native_units(stars), where)
    table.take([*NEEDED, *INFLATING.get(inflate, ())])
    frame = table.values({name: native_column(stars, source, where) for name, source in table.sources.items()})
    say(*_choices(table), *table.finish())
    refuse_other_order(where, stars, groups)
    # As objects: pandas would make floats of whole numbers among which one is missing.
    names = None if groups is None else as_names(as_column(groups, f"{where}: groups", object))
    if names is not None and len(names) != len(frame):
        raise TableError(f"{where}: {len(names)} groups for {len(frame)} stars; give one name a star")
    return _means(frame, names, inflate, where)


def _choices(table: StarTable) -> list[str]:
    """A line where the table holds corrected parallaxes of ours beside the one that is taken."""
    taken, ours = table.sources["parallax"], (CORRECTED, OUTPUT[0])
    others = [name for field in ours for name in named_like(field.name, table.names) if name != taken]
    line = f"{table.where}: {taken!r} is the parallax; there are {', '.join(others)}, too: name the one that is meant"
    return [line] if others else []


def _means(stars: pd.DataFrame, groups: pd.Series | None, inflate: str | None, where: str | Path) -> pd.DataFrame:
    table = stars[list(NEEDED)].astype(float)
    if inflate:
        given = (floats(stars, name) for name in INFLATING[inflate])
        table["parallax_error"] *= error_factor(*given, inflate=inflate)
    table["group"] = "all" if groups is None else groups.to_numpy()
    without = int(table["group"].isna().sum())
    if without:
        say(f"{where}: {without} of {len(table)} stars have no group: they are in no mean")
    table = table[~_again(table, stars.get("source_id", pd.Series(pd.NA, index=table.index)), where)]
    good = _counts(table)
    rows, suspect = [], 0
    names = table["group"].dropna().unique().tolist()
    for name in sorted(names, key=lambda text: (int(text) if text.isdecimal() else np.inf, text)):
        part = table[table["group"] == name]
        used = part[good[part.index]]
        mean = _mean(*(used[column].to_numpy() for column in NEEDED)) if len(used) else (np.nan,) * 3
        suspect += _far(used["parallax"].to_numpy()) if len(used) else 0
        rows.append((name, len(used), len(part) - len(used), *mean))
    say(*_suspects(where, suspect))
    return pd.DataFrame(rows, columns=["group", "n", "left_out", "mean_parallax", "error_statistical", "error"])


def _again(table: pd.DataFrame, source_id: pd.Series, where: str | Path) -> pd.Series:
    """Rows (N,) of a star that its group has already: of its source_id, and to 1e-4 deg of its position.

    Identifiers that have gone through float64 or a spreadsheet are those of several stars, at several positions.
    """
    # Rows that count are compared with one another: a null row must not take the place of a good one.
    rows = table.round({"ra": 4, "dec": 4}).assign(source_id=source_id, null=~_counts(table))
    named = rows["group"].notna() & rows["source_id"].notna()
    other = named & rows.duplicated(["group", "source_id", "null"])
    again = named & rows.duplicated(["group", "source_id", "null", "ra", "dec"])
    alike = rows["group"].notna() & rows["source_id"].isna() & ~rows["null"] & table.duplicated(["group", *NEEDED])
    lines = (
        (again, "are of a source_id that the group has already: counted once"),
        (other & ~again, "have the source_id of a star at another position, so it has lost digits: all are counted"),
        (alike, "equal another in position, parallax and error, and have no source_id: a star twice? All are counted"),
    )
    say(*(f"{where}: {int(which.sum())} rows {what}" for which, what in lines if which.any()))
    return again


def _counts(table: pd.DataFrame) -> pd.Series:
    """Whether a row has what a mean needs."""
    return table[list(NEEDED)].notna().all(axis=1) & (table["parallax_error"] > 0)


def file_means(
    path: str | Path,
    *,
    group: str | None = None,
    columns: Mapping[str, Any] | None = None,
    inflate: str | bool | None = None,
    correction: str = NONE,
) -> pd.DataFrame:
    """group_means of a table file, whose column `group` names the groups; `columns` as in apply.Correction.

    `correction` (see apply.Correction) is subtracted first. Which column is taken, in which unit, and what is left out
    stands on standard error. Standard names and VizieR's need no entry. Raises TableError, one line.
    """
    inflate = inflation(inflate)
    work = None if correction == NONE else Correction(None, correction=correction, columns=columns)
    table = StarTable(columns, epoch=EPOCHS["EDR3"] if inflate else None)
    error = str(table.entries.get("parallax_error", {}).get("column"))
    if named_like(TRUE_ERROR.name, [error]):
        raise TableError(
            f"{path}: {error} (--parallax-error) holds already the correlated part that a mean adds; give the "
            "published error and --inflate"
        )
    stars, names = read_stars(path, table, [*NEEDED, *INFLATING.get(inflate, ())], group=group, also=work)
    if inflate:
        check_edr3(floats(stars, SOLVED), table.sources[SOLVED], str(path))
    source, unit = table.sources["parallax"], table.unit("parallax") or "mas, for no unit is stated"
    after = f"after {correction}" if work else "as it stands"
    say(f"{path}: mean of the column {source!r} [{unit}] {after}", *_choices(table), *table.finish())
    return _means(stars, names, inflate, path)
