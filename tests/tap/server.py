"""A real TAP server for tests: GAVO DaCHS on PostgreSQL, on loopback, in a temporary folder."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pandas as pd

POSTGRES = Path("/usr/lib/postgresql/15/bin")
NEEDED = [
    Path("/usr/bin/dachs"),
    POSTGRES / "initdb",
    Path("/usr/share/postgresql/15/extension/q3c.control"),
    Path("/usr/share/postgresql/15/extension/pg_sphere.control"),
]
TYPES = {"Int64": "bigint", "int64": "bigint", "float64": "double precision", "float32": "real", "bool": "boolean"}
UCDS = {"ra": "pos.eq.ra;meta.main", "dec": "pos.eq.dec;meta.main"}
GAVORC = """\
[general]
rootDir: {root}/gavo
group: {group}
gavoGroup: {group}
maintainerAddress: invalid@example.com
[web]
bindAddress: 127.0.0.1
serverPort: {port}
serverURL: http://127.0.0.1:{port}
maxSyncUploadSize: 20000000
user:
sitename: test
[async]
defaultMAXREC: 20000
hardMAXREC: 20000000
maxTAPRunning: 4
[ivoa]
authority: x-unregistred
[db]
profilePath: {root}/gavo/etc
"""
POSTGRESQL_CONF = """
listen_addresses = ''
unix_socket_directories = '{root}/sock'
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = 64MB
max_connections = 60
jit = off
"""


def missing_packages() -> list[str]:
    """What of the Debian packages python3-gavo, postgresql-15-q3c and postgresql-15-pgsphere is not installed."""
    return [str(path) for path in NEEDED if not path.exists()]


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def descriptor(schema: str, tables: dict[str, pd.DataFrame]) -> str:
    """DaCHS resource descriptor of a schema: its tables, empty, published for TAP."""
    parts = []
    for name, frame in tables.items():
        # The positional index needs main positions; the primary key is the first column.
        sky = ' mixin="//scs#q3cindex"' if {"ra", "dec"} <= set(frame.columns) else ""
        columns, indices = [], []
        for column, dtype in frame.dtypes.items():
            kind = TYPES.get(str(dtype), "text")
            ucd = f' ucd="{UCDS[column]}"' if column in UCDS else ""
            # An outer join makes nulls of identifiers, for which a VOTable needs a number.
            null = '<values nullLiteral="-1"/>' if kind == "bigint" else ""
            # VizieR's mixed-case names are delimited identifiers.
            called = column if column == column.lower() else f"quoted/{column}"
            columns.append(f'<column name="{called}" type="{kind}"{ucd}>{null}</column>')
            if kind in ("bigint", "text"):
                indices.append(f'<index columns="{column}"/>')
        parts.append(f'<table id="{name}" onDisk="True" adql="True"{sky}>{"".join(indices + columns)}</table>')
    makes = "".join(f'<make table="{name}"/>' for name in tables)
    return (
        f'<resource schema="{schema}" resdir="{schema}"><meta name="title">Simulated {schema}</meta>'
        '<meta name="description">Simulated rows for tests; nothing in them is a real star.</meta>'
        '<meta name="creationDate">2026-01-01T00:00:00Z</meta><meta name="subject">parallax</meta>'
        f'<meta name="creator">tests</meta>{"".join(parts)}<data id="create" auto="False">{makes}</data></resource>'
    )


class TapServer:
    """PostgreSQL and DaCHS in a temporary folder; `url` is the TAP service."""

    def __init__(self, tables: dict[str, pd.DataFrame]) -> None:
        """`tables` maps `schema.table` to its rows; columns ra, dec are indexed as positions."""
        self.tables = tables
        # A Unix socket's path may have 107 bytes, so pytest's own long folder will not do.
        self.root = Path(tempfile.mkdtemp(prefix="tap", dir="/tmp"))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/tap"
        # PostgreSQL refuses to run as root; Debian's package makes a user for it.
        self.user = "postgres" if os.getuid() == 0 else getpass.getuser()
        self.group = subprocess.run(["id", "-gn", self.user], capture_output=True, text=True, check=True).stdout.strip()

    def run(self, *command: str | Path, check: bool = True) -> None:
        """One command as the server's user, in an environment without our Python's variables."""
        clean = ["env", "-i", "PATH=/usr/bin:/bin", f"HOME={self.root}/home", "LANG=C.UTF-8", "TZ=UTC"]
        clean += [f"GAVOSETTINGS={self.root}/gavorc", "GAVOCUSTOM=/nonexistent"]
        clean += [f"PGHOST={self.root}/sock", "PGUSER=dachsroot", "PGDATABASE=gavo"]
        # With its path: /usr/sbin need not be on that of the caller.
        who = ["/usr/sbin/runuser", "-u", self.user, "--"] if os.getuid() == 0 else []
        with open(self.root / "commands.log", "a") as log:
            result = subprocess.run([*who, *clean, *map(str, command)], stdout=log, stderr=log, cwd="/", check=False)
        if check and result.returncode:
            raise RuntimeError(f"{command[0]} failed:\n{(self.root / 'commands.log').read_text()[-3000:]}")

    def start(self) -> TapServer:
        """Set up the database, import the tables, serve; returns when a query is answered."""
        root = self.root
        for folder in ("sock", "home", "gavo/inputs"):
            (root / folder).mkdir(parents=True)
        (root / "gavorc").write_text(GAVORC.format(root=root, group=self.group, port=self.port))
        (root / "commands.log").touch()
        self.give(root)
        pg = root / "pg"
        how = ["-U", "dachsroot", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]
        self.run(POSTGRES / "initdb", "-D", pg, *how)
        with open(pg / "postgresql.conf", "a") as conf:
            conf.write(POSTGRESQL_CONF.format(root=root))
        self.run(POSTGRES / "pg_ctl", "-D", pg, "-l", root / "pg.log", "-w", "start")
        self.run("createdb", "--encoding=UTF-8", "--template", "template0", "gavo")
        self.run("dachs", "init", "-d", f"host={root}/sock dbname=gavo user=dachsroot")
        self.add(self.tables)
        self.run("dachs", "serve", "start")
        for _ in range(200):
            if self._answers():
                return self
            time.sleep(0.1)
        raise RuntimeError(f"DaCHS does not answer; see {root}/gavo/logs")

    def give(self, folder: Path) -> None:
        """A folder, and what lies in it, to the server's user."""
        if os.getuid() == 0:
            for path in [folder, *folder.rglob("*")]:
                shutil.chown(path, self.user, self.group)

    def add(self, tables: dict[str, pd.DataFrame]) -> None:
        """Import tables of schemas that are not there yet; also while the server runs."""
        schemas: dict[str, dict[str, pd.DataFrame]] = {}
        for full, frame in tables.items():
            schema, name = full.split(".")
            schemas.setdefault(schema, {})[name] = frame
        for schema, frames in schemas.items():
            folder = self.root / "gavo/inputs" / schema
            folder.mkdir()
            (folder / "q.rd").write_text(descriptor(schema, frames))
            for name, frame in frames.items():
                frame.to_csv(folder / f"{name}.csv", index=False)
            self.give(folder)
            self.run("dachs", "imp", f"{schema}/q", "create")
            for name in frames:
                copy = f"\\copy {schema}.{name} FROM '{folder / name}.csv' WITH (FORMAT csv, HEADER match)"
                self.run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-c", copy, "-c", f"ANALYZE {schema}.{name}")

    def _answers(self) -> bool:
        # /availability says yes before the database is there, so ask the database.
        table, frame = next(iter(self.tables.items()))
        query = {"REQUEST": "doQuery", "LANG": "ADQL", "FORMAT": "csv", "QUERY": f"SELECT COUNT(*) AS n FROM {table}"}
        try:
            with urllib.request.urlopen(f"{self.url}/sync?{urllib.parse.urlencode(query)}", timeout=5) as answer:
                return answer.read().decode().split()[-1] == str(len(frame))
        except OSError:
            return False

    def stop(self) -> None:
        """Stop both servers and remove the folder."""
        pid = self.root / "gavo/state/web.pid"
        if pid.exists():
            os.kill(int(pid.read_text()), signal.SIGTERM)
        if (self.root / "pg").exists():
            self.run(POSTGRES / "pg_ctl", "-D", self.root / "pg", "-m", "immediate", "-w", "stop", check=False)
        shutil.rmtree(self.root, ignore_errors=True)
