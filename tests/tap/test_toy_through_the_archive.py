"""The toy run through the archive back end gives the tracers of the local back end, byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from tap.conftest import require_server
from tap.release import RELEASE
from tap.server import TapServer
from tap.survey import archive_tables

ROOT = Path(__file__).parents[2]
TRACERS = Path("results/simulated_giants/tracers.parquet")
STARS = 3000


def run(folder: Path, overlay: Path, target: Path | str) -> None:
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        ROOT / "Snakefile",
        "--directory",
        folder,
        "--cores",
        "2",
    ]
    command += ["--configfile", ROOT / "config/toy.yaml", overlay, "--", target]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=os.environ, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.slow
def test_the_two_back_ends_give_the_same_tracers(tmp_path: Path) -> None:
    require_server()
    overlay = tmp_path / "small.yaml"
    overlay.write_text(yaml.safe_dump({"surveys": {"toy": {"stars": STARS}}}))
    run(tmp_path / "local", overlay, TRACERS)
    survey = tmp_path / "local/resources/simulated/toy"
    sky = {name: pd.read_parquet(survey / f"{name}.parquet") for name in ("gaia_source", "tmass", "distances")}
    server = TapServer(archive_tables(sky, 1.5))
    try:
        server.start()
        settings = {
            "surveys": {"toy": {"stars": STARS}},
            "releases": {"edr3": RELEASE},
            "archive": {"url": server.url, "chunks": 2, "poll_s": 0.3},
            "samples": {"simulated_giants": {"crossmatch": {"backend": "archive"}}},
        }
        overlay.write_text(yaml.safe_dump(settings))
        run(tmp_path / "archive", overlay, TRACERS)
    finally:
        server.stop()
    assert len(pd.read_parquet(tmp_path / "archive" / TRACERS)) > 500
    assert (tmp_path / "archive" / TRACERS).read_bytes() == (tmp_path / "local" / TRACERS).read_bytes()
