"""TAP client for the Gaia archives: asks patiently, believes nothing that is incomplete, cleans up behind itself.

pyvo speaks the protocol. What it lets pass is checked here: overflow, documents that end early, error documents with
HTTP 200, jobs that vanish, connections that fall silent, targets that do not come back.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin

import numpy as np
import pandas as pd
import requests

from gaia_offsets.columns import DISTANCES, GAIA, MATCH, TMASS
from gaia_offsets.matching import match_nearest, propagate, separation_arcsec, unit_vectors
from gaia_offsets.selection import cut_mask
from gaia_offsets.tables import TableError, check_table, column_names, read_table, write_table

# Limits at which archives are known to cut results, some without a word: ESA's, sync and async, by its own pages.
SILENT_LIMITS = (2000, 3_000_000)
# Columns that a cross-match adds to the targets.
PROVIDED = {**GAIA, **TMASS, **DISTANCES}
T = TypeVar("T")
_BUSY = (429, 502, 503, 504)
_ENDS = ("COMPLETED", "ERROR", "ABORTED", "ARCHIVED")
_END = re.compile(rb"</(\w+:)?VOTABLE>\s*\Z", re.IGNORECASE)


class ArchiveError(RuntimeError):
    """The archive did not give what was asked; the message is one line: what, where, what to do."""


class _Failed(Exception):
    """One try that failed in a way that may pass."""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


class _Session(requests.Session):
    """Requests that time out, wait as long as a busy server asks, and read or delete again after a lost connection."""

    def __init__(self, archive: Archive) -> None:
        super().__init__()
        self.headers["User-Agent"] = "gaia-offsets (pyvo; requests)"
        self.archive = archive

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        # Here and not in request(): pyvo sets timeouts of its own, and redirects pass here too.
        a = self.archive
        kwargs["timeout"] = a.stall_s
        for attempt in range(1, a.attempts + 1):
            wait = a.pause(attempt)
            try:
                response = super().send(request, **kwargs)
            except (requests.ConnectionError, requests.Timeout) as error:
                # A job may have been created although the answer was lost, so POST is not repeated here.
                if request.method == "POST" or attempt == a.attempts:
                    raise
                _say(f"{request.method} {request.url}: {_one_line(error)}; again in {wait:g} s")
            else:
                if response.status_code not in _BUSY:
                    return response
                response.close()
                busy, asked = (
                    f"the archive is busy (HTTP {response.status_code})",
                    response.headers.get("Retry-After", ""),
                )
                if asked.isdigit():
                    busy, wait = f"{busy} and asks to come back in {asked} s", max(wait, float(asked))
                if wait > a.max_wait_s:
                    raise ArchiveError(
                        f"{a.url}: {busy}, longer than archive.max_wait_s: {a.max_wait_s:g}; run again later"
                    )
                if attempt == a.attempts:
                    raise ArchiveError(f"{a.url}: {busy} ({attempt} tries); run again later or raise archive.attempts")
                _say(f"{busy}; again in {wait:g} s")
            time.sleep(wait)
        raise AssertionError("unreachable")


@dataclass
class Archive:
    """A TAP service and how patient to be with it (config section `archive`)."""

    url: str
    maxrec: int
    timeout_s: float  # a job, queue and download included
    stall_s: float  # silence on a connection
    poll_s: float  # first pause between two looks at a job and before a second try
    attempts: int
    max_wait_s: float  # longest Retry-After obeyed
    session: requests.Session = field(init=False)

    def __post_init__(self) -> None:
        self.url = self.url.rstrip("/")
        self.session = _Session(self)

    def pause(self, attempt: int) -> float:
        """Seconds to wait after the given try (1, 2, ...): doubled each time, a minute at most."""
        return min(self.poll_s * 2 ** (attempt - 1), max(60.0, self.poll_s))

    def ask(self, query: str, targets: dict[str, np.ndarray], *, count: str, what: str) -> pd.DataFrame:
        """Rows of a query on an upload, complete or not at all.

        `targets` (arrays of one length, among them `target_id`) becomes TAP_UPLOAD.targets; each target_id must come
        back. `count` is a query for the number of rows, asked where the result has exactly as many rows as a limit
        known to cut silently. `what` names the query in messages. Columns come back in lower case, integers as Int64.

        Raises ArchiveError after the last try, at once for an overflow.
        """
        upload = upload_document(targets)

        def rows() -> pd.DataFrame:
            return check_accounted(self._job(query, upload, what), targets["target_id"])

        frame = self._insist(rows, what)
        if len(frame) in (self.maxrec, *SILENT_LIMITS):
            _say(f"{what}: {len(frame)} rows is where archives cut results silently; asking for their number")
            counted = int(self._insist(lambda: self._job(count, upload, what), f"{what}, count")["n"].iloc[0])
            if counted != len(frame):
                raise ArchiveError(
                    f"{self.url}: {what}: {len(frame)} rows of {counted} came back, cut at a limit; "
                    "raise archive.chunks"
                )
        return frame

    def select(self, query: str, *, count: str, what: str, narrower: str) -> pd.DataFrame:
        """Rows of a query without an upload, complete or not at all.

        `count` is a query for their number `n`, asked first; `narrower` says in messages what makes the answer smaller.
        Raises ArchiveError as `ask` does, and where more rows are there than `maxrec`.
        """
        counted = self.count(count, what=what)
        if counted >= self.maxrec:
            raise ArchiveError(f"{self.url}: {what}: {counted} rows, archive.maxrec is {self.maxrec}; {narrower}")

        def rows() -> pd.DataFrame:
            frame = self._job(query, None, what)
            if len(frame) != counted:
                raise _Failed(f"{len(frame)} rows came back, COUNT(*) said {counted}")
            return frame

        return self._insist(rows, what)

    def count(self, query: str, *, what: str) -> int:
        """The number `n` that a COUNT(*) query gives; raises ArchiveError as `ask` does."""
        return int(self._insist(lambda: self._job(query, None, f"{what}, count"), f"{what}, count")["n"].iloc[0])

    def look_up(self, query: str, *, what: str) -> pd.DataFrame:
        """Rows of a small query that the archive answers at once; raises ArchiveError as `ask` does."""
        url, end = f"{self.url}/sync", time.monotonic() + self.timeout_s
        return self._insist(lambda: self._result(url, end, what, self._fields(query)), what)

    def _fields(self, query: str) -> dict[str, str]:
        return {"REQUEST": "doQuery", "LANG": "ADQL", "MAXREC": str(self.maxrec), "QUERY": query}

    def _insist(self, once: Callable[[], T], what: str) -> T:
        try:
            return self._again(once, what)
        except (_Failed, requests.RequestException) as error:
            raise ArchiveError(
                f"{self.url}: {what}: {_one_line(error)} ({self.attempts} tries); run again later, or look into it"
            ) from error

    def _again(self, once: Callable[[], T], what: str) -> T:
        """What `once` gives; a few tries if it fails in a way that may pass."""
        for attempt in range(1, self.attempts + 1):
            try:
                return once()
            except (_Failed, requests.RequestException) as error:
                if attempt == self.attempts:
                    raise
                pause = self.pause(attempt)
                _say(f"{what}: {_one_line(error)}; try {attempt} of {self.attempts}, the next in {pause:g} s")
                time.sleep(pause)
        raise AssertionError("unreachable")

    def _job(self, query: str, upload: bytes | None, what: str) -> pd.DataFrame:
        """One asynchronous job from its creation to its deletion."""
        from pyvo.dal import AsyncTAPJob
        from pyvo.dal.exceptions import DALAccessError

        end = time.monotonic() + self.timeout_s
        fields, files = self._fields(query), None
        if upload is not None:
            fields["UPLOAD"] = "targets,param:targets"
            files = {"targets": ("targets.vot", upload, "application/x-votable+xml")}
        url = None
        try:
            # Not pyvo's submit: it follows the redirect, and if that fails the address of the job is lost with it.
            created = self.session.post(f"{self.url}/async", data=fields, files=files, allow_redirects=False)
            if "Location" not in created.headers:
                raise _refused(created)
            url = urljoin(f"{self.url}/async", created.headers["Location"])
            job = AsyncTAPJob(url, session=self.session).run()
            self._wait(job, end, what)
            if job.result_uri is None:
                raise _Failed("the job is completed and has no result")
            # A connection lost on the way of the result is no reason to run the job a second time.
            return self._again(lambda: self._result(job.result_uri, end, what), f"{what}: result")
        except DALAccessError as error:
            gone = getattr(error, "code", None) == 404
            raise _Failed("the job vanished from the archive" if gone else _one_line(error)) from error
        finally:
            if url:
                self._delete(url)

    def _wait(self, job: Any, end: float, what: str) -> None:
        """Until the job is completed; raises for every other end of it."""
        started, looks = time.monotonic(), 0
        while (phase := self._again(lambda: _phase(job), f"{what}: state")) not in _ENDS:
            looks += 1
            left = end - time.monotonic()
            if left <= 0:
                raise ArchiveError(
                    f"{self.url}: {what}: still {phase} after {self.timeout_s:g} s; "
                    "raise archive.timeout_s or archive.chunks"
                )
            if looks % 10 == 0:
                _say(f"{what}: {phase} for {time.monotonic() - started:.0f} s")
            time.sleep(min(self.poll_s * 1.2**looks, 60.0, left))
        if phase != "COMPLETED":
            # pyvo keeps the job's state as read last; its public properties would ask the archive again.
            reason = getattr(getattr(job._job.errorsummary, "message", None), "content", "") or "no reason given"
            raise _Failed(f"the job ended as {phase}: {_one_line(reason)}")

    def _result(self, url: str, end: float, what: str, fields: dict[str, str] | None = None) -> pd.DataFrame:
        parts = []
        with self.session.request("POST" if fields else "GET", url, data=fields, stream=True) as response:
            if response.status_code >= 400:
                raise _refused(response)
            for part in response.iter_content(1 << 20):
                parts.append(part)
                # A connection that drips never trips the time-out of its socket.
                if time.monotonic() > end:
                    raise ArchiveError(
                        f"{self.url}: {what}: result not read after {self.timeout_s:g} s; "
                        "raise archive.timeout_s or archive.chunks"
                    )
        try:
            return read_result(b"".join(parts))
        except Overflow as error:
            raise ArchiveError(
                f"{self.url}: {what}: {error} (archive.maxrec: {self.maxrec}); raise archive.chunks or archive.maxrec"
            ) from error

    def _delete(self, url: str) -> None:
        try:
            self.session.delete(url, allow_redirects=False)
        except (requests.RequestException, ArchiveError) as error:
            _say(f"{url}: job not deleted ({_one_line(error)}); the archive will remove it in some days")

    def check_names(self, needed: dict[str, list[str]], schema_query: str, place: str = "releases") -> None:
        """Raise ArchiveError, in one line, for all tables and columns that the archive does not have.

        `place` is where in the config the names stand.
        """
        known = self.look_up(schema_query, what="names of tables and columns")
        present: dict[str, set[str]] = {}
        for table, column in zip(known["table_name"], known["column_name"], strict=True):
            present.setdefault(_plain(table), set()).add(_plain(column))
        lacking = [
            f"table {table}"
            if table.lower() not in present
            else f"{table}: " + ", ".join(c for c in columns if c.lower() not in present[table.lower()])
            for table, columns in needed.items()
            if any(c.lower() not in present.get(table.lower(), set()) for c in columns)
        ]
        if lacking:
            raise ArchiveError(
                f"{self.url}: the archive does not have {'; '.join(lacking)}; "
                f"correct the names in the config's `{place}`"
            )


def _phase(job: Any) -> str:
    from pyvo.dal.exceptions import DALAccessError

    try:
        return job.phase  # asks the archive
    except ArchiveError:
        raise
    except Exception as error:  # whatever the XML parser makes of half a document
        if isinstance(error, DALAccessError) and getattr(error, "code", None) == 404:
            raise
        raise _Failed(f"the job's state cannot be read ({_one_line(error)})") from error


def _refused(response: requests.Response) -> _Failed:
    """What the archive says in the place of a job or a result."""
    try:
        read_result(response.content)
    except _Failed as error:
        return _Failed(f"HTTP {response.status_code}: {error}")
    return _Failed(f"HTTP {response.status_code} with a table")


def _plain(name: str) -> str:
    return str(name).replace('"', "").strip().lower()


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

    Raises Overflow for a result that the archive cut, _Failed for an error document, one that ends early and anything
    else that is not a result.
    """
    from astropy.io.votable import parse
    from pyvo.dal import TAPResults

    try:
        if content[:2] == b"\x1f\x8b":  # ESA compresses some results
            content = gzip.decompress(content)
        if not _END.search(content[-200:]):
            start = _one_line(content[:60].decode("utf-8", "replace"))
            raise _Failed(f"the result is no complete VOTable ({len(content)} bytes, begins {start!r})")
        result = TAPResults(parse(io.BytesIO(content), verify="ignore"))
        table = result.to_table()
    except _Failed:
        raise
    except Exception as error:  # the parsers raise dozens of types; pyvo raises what an error document says
        raise _Failed(f"no result: {_one_line(error)}") from error
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
    """The rows as they are; raises _Failed unless every target, and no other, has one.

    The outer joins give a target without counterpart a row of nulls: one that has no row was lost.
    """
    back = frame["target_id"].to_numpy(dtype=np.int64)
    lost, strange = np.setdiff1d(target_ids, back), np.setdiff1d(back, target_ids)
    if len(lost):
        raise _Failed(f"{len(lost)} of {len(target_ids)} targets did not come back, the first target_id {lost[0]}")
    if len(strange):
        raise _Failed(f"{len(strange)} target_ids came back that were not sent, the first {strange[0]}")
    return frame


