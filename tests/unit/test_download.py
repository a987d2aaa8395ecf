"""Downloads from a server that misbehaves on purpose."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import numpy as np
import pytest
from unit.misbehaving_http import Answer, MisbehavingServer

from gaia_offsets import download
from gaia_offsets.download import DownloadError, check_file, count_rows, fetch, retrieve

SIZE = 1_000_003  # not a multiple of any block
BODY = b"source_id,parallax\n" + np.random.default_rng(7).integers(48, 58, SIZE - 19, dtype=np.uint8).tobytes()
SHA256 = hashlib.sha256(BODY).hexdigest()
LOGIN = b"<!DOCTYPE html><html><title>Please log in</title></html>"


@pytest.fixture
def server():
    with MisbehavingServer() as running:
        yield running


@pytest.fixture
def target(tmp_path):
    return tmp_path / "raw" / "stars.csv"


def part_of(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def leave_part(target: Path, body: bytes, url: str, validator: str | None = '"one"', total: int | None = SIZE) -> None:
    """What a killed run leaves behind."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part_of(target).write_bytes(body)
    record = {"url": url, "validator": validator, "total": total}
    target.with_name(target.name + ".part.json").write_text(json.dumps(record))


class Run:
    """fetch() with the sleeps and reports caught."""

    def __init__(self) -> None:
        self.sleeps: list[float] = []
        self.lines: list[str] = []

    def __call__(self, *args, **kwargs):
        return fetch(*args, sleep=self.sleeps.append, report=self.lines.append, **{"timeout": 5.0, **kwargs})

    @property
    def said(self) -> str:
        return "\n".join(self.lines)


@pytest.fixture
def run():
    return Run()


def assert_only(target: Path) -> None:
    assert target.read_bytes() == BODY
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_plain_download(server, target, run):
    server.plan["/stars.csv"] = [Answer(BODY)]
    found = run(server.url("/stars.csv"), target, sha256=SHA256.upper(), size=SIZE)
    assert (found.url, found.bytes, found.sha256) == (server.url("/stars.csv"), SIZE, SHA256)
    assert_only(target)
    assert run.sleeps == [] and "no sha256" not in run.said and SHA256 in run.said


def test_without_sha256_the_digest_is_told(server, target, run):
    server.plan["/stars.csv"] = [Answer(BODY)]
    assert run(server.url("/stars.csv"), target).sha256 == SHA256
    assert any("no sha256 given" in line and SHA256 in line and "config" in line for line in run.lines)


