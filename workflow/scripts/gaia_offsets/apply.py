"""Correct parallaxes with a zero point, a published map or both: on arrays, tables and files of any size."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gaia_offsets import coefficients
from gaia_offsets.columns import STANDARD
from gaia_offsets.faults import TableError
from gaia_offsets.official import check_edr3
from gaia_offsets.offset_map import ApplyError, OffsetMap, read_map
from gaia_offsets.published import (
    COLUMN_PREFIX,
    CORRECTED,
    FLAGS,
    INSIDE,
    MODELS,
    NO_PARALLAX,
    NO_POSITION,
    NO_ZERO_POINT,
    NONE,
    OFFICIAL,
    OUTPUT,
    OUTSIDE,
    TRUE_ERROR,
    ZERO_POINT,
    map_for,
    pairing_faults,
    true_error_field,
)
from gaia_offsets.reference import ENOUGH_STARS, TINY_MAS
from gaia_offsets.releases import SOLVED, is_edr3
from gaia_offsets.sky import FRAMES, ecliptic_latitude, pixel_index, to_equatorial, to_galactic
from gaia_offsets.streams import CHUNK, add_columns, plain_floats, with_columns
from gaia_offsets.table_contracts import unit_factor
from gaia_offsets.table_formats import table_format
from gaia_offsets.tables import column_for

if TYPE_CHECKING:
    import pandas as pd
    from astropy.table import Table

_POSITIONS = ("ra", "dec", "l", "b")
_MODEL = ("phot_g_mean_mag", "nu_eff_used_in_astrometry", "pseudocolour")
COLUMNS = ("parallax", *_POSITIONS, "astrometric_params_solved", *_MODEL, "ecl_lat", "parallax_error", "ruwe")
CORRECTION = "correction"  # our name of the column that column:NAME names; mas


def correct_parallax(
    parallax: Any,
    longitude: Any,
    latitude: Any,
    offsets: OffsetMap,
    *,
    base: str,
    solved: Any = None,
    zero_point: Any = None,
) -> dict[str, np.ndarray]:
    """Parallaxes corrected with a map: the columns OUTPUT, each (N,).

    `parallax` (N,) in mas; `longitude`, `latitude` (N,) in degrees in the map's frame (ra, dec or l, b). `base` says
    what the parallax is: `raw` (published) or `official` (a zero point subtracted already); a raw parallax
    goes with the raw map, an official one with the corrected map. With `zero_point` (N,) in mas the base is raw, the
    zero point is subtracted first, and the map must be the corrected one. `solved` (N,) is
    astrometric_params_solved, for the flag of 2p sources. Lists, masked arrays and nullable columns are fine.

    map_flag: see FLAGS. A parallax outside the footprint is never extrapolated: no offset is subtracted from it, its
    offset and errors are null. Errors are those of the offset; add them in quadrature to the parallax's own, but the
    errors of two stars of a pixel are the same, so they do not average out.

    Raises ApplyError where map and base do not go together.
    """
    check_base(base, offsets.parallax, NONE if zero_point is None else OFFICIAL)
    parallax, longitude, latitude = plain_floats(parallax), plain_floats(longitude), plain_floats(latitude)
    placed = _on_sky(longitude, latitude)
    place = np.zeros(len(parallax), dtype=np.int64)
    inside = np.zeros(len(parallax), dtype=bool)
    pixel = pixel_index(longitude[placed], latitude[placed], nside=offsets.nside, ordering=offsets.ordering)
    place[placed] = np.minimum(np.searchsorted(offsets.pixels, pixel), len(offsets.pixels) - 1)
    inside[placed] = offsets.pixels[place[placed]] == pixel
    flag = np.where(placed, np.where(inside, INSIDE, OUTSIDE), NO_POSITION).astype(np.uint8)
    corrected = parallax
    if zero_point is not None:
        zero_point = plain_floats(zero_point)
        corrected = parallax - np.where(np.isfinite(zero_point), zero_point, 0.0)
        flag[~np.isfinite(zero_point)] = NO_ZERO_POINT
    without = ~np.isfinite(parallax)
    if solved is not None:
        without |= plain_floats(solved) == 3
    flag[without] = NO_PARALLAX
    known = flag == INSIDE
    value = np.where(known, offsets.offset[place], np.nan)
    return {
        "parallax_map_corrected": np.where(known, corrected - 1e-3 * np.where(known, value, 0.0), corrected),
        "map_offset": value,
        "map_error_statistical": np.where(known, offsets.error[place], np.nan),
        "map_error_systematic": np.where(known, offsets.systematic_uas, np.nan),
        "map_n": np.where(known, offsets.n[place], 0).astype(np.int32),
        "map_flag": flag,
    }


def _on_sky(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return (longitude >= -180) & (longitude <= 360) & (np.abs(latitude) <= 90)


def check_base(base: str, parallax: str | None, correction: str) -> None:
    """Raise ApplyError where a parallax of this base must not be corrected with this map; None is the one that fits."""
    for _, reason in pairing_faults(base, parallax, correction=correction):
        raise ApplyError(reason)


def read_map_for(
    path: str | Path, base: str, *, correction: str = NONE, named: str | None = None, **stated: Any
) -> OffsetMap:
    """The map of a dataset file that goes with a base; ApplyError where the one `named` is another.

    `correction` is what is subtracted first; `stated` is what read_map takes besides.
    """
    check_base(base, named, correction)
    return read_map(path, parallax=map_for(base, correction=correction), **stated)


class Correction:
    """What is done to each chunk of a catalogue: `start` finds columns, `apply` computes, `counts` counts flags."""

    def __init__(
        self,
        offsets: OffsetMap | None,
        *,
        base: str = "raw",
        columns: Mapping[str, Any] | None = None,
        correction: str = NONE,
        inflate: str | bool | None = None,
    ) -> None:
        """`offsets` is the map, None for none; `correction` (none, a name of MODELS, or column:NAME) comes off first.

        `inflate` adds true errors, by one of INFLATIONS (True: the first). `columns` maps standard names (COLUMNS) to
        the catalogue's: a name, or `{column, unit}`. Raises ApplyError for what does not go together, or where there
        is nothing to do.
        """
        check_base(base, offsets.parallax if offsets else None, correction)
        inflate = coefficients.inflation(inflate)
        subtracts = correction != NONE
        if not (offsets or subtracts or inflate):
            raise ApplyError("nothing to do: give a map, a correction (--correction) or --inflate")
        of_edr3 = [correction] * (correction in MODELS) + ["inflate"] * bool(inflate)
        release = str(offsets.meta.get("release", "")) if offsets else ""
        if of_edr3 and "dr" in release.lower() and not is_edr3(release):
            raise ApplyError(
                f"the map is of {release}: {of_edr3[0]} is of Gaia EDR3 and DR3, and wrong for its parallaxes"
            )
        stands = offsets.meta.get("official") if offsets and subtracts else None
        if stands not in (None, correction, correction.removeprefix(COLUMN_PREFIX)):
            raise ApplyError(f"the map stands on {stands}, not on {correction}: subtract the one that it stands on")
        self.offsets, self.base, self.correction, self.inflate = offsets, base, correction, inflate
        added = OUTPUT if offsets else (CORRECTED,) if subtracts else ()
        self.fields = (
            *added,
            *((ZERO_POINT,) if subtracts else ()),
            *((true_error_field(inflate),) if inflate else ()),
        )
        columns = columns or {}
        own = correction.startswith(COLUMN_PREFIX)
        unknown = sorted(set(columns) - {*COLUMNS, *((CORRECTION,) if own else ())})
        if unknown:
            raise ApplyError(f"columns: {unknown[0]!r} is none of {', '.join(COLUMNS)}")
        self.entries = {name: dict(e) if isinstance(e, Mapping) else {"column": e} for name, e in columns.items()}
        if own:
            self.entries.setdefault(CORRECTION, {})["column"] = correction.removeprefix(COLUMN_PREFIX)
        self.sources: dict[str, str] = {}
        self.factors: dict[str, float] = {}
        self.counts = np.zeros(len(FLAGS), dtype=np.int64)
        self.rows = self.without_error = self.known = self.tiny = 0

    def start(self, names: Sequence[str], units: Mapping[str, str], where: str | Path) -> None:
        """Find the columns needed among the catalogue's `names`; `units` are those that the file states."""
        self.where = where
        stated = {name: entry["column"] for name, entry in self.entries.items() if "column" in entry}
        for name, source in stated.items():
            if source not in names:
                present = ", ".join(names[:40])
                raise TableError(f"{where}: no column {source!r} (wanted as {name!r}); it has: {present}")
        free = set(names) - set(stated.values())

        def find(name: str) -> str | None:
            option = f"--{name.replace('_', '-')} {{column}}"  # in Python and in the config: columns
            return stated.get(name) or column_for(name, free, where, option)

        needed = ["parallax"] if self.offsets or self.correction != NONE else []
        wanted = ["astrometric_params_solved"] if needed else []
        if self.offsets:
            pairs = FRAMES[self.offsets.frame], *(p for p in FRAMES.values() if p != FRAMES[self.offsets.frame])
            self.position = next((pair for pair in pairs if all(map(find, pair))), None)
            if self.position is None:
                either = " or ".join(", ".join(pair) for pair in pairs)
                raise TableError(f"{where}: no position: name the columns for {either}")
            needed += self.position
        if self.correction in MODELS:
            needed += [*_MODEL, "astrometric_params_solved"] + ([] if find("ecl_lat") else ["ra", "dec"])
            wanted.append("ecl_lat")
        elif self.correction != NONE:
            needed.append(CORRECTION)
        if self.inflate:
            needed += ["parallax_error", *coefficients.INFLATING[self.inflate]]
        self.sources = {name: source for name in dict.fromkeys([*needed, *wanted]) if (source := find(name))}
        missing = [name for name in needed if name not in self.sources]
        if missing:
            raise TableError(f"{where}: no column {missing[0]!r}: name the column that stands for it")
        twice = [field.name for field in self.fields if field.name in names]
        if twice:
            raise TableError(f"{where}: has a column {twice[0]!r} already; a catalogue is corrected once")
        for name, source in self.sources.items():
            unit = self.entries.get(name, {}).get("unit") or units.get(source, "")
            standard = "mas" if name == CORRECTION else STANDARD[name].unit
            self.factors[name] = unit_factor(unit, standard, f"{where}: column {source!r}")

    def apply(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The columns to add, from float64 arrays by standard name in the catalogue's units."""
        # -9999 is many catalogues' way to say nothing; see tables.py.
        values = {name: np.where(x == -9999.0, np.nan, x) * self.factors[name] for name, x in values.items()}
        rows, result = len(next(iter(values.values()))), {}
        if self.correction in MODELS or self.inflate:
            check_edr3(values[SOLVED], self.sources[SOLVED], self.where)
        if "parallax" in values:
            self._check_range(values["parallax"])
            zero_point = None if self.correction == NONE else self._zero_point(values)
            if self.offsets:
                solved = values.get("astrometric_params_solved")
                place, more = self._position(values), {"base": self.base, "solved": solved, "zero_point": zero_point}
                result = correct_parallax(values["parallax"], *place, self.offsets, **more)
                flag = result["map_flag"]
            else:
                result[CORRECTED.name] = values["parallax"] - zero_point
                flag = np.where(np.isfinite(zero_point), INSIDE, NO_ZERO_POINT)
                flag[~np.isfinite(values["parallax"])] = NO_PARALLAX
            if zero_point is not None:
                result[ZERO_POINT.name] = zero_point
            self.counts += np.bincount(flag, minlength=len(FLAGS))
        if self.inflate:
            how = {"inflate": self.inflate}
            given = (values[name] for name in coefficients.INFLATING[self.inflate])
            factor = coefficients.error_factor(*given, **how)
            result[TRUE_ERROR.name] = coefficients.true_error(values["parallax_error"], factor, **how)
            self.without_error += int(np.isnan(result[TRUE_ERROR.name]).sum())
        self.rows += rows
        return result

    def _check_range(self, parallax: np.ndarray) -> None:
        low, high = STANDARD["parallax"].low, STANDARD["parallax"].high
        far = int((((parallax < low) | (parallax > high)) & np.isfinite(parallax)).sum())
        if far:
            raise TableError(
                f"{self.where}: {far} of {len(parallax)} parallaxes outside {low:g} to {high:g} mas in column "
                f"{self.sources['parallax']!r}; are they in mas, and is a missing one left empty?"
            )
        self.known += int(np.isfinite(parallax).sum())
        self.tiny += int((np.abs(parallax) < TINY_MAS).sum())

    def finish(self) -> None:
        """Raise TableError where the parallaxes as a whole cannot be in the unit that they are taken to be in."""
        if self.known >= ENOUGH_STARS and 2 * self.tiny > self.known:
            raise TableError(
                f"{self.where}: {self.tiny} of {self.known} parallaxes in column {self.sources['parallax']!r} are "
                f"smaller than {TINY_MAS:g} mas; are they in arcsec? Then say so: --unit parallax=arcsec, or `columns:`"
            )

    def _position(self, values: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        longitude, latitude = (values[name] for name in self.position)
        if self.position == FRAMES[self.offsets.frame]:
            return longitude, latitude
        good = _on_sky(longitude, latitude)
        turned = np.full((2, len(good)), np.nan)
        turn = to_galactic if self.offsets.frame == "galactic" else to_equatorial
        turned[:, good] = turn(longitude[good], latitude[good])
        return turned[0], turned[1]

    def _zero_point(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """The correction [mas] of each row; null where the model has none."""
        if self.correction not in MODELS:
            return values[CORRECTION]
        from gaia_offsets.official import zero_point

        latitude = values.get("ecl_lat")
        if latitude is None:
            latitude = ecliptic_latitude(values["ra"], values["dec"])
        (g, nu_eff, pseudocolour), solved = (values[name] for name in _MODEL), values["astrometric_params_solved"]
        official = zero_point(g, nu_eff, pseudocolour, latitude, solved)
        if self.correction == OFFICIAL:
            return official
        # Maiz Apellaniz 2022: 6p sources as in Lindegren et al. 2021b, and the same range of magnitude and colour.
        five = np.isfinite(official) & (solved == 31)
        return np.where(five, coefficients.zero_point_5p(g, nu_eff, latitude), official)

    def report(self) -> Iterator[str]:
        """Lines for the log: rows by flag, and a word where the map is of simulated stars."""
        if self.rows == 0:
            yield "the catalogue has no rows"
        for flag, count in enumerate(self.counts.tolist()):
            if count and self.offsets:
                yield f"map_flag {flag}: {count} of {self.rows} rows, {FLAGS[flag]}"
            elif count:
                own = {
                    INSIDE: f"corrected with {self.correction}",
                    NO_ZERO_POINT: "no zero point for such a star: null",
                }
                text = own.get(flag, FLAGS[flag])
                yield f"{count} of {self.rows} rows: {text}"
        if self.without_error:
            yield (
                f"{self.without_error} of {self.rows} rows have no {TRUE_ERROR.name}: an input is null, or the "
                "solution is neither 5p nor 6p"
            )
        if not self.offsets:
            return
        stands = self.offsets.meta.get("official")
        if self.base == "official":
            yield f"the map stands on {stands or 'a zero point without a name'}: it must be the one subtracted already"
        elif self.correction != NONE and stands is None:
            yield f"the map does not say on which correction it stands; make sure that it is {self.correction}"
        if self.offsets.meta.get("simulated"):
            yield "the map is made of SIMULATED stars: no use for real ones"

    def about(self) -> dict[str, str]:
        """Where the added columns come from: a few facts that go into the output's metadata."""
        facts = {}
        if self.offsets:
            keys = ("title", "sample", "simulated", "release", "citation", "config_digest")
            facts = {key: str(self.offsets.meta[key]) for key in keys if key in self.offsets.meta}
            facts["frame"] = self.offsets.frame
        return {**facts, "base": self.base, "correction": self.correction, "inflate": str(self.inflate or False)}


def correct_table(table: pd.DataFrame | Table, offsets: OffsetMap | None, **settings: Any) -> pd.DataFrame | Table:
    """A copy of a DataFrame or astropy Table with columns added: OUTPUT (see correct_parallax) or CORRECTED.

    `settings` are those of Correction: base, columns, correction, inflate. Columns that bear the standard names, or
    VizieR's, need no entry in `columns`; units of an astropy Table are honoured. Raises ApplyError or TableError, one
    line each.
    """
    return with_columns(table, Correction(offsets, **settings), "the table")


def correct_file(
    catalogue: str | Path, output: str | Path, correction: Correction, *, overwrite: bool = False, chunk: int = CHUNK
) -> np.ndarray:
    """Write a catalogue with the columns of a Correction added; the numbers of rows by flag (FLAGS).

    FITS, Parquet and CSV, written in the format they were read in, go through in chunks of rows, whatever their
    size; VOTable, ECSV and a change of format take memory for the whole table. FITS: the first binary table of the
    file is corrected; other HDUs are copied. The output appears under its name when it is complete.

    Raises ApplyError or TableError, one line each.
    """
    catalogue, output = Path(catalogue), Path(output)
    table_format(catalogue), table_format(output)  # refuse other endings before anything is made
    if not catalogue.is_file():
        raise TableError(f"{catalogue}: no such file")
    inputs = {"catalogue": catalogue, "map": correction.offsets and correction.offsets.path}
    for what, path in inputs.items():
        if path and output.exists() and output.samefile(path):
            raise ApplyError(f"{output}: is the {what} itself, which is never overwritten; choose another output")
    if output.exists() and not overwrite:
        raise ApplyError(f"{output}: exists already; remove it, or give --overwrite")
    if output.is_dir() or not output.parent.is_dir():
        what = "is a folder" if output.is_dir() else "its folder is not there; make it first"
        raise TableError(f"{output}: cannot be written, {what}")
    add_columns(catalogue, output, correction, chunk=chunk)
    return correction.counts


if __name__ == "__main__":  # how the command was called once; silence would look like success
    sys.exit("the command is: gaia-offsets apply MAP CATALOGUE OUTPUT (or python -m gaia_offsets apply ...)")
