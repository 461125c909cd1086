"""Jobs at quantum clouds, from the intent to the end. Read it from top to bottom.

prepare ─► intent ─► a submission is begun ─► submit, once ─► the provider's id
                             │ doubt
                             ▼
                     find by tag ─► there: its id ─► look, again and again ─► done | failed | …
                             └───► clearly not there ─► a submission is begun

Each arrow out of a child is one transaction with all that it causes. So wherever the service is
killed, the ledger says what may have happened, and the provider is asked before anything is sent
again: there is one job at the provider for each intent.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, replace
from types import MappingProxyType
from typing import Any

from monitor.budget import refusal
from monitor.config import ProbeEntry, strictly
from monitor.jobs.answers import found, overdue, seen, sent, trouble
from monitor.jobs.ending import under_way, under_way_at, unsent
from monitor.sections import Budget
from monitor.settling import House, Settled, settle, skipped
from monitor.text import number
from probes.base import UnknownKind, load
from probes.queued import QueuedProbe
from storage.ledger import Ledger
from storage.types import OPEN_JOBS, Job, Order, Outcome, Quote, now

MOST_SUBMISSIONS = 5
"""How often a job is sent at most: each time it was certain that the one before created none."""


def is_queued(entry: ProbeEntry) -> bool:
    """Whether a probe's work waits in a queue."""
    return isinstance(entry.probe, QueuedProbe) and entry.probe.queued()


async def order(house: House, entry: ProbeEntry) -> Settled:
    """The tick of a queued probe: prepare what is to be sent, write down the intent, send it."""
    writer = house.writer
    if before := writer.ledger.open_of(entry.name):
        why = still_open(before)
        return await writer.insist(lambda: settle(house, entry, skipped(entry, why)))
    prepared = await house.runner.run(entry, {"do": "prepare"})
    if prepared.run.outcome != "ok":
        return await writer.insist(lambda: settle(house, entry, prepared))
    made = Order.from_json(prepared.answer["order"])
    intended = await writer.insist(lambda: intend(house, entry, made))
    if isinstance(intended, Settled):
        return intended
    ended = await follow(house, intended)
    return ended or Settled(intended.run, under_way(intended), (), intended)


def still_open(job: Job) -> str:
    """Why a probe orders nothing while its last job is open."""
    return f"job {job.id} of an earlier run has not ended; see `qrossover jobs`"


def intend(house: House, entry: ProbeEntry, made: Order) -> Job | Settled:
    """Reserve what an order may cost, or store that the budget refuses it: in the caller's one
    transaction, so that two jobs cannot spend the same dollar."""
    writer, moment = house.writer, now()
    assert isinstance(entry.probe, QueuedProbe)
    if why := refused(house.config.budget, entry.probe, made.quote, writer.ledger, moment):
        return settle(house, entry, skipped(entry, why))
    run = skipped(entry, "").run
    reserved = writer.store.reserve(replace(run, started=moment), reason=under_way_at(made.device))
    return writer.ledger.intend(
        made,
        run=reserved.id,
        probe=entry.name,
        kind=entry.kind,
        settings=entry.settings,
        now=moment,
    )


def refused(
    budget: Budget, probe: QueuedProbe, quote: Quote, ledger: Ledger | None, moment: float
) -> str:
    """Why an order with this quote is not sent, or nothing."""
    most = probe.max_usd
    if most is not None and quote.usd > most:
        return f"budget: up to {number(quote.usd, 'USD')} a run, max_usd of this probe is {most:g}"
    return refusal(budget, quote, ledger, moment)


# --- the next step of an open job ----------------------------------------------------------------


async def follow(house: House, job: Job) -> Settled | None:
    """The next step of an open job; its run, where the job ends with it."""
    if job.id in house.busy:
        return None
    house.busy[job.id] = asyncio.Event()
    try:
        job = house.writer.ledger.get(job.id)  # it may have gone on since it was found due
        if job.state not in OPEN_JOBS:
            return None
        entry = entry_of(house, job)
        if isinstance(entry, str):
            bare, why = _bare(job), entry
            return await house.writer.insist(lambda: trouble(house, bare, job, skipped(bare, why)))
        if job.state != "intent":
            return await _look(house, entry, job)
        if job.tried is None:
            return await _send(house, entry, job)
        return await _find(house, entry, job)
    finally:
        house.busy.pop(job.id).set()


