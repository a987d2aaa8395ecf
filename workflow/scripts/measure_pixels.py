"""The offset of each correction of a sample in each pixel of both frames, and the mean G of its stars."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.estimators import group_statistics
from gaia_offsets.faults import open_log
from gaia_offsets.releases import standard
from gaia_offsets.sky import FRAMES, pixel_index
from gaia_offsets.tables import write_table
from gaia_offsets.weighted import chosen_parallax

COLUMNS = ["parallax", "hindex", "n", "g_mean", "gaussian_mean", "gaussian_mean_error"]


def measure_pixels(
    stars: pd.DataFrame, frame: str, made: Mapping[str, Any], gaussian: dict[str, Any], parallaxes: list[str]
) -> pd.DataFrame:
    """pixels_{frame}.csv [uas, mag]: a row each parallax (raw, corrected or a further correction) and pixel.

    `stars` are those of the standard class. Pixels with more than `more_than` of known offset; `made` is
    map_equatorial.json. For raw and corrected the numbers are those of map_{frame}.csv.
    """
    longitude, latitude = (stars[name].to_numpy(dtype=float) for name in FRAMES[frame])
    pixel = pixel_index(longitude, latitude, nside=made["nside"], ordering=made["ordering"])
    g = stars["phot_g_mean_mag"].to_numpy(dtype=float)
    reference = stars["reference_parallax"].to_numpy(dtype=float)
    tables = [pd.DataFrame(columns=COLUMNS)]
    for parallax in parallaxes:
        offset = 1000.0 * (chosen_parallax(stars, parallax) - reference)
        known = np.isfinite(offset)
        if not known.any():
            continue
        table = group_statistics(offset[known], pixel[known], gaussian)
        table["g_mean"] = pd.Series(g[known]).groupby(pixel[known]).mean()
        table = table[table["n"] > made["more_than"]]
        tables.append(table.assign(parallax=parallax, hindex=table.index)[COLUMNS])
    return pd.concat([table for table in tables if len(table)] or tables, ignore_index=True)


if __name__ == "__main__":
    open_log(snakemake.log[0])
    tracers = pd.read_parquet(snakemake.input.tracers)
    stars = tracers[tracers["solution"] == standard(snakemake.params.solutions)]
    made = json.loads(Path(snakemake.input.settings).read_text(encoding="utf-8"))
    for frame, path in zip(FRAMES, snakemake.output.pixels, strict=True):
        table = measure_pixels(stars, frame, made, snakemake.params.gaussian, list(snakemake.params.corrections))
        for parallax, rows in table.groupby("parallax"):
            print(f"{frame}, {parallax}: {len(rows)} pixels", file=sys.stderr)
        write_table(table, path)
