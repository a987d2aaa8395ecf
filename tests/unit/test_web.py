"""The patient session: what is tried again, how often, after which wait; what is not."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import requests
from unit.misbehaving_http import Answer, MisbehavingServer
from unit.shared import refuses

from gaia_offsets.archive import http as web

GOOD, LOST = Answer(b"good"), Answer(hang_up=True)


def busy(status: int, retry_after: str | None = None) -> Answer:
    return Answer(status=status, headers={} if retry_after is None else {"Retry-After": retry_after})


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that would have been waited."""
    seconds: list[float] = []
    monkeypatch.setattr(web, "sleep", seconds.append)
    return seconds


def ask(method: str, answers: list[Answer], lines: list[str], **changes: Any) -> tuple[requests.Response | str, int]:
    """The response, or what the error says, and the number of requests."""
    patience = web.Patience(**{"attempts": 4, "timeout": 5.0, "first_pause": 1.0, "longest_wait": 100.0} | changes)
    with MisbehavingServer() as server, web.Session(patience, lines.append) as session:
        server.plan["/stars.csv"] = answers
        try:
            response = session.request(method, server.url())
        except (web.GaveUp, requests.RequestException) as error:
            return f"{type(error).__name__}: {web.one_line(error)}", len(server.served)
        return response, len(server.served)


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
@pytest.mark.parametrize("fault", [busy(429), busy(503), busy(503, "7"), busy(500), busy(502), busy(408), LOST])
def test_what_is_tried_again(method: str, fault: Answer, waits: list[float]) -> None:
    """All of it, but a POST only where the answer says that nothing was done."""
    lines: list[str] = []
    got, requests_seen = ask(method, [fault, fault, GOOD], lines)
    if method == "POST" and (fault.hang_up or fault.status not in (429, 503)):
        assert requests_seen == 1 and waits == [] and lines == []
        assert "ConnectionError" in got if fault.hang_up else got.status_code == fault.status
    else:
        assert got.content == b"good" and requests_seen == 3 and waits == ([7.0, 7.0] if fault.headers else [1.0, 2.0])
        assert len(lines) == 2 and all(method in line and "the next in" in line for line in lines)


@pytest.mark.parametrize("status", [200, 302, 400, 401, 404, 416])
def test_what_is_an_answer(status: int, waits: list[float]) -> None:
    got, requests_seen = ask("GET", [busy(status)], [])
    assert (got.status_code, requests_seen, waits) == (status, 1, [])


@pytest.mark.parametrize(("fault", "said"), [(busy(503), "503"), (LOST, "closed connection")])
def test_tries_are_counted(fault: Answer, said: str, waits: list[float]) -> None:
    got, requests_seen = ask("GET", [fault], [])
    assert got.startswith("GaveUp") and said in got and "(4 tries)" in got
    assert requests_seen == 4 and waits == [1.0, 2.0, 4.0]


def test_a_server_that_is_not_there(waits: list[float]) -> None:
    with MisbehavingServer() as gone:
        url = gone.url()
    session = web.Session(web.Patience(attempts=2), lambda line: None)
    refuses(r"refused \(2 tries\)", session.post, url, error=web.GaveUp)


def test_dates_and_nonsense_in_retry_after(waits: list[float]) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    past = "Fri, 21 Jan 2022 10:00:00 GMT"
    ask("GET", [busy(429, soon), busy(503, past), busy(503, "in a while"), GOOD], [])
    assert 60 < waits[0] <= 90 and waits[1:] == [2.0, 4.0]  # our own pause where theirs cannot be used


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_wait_that_is_too_long(method: str, waits: list[float]) -> None:
    got, requests_seen = ask(method, [busy(503, "90000"), GOOD], [])
    assert "come back in 90000 s, longer than the 100 s allowed" in got and requests_seen == 1 and waits == []
    assert "90000 s" in ask(method, [busy(503, "90000")], [], attempts=1)[0]  # told on the last try as well


def test_silence_ends(waits: list[float]) -> None:
    started = time.monotonic()
    got, requests_seen = ask("GET", [Answer(b"x", stall_after=0, hang_up=True)], [], attempts=2, timeout=0.5)
    assert "timed out" in got and requests_seen == 2 and waits == [1.0]
    assert time.monotonic() - started < 8  # the server is silent for 10 s


def test_pauses_double_up_to_a_minute() -> None:
    assert [web.Patience(first_pause=2.0).pause(failures) for failures in (1, 2, 3, 9)] == [2.0, 4.0, 8.0, 60.0]
    assert web.Patience(first_pause=90.0).pause(3) == 90.0


def test_progress_starts_the_count_anew(waits: list[float]) -> None:
    heights = iter([0, 1, 2, 1, 2, 2])  # reached before the first call and after each

    def fail() -> None:
        raise ValueError("broken")

    patience = web.Patience(attempts=4, first_pause=1.0)
    lines: list[str] = []
    refuses("broken", web.again, fail, patience, lines.append, (ValueError,), lambda: next(heights), error=ValueError)
    assert waits == [1.0, 1.0, 2.0, 4.0] and "broken; try 3 of 4" in lines[-1]
    with pytest.raises(ZeroDivisionError):
        web.again(lambda: 1 / 0, patience, lines.append, (ValueError,))
    assert web.again(lambda: 5, patience, lines.append) == 5
