"""A service on 127.0.0.1 that speaks the protocol of CDS X-Match, well or badly: the other side of test_xmatch.py."""

from __future__ import annotations

import io
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import numpy as np
import pandas as pd

TABLE = "I/350/gaiaedr3"
PAGE = b"<!DOCTYPE html><html><body>The service is being moved</body></html>\n"


@dataclass
class Reply:
    """What the service would answer; a fault changes it."""

    status: int
    kind: str
    body: bytes
    sent: int | None = None  # bytes of the body after which the connection is closed
    silent: bool = False


Fault = Callable[[Reply], None]


def answer(status: int, body: bytes = PAGE, kind: str = "text/html") -> Fault:
    """Another document."""

    def fault(reply: Reply) -> None:
        reply.status, reply.body, reply.kind = status, body, kind

    return fault


def cut_in_line(reply: Reply) -> None:
    """Half a document that claims to be whole."""
    reply.body = reply.body[: len(reply.body) // 2].rstrip(b"\n") + b"7"


def cut_between_lines(lines: int) -> Fault:
    """Some lines less, and nothing that tells."""

    def fault(reply: Reply) -> None:
        reply.body = b"".join(reply.body.splitlines(keepends=True)[:-lines])

    return fault


def drop(reply: Reply) -> None:
    """The connection breaks in the middle of the body."""
    reply.sent = len(reply.body) // 2


def stall(reply: Reply) -> None:
    """Nothing comes."""
    reply.silent = True


class CdsPeer:
    """Matches uploads with `gaia` (source_id, ra, dec at J2000); `plan` holds a fault for each coming answer."""

    def __init__(self, gaia: pd.DataFrame) -> None:
        self.gaia = gaia
        self.plan: list[Fault] = []
        self.asked: list[dict[str, str]] = []  # the fields of each job, and `rows` of its upload
        self.running, self.most = 0, 0  # jobs at a time
        self.over = threading.Event()
        self.lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/xmatch/api/v1/sync"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def match(self, fields: dict[str, str], upload: bytes) -> Reply:
        """The service's own answer."""
        from astropy.table import Table

        lower = {key.lower(): value for key, value in fields.items()}
        if lower.get("request") != "xmatch" or lower.get("cat2") != f"vizier:{TABLE}":
            return Reply(400, "text/xml", b"<VOTABLE><INFO name='QUERY_STATUS' value='ERROR'>what?</INFO></VOTABLE>")
        in_xml = upload.lstrip().startswith(b"<")
        table = Table.read(io.BytesIO(upload), format="votable" if in_xml else "ascii.csv").to_pandas()
        ra, dec = table[lower["colra1"]].to_numpy(float), table[lower["coldec1"]].to_numpy(float)
        mine, theirs, separation = all_pairs(ra, dec, self.gaia, float(lower["distmaxarcsec"]))
        if lower.get("selection", "all") == "best":
            order = np.lexsort([separation, mine])
            order = order[np.unique(mine[order], return_index=True)[1]]
            mine, theirs, separation = mine[order], theirs[order], separation[order]
        end = min(int(lower.get("maxrec", 2_000_000)), 2_000_000)
        result = pd.concat(
            [
                pd.DataFrame({"angDist": np.round(separation, 6)}),
                table.iloc[mine].reset_index(drop=True),
                self.gaia.add_suffix("_epoch2000")
                .drop(columns="source_id_epoch2000")
                .iloc[theirs]
                .reset_index(drop=True),
                self.gaia[["source_id"]].iloc[theirs].reset_index(drop=True),
            ],
            axis=1,
        ).head(end)
        with self.lock:
            self.asked.append({**lower, "rows": str(len(table))})
        if lower["responseformat"] == "csv":
            return Reply(200, "text/csv", result.to_csv(index=False, lineterminator="\n").encode())
        document = io.BytesIO()
        Table.from_pandas(result).write(document, format="votable")
        return Reply(200, "text/xml", document.getvalue())

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                info = f'{{"name": "{TABLE}", "desc": "", "nbrows": {len(peer.gaia)}}}'
                names = query.get("action") == ["getVizieRTableNames"]
                reply = Reply(200, "text/plain" if names else "application/json", (TABLE if names else info).encode())
                peer._send(self, reply)

            def do_POST(self) -> None:
                with peer.lock:
                    peer.running += 1
                    peer.most = max(peer.most, peer.running)
                form = read_form(self)
                upload = form.pop("cat1")
                reply = peer.match({name: value.decode() for name, value in form.items()}, upload)
                if peer.plan:
                    peer.plan.pop(0)(reply)
                peer._send(self, reply)
                with peer.lock:
                    peer.running -= 1

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _send(self, request: BaseHTTPRequestHandler, reply: Reply) -> None:
        if reply.silent:
            self.over.wait(10)
            return
        request.send_response(reply.status)
        request.send_header("Content-Type", reply.kind)
        request.send_header("Content-Length", str(len(reply.body)))
        request.end_headers()
        request.wfile.write(reply.body[: reply.sent])


def read_body(request: BaseHTTPRequestHandler) -> Iterator[bytes]:
    """The body of a request, in one piece or, as STILTS sends it, in chunks."""
    if "Content-Length" in request.headers:
        yield request.rfile.read(int(request.headers["Content-Length"]))
        return
    while size := int(request.rfile.readline(), 16):
        yield request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()


def read_form(request: BaseHTTPRequestHandler) -> dict[str, bytes]:
    """Fields and files of a multipart form; Python's own parser stumbles over the boundary that STILTS takes."""
    boundary = re.search(r'boundary="?([^";]+)', request.headers["Content-Type"])[1]
    form = {}
    for part in b"".join(read_body(request)).split(f"--{boundary}".encode())[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        form[re.search(rb'[ ;]name="([^"]+)"', head)[1].decode()] = value.removesuffix(b"\r\n")
    return form


def all_pairs(
    ra: np.ndarray, dec: np.ndarray, gaia: pd.DataFrame, radius_arcsec: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of both sides and separation [arcsec] of all pairs, by the first; by astropy, not by ours."""
    import astropy.units as u
    from astropy.coordinates import SkyCoord, search_around_sky

    first = SkyCoord(ra, dec, unit="deg")
    second = SkyCoord(gaia["ra"].to_numpy(), gaia["dec"].to_numpy(), unit="deg")
    mine, theirs, separation, _ = search_around_sky(first, second, radius_arcsec * u.arcsec)
    return mine, theirs, separation.arcsec
