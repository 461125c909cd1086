"""What many readings share is stored once and has a number: signals, series, setups."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from storage.types import Signal


def insert(connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> int:
    """Store one row; its id."""
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" for _ in row)
    cursor = connection.execute(
        f"INSERT INTO {table} ({names}) VALUES ({marks})",  # noqa: S608 names are ours
        tuple(row.values()),
    )
    return int(cursor.lastrowid or 0)


class Numbers:
    """The numbers of one file. None ever changes, so each is asked for once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._heads: dict[tuple[str, str], tuple[int, str]] = {}
        self._setups: dict[str, int] = {}
        self._documents: dict[int, str] = {}

    def forget(self) -> None:
        """Ask again: what a transaction had stored is gone with it."""
        self._heads.clear()
        self._setups.clear()
        self._documents.clear()

    def signal(self, signal: Signal) -> int:
        """The number of a signal, which says from now on what this one says."""
        found = self._connection.execute(
            "SELECT id, better, help FROM signals WHERE name = ?", (signal.name,)
        ).fetchone()
        if found is None:
            row = {name: getattr(signal, name) for name in ("name", "unit", "better", "help")}
            return insert(self._connection, "signals", row)
        if (found["better"], found["help"]) != (signal.better, signal.help):
            self._connection.execute(
                "UPDATE signals SET better = ?, help = ? WHERE id = ?",
                (signal.better, signal.help, found["id"]),
            )
        return int(found["id"])

    def series(self, signal: int, target: str) -> int:
        """The number of the series of a signal on a target."""
        key = (signal, target)
        found = self._connection.execute(
            "SELECT id FROM series WHERE signal = ? AND target = ?", key
        ).fetchone()
        if found is not None:
            return int(found["id"])
        return insert(self._connection, "series", {"signal": signal, "target": target})

    def head(self, signal: str, target: str) -> tuple[int, str] | None:
        """Number and unit of a series by its names; None where there is none yet."""
        key = (signal, target)
        if key not in self._heads:
            found = self._connection.execute(
                "SELECT series.id, unit FROM series JOIN signals ON signals.id = series.signal"
                " WHERE name = ? AND target = ?",
                key,
            ).fetchone()
            if found is None:
                return None
            self._heads[key] = (found[0], found[1])
        return self._heads[key]

    def setup(self, document: str) -> int | None:
        """The number of a setup; None for none."""
        if not document:
            return None
        if document not in self._setups:
            found = self._connection.execute(
                "SELECT id FROM setups WHERE document = ?", (document,)
            ).fetchone()
            row = {"document": document}
            self._setups[document] = found[0] if found else insert(self._connection, "setups", row)
        return self._setups[document]

    def document(self, setup: int | None) -> str:
        """The setup of a number; "" for none."""
        if setup is None:
            return ""
        if setup not in self._documents:
            [self._documents[setup]] = self._connection.execute(
                "SELECT document FROM setups WHERE id = ?", (setup,)
            ).fetchone()
        return self._documents[setup]
