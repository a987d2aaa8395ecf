"""Which targets the Gaia archive is asked for, in which chunks, and which of its answers is the star (Sect. 2.1)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.archive.adql import BRIDGE, Crossmatch, hops
from gaia_offsets.core.columns import DISTANCES, GAIA, MATCH, STANDARD, TMASS
from gaia_offsets.core.releases import TABLES
from gaia_offsets.sky.healpix import hp
from gaia_offsets.sky.match import match_nearest, propagate
from gaia_offsets.sky.positions import separation, unit_vectors
from gaia_offsets.tables.cuts import cut_mask
from gaia_offsets.tables.native import column_names
from gaia_offsets.tables.read import TableError, check_table, read_table, write_table

# Columns that a cross-match adds to the targets.
PROVIDED = {**GAIA, **TMASS, **DISTANCES}
# What identifiers of an unknown release may be, the first of equals preferred.
KINDS = ("source_id", "dr2_source_id", "dr3_source_id")


def key_columns(by: str) -> tuple[str, ...]:
    """Columns of the targets that a cross-match by position, source_id, dr2_source_id or dr3_source_id needs.

    By identifier they are those of a position: where gaia_source_id leads nowhere, that is asked by.
    """
    own = {"source_id": "source_id", "dr2_source_id": "gaia_dr2_source_id", "dr3_source_id": "gaia_dr3_source_id"}
    return (own[by],) if by in own else ("target_ra", "target_dec")


def upload_columns(targets: pd.DataFrame, *, by: str) -> dict[str, np.ndarray]:
    """Columns to upload: target_id and ra, dec [deg] or source_id (of the release, of DR2 or of DR3)."""
    names = ("ra", "dec") if by == "position" else ("source_id",)
    columns = {"target_id": targets["target_id"].to_numpy(dtype=np.int64)}
    for name, key in zip(names, key_columns(by), strict=True):
        columns[name] = targets[key].to_numpy(dtype=float if by == "position" else np.int64)
    return columns


def preselect(
    targets: pd.DataFrame, cuts: Sequence[dict[str, Any]], *, by: str, radius_arcsec: float
) -> tuple[np.ndarray, list[str]]:
    """Rows of the targets worth asking the archive for, and one line for each cut used.

    Used are the cuts on columns of the targets table that hold for every solution. A spectrum is left out only if
    neither it nor any spectrum that could be of the same star (within 2 `radius_arcsec`, or with the same identifier)
    passes all of them: later all spectra of a star are reduced to one, and that must be the same one. Spectra without
    a position or identifier are left out. By identifier the position decides, too: an identifier is believed only
    within `radius_arcsec` of it, so two spectra that find the same source lie within 2 `radius_arcsec` as well.

    Raises TableError where the key columns are missing or a column would be overwritten by the archive's.
    """
    keys = list(key_columns(by))
    needed = [*keys, "gaia_source_id"] if by == "identifier" else keys
    missing = [name for name in needed if name not in targets.columns]
    if missing:
        raise TableError(
            f"targets: no column {missing[0]!r}, which crossmatch.by: {by} needs; name it in targets.columns"
        )
    clash = sorted(set(targets.columns) & ({*PROVIDED, *MATCH} - set(keys)))
    if clash:
        raise TableError(
            f"targets: columns {', '.join(clash)} would be overwritten by the archive's; name them otherwise"
        )
    own = [c for c in cuts if c["column"] in targets.columns and c["column"] not in PROVIDED and not c.get("solution")]
    known = targets[keys].notna().all(axis=1).to_numpy()
    passed, lines = known.copy(), [f"{len(targets)} targets, {int(known.sum())} with {' and '.join(keys)}"]
    for cut in own:
        passed &= cut_mask(targets, cut)
        lines.append(f"cut on {cut['column']}: {int(passed.sum())} pass so far")
    left = np.flatnonzero(known & ~passed)
    if by in ("position", "identifier"):
        ra, dec = targets["target_ra"].to_numpy(), targets["target_dec"].to_numpy()
        near, _, _ = match_nearest(ra[left], dec[left], ra[passed], dec[passed], 2 * radius_arcsec)
        kin = near >= 0
    else:
        kin = targets[keys[0]].iloc[left].isin(targets.loc[passed, keys[0]]).to_numpy()
    passed[left[kin]] = True
    lines.append(
        f"{int(kin.sum())} more belong to stars that pass with another spectrum; {int(passed.sum())} to ask for"
    )
    return passed, lines


def targets_to_ask(targets: pd.DataFrame, *, by: str) -> pd.DataFrame:
    """The preselected targets along the sky, with the columns alone that a query needs; chunks are slices of them.

    The order is that of HEALPix (nested, nside 4096) or of the identifier, which begins with the HEALPix number: so
    each chunk is a compact part of the sky and of the archive's index.
    """
    keys, own = key_columns(by), ("gaia_source_id",) if by == "identifier" else ()
    rows = targets.loc[targets["preselected"].to_numpy(dtype=bool), ["target_id", *keys, *own]]
    if by in ("position", "identifier"):
        order = hp.ang2pix(4096, *(rows[key].to_numpy() for key in keys), nest=True, lonlat=True)
    else:
        order = rows[keys[0]].to_numpy(dtype=np.int64)
    return rows.iloc[np.argsort(order, kind="stable")]


def choose_counterparts(candidates: pd.DataFrame, targets: pd.DataFrame, match: Crossmatch) -> pd.DataFrame:
    """The best candidate of each target: one row a target, sorted by target_id, nulls where there is none.

    By position: candidates are carried from the release's epoch to the targets' by their proper motion, and must lie
    within the radius of the target then; the nearest is best. By an identifier of an earlier release: the fewest hops
    that the archive calls improbable, then the smallest difference in G, then the smallest distance, each summed over
    the hops of the archive's own match (adql.neighbourhoods; an unknown difference comes last); with `match.agree` only
    among those that lie within the radius, as by position, and with that separation. Ties go to the lower source_id.
    Of the rows of one source the one with the best match to the bridge is taken, by the same rule.

    Columns: target_id, GAIA, TMASS, DISTANCES, `match.more_columns`, match_separation [arcsec], match_neighbours.
    """
    sources = candidates[candidates["source_id"].notna()].reset_index(drop=True)
    hop, bridge = _ranks(sources, r"\d+", "hop"), _ranks(sources, BRIDGE, BRIDGE)
    sources = sources.assign(**hop, **bridge, match_separation=hop["hop_distance"] / 1000.0)
    if match.by == "position" or match.agree:
        motions = [sources[name].to_numpy(dtype=float) for name in ("ra", "dec", "pmra", "pmdec")]
        own = targets.set_index("target_id").loc[sources["target_id"], ["target_ra", "target_dec"]]
        own = own.to_numpy(dtype=float)
        then = unit_vectors(*propagate(*motions, match.years))
        sources["match_separation"] = 3600.0 * separation(unit_vectors(own[:, 0], own[:, 1]), then)
        sources = sources[sources["match_separation"] <= match.radius_arcsec]
    # A source with two 2MASS entries comes twice; the one with the smaller error stays.
    ties = ["target_id", *hop, "match_separation", "source_id", *bridge, "ks_msigcom", "ks_m"]
    sources = sources.sort_values(ties, kind="stable").drop_duplicates(["target_id", "source_id"])
    neighbours = sources.groupby("target_id").size()
    nearest = sources.drop_duplicates("target_id").set_index("target_id")
    every = np.sort(targets["target_id"].to_numpy(dtype=np.int64))
    chosen = nearest.reindex(index=every, columns=[*PROVIDED, *match.more_columns, "match_separation"])
    chosen["match_neighbours"] = neighbours.reindex(every, fill_value=0)
    for name in match.more_columns:
        chosen[name] = pd.to_numeric(chosen[name]).astype("Float64").astype("float64")
    checked = check_table(chosen, list(chosen.columns), "answer of the archive")
    return checked.rename_axis("target_id").reset_index()


def identified(targets: pd.DataFrame, kind: str) -> pd.DataFrame:
    """The targets that have a gaia_source_id (above 0), with it in the key column of `kind` (one of KINDS)."""
    known = targets[(targets["gaia_source_id"] > 0).fillna(False).to_numpy(dtype=bool)]
    return known.assign(**{key_columns(kind)[0]: known["gaia_source_id"]})


def possible_kinds(release: Mapping[str, Any]) -> list[str]:
    """The KINDS that a release has tables for."""
    return [kind for kind in KINDS if all(release.get(role) for role in hops(release, kind))]


def _ranks(rows: pd.DataFrame, suffix: str, name: str) -> dict[str, np.ndarray]:
    """How good the archive's own matches are, the best first in the order of these columns: sums over their hops.

    Hops that it calls improbable; absolute differences in G [mag] and distances [mas], null where one is. `suffix` is a
    pattern of that of the hops' columns.
    """

    def of_hops(column: str) -> pd.DataFrame:
        return rows[[name for name in rows.columns if re.fullmatch(f"{column}_({suffix})", name)]]

    def total(column: str) -> np.ndarray:
        values = of_hops(column).astype("float64").abs()
        return values.sum(axis=1, min_count=max(values.shape[1], 1)).to_numpy()

    return {
        f"{name}_improbable": (~of_hops("probable_match").apply(is_true)).sum(axis=1).to_numpy(),
        f"{name}_fainter": total("magnitude_difference"),
        f"{name}_distance": total("angular_distance"),
    }


def is_true(values: pd.Series) -> pd.Series:
    """Truth values of a service, which come as such, as numbers or as text (true, t, 1); null is false."""
    return values.astype(str).str.lower().isin(["true", "t", "1", "1.0"])


def nearest_in_bridge(rows: pd.DataFrame) -> pd.DataFrame:
    """One source for each identifier of the bridge, and one identifier for each source, without the hop's columns.

    `rows` is what a query gives whose join goes through a neighbourhood (table_query.bridge_columns); of several pairs
    the best by the rule of choose_counterparts stays. The order of the rows is kept.
    """
    hop = [name for name in ("dr3_source_id", *TABLES["dr3_neighbourhood"][2:]) if name in rows]
    pairs = rows.rename(columns={name: f"{name}_{BRIDGE}" for name in hop[1:]})
    ranks = _ranks(pairs, BRIDGE, BRIDGE)
    pairs = rows[["source_id", "dr3_source_id"]].assign(**ranks).sort_values([*ranks, "source_id"], kind="stable")
    pairs = pairs.drop_duplicates("dr3_source_id").drop_duplicates("source_id")
    return rows.loc[pairs.index.sort_values()].drop(columns=hop).reset_index(drop=True)


def ambiguous(answer: pd.DataFrame, by: str) -> str:
    """One line for the log: targets with more than one candidate."""
    several = int((answer["match_neighbours"] > 1).sum())
    how = "the nearest" if by == "position" else "the best by probable match, difference in G, distance"
    return f"{several} targets are ambiguous, with more than one Gaia source: {how} is taken"


def bridge_line(candidates: pd.DataFrame) -> str | None:
    """One line for the log: what of the candidates the release's bridge knows; None where it is not needed."""
    if f"angular_distance_{BRIDGE}" not in candidates:
        return None
    pairs = candidates.loc[candidates["source_id"].notna(), ["source_id", f"angular_distance_{BRIDGE}"]]
    known = pairs.dropna().drop_duplicates().groupby("source_id").size()
    return (
        f"{pairs['source_id'].nunique()} Gaia sources came back, {len(known)} with an identifier in the bridge, "
        f"{int((known > 1).sum())} with several: the best by probable match, difference in G, distance is taken"
    )


