"""What a run found, for its entry page and the top of its report: the offsets of its samples beside published ones."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.columns import PARALLAXES
from gaia_offsets.report.page_corrections import one_percent


def medians(samples: Sequence[Mapping[str, Any]], *tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """A row for each sample and solution: offset of each parallax with its error [uas], and what it hangs on.

    `tables` are global_offsets.csv and corrections.csv of the `samples` (title, simulated, correction in words, and the
    statistic, median or weighted_mean). A solution without stars has no row.
    """
    rows = []
    for sample, offsets, compared in zip(samples, *tables, strict=True):
        for solution, part in offsets.groupby("solution"):
            by_parallax = part.set_index("parallax").reindex([*PARALLAXES])
            raw, corrected = by_parallax["n"].fillna(0).astype(int)
            if raw or corrected:
                row = {"sample": sample["title"] + " (simulated stars: nothing about Gaia)" * sample["simulated"]}
                statistic = sample.get("statistic", "median")
                row["sample"] += " (weighted mean)" * (statistic != "median")
                row |= {"solution": solution}
                for name, values in by_parallax.iterrows():
                    row |= {name: values[statistic], f"{name}_error": values[f"{statistic}_error"]}
                row["correction"] = sample["correction"] if np.isfinite(row["corrected"]) else ""
                row["one_percent"] = one_percent(compared, solution)
                row["stars"] = f"{raw:,}" if corrected == raw else f"{raw:,}, {corrected:,} corrected"
                rows.append(row)
    return pd.DataFrame(rows)


def side_by_side(published: pd.DataFrame) -> pd.DataFrame:
    """Published offsets with a row for both parallaxes; `published` are rows of samples.csv."""
    keys = ["label", "solution", "reference"]
    lines = published[keys].drop_duplicates()
    for parallax in PARALLAXES:
        part = published[published["parallax"] == parallax]
        part = part.rename(columns={"offset": parallax, "error": f"{parallax}_error"})
        lines = lines.merge(part[[*keys, parallax, f"{parallax}_error"]], how="left", on=keys)
    return lines[[*lines.columns.drop("reference"), "reference"]]


def picture(path: str | Path) -> str:
    """A PNG as an address that holds its data."""
    return f"data:image/png;base64,{base64.b64encode(Path(path).read_bytes()).decode()}"
