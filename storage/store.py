"""Every SQL statement about readings, runs and standings. One writer, any number of readers.

The writer owns every write and every checkpoint (SQLite before 3.51.3 can corrupt a WAL database
when two connections write); all others open it read-only. Times are seconds since the epoch, UTC,
in Python and whole milliseconds in the file.
"""

import json
import sqlite3
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Self

from storage import schema
from storage.numbers import Numbers, insert
from storage.past import WATCHED
from storage.types import ORIGINS, Origin, Reading, Run, Series, Signal, Standing

_STANDING = tuple(field.name for field in fields(Standing))
_TIMES = frozenset(
    {"since", "created", "last_true", "read_at", "reminded", "acknowledged_at", "snoozed_until"}
)
_AT = tuple(place for place, name in enumerate(_STANDING) if name in _TIMES)
_COLUMNS = ", ".join(f'"{name}"' for name in _STANDING)
_SELECT = f"SELECT {_COLUMNS} FROM standings"  # noqa: S608 names are ours
_MARKS = ", ".join("?" for _ in _STANDING)
_PUT = f"INSERT OR REPLACE INTO standings ({_COLUMNS}) VALUES ({_MARKS})"  # noqa: S608 as above

KILLED = "the service was killed while it ran"
"""What a run that was paid for and never settled says of itself."""


@dataclass(frozen=True, slots=True)
class Reserved:
    """The row of a run that is under way, and what it says until it is settled."""

    id: int
    run: Run


class UnitChanged(ValueError):
    """A signal is declared in another unit than its history."""


def milliseconds(seconds: float) -> int:
    """Seconds since the epoch as the file keeps them."""
    return round(seconds * 1000)


