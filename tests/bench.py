"""Benchmarks of `make bench`: side by side in one run, ratios first; these machines are noisy and small."""

from __future__ import annotations

import contextlib
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))


def seconds(function, repeat: int = 3) -> float:
    """Best wall time of a few runs."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def gaussian_fits() -> None:
    """All pixels together against a loop of scipy's curve_fit over histograms."""
    from scipy.optimize import curve_fit

    from gaia_offsets.estimators import fit_density_power, fit_histogram
    from gaia_offsets.segments import Segments

    rng = np.random.default_rng(1)
    pixel = rng.integers(0, 12288, 280_000)
    offset = rng.normal(2.6, 60, len(pixel))

    def gaussian(x, a, m, s):
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

    together = seconds(lambda: fit_density_power(Segments(offset, pixel), beta=0.3))
    literal = seconds(lambda: fit_histogram(Segments(offset, pixel), bins=40))
    looped = seconds(loop, repeat=1)
    print(f"Gaussian fits, 280,000 simulated offsets in 12,288 pixels: loop of curve_fit {looped:.2f} s")
    print(f"  density power, all together {together:.2f} s: {looped / together:.0f} times faster")
    print(f"  histogram, all together     {literal:.2f} s: {looped / literal:.0f} times faster")


def bootstrap() -> None:
    """One-step bootstrap of all pixels together against full refits."""
    from gaia_offsets import resample
    from gaia_offsets.estimators import fit_density_power
    from gaia_offsets.segments import Segments

    rng = np.random.default_rng(1)
    pixel = rng.integers(0, 12288, 268_003)
    offset = rng.normal(2.6, 60, len(pixel))

    def one_step(replicates: int) -> np.ndarray:
        return resample.bootstrap_errors(
            [resample.linear_gaussian(offset, pixel, beta=0.3)], replicates=replicates, seed=1
        )[0]

    def refit(replicates: int) -> np.ndarray:
        def fit(draw: Segments) -> np.ndarray:
            return fit_density_power(draw, beta=0.3, tolerance=1e-3)[0]

        return resample.refit_errors(Segments(offset, pixel), fit, replicates=replicates, seed=1)

    fast, slow = seconds(lambda: one_step(1000), repeat=1), seconds(lambda: refit(20), repeat=1) / 20
    ratio = np.median(one_step(100) / refit(100))
    print(f"Bootstrap of 268,003 simulated offsets in 12,288 pixels: 1,000 draws in {fast:.1f} s on one core")
    print(
        f"  one refit takes {slow:.2f} s, a one-step draw is {1000 * slow / fast:.0f} times faster; ratio {ratio:.3f}"
    )


def cross_match() -> None:
    """Sorted along the HEALPix curve against unsorted, and against astropy's matcher."""
    from astropy.coordinates import SkyCoord, match_coordinates_sky

    from gaia_offsets import matching

    rng = np.random.default_rng(2)
    n = 2_000_000
    ra, dec = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-0.2, 0.9, n)))
    other = ra + rng.normal(0, 1e-5, n), dec + rng.normal(0, 1e-5, n)
    turn = rng.permutation(n)
    other = other[0][turn], other[1][turn]
    sort = matching._along_the_sky

    mine = seconds(lambda: matching.match_nearest(ra, dec, *other, 3.0, workers=-1))
    matching._along_the_sky = lambda ra, dec: np.arange(len(ra))
    unsorted = seconds(lambda: matching.match_nearest(ra, dec, *other, 3.0, workers=-1), repeat=1)
    matching._along_the_sky = sort
    a, b = SkyCoord(ra, dec, unit="deg"), SkyCoord(*other, unit="deg")
    theirs = seconds(lambda: match_coordinates_sky(a, b), repeat=1)
    print(f"Cross-match of 2,000,000 with 2,000,000 simulated positions: {mine:.2f} s")
    print(f"  unsorted {unsorted:.2f} s: {unsorted / mine:.1f} times slower")
    print(f"  astropy {theirs:.2f} s: {theirs / mine:.1f} times slower")


def paper_scale(stars: int) -> None:
    """Time and peak memory of the simulated survey at the paper's scale."""
    code = """
import resource, sys, time, yaml
from gaia_offsets import simulate
survey = yaml.safe_load(open("config/config.yaml"))["surveys"]["standard"] | {"stars": int(sys.argv[2])}
kinds = {"fits": ["targets", "red_clump", "truth_map"], "parquet": ["gaia_source", "tmass", "distances", "truth"]}
paths = {name: f"{sys.argv[1]}/{name}.{kind}" for kind, names in kinds.items() for name in names}
start = time.time()
rows = simulate.write_survey(survey, paths)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(f"Simulated survey: {rows['targets']:,} spectra in {time.time() - start:.0f} s, peak {peak:.2f} GiB")
"""
    with tempfile.TemporaryDirectory() as folder:
        environment = {"PYTHONPATH": str(ROOT / "workflow" / "scripts"), "PATH": "/usr/bin:/bin"}
        subprocess.run([sys.executable, "-c", code, folder, str(stars)], cwd=ROOT, env=environment, check=True)


def toy() -> None:
    """A run of the toy survey and one that has nothing to do; `import pandas` tells how fast the machine is."""
    tests = ROOT / "tests"
    sys.path.insert(0, str(tests))
    from snakemake_run import TOY, run_snakemake

    def cost(function) -> tuple[float, float]:
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        function()
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        return wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = cost(lambda: run_snakemake(Path(folder), configfiles=[TOY]))
        again, _ = cost(lambda: run_snakemake(Path(folder), configfiles=[TOY]))
    yardstick = min(cost(lambda: subprocess.run([sys.executable, "-c", "import pandas"], check=True))[0] for _ in "123")
    print(f"Toy survey on two cores: {wall:.0f} s ({cpu:.0f} s of processor time), nothing to do {again:.1f} s")
    print(f"  the processor time is that of {cpu / yardstick:.0f} times `import pandas` ({yardstick:.2f} s)")


if __name__ == "__main__":
    toy()
    gaussian_fits()
    bootstrap()
    cross_match()
    paper_scale(int(sys.argv[1]) if len(sys.argv) > 1 else 5_170_000)
    print(f"Peak of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")
