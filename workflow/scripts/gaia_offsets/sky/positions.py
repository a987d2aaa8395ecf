"""Pixels and frames on the sky: HEALPix indices, centres, and the angles that a table may lack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.columns import FRAMES
from gaia_offsets.core.faults import TableError
from gaia_offsets.sky.healpix import hp
from gaia_offsets.tables.values import floats

ANGLES = (*FRAMES["equatorial"], *FRAMES["galactic"], "ecl_lat")
COORDSYS = {"equatorial": "C", "galactic": "G"}
FINEST_NSIDE = 256  # of those chosen by finest_nside; pixels of 0.05 deg2
BLOCK_NSIDES = (4, 8, 16, 32)  # of blocks for errors, 15 to 1.8 deg wide: the coarsest with ENOUGH_BLOCKS
ENOUGH_BLOCKS = 10
# Two positions of one star agree within this: pixels of source_id are 0.014 deg wide, and no star of Gaia has moved by
# more than 0.06 deg in 20 years. Errors of coordinates (hours, radians, swapped) are mostly of degrees.
AGREE_DEG = 0.2
ENOUGH_POSITIONS = 100_000
FIRST_SOURCE_ID = (
    2**35
)  # lower numbers (of the Kepler Input Catalogue, say) are those of no source of Gaia, or of very few


def pixel_index(longitude: np.ndarray, latitude: np.ndarray, *, nside: int, ordering: str) -> np.ndarray:
    """HEALPix index (N,) int64 of positions in degrees; `ordering` is `nested` or `ring`."""

    return np.asarray(hp.ang2pix(nside, longitude, latitude, nest=ordering == "nested", lonlat=True), dtype=np.int64)


def pixel_centre(index: np.ndarray, *, nside: int, ordering: str) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude in degrees of pixel centres."""

    return hp.pix2ang(nside, np.asarray(index), nest=ordering == "nested", lonlat=True)


def pixel_vectors(index: np.ndarray, *, nside: int, ordering: str) -> np.ndarray:
    """Unit vectors (N, 3) of pixel centres."""
    return hp.ang2vec(*pixel_centre(index, nside=nside, ordering=ordering), lonlat=True)


