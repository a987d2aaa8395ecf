"""Positional cross-match with proper motion: nearest neighbour within a radius, neighbours counted (Sect. 2.1)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gaia_offsets.columns import DISTANCES, GAIA, MATCH, STANDARD, TMASS
from gaia_offsets.healpix import hp
from gaia_offsets.progress import progress
from gaia_offsets.tables import ROW_GROUP, TableError, pieces

MAS_PER_DEG = 3.6e6
PIECE = 1 << 16  # points that a thread takes at a time: their temporary arrays stay in its cache
SORT_NSIDE, INDEX_BITS = 4096, 35  # pixel (28 bits) and place of a point in one integer


def _in_pieces(function: Callable[[slice], None], n: int, workers: int) -> None:
    """Call `function` with slices of PIECE points that cover 0..n, on `workers` threads (-1: one a core)."""
    pieces = [slice(start, min(start + PIECE, n)) for start in range(0, n, PIECE)]
    with ThreadPoolExecutor(workers if workers > 0 else None) as pool:
        list(pool.map(function, pieces))


def unit_vectors(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Unit vectors (N, 3) of right ascension and declination in degrees."""
    ra, dec = np.radians(np.asarray(ra, dtype=float)), np.radians(np.asarray(dec, dtype=float))
    return np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def propagate(
    ra: np.ndarray, dec: np.ndarray, pmra: np.ndarray, pmdec: np.ndarray, years: float, *, workers: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Positions (degrees) after `years` of uniform motion on the tangent plane.

    `pmra` (times cos dec) and `pmdec` in mas/yr; null proper motions count as zero. Parallax and radial velocity are
    left out: over 16 years they matter by less than a milliarcsecond for distant giants. `workers` threads reckon.
    """
    given = [np.asarray(values, dtype=float) for values in (ra, dec, pmra, pmdec)]
    moved = np.empty((2, len(given[0])))

    def move(piece: slice) -> None:
        a, d = (np.radians(angle[piece]) for angle in given[:2])
        east, north = (np.radians(np.nan_to_num(motion[piece]) * years / MAS_PER_DEG) for motion in given[2:])
        sin_a, cos_a, sin_d, cos_d = np.sin(a), np.cos(a), np.sin(d), np.cos(d)
        x = cos_d * cos_a - east * sin_a - north * (sin_d * cos_a)
        y = cos_d * sin_a + east * cos_a - north * (sin_d * sin_a)
        moved[0, piece] = np.degrees(np.arctan2(y, x)) % 360.0
        moved[1, piece] = np.degrees(np.arctan2(sin_d + north * cos_d, np.hypot(x, y)))

    _in_pieces(move, len(moved[0]), workers)
    return moved[0], moved[1]


def separation_arcsec(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angle in arcsec between unit vectors (N, 3), exact for small angles."""
    return _angle_arcsec(np.linalg.norm(first - second, axis=-1))


def _angle_arcsec(chord: np.ndarray) -> np.ndarray:
    return np.degrees(2.0 * np.arcsin(np.clip(chord / 2.0, 0.0, 1.0))) * 3600.0


def _chord(radius_arcsec: float) -> float:
    return float(2.0 * np.sin(np.radians(radius_arcsec / 3600.0) / 2.0))


def _along_the_sky(ra: np.ndarray, dec: np.ndarray, workers: int) -> tuple[np.ndarray, np.ndarray]:
    """Places (M,) of the points that have a position, in the order of the nested HEALPix curve; and their unit vectors.

    Neighbours on the sky become neighbours in memory, which makes building and asking a KD-tree several times faster.
    """

    # A row without a position has no neighbour; the KD-tree would refuse the whole list.
    placed = np.isfinite(ra + dec)
    places = np.arange(len(ra)) if placed.all() else np.flatnonzero(placed)
    vectors = np.empty((len(places), 3))

    def pack(piece: slice) -> None:
        place = places[piece]
        places[piece] |= hp.ang2pix(SORT_NSIDE, ra[place], dec[place], nest=True, lonlat=True) << INDEX_BITS

    def turn(piece: slice) -> None:
        vectors[piece] = unit_vectors(ra[places[piece]], dec[places[piece]])

    # One integer that holds both sorts many times faster than the pixels alone with their places behind them.
    _in_pieces(pack, len(places), workers)
    places.sort()
    places &= (1 << INDEX_BITS) - 1
    _in_pieces(turn, len(places), workers)
    return places, vectors


def match_nearest(
    ra: np.ndarray,
    dec: np.ndarray,
    other_ra: np.ndarray,
    other_dec: np.ndarray,
    radius_arcsec: float,
    *,
    workers: int = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nearest point of the other list within a radius.

    All positions in degrees, at one epoch. Returns for each of the N points: the index of the nearest of the others (-1
    where none), its separation [arcsec] (NaN where none), and how many lie within the radius. `workers` threads search.
    """
    from scipy.spatial import cKDTree

    n = len(ra)
    index, separation = np.full(n, -1, dtype=np.int64), np.full(n, np.nan)
    neighbours = np.zeros(n, dtype=np.int64)
    order, points = _along_the_sky(np.asarray(ra, dtype=float), np.asarray(dec, dtype=float), workers)
    other_order, others = _along_the_sky(np.asarray(other_ra, dtype=float), np.asarray(other_dec, dtype=float), workers)
    if len(order) == 0 or len(other_order) == 0:
        return index, separation, neighbours
    tree = cKDTree(others, balanced_tree=False, compact_nodes=False)
    chord = _chord(radius_arcsec)
    # The answers to all at once would take as much memory as all positions.
    for piece in progress(pieces(len(order)), len(order), "positions", each=ROW_GROUP):
        place, point = order[piece], points[piece]
        distance, found = tree.query(point, k=2, distance_upper_bound=np.nextafter(chord, 1.0), workers=workers)
        hit, several = np.isfinite(distance).T
        index[place[hit]] = other_order[found[hit, 0]]
        separation[place[hit]] = _angle_arcsec(distance[hit, 0])
        neighbours[place] = hit
        # Few points have a second neighbour, so only those are counted out.
        neighbours[place[several]] = tree.query_ball_point(point[several], chord, return_length=True, workers=workers)
    return index, separation, neighbours


@dataclass(frozen=True)
class Counterparts:
    """Places (N,) of the targets' counterparts in the tables gaia, tmass and distances, -1 where there is none.

    `tmass` and `distances` are None without such a table; `separation` [arcsec] and `neighbours` as in match_nearest.
    """

    gaia: np.ndarray
    tmass: np.ndarray | None
    distances: np.ndarray | None
    separation: np.ndarray
    neighbours: np.ndarray


def find_counterparts(
    targets: pd.DataFrame,
    gaia: pd.DataFrame,
    tmass: pd.DataFrame | None,
    distances: pd.DataFrame | None,
    *,
    target_epoch: float,
    gaia_epoch: float,
    radius_arcsec: float,
    tmass_radius_arcsec: float,
    workers: int = 1,
) -> Counterparts:
    """Counterparts by position: Gaia at the targets' epoch (Julian year), 2MASS at J2000; distances by source_id.

    Raises TableError where the Gaia or the distances table holds a source twice, or targets have a column of Gaia's.
    """
    for table, name in ((gaia, "Gaia"), (distances, "distances")):
        twice = 0 if table is None else int(table["source_id"].duplicated().sum())
        if twice:
            raise TableError(f"{name} table: {twice} source_ids stand more than once")
    own = {name for name in gaia.columns if name not in STANDARD}
    clash = sorted(set(targets.columns) & {*GAIA, *own, *MATCH, *(TMASS if tmass is not None else {})})
    if clash:
        raise TableError(f"targets: columns {', '.join(clash)} would be overwritten by Gaia's; name them otherwise")
    motions = [gaia[name].to_numpy(dtype=float) for name in ("ra", "dec", "pmra", "pmdec")]
    then = propagate(*motions, target_epoch - gaia_epoch, workers=workers)
    index, separation, neighbours = match_nearest(
        targets["target_ra"].to_numpy(), targets["target_dec"].to_numpy(), *then, radius_arcsec, workers=workers
    )

    def of_source(place: np.ndarray) -> np.ndarray:
        return np.where(index >= 0, place[index] if len(place) else -1, -1)

    to_tmass = to_distance = None
    if tmass is not None:
        at_2000 = then if target_epoch == 2000.0 else propagate(*motions, 2000.0 - gaia_epoch, workers=workers)
        used = np.unique(index[index >= 0])
        their = tmass["ra"].to_numpy(), tmass["dec"].to_numpy()
        near, _, _ = match_nearest(at_2000[0][used], at_2000[1][used], *their, tmass_radius_arcsec, workers=workers)
        place = np.full(len(gaia), -1, dtype=np.int64)
        place[used] = near
        to_tmass = of_source(place)
    if distances is not None:
        to_distance = of_source(pd.Index(distances["source_id"]).get_indexer(gaia["source_id"]))
    return Counterparts(index, to_tmass, to_distance, separation, neighbours)


def _take(table: pd.DataFrame, index: np.ndarray, columns: list[str]) -> pd.DataFrame:
    """Rows of `table` by place, null where the index is -1; identifiers stay whole numbers."""
    taken = {}
    for name in columns:
        whole = pd.api.types.is_integer_dtype(table[name].dtype)
        values = (table[name].astype("Int64") if whole else table[name]).values
        taken[name] = pd.api.extensions.take(values, index, allow_fill=True)
    return pd.DataFrame(taken)


def attach(
    targets: pd.DataFrame,
    gaia: pd.DataFrame,
    tmass: pd.DataFrame | None,
    distances: pd.DataFrame | None,
    found: Counterparts,
    rows: slice = slice(None),
) -> pd.DataFrame:
    """These rows of the targets with the columns of their counterparts.

    Columns: those of `targets`, `preselected`, GAIA and what the Gaia table has beyond STANDARD, TMASS, DISTANCES,
    `match_separation` [arcsec] and `match_neighbours`; nulls where there is no counterpart.
    """
    own = [name for name in gaia.columns if name not in STANDARD]
    part = targets.iloc[rows].reset_index(drop=True)
    parts = [part, pd.DataFrame({"preselected": np.ones(len(part), dtype=bool)})]
    for table, places, names in (
        (gaia, found.gaia, [*GAIA, *own]),
        (tmass, found.tmass, TMASS),
        (distances, found.distances, DISTANCES),
    ):
        if table is not None:
            parts.append(_take(table, places[rows], [name for name in names if name in table.columns]))
    neighbours = pd.array(found.neighbours[rows], dtype="Int64")
    parts.append(pd.DataFrame({"match_separation": found.separation[rows], "match_neighbours": neighbours}))
    return pd.concat(parts, axis=1)


def match_catalogues(
    targets: pd.DataFrame,
    gaia: pd.DataFrame,
    tmass: pd.DataFrame | None,
    distances: pd.DataFrame | None,
    **how: float,
) -> pd.DataFrame:
    """All targets with the columns of their counterparts, as of `attach`; `how` is that of `find_counterparts`."""
    tables = targets, gaia, tmass, distances
    return attach(*tables, find_counterparts(*tables, **how))
