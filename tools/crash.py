"""`make crash`: runs of the toy survey, each killed at a random moment with all its processes and started again.

Every file of results and resources must have the bytes of a run that nobody disturbed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil  # comes with Snakemake
from snakemake_run import OFFLINE, TOY, differences, run_snakemake, snakemake_command

FOLDERS = ("results", "resources")


def kill_after(folder: Path, seconds: float) -> int:
    """Start a run and kill all of it, at once, after some seconds; the number of processes that were killed."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = snakemake_command(folder, configfiles=[TOY])
    run = subprocess.Popen(command, cwd=folder, env={**os.environ, **OFFLINE}, start_new_session=True, **quiet)
    try:
        run.wait(seconds)
        return 0
    except subprocess.TimeoutExpired:
        jobs = psutil.Process(run.pid).children(recursive=True)
        os.killpg(run.pid, signal.SIGKILL)
        for job in jobs:
            if job.is_running():
                job.kill()
        psutil.wait_procs(jobs)
        run.wait()
        return 1 + len(jobs)


def crash(times: int, seed: int) -> bool:
    """Whether so many killed runs all ended with the bytes of the undisturbed one; a line each."""
    rng, equal, killed = np.random.default_rng(seed), 0, 0
    with tempfile.TemporaryDirectory() as base:
        whole, start = Path(base, "whole"), time.perf_counter()
        run_snakemake(whole, configfiles=[TOY], forked=False)
        length = time.perf_counter() - start
        print(f"An undisturbed run takes {length:.0f} s; seed {seed}", flush=True)
        while killed < times:
            folder, after, start = Path(base, "killed"), rng.uniform(0.02, 0.98) * length, time.perf_counter()
            processes = kill_after(folder, after)
            if not processes:  # it had ended: runs are shorter than the first one was
                length = time.perf_counter() - start
                subprocess.run(["rm", "-rf", folder], check=True)
                continue
            made = sum(path.is_file() for name in FOLDERS for path in (folder / name).rglob("*"))
            run_snakemake(folder, "--unlock", configfiles=[TOY], forked=False)
            run_snakemake(folder, configfiles=[TOY], forked=False)
            wrong = differences(folder, whole, *FOLDERS)
            killed, equal = killed + 1, equal + (not wrong)
            verdict = "equal" if not wrong else f"DIFFERENT: {', '.join(wrong[:5])}"
            what = f"SIGKILL to {processes} processes after {after:.1f} s"
            print(f"{killed:3d}: {what}, {made} files; {verdict}", flush=True)
            subprocess.run(["rm", "-rf", folder], check=True)
    print(f"{equal} of {killed} killed runs equal")
    return equal == times


if __name__ == "__main__":
    sys.exit(not crash(*(int(word) for word in (*sys.argv[1:], *("20", "1")[len(sys.argv) - 1 :]))))
