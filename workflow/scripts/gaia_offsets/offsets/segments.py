"""Values of many groups at once: sums, medians and quantiles of each group, however many stars it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

MAD_TO_SIGMA = 1.482602218505602  # 1 / Phi^-1(3/4)
BLOCK = 1 << 15  # stars worked on at once: their arrays fit into a processor's cache


class Segments:
    """Values sorted by group: `values` (N,), `starts` and `counts` (groups,), `labels` (groups,) ascending.

    Within a group the values ascend; with `columns`, further arrays (N,) that stay beside their values, they are in the
    order given. Rows whose value is null are left out; a group without a value does not appear.
    """

    def __init__(self, values: np.ndarray, groups: np.ndarray, columns: tuple[np.ndarray, ...] = ()) -> None:
        values, groups = np.asarray(values, dtype=float), np.asarray(groups)
        known = np.isfinite(values)
        if not known.all():
            values, groups, columns = values[known], groups[known], tuple(column[known] for column in columns)
        self.labels, places, self.counts = _places(groups)
        self.starts = np.cumsum(self.counts) - self.counts
        if len(self.labels) < 2:
            self.values, self.columns = values if columns else np.sort(values), columns
            return
        order = by_place(places, None if columns else np.argsort(values))
        self.values, self.columns = values[order], tuple(column[order] for column in columns)

    def parts(self) -> Iterator[tuple[slice, Segments]]:
        """Places among the groups, and they alone: as many as hold about BLOCK stars, or one that holds more."""
        large = self.counts > BLOCK
        new = np.diff(self.starts // BLOCK, prepend=-1) > 0
        edges = np.append(np.flatnonzero(new | large | np.roll(large, 1)), len(self.counts))
        for start, stop in pairwise(edges):
            where = slice(start, stop)
            part = object.__new__(Segments)
            rows = slice(self.starts[start], self.starts[stop - 1] + self.counts[stop - 1])
            part.values, part.columns = self.values[rows], tuple(column[rows] for column in self.columns)
            part.labels, part.counts = self.labels[where], self.counts[where]
            part.starts = self.starts[where] - self.starts[start]
            yield where, part

    def blocks(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Rows of about BLOCK stars, places of their groups, and how many rows each of these has.

        A block holds whole groups, or a share of one, cut from its first star on: what is added up over a group does
        not depend on the other groups.
        """
        if len(self.values) <= BLOCK:
            yield slice(0, len(self.values)), slice(0, len(self.counts)), self.counts
            return
        for where, part in self.parts():
            start, stop = self.starts[where.start], self.starts[where.start] + len(part.values)
            if len(part.counts) > 1 or part.counts[0] <= BLOCK:
                yield slice(start, stop), where, part.counts
            else:
                for low in range(start, stop, BLOCK):
                    high = min(low + BLOCK, stop)
                    yield slice(low, high), where, np.array([high - low])

    def total(self, function: Callable[..., Any], *per_group: np.ndarray) -> np.ndarray:
        """Sums (..., groups) of function(values, *columns, *per_group), the last axis of whose result are the stars.

        The (groups,) arrays reach the function repeated. It is called block by block: little memory is needed. There
        must be a group.
        """
        found = np.zeros(0)
        for rows, where, counts in self.blocks():
            arrays = [self.values[rows], *(column[rows] for column in self.columns)]
            result = np.asarray(function(*arrays, *(np.repeat(array[where], counts) for array in per_group)))
            if rows.start == 0:
                found = np.zeros((*result.shape[:-1], len(self.counts)))
            found[..., where] += np.add.reduceat(result, np.cumsum(counts) - counts, axis=-1)
        return found

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
        pair = (self._farthest(medians, many) for many in ((self.counts + 1) // 2, self.counts // 2 + 1))
        return MAD_TO_SIGMA * sum(pair) / 2

    def _farthest(self, centres: np.ndarray, many: np.ndarray) -> np.ndarray:
        """Largest distance from each centre among the `many` values of its group that are nearest to it.

        They follow one another; the first of them is found by halving.
        """
        low, high = self.starts.copy(), self.starts + self.counts - many
        while (open_ := low < high).any():
            middle = (low + high) // 2
            beyond = np.minimum(middle + many, len(self.values) - 1)
            later = open_ & (centres - self.values[middle] > self.values[beyond] - centres)
            low, high = np.where(later, middle + 1, low), np.where(open_ & ~later, middle, high)
        return np.maximum(centres - self.values[low], self.values[low + many - 1] - centres)


def _places(groups: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, ascending, place (N,) of each row's group, and numbers of rows; whole numbers that lie close are quick.

    Places may leave some out: only their order counts.
    """
    whole = groups.dtype.kind in "iu" and len(groups) > 0
    low, high = (int(groups.min()), int(groups.max())) if whole else (0, 0)
    if whole and low == high:
        return groups[:1], groups, np.array([len(groups)])
    if not whole or high - low > 4 * len(groups) + BLOCK:
        return np.unique(groups, return_inverse=True, return_counts=True)
    places = groups - groups.dtype.type(low)
    counts = np.bincount(places)
    labels = np.flatnonzero(counts)
    return (labels + low).astype(groups.dtype), places, counts[labels]


def by_place(places: np.ndarray, order: np.ndarray | None = None) -> np.ndarray:
    """Rows by place, a whole number (N,); those of one place in the order given, or in that of the table."""
    for shift in range(0, max(int(places.max()).bit_length(), 1), 16):  # 16 bits are sorted without comparisons
        digit = ((places if order is None else places[order]) >> shift).astype(np.uint16)
        step = np.argsort(digit, kind="stable")
        order = step if order is None else order[step]
    return order
