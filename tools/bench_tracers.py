"""`make bench ONLY=tracers`: a simulated tracers table of many stars, measured by the scripts of the rules.

Each script runs in a process of its own, two at a time, as Snakemake would run them with two cores.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import run
from types import SimpleNamespace

import numpy as np
import pandas as pd

SCRIPTS = Path(__file__).parents[1] / "workflow" / "scripts"
sys.path.insert(0, str(SCRIPTS))

GAUSSIAN = {"method": "density_power", "beta": 0.3}
MAP = {"nside": 32, "ordering": "ring", "more_than": 20}
EDGES = {
    "phot_g_mean_mag": {"start": 9.0, "stop": 19.0, "step": 0.25},
    "colour": {"start": 1.2, "stop": 1.7, "step": 0.02},
    "sin_ecl_lat": {"start": -1.0, "stop": 1.0, "step": 0.05},
}
MEASURE = {"trends": {"edges": EDGES, "min_stars": 100, "join": 1}, "map": MAP, "solution": "5p"}
MEASURE |= {"solutions": {"5p": "nu_eff_used_in_astrometry", "6p": "pseudocolour"}}
MEASURE |= {"colour": "nu_eff_used_in_astrometry"}


class Named(dict):
    """What Snakemake hands to a script: names that are keys and attributes."""

    __getattr__ = dict.__getitem__


def simulated_stars(stars: int, seed: int = 1) -> Iterator[pd.DataFrame]:
    """Pieces of a tracers table of simulated stars, evenly spread over the sky; one in fifty is 6p."""
    from astropy.coordinates import SkyCoord

    from gaia_offsets.tables.parquet import pieces

    axes = SkyCoord(x=[1, 0, 0], y=[0, 1, 0], z=[0, 0, 1], representation_type="cartesian", frame="icrs")
    turn = {name: getattr(axes, name).cartesian.xyz.value for name in ("galactic", "barycentrictrueecliptic")}

    def angles(vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.degrees(np.arctan2(vector[1], vector[0])) % 360, np.degrees(np.arcsin(np.clip(vector[2], -1, 1)))

    for rows in pieces(stars):
        rng = np.random.default_rng([seed, rows.start])
        n = rows.stop - rows.start
        height, longitude = rng.uniform(-1, 1, n), rng.uniform(0, 2 * np.pi, n)
        flat = np.sqrt(1 - height**2)
        vector = np.stack([flat * np.cos(longitude), flat * np.sin(longitude), height])
        (ra, dec), (l, b) = angles(vector), angles(turn["galactic"] @ vector)  # noqa: E741 - the column's name
        g = 19.0 - rng.exponential(2.0, n)
        error = 0.012 * (1.0 + 10.0 ** (0.3 * (g - 16.0)))
        true = rng.gamma(3.0, 0.2, n) + 0.05
        zero_point = -0.03 + 0.01 * np.sin(np.radians(2 * ra)) * flat - 0.002 * (g - 16.0)
        parallax = true + zero_point + error * rng.standard_normal(n)
        reference = true * np.exp(0.08 * rng.standard_normal(n))
        table = pd.DataFrame(
            {
                "source_id": np.arange(rows.start, rows.stop) * 100 + 2**36,
                "bp_rp": rng.uniform(0.5, 2.0, n),
                "solution": np.where(rng.random(n) < 0.02, "6p", "5p"),
                "ra": ra,
                "dec": dec,
                "l": l,
                "b": b,
                "ecl_lat": angles(turn["barycentrictrueecliptic"] @ vector)[1],
                "phot_g_mean_mag": g,
                "nu_eff_used_in_astrometry": rng.uniform(1.2, 1.7, n),
                "pseudocolour": rng.uniform(1.2, 1.7, n),
                "parallax": parallax,
                "parallax_error": error,
                "parallax_corrected": parallax + 0.03 + 0.002 * (g - 16.0),
                "reference_parallax": reference,
                "reference_parallax_error": 0.08 * reference,
            }
        )
        for name, column in {"offset_raw": "parallax", "offset_corrected": "parallax_corrected"}.items():
            table[name] = 1000.0 * (table[column] - reference)
        yield table


def jobs(folder: Path, tracers: Path) -> dict[str, dict[str, Named]]:
    """What each script gets, by its name."""
    frames = ("equatorial", "galactic")
    given = Named(
        tracers=str(tracers), scatter=str(folder / "scatter.csv"), settings=str(folder / "map_equatorial.json")
    )
    given["offsets"], given["trends"] = str(folder / "global_offsets.csv"), str(folder / "trends.csv")
    params = Named(reference="distance", gaussian=GAUSSIAN, width=10.0, reach_deg=3.0, splines=4, **MEASURE)
    params["corrections"] = {"raw": "none", "corrected": "official"}
    params |= {"bootstrap": {"replicates": 200, "seed": 1}, "validation": {"folds": 5, "seed": 1}}
    outputs = {
        "measure_global": {"offsets": "global_offsets.csv", "histograms": "histograms.csv"}
        | {"scatter": "scatter.csv", "scale": "scale.csv"},
        "measure_trends": {"trends": "trends.csv", "settings": "trends.json"},
        "smooth_map": {frame: f"smooth_{frame}.csv" for frame in frames}
        | {"dependence": "smooth_dependence.csv", "settings": "smooth.json"},
        "measure_errors": {"errors": "errors.csv"},
        "compare_corrections": {"corrections": "corrections.csv"},
        "cross_validate": {"validation": "cross_validation.csv"},
    }
    output = {name: Named({key: str(folder / file) for key, file in files.items()}) for name, files in outputs.items()}
    output["measure_map"] = Named(
        offsets=[str(folder / f"map_{frame}.csv") for frame in frames],
        settings=[str(folder / f"map_{frame}.json") for frame in frames],
    )
    return {
        name: {
            "input": given,
            "output": files,
            "params": params,
            "wildcards": Named(grid=""),
            "log": [f"{folder}/{name}.log"],
        }
        for name, files in output.items()
    }


def describe(folder: Path, tracers: Path) -> None:
    """The long version of Table 1 of one frame."""
    from gaia_offsets.checks.extended_table import describe_pixels
    from gaia_offsets.publish.dataset import table1
    from gaia_offsets.sky.positions import pixel_index

    columns = ["solution", "phot_g_mean_mag", "bp_rp", "offset_raw", "offset_corrected", "ra", "dec"]
    stars, offsets = pd.read_parquet(tracers, columns=columns), pd.read_csv(folder / "map_equatorial.csv")
    grid = {key: MAP[key] for key in ("nside", "ordering")}
    pixel = pixel_index(stars["ra"].to_numpy(), stars["dec"].to_numpy(), **grid)
    settings = {**grid, "gaussian": GAUSSIAN, "systematic_uas": 10.0, "bootstrap": {"replicates": 200, "seed": 1}}
    table = table1(offsets, solution="5p", frame="equatorial", **MAP)
    describe_pixels(table, stars, pixel, offsets, list(MEASURE["solutions"]), settings)


def run_script(folder: Path, tracers: Path, name: str) -> None:
    """Run a rule's script in this process; of `publish_dataset` the part whose cost grows with the stars."""
    if name == "describe_pixels":
        return describe(folder, tracers)
    runpy.run_path(
        str(SCRIPTS / f"{name}.py"), {"snakemake": SimpleNamespace(**jobs(folder, tracers)[name])}, "__main__"
    )


