"""The published map (Table 1 and its long version): one table and one description of its columns, in many formats."""

from __future__ import annotations

import copy
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gaia_offsets.estimators import Segments, fit_density_power, fit_histogram
from gaia_offsets.sky import COORDSYS, FRAMES, pixel_centre, pixel_index, to_equatorial, to_galactic
from gaia_offsets.tables import TableError, table_format

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.table import Table
    from mocpy import MOC


@dataclass(frozen=True)
class Field:
    """Description of a published column: unit (astropy's, "" for none), decimals (None: whole number), meaning."""

    name: str
    unit: str
    decimals: int | None
    meaning: str


_OFFSETS = {
    "corr": "offset of the parallax after the official zero point",
    "noncorr": "offset of the published parallax",
}
TABLE1: tuple[Field, ...] = (
    Field("hindex", "", None, "HEALPix index of the pixel in the file's frame and ordering"),
    Field("ra", "deg", 6, "right ascension of the pixel's centre, ICRS"),
    Field("dec", "deg", 6, "declination of the pixel's centre, ICRS"),
    Field("gl", "deg", 6, "Galactic longitude of the pixel's centre"),
    Field("gb", "deg", 6, "Galactic latitude of the pixel's centre"),
    Field("domega_corr", "uas", 3, f"{_OFFSETS['corr']}: mean of its Gaussian fit"),
    Field(
        "e_domega_corr",
        "uas",
        3,
        "statistical error of domega_corr: sd of the fit over the root of its stars",
    ),
    Field("domega_noncorr", "uas", 3, f"{_OFFSETS['noncorr']}: mean of its Gaussian fit"),
    Field("e_domega_noncorr", "uas", 3, "statistical error of domega_noncorr: sd of the fit over the root of n"),
    Field("n", "", None, "number of 5p stars with a known raw offset in the pixel"),
)
_MORE = (  # for each of the two offsets: {0} is the ending of its columns, {1} the offset in words
    ("median_{0}", "uas", "median of the {1}"),
    ("e_median_{0}", "uas", "error of the median of the {1}, from order statistics"),
    ("sd_{0}", "uas", "standard deviation of the {1}"),
    ("e_boot_{0}", "uas", "bootstrap error of domega_{0}"),
    ("z_{0}", "", "domega_{0} minus the weighted mean of its neighbours, over the error of that difference"),
)
EXTENDED: tuple[Field, ...] = (
    *TABLE1,
    Field("n_6p", "", None, "number of 6p stars in the pixel; none of them enters the offsets"),
    Field("g_mean", "mag", 4, "mean G magnitude of the 5p stars"),
    Field("bp_rp_mean", "mag", 4, "mean colour BP - RP of the 5p stars"),
    *(
        Field(name.format(kind), unit, 3, meaning.format(kind, what))
        for kind, what in _OFFSETS.items()
        for name, unit, meaning in _MORE
    ),
    Field("e_syst", "uas", 3, "systematic floor of either offset, the same everywhere: see systematic_uas"),
)

# Metadata: key, FITS keyword, meaning. The order is that of the files.
META: tuple[tuple[str, str, str], ...] = (
    ("title", "TITLE", "what this is"),
    ("authors", "AUTHORS", "authors of the dataset"),
    ("method", "METHOD", "paper whose method made it"),
    ("citation", "CITATION", "what to cite"),
    ("sample", "SAMPLE", "name of the sample of tracers"),
    ("sample_title", "SAMPTTL", "the sample in words"),
    ("simulated", "SIMULATE", "whether the stars are simulated"),
    ("release", "RELEASE", "Gaia release"),
    ("official", "OFFICIAL", "official zero point of the corrected offsets"),
    ("solution", "SOLUTION", "kind of astrometric solution of the stars"),
    ("frame", "FRAME", "frame in which the pixels are defined"),
    ("nside", "NSIDE", "HEALPix resolution"),
    ("ordering", "ORDERING", "HEALPix ordering"),
    ("estimator", "ESTIMATR", "estimator of the offset"),
    ("more_than", "MORETHAN", "every pixel has more stars than this"),
    ("systematic_uas", "SYSTUAS", "[uas] systematic floor"),
    ("systematic_source", "SYSTSRC", "source of the systematic floor"),
    ("sign", "SIGN", "how to use an offset"),
    ("config_digest", "CONFIG", "digest of the settings behind the map"),
    ("versions", "VERSIONS", "software"),
)
_PACKAGES = ("numpy", "pandas", "astropy", "healpy", "gaiadr3-zeropoint")


