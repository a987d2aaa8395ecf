"""Raw files from http, https and file addresses: resumed, retried, checked, recorded."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import shutil
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

SCHEMES = ("http", "https", "file")
CHUNK = 1 << 16  # bytes; what a dropped connection can cost
LONGEST_WAIT = 600.0  # s; a server may ask for more, we do not wait longer
PROGRESS_EVERY = 5.0  # s

Report = Callable[[str], Any]


class DownloadError(RuntimeError):
    """A file that cannot be had; the message is one line: which, from where, what happened, what to do."""


class _Refused(DownloadError):
    """This address will not give the file, however often it is asked; another one may."""


class _Interrupted(DownloadError):
    """This attempt failed, the next may not. `wait`: seconds that the server asks for."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass(frozen=True)
class Fetched:
    """What a file turned out to be: the address that gave it, its size in bytes, its SHA-256."""

    url: str
    bytes: int
    sha256: str


class _Part:
    """The unfinished file `<name>.part` and, in `<name>.part.json`, what it is the beginning of."""

    def __init__(self, destination: Path) -> None:
        self.path = destination.with_name(destination.name + ".part")
        self.record = destination.with_name(destination.name + ".part.json")
        self.destination = destination
        origin = _read_json(self.record)
        self.url: str | None = origin.get("url")
        self.validator: str | None = origin.get("validator")
        self.total: int | None = origin.get("total")

    @property
    def bytes(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def begin(self, url: str | None, validator: str | None, total: int | None) -> None:
        """Forget what is there; `url` None for content that cannot be continued later."""
        self.discard()
        self.url, self.validator, self.total = url, validator, total
        self.record.write_text(json.dumps({"url": url, "validator": validator, "total": total}))

    def usable(self, url: str, sha256: str | None) -> int:
        """Bytes at hand that a request to `url` may continue: only where a splice of two versions would be noticed."""
        if self.url != url or not (self.validator or sha256):
            return 0
        return self.bytes

    def discard(self) -> None:
        self.url = self.validator = self.total = None
        self.path.unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)

    def publish(self) -> None:
        """Give the finished file its name; after a power cut it is there whole or not at all."""
        with open(self.path, "rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(self.path, self.destination)
        self.record.unlink(missing_ok=True)


def fetch(
    url: str,
    destination: str | Path,
    *,
    mirrors: Iterable[str] = (),
    sha256: str | None = None,
    size: int | None = None,
    attempts: int = 5,
    timeout: float = 30.0,
    sleep: Callable[[float], Any] = time.sleep,
    report: Report = print,
) -> Fetched:
    """Fetch one file to `destination`, which appears only when it is whole and right.

    Address and mirrors are tried in turn, each until `attempts` requests in a row have brought nothing new.
    `timeout` is the longest silence in seconds; `size` is in bytes; `report` gets one line a time. What a killed run
    left in `<destination>.part` is continued if the server still has the same version.

    Raises DownloadError (one line) if no address gave the file, the disk is full or an address has an unknown scheme.
    """
    destination = Path(destination)
    addresses = list(dict.fromkeys([url, *mirrors]))
    for address in addresses:
        if urlsplit(address).scheme not in SCHEMES:
            raise DownloadError(f"{address}: unknown scheme; an address begins with one of {', '.join(SCHEMES)}")
    part = _Part(destination)
    # What an interrupted run left can only be continued where it came from.
    addresses.sort(key=lambda address: address != part.url)
    failures = []
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        for address in addresses:
            try:
                if urlsplit(address).scheme == "file":
                    _copy(address, part, size, report)
                else:
                    _insist(address, part, sha256, size, attempts, timeout, sleep, report)
                found = _check_part(address, part, sha256, size)
            except _Refused as error:
                failures.append(f"{address}: {error}")
                report(failures[-1])
            else:
                part.publish()
                report(f"{address}: {found.bytes} bytes, sha256 {found.sha256}")
                if sha256 is None:
                    report(f"{destination.name}: no sha256 given; got {found.sha256}; put it in the config")
                return found
    except OSError as error:
        raise _disk_error(error, part, size) from error
    raise DownloadError(f"{destination.name}: not fetched: {'; '.join(failures)}")


def check_file(path: str | Path, name: str, *, sha256: str | None = None, size: int | None = None) -> tuple[int, str]:
    """Size in bytes and SHA-256 of a file, after comparison with what they should be and with the ending of `name`.

    Raises DownloadError (one line: expected and got) where they differ.
    """
    path = Path(path)
    length = path.stat().st_size
    with open(path, "rb") as stream:
        _check_kind(stream.read(CHUNK), name)
        if name.lower().endswith(".parquet"):
            stream.seek(-min(4, length), os.SEEK_END)
            if stream.read() != b"PAR1":
                raise _Refused(f"{name} is cut short: it has {length} bytes and no Parquet footer")
        if size is not None and length != size:
            raise _Refused(f"wrong size: expected {size} bytes, got {length}")
        stream.seek(0)
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if sha256 is not None and digest != sha256.lower():
        raise _Refused(f"wrong sha256: expected {sha256.lower()}, got {digest} ({length} bytes)")
    return length, digest


def count_rows(path: str | Path) -> int | None:
    """Rows of a Parquet file or of the first table of a FITS file, from the header alone; None where not told there."""
    name = Path(path).name.lower()
    try:
        if name.endswith(".parquet"):
            import pyarrow.parquet as pq

            return pq.read_metadata(path).num_rows
        if name.removesuffix(".gz").endswith((".fits", ".fit")):
            from astropy.io import fits

            with fits.open(path) as hdus:
                return next((int(hdu.header["NAXIS2"]) for hdu in hdus if "TFIELDS" in hdu.header), None)
    except Exception:  # a count is a courtesy; the reader of the table is the one to complain
        return None
    return None


def retrieve(
    dataset: str,
    entry: dict[str, Any],
    destination: str | Path,
    manifest: str | Path,
    *,
    local: str | Path | None = None,
    report: Report = print,
    **options: Any,
) -> dict[str, Any]:
    """Bring one dataset of the config to `destination` and write (and return) its manifest.

    `entry` is the dataset's section of the config; `local` is the user's own copy of the file, if any; `options` go to
    `fetch`. A file already at `destination` that is still the right one is kept, whoever put it there.

    Raises DownloadError (one line) where the file cannot be had.
    """
    destination, manifest = Path(destination), Path(manifest)
    entry = {key: value for key, value in entry.items() if value is not None}
    addresses = [address for address in (entry.get("url"), *entry.get("mirrors", ())) if address]
    size = entry.get("bytes")
    earlier = _read_json(manifest)
    before = earlier.get("sha256") if earlier.get("url") in addresses else None
    known = entry.get("sha256") or before
    origin: dict[str, str] = {}
    if local is None and destination.is_file() and (known or not addresses):
        try:
            length, digest = check_file(destination, destination.name, sha256=known, size=size)
            origin = {"path": str(destination), "retrieved": _now()}
            if earlier.get("sha256") == digest:
                origin = {key: earlier[key] for key in ("path", "shipped", "url", "retrieved") if key in earlier}
            report(f"{destination}: {length} bytes, sha256 {digest}; kept as it is (delete it to have it fetched anew)")
        except DownloadError as error:
            if not addresses:
                raise DownloadError(
                    f"datasets.{dataset}: {destination}: {error}; replace the file or correct the config"
                ) from error
            report(f"{destination}: {error}; fetched anew")
    if not origin:
        if local is None and not addresses:
            raise DownloadError(_by_hand(dataset, entry, destination))
        first, *others = addresses if local is None else [Path(local).absolute().as_uri()]
        try:
            found = fetch(
                first,
                destination,
                mirrors=others,
                sha256=entry.get("sha256"),
                size=size,
                report=report,
                **options,
            )
        except DownloadError as error:
            raise DownloadError(f"datasets.{dataset}: {error}") from error
        length, digest = found.bytes, found.sha256
        # A shipped file has no address that holds on another machine: its name says which it is.
        own = next(({key: str(entry[key])} for key in ("path", "shipped") if key in entry), {"path": str(local)})
        origin = {"url": found.url} if local is None else own
        origin["retrieved"] = _now()
        if before and earlier["url"] == found.url and before != digest:
            report(
                f"{found.url}: the file behind this address has changed: "
                f"sha256 was {before} on {earlier.get('retrieved')}, is {digest} now"
            )
    record = {
        "dataset": dataset,
        "file": destination.name,
        "bytes": length,
        "sha256": digest,
        "rows": count_rows(destination),
        **{key: entry.get(key) for key in ("licence", "doi", "citation")},
        **origin,
    }
    manifest.write_text(json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    return record


def _by_hand(dataset: str, entry: dict[str, Any], destination: Path) -> str:
    what = f"{destination.name} ({entry['description']})" if "description" in entry else destination.name
    where = entry.get("page", "its publisher, of whom the config names no page,")
    return (
        f"datasets.{dataset}: no address is known; fetch {what} from {where} yourself, put it at any place and set "
        f"datasets.{dataset}.path to it in the config, or put it at {destination}; then run again"
    )


def _insist(
    address: str,
    part: _Part,
    sha256: str | None,
    size: int | None,
    attempts: int,
    timeout: float,
    sleep: Callable[[float], Any],
    report: Report,
) -> None:
    """Request until the part file is complete; only attempts in a row that brought nothing new count as failures."""
    failures, most = 0, part.usable(address, sha256)
    if most and most == part.total:
        return  # interrupted between the last byte and the renaming
    while True:
        try:
            return _request(address, part, sha256, size, timeout, report)
        except _Interrupted as error:
            reached = part.bytes if part.url == address else 0
            failures = 1 if reached > most else failures + 1
            most = max(most, reached)
            if failures >= attempts:
                raise _Refused(f"gave up after {failures} attempts in a row; the last one: {error}") from error
            wait = max(error.wait, min(60.0, 2.0**failures) * random.uniform(0.5, 1.0))
            report(f"{address}: {error}; {reached} bytes are here, next attempt in {wait:.0f} s")
            sleep(wait)


def _request(address: str, part: _Part, sha256: str | None, size: int | None, timeout: float, report: Report) -> None:
    """One request for what is missing. Raises _Interrupted where another one may help, else _Refused."""
    import requests
    import urllib3

    offset = part.usable(address, sha256)
    headers = {"Accept-Encoding": "identity"}  # a compressed body could not be resumed
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if part.validator:
            headers["If-Range"] = part.validator
    try:
        with requests.get(address, headers=headers, stream=True, timeout=timeout) as response:
            if _accept(response, part, offset, address):
                _receive(response, part, address, size, report)
    except requests.RequestException as error:
        if isinstance(error, ValueError):  # an address that cannot be used, here or after a redirection
            raise _Refused(str(error)) from error
        raise _Interrupted(_reason(error)) from error
    except urllib3.exceptions.HTTPError as error:
        raise _Interrupted(_reason(error)) from error


def _accept(response: Any, part: _Part, offset: int, address: str) -> bool:
    """Whether the response has a body to receive; False where a 416 says that all of it is here."""
    status = response.status_code
    if status == 200:
        return True
    if status == 206 and offset:
        first, total = _content_range(response)
        same = part.validator in (None, _validator(response))
        if first == offset and same and part.total in (None, total) and not _encoded(response):
            return True
        part.discard()
        raise _Interrupted("the rest that the server sends does not continue what is here; starting again")
    if status == 416 and offset:
        if _content_range(response)[1] == offset:
            return False
        part.discard()
        raise _Interrupted("the server has nothing after what is here (416); starting again")
    said = f"the server says {status} {response.reason}"
    if status in (408, 425, 429) or status >= 500:
        raise _Interrupted(said, _retry_after(response))
    raise _Refused(said)


def _receive(response: Any, part: _Part, address: str, size: int | None, report: Report) -> None:
    # Some servers label a .gz file as gzip-encoded: there the bytes as sent are the file.
    decode = _encoded(response) and not part.destination.name.lower().endswith(".gz")
    length = None if decode else response.raw.length_remaining
    chunks = response.raw.stream(CHUNK, decode_content=decode)
    offset = part.bytes if response.status_code == 206 else 0
    total = None if length is None else offset + length
    if not offset:
        first = next(chunks, b"")
        _check_kind(first, part.destination.name)
        if size is not None and total not in (None, size):
            raise _Refused(f"wrong size: expected {size} bytes, the server has {total}")
        if part.url == address and part.bytes:
            report(f"{address}: sends all from the start (changed, or serves no ranges); {part.bytes} bytes dropped")
        part.begin(None if decode else address, _validator(response), total)
        chunks = chain([first], chunks)
    _write(chunks, part, offset, size or total, report)
    goal = size or total
    if goal is not None and part.bytes < goal:
        raise _Interrupted(f"the connection ended after {part.bytes} of {goal} bytes")


def _copy(address: str, part: _Part, size: int | None, report: Report) -> None:
    source = Path(url2pathname(urlsplit(address).path))
    if not source.is_file():
        raise _Refused("no such file")
    part.begin(None, None, None)
    with open(source, "rb") as stream:
        _write(iter(lambda: stream.read(CHUNK), b""), part, 0, size or source.stat().st_size, report)


def _write(chunks: Iterable[bytes], part: _Part, offset: int, total: int | None, report: Report) -> None:
    directory = part.path.parent
    if total is not None and total - offset > (free := shutil.disk_usage(directory).free):
        raise DownloadError(_no_space(directory, total - offset, free))
    with open(part.path, "ab" if offset else "wb") as stream:
        for chunk in _metered(chunks, part.destination.name, offset, total, report):
            stream.write(chunk)
            stream.flush()  # a killed process loses nothing that came


def _metered(
    chunks: Iterable[bytes], name: str, done: int, total: int | None, report: Report, clock: Any = time.monotonic
) -> Iterator[bytes]:
    """The chunks, with a line on the progress now and then: MB done of all, MB/s of this connection."""
    began = last = clock()
    offset = done
    for chunk in chunks:
        yield chunk
        done += len(chunk)
        now = clock()
        if now - last >= PROGRESS_EVERY:
            of = "" if total is None else f" of {total / 1e6:.1f}"
            report(f"{name}: {done / 1e6:.1f}{of} MB, {(done - offset) / 1e6 / (now - began):.2f} MB/s")
            last = now


def _check_part(address: str, part: _Part, sha256: str | None, size: int | None) -> Fetched:
    try:
        length, digest = check_file(part.path, part.destination.name, sha256=sha256, size=size)
    except _Refused as error:
        part.discard()
        raise _Refused(
            f"{error}; what came is removed and the next run starts afresh; if it happens again, the file behind the "
            "address is another one: look on the source's page, then correct the config"
        ) from error
    return Fetched(address, length, digest)


def _check_kind(head: bytes, name: str) -> None:
    """Refuse content whose first bytes (a few kB) cannot be what the name's ending promises."""
    ending = name.lower()
    if ending.endswith(".gz"):
        if head.startswith(b"\x1f\x8b"):
            try:
                inner = zlib.decompressobj(wbits=31).decompress(head, CHUNK)
            except zlib.error as error:
                raise _Refused(f"not what {name} should be: damaged gzip ({error})") from error
            return _check_kind(inner, name[:-3]) if inner else None
        right, kind = False, "gzip"
    elif ending.endswith((".fits", ".fit")):
        right, kind = head.startswith(b"SIMPLE  ="), "FITS"
    elif ending.endswith(".parquet"):
        right, kind = head.startswith(b"PAR1"), "Parquet"
    elif ending.endswith((".vot", ".votable", ".xml")):
        right, kind = b"<VOTABLE" in head or b":VOTABLE" in head, "VOTable"
    elif ending.endswith(".ecsv"):
        right, kind = head.startswith(b"# %ECSV"), "ECSV"
    else:
        text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
        binary = ending.endswith((".csv", ".txt")) and b"\0" in head
        right, kind = bool(text) and text[:1] not in (b"<", b"{") and not binary, "a table"
    if not right:
        begins = f"begins with {head[:60]!r}" if head else "is empty"
        raise _Refused(f"not {kind}, as the name {name} promises: what came {begins}")


def _encoded(response: Any) -> bool:
    return response.headers.get("Content-Encoding", "identity").lower() not in ("", "identity")


def _validator(response: Any) -> str | None:
    """What If-Range may carry: a strong ETag, else the date of the last change."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified")


def _content_range(response: Any) -> tuple[int | None, int | None]:
    """First byte and total of `bytes 5-9/10` or `bytes */10`; None for what is not told."""
    span, _, total = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    first = span.partition("-")[0]
    return (int(first) if first.isdigit() else None), (int(total) if total.isdigit() else None)


def _retry_after(response: Any) -> float:
    said = response.headers.get("Retry-After", "").strip()
    if said.isdigit():
        return min(float(said), LONGEST_WAIT)
    try:
        wait = (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):  # none, or none that can be read
        return 0.0
    return min(max(wait, 0.0), LONGEST_WAIT)


def _reason(error: Exception) -> str:
    """The innermost cause, without the layers of the HTTP libraries around it, on one line."""
    inner: Any = error
    while isinstance(getattr(inner, "reason", None) or (inner.args and inner.args[0]), Exception):
        inner = getattr(inner, "reason", None) or inner.args[0]
    text = str(inner) or type(inner).__name__
    return " ".join(text.split())[:300]


def _disk_error(error: OSError, part: _Part, size: int | None) -> DownloadError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        total = size or part.total
        needed = None if total is None else total - part.bytes
        return DownloadError(_no_space(part.path.parent, needed, shutil.disk_usage(part.path.parent).free))
    return DownloadError(f"{error.filename or part.path}: {error.strerror or error}")


def _no_space(directory: Path, needed: int | None, free: int) -> str:
    need = "an unknown number of" if needed is None else str(needed)
    return f"{directory}: the disk is full: {need} more bytes needed, {free} free; what came is kept, make room, rerun"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # none, or cut short by a kill
        return {}
    return content if isinstance(content, dict) else {}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
