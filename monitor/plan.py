"""`qrossover once --dry-run`: what a pass would run, and what it would cost at most.

What waits in a queue is prepared for that: the device's calibration is read, the circuits are
compiled, the provider is asked for its price. Nothing is sent that costs.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from monitor.asking import asking
from monitor.budget import refusal
from monitor.config import Config, ProbeEntry
from monitor.jobs.walk import is_queued, refused, still_open
from monitor.runner import Finished, Runner
from probes.queued import QueuedProbe
from storage.ledger import Ledger
from storage.store import Store
from storage.types import Job, Order, Quote, now


def dry_run(config: Config, names: Sequence[str]) -> dict[str, Any]:
    """The plan of a pass over the named probes, of all where none is named."""
    chosen = [config.probes[name] for name in names or config.probes]
    store = Store.reader(database) if (database := config.monitor.database).exists() else None
    ledger = Ledger(store) if store else None
    try:
        return {"probes": asyncio.run(_plans(config, chosen, ledger))}
    finally:
        if store is not None:
            store.close()


async def _plans(
    config: Config, chosen: Sequence[ProbeEntry], ledger: Ledger | None
) -> list[dict[str, Any]]:
    async with asking(config) as runner:
        return await asyncio.gather(*(_plan(config, entry, ledger, runner) for entry in chosen))


async def _plan(
    config: Config, entry: ProbeEntry, ledger: Ledger | None, runner: Runner
) -> dict[str, Any]:
    plain = {
        "name": entry.name,
        "kind": entry.kind,
        "settings": dict(entry.settings),
        "timeout_seconds": entry.timeout,
    }
    if not (isinstance(entry.probe, QueuedProbe) and entry.probe.priced()):
        quote = entry.probe.quote()
        why = refusal(config.budget, quote, ledger, now())
        return plain | _priced(quote, why) | {"outcome": "skipped" if why else "ok"}
    before = ledger.open_of(entry.name) if ledger else None
    if before is not None:
        return plain | _held_up(before)
    came = await runner.run(entry, {"do": "prepare"})
    return plain | _prepared(config, entry, ledger, came)


def _prepared(
    config: Config, entry: ProbeEntry, ledger: Ledger | None, came: Finished
) -> dict[str, Any]:
    assert isinstance(entry.probe, QueuedProbe)
    if came.run.outcome != "ok":
        return _UNKNOWN | {"outcome": came.run.outcome, "reason": came.run.reason}
    made = Order.from_json(came.answer["order"])
    why = refused(config.budget, entry.probe, made.quote, ledger, now())
    return _priced(made.quote, why) | {
        "outcome": "skipped" if why else "ok",
        "queued": is_queued(entry),
        "provider": made.provider,
        "device": made.device,
        "circuits": came.run.payload.get("circuits"),
        "shots": came.run.payload.get("shots"),
    }


def _held_up(before: Job) -> dict[str, Any]:
    return _UNKNOWN | {
        "outcome": "skipped",
        "reason": still_open(before),
        "provider": before.provider,
        "device": before.device,
    }


_BARE: dict[str, Any] = {
    "refused": "",
    "reason": "",
    "queued": False,
    "provider": None,
    "device": None,
    "circuits": None,
    "shots": None,
}
_UNKNOWN: dict[str, Any] = _BARE | {"usd": None, "qpu_seconds": None, "queued": True}


def _priced(quote: Quote, why: str) -> dict[str, Any]:
    return _BARE | {"usd": quote.usd, "qpu_seconds": quote.qpu_seconds, "refused": why}