def map_meta(facts: Mapping[str, Any], frame: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata of a map: the keys of META.

    `facts` are those of about.describe; `settings` (nside, ordering, more_than) stand in tables/map_{frame}.json.
    """
    meta = {**facts, **settings, "title": f"{facts['title']}, {frame} frame", "frame": frame}
    meta["versions"] = ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    return {key: meta[key] for key, *_ in META}


def _both(offsets: pd.DataFrame, pixels: pd.Index) -> dict[str, pd.DataFrame]:
    """Rows of 5p stars of map_{frame}.csv for the given pixels, by the endings of Table 1."""
    stars = offsets[offsets["solution"] == "5p"]
    kinds = {"corr": "corrected", "noncorr": "raw"}
    return {kind: stars[stars["parallax"] == name].set_index("hindex").reindex(pixels) for kind, name in kinds.items()}


def table1(offsets: pd.DataFrame, *, frame: str, nside: int, ordering: str, more_than: int) -> pd.DataFrame:
    """The paper's Table 1: the columns TABLE1, sorted by hindex.

    `offsets` is map_{frame}.csv. Pixels with more than `more_than` 5p stars of known raw offset; corrected columns
    are null where not more than `more_than` stars have an official zero point. Numbers are rounded here, so that every
    format holds the same.
    """
    raw = offsets[(offsets["solution"] == "5p") & (offsets["parallax"] == "raw") & (offsets["n"] > more_than)]
    pixels = pd.Index(np.sort(raw["hindex"].to_numpy(dtype=np.int64)), name="hindex")
    centre = pixel_centre(pixels.to_numpy(), nside=nside, ordering=ordering)
    ra, dec = centre if frame == "equatorial" else to_equatorial(*centre)
    gl, gb = centre if frame == "galactic" else to_galactic(*centre)
    table = pd.DataFrame({"hindex": pixels, "ra": ra, "dec": dec, "gl": gl, "gb": gb})
    for kind, rows in _both(offsets, pixels).items():
        rows = rows.where(rows["n"] > more_than)  # a pixel may hold fewer stars with an official zero point
        table[f"domega_{kind}"] = rows["gaussian_mean"].to_numpy(dtype=float)
        table[f"e_domega_{kind}"] = rows["gaussian_mean_error"].to_numpy(dtype=float)
        if kind == "noncorr":
            table["n"] = rows["n"].to_numpy().astype(np.int64)
    return _rounded(table, TABLE1)


def _rounded(table: pd.DataFrame, fields: Sequence[Field]) -> pd.DataFrame:
    decimals = {field.name: field.decimals for field in fields if field.decimals is not None}
    # The sum turns -0.0 into 0.0, which not every format tells apart.
    return table[[field.name for field in fields]].round(decimals) + 0


def describe_pixels(
    tracers: pd.DataFrame,
    offsets: pd.DataFrame,
    *,
    frame: str,
    nside: int,
    ordering: str,
    more_than: int,
    gaussian: dict[str, Any],
    systematic_uas: float,
    replicates: int,
    seed: int,
) -> pd.DataFrame:
    """The long version of Table 1: the columns EXTENDED of the same pixels, from the tracers and map_{frame}.csv."""
    table = table1(offsets, frame=frame, nside=nside, ordering=ordering, more_than=more_than)
    pixels = pd.Index(table["hindex"])
    longitude, latitude = (tracers[name].to_numpy(dtype=float) for name in FRAMES[frame])
    place = pd.Series(pixel_index(longitude, latitude, nside=nside, ordering=ordering), index=tracers.index)
    inside = place.isin(pixels)
    stars = tracers[inside & (tracers["solution"] == "5p")]
    counts = place[inside & (tracers["solution"] == "6p")].value_counts()
    means = stars[["phot_g_mean_mag", "bp_rp"]].groupby(place[stars.index]).mean().reindex(pixels)
    table["n_6p"] = counts.reindex(pixels, fill_value=0).to_numpy(dtype=np.int64)
    table["g_mean"], table["bp_rp_mean"] = means["phot_g_mean_mag"].to_numpy(), means["bp_rp"].to_numpy()
    columns = {"corr": "offset_corrected", "noncorr": "offset_raw"}
    for kind, rows in _both(offsets, pixels).items():
        table[f"median_{kind}"] = rows["median"].to_numpy(dtype=float)
        table[f"e_median_{kind}"] = rows["median_error"].to_numpy(dtype=float)
        table[f"sd_{kind}"] = rows["sd"].to_numpy(dtype=float)
        errors = bootstrap_errors(
            stars[columns[kind]].to_numpy(), place[stars.index].to_numpy(), gaussian, replicates=replicates, seed=seed
        )
        table[f"e_boot_{kind}"] = errors.reindex(pixels).to_numpy()
        table[f"z_{kind}"] = neighbour_consistency(
            pixels.to_numpy(),
            table[f"domega_{kind}"].to_numpy(),
            table[f"e_domega_{kind}"].to_numpy(),
            nside=nside,
            ordering=ordering,
        )
    table["e_syst"] = systematic_uas
    return _rounded(table, EXTENDED)


def bootstrap_errors(
    values: np.ndarray, groups: np.ndarray, gaussian: dict[str, Any], *, replicates: int, seed: int
) -> pd.Series:
    """Standard deviation of each group's Gaussian mean over resamplings of its stars with replacement, by group label.

    Each replicate draws all groups at once and fits them together with the estimator of the map. Null for a group
    of one. Memory: a few times that of `values`.
    """
    segments = Segments(values, groups)
    first, size = segments.spread(segments.starts), segments.spread(segments.counts)
    random = np.random.default_rng(seed)
    shift = segments.medians()  # so that the squares below do not cancel
    total, squares, known = (np.zeros(len(shift)) for _ in range(3))
    draw = copy.copy(segments)
    for _ in range(replicates):
        index = first + (random.random(len(first)) * size).astype(np.int64)
        index.sort()  # the values ascend within each group, and so must those drawn
        draw.values = segments.values[index]
        if gaussian["method"] == "histogram":
            mean, _ = fit_histogram(draw, bins=gaussian["histogram_bins"])
        else:
            mean, _ = fit_density_power(draw, beta=gaussian["beta"], tolerance=1e-3)
        good = np.isfinite(mean)
        step = np.where(good, mean - shift, 0.0)
        total, squares, known = total + step, squares + step**2, known + good
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = (squares - total**2 / known) / (known - 1)
    variance = np.where((known > 1) & (segments.counts > 1), variance, np.nan)
    return pd.Series(np.sqrt(np.maximum(variance, 0.0)), index=segments.labels)


def neighbour_consistency(
    pixels: np.ndarray, values: np.ndarray, errors: np.ndarray, *, nside: int, ordering: str
) -> np.ndarray:
    """(value - mean of the up to 8 neighbours, weighted by 1 / error^2) / error of that difference, each (pixels,).

    `pixels` ascending. Null with fewer than 3 neighbours or without an error. About 1 in scatter where the offset does
    not change from pixel to pixel and the errors are right.
    """
    import healpy as hp

    result = np.full(len(pixels), np.nan)
    if len(pixels) == 0:
        return result
    around = hp.get_all_neighbours(nside, pixels, nest=ordering == "nested")  # (8, pixels); -1 where there is none
    place = np.minimum(np.searchsorted(pixels, around), len(pixels) - 1)
    weight = np.where((errors > 0) & np.isfinite(values), 1.0 / np.where(errors > 0, errors, 1.0) ** 2, 0.0)
    part = np.where(pixels[place] == around, weight[place], 0.0)
    enough = ((part > 0).sum(axis=0) >= 3) & (weight > 0)
    total = part.sum(axis=0)[enough]
    mean = (part * np.where(weight > 0, values, 0.0)[place]).sum(axis=0)[enough] / total
    result[enough] = (values[enough] - mean) / np.sqrt(errors[enough] ** 2 + 1.0 / total)
    return result


# Formats ---------------------------------------------------------------------------------------------------------


def as_astropy(table: pd.DataFrame, fields: Sequence[Field], meta: Mapping[str, Any]) -> Table:
    """The table with units, formats, descriptions and metadata; nulls are masked."""
    from astropy.table import Column, MaskedColumn, Table

    columns = []
    for field in fields:
        values = table[field.name].to_numpy()
        about = {"name": field.name, "unit": field.unit or None, "description": field.meaning}
        if field.decimals is not None:
            about["format"] = f"%.{field.decimals}f"
        null = np.isnan(values) if field.decimals is not None else np.zeros(len(values), dtype=bool)
        columns.append(MaskedColumn(values, mask=null, **about) if null.any() else Column(values, **about))
    return Table(columns, meta=dict(meta))


def write_dataset(table: pd.DataFrame, path: str | Path, fields: Sequence[Field], meta: Mapping[str, Any]) -> None:
    """Write a table in the format of the file's ending: .ecsv, .fits, .csv, .mrt, .vot or .parquet.

    The same table gives the same bytes: no dates. A CSV file has no room for the metadata.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    described = as_astropy(table, fields, meta)
    if path.suffix == ".mrt":
        path.write_text(machine_readable(table, fields, meta), encoding="ascii", errors="replace")
    elif path.suffix == ".vot":
        _write_votable(described, path)
    elif path.suffix == ".fits":
        _write_fits(described, path)
    else:
        described.write(path, format={".ecsv": "ascii.ecsv", ".csv": "ascii.csv", ".parquet": "parquet"}[path.suffix])


def healpix_header(meta: Mapping[str, Any]) -> Header:
    """FITS header of a partial-sky HEALPix table with the metadata."""
    from astropy.io import fits

    header = fits.Header()
    header["PIXTYPE"] = ("HEALPIX", "HEALPix pixels")
    header["INDXSCHM"] = ("EXPLICIT", "the first column is the index of the pixel")
    header["OBJECT"] = ("PARTIAL", "part of the sky")
    header["COORDSYS"] = (COORDSYS[meta["frame"]], "C equatorial (ICRS), G Galactic")
    for key, keyword, meaning in META:
        value = meta[key].upper() if key == "ordering" else meta[key]
        header[keyword] = _ascii(value) if isinstance(value, str) else (value, meaning)
    return header


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()


def _write_fits(described: Table, path: Path) -> None:
    from astropy.io import fits

    codes = {"i": "K", "f": "D"}
    columns = []
    for name in described.colnames:
        column = described[name]
        values = column.filled(np.nan) if hasattr(column, "filled") else column
        unit = None if column.unit is None else column.unit.to_string("fits")
        columns.append(fits.Column(name, codes[column.dtype.kind], unit=unit, array=np.asarray(values)))
    hdu = fits.BinTableHDU.from_columns(columns, name="OFFSETS")
    for number, name in enumerate(described.colnames, start=1):
        hdu.header[f"TCOMM{number}"] = described[name].description
    hdu.header.extend(healpix_header(described.meta), update=True)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)


