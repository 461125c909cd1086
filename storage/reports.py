"""What reports, `/metrics` and other programs read: plain rows, read-only."""

import json
from collections.abc import Iterable
from typing import Any

from storage.ledger import OPEN
from storage.past import WATCHED
from storage.store import Store, milliseconds
from storage.types import Reading

READING = ("signal", "target", "at", "value", "sigma", "unit", "origin", "probe", "run", "note")
_SELECT = f"SELECT {', '.join(READING)}, setup FROM readings"  # noqa: S608 the names are ours

_RUNS = (
    "SELECT id, probe, host, outcome, reason, cause, started, seconds, usd,"  # noqa: S608 ours
    f" (SELECT jobs.id FROM jobs WHERE jobs.run = runs.id AND {OPEN}) AS job FROM runs"
)


def readings(
    store: Store, signal: str = "*", target: str = "*", since: float = 0.0
) -> list[dict[str, Any]]:
    """Readings of the signals and targets that match two globs, since a moment, oldest first, each
    with its `setup` as an object, None where none is known."""
    rows = store.connection.execute(
        f"{_SELECT} WHERE signal GLOB ? AND target GLOB ? AND at_ms >= ?"
        " ORDER BY signal, target, at_ms",
        (signal, target, milliseconds(since)),
    )
    setups: dict[str | None, Any] = {None: None}  # few, and each is of many readings
    found = []
    for row in rows:
        if row["setup"] not in setups:
            setups[row["setup"]] = json.loads(row["setup"])
        found.append({name: row[name] for name in READING} | {"setup": setups[row["setup"]]})
    return found


def latest(store: Store) -> list[dict[str, Any]]:
    """The last reading of every series that is watched."""
    rows = store.connection.execute(
        # From the few series to their ends: the other way round every reading would be visited.
        f"SELECT {', '.join(f'r.{name}' for name in READING)}, at_ms"  # noqa: S608 ours
        " FROM (SELECT id, (SELECT max(at) FROM samples WHERE series = series.id) AS last"
        f"         FROM series WHERE {WATCHED}) AS ends"
        " CROSS JOIN readings AS r ON r.series_id = ends.id AND r.at_ms = ends.last"
        " ORDER BY signal, r.target"
    )
    return [{name: row[name] for name in READING} | {"at_ms": row["at_ms"]} for row in rows]


def latest_of(store: Store, signal: str, *, past: bool = False) -> list[Reading]:
    """The last reading of one signal on each of its targets that is watched; `past`: on those too
    that only a backfill has written."""
    rows = store.connection.execute(
        "SELECT series.target, at, value, sigma, origin, note FROM signals"  # noqa: S608 ours
        " JOIN series ON series.signal = signals.id"
        " JOIN samples ON samples.series = series.id AND samples.at ="
        " (SELECT max(at) FROM samples WHERE series = series.id)"
        f" WHERE signals.name = ? AND {'TRUE' if past else WATCHED} ORDER BY series.target",
        (signal,),
    )
    return [
        Reading(signal, target, value, origin, sigma, at / 1000, note)
        for target, at, value, sigma, origin, note in rows
    ]


def runs(
    store: Store, *, failed: bool = False, most: int = 50, since_id: int = 0
) -> list[dict[str, Any]]:
    """The last runs, newest first; `failed` leaves only those that failed or timed out. `job` is
    the open job that a run waits for."""
    rows = store.connection.execute(
        f"{_RUNS} WHERE (outcome IN ('failed', 'timeout') OR NOT ?) AND id >= ?"
        " ORDER BY id DESC LIMIT ?",
        (failed, since_id, most),
    )
    return [{**row, "started": row["started"] / 1000} for row in map(dict, rows)]


def last_runs(store: Store) -> dict[str, tuple[str, float]]:
    """Outcome and end (seconds since the epoch, UTC) of each probe's last run."""
    rows = store.connection.execute(
        "SELECT probe, outcome, started, seconds FROM runs"
        " WHERE id IN (SELECT max(id) FROM runs GROUP BY probe)"
    )
    return {
        row["probe"]: (row["outcome"], round(row["started"] / 1000 + row["seconds"], 3))
        for row in rows
    }


def outcomes(store: Store) -> list[tuple[str, str, int]]:
    """(probe, outcome, how many runs) over the whole history."""
    rows = store.connection.execute(
        "SELECT probe, outcome, count(*) FROM runs GROUP BY probe, outcome"
    )
    return [(row[0], row[1], row[2]) for row in rows]


def count(store: Store) -> int:
    """How many readings are stored."""
    return int(store.connection.execute("SELECT count(*) FROM samples").fetchone()[0])


def has_all(store: Store, readings: Iterable[Reading]) -> bool:
    """Whether every one of these is in the history, at its moment and with its value."""
    found = (
        store.connection.execute(
            "SELECT 1 FROM readings WHERE signal = ? AND target = ? AND at_ms = ? AND value = ?",
            (reading.signal, reading.target, milliseconds(reading.at), reading.value),
        ).fetchone()
        for reading in readings
    )
    return all(row is not None for row in found)
