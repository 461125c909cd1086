"""The plain rows that reports and `/metrics` are made of."""

from typing import Any

import pytest
from storage_examples import SPEED, START, reading, run

from storage import reports
from storage.store import Store
from storage.types import Signal

HEAT = Signal("gpu.heat", "°C", "lower", "how hot it is")


@pytest.fixture
def filled(store: Store) -> Store:
    """Three minutes of two signals on two targets, the readings of a minute in one run."""
    for minute in range(3):
        at = START + 60 * minute
        taken = [
            reading(minute + 10 * gpu, at=at, signal=signal.name, target=f"gpu{gpu}")
            for signal in (SPEED, HEAT)
            for gpu in range(2)
        ]
        with store.transaction():
            store.record(run(started=at), taken, [SPEED, HEAT])
    return store


def brief(rows: list[dict[str, Any]]) -> list[tuple[str, str, float]]:
    return [(row["signal"], row["target"], row["value"]) for row in rows]


def test_readings_by_glob_and_moment_oldest_first(filled: Store) -> None:
    assert len(reports.readings(filled)) == reports.count(filled) == 12
    assert brief(reports.readings(filled, "gpu.h*", "gpu1", since=START + 60)) == [
        ("gpu.heat", "gpu1", 11),
        ("gpu.heat", "gpu1", 12),
    ]
    [row] = reports.readings(filled, "gpu.heat", "gpu0", since=START + 120)
    assert tuple(row) == (*reports.READING, "setup")
    assert row["setup"] is None
    assert (row["at"], row["unit"], row["run"]) == ("2023-11-14T22:15:20.000Z", "°C", 3)


def test_readings_have_their_setups_as_objects(filled: Store) -> None:
    known = reading(5, at=START + 180, setup='{"kind": "gpu.speed", "limit": 700}')
    with filled.transaction():
        filled.record(run(), [known], [SPEED])
    rows = reports.readings(filled, SPEED.name, "gpu0", since=START + 120)
    assert [row["setup"] for row in rows] == [None, {"kind": "gpu.speed", "limit": 700}]


def test_the_latest_of_every_series(filled: Store) -> None:
    assert brief(reports.latest(filled)) == [
        ("gpu.heat", "gpu0", 2),
        ("gpu.heat", "gpu1", 12),
        ("gpu.speed", "gpu0", 2),
        ("gpu.speed", "gpu1", 12),
    ]
    assert {row["at_ms"] for row in reports.latest(filled)} == {1_700_000_120_000}


def test_what_only_a_backfill_brought_is_no_present_value(filled: Store) -> None:
    past = run(probe="backfill", settings={"device": "gpu9"}, started=START)
    with filled.transaction():
        filled.record(past, [reading(5, at=START, target="gpu9", signal=SPEED.name)], [SPEED])
    assert [one.target for one in reports.latest_of(filled, SPEED.name)] == ["gpu0", "gpu1"]
    with filled.transaction():
        now = [reading(6, at=START + 60, target="gpu9", signal=SPEED.name)]
        filled.record(run(started=START + 60), now, [SPEED])
    assert [one.value for one in reports.latest_of(filled, SPEED.name)] == [2, 12, 6]


def test_the_latest_is_found_from_the_series_and_not_from_every_reading(filled: Store) -> None:
    seen: list[str] = []
    filled.connection.set_trace_callback(seen.append)
    reports.latest(filled)
    filled.connection.set_trace_callback(None)
    plan = [row["detail"] for row in filled.connection.execute(f"EXPLAIN QUERY PLAN {seen[0]}")]
    assert not [line for line in plan if line.startswith("SCAN samples")]


def test_runs_newest_first(store: Store) -> None:
    outcomes = ("ok", "failed", "skipped", "timeout")
    with store.transaction():
        for number, outcome in enumerate(outcomes):
            store.record(run(outcome=outcome, started=START + number), [], [])
    assert [row["outcome"] for row in reports.runs(store)] == list(reversed(outcomes))
    assert [row["outcome"] for row in reports.runs(store, failed=True)] == ["timeout", "failed"]
    assert [row["id"] for row in reports.runs(store, most=2)] == [4, 3]
    assert reports.runs(store)[0]["started"] == START + 3
    assert sorted(reports.outcomes(store)) == [
        ("training", outcome, 1) for outcome in sorted(outcomes)
    ]


def test_the_last_run_of_each_probe_with_its_end(store: Store) -> None:
    assert reports.last_runs(store) == {}
    with store.transaction():
        store.record(run(outcome="failed"), [], [])
        store.record(run(started=START + 60), [], [])
        store.record(run(probe="other", outcome="timeout", seconds=0.125), [], [])
    assert reports.last_runs(store) == {
        "training": ("ok", START + 62.5),
        "other": ("timeout", START + 0.125),
    }