def key_columns(by: str) -> tuple[str, ...]:
    """Columns of the targets that a cross-match by position, source_id or dr2_source_id needs."""
    return {"source_id": ("source_id",), "dr2_source_id": ("gaia_dr2_source_id",)}.get(by, ("target_ra", "target_dec"))


def upload_columns(targets: pd.DataFrame, *, by: str) -> dict[str, np.ndarray]:
    """Columns to upload: target_id and ra, dec [deg] or source_id (of the release, or of Gaia DR2)."""
    names = ("ra", "dec") if by == "position" else ("source_id",)
    columns = {"target_id": targets["target_id"].to_numpy(dtype=np.int64)}
    for name, key in zip(names, key_columns(by), strict=True):
        columns[name] = targets[key].to_numpy(dtype=float if by == "position" else np.int64)
    return columns


def preselect(
    targets: pd.DataFrame, cuts: Sequence[dict[str, Any]], *, by: str, radius_arcsec: float
) -> tuple[np.ndarray, list[str]]:
    """Rows of the targets worth asking the archive for, and one line for each cut used.

    Used are the cuts on columns of the targets table that hold for every solution. A spectrum is left out only if
    neither it nor any spectrum that could be of the same star (within 2 `radius_arcsec`, or with the same identifier)
    passes all of them: later all spectra of a star are reduced to one, and that must be the same one. Spectra without
    a position or identifier are left out.

    Raises TableError where the key columns are missing or a column would be overwritten by the archive's.
    """
    keys = list(key_columns(by))
    missing = [name for name in keys if name not in targets.columns]
    if missing:
        raise TableError(
            f"targets: no column {missing[0]!r}, which crossmatch.by: {by} needs; name it in targets.columns"
        )
    clash = sorted(set(targets.columns) & ({*PROVIDED, *MATCH} - set(keys)))
    if clash:
        raise TableError(
            f"targets: columns {', '.join(clash)} would be overwritten by the archive's; name them otherwise"
        )
    own = [c for c in cuts if c["column"] in targets.columns and c["column"] not in PROVIDED and not c.get("solution")]
    known = targets[keys].notna().all(axis=1).to_numpy()
    passed, lines = known.copy(), [f"{len(targets)} targets, {int(known.sum())} with {' and '.join(keys)}"]
    for cut in own:
        passed &= cut_mask(targets, cut)
        lines.append(f"cut on {cut['column']}: {int(passed.sum())} pass so far")
    left = np.flatnonzero(known & ~passed)
    if by == "position":
        ra, dec = targets["target_ra"].to_numpy(), targets["target_dec"].to_numpy()
        near, _, _ = match_nearest(ra[left], dec[left], ra[passed], dec[passed], 2 * radius_arcsec)
        kin = near >= 0
    else:
        kin = targets[keys[0]].iloc[left].isin(targets.loc[passed, keys[0]]).to_numpy()
    passed[left[kin]] = True
    lines.append(
        f"{int(kin.sum())} more belong to stars that pass with another spectrum; {int(passed.sum())} to ask for"
    )
    return passed, lines


