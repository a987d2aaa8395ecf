"""Has an archive the tables and columns that the queries name? What it has not, with the nearest name that it has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gaia_offsets.archive.adql import literal
from gaia_offsets.archive.tap import Archive, ArchiveError
from gaia_offsets.core.words import near


@dataclass(frozen=True)
class Missing:
    """A table (column None) or a column of a table that an archive does not have, and the nearest name that it has."""

    table: str
    column: str | None
    nearest: str | None

    def __str__(self) -> str:
        what = f"table {self.table}" if self.column is None else f"{self.table}: {self.column}"
        return f"{what} (nearest: {self.nearest})" if self.nearest else what


def check_names(service: Archive, needed: Mapping[str, Sequence[str]], key: str = "releases") -> None:
    """Raise ArchiveError, in one line, for all tables and columns that the archive does not have.

    `needed` has the columns by table; `key` is where they stand in the config.
    """
    if missing := missing_names(service, needed):
        raise ArchiveError(
            f"{service.url}: the archive does not have {'; '.join(map(str, missing))}; "
            f"correct the names in the config's `{key}`"
        )


def missing_names(service: Archive, needed: Mapping[str, Sequence[str]]) -> list[Missing]:
    """The tables, and columns of tables, that the archive does not have."""
    known = service.look_up(schema_query(needed), what="names of tables and columns")
    present: dict[str, list[str]] = {}
    for table, column in zip(known["table_name"], known["column_name"], strict=True):
        present.setdefault(_plain(table), []).append(_plain(column))
    tables: list[str] = []
    if any(table.lower() not in present for table in needed):
        answer = service.look_up("SELECT table_name FROM TAP_SCHEMA.tables", what="names of tables")
        tables = [_plain(table) for table in answer["table_name"]]
    missing = []
    for table, columns in needed.items():
        there = present.get(table.lower())
        if there is None:
            missing.append(Missing(table, None, _nearest_table(table.lower(), tables)))
            continue
        for column in dict.fromkeys(columns):
            if column.lower() not in there:
                missing.append(Missing(table, column, near(column.lower(), there, 0.4)))
    return missing


def schema_query(tables: Iterable[str]) -> str:
    """Query for the columns of the tables in TAP_SCHEMA, whichever way the archive spells quoted names there."""
    spellings = set()
    for table in tables:
        schema, dot, name = table.partition(".")
        spellings |= {table, f'"{table}"', f'"{schema}"{dot}{name}' if dot else table}
    listed = ", ".join(map(literal, sorted(spellings)))
    return f"SELECT table_name, column_name FROM TAP_SCHEMA.columns WHERE table_name IN ({listed})"


def _nearest_table(table: str, tables: list[str]) -> str | None:
    """The most like it of its own schema, or else of all."""
    schema, _, name = table.rpartition(".")
    siblings = [other.rpartition(".")[2] for other in tables if other.rpartition(".")[0] == schema]
    sibling = near(name, siblings)
    return f"{schema}.{sibling}" if sibling else near(table, tables)


def _plain(name: str) -> str:
    return str(name).replace('"', "").strip().lower()
