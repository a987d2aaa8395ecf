"""Raw files from http, https and file addresses: resumed, retried, checked."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import requests
from urllib3.exceptions import HTTPError, IncompleteRead

from gaia_offsets.archive import http as web
from gaia_offsets.archive.http import PATIENCE, GaveUp, Patience, Say, Session, one_line
from gaia_offsets.archive.rawfile import HEAD, DownloadError, check_file, check_kind, read_record
from gaia_offsets.archive.secret import NO_TOKEN, Token
from gaia_offsets.core.faults import ROOM

CHUNK = HEAD  # bytes; what a dropped connection can cost
PROGRESS_EVERY = 5.0  # s


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
        self.path = destination.with_name(destination.name + ".part")
        self.record = destination.with_name(destination.name + ".part.json")

    @property
    def bytes(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def origin(self) -> dict[str, Any]:
        """`url` and `validator`, which names the version; empty where nothing is known."""
        return read_record(self.record)

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)


@dataclass(frozen=True)
class Transfer:
    """A file on its way to `destination`, which appears only when it is whole and right.

    What a killed run left in `<destination>.part` is continued if the server still has the same version. `report` gets
    one line a time. `token` is added to addresses of http and https when they are asked, and to nothing that is said,
    raised or written.
    """

    destination: Path
    sha256: str | None = None
    limits: Limits = Limits()
    token: Token = NO_TOKEN
    patience: Patience = PATIENCE
    report: Say = print

    @property
    def part(self) -> _Part:
        return _Part(self.destination)

    def fetch(self, *addresses: str) -> tuple[str, int, str]:
        """Fetch the file from the first address that gives it, each asked patiently: that address, bytes and SHA-256.

        Raises DownloadError (one line) if no address gave it, the disk is full or an address has an unknown scheme.
        """
        hide = self.token.hide
        try:
            return replace(self, report=lambda line: self.report(hide(line)))._fetch(addresses)
        except Exception as error:  # whatever it is: its text may hold the address as it was asked
            if not self.token.value:
                raise
            said = str(error) if isinstance(error, DownloadError) else f"{type(error).__name__}: {one_line(error)}"
            raise DownloadError(hide(said)) from None

    def _fetch(self, addresses: Iterable[str]) -> tuple[str, int, str]:
        part, name, failures = self.part, self.destination.name, []
        # What an interrupted run left can only be continued where it came from.
        addresses = sorted(dict.fromkeys(addresses), key=lambda address: address != part.origin.get("url"))
        for address in addresses:
            if urlsplit(address).scheme not in ("http", "https", "file"):
                raise DownloadError(f"{address}: unknown scheme; an address begins with http, https or file")
        try:
            part.path.parent.mkdir(parents=True, exist_ok=True)
            for address in addresses:
                try:
                    (self._copy if urlsplit(address).scheme == "file" else self._insist)(address)
                    length, digest = self._check()
                except (DownloadError, GaveUp, HTTPError, requests.RequestException, ValueError) as error:
                    failures.append(f"{address}: {one_line(error)}")
                    self.report(failures[-1])
                    continue
                with open(part.path, "rb+") as stream:
                    os.fsync(stream.fileno())  # after a power cut the file is there whole or not at all
                os.replace(part.path, self.destination)
                part.discard()
                self.report(f"{address}: {length} bytes, sha256 {digest}")
                if self.sha256 is None:
                    self.report(f"{name}: no sha256 given; got {digest}; put it in the config")
                return address, length, digest
        except OSError as error:
            if error.errno not in ROOM:
                raise DownloadError(f"{error.filename or part.path}: {error.strerror or error}") from error
            folder = part.path.parent
            raise DownloadError(
                f"{folder}: the disk is full ({error.strerror}; {shutil.disk_usage(folder).free} bytes are free); "
                f"the {part.bytes} bytes of {name} that came are kept, make room and run again"
            ) from error
        raise DownloadError(f"{name}: not fetched: {'; '.join(failures)}")

    def _insist(self, address: str) -> None:
        """Request until the part file is complete."""
        part = self.part

        def say(line: str) -> None:
            self.report(f"{address}: {line} ({part.bytes} bytes are here)")

        def progress() -> int:
            return part.bytes if part.origin.get("url") == address else 0

        with Session(self.patience, say, self.token) as session:
            web.again(lambda: self._receive(session, address), self.patience, say, (HTTPError,), progress)

    def _receive(self, session: Session, address: str) -> None:
        """One request for what is missing; an HTTPError of urllib3 where the connection ended before the body did."""
        part, size = self.part, self.limits.size
        validator = part.origin.get("validator")
        # Only where a splice of two versions would be noticed.
        offset = part.bytes if part.origin.get("url") == address and (validator or self.sha256) else 0
        headers = {"Accept-Encoding": "identity"}  # a compressed body could not be resumed
        if offset:
            headers |= {"Range": f"bytes={offset}-"} | ({"If-Range": validator} if validator else {})
        with session.get(address, params=self.token.params, headers=headers, stream=True) as response:
            status, span = response.status_code, response.headers.get("Content-Range", "")
            if status == 416 and offset and span == f"bytes */{offset}":
                return  # killed between the last byte and the renaming
            follows = status == 206 and span.startswith(f"bytes {offset}-") and validator in (None, _version(response))
            if offset and status in (206, 416) and not follows:
                self.report(
                    f"{address}: what the server sends does not continue what is here ({offset} bytes); starting again"
                )
                part.discard()
                return self._receive(session, address)
            self._refuse(response, follows)
            left, chunks = response.raw.length_remaining, _steady(response, self.limits)
            total = size if left is None else left + (offset if follows else 0)
            if not follows:
                chunks = self._begin(chunks, total)
                if offset:
                    self.report(f"{address}: sends all from the start (changed, or no ranges); {offset} bytes dropped")
                part.discard()
                # A version that holds the token fits nothing that the server says later, and all comes anew.
                version = self.token.hide(_version(response) or "") or None
                part.record.write_text(json.dumps({"url": address, "validator": version}))
            self._write(chunks, offset if follows else 0, total)
        if size is not None and part.bytes < size:
            raise IncompleteRead(part.bytes, size - part.bytes)

    def _refuse(self, response: requests.Response, follows: bool) -> None:
        """Raise DownloadError for an answer that holds no bytes of the file."""
        if response.status_code != 200 and not follows:
            hint = self.token.hint if response.status_code in (401, 403) else ""
            raise DownloadError(f"the server says {response.status_code} {response.reason}{hint}")
        encoding = response.headers.get("Content-Encoding", "identity").lower()
        # Some servers label a .gz file as gzip-encoded: there the bytes as sent are the file.
        if encoding not in ("", "identity") and not self.destination.name.lower().endswith(".gz"):
            raise DownloadError(f"the server sends the file packed ({encoding}), although asked not to")

    def _begin(self, chunks: Iterator[bytes], total: int | None) -> Iterator[bytes]:
        """The chunks of a whole body, looked at before what is here is dropped: a login page does not cost it."""
        name, limits = self.destination.name, self.limits
        first = b""
        while len(first) < HEAD and (more := next(chunks, b"")):
            first += more
        try:
            check_kind(first, name)
        except DownloadError as error:
            raise DownloadError(f"{error}{self.token.hint}") from error
        if limits.size not in (None, total):
            raise DownloadError(f"wrong size: expected {limits.size} bytes, the server has {total}")
        if limits.size is None and (total or 0) > limits.largest:
            raise DownloadError(f"the server has {total} bytes, {limits.reason}")
        return chain([first], chunks)

    def _write(self, chunks: Iterable[bytes], offset: int, total: int | None) -> None:
        """Write on at `offset`, no more in all than is allowed, with a line on the progress now and then."""
        part, name = self.part, self.destination.name
        if total is not None and total - offset > shutil.disk_usage(part.path.parent).free:
            raise OSError(errno.ENOSPC, f"{total - offset} more bytes needed")
        began = last = time.monotonic()
        done = offset
        with open(part.path, "ab" if offset else "wb") as stream:
            for chunk in chunks:
                if done + len(chunk) > self.limits.most:
                    part.discard()
                    raise DownloadError(f"stopped: {self.limits.reason}")
                stream.write(chunk)
                stream.flush()  # a killed process loses nothing that came
                done, now = done + len(chunk), time.monotonic()
                if now - last >= PROGRESS_EVERY:
                    of = "" if total is None else f" of {total / 1e6:.1f}"
                    self.report(f"{name}: {done / 1e6:.1f}{of} MB, {(done - offset) / 1e6 / (now - began):.2f} MB/s")
                    last = now

    def _copy(self, address: str) -> None:
        source = Path(url2pathname(urlsplit(address).path))
        if not source.is_file():
            raise DownloadError("no such file")
        self.part.discard()
        shutil.copyfile(source, self.part.path)

    def _check(self) -> tuple[int, str]:
        """Size and SHA-256 of what came; it is removed where it is not right."""
        try:
            return check_file(self.part.path, self.destination.name, sha256=self.sha256, size=self.limits.size)
        except DownloadError as error:
            self.part.discard()
            raise DownloadError(
                f"{error}; what came is removed and the next run starts afresh; if it happens again, the file behind "
                "the address is another one: look on the source's page, then correct the config"
            ) from error


def _version(response: requests.Response) -> str | None:
    """What names the version of a file: a strong ETag (If-Range takes no weak one), or a date."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified")


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
