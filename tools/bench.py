"""`make bench`: time and peak memory of each job in a process of its own, beside those of others; docs/benchmark.md.

    make bench                             all but those of LONG
    make bench ONLY="apply cross_match"    these
    .venv/bin/python tools/bench.py --scale 0.01 [NAME ...]    a trial at a hundredth of the sizes; writes no page

A program that is not here is named as missing: STILTS is the Debian package of that name; LSDB is that of
.venv-lsdb (python -m venv .venv-lsdb && .venv-lsdb/bin/pip install lsdb) or of this environment. The page and its
figure are made of what this and earlier runs have measured (build/bench/); it says when. This process stays small: a
child's peak memory, as the kernel counts it, is at least that of its parent at the start.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import cycle
from pathlib import Path

from bench_jobs import RADIUS, ROOT, TIMED, repeated

KEPT = ROOT / "build/bench"
LSDB = ROOT / ".venv-lsdb/bin/python"
SMALLER = 1_000_000  # LSDB matches no more than so many in the time that there is
PACKAGES = ("numpy", "scipy", "pandas", "pyarrow", "astropy", "healpy", "snakemake")


@dataclass(frozen=True)
class Row:
    """One line of the table: a job, its size, medians of its runs, peak memory, and words beside it."""

    job: str
    size: int
    seconds: float | None = None  # wall time; None: the program is missing
    runs: int = 0
    gib: float | None = None
    note: str = ""
    cpu: float | None = None  # processor time [s], which a busy machine changes less, of jobs that are timed as a whole


def words(job: str, folder: Path, *more: object) -> list[str]:
    return [sys.executable, str(ROOT / "tools/bench_jobs.py"), job, str(folder), *map(str, more)]


def process(command: list[str]) -> tuple[float, float, float, str]:
    """Wall and processor time [s], peak memory [GiB] and output of one run of a command; a failure ends the bench."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=said, stderr=complained)
        _, status, used = os.wait4(child.pid, 0)
        took = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0), complained.seek(0)
        if status:
            sys.exit(f"{' '.join(command)}\n{complained.read().decode()[-2000:]}")
        return took, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20, said.read().decode()


def measured(name: str, size: int, command: list[str], beside: Callable[[float], str] | None = None) -> Row:
    """Median and peak of a job, printed at once; `beside` makes words of the median."""
    cpu, peaks = [], []

    def run() -> float:
        took, used, peak, _ = process(command)
        cpu.append(used), peaks.append(peak)
        return took

    if len(command) > 2 and command[2] in TIMED:
        _, _, peak, said = process(command)
        peaks, seconds = [peak], json.loads(said)
    else:
        seconds = repeated(run)
    median, used = statistics.median(seconds), statistics.median(cpu[-len(seconds) :]) if cpu else None
    return told(Row(name, size, median, len(seconds), max(peaks), beside(median) if beside else "", used))


def told(row: Row) -> Row:
    cost = "missing" if row.seconds is None else f"{row.seconds:.2f} s ({row.runs} runs)"
    cpu = "" if row.cpu is None else f", {row.cpu:.2f} s of processor time"
    peak = "" if row.gib is None else f", {row.gib:.2f} GiB"
    print(f"  {row.job}, {row.size:,}: {cost}{cpu}{peak}{'; ' + row.note if row.note else ''}", flush=True)
    return row


def times(first: Row) -> Callable[[float], str]:
    return lambda seconds: f"{seconds / first.seconds:.2f} times {first.job}"


def speed(copy: Row) -> Callable[[float], str]:
    return lambda seconds: f"{copy.seconds / seconds:.2f} of the speed of the copy"


# ---------------------------------------------------------------- the benchmarks: each prints its lines and yields rows


def cross_match(scale: float) -> Iterator[Row]:
    """Cross-match of as many simulated positions with as many, files in and out."""
    for n in (int(size * scale) for size in (1_000_000, 5_000_000)):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            process(words("positions", folder, n))
            first = measured("gaia_offsets", n, words("ours", folder))
            yield first
            match = "tskymatch2 find=best1 ra1=ra dec1=dec ra2=ra dec2=dec omode=out ofmt=fits"
            files = [f"in1={folder}/a.fits", f"in2={folder}/b.fits", f"error={RADIUS}", f"out={folder}/stilts.fits"]
            others = {"astropy": words("astropy", folder)}
            others["STILTS"] = ["stilts", *match.split(), *files] if shutil.which("stilts") else None
            python = LSDB if LSDB.is_file() else importlib.util.find_spec("lsdb") and sys.executable
            if n <= SMALLER * scale:
                others["LSDB"] = [str(python), *words("lsdb", folder)[1:]] if python else None
            for program, command in others.items():
                yield measured(program, n, command, times(first)) if command else told(Row(program, n))


