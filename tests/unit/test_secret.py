"""The token of a dataset: sent to its server, told to nobody."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus, urlsplit

import pytest
from parsed_workflow import plan
from retrieve import retrieve
from snakemake.exceptions import WorkflowError
from snakemake_run import run_snakemake
from unit.misbehaving_http import Answer, MisbehavingServer

from gaia_offsets.archive import http as web
from gaia_offsets.archive.download import Transfer
from gaia_offsets.archive.rawfile import DownloadError
from gaia_offsets.archive.secret import HIDDEN, Token

VALUE = "s3cr3t/+ =ünd&so#weiter"
FORMS = [VALUE, quote(VALUE), quote(VALUE, safe=""), quote_plus(VALUE), quote(VALUE, safe="").lower()]
BODY = b"source_id,parallax\n" + b"1,2.5\n" * 50_000
LOGIN = b"<!DOCTYPE html><title>Log in</title>"
TOKEN = {"variable": "TEST_TOKEN", "parameter": "token"}
PATH = f"/stars.csv?token={quote_plus(VALUE)}"


def told(text: str) -> bool:
    """Whether a text holds any spelling of the token or the first five characters of it."""
    return VALUE[:5] in text or any(form in text for form in FORMS)


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer() as running:
        yield running


class Dataset:
    """retrieve() of a dataset with a token; `said` is all that was reported."""

    def __init__(self, folder: Path, url: str) -> None:
        self.file, self.manifest, self.said = folder / "raw/stars.csv", folder / "raw/manifest.json", ""
        self.entry = {"file": "stars.csv", "url": url, "token": TOKEN}
        self.file.parent.mkdir()

    def __call__(self, attempts: int = 3) -> None:
        lines: list[str] = []
        transfer = Transfer(self.file, patience=web.Patience(attempts=attempts, timeout=5.0), report=lines.append)
        try:
            retrieve("stars", self.entry, self.manifest, transfer)
        finally:
            self.said = "\n".join(lines)

    def fails(self, **options: int) -> str:
        with pytest.raises(DownloadError) as caught:
            self(**options)
        chain, error = [], caught.value
        while error is not None:
            chain.append(repr(error))
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        assert not told("".join(chain)) and "\n" not in str(caught.value)
        return str(caught.value)

    def written(self) -> str:
        """What all files beside the data hold."""
        return "".join(path.read_text() for path in self.file.parent.iterdir() if path.suffix == ".json")


@pytest.fixture
def dataset(tmp_path: Path, server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setattr(web, "sleep", lambda _: None)
    monkeypatch.setenv("TEST_TOKEN", f"{VALUE}\n")
    return Dataset(tmp_path, server.url())


def test_it_is_sent_with_every_request_and_told_by_none(server: MisbehavingServer, dataset: Dataset) -> None:
    half = Answer(BODY, drop_after=len(BODY) // 2)
    server.plan[PATH] = [Answer(status=503), half, Answer(BODY)]
    dataset()
    assert dataset.file.read_bytes() == BODY and [seen.path for seen in server.served] == [PATH] * 3
    assert parse_qs(urlsplit(server.served[0].path).query) == {"token": [VALUE]}
    assert not told(dataset.said + dataset.written())
    assert json.loads(dataset.manifest.read_text())["url"] == server.url()
    assert f"/stars.csv?token={HIDDEN}: HTTP 503" in dataset.said  # urllib3's own address, hidden


def test_an_address_with_a_query_and_a_mirror_and_a_good_server_that_needs_none(server, dataset, monkeypatch) -> None:
    dataset.entry |= {"url": server.url("/catdl?name=a.csv"), "mirrors": [server.url("/mirror?x=1")]}
    tail = f"&token={quote_plus(VALUE)}"
    server.plan[f"/mirror?x=1{tail}"] = [Answer(BODY)]
    dataset()
    assert [seen.path for seen in server.served] == [f"/catdl?name=a.csv{tail}", f"/mirror?x=1{tail}"]
    assert not told(dataset.said + dataset.written())
    monkeypatch.delenv("TEST_TOKEN")
    server.plan["/stars.csv"] = [Answer(BODY)]
    dataset.entry |= {"url": server.url(), "mirrors": []}
    dataset.file.unlink()
    dataset()
    assert dataset.file.read_bytes() == BODY and server.served[-1].path == "/stars.csv"


def test_what_a_killed_run_left_goes_on_without_it_in_the_record(server: MisbehavingServer, dataset: Dataset) -> None:
    """The server puts the token into its ETag, too: such a version is not believed, and not written down."""
    half, whole = ({"etag": f'"{quote_plus(VALUE)}"'} for _ in range(2))
    server.plan[PATH] = [Answer(BODY, drop_after=len(BODY) // 2, **half)]
    dataset.fails(attempts=1)
    assert dataset.file.with_name("stars.csv.part").exists() and HIDDEN in dataset.written()
    assert not told(dataset.said + dataset.written())
    server.plan[PATH] = [Answer(BODY, **whole)]
    dataset()
    assert dataset.file.read_bytes() == BODY


REFUSALS = {
    "401": Answer(status=401),
    "403": Answer(status=403),
    "login page": Answer(LOGIN),
    "page that repeats the address": Answer(b"<html>" + PATH.encode()),
    "page that is cut within it": Answer(b"<html>" + b" " * 41 + VALUE.encode()),
    "packed": Answer(gzip.compress(BODY), headers={"Content-Encoding": quote(VALUE)}),
    "redirection to nowhere": Answer(status=302, headers={"Location": f"ftp://127.0.0.1/{quote(VALUE)}"}),
    "too many redirections": Answer(status=302, headers={"Location": PATH}),
    "an address that is none": Answer(status=302, headers={"Location": f"http://[{quote_plus(VALUE)}"}),
    "hangs up": Answer(hang_up=True),
    "busy for a day": Answer(status=503, headers={"Retry-After": "86400"}),
    "busy": Answer(status=500),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_do_not_tell_it(name: str, server: MisbehavingServer, dataset: Dataset) -> None:
    server.plan[PATH] = [REFUSALS[name]]
    said = dataset.fails()
    assert not told(said + dataset.said + dataset.written()) and said.startswith("datasets.stars: ")
    assert ("TEST_TOKEN was sent: is it still valid?" in said) == (name in list(REFUSALS)[:5])


@pytest.mark.parametrize("name", REFUSALS)
def test_without_the_variable_nothing_is_sent_and_the_message_names_it(name, server, dataset, monkeypatch) -> None:
    monkeypatch.setenv("TEST_TOKEN", " ")
    server.plan["/stars.csv"] = [REFUSALS[name]]
    with pytest.raises(DownloadError) as caught:
        dataset()
    assert {seen.path for seen in server.served} <= {"/stars.csv", PATH}  # the second where the server says so
    hint = "a registered user of this server can set the environment variable TEST_TOKEN to a token"
    assert (hint in str(caught.value)) == (name in list(REFUSALS)[:5])


def test_a_redirection_to_another_host_loses_it(server: MisbehavingServer, dataset: Dataset) -> None:
    with MisbehavingServer() as other:
        place = other.url("/b.csv").replace("127.0.0.1", "localhost")
        server.plan["/b.csv?x=1&token=" + quote_plus(VALUE)] = [Answer(BODY)]
        for tail, path in ((f"?x=1&token={quote(VALUE, safe='')}", "/b.csv?x=1"), (f"?{quote(VALUE)}", "/b.csv")):
            server.plan[PATH] = [Answer(status=302, headers={"Location": place + tail})]
            other.plan[path] = [Answer(BODY)]
            dataset.file.unlink(missing_ok=True)
            dataset.manifest.unlink(missing_ok=True)
            dataset()
            assert other.served[-1].path == path and not any(told(value) for value in other.served[-1].headers.values())
        # Another path of the same host keeps what the server itself put there.
        server.plan[PATH] = [Answer(status=302, headers={"Location": f"/b.csv?x=1&token={quote_plus(VALUE)}"})]
        dataset.file.unlink()
        dataset()
    assert not told("".join(seen.path for seen in other.served) + dataset.said + dataset.written())


@pytest.mark.parametrize("form", FORMS)
def test_every_spelling_is_hidden(form: str) -> None:
    token = Token("V", "token", VALUE)
    assert token.hide(f"see {form} there") == f"see {HIDDEN} there"
    assert not told(token.hide(f"cut: {form[:9]}")) and token.hide("secret") == "secret"
    assert not told(repr(token)) and Token("V", "token", None).hide(form) == form
    assert Token("V", "token", "abc").hide("xabcx ab") == f"x{HIDDEN}x ab"


def test_an_address_of_the_config_may_not_hold_it(tmp_path: Path) -> None:
    entry = {"file": "a.csv", "url": "http://127.0.0.1:9/a?name=b&token=abc", "token": TOKEN}
    with pytest.raises(WorkflowError, match=r"datasets.mine: an address holds token=\.\.\.; take") as caught:
        plan(tmp_path, config={"datasets": {"mine": entry}})
    assert "abc" not in str(caught.value)


@pytest.mark.slow
def test_nothing_that_a_run_writes_or_prints_holds_it(tmp_path: Path, server, monkeypatch) -> None:
    """The rule itself, once refused and once given the file; with every file of the folder searched."""
    monkeypatch.setenv("TEST_TOKEN", VALUE)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    entry = {"file": "stars.csv", "url": server.url(), "token": TOKEN}
    server.plan[PATH] = [Answer(b"<html>" + PATH.encode()), Answer(BODY)]
    target = Path("resources/raw/stars/stars.csv")
    options = {"cores": 1, "config": {"datasets": {"stars": entry}}, "targets": [target]}
    said = run_snakemake(tmp_path, "--verbose", fails=True, **options)
    assert "datasets.stars" in said and "is it still valid?" in said
    said += run_snakemake(tmp_path, "--verbose", **options)
    assert (tmp_path / target).read_bytes() == BODY and len(server.served) == 2
    texts = [path.read_bytes().decode("utf-8", "replace") for path in tmp_path.rglob("*") if path.is_file()]
    assert len(texts) > 5 and not told(said) and not any(map(told, texts))


def test_the_address_is_not_in_the_traceback_of_a_bug(dataset: Dataset, monkeypatch, server) -> None:
    def bug(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError(f"asked for {server.url(PATH)}")

    monkeypatch.setattr(web, "again", bug)
    assert re.search(r"ZeroDivisionError: asked for .*token=\*\*\*", dataset.fails())
