"""What the other devices of a node measured last."""

from dataclasses import replace

import pytest
from storage_examples import SPEED, START, reading, run

from storage.peers import PEERS, peers
from storage.store import Store
from storage.types import Reading, Signal

HOT = Signal("gpu.heat", "W", "neither", "how hot it is")


def measured(store: Store, host: str, *readings: Reading) -> None:
    with store.transaction():
        store.record(run(host=host), readings, [SPEED, HOT])


def on(target: str, value: float, **more: object) -> Reading:
    return replace(reading(value, target=target, family="H100"), **more)


def found(store: Store, target: str = "a", signal: str = SPEED.name) -> dict[str, float]:
    return {one.target: one.value for one in peers(store, signal, target)}


@pytest.fixture
def node(store: Store) -> Store:
    """Three H100 and an A100 on one host, an H100 on another."""
    measured(store, "node1", on("a", 1.0), on("b", 2.0), on("c", 3.0))
    measured(store, "node1", on("old", 4.0, family="A100"))
    measured(store, "node2", on("far", 5.0))
    return store


def test_they_are_of_one_family_on_one_host(node: Store) -> None:
    assert found(node) == {"b": 2.0, "c": 3.0}
    assert found(node, "old") == {}
    assert found(node, "far") == {}
    assert found(node, "unknown") == {}


def test_they_come_whole(node: Store) -> None:
    taken = on("b", 7.0, at=START + 5.0, sigma=0.5, note="throttled", setup='{"driver": "1"}')
    measured(node, "node1", taken)
    assert peers(node, SPEED.name, "a")[0] == taken


def test_the_last_measured_reading_counts(node: Store) -> None:
    measured(node, "node1", on("b", 8.0, at=START + 60.0))
    measured(node, "node1", on("b", 9.0, at=START + 120.0, origin="simulated"))
    assert found(node)["b"] == 8.0


def test_each_signal_has_its_own(node: Store) -> None:
    measured(node, "node1", on("b", 650.0, signal=HOT.name))
    assert found(node, signal=HOT.name) == {"b": 650.0}
    assert found(node, signal="gpu.unknown") == {}


def test_a_device_that_has_moved_is_where_it_was_seen_last(node: Store) -> None:
    measured(node, "node2", on("b", 2.5, at=START + 60.0))
    assert found(node) == {"c": 3.0}
    assert found(node, "far") == {"b": 2.5}


def test_a_run_that_does_not_say_where_it_ran_moves_nothing(node: Store) -> None:
    measured(node, "", on("b", 2.5, at=START + 60.0), on("nowhere", 1.0), on("nor", 1.0))
    assert found(node) == {"b": 2.5, "c": 3.0}
    assert found(node, "nowhere") == {}


def test_they_are_found_without_a_look_at_every_device(store: Store) -> None:
    plan = store.connection.execute(f"EXPLAIN QUERY PLAN {PEERS}", (SPEED.name, "a")).fetchall()
    steps = [row["detail"] for row in plan]
    assert not [step for step in steps if step.startswith("SCAN")], steps
