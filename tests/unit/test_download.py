"""Downloads from a server that misbehaves on purpose."""

import errno
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table
from retrieve import retrieve
from unit.misbehaving_http import Answer, MisbehavingServer
from unit.shared import refuses

from gaia_offsets.archive import download
from gaia_offsets.archive import http as web
from gaia_offsets.archive.download import CHUNK, Transfer
from gaia_offsets.archive.rawfile import DownloadError, check_file, count_rows

SIZE = 1_000_003  # not a multiple of any block
HALF = SIZE // 2
BODY = b"source_id,parallax\n" + np.random.default_rng(7).integers(48, 58, SIZE - 19, dtype=np.uint8).tobytes()
OLD = b"source_id,parallax\n" + b"9" * (SIZE - 19)
SHA256 = hashlib.sha256(BODY).hexdigest()
LOGIN = b"<!DOCTYPE html><html><title>Please log in</title></html>"
GOOD = Answer(BODY)


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer() as running:
        yield running


class Run:
    """A place for the file; fetch() with waits and reports caught."""

    def __init__(self, folder: Path, waits: list[float]) -> None:
        self.file, self.waits, self.lines = folder / "raw/stars.csv", waits, []
        self.part = self.file.with_name("stars.csv.part")

    def __call__(self, *addresses: str, attempts: int = 5, timeout: float = 5.0, **options: Any) -> Any:
        patience = web.Patience(attempts=attempts, timeout=timeout)
        return Transfer(self.file, patience=patience, report=self.lines.append, **options).fetch(*addresses)

    def fails(self, *addresses: str, **options: Any) -> str:
        with pytest.raises(DownloadError) as caught:
            self(*addresses, **options)
        assert "\n" not in str(caught.value) and not self.file.exists()
        return str(caught.value)

    def leave(self, body: bytes, url: str | None) -> None:
        """What a killed run leaves behind; its record is damaged where the address is None."""
        self.file.parent.mkdir()
        self.part.write_bytes(body)
        record = json.dumps({"url": url, "validator": '"one"'})
        self.file.with_name("stars.csv.part.json").write_text(record if url else '{"url": "ht')

    def whole(self) -> bool:
        return self.file.read_bytes() == BODY and [path.name for path in self.file.parent.iterdir()] == [self.file.name]

    @property
    def said(self) -> str:
        return "\n".join(self.lines)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    waits: list[float] = []
    monkeypatch.setattr(web, "sleep", waits.append)
    return Run(tmp_path, waits)


KNOWN = {"sha256": SHA256.upper(), "size": SIZE}
NO_ETAG, WEAK, NEW = {"etag": None}, {"etag": 'W/"weak"'}, {"etag": '"two"'}
JANUARY = "Fri, 21 Jan 2022 10:00:00 GMT"
DATED, DEAF = {"etag": None, "headers": {"Last-Modified": JANUARY}}, Answer(BODY, ignore_if_range=True, **NEW)
SHIFTED = Answer(BODY[10:], status=206, headers={"Content-Range": f"bytes 10-{SIZE - 1}/{SIZE}"})


def drop(body: bytes = BODY, **more: Any) -> Answer:
    """The connection ends in the middle."""
    return Answer(body, drop_after=HALF, **more)


