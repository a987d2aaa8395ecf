"""Correct the parallaxes of a catalogue with a published map: on arrays, tables and files of any size.

python -m gaia_offsets.apply DATASET CATALOGUE OUTPUT
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from gaia_offsets.columns import STANDARD
from gaia_offsets.dataset import Field, read_dataset
from gaia_offsets.sky import FRAMES, ecliptic_latitude, pixel_index, to_equatorial, to_galactic
from gaia_offsets.tables import TableError, column_names, csv_separator, parquet_units, table_format, unit_factor

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from astropy.table import Table

BASES = {"raw": "raw", "official": "corrected"}  # what the catalogue's parallax is: the map that goes with it
MAPS = {"raw": "noncorr", "corrected": "corr"}  # map: ending of its columns in Table 1
INSIDE, OUTSIDE, NO_PARALLAX, NO_POSITION, NO_ZERO_POINT = range(5)
FLAGS = {
    INSIDE: "corrected with the map",
    OUTSIDE: "outside the footprint of the map: no offset subtracted",
    NO_PARALLAX: "no parallax (2p)",
    NO_POSITION: "no position, or one off the sky: no offset subtracted",
    NO_ZERO_POINT: "no official zero point, asked for, at this magnitude and colour: nothing subtracted",
}
OUTPUT: tuple[Field, ...] = (
    Field(
        "parallax_map_corrected", "mas", 6, "parallax minus map_offset; unchanged by the map where map_flag is not 0"
    ),
    Field("map_offset", "uas", 3, "offset of the pixel in the map, Gaia minus reference"),
    Field("map_error_statistical", "uas", 3, "statistical error of map_offset, common to all stars of the pixel"),
    Field("map_error_systematic", "uas", 3, "systematic floor of map_offset"),
    Field("map_n", "", None, "number of stars behind the pixel; 0 outside the footprint"),
    Field("map_flag", "", None, "; ".join(f"{flag} {text}" for flag, text in FLAGS.items())),
)
ZERO_POINT = Field("official_zero_point", "mas", 6, "official zero point, subtracted before the map's offset")
_POSITIONS = ("ra", "dec", "l", "b")
_MODEL = ("phot_g_mean_mag", "nu_eff_used_in_astrometry", "pseudocolour")
COLUMNS = ("parallax", *_POSITIONS, "astrometric_params_solved", *_MODEL, "ecl_lat")
CHUNK = 250_000


class ApplyError(ValueError):
    """A catalogue and a map that do not go together; the message is one line."""


@dataclass(frozen=True)
class OffsetMap:
    """One of the two maps of a dataset: pixels ascending, offsets and errors in uas, numbers of stars, metadata."""

    parallax: str
    frame: str
    nside: int
    ordering: str
    systematic_uas: float
    pixels: np.ndarray
    offset: np.ndarray
    error: np.ndarray
    n: np.ndarray
    meta: Mapping[str, Any]


def read_map(
    path: str | Path,
    *,
    parallax: str,
    frame: str | None = None,
    nside: int | None = None,
    ordering: str | None = None,
    systematic_uas: float | None = None,
) -> OffsetMap:
    """The map `raw` or `corrected` of a dataset file (ECSV, FITS, VOTable, Parquet, MRT or CSV).

    Frame, nside and ordering come from the file's metadata; a CSV file has none, and they must be given. Raises
    ApplyError or TableError, one line each, for what is missing, unknown or contradicts the file.
    """
    if parallax not in MAPS:
        raise ApplyError(f"map {parallax!r} is neither raw nor corrected")
    table, meta = read_dataset(path)
    stated = {"frame": frame, "nside": nside, "ordering": ordering}
    for key, value in stated.items():
        if value is not None and key in meta and meta[key] != value:
            raise ApplyError(f"{path}: its {key} is {meta[key]}, not {value}")
        stated[key] = meta.get(key, value)
        if stated[key] is None:
            raise ApplyError(f"{path}: the file does not state its {key}; give --{key}, or use its .ecsv or .fits")
    if stated["frame"] not in FRAMES:
        raise ApplyError(f"{path}: unknown frame {stated['frame']!r}; known are {' and '.join(FRAMES)}")
    if stated["ordering"] not in ("nested", "ring"):
        raise ApplyError(f"{path}: unknown ordering {stated['ordering']!r}; known are nested and ring")
    nside = int(stated["nside"])
    if nside < 1 or nside & (nside - 1):
        raise ApplyError(f"{path}: nside {nside} is not a power of two")
    _check_centres(table, path, frame=stated["frame"], nside=nside, ordering=stated["ordering"])
    kind = MAPS[parallax]
    table = table[np.isfinite(table[f"domega_{kind}"])].sort_values("hindex")
    if len(table) == 0:
        raise ApplyError(f"{path}: no pixel has a {parallax} offset")
    floor = systematic_uas if systematic_uas is not None else meta.get("systematic_uas")
    if floor is None:
        raise ApplyError(f"{path}: the file does not state its systematic floor; give --systematic (uas)")
    values = (table[name].to_numpy() for name in ("hindex", f"domega_{kind}", f"e_domega_{kind}", "n"))
    return OffsetMap(parallax, stated["frame"], nside, stated["ordering"], float(floor), *values, meta)


def _check_centres(table: pd.DataFrame, path: str | Path, *, frame: str, nside: int, ordering: str) -> None:
    """The centres in the table must lie in their pixels: this finds a wrong frame, nside or ordering."""
    names = {"equatorial": ("ra", "dec"), "galactic": ("gl", "gb")}[frame]
    found = pixel_index(*(table[name].to_numpy() for name in names), nside=nside, ordering=ordering)
    wrong = int((found != table["hindex"].to_numpy()).sum())
    if wrong:
        raise ApplyError(
            f"{path}: {wrong} of {len(table)} pixel centres do not lie in their pixel for frame {frame}, nside {nside} "
            f"and ordering {ordering}; give those of the map"
        )


def _plain(values: Any) -> np.ndarray:
    """Any column as a float64 array with NaN for what is masked or missing."""
    if hasattr(values, "to_numpy"):
        return np.atleast_1d(values.to_numpy(dtype=float, na_value=np.nan))
    return np.atleast_1d(np.ma.filled(np.ma.asarray(values).astype(float), np.nan))


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
    what the parallax is: `raw` (published) or `official` (official zero point subtracted already); a raw parallax
    goes with the raw map, an official one with the corrected map. With `zero_point` (N,) in mas the base is raw, the
    zero point is subtracted first, and the map must be the corrected one. `solved` (N,) is
    astrometric_params_solved, for the flag of 2p sources. Lists, masked arrays and nullable columns are fine.

    map_flag: see FLAGS. A parallax outside the footprint is never extrapolated: no offset is subtracted from it, its
    offset and errors are null. Errors are those of the offset; add them in quadrature to the parallax's own, but the
    errors of two stars of a pixel are the same, so they do not average out.

    Raises ApplyError where map and base do not go together.
    """
    check_base(base, offsets.parallax, with_official=zero_point is not None)
    parallax, longitude, latitude = _plain(parallax), _plain(longitude), _plain(latitude)
    placed = _on_sky(longitude, latitude)
    place = np.zeros(len(parallax), dtype=np.int64)
    inside = np.zeros(len(parallax), dtype=bool)
    pixel = pixel_index(longitude[placed], latitude[placed], nside=offsets.nside, ordering=offsets.ordering)
    place[placed] = np.minimum(np.searchsorted(offsets.pixels, pixel), len(offsets.pixels) - 1)
    inside[placed] = offsets.pixels[place[placed]] == pixel
    flag = np.where(placed, np.where(inside, INSIDE, OUTSIDE), NO_POSITION).astype(np.uint8)
    corrected = parallax
    if zero_point is not None:
        zero_point = _plain(zero_point)
        corrected = parallax - np.where(np.isfinite(zero_point), zero_point, 0.0)
        flag[~np.isfinite(zero_point)] = NO_ZERO_POINT
    without = ~np.isfinite(parallax)
    if solved is not None:
        without |= _plain(solved) == 3
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