def _write_votable(described: Table, path: Path) -> None:
    from astropy.io.votable.tree import Info, VOTableFile

    described = described.copy()
    for name in described.colnames:
        if described[name].unit == "uas":
            described[name].unit = "uarcsec"  # VOUnit knows no uas
    file = VOTableFile.from_table(described)
    table = file.resources[0].tables[0]
    table.name, table.description = described.meta["sample"], described.meta["title"]
    table.infos.extend(Info(name=key, value=str(described.meta[key])) for key, *_ in META)
    text = BytesIO()
    file.to_xml(text)
    content = text.getvalue()
    if len(described) == 0:
        # astropy leaves DATA out where there are no rows, and then STIL sees no table.
        content = content.replace(b"<INFO", b"<DATA><TABLEDATA></TABLEDATA></DATA>\n   <INFO", 1)
    path.write_bytes(content)


def _wrap(text: str, **indents: str) -> str:
    indents = {"subsequent_indent": "    "} | indents
    return textwrap.fill(text, 80, break_on_hyphens=False, break_long_words=False, **indents)


def machine_readable(table: pd.DataFrame, fields: Sequence[Field], meta: Mapping[str, Any]) -> str:
    """A machine-readable table as the AAS journals and the CDS ask for: byte-by-byte description, notes, rows.

    Widths do not fall below what every format needs, so that an empty table has a description, too.
    """
    texts, rows, start = [], [], 1
    for field in fields:
        values = table[field.name]
        spec = "d" if field.decimals is None else f".{field.decimals}f"
        column = ["" if value != value else f"{value:{spec}}" for value in values.tolist()]
        width = max([len(text) for text in column] + [len(field.name), (field.decimals or 0) + 5])
        kind = f"I{width}" if field.decimals is None else f"F{width}.{field.decimals}"
        unit = {"": "---", "uas": "uarcsec"}.get(field.unit, field.unit)
        null = "? " if values.isna().any() else ""
        head = f"{start:4d}-{start + width - 1:4d} {kind:<6} {unit:<7} {field.name:<16} "
        rows.append(_wrap(null + field.meaning, initial_indent=head, subsequent_indent=" " * len(head)))
        texts.append([f"{text:>{width}}" for text in column])
        start += width + 1
    line = "-" * 80
    # "Note (1):" and so on, or STILTS takes the lines for rows.
    notes = [_wrap(f"Note ({number}): {key} = {meta[key]}") for number, (key, *_) in enumerate(META, start=1)]
    lines = [
        _wrap(f"Title: {meta['title']}"),
        _wrap(f"Authors: {meta['authors']}"),
        "Table: Offsets of the parallax in HEALPix pixels",
        "=" * 80,
        "Byte-by-byte Description of file: table.dat",
        line,
        f"{'Bytes':>9} {'Format':<6} {'Units':<7} {'Label':<16} Explanations",
        line,
        *rows,
        line,
        *notes,
        line,
        *(" ".join(row) for row in zip(*texts, strict=True)),
    ]
    return "\n".join(lines) + "\n"


