"""A reverse proxy on loopback that misbehaves on request, in front of a well-behaved TAP server."""

from __future__ import annotations

import io
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ERROR_DOCUMENT = (
    b'<?xml version="1.0"?><VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
    b'<RESOURCE type="results"><INFO name="QUERY_STATUS" value="ERROR">the database has gone away</INFO>'
    b"</RESOURCE></VOTABLE>"
)


class Answer:
    """What the server answered; a fault changes it."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body
        self.sent = len(body)  # bytes really sent of those announced
        self.wait = 0.0  # seconds of silence before the answer


Fault = Callable[[Answer], None]


def busy(seconds: int | None) -> Fault:
    """HTTP 503, with Retry-After if `seconds` is given."""

    def fault(answer: Answer) -> None:
        answer.status, answer.body = 503, b"busy"
        answer.headers = {"Content-Type": "text/plain"} | ({"Retry-After": str(seconds)} if seconds is not None else {})
        answer.sent = len(answer.body)

    fault.instead = True
    return fault


def drop(answer: Answer) -> None:
    """The connection breaks in the middle of the body."""
    answer.sent = len(answer.body) // 2


def truncate(answer: Answer) -> None:
    """Half a document that claims to be whole."""
    answer.body = answer.body[: len(answer.body) // 2]
    answer.sent = len(answer.body)


def stall(seconds: float) -> Fault:
    """Silence before the answer."""

    def fault(answer: Answer) -> None:
        answer.wait = seconds

    return fault


def replace(body: bytes, status: int = 200, kind: str = "text/xml") -> Fault:
    """Another document."""

    def fault(answer: Answer) -> None:
        answer.status, answer.body, answer.headers = status, body, {"Content-Type": kind}
        answer.sent = len(body)

    fault.instead = True
    return fault


def overflow(answer: Answer) -> None:
    """A complete document whose status says that rows are missing."""
    assert b'value="OK"' in answer.body
    answer.body = answer.body.replace(b'value="OK"', b'value="OVERFLOW"')
    answer.sent = len(answer.body)


def keep_rows(rows: int) -> Fault:
    """A well-formed document with the first `rows` rows and not a word about the others."""

    def fault(answer: Answer) -> None:
        from astropy.io.votable import parse

        document = parse(io.BytesIO(answer.body))
        table = document.get_first_table()
        table.array = table.array[:rows]
        table._nrows = rows
        text = io.BytesIO()
        document.to_xml(text)
        answer.body = text.getvalue()
        answer.sent = len(answer.body)

    return fault


class FaultyProxy(ThreadingHTTPServer):
    """Forwards to `upstream`; `plan` says what goes wrong, `seen` is what was asked (method and path)."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.url = f"http://127.0.0.1:{self.server_port}{urllib.parse.urlsplit(upstream).path}"
        self.faults: list[tuple[str, str, Fault]] = []
        self.after: list[tuple[str, str, Callable[[str], None]]] = []
        self.seen: list[tuple[str, str]] = []
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def plan(self, method: str, ending: str, *faults: Fault) -> None:
        """Spoil the next answers to `method` on paths that end in `ending`, one fault each."""
        self.faults += [(method, ending, fault) for fault in faults]

    def abort_next_job(self) -> None:
        """Another hand aborts the next job as soon as it runs."""
        self.after.append(("POST", "/phase", lambda url: post(url, {"PHASE": "ABORT"})))

    def delete_next_job(self) -> None:
        """Another hand deletes the next job as soon as it runs."""
        self.after.append(("POST", "/phase", lambda url: fetch("DELETE", url.removesuffix("/phase"))))

    def take(self, waiting: list, method: str, path: str) -> Callable | None:
        """The first waiting thing that concerns this request, once."""
        with self.lock:
            for entry in waiting:
                if entry[0] == method and path.endswith(entry[1]):
                    waiting.remove(entry)
                    return entry[2]
        return None

    def count(self, method: str, ending: str) -> int:
        """How many requests there were of this kind."""
        return sum(m == method and path.endswith(ending) for m, path in self.seen)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object, **kwargs: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def fetch(method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
    """One plain HTTP request, redirects not followed."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        response = _OPENER.open(request, timeout=60)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        return Answer(response.status, dict(response.headers), response.read())


def post(url: str, fields: dict[str, str]) -> Answer:
    """A form."""
    return fetch("POST", url, urllib.parse.urlencode(fields).encode())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyProxy

    def _serve(self) -> None:
        proxy = self.server
        root = proxy.upstream.removesuffix(urllib.parse.urlsplit(proxy.upstream).path)
        here = f"http://127.0.0.1:{proxy.server_port}"
        path = self.path.partition("?")[0]
        proxy.seen.append((self.command, path))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        fault = proxy.take(proxy.faults, self.command, path)
        headers = {k: v for k, v in self.headers.items() if k.lower() in ("content-type", "accept", "user-agent")}
        # A server that is busy or away does not act on what it is told.
        if getattr(fault, "instead", False):
            answer = Answer(500, {}, b"")
        else:
            answer = fetch(self.command, root + self.path, body, headers)
        answer.headers = {
            k: v for k, v in answer.headers.items() if k.lower() in ("content-type", "location", "retry-after")
        }
        answer.body = answer.body.replace(root.encode(), here.encode())
        answer.sent = len(answer.body)
        if "Location" in answer.headers:
            answer.headers["Location"] = answer.headers["Location"].replace(root, here)
        if fault:
            fault(answer)
        then = proxy.take(proxy.after, self.command, path)
        if then:
            then(root + path)
        time.sleep(answer.wait)
        try:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body[: answer.sent])
            self.wfile.flush()
        except OSError:  # the client has gone, as it should
            self.close_connection = True
        if answer.sent < len(answer.body):
            self.close_connection = True

    do_GET = do_POST = do_DELETE = _serve

    def log_message(self, *args: object) -> None:
        """Silence."""
