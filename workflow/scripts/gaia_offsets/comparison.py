"""The sample against other catalogues: absolute magnitudes, training stars, red clump stars (Sect. 2, Figs. 1 to 3)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.estimators import group_statistics
from gaia_offsets.matching import match_nearest, propagate
from gaia_offsets.reference import extinction_ks
from gaia_offsets.selection import best_rows
from gaia_offsets.tables import TableError

MAGNITUDE_WIDTH = 0.02  # mag, bins of Fig. 1
MAGNITUDE_REACH = 1.0  # mag
TRAINING_WIDTHS = {"mks": 0.2, "bp_rp": 0.05}  # mag, bins of Fig. 2
COVERED = 10  # training-like stars in a bin of Fig. 2 that make it covered


def _column(table: pd.DataFrame, name: str, figure: str) -> np.ndarray:
    if name not in table.columns:
        raise TableError(
            f"{figure}: the cross-matched table has no column {name!r}; name the file's column in `columns:` of the "
            "sample, or set its `comparison` to null"
        )
    return table[name].to_numpy(dtype=float, na_value=np.nan)


def observed_stars(matched: pd.DataFrame, one_row_per: dict[str, Any] | None, *, min_snr: float) -> pd.DataFrame:
    """One row a star of the cross-matched spectra, with a Gaia counterpart and SNR >= `min_snr` (Sect. 2)."""
    stars = matched[matched["source_id"].notna().to_numpy()]
    if one_row_per:
        stars = stars[best_rows(stars, one_row_per["columns"], one_row_per.get("prefer"), one_row_per.get("ties"))]
    return stars[_column(stars, "snr", "Figs. 1 and 2") >= min_snr]


# ---------------------------------------------------------------- Fig. 1


def magnitude_differences(stars: pd.DataFrame, reference: dict[str, Any], *, max_logg: float) -> pd.DataFrame:
    """Fig. 1: columns kind (dwarf|giant), difference [mag] = M_Gaia - M_catalogue, parallax [mas]; known ones only.

    M_Gaia comes from the apparent magnitude, the extinction and the geometric distance of Bailer-Jones et al. 2021.
    `reference` is that of the sample; giants have log g <= `max_logg`, dwarfs more (Sect. 2.1).
    """
    modulus = 5.0 * np.log10(_column(stars, "r_med_geo", "Fig. 1")) - 5.0
    magnitude = _column(stars, reference["apparent_magnitude"], "Fig. 1")
    gaia = magnitude - extinction_ks(stars, reference.get("extinction")) - modulus
    logg = _column(stars, "logg", "Fig. 1")
    table = pd.DataFrame(
        {
            "kind": np.where(logg <= max_logg, "giant", "dwarf"),
            "difference": gaia - _column(stars, reference["absolute_magnitude"], "Fig. 1"),
            "parallax": _column(stars, "parallax", "Fig. 1"),
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
    half = round(MAGNITUDE_REACH / MAGNITUDE_WIDTH)
    edges = (np.arange(-half, half + 2) - 0.5) * MAGNITUDE_WIDTH
    tables = []
    for kind, part in differences.groupby("kind", sort=True):
        count, _ = np.histogram(part["difference"], edges)
        tables.append(pd.DataFrame({"kind": kind, "bin_low": edges[:-1], "bin_high": edges[1:], "count": count}))
    columns = ["kind", "bin_low", "bin_high", "count"]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


# ---------------------------------------------------------------- Fig. 2


def training_groups(
    observed: pd.DataFrame, giants: pd.DataFrame, magnitude: str, *, max_ebv: float
) -> dict[str, pd.DataFrame]:
    """Training-like stars (observed ones with E(B-V) < `max_ebv`) and giants: mks, bp_rp, ebv [mag], parallax [mas]."""
    training = observed[_column(observed, "ebv", "Fig. 2") < max_ebv]
    names = {"mks": magnitude, "bp_rp": "bp_rp", "ebv": "ebv", "parallax": "parallax"}
    return {
        group: pd.DataFrame({name: _column(stars, column, "Fig. 2") for name, column in names.items()})
        for group, stars in (("training", training), ("giants", giants))
    }


def training_histograms(groups: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Fig. 2: variable (mks|bp_rp), group (training|giants), bin_low, bin_high [mag], count, share of the group."""
    tables = []
    for variable, width in TRAINING_WIDTHS.items():
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
        for variable in TRAINING_WIDTHS:
            bins = histograms[histograms["variable"] == variable].pivot(
                index="bin_low", columns="group", values="count"
            )
            known = group == "giants" and len(bins) and bins["giants"].sum() > 0
            covered = bins["giants"][bins["training"] >= COVERED].sum() / bins["giants"].sum() if known else np.nan
            row[f"covered_{variable}"] = covered
        rows.append(row)
    return pd.DataFrame(rows)


