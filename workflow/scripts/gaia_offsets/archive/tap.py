"""TAP client: asks patiently, believes nothing that is incomplete, cleans up behind itself.

What goes wrong with real archives is checked: overflow, documents that end early, error documents with HTTP 200, jobs
that vanish, connections that fall silent, targets that do not come back.
"""

from __future__ import annotations

import gzip
import io
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urljoin

import numpy as np
import pandas as pd
import requests

from gaia_offsets.archive.adql import count_query
from gaia_offsets.archive.http import GaveUp, Passing, Patience, Session, again, one_line
from gaia_offsets.core.faults import Fault
from gaia_offsets.core.log import say

# Limits at which archives are known to cut results, some without a word: ESA's, sync and async, by its own pages.
SILENT_LIMITS = (2000, 3_000_000)
T = TypeVar("T")
_ENDS = ("COMPLETED", "ERROR", "ABORTED", "ARCHIVED")
_END = re.compile(rb"</(\w+:)?VOTABLE>\s*\Z", re.IGNORECASE)


class ArchiveError(Fault, RuntimeError):
    """The archive did not give what was asked; the message is one line: what, where, what to do."""


class NoAnswer(ArchiveError):
    """The archive, and each of its mirrors, did not answer; the message is one line."""


@dataclass
class Archive:
    """A TAP service; `url` answers: one of `mirrors` takes its place where it does not, after all tries."""

    url: str
    mirrors: list[str]  # addresses of services with the same tables
    maxrec: int
    timeout_s: float  # a job, queue and download included
    patience: Patience

    def __post_init__(self) -> None:
        self.session = Session(self.patience, say)

    @classmethod
    def of(cls, urls: str | Sequence[str], settings: Mapping[str, Any]) -> Archive:
        """A service at the first of `urls`; `settings` is the config's section `archive`."""
        first, *mirrors = [url.rstrip("/") for url in ([urls] if isinstance(urls, str) else urls)]
        patience = Patience(*(settings[key] for key in ("attempts", "stall_s", "poll_s", "max_wait_s")))
        return cls(first, mirrors, settings["maxrec"], settings["timeout_s"], patience)

    def ask(self, query: str, targets: dict[str, np.ndarray], *, what: str) -> pd.DataFrame:
        """Rows of a query on an upload, complete or not at all.

        `targets` (arrays of one length, among them `target_id`) becomes TAP_UPLOAD.targets; each target_id must come
        back. Where the result has exactly as many rows as a limit known to cut silently, they are counted. `what` names
        the query in messages. Columns come back in lower case, integers as Int64.

        Raises ArchiveError after the last try, at once for an overflow.
        """
        upload = upload_document(targets)

        def rows() -> pd.DataFrame:
            return check_accounted(self._job(query, upload, what), targets["target_id"])

        frame = self._insist(rows, what)
        if len(frame) in (self.maxrec, *SILENT_LIMITS):
            say(f"{what}: {len(frame)} rows is where archives cut results silently; asking for their number")
            counted = self.count(query, what=what, upload=upload)
            if counted != len(frame):
                message = f"{len(frame)} rows of {counted} came back, cut at a limit; raise archive.chunks"
                raise self._error(what, message)
        return frame

    def select(self, query: str, *, what: str, narrower: str) -> pd.DataFrame:
        """Rows of a query without an upload, complete or not at all.

        They are counted first. `narrower` says in messages what makes the answer smaller. Raises ArchiveError as `ask`
        does, and where more rows are there than `maxrec`.
        """
        counted = self.count(query, what=what)
        if counted >= self.maxrec:
            raise self._error(what, f"{counted} rows, archive.maxrec is {self.maxrec}; {narrower}")

        def rows() -> pd.DataFrame:
            frame = self._job(query, None, what)
            if len(frame) != counted:
                raise Passing(f"{len(frame)} rows came back, COUNT(*) said {counted}")
            return frame

        return self._insist(rows, what)

    def count(self, query: str, *, what: str, upload: bytes | None = None) -> int:
        """The number of rows that a query gives; raises ArchiveError as `ask` does."""
        query, what = count_query(query), f"{what}, count"
        return int(self._insist(lambda: self._job(query, upload, what), what)["n"].iloc[0])

    def look_up(self, query: str, *, what: str) -> pd.DataFrame:
        """Rows of a small query that the archive answers at once; raises ArchiveError as `ask` does."""

        def rows() -> pd.DataFrame:
            end = time.monotonic() + self.timeout_s
            return self._result(f"{self.url}/sync", end, what, self._fields(query))

        return self._insist(rows, what)

    def _fields(self, query: str) -> dict[str, str]:
        return {"REQUEST": "doQuery", "LANG": "ADQL", "MAXREC": str(self.maxrec), "QUERY": query}

    def _error(self, what: str, message: str, kind: type[ArchiveError] = ArchiveError) -> ArchiveError:
        return kind(f"{self.url}: {what}: {message}")

    def _insist(self, once: Callable[[], T], what: str) -> T:
        """What `once` gives at the first address that answers; later queries begin with that one."""
        refusals = []
        while True:
            try:
                return self._again(once, what)
            except NoAnswer as error:
                refusal = str(error)
            except GaveUp as error:
                refusal = (
                    f"{self.url}: {what}: {error}; run again later, or raise archive.attempts or archive.max_wait_s"
                )
            except (Passing, requests.RequestException) as error:
                message = f"{one_line(error)} ({self.patience.attempts} tries); run again later, or look into it"
                refusal = f"{self.url}: {what}: {message}"
            refusals.append(refusal)
            if not self.mirrors:
                raise NoAnswer("; ".join(refusals))
            self.url, *self.mirrors = self.mirrors
            say(f"{refusal}; asking {self.url} from now on")

    def _again(self, once: Callable[[], T], what: str) -> T:
        errors = (Passing, requests.RequestException)
        return again(once, self.patience, lambda line: say(f"{what}: {line}"), errors)

    def _job(self, query: str, upload: bytes | None, what: str) -> pd.DataFrame:
        """One asynchronous job (UWS of the IVOA) from its creation to its deletion."""
        end = time.monotonic() + self.timeout_s
        fields, files = self._fields(query), None
        if upload is not None:
            fields["UPLOAD"] = "targets,param:targets"
            files = {"targets": ("targets.vot", upload, "application/x-votable+xml")}
        created = self.session.post(f"{self.url}/async", data=fields, files=files, allow_redirects=False)
        if "Location" not in created.headers:
            raise _refused(created)
        job = urljoin(f"{self.url}/async", created.headers["Location"])
        try:
            started = self.session.post(f"{job}/phase", data={"PHASE": "RUN"}, allow_redirects=False)
            if started.status_code >= 400:
                raise _refused(started)
            self._wait(job, end, what)
            # A connection lost on the way of the result is no reason to run the job a second time.
            return self._again(lambda: self._result(f"{job}/results/result", end, what), f"{what}: result")
        finally:
            self._delete(job)

    def _wait(self, job: str, end: float, what: str) -> None:
        """Until the job is completed; raises for every other end of it."""
        started, looks = time.monotonic(), 0
        while (phase := self._phase(job)) not in _ENDS:
            looks += 1
            left = end - time.monotonic()
            if left <= 0:
                message = f"still {phase} after {self.timeout_s:g} s; raise archive.timeout_s or archive.chunks"
                raise self._error(what, message, NoAnswer)
            if looks % 10 == 0:
                say(f"{what}: {phase} for {time.monotonic() - started:.0f} s")
            time.sleep(min(self.patience.first_pause * 1.2**looks, 60.0, left))
        if phase != "COMPLETED":
            reason = _said(self.session.get(f"{job}/error")) if phase == "ERROR" else "no reason given"
            raise Passing(f"the job ended as {phase}: {reason}")

    def _phase(self, job: str) -> str:
        answer = self.session.get(f"{job}/phase")
        if answer.status_code == 404:
            raise Passing("the job vanished from the archive")
        if not re.fullmatch("[A-Z]+", phase := answer.text.strip()):
            raise Passing(f"the job's state cannot be read (HTTP {answer.status_code}: {one_line(phase[:60])})")
        return phase

    def _result(self, url: str, end: float, what: str, fields: dict[str, str] | None = None) -> pd.DataFrame:
        parts = []
        with self.session.request("POST" if fields else "GET", url, data=fields, stream=True) as response:
            if response.status_code >= 400:
                raise _refused(response)
            for part in response.iter_content(1 << 20):
                parts.append(part)
                # A connection that drips never trips the time-out of its socket.
                if time.monotonic() > end:
                    message = f"result not read after {self.timeout_s:g} s; raise archive.timeout_s or archive.chunks"
                    raise self._error(what, message, NoAnswer)
        try:
            return read_result(b"".join(parts))
        except Overflow as error:
            message = f"{error} (archive.maxrec: {self.maxrec}); raise archive.chunks or archive.maxrec"
            raise self._error(what, message) from error

    def _delete(self, url: str) -> None:
        try:
            self.session.delete(url, allow_redirects=False)
        except (requests.RequestException, GaveUp) as error:
            say(f"{url}: job not deleted ({one_line(error)}); the archive will remove it in some days")


