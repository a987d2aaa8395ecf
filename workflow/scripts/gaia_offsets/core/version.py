"""The version of the workflow: its one place, and the commit of a checkout."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

VERSION = "1.0.0"
ROOT = Path(__file__).resolve().parents[4]


@cache
def code_version(root: Path = ROOT) -> str:
    """The version, with the commit where `root` is a git checkout of its own without changes: "1.0.0 (commit 1a2b3c4)".

    A changed tree, one that git does not know, or no git: the version only.
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()

    try:
        # A folder within somebody else's repository has their commit, not ours.
        if Path(git("rev-parse", "--show-toplevel")).resolve() != root or git("status", "--porcelain"):
            return VERSION
        return f"{VERSION} (commit {git('rev-parse', '--short=12', 'HEAD')})"
    except (OSError, subprocess.SubprocessError):
        return VERSION