# ---------------------------------------------------------------- Fig. 3


def red_clump_pairs(
    stars: pd.DataFrame, red_clump: pd.DataFrame, *, release_epoch: float, epoch: float, radius_arcsec: float
) -> pd.DataFrame:
    """Fig. 3: tracers that are in the red clump catalogue, with both parallaxes.

    `stars` has the Gaia columns and the reference parallax, `red_clump` ra, dec [deg] at `epoch` (Julian year) and
    distance [kpc]. Columns: source_id, separation [arcsec], reference_parallax, red_clump_parallax [mas], difference
    [uas] = reference minus red clump.
    """
    motion = [_column(stars, name, "Fig. 3") if name in stars else np.zeros(len(stars)) for name in ("pmra", "pmdec")]
    then = propagate(stars["ra"].to_numpy(), stars["dec"].to_numpy(), *motion, epoch - release_epoch)
    index, separation, _ = match_nearest(*then, red_clump["ra"].to_numpy(), red_clump["dec"].to_numpy(), radius_arcsec)
    distance = red_clump["distance"].to_numpy(dtype=float)
    found = (index >= 0) & (distance[index] > 0 if len(distance) else False)
    reference = _column(stars, "reference_parallax", "Fig. 3")[found]
    clump = 1.0 / distance[index[found]]
    pairs = pd.DataFrame(
        {
            "source_id": stars["source_id"].to_numpy()[found],
            "separation": separation[found],
            "reference_parallax": reference,
            "red_clump_parallax": clump,
            "difference": 1000.0 * (reference - clump),
        }
    )
    return pairs[np.isfinite(pairs["difference"])].reset_index(drop=True)


def symmetric_parallax(pairs: pd.DataFrame, *, reference_error: float, red_clump_error: float) -> np.ndarray:
    """Mean of the logarithms of the two parallaxes, weighted so that its error is not that of their difference [mas].

    With fractional errors f and g of reference and red clump, x = w ln(reference) + (1 - w) ln(red clump) and
    d = ln(reference) - ln(red clump) have the error covariance w f^2 - (1 - w) g^2, which is 0 for
    w = g^2 / (f^2 + g^2). Bins in either parallax itself lack this: a star is in a low bin in part because that
    parallax is too low, which tilts the difference.
    """
    weight = red_clump_error**2 / (reference_error**2 + red_clump_error**2)
    logs = np.log(pairs["reference_parallax"].to_numpy()), np.log(pairs["red_clump_parallax"].to_numpy())
    return np.exp(weight * logs[0] + (1.0 - weight) * logs[1])


def red_clump_trend(
    pairs: pd.DataFrame, abscissae: dict[str, np.ndarray], *, width: float, min_stars: int, gaussian: dict[str, Any]
) -> pd.DataFrame:
    """Median relative difference in bins of parallax, for each abscissa (N,) [mas].

    Columns: abscissa, bin_low, bin_high, x_mean [uas], n, median, median_error [%] of reference / red clump - 1. Bins
    are `width` uas wide; those with fewer than `min_stars` pairs are left out.
    """
    relative = 100.0 * (pairs["reference_parallax"] / pairs["red_clump_parallax"] - 1.0).to_numpy()
    tables = []
    for name, parallax in abscissae.items():
        place = np.floor(1000.0 * parallax / width).astype(np.int64)
        table = group_statistics(relative, place, gaussian)[["n", "median", "median_error"]]
        x_mean = pd.Series(1000.0 * parallax).groupby(place).mean()
        bins = {"bin_low": table.index * width, "bin_high": (table.index + 1) * width, "x_mean": x_mean[table.index]}
        table = pd.concat([pd.DataFrame({"abscissa": name, **bins}, index=table.index), table], axis=1)
        tables.append(table[table["n"] >= min_stars])
    return pd.concat(tables, ignore_index=True)


def red_clump_summary(pairs: pd.DataFrame, catalogue_rows: int, gaussian: dict[str, Any]) -> pd.DataFrame:
    """One row: statistics of the differences [uas], rows of the catalogue, and the scatter of the ratio.

    `relative_scatter` is the robust standard deviation of ln(reference / red clump): both distances' errors together.
    """
    zeros = np.zeros(len(pairs), dtype=np.int64)
    table = group_statistics(pairs["difference"].to_numpy(), zeros, gaussian)
    ratio = np.log(pairs["reference_parallax"] / pairs["red_clump_parallax"]).to_numpy()
    table["relative_scatter"] = group_statistics(ratio, zeros, {"method": "density_power", "beta": 0.3})["gaussian_sd"]
    table["catalogue_rows"] = catalogue_rows
    return table.reset_index(drop=True)
