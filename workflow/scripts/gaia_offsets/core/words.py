"""Words of messages and pages: what a user may have meant, and numbers in print."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from typing import Any

UAS = "\N{GREEK SMALL LETTER MU}as"  # the unit of pages; figures write it in their own way


def near(word: str, words: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The word most like another, None where none is alike."""
    return next(iter(difflib.get_close_matches(word, list(words), n=1, cutoff=cutoff)), None)


def did_you_mean(word: Any, words: Iterable[Any]) -> str:
    """The end of a message about a wrong word: a question for the word most like it, nothing where none is alike."""
    close = near(str(word), map(str, words))
    return f"; did you mean {close}?" if close else ""


def nearest(word: str, words: Iterable[str]) -> str:
    """The end of a message about a column that is not there: up to three names alike."""
    close = difflib.get_close_matches(word, list(words), n=3, cutoff=0.5)
    return f"; nearest: {', '.join(close)}" if close else ""


def number(value: float, spec: str) -> str:
    """A number with a true minus sign."""
    return f"{value:{spec}}".replace("-", "\N{MINUS SIGN}")


def measured(value: float, error: float, spec: str = ".1f") -> str:
    """A value with its error, if that is known; empty where there is no value."""
    text = number(value, spec) if math.isfinite(value) else ""
    return f"{text} \N{PLUS-MINUS SIGN} {error:{spec.lstrip('+')}}" if text and math.isfinite(error) else text
