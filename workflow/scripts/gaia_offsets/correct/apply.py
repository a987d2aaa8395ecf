"""Correct parallaxes with a zero point, a published map or both: on arrays, tables and files of any size."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gaia_offsets.core.columns import FRAMES, VIZIER
from gaia_offsets.core.faults import TableError
from gaia_offsets.core.log import say
from gaia_offsets.core.releases import EPOCHS, SOLVED, is_edr3
from gaia_offsets.correct.streams import CHUNK, add_columns, with_columns
from gaia_offsets.publish.fields import (
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
    named_like,
    pairing_faults,
    true_error_field,
)
from gaia_offsets.publish.offset_map import ApplyError, OffsetMap, on_sky, read_map
from gaia_offsets.sample import coefficients
from gaia_offsets.sample.official import check_edr3
from gaia_offsets.sample.star_table import CORRECTION, IDENTITY, StarTable, as_floats, star_arrays
from gaia_offsets.sky.positions import ecliptic_latitude, to_equatorial, to_galactic
from gaia_offsets.tables.formats import refuse_folder, table_format

if TYPE_CHECKING:
    import pandas as pd
    from astropy.table import Table

_POSITIONS = ("ra", "dec", "l", "b")
_MODEL = ("phot_g_mean_mag", "nu_eff_used_in_astrometry", "pseudocolour")
COLUMNS = ("parallax", *_POSITIONS, "astrometric_params_solved", *_MODEL, "ecl_lat", "parallax_error", "ruwe")
ADDED = (*OUTPUT, CORRECTED, ZERO_POINT)


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
    astrometric_params_solved, for the flag of 2p sources. Arrays are taken as star_table.star_arrays says.

    map_flag: see FLAGS. A parallax outside the footprint is never extrapolated: corrected parallax, offset and errors
    are null where map_flag is not 0. Errors are those of the offset; add them in quadrature to the parallax's own, but
    the errors of two stars of a pixel are the same, so they do not average out.

    Raises ApplyError where map and base do not go together, TableError for values that cannot be what they are for.
    """
    check_base(base, offsets.parallax, NONE if zero_point is None else OFFICIAL)
    given = {"parallax": parallax, **dict(zip(FRAMES[offsets.frame], (longitude, latitude), strict=True))}
    given |= {name: values for name, values in ((SOLVED, solved), (CORRECTION, zero_point)) if values is not None}
    given = dict(zip(given, star_arrays("correct_parallax", **given), strict=True))
    if solved is not None and offsets.epoch == EPOCHS["EDR3"]:
        check_edr3(given[SOLVED])
    say(*offsets.warning)
    parallax, *position = (given[name] for name in ("parallax", *FRAMES[offsets.frame]))
    return _corrected(parallax, *position, offsets, solved=given.get(SOLVED), zero_point=given.get(CORRECTION))