# Answers; status of each, and If-Range of the last request (False: no Range either); options of fetch; what is said.
CASES = {
    "all is well": ([GOOD], [200], False, KNOWN, SHA256),
    "no digest known": ([GOOD], [200], False, {}, f"no sha256 given; got {SHA256}"),
    "connection drops": ([drop(), GOOD], [200, 206], '"one"', {}, "try 1 of 5"),
    "silence": ([Answer(BODY, stall_after=HALF), GOOD], [200, 206], '"one"', {"timeout": 1.0}, "timed out"),
    "busy": ([Answer(status=503), drop(), Answer(status=429), GOOD], [503, 200, 429, 206], '"one"', {}, "HTTP 429"),
    "more drops than tries": ([drop(), drop(BODY), GOOD], [200, 206, 206], '"one"', {"attempts": 2}, "try 1 of 2"),
    "no length": ([drop(length=False), Answer(BODY, length=False)], [200, 206], '"one"', {"size": SIZE}, "more expect"),
    # Two versions must not be spliced: a strong ETag, a date or a digest tells them apart, else all comes anew.
    "no validator": ([drop(**NO_ETAG), Answer(BODY, **NO_ETAG)], [200, 200], False, {}, ""),
    "weak ETag": ([drop(**WEAK), Answer(BODY, **WEAK)], [200, 200], False, {}, ""),
    "digest only": ([drop(**NO_ETAG), Answer(BODY, **NO_ETAG)], [200, 206], None, KNOWN, ""),
    "date": ([drop(**DATED), Answer(BODY, ignore_if_range=True, **DATED)], [200, 206], JANUARY, {}, ""),
    "changed": ([drop(OLD), Answer(BODY, **NEW)], [200, 200], '"one"', {}, "changed"),
    "deaf": ([drop(OLD), DEAF, DEAF], [200, 206, 200], False, {}, "starting again"),
    "another range": ([drop(), SHIFTED, GOOD], [200, 206, 200], False, {}, "starting again"),
    "no ranges": ([drop(), Answer(BODY, ranges=False)], [200, 200], '"one"', KNOWN, "dropped"),
}


@pytest.mark.parametrize(("answers", "statuses", "if_range", "options", "said"), CASES.values(), ids=CASES)
def test_the_file_comes_whole(server, run, answers, statuses, if_range, options, said) -> None:
    server.plan["/stars.csv"] = list(answers)
    assert run(server.url(), **options) == (server.url(), SIZE, SHA256) and run.whole() and said in run.said
    assert [seen.status for seen in server.served] == statuses
    last = server.served[-1]
    assert last.headers["Accept-Encoding"] == "identity" and last.headers.get("If-Range") == (if_range or None)
    if if_range is False:
        assert last.range is None
    else:  # at most one block of each connection comes twice
        assert int(last.range[6:-1]) >= HALF - CHUNK


@pytest.mark.parametrize(
    ("left", "url", "statuses", "options"),
    [
        (BODY[:HALF], "/stars.csv", [206], {}),
        (BODY, "/stars.csv", [416], KNOWN),  # killed before the renaming
        (BODY + b"1", "/stars.csv", [416, 200], {}),
        (b"x" * 1000, "/other.csv", [200], {}),
        (b"x" * 1000, None, [200], {}),
    ],
)
def test_the_rest_of_a_killed_run(server, run, left, url, statuses, options) -> None:
    server.plan["/stars.csv"] = [GOOD]
    run.leave(left, url and server.url(url))
    run(server.url(), **options)
    assert run.whole() and [seen.status for seen in server.served] == statuses


def test_a_killed_process_leaves_what_came(server: MisbehavingServer, run: Run) -> None:
    """A real SIGKILL in the middle of the body, then a second run."""
    server.plan["/stars.csv"] = [Answer(BODY, stall_after=HALF), GOOD]
    code = f"from gaia_offsets.archive.download import *; Transfer(Path({str(run.file)!r})).fetch({server.url()!r})"
    environment = {**os.environ, "PYTHONPATH": str(Path(download.__file__).parents[1])}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment)
    wanted, deadline = HALF - CHUNK, time.monotonic() + 60
    while time.monotonic() < deadline and not (run.part.exists() and run.part.stat().st_size >= wanted):
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert not run.file.exists()
    run(server.url(), sha256=SHA256)
    assert run.whole() and server.served[-1].status == 206 and server.served[-1].sent <= SIZE - wanted