def unit_vectors(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Unit vectors (N, 3) of positions in degrees."""
    lon, lat = (np.radians(np.asarray(angle, dtype=float)) for angle in (longitude, latitude))
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def separation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angle [deg] between unit vectors (..., 3), each with its partner; exact for small angles."""
    return chord_angle(np.linalg.norm(first - second, axis=-1))


def chord_angle(chord: np.ndarray) -> np.ndarray:
    """Angle [deg] that a chord of the unit sphere spans."""
    return np.degrees(2.0 * np.arcsin(np.clip(chord / 2.0, 0.0, 1.0)))


def all_separations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angles (N, M) in degrees between each of the unit vectors (N, 3) and each of (M, 3); to 1e-6 deg."""
    return np.degrees(np.arccos(np.clip(first @ second.T, -1.0, 1.0)))


def finest_nside(longitude: np.ndarray, latitude: np.ndarray, *, more_than: int) -> int:
    """Finest nside at which half of the positions (degrees) lie in pixels with more than `more_than` of them.

    FINEST_NSIDE at most, 1 at least: there, too, a small sample may fill no pixel.
    """
    pixel = pixel_index(longitude, latitude, nside=FINEST_NSIDE, ordering="nested")
    counts, nside = np.bincount(pixel, minlength=12 * FINEST_NSIDE**2), FINEST_NSIDE
    while nside > 1 and not 2 * counts[counts > more_than].sum() >= len(pixel) > 0:
        counts, nside = counts.reshape(-1, 4).sum(axis=1), nside // 2  # a nested pixel has four children
    return nside


def sky_blocks(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Block of the sky (N,) of each position (degrees): equatorial pixels, nested, finer for a sample on little sky."""
    for nside in BLOCK_NSIDES:
        blocks = pixel_index(ra, dec, nside=nside, ordering="nested")
        if len(np.unique(blocks)) >= ENOUGH_BLOCKS:
            break
    return blocks


def to_galactic(ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Galactic longitude and latitude (degrees) of ICRS positions (degrees)."""
    from astropy.coordinates import SkyCoord

    position = SkyCoord(ra, dec, unit="deg", frame="icrs").galactic
    return position.l.deg, position.b.deg


def to_equatorial(longitude: np.ndarray, latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ICRS right ascension and declination (degrees) of Galactic positions (degrees)."""
    from astropy.coordinates import SkyCoord

    position = SkyCoord(longitude, latitude, unit="deg", frame="galactic").icrs
    return position.ra.deg, position.dec.deg


def ecliptic_latitude(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Ecliptic latitude (degrees, J2000) of ICRS positions (degrees), as in the Gaia archive to below 1e-5 deg."""
    obliquity = np.radians(84381.411 / 3600.0)
    a, d = np.radians(np.asarray(ra, dtype=float)), np.radians(np.asarray(dec, dtype=float))
    sine = np.sin(d) * np.cos(obliquity) - np.cos(d) * np.sin(obliquity) * np.sin(a)
    return np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0)))


ADVICE = "Correct `columns:` of the table in the config"


class Positions:
    """How many rows have ra, dec (or l, b, without these) that disagree with what else the table says of the position.

    That are the pixel in `source_id` (nested, level 12, equatorial: source_id >> 35) and the columns l, b and ecl_lat.
    """

    def __init__(self) -> None:
        self._compared: Counter[tuple[str, str]] = Counter()  # by the columns that are compared
        self._wrong: Counter[tuple[str, str]] = Counter()
        self._angles: dict[tuple[str, str], np.ndarray] = {}  # of the first of those that are wrong
        self._foreign = self._rows = 0

    def look(self, frame: pd.DataFrame) -> None:
        """Count in a table, or the next piece of one; of a long one every n-th row is looked at."""
        rows = frame.iloc[:: max(1, len(frame) // ENOUGH_POSITIONS)]

        pair = next((pair for pair in FRAMES.values() if set(pair) <= set(rows.columns)), None)
        if pair is None:
            return
        wanted = set(ANGLES) & {"ra", "dec", *rows.columns}
        derived, name, apart = complete_angles(rows[list(pair)], wanted), ", ".join(pair), {}
        position = unit_vectors(floats(derived, "ra"), floats(derived, "dec"))
        if name == "ra, dec" and {"l", "b"} <= wanted:
            one, other = (unit_vectors(floats(table, "l"), floats(table, "b")) for table in (derived, rows))
            apart["l, b"] = separation(one, other)
        if "ecl_lat" in wanted:
            apart["ecl_lat"] = np.abs(floats(derived, "ecl_lat") - floats(rows, "ecl_lat"))
        if "source_id" in rows.columns:
            number = rows["source_id"].to_numpy(dtype=np.int64, na_value=0)
            gaia = number >= FIRST_SOURCE_ID
            centre = pixel_centre(np.where(gaia, number >> 35, 0), nside=4096, ordering="nested")
            apart["the pixels in source_id"] = np.where(gaia, separation(position, unit_vectors(*centre)), np.nan)
            self._foreign += int((~gaia & (number > 0)).sum())
        self._rows += len(rows)
        for other, angle in apart.items():
            key, wrong = (name, other), angle[angle > AGREE_DEG]
            self._compared[key] += int(np.isfinite(angle).sum())
            self._wrong[key] += len(wrong)
            self._angles[key] = np.append(self._angles.get(key, []), wrong)[:ENOUGH_POSITIONS]

    def judge(self, where: str | Path, advice: str = ADVICE) -> list[str]:
        """Lines about rows that disagree; TableError where most of them disagree with one thing."""
        lines = []
        if self._foreign:
            some = f"{self._foreign} of {self._rows} source_ids"
            lines.append(f"{where}: {some} are below 2**35, not Gaia's; they tell no position")
        for (name, other), wrong in self._wrong.items():
            if wrong:
                compared, angle = self._compared[name, other], np.median(self._angles[name, other])
                line = (
                    f"{where}: positions: {name} of {wrong} of {compared} rows disagree with {other}, by "
                    f"{angle:.3g} deg in the median"
                )
                if 2 * wrong > compared:
                    raise TableError(
                        f"{line}; are they swapped, in hours or in radians, or are these columns of something else? "
                        f"{advice}"
                    )
                lines.append(line)
        return lines


def complete_angles(frame: pd.DataFrame, wanted: Collection[str] = ANGLES) -> pd.DataFrame:
    """The table with the angles `wanted` (and ra, dec for ecl_lat): absent columns and nulls are derived from others.

    Raises TableError where neither ra, dec nor l, b stand for a position.
    """
    equatorial, galactic = FRAMES.values()
    if not any(set(pair) <= set(frame.columns) for pair in (equatorial, galactic)):
        raise TableError("positions: the table has neither ra, dec nor l, b; name them in `columns:` of the sample")
    wanted = {*wanted, *(equatorial if "ecl_lat" in wanted else ())}
    for names, others, turn in ((equatorial, galactic, to_equatorial), (galactic, equatorial, to_galactic)):
        if wanted & set(names) and set(others) <= set(frame.columns):
            frame = _filled(frame, names, others, turn)
    return _filled(frame, ("ecl_lat",), equatorial, ecliptic_latitude) if "ecl_lat" in wanted else frame


def _filled(frame: pd.DataFrame, names: Sequence[str], others: Sequence[str], turn: Callable[..., Any]) -> pd.DataFrame:
    """The table with the columns `names`, where one of them is null by `turn` of the `others`."""
    columns = {name: frame[name].copy() if name in frame else pd.Series(np.nan, frame.index) for name in names}
    null = np.any([column.isna() for column in columns.values()], axis=0)
    missing = null & frame[list(others)].notna().all(axis=1).to_numpy()
    if missing.any():
        derived = np.atleast_2d(turn(*(floats(frame, name)[missing] for name in others)))
        for column, values in zip(columns.values(), derived, strict=True):
            column[missing] = values
    return frame.assign(**columns)