def test_dropped_connection_is_resumed(server, target, run):
    server.plan["/stars.csv"] = [Answer(BODY, drop_after=SIZE // 2), Answer(BODY)]
    run(server.url("/stars.csv"), target, sha256=SHA256)
    assert_only(target)
    _, second = server.served
    start = int(second.range.removeprefix("bytes=").rstrip("-"))
    assert SIZE // 2 - download.CHUNK <= start <= SIZE // 2  # at most one block is fetched twice
    assert (second.status, second.if_range, second.sent) == (206, '"one"', SIZE - start)
    assert len(run.sleeps) == 1 and 0 < run.sleeps[0] <= 2


def test_more_drops_than_attempts_are_fine_while_there_is_progress(server, target, run):
    step = 2 * download.CHUNK
    server.plan["/stars.csv"] = [Answer(BODY, drop_after=step)]
    run(server.url("/stars.csv"), target, sha256=SHA256, attempts=2)
    assert_only(target)
    assert len(run.sleeps) > 2


def test_drops_without_progress_end(server, target, run):
    server.plan["/stars.csv"] = [Answer(BODY, drop_after=SIZE // 2, ranges=False)]
    with pytest.raises(DownloadError, match=r"gave up after 3 attempts in a row.*500001") as caught:
        run(server.url("/stars.csv"), target, attempts=3)
    assert "\n" not in str(caught.value) and server.url("/stars.csv") in str(caught.value)
    assert len(server.served) == 3
    assert not target.exists() and part_of(target).stat().st_size >= SIZE // 2 - download.CHUNK
    assert 1 <= run.sleeps[0] <= 2 <= run.sleeps[1] <= 4 and len(run.sleeps) == 2


def test_rest_of_a_killed_run(server, target, run):
    server.plan["/stars.csv"] = [Answer(BODY)]
    leave_part(target, BODY[: SIZE // 2], server.url("/stars.csv"))
    run(server.url("/stars.csv"), target, sha256=SHA256)
    assert_only(target)
    assert [(seen.status, seen.sent) for seen in server.served] == [(206, SIZE - SIZE // 2)]


def test_killed_process_leaves_what_came(server, target, run):
    """A real SIGKILL in the middle of the body, then a second run."""
    server.plan["/stars.csv"] = [Answer(BODY, stall_after=SIZE // 2), Answer(BODY)]
    code = f"from gaia_offsets.download import fetch; fetch({server.url('/stars.csv')!r}, {str(target)!r})"
    environment = {**os.environ, "PYTHONPATH": str(Path(download.__file__).parents[1])}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment)
    wanted, deadline = SIZE // 2 - download.CHUNK, time.monotonic() + 20
    while time.monotonic() < deadline and not (part_of(target).exists() and part_of(target).stat().st_size >= wanted):
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert not target.exists()
    run(server.url("/stars.csv"), target, sha256=SHA256)
    assert_only(target)
    assert server.served[-1].status == 206 and server.served[-1].sent <= SIZE - wanted


def test_killed_between_last_byte_and_renaming(server, target, run):
    leave_part(target, BODY, server.url("/stars.csv"))
    run(server.url("/stars.csv"), target, sha256=SHA256)
    assert_only(target)
    assert server.served == []


def test_complete_part_of_unknown_length(server, target, run):
    server.plan["/stars.csv"] = [Answer(BODY)]
    leave_part(target, BODY, server.url("/stars.csv"), total=None)
    run(server.url("/stars.csv"), target, sha256=SHA256)
    assert_only(target)
    assert [seen.status for seen in server.served] == [416]


def test_part_longer_than_the_file(server, target, run):
    server.plan["/stars.csv"] = [Answer(BODY)]
    leave_part(target, BODY + b"more", server.url("/stars.csv"), total=None)
    run(server.url("/stars.csv"), target, sha256=SHA256)
    assert_only(target)
    assert [seen.status for seen in server.served] == [416, 200]


def test_damaged_part_record_starts_afresh(server, target, run):
    server.plan["/stars.csv"] = [Answer(BODY)]
    leave_part(target, b"x" * 1000, server.url("/stars.csv"))
    target.with_name(target.name + ".part.json").write_text('{"url": "ht')
    run(server.url("/stars.csv"), target)
    assert_only(target)


def test_part_of_another_address_is_not_continued(server, target, run):
    server.plan["/stars.csv"] = [Answer(BODY)]
    leave_part(target, b"x" * 1000, server.url("/other.csv"))
    run(server.url("/stars.csv"), target)
    assert_only(target)
    assert server.served[0].range is None


def test_part_from_a_mirror_is_continued_there(server, target, run):
    server.plan["/stars.csv"] = server.plan["/mirror.csv"] = [Answer(BODY)]
    leave_part(target, BODY[:1000], server.url("/mirror.csv"))
    found = run(server.url("/stars.csv"), target, mirrors=[server.url("/mirror.csv")])
    assert_only(target)
    assert found.url == server.url("/mirror.csv") and server.served[0].status == 206


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_no_splice_without_validator(server, target, run, etag):
    """Neither ETag nor date nor digest: two versions spliced would go unseen, so the next attempt starts at zero."""
    server.plan["/stars.csv"] = [Answer(BODY, etag=etag, drop_after=SIZE // 2), Answer(BODY, etag=etag)]
    run(server.url("/stars.csv"), target)
    assert_only(target)
    assert server.served[1].range is None


def test_digest_stands_in_for_a_validator(server, target, run):
    server.plan["/stars.csv"] = [Answer(BODY, etag=None, drop_after=SIZE // 2), Answer(BODY, etag=None)]
    run(server.url("/stars.csv"), target, sha256=SHA256)
    assert_only(target)
    assert (server.served[1].status, server.served[1].if_range) == (206, None)


def test_last_modified_is_a_validator(server, target, run):
    day = {"Last-Modified": "Fri, 21 Jan 2022 10:00:00 GMT"}
    dropping = Answer(BODY, etag=None, headers=day, drop_after=SIZE // 2)
    server.plan["/stars.csv"] = [dropping, Answer(BODY, etag=None, headers=day, ignore_if_range=True)]
    run(server.url("/stars.csv"), target)
    assert_only(target)
    assert (server.served[1].status, server.served[1].if_range) == (206, day["Last-Modified"])


def test_changed_etag_is_not_spliced(server, target, run):
    old = b"source_id,parallax\n" + b"9" * (SIZE - 19)
    server.plan["/stars.csv"] = [Answer(old, drop_after=SIZE // 2), Answer(BODY, etag='"two"')]
    run(server.url("/stars.csv"), target)
    assert_only(target)
    assert [seen.status for seen in server.served] == [200, 200]
    assert "changed" in run.said and "dropped" in run.said


def test_changed_etag_with_a_server_deaf_to_if_range(server, target, run):
    old = b"source_id,parallax\n" + b"9" * (SIZE - 19)
    new = Answer(BODY, etag='"two"', ignore_if_range=True)
    server.plan["/stars.csv"] = [Answer(old, drop_after=SIZE // 2), new, new]
    run(server.url("/stars.csv"), target)
    assert_only(target)
    assert [seen.status for seen in server.served] == [200, 206, 200]


def test_range_that_starts_elsewhere_is_refused(server, target, run):
    wrong = Answer(BODY[10:], status=206, headers={"Content-Range": f"bytes 10-{SIZE - 1}/{SIZE}"})
    server.plan["/stars.csv"] = [wrong, Answer(BODY)]
    leave_part(target, BODY[: SIZE // 2], server.url("/stars.csv"))
    run(server.url("/stars.csv"), target)
    assert_only(target)


def test_rest_of_a_file_of_another_length_is_refused(server, target, run):
    server.plan["/stars.csv"] = [Answer(BODY, etag=None)]
    leave_part(target, BODY[: SIZE // 2], server.url("/stars.csv"), validator=None, total=SIZE + 1)
    run(server.url("/stars.csv"), target, sha256=SHA256)
    assert_only(target)
    assert [seen.status for seen in server.served] == [206, 200]


def test_server_ignoring_ranges(server, target, run):
    server.plan["/stars.csv"] = [Answer(BODY, ranges=False)]
    leave_part(target, BODY[: SIZE // 2], server.url("/stars.csv"))
    run(server.url("/stars.csv"), target, sha256=SHA256)
    assert_only(target)
    assert [(seen.status, seen.sent) for seen in server.served] == [(200, SIZE)]


def test_retry_after_seconds(server, target, run):
    busy = Answer(status=503, headers={"Retry-After": "17"})
    server.plan["/stars.csv"] = [busy, Answer(BODY)]
    run(server.url("/stars.csv"), target)
    assert_only(target)
    assert run.sleeps == [17.0]
    assert "503" in run.said and "17 s" in run.said


def test_retry_after_date_and_cap(server, target, run):
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    server.plan["/stars.csv"] = [
        Answer(status=429, headers={"Retry-After": soon}),
        Answer(status=429, headers={"Retry-After": "86400"}),
        Answer(status=503, headers={"Retry-After": "Fri, 21 Jan 2022 10:00:00 GMT"}),
        Answer(status=503, headers={"Retry-After": "in a while"}),
        Answer(BODY),
    ]
    run(server.url("/stars.csv"), target)
    assert_only(target)
    assert 80 < run.sleeps[0] <= 100 and run.sleeps[1] == download.LONGEST_WAIT
    assert 4 <= run.sleeps[2] <= 8 and 8 <= run.sleeps[3] <= 16  # our own back-off


def test_404_goes_to_the_mirror_at_once(server, target, run):
    server.plan["/mirror.csv"] = [Answer(BODY)]
    found = run(server.url("/stars.csv"), target, mirrors=[server.url("/mirror.csv")], sha256=SHA256)
    assert_only(target)
    assert found.url == server.url("/mirror.csv") and run.sleeps == []
    assert [seen.path for seen in server.served] == ["/stars.csv", "/mirror.csv"]


def test_all_addresses_fail(server, target, run):
    server.plan["/mirror.csv"] = [Answer(status=500)]
    with pytest.raises(DownloadError) as caught:
        run(server.url("/stars.csv"), target, mirrors=[server.url("/mirror.csv")], attempts=2)
    message = str(caught.value)
    assert "\n" not in message and "404" in message and "500" in message and "stars.csv" in message
    assert server.url("/stars.csv") in message and server.url("/mirror.csv") in message
    assert len(server.served) == 3


def test_stall_is_retried(server, target, run):
    server.plan["/stars.csv"] = [Answer(BODY, stall_after=SIZE // 2), Answer(BODY)]
    run(server.url("/stars.csv"), target, sha256=SHA256, timeout=0.2)
    assert_only(target)
    assert "timed out" in run.said and server.served[1].status == 206


def test_nobody_answers(target, run):
    with MisbehavingServer() as gone:
        url = gone.url("/stars.csv")
    with pytest.raises(DownloadError, match="refused") as caught:
        run(url, target, attempts=2)
    assert url in str(caught.value) and "\n" not in str(caught.value)
    assert len(run.sleeps) == 1


def test_truncated_without_length_but_with_size(server, target, run):
    server.plan["/stars.csv"] = [Answer(BODY, length=False, drop_after=SIZE // 2), Answer(BODY, length=False)]
    run(server.url("/stars.csv"), target, size=SIZE)
    assert_only(target)
    assert server.served[1].range == f"bytes={SIZE // 2}-"
    assert f"{SIZE // 2} of {SIZE}" in run.said


def test_wrong_size_is_known_before_the_body(server, target, run):
    server.plan["/stars.csv"] = [Answer(BODY)]
    with pytest.raises(DownloadError, match=f"expected {SIZE + 5} bytes, the server has {SIZE}"):
        run(server.url("/stars.csv"), target, size=SIZE + 5)
    assert not target.exists() and not part_of(target).exists() and run.sleeps == []


def test_longer_than_size(server, target, run):
    server.plan["/stars.csv"] = [Answer(BODY, length=False)]
    with pytest.raises(DownloadError, match=f"expected {SIZE - 5} bytes, got {SIZE}"):
        run(server.url("/stars.csv"), target, size=SIZE - 5)
    assert not target.exists() and not part_of(target).exists()


def test_wrong_digest(server, target, run):
    server.plan["/stars.csv"] = [Answer(BODY)]
    url = server.url("/stars.csv")
    with pytest.raises(DownloadError) as caught:
        run(url, target, sha256="0" * 64)
    message = str(caught.value)
    assert all(fact in message for fact in ("0" * 64, SHA256, str(SIZE), url, "removed", "config"))
    assert "\n" not in message
    assert list(target.parent.iterdir()) == []
    run(url, target, sha256=SHA256)  # the next try starts fresh
    assert_only(target)
    assert server.served[1].range is None


def test_wrong_digest_goes_to_the_mirror(server, target, run):
    server.plan["/stars.csv"] = [Answer(BODY[:-1] + b"x")]
    server.plan["/mirror.csv"] = [Answer(BODY)]
    run(server.url("/stars.csv"), target, mirrors=[server.url("/mirror.csv")], sha256=SHA256)
    assert_only(target)


def test_html_instead_of_fits(server, tmp_path, run):
    server.plan["/stars.fits"] = [Answer(LOGIN)]
    target = tmp_path / "stars.fits"
    with pytest.raises(DownloadError) as caught:
        run(server.url("/stars.fits"), target, size=SIZE, sha256=SHA256)
    message = str(caught.value)
    assert "not FITS" in message and "stars.fits" in message and "Please log in" in message and "\n" not in message
    assert len(server.served) == 1 and list(tmp_path.iterdir()) == []


def test_login_page_does_not_cost_the_part(server, target, run):
    server.plan["/stars.csv"] = [Answer(LOGIN, etag=None), Answer(BODY)]
    leave_part(target, BODY[: SIZE // 2], server.url("/stars.csv"))
    with pytest.raises(DownloadError, match="Please log in"):
        run(server.url("/stars.csv"), target)
    assert part_of(target).stat().st_size == SIZE // 2
    run(server.url("/stars.csv"), target)
    assert_only(target)
    assert server.served[1].status == 206


KINDS = {
    "a.fits": b"SIMPLE  =                    T" + b" " * 50,
    "a.parquet": b"PAR1....PAR1",
    "a.csv": b"obsid|ra|dec\n1|2|3\n",
    "a.csv.gz": gzip.compress(b"ra,dec\n1,2\n"),
    "a.fits.gz": gzip.compress(b"SIMPLE  =                    T"),
    "a.vot": b'<?xml version="1.0"?><VOTABLE version="1.4"></VOTABLE>',
    "a.ecsv": b"# %ECSV 1.0\n# ---\nra\n1\n",
}
IMPOSTORS = {
    "html": LOGIN,
    "indented html": b"\n\n  " + LOGIN,
    "xml error": b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
    "json error": b'{"error": "quota exceeded"}',
    "nothing": b"",
    "zipped html": gzip.compress(LOGIN),
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds(tmp_path, name):
    (tmp_path / "x").write_bytes(KINDS[name])
    assert check_file(tmp_path / "x", name)[0] == len(KINDS[name])


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("impostor", IMPOSTORS)
def test_impostors(tmp_path, name, impostor):
    (tmp_path / "x").write_bytes(IMPOSTORS[impostor])
    with pytest.raises(DownloadError, match=rf"(?s)not .* name .*{name.removesuffix('.gz')}.* promises"):
        check_file(tmp_path / "x", name)


def test_parquet_cut_short(tmp_path):
    (tmp_path / "x").write_bytes(b"PAR1" + b"." * 1000)
    with pytest.raises(DownloadError, match=r"a.parquet is cut short.*1004 bytes"):
        check_file(tmp_path / "x", "a.parquet")


def test_identity_is_asked_and_forced_gzip_undone(server, target, run):
    packed = gzip.compress(BODY, mtime=0)
    server.plan["/stars.csv"] = [Answer(packed, headers={"Content-Encoding": "gzip"})]
    run(server.url("/stars.csv"), target, sha256=SHA256, size=SIZE)
    assert_only(target)
    assert server.served[0].accept_encoding == "identity"


def test_interrupted_forced_gzip_starts_afresh(server, target, run):
    packed = Answer(gzip.compress(BODY, mtime=0), headers={"Content-Encoding": "gzip"})
    cut = Answer(packed.body, headers=packed.headers, drop_after=len(packed.body) // 2)
    server.plan["/stars.csv"] = [cut, packed]
    run(server.url("/stars.csv"), target, sha256=SHA256)
    assert_only(target)
    assert server.served[1].range is None


def test_gz_file_labelled_as_encoding_stays_packed(server, tmp_path, run):
    packed = gzip.compress(BODY, mtime=0)
    server.plan["/stars.csv.gz"] = [Answer(packed, headers={"Content-Encoding": "gzip"})]
    run(server.url("/stars.csv.gz"), tmp_path / "stars.csv.gz", sha256=hashlib.sha256(packed).hexdigest())
    assert (tmp_path / "stars.csv.gz").read_bytes() == packed


def test_redirection(server, target, run):
    server.plan["/old.csv"] = [Answer(status=302, headers={"Location": "/stars.csv"})]
    server.plan["/stars.csv"] = [Answer(BODY)]
    run(server.url("/old.csv"), target, sha256=SHA256)
    assert_only(target)


def test_redirection_to_a_strange_scheme(server, target, run):
    server.plan["/old.csv"] = [Answer(status=302, headers={"Location": "ftp://127.0.0.1/stars.csv"})]
    with pytest.raises(DownloadError, match="ftp"):
        run(server.url("/old.csv"), target)
    assert run.sleeps == []


def test_disk_full(server, target, run, monkeypatch):
    server.plan["/stars.csv"] = [Answer(BODY)]
    plain_open = open

    class Full:
        """A file on a disk with room for about 300 kB."""

        def __init__(self, stream):
            self.stream = stream

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.stream.close()

        def write(self, chunk):
            if self.stream.tell() + len(chunk) > 300_000:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.stream.write(chunk)

        def flush(self):
            self.stream.flush()

    with monkeypatch.context() as patch:
        patch.setattr(download, "open", lambda path, mode: Full(plain_open(path, mode)), raising=False)
        with pytest.raises(DownloadError) as caught:
            run(server.url("/stars.csv"), target, sha256=SHA256)
    kept = part_of(target).stat().st_size
    message = str(caught.value)
    assert 0 < kept <= 300_000 and not target.exists()
    assert f"{SIZE - kept} more bytes needed" in message and "free" in message and str(target.parent) in message
    assert "\n" not in message and len(server.served) == 1
    run(server.url("/stars.csv"), target, sha256=SHA256)
    assert_only(target)
    assert server.served[1].sent == SIZE - kept


def test_too_little_room_is_known_before_writing(server, target, run, monkeypatch):
    server.plan["/stars.csv"] = [Answer(BODY)]
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1234})())
    with pytest.raises(DownloadError, match=f"{SIZE} more bytes needed, 1234 free"):
        run(server.url("/stars.csv"), target)


def test_file_address(tmp_path, target, run):
    source = tmp_path / "my stars.csv"
    source.write_bytes(BODY)
    assert run(source.as_uri(), target, sha256=SHA256, size=SIZE).bytes == SIZE
    assert_only(target)
    assert source.read_bytes() == BODY
    with pytest.raises(DownloadError, match="0{64}.*" + SHA256):
        run(source.as_uri(), target.with_name("again.csv"), sha256="0" * 64)
    with pytest.raises(DownloadError, match="no such file"):
        run((tmp_path / "none.csv").as_uri(), target.with_name("again.csv"))


@pytest.mark.parametrize("address", ["ftp://host/stars.csv", "s3://bucket/stars.csv", "/data/stars.csv", "stars.csv"])
def test_unknown_scheme(target, run, address):
    with pytest.raises(DownloadError, match=f"{address}: unknown scheme.*http, https, file"):
        run("http://127.0.0.1:9/stars.csv", target, mirrors=[address])
    assert not target.parent.exists()


def test_progress_lines():
    lines: list[str] = []
    times = iter([0.0, 1.0, 4.9, 5.0, 6.0, 12.0])
    chunks = [b"x" * 1_000_000] * 5
    passed = list(
        download._metered(chunks, "stars.csv", 2_000_000, 10_000_000, lines.append, clock=lambda: next(times))
    )
    assert passed == chunks
    assert lines == ["stars.csv: 5.0 of 10.0 MB, 0.60 MB/s", "stars.csv: 7.0 of 10.0 MB, 0.42 MB/s"]


def test_count_rows(tmp_path):
    import pandas as pd
    from astropy.table import Table

    frame = pd.DataFrame({"ra": np.arange(37.0)})
    frame.to_parquet(tmp_path / "a.parquet")
    Table.from_pandas(frame).write(tmp_path / "a.fits")
    (tmp_path / "a.fits.gz").write_bytes(gzip.compress((tmp_path / "a.fits").read_bytes()))
    frame.to_csv(tmp_path / "a.csv")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    names = ["a.parquet", "a.fits", "a.fits.gz", "a.csv", "bad.parquet"]
    assert [count_rows(tmp_path / name) for name in names] == [37, 37, 37, None, None]


def manifest_of(target: Path) -> Path:
    return target.with_name(target.name + ".manifest.json")


def bring(entry, target, **options):
    lines: list[str] = []
    target.parent.mkdir(parents=True, exist_ok=True)  # as Snakemake does
    record = retrieve("stars", entry, target, manifest_of(target), report=lines.append, sleep=lines.append, **options)
    return record, "\n".join(lines)


def test_manifest(server, target):
    server.plan["/stars.csv"] = [Answer(BODY)]
    entry = {"file": "stars.csv", "url": server.url("/stars.csv"), "licence": "CC-BY-4.0", "doi": None, "sha256": None}
    record, said = bring(entry, target)
    text = manifest_of(target).read_text()
    assert json.loads(text) == record and list(json.loads(text)) == sorted(record)
    taken = record.pop("retrieved")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(taken)) < timedelta(minutes=1)
    assert record == {
        "dataset": "stars",
        "file": "stars.csv",
        "url": entry["url"],
        "bytes": SIZE,
        "sha256": SHA256,
        "rows": None,
        "licence": "CC-BY-4.0",
        "doi": None,
        "citation": None,
    }
    assert "no sha256 given" in said


def test_second_run_keeps_file_and_manifest(server, target):
    server.plan["/stars.csv"] = [Answer(BODY)]
    entry = {"file": "stars.csv", "url": server.url("/stars.csv")}
    bring(entry, target)
    before = target.stat().st_mtime_ns, target.read_bytes(), manifest_of(target).read_bytes()
    _, said = bring(entry, target)
    assert (target.stat().st_mtime_ns, target.read_bytes(), manifest_of(target).read_bytes()) == before
    record, _ = bring({**entry, "sha256": SHA256, "doi": "10.1/x"}, target)  # the digest now stands in the config
    assert record["doi"] == "10.1/x" and target.stat().st_mtime_ns == before[0]
    assert len(server.served) == 1 and "kept" in said


def test_fetched_twice_gives_identical_bytes(server, target):
    server.plan["/stars.csv"] = [Answer(BODY)]
    entry = {"file": "stars.csv", "url": server.url("/stars.csv")}
    first, _ = bring(entry, target)
    target.unlink()
    second, said = bring(entry, target)
    first.pop("retrieved"), second.pop("retrieved")
    assert first == second and target.read_bytes() == BODY and len(server.served) == 2
    assert "changed" not in said


def test_changed_digest_behind_the_same_address_is_told(server, target):
    new = BODY.replace(b"1", b"2")
    server.plan["/stars.csv"] = [Answer(BODY), Answer(new, etag='"two"')]
    entry = {"file": "stars.csv", "url": server.url("/stars.csv")}
    bring(entry, target)
    target.unlink()
    record, said = bring(entry, target)
    assert record["sha256"] == hashlib.sha256(new).hexdigest()
    assert all(fact in said for fact in ("changed", SHA256, record["sha256"], entry["url"]))


def test_file_of_another_address_is_fetched_anew(server, target):
    new = BODY.replace(b"1", b"2")
    server.plan["/stars.csv"], server.plan["/dr2.csv"] = [Answer(BODY)], [Answer(new)]
    bring({"file": "stars.csv", "url": server.url("/stars.csv")}, target)
    _, said = bring({"file": "stars.csv", "url": server.url("/dr2.csv"), "mirrors": [server.url("/stars.csv")]}, target)
    assert target.read_bytes() == BODY and "kept" in said  # still one of its addresses
    record, said = bring({"file": "stars.csv", "url": server.url("/dr2.csv")}, target)
    assert target.read_bytes() == new and record["url"] == server.url("/dr2.csv") and "changed" not in said
    target.unlink()
    entry = {"file": "stars.csv", "url": server.url("/stars.csv"), "mirrors": [server.url("/dr2.csv")]}
    assert "changed" not in bring(entry, target)[1]  # another address is not a changed file


def test_damaged_file_is_fetched_anew(server, target):
    server.plan["/stars.csv"] = [Answer(BODY)]
    entry = {"file": "stars.csv", "url": server.url("/stars.csv"), "sha256": SHA256}
    bring(entry, target)
    target.write_bytes(BODY[:-1] + b"x")
    _, said = bring(entry, target)
    assert target.read_bytes() == BODY and "wrong sha256" in said and "anew" in said


def test_local_copy(tmp_path, target):
    source = tmp_path / "mine.csv"
    source.write_bytes(BODY)
    entry = {"file": "stars.csv", "path": "mine.csv", "url": "http://127.0.0.1:9/never", "bytes": SIZE}
    record, _ = bring(entry, target, local=source)
    assert target.read_bytes() == BODY
    assert record["path"] == "mine.csv" and "url" not in record and record["sha256"] == SHA256
    with pytest.raises(DownloadError, match=f"datasets.stars: .*0{{64}}.*{SHA256}"):
        bring({**entry, "sha256": "0" * 64}, target, local=source)


def test_nothing_known_tells_what_to_do(target):
    entry = {"file": "stars.csv", "description": "All stars", "page": "http://example.org/stars", "url": None}
    with pytest.raises(DownloadError) as caught:
        bring(entry, target)
    message = str(caught.value)
    facts = ("stars.csv", "All stars", "http://example.org/stars", "datasets.stars.path", str(target), "config")
    assert all(fact in message for fact in facts) and "\n" not in message
    with pytest.raises(DownloadError, match="no page"):
        bring({"file": "stars.csv"}, target)


def test_file_placed_by_hand(target):
    target.parent.mkdir(parents=True)
    target.write_bytes(BODY)
    entry = {"file": "stars.csv", "page": "http://example.org/stars"}
    record, _ = bring(entry, target)
    assert record["path"] == str(target) and record["sha256"] == SHA256
    with pytest.raises(DownloadError, match=f"datasets.stars: .*0{{64}}.*{SHA256}"):
        bring({**entry, "sha256": "0" * 64}, target)
    assert target.read_bytes() == BODY  # not ours to remove


def test_failure_names_the_dataset(server, target):
    with pytest.raises(DownloadError, match=r"datasets.stars: .*404"):
        bring({"file": "stars.csv", "url": server.url("/none.csv")}, target)