def apply(scale: float) -> Iterator[Row]:
    """`gaia-offsets apply` to simulated sources of 14 columns beside a copy of the file by the same library."""
    rows = int(10_000_000 * scale)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        process(words("catalogue", folder, rows))
        for kind, library in (("parquet", "pyarrow"), ("fits", "astropy")):
            copy = measured(f"copy of {kind} by {library}", rows, words("copy", folder, kind))
            yield copy
            files = [folder / "map.ecsv", folder / f"catalogue.{kind}", folder / f"out.{kind}"]
            for what, more in (("map", []), ("zero point and map", ["--with-official"])):
                command = [sys.executable, "-m", "gaia_offsets", "apply", *map(str, files), "--overwrite", *more]
                yield measured(f"apply to {kind}, {what}", rows, command, speed(copy))


def fits(scale: float) -> Iterator[Row]:
    """Gaussians of 280,000 simulated offsets in 12,288 pixels, all together and one by one; their bootstrap."""
    first = measured("density power, all pixels together", 280_000, words("density_power", ROOT))
    yield first
    for name, job in (("histogram, all pixels together", "histogram"), ("loop of scipy's curve_fit", "curve_fit")):
        yield measured(name, 280_000, words(job, ROOT), times(first))
    yield measured("bootstrap, 1,000 draws of one step", 280_000, words("one_step", ROOT))


def rules(scale: float) -> Iterator[Row]:
    """The rules from the simulated survey to the maps, by the number of its stars: cost against size."""
    for n in (int(size * scale) for size in (100_000, 400_000, 1_600_000)):
        with tempfile.TemporaryDirectory() as name:
            process(words("plan", Path(name), n))
            for file in sorted(path.name for path in Path(name).glob("*.pickle")):
                yield measured(file[3:].removesuffix(".pickle"), n, words("rule", Path(name), file))


def toy(scale: float) -> Iterator[Row]:
    """The toy survey on two cores, then again with nothing to do; `import pandas` tells how fast the machine is."""
    with tempfile.TemporaryDirectory() as name:
        config = ["--configfile", str(ROOT / "config/toy.yaml")]
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", name]
        command += ["--cores", "2", *config]
        took, cpu, _, _ = process(command)  # the peak of many processes is none of the toy
        yield told(Row("toy", 30_000, took, 1, cpu=cpu))
        yield measured("toy, nothing to do", 30_000, command)
    yield measured("import pandas", 0, [sys.executable, "-c", "import pandas"])


def tracers(scale: float) -> Iterator[Row]:
    """Every rule that reads the tracers table, on simulated ones, two scripts at a time: cost against size."""
    from bench_tracers import measure

    for n in (int(size * scale) for size in (3_000_000, 30_000_000)):
        for name, (wall, cpu, gib) in measure(n).items():
            yield told(Row(name, n, wall, 1, gib, cpu=cpu))


# Name to function of the scale of the sizes; each prints its lines (`measured`, `told`) and yields rows.
BENCHMARKS = {job.__name__: job for job in (cross_match, apply, fits, rules, toy, tracers)}
LONG = {"tracers"}  # run only when they are named


# ---------------------------------------------------------------- the page


def versions() -> str:
    named = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"Python {platform.python_version()}, {named}; {os.cpu_count()} cores"


