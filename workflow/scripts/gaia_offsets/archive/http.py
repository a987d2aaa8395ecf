"""Patient HTTP: a session that comes back to a server that is busy or out of reach, and the loop of all tries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import sleep
from typing import Any, TypeVar

import requests
from requests.exceptions import ChunkedEncodingError
from urllib3.exceptions import InvalidHeader, MaxRetryError
from urllib3.util import Retry

from gaia_offsets.archive.secret import NO_TOKEN, Token
from gaia_offsets.core.faults import Fault

T = TypeVar("T")
Say = Callable[[str], Any]  # gets one line a time
BUSY = {408, 425, 429, *range(500, 600)}  # states of a server that may pass
UNDONE = {429, 503}  # those that say that nothing was done, so that a POST may be repeated
LONGEST_PAUSE = 60.0  # s


@dataclass(frozen=True)
class Patience:
    """How patient to be with a server."""

    attempts: int = 5  # in a row that bring nothing new
    timeout: float = 30.0  # longest silence [s]
    first_pause: float = 2.0  # s, doubled after each further failure in a row, up to LONGEST_PAUSE
    longest_wait: float = 3600.0  # longest Retry-After obeyed [s]

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row."""
        return min(self.first_pause * 2 ** (failures - 1), max(LONGEST_PAUSE, self.first_pause))


PATIENCE = Patience()


class GaveUp(Fault, RuntimeError):
    """The server cannot be had, however often it is asked; one line."""


class Passing(Exception):
    """A failure that may pass, after `wait` seconds if the server says so."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


def one_line(error: object) -> str:
    """What is said, on one line; of an error its innermost cause, without the layers of the HTTP libraries."""
    while isinstance(error, Exception):
        cause = getattr(error, "reason", None) or (error.args and error.args[0])
        if not isinstance(cause, Exception):
            break
        error = cause
    return " ".join(str(error).split())[:500] or type(error).__name__


def again(
    once: Callable[[], T],
    patience: Patience,
    say: Say,
    errors: tuple[type[Exception], ...] = (Passing,),
    progress: Callable[[], float] = lambda: 0,
) -> T:
    """What `once` gives. After one of `errors` it is called again, until too many calls in a row failed.

    `progress` is a number that grows with what is done: a call that brings it to a new height starts the count anew.
    """
    failures, most = 0, progress()
    while True:
        try:
            return once()
        except errors as error:
            reached = progress()
            failures = 1 if reached > most else failures + 1
            most = max(most, reached)
            if failures >= patience.attempts:
                raise
            wait = max(getattr(error, "wait", 0.0), patience.pause(failures))
            say(f"{one_line(error)}; try {failures} of {patience.attempts}, the next in {wait:.3g} s")
            sleep(wait)


class Session(requests.Session):
    """A session that sends a request again where that may help, with a line by `say` before each wait.

    That is after a connection that failed or was lost, and an answer in BUSY. A POST is not sent again after its
    connection was lost, because it may have been acted upon, and otherwise only where the answer is in UNDONE. A
    redirection to another host loses `token`.

    Requests raise GaveUp after the last try or where the server asks for a longer wait, else what requests raises.
    """

    def __init__(self, patience: Patience, say: Say, token: Token = NO_TOKEN) -> None:
        super().__init__()
        self.patience, self.say, self.token = patience, say, token
        self.headers["User-Agent"] = "gaia-offsets (requests)"

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        if self.should_strip_auth(response.request.url, prepared_request.url):
            prepared_request.url = self.token.strip(prepared_request.url)
        super().rebuild_auth(prepared_request, response)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """The answer to one request; requests calls this for each redirection, too."""
        options["timeout"] = self.patience.timeout
        what = f"{request.method} {request.path_url}"
        try:
            return again(lambda: self._once(request, options), self.patience, lambda line: self.say(f"{what}: {line}"))
        except Passing as error:
            raise GaveUp(f"{error} ({self.patience.attempts} tries)") from error

    def _once(self, request: requests.PreparedRequest, options: dict[str, Any]) -> requests.Response:
        try:
            response = super().send(request, **options)
        except (ChunkedEncodingError, requests.ConnectionError, requests.Timeout) as error:
            unsent = error.args and isinstance(error.args[0], MaxRetryError)  # no connection came about
            if request.method == "POST" and not unsent:
                raise
            raise Passing(one_line(error)) from error
        if response.status_code not in (UNDONE if request.method == "POST" else BUSY):
            return response
        response.close()
        try:
            wait = Retry(retry_after_max=10**9).parse_retry_after(response.headers.get("Retry-After", "0"))
        except InvalidHeader:  # neither seconds nor a date
            wait = 0.0
        message = f"HTTP {response.status_code}" + (f", the server asks to come back in {wait:.0f} s" if wait else "")
        if wait > self.patience.longest_wait:
            raise GaveUp(f"{message}, longer than the {self.patience.longest_wait:g} s allowed")
        raise Passing(message, wait)
