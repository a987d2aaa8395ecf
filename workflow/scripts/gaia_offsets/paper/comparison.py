"""What the comparisons with other catalogues share (Sect. 2, Figs. 1 to 3)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.faults import TableError
from gaia_offsets.sample.selection import best_rows
from gaia_offsets.tables.parquet import read_pieces
from gaia_offsets.tables.values import as_numbers


def column(table: pd.DataFrame, name: str, figure: str) -> np.ndarray:
    """A column as float64 (N,), null where unknown. Raises TableError that says what to set where it is missing."""
    if name not in table.columns:
        raise TableError(
            f"{figure}: the cross-matched table has no column {name!r}; name the file's column in `columns:` of the "
            "sample, or set its `comparison` to null"
        )
    return as_numbers(table[name], f"{figure}: {name!r}")


def matched_spectra(
    path: str, learned: str | list[str], columns: Collection[str] | None = None
) -> Iterator[pd.DataFrame]:
    """Pieces of the cross-matched spectra, with what the rule learn_magnitudes says of them where the sample has that.

    Of `columns` (all where not given) those that the table has.
    """
    pieces = read_pieces(path, columns)
    if not learned:
        yield from pieces
        return
    for piece, more in zip(pieces, read_pieces(learned), strict=True):
        if len(piece) != len(more):
            raise TableError(f"{learned}: its rows are not those of {path}; make it again")
        yield piece.assign(**more)


def read_observed(
    path: str, learned: str | list[str], columns: Collection[str], one_row_per: dict[str, Any] | None, *, min_snr: float
) -> pd.DataFrame:
    """The `columns` of `observed_stars`, read with no more rows at a time than it takes."""
    keys = (*one_row_per["columns"], one_row_per.get("prefer"), one_row_per.get("ties")) if one_row_per else ()
    pieces = matched_spectra(path, learned, {*columns, "source_id", "snr", *keys})
    candidates = pd.concat([_candidates(piece, one_row_per, min_snr) for piece in pieces], ignore_index=True)
    return observed_stars(candidates, one_row_per, min_snr=min_snr)


def _candidates(spectra: pd.DataFrame, one_row_per: dict[str, Any] | None, min_snr: float) -> pd.DataFrame:
    """Spectra with a Gaia counterpart; those of too low SNR are left out where that changes no star's best one."""
    use = spectra["source_id"].notna().to_numpy()
    if one_row_per is None or one_row_per.get("prefer") == "snr":  # the best spectrum has the highest
        use = use & (column(spectra, "snr", "Figs. 1 and 2") >= min_snr)
    return spectra[use]


def observed_stars(matched: pd.DataFrame, one_row_per: dict[str, Any] | None, *, min_snr: float) -> pd.DataFrame:
    """One row a star of the cross-matched spectra, with a Gaia counterpart and SNR >= `min_snr` (Sect. 2)."""
    stars = _candidates(matched, one_row_per, min_snr)
    if one_row_per:
        stars = stars[best_rows(stars, one_row_per["columns"], one_row_per.get("prefer"), one_row_per.get("ties"))]
    return stars[column(stars, "snr", "Figs. 1 and 2") >= min_snr]
