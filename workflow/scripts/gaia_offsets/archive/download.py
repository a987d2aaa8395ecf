"""Raw files from http, https and file addresses: resumed, retried, checked."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import requests
from urllib3.exceptions import HTTPError, IncompleteRead

from gaia_offsets.archive import http as web
from gaia_offsets.archive.rawfile import HEAD, DownloadError, check_file, check_kind, read_record
from gaia_offsets.archive.secret import Token, split_login

PATIENCE = {"attempts": 5, "timeout": 30.0, "first_pause": 2.0, "longest_wait": 3600.0}  # as in web.session
CHUNK = HEAD  # bytes; what a dropped connection can cost
PROGRESS_EVERY = 5.0  # s
Report = Callable[[str], Any]
Login = tuple[str, str] | None


@dataclass(frozen=True)
class Limits:
    """What a server may send: `size` in bytes where it is known, else `largest` at most; and how slowly.

    Below `slowest` [bytes/s] over `window` [s] an address is given up.
    """

    size: int | None = None
    largest: float = 100e9
    slowest: float = 1000.0
    window: float = 60.0

    @property
    def most(self) -> float:
        """Bytes that may come."""
        return self.largest if self.size is None else self.size

    @property
    def reason(self) -> str:
        """Why no more may come."""
        if self.size is not None:
            return f"more than the {self.size} bytes that it should have"
        return f"more than {self.largest:.0f} bytes; give its size (bytes) in the config, or raise downloads.largest_gb"


class _Part:
    """The unfinished file `<name>.part` and, in `<name>.part.json`, of which version of what it is the beginning."""

    def __init__(self, destination: Path) -> None:
        self.name = destination.name
        self.path = destination.with_name(self.name + ".part")
        self.record = destination.with_name(self.name + ".part.json")

    @property
    def bytes(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def origin(self) -> dict[str, Any]:
        return read_record(self.record)

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)

    def write(self, chunks: Iterable[bytes], offset: int, total: int | None, report: Report, limits: Limits) -> None:
        """Write on at `offset`, no more in all than is allowed, with a line on the progress now and then."""
        if total is not None and total - offset > shutil.disk_usage(self.path.parent).free:
            raise OSError(errno.ENOSPC, f"{total - offset} more bytes needed")
        began = last = time.monotonic()
        done = offset
        with open(self.path, "ab" if offset else "wb") as stream:
            for chunk in chunks:
                if done + len(chunk) > limits.most:
                    self.discard()
                    raise DownloadError(f"stopped: {limits.reason}")
                stream.write(chunk)
                stream.flush()  # a killed process loses nothing that came
                done, now = done + len(chunk), time.monotonic()
                if now - last >= PROGRESS_EVERY:
                    of = "" if total is None else f" of {total / 1e6:.1f}"
                    report(f"{self.name}: {done / 1e6:.1f}{of} MB, {(done - offset) / 1e6 / (now - began):.2f} MB/s")
                    last = now


def fetch(
    url: str,
    destination: str | Path,
    *,
    mirrors: Iterable[str] = (),
    sha256: str | None = None,
    size: int | None = None,
    token: Token | None = None,
    report: Report = print,
    largest: float = Limits.largest,
    slowest: float = Limits.slowest,
    window: float = Limits.window,
    **patience: Any,
) -> tuple[str, int, str]:
    """Fetch one file to `destination`, which appears only when it is whole and right: its address, bytes and SHA-256.

    Address and mirrors are tried in turn, each until `attempts` requests in a row have brought nothing new; `patience`
    overrules PATIENCE, `size` is in bytes, `report` gets one line a time. What a killed run left in
    `<destination>.part` is continued if the server still has the same version. `token` is added to addresses of http
    and https when they are asked, and to nothing that is said, raised or written; nor is a login (user:password@) of an
    address, which is sent as HTTP's basic authentication. The others are those of Limits.

    Raises DownloadError (one line) if no address gave the file, the disk is full or an address has an unknown scheme.
    """
    logins = dict(map(split_login, [url, *mirrors]))
    limits = Limits(size, largest, slowest, window)
    if token is None or not token.value:
        return _fetch(logins, Path(destination), sha256, limits, token, report, PATIENCE | patience)
    try:  # everything that leaves here goes through token.hide
        told = lambda line: report(token.hide(line))  # noqa: E731
        return _fetch(logins, Path(destination), sha256, limits, token, told, PATIENCE | patience)
    except Exception as error:  # whatever it is: its text may hold the address as it was asked
        said = str(error) if isinstance(error, DownloadError) else f"{type(error).__name__}: {web.one_line(error)}"
        raise DownloadError(token.hide(said)) from None


def _fetch(
    logins: Mapping[str, Login],
    destination: Path,
    sha256: str | None,
    limits: Limits,
    token: Token | None,
    report: Report,
    patience: dict[str, Any],
) -> tuple[str, int, str]:
    part, failures = _Part(destination), []
    # What an interrupted run left can only be continued where it came from.
    addresses = sorted(logins, key=lambda address: address != part.origin.get("url"))
    for address in addresses:
        if urlsplit(address).scheme not in ("http", "https", "file"):
            raise DownloadError(f"{address}: unknown scheme; an address begins with http, https or file")
    try:
        part.path.parent.mkdir(parents=True, exist_ok=True)
        for address in addresses:
            try:
                if urlsplit(address).scheme == "file":
                    _copy(address, part, report)
                else:
                    _insist(address, logins[address], part, sha256, limits, token, report, patience)
                length, digest = _check_part(part, sha256, limits.size)
            except (DownloadError, web.GaveUp, HTTPError, requests.RequestException, ValueError) as error:
                failures.append(f"{address}: {web.one_line(error)}")
                report(failures[-1])
            else:
                with open(part.path, "rb+") as stream:
                    os.fsync(stream.fileno())  # after a power cut the file is there whole or not at all
                os.replace(part.path, destination)
                part.discard()
                report(f"{address}: {length} bytes, sha256 {digest}")
                if sha256 is None:
                    report(f"{part.name}: no sha256 given; got {digest}; put it in the config")
                return address, length, digest
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise DownloadError(f"{error.filename or part.path}: {error.strerror or error}") from error
        folder = part.path.parent
        raise DownloadError(
            f"{folder}: the disk is full ({error.strerror}; {shutil.disk_usage(folder).free} bytes are free); "
            f"the {part.bytes} bytes of {part.name} that came are kept, make room and run again"
        ) from error
    raise DownloadError(f"{part.name}: not fetched: {'; '.join(failures)}")


def _insist(
    address: str,
    login: Login,
    part: _Part,
    sha256: str | None,
    limits: Limits,
    token: Token | None,
    report: Report,
    patience: dict[str, Any],
) -> None:
    """Request until the part file is complete."""

    def say(line: str) -> None:
        report(f"{address}: {line} ({part.bytes} bytes are here)")

    with web.session(say=say, token=token, **patience) as session:
        web.again(
            lambda: _receive(session, address, login, part, sha256, limits, token, report),
            errors=(HTTPError,),
            attempts=patience["attempts"],
            first_pause=patience["first_pause"],
            say=say,
            progress=lambda: part.bytes if part.origin.get("url") == address else 0,
        )


def _receive(
    session: requests.Session,
    address: str,
    login: Login,
    part: _Part,
    sha256: str | None,
    limits: Limits,
    token: Token | None,
    report: Report,
) -> None:
    """One request for what is missing; an HTTPError of urllib3 where the connection ended before the body did."""
    origin, size = part.origin, limits.size
    validator = origin.get("validator")
    # Only where a splice of two versions would be noticed.
    offset = part.bytes if origin.get("url") == address and (validator or sha256) else 0
    headers = {"Accept-Encoding": "identity"}  # a compressed body could not be resumed
    if offset:
        headers |= {"Range": f"bytes={offset}-"} | ({"If-Range": validator} if validator else {})
    hint = token.hint if token else ""
    asked = {"params": token.params if token else {}, "headers": headers, "auth": login}
    with session.get(address, **asked, stream=True) as response:
        status, said = response.status_code, response.headers
        etag = said.get("ETag", "")
        version = etag if etag.startswith('"') else said.get("Last-Modified")  # If-Range takes no weak ETag
        span = said.get("Content-Range", "")
        if status == 416 and offset and span == f"bytes */{offset}":
            return  # killed between the last byte and the renaming
        follows = status == 206 and span.startswith(f"bytes {offset}-") and validator in (None, version)
        if offset and status in (206, 416) and not follows:
            report(f"{address}: what the server sends does not continue what is here ({offset} bytes); starting again")
            part.discard()
            return _receive(session, address, login, part, sha256, limits, token, report)
        if status != 200 and not follows:
            raise DownloadError(f"the server says {status} {response.reason}{hint if status in (401, 403) else ''}")
        encoding = said.get("Content-Encoding", "identity").lower()
        # Some servers label a .gz file as gzip-encoded: there the bytes as sent are the file.
        if encoding not in ("", "identity") and not part.name.lower().endswith(".gz"):
            raise DownloadError(f"the server sends the file packed ({encoding}), although asked not to")
        chunks = _steady(response, limits)
        left = response.raw.length_remaining
        total = size if left is None else left + (offset if follows else 0)
        if not follows:
            first = b""
            while len(first) < HEAD and (more := next(chunks, b"")):
                first += more
            try:
                check_kind(first, part.name)  # a login page does not cost what is here
            except DownloadError as error:
                raise DownloadError(f"{error}{hint}") from error
            if size not in (None, total):
                raise DownloadError(f"wrong size: expected {size} bytes, the server has {total}")
            if size is None and (total or 0) > limits.largest:
                raise DownloadError(f"the server has {total} bytes, {limits.reason}")
            if offset:
                report(f"{address}: sends all from the start (changed, or no ranges); {offset} bytes dropped")
            part.discard()
            if token and version:
                version = token.hide(version)  # then it fits nothing that the server says, and all comes anew
            part.record.write_text(json.dumps({"url": address, "validator": version}))
            chunks, offset = chain([first], chunks), 0
        part.write(chunks, offset, total, report, limits)
    if size is not None and part.bytes < size:
        raise IncompleteRead(part.bytes, size - part.bytes)


def _steady(response: requests.Response, limits: Limits) -> Iterator[bytes]:
    """The body as it comes; DownloadError where it only trickles."""
    began, came = time.monotonic(), 0
    while chunk := response.raw.read1(CHUNK, decode_content=False):
        yield chunk
        came, now = came + len(chunk), time.monotonic()
        if now - began >= limits.window:
            if came < limits.slowest * (now - began):
                raise DownloadError(
                    f"given up: {came} bytes in {now - began:.0f} s, below {limits.slowest / 1e3:g} kB/s "
                    "(downloads.slowest_kb_s of the config); what came is kept"
                )
            began, came = now, 0


def _copy(address: str, part: _Part, report: Report) -> None:
    source = Path(url2pathname(urlsplit(address).path))
    if not source.is_file():
        raise DownloadError("no such file")
    part.discard()
    with open(source, "rb") as stream:
        part.write(iter(lambda: stream.read(CHUNK), b""), 0, source.stat().st_size, report, Limits(largest=math.inf))


def _check_part(part: _Part, sha256: str | None, size: int | None) -> tuple[int, str]:
    try:
        return check_file(part.path, part.name, sha256=sha256, size=size)
    except DownloadError as error:
        part.discard()
        raise DownloadError(
            f"{error}; what came is removed and the next run starts afresh; if it happens again, the file behind the "
            "address is another one: look on the source's page, then correct the config"
        ) from error
