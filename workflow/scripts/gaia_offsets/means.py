"""The mean parallax of a group of stars, with the error that Gaia's correlated errors leave in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.coefficients import INFLATING, error_factor, inflation
from gaia_offsets.covariance import maiz_apellaniz2021, mean_covariance
from gaia_offsets.official import check_edr3
from gaia_offsets.releases import SOLVED
from gaia_offsets.sky import pixel_centre, pixel_index
from gaia_offsets.tables import TableError, column_for, column_names, read_table

MANY = 20_000  # stars; beyond, pixels of GATHERED stand for theirs
GATHERED = {"nside": 64, "ordering": "nested"}
NEEDED = ("parallax", "parallax_error", "ra", "dec")


def mean_parallax(
    parallax: np.ndarray,
    parallax_error: np.ndarray,
    ra: np.ndarray,
    dec: np.ndarray,
    *,
    covariance: Callable[[np.ndarray], np.ndarray] = maiz_apellaniz2021,
) -> tuple[float, float, float]:
    """Weighted mean of parallaxes, its statistical error and its whole error, mas.

    Inputs (N,), N > 0, none null: mas and degrees. Errors are those of single stars without any floor. The weights are
    1 / error^2: the best ones where the stars lie so close together that their correlated errors are the same. The
    whole error adds the mean of `covariance` [uas2 at angles in degrees] over all pairs of stars, each with itself
    included: for many stars in one place it falls to the root of the covariance at 0, 10.3 uas, and not further.
    """
    weights = np.asarray(parallax_error, dtype=float) ** -2.0
    total = weights.sum()
    ra, dec = np.asarray(ra, dtype=float), np.asarray(dec, dtype=float)
    shares = weights
    if len(weights) > MANY:
        pixels, place = np.unique(pixel_index(ra, dec, **GATHERED), return_inverse=True)
        shares, (ra, dec) = np.bincount(place, weights), pixel_centre(pixels, **GATHERED)
    ra, dec = np.radians(ra), np.radians(dec)
    vectors = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)
    correlated = 1e-6 * mean_covariance(vectors, shares, covariance)
    mean = float(np.asarray(parallax, dtype=float) @ weights / total)
    return mean, float(total**-0.5), float(np.sqrt(1.0 / total + correlated))


def group_means(
    stars: pd.DataFrame, groups: Sequence[Any] | None = None, *, inflate: str | bool | None = None
) -> pd.DataFrame:
    """One row a group, by its name: group, n, left_out, mean_parallax, error_statistical, error [mas].

    `stars` (N rows) has NEEDED in standard units. With `inflate`, one of INFLATIONS (True: the first), it has what that
    takes (INFLATING), too, and errors are first multiplied by error_factor. `groups` (N,) are names, one group where
    None; stars without a name belong to none. Left out of a group and counted are stars with a null, or an error of 0.
    Raises TableError where a column is missing.
    """
    inflate = inflation(inflate)
    names = [*NEEDED, *INFLATING.get(inflate, ())]
    missing = [name for name in names if name not in stars.columns]
    if missing:
        raise TableError(f"mean parallax: no column {missing[0]!r}: name the column that stands for it")
    values = {name: stars[name].to_numpy(dtype=float, na_value=np.nan) for name in names}
    if inflate:
        given = (values[name] for name in INFLATING[inflate])
        values["parallax_error"] = values["parallax_error"] * error_factor(*given, inflate=inflate)
    table = pd.DataFrame({name: values[name] for name in NEEDED})
    table["group"] = "all" if groups is None else np.asarray(groups)
    good = np.isfinite(table[list(NEEDED)]).all(axis=1) & (table["parallax_error"] > 0)
    rows = []
    for name, part in table.groupby("group"):
        used = part[good[part.index]]
        found = mean_parallax(*(used[column].to_numpy() for column in NEEDED)) if len(used) else (np.nan,) * 3
        rows.append((name, len(used), len(part) - len(used), *found))
    return pd.DataFrame(rows, columns=["group", "n", "left_out", "mean_parallax", "error_statistical", "error"])


def file_means(
    path: str | Path,
    *,
    group: str | None = None,
    columns: dict[str, Any] | None = None,
    inflate: str | bool | None = None,
) -> pd.DataFrame:
    """group_means of a table file, whose column `group` names the groups; `columns` as in read_table.

    Standard names and VizieR's need no entry. Raises TableError, one line.
    """
    wanted = (*NEEDED, *INFLATING.get(inflation(inflate), ()))
    present, named = column_names(path), {"group of stars": group} if group else {}
    for name in wanted:
        entry = (columns or {}).get(name) or {}
        entry = dict(entry) if isinstance(entry, dict) else {"column": entry}
        source = entry.get("column") or column_for(name, present, path, f"--{name.replace('_', '-')} {{column}}")
        named[name] = entry | {"column": source or name}
    # Nothing else of the file is looked at: it may hold whatever it likes.
    stars = read_table(path, named, required=wanted, others=False)
    if inflate:
        check_edr3(stars[SOLVED].to_numpy(dtype=float, na_value=np.nan), named[SOLVED]["column"], str(path))
    return group_means(stars, stars["group of stars"] if group else None, inflate=inflate)