def entry_of(house: House, job: Job) -> ProbeEntry | str:
    """The probe of a job as it was when the job was intended, whatever became of its table but for
    the timeout; or why this version cannot make it."""
    try:
        probe = strictly(load(job.kind), job.settings)
    except (UnknownKind, ValueError) as error:
        return f"this version cannot read its settings: {error}"
    table = house.config.probes.get(job.probe)
    timeout = table.timeout if table else probe.deadline
    settings = MappingProxyType(dict(job.settings))
    return ProbeEntry(job.probe, job.kind, 0.0, timeout, probe, settings)


def _bare(job: Job) -> ProbeEntry:
    """A table for a job whose kind or settings are not known any more."""
    return ProbeEntry(job.probe, job.kind, 0.0, 0.0, QueuedBare(), job.settings)


class QueuedBare(QueuedProbe):
    """Stands for a probe that this version does not have."""

    def queued(self) -> bool:
        """Its job is in the ledger."""
        return True


async def _send(house: House, entry: ProbeEntry, job: Job) -> Settled | None:
    """Write down that a submission begins, then submit once."""
    if withdrawn := _withdrawn(house, entry, job):
        return await house.writer.insist(lambda: _withdraw(house, entry, job, *withdrawn))
    moment = now()
    begun = replace(job, attempts=job.attempts + 1, tried=moment, doubted=None, due=moment)
    await house.writer.insist(lambda: house.writer.ledger.put(begun))
    done = await house.runner.run(entry, _task(begun, "submit", tag=begun.tag))
    return await house.writer.insist(lambda: sent(house, entry, begun, done))


def _withdrawn(house: House, entry: ProbeEntry, job: Job) -> tuple[Outcome, str] | None:
    """Why a job is not sent after all, and what its run comes to: since its intent was written much
    may have changed."""
    budget = house.config.budget
    if job.unwanted:
        return "skipped", f"cancelled {job.unwanted} before it was sent"
    if job.attempts >= MOST_SUBMISSIONS:
        why = f"{job.attempts} submissions have created no job; the last one: {job.reason}"
        return "failed", why
    if late := overdue(entry, job):
        return "failed", f"given up {late} in which it could not be sent: {job.reason}"
    if job.probe not in house.config.probes:
        return "skipped", f"its table [probe.{job.probe}] is gone from the config"
    if why := refusal(budget, job.quote, None, now()):
        return "skipped", why
    return None


def _withdraw(house: House, entry: ProbeEntry, job: Job, outcome: Outcome, why: str) -> Settled:
    ended = replace(job, state="cancelled")
    return unsent(house, entry, ended, outcome, why, before=job.attempts)


async def _find(house: House, entry: ProbeEntry, job: Job) -> Settled | None:
    """Ask the provider whether a submission whose end is not known has created the job."""
    asked = now()
    done = await house.runner.run(entry, _task(job, "find", tag=job.tag))
    if house.runner.closed:
        return None  # nothing was found out: the next life asks again
    return await house.writer.insist(lambda: found(house, entry, job, asked, done))


async def _look(house: House, entry: ProbeEntry, job: Job) -> Settled | None:
    """Ask how a job stands, and fetch what it brought. The end of one that is not wanted any more
    is asked for first: whether that came in time, or could be asked at all, its state tells."""
    unwanted = job.unwanted or overdue(entry, job)
    if unwanted and job.cancel_asked is None:
        job = await _cancel(house, entry, replace(job, unwanted=unwanted))
    shown = job
    done = await house.runner.run(entry, _task(shown, "collect", remote=shown.remote))
    if house.runner.closed:
        return None
    return await house.writer.insist(lambda: seen(house, entry, shown, done))


async def _cancel(house: House, entry: ProbeEntry, job: Job) -> Job:
    done = await house.runner.run(entry, _task(job, "cancel", remote=job.remote))
    if house.runner.closed:
        return job
    if done.run.outcome == "ok":
        why = f"cancellation asked for {job.unwanted}"
        asked = replace(job, cancel_asked=now(), reason=why)
    else:
        asked = replace(job, reason=f"it cannot be cancelled: {done.run.reason}")
    return await house.writer.insist(lambda: house.writer.ledger.put(asked))


def _task(job: Job, step: str, **more: str | None) -> Mapping[str, Any]:
    assert job.order is not None
    return {"do": step, "order": asdict(job.order), **more}
