"""Jobs and money: from the intent to a terminal state, reserved and spent.

An intent is committed before anything is sent, and every later step is written in the transaction
of what it causes. The provider knows the job by its tag: so that after any doubt it can be asked.
"""

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, get_args
from uuid import uuid4

from storage.store import Store, milliseconds
from storage.types import OPEN_JOBS, Job, JobState, Order, Quote

LONGEST_WAIT_MS = 86_400_000
"""No step of a job is put off for longer."""
TAG = "qrossover-"
"""What every tag begins with; 32 hexadecimal digits of a UUID follow."""

_TIMES = frozenset(
    {"created", "due", "tried", "doubted", "submitted", "started", "ended", "cancel_asked"}
)
_JSON = frozenset({"settings", "order"})
_COLUMNS = tuple(name for field in fields(Job) if (name := field.name) not in ("id", "quote"))
OPEN = f"state IN ({', '.join(repr(state) for state in OPEN_JOBS)})"


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent at one moment (seconds since the epoch)."""

    at: float
    usd: float
    qpu_seconds: float


class NotOpen(LookupError):
    """A job that is not in the ledger, or has ended: nothing may change it any more."""


class Ledger:
    """The jobs of one database. Whoever writes holds the transaction."""

    def __init__(self, store: Store) -> None:
        self._sql: sqlite3.Connection = store.connection

    def intend(
        self,
        order: Order,
        *,
        run: int,
        probe: str,
        kind: str,
        settings: Mapping[str, Any],
        now: float,
    ) -> Job:
        """Write down that an order will be sent; its quote is reserved from here on."""
        content = json.dumps(dict(order.content), sort_keys=True)
        job = Job(
            id=0,
            tag=f"{TAG}{uuid4().hex}",
            run=run,
            probe=probe,
            kind=kind,
            provider=order.provider,
            device=order.device,
            state="intent",
            created=now,
            due=now,
            quote=order.quote,
            sha256=hashlib.sha256(content.encode()).hexdigest(),
            settings=dict(settings),
            order=order,
        )
        row = _row(job)
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" for _ in row)
        cursor = self._sql.execute(
            f"INSERT INTO jobs ({names}) VALUES ({marks})",  # noqa: S608 the names are ours
            tuple(row.values()),
        )
        return self.get(int(cursor.lastrowid or 0))

    def put(self, job: Job) -> Job:
        """Store where an open job stands now. Raises NotOpen."""
        row = _row(job)
        changes = ", ".join(f'"{name}" = ?' for name in row)
        cursor = self._sql.execute(
            f"UPDATE jobs SET {changes} WHERE id = ? AND tag = ? AND {OPEN}",  # noqa: S608 as above
            (*row.values(), job.id, job.tag),
        )
        if not cursor.rowcount:
            raise NotOpen(
                f"job {job.id} ({job.tag} at {job.provider}, {job.remote or 'no id yet'}) is not "
                "open in the ledger: the database was replaced, or the job has ended"
            )
        return job

    def get(self, number: int) -> Job:
        """One job. Raises NotOpen."""
        found = self._jobs("id = ?", number)
        if not found:
            raise NotOpen(f"no job {number} in the ledger")
        return found[0]

    def open(self) -> list[Job]:
        """The jobs that may still change, oldest first."""
        return self._jobs(OPEN)

    def due(self, now: float) -> list[Job]:
        """The open jobs that are to be looked at, the longest overdue first. One that is due in
        more than a day was put off by a clock that has been set back since."""
        moment = milliseconds(now)
        found = self._jobs(f"{OPEN} AND (due <= ? OR due > ?)", moment, moment + LONGEST_WAIT_MS)
        return sorted(found, key=lambda job: job.due)

    def doubt(self, now: float) -> None:
        """Note that whatever sent jobs before this life is gone, and that this may be an older copy
        of the ledger: what was never sent, as it says, may have been sent since. The provider is
        asked for every intent before anything is sent."""
        for job in self._jobs("state = 'intent'"):
            self.put(replace(job, tried=job.tried or now, doubted=now, due=now))

    def open_of(self, probe: str) -> Job | None:
        """The open job of a probe: there is one at most."""
        found = self._jobs(f"probe = ? AND {OPEN}", probe)
        return found[0] if found else None

    def last(self, most: int) -> list[Job]:
        """The newest jobs, newest first."""
        return self._jobs("TRUE", order=f"id DESC LIMIT {int(most)}")

    def ended(self, most: int) -> list[Job]:
        """The newest jobs that have ended, newest first."""
        return self._jobs(f"NOT {OPEN}", order=f"id DESC LIMIT {int(most)}")

    def counts(self) -> dict[JobState, int]:
        """How many jobs are in each state, over the whole history."""
        rows = self._sql.execute("SELECT state, count(*) FROM jobs GROUP BY state")
        return dict.fromkeys(get_args(JobState), 0) | {row[0]: row[1] for row in rows}

    def ordered_at(self) -> dict[str, float]:
        """When each probe's last job was intended."""
        rows = self._sql.execute("SELECT probe, max(created) FROM jobs GROUP BY probe")
        return {row[0]: row[1] / 1000 for row in rows}

    # --- money -------------------------------------------------------------------------------

    def reserved(self) -> Quote:
        """What the open jobs may still cost, however old they are: they may be billed any day."""
        row = self._sql.execute(
            f"SELECT total(quoted_usd), total(quoted_qpu_seconds) FROM jobs WHERE {OPEN}"  # noqa: S608
        ).fetchone()
        return Quote(float(row[0]), float(row[1]))

    def spent(self, since: float) -> Sequence[Spent]:
        """What was spent since a moment, oldest first: by jobs as they ended, by other paid runs as
        they started. A job whose bill is not known counts with its quote."""
        rows = self._sql.execute(
            "SELECT at, usd, qpu_seconds FROM ("  # noqa: S608 our own words
            "SELECT started AS at, usd, qpu_seconds FROM runs WHERE started >= :since"
            " AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.run = runs.id)"
            " UNION ALL SELECT ended, coalesce(usd, quoted_usd),"
            " coalesce(qpu_seconds, quoted_qpu_seconds) FROM jobs"
            f" WHERE ended >= :since AND NOT {OPEN}) WHERE usd > 0 OR qpu_seconds > 0 ORDER BY at",
            {"since": milliseconds(since)},
        )
        return [Spent(row[0] / 1000, float(row[1]), float(row[2])) for row in rows]

    def _jobs(self, condition: str, *values: Any, order: str = "id") -> list[Job]:
        rows = self._sql.execute(
            f"SELECT * FROM jobs WHERE {condition} ORDER BY {order}",  # noqa: S608 our own words
            values,
        )
        return [_job(row) for row in rows]


def _row(job: Job) -> dict[str, Any]:
    row = {name: getattr(job, name) for name in _COLUMNS}
    for name in _TIMES:
        row[name] = None if row[name] is None else milliseconds(row[name])
    row["settings"] = json.dumps(dict(job.settings))
    row["order"] = None if job.order is None else json.dumps(asdict(job.order))
    return row | {"quoted_usd": job.quote.usd, "quoted_qpu_seconds": job.quote.qpu_seconds}


def _job(row: sqlite3.Row) -> Job:
    values: dict[str, Any] = {"id": row["id"]}
    for name in _COLUMNS:
        value = row[name]
        if value is not None and name in _TIMES:
            value = value / 1000
        elif value is not None and name in _JSON:
            value = json.loads(value)
        values[name] = value
    order = values["order"]
    return Job(
        **values
        | {
            "order": None if order is None else Order.from_json(order),
            "quote": Quote(row["quoted_usd"], row["quoted_qpu_seconds"]),
        }
    )
