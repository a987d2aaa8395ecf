"""HATS catalogues, by LSDB, which only who reads or writes them needs to have."""

from __future__ import annotations

from types import ModuleType

from gaia_offsets.tables.read import TableError


def lsdb_for(key: str) -> ModuleType:
    """The module lsdb; TableError, which says how to get it, where it is missing. `key` of the config asked for it."""
    try:
        import lsdb
    except ImportError as error:
        how = "pip install -r envs/hats-requirements.txt, or run with --sdm conda"
        raise TableError(f"{key} needs LSDB, which is not installed ({error}): {how}") from None
    return lsdb
