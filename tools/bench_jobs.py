"""What tools/bench.py times, each in a process of its own: python tools/bench_jobs.py JOB FOLDER [WORD ...].

A job of TIMED measures itself without Python's start and its imports, and prints the seconds of its runs; of the others
the whole process is timed.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
REPEATS = 3
LONG_S = 10.0  # no more runs are made once they took so long together
WARM_S = 30.0  # a first run that takes so long is no warm-up but counts
RADIUS = 3.0  # arcsec, of the cross-match


def repeated(run: Callable[[], float]) -> list[float]:
    """Seconds of some runs of something, which returns its seconds, after a warm-up."""
    first = run()
    counted = [first] if first > WARM_S else []
    while len(counted) < REPEATS and sum(counted) < LONG_S:
        counted.append(run())
    return counted


def clocked(function: Callable[[], Any]) -> list[float]:
    """The same of a function."""

    def run() -> float:
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    return repeated(run)


# ---------------------------------------------------------------- made-up data; seeded, so the same for everyone


def positions(folder: Path, n: str) -> None:
    """Two tables of n simulated positions, in another order and half a second of arc apart, as Parquet and FITS."""
    import numpy as np
    from astropy.table import Table

    rng = np.random.default_rng(2)
    ra, dec = rng.uniform(0, 360, int(n)), np.degrees(np.arcsin(rng.uniform(-0.2, 0.9, int(n))))
    turn = rng.permutation(int(n))
    other = (ra + rng.normal(0, 1e-4, int(n))) % 360, dec + rng.normal(0, 1e-4, int(n))
    for name, (a, d) in {"a": (ra, dec), "b": tuple(values[turn] for values in other)}.items():
        table = Table({"source_id": np.arange(1, int(n) + 1), "ra": a, "dec": d})
        for kind in ("parquet", "fits"):
            table.write(folder / f"{name}.{kind}", overwrite=True)
    table["pmra"] = table["pmdec"] = 0.0
    table.write(folder / "moving.parquet", overwrite=True)


def catalogue(folder: Path, rows: str) -> None:
    """A catalogue of simulated sources with 14 columns as Parquet and FITS, and a made-up map of the whole sky."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq
    from astropy.table import Table

    from gaia_offsets.publish.dataset import at_centres
    from gaia_offsets.publish.fields import TABLE1
    from gaia_offsets.publish.write import write_dataset

    n, rng = int(rows), np.random.default_rng(3)
    six = rng.uniform(size=n) < 0.1
    sources = {
        "source_id": np.sort(rng.integers(1, 12 << 59, n)),
        "ra": rng.uniform(0, 360, n),
        "dec": np.degrees(np.arcsin(rng.uniform(-1, 1, n))),
        "pmra": rng.normal(0, 5, n),
        "pmdec": rng.normal(0, 5, n),
        "parallax": rng.normal(0.5, 0.2, n),
        "parallax_error": rng.uniform(0.02, 0.1, n),
        "phot_g_mean_mag": rng.uniform(10, 17, n),
        "bp_rp": rng.normal(1.2, 0.2, n),
        "nu_eff_used_in_astrometry": np.where(six, np.nan, rng.uniform(1.3, 1.6, n)),
        "pseudocolour": np.where(six, rng.uniform(1.3, 1.6, n), np.nan),
        "astrometric_params_solved": np.where(six, 95, 31).astype("i2"),
        "ecl_lat": rng.uniform(-90, 90, n),
        "ruwe": rng.uniform(0.9, 1.3, n).astype("f4"),
    }
    pq.write_table(pa.table(sources), folder / "catalogue.parquet", compression="zstd")
    Table(sources).write(folder / "catalogue.fits", overwrite=True)
    grid = {"frame": "equatorial", "nside": 32, "ordering": "nested"}
    pixels = at_centres(pd.RangeIndex(12288), **grid).assign(n=100)
    for name in ("corr", "noncorr"):
        pixels[f"domega_{name}"], pixels[f"e_domega_{name}"] = rng.normal(0, 10, (2, 12288)).round(1)
        pixels[f"e_domega_{name}"] = pixels[f"e_domega_{name}"].abs()
    write_dataset(pixels, folder / "map.ecsv", TABLE1, grid | {"simulated": True, "systematic_uas": 10.3})


def plan(folder: Path, stars: str) -> None:
    """The rules from a simulated survey of so many stars to maps: files, numbered in order, for the job `rule`."""
    sys.path.insert(0, str(ROOT / "tests"))
    import parsed_workflow
    from snakemake.iocontainers import Snakemake

    sample = "results/simulated_lamost"
    wanted = [
        "tables/global_offsets.csv",
        "tables/trends.csv",
        "tables/smooth_equatorial.csv",
        "dataset/equatorial.ecsv",
    ]
    config = {"surveys": {"paper": {"stars": int(stars)}}}
    with contextlib.chdir(folder):
        jobs = parsed_workflow.plan(
            folder, [ROOT / "config/simulated_paper.yaml"], config, targets=[f"{sample}/{name}" for name in wanted]
        )
        # In an order in which each finds its input.
        left, number = sorted((job for each in jobs.values() for job in each), key=lambda job: job.rule.name), 0
        while left:
            job = next(job for job in left if not any(set(job.input) & set(other.output) for other in left))
            left.remove(job)
            for path in (*job.output, *job.log):
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            facts = (job.input, job.output, job.params, job.wildcards, 2, {}, job.log, {}, job.rule.name, None)
            words = {"script": f"{job.rule.name}.py", "snakemake": Snakemake(*facts)}
            Path(f"{number:02d}_{job.rule.name}.pickle").write_bytes(pickle.dumps(words))
            number += 1


