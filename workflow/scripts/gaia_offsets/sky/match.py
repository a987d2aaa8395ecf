"""Positional cross-match with proper motion: nearest neighbour within a radius, neighbours counted (Sect. 2.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from gaia_offsets.core.columns import DISTANCES, GAIA, MATCH, RELEASE, STANDARD, TMASS
from gaia_offsets.core.faults import TableError
from gaia_offsets.core.log import progress
from gaia_offsets.sky.healpix import hp
from gaia_offsets.sky.positions import chord_angle, unit_vectors
from gaia_offsets.tables.parquet import ROW_GROUP, join_pieces, pieces
from gaia_offsets.tables.read import TableFile
from gaia_offsets.tables.values import floats

MAS_PER_DEG = 3.6e6
MOVING = ("source_id", "ra", "dec", "pmra", "pmdec")
PIECE = 1 << 16  # points that a thread takes at a time: their temporary arrays stay in its cache
SORT_NSIDE, INDEX_BITS = 4096, 35  # pixel (28 bits) and place of a point in one integer


def _in_pieces(function: Callable[[slice], None], n: int, workers: int) -> None:
    """Call `function` with slices of PIECE points that cover 0..n, on `workers` threads (-1: one a core)."""
    pieces = [slice(start, min(start + PIECE, n)) for start in range(0, n, PIECE)]
    with ThreadPoolExecutor(workers if workers > 0 else None) as pool:
        list(pool.map(function, pieces))


def propagate(
    ra: np.ndarray, dec: np.ndarray, pmra: np.ndarray, pmdec: np.ndarray, years: float, *, workers: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Positions (degrees) after `years` of uniform motion on the tangent plane.

    `pmra` (times cos dec) and `pmdec` in mas/yr; null proper motions count as zero. Parallax and radial velocity are
    left out: over 16 years they matter by less than a milliarcsecond for distant giants. `workers` threads reckon. With
    0 years the positions given come back as they are.
    """
    given = [np.asarray(values, dtype=float) for values in (ra, dec, pmra, pmdec)]
    if years == 0:
        return given[0], given[1]
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
    where none, the first of equally near ones), its separation [arcsec] (NaN where none), and how many lie within the
    radius. `workers` threads search.
    """
    from scipy.spatial import cKDTree

    n = len(ra)
    index, separation = np.full(n, -1, dtype=np.int64), np.full(n, np.nan)
    neighbours = np.zeros(n, dtype=np.int64)
    ra, dec, other_ra, other_dec = (np.asarray(values, dtype=float) for values in (ra, dec, other_ra, other_dec))
    other_order, others = _along_the_sky(other_ra, other_dec, workers)
    with ThreadPoolExecutor(1) as pool:  # one thread builds the tree, while others put the points in order
        built = pool.submit(cKDTree, others, leafsize=32, balanced_tree=False, compact_nodes=False)
        if workers == 1:
            built.result()
        order, points = _along_the_sky(ra, dec, workers)
    tree = built.result()
    if len(order) == 0 or len(other_order) == 0:
        return index, separation, neighbours
    chord = float(2.0 * np.sin(np.radians(radius_arcsec / 3600.0) / 2.0))
    # The answers to all at once would take as much memory as all positions.
    for piece in progress(pieces(len(order)), len(order), "positions", each=ROW_GROUP):
        place, point = order[piece], points[piece]
        distance, nearest = tree.query(point, k=2, distance_upper_bound=np.nextafter(chord, 1.0), workers=workers)
        hit, several = np.isfinite(distance).T
        index[place[hit]] = other_order[nearest[hit, 0]]
        separation[place[hit]] = 3600.0 * chord_angle(distance[hit, 0])
        neighbours[place] = hit
        # Few points have a second neighbour, so only those are counted out.
        neighbours[place[several]] = tree.query_ball_point(point[several], chord, return_length=True, workers=workers)
        tied = several & (distance[:, 0] == distance[:, 1])
        if tied.any():  # which of them the tree gives depends on all that it holds
            most = neighbours[place[tied]].max()
            distance, nearest = tree.query(point[tied], k=most, distance_upper_bound=np.nextafter(chord, 1.0))
            equal = distance == distance[:, :1]
            numbers = other_order[np.where(equal, nearest, 0)]
            index[place[tied]] = np.where(equal, numbers, np.iinfo(np.int64).max).min(axis=1)
    return index, separation, neighbours


@dataclass(frozen=True)
class Match:
    """How a cross-match by position is made: epochs in Julian years, `workers` threads."""

    target_epoch: float
    gaia_epoch: float
    radius_arcsec: float
    tmass_radius_arcsec: float
    workers: int = 1


@dataclass(frozen=True)
class Counterparts:
    """The counterparts of N targets.

    `sources` has the Gaia sources that are one, `source` (N,) the row there, -1 where there is none, `separation`
    [arcsec] and `neighbours` (N,) as in match_nearest. `others` has by role (tmass, distances) a table, and for each of
    `sources` the row there or -1. `among` Gaia sources.
    """

    source: np.ndarray
    separation: np.ndarray
    neighbours: np.ndarray
    sources: pd.DataFrame
    others: dict[str, tuple[pd.DataFrame, np.ndarray]]
    among: int


Check = Callable[[pd.DataFrame], None]


def find_counterparts(
    targets: TableFile,
    gaia: TableFile,
    tmass: TableFile | None = None,
    distances: TableFile | None = None,
    *,
    how: Match,
    check: Check = lambda frame: None,
) -> Counterparts:
    """Counterparts by position: Gaia at the targets' epoch, 2MASS at J2000; distances by source_id.

    Positions, proper motions and identifiers are read first, then the rest, of the counterparts alone. `check` is
    called with Gaia's positions, then with the counterparts. Raises TableError where the Gaia or the distances table
    holds a source twice, or targets have a column of Gaia's.
    """
    given = [name for name in [*GAIA, *(name for name in gaia.names if name not in STANDARD)] if name in gaia.names]
    clash = sorted(set(targets.names) & {*GAIA, *given, *MATCH, *(TMASS if tmass is not None else {})})
    if clash:
        raise TableError(f"targets: columns {', '.join(clash)} would be overwritten by Gaia's; name them otherwise")
    near, rows = nearest_gaia(targets, gaia, how, check)
    if tmass is not None:
        near.others["tmass"] = nearest_tmass(near.sources, tmass, how)
    if distances is not None:
        near.others["distances"] = distances_of(near.sources["source_id"], distances)
    release = [name for name in RELEASE if name in gaia.names]
    rest = _of_rows(gaia, [*(name for name in given if name not in near.sources), *release], rows)
    sources = {name: (near.sources if name in near.sources else rest)[name] for name in given}
    sources = pd.DataFrame(sources, copy=False)
    check(sources.assign(**{name: rest[name] for name in release}))
    return replace(near, sources=sources)


def nearest_gaia(targets: TableFile, gaia: TableFile, how: Match, check: Check) -> tuple[Counterparts, np.ndarray]:
    """The nearest Gaia source of each target, with the columns MOVING alone, and the rows of these in its table."""
    sources = _whole(gaia, MOVING)
    _refuse_twice("Gaia", [_numbers(sources["source_id"])])
    check(sources)
    then = propagate(*_motions(sources), how.target_epoch - how.gaia_epoch, workers=how.workers)
    places = _whole(targets, ("target_ra", "target_dec"))
    position = floats(places, "target_ra"), floats(places, "target_dec")
    index, separation, neighbours = match_nearest(*position, *then, how.radius_arcsec, workers=how.workers)
    used, index = _used(index, len(sources))
    near = sources[used].reset_index(drop=True)
    return Counterparts(index, separation, neighbours, near, {}, len(sources)), np.flatnonzero(used)


def nearest_tmass(sources: pd.DataFrame, tmass: TableFile, how: Match) -> tuple[pd.DataFrame, np.ndarray]:
    """2MASS sources that are the nearest of a Gaia source, and for each of these the row there, -1 where none."""
    at_2000 = propagate(*_motions(sources), 2000.0 - how.gaia_epoch, workers=how.workers)
    places = _whole(tmass, ("ra", "dec"))
    position = floats(places, "ra"), floats(places, "dec")
    index, _, _ = match_nearest(*at_2000, *position, how.tmass_radius_arcsec, workers=how.workers)
    used, index = _used(index, len(places))
    return _of_rows(tmass, [name for name in TMASS if name in tmass.names], np.flatnonzero(used)), index


def distances_of(source_id: pd.Series, distances: TableFile) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows of the table of distances for these sources, and for each source the row there, -1 where there is none."""
    names = [name for name in DISTANCES if name in distances.names]
    wanted = _numbers(source_id)
    order = np.argsort(wanted)
    ascending = wanted[order]
    columns, source, ids = {name: [] for name in names}, [], []
    for piece in distances.pieces(["source_id", *names]):
        ids.append(_numbers(piece["source_id"]))
        place = np.minimum(np.searchsorted(ascending, ids[-1]), len(ascending) - 1)
        hit = (ascending[place] == ids[-1]) & (ids[-1] != 0) if len(ascending) else np.zeros(len(piece), dtype=bool)
        source.append(order[place[hit]])
        for name in names:
            columns[name].append(piece[name][hit])
    _refuse_twice("distances", ids)
    source, row = np.concatenate(source), np.full(len(wanted), -1)
    row[source] = np.arange(len(source))
    return join_pieces(columns), row


