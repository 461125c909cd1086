"""The walk, from the clock to what is owed to Slack. Read it from top to bottom.

clock ─► tick ─► a child runs the probe ─► readings
                                              │
one transaction:   record ► judge triggers ► change standings ► owe alerts
                                              │
                         monitor/sender.py ─► Slack
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitor.config import Budget, Config, ProbeEntry
from monitor.judge import Judge
from monitor.runner import Finished, Runner
from monitor.writer import Writer
from storage.store import Store, UnitChanged
from storage.types import Quote, Reading, Run, now

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Settled:
    """A run that is stored: its id, and the readings that stand with it."""

    id: int
    run: Run
    readings: Sequence[Reading]


@dataclass(frozen=True, slots=True)
class House:
    """What a tick works with."""

    config: Config
    writer: Writer
    runner: Runner
    judge: Judge


async def tick(house: House, entry: ProbeEntry) -> Settled:
    """One run of one probe, from the clock to the outbox."""
    refusal = over_budget(house.config.budget, entry.probe.quote(), house.writer.store, now())
    finished = skipped(entry, refusal) if refusal else await house.runner.run(entry)
    return await house.writer.insist(lambda: settle(house, entry, finished))


def settle(house: House, entry: ProbeEntry, finished: Finished) -> Settled:
    """Everything that one run changes. The caller holds the transaction."""
    settled = record(house.writer.store, entry, finished)
    house.judge.after_run(settled.run, settled.readings, now())
    return settled


def record(store: Store, entry: ProbeEntry, finished: Finished) -> Settled:
    """Store a run with its readings; one whose units contradict history is a failed run."""
    run, readings = finished.run, finished.readings
    try:
        store.check_units(entry.probe.promises())
    except UnitChanged as changed:
        run, readings = replace(run, outcome="failed", reason=str(changed)), ()
    return Settled(store.record(run, readings, entry.probe.promises()), run, readings)


def skipped(entry: ProbeEntry, reason: str) -> Finished:
    """A run that was not begun, and why."""
    moment = now()
    run = Run(entry.name, entry.kind, "skipped", reason, moment, 0.0, settings=entry.settings)
    return Finished(run, (), moment)


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
