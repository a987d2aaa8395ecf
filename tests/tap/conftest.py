"""The TAP server of these tests: started once a session, or a skip with a word why."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from frames import match_catalogues
from snakemake_run import TOY, run_snakemake
from tap import first_day
from tap.proxy import FaultyProxy, fetch
from tap.server import TapServer, missing_packages
from tap.survey import archive_tables, made_up_sky

PACKAGES = "python3-gavo postgresql-15-q3c postgresql-15-pgsphere"


@pytest.fixture(scope="session")
def sky() -> dict[str, pd.DataFrame]:
    """Tables of the made-up sky."""
    return made_up_sky()


@pytest.fixture(scope="session")
def local(sky: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The cross-match of that sky by position with the tables at hand."""
    epochs = {"target_epoch": 2000.0, "gaia_epoch": 2016.0}
    return match_catalogues(*sky.values(), **epochs, radius_arcsec=3.0, tmass_radius_arcsec=1.5)


def require_server() -> None:
    """Skip with a word why where the server's packages are missing; fail where CI has promised them."""
    missing = missing_packages()
    if missing:
        reason = f"no TAP server here: {missing[0]} is missing; apt-get install {PACKAGES}"
        if os.environ.get("GAIA_OFFSETS_REQUIRE_TAP") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def server(sky: dict[str, pd.DataFrame]) -> Iterator[TapServer]:
    """A TAP server that holds the made-up sky under the ESA archive's names."""
    require_server()
    tap = TapServer(archive_tables(sky, 1.5))
    try:
        yield tap.start()
    finally:
        tap.stop()


@dataclass(frozen=True)
class FirstDay:
    """The address of a made-up DR4, the folder of the survey behind it, and its tables as EDR3 has them."""

    url: str
    folder: Path
    edr3: dict[str, pd.DataFrame]

    def overlay(self, url: str | list[str] | None = None, **release: Any) -> dict[str, Any]:
        """What a run needs besides `release: dr4`; `release` are keys of the block."""
        blocks = {"dr3": first_day.BESIDE, "dr4": release}
        return {"releases": blocks, "archive": {"url": url or self.url, "chunks": 2, "poll_s": 0.1}}


@pytest.fixture(scope="session")
def dr4(tmp_path_factory: pytest.TempPathFactory, server: TapServer) -> FirstDay:
    """The archive on the first day of DR4, on the same server."""
    made = [f"resources/simulated/toy/{name}" for name in ("gaia_source.parquet", "targets.fits")]
    settings = {"configfiles": [TOY], "config": first_day.SMALL}
    folder = tmp_path_factory.mktemp("dr4")
    run_snakemake(folder, targets=made, **settings)
    survey = folder / "resources/simulated/toy"
    edr3 = {name: pd.read_parquet(survey / f"{name}.parquet") for name in first_day.TABLES}
    server.add(first_day.dr4_tables(edr3))
    return FirstDay(server.url, survey, edr3)


@pytest.fixture
def proxy(server: TapServer) -> Iterator[FaultyProxy]:
    """A proxy that misbehaves on request; afterwards no job may be left on the server behind it."""
    between = FaultyProxy(server.url)
    yield between
    between.shutdown()
    between.server_close()
    left = fetch("GET", f"{server.url}/async").body
    assert b"<uws:jobref" not in left and b"jobref" not in left, "jobs were left on the server"


@pytest.fixture
def require_stilts() -> str:
    """The command stilts, an independent client."""
    found = shutil.which("stilts")
    if found is None:
        reason = "stilts is not installed; apt-get install stilts"
        if os.environ.get("GAIA_OFFSETS_REQUIRE_TAP") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found
