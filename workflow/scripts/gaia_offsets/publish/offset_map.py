"""A published map as it is read again: checked, and looked up star by star."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gaia_offsets.core.columns import FRAMES, NULL
from gaia_offsets.core.faults import TableError
from gaia_offsets.core.releases import named_epoch
from gaia_offsets.publish.dataset import read_dataset, typed
from gaia_offsets.publish.fields import COLUMNS_OF
from gaia_offsets.sky.positions import pixel_centre, pixel_index

if TYPE_CHECKING:
    import pandas as pd

# Maps that come with this, Table 1 of `make demo` (`make maps` writes them anew): whose distances they stand on.
SHIPPED = {
    "kepler_giants": "asteroseismic distances of Miglio et al. 2021; with the radii of Sharma et al. 2016, 23 uas more",
    "globular_clusters": "distances of Baumgardt & Vasiliev 2021, not free of Gaia; each pixel has its cluster's error",
}
LARGEST_UAS = 10_000.0  # of an offset or its error in a map; real ones are below 100
SMALLEST_UAS, SMALLEST_SCATTER_UAS = 0.1, 1.0  # half of the offsets, and the scatter of single stars, are larger
LARGEST_NSIDE = 2**29
STAND_FOR_NONE = (NULL, -999.0, -99.0, 999.0, 9999.0)  # no offset of three decimals falls on these by chance


class ApplyError(TableError):
    """A catalogue and a map that do not go together; the message is one line."""


@dataclass(frozen=True)
class OffsetMap:
    """One of the two maps of a dataset: pixels ascending, offsets and errors in uas, numbers of stars, metadata.

    >>> pixels, errors, stars = np.arange(12), np.full(12, 5.0), np.full(12, 60)
    >>> offsets = OffsetMap("raw", "equatorial", 1, "nested", 10.3, pixels, pixels - 40.0, errors, stars, meta={})
    >>> offsets.look_up(np.array([45.0]), np.array([60.0]))
    (array([-40.]), array([5.]), array([60]))
    """

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

    def __post_init__(self) -> None:
        """Raise ApplyError for what no map can have: a damaged or edited file must not correct anything."""
        where, names = self.path or "the map", COLUMNS_OF[self.parallax]
        if self.frame not in FRAMES:
            raise ApplyError(f"{where}: unknown frame {self.frame!r}; known are {' and '.join(FRAMES)}")
        if self.ordering not in ("nested", "ring"):
            raise ApplyError(f"{where}: unknown ordering {self.ordering!r}; known are nested and ring")
        if not 1 <= self.nside <= LARGEST_NSIDE or self.nside & (self.nside - 1):
            raise ApplyError(f"{where}: nside {self.nside} is not a power of two up to {LARGEST_NSIDE}")
        limit = f"{LARGEST_UAS:g} uas"
        if self.systematic_uas != 0 and not SMALLEST_UAS <= self.systematic_uas <= LARGEST_UAS:
            raise ApplyError(
                f"{where}: a systematic floor of {self.systematic_uas} uas; it should be 0, or {SMALLEST_UAS:g} to "
                f"{limit}"
            )
        if len(self.pixels) == 0:
            raise ApplyError(f"{where}: no pixel has a {self.parallax} offset")
        size = np.abs(self.offset)
        for column, values, wrong, should in (
            ("hindex", self.pixels, np.diff(self.pixels, prepend=-1) < 1, "stand once, in ascending order"),
            (names.value, self.offset, ~(size <= LARGEST_UAS), f"be within {limit}"),
            (names.value, self.offset, np.isin(self.offset, STAND_FOR_NONE), "be null where there is no offset"),
            (names.error, self.error, ~((self.error > 0) & (self.error <= LARGEST_UAS)), f"be above 0, to {limit}"),
            ("n", self.n, self.n < 0, "be 0 or more"),
        ):
            if wrong.any():
                raise ApplyError(
                    f"{where}: column {column!r}: {int(wrong.sum())} of {len(wrong)} pixels are wrong, the first "
                    f"{values[wrong][0]:g}; each should {should}; take the map as it was published"
                )
        stars = self.n > 0
        scatter = np.median((self.error * np.sqrt(self.n))[stars]) if stars.any() else SMALLEST_SCATTER_UAS
        if np.median(size) < SMALLEST_UAS or not SMALLEST_SCATTER_UAS <= scatter <= LARGEST_UAS:
            raise ApplyError(
                f"{where}: half of the offsets {names.value} are below {SMALLEST_UAS:g} uas, or their errors times the "
                f"root of n are not {SMALLEST_SCATTER_UAS:g} to {limit}; is the map in uas? Take it as it was published"
            )

    def look_up(self, longitude: np.ndarray, latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Offset, its error [uas] and number of stars of the pixel around each position, (N,); null and 0 where none.

        Positions are degrees in the map's frame.
        """
        place = np.full(len(longitude), -1, dtype=np.int64)
        known = on_sky(longitude, latitude)
        pixel = pixel_index(longitude[known], latitude[known], nside=self.nside, ordering=self.ordering)
        nearest = np.minimum(np.searchsorted(self.pixels, pixel), len(self.pixels) - 1)
        place[known] = np.where(self.pixels[nearest] == pixel, nearest, -1)
        inside = place >= 0
        value, error = (np.where(inside, values[place], np.nan) for values in (self.offset, self.error))
        return value, error, np.where(inside, self.n[place], 0)

    @property
    def footprint(self) -> str:
        """Where its pixels are, in words: the centres of a few, ranges of many."""
        longitude, latitude = pixel_centre(self.pixels, nside=self.nside, ordering=self.ordering)
        names, size = FRAMES[self.frame], f"{len(self.pixels)} pixels of {58.6 / self.nside:.2g} deg"
        if len(self.pixels) <= 20:
            places = ", ".join(f"({x:.0f}, {y:.0f})" for x, y in zip(longitude, latitude, strict=True))
            return f"{size} around ({', '.join(names)}) = {places}"
        order = np.sort(longitude)  # the range begins behind the widest gap, which may hold the origin
        first = int(np.argmax(np.diff(order, prepend=order[-1] - 360)))
        ranges = zip(names, ((order[first], order[first - 1]), (latitude.min(), latitude.max())), strict=True)
        return f"{size}, " + ", ".join(f"{name} {low:.0f} to {high:.0f}" for name, (low, high) in ranges)

    @property
    def warning(self) -> list[str]:
        """What whoever uses it on real stars must be told."""
        simulated = self.meta.get("simulated")
        return [f"{self.path or 'the map'}: made of SIMULATED stars: no use for real ones"] if simulated else []

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
    """The map `raw` or `corrected` of a dataset file (ECSV, FITS, VOTable, Parquet, MRT or CSV), or a name of SHIPPED.

    Frame, nside and ordering come from the file's metadata; a CSV file has none, and they must be given. Raises
    ApplyError or TableError, one line each, for what is missing, unknown or contradicts the file.

    >>> offsets = read_map("equatorial.ecsv", parallax="raw")
    >>> offsets.frame, offsets.nside, offsets.ordering, len(offsets.pixels)
    ('equatorial', 4, 'nested', 88)
    """
    if parallax not in COLUMNS_OF:
        raise ApplyError(f"map {parallax!r} is neither raw nor corrected")
    if str(path) in SHIPPED:
        path = Path(__file__).parents[1] / f"data/{path}.ecsv"
    elif not Path(path).suffix:
        raise ApplyError(f"{path}: no file of a dataset, and no map that comes with this: {', '.join(SHIPPED)}")
    table, meta = read_dataset(path)
    given = typed({"frame": frame, "nside": nside, "ordering": ordering, "systematic_uas": systematic_uas}, path)
    stated, names = {**meta, **given}, COLUMNS_OF[parallax]
    grid = ("frame", "nside", "ordering", "systematic_uas")
    for key in grid:
        if key not in stated:
            option = key.removesuffix("_uas")
            raise ApplyError(f"{path}: the file does not state its {key}; give --{option}, or use its .ecsv or .fits")
        if key != "systematic_uas" and meta.get(key, stated[key]) != stated[key]:
            raise ApplyError(f"{path}: its {key} is {meta[key]}, not {stated[key]}")
    rows = table[table[names.value].notna()].sort_values("hindex")
    values = (rows[name].to_numpy() for name in ("hindex", names.value, names.error, "n"))
    offsets = OffsetMap(parallax, *(stated[key] for key in grid), *values, meta, Path(path))
    _check_centres(table, offsets)
    return offsets


def _check_centres(table: pd.DataFrame, offsets: OffsetMap) -> None:
    """The centres in the table must lie in their pixels: this finds a wrong frame, nside or ordering."""
    names = {"equatorial": ("ra", "dec"), "galactic": ("gl", "gb")}[offsets.frame]
    centres = [table[name].to_numpy() for name in names]
    known, pixel = on_sky(*centres), np.full(len(table), -1)
    pixel[known] = pixel_index(*(x[known] for x in centres), nside=offsets.nside, ordering=offsets.ordering)
    wrong = int((pixel != table["hindex"].to_numpy()).sum())
    if wrong:
        raise ApplyError(
            f"{offsets.path}: {wrong} of {len(table)} pixel centres do not lie in their pixel for frame "
            f"{offsets.frame}, nside {offsets.nside} and ordering {offsets.ordering}; give those of the map"
        )