def merge_chunks(targets: pd.DataFrame, chunks: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """All targets with the counterparts of all chunks, sorted by target_id; nulls where the archive was not asked.

    Raises TableError where a preselected target is missing in the chunks, stands in two, or does not belong.
    """
    answers = pd.concat(chunks, ignore_index=True)
    asked = targets.loc[targets["preselected"], "target_id"].to_numpy(dtype=np.int64)
    twice = int(answers["target_id"].duplicated().sum())
    lost = np.setdiff1d(asked, answers["target_id"])
    more = np.setdiff1d(answers["target_id"], asked)
    if twice or len(lost) or len(more):
        raise TableError(
            f"chunks of the archive: {len(lost)} of {len(asked)} targets missing, {twice} twice, "
            f"{len(more)} not asked for; delete the folder `archive` of this sample and run again"
        )
    # By source_id the targets' own identifier gives way to the archive's: null where the archive does not know it.
    kept = targets.drop(columns=[name for name in targets.columns if name in PROVIDED])
    clash = sorted(set(kept.columns) & set(answers.columns) - {"target_id"})
    if clash:
        raise TableError(f"targets: columns {', '.join(clash)} come from the archive too; name them otherwise")
    merged = kept.merge(answers, on="target_id", how="left").sort_values("target_id", kind="stable", ignore_index=True)
    merged["match_neighbours"] = merged["match_neighbours"].fillna(0)
    return merged


def read_whole(path: str | Path) -> pd.DataFrame:
    """A table of this room with all its columns, also those without a standard name."""
    units = {name: {"unit": STANDARD[name].unit} for name in STANDARD}
    return read_table(path, {name: {"column": name, **units.get(name, {})} for name in column_names(path)})


def write_whole(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a table under its name only when it is complete: what is there is never fetched again."""
    path = Path(path)
    part = path.with_name(f".{path.name}")
    write_table(frame, part)
    os.replace(part, path)


def progress_line(folder: str | Path, chunks: int, seconds: float) -> str:
    """How many chunks of the sample are there, and how long the others take if each takes `seconds`."""
    done = len(list(Path(folder).glob("chunk_*.parquet")))
    return f"{done} of {chunks} chunks are there; the rest takes {(chunks - done) * seconds:.0f} s one after another"
