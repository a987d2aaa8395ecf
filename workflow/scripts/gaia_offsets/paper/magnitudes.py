"""Fig. 1: absolute magnitudes from Gaia distances against those of the catalogue."""

from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.columns import magnitude_column
from gaia_offsets.offsets.statistics import group_statistics
from gaia_offsets.paper.comparison import column
from gaia_offsets.sample.reference import extinction_ks

WIDTH = 0.02  # mag, bins of Fig. 1
REACH = 1.0  # mag


def magnitude_differences(stars: pd.DataFrame, reference: dict[str, Any], *, max_logg: float) -> pd.DataFrame:
    """Fig. 1: columns kind (dwarf|giant), difference [mag] = M_Gaia - M_catalogue, parallax [mas]; known ones only.

    M_Gaia comes from the apparent magnitude, the extinction and the geometric distance of Bailer-Jones et al. 2021.
    `reference` is that of the sample; giants have log g <= `max_logg`, dwarfs more (Sect. 2.1).
    """
    modulus = 5.0 * np.log10(column(stars, "r_med_geo", "Fig. 1")) - 5.0
    magnitude = column(stars, reference["apparent_magnitude"], "Fig. 1")
    gaia = magnitude - extinction_ks(stars, reference.get("extinction")) - modulus
    logg = column(stars, "logg", "Fig. 1")
    table = pd.DataFrame(
        {
            "kind": np.where(logg <= max_logg, "giant", "dwarf"),
            "difference": gaia - column(stars, magnitude_column(reference), "Fig. 1"),
            "parallax": column(stars, "parallax", "Fig. 1"),
        }
    )
    return table[np.isfinite(table["difference"]) & np.isfinite(logg)].reset_index(drop=True)


def magnitude_fits(differences: pd.DataFrame, gaussian: dict[str, Any]) -> pd.DataFrame:
    """Statistics of the differences [mag] of dwarfs and giants, and their median parallax [mas]."""
    kind = differences["kind"].to_numpy(dtype=str)
    table = group_statistics(differences["difference"].to_numpy(), kind, gaussian).rename_axis("kind").reset_index()
    table["median_parallax"] = differences.groupby("kind")["parallax"].median().reindex(table["kind"]).to_numpy()
    return table


def magnitude_histogram(differences: pd.DataFrame) -> pd.DataFrame:
    """Counts of the differences in bins centred on 0: kind, bin_low, bin_high [mag], count."""
    half = round(REACH / WIDTH)
    edges = (np.arange(-half, half + 2) - 0.5) * WIDTH
    tables = []
    for kind, part in differences.groupby("kind", sort=True):
        count, _ = np.histogram(part["difference"], edges)
        tables.append(pd.DataFrame({"kind": kind, "bin_low": edges[:-1], "bin_high": edges[1:], "count": count}))
    columns = ["kind", "bin_low", "bin_high", "count"]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)
