import sqlite3
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path

import pytest
from storage_examples import START, alert

from storage.outbox import Outbox
from storage.store import Store
from storage.types import Standing

NEW = Standing("slow", "gpu0", "no-data", since=START, created=START)


def full(store: Store) -> Standing:
    """A standing that has something in every field."""
    with store.transaction():
        number = Outbox(store).owe(alert("key"))
    return Standing(
        trigger="slow",
        target="gpu0",
        state="firing",
        since=START + 0.123,
        created=START,
        last_true=START + 0.456,
        value=0.1 + 0.2,
        threshold=1 / 3,
        unit="token/s",
        origin="measured",
        read_at=START + 0.789,
        baseline=-1e-300,
        why="because",
        told="fires",
        alert=number,
        reminded=START + 1e-3,
        subject="drops gpu.training.tokens_per_second",
        acknowledged_by="ada",
        acknowledged_at=START + 2.5,
        snoozed_until=START + 86400.25,
        spread=0.1 + 0.7,
        setup='{"driver": "570.86"}',
    )


def test_a_standing_comes_back_to_the_last_bit_after_a_restart(path: Path) -> None:
    with closing(Store.writer(path)) as store:
        before = full(store)
        store.put(before)
        store.put(replace(NEW, target="gpu1"))
    with closing(Store.writer(path)) as store:
        assert store.standing("slow", "gpu0") == before
        assert store.standing("slow", "gpu1") == replace(NEW, target="gpu1")
    assert all(getattr(before, field.name) not in (None, "") for field in fields(before))


def test_a_trigger_that_was_never_judged_stands_nowhere(store: Store) -> None:
    assert store.standing("slow", "gpu0") is None
    assert store.standings() == []


def test_a_standing_takes_the_place_of_the_one_before(store: Store) -> None:
    store.put(full(store))
    store.put(NEW)
    assert store.standings() == [NEW]


def test_standings_are_listed_by_trigger_and_target(store: Store) -> None:
    made = [
        replace(NEW, trigger=trigger, target=target)
        for trigger, target in (("slow", "gpu1"), ("slow", "gpu0"), ("hot", "gpu9"))
    ]
    for standing in made:
        store.put(standing)
    assert store.standings() == [made[2], made[1], made[0]]
    assert store.standings_of("slow") == [made[1], made[0]]
    assert store.standings_of("unknown") == []


def test_the_firing_are_those_whose_alert_is_open(store: Store) -> None:
    firing = full(store)
    store.put(firing)
    store.put(replace(NEW, target="gpu1", told="no-data"))
    store.put(replace(NEW, target="gpu2", state="pending"))
    assert store.firing() == [firing]


def test_a_standing_that_is_dropped_is_forgotten(store: Store) -> None:
    store.put(NEW)
    store.put(replace(NEW, target="gpu1"))
    store.drop("slow", "gpu0")
    assert [standing.target for standing in store.standings()] == ["gpu1"]


def test_an_alert_that_does_not_exist_is_refused(store: Store) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        store.put(replace(NEW, alert=7))
