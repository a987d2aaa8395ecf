"""Fig. 2: absolute magnitudes and colours of training-like stars against those of the giants."""

from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.columns import LEARNED
from gaia_offsets.paper.comparison import column

OWN = {"mks": "mks", "bp_rp": "bp_rp", "ebv": "ebv", "parallax": "parallax"}  # columns of the figure: the table's
WIDTHS = {"mks": 0.2, "bp_rp": 0.05}  # mag, bins of Fig. 2
COVERED = 10  # training-like stars in a bin of Fig. 2 that make it covered


def training_groups(
    observed: pd.DataFrame, giants: pd.DataFrame, magnitude: str, *, max_ebv: float
) -> dict[str, pd.DataFrame]:
    """Training-like stars (observed ones with E(B-V) < `max_ebv`) and giants: mks, bp_rp, ebv [mag], parallax [mas].

    Where the magnitudes are learned, the training stars are known, and E(B-V) may be.
    """
    if learned := magnitude == LEARNED:
        training = observed[observed["training"].to_numpy(dtype=bool)]
    else:
        training = observed[column(observed, "ebv", "Fig. 2") < max_ebv]
    own = {**OWN, "mks": magnitude}
    groups = {}
    for group, stars in (("training", training), ("giants", giants)):
        known = [name for name in own if not (learned and name == "ebv" and "ebv" not in stars.columns)]
        groups[group] = pd.DataFrame({name: column(stars, own[name], "Fig. 2") for name in known}).reindex(
            columns=list(own)
        )
    return groups


def training_histograms(groups: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Fig. 2: variable (mks|bp_rp), group (training|giants), bin_low, bin_high [mag], count, share of the group."""
    tables = []
    for variable, width in WIDTHS.items():
        known = {group: stars[variable].dropna().to_numpy() for group, stars in groups.items()}
        values = np.concatenate(list(known.values()))
        if len(values) == 0:
            continue
        edges = width * np.arange(np.floor(values.min() / width), np.floor(values.max() / width) + 2)
        for group, part in known.items():
            count, _ = np.histogram(part, edges)
            bins = {"bin_low": edges[:-1].round(6), "bin_high": edges[1:].round(6), "count": count}
            share = count / max(len(part), 1)
            tables.append(pd.DataFrame({"variable": variable, "group": group, **bins, "share": share}))
    columns = ["variable", "group", "bin_low", "bin_high", "count", "share"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def training_summary(groups: dict[str, pd.DataFrame], histograms: pd.DataFrame) -> pd.DataFrame:
    """One row a group: n, mean_parallax [mas], median_ebv [mag] and, for the giants, what share of them is covered.

    covered_mks and covered_bp_rp: share of the giants in bins with COVERED training-like stars or more.
    """
    rows = []
    for group, stars in groups.items():
        row: dict[str, Any] = {"group": group, "n": len(stars)}
        row["mean_parallax"] = stars["parallax"].mean()
        row["median_ebv"] = stars["ebv"].median()
        for variable in WIDTHS:
            bins = histograms[histograms["variable"] == variable].pivot(
                index="bin_low", columns="group", values="count"
            )
            known = group == "giants" and len(bins) and bins["giants"].sum() > 0
            covered = bins["giants"][bins["training"] >= COVERED].sum() / bins["giants"].sum() if known else np.nan
            row[f"covered_{variable}"] = covered
        rows.append(row)
    return pd.DataFrame(rows)
