"""Runs and readings: what is stored, what is refused, and what a reader sees."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from storage_examples import SPEED, START, reading, run

from storage.store import KILLED, Store, UnitChanged
from storage.types import Reading, Run, Signal

LOSS = Signal("gpu.loss", "1", "lower", "how wrong it is")


def stored(store: Store, *readings: Reading, of: Run | None = None) -> int:
    with store.transaction():
        return store.record(of or run(), readings, [SPEED, LOSS])


def rows(store: Store, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in store.connection.execute(query)]


def test_a_run_is_stored_with_all_that_makes_it_repeatable(store: Store) -> None:
    number = stored(
        store,
        of=run(
            outcome="failed",
            reason="out of memory",
            usd=0.25,
            qpu_seconds=1.5,
            settings={"seed": 7},
            versions={"torch": "2.6"},
            payload={"counts": {"00": 51}},
            stderr="Traceback",
        ),
    )
    [row] = store.connection.execute("SELECT * FROM runs")
    found = dict(row)
    assert (found["id"], found["started"], found["seconds"]) == (number, 1_700_000_000_000, 2.5)
    assert (found["outcome"], found["reason"], found["stderr"]) == (
        "failed",
        "out of memory",
        "Traceback",
    )
    kept = {name: json.loads(found[name]) for name in ("settings", "versions", "payload")}
    assert kept == {
        "settings": {"seed": 7},
        "versions": {"torch": "2.6"},
        "payload": {"counts": {"00": 51}},
    }


def test_a_reading_comes_back_as_it_was(store: Store) -> None:
    taken = reading(1.1, sigma=0.3, origin="vendor", note="throttled: µ", at=START + 0.123)
    stored(store, taken)
    series = store.window(SPEED.name, "gpu0")
    assert series.readings == (taken,)
    assert (series.signal, series.target, series.unit) == (SPEED.name, "gpu0", "token/s")


@pytest.mark.parametrize("value", [10**30, 2**63, 3, 1e308, 5e-324, -1.5])
def test_any_number_is_a_real_in_the_file(store: Store, value: float) -> None:
    stored(store, reading(value))
    assert rows(store, "SELECT value, typeof(value) FROM samples") == [(float(value), "real")]


def test_series_are_apart_by_signal_and_target(store: Store) -> None:
    stored(store, reading(1), reading(2, target="gpu1"), reading(3, signal=LOSS.name))
    stored(store, reading(4, at=START + 1))
    assert store.names() == [
        ("gpu.loss", "gpu0", "1"),
        ("gpu.speed", "gpu0", "token/s"),
        ("gpu.speed", "gpu1", "token/s"),
    ]
    assert store.window(SPEED.name, "gpu1").readings[0].value == 2


def test_a_reading_of_the_same_moment_takes_the_place_of_the_first(store: Store) -> None:
    # A vendor's calibration is polled again and again, with the vendor's time.
    stored(store, reading(1, origin="vendor"))
    second = stored(store, reading(2, origin="vendor"))
    assert rows(store, "SELECT value, run FROM readings") == [(2.0, second)]


def test_a_signal_keeps_its_unit_for_ever(store: Store) -> None:
    stored(store, reading())
    changed = replace(SPEED, unit="token/h")
    with pytest.raises(UnitChanged, match=r"recorded in 'token/s' and now declared in 'token/h'"):
        store.check_units([LOSS, changed])
    with pytest.raises(UnitChanged), store.transaction():
        store.record(run(), [reading(at=START + 1)], [changed])
    assert rows(store, "SELECT count(*) FROM runs") == [(1,)]


def test_what_a_signal_says_of_itself_may_change(store: Store) -> None:
    stored(store, reading())
    with store.transaction():
        store.record(run(), [], [replace(SPEED, better="neither", help="new words")])
    assert rows(store, "SELECT better, help FROM signals WHERE name = 'gpu.speed'") == [
        ("neither", "new words")
    ]


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    stored(store, reading())
    with pytest.raises(KeyError, match="undeclared"):
        stored(store, reading(2, at=START + 1), reading(signal="undeclared"))
    assert rows(store, "SELECT count(*) FROM runs") == [(1,)]
    assert rows(store, "SELECT value FROM samples") == [(1.0,)]
    stored(store, reading(3, at=START + 2))  # and the next one goes well


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (START, "2023-11-14T22:13:20.000Z"),
        (START + 0.007, "2023-11-14T22:13:20.007Z"),
        (START + 0.999, "2023-11-14T22:13:20.999Z"),
        (0.0, "1970-01-01T00:00:00.000Z"),
        (253402300799.999, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_the_view_says_times_as_people_read_them(store: Store, at: float, said: str) -> None:
    number = stored(store, reading(1.5, sigma=0.5, note="n", at=at))
    columns = "signal, target, at, value, sigma, unit, origin, probe, run, note"
    assert rows(store, f"SELECT {columns} FROM readings") == [
        ("gpu.speed", "gpu0", said, 1.5, 0.5, "token/s", "measured", "training", number, "n")
    ]


def test_when_each_series_was_last_read(store: Store) -> None:
    assert store.latest_times() == {}
    stored(store, reading(at=START + 5), reading(at=START), reading(at=0.0, target="gpu1"))
    assert store.latest_times() == {
        ("gpu.speed", "gpu0"): START + 5,
        ("gpu.speed", "gpu1"): 0.0,
    }


def test_a_reserved_run_is_settled_in_its_place(store: Store) -> None:
    paid = run(usd=2.0, qpu_seconds=3.0)
    with store.transaction():
        reserved = store.reserve(paid)
    assert rows(store, "SELECT id, outcome, reason, usd FROM runs") == [
        (reserved.id, "skipped", KILLED, 2.0)
    ]
    with store.transaction():
        later = replace(paid, started=START + 5, seconds=7.0, usd=0.5)
        assert store.record(later, [reading()], [SPEED], reserved) == reserved.id
    assert rows(store, "SELECT outcome, reason, seconds, usd FROM runs") == [("ok", "", 7.0, 0.5)]
    assert rows(store, "SELECT run FROM samples") == [(reserved.id,)]


def test_a_reservation_that_a_rescue_has_lost_is_stored_anew(store: Store) -> None:
    with store.transaction():
        reserved = store.reserve(run(usd=2.0))
        store.connection.execute("DELETE FROM runs")
    other = stored(store, of=run(probe="other"))
    assert other == reserved.id
    with store.transaction():
        number = store.record(run(usd=2.0), (), [SPEED], reserved)
    found = rows(store, "SELECT id, probe FROM runs ORDER BY id")
    assert found == [(other, "other"), (number, "training")]


def test_outcomes_are_a_series_without_the_skipped(store: Store) -> None:
    assert store.outcomes("training", 5).readings == ()
    for minute, outcome in enumerate(("ok", "failed", "skipped", "timeout", "ok")):
        ended = run(outcome=outcome, reason=f"it {outcome}", started=START + 60 * minute)
        stored(store, of=ended)
    stored(store, of=run(probe="other", outcome="failed"))
    series = store.outcomes("training", 5)
    assert [(r.value, r.note) for r in series.readings] == [
        (0, "it ok"),
        (1, "it failed"),
        (1, "it timeout"),
        (0, "it ok"),
    ]
    assert series.readings[0].at == START + 2.5  # a run is dated by its end
    assert (series.signal, series.target, series.unit) == ("run", "training", "1")


@pytest.mark.parametrize(
    ("runs", "seconds", "found"), [(1, 0, 1), (3, 0, 3), (1, 60, 2), (1, 61, 3), (4, 60, 4)]
)
def test_outcomes_reach_back_as_far_as_both_ask(
    store: Store, runs: int, seconds: float, found: int
) -> None:
    for minute in range(6):
        stored(store, of=run(started=START + 60 * minute))
    assert len(store.outcomes("training", runs, seconds).readings) == found


def test_a_probe_that_is_always_skipped_is_not_searched_through(store: Store) -> None:
    asked: list[str] = []
    store.connection.set_trace_callback(asked.append)
    store.outcomes("training", 5)
    store.connection.set_trace_callback(None)
    [plan] = store.connection.execute(f"EXPLAIN QUERY PLAN {asked[0]}")
    assert plan["detail"] == "SEARCH runs USING INDEX runs_not_skipped (probe=?)"


def test_a_reader_sees_what_is_committed_and_changes_nothing(path: Path, store: Store) -> None:
    with closing(Store.reader(path)) as reader:
        with store.transaction():
            store.record(run(), [reading()], [SPEED])
            assert reader.names() == []
        assert reader.names() == [("gpu.speed", "gpu0", "token/s")]
        with pytest.raises(sqlite3.OperationalError, match="readonly"), reader.transaction():
            reader.record(run(), [], [])


def test_a_reader_makes_no_database(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="`qrossover run` makes it"):
        Store.reader(tmp_path / "none.db")
    assert list(tmp_path.iterdir()) == []


def test_a_path_may_have_any_character(tmp_path: Path) -> None:
    odd = tmp_path / "100% sure? #1 & ünï.db"
    with closing(Store.writer(odd)) as store, closing(Store.reader(odd)) as reader:
        stored(store, reading())
        assert len(reader.names()) == 1
