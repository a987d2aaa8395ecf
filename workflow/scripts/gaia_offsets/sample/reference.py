"""Reference parallaxes: parallaxes that do not come from Gaia (the paper's omega_G, Sect. 2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from astropy.stats import mad_std

from gaia_offsets.core.columns import LEARNED, REFERENCE_KINDS, magnitude_column
from gaia_offsets.core.faults import TableError
from gaia_offsets.tables.values import as_names, as_numbers, floats

ENOUGH_STARS = 20
TINY_MAS = 0.005  # half of the parallaxes of no table in mas are smaller: their errors alone are larger
# No tracers of any release were ever off by a third of a milliarcsecond in the median; a wrong unit is at once. Less
# will do where the parallaxes are not even of the size of the reference: half of it or less, twice or more.
IMPLAUSIBLE_MAS, IMPLAUSIBLE_RATIO_MAS = 0.3, 0.12
IMPLAUSIBLE_SCATTER_MAS = 10.0
SMALLEST_REFERENCE_MAS = 0.0005  # 2 Mpc; Gaia sees single stars to 1 Mpc
SMALLEST_ERROR_MAS = 0.003  # published errors are 0.007 mas and more
SMALLEST_FRACTION = 3e-4  # no distance is known to that
LARGEST_PULL = 10.0  # an error can be too large for the scatter, not by such a factor
LN10_OVER_5 = float(np.log(10.0) / 5.0)


def parallax_from_distance(distance_kpc: np.ndarray) -> np.ndarray:
    """Parallax in mas of a distance in kpc; null for distances that are not positive."""
    distance = np.asarray(distance_kpc, dtype=float)
    return 1.0 / np.where(distance > 0, distance, np.nan)


def parallax_from_modulus(modulus_mag: np.ndarray) -> np.ndarray:
    """Parallax in mas of a true distance modulus in mag: 10**(2 - modulus / 5)."""
    return 10.0 ** (2.0 - 0.2 * np.asarray(modulus_mag, dtype=float))


def parallax_shift(parallax: np.ndarray, magnitude_shift: np.ndarray) -> np.ndarray:
    """Change of a parallax (any unit) when the distance modulus changes by a few hundredths of a mag (Sect. 2.1)."""
    return LN10_OVER_5 * np.asarray(parallax, dtype=float) * np.asarray(magnitude_shift, dtype=float)


def _numbers(table: pd.DataFrame, what: str | float, role: str) -> np.ndarray:
    """A column of the table by name, or a constant, as float64."""
    if not isinstance(what, str):
        return np.full(len(table), float(what))
    if what not in table.columns:
        raise TableError(
            f"reference parallax: no column {what!r} for {role}; the table has {', '.join(map(str, table.columns))}"
        )
    return as_numbers(table[what], f"reference parallax: {what!r} for {role}")


def _optional(table: pd.DataFrame, name: str) -> np.ndarray:
    return _numbers(table, name, name) if name in table.columns else np.full(len(table), np.nan)


def extinction_ks(table: pd.DataFrame, spec: dict[str, Any] | None) -> np.ndarray:
    """Extinction A_Ks in mag: 0, `coefficient` times a reddening column, or `coefficient` times a colour excess.

    `spec` is null, `{column, coefficient}`, or `{blue, red, intrinsic, coefficient}` where the colour excess is
    blue - red - intrinsic, e.g. E(J - Ks).
    """
    if spec is None:
        return np.zeros(len(table))
    if "column" in spec:
        return spec["coefficient"] * _numbers(table, spec["column"], "extinction")
    colour = _numbers(table, spec["blue"], "extinction") - _numbers(table, spec["red"], "extinction")
    return spec["coefficient"] * (colour - _numbers(table, spec["intrinsic"], "intrinsic colour"))


def reference_columns(spec: dict[str, Any]) -> set[str]:
    """Columns that `reference_parallax` reads, and those of the error where the table has them."""
    if spec["kind"] not in ("absolute_magnitude", LEARNED):
        return set(REFERENCE_KINDS[spec["kind"]].columns)
    extinction = spec.get("extinction") or {}
    named = [spec["apparent_magnitude"], magnitude_column(spec)]
    named += ["learned_magnitude_error"] if spec["kind"] == LEARNED else []
    named += [extinction.get(key) for key in ("column", "blue", "red", "intrinsic")]
    return {name for name in named if isinstance(name, str)}


def join_group(table: pd.DataFrame, groups: pd.DataFrame, key: str) -> pd.DataFrame:
    """The table with the columns `distance` and `distance_error` [kpc] of each row's group, e.g. its cluster.

    Keys are compared as text. A row without a group gets null. Raises TableError where the key is missing on a side,
    stands twice among the groups, or a group is unknown.
    """
    for frame, name in ((table, "targets"), (groups, "groups")):
        if key not in frame.columns:
            raise TableError(f"group distances: the {name} table has no column {key!r}")
    known, names = as_names(groups[key]), as_names(table[key])
    twice = known[known.duplicated() & known.notna()]
    if len(twice):
        raise TableError(f"group distances: {key} {twice.iloc[0]!r} stands more than once")
    place = pd.Index(known).get_indexer(names)
    place[names.isna()] = -1
    if ((place < 0) & names.notna()).any():
        unknown = names[(place < 0) & names.notna()]
        raise TableError(
            f"group distances: no distance for {key} {unknown.iloc[0]!r} and {unknown.nunique() - 1} others "
            f"({len(unknown)} rows); add them to the groups table or cut them away"
        )
    columns = [name for name in ("distance", "distance_error") if name in groups.columns]
    values = {name: floats(groups, name) for name in columns}
    return table.assign(**{name: np.where(place >= 0, column[place], np.nan) for name, column in values.items()})


def check_units(tracers: pd.DataFrame) -> None:
    """Raise TableError where parallaxes, reference parallaxes and errors cannot all be in mas.

    `tracers` has parallax, parallax_error, reference_parallax, reference_parallax_error; fewer than 20 say nothing. The
    limits are far from any real sample: medians of millions of stars and of a hundred stars of a far cluster pass.
    """
    names = ("parallax", "reference_parallax", "parallax_error", "reference_parallax_error")
    columns = (floats(tracers, name) for name in names)
    gaia, reference, *errors = columns
    offset, stars = gaia - reference, int(np.isfinite(gaia - reference).sum())
    if stars < ENOUGH_STARS:
        return
    typical = float(np.nanmedian(offset))
    where = "in `columns:` of the sample"
    scatter = mad_std(offset, ignore_nan=True)
    if np.nanmedian(np.abs(gaia)) < TINY_MAS:
        raise TableError(
            f"parallax: half of {stars} are smaller than {TINY_MAS:g} mas, less than any error of Gaia; are they "
            f"in arcsec? Say so {where}"
        )
    middle, distance = float(np.nanmedian(gaia)), float(np.nanmedian(reference))
    ratio = middle / distance if distance > 0 else np.nan
    # A handful of faint stars may lie far off by chance; not a sample whose own scatter excludes it.
    limit = max(
        IMPLAUSIBLE_RATIO_MAS if abs(np.log2(max(ratio, 1e-9))) > 1 else IMPLAUSIBLE_MAS, 5 * scatter / stars**0.5
    )
    if abs(typical) > limit:
        times = f", the median parallax {ratio:.3g} times the reference" if np.isfinite(ratio) else ""
        raise TableError(
            f"offsets: the median of {stars} stars is {typical:+.3f} mas{times}: beyond any zero point of Gaia; check "
            f"the units of the parallax and of the reference (mas, kpc) {where}"
        )
    if scatter > IMPLAUSIBLE_SCATTER_MAS:
        raise TableError(
            f"offsets: {stars} stars scatter by {scatter:.3g} mas, beyond any error of Gaia; check the units of the "
            f"parallax and of the reference (mas, kpc) {where}"
        )
    if 0 < distance < SMALLEST_REFERENCE_MAS:
        raise TableError(
            f"reference parallax: its median is {distance:.3g} mas, a distance of {1 / distance:.3g} kpc; is it in pc? "
            f"Say so {where}; a sample without any parallax has `reference: {{kind: constant, value_mas: 0}}`"
        )
    for name, values in zip(names[2:], errors, strict=True):
        known = values[np.isfinite(values)]
        error = float(np.median(known)) if len(known) >= ENOUGH_STARS else 0.0
        low = SMALLEST_ERROR_MAS if name == "parallax_error" else SMALLEST_FRACTION * distance
        if error > LARGEST_PULL * max(scatter, 0.01) or 0 < error < low:
            raise TableError(
                f"{name}: its median is {error:.3g} mas, the offsets scatter by {scatter:.3g} mas and the reference "
                f"parallax is {distance:.3g} mas; check the unit of the error {where}"
            )


def reference_parallax(table: pd.DataFrame, spec: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Reference parallax and its standard error in mas, both (N,), null where it cannot be had.

    `spec["kind"]`: `distance` and `group_distance` (columns distance, distance_error in kpc), `distance_modulus`
    (distance_modulus, distance_modulus_error in mag), `absolute_magnitude` (apparent - absolute - A_Ks, Sect. 2),
    `learned_magnitude` (the same with learned_magnitude and learned_magnitude_error of the rule learn_magnitudes),
    `parallax` (reference_parallax, reference_parallax_error in mas) or `constant` (value_mas, 0 for quasars).
    `fractional_error` gives the error as a fraction of the parallax where the table has none.
    """
    kind = spec["kind"]
    error = np.full(len(table), np.nan)
    if kind in ("distance", "group_distance"):
        distance = _numbers(table, "distance", kind)
        parallax = parallax_from_distance(distance)
        error = parallax * _optional(table, "distance_error") / np.where(distance > 0, distance, np.nan)
    elif kind == "distance_modulus":
        parallax = parallax_from_modulus(_numbers(table, "distance_modulus", kind))
        error = parallax_shift(parallax, _optional(table, "distance_modulus_error"))
    elif kind in ("absolute_magnitude", LEARNED):
        modulus = (
            _numbers(table, spec["apparent_magnitude"], "apparent magnitude")
            - _numbers(table, magnitude_column(spec), "absolute magnitude")
            - extinction_ks(table, spec.get("extinction"))
        )
        parallax = parallax_from_modulus(modulus)
        if kind == LEARNED:
            error = parallax_shift(parallax, _numbers(table, "learned_magnitude_error", kind))
    elif kind == "parallax":
        parallax = _numbers(table, "reference_parallax", kind)
        error = _optional(table, "reference_parallax_error")
    elif kind == "constant":
        parallax = np.full(len(table), float(spec["value_mas"]))
        error = np.zeros(len(table))
    else:
        raise ValueError(f"reference.kind {kind!r} is not known")
    if spec.get("fractional_error") is not None:
        error = np.where(np.isfinite(error), error, spec["fractional_error"] * parallax)
    return parallax, error
