"""A real SLURM on loopback for tests: munged, slurmctld and one slurmd of Debian's packages, in a temporary folder.

`make slurm` runs the toy without and with it and compares all files. `PYTHONPATH=tests .venv/bin/python tools/slurm.py
COMMAND` runs a command on it.
"""

from __future__ import annotations

import getpass
import hashlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from snakemake_run import ROOT, TOY, run_snakemake

PACKAGES = "slurmctld slurmd slurm-client munge"
PROGRAMS = ["munged", "mungekey", "slurmctld", "slurmd", "sbatch", "srun", "squeue"]
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"  # /usr/sbin need not be on that of the caller
CPUS = max(4, os.cpu_count() or 1)  # a job may ask for four
# Without control groups, which a container has no right to; without accounts.
SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={root}/munge.socket
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
MinJobAge=86400
NodeName=one NodeHostname={host} NodeAddr=127.0.0.1 Port={daemon} CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=only Nodes=one Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """What is not installed that these tests need, or an empty text."""
    if importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        return "snakemake-executor-plugin-slurm is missing; pip install snakemake-executor-plugin-slurm"
    programs = [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]
    return f"{programs[0]} is missing; apt-get install {PACKAGES}" if programs else ""


def digests(run: Path) -> dict[str, str]:
    """SHA-256 of all results and resources of a run."""
    files = [path for folder in ("results", "resources") for path in (run / folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def free_ports(number: int) -> list[int]:
    """TCP ports of the loopback interface that nobody listens on."""
    probes = [socket.socket() for _ in range(number)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class Slurm:
    """The daemons in a temporary folder `root`; `environment` is that of a process that is to use them."""

    def __init__(self) -> None:
        # A Unix socket's path may have 107 bytes, so pytest's own long folder will not do.
        self.root = Path(tempfile.mkdtemp(prefix="slurm", dir="/tmp"))
        self.environment = {**os.environ, "PATH": f"{self.root}/bin:{PATH}", "SLURM_CONF": f"{self.root}/slurm.conf"}
        self.daemons: list[subprocess.Popen[bytes]] = []

    def start(self) -> Slurm:
        """Start the daemons; returns when the node takes jobs."""
        root = self.root
        root.chmod(0o755)  # munged wants its socket to be within everybody's reach
        (root / "state").mkdir()
        (root / "spool").mkdir()
        controller, daemon = free_ports(2)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
        facts = {"root": root, "host": socket.gethostname(), "user": getpass.getuser(), "cpus": CPUS, "memory": memory}
        (root / "slurm.conf").write_text(SLURM_CONF.format(**facts, controller=controller, daemon=daemon))
        # The plugin takes SLURM_CONF away from the srun of a job, which then would look for a cluster of this machine.
        (root / "bin").mkdir()
        (root / "bin/srun").write_text(
            f'#!/bin/sh\nSLURM_CONF={root}/slurm.conf exec {shutil.which("srun", path=PATH)} "$@"\n'
        )
        (root / "bin/srun").chmod(0o755)
        subprocess.run(["mungekey", "--create", f"--keyfile={root}/munge.key"], env=self.environment, check=True)
        kept = {"key": "key", "pid": "pid", "log": "log", "seed": "seed"}
        self._run(
            "munged",
            "--foreground",
            *(f"--{word}-file={root}/munge.{end}" for word, end in kept.items()),
            f"--socket={root}/munge.socket",
        )
        self._wait(lambda: (root / "munge.socket").exists(), 10)
        self._run("slurmctld", "-D")
        self._run("slurmd", "-D", "-N", "one")
        self._wait(lambda: self._node() == "idle", 60)
        return self

    def _run(self, *command: str) -> None:
        with open(self.root / f"{command[0]}.out", "w") as output:
            self.daemons.append(subprocess.Popen(command, env=self.environment, stdout=output, stderr=output))

    def _node(self) -> str:
        asked = subprocess.run(["sinfo", "-h", "-o", "%T"], env=self.environment, capture_output=True, text=True)
        return asked.stdout.strip()

    def _wait(self, ready: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not ready():
            dead = [daemon for daemon in self.daemons if daemon.poll() is not None]
            if dead or time.monotonic() > end:
                told = "".join(path.read_text(errors="replace")[-2000:] for path in self.root.glob("*.out"))
                self.stop()
                raise RuntimeError(f"SLURM did not start:\n{told}")
            time.sleep(0.2)

    def snakemake(self, folder: Path, **options: Any) -> str:
        """Run the workflow in `folder` with profiles/slurm; what Snakemake printed, then SLURM's list of jobs."""
        # This SLURM keeps no accounts, so that squeue must say what became of a job.
        words = [
            "--workflow-profile",
            ROOT / "profiles/slurm",
            "--slurm-status-command",
            "squeue",
            "--slurm-no-account",
        ]
        words += ["--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "10"]
        printed = run_snakemake(folder, *words, cores=None, forked=False, environment=self.environment, **options)
        columns = "%.5i %.12T %.4C %.7m %.10l %.20S %.20e  %k"
        listed = ["squeue", "--states=all", "--sort=i", f"--format={columns}"]
        return printed + subprocess.run(listed, env=self.environment, capture_output=True, text=True, check=True).stdout

    def stop(self) -> None:
        """Cancel the jobs and end the daemons."""
        if len(self.daemons) == 3:
            subprocess.run(["scancel", f"--user={getpass.getuser()}"], env=self.environment, capture_output=True)
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in self.daemons:
            daemon.wait(20)
        shutil.rmtree(self.root, ignore_errors=True)


if __name__ == "__main__":
    if lacking := missing():
        sys.exit(lacking)
    slurm = Slurm().start()
    try:
        if sys.argv[1:]:
            sys.exit(subprocess.run(sys.argv[1:], env=slurm.environment).returncode)
        with tempfile.TemporaryDirectory() as folder:
            here, there = Path(folder, "here"), Path(folder, "there")
            run_snakemake(here, configfiles=[TOY], forked=False)
            print(slurm.snakemake(there, configfiles=[TOY], timeout=3600))
            files, others = digests(here), digests(there)
            differ = sorted(name for name in files.keys() | others.keys() if files.get(name) != others.get(name))
            print(f"{len(files)} files without SLURM, {len(others)} with it, {len(differ)} differ", *differ)
            sys.exit(bool(differ))
    finally:
        slurm.stop()
