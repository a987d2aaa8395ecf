"""Lines in the log of a rule, which is its standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

EVERY_S = 5.0  # shortest time [s] between two lines of progress; a short job prints none

Part = TypeVar("Part")


def say(*lines: object) -> None:
    """Print lines to the log, each at once."""
    for line in lines:
        print(line, file=sys.stderr, flush=True)


def progress(parts: Iterable[Part], total: int, unit: str, *, each: int = 1) -> Iterator[Part]:
    """The parts one after another; says how much is done, how much a second, and how long the rest takes.

    A part counts as `each` of `total` (stars, rows, draws: the `unit`) once the next one is asked for.
    """
    start = last = time.monotonic()
    for number, part in enumerate(parts, 1):
        yield part
        done, now = min(number * each, total), time.monotonic()
        if now - last >= EVERY_S:
            last, rate = now, done / (now - start)
            say(f"{done:,} of {total:,} {unit}, {rate:,.0f} a second, {(total - done) / rate:.0f} s left")
