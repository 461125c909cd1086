"""How much of a series a judgement gets to see."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from storage_examples import SPEED, START, reading, run

from storage import schema
from storage.store import Store
from storage.types import ORIGINS, Origin, Reading


def in_memory() -> Store:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.prepare(connection)
    return Store(connection, Path(":memory:"))


def expected(
    taken: list[Reading], seconds: float, readings: int, accept: list[Origin]
) -> list[Reading]:
    """The same by trying every length."""
    accepted = [one for one in taken if one.origin in accept]
    if not accepted:
        return taken[-1:]
    for length in range(1, len(accepted) + 1):
        end = accepted[-length:]
        if sum(one.at <= end[-1].at - seconds for one in end) >= readings:
            return end
    return accepted


SAMPLES = st.dictionaries(st.integers(0, 40), st.sampled_from(ORIGINS), max_size=25)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    SAMPLES,
    st.sampled_from((0.0, 0.5, 1.0, 7.0, 100.0)),
    st.integers(1, 8),
    st.lists(st.sampled_from(ORIGINS), unique=True),
)
def test_the_window_is_what_trying_every_length_finds(
    samples: dict[int, Origin], seconds: float, readings: int, accept: list[Origin]
) -> None:
    taken = [reading(index, at=START + index, origin=samples[index]) for index in sorted(samples)]
    with closing(in_memory()) as store:
        store.record(run(), taken, [SPEED])
        found = store.window(SPEED.name, "gpu0", seconds, readings, accept).readings
    assert list(found) == expected(taken, seconds, readings, accept)
    accepted = [one for one in taken if one.origin in accept]
    if len(found) < len(accepted):
        assert len(found) >= readings
        assert found[0].at <= found[-1].at - seconds


def test_a_series_that_does_not_exist_is_empty(store: Store) -> None:
    found = store.window("gpu.speed", "gpu0")
    assert (found.readings, found.unit, found.target) == ((), "", "gpu0")


@pytest.mark.parametrize("accept", [("vendor",), ()])
def test_where_nothing_is_accepted_the_last_reading_says_what_there_is(
    store: Store, accept: tuple[Origin, ...]
) -> None:
    with store.transaction():
        taken = [reading(n, at=START + n, origin="simulated") for n in range(9)]
        store.record(run(), taken, [SPEED])
    assert store.window(SPEED.name, "gpu0", 5.0, 3, accept).readings == (taken[-1],)


def test_the_count_begins_where_the_seconds_end(store: Store) -> None:
    # A trigger with `for = "30m"` and a baseline of five readings needs five that are older than
    # the thirty minutes, however many lie within them.
    with store.transaction():
        store.record(run(), [reading(n, at=START + 60 * n) for n in range(100)], [SPEED])
    found = store.window(SPEED.name, "gpu0", seconds=1800, readings=5).readings
    assert [found[0].value, found[-1].value] == [65, 99]
