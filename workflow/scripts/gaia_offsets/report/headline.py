"""What a run found, for the top of its report: the offsets of its samples, and Fig. 4 and the map of the first."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.columns import PARALLAXES
from gaia_offsets.core.words import number


def headline(samples: Sequence[Mapping[str, Any]], tables: Sequence[pd.DataFrame]) -> list[dict[str, Any]]:
    """Rows of the table: sample, whether it is simulated, solution, offset of each parallax [uas] and stars, as text.

    `tables` are global_offsets.csv of the `samples` (title, simulated, official). A solution without stars has no row.
    """
    rows = []
    for sample, table in zip(samples, tables, strict=True):
        for solution, part in table.groupby("solution"):
            by_parallax = part.set_index("parallax").reindex([*PARALLAXES])
            stars = [f"{int(n):,}" for n in by_parallax["n"].fillna(0)]
            if any(n != "0" for n in stars):
                rows.append(
                    {
                        "sample": sample["title"],
                        "simulated": sample["simulated"],
                        "official": sample["official"],
                        "solution": solution,
                        **{name: _median(by_parallax.loc[name]) for name in PARALLAXES},
                        "stars": ", ".join(dict.fromkeys(stars)),
                    }
                )
    return rows


def _median(row: pd.Series) -> str:
    if not np.isfinite(row["median"]):
        return ""
    error = f" \N{PLUS-MINUS SIGN} {row['median_error']:.1f}" if np.isfinite(row["median_error"]) else ""
    return f"{number(row['median'], '+.1f')}{error}"


def picture(path: str | Path) -> str:
    """A PNG as an address that holds its data."""
    return f"data:image/png;base64,{base64.b64encode(Path(path).read_bytes()).decode()}"
