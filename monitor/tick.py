"""The walk, from the clock to what is owed to Slack. Read it from top to bottom.

clock ─► tick ─► a child runs the probe ─► readings
                                              │
one transaction:   record ► derive ► judge triggers ► change standings ► owe alerts
                                              │
                         monitor/sender.py ─► Slack
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitor.config import Budget, Config, ProbeEntry
from monitor.derive import derive
from monitor.derived import writes
from monitor.judge import Judge
from monitor.runner import Finished, Runner
from monitor.writer import Writer
from storage.store import Reserved, Store, UnitChanged
from storage.types import Quote, Reading, Run, Signal, now
from triggers.assumptions import NOTHING_GIVEN, Assumptions

DAY = 86400.0
FREE = Quote()
STOPPED = "the service stopped while it ran"


@dataclass(frozen=True, slots=True)
class Settled:
    """A run that is stored: its id, and the readings that stand with it."""

    id: int
    run: Run
    readings: Sequence[Reading]


@dataclass(slots=True)
class House:
    """What a tick works with. There is one, and a reload puts another config and its judge in: a
    run that is under way is settled by what is in force when it ends."""

    config: Config
    writer: Writer
    runner: Runner
    judge: Judge


async def tick(house: House, entry: ProbeEntry) -> Settled:
    """One run of one probe, from the clock to the outbox. Cancelled, it stores that it was."""
    reserved: Reserved | None = None
    finished: Finished | None = None
    try:
        if entry.probe.quote() != FREE:
            bought = await house.writer.insist(lambda: buy(house, entry))
            if isinstance(bought, Settled):
                return bought
            reserved = bought
        finished = done = await house.runner.run(entry)
        return await house.writer.insist(lambda: settle(house, entry, done, reserved))
    except asyncio.CancelledError:
        # The last thing that is written about it, at once: nothing may be waited for any more.
        last = finished or stopped(entry, reserved)
        with contextlib.suppress(sqlite3.Error):
            house.writer.once(lambda: settle(house, entry, last, reserved))
        raise


def buy(house: House, entry: ProbeEntry) -> Reserved | Settled:
    """Charge a run with its quote, or store that the budget refuses it. Held against the budget
    and charged in the caller's one transaction: two runs cannot spend the same dollar."""
    quote, store = entry.probe.quote(), house.writer.store
    if refusal := over_budget(house.config.budget, quote, store, now()):
        return settle(house, entry, skipped(entry, refusal))
    return store.reserve(
        replace(skipped(entry, "").run, usd=quote.usd, qpu_seconds=quote.qpu_seconds)
    )


def settle(
    house: House, entry: ProbeEntry, finished: Finished, reserved: Reserved | None = None
) -> Settled:
    """Everything that one run changes. The caller holds the transaction."""
    settled = record(house.writer.store, entry, finished, reserved, house.config.crossover)
    house.judge.after_run(settled.run, settled.readings, now())
    return settled


def record(
    store: Store,
    entry: ProbeEntry,
    finished: Finished,
    reserved: Reserved | None = None,
    given: Assumptions = NOTHING_GIVEN,
) -> Settled:
    """Store a run with its readings and with what follows of them; one whose units contradict
    history is a failed run."""
    run, readings = finished.run, finished.readings
    promises: Sequence[Signal] = writes(entry.probe)
    try:
        store.check_units(promises)
    except UnitChanged as changed:
        run, readings, promises = replace(run, outcome="failed", reason=str(changed)), (), ()
    readings = (*readings, *derive(given, store, readings))
    return Settled(store.record(run, readings, promises, reserved), run, readings)


def skipped(entry: ProbeEntry, reason: str) -> Finished:
    """A run that was not begun, and why."""
    moment = now()
    run = Run(entry.name, entry.kind, "skipped", reason, moment, 0.0, settings=entry.settings)
    return Finished(run, (), moment)


def stopped(entry: ProbeEntry, reserved: Reserved | None) -> Finished:
    """A run that the service's end cut off. What was paid for it is gone."""
    finished = skipped(entry, STOPPED)
    if reserved is None:
        return finished
    paid, moment = reserved.run, finished.ended
    seconds = round(moment - paid.started, 3)
    return Finished(replace(paid, reason=STOPPED, seconds=seconds), (), moment)


def over_budget(budget: Budget, quote: Quote, store: Store | None, moment: float) -> str:
    """Why a run would cost too much, or nothing. Free runs are never refused."""
    usd, _ = store.spent(moment - DAY) if store else (0.0, 0.0)
    _, seconds = store.spent(moment - 28 * DAY) if store else (0.0, 0.0)
    if quote.usd and usd + quote.usd > budget.usd_per_day:
        return (
            f"budget: up to ${quote.usd:.2f} a run, ${usd:.2f} spent in 24 h, "
            f"usd_per_day is {budget.usd_per_day:g}"
        )
    if quote.qpu_seconds and seconds + quote.qpu_seconds > budget.qpu_seconds_per_28_days:
        return (
            f"budget: up to {quote.qpu_seconds:g} QPU s a run, {seconds:g} s used in 28 d, "
            f"qpu_seconds_per_28_days is {budget.qpu_seconds_per_28_days:g}"
        )
    return ""
