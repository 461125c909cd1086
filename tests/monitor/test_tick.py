"""What a run costs, and what is stored of it however it ends: real children, a real database."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import odd_probes
import pytest
import pytest_asyncio
from living import eventually
from odd_probes import Odd, entry

from monitor.config import ProbeEntry, read
from monitor.judge import Judge
from monitor.runner import Runner
from monitor.settling import House
from monitor.tick import STOPPED, tick
from monitor.writer import Writer
from storage.store import KILLED
from storage.types import Quote, Signal

CONFIG = """
[monitor]
database = "q.db"
[budget]
usd_per_day = 3.0
[probe.unused]
kind = "external.command"
argv = ["true"]
signals = { "a.b" = "1" }
every = "1h"
"""


class Free(odd_probes.Hangs):
    """Hangs, and costs nothing."""

    def quote(self) -> Quote:
        return Quote()


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    file = tmp_path / "config.toml"
    file.write_text(CONFIG)
    config = read(file)
    writer = Writer(tmp_path / "q.db")
    runner = Runner(f"{tmp_path}#", tmp_path, odd_probes.CHILD)
    yield House(config, writer, runner, Judge(config, writer))
    await runner.close()
    writer.close()


def runs(house: House) -> list[tuple[object, ...]]:
    found = house.writer.store.connection.execute("SELECT outcome, reason, usd FROM runs")
    return [tuple(row) for row in found]


def spent(house: House) -> list[tuple[float, float]]:
    return [(one.usd, one.qpu_seconds) for one in house.writer.ledger.spent(0.0)]


async def begun(house: House, probe: ProbeEntry, where: Path) -> asyncio.Task[object]:
    """A tick whose child runs."""
    task: asyncio.Task[object] = asyncio.create_task(tick(house, probe))
    await asyncio.to_thread(eventually, where.read_text, "the child")
    return task


async def cancel(task: asyncio.Task[object]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_runs_that_begin_together_share_the_budget(house: House) -> None:
    both = await asyncio.gather(*(tick(house, entry(odd_probes.Sleeps)) for _ in range(2)))
    assert sorted(one.run.outcome for one in both) == ["ok", "skipped"]
    assert spent(house) == [(2.0, 3.0)]
    [refused] = [one.run for one in both if one.run.outcome == "skipped"]
    assert (refused.usd, refused.reason[:30]) == (0.0, "budget: up to $2.00 a run, $2.")


async def test_a_paid_run_has_one_row_and_its_readings(house: House) -> None:
    settled = await tick(house, entry(Odd))
    assert runs(house) == [("ok", "", 2.0)]
    [row] = house.writer.store.connection.execute("SELECT value, run FROM readings")
    assert tuple(row) == (1.5, settled.id)


async def test_what_a_probe_skips_itself_is_not_charged(house: House) -> None:
    await tick(house, entry(odd_probes.Skips))
    assert runs(house) == [("skipped", "the device is busy", 0.0)]


async def test_a_paid_run_is_charged_while_it_is_under_way_and_when_it_is_cut_off(
    house: House, tmp_path: Path
) -> None:
    probe = entry(odd_probes.Hangs, where=str(tmp_path / "pids"))
    task = await begun(house, probe, tmp_path / "pids")
    assert runs(house) == [("skipped", KILLED, 2.0)]
    assert spent(house) == [(2.0, 3.0)]
    assert house.writer.store.outcomes("odd", 1).readings == ()  # no failure of the probe's
    await cancel(task)
    assert runs(house) == [("skipped", STOPPED, 2.0)]


async def test_a_free_run_that_is_cut_off_has_one_row(house: House, tmp_path: Path) -> None:
    probe = replace(entry(Free, where=str(tmp_path / "pids")), kind="Hangs")
    task = await begun(house, probe, tmp_path / "pids")
    assert runs(house) == []
    await cancel(task)
    assert runs(house) == [("skipped", STOPPED, 0.0)]


async def test_a_run_in_another_unit_than_the_history_is_stored_as_failed(house: House) -> None:
    with house.writer.store.transaction():
        other = Signal("odd.value", "A", "higher", "A number")
        run = (await house.runner.run(entry(Odd))).run
        house.writer.store.record(replace(run, usd=0.0), (), [other])
    await tick(house, entry(Odd))
    outcome, reason, usd = runs(house)[-1]
    assert (outcome, usd) == ("failed", 2.0)
    assert "give the new one another name" in str(reason)