def read_dataset(path: str | Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A dataset in any of its formats: the table in its units, and the metadata (empty for CSV).

    Raises TableError (one line) for a file that is not such a dataset.
    """
    path = Path(path)
    form = "mrt" if path.suffix == ".mrt" else table_format(path)
    try:
        table, meta = _read_any(path, form)
    except FileNotFoundError:
        raise TableError(f"{path}: no such file") from None
    except Exception as error:  # the readers raise dozens of types; the user needs one line
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TableError(f"{path}: cannot be read as a dataset in {form} ({reason})") from error
    lacking = [field.name for field in TABLE1 if field.name not in table.colnames]
    if lacking:
        raise TableError(f"{path}: no column {lacking[0]!r}; is this a file of results/*/dataset/?")
    frame = {}
    for field in (field for field in EXTENDED if field.name in table.colnames):
        column = table[field.name]
        values = np.ma.filled(np.ma.asarray(column.data).astype(float), np.nan)
        if column.unit is not None and field.unit:
            try:
                values = values * column.unit.to(field.unit)
            except ValueError:
                unit = column.unit
                raise TableError(f"{path}: column {field.name!r} is in {unit}, not in {field.unit}") from None
        if field.decimals is not None:
            values = np.round(values, field.decimals)
        frame[field.name] = values if field.decimals is not None else values.astype(np.int64)
    return pd.DataFrame(frame), meta


def _read_any(path: Path, form: str) -> tuple[Table, dict[str, Any]]:
    from astropy.table import Table

    if form == "fits":
        from astropy.io import fits

        table, header = Table.read(path, format="fits", hdu=1), fits.getheader(path, 1)
        meta = {key: header[keyword] for key, keyword, _ in META if keyword in header}
        if "ordering" in meta:
            meta["ordering"] = meta["ordering"].lower()
        return table, meta
    if form == "votable":
        from astropy.io.votable import parse_single_table

        single = parse_single_table(path)
        return single.to_table(use_names_over_ids=True), _typed({info.name: info.value for info in single.infos})
    if form == "mrt":
        text = path.read_text(encoding="ascii")
        return Table.read(text, format="ascii.mrt"), _typed(_notes(text))
    table = Table.read(path, format={"ecsv": "ascii.ecsv", "csv": "ascii.csv", "parquet": "parquet"}[form])
    return table, dict(table.meta)


def _notes(text: str) -> dict[str, str]:
    """Metadata of a machine-readable table: its notes `Note (1): key = value`, each with its continuations."""
    found: dict[str, str] = {}
    key = ""
    for line in text.partition("\n---")[2].splitlines():
        start = re.fullmatch(r"Note \(\d+\): (\w+) = (.*)", line)
        if start:
            key, found[start[1]] = start.groups()
        elif key and line.startswith("    "):
            found[key] += " " + line.strip()
        else:
            key = ""
    return found


def _typed(meta: dict[str, str]) -> dict[str, Any]:
    """Metadata that a format keeps as text, in their own types."""
    kinds = {"simulated": lambda text: text == "True", "nside": int, "more_than": int, "systematic_uas": float}
    return {key: kinds.get(key, str)(value) for key, value in meta.items() if key in {name for name, *_ in META}}


def write_map(table: pd.DataFrame, path: str | Path, *, parallax: str, meta: Mapping[str, Any]) -> None:
    """Partial-sky HEALPix map for `raw` or `corrected`: OFFSET and ERROR [uas] and N of the pixels of Table 1."""
    from astropy.io import fits

    kind = {"raw": "noncorr", "corrected": "corr"}[parallax]
    table = table[table[f"domega_{kind}"].notna()]
    unit = "10**-6 arcsec"  # the FITS standard knows no uas
    columns = [
        fits.Column("PIXEL", "K", array=table["hindex"].to_numpy()),
        fits.Column("OFFSET", "D", unit=unit, array=table[f"domega_{kind}"].to_numpy()),
        fits.Column("ERROR", "D", unit=unit, array=table[f"e_domega_{kind}"].to_numpy()),
        fits.Column("N", "J", array=table["n"].to_numpy()),
    ]
    hdu = fits.BinTableHDU.from_columns(columns, name="OFFSETS")
    about = ("HEALPix index of the pixel", _OFFSETS[kind], "statistical error of OFFSET", "number of 5p stars")
    for number, text in enumerate(about, start=1):
        hdu.header[f"TCOMM{number}"] = text
    hdu.header.extend(healpix_header(meta), update=True)
    hdu.header["PARALLAX"] = (parallax, "raw: published; corrected: official zero point")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path, overwrite=True)


def footprint(pixels: np.ndarray, *, frame: str, nside: int, ordering: str) -> MOC:
    """The sky covered by the pixels, in ICRS as the standard for MOCs has it.

    Exact for equatorial pixels; for Galactic ones the cells four orders finer whose centres lie in the pixels.
    """
    import healpy as hp
    from mocpy import MOC

    order = hp.nside2order(nside)
    if len(pixels) == 0:
        return MOC.new_empty(order)
    cells = pixels if ordering == "nested" else hp.ring2nest(nside, pixels)
    if frame == "galactic":
        order = order + 4
        cells = _cells_inside(np.asarray(pixels), nside=nside, ordering=ordering, order=order)
    return MOC.from_healpix_cells(cells.astype(np.uint64), np.uint8(order), np.uint8(order))


def _cells_inside(pixels: np.ndarray, *, nside: int, ordering: str, order: int) -> np.ndarray:
    """Equatorial nested cells of an order whose centres lie in the Galactic pixels."""
    import healpy as hp

    # Candidates: equatorial pixels of the map's own size within three pixel widths of a Galactic one.
    position = to_equatorial(*pixel_centre(pixels, nside=nside, ordering=ordering))
    near = np.unique(pixel_index(*position, nside=nside, ordering="nested"))
    for _ in range(2):
        ring = hp.get_all_neighbours(nside, near, nest=True)
        near = np.unique(np.concatenate([near, ring[ring >= 0]]))
    children = 4 ** (order - hp.nside2order(nside))
    found = []
    for part in np.array_split(near, max(1, len(near) * children // 1_000_000)):
        cells = (part[:, None] * children + np.arange(children)).ravel()
        centre = to_galactic(*pixel_centre(cells, nside=2**order, ordering="nested"))
        found.append(cells[np.isin(pixel_index(*centre, nside=nside, ordering=ordering), pixels)])
    return np.concatenate(found)


def write_footprint(pixels: np.ndarray, path: str | Path, meta: Mapping[str, Any]) -> None:
    """MOC of the pixels of a map as FITS."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    moc = footprint(pixels, frame=meta["frame"], nside=meta["nside"], ordering=meta["ordering"])
    about = {"TITLE": "title", "SAMPLE": "sample", "SIMULATE": "simulated", "CONFIG": "config_digest"}
    keywords = {keyword: _ascii(str(meta[key])) for keyword, key in about.items()}
    moc.save(path, format="fits", overwrite=True, fits_keywords=keywords)


def readme(datasets: Mapping[str, tuple[pd.DataFrame, Mapping[str, Any]]]) -> str:
    """README.md of a sample's results, from the table and metadata of both frames."""
    meta = datasets["equatorial"][1]
    simulated, nested, level = meta["simulated"], meta["ordering"] == "nested", int(meta["nside"]).bit_length() - 1
    kind = "simulated" if simulated else "real"
    warning = "**The stars are simulated: no number here says anything about the real sky.**\n\n" if simulated else ""
    sizes = "\n".join(
        f"- {frame}: {len(table)} pixels with {int(table['n'].sum())} stars, "
        f"{int(table['domega_corr'].notna().sum())} pixels with a corrected offset"
        for frame, (table, _) in datasets.items()
    )
    columns = "\n".join(f"| {field.name} | {field.unit} | {field.meaning} |" for field in EXTENDED)
    facts = "\n".join(f"- {key}: {meta[key]}" for key, *_ in META if key not in ("title", "citation", "frame"))
    return f"""# Parallax offsets of {meta["release"]} from {meta["sample_title"]}

{warning}Gaia release: {meta["release"]}. Sample: {meta["sample_title"]} (`{meta["sample"]}`), {kind} stars.
Pixels of the map, each with more than {meta["more_than"]} 5p stars:

{sizes}

Sign: {meta["sign"]}.

## Files

| file | what it is |
|---|---|
| `dataset/FRAME.*` | Table 1, FRAME `equatorial` or `galactic`: .ecsv .fits .vot .parquet .mrt and .csv (no metadata) |
| `dataset/FRAME_extended.ecsv`, `.fits`, `.parquet` | its long version |
| `dataset/FRAME.moc.fits` | footprint as a MOC, in ICRS |
| `maps/FRAME_raw.fits`, `maps/FRAME_corrected.fits` | HEALPix maps, partial sky: OFFSET, ERROR and N |
| `tracers.parquet` | one row a star: parallaxes [mas] and offsets [uas] |
| `tables/*.csv` | cut flow, global offsets, trends, and the offsets of every pixel with two stars or more |
| `figures/*.png`, `.pdf` | the paper's figures |
| `corrected/*` | catalogues corrected with the map, if the config names some |

The two frames are two separate binnings of the same stars, not rotations of one another: choose one and stay with it.

## Columns

| column | unit | meaning |
|---|---|---|
{columns}

Table 1 ends with `n`; the rest is in the long version.

## Read

Python:

    from astropy.table import Table
    table = Table.read("dataset/equatorial.ecsv")
    print(table.meta["ordering"], table["domega_noncorr"].unit)

    import healpy
    offset, error, n = healpy.read_map("maps/equatorial_raw.fits", field=(0, 1, 2), nest={nested})
    offset[offset == healpy.UNSEEN] = float("nan")   # outside the footprint

TOPCAT:

    File > Load Table > dataset/equatorial.vot
    Graphics > Sky Plot > Layers > Add Healpix Control
    HEALPix index hindex, level {level}, {meta["ordering"]} ordering, value domega_noncorr

R:

    table <- read.csv("dataset/equatorial.csv")
    # or, with units in the metadata: table <- arrow::read_parquet("dataset/equatorial.parquet")
    plot(table$ra, table$dec, col = heat.colors(20)[cut(table$domega_noncorr, 20)], pch = 15)

## Correct a catalogue

    python -m gaia_offsets.apply dataset/equatorial.ecsv CATALOGUE OUTPUT

with the published parallax in the column `parallax`, or `--base official` where the official zero point is subtracted
already; `--help` says the rest.

## Cite

{meta["citation"]}

## Known limits

- Errors are statistical. On top come the systematic floor of {meta["systematic_uas"]:g} uas
  ({meta["systematic_source"]})
  and errors that all reference parallaxes share (extinction, distance scale).
- Only 5p stars make the map; for 6p stars it is an extrapolation.
- The offset depends on magnitude and colour as well; the map holds for stars like those of the sample.
- Outside the footprint nothing is known and nothing is extrapolated.
- Few stars make a corrected offset where the official zero point exists for few: look at its error.

## Made with

{facts}
"""
