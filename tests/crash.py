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
    """Whether all of the killed runs ended with the bytes of the undisturbed one; a line each."""
    moments, equal, killed = np.random.default_rng(seed).uniform(0.02, 0.98, times), 0, 0
    with tempfile.TemporaryDirectory() as base:
        whole, start = Path(base, "whole"), time.perf_counter()
        run_snakemake(whole, configfiles=[TOY])
        length = time.perf_counter() - start
        print(f"An undisturbed run takes {length:.0f} s; seed {seed}", flush=True)
        for number, moment in enumerate(moments, start=1):
            folder = Path(base, "killed")
            processes = kill_after(folder, moment * length)
            made = sum(path.is_file() for name in FOLDERS for path in (folder / name).rglob("*"))
            run_snakemake(folder, "--unlock", configfiles=[TOY])
            run_snakemake(folder, configfiles=[TOY])
            wrong = differences(folder, whole, *FOLDERS)
            killed, equal = killed + bool(processes), equal + (not wrong)
            what = f"SIGKILL to {processes} processes" if processes else "had ended already"
            verdict = "equal" if not wrong else f"DIFFERENT: {', '.join(wrong[:5])}"
            print(f"{number:3d}: after {moment * length:5.1f} s, {made} files: {what}; {verdict}", flush=True)
            subprocess.run(["rm", "-rf", folder], check=True)
    print(f"{equal} of {times} runs equal, {killed} of them killed")
    return equal == times


if __name__ == "__main__":
    sys.exit(not crash(int(sys.argv[1]) if len(sys.argv) > 1 else 20, seed=1))
