"""Values sorted by group: sums, medians and quantiles of many groups at once."""

from __future__ import annotations

import numpy as np

MAD_TO_SIGMA = 1.482602218505602  # 1 / Phi^-1(3/4)


class Segments:
    """Values sorted by group: `values` (N,), `starts` and `counts` (groups,), `labels` (groups,) ascending.

    Rows whose value is null are left out; a group without a value does not appear.
    """

    def __init__(self, values: np.ndarray, groups: np.ndarray) -> None:
        values = np.asarray(values, dtype=float)
        known = np.isfinite(values)
        values, groups = values[known], np.asarray(groups)[known]
        order = np.lexsort((values, groups))
        self.values = values[order]
        self.labels, self.starts, self.counts = np.unique(groups[order], return_index=True, return_counts=True)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum of an (N,) array over each group."""
        if len(self.starts) == 0:
            return np.zeros(0)
        return np.add.reduceat(values, self.starts)

    def spread(self, per_group: np.ndarray) -> np.ndarray:
        """A (groups,) array repeated to (N,)."""
        return np.repeat(per_group, self.counts)

    def quantile_at(self, rank: np.ndarray) -> np.ndarray:
        """Value at a fractional rank (0 is the lowest, counts - 1 the highest) of each group."""
        rank = np.clip(rank, 0, self.counts - 1)
        low = np.floor(rank).astype(np.int64)
        high = np.minimum(low + 1, self.counts - 1)
        part = rank - low
        return (1 - part) * self.values[self.starts + low] + part * self.values[self.starts + high]

    def medians(self) -> np.ndarray:
        """Median of each group."""
        return self.quantile_at((self.counts - 1) / 2)

    def robust_sigmas(self, medians: np.ndarray) -> np.ndarray:
        """Scaled median absolute deviation of each group."""
        deviation = np.abs(self.values - self.spread(medians))
        order = np.lexsort((deviation, self.spread(np.arange(len(self.counts)))))
        deviation = deviation[order]
        middle = (self.counts - 1) // 2, self.counts // 2
        pair = deviation[self.starts + middle[0]] + deviation[self.starts + middle[1]]
        return MAD_TO_SIGMA * pair / 2

    def restrict(self, keep: np.ndarray) -> Segments:
        """The segments of the groups where `keep` (groups,) is true."""
        part = object.__new__(Segments)
        part.values = self.values[self.spread(keep)]
        part.labels, part.counts = self.labels[keep], self.counts[keep]
        part.starts = np.concatenate([[0], np.cumsum(part.counts)[:-1]]).astype(np.int64)[: len(part.counts)]
        return part
