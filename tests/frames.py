"""The cross-match of tables in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from gaia_offsets.sky.match import Match, attach, find_counterparts


class Frame:
    """A table in memory as one piece, as a TableFile gives it."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.names = list(frame.columns)
        self._frame = frame.reset_index(drop=True)

    def pieces(self, names: Any = None, **_: Any) -> Iterator[pd.DataFrame]:
        yield self._frame[[name for name in self.names if names is None or name in names]]


def match_catalogues(
    targets: pd.DataFrame, gaia: pd.DataFrame, tmass: pd.DataFrame | None, distances: pd.DataFrame | None, **how: Any
) -> pd.DataFrame:
    """All targets with the columns of their counterparts; `how` are the settings of Match."""
    tables = [table if table is None else Frame(table) for table in (targets, gaia, tmass, distances)]
    return pd.concat(attach(tables[0], find_counterparts(*tables, how=Match(**how))), ignore_index=True)
