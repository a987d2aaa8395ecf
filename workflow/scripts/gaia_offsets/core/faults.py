"""Foreseen faults: what a user can mend is told in one line; a traceback is for our own mistakes."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from types import TracebackType

from gaia_offsets.core.log import say

MARK = "ERROR: "  # before the message of a fault in a log
ROOM = (errno.ENOSPC, errno.EDQUOT)
OUTSIDE = {
    **dict.fromkeys(ROOM, "make room there and start the same command again; finished work is kept"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "allow it, or run in another folder"),
    errno.ENAMETOOLONG: "take a shorter name",
    errno.EIO: "look after the disk",
}


class Fault(Exception):
    """A fault of an input, a setting, a disk or a service: its text says what, where and what to do."""


class TableError(Fault, ValueError):
    """A table that cannot be used; the message is one line: what, where, what to do."""


def message_of(error: BaseException) -> str | None:
    """The message of a fault that was foreseen, None for any other error."""
    if isinstance(error, Fault):
        return str(error)
    if isinstance(error, OSError) and error.errno in OUTSIDE:
        # Libraries write into their own buffers and name no file.
        return f"{error.filename or 'the folder of the run'}: {error.strerror}: {OUTSIDE[error.errno]}"
    if isinstance(error, MemoryError):
        return "not enough memory: free some, or give the job more (--set-resources RULE:mem_mb=N)"
    return None


def open_log(path: str) -> None:
    """Begin the log of a rule: standard error goes there, and a foreseen fault ends the script with its message alone.

    The exit code is 1 for any error.
    """
    sys.stderr = open(path, "w", buffering=1, encoding="utf-8")  # left open: the last words must reach it
    sys.excepthook = _last_words
    folder = getattr(getattr(sys.modules["__main__"], "snakemake", None), "scriptdir", None)
    beside = Path(folder or ".", "gaia_offsets")
    if folder and beside.is_dir() and not beside.samefile(Path(__file__).parents[1]):
        raise Fault(
            f"{Path(__file__).parents[1]}: another gaia_offsets than the one beside the scripts, {beside}; take it out "
            "of PYTHONPATH, or uninstall it"
        )


def _last_words(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the message of a foreseen fault, or the traceback of a bug."""
    message = message_of(error)
    try:
        if message:
            say(f"{MARK}{message}")
        else:
            sys.__excepthook__(kind, error, trace)
    except OSError:  # the log's own disk is full
        sys.stderr = sys.__stderr__
        say(f"{MARK}{message or repr(error)}")