def check_base(base: str, parallax: str, *, with_official: bool) -> None:
    """Raise ApplyError where a parallax of this base must not be corrected with this map."""
    if base not in BASES:
        raise ApplyError(f"base {base!r} is neither raw (published) nor official (zero point subtracted)")
    if with_official and base == "official":
        raise ApplyError("base official: the official zero point is subtracted already; it must not be twice")
    wanted = "corrected" if with_official else BASES[base]
    if parallax != wanted:
        also = "; or subtract the official zero point first: --with-official" if wanted == "raw" else ""
        raise ApplyError(f"the {parallax} map does not go on a parallax of base {base}: use the {wanted} map{also}")


def map_for(base: str, *, with_official: bool = False, named: str | None = None) -> str:
    """The map, raw or corrected, that goes with a base; ApplyError where the one named is another."""
    wanted = "corrected" if with_official else BASES.get(base, "raw")
    check_base(base, named or wanted, with_official=with_official)
    return wanted


class Correction:
    """What is done to each chunk of a catalogue: `start` finds columns, `apply` computes, `counts` counts flags."""

    def __init__(
        self,
        offsets: OffsetMap,
        *,
        base: str,
        columns: Mapping[str, Any] | None = None,
        with_official: bool = False,
    ) -> None:
        """`columns` maps standard names (COLUMNS) to the catalogue's: a name, or `{column, unit}`."""
        check_base(base, offsets.parallax, with_official=with_official)
        self.offsets, self.base, self.with_official = offsets, base, with_official
        self.fields = OUTPUT + ((ZERO_POINT,) if with_official else ())
        columns = columns or {}
        unknown = sorted(set(columns) - set(COLUMNS))
        if unknown:
            raise ApplyError(f"columns: {unknown[0]!r} is none of {', '.join(COLUMNS)}")
        self.entries = {name: e if isinstance(e, Mapping) else {"column": e} for name, e in columns.items()}
        self.sources: dict[str, str] = {}
        self.factors: dict[str, float] = {}
        self.counts = np.zeros(len(FLAGS), dtype=np.int64)

    def start(self, names: Sequence[str], units: Mapping[str, str], where: str | Path) -> None:
        """Find the columns needed among the catalogue's `names`; `units` are those that the file states."""
        self.where = where
        own = FRAMES[self.offsets.frame]
        other = next(pair for pair in FRAMES.values() if pair != own)
        found = {name: self.entries.get(name, {"column": name}) for name in COLUMNS}
        for name, entry in self.entries.items():
            if entry["column"] not in names:
                present = ", ".join(names[:40])
                raise TableError(f"{where}: no column {entry['column']!r} (wanted as {name!r}); it has: {present}")
        have = {name for name in COLUMNS if found[name]["column"] in names}
        position = next((pair for pair in (own, other) if have.issuperset(pair)), None)
        if position is None:
            raise TableError(f"{where}: no position: name the columns for {', '.join(own)} or {', '.join(other)}")
        needed = ["parallax", *position]
        if self.with_official:
            needed += [*_MODEL, "astrometric_params_solved"] + ([] if "ecl_lat" in have else ["ra", "dec"])
        missing = [name for name in needed if name not in have]
        if missing:
            raise TableError(f"{where}: no column {missing[0]!r}: name the column that stands for it")
        twice = [field.name for field in self.fields if field.name in names]
        if twice:
            raise TableError(f"{where}: has a column {twice[0]!r} already; a catalogue is corrected once")
        wanted = [*needed, *(name for name in ("astrometric_params_solved", "ecl_lat") if name in have)]
        self.position = position
        self.sources = {name: found[name]["column"] for name in dict.fromkeys(wanted)}
        for name, source in self.sources.items():
            unit = found[name].get("unit") or units.get(source, "")
            self.factors[name] = unit_factor(unit, STANDARD[name].unit, f"{where}: column {source!r}")

    def apply(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The columns to add, from float64 arrays by standard name in the catalogue's units."""
        # -9999 is many catalogues' way to say nothing; see tables.py.
        values = {name: np.where(x == -9999.0, np.nan, x) * self.factors[name] for name, x in values.items()}
        contract, parallax = STANDARD["parallax"], values["parallax"]
        far = int(((np.abs(parallax) > contract.high) & np.isfinite(parallax)).sum())
        if far:
            raise TableError(
                f"{self.where}: {far} of {len(parallax)} parallaxes beyond {contract.high:g} mas in column "
                f"{self.sources['parallax']!r}; are they in mas?"
            )
        longitude, latitude = self._position(values)
        zero_point = self._zero_point(values) if self.with_official else None
        result = correct_parallax(
            parallax,
            longitude,
            latitude,
            self.offsets,
            base=self.base,
            solved=values.get("astrometric_params_solved"),
            zero_point=zero_point,
        )
        if zero_point is not None:
            result[ZERO_POINT.name] = zero_point
        self.counts += np.bincount(result["map_flag"], minlength=len(FLAGS))
        return result

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
        from gaia_offsets.official import zero_point

        latitude = values.get("ecl_lat")
        if latitude is None:
            latitude = ecliptic_latitude(values["ra"], values["dec"])
        return zero_point(*(values[name] for name in _MODEL), latitude, values["astrometric_params_solved"])

    def about(self) -> dict[str, str]:
        """Where the added columns come from: a few facts that go into the output's metadata."""
        keys = ("title", "sample", "simulated", "release", "citation", "config_digest")
        facts = {key: str(self.offsets.meta[key]) for key in keys if key in self.offsets.meta}
        return {**facts, "frame": self.offsets.frame, "base": self.base, "with_official": str(self.with_official)}


def correct_table(
    table: pd.DataFrame | Table,
    offsets: OffsetMap,
    *,
    base: str,
    columns: Mapping[str, Any] | None = None,
    with_official: bool = False,
) -> pd.DataFrame | Table:
    """A copy of a DataFrame or astropy Table with the columns OUTPUT added (see correct_parallax).

    `columns` maps standard names (COLUMNS) to the table's, a name or `{column, unit}`; columns that bear the standard
    names need no entry. Units of an astropy Table are honoured. With `with_official` the official zero point is
    computed and subtracted first. Raises ApplyError or TableError, one line each.
    """
    correction = Correction(offsets, base=base, columns=columns, with_official=with_official)
    return _correct_whole(table, correction, "the table")


def _correct_whole(table: pd.DataFrame | Table, correction: Correction, where: str | Path) -> pd.DataFrame | Table:
    names = list(getattr(table, "colnames", table.columns))
    units = {name: str(table[name].unit) for name in names if getattr(table[name], "unit", None) is not None}
    correction.start(names, units, where)
    values = {}
    for name, source in correction.sources.items():
        try:
            values[name] = _plain(table[source])
        except (TypeError, ValueError):
            raise _not_numbers(where, source) from None
    added = correction.apply(values)
    result = table.copy()
    for field in correction.fields:
        result[field.name] = added[field.name]
        if hasattr(result, "colnames"):
            result[field.name].unit = field.unit or None
            result[field.name].description = field.meaning
    return result


def _not_numbers(where: str | Path, source: str) -> TableError:
    return TableError(f"{where}: column {source!r} does not hold numbers")


# Files -----------------------------------------------------------------------------------------------------------


def correct_file(
    catalogue: str | Path, output: str | Path, correction: Correction, *, overwrite: bool = False, chunk: int = CHUNK
) -> np.ndarray:
    """Write a catalogue with the columns OUTPUT added; the numbers of rows by map_flag.

    FITS, Parquet and CSV, written in the format they were read in, go through in chunks of rows, whatever their
    size; VOTable, ECSV and a change of format take memory for the whole table. FITS: the first binary table of the
    file is corrected; other extensions are left out. The output appears under its name when it is complete.

    Raises ApplyError or TableError, one line each.
    """
    catalogue, output = Path(catalogue), Path(output)
    before, after = table_format(catalogue), table_format(output)
    if not catalogue.is_file():
        raise TableError(f"{catalogue}: no such file")
    if output.exists() and (not overwrite or output.samefile(catalogue)):
        raise ApplyError(f"{output}: exists already; remove it, or give --overwrite (never the catalogue itself)")
    output.parent.mkdir(parents=True, exist_ok=True)
    part = output.with_name(f"{output.name}.part")
    streams = {"parquet": _stream_parquet, "csv": _stream_csv, "fits": _stream_fits}
    packed = {path.name.lower().endswith(".gz") for path in (catalogue, output)}
    try:
        if before == after and before in streams and packed != {True, False}:
            streams[before](catalogue, part, correction, chunk)
        else:
            _write_whole(_correct_whole(_read_whole(catalogue, before), correction, catalogue), part, after, correction)
        part.replace(output)
    except (ApplyError, TableError):
        raise
    except Exception as error:  # the readers raise dozens of types; the user needs one line
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TableError(f"{catalogue}: cannot be corrected as a {before} table ({reason})") from error
    finally:
        part.unlink(missing_ok=True)
    return correction.counts


def _open(path: Path, mode: str, like: str) -> IO[bytes]:
    """A file, through gzip where the name `like` says so; no date in it."""
    if not like.lower().endswith(".gz"):
        return open(path, mode)
    if mode == "rb":
        return gzip.open(path)
    return gzip.GzipFile(filename="", fileobj=open(path, mode), mode=mode, mtime=0)


def _stream_parquet(catalogue: Path, part: Path, correction: Correction, chunk: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"map_n": pa.int32(), "map_flag": pa.uint8()}
    # Pages as they come: buffering ahead would read whole row groups, and there may be only one.
    with pq.ParquetFile(catalogue, pre_buffer=False, buffer_size=1 << 20) as file:
        schema = file.schema_arrow
        correction.start(schema.names, parquet_units(schema), catalogue)
        for field in correction.fields:
            about = {"unit": field.unit, "description": field.meaning}
            schema = schema.append(pa.field(field.name, kinds.get(field.name, pa.float64()), metadata=about))
        schema = schema.with_metadata(_parquet_metadata(schema, correction))
        with pq.ParquetWriter(part, schema, compression="zstd") as writer:
            for batch in file.iter_batches(batch_size=chunk):
                values = {name: _masked_floats(batch, source, catalogue) for name, source in correction.sources.items()}
                writer.write_batch(_with_added(batch, correction.apply(values), schema))


def _with_added(batch: pa.RecordBatch, added: Mapping[str, np.ndarray], schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    new = [pa.array(added[name], type=schema.field(name).type, from_pandas=True) for name in added]
    names = schema.names[: batch.num_columns] + list(added)
    return pa.RecordBatch.from_arrays([*batch.columns, *new], names=names).cast(schema)


def _masked_floats(batch: pa.RecordBatch, source: str, where: Path) -> np.ndarray:
    """A column as floats; astropy writes a masked one as two, the second named `.mask`."""
    values = _arrow_floats(batch.column(source), where, source)
    mask = f"{source}.mask"
    if mask not in batch.schema.names:
        return values
    return np.where(batch.column(mask).to_numpy(zero_copy_only=False).astype(bool), np.nan, values)


def _arrow_floats(column: pa.Array, where: Path, source: str) -> np.ndarray:
    import pyarrow as pa

    try:
        return column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise _not_numbers(where, source) from None


_ASTROPY = b"table_meta_yaml"  # where astropy keeps the units of a Parquet file


def _parquet_metadata(schema: pa.Schema, correction: Correction) -> dict[bytes, bytes]:
    metadata = dict(schema.metadata or {})
    if _ASTROPY in metadata:
        lines = metadata[_ASTROPY].decode().split("\n")
        first = lines.index("datatype:") + 1
        end = next((i for i in range(first, len(lines)) if lines[i][:1] not in ("-", " ")), len(lines))
        for field in reversed(correction.fields):
            kind = str(schema.field(field.name).type).replace("double", "float64")
            entry = {"name": field.name, "unit": field.unit, "datatype": kind, "description": field.meaning}
            lines.insert(end, f"- {json.dumps({key: value for key, value in entry.items() if value})}")  # JSON is YAML
        metadata[_ASTROPY] = "\n".join(lines).encode()
    return metadata | {f"gaia_offsets.{key}".encode(): value.encode() for key, value in correction.about().items()}


def _stream_csv(catalogue: Path, part: Path, correction: Correction, chunk: int) -> None:
    """The catalogue's own columns pass through as text, so that not a digit of them changes."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv as pacsv

    names, separator = column_names(catalogue), csv_separator(catalogue)
    correction.start(names, {}, catalogue)
    special = rf"[{separator}\"\r\n]"

    def quoted(text: pa.Array) -> pa.Array:
        inner = pc.binary_join_element_wise('"', pc.replace_substring(text, '"', '""'), '"', "")
        return pc.if_else(pc.match_substring_regex(text, special), inner, text)

    def lines(columns: Sequence[pa.Array]) -> bytes:
        text = [pc.fill_null(column.cast(pa.large_string()), "") for column in columns]
        newline, between = (pa.scalar(mark, pa.large_string()) for mark in ("\n", separator))
        text[-1] = pc.binary_join_element_wise(text[-1], newline, pa.scalar("", pa.large_string()))
        joined = pc.binary_join_element_wise(*text, between)
        size = pc.sum(pc.binary_length(joined)).as_py() or 0
        return joined.buffers()[2].slice(0, size).to_pybytes() if size else b""  # the rows lie one after another

    with _open(catalogue, "rb", catalogue.name) as source, _open(part, "wb", catalogue.name) as target:
        header = [*names, *(field.name for field in correction.fields)]
        target.write(lines([quoted(pa.array([name])) for name in header]))
        reader = pacsv.open_csv(
            source,
            read_options=pacsv.ReadOptions(block_size=16 * chunk, column_names=names, skip_rows=1),
            parse_options=pacsv.ParseOptions(delimiter=separator),
            convert_options=pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
        for batch in reader:
            values = {
                name: _text_floats(batch.column(column), catalogue, column)
                for name, column in correction.sources.items()
            }
            added = correction.apply(values)
            new = [pa.array(added[field.name], from_pandas=True) for field in correction.fields]
            target.write(lines([*map(quoted, batch.columns), *new]))


def _text_floats(column: pa.Array, where: Path, source: str) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pc.utf8_trim_whitespace(column)
    null = pc.is_in(pc.utf8_lower(text), value_set=pa.array(["", "nan", "null", "none", "na", "n/a", "--"]))
    return _arrow_floats(pc.if_else(null, None, text), where, source)


def _stream_fits(catalogue: Path, part: Path, correction: Correction, chunk: int) -> None:
    """Rows are copied as bytes and the new columns appended to each: no column of the catalogue is touched."""
    from astropy.io import fits

    with warnings.catch_warnings(), fits.open(catalogue, memmap=False, lazy_load_hdus=True) as hdus:
        warnings.simplefilter("ignore")  # a file that is too short is refused below, in one line
        hdu = next((hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)), None)
        if hdu is None:
            raise TableError(f"{catalogue}: no binary table in the file")
        columns, header, start = hdu.columns, hdu.header.copy(), hdu.fileinfo()["datLoc"]
        # The bytes of an image in the primary HDU are not copied, so its header must not announce them.
        primary = fits.PrimaryHDU().header if hdus[0].header["NAXIS"] else hdus[0].header.copy()
    for keyword in ("CHECKSUM", "DATASUM"):
        header.remove(keyword, ignore_missing=True)
    units = {column.name: column.unit for column in columns if column.unit}
    correction.start(columns.names, units, catalogue)
    width, rows, tail = header["NAXIS1"], header["NAXIS2"], header["PCOUNT"]
    kinds = {"map_n": ">i4", "map_flag": "u1"}
    added = np.dtype([(field.name, kinds.get(field.name, ">f8")) for field in correction.fields])
    for number, field in enumerate(correction.fields, start=header["TFIELDS"] + 1):
        header[f"TTYPE{number}"] = field.name
        header[f"TFORM{number}"] = {"map_n": "J", "map_flag": "B"}.get(field.name, "D")
        if field.unit:
            header[f"TUNIT{number}"] = {"uas": "10**-6 arcsec"}.get(field.unit, field.unit)
        header[f"TCOMM{number}"] = field.meaning
    header["TFIELDS"] += len(correction.fields)
    if "THEAP" in header:
        header["THEAP"] += rows * added.itemsize
    header["NAXIS1"] = width + added.itemsize
    for key, value in correction.about().items():
        header.add_history(f"gaia_offsets {key}: {value}".encode("ascii", "replace").decode())
    with _open(catalogue, "rb", catalogue.name) as source, _open(part, "wb", catalogue.name) as target:
        target.write(primary.tostring().encode("ascii"))
        target.write(header.tostring().encode("ascii"))
        source.seek(start)
        readers = {name: _fits_reader(columns, original, catalogue) for name, original in correction.sources.items()}
        for first in range(0, rows, chunk):
            count = min(chunk, rows - first)
            block = np.frombuffer(_exactly(source, count * width), dtype=np.uint8).reshape(count, width)
            result = correction.apply({name: read(block) for name, read in readers.items()})
            new = np.empty(count, dtype=added)
            for name in added.names:
                new[name] = result[name]
            target.write(np.hstack([block, new.view(np.uint8).reshape(count, added.itemsize)]).tobytes())
        for size in _pieces(tail):  # gap and heap of columns of variable length
            target.write(_exactly(source, size))
        target.write(bytes(-(rows * header["NAXIS1"] + tail) % 2880))


def _pieces(size: int, piece: int = 1 << 24) -> Iterator[int]:
    for first in range(0, size, piece):
        yield min(piece, size - first)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise TableError(f"{getattr(stream, 'name', 'the file')}: ends too early; it is not complete")
    return data


def _fits_reader(columns: Any, name: str, where: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A function from rows of bytes (rows, width) to a column as float64, scaled, with NaN for nulls."""
    column, place = columns[name], columns.names.index(name)
    kind = columns.dtype[place]
    if kind.kind not in "iuf" or kind.shape or str(column.format).lstrip("1")[:1] not in tuple("BIJKED"):
        raise _not_numbers(where, name)
    kind = kind.newbyteorder(">")
    start = int(columns.dtype.fields[columns.dtype.names[place]][1])

    def read(block: np.ndarray) -> np.ndarray:
        stored = np.ascontiguousarray(block[:, start : start + kind.itemsize]).view(kind)[:, 0]
        values = stored.astype(float)
        if column.null is not None and kind.kind in "iu":
            values[stored == int(column.null)] = np.nan
        return values * (column.bscale or 1.0) + (column.bzero or 0.0)

    return read


_ASTROPY_FORMATS = {
    "fits": "fits",
    "votable": "votable",
    "ecsv": "ascii.ecsv",
    "csv": "ascii.csv",
    "parquet": "parquet",
}


def _read_whole(catalogue: Path, form: str) -> Table:
    from astropy.table import Table

    if form == "csv":
        return Table.read(catalogue, format="ascii.csv", delimiter=csv_separator(catalogue))
    more = {"use_names_over_ids": True} if form == "votable" else {}
    return Table.read(catalogue, format=_ASTROPY_FORMATS[form], **more)


def _write_whole(table: Table, part: Path, form: str, correction: Correction) -> None:
    about = correction.about()
    if form == "votable":
        for name in table.colnames:
            if table[name].unit == "uas":
                table[name].unit = "uarcsec"  # VOUnit knows no uas
        table.meta["description"] = "; ".join(f"{key}: {value}" for key, value in about.items())
    elif form == "fits":
        table.meta["comments"] = [f"gaia_offsets {key}: {value}" for key, value in about.items()]
    else:
        table.meta["gaia_offsets"] = about
    table.write(part, format=_ASTROPY_FORMATS[form], overwrite=True)


# Command ---------------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gaia_offsets.apply", description=__doc__.splitlines()[0])
    parser.add_argument("dataset", help="map: a file of results/*/dataset/ in any of its formats")
    parser.add_argument("catalogue", help="your table: .fits, .parquet, .csv[.gz] (any size), .vot, .ecsv")
    parser.add_argument("output", help="your table with columns added; one of the same endings")
    parser.add_argument(
        "--base",
        choices=BASES,
        default="raw",
        help="raw: published parallax (default); official: its zero point is subtracted",
    )
    parser.add_argument(
        "--with-official",
        action="store_true",
        help="compute and subtract the official zero point first; base raw, corrected map",
    )
    parser.add_argument("--map", choices=MAPS, help="refuse if the base needs another map than this one")
    parser.add_argument("--frame", choices=FRAMES, help="frame of a dataset in CSV")
    parser.add_argument("--nside", type=int, help="nside of a dataset in CSV")
    parser.add_argument("--ordering", choices=("nested", "ring"), help="ordering of a dataset in CSV")
    parser.add_argument("--systematic", type=float, metavar="UAS", help="systematic floor in place of the dataset's")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output")
    for name in COLUMNS:
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            metavar="COLUMN",
            help=f"column of the catalogue: {STANDARD[name].meaning} [{STANDARD[name].unit}]",
        )
    parser.add_argument(
        "--unit",
        action="append",
        default=[],
        metavar="NAME=UNIT",
        help="unit of a column by our name, e.g. parallax=uas; as often as needed",
    )
    return parser


def _columns(arguments: argparse.Namespace) -> dict[str, dict[str, str]]:
    columns = {name: {"column": getattr(arguments, name)} for name in COLUMNS if getattr(arguments, name)}
    for entry in arguments.unit:
        name, equals, unit = entry.partition("=")
        if name not in COLUMNS or not equals:
            raise ApplyError(f"--unit {entry}: should be NAME=UNIT with NAME one of {', '.join(COLUMNS)}")
        columns.setdefault(name, {"column": name})["unit"] = unit
    return columns


def report(correction: Correction) -> Iterator[str]:
    """Lines for the log: rows by flag, and a word where the map is of simulated stars."""
    total = int(correction.counts.sum())
    for flag, count in enumerate(correction.counts.tolist()):
        if count:
            yield f"map_flag {flag}: {count} of {total} rows, {FLAGS[flag]}"
    if correction.offsets.meta.get("simulated"):
        yield "the map is made of SIMULATED stars: no use for real ones"


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; 0 when the output is written, else 1 and one line that says why."""
    arguments = _parser().parse_args(argv)
    try:
        parallax = map_for(arguments.base, with_official=arguments.with_official, named=arguments.map)
        offsets = read_map(
            arguments.dataset,
            parallax=parallax,
            frame=arguments.frame,
            nside=arguments.nside,
            ordering=arguments.ordering,
            systematic_uas=arguments.systematic,
        )
        correction = Correction(
            offsets, base=arguments.base, columns=_columns(arguments), with_official=arguments.with_official
        )
        correct_file(arguments.catalogue, arguments.output, correction, overwrite=arguments.overwrite)
    except (ApplyError, TableError) as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(report(correction)), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