def measured(folder: Path, tracers: Path, name: str) -> tuple[float, float, float]:
    """Wall time [s], processor time [s] and peak memory [GiB] of a script in its own process."""
    code = f"""
import json, resource, sys, time
from pathlib import Path
sys.path[:0] = {[str(Path(__file__).parent), str(SCRIPTS)]!r}
out = sys.stdout
from bench_tracers import run_script
start = time.perf_counter()
run_script(Path({str(folder)!r}), Path({str(tracers)!r}), {name!r})
used = resource.getrusage(resource.RUSAGE_SELF)
out.write(json.dumps([time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20]))
"""
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    found = run([sys.executable, "-c", code], capture_output=True, text=True, env=one_thread)
    if found.returncode:
        raise SystemExit(f"{name}: {found.stderr[-2000:]}\n{(folder / f'{name}.log').read_text()[-2000:]}")
    wall, cpu, peak = json.loads(found.stdout)
    return wall, cpu, peak


def measure(stars: int) -> dict[str, tuple[float, float, float]]:
    """Wall time [s], processor time [s] and peak memory [GiB] of each script, and of `all` on two cores."""
    from gaia_offsets.tables.parquet import write_pieces

    with tempfile.TemporaryDirectory(prefix="bench_tracers_") as name:
        folder = Path(name)
        tracers = folder / "tracers.parquet"
        write_pieces(simulated_stars(stars), tracers)
        start = time.perf_counter()
        found = {"measure_global": measured(folder, tracers, "measure_global")}
        # The maps come next: the smooth map takes its grid from them.
        with ThreadPoolExecutor(2) as pool:
            first = {name: pool.submit(measured, folder, tracers, name) for name in ("measure_map", "measure_trends")}
            found |= {name: future.result() for name, future in first.items()}
            rest = ("smooth_map", "measure_errors", "compare_corrections", "cross_validate", "describe_pixels")
            later = {name: pool.submit(measured, folder, tracers, name) for name in rest}
            found |= {name: future.result() for name, future in later.items()}
        used = [found[name][1] for name in found], [found[name][2] for name in found]
        found["all"] = (time.perf_counter() - start, sum(used[0]), max(used[1]))
        return found


if __name__ == "__main__":
    for stars in [int(float(text)) for text in sys.argv[1:]] or [3_000_000, 30_000_000]:
        for name, (wall, cpu, peak) in measure(stars).items():
            per = 1e9 * cpu / stars
            print(
                f"{stars:,} {name}: {wall:.0f} s, {cpu:.0f} s of processor time ({per:.0f} ns a star), {peak:.2f} GiB",
                flush=True,
            )
