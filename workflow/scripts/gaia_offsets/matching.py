"""Positional cross-match with proper motion: nearest neighbour within a radius, neighbours counted (Sect. 2.1)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gaia_offsets.columns import DISTANCES, GAIA, MATCH, STANDARD, TMASS
from gaia_offsets.tables import TableError

MAS_PER_DEG = 3.6e6


def unit_vectors(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Unit vectors (N, 3) of right ascension and declination in degrees."""
    ra, dec = np.radians(np.asarray(ra, dtype=float)), np.radians(np.asarray(dec, dtype=float))
    return np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def propagate(
    ra: np.ndarray, dec: np.ndarray, pmra: np.ndarray, pmdec: np.ndarray, years: float
) -> tuple[np.ndarray, np.ndarray]:
    """Positions (degrees) after `years` of uniform motion on the tangent plane.

    `pmra` (times cos dec) and `pmdec` in mas/yr; null proper motions count as zero. Parallax and radial velocity are
    left out: over 16 years they matter by less than a milliarcsecond for distant giants.
    """
    ra, dec = np.asarray(ra, dtype=float), np.asarray(dec, dtype=float)
    east = np.nan_to_num(np.asarray(pmra, dtype=float)) * years / MAS_PER_DEG
    north = np.nan_to_num(np.asarray(pmdec, dtype=float)) * years / MAS_PER_DEG
    a, d = np.radians(ra), np.radians(dec)
    zero = np.zeros_like(a)
    towards_east = np.column_stack([-np.sin(a), np.cos(a), zero])
    towards_north = np.column_stack([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)])
    moved = (
        unit_vectors(ra, dec) + np.radians(east)[:, None] * towards_east + np.radians(north)[:, None] * towards_north
    )
    new_ra = np.degrees(np.arctan2(moved[:, 1], moved[:, 0])) % 360.0
    new_dec = np.degrees(np.arctan2(moved[:, 2], np.hypot(moved[:, 0], moved[:, 1])))
    return new_ra, new_dec


def separation_arcsec(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angle in arcsec between unit vectors (N, 3), exact for small angles."""
    chord = np.linalg.norm(first - second, axis=-1)
    return np.degrees(2.0 * np.arcsin(np.clip(chord / 2.0, 0.0, 1.0))) * 3600.0


def _chord(radius_arcsec: float) -> float:
    return float(2.0 * np.sin(np.radians(radius_arcsec / 3600.0) / 2.0))


def _along_the_sky(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Order of the points along the nested HEALPix curve.

    Neighbours on the sky become neighbours in memory, which makes building and asking a KD-tree several times faster.
    """
    import healpy as hp

    return np.argsort(hp.ang2pix(4096, ra, dec, nest=True, lonlat=True), kind="stable")


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
    ra, dec = np.asarray(ra, dtype=float), np.asarray(dec, dtype=float)
    other_ra, other_dec = np.asarray(other_ra, dtype=float), np.asarray(other_dec, dtype=float)
    # A row without a position has no neighbour; the KD-tree would refuse the whole list.
    placed, others_placed = np.flatnonzero(np.isfinite(ra + dec)), np.flatnonzero(np.isfinite(other_ra + other_dec))
    order = placed[_along_the_sky(ra[placed], dec[placed])]
    other_order = others_placed[_along_the_sky(other_ra[others_placed], other_dec[others_placed])]
    if len(order) == 0 or len(other_order) == 0:
        return index, separation, neighbours
    points = unit_vectors(ra[order], dec[order])
    others = unit_vectors(other_ra[other_order], other_dec[other_order])
    tree = cKDTree(others, balanced_tree=False, compact_nodes=False)
    chord = _chord(radius_arcsec)
    distance, found = tree.query(points, k=2, distance_upper_bound=np.nextafter(chord, 1.0), workers=workers)
    hit, several = np.isfinite(distance).T
    index[order[hit]] = other_order[found[hit, 0]]
    separation[order[hit]] = separation_arcsec(points[hit], others[found[hit, 0]])
    neighbours[order] = hit
    # Few points have a second neighbour, so only those are counted out.
    neighbours[order[several]] = tree.query_ball_point(points[several], chord, return_length=True, workers=workers)
    return index, separation, neighbours


def _take(table: pd.DataFrame, index: np.ndarray, columns: list[str]) -> pd.DataFrame:
    """Rows of `table` by position, null where the index is -1; identifiers stay whole numbers."""
    whole = {name: "Int64" for name in columns if pd.api.types.is_integer_dtype(table[name].dtype)}
    found = (
        table[columns].astype(whole).reset_index(drop=True).reindex(pd.Index(np.where(index < 0, len(table), index)))
    )
    return found.reset_index(drop=True)


def match_catalogues(
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
) -> pd.DataFrame:
    """Targets with the columns of their Gaia counterpart, its 2MASS counterpart and its geometric distance.

    One row a target, in their order. Gaia positions are carried to the targets' epoch (Julian years), 2MASS is taken
    at J2000. Columns: those of `targets`, `preselected`, GAIA and what the Gaia table has beyond STANDARD, TMASS,
    DISTANCES, `match_separation` [arcsec] and `match_neighbours`; nulls where there is no counterpart.

    Raises TableError where the Gaia or the distances table holds a source twice.
    """
    for table, name in ((gaia, "Gaia"), (distances, "distances")):
        twice = 0 if table is None else int(table["source_id"].duplicated().sum())
        if twice:
            raise TableError(f"{name} table: {twice} source_ids stand more than once")
    motions = [gaia[name].to_numpy(dtype=float) for name in ("ra", "dec", "pmra", "pmdec")]
    then = propagate(*motions, target_epoch - gaia_epoch)
    index, separation, neighbours = match_nearest(
        targets["target_ra"].to_numpy(), targets["target_dec"].to_numpy(), *then, radius_arcsec, workers=workers
    )
    own = [name for name in gaia.columns if name not in STANDARD]
    clash = sorted(set(targets.columns) & {*GAIA, *own, *MATCH, *(TMASS if tmass is not None else {})})
    if clash:
        raise TableError(f"targets: columns {', '.join(clash)} would be overwritten by Gaia's; name them otherwise")
    parts = [
        targets.reset_index(drop=True),
        pd.DataFrame({"preselected": np.ones(len(targets), dtype=bool)}),
        _take(gaia, index, [*(name for name in GAIA if name in gaia.columns), *own]),
    ]
    if tmass is not None:
        at_2000 = propagate(*motions, 2000.0 - gaia_epoch)
        used = np.unique(index[index >= 0])
        their = tmass["ra"].to_numpy(), tmass["dec"].to_numpy()
        near, _, _ = match_nearest(at_2000[0][used], at_2000[1][used], *their, tmass_radius_arcsec, workers=workers)
        to_tmass = np.full(len(gaia), -1, dtype=np.int64)
        to_tmass[used] = near
        parts.append(
            _take(tmass, np.where(index >= 0, to_tmass[index], -1), [name for name in TMASS if name in tmass.columns])
        )
    if distances is not None:
        place = pd.Index(distances["source_id"]).get_indexer(gaia["source_id"])
        columns = [name for name in DISTANCES if name in distances.columns]
        parts.append(_take(distances, np.where(index >= 0, place[index], -1), columns))
    parts.append(
        pd.DataFrame(
            {"match_separation": separation, "match_neighbours": pd.array(neighbours, dtype="Int64")},
        )
    )
    return pd.concat(parts, axis=1)
