"""The stars of a tracers table piece by piece, and stars drawn from it: a table may be larger than the memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gaia_offsets.tables import read_pieces
from gaia_offsets.weighted import DRAWN, LEARNED, Scatter, error_by_magnitude

ERRORS = ("solution", "phot_g_mean_mag", "parallax_error")
# What star_table takes of the table; a correction by another name needs its own column besides.
MEASURED = (*ERRORS, "parallax", "parallax_corrected", "reference_parallax", "reference_parallax_error")


@dataclass(frozen=True)
class Tracers:
    """Columns of a tracers table, to be gone through as often as needed; all of them where none are named."""

    path: str
    columns: Collection[str] | None = None

    def __iter__(self) -> Iterator[pd.DataFrame]:
        return read_pieces(self.path, self.columns)


def drawn_stars(tracers: Iterable[pd.DataFrame], solution: str) -> pd.DataFrame:
    """Every star of a solution, or of more than DRAWN every so manieth; `tracers` is gone through twice."""
    many = sum(int((piece["solution"] == solution).sum()) for piece in tracers)
    step, seen, parts = max(1, -(-many // DRAWN)), 0, []
    for piece in tracers:
        stars = piece[(piece["solution"] == solution).to_numpy()]
        parts.append(stars.iloc[-seen % step :: step])
        seen += len(stars)
    return pd.concat(parts, ignore_index=True)


def read_scatter(path: str, reference_kind: str, tracers: str) -> Scatter:
    """scatter.csv, with the typical error of Gaia by magnitude where the stars of the tracers table have learned it."""
    table, typical = pd.read_csv(path), {}
    if reference_kind == LEARNED:
        for solution in table["solution"].unique():
            stars = drawn_stars(Tracers(tracers, ERRORS), solution)
            g, error = (stars[name].to_numpy(dtype=float, na_value=np.nan) for name in ERRORS[1:])
            typical[solution] = error_by_magnitude(g, 1000.0 * error)
    return Scatter(reference_kind, table, typical)
