"""Correct parallaxes with a zero point, a published map or both: on arrays, tables and files of any size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gaia_offsets.core.columns import FRAMES
from gaia_offsets.core.faults import TableError
from gaia_offsets.core.log import say
from gaia_offsets.core.releases import EPOCHS, SOLVED
from gaia_offsets.correct.correction import Correction, check_base, corrected_by_map
from gaia_offsets.correct.streams import add_columns, with_columns
from gaia_offsets.publish.fields import NONE, OFFICIAL
from gaia_offsets.publish.offset_map import ApplyError, OffsetMap
from gaia_offsets.sample.star_table import CORRECTION, star_arrays
from gaia_offsets.sample.zero_points import check_edr3
from gaia_offsets.tables.formats import refuse_folder, table_format

if TYPE_CHECKING:
    import pandas as pd
    from astropy.table import Table


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
    """Parallaxes corrected with a map, by column, each (N,).

    `parallax` (N,) in mas; `longitude`, `latitude` (N,) in degrees in the map's frame (ra, dec or l, b). `base` says
    what the parallax is: `raw` (published) or `official` (a zero point subtracted already); a raw parallax
    goes with the raw map, an official one with the corrected map. With `zero_point` (N,) in mas the base is raw, the
    zero point is subtracted first, and the map must be the corrected one. `solved` (N,) is
    astrometric_params_solved, for the flag of 2p sources. One value stands for all stars.

    The result has parallax_map_corrected [mas], map_offset, map_error_statistical, map_error_systematic [uas], map_n
    (stars in the pixel) and map_flag: 0 corrected, 1 outside the map, 2 no parallax, 3 no position, 4 no zero point.
    A parallax outside the footprint is never extrapolated: corrected parallax, offset and errors are null where
    map_flag is not 0. Errors are those of the offset; add them in quadrature to the parallax's own, but the errors of
    two stars of a pixel are the same, so they do not average out.

    Raises ApplyError where map and base do not go together, TableError for values that cannot be what they are for.

    >>> offsets = read_map("equatorial.ecsv", parallax="raw")
    >>> corrected = correct_parallax([0.5, 0.5], [45.0, 45.0], [60.0, -60.0], offsets, base="raw")
    >>> corrected["parallax_map_corrected"].round(4), corrected["map_flag"]
    (array([0.533,   nan]), array([0, 1], dtype=uint8))
    """
    check_base(base, offsets.parallax, NONE if zero_point is None else OFFICIAL)
    given = {"parallax": parallax, **dict(zip(FRAMES[offsets.frame], (longitude, latitude), strict=True))}
    given |= {name: values for name, values in ((SOLVED, solved), (CORRECTION, zero_point)) if values is not None}
    given = dict(zip(given, star_arrays("correct_parallax", **given), strict=True))
    if solved is not None and offsets.epoch == EPOCHS["EDR3"]:
        check_edr3(given[SOLVED])
    say(*offsets.warning)
    parallax, *position = (given[name] for name in ("parallax", *FRAMES[offsets.frame]))
    return corrected_by_map(parallax, *position, offsets, solved=given.get(SOLVED), zero_point=given.get(CORRECTION))


def correct_table(
    table: pd.DataFrame | Table, offsets: OffsetMap | str | Path | None, **settings: Any
) -> pd.DataFrame | Table:
    """A copy of a DataFrame or astropy Table with columns added: those of correct_parallax, or parallax_corrected.

    `offsets` is the map, its file or name, None for a zero point alone. `settings` are those of Correction: base,
    columns, correction, inflate. Columns that bear the archive's names, or VizieR's, need no entry in `columns`; units
    of an astropy Table are honoured. What is taken as unknown, or contradicts something in a few rows, is said on
    standard error. Raises ApplyError or TableError, one line each.

    >>> stars = pd.DataFrame({"RA_ICRS": [45.0, 45.0], "DE_ICRS": [60.0, -60.0], "plx_mas": [0.5, 0.7]})
    >>> corrected = correct_table(stars, "equatorial.ecsv", columns={"parallax": "plx_mas"})
    >>> corrected[["plx_mas", "parallax_map_corrected", "map_flag"]].round(3)
       plx_mas  parallax_map_corrected  map_flag
    0      0.5                   0.533         0
    1      0.7                     NaN         1
    """
    correction = Correction(offsets, **settings)
    corrected = with_columns(table, correction, "the table")
    say(*correction.lines)
    return corrected


def correct_file(
    catalogue: str | Path, output: str | Path, correction: Correction, *, overwrite: bool = False
) -> np.ndarray:
    """Write a catalogue with the columns of a Correction added; the numbers of rows by flag (FLAGS).

    FITS, Parquet and CSV, written in the format they were read in, go through in chunks of rows, whatever their
    size; VOTable, ECSV and a change of format take memory for the whole table. FITS: the first binary table of the
    file is corrected; other HDUs are copied. The output appears under its name when it is complete, and not at all
    where the map reaches none of its rows.

    Raises ApplyError or TableError, one line each.

    >>> stars = {"ra": [45.0, 45.0], "dec": [60.0, -60.0], "parallax": [0.5, 0.7]}
    >>> pd.DataFrame(stars).to_csv("stars.csv", index=False)
    >>> correct_file("stars.csv", "corrected.csv", Correction("equatorial.ecsv"))
    array([1, 1, 0, 0, 0])
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
    add_columns(catalogue, output, correction)
    return correction.counts
