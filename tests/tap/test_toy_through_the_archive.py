"""The toy run through the archive back end gives the tracers of the local back end, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from snakemake_run import GIANTS, SMALL, run_snakemake
from tap.release import moved
from tap.server import TapServer
from tap.survey import archive_tables, move

TRACERS = f"{GIANTS}/tracers.parquet"


@pytest.mark.slow
def test_the_two_back_ends_give_the_same_tracers(
    small: Path, server: TapServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    survey = small / "resources/simulated/toy"
    sky = {name: pd.read_parquet(survey / f"{name}.parquet") for name in ("gaia_source", "tmass", "distances")}
    server.add(move(archive_tables(sky, 1.5), "toy"))
    settings = SMALL["config"] | {
        "releases": {"edr3": moved("toy")},
        "archive": {"url": server.url, "chunks": 2, "poll_s": 0.1},
        "samples": {"simulated_giants": {"crossmatch": {"backend": "archive"}}},
    }
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    run_snakemake(tmp_path, **SMALL | {"config": settings, "targets": [TRACERS]})
    assert len(pd.read_parquet(tmp_path / TRACERS)) > 500
    assert (tmp_path / TRACERS).read_bytes() == (small / TRACERS).read_bytes()
