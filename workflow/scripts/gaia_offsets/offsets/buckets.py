"""Rows of many groups, put in in any order and taken out group by group: on disk where there are many."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

AT_ONCE = 1 << 22  # rows of several groups that are held in memory together
RANGES = 64  # of groups, into which more rows than that are sorted on disk


class Buckets:
    """Rows of so many groups, numbered from 0, put in piece by piece and taken out by ranges of groups.

    Up to AT_ONCE rows stay in memory, and come out as one range. More go to files of a temporary folder (TMPDIR), which
    is gone at the end; rows keep their order within a group. A context manager.
    """

    def __init__(self, groups: int) -> None:
        self._groups, self._width = groups, max(1, -(-groups // RANGES))
        self._held: list[tuple[np.ndarray, dict[str, np.ndarray]]] = []
        self._rows = 0
        self._folder: Path | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Buckets:
        return self

    def __exit__(self, *_: object) -> None:
        self._held = []
        self._stack.close()

    def add(self, group: np.ndarray, columns: Mapping[str, np.ndarray]) -> None:
        """Put in rows: group (N,) and float columns (N,), the same ones each time. ValueError beyond the groups."""
        if len(group) == 0:
            return
        if group.min() < 0 or group.max() >= self._groups:
            raise ValueError(f"groups {group.min()} to {group.max()} where there are {self._groups}")
        self._held.append((group.astype(np.int32), dict(columns)))
        self._rows += len(group)
        if self._rows > AT_ONCE and not self._folder:
            self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="gaia_offsets_")))
        if self._folder and sum(len(groups) for groups, _ in self._held) > AT_ONCE // 4:
            self._flush()

    def _flush(self) -> None:
        if self._held and self._folder:
            group, columns = self._together()
            self._write(self._folder, group, {name: columns(name) for name in self._held[0][1]})
            self._held = []

    def _together(self) -> tuple[np.ndarray, Callable[[str], np.ndarray]]:
        held = self._held
        group = np.concatenate([group for group, _ in held])
        return group, lambda name: np.concatenate([rows[name] for _, rows in held])

    def _write(self, folder: Path, group: np.ndarray, columns: Mapping[str, np.ndarray]) -> None:
        place = group // self._width
        counts = np.bincount(place)
        order, ends = np.argsort(place.astype(np.uint8), kind="stable"), np.cumsum(counts)
        for name, values in {"group": group, **columns}.items():
            ordered = values[order]
            for number in np.flatnonzero(counts):
                with (folder / f"{number}.{name}").open("ab") as stream:
                    ordered[ends[number] - counts[number] : ends[number]].tofile(stream)

    def ranges(self) -> Iterator[tuple[np.ndarray, Callable[[str], np.ndarray]]]:
        """Group (N,) of each range of groups, ascending, and what gives the column of a name: read when asked for."""
        folder = self._folder
        if folder:
            self._flush()
            for number in range(RANGES):
                if (folder / f"{number}.group").exists():
                    group = np.fromfile(folder / f"{number}.group", dtype=np.int32)
                    yield group, lambda name, number=number: np.fromfile(folder / f"{number}.{name}")
        elif self._held:
            yield self._together()
