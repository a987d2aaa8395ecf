"""Offsets in the HEALPix pixels of both frames (Fig. 6, Table 1)."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.columns import FRAMES, PARALLAXES
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.files import write_json
from gaia_offsets.core.log import say
from gaia_offsets.offsets.binned import choose_nside, pixel_offsets
from gaia_offsets.offsets.scatter import Scatter
from gaia_offsets.offsets.stars import MEASURED, chosen_parallax
from gaia_offsets.offsets.statistics import group_statistics
from gaia_offsets.sky.positions import pixel_index
from gaia_offsets.tables.parquet import read_tracers
from gaia_offsets.tables.read import write_table

# Columns that the further corrections and mean G take of the stars of the standard class.
OF_STARS = ("solution", "phot_g_mean_mag", "parallax", "reference_parallax", "offset_raw")


def measure_map(
    tracers: pd.DataFrame,
    pixel: np.ndarray,
    solutions: Sequence[str],
    scatter: Scatter,
    nside: int,
    settings: dict[str, Any],
    gaussian: dict[str, Any],
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """map_{frame}.csv and map_{frame}.json: what it was made with, who chose nside, how many pixels are published.

    `pixel` (N,) is that of each tracer. `solutions` are the measured classes; pixels of the first, the standard class,
    are published.
    """
    standard = solutions[0]
    table = pixel_offsets(tracers, pixel, solutions, gaussian=gaussian, scatter=scatter)
    chosen_by = "sample" if settings["nside"] == "auto" else "config"
    shown = (table["solution"] == standard) & (table["parallax"] == "raw") & (table["n"] > settings["more_than"])
    made = {**settings, "nside": nside, "chosen_by": chosen_by, "published": int(shown.sum()), "warning": None}
    most = table.loc[table["solution"] == standard, "n"].max()
    if made["published"] == 0 and not most >= 2:  # null where there is no such star
        made["warning"] = f"Table 1 is empty: no pixel has two {standard} stars"
    elif made["published"] == 0:
        change = "set map.nside to auto" if chosen_by == "config" and nside > 1 else "lower map.more_than"
        few = f"no pixel of nside {nside} has more than {settings['more_than']} {standard} stars"
        made["warning"] = f"Table 1 is empty, {few}: {change} in the sample's `measure`"
    return table, made


def with_corrections(
    table: pd.DataFrame, stars: pd.DataFrame, pixel: np.ndarray, gaussian: dict[str, Any], corrections: Iterable[str]
) -> pd.DataFrame:
    """The map with mean G [mag] of the pixels of the standard class, and rows of further corrections.

    `stars` are those of the standard class, `pixel` (N,) is where they lie. The rows have no weighted mean.
    """
    known = np.isfinite(stars["offset_raw"].to_numpy(dtype=float))
    g = stars.loc[known, "phot_g_mean_mag"].astype(float).groupby(pixel[known]).mean()
    solution, tables = stars["solution"].iloc[0] if len(stars) else None, [table]
    for name in corrections:
        offset = 1000.0 * (chosen_parallax(stars, name) - stars["reference_parallax"].to_numpy(dtype=float))
        rows = group_statistics(offset, pixel, gaussian) if np.isfinite(offset).any() else pd.DataFrame({"n": []})
        rows = rows[rows["n"] >= 2]
        if len(rows):
            tables.append(rows.assign(solution=solution, parallax=name, hindex=rows.index))
    table = pd.concat(tables, ignore_index=True)
    return table.assign(g_mean=table["hindex"].map(g).where(table["solution"] == solution))


if __name__ == "__main__":
    open_log(snakemake.log[0])
    settings, solutions = snakemake.params.map, list(snakemake.params.solutions)
    further = [name for name in snakemake.params.corrections if name not in PARALLAXES]
    columns = [*MEASURED, *chain(*FRAMES.values()), *(f"zero_point_{name}" for name in further)]
    tracers = read_tracers(snakemake.input.tracers, columns)
    nside = choose_nside(tracers, solutions[0], settings)
    scatter = Scatter(snakemake.params.reference, pd.read_csv(snakemake.input.scatter))
    pixels = {
        frame: pixel_index(
            *(tracers.pop(name).to_numpy() for name in names), nside=nside, ordering=settings["ordering"]
        )
        for frame, names in FRAMES.items()
    }
    standard = (tracers["solution"] == solutions[0]).to_numpy()
    stars = tracers.loc[standard, [*OF_STARS, *(f"zero_point_{name}" for name in further)]]
    for frame, offsets, made_with in zip(FRAMES, snakemake.output.offsets, snakemake.output.settings, strict=True):
        pixel = pixels[frame]
        table, made = measure_map(tracers, pixel, solutions, scatter, nside, settings, snakemake.params.gaussian)
        table = with_corrections(table, stars, pixel[standard], snakemake.params.gaussian, further)
        say(f"{frame}: {len(table)} rows, {table['hindex'].nunique()} pixels with two stars or more")
        say("nside {nside}, chosen by the {chosen_by}: {published} pixels above {more_than} stars".format(**made))
        if made["warning"]:
            say(f"WARNING: {made['warning']}")
        write_table(table, offsets)
        write_json(made_with, made)
