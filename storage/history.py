"""Long stretches of the past, as columns: what a backtest reads. Only the command line uses it.

A service keeps millions of readings: a row is fetched as two floats, which takes a third of the
time of rows as objects. Integers past 2^30 cost Python more.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from storage.past import BACKFILL
from storage.store import Store, milliseconds
from storage.types import ORIGINS

TAGS = 31
"""Runs are told apart by their number modulo this. With it a moment up to the year 9999 still is an
exact double, and its quotient is rounded to no other number: 253402300800000 · 31 < 2^53."""
BLOCK = 100
"""So many rows are fetched at once: one by one takes a tenth longer, and more bring no more."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The accepted readings of one series, oldest first.

    `at` in seconds since the epoch; `ends` are the places of the last reading of each run;
    `refused` counts the readings from `since` on whose origin is not accepted; `notes` are the
    reasons of runs, and empty for a series of readings.
    """

    unit: str
    target: str
    at: NDArray[np.float64]
    value: NDArray[np.float64]
    ends: NDArray[np.intp]
    refused: int = 0
    notes: tuple[str, ...] = ()


def readings(
    store: Store,
    signal: str,
    target: str,
    accept: Container[str],
    *,
    since: float = 0.0,
    until: float,
    before: tuple[float, int] = (0.0, 0),
) -> Stretch:
    """The readings of a series from `since` to `until`, and `before` them so many seconds and
    then so many readings."""
    number, unit = _series(store, signal, target)
    refused = [origin for origin in ORIGINS if origin not in accept]
    span = (number, _start(store, number, refused, since, before), milliseconds(until))
    code, value = _columns(store, span, refused)
    at = np.floor(code / TAGS)
    counts = np.isfinite(value)
    late = int(np.count_nonzero(~counts & (at >= milliseconds(since))))
    tag = (code - at * TAGS)[counts]
    if np.any(tag[1:] == tag[:-1]):  # one run, or two whose numbers happen to be alike
        tag = _runs(store, span)[counts]
    last = np.append(np.flatnonzero(tag[1:] != tag[:-1]), len(tag) - 1)
    ends = last if len(tag) else np.zeros(0, dtype=np.intp)
    return Stretch(unit, target, at[counts] / 1000, value[counts], ends, late)


def ended(store: Store, signal: str, target: str, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """When the runs ended that brought the readings of these moments: that is when they were
    judged. What a backfill brought counts as if it had been read at its own time."""
    if not len(at):
        return at
    number, _ = _series(store, signal, target)
    cursor = store.connection.cursor()
    cursor.row_factory = None
    cursor.execute(
        f"SELECT at, iif(probe = '{BACKFILL}', at, started + round(seconds * 1000))"  # noqa: S608
        " FROM samples JOIN runs ON runs.id = samples.run"
        " WHERE series = ? AND at BETWEEN ? AND ? ORDER BY at",
        (number, milliseconds(float(at[0])), milliseconds(float(at[-1]))),
    )
    table = np.fromiter(chain.from_iterable(cursor), dtype=np.float64).reshape(-1, 2)
    places = np.searchsorted(table[:, 0], np.rint(at * 1000))
    found: NDArray[np.float64] = np.maximum.accumulate(table[places, 1]) / 1000
    return found


def setups(store: Store, signal: str, target: str, at: NDArray[np.float64]) -> tuple[str, ...]:
    """What the readings of these moments were made with, one by one; nothing where all were made
    with the same, as nearly always."""
    if not len(at):
        return ()
    span = (_series(store, signal, target)[0], milliseconds(at[0]), milliseconds(at[-1]))
    within = "FROM samples WHERE series = ? AND at BETWEEN ? AND ?"
    [first] = store.connection.execute(
        f"SELECT setup {within} ORDER BY at LIMIT 1", span
    ).fetchone()
    other = f"SELECT 1 {within} AND setup IS NOT ? LIMIT 1"
    if store.connection.execute(other, (*span, first)).fetchone() is None:
        return ()
    known = dict(store.connection.execute("SELECT id, document FROM setups").fetchall())
    rows = store.connection.execute(f"SELECT at, setup {within} ORDER BY at", span)
    made_with = {moment: known.get(number, "") for moment, number in rows}
    return tuple(made_with[moment] for moment in np.rint(at * 1000).astype(int).tolist())


def runs(
    store: Store, probe: str, *, since: float = 0.0, until: float, before: tuple[float, int]
) -> Stretch:
    """The ends of a probe's runs from `since` to `until`, 1 where one failed, and some before.
    Skipped ones say nothing."""
    rows = store.connection.execute(
        "SELECT outcome, reason, started, seconds FROM runs"
        " WHERE probe = ? AND outcome <> 'skipped' ORDER BY id",
        (probe,),
    ).fetchall()
    found = [
        (round(row["started"] / 1000 + row["seconds"], 3), row["outcome"] != "ok", row["reason"])
        for row in rows
    ]
    found = [row for row in found if row[0] <= until]
    seconds, count = before
    older = sum(at < since - seconds for at, _, _ in found)
    kept = found[max(0, older - count) :]
    return Stretch(
        "1",
        probe,
        np.array([row[0] for row in kept], dtype=float),
        np.array([row[1] for row in kept], dtype=float),
        np.arange(len(kept)),
        0,
        tuple(row[2] for row in kept),
    )


def origin(store: Store, signal: str, target: str, at: float) -> str | None:
    """Where the reading of one moment came from."""
    row = store.connection.execute(
        "SELECT origin FROM samples WHERE series = ? AND at = ?",
        (_series(store, signal, target)[0], milliseconds(at)),
    ).fetchone()
    return None if row is None else str(row["origin"])


def told(store: Store, trigger: str, since: float, until: float) -> list[tuple[str, float]]:
    """(target, moment) of each alert that said that a trigger fires."""
    rows = store.connection.execute(
        "SELECT target, created FROM alerts"
        " WHERE \"trigger\" = ? AND kind = 'fires' AND created BETWEEN ? AND ? ORDER BY id",
        (trigger, milliseconds(since), milliseconds(until)),
    )
    return [(row["target"], row["created"] / 1000) for row in rows]


def first_judged(store: Store, trigger: str) -> float | None:
    """Since when a trigger has been judged by a service; None where it never was."""
    row = store.connection.execute(
        'SELECT min(created) AS created FROM standings WHERE "trigger" = ?', (trigger,)
    ).fetchone()
    return None if row["created"] is None else row["created"] / 1000


def _series(store: Store, signal: str, target: str) -> tuple[int, str]:
    """Id and unit of a series; 0 where there is none."""
    row = store.connection.execute(
        "SELECT series.id, unit FROM series JOIN signals ON signals.id = series.signal"
        " WHERE name = ? AND target = ?",
        (signal, target),
    ).fetchone()
    return (0, "") if row is None else (row[0], row[1])


def _start(
    store: Store, series: int, refused: Sequence[str], since: float, before: tuple[float, int]
) -> int:
    """Where to begin, so that as much comes before `since` as is asked for."""
    seconds, count = before
    edge = milliseconds(max(0.0, since - seconds))
    if not count:
        return edge
    row = store.connection.execute(
        f"SELECT at FROM samples WHERE series = ? AND at < ? AND origin NOT IN ({_marks(refused)})"  # noqa: S608
        " ORDER BY at DESC LIMIT 1 OFFSET ?",
        (series, edge, *refused, count - 1),
    ).fetchone()
    return 0 if row is None else int(row["at"])


def _columns(
    store: Store, span: tuple[int, int, int], refused: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Moments with the tag of their run, and values: infinity where the origin is refused."""
    shown = f"iif(origin IN ({_marks(refused)}), 9e999, value)" if refused else "value"
    table = _numbers(
        store,
        f"SELECT at * {TAGS}.0 + run % {TAGS}, {shown} FROM samples"  # noqa: S608 marks and ours
        " WHERE series = ? AND at BETWEEN ? AND ? ORDER BY at",
        (*refused, *span),
    ).reshape(-1, 2)
    return np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1])


def _runs(store: Store, span: tuple[int, int, int]) -> NDArray[np.float64]:
    return _numbers(
        store, "SELECT run FROM samples WHERE series = ? AND at BETWEEN ? AND ? ORDER BY at", span
    )


def _numbers(store: Store, query: str, values: Sequence[object]) -> NDArray[np.float64]:
    """Every number of every row, one after the other."""
    cursor = store.connection.cursor()
    cursor.row_factory = None  # plain tuples
    cursor.arraysize = BLOCK
    cursor.execute(query, tuple(values))
    blocks = iter(cursor.fetchmany, [])
    rows = chain.from_iterable(blocks)
    return np.fromiter(chain.from_iterable(rows), dtype=np.float64)


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" for _ in values)
