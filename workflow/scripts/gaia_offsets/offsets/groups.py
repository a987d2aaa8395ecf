"""Stars sorted by group: sums, medians and quantiles of every group at once, without a loop over groups."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

MAD_TO_SIGMA = 1.482602218505602  # 1 / Phi^-1(3/4)


@dataclass(frozen=True)
class Groups:
    """Stars in order of their group, and inside a group in order of their value; `group_stars` makes it.

    `labels` (groups,) ascend and `counts` (groups,) are the numbers of stars; `values` (N,) are the sorted values and
    `rows` (N,) the places of the stars in the table that they come from.
    """

    labels: np.ndarray
    counts: np.ndarray
    values: np.ndarray
    rows: np.ndarray

    @cached_property
    def starts(self) -> np.ndarray:
        """Index (groups,) of the first star of each group."""
        return np.cumsum(self.counts) - self.counts

    def sums(self, array: np.ndarray) -> np.ndarray:
        """Sum (groups,) of a sorted (N,) array over each group."""
        return np.add.reduceat(array, self.starts) if len(self.counts) else np.zeros(0)

    def spread(self, per_group: np.ndarray) -> np.ndarray:
        """A (groups,) array repeated to (N,)."""
        return np.repeat(per_group, self.counts)

    def restrict(self, use: np.ndarray) -> Groups:
        """The groups of the mask `use` (groups,) alone."""
        stars = self.spread(use)
        return Groups(self.labels[use], self.counts[use], self.values[stars], self.rows[stars])

    def quantile_at(self, rank: np.ndarray) -> np.ndarray:
        """Value at a fractional rank (0 is the lowest, counts - 1 the highest) of each group."""
        rank = np.clip(rank, 0, self.counts - 1)
        low = np.floor(rank).astype(np.int64)
        high = np.minimum(low + 1, self.counts - 1)
        share = rank - low
        return (1 - share) * self.values[self.starts + low] + share * self.values[self.starts + high]

    def medians(self) -> np.ndarray:
        """Median of each group."""
        return self.quantile_at((self.counts - 1) / 2)

    def robust_sigmas(self, centres: np.ndarray) -> np.ndarray:
        """Scaled median absolute deviation of each group from its centre (groups,)."""
        deviations = np.abs(self.values - self.spread(centres))
        return MAD_TO_SIGMA * group_stars(deviations, self.spread(self.labels)).medians()


def group_stars(values: np.ndarray, labels: np.ndarray, known: np.ndarray | None = None) -> Groups:
    """Groups of stars by their labels (N,).

    A star whose value (N,) is null, or whose entry in `known` (N,) is False, is left out; a group without a star does
    not appear.
    """
    values, labels = np.asarray(values, dtype=float), np.asarray(labels)
    rows = np.flatnonzero(np.isfinite(values) if known is None else known & np.isfinite(values))
    rows = rows[np.lexsort((values[rows], labels[rows]))]
    ordered = labels[rows]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(rows)])
    return Groups(ordered[starts], np.diff(starts, append=len(rows)), values[rows], rows)
