"""The smooth map of both frames: a Gaussian process over the pixels, each star with its own error."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets import smooth
from gaia_offsets.estimators import PARALLAXES
from gaia_offsets.faults import open_log
from gaia_offsets.sky import FRAMES, pixel_index
from gaia_offsets.tables import write_table
from gaia_offsets.weighted import Scatter, star_table, variances

MAP = ["parallax", "hindex", "offset", "error", "n"]
DEPENDENCE = ["parallax", "variable", "x", "offset", "error"]
CURVE = 41  # points of a curve


def smooth_maps(
    tracers: pd.DataFrame, scatter: Scatter, *, nside: int, ordering: str, reach_deg: float, splines: int
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame, dict[str, Any]]:
    """smooth_{frame}.csv by frame, smooth_dependence.csv and smooth.json, from the 5p stars [uas].

    The kernel of a parallax is learned in equatorial pixels and serves both frames: it belongs to the sky. `splines` is
    the number of intervals of the curves in G and colour; 0 leaves them out. Where too few pixels hold stars the maps
    are empty and smooth.json has a warning.
    """
    stars = tracers[tracers["solution"] == "5p"]
    pixels = {
        frame: pixel_index(*(stars[name].to_numpy() for name in names), nside=nside, ordering=ordering)
        for frame, names in FRAMES.items()
    }
    grid = {"nside": nside, "ordering": ordering}
    made: dict[str, Any] = {**grid, "reach_deg": reach_deg, "splines": splines, "kernels": {}, "warning": None}
    warnings = []
    terms = smooth.dependence_terms(stars, splines, pixels["equatorial"])
    if splines and not terms:
        warnings.append("too few stars for curves in G and colour")
    columns = smooth.design(terms, len(stars))
    maps: dict[str, list[pd.DataFrame]] = {frame: [] for frame in FRAMES}
    curves = []
    for parallax in PARALLAXES:
        errors = star_table(stars, parallax, scatter.reference_kind)
        weights = smooth.robust_weights(errors.difference, variances(errors, scatter.of("5p", parallax)))
        if not (weights > 0).any():
            if stars[PARALLAXES[parallax]].notna().any():
                warnings.append(f"no smooth map of {parallax} parallaxes: no 5p star has errors of both parallaxes")
            continue
        kernel = None
        for frame in ("equatorial", "galactic"):
            nodes = smooth.gather(errors.difference, weights, pixels[frame], columns)
            try:
                kernel = kernel or smooth.fit_kernel(nodes, **grid)
                table, field = smooth.smooth_map(nodes, kernel, **grid, reach_deg=reach_deg)
            except smooth.NoMap as reason:
                warnings.append(f"no smooth map of {parallax} parallaxes: {reason}")
                break
            maps[frame].append(table.assign(parallax=parallax))
            if frame == "equatorial":
                facts = {"pixels": len(nodes.pixels), "stars": int(nodes.n.sum())}
                facts |= {"mean": float(field.coefficients[0]), "mean_error": float(np.sqrt(field.covariance[0, 0]))}
                made["kernels"][parallax] = {**facts, **asdict(kernel)}
                curves.append(curve_table(field, stars, terms).assign(parallax=parallax))
            del field  # the largest matrix, before the next is made
    made["warning"] = "; ".join(warnings) or None
    tables = {frame: _stack(parts, MAP) for frame, parts in maps.items()}
    return tables, _stack(curves, DEPENDENCE), made


def _stack(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return (pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()).reindex(columns=columns)


def curve_table(field: smooth.Field, stars: pd.DataFrame, terms: Mapping[str, Any]) -> pd.DataFrame:
    """Offset [uas] against each variable, zero in the mean over the stars, with standard errors."""
    tables, first = [], 1
    for name, (part, function) in terms.items():
        here = slice(first, first + part.shape[1])
        first = here.stop
        if part.shape[1] == 0:
            continue  # one value for all stars, or none
        x = np.linspace(*np.nanquantile(stars[smooth.VARIABLES[name]].to_numpy(dtype=float), [0.01, 0.99]), CURVE)
        rows = function(x)
        error = np.sqrt(smooth.squares(rows, field.covariance[here, here]))
        curve = {"variable": name, "x": x, "offset": rows @ field.coefficients[here], "error": error}
        tables.append(pd.DataFrame(curve))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


if __name__ == "__main__":
    open_log(snakemake.log[0])
    measured = json.loads(Path(snakemake.input.settings).read_text(encoding="utf-8"))
    grid = snakemake.wildcards.grid
    maps, curves, made = smooth_maps(
        pd.read_parquet(snakemake.input.tracers),
        Scatter(snakemake.params.reference, pd.read_csv(snakemake.input.scatter)),
        nside=int(grid.removeprefix("_nside")) if grid else measured["nside"],
        ordering=measured["ordering"],
        reach_deg=snakemake.params.reach_deg,
        splines=snakemake.params.splines,
    )
    print(json.dumps(made, indent=2), file=sys.stderr)
    for frame, table in maps.items():
        write_table(table, snakemake.output[frame])
    write_table(curves, snakemake.output.dependence)
    Path(snakemake.output.settings).write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
