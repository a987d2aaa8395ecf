"""The TAP server of these tests: started once a session, or a skip with a word why."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pandas as pd
import pytest
from tap.proxy import FaultyProxy, fetch
from tap.server import TapServer, missing_packages
from tap.survey import archive_tables, made_up_sky

PACKAGES = "python3-gavo postgresql-15-q3c postgresql-15-pgsphere"


@pytest.fixture(scope="session")
def sky() -> dict[str, pd.DataFrame]:
    """Tables of the made-up sky."""
    return made_up_sky()


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
