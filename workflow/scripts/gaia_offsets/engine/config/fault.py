"""A fault of a config: where, and what; each prints as one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from gaia_offsets.archive.secret import hide_logins
from gaia_offsets.core import faults
from gaia_offsets.core.words import did_you_mean

Config = dict[str, Any]
REFUSED = (KeyError, TypeError, AttributeError, ValueError)  # what a value raises that the schema refuses


class Fault(NamedTuple):
    """What is wrong with a value: the dotted path of its key, and a text."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


class ConfigError(faults.Fault, ValueError):
    """A config that cannot be run; one line for each fault."""

    def __init__(self, faults: Iterable[Fault | str]) -> None:
        super().__init__(hide_logins("\n".join(map(str, faults))))


def below(path: str, faults: Iterable[Fault]) -> Iterator[Fault]:
    """Gives faults of a block the path of the block in front of their own; a fault of the block itself has none."""
    return (Fault(f"{path}.{key}" if key else path, text) for key, text in faults)


def unknown(path: str, name: Any, known: Iterable[Any], section: str) -> Iterator[Fault]:
    """Yields a fault where a name is not among those of a section."""
    if name not in known:
        yield Fault(path, f"{name!r} is not one of {section}{did_you_mean(name, known)}")


def as_far_as_possible(faults: Iterable[Fault]) -> Iterator[Fault]:
    """Yields faults up to the first value that the schema refuses, of which the schema tells."""
    try:
        yield from faults
    except REFUSED:
        return