# ---------------------------------------------------------------- timed from outside


def ours(folder: Path) -> None:
    """The cross-match of the rule crossmatch_tables."""
    from gaia_offsets.sky.match import Match, attach, find_counterparts
    from gaia_offsets.tables.parquet import write_pieces
    from gaia_offsets.tables.read import TableFile

    targets = TableFile(folder / "a.parquet", {"target_ra": "ra", "target_dec": "dec", "obsid": "source_id"})
    how = Match(2016.0, 2016.0, RADIUS, RADIUS, workers=os.cpu_count() or 1)
    found = find_counterparts(targets, TableFile(folder / "moving.parquet"), how=how)
    write_pieces(attach(targets, found), folder / "ours.parquet", fast=True, threads=how.workers)


def astropy(folder: Path) -> None:
    import astropy.units as u
    from astropy.coordinates import SkyCoord, match_coordinates_sky
    from astropy.table import Table, hstack

    one, two = (Table.read(folder / f"{name}.parquet") for name in "ab")
    place, angle, _ = match_coordinates_sky(*(SkyCoord(t["ra"], t["dec"], unit="deg") for t in (one, two)))
    near = angle < RADIUS * u.arcsec
    hstack([one[near], two[place[near]]]).write(folder / "astropy.parquet", overwrite=True)


def lsdb(folder: Path) -> None:
    """In memory: files of HATS would be read faster, and would have to be made first."""
    import lsdb
    import pandas as pd

    frames = (pd.read_parquet(folder / f"{name}.parquet") for name in "ab")
    one, two = (lsdb.from_dataframe(frame, ra_column="ra", dec_column="dec") for frame in frames)
    one.crossmatch(two, radius_arcsec=RADIUS).compute().to_parquet(folder / "lsdb.parquet")


def copy(folder: Path, kind: str) -> None:
    """Read and write the file with the library that apply uses, in batches where it has them."""
    if kind == "parquet":
        import pyarrow.parquet as pq

        with (
            pq.ParquetFile(folder / "catalogue.parquet") as file,
            pq.ParquetWriter(folder / "copy.parquet", file.schema_arrow, compression="zstd") as writer,
        ):
            for batch in file.iter_batches(250_000):
                writer.write_batch(batch)
    else:
        from astropy.table import Table

        Table.read(folder / "catalogue.fits").write(folder / "copy.fits", overwrite=True)


# ---------------------------------------------------------------- that time themselves


def rule(folder: Path, name: str) -> list[float]:
    """A rule's script with the inputs and params that Snakemake would give it."""
    import runpy

    os.chdir(folder)
    words = pickle.loads((folder / name).read_bytes())
    script = str(ROOT / "workflow/scripts" / words["script"])
    runpy.run_path(script)  # its imports
    return clocked(lambda: runpy.run_path(script, {"snakemake": words["snakemake"]}, "__main__"))


def _offsets() -> tuple[Any, Any]:
    """280,000 simulated offsets [uas] in 12,288 pixels."""
    import numpy as np

    rng = np.random.default_rng(1)
    pixel = rng.integers(0, 12288, 280_000)
    return rng.normal(2.6, 60, len(pixel)), pixel


def density_power(folder: Path) -> list[float]:
    from gaia_offsets.offsets.gaussian import fit_density_power
    from gaia_offsets.offsets.groups import group_stars

    offset, pixel = _offsets()
    return clocked(lambda: fit_density_power(group_stars(offset, pixel), beta=0.3))


def histogram(folder: Path) -> list[float]:
    from gaia_offsets.offsets.gaussian import fit_histogram
    from gaia_offsets.offsets.groups import group_stars

    offset, pixel = _offsets()
    return clocked(lambda: fit_histogram(group_stars(offset, pixel), bins=40))


def curve_fit(folder: Path) -> list[float]:
    """The same by a loop over the pixels."""
    import numpy as np
    from scipy.optimize import curve_fit

    offset, pixel = _offsets()

    def gaussian(x: Any, a: float, m: float, s: float) -> Any:
        return a * np.exp(-0.5 * ((x - m) / s) ** 2)

    def loop() -> None:
        order = np.argsort(pixel, kind="stable")
        for values in np.split(offset[order], np.flatnonzero(np.diff(pixel[order])) + 1):
            median = np.median(values)
            sigma = 1.4826 * np.median(np.abs(values - median))
            count, edges = np.histogram(values, bins=40, range=(median - 4 * sigma, median + 4 * sigma))
            x = (edges[1:] + edges[:-1]) / 2
            with contextlib.suppress(RuntimeError):  # a fit that does not converge is part of the loop's life
                curve_fit(gaussian, x, count, p0=[count.max(), median, sigma])

    return clocked(loop)


def one_step(folder: Path) -> list[float]:
    """1,000 draws of the bootstrap, each one Newton step."""
    from gaia_offsets.offsets import resample

    how = resample.linear_gaussian(*_offsets(), beta=0.3)
    return clocked(lambda: resample.bootstrap_errors([how], replicates=1000, seed=1))


TIMED = {job.__name__: job for job in (rule, density_power, histogram, curve_fit, one_step)}
JOBS = {job.__name__: job for job in (positions, catalogue, plan, ours, astropy, lsdb, copy)} | TIMED

if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "workflow/scripts"))
    name, folder, *words = sys.argv[1:]
    seconds = JOBS[name](Path(folder), *words)
    if name in TIMED:
        print(json.dumps(seconds))
