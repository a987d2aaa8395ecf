"""A web server on 127.0.0.1 that misbehaves as told: the other side of test_download.py and test_web.py."""

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass(frozen=True)
class Answer:
    """How one request is answered; the defaults are a good server that knows ranges."""

    body: bytes = b""
    status: int = 200
    etag: str | None = '"one"'
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True  # False: 200 and everything, whatever was asked
    ignore_if_range: bool = False
    length: bool = True  # False: no Content-Length, the end of the connection ends the body
    drop_after: int | None = None  # bytes of the body after which the connection is closed
    stall_after: int | None = None  # bytes of the body after which nothing comes any more
    hang_up: bool = False  # no answer at all
    trickle: int | None = None  # bytes that come every 20 ms, after the first half


@dataclass(frozen=True)
class Served:
    """One request as it was seen and what it got."""

    path: str
    headers: dict[str, str]
    status: int
    sent: int

    @property
    def range(self) -> str | None:
        return self.headers.get("Range")


class MisbehavingServer:
    """`plan[path]` is a list of answers, one a request; the last one is repeated. `served` tells what happened."""

    def __init__(self) -> None:
        self.plan: dict[str, list[Answer]] = {}
        self.served: list[Served] = []
        self.over = threading.Event()
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})

    def url(self, path: str = "/stars.csv") -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}{path}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def next(self, path: str) -> Answer:
        with self._lock:
            answers = self.plan.get(path, [Answer(status=404, body=b"<html>no such page</html>")])
            return answers.pop(0) if len(answers) > 1 else answers[0]


class _Handler(BaseHTTPRequestHandler):
    owner: MisbehavingServer

    def do_GET(self) -> None:
        answer = self.owner.next(self.path)
        asked, if_range = self.headers.get("Range"), self.headers.get("If-Range")
        status, body, headers = answer.status, answer.body, dict(answer.headers)
        same = answer.ignore_if_range or if_range in (None, answer.etag)
        if status == 200 and asked and answer.ranges and same:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                status, headers["Content-Range"], body = 416, f"bytes */{len(body)}", b""
            else:
                headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
                status, body = 206, body[start:]
        if answer.etag is not None:
            headers["ETag"] = answer.etag
        if answer.length:
            headers.setdefault("Content-Length", str(len(body)))
        end = min(len(body) if cut is None else cut for cut in (answer.drop_after, answer.stall_after))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.owner.served.append(Served(self.path, dict(self.headers), status, min(end, len(body))))
        if not answer.hang_up:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            at_once = end if answer.trickle is None else end // 2
            self.wfile.write(body[:at_once])
            self.wfile.flush()
            while at_once < end and not self.owner.over.wait(0.02):
                try:
                    self.wfile.write(body[at_once : at_once + answer.trickle])
                except OSError:  # given up
                    break
                at_once += answer.trickle
        if answer.stall_after is not None:
            self.owner.over.wait(10)
        self.close_connection = True

    do_POST = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        pass