@pytest.mark.parametrize(
    ("answer", "options", "facts"),
    [
        (Answer(status=404), {}, ["404"]),
        (Answer(status=500), {"attempts": 2}, ["500", "2 tries"]),
        (Answer(status=503, headers={"Retry-After": "86400"}), {}, ["86400 s", "longer than"]),
        (Answer(BODY, drop_after=HALF, ranges=False), {"attempts": 3}, [str(HALF)]),
        (Answer(status=302, headers={"Location": "ftp://127.0.0.1/stars.csv"}), {}, ["ftp"]),
        (GOOD, {"size": SIZE + 5}, [f"expected {SIZE + 5} bytes, the server has {SIZE}"]),
        (Answer(BODY, length=False), {"size": SIZE - 5}, [f"stopped: more than the {SIZE - 5} bytes"]),
        (GOOD, {"sha256": "0" * 64}, ["0" * 64, SHA256, str(SIZE), "removed", "config"]),
        (Answer(LOGIN), {"size": SIZE}, ["not a table", "stars.csv", "Please log in"]),
        (Answer(gzip.compress(BODY), headers={"Content-Encoding": "gzip"}), {}, ["packed (gzip)"]),
    ],
)
def test_what_is_refused_comes_from_the_mirror(server, run, answer, options, facts) -> None:
    server.plan["/stars.csv"], server.plan["/mirror.csv"] = [answer], [GOOD]
    message = run.fails(server.url(), **options)
    assert all(fact in message for fact in [*facts, "stars.csv", server.url()])
    tries = options.get("attempts", 1)
    assert len(server.served) == tries and len(run.waits) == tries - 1
    if answer.drop_after is None:
        assert list(run.file.parent.iterdir()) == []
    right = {"attempts": tries, "sha256": SHA256, "size": SIZE}
    if not {"sha256", "size"} & set(options) or answer.body == LOGIN:
        assert run(server.url(), server.url("/mirror.csv"), **right)[0] == server.url("/mirror.csv")
    else:
        run(server.url(), **right)  # what was refused left nothing behind
        assert server.served[-1].range is None
    assert run.whole()


def test_all_addresses_fail(server: MisbehavingServer, run: Run) -> None:
    server.plan["/mirror.csv"] = [Answer(BODY[:-1] + b"x")]
    message = run.fails(server.url(), server.url("/mirror.csv"), sha256=SHA256)
    assert all(f in message for f in (f"{server.url()}: the server says 404", f"{server.url('/mirror.csv')}: wrong"))
    with MisbehavingServer() as gone:
        url = gone.url()
    assert "refused (2 tries)" in run.fails(url, attempts=2)


def test_a_part_is_continued_where_it_came_from(server: MisbehavingServer, run: Run) -> None:
    server.plan["/stars.csv"] = server.plan["/mirror.csv"] = [GOOD]
    run.leave(BODY[:1000], server.url("/mirror.csv"))
    assert run(server.url(), server.url("/mirror.csv"))[0] == server.url("/mirror.csv")
    assert run.whole() and server.served[0].status == 206


def test_a_login_page_does_not_cost_the_part(server: MisbehavingServer, run: Run) -> None:
    server.plan["/stars.csv"] = [Answer(LOGIN, etag=None), GOOD]
    run.leave(BODY[:HALF], server.url())
    assert "Please log in" in run.fails(server.url())
    run(server.url())
    assert run.whole() and server.served[1].status == 206


def test_redirection_and_a_gz_file_labelled_as_encoded(server: MisbehavingServer, run: Run) -> None:
    packed = gzip.compress(BODY, mtime=0)
    server.plan["/old"] = [Answer(status=302, headers={"Location": "/stars.csv.gz"})]
    server.plan["/stars.csv.gz"] = [Answer(packed, headers={"Content-Encoding": "gzip"})]
    run.file = run.file.with_name("stars.csv.gz")
    run(server.url("/old"), sha256=hashlib.sha256(packed).hexdigest())
    assert run.file.read_bytes() == packed


