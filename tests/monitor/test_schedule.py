"""Whose clock a reload moves, and to when."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.config import ProbeEntry, parse
from monitor.schedule import Schedule

TABLES = """
[probe.one]
kind = "external.command"
argv = ["true"]
signals = { "test.one" = "1" }
every = "1h"
[probe.two]
kind = "external.command"
argv = ["true"]
signals = { "test.two" = "1" }
every = "6h"
"""


class Watched:
    """A schedule whose runs end when they are told to."""

    def __init__(self) -> None:
        self.begun: list[ProbeEntry] = []
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.came_to_nothing: list[int] = []
        self.schedule = Schedule(
            self._run, lambda _, event: self.came_to_nothing.append(event.code)
        )

    async def _run(self, entry: ProbeEntry) -> None:
        self.begun.append(entry)
        self.schedule.unheard.discard(entry.name)
        await self.may_end.wait()

    async def begins(self, count: int) -> list[str]:
        """The names of all runs, once so many have begun."""
        async with asyncio.timeout(30):
            while len(self.begun) < count:  # noqa: ASYNC110 the runs are its events
                await asyncio.sleep(0.01)
        return [entry.name for entry in self.begun]


@pytest.fixture
def probes(tmp_path: Path) -> Mapping[str, ProbeEntry]:
    return parse(tmp_path / "config.toml", TABLES.encode()).probes


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    found = Watched()
    yield found
    found.may_end.set()
    found.schedule.stop()


async def test_the_next_run_comes_one_interval_after_the_last(
    watched: Watched, probes: Mapping[str, ProbeEntry]
) -> None:
    watched.schedule.start(probes)
    planned = watched.schedule.next_at()
    # its first run is still to come
    watched.schedule.update({**probes, "two": replace(probes["two"], every=60.0)})
    assert watched.schedule.next_at() == planned
    assert await watched.begins(2) == ["one", "two"]
    planned = watched.schedule.next_at()
    one = {**probes, "two": replace(probes["two"], every=60.0)}
    for every in (7200.0, 60.0):
        watched.schedule.update({**one, "one": replace(probes["one"], every=every)})
        moved = watched.schedule.next_at()
        assert moved["one"] - planned["one"] == pytest.approx(every - 3600.0, abs=1e-3)
        assert moved["two"] == planned["two"]
    watched.schedule.update({**one, "one": replace(probes["one"], every=0.2)})
    assert (await watched.begins(4))[2:] == ["one", "one"]
    assert watched.came_to_nothing == []


async def test_a_probe_that_is_removed_ends_and_may_come_back(
    watched: Watched, probes: Mapping[str, ProbeEntry]
) -> None:
    watched.may_end.clear()
    watched.schedule.start(probes)
    await watched.begins(1)
    watched.schedule.update({"two": probes["two"]})
    assert set(watched.schedule.next_at()) == {"two"}
    watched.schedule.update(probes)
    await watched.begins(2)
    watched.may_end.set()
    # after its end, not beside it
    assert await watched.begins(3) == ["one", "two", "one"]
    assert watched.came_to_nothing == []


async def test_a_change_of_a_probe_is_forgotten_with_the_probe(
    watched: Watched, probes: Mapping[str, ProbeEntry]
) -> None:
    one = {"one": probes["one"]}
    other = parse(Path("/config.toml"), TABLES.replace("true", "false").encode()).probes["one"]
    watched.may_end.clear()
    watched.schedule.start(one)
    await watched.begins(1)
    watched.schedule.update({"one": other})
    watched.schedule.update({})
    watched.may_end.set()
    await asyncio.sleep(0.1)  # it has ended by now
    watched.schedule.update(one)
    await watched.begins(2)
    await asyncio.sleep(0.1)
    assert watched.schedule.next_at()["one"] > time.time() + 1800


async def test_a_probe_that_is_gone_is_not_waited_for(
    watched: Watched, probes: Mapping[str, ProbeEntry]
) -> None:
    watched.schedule.start(probes)
    await watched.begins(1)
    assert watched.schedule.unheard == {"two"}
    watched.schedule.update({"one": probes["one"]})
    assert watched.schedule.unheard == set()


async def test_what_was_begun_in_a_life_before_waits_for_its_time(
    watched: Watched, probes: Mapping[str, ProbeEntry]
) -> None:
    moment = time.time()
    watched.schedule.start(probes, {"one": moment - 1200.0, "two": moment - 7 * 3600.0})
    assert await watched.begins(1) == ["two"]  # its six hours are over
    due = watched.schedule.next_at()
    assert due["one"] == pytest.approx(moment + 2400.0, abs=5.0)
    assert "one" not in watched.schedule.unheard  # nobody waits for its first word


async def test_after_the_clock_was_set_what_was_begun_still_waits_for_its_time(
    watched: Watched, probes: Mapping[str, ProbeEntry]
) -> None:
    moment = time.time()
    watched.schedule.start(probes, {"one": moment, "two": moment})
    watched.schedule.now({"one": moment - 1200.0})
    assert await watched.begins(1) == ["two"]
    assert watched.schedule.next_at()["one"] == pytest.approx(moment + 2400.0, abs=5.0)


async def test_what_was_begun_by_a_clock_that_was_ahead_waits_for_one_interval(
    watched: Watched, probes: Mapping[str, ProbeEntry]
) -> None:
    moment = time.time()
    watched.schedule.start(probes, {"one": moment + 1e7})
    assert watched.schedule.next_at()["one"] == pytest.approx(moment + 3600.0, abs=5.0)
