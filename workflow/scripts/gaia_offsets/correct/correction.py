"""What is added to a catalogue: its columns, how each is computed, what is refused and what is told of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gaia_offsets.core.columns import CATALOGUE, VIZIER
from gaia_offsets.core.faults import TableError
from gaia_offsets.core.releases import EPOCHS, SOLVED, is_edr3
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
from gaia_offsets.sample.errors import FLOOR_MAS, INFLATING, error_factor, inflation
from gaia_offsets.sample.star_table import CORRECTION, IDENTITY, StarTable
from gaia_offsets.sample.zero_points import MODEL, check_edr3, model_zero_point
from gaia_offsets.sky.positions import FRAMES
from gaia_offsets.tables.values import floats

COLUMNS = CATALOGUE[:-1]  # the correction is no option: column:NAME names it


def corrected_by_map(
    parallax: np.ndarray,
    longitude: np.ndarray,
    latitude: np.ndarray,
    offsets: OffsetMap,
    *,
    solved: np.ndarray | None,
    zero_point: np.ndarray | None,
) -> dict[str, np.ndarray]:
    """apply.correct_parallax of what is checked already."""
    value, error, number = offsets.look_up(longitude, latitude)
    flag = np.where(np.isfinite(value), INSIDE, OUTSIDE).astype(np.uint8)
    flag[~on_sky(longitude, latitude)] = NO_POSITION
    corrected = parallax
    if zero_point is not None:
        corrected = parallax - zero_point
        flag[~np.isfinite(zero_point)] = NO_ZERO_POINT
    without = ~np.isfinite(parallax)
    if solved is not None:
        without |= solved == 3
    flag[without] = NO_PARALLAX
    known = flag == INSIDE
    value = np.where(known, value, np.nan)
    return {
        "parallax_map_corrected": corrected - 1e-3 * value,
        "map_offset": value,
        "map_error_statistical": np.where(known, error, np.nan),
        "map_error_systematic": np.where(known, offsets.systematic_uas, np.nan),
        "map_n": np.where(known, number, 0).astype(np.int32),
        "map_flag": flag,
    }


def check_base(base: str, parallax: str | None, correction: str) -> str:
    """The map that goes on a parallax of this base; ApplyError where that of `parallax` does not, None is any."""
    for _, reason in pairing_faults(base, parallax, correction=correction):
        raise ApplyError(reason)
    return map_for(base, correction=correction)


class Correction:
    """What is done to a catalogue: a zero point, a map or both are subtracted, true errors added.

    It is given to correct_file, which has each chunk of rows go through it: `start` finds columns, `apply` computes,
    `counts` counts rows by flag, `report` says so in lines.

    >>> correction = Correction(None, correction="lindegren2021", inflate="el_badry2021")
    >>> [field.name for field in correction.fields]
    ['parallax_corrected', 'subtracted_zero_point', 'parallax_error_true']
    """

    def __init__(
        self,
        offsets: OffsetMap | str | Path | None,
        *,
        base: str = "raw",
        columns: Mapping[str, Any] | None = None,
        correction: str = NONE,
        inflate: str | bool | None = None,
    ) -> None:
        """`offsets` is the map, its file or name, or None; `correction` (none, one of MODELS, column:NAME) comes first.

        `inflate` adds true errors, by one of INFLATIONS (True: the first). `columns` maps standard names (COLUMNS) to
        the catalogue's: a name, or `{column, unit}`. Raises ApplyError for what does not go together, or where there
        is nothing to do.
        """
        fitting = check_base(base, getattr(offsets, "parallax", None), correction)
        if isinstance(offsets, str | Path):
            offsets = read_map(offsets, parallax=fitting)
        inflate = inflation(inflate)
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
        self.fields = list(OUTPUT if offsets else (CORRECTED,) if subtracts else ())
        self.fields += [ZERO_POINT] * subtracts + ([true_error_field(inflate)] if inflate else [])
        columns = dict(columns or {})
        own = correction.startswith(COLUMN_PREFIX)
        unknown = sorted(set(columns) - {*COLUMNS, *((CORRECTION,) if own else ())})
        if unknown:
            raise ApplyError(f"columns: {unknown[0]!r} is none of {', '.join(COLUMNS)}")
        if own:
            entry = columns.get(CORRECTION)
            entry = entry if isinstance(entry, Mapping) else {}
            columns[CORRECTION] = {**entry, "column": correction.removeprefix(COLUMN_PREFIX)}
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
        wanted = [SOLVED] if needed else []
        if self.offsets:
            needed += FRAMES[self.offsets.frame]  # or what tells it
            if not any(all(map(stars.find, pair)) for pair in FRAMES.values()):
                either = " or ".join(", ".join(pair) for pair in FRAMES.values())
                raise TableError(f"{where}: no position: name the columns for {either}")
        if subtracts:
            needed += MODEL if self.correction in MODELS else (CORRECTION,)
        if self.inflate:
            needed += ["parallax_error", *INFLATING[self.inflate]]
        stars.take(needed, wanted)

    def _recognise_own(self, names: Sequence[str]) -> None:
        """Refuse what this program has corrected already, under its own names or those that TOPCAT makes of them."""
        own = {field.name: named_like(field.name, names) for field in (*OUTPUT, CORRECTED, ZERO_POINT, TRUE_ERROR)}
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
        values = {name: floats(stars, name) for name in stars if name not in IDENTITY}
        rows, result = len(stars), {}
        if SOLVED in values and (self.correction in MODELS or self.inflate or self.stars.epoch == EPOCHS["EDR3"]):
            check_edr3(values[SOLVED], self.sources[SOLVED], self.where)
        if "parallax" in values:
            zero_point = self._zero_point(values)
            if self.offsets:
                position = (values[name] for name in FRAMES[self.offsets.frame])
                more = {"solved": values.get(SOLVED), "zero_point": zero_point}
                result = corrected_by_map(values["parallax"], *position, self.offsets, **more)
                flag = result["map_flag"]
            else:
                result[CORRECTED.name] = values["parallax"] - zero_point
                flag = np.where(np.isfinite(zero_point), INSIDE, NO_ZERO_POINT)
                flag[~np.isfinite(values["parallax"])] = NO_PARALLAX
            if zero_point is not None:
                result[ZERO_POINT.name] = zero_point
            self.counts += np.bincount(flag, minlength=len(FLAGS))
        if self.inflate:
            factor = error_factor(*(values[name] for name in INFLATING[self.inflate]), inflate=self.inflate)
            result[TRUE_ERROR.name] = np.hypot(factor * values["parallax_error"], FLOOR_MAS[self.inflate])
            self.without_error += int(np.isnan(result[TRUE_ERROR.name]).sum())
        self.rows += rows
        return result

    def finish(self) -> None:
        """Raise TableError where the values as a whole cannot be in the unit that they are taken to be in."""
        self.lines += self.stars.finish()

    def refuse_elsewhere(self) -> None:
        """Raise ApplyError where the map reaches no row: a file of nulls would look like success."""
        if self.offsets and self.counts[OUTSIDE] and not self.counts[INSIDE]:
            raise ApplyError(
                f"{self.where}: none of {self.rows} rows is in the map's footprint, {self.offsets.footprint}; nothing "
                "is written: take another map, or - for a zero point alone"
            )

    def _zero_point(self, values: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """The correction [mas] of each row, null where the model has none; None for no correction."""
        if self.correction in MODELS:
            return model_zero_point(self.correction, *(values[name] for name in MODEL))
        return None if self.correction == NONE else values[CORRECTION]

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
                    NO_ZERO_POINT: f"an input is null, or out of the range of {self.correction}: null",
                }
                yield f"{count} of {self.rows} rows: {own.get(flag, FLAGS[flag])}"
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
