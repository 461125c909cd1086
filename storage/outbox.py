"""Alerts owed, being tried, sent, dead. Written in the transaction that owes them; `sent` is
written only after the channel said that it has the message."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from storage.store import Store, milliseconds
from storage.types import Alert, AlertKind

# What answers an alert waits until that one is settled, and the answers before it.
_READY = (
    "state IN ('owed', 'trying') AND NOT EXISTS ("
    "SELECT 1 FROM alerts b WHERE b.state IN ('owed', 'trying') AND b.id < a.id"
    " AND (b.id = a.parent OR b.parent = a.parent))"
)


@dataclass(frozen=True, slots=True)
class Owed:
    """An alert with its place in the outbox.

    `attempts` counts the tries that were begun. `trying` says that one was begun whose end is not
    known: the channel may have the message, so it is looked for before it is sent again.
    `channel` and `ts` say where the channel has it, once sent.
    """

    id: int
    alert: Alert
    attempts: int
    trying: bool
    channel: str | None
    ts: str | None


class Outbox:
    """The alerts of one database."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sql = store.connection

    def owe(self, alert: Alert, due: float | None = None) -> int:
        """Owe an alert, inside the caller's transaction; its id. It is sent at once, or from `due`
        on."""
        cursor = self._sql.execute(
            'INSERT INTO alerts (key, kind, "trigger", target, severity, created, facts, parent,'
            " state, due, attempts, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'owed', ?, 0, '')",
            (
                alert.key,
                alert.kind,
                alert.trigger,
                alert.target,
                alert.severity,
                milliseconds(alert.created),
                json.dumps(dict(alert.facts)),
                alert.parent,
                milliseconds(alert.created if due is None else due),
            ),
        )
        return int(cursor.lastrowid or 0)

    def waiting(self, trigger: str, kind: AlertKind) -> Owed | None:
        """The last alert of a kind about a trigger that answers no other and was not tried yet."""
        row = self._sql.execute(
            "SELECT * FROM alerts WHERE state = 'owed' AND attempts = 0 AND parent IS NULL"
            ' AND "trigger" = ? AND kind = ? ORDER BY id DESC LIMIT 1',
            (trigger, kind),
        ).fetchone()
        return None if row is None else _owed(row)

    def amend(self, number: int, facts: Mapping[str, Any]) -> None:
        """Have an alert that was not tried yet say something else."""
        self._sql.execute(
            "UPDATE alerts SET facts = ? WHERE id = ? AND state = 'owed' AND attempts = 0",
            (json.dumps(dict(facts)), number),
        )

    def next(self, now: float) -> Owed | None:
        """The oldest alert that is due and waits for no other; None where there is none."""
        row = self._sql.execute(
            f"SELECT * FROM alerts a WHERE {_READY} AND due <= ? ORDER BY id LIMIT 1",  # noqa: S608
            (milliseconds(now),),
        ).fetchone()
        return None if row is None else _owed(row)

    def next_due(self) -> float | None:
        """When the next alert may be tried; None where nothing is owed."""
        row = self._sql.execute(
            f"SELECT min(due) FROM alerts a WHERE {_READY}"  # noqa: S608 our own words
        ).fetchone()
        return None if row[0] is None else row[0] / 1000

    def get(self, number: int) -> Owed:
        """One alert by its id. Raises LookupError."""
        row = self._sql.execute("SELECT * FROM alerts WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise LookupError(f"no alert {number} in {self._store.path}")
        return _owed(row)

    def begin(self, number: int) -> None:
        """Say that a try begins. A crash after this leaves the alert `trying`."""
        self._sql.execute(
            "UPDATE alerts SET state = 'trying', attempts = attempts + 1 WHERE id = ?", (number,)
        )

    def sent(self, number: int, channel: str, ts: str, now: float) -> None:
        """The channel has the message."""
        self._sql.execute(
            "UPDATE alerts SET state = 'sent', channel = ?, ts = ?, sent = ?, error = ''"
            " WHERE id = ?",
            (channel, ts, milliseconds(now), number),
        )

    def retry(self, number: int, due: float, error: str, *, ambiguous: bool) -> None:
        """The try failed; the next one comes at `due`. Ambiguous: the channel may have it."""
        self._sql.execute(
            "UPDATE alerts SET state = ?, due = ?, error = ? WHERE id = ?",
            ("trying" if ambiguous else "owed", milliseconds(due), error, number),
        )

    def dead(self, number: int, error: str) -> None:
        """The channel refuses the message for good."""
        self._sql.execute(
            "UPDATE alerts SET state = 'dead', error = ? WHERE id = ?", (error, number)
        )

    def revive(self, now: float) -> int:
        """Owe again what the channel has refused; how many. Of an incident that is over, only its
        resolution is told: it says what fired, and from when until when."""
        cursor = self._sql.execute(
            "UPDATE alerts SET state = 'owed', due = ?, attempts = 0 WHERE state = 'dead'"
            " AND (kind = 'resolves' OR (kind IN ('notice', 'rebases') AND parent IS NULL)"
            "      OR id IN (SELECT alert FROM standings)"
            "      OR parent IN (SELECT alert FROM standings))",
            (milliseconds(now),),
        )
        return cursor.rowcount

    def owe_elsewhere(self, channel: str, now: float) -> int:
        """Owe again the open alerts that only `channel` has had, since there is another one now;
        how many."""
        cursor = self._sql.execute(
            "UPDATE alerts SET state = 'owed', due = ?, attempts = 0, channel = NULL, ts = NULL"
            " WHERE state = 'sent' AND channel = ? AND id IN (SELECT alert FROM standings)",
            (milliseconds(now), channel),
        )
        return cursor.rowcount

    def move(self, channel: str, now: float) -> int:
        """Owe the open alerts of another channel anew, for `channel`, and say so in their threads:
        who watches `channel` has not seen them, and they are resolved there. How many."""
        rows = self._sql.execute(
            "SELECT * FROM alerts WHERE state = 'sent' AND channel <> ?"
            " AND id IN (SELECT alert FROM standings) ORDER BY id",
            (channel,),
        ).fetchall()
        for row in rows:
            first = _owed(row).alert
            fresh = self.owe(replace(first, key=uuid4().hex))
            self._sql.execute("UPDATE standings SET alert = ? WHERE alert = ?", (fresh, row["id"]))
            facts = {"title": f"Goes on in {channel}", "body": "Its end is told there."}
            self.owe(
                replace(
                    first,
                    key=uuid4().hex,
                    kind="notice",
                    severity="info",
                    created=now,
                    facts=facts,
                    parent=row["id"],
                )
            )
        return len(rows)

    def doubt(self) -> None:
        """Look for what is owed on the channel first: this is an older copy of the outbox."""
        self._sql.execute("UPDATE alerts SET state = 'trying' WHERE state = 'owed'")

    def depth(self) -> dict[str, int]:
        """How many alerts are owed, sent and dead. One being tried is still owed."""
        counts = {"owed": 0, "sent": 0, "dead": 0}
        rows = self._sql.execute("SELECT state, count(*) FROM alerts GROUP BY state")
        for state, count in rows:
            counts["owed" if state == "trying" else state] += count
        return counts

    def last_error(self) -> str:
        """What the channel said last about an alert that it has not taken."""
        row = self._sql.execute(
            "SELECT error FROM alerts WHERE state <> 'sent' AND error <> ''"
            " ORDER BY id DESC LIMIT 1"
        ).fetchone()
        return "" if row is None else str(row[0])


def _owed(row: sqlite3.Row) -> Owed:
    facts: Mapping[str, Any] = json.loads(row["facts"])
    alert = Alert(
        key=row["key"],
        kind=row["kind"],
        trigger=row["trigger"],
        target=row["target"],
        severity=row["severity"],
        created=row["created"] / 1000,
        facts=facts,
        parent=row["parent"],
    )
    return Owed(
        row["id"], alert, row["attempts"], row["state"] == "trying", row["channel"], row["ts"]
    )
