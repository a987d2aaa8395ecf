"""The smooth map of both frames: a Gaussian process over the pixels, each star with its own error."""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets import smooth
from gaia_offsets.estimators import PARALLAXES
from gaia_offsets.faults import open_log
from gaia_offsets.sky import FRAMES, pixel_index
from gaia_offsets.tables import write_table
from gaia_offsets.tracers import MEASURED, Tracers, drawn_stars, read_scatter
from gaia_offsets.weighted import Scatter, star_table, variances

MAP = ["parallax", "hindex", "offset", "error", "n"]
DEPENDENCE = ["parallax", "variable", "x", "offset", "error"]
CURVE = 41  # points of a curve


def smooth_maps(
    tracers: Iterable[pd.DataFrame],
    solution: str,
    scatter: Scatter,
    *,
    nside: int,
    ordering: str,
    reach_deg: float,
    splines: int,
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame, dict[str, Any]]:
    """smooth_{frame}.csv by frame, smooth_dependence.csv and smooth.json, from a solution's stars [uas], in pieces.

    The kernel of a parallax is learned in equatorial pixels and serves both frames: it belongs to the sky. `splines` is
    the number of intervals of the curves in G and colour; 0 leaves them out. Where too few pixels hold stars the maps
    are empty and smooth.json has a warning.
    """
    grid = {"nside": nside, "ordering": ordering}
    made: dict[str, Any] = {**grid, "reach_deg": reach_deg, "splines": splines, "kernels": {}, "warning": None}
    warnings = []
    drawn = drawn_stars(tracers, [solution])[solution]
    functions = smooth.dependence(drawn, splines, _pixel(drawn, "equatorial", grid))
    if splines and not functions:
        warnings.append("too few stars for curves in G and colour")
    maps: dict[str, list[pd.DataFrame]] = {frame: [] for frame in FRAMES}
    curves = []
    for parallax, sums in _pixel_sums(tracers, solution, drawn, scatter, functions, grid).items():
        if not sums["equatorial"].total.any():
            if drawn[PARALLAXES[parallax]].notna().any():
                warnings.append(
                    f"no smooth map of {parallax} parallaxes: no {solution} star has errors of both parallaxes"
                )
            continue
        kernel = None
        for frame in ("equatorial", "galactic"):
            nodes = sums[frame].nodes()
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
                curves.append(curve_table(field, drawn, functions).assign(parallax=parallax))
            del field  # the largest matrix, before the next is made
    made["warning"] = "; ".join(warnings) or None
    tables = {frame: _stack(parts, MAP) for frame, parts in maps.items()}
    return tables, _stack(curves, DEPENDENCE), made


def _pixel(stars: pd.DataFrame, frame: str, grid: dict[str, Any]) -> np.ndarray:
    return pixel_index(*(stars[name].to_numpy() for name in FRAMES[frame]), **grid)


def _pixel_sums(
    tracers: Iterable[pd.DataFrame],
    solution: str,
    drawn: pd.DataFrame,
    scatter: Scatter,
    functions: Mapping[str, Any],
    grid: dict[str, Any],
) -> dict[str, dict[str, smooth.PixelSums]]:
    """The sums of all stars of the solution by parallax and frame; outliers are judged by the stars drawn from them."""

    def errors(stars: pd.DataFrame, parallax: str) -> tuple[np.ndarray, np.ndarray]:
        table = star_table(stars, parallax, scatter.reference_kind, scatter.typical.get(solution))
        return table.difference, variances(table, scatter.of(solution, parallax))

    terms, pixels = smooth.design(functions, drawn[:0]).shape[1], 12 * grid["nside"] ** 2
    sums = {parallax: {frame: smooth.PixelSums(pixels, terms) for frame in FRAMES} for parallax in PARALLAXES}
    scales = {parallax: smooth.outlier_scale(*errors(drawn, parallax)) for parallax in PARALLAXES}
    for piece in tracers:
        stars = piece[(piece["solution"] == solution).to_numpy()]
        columns = smooth.design(functions, stars)
        places = {frame: _pixel(stars, frame, grid) for frame in FRAMES}
        for parallax in PARALLAXES:
            difference, variance = errors(stars, parallax)
            weights = smooth.robust_weights(difference, variance, scales[parallax])
            for frame in FRAMES:
                sums[parallax][frame].add(difference, weights, places[frame], columns)
    return sums


def _stack(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return (pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()).reindex(columns=columns)


def curve_table(field: smooth.Field, stars: pd.DataFrame, functions: Mapping[str, Any]) -> pd.DataFrame:
    """Offset [uas] against each variable, zero in the mean over the stars, with standard errors."""
    tables, first = [], 1
    for name, function in functions.items():
        values = stars[smooth.VARIABLES[name]].to_numpy(dtype=float)
        here = slice(first, first + function(values[:0]).shape[1])
        first = here.stop
        if here.start == here.stop:
            continue  # one value for all stars, or none
        x = np.linspace(*np.nanquantile(values, [0.01, 0.99]), CURVE)
        rows = function(x)
        error = np.sqrt(smooth.squares(rows, field.covariance[here, here]))
        curve = {"variable": name, "x": x, "offset": rows @ field.coefficients[here], "error": error}
        tables.append(pd.DataFrame(curve))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


if __name__ == "__main__":
    open_log(snakemake.log[0])
    measured = json.loads(Path(snakemake.input.settings).read_text(encoding="utf-8"))
    grid = snakemake.wildcards.grid
    path = snakemake.input.tracers
    columns = {*MEASURED, *PARALLAXES.values(), *smooth.VARIABLES.values(), *chain(*FRAMES.values())}
    maps, curves, made = smooth_maps(
        Tracers(path, columns),
        snakemake.params.solution,
        read_scatter(snakemake.input.scatter, snakemake.params.reference, path),
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
