"""Long stretches of the past as columns."""

from pathlib import Path

import pytest
from storage_examples import SPEED, START, reading, run

from storage import history
from storage.store import Store
from storage.types import ORIGINS, Origin, Outcome

PLAIN = tuple(origin for origin in ORIGINS if origin != "simulated")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.writer(tmp_path / "q.db")


def record(store: Store, *offsets: float, origin: Origin = "measured", value: float = 1.0) -> None:
    """One run with a reading at each of these seconds after START."""
    readings = [reading(value + n, at=START + n, origin=origin) for n in offsets]
    with store.transaction():
        store.record(run(started=START + offsets[0]), readings, [SPEED])


def seconds(found: history.Stretch) -> list[float]:
    return [round(float(at) - START, 3) for at in found.at]


def read(store: Store, **more: object) -> history.Stretch:
    options = {"until": START + 1e6} | more
    return history.readings(store, SPEED.name, "gpu0", PLAIN, **options)  # type: ignore[arg-type]


def test_columns_come_in_order_with_their_unit(store: Store) -> None:
    for offset in (5.001, 1, 3):
        record(store, offset)
    found = read(store)
    assert seconds(found) == [1, 3, 5.001]
    assert found.value.tolist() == [2, 4, 6.001]
    assert found.ends.tolist() == [0, 1, 2]
    assert (found.unit, found.refused) == ("token/s", 0)


def test_the_readings_of_one_run_are_one_batch(store: Store) -> None:
    record(store, 1, 2, 3)
    record(store, 4)
    record(store, 5, 6)
    assert read(store).ends.tolist() == [2, 3, 5]


def test_runs_whose_numbers_look_alike_are_told_apart(store: Store) -> None:
    record(store, 1)
    with store.transaction():
        for _ in range(history.TAGS - 1):
            store.record(run(), [], [SPEED])
    record(store, 2)
    runs = [row[0] for row in store.connection.execute("SELECT run FROM samples ORDER BY at")]
    assert runs[1] - runs[0] == history.TAGS
    assert read(store).ends.tolist() == [0, 1]


def test_what_is_not_accepted_is_left_out_and_counted(store: Store) -> None:
    record(store, 1, origin="simulated")
    record(store, 2)
    record(store, 3, origin="simulated")
    found = read(store)
    assert (seconds(found), found.refused) == ([2], 2)
    assert read(store, since=START + 2).refused == 1
    assert seconds(history.readings(store, SPEED.name, "gpu0", ORIGINS, until=START + 9)) == [
        1,
        2,
        3,
    ]


def test_a_stretch_begins_as_far_before_as_is_asked_for(store: Store) -> None:
    for offset in range(10):
        record(store, offset)
    since = START + 6
    assert seconds(read(store, since=since)) == [6, 7, 8, 9]
    assert seconds(read(store, since=since, before=(2.0, 0))) == [4, 5, 6, 7, 8, 9]
    assert seconds(read(store, since=since, before=(2.0, 1)))[0] == 3
    assert seconds(read(store, since=since, before=(0.0, 99)))[0] == 0
    assert seconds(read(store, since=since, until=START + 7)) == [6, 7]


def test_nothing_is_nothing(store: Store) -> None:
    found = read(store)
    assert (seconds(found), found.ends.tolist(), found.unit) == ([], [], "")
    record(store, 1, origin="simulated")
    assert (seconds(read(store)), read(store).ends.tolist(), read(store).refused) == ([], [], 1)


def test_the_ends_of_runs(store: Store) -> None:
    outcomes: tuple[Outcome, ...] = ("ok", "failed", "skipped", "timeout")
    with store.transaction():
        for minute, outcome in enumerate(outcomes):
            started = START + 60 * minute
            store.record(run(outcome=outcome, reason=outcome, started=started), [], [SPEED])
    found = history.runs(store, "training", until=START + 1e6, before=(0.0, 0))
    assert seconds(found) == [2.5, 62.5, 182.5]
    assert found.value.tolist() == [0, 1, 1]
    assert found.notes == ("ok", "failed", "timeout")
    cut = history.runs(store, "training", since=START + 100, until=START + 150, before=(0.0, 1))
    assert seconds(cut) == [62.5]


def test_where_a_reading_came_from(store: Store) -> None:
    record(store, 1, origin="vendor")
    assert history.origin(store, SPEED.name, "gpu0", START + 1) == "vendor"
    assert history.origin(store, SPEED.name, "gpu0", START + 2) is None


def made(store: Store, *setups: str, origin: Origin = "measured") -> None:
    with store.transaction():
        for offset, setup in enumerate(setups):
            one = reading(at=START + offset, setup=setup, origin=origin)
            store.record(run(started=START + offset), [one], [SPEED])


def setups(store: Store) -> tuple[str, ...]:
    return history.setups(store, SPEED.name, "gpu0", read(store).at)


def test_one_setup_is_not_told_reading_by_reading(store: Store) -> None:
    assert setups(store) == ()
    made(store, "A", "A", "A")
    assert setups(store) == ()


@pytest.mark.parametrize("others", [("A", "B", "A"), ("", "A", "A"), ("A", "A", "")])
def test_several_setups_come_reading_by_reading(store: Store, others: tuple[str, ...]) -> None:
    made(store, *others)
    assert setups(store) == others


def test_setups_are_those_of_the_readings_that_are_asked_for(store: Store) -> None:
    made(store, "A", "B", "C")
    assert history.setups(store, SPEED.name, "gpu0", read(store).at[1:]) == ("B", "C")
