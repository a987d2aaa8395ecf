"""Snakemake and its jobs as forks of a process that has their packages imported, which was half of a test run's time.

A fork begins with the environment, the folder and the search path that a new interpreter would have, and no module of
ours. What it would not notice, a package that is used without being imported, the runs with `forked=False` do.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Mapping
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
# What most jobs import; a fork imports itself what is missing here.
PRELOAD = ["pandas", "healpy", "mocpy", "zero_point", "requests", "jinja2", "bokeh.embed", "bokeh.plotting"]
PRELOAD += [f"snakemake.{name}" for name in ("cli", "script", "dag", "executors.local")]
PRELOAD += [f"astropy.{name}" for name in ("table", "coordinates", "io.ascii", "io.fits", "io.votable")]
PRELOAD += [f"scipy.{name}" for name in ("optimize", "sparse.linalg", "interpolate", "special", "stats", "spatial")]
PRELOAD += [f"matplotlib.{name}" for name in ("pyplot", "figure", "backends.backend_agg", "backends.backend_pdf")]
PRELOAD += ["pyarrow.parquet", "pyarrow.csv"]
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(PRELOAD)
# Each start looks after all children, in its own thread: it could take the exit code that another thread waits for.
STARTS = threading.Lock()


def run(command: list[str], folder: Path, environment: Mapping[str, str], printed: Path, timeout: float) -> int:
    """The exit code of `python -m snakemake ...` in a folder; all that it prints goes to a file."""
    added = {str(ROOT / name) for name in ("workflow/scripts", "tests", "tools")}  # by pytest's setting `pythonpath`
    path = [name for name in environment.get("PYTHONPATH", "").split(os.pathsep) if name]
    path += [name for name in sys.path if name not in added and name not in path]
    forkserver._forkserver.ensure_running()
    known = vars(forkserver._forkserver)
    server = {name: known[name] for name in ("_forkserver_address", "_forkserver_authkey") if name in known}
    place = (str(folder), dict(environment), path, str(printed))
    process = FORKS.Process(target=_snakemake, args=(server, command, *place))
    process.start()
    process.join(timeout)
    if process.exitcode is None:
        process.kill()
        raise subprocess.TimeoutExpired(command, timeout)
    return process.exitcode


def _become(folder: str, environment: dict[str, str], path: list[str], printed: str) -> None:
    """What a new interpreter has, and its output in a file."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:] = path
    file = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)


def _end(work: Callable[[], None]) -> None:
    """Do the work and end as an interpreter would: with a traceback, exit handlers, and nothing left in a buffer."""
    code = 0
    try:
        work()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def _snakemake(server: dict[str, Any], command: list[str], *place: str) -> None:
    # Jobs fork from the same process as this: one of its own would import everything anew, 3 s in each run.
    vars(forkserver._forkserver).update(server, ensure_running=lambda: None)
    _become(*place)
    sys.path.append(str(ROOT / "tests"))  # for this module in the jobs' processes, before they have their own path
    from snakemake import cli, script
    from snakemake.benchmark import benchmarked

    def execute_script(job: script.PythonScript, file: str, edit: bool = False) -> None:
        threads = {f"{name}_NUM_THREADS": str(job.threads) for name in ("OMP", "OPENBLAS")}
        process = FORKS.Process(target=_job, args=(file, os.getcwd(), {**os.environ, **threads}, *place[2:]))
        with STARTS:
            process.start()
            multiprocessing.process._children.discard(process)
        with benchmarked(process.pid, job.bench_record):
            process.join()
        if process.exitcode:
            raise subprocess.CalledProcessError(process.exitcode, file)

    script.PythonScript.execute_script = execute_script
    sys.argv = command
    _end(cli.main)


def _job(file: str, *place: str) -> None:
    _become(*place)
    sys.argv, main = [file], types.ModuleType("__main__")
    sys.path.insert(0, str(Path(file).parent))
    sys.modules["__main__"], main.__file__ = main, file
    _end(lambda: exec(compile(Path(file).read_bytes(), file, "exec"), vars(main)))
