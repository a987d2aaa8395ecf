"""Raw files from http, https and file addresses: resumed, retried, checked."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
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
WINDOW = 60.0  # s, over which the rate of a server is judged


@dataclass(frozen=True)
class Transfer:
    """A file on its way to `destination`, which appears only when it is whole and right.

    What came is in `<destination>.part`, and what a killed run left there is continued if the server still has the same
    version. `token` is added to addresses of http and https when they are asked, and to nothing that is said, raised or
    written.
    """

    destination: Path
    sha256: str | None = None
    size: int | None = None  # bytes
    largest: float = 100e9  # bytes that may come where the size is not known
    slowest: float = 1000.0  # bytes/s, below which an address is given up
    token: Token = NO_TOKEN
    patience: Patience = PATIENCE
    report: Say = print

    @property
    def part(self) -> Path:
        return self.destination.with_name(f"{self.destination.name}.part")

    @property
    def record(self) -> Path:
        """Of which version (`validator`) of what (`url`) the part is the beginning."""
        return self.destination.with_name(f"{self.destination.name}.part.json")

    @property
    def length(self) -> int:
        """Bytes that came."""
        return self.part.stat().st_size if self.part.exists() else 0

    def discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)

    def say(self, line: str) -> None:
        self.report(self.token.hide(line))

    def fetch(self, *addresses: str) -> tuple[str, int, str]:
        """Fetch the file from the first address that gives it, each asked patiently: that address, bytes and SHA-256.

        Raises DownloadError (one line) if no address gave it, the disk is full or an address has an unknown scheme.
        """
        try:
            return self._fetch(addresses)
        except Exception as error:  # whatever it is: its text may hold the address as it was asked
            if not self.token.value:
                raise
            message = str(error) if isinstance(error, DownloadError) else f"{type(error).__name__}: {one_line(error)}"
            raise DownloadError(self.token.hide(message)) from None

    def _fetch(self, addresses: Iterable[str]) -> tuple[str, int, str]:
        for address in addresses:
            if urlsplit(address).scheme not in ("http", "https", "file"):
                raise DownloadError(f"{address}: unknown scheme; an address begins with http, https or file")
        try:
            return self._first_of(addresses)
        except OSError as error:
            if error.errno not in ROOM:
                raise DownloadError(f"{error.filename or self.part}: {error.strerror or error}") from error
            folder = self.part.parent
            raise DownloadError(
                f"{folder}: the disk is full ({error.strerror}; {shutil.disk_usage(folder).free} bytes are free); the "
                f"{self.length} bytes of {self.destination.name} that came are kept, make room and run again"
            ) from error

    def _first_of(self, addresses: Iterable[str]) -> tuple[str, int, str]:
        name, failures = self.destination.name, []
        self.part.parent.mkdir(parents=True, exist_ok=True)
        # What an interrupted run left can only be continued where it came from.
        origin = read_record(self.record).get("url")
        for address in sorted(dict.fromkeys(addresses), key=lambda address: address != origin):
            try:
                (self._copy if urlsplit(address).scheme == "file" else self._insist)(address)
                length, digest = self._check()
            except (DownloadError, GaveUp, HTTPError, requests.RequestException, ValueError) as error:
                failures.append(f"{address}: {one_line(error)}")
                self.say(failures[-1])
                continue
            with open(self.part, "rb+") as stream:
                os.fsync(stream.fileno())  # after a power cut the file is there whole or not at all
            os.replace(self.part, self.destination)
            self.discard()
            self.say(f"{address}: {length} bytes, sha256 {digest}")
            if self.sha256 is None:
                self.say(f"{name}: no sha256 given; got {digest}; put it in the config")
            return address, length, digest
        raise DownloadError(f"{name}: not fetched: {'; '.join(failures)}")

    def _copy(self, address: str) -> None:
        source = Path(url2pathname(urlsplit(address).path))
        if not source.is_file():
            raise DownloadError("no such file")
        self.discard()
        shutil.copyfile(source, self.part)

    def _insist(self, address: str) -> None:
        """Request until the part is complete."""

        def say(line: str) -> None:
            self.say(f"{address}: {line} ({self.length} bytes are here)")

        def progress() -> int:
            return self.length if read_record(self.record).get("url") == address else 0

        with Session(self.patience, say, self.token) as session:
            web.again(lambda: self._receive(session, address), self.patience, say, (HTTPError,), progress)

    def _receive(self, session: Session, address: str) -> None:
        """One request for what is missing; an HTTPError of urllib3 where the connection ended before the body did."""
        origin = read_record(self.record)
        validator = origin.get("validator")
        # Only where a splice of two versions would be noticed.
        offset = self.length if origin.get("url") == address and (validator or self.sha256) else 0
        headers = {"Accept-Encoding": "identity"}  # a compressed body could not be resumed
        if offset:
            headers |= {"Range": f"bytes={offset}-"} | ({"If-Range": validator} if validator else {})
        with session.get(address, params=self.token.params, headers=headers, stream=True) as response:
            status, span = response.status_code, response.headers.get("Content-Range", "")
            if status == 416 and offset and span == f"bytes */{offset}":
                return  # killed between the last byte and the renaming
            follows = status == 206 and span.startswith(f"bytes {offset}-") and validator in (None, _version(response))
            if offset and status in (206, 416) and not follows:
                self.say(f"{address}: what comes does not continue what is here ({offset} bytes); starting again")
                self.discard()
                return self._receive(session, address)
            self._refuse(response, follows)
            chunks, left = self._steady(response), response.raw.length_remaining
            total = self.size if left is None else left + (offset if follows else 0)
            if not follows:
                chunks = self._begin(chunks, total)
                if offset:
                    self.say(f"{address}: sends all from the start (changed, or no ranges); {offset} bytes dropped")
                self.discard()
                # A version that holds the token fits nothing that the server says later, and all comes anew.
                version = self.token.hide(_version(response) or "") or None
                self.record.write_text(json.dumps({"url": address, "validator": version}))
            self._write(chunks, offset if follows else 0, total)
        if self.size is not None and self.length < self.size:
            raise IncompleteRead(self.length, self.size - self.length)

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
        first = b""
        while len(first) < HEAD and (more := next(chunks, b"")):
            first += more
        try:
            check_kind(first, self.destination.name)
        except DownloadError as error:
            raise DownloadError(f"{error}{self.token.hint}") from error
        if self.size not in (None, total):
            raise DownloadError(f"wrong size: expected {self.size} bytes, the server has {total}")
        if self.size is None and (total or 0) > self.largest:
            raise DownloadError(f"the server has {total} bytes, {self._too_much}")
        return chain([first], chunks)

    @property
    def _too_much(self) -> str:
        if self.size is not None:
            return f"more than the {self.size} bytes that it should have"
        return f"more than {self.largest:.0f} bytes; give its size (bytes) in the config, or raise downloads.largest_gb"

    def _steady(self, response: requests.Response) -> Iterator[bytes]:
        """The body as it comes; DownloadError where it only trickles."""
        began, came = time.monotonic(), 0
        while chunk := response.raw.read1(CHUNK, decode_content=False):
            yield chunk
            came, now = came + len(chunk), time.monotonic()
            if now - began >= WINDOW:
                if came < self.slowest * (now - began):
                    raise DownloadError(
                        f"given up: {came} bytes in {now - began:.0f} s, below {self.slowest / 1e3:g} kB/s "
                        "(downloads.slowest_kb_s of the config); what came is kept"
                    )
                began, came = now, 0

    def _write(self, chunks: Iterable[bytes], offset: int, total: int | None) -> None:
        """Write on at `offset`, no more in all than is allowed, with a line on the progress now and then."""
        if total is not None and total - offset > shutil.disk_usage(self.part.parent).free:
            raise OSError(errno.ENOSPC, f"{total - offset} more bytes needed")
        began = last = time.monotonic()
        done = offset
        with open(self.part, "ab" if offset else "wb") as stream:
            for chunk in chunks:
                if done + len(chunk) > (self.largest if self.size is None else self.size):
                    self.discard()
                    raise DownloadError(f"stopped: {self._too_much}")
                stream.write(chunk)
                stream.flush()  # a killed process loses nothing that came
                done, now = done + len(chunk), time.monotonic()
                if now - last >= PROGRESS_EVERY:
                    came, rate = f"{done / 1e6:.1f}", (done - offset) / 1e6 / (now - began)
                    of = "" if total is None else f" of {total / 1e6:.1f}"
                    self.say(f"{self.destination.name}: {came}{of} MB, {rate:.2f} MB/s")
                    last = now

    def _check(self) -> tuple[int, str]:
        """Size and SHA-256 of what came; it is removed where it is not right."""
        try:
            return check_file(self.part, self.destination.name, sha256=self.sha256, size=self.size)
        except DownloadError as error:
            self.discard()
            raise DownloadError(
                f"{error}; what came is removed and the next run starts afresh; if it happens again, the file behind "
                "the address is another one: look on the source's page, then correct the config"
            ) from error


def _version(response: requests.Response) -> str | None:
    """What names the version of a file: a strong ETag (If-Range takes no weak one), or a date."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified")