def exponent(rows: list[Row]) -> float:
    """Slope of log time against log size, by least squares."""
    points = [(math.log(row.size), math.log(row.seconds)) for row in rows]
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def draw(rows: list[Row], path: Path, size: str) -> None:
    """Time and peak memory against size, a line a job that has several, with the exponent of the time."""
    from matplotlib.figure import Figure

    from gaia_offsets.report.style import SAMPLE_COLOURS, SAMPLE_MARKERS

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    # As many markers as colours would repeat both at once.
    looks = zip(cycle(SAMPLE_COLOURS), cycle(SAMPLE_MARKERS[:-1]))
    for job in dict.fromkeys(row.job for row in rows):
        own = [row for row in rows if row.job == job]
        if len(own) > 1:
            sizes, (colour, marker) = [row.size for row in own], next(looks)
            look = {"color": colour, "marker": marker, "markersize": 5}
            left.loglog(sizes, [row.seconds for row in own], **look)
            right.loglog(sizes, [row.gib for row in own], **look, label=f"{job}, {exponent(own):.2f}")
    for axis in (left.yaxis, right.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")
    left.set(xlabel=size, ylabel="wall time [s]")
    right.set(xlabel=size, ylabel="peak memory [GiB]", ylim=(0.1, None))  # Python and its imports take more
    figure.legend(loc="outside right upper", fontsize="small", frameon=False, title="exponent of the time")
    figure.savefig(path, dpi=120)


HEAD = """\
# Benchmarks

Read `rules` for the cost of a run by its number of stars (`tracers`, for large samples, takes half an hour and runs
only where it is named), `cross_match` and `apply` for other programs beside this one. `make bench` wrote this page:
medians of up to three runs, each job in a process of its own, with simulated stars. The machine is small and noisy:
ratios say more than seconds.
"""
SIZE = """
## Cost against size

The exponent is the slope of a line through all sizes; what does not grow with them (pixels, files) makes it smaller.
`rules` are timed without the start of Python.
"""
FIGURES = {"rules": "stars of the simulated survey", "tracers": "simulated tracers"}  # and what their size is


def page(kept: dict[str, dict]) -> str:
    """The page, from what is kept of each benchmark: date, command, versions, meaning and rows."""
    lines = [HEAD]
    for name, entry in kept.items():
        lines.append(f"- `{name}`: {entry['meaning']} {entry['date']}, `{entry['command']}`; {entry['versions']}.")
    lines += [
        "",
        "| benchmark | job | size | s | of processor | runs | peak GiB | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, entry in kept.items():
        for row in entry["rows"]:
            seconds = "missing" if row.seconds is None else f"{row.seconds:.2f}"
            peak = "" if row.gib is None else f"{row.gib:.2f}"
            cpu = "" if row.cpu is None else f"{row.cpu:.2f}"
            cells = (name, row.job, f"{row.size:,}", seconds, cpu, row.runs or "", peak, row.note)
            lines.append(f"| {' | '.join(map(str, cells))} |")
    drawn = [
        f"\n![Cost of {name} against {FIGURES[name]}](images/benchmark_{name}.png)\n"
        for name in FIGURES
        if name in kept
    ]
    return "\n".join(lines) + "\n" + "".join([SIZE, *drawn] if drawn else [])


def write_page(docs: Path = ROOT / "docs") -> None:
    kept = {}
    for name in BENCHMARKS:
        if (file := KEPT / f"{name}.json").is_file():
            kept[name] = json.loads(file.read_text(encoding="utf-8"))
            kept[name]["rows"] = [Row(**row) for row in kept[name]["rows"]]
    (docs / "benchmark.md").write_text(page(kept), encoding="utf-8")
    for name in FIGURES:
        if name in kept:
            draw(kept[name]["rows"], docs / f"images/benchmark_{name}.png", FIGURES[name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--scale", type=float, default=1.0, help="of all sizes; other than 1 writes no page")
    chosen = parser.parse_args()
    if unknown := [name for name in chosen.names if name not in BENCHMARKS]:
        sys.exit(f"{unknown[0]}: no such benchmark; there are {', '.join(BENCHMARKS)}")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each process would compile our modules anew
    print(versions())
    for name in chosen.names or [name for name in BENCHMARKS if name not in LONG]:
        start, meaning = time.perf_counter(), BENCHMARKS[name].__doc__.splitlines()[0]
        print(f"{name}: {meaning}", flush=True)
        rows = [asdict(row) for row in BENCHMARKS[name](chosen.scale)]
        print(f"  in {time.perf_counter() - start:.0f} s", flush=True)
        if chosen.scale == 1:
            command = "make bench" + (f' ONLY="{" ".join(chosen.names)}"' if chosen.names else "")
            facts = {"date": str(datetime.date.today()), "command": command, "versions": versions(), "meaning": meaning}
            KEPT.mkdir(parents=True, exist_ok=True)
            (KEPT / f"{name}.json").write_text(json.dumps(facts | {"rows": rows}, indent=1), encoding="utf-8")
            write_page()


if __name__ == "__main__":
    main()
