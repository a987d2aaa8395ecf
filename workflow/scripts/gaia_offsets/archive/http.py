"""Patient HTTP: a session that comes back to a server that is busy or out of reach, and one loop for longer steps."""

from __future__ import annotations

from collections.abc import Callable
from time import sleep
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import InvalidHeader, MaxRetryError
from urllib3.util import Retry

from gaia_offsets.archive.secret import Token
from gaia_offsets.core.faults import Fault

T = TypeVar("T")
PASSING = {408, 425, 429, *range(500, 600)}  # states of a server that may pass
UNDONE = {429, 503}  # those that say that nothing was done, so that a POST may be repeated
LONGEST_PAUSE = 60.0  # s


class GaveUp(Fault, RuntimeError):
    """The server cannot be had, however often it is asked; one line."""


def one_line(error: object) -> str:
    """What is said, on one line; of an error its innermost cause, without the layers of the HTTP libraries."""
    while isinstance(error, Exception):
        cause = getattr(error, "reason", None) or (error.args and error.args[0])
        if not isinstance(cause, Exception):
            break
        error = cause
    return " ".join(str(error).split())[:500] or type(error).__name__


def pause(first: float, failures: int) -> float:
    """Seconds to wait after so many failures in a row: `first`, then doubled each time, a minute at most."""
    return min(first * 2 ** (failures - 1), max(LONGEST_PAUSE, first))


def again(
    once: Callable[[], T],
    *,
    errors: tuple[type[Exception], ...],
    attempts: int,
    first_pause: float,
    say: Callable[[str], Any],
    progress: Callable[[], float] = lambda: 0,
) -> T:
    """What `once` gives. After one of `errors` it is called again, until `attempts` calls in a row failed.

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
            if failures >= attempts:
                raise
            wait = pause(first_pause, failures)
            say(f"{one_line(error)}; try {failures} of {attempts}, the next in {wait:.3g} s")
            sleep(wait)


def session(
    *,
    attempts: int,
    timeout: float,
    first_pause: float,
    longest_wait: float,
    say: Callable[[str], Any],
    token: Token | None = None,
) -> requests.Session:
    """A session whose requests are tried `attempts` times, with a line by `say` before each wait.

    `timeout`: longest silence [s]; `longest_wait`: longest Retry-After obeyed [s]. What is tried again: a connection
    that failed or was lost, and an answer in PASSING. A POST is not after its connection was lost, because it may have
    been acted upon, and otherwise only where the answer is in UNDONE. A redirection to another host loses `token`.

    Requests raise GaveUp after the last try or where the server asks for a longer wait, else what requests raises.
    """

    class Patience(Retry):
        def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
            return status_code in (PASSING if self._is_method_retryable(method) else UNDONE)

        def get_retry_after(self, response: Any) -> float:
            try:
                return super().get_retry_after(response) or 0.0
            except InvalidHeader:  # neither seconds nor a date
                return 0.0

        def increment(self, method: Any = None, url: Any = None, response: Any = None, **more: Any) -> Retry:
            if response and (asked := self.get_retry_after(response)) > longest_wait:
                said = f"HTTP {response.status}, the server asks to come back in {asked:.0f} s"
                raise GaveUp(f"{said}, longer than the {longest_wait:g} s allowed")
            return super().increment(method, url, response, **more)

        def sleep(self, response: Any = None) -> None:
            asked, last = self.get_retry_after(response) if response else 0.0, self.history[-1]
            what = f"HTTP {last.status}" if last.status else one_line(last.error)
            what += f", the server asks to come back in {asked:.0f} s" if asked else ""
            wait = max(asked, pause(first_pause, len(self.history)))
            say(f"{last.method} {last.url}: {what}; again in {wait:.3g} s")
            sleep(wait)

    class Adapter(HTTPAdapter):
        def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
            kwargs["timeout"] = timeout  # here, because pyvo sets time-outs of its own
            try:
                return super().send(request, **kwargs)
            except requests.RequestException as error:
                if error.args and isinstance(error.args[0], MaxRetryError):
                    raise GaveUp(f"{one_line(error)} ({attempts} tries)") from error
                raise

    class Discreet(requests.Session):
        def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
            if token and self.should_strip_auth(response.request.url, prepared_request.url):
                prepared_request.url = token.strip(prepared_request.url)
            super().rebuild_auth(prepared_request, response)

    patient = Discreet()
    patient.headers["User-Agent"] = "gaia-offsets (requests)"
    for scheme in ("https://", "http://"):
        patient.mount(scheme, Adapter(max_retries=Patience(attempts - 1, retry_after_max=10**9)))
    return patient