def _corrected(
    parallax: np.ndarray,
    longitude: np.ndarray,
    latitude: np.ndarray,
    offsets: OffsetMap,
    *,
    solved: np.ndarray | None,
    zero_point: np.ndarray | None,
) -> dict[str, np.ndarray]:
    """correct_parallax of what is checked already."""
    place = offsets.find(longitude, latitude)
    flag = np.where(on_sky(longitude, latitude), np.where(place >= 0, INSIDE, OUTSIDE), NO_POSITION).astype(np.uint8)
    corrected = parallax
    if zero_point is not None:
        corrected = parallax - zero_point
        flag[~np.isfinite(zero_point)] = NO_ZERO_POINT
    without = ~np.isfinite(parallax)
    if solved is not None:
        without |= solved == 3
    flag[without] = NO_PARALLAX
    known = flag == INSIDE
    value = np.where(known, offsets.offset[place], np.nan)
    return {
        "parallax_map_corrected": corrected - 1e-3 * value,
        "map_offset": value,
        "map_error_statistical": np.where(known, offsets.error[place], np.nan),
        "map_error_systematic": np.where(known, offsets.systematic_uas, np.nan),
        "map_n": np.where(known, offsets.n[place], 0).astype(np.int32),
        "map_flag": flag,
    }


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
        columns = dict(columns or {})
        own = correction.startswith(COLUMN_PREFIX)
        unknown = sorted(set(columns) - {*COLUMNS, *((CORRECTION,) if own else ())})
        if unknown:
            raise ApplyError(f"columns: {unknown[0]!r} is none of {', '.join(COLUMNS)}")
        if own:
            entry = columns.get(CORRECTION)
            columns[CORRECTION] = {
                **(entry if isinstance(entry, Mapping) else {}),
                "column": correction[len(COLUMN_PREFIX) :],
            }
        epoch = offsets.epoch if offsets else None
        if epoch is None and (inflate or correction in MODELS):
            epoch = EPOCHS["EDR3"]  # whose parallaxes the models and the factors are for
        self.stars = StarTable(columns, epoch=epoch)
        self.lines = list(offsets.warning) if offsets else []
        self.counts = np.zeros(len(FLAGS), dtype=np.int64)
        self.rows = self.without_error = 0

    @property
    def sources(self) -> Mapping[str, str]:
        """The columns that `apply` needs: our name, the table's."""
        return self.stars.sources

    def start(self, names: Sequence[str], units: Mapping[str, str], where: str | Path) -> None:
        """Find the columns needed among the catalogue's `names`; `units` are those that the file states."""
        self.where = where
        self._recognise_own(names)
        stars = self.stars
        stars.open(names, units, where)
        subtracts = self.correction != NONE
        needed = ["parallax"] if self.offsets or subtracts else []
        wanted = ["astrometric_params_solved"] if needed else []
        if self.offsets:
            pairs = FRAMES[self.offsets.frame], *(p for p in FRAMES.values() if p != FRAMES[self.offsets.frame])
            self.position = next((pair for pair in pairs if all(map(stars.find, pair))), None)
            if self.position is None:
                either = " or ".join(", ".join(pair) for pair in pairs)
                raise TableError(f"{where}: no position: name the columns for {either}")
            needed += self.position
        if self.correction in MODELS:
            needed += [*_MODEL, "astrometric_params_solved", *(["ecl_lat"] if stars.find("ecl_lat") else ["ra", "dec"])]
        elif subtracts:
            needed.append(CORRECTION)
        if self.inflate:
            needed += ["parallax_error", *coefficients.INFLATING[self.inflate]]
        stars.take(needed, wanted)

    def _recognise_own(self, names: Sequence[str]) -> None:
        """Refuse what this program has corrected already, under its own names or those that TOPCAT makes of them."""
        own = {field.name: named_like(field.name, names) for field in (*ADDED, TRUE_ERROR)}
        named = self.stars.entries.get("parallax", {}).get("column")
        corrected = [*own[CORRECTED.name], *own[ZERO_POINT.name]]
        if named in own[OUTPUT[0].name]:
            raise ApplyError(f"{self.where}: {named!r} is corrected with a map already; a catalogue is corrected once")
        if self.base == "official" and own[CORRECTED.name] and named in ("parallax", VIZIER["parallax"]):
            raise ApplyError(f"{self.where}: {named!r} is the published parallax; --base official takes {corrected[0]}")
        if self.base == "official" and own[CORRECTED.name] and not named:
            first, *others = own[CORRECTED.name]
            self.stars.entries.setdefault("parallax", {})["column"] = first
            instead = f"; there are {', '.join(others)}, too (--parallax NAME)" if others else ""
            self.lines.append(f"parallax: {first}, from which a zero point is subtracted{instead}")
        elif corrected and self.base == "raw" and (self.offsets or self.correction != NONE):
            raise ApplyError(
                f"{self.where}: has a column {corrected[0]!r} already; a catalogue is corrected once: a map that goes "
                f"on top takes --base official --parallax {CORRECTED.name}"
            )
        twice = [name for field in self.fields for name in own[field.name] if name == field.name or field.unit == "mas"]
        if twice:
            raise TableError(f"{self.where}: has a column {twice[0]!r} already; a catalogue is corrected once")

    def apply(self, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The columns to add, from columns by standard name in the catalogue's units."""
        stars = self.stars.values(values)
        values = {name: as_floats(stars[name]) for name in stars if name not in IDENTITY}
        rows, result = len(stars), {}
        if SOLVED in values and (self.correction in MODELS or self.inflate or self.stars.epoch == EPOCHS["EDR3"]):
            check_edr3(values[SOLVED], self.sources[SOLVED], self.where)
        if "parallax" in values:
            zero_point = None if self.correction == NONE else self._zero_point(values)
            if self.offsets:
                solved = values.get("astrometric_params_solved")
                more = {"solved": solved, "zero_point": zero_point}
                result = _corrected(values["parallax"], *self._position(values), self.offsets, **more)
                flag = result["map_flag"]
            else:
                result[CORRECTED.name] = values["parallax"] - zero_point
                flag = np.where(np.isfinite(zero_point), INSIDE, NO_ZERO_POINT)
                flag[~np.isfinite(values["parallax"])] = NO_PARALLAX
            if zero_point is not None:
                result[ZERO_POINT.name] = zero_point
            self.counts += np.bincount(flag, minlength=len(FLAGS))
        if self.inflate:
            given = (values[name] for name in coefficients.INFLATING[self.inflate])
            factor = coefficients.error_factor(*given, inflate=self.inflate)
            result[TRUE_ERROR.name] = np.hypot(factor * values["parallax_error"], coefficients.FLOOR_MAS[self.inflate])
            self.without_error += int(np.isnan(result[TRUE_ERROR.name]).sum())
        self.rows += rows
        return result

    def finish(self) -> None:
        """Raise TableError where the values as a whole cannot be in the unit that they are taken to be in."""
        self.lines += self.stars.finish()

    def _position(self, values: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        longitude, latitude = (values[name] for name in self.position)
        if self.position == FRAMES[self.offsets.frame]:
            return longitude, latitude
        good = on_sky(longitude, latitude)
        turned = np.full((2, len(good)), np.nan)
        turn = to_galactic if self.offsets.frame == "galactic" else to_equatorial
        turned[:, good] = turn(longitude[good], latitude[good])
        return turned[0], turned[1]

    def _zero_point(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """The correction [mas] of each row; null where the model has none."""
        if self.correction not in MODELS:
            return values[CORRECTION]
        from gaia_offsets.sample.official import zero_point

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
        yield from self.lines
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
    VizieR's, need no entry in `columns`; units of an astropy Table are honoured. What is taken as unknown, or
    contradicts something in a few rows, is said on standard error. Raises ApplyError or TableError, one line each.
    """
    correction = Correction(offsets, **settings)
    corrected = with_columns(table, correction, "the table")
    say(*correction.lines)
    return corrected


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
    refuse_folder(catalogue)
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
