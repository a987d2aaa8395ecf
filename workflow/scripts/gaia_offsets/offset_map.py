"""A published map as it is read again: checked, and looked up star by star."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gaia_offsets.dataset import read_dataset
from gaia_offsets.faults import TableError
from gaia_offsets.published import ENDINGS
from gaia_offsets.releases import named_epoch
from gaia_offsets.sky import FRAMES, pixel_index

if TYPE_CHECKING:
    import pandas as pd

LARGEST_UAS = 10_000.0  # of an offset or its error in a map; real ones are below 100
STAND_FOR_NONE = (-9999.0, -999.0, -99.0, 999.0, 9999.0)  # no offset of three decimals falls on these by chance


class ApplyError(TableError):
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
    path: Path | None = None

    def find(self, longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
        """Place (N,) among the pixels of the one around each position (degrees in the map's frame); -1 where none."""
        place = np.full(len(longitude), -1, dtype=np.int64)
        known = on_sky(longitude, latitude)
        pixel = pixel_index(longitude[known], latitude[known], nside=self.nside, ordering=self.ordering)
        nearest = np.minimum(np.searchsorted(self.pixels, pixel), len(self.pixels) - 1)
        place[known] = np.where(self.pixels[nearest] == pixel, nearest, -1)
        return place

    @property
    def epoch(self) -> float | None:
        """Epoch of the release of its stars, None where the map does not say."""
        return named_epoch(self.meta.get("release"))


def on_sky(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Whether angles in degrees are a position."""
    with np.errstate(invalid="ignore"):
        return (longitude >= -180) & (longitude <= 360) & (np.abs(latitude) <= 90)


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
    if parallax not in ENDINGS:
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
    kind = ENDINGS[parallax]
    table = table[np.isfinite(table[f"domega_{kind}"])].sort_values("hindex")
    if len(table) == 0:
        raise ApplyError(f"{path}: no pixel has a {parallax} offset")
    _check_values(table, path, f"domega_{kind}")
    floor = systematic_uas if systematic_uas is not None else meta.get("systematic_uas")
    if floor is not None and not 0 <= floor < np.inf:
        raise ApplyError(f"{path}: a systematic floor of {floor} uas; it should be 0 or more")
    if floor is None:
        raise ApplyError(f"{path}: the file does not state its systematic floor; give --systematic (uas)")
    values = (table[name].to_numpy() for name in ("hindex", f"domega_{kind}", f"e_domega_{kind}", "n"))
    return OffsetMap(parallax, stated["frame"], nside, stated["ordering"], float(floor), *values, meta, Path(path))


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


def _check_values(table: pd.DataFrame, path: str | Path, offset: str) -> None:
    """No pixel twice, and only numbers that a map can have; a damaged or edited file must not correct anything."""
    for column, wrong, should in (
        ("hindex", table["hindex"].duplicated(), "stand once"),
        (offset, table[offset].abs() > LARGEST_UAS, f"be within {LARGEST_UAS:g} uas"),
        (offset, table[offset].isin(STAND_FOR_NONE), "be null where there is no offset"),
        (f"e_{offset}", ~table[f"e_{offset}"].between(0, LARGEST_UAS), f"be 0 to {LARGEST_UAS:g} uas"),
        ("n", table["n"] < 0, "be 0 or more"),
    ):
        if wrong.any():
            first = table.loc[wrong.idxmax(), column]
            raise ApplyError(
                f"{path}: column {column!r}: {int(wrong.sum())} of {len(table)} pixels are wrong, the first {first:g}; "
                f"each should {should}; take the map as it was published"
            )