def _refused(response: requests.Response) -> Passing:
    return Passing(f"HTTP {response.status_code}: {_said(response)}")


def _said(response: requests.Response) -> str:
    """What the archive says in the place of a job or a result."""
    try:
        read_result(response.content)
    except (Passing, Overflow) as error:
        return str(error)
    return "a table"


class Overflow(Exception):
    """The archive says that it cut the result."""


def upload_document(columns: dict[str, np.ndarray]) -> bytes:
    """VOTable with the columns: integers as 64 bit, floats as doubles (ra, dec in deg)."""
    from astropy.table import Table

    table = Table(columns)
    for name in {"ra", "dec"} & set(columns):
        table[name].unit = "deg"
    document = io.BytesIO()
    table.write(document, format="votable")
    return document.getvalue()


def read_result(content: bytes) -> pd.DataFrame:
    """Table of a TAP result document; names in lower case, integers as Int64, nulls where the archive has nulls.

    Raises Overflow for a result that the archive cut, Passing for an error document, one that ends early and anything
    else that is not a result.
    """
    from astropy.io.votable import parse
    from pyvo.dal import TAPResults

    try:
        if content[:2] == b"\x1f\x8b":  # ESA compresses some results
            content = gzip.decompress(content)
        if not _END.search(content[-200:]):
            start = one_line(content[:60].decode("utf-8", "replace"))
            raise Passing(f"the result is no complete VOTable ({len(content)} bytes, begins {start!r})")
        result = TAPResults(parse(io.BytesIO(content), verify="ignore"))
        table = result.to_table()
    except Passing:
        raise
    except Exception as error:  # the parsers raise dozens of types; pyvo raises what an error document says
        raise Passing(f"no result: {one_line(error)}") from error
    if str(result.query_status).upper() == "OVERFLOW":
        raise Overflow(f"the archive cut the result at {len(table)} rows")
    frame = {}
    for name in table.colnames:
        values, null = np.ma.getdata(table[name]), np.ma.getmaskarray(table[name])
        if values.dtype.kind in "iu":
            frame[name.lower()] = pd.array(values.astype(np.int64), dtype="Int64")
            frame[name.lower()][null] = pd.NA
        elif values.dtype.kind == "f":
            frame[name.lower()] = np.where(null, np.nan, values.astype(float))
        else:
            frame[name.lower()] = values.astype(str)
    return pd.DataFrame(frame)


def check_accounted(frame: pd.DataFrame, target_ids: np.ndarray) -> pd.DataFrame:
    """The rows as they are; raises Passing unless every target, and no other, has one.

    The outer joins give a target without counterpart a row of nulls: one that has no row was lost.
    """
    back = frame["target_id"].to_numpy(dtype=np.int64)
    lost, strange = np.setdiff1d(target_ids, back), np.setdiff1d(back, target_ids)
    if len(lost):
        raise Passing(f"{len(lost)} of {len(target_ids)} targets did not come back, the first target_id {lost[0]}")
    if len(strange):
        raise Passing(f"{len(strange)} target_ids came back that were not sent, the first {strange[0]}")
    return frame