def test_a_full_disk(server: MisbehavingServer, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    server.plan["/stars.csv"] = [GOOD]

    class Small(io.FileIO):
        """A file on a disk with room for about 300 kB."""

        def write(self, chunk: bytes) -> int:
            if self.tell() + len(chunk) > 300_000:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(chunk)

    with monkeypatch.context() as patch:
        patch.setattr(download, "open", Small, raising=False)
        message = run.fails(server.url(), server.url("/mirror.csv"), sha256=SHA256)
    kept = run.part.stat().st_size
    assert 0 < kept <= 300_000 and f"{kept} bytes of stars.csv" in message and str(run.file.parent) in message
    assert "disk is full" in message and len(server.served) == 1
    with monkeypatch.context() as patch:
        patch.setattr(download.shutil, "disk_usage", lambda _: SimpleNamespace(free=1234))
        message = run.fails(server.url(), sha256=SHA256)
    assert f"{SIZE - kept} more bytes needed; 1234 bytes are free" in message and run.part.stat().st_size == kept
    run(server.url(), sha256=SHA256)
    assert run.whole() and server.served[-1].sent == SIZE - kept


def test_a_file_address(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bool] = []
    monkeypatch.setattr(download.os, "fsync", lambda _: synced.append(run.file.exists()))
    source = tmp_path / "my stars.csv"
    source.write_bytes(BODY)
    assert SHA256 in run.fails(source.as_uri(), sha256="0" * 64)
    assert "no such file" in run.fails((tmp_path / "none.csv").as_uri()) and run(source.as_uri(), **KNOWN)[1] == SIZE
    assert run.whole() and source.read_bytes() == BODY
    assert synced == [False]  # on the disk before it has its name


@pytest.mark.parametrize("address", ["ftp://host/stars.csv", "s3://bucket/stars.csv", "/data/stars.csv", "stars.csv"])
def test_an_unknown_scheme(run: Run, address: str) -> None:
    assert f"{address}: unknown scheme" in run.fails("http://127.0.0.1:9/stars.csv", address)
    assert not run.file.parent.exists()


def test_progress_is_told(server: MisbehavingServer, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    server.plan["/stars.csv"] = [GOOD]
    monkeypatch.setattr(download, "PROGRESS_EVERY", 0.0)
    run.leave(BODY[:HALF], server.url())
    run(server.url())
    assert "stars.csv: 0.6 of 1.0 MB" in run.said and "MB/s" in run.said


# ---------------------------------------------------------------- what a file is

KINDS = {
    "a.fits": b"SIMPLE  =                    T" + b" " * 50,
    "a.parquet": b"PAR1....PAR1",
    "a.csv": b"\xef\xbb\xbfobsid|ra|dec\n1|2|3\n",
    "a.csv.gz": gzip.compress(b"ra,dec\n1,2\n"),
    "a.fits.gz": gzip.compress(b"SIMPLE  =                    T"),
    "a.vot": b'<?xml version="1.0"?>\n<VOTABLE version="1.4"></VOTABLE>',
    "a.ecsv": b"# %ECSV 1.0\n# ---\nra\n1\n",
    "a.dat": b"  1 2.0 3.0\n",
}
IMPOSTORS = [LOGIN, b"\n\n  " + LOGIN, gzip.compress(LOGIN), b"", b'{"error": "quota exceeded"}']
IMPOSTORS.append(b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>')


@pytest.mark.parametrize("name", KINDS)
def test_kinds_and_impostors(tmp_path: Path, name: str) -> None:
    file = tmp_path / "x"
    file.write_bytes(KINDS[name])
    assert check_file(file, name)[0] == len(KINDS[name])
    for impostor in IMPOSTORS:
        file.write_bytes(impostor)
        refuses(rf"(?s)not .* name {name} promises", check_file, file, name, error=DownloadError)


def test_damaged_files_and_their_rows(tmp_path: Path) -> None:
    for name, content, fault in (
        ("a.parquet", b"PAR1" + b"." * 1000, "cut short.*1004 bytes"),
        ("a.csv.gz", b"\x1f\x8b" + b"\xff" * 50, "damaged"),
        ("a.csv", b"ra,dec\n\0\0", "not a table"),
    ):
        (tmp_path / "x").write_bytes(content)
        refuses(fault, check_file, tmp_path / "x", name, error=DownloadError)
    frame = pd.DataFrame({"ra": np.arange(37.0)})
    frame.to_parquet(tmp_path / "a.parquet")
    Table.from_pandas(frame).write(tmp_path / "a.fits")
    (tmp_path / "a.fits.gz").write_bytes(gzip.compress((tmp_path / "a.fits").read_bytes()))
    frame.to_csv(tmp_path / "a.csv")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    names = ["a.parquet", "a.fits", "a.fits.gz", "a.csv", "bad.parquet"]
    assert [count_rows(tmp_path / name) for name in names] == [37, 37, 37, None, None]


# ---------------------------------------------------------------- a dataset of the config


class Dataset:
    """retrieve() of one dataset into a folder."""

    def __init__(self, server: MisbehavingServer, run: Run) -> None:
        self.file, self.lines = run.file, run.lines
        self.manifest = self.file.with_name("stars.csv.manifest.json")
        self.file.parent.mkdir()  # as Snakemake does
        self.entry = {"file": "stars.csv", "url": server.url()}
        server.plan["/stars.csv"] = [GOOD]

    def __call__(self, entry: dict[str, Any], **options: Any) -> tuple[dict[str, Any], str]:
        """The manifest, and what was said."""
        self.lines.clear()
        record = retrieve("stars", entry, self.manifest, Transfer(self.file, report=self.lines.append), **options)
        return record, "\n".join(self.lines)

    def fails(self, entry: dict[str, Any], **options: Any) -> str:
        with pytest.raises(DownloadError, match=r"^datasets\.stars: .*\Z") as caught:
            self(entry, **options)
        return str(caught.value)


@pytest.fixture
def dataset(server: MisbehavingServer, run: Run) -> Dataset:
    return Dataset(server, run)


def test_the_manifest(dataset: Dataset) -> None:
    entry = dataset.entry | {"licence": "CC-BY-4.0", "doi": None, "sha256": None}
    record, said = dataset(entry)
    text = dataset.manifest.read_text()
    assert json.loads(text) == record and list(json.loads(text)) == sorted(record) and "no sha256 given" in said
    assert abs(datetime.now(UTC) - datetime.fromisoformat(record.pop("retrieved"))) < timedelta(minutes=5)
    facts = {"dataset": "stars", "file": "stars.csv", "bytes": SIZE, "sha256": SHA256, "rows": None}
    assert record == facts | {"url": entry["url"], "licence": "CC-BY-4.0", "doi": None, "citation": None}


def test_a_right_file_is_kept_and_a_damaged_one_is_not(server: MisbehavingServer, dataset: Dataset) -> None:
    dataset(dataset.entry)
    dataset.manifest.write_text(dataset.manifest.read_text().replace('"retrieved": "2', '"retrieved": "1'))
    before = dataset.file.stat().st_mtime_ns, dataset.manifest.read_bytes()
    _, said = dataset(dataset.entry)
    assert (dataset.file.stat().st_mtime_ns, dataset.manifest.read_bytes()) == before and "kept" in said
    record, _ = dataset(dataset.entry | {"sha256": SHA256, "doi": "10.1/x"})  # the digest now stands in the config
    assert record["doi"] == "10.1/x" and dataset.file.stat().st_mtime_ns == before[0] and len(server.served) == 1
    dataset.file.write_bytes(BODY[:-1] + b"x")
    _, said = dataset(dataset.entry)
    assert dataset.file.read_bytes() == BODY and "wrong sha256" in said and "anew" in said and "changed" not in said


def test_a_changed_file_behind_the_address_is_told(server: MisbehavingServer, dataset: Dataset) -> None:
    server.plan["/stars.csv"], server.plan["/dr2.csv"] = [GOOD, Answer(OLD, etag='"two"')], [GOOD]
    dataset(dataset.entry)
    dataset.file.unlink()
    record, said = dataset(dataset.entry)
    assert record["sha256"] == hashlib.sha256(OLD).hexdigest()
    assert all(fact in said for fact in ("changed", SHA256, record["sha256"], server.url()))
    # Another address is not a changed file: kept while it still is one of the addresses, else fetched.
    other = server.url("/dr2.csv")
    assert "kept" in dataset(dataset.entry | {"url": other, "mirrors": [server.url()]})[1]
    record, said = dataset(dataset.entry | {"url": other})
    assert dataset.file.read_bytes() == BODY and record["url"] == other and "changed" not in said


@pytest.mark.parametrize("key", ["path", "shipped"])
def test_a_local_copy(tmp_path: Path, dataset: Dataset, key: str) -> None:
    source = tmp_path / "mine.csv"
    source.write_bytes(BODY)
    entry = {"file": "stars.csv", key: "mine.csv", "url": "http://127.0.0.1:9/never", "bytes": SIZE}
    record, _ = dataset(entry, local=source)
    assert dataset.file.read_bytes() == BODY
    assert record[key] == "mine.csv" and "url" not in record and record["sha256"] == SHA256
    assert SHA256 in dataset.fails(entry | {"sha256": "0" * 64}, local=source)


def test_a_file_placed_by_hand(server: MisbehavingServer, dataset: Dataset) -> None:
    entry = {"file": "stars.csv", "description": "All stars", "page": "http://example.org/stars", "url": None}
    message = dataset.fails(entry)
    facts = ("All stars", "http://example.org/stars", "datasets.stars.path", str(dataset.file), "config")
    assert all(fact in message for fact in facts) and "no page" in dataset.fails({"file": "stars.csv"})
    dataset.file.write_bytes(BODY)
    record, _ = dataset(entry)
    assert record["path"] == str(dataset.file) and record["sha256"] == SHA256
    assert SHA256 in dataset.fails(entry | {"sha256": "0" * 64})
    assert dataset.file.read_bytes() == BODY  # not ours to remove
    dataset.file.unlink()
    assert "404" in dataset.fails({"file": "stars.csv", "url": server.url("/none.csv")})


# ---------------------------------------------------------------- how much, how slowly, and who asks

MORE = Answer(BODY * 5, length=False)
ADVICE = "give its size (bytes) in the config, or raise downloads.largest_gb"
TOO_MUCH = {
    "known size, no length": (MORE, {"size": SIZE}, f"stopped: more than the {SIZE} bytes that it should have"),
    "unknown size, no length": (MORE, {"largest": 2e6}, f"stopped: more than 2000000 bytes; {ADVICE}"),
    "unknown size, a length": (GOOD, {"largest": 1e6}, f"server has {SIZE} bytes, more than 1000000 bytes; {ADVICE}"),
}


@pytest.mark.parametrize(("answer", "options", "said"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_no_more_comes_than_may(server: MisbehavingServer, run: Run, answer: Answer, options: Any, said: str) -> None:
    server.plan["/stars.csv"] = [answer]
    assert said in run.fails(server.url(), **options)
    assert len(server.served) == 1 and list(run.file.parent.iterdir()) == []  # asked once, and nothing kept
    server.plan["/stars.csv"] = [GOOD]
    assert run(server.url(), **{**options, "largest": 2e6}) == (server.url(), SIZE, SHA256)


def test_a_server_that_trickles_is_given_up_for_the_next(server: MisbehavingServer, run: Run, monkeypatch: Any) -> None:
    monkeypatch.setattr(download, "WINDOW", 0.3)
    server.plan |= {"/slow.csv": [Answer(BODY, trickle=10)], "/stars.csv": [GOOD]}  # 500 bytes/s
    rate, began = {"slowest": 5000.0}, time.monotonic()
    words = "below 5 kB/s (downloads.slowest_kb_s of the config); what came is kept"
    assert words in run.fails(server.url("/slow.csv"), **rate) and run.part.stat().st_size >= HALF
    assert run(server.url("/slow.csv"), server.url(), **rate) == (server.url(), SIZE, SHA256)
    assert time.monotonic() - began < 30 and run.whole()  # 500 kB would take 1,000 s
    run.file.unlink()
    server.plan["/steady.csv"] = [Answer(BODY, trickle=20_000)]  # 1 MB/s
    assert run(server.url("/steady.csv"), **rate) == (server.url("/steady.csv"), SIZE, SHA256)


def test_a_login_comes_from_netrc(server: MisbehavingServer, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = run.file.parents[1] / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password se@cret")
    monkeypatch.setenv("NETRC", str(netrc))
    server.plan["/stars.csv"] = [GOOD]
    assert run(server.url())[0] == server.url() and run.whole()
    assert server.served[0].headers["Authorization"] == "Basic YW5uOnNlQGNyZXQ=" and "ann" not in run.said