def chunk_rows(targets: pd.DataFrame, chunk: int, chunks: int, *, by: str) -> np.ndarray:
    """Places of the preselected rows with a key in chunk 0..chunks-1: equal slices of their order along the sky.

    The order is that of HEALPix (nested, nside 4096) or of the identifier, which begins with the HEALPix number, then
    target_id; so each chunk is a compact part of the sky and of the archive's index.
    """
    known = targets[list(key_columns(by))].notna().all(axis=1)
    rows = np.flatnonzero((targets["preselected"] & known).to_numpy(dtype=bool))
    if by == "position":
        import healpy as hp

        ra, dec = targets["target_ra"].to_numpy()[rows], targets["target_dec"].to_numpy()[rows]
        place = hp.ang2pix(4096, ra, dec, nest=True, lonlat=True)
    else:
        place = targets[key_columns(by)[0]].iloc[rows].to_numpy(dtype=np.int64)
    rows = rows[np.argsort(place, kind="stable")]
    return rows[len(rows) * chunk // chunks : len(rows) * (chunk + 1) // chunks]


def choose_counterparts(
    candidates: pd.DataFrame, targets: pd.DataFrame, *, by: str, radius_arcsec: float, years: float
) -> pd.DataFrame:
    """The nearest candidate of each target: one row a target, sorted by target_id, nulls where there is none.

    By position: candidates are carried `years` (from the release's epoch to the targets') by their proper motion, and
    must lie within `radius_arcsec` of the target then. By dr2_source_id: the smallest angular_distance [mas] of the
    archive's own DR2 match. Ties go to the lower source_id. Columns: target_id, GAIA, TMASS, DISTANCES,
    match_separation [arcsec], match_neighbours.
    """
    found = candidates[candidates["source_id"].notna()].reset_index(drop=True)
    if by == "position":
        motions = [found[name].to_numpy(dtype=float) for name in ("ra", "dec", "pmra", "pmdec")]
        place = (
            targets.set_index("target_id").loc[found["target_id"], ["target_ra", "target_dec"]].to_numpy(dtype=float)
        )
        then = unit_vectors(*propagate(*motions, years))
        found["match_separation"] = separation_arcsec(unit_vectors(place[:, 0], place[:, 1]), then)
        found = found[found["match_separation"] <= radius_arcsec]
    elif by == "dr2_source_id":
        found["match_separation"] = found["angular_distance"].to_numpy(dtype=float) / 1000.0
    else:
        found["match_separation"] = np.nan
    # A source with two 2MASS entries comes twice; the one with the smaller error stays.
    ties = ["target_id", "match_separation", "source_id", *[name for name in ("ks_msigcom", "ks_m") if name in found]]
    found = found.sort_values(ties, kind="stable").drop_duplicates(["target_id", "source_id"])
    neighbours = found.groupby("target_id").size()
    nearest = found.drop_duplicates("target_id").set_index("target_id")
    every = np.sort(targets["target_id"].to_numpy(dtype=np.int64))
    chosen = nearest.reindex(index=every, columns=[*PROVIDED, "match_separation"])
    chosen["match_neighbours"] = neighbours.reindex(every, fill_value=0)
    checked = check_table(chosen, [*PROVIDED, "match_separation", "match_neighbours"], "answer of the archive")
    return checked.rename_axis("target_id").reset_index()


def merge_chunks(targets: pd.DataFrame, chunks: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """All targets with the counterparts of all chunks, sorted by target_id; nulls where the archive was not asked.

    Raises TableError where a preselected target is missing in the chunks, stands in two, or does not belong.
    """
    answers = pd.concat(chunks, ignore_index=True)
    asked = targets["preselected"]
    if "source_id" in targets.columns:  # those for which X-Match found none are not asked for
        asked = asked & targets["source_id"].notna()
    wanted = targets.loc[asked, "target_id"].to_numpy(dtype=np.int64)
    twice = int(answers["target_id"].duplicated().sum())
    lost = np.setdiff1d(wanted, answers["target_id"])
    strange = np.setdiff1d(answers["target_id"], wanted)
    if twice or len(lost) or len(strange):
        raise TableError(
            f"chunks of the archive: {len(lost)} of {len(wanted)} targets missing, {twice} twice, "
            f"{len(strange)} not asked for; delete the folder `archive` of this sample and run again"
        )
    # By source_id the targets' own identifier gives way to the archive's: null where the archive does not know it.
    kept = targets.drop(columns=[name for name in targets.columns if name in PROVIDED])
    # Separations and neighbours that X-Match found stay.
    answers = answers.drop(columns=[name for name in answers.columns if name in kept.columns and name in MATCH])
    merged = kept.merge(answers, on="target_id", how="left").sort_values("target_id", kind="stable", ignore_index=True)
    merged["match_neighbours"] = merged["match_neighbours"].fillna(0)
    return merged


def read_whole(path: str | Path) -> pd.DataFrame:
    """A table of this room with all its columns, also those without a standard name."""
    return read_table(path, {name: name for name in column_names(path)})


def write_whole(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a table under its name only when it is complete: what is there is never fetched again."""
    path = Path(path)
    part = path.with_name(f".{path.name}")
    write_table(frame, part)
    os.replace(part, path)


def progress_line(folder: str | Path, chunks: int, seconds: float) -> str:
    """How many chunks of the sample are there, and how long the others take if each takes `seconds`."""
    done = len(list(Path(folder).glob("chunk_*.parquet")))
    return f"{done} of {chunks} chunks are there; the rest takes {(chunks - done) * seconds:.0f} s one after another"
