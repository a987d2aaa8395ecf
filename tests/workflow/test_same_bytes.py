"""The same inputs give the same bytes: with one core and with two, and after a run was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from snakemake_run import OFFLINE, SMALL, TOY, differences, run_snakemake, snakemake_command


@pytest.mark.slow
def test_one_core_and_two_give_the_same_bytes(tmp_path: Path, toy: Path) -> None:
    """Here each job has an interpreter of its own, with its own seed of hashes; those of `toy` are forks of one."""
    run_snakemake(tmp_path, configfiles=[TOY], cores=1, forked=False)
    assert differences(tmp_path, toy, "results", "resources") == []


@pytest.mark.slow
def test_a_killed_run_started_again_gives_the_same_bytes(tmp_path: Path, small: Path) -> None:
    killed = tmp_path / "killed"
    command = snakemake_command(killed, **SMALL)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=killed, env={**os.environ, **OFFLINE}, start_new_session=True, **quiet)
    # A script opens its log first: from then on the job is at work.
    started, end = killed / "logs/select_stars/simulated_giants.log", time.monotonic() + 120
    while not started.exists():
        assert process.poll() is None and time.monotonic() < end, "the run ended before it could be killed"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / SMALL["targets"][-1]).exists()
    assert any((killed / ".snakemake/incomplete").iterdir())
    assert "--unlock" in run_snakemake(killed, **SMALL, fails=True)
    run_snakemake(killed, "--unlock", **SMALL)
    run_snakemake(killed, **SMALL)
    assert differences(killed, small, "results", "resources") == []