class Store:
    """The database. Use `writer` in the one process that holds the lock, `reader` elsewhere."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        connection.row_factory = sqlite3.Row
        self.connection = connection
        self.path = path
        self.numbers = Numbers(connection)

    @classmethod
    def writer(cls, path: Path, busy_seconds: float = 5.0) -> Self:
        """Open for writing, making the file and its tables where they are missing.

        Raises sqlite3.Error where the file cannot be opened, schema.OtherSchema.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)
        try:
            schema.admit(connection)
            # FULL: the last commits survive a power cut, at some 0.2 ms each.
            connection.executescript(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                "PRAGMA journal_size_limit = 8388608;"
            )
            schema.prepare(connection)
        except BaseException:
            connection.close()
            raise
        return cls(connection, path)

    @classmethod
    def reader(cls, path: Path) -> Self:
        """Open read-only. Raises FileNotFoundError where there is no database yet, and
        schema.OtherSchema where another version has written it."""
        if not path.exists():
            raise FileNotFoundError(f"no database at {path} yet: `qrossover run` makes it")
        uri = f"{path.resolve().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, timeout=5.0, isolation_level=None)
        try:
            schema.require(connection)
        except BaseException:
            connection.close()
            raise
        return cls(connection, path)

    def close(self) -> None:
        """Close; the writer's last close folds the WAL into the file."""
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing of it. IMMEDIATE, so that a busy file is found at the start."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            self.numbers.forget()
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    # --- runs and readings -------------------------------------------------------------------

    def reserve(self, run: Run, reason: str = KILLED) -> Reserved:
        """Write down a run before it begins, inside the caller's transaction.

        Its row is skipped until it is settled: a run that is under way, or that was killed with
        the service, says nothing about its probe.
        """
        pending = replace(run, outcome="skipped", reason=reason)
        return Reserved(insert(self.connection, "runs", _run_row(pending)), pending)

    def record(
        self,
        run: Run,
        readings: Iterable[Reading],
        signals: Sequence[Signal],
        reserved: Reserved | None = None,
    ) -> int:
        """Store one run with its readings, inside the caller's transaction; the id of the run.

        It takes the place of what was reserved for it. A reading of the same moment as one in the
        history takes its place. Raises UnitChanged.
        """
        self.check_units(signals)
        number = self._settle(reserved, run) if reserved else self._insert_run(run)
        declared = {signal.name: self.numbers.signal(signal) for signal in signals}
        families: dict[str, str] = {}
        for reading in readings:
            if reading.family:
                families[reading.target] = reading.family
            self.connection.execute(
                "INSERT OR REPLACE INTO samples VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    self.numbers.series(declared[reading.signal], reading.target),
                    milliseconds(reading.at),
                    float(reading.value),  # an integer may be past SQLite's
                    reading.sigma,
                    reading.origin,
                    number,
                    reading.note,
                    self.numbers.setup(reading.setup),
                ),
            )
        self.connection.executemany(
            "INSERT INTO families VALUES (?, ?, ?) ON CONFLICT (target) DO UPDATE"
            " SET family = excluded.family, host = iif(excluded.host = '', host, excluded.host)"
            " WHERE (family, host) <> (excluded.family, excluded.host)",
            ((target, family, run.host) for target, family in families.items()),
        )
        return number

    def check_units(self, signals: Iterable[Signal]) -> None:
        """Raises UnitChanged for a signal that is declared in another unit than its history."""
        for signal in signals:
            found = self.connection.execute(
                "SELECT unit FROM signals WHERE name = ?", (signal.name,)
            ).fetchone()
            if found is not None and found["unit"] != signal.unit:
                raise UnitChanged(
                    f"signal {signal.name!r} is recorded in {found['unit']!r} and now declared in "
                    f"{signal.unit!r}: give the new one another name"
                )

    def _insert_run(self, run: Run) -> int:
        return insert(self.connection, "runs", _run_row(run))

    def _settle(self, reserved: Reserved, run: Run) -> int:
        row = _run_row(run)
        changes = ", ".join(f"{name} = ?" for name in row)
        # A damaged file may have been replaced since: the id may be free there, or another run's.
        cursor = self.connection.execute(
            f"UPDATE runs SET {changes} WHERE id = ? AND probe = ? AND started = ? AND reason = ?",  # noqa: S608 names are ours
            (
                *row.values(),
                reserved.id,
                reserved.run.probe,
                milliseconds(reserved.run.started),
                reserved.run.reason,
            ),
        )
        return reserved.id if cursor.rowcount else self._insert_run(run)

    def names(self, *, past: bool = False) -> list[tuple[str, str, str]]:
        """(signal, target, unit) of every series that has a reading; `past`: those too that only a
        backfill has written."""
        rows = self.connection.execute(
            "SELECT name, target, unit FROM series JOIN signals ON signals.id = series.signal"  # noqa: S608
            f" WHERE {'TRUE' if past else WATCHED} ORDER BY name, target"
        )
        return [(row["name"], row["target"], row["unit"]) for row in rows]

    def latest_times(self) -> dict[tuple[str, str], float]:
        """When the last reading of each (signal, target) was taken."""
        rows = self.connection.execute(
            "SELECT name, target,"
            " (SELECT max(at) FROM samples WHERE samples.series = series.id) AS at"
            " FROM series JOIN signals ON signals.id = series.signal"
        )
        return {
            (row["name"], row["target"]): row["at"] / 1000 for row in rows if row["at"] is not None
        }

    def window(
        self,
        signal: str,
        target: str,
        seconds: float = 0.0,
        readings: int = 1,
        accept: Container[str] = ORIGINS,
    ) -> Series:
        """The end of one series, accepted origins alone: back to the `readings`-th one that is
        `seconds` older than the last. Where none is accepted, the last one that is refused."""
        head = self.numbers.head(signal, target)
        if head is None:
            return Series(signal, "", target)
        number, unit = head
        accepted = [origin for origin in ORIGINS if origin in accept]
        refused = [origin for origin in ORIGINS if origin not in accept]
        kept: list[Reading] = []
        edge, older = 0.0, 0
        for reading in self._backwards(number, signal, target, accepted):
            if not kept:
                edge = reading.at - seconds
            kept.append(reading)
            older += reading.at <= edge
            if older >= readings:
                break
        found = kept or list(islice(self._backwards(number, signal, target, refused), 1))
        return Series(signal, unit, target, tuple(reversed(found)))

    def _backwards(
        self, series: int, signal: str, target: str, origins: Sequence[Origin]
    ) -> Iterator[Reading]:
        wanted = f"series = ? AND origin IN ({', '.join('?' for _ in origins)})"
        rows = self.connection.execute(
            "SELECT at, value, sigma, origin, note, setup FROM samples"  # noqa: S608
            f" WHERE {wanted} ORDER BY at DESC",
            (series, *origins),
        )
        number, setup = None, ""
        for at, value, sigma, origin, note, of in rows:
            if of != number:  # neighbours share theirs
                number, setup = of, self.numbers.document(of)
            yield Reading(signal, target, value, origin, sigma, at / 1000, note, "", setup)

    def outcomes(self, probe: str, runs: int, seconds: float = 0.0) -> Series:
        """The ends of a probe's last runs as a series: 1 failed or timed out, 0 ok. A skipped run
        says nothing about the probe and is left out; a pass over a fleet is one run, which failed
        where it failed on any node."""
        rows = self.connection.execute(
            "SELECT outcome, reason, started, seconds FROM runs"
            " WHERE probe = ? AND outcome <> 'skipped' ORDER BY id DESC",
            (probe,),
        )
        kept: list[Reading] = []
        # the runs of one pass over a fleet began at one moment and were stored together
        for started, each in groupby(rows, key=lambda row: row["started"]):
            nodes = list(each)
            failed = [row for row in nodes if row["outcome"] != "ok"]
            at = round(started / 1000 + max(row["seconds"] for row in nodes), 3)
            why = "; ".join(row["reason"] for row in failed or nodes if row["reason"])
            kept.append(Reading("run", probe, float(bool(failed)), "measured", None, at, why))
            if len(kept) >= runs and at <= kept[0].at - seconds:
                break
        return Series("run", "1", probe, tuple(reversed(kept)))

    # --- standings ---------------------------------------------------------------------------

    def standings(self) -> list[Standing]:
        """Where every trigger stands on every target."""
        rows = self.connection.execute(f'{_SELECT} ORDER BY "trigger", target')
        return [_standing(row) for row in rows]

    def subjects(self) -> list[tuple[str, str, str]]:
        """(trigger, target, subject) of every standing."""
        rows = self.connection.execute(
            'SELECT "trigger", target, subject FROM standings ORDER BY "trigger", target'
        )
        return [tuple(row) for row in rows]

    def standings_of(self, trigger: str) -> list[Standing]:
        """Where one trigger stands on its targets."""
        rows = self.connection.execute(f'{_SELECT} WHERE "trigger" = ? ORDER BY target', (trigger,))
        return [_standing(row) for row in rows]

    def firing(self) -> list[Standing]:
        """The standings whose firing has been told and not resolved."""
        rows = self.connection.execute(f"{_SELECT} WHERE told = 'fires' AND alert IS NOT NULL")
        return [_standing(row) for row in rows]

    def unsaid(self) -> list[Standing]:
        """The standings of which something is the matter that has not been told."""
        rows = self.connection.execute(f"{_SELECT} WHERE told IS NOT NULL AND alert IS NULL")
        return [_standing(row) for row in rows]

    def standing(self, trigger: str, target: str) -> Standing | None:
        """Where one trigger stands on one target; None where it was never judged."""
        row = self.connection.execute(
            f'{_SELECT} WHERE "trigger" = ? AND target = ?', (trigger, target)
        ).fetchone()
        return None if row is None else _standing(row)

    def put(self, standing: Standing) -> None:
        """Store a standing in the place of the one before it."""
        row = [getattr(standing, name) for name in _STANDING]
        for place in _AT:
            if row[place] is not None:
                row[place] = milliseconds(row[place])
        self.connection.execute(_PUT, row)

    def drop(self, trigger: str, target: str) -> None:
        """Forget a standing: its trigger was renamed or deleted, or its target has a name now."""
        self.connection.execute(
            'DELETE FROM standings WHERE "trigger" = ? AND target = ?', (trigger, target)
        )


def _run_row(run: Run) -> dict[str, Any]:
    return {
        "probe": run.probe,
        "kind": run.kind,
        "outcome": run.outcome,
        "reason": run.reason,
        "started": milliseconds(run.started),
        "seconds": run.seconds,
        "usd": run.usd,
        "qpu_seconds": run.qpu_seconds,
        "settings": json.dumps(dict(run.settings)),
        "versions": json.dumps(dict(run.versions)),
        "payload": json.dumps(dict(run.payload)),
        "stderr": run.stderr,
        "host": run.host,
        "cause": run.cause,
    }


def _standing(row: sqlite3.Row) -> Standing:
    values = list(row)
    for place in _AT:
        if values[place] is not None:
            values[place] /= 1000
    return Standing(*values)