def _motions(sources: pd.DataFrame) -> list[np.ndarray]:
    return [floats(sources, name) for name in MOVING[1:]]


def _whole(table: TableFile, names: Sequence[str]) -> pd.DataFrame:
    """These columns of all rows."""
    columns: dict[str, list[pd.Series]] = {name: [] for name in names}
    for piece in table.pieces(names):
        for name in names:
            columns[name].append(piece[name])
    return join_pieces(columns)


def _of_rows(table: TableFile, names: Sequence[str], rows: np.ndarray) -> pd.DataFrame:
    """These columns of the rows with these numbers, which ascend."""
    columns, whole = {name: [] for name in names}, {}
    for piece in table.pieces(names, rows=rows) if names else ():
        first, last = np.searchsorted(rows, [piece.index.start, piece.index.stop])
        piece = piece.iloc[rows[first:last] - piece.index.start]
        for name in names:
            if piece[name].dtype == float:  # most columns: their room is taken once
                whole.setdefault(name, np.empty(len(rows)))[first:last] = piece[name]
            else:
                columns[name].append(piece[name])
    whole |= {name: pd.concat(pieces, ignore_index=True) for name, pieces in columns.items() if name not in whole}
    return pd.DataFrame({name: whole[name] for name in names}, copy=False)


def _used(index: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of n rows an index names (-1: none), and the index into those alone."""
    used = np.zeros(n, dtype=bool)
    used[index[index >= 0]] = True
    place = np.append(np.cumsum(used) - 1, -1)  # the last is that of -1
    return used, place[index]


def _numbers(source_id: pd.Series) -> np.ndarray:
    """Identifiers as whole numbers, 0 for a null."""
    return source_id.to_numpy(dtype=np.int64, na_value=0)


def _refuse_twice(name: str, numbers: list[np.ndarray]) -> None:
    """Raise TableError where an identifier stands twice."""
    ascending = np.sort(np.concatenate(numbers))
    if twice := int(((ascending[1:] == ascending[:-1]) & (ascending[1:] != 0)).sum()):
        raise TableError(f"{name} table: {twice} source_ids stand more than once")


def _take(table: pd.DataFrame, index: np.ndarray) -> pd.DataFrame:
    """Rows of `table` by their number, null where the index is -1; identifiers stay whole numbers."""
    whole = {name: "Int64" for name in table.columns if pd.api.types.is_integer_dtype(table[name].dtype)}
    return table.astype(whole).reindex(index).reset_index(drop=True)


def attach(targets: TableFile, counterparts: Counterparts) -> Iterator[pd.DataFrame]:
    """The targets, piece by piece, with the columns of their counterparts.

    Columns: those of `targets`, `preselected`, GAIA and what the Gaia table has beyond STANDARD, TMASS, DISTANCES,
    `match_separation` [arcsec] and `match_neighbours`; nulls where there is no counterpart.
    """
    for piece in targets.pieces():
        rows = slice(piece.index.start, piece.index.stop)
        source = counterparts.source[rows]
        parts = [piece.reset_index(drop=True), pd.DataFrame({"preselected": np.ones(len(piece), dtype=bool)})]
        parts.append(_take(counterparts.sources, source))
        for table, place in counterparts.others.values():
            parts.append(_take(table, np.append(place, -1)[source]))
        neighbours = pd.array(counterparts.neighbours[rows], dtype="Int64")
        parts.append(pd.DataFrame({"match_separation": counterparts.separation[rows], "match_neighbours": neighbours}))
        yield pd.concat(parts, axis=1)
