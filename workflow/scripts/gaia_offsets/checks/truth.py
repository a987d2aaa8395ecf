"""Every quoted number of a simulated sample beside what was injected into the stars behind it."""

from collections.abc import Iterator
from typing import Any

import healpy as hp
import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from gaia_offsets.core.columns import FRAMES, PARALLAXES
from gaia_offsets.offsets.scatter import Scatter
from gaia_offsets.offsets.stars import star_table, variances
from gaia_offsets.offsets.weighted import hampel_weights
from gaia_offsets.sky.positions import pixel_centre, pixel_index, pixel_vectors, unit_vectors

ESTIMATORS = ("median", "mean", "gaussian_mean", "weighted_mean")
MAPS = ("gaussian_mean", "weighted_mean")  # of a pixel's own stars
NEIGHBOURS = 200  # stars of the map of nearest neighbours; our choice
COLUMNS = ["table", "quantity", "solution", "parallax", "frame", "hindex", "n", "value", "error", "truth"]
POWER = ["map", "degree", "power"]
DEGREES = 64


def with_truth(tracers: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """The tracers with `true_raw`, `true_corrected` [uas] and `parallax_true` [mas].

    Null where the cross-match took a neighbour for the star.
    """
    stars = tracers.merge(truth, on="source_id", how="left", validate="one_to_one")
    corrected = stars["residual_offset"]
    return stars.assign(true_corrected=corrected, true_raw=corrected + 1000.0 * stars["zero_point"])


def add_weights(stars: pd.DataFrame, parallax: str, scatter: Scatter, solution: str, colour: str) -> pd.DataFrame:
    """The stars of a solution with `offset`, `difference`, `variance` and `truth` of one parallax [uas].

    `colour` is the column of their colour. `true_variance` is taken at the true parallax: it knows nothing of a star's
    own noise and offset.
    """
    errors, fitted = star_table(stars, parallax, scatter.reference_kind), scatter.of(solution, parallax, sky=True)
    gaia = (fitted["factor"] * errors.gaia_error) ** 2 + fitted["extra"] ** 2
    reference = (errors.fraction * 1000.0 * stars["parallax_true"].to_numpy()) ** 2 + errors.reference_error**2
    return stars.assign(
        offset=stars[PARALLAXES[parallax]],
        difference=errors.difference,
        variance=variances(errors, fitted),
        true_variance=gaia + reference,
        truth=stars[f"true_{parallax}"],
        colour=stars[colour],
        sin_ecl_lat=np.sin(np.radians(stars["ecl_lat"])),
    )


def pull_of_a_star(estimator: str, row: pd.Series, stars: pd.DataFrame, beta: float) -> np.ndarray:
    """How far a quoted number follows a shift of each star (N,), in any unit: the weights of its truth."""
    variance = stars["true_variance"].to_numpy()
    if estimator == "median":  # density of a star's errors in the middle
        return 1.0 / np.sqrt(variance)
    if estimator == "gaussian_mean":
        z = beta * ((stars["offset"].to_numpy() - row["gaussian_mean"]) / row["gaussian_sd"]) ** 2
        return np.exp(-0.5 * z) * (1.0 - z)
    if estimator == "weighted_mean":
        deviation = (stars["difference"].to_numpy() - row["weighted_mean"]) / np.sqrt(stars["variance"].to_numpy())
        return hampel_weights(deviation) / variance
    return np.ones(len(stars))


def quoted(table: str, row: pd.Series, stars: pd.DataFrame, beta: float) -> Iterator[dict[str, Any]]:
    """The numbers of a row of statistics, each with the mean injected offset of its stars, weighted as it does."""
    for estimator in ESTIMATORS:
        weight, truth = pull_of_a_star(estimator, row, stars, beta), stars["truth"].to_numpy()
        known = np.isfinite(weight * truth)
        if known.any():
            mean = np.sum((weight * truth)[known]) / np.sum(weight[known])
            value = {"value": row[estimator], "error": row[f"{estimator}_error"], "truth": mean}
            yield {"table": table, "quantity": estimator, "n": row["n"], **value}


def true_line(stars: pd.DataFrame) -> dict[str, float]:
    """`zero_point` [uas] and `scale` of the line through the injected offsets, with the variances of the stars."""
    known = np.isfinite(stars["truth"] + stars["true_variance"])
    x, y, variance = (stars.loc[known, name].to_numpy() for name in ("parallax_true", "truth", "true_variance"))
    slope, level = np.polyfit(1000.0 * x, y, 1, w=1.0 / np.sqrt(variance))
    return {"zero_point": level, "scale": 1.0 + slope}


def numbers(
    stars: pd.DataFrame, solutions: dict[str, str], tables: dict[str, pd.DataFrame], scatter: Scatter, beta: float
) -> pd.DataFrame:
    """Global offsets, zero point and scale, and trends of all solutions and parallaxes beside their truth."""
    rows = []
    for solution, colour in solutions.items():
        here = stars[stars["solution"] == solution]
        for parallax in PARALLAXES if len(here) else ():
            part, who = (
                add_weights(here, parallax, scatter, solution, colour),
                {"solution": solution, "parallax": parallax},
            )
            mine = {
                name: table[(table["solution"] == solution) & (table["parallax"] == parallax)]
                for name, table in tables.items()
            }
            for _, row in mine["global_offsets"].iterrows():
                rows += [{**who, **one} for one in quoted("global_offsets", row, part, beta)]
            for _, row in mine["trends"].iterrows():
                x = part[row["variable"]]
                inside = part[(x >= row["bin_low"]) & (x < row["bin_high"])]
                rows += [{**who, **one} for one in quoted("trends", row, inside, beta)]
            line = true_line(part)
            for _, row in mine["zero_point_scale"].iterrows():
                for name, truth in line.items():
                    value = {"value": row[name], "error": row[f"{name}_error"], "truth": truth}
                    rows.append({**who, "table": "zero_point_scale", "quantity": name, "n": row["n"], **value})
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def nearest_means(
    stars: pd.DataFrame, values: np.ndarray, frame: str, pixels: np.ndarray, grid: dict[str, Any]
) -> pd.DataFrame:
    """Mean offset of the stars nearest to the centres of pixels, as Zhu et al. 2026 do; NEIGHBOURS of them."""
    longitude, latitude = (stars[name].to_numpy() for name in FRAMES[frame])
    tree = cKDTree(unit_vectors(longitude, latitude))
    _, near = tree.query(pixel_vectors(pixels, **grid), k=min(NEIGHBOURS, len(stars)))
    values = values[near]
    error = values.std(axis=1, ddof=1) / np.sqrt(values.shape[1])
    return pd.DataFrame({"hindex": pixels, "value": values.mean(axis=1), "error": error})


def pixels_of(
    stars: pd.DataFrame, solution: str, parallax: str, frame: str, tables: dict[str, pd.DataFrame], grid: dict[str, Any]
) -> pd.DataFrame:
    """The maps of a frame beside the mean injected offset of each pixel's stars of a solution.

    The n of the smooth map is that of the pixel's stars; a pixel without any has its truth from `add_area`.
    """
    known = np.isfinite(stars[PARALLAXES[parallax]] + stars[f"true_{parallax}"])
    stars = stars[known & (stars["solution"] == solution)]
    pixel = pixel_index(*(stars[name].to_numpy() for name in FRAMES[frame]), **grid)
    truth = stars[f"true_{parallax}"].groupby(pixel).mean()
    own, even = tables[f"map_{frame}"], tables[f"smooth_{frame}"]
    own = own[(own["solution"] == solution) & (own["parallax"] == parallax)]
    even = even[even["parallax"] == parallax]
    parts = {name: own[["hindex"]].assign(value=own[name], error=own[f"{name}_error"]) for name in MAPS}
    parts["smooth"] = even[["hindex", "error"]].assign(value=even["offset"])
    where = np.union1d(own["hindex"], even["hindex"]).astype(np.int64)
    parts["nearest"] = nearest_means(stars, stars[PARALLAXES[parallax]].to_numpy(), frame, where, grid)
    table = pd.concat([part.assign(quantity=name) for name, part in parts.items()], ignore_index=True)
    n = pd.Series(pixel).value_counts()
    table = table.assign(n=table["hindex"].map(n).fillna(0).astype(int), truth=table["hindex"].map(truth))
    return table.assign(table="map", solution=solution, parallax=parallax, frame=frame).reindex(columns=COLUMNS)


def add_area(pixels: pd.DataFrame, stars: pd.DataFrame, truth_map: np.ndarray, grid: dict[str, Any]) -> pd.DataFrame:
    """Truth of whole equatorial pixels: the injected map (nested) there, for a star of average colour.

    It is the truth of pixels without stars. Of those with stars the smooth map is compared with it once more, as the
    quantity `smooth_area`. The map is the part by position; the part by colour is the mean over the sample's stars of
    offset minus map.
    """
    nside = hp.npix2nside(len(truth_map))
    at_stars = truth_map[pixel_index(stars["ra"], stars["dec"], nside=nside, ordering="nested")]
    colour = float(np.nanmean(stars["true_corrected"] - at_stars))
    here = pixels[(pixels["parallax"] == "corrected") & (pixels["frame"] == "equatorial")]
    centre = pixel_centre(here["hindex"].to_numpy(dtype=np.int64), **grid)
    area = here.assign(truth=truth_map[pixel_index(*centre, nside=nside, ordering="nested")] + colour)
    filled = pixels.assign(truth=pixels["truth"].fillna(area.loc[area["n"] == 0, "truth"]))
    again = area[(area["n"] > 0) & (area["quantity"] == "smooth")].assign(quantity="smooth_area")
    return pd.concat([filled, again], ignore_index=True)


def power(pixels: pd.DataFrame, grid: dict[str, Any]) -> pd.DataFrame:
    """Power C_l [uas2] of the injected map and of what each map differs from it, over the same equatorial pixels.

    Of the pixels with two stars or more, the rest 0, divided by their share of the sky.
    """
    here = pixels[(pixels["parallax"] == "corrected") & (pixels["frame"] == "equatorial") & (pixels["n"] >= 2)]
    here = here[here["quantity"] != "smooth_area"]
    values = here.pivot(index="hindex", columns="quantity", values="value")
    truth = here.groupby("hindex")["truth"].first()
    maps = {"injected": truth, **{name: values[name] - truth for name in values}}
    rows = []
    for name, change in maps.items():
        change = change.dropna()
        sky = np.zeros(hp.nside2npix(grid["nside"]))
        sky[change.index.to_numpy(dtype=np.int64)] = change - change.mean()
        sky = hp.reorder(sky, n2r=True) if grid["ordering"] == "nested" else sky
        power_left = hp.anafast(sky, lmax=DEGREES, iter=3) * len(sky) / max(len(change), 1)
        rows.append(pd.DataFrame({"map": name, "degree": np.arange(DEGREES + 1), "power": power_left}))
    return pd.concat(rows, ignore_index=True)[POWER]
