"""The smooth map of both frames: kriging of the pixels with stars, each star with its own error."""

import json
from dataclasses import asdict
from itertools import chain
from typing import Any

import pandas as pd

from gaia_offsets.core.columns import FRAMES, PARALLAXES
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.files import read_json, write_json
from gaia_offsets.core.log import say
from gaia_offsets.maps import kernel as smooth_kernel
from gaia_offsets.maps import nodes as smooth_nodes
from gaia_offsets.maps import windows as smooth_windows
from gaia_offsets.offsets.scatter import Scatter
from gaia_offsets.offsets.stars import MEASURED, drawn_stars
from gaia_offsets.sky.healpix import hp
from gaia_offsets.tables.parquet import read_tracers
from gaia_offsets.tables.read import write_table

COLUMNS = ["parallax", "hindex", "offset", "error", "n"]
CURVE_COLUMNS = ["parallax", "variable", "x", "offset", "error"]
FEW_STARS = 3.0  # a pixel: with fewer the errors are too small (docs/method.md)


def smooth_maps(
    stars: pd.DataFrame, solution: str, scatter: Scatter, *, nside: int, ordering: str, reach_deg: float, splines: int
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame, dict[str, Any]]:
    """smooth_{frame}.csv by frame, smooth_dependence.csv and smooth.json, from a solution's stars [uas].

    The kernels of a parallax are learned in equatorial pixels and serve both frames: they belong to the sky. `splines`
    is the number of intervals of the curves in G and colour; 0 leaves them out. Where too few pixels hold stars the
    maps are empty and smooth.json has a warning.
    """
    drawn = drawn_stars(stars)
    curves = smooth_nodes.curves_of(drawn, splines, smooth_nodes.nested_pixels(drawn, nside)["equatorial"])
    warnings = ["too few stars for curves in G and colour"] if splines and not curves else []
    maps, dependences, kernels = {frame: [] for frame in FRAMES}, [], {}
    for parallax, sums in smooth_nodes.sums_of_stars(stars, solution, scatter, curves, nside).items():
        nodes = {frame: some.nodes() for frame, some in sums.items()}
        some, count = nodes["equatorial"], len(nodes["equatorial"].pixels)
        try:
            if not count:
                raise smooth_kernel.NoMap(f"no {solution} star has errors of both parallaxes")
            learned = smooth_kernel.learn_kernels(some)
        except smooth_kernel.NoMap as reason:
            if drawn[PARALLAXES[parallax]].notna().any():
                warnings.append(f"no smooth map of {parallax} parallaxes: {reason}")
            continue
        if some.n.sum() < FEW_STARS * count:
            warnings.append(
                f"{some.n.sum() / count:.1f} stars a pixel with any: the errors of {parallax} are too small"
            )
        mixture = [{"weight": weight, **asdict(kernel)} for kernel, weight in learned]
        facts = {"pixels": count, "stars": int(some.n.sum()), "unnoticed_uas": smooth_kernel.unnoticed(some)}
        kernels[parallax] = facts | {"mixture": mixture}
        dependences.append(smooth_nodes.curve_table(some, drawn, curves).assign(parallax=parallax))
        for frame in FRAMES:
            table = smooth_windows.smooth_map(nodes[frame], learned, reach_deg=reach_deg).assign(parallax=parallax)
            if ordering == "ring":
                table = table.assign(hindex=hp.nest2ring(nside, table["hindex"])).sort_values("hindex")
            maps[frame].append(table)
    made = {"nside": nside, "ordering": ordering, "reach_deg": reach_deg, "splines": splines, "kernels": kernels}
    tables = {frame: _stack(parts, COLUMNS) for frame, parts in maps.items()}
    return tables, _stack(dependences, CURVE_COLUMNS), made | {"warning": "; ".join(warnings) or None}


def _stack(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return (pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()).reindex(columns=columns)


if __name__ == "__main__":
    open_log(snakemake.log[0])
    measured = read_json(snakemake.input.settings)
    grid, solution, colour = snakemake.wildcards.grid, snakemake.params.solution, snakemake.params.colour
    columns = [*MEASURED, *chain(*FRAMES.values()), colour]
    stars = read_tracers(snakemake.input.tracers, columns, solution)
    maps, curves, made = smooth_maps(
        stars.assign(colour=stars[colour]),
        solution,
        Scatter(snakemake.params.reference, pd.read_csv(snakemake.input.scatter)),
        nside=int(grid.removeprefix("_nside")) if grid else measured["nside"],
        ordering=measured["ordering"],
        reach_deg=snakemake.params.reach_deg,
        splines=snakemake.params.splines,
    )
    say(json.dumps(made, indent=2))
    for frame, table in maps.items():
        write_table(table, snakemake.output[frame])
    write_table(curves, snakemake.output.dependence)
    write_json(snakemake.output.settings, made)
