"""Every config that has been in force: when, by whom, what changed, and its whole text."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from storage.store import Store, milliseconds

How = Literal["start", "edit", "set", "revert"]


@dataclass(frozen=True, slots=True)
class Change:
    """One key of a config that has another value. None: the key was not, or is no longer, there."""

    key: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Version:
    """A config that came into force at `at` (seconds since the epoch, UTC)."""

    id: int
    at: float
    sha256: str
    by: str
    how: How
    changes: tuple[Change, ...]
    text: str


def keep(
    store: Store, *, at: float, sha256: str, by: str, how: How, changes: Sequence[Change], text: str
) -> int:
    """Store a config that has come into force, inside the caller's transaction; its id."""
    told = json.dumps([{"key": c.key, "old": c.old, "new": c.new} for c in changes])
    cursor = store.connection.execute(
        'INSERT INTO configs (at, sha256, "by", how, changes, text) VALUES (?, ?, ?, ?, ?, ?)',
        (milliseconds(at), sha256, by, how, told, text),
    )
    return int(cursor.lastrowid or 0)


def versions(store: Store, most: int = 50) -> list[Version]:
    """The last configs, newest first."""
    rows = store.connection.execute("SELECT * FROM configs ORDER BY id DESC LIMIT ?", (most,))
    return [_version(row) for row in rows]


def version(store: Store, number: int) -> Version:
    """One config by its id. Raises LookupError."""
    row = store.connection.execute("SELECT * FROM configs WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise LookupError(f"no config {number} in {store.path}")
    return _version(row)


def of_sum(store: Store, sha256: str) -> Version | None:
    """The last config whose file had this sum."""
    row = store.connection.execute(
        "SELECT * FROM configs WHERE sha256 = ? ORDER BY id DESC LIMIT 1", (sha256,)
    ).fetchone()
    return None if row is None else _version(row)


def _version(row: Any) -> Version:
    changes = tuple(Change(**change) for change in json.loads(row["changes"]))
    return Version(
        row["id"], row["at"] / 1000, row["sha256"], row["by"], row["how"], changes, row["text"]
    )
