"""`make bench`, second half: files in, files out, beside other programs; each in a process of its own.

    .venv/bin/python tests/bench_peers.py [--sizes 100000 1000000 5000000] [--rows 10000000] [--repeats 3] [--write]

Prints medians, ratios and peak memory; --write puts them into docs/benchmark.md and a plot beside it. A program that is
not here is named as missing: STILTS is the Debian package of that name, LSDB goes into .venv-lsdb
(python -m venv .venv-lsdb && .venv-lsdb/bin/pip install lsdb).
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
RADIUS = 3.0  # arcsec
LSDB = ROOT / ".venv-lsdb/bin/python"


# ---------------------------------------------------------------- jobs: bench_peers.py --job NAME FOLDER


def ours(folder: Path) -> None:
    from gaia_offsets.matching import Frame, attach, find_counterparts
    from gaia_offsets.tables import TableFile, ahead, read_table, write_pieces

    names = {"target_ra": "ra", "target_dec": "dec", "obsid": "source_id"}
    gaia = read_table(folder / "b.parquet").assign(pmra=0.0, pmdec=0.0)
    targets = TableFile(folder / "a.parquet", names, others=False)
    how = {"target_epoch": 2016.0, "gaia_epoch": 2016.0, "radius_arcsec": RADIUS, "tmass_radius_arcsec": RADIUS}
    found = find_counterparts(targets, Frame(gaia), **how, workers=os.cpu_count() or 1)
    write_pieces(ahead(attach(targets, found)), folder / "ours.parquet", fast=True)


def astropy(folder: Path) -> None:
    import astropy.units as u
    from astropy.coordinates import SkyCoord, match_coordinates_sky
    from astropy.table import Table, hstack

    one, two = (Table.read(folder / f"{name}.parquet") for name in "ab")
    place, angle, _ = match_coordinates_sky(*(SkyCoord(t["ra"], t["dec"], unit="deg") for t in (one, two)))
    near = angle < RADIUS * u.arcsec
    hstack([one[near], two[place[near]]]).write(folder / "astropy.parquet", overwrite=True)


def apply(folder: Path, kind: str) -> None:
    from gaia_offsets.apply import Correction, correct_file, read_map_for

    correction = Correction(read_map_for(folder / "map.ecsv", "raw"), base="raw")
    correct_file(folder / f"catalogue.{kind}", folder / f"corrected.{kind}", correction, overwrite=True)


def copy_parquet(folder: Path) -> None:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(folder / "catalogue.parquet")
    with pq.ParquetWriter(folder / "copy.parquet", file.schema_arrow, compression="zstd") as writer:
        for batch in file.iter_batches():
            writer.write_batch(batch)


def copy_fits(folder: Path) -> None:
    from astropy.table import Table

    Table.read(folder / "catalogue.fits").write(folder / "copy.fits", overwrite=True)


JOBS = {
    "gaia_offsets": ours,
    "astropy": astropy,
    "apply parquet": lambda folder: apply(folder, "parquet"),
    "apply fits": lambda folder: apply(folder, "fits"),
    "copy parquet": copy_parquet,
    "copy fits": copy_fits,
}
LSDB_JOB = """
import sys, lsdb, pandas as pd
frames = (pd.read_parquet(f"{sys.argv[1]}/{name}.parquet") for name in "ab")
one, two = (lsdb.from_dataframe(frame, ra_column="ra", dec_column="dec") for frame in frames)
one.crossmatch(two, radius_arcsec=float(sys.argv[2])).compute().to_parquet(f"{sys.argv[1]}/lsdb.parquet")
"""


# ---------------------------------------------------------------- the run


def command(job: str, folder: Path) -> list[str] | None:
    """How a job is started; None where its program is missing."""
    if job == "STILTS":
        match = "tskymatch2 find=best1 ra1=ra dec1=dec ra2=ra dec2=dec omode=out ofmt=fits"
        files = [f"in1={folder}/a.fits", f"in2={folder}/b.fits", f"error={RADIUS}", f"out={folder}/stilts.fits"]
        return ["stilts", *match.split(), *files] if shutil.which("stilts") else None
    if job == "LSDB":
        return [str(LSDB), "-c", LSDB_JOB, str(folder), str(RADIUS)] if LSDB.is_file() else None
    return [sys.executable, __file__, "--job", job, str(folder)]


def measured(job: str, folder: Path, repeats: int) -> tuple[float, float] | None:
    """Median wall time [s] and largest memory [GiB] of a job after a warm-up; None where its program is missing."""
    words, times, peak = command(job, folder), [], 0.0
    if words is None:
        return None
    for number in range(repeats + 1):
        start = time.perf_counter()
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"{shlex.join(words)}\n{said.decode()[-2000:]}")
        times += [time.perf_counter() - start] if number else []
        peak = max(peak, used.ru_maxrss / 2**20)
    return statistics.median(times), peak


def positions(folder: Path, n: int) -> None:
    """Two tables of n simulated positions, in another order and half a second of arc apart, as Parquet and FITS."""
    from astropy.table import Table

    rng = np.random.default_rng(2)
    ra, dec = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-0.2, 0.9, n)))
    turn = rng.permutation(n)
    other = (ra + rng.normal(0, 1e-4, n)) % 360, dec + rng.normal(0, 1e-4, n)
    for name, (a, d) in {"a": (ra, dec), "b": tuple(values[turn] for values in other)}.items():
        table = Table({"source_id": np.arange(1, n + 1), "ra": a, "dec": d})
        for kind in ("parquet", "fits"):
            table.write(folder / f"{name}.{kind}", overwrite=True)


def catalogue(folder: Path, n: int) -> None:
    """A catalogue of n simulated stars as Parquet and FITS, and the map of the toy, which must have been run."""
    from astropy.table import Table

    rng = np.random.default_rng(3)
    ra, dec = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-0.2, 0.9, n)))
    stars = {"source_id": np.arange(1, n + 1), "ra": ra, "dec": dec, "parallax": rng.normal(0.5, 0.2, n)}
    stars |= {"parallax_error": np.full(n, 0.03), "phot_g_mean_mag": rng.uniform(10, 17, n)}
    stars |= {"nu_eff_used_in_astrometry": np.full(n, 1.4), "pseudocolour": np.full(n, 1.4), "ecl_lat": dec}
    table = Table({**stars, "astrometric_params_solved": np.full(n, 31)})
    for kind in ("parquet", "fits"):
        table.write(folder / f"catalogue.{kind}", overwrite=True)
    made = ROOT / "results/simulated_giants/dataset/equatorial.ecsv"
    if not made.is_file():
        sys.exit(f"{made}: run `make toy` first: the catalogue is corrected by its map")
    shutil.copy(made, folder / "map.ecsv")


def versions() -> str:
    named = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "pyarrow", "astropy"))
    return f"Python {platform.python_version()}, {named}; {os.cpu_count()} cores"


def cross_match(sizes: list[int], repeats: int) -> list[tuple[str, int, float, float]]:
    """Rows of program, size, seconds, GiB; prints a line each."""
    rows = []
    for n in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            positions(folder, n)
            for job in ("gaia_offsets", "astropy", "STILTS", "LSDB"):
                result = measured(job, folder, repeats)
                if result is None:
                    print(f"cross-match of {n:,} with {n:,}: {job} is missing", flush=True)
                    continue
                rows.append((job, n, *result))
                mine = next(seconds for who, size, seconds, _ in rows if who == "gaia_offsets" and size == n)
                print(
                    f"cross-match of {n:,} with {n:,} simulated positions: {job} {result[0]:.2f} s, "
                    f"{result[0] / mine:.1f} times ours, {result[1]:.2f} GiB",
                    flush=True,
                )
    return rows


def corrected(n: int, repeats: int) -> list[tuple[str, int, float, float]]:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        catalogue(folder, n)
        for kind in ("parquet", "fits"):
            pair = [measured(f"{job} {kind}", folder, repeats) for job in ("copy", "apply")]
            rows += [(f"{job} {kind}", n, *result) for job, result in zip(("copy", "apply"), pair, strict=True)]
            print(
                f"apply to {n:,} simulated rows, {kind}: {pair[1][0]:.2f} s, {pair[1][1]:.2f} GiB; "
                f"a copy by the same library {pair[0][0]:.2f} s: {pair[0][0] / pair[1][0]:.2f} of its speed",
                flush=True,
            )
    return rows


def write_page(rows: list[tuple[str, int, float, float]], words: str) -> None:
    """docs/benchmark.md and docs/images/benchmark.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for program in dict.fromkeys(job for job, *_ in rows if " " not in job):
        own = [(n, seconds) for job, n, seconds, _ in rows if job == program]
        axes.loglog(*zip(*own, strict=True), marker="o", label=program)
    axes.set(xlabel="positions in each table", ylabel="wall time, files in and out [s]")
    axes.legend()
    figure.savefig(ROOT / "docs/images/benchmark.png", dpi=150)
    lines = [
        "# Benchmark",
        "",
        f"`{words}` on {datetime.date.today()}: medians after a warm-up, each program in a process of its own, files "
        f"in and out. {versions()}. All stars are simulated.",
        "",
        "| program | rows | s | peak GiB |",
        "|---|---|---|---|",
        *(f"| {job} | {n:,} | {seconds:.2f} | {gib:.2f} |" for job, n, seconds, gib in rows),
        "",
        "![Wall time of the cross-match against the number of positions](images/benchmark.png)",
    ]
    (ROOT / "docs/benchmark.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--job", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000, 5_000_000])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    if chosen.job:
        sys.path.insert(0, str(ROOT / "workflow" / "scripts"))
        JOBS[chosen.job[0]](Path(chosen.job[1]))
        sys.exit()
    print(versions())
    table = cross_match(chosen.sizes, chosen.repeats) + (corrected(chosen.rows, chosen.repeats) if chosen.rows else [])
    if chosen.write:
        write_page(table, shlex.join([".venv/bin/python", "tests/bench_peers.py", *sys.argv[1:]]))
