"""The stars of a tracers table piece by piece, and stars drawn from it: a table may be larger than the memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.offsets.weighted import LEARNED, Scatter, error_by_magnitude
from gaia_offsets.sky.positions import FRAMES, finest_counts, finest_nside
from gaia_offsets.tables.parquet import read_pieces

DRAWN = 1_000_000  # stars, evenly drawn, that stand for a larger sample where a fit goes through it many times
ERRORS = ("solution", "phot_g_mean_mag", "parallax_error")
# What star_table takes of the table; a correction by another name needs its own column besides.
MEASURED = (*ERRORS, "parallax", "parallax_corrected", "reference_parallax", "reference_parallax_error")


@dataclass(frozen=True)
class Tracers:
    """Columns of a tracers table, to be gone through as often as needed; all of them where none are named.

    `colour`, where given, is a column that stands in the pieces once more as `colour`.
    """

    path: str
    columns: Collection[str] | None = None
    colour: str | None = None

    def __iter__(self) -> Iterator[pd.DataFrame]:
        for piece in read_pieces(self.path, {*self.columns, self.colour} if self.colour else self.columns):
            yield piece.assign(colour=piece[self.colour]) if self.colour else piece


def drawn_stars(tracers: Iterable[pd.DataFrame], solutions: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Every star of each solution; of more than DRAWN every second, fourth, ... one, as many as are at most DRAWN."""
    drawn = {solution: _Drawn() for solution in solutions}
    for piece in tracers:
        for solution, some in drawn.items():
            some.add(piece, np.flatnonzero(piece["solution"] == solution))
    return {solution: some.together() for solution, some in drawn.items()}


class _Drawn:
    def __init__(self) -> None:
        self._step, self._seen, self._parts = 1, 0, []

    def add(self, piece: pd.DataFrame, rows: np.ndarray) -> None:
        # By their places, which copies them: a slice is a view, and would keep the whole piece in memory.
        self._parts.append(piece.iloc[rows[-self._seen % self._step :: self._step]])
        self._seen += len(rows)
        while sum(map(len, self._parts)) > DRAWN:
            drawn = self.together()
            self._parts, self._step = [drawn.iloc[np.arange(0, len(drawn), 2)]], 2 * self._step

    def together(self) -> pd.DataFrame:
        return pd.concat(self._parts, ignore_index=True)


def read_scatter(path: str, reference_kind: str, tracers: str) -> Scatter:
    """scatter.csv, with the typical error of Gaia by magnitude where the stars of the tracers table have learned it."""
    table, typical = pd.read_csv(path), {}
    if reference_kind == LEARNED:
        for solution, stars in drawn_stars(Tracers(tracers, ERRORS), table["solution"].unique()).items():
            g, error = (stars[name].to_numpy(dtype=float, na_value=np.nan) for name in ERRORS[1:])
            typical[solution] = error_by_magnitude(g, 1000.0 * error)
    return Scatter(reference_kind, table, typical)


def choose_nside(tracers: Iterable[pd.DataFrame], solution: str, settings: dict[str, Any]) -> int:
    """The nside of the config, or the finest that a solution's stars fill; by equatorial pixels in either frame."""
    if settings["nside"] != "auto":
        return settings["nside"]
    counts: np.ndarray | int = 0
    for piece in tracers:
        known = (piece["solution"] == solution).to_numpy() & np.isfinite(piece["offset_raw"].to_numpy(dtype=float))
        counts = counts + finest_counts(*(piece.loc[known, name].to_numpy() for name in FRAMES["equatorial"]))
    return finest_nside(counts, more_than=settings["more_than"])
