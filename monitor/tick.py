"""The walk, from the clock to what is owed to Slack. Read it from top to bottom.

clock ─► tick ─► a child runs the probe ─► readings
                                              │
one transaction:   record ► derive ► judge triggers ► change standings ► owe alerts
                                              │
                         monitor/sender.py ─► Slack

Work that waits in a quantum cloud's queue goes another way in the middle: its tick ends with the
submission, and a later look at the job brings the readings (monitor/jobs/walk.py). Probes of GPUs
go to every node of a fleet where there is one (monitor/fleet/walk.py).
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import replace

from monitor.budget import FREE, refusal
from monitor.config import ProbeEntry
from monitor.fleet.walk import everywhere
from monitor.jobs import walk
from monitor.runner import Finished
from monitor.sections import Fleet
from monitor.settling import House, Settled, settle, settle_pass, skipped
from storage.store import Reserved
from storage.types import now

STOPPED = "the service stopped while it ran"


async def tick(
    house: House, entry: ProbeEntry, cause: str = "", hosts: Collection[str] = ()
) -> Settled:
    """One run of one probe, from the clock to the outbox; `cause` is why it runs beside its
    schedule, and `hosts` the nodes of a fleet that are meant, all where it is empty. Cancelled, it
    stores that it was."""
    if walk.is_queued(entry):
        return await walk.order(house, entry)
    if house.config.fleet and house.config.fleet.has(entry):
        return await over(house, house.config.fleet, entry, cause, hosts)
    reserved: Reserved | None = None
    finished: Finished | None = None
    try:
        if entry.probe.quote() != FREE:
            bought = await house.writer.insist(lambda: buy(house, entry))
            if isinstance(bought, Settled):
                return bought
            reserved = bought
        finished = done = _because(await house.runner.run(entry), cause)
        return await house.writer.insist(lambda: settle(house, entry, done, reserved))
    except asyncio.CancelledError:
        # The last thing that is written about it, at once: nothing may be waited for any more.
        last = finished or _because(stopped(entry, reserved), cause)
        with contextlib.suppress(sqlite3.Error):
            house.writer.once(lambda: settle(house, entry, last, reserved))
        raise


async def over(
    house: House, fleet: Fleet, entry: ProbeEntry, cause: str, hosts: Collection[str]
) -> Settled:
    """One run of one probe on the nodes of a fleet. Cancelled, it stores that it was."""
    runs: Sequence[Finished] = ()
    try:
        came = await everywhere(house.runner, fleet, entry, hosts)
        runs = done = [_because(one, cause) for one in came]
        return await house.writer.insist(lambda: settle_pass(house, entry, done))
    except asyncio.CancelledError:
        last = runs or [_because(stopped(entry, None), cause)]
        with contextlib.suppress(sqlite3.Error):
            house.writer.once(lambda: settle_pass(house, entry, last))
        raise


def buy(house: House, entry: ProbeEntry) -> Reserved | Settled:
    """Charge a run with its quote, or store that the budget refuses it. Held against the budget
    and charged in the caller's one transaction: two runs cannot spend the same dollar."""
    quote = entry.probe.quote()
    if why := refusal(house.config.budget, quote, house.writer.ledger, now()):
        return settle(house, entry, skipped(entry, why))
    return house.writer.store.reserve(
        replace(skipped(entry, "").run, usd=quote.usd, qpu_seconds=quote.qpu_seconds)
    )


def _because(finished: Finished, cause: str) -> Finished:
    return replace(finished, run=replace(finished.run, cause=cause))


def stopped(entry: ProbeEntry, reserved: Reserved | None) -> Finished:
    """A run that the service's end cut off. What was paid for it is gone."""
    finished = skipped(entry, STOPPED)
    if reserved is None:
        return finished
    paid, moment = reserved.run, finished.ended
    seconds = round(moment - paid.started, 3)
    return Finished(replace(paid, reason=STOPPED, seconds=seconds), (), moment)
