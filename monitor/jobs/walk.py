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

from collections.abc import Mapping
from dataclasses import asdict, replace
from types import MappingProxyType
from typing import Any

from monitor.budget import DAY, refusal
from monitor.config import ProbeEntry, strictly
from monitor.jobs.answers import found, seen, sent, trouble
from monitor.jobs.ending import end, lose, under_way, under_way_at
from monitor.settling import House, Settled, settle, skipped
from probes.base import UnknownKind, load
from probes.queued import QueuedProbe
from storage.types import Job, Order, Outcome, now

MOST_SUBMISSIONS = 5
"""How often a job is sent at most: each time it was certain that the one before created none."""


def is_queued(entry: ProbeEntry) -> bool:
    """Whether a probe's work waits in a queue."""
    return isinstance(entry.probe, QueuedProbe) and entry.probe.queued()


async def order(house: House, entry: ProbeEntry) -> Settled:
    """The tick of a queued probe: prepare what is to be sent, write down the intent, send it."""
    writer = house.writer
    if before := writer.ledger.open_of(entry.name):
        why = f"job {before.id} of an earlier run has not ended; see `qrossover jobs`"
        return await writer.insist(lambda: settle(house, entry, skipped(entry, why)))
    prepared = await house.runner.run(entry, {"do": "prepare"})
    if prepared.run.outcome != "ok":
        return await writer.insist(lambda: settle(house, entry, prepared))
    made = Order.from_json(prepared.answer["order"])
    intended = await writer.insist(lambda: intend(house, entry, made))
    if isinstance(intended, Settled):
        return intended
    ended = await follow(house, intended)
    return ended or Settled(intended.run, under_way(intended), ())


def intend(house: House, entry: ProbeEntry, made: Order) -> Job | Settled:
    """Reserve what an order may cost, or store that the budget refuses it: in the caller's one
    transaction, so that two jobs cannot spend the same dollar."""
    writer, moment = house.writer, now()
    if why := refused(house, entry, made, moment):
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


def refused(house: House, entry: ProbeEntry, made: Order, moment: float) -> str:
    """Why an order is not sent, or nothing."""
    assert isinstance(entry.probe, QueuedProbe)
    most = entry.probe.max_usd
    if most is not None and made.quote.usd > most:
        return f"budget: up to ${made.quote.usd:.2f} a run, max_usd of this probe is {most:g}"
    return refusal(house.config.budget, made.quote, house.writer.ledger, moment)


# --- the next step of an open job ----------------------------------------------------------------


async def follow(house: House, job: Job) -> Settled | None:
    """The next step of an open job; its run, where the job ends with it."""
    if job.id in house.busy:
        return None
    house.busy.add(job.id)
    try:
        entry = entry_of(job)
        if isinstance(entry, str):
            why = entry
            return await house.writer.insist(lambda: lose(house, _bare(job), job, why))
        if job.state != "intent":
            return await _look(house, entry, job)
        if job.tried is None:
            return await _send(house, entry, job)
        return await _find(house, entry, job)
    finally:
        house.busy.discard(job.id)


def entry_of(job: Job) -> ProbeEntry | str:
    """The probe of a job as it was when the job was intended, whatever became of its table; or why
    this version cannot make it."""
    try:
        probe = strictly(load(job.kind), job.settings)
    except (UnknownKind, ValueError) as error:
        return f"this version cannot read its settings: {error}"
    return ProbeEntry(
        job.probe, job.kind, 0.0, probe.deadline, probe, MappingProxyType(dict(job.settings))
    )


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
    if why := _withdrawn(house, job):
        return await house.writer.insist(lambda: _withdraw(house, entry, job, why))
    moment = now()
    begun = replace(job, attempts=job.attempts + 1, tried=moment, doubted=None, due=moment)
    await house.writer.insist(lambda: house.writer.ledger.put(begun))
    done = await house.runner.run(entry, _task(begun, "submit", tag=begun.tag))
    return await house.writer.insist(lambda: sent(house, entry, begun, done))


def _withdrawn(house: House, job: Job) -> str:
    """Why a job is not sent after all: since its intent was written the config may have changed."""
    if job.attempts >= MOST_SUBMISSIONS:
        return f"{job.attempts} submissions have created no job; the last one: {job.reason}"
    if job.probe not in house.config.probes:
        return f"its table [probe.{job.probe}] is gone from the config"
    if job.quote.usd > house.config.budget.usd_per_day:
        return f"usd_per_day is {house.config.budget.usd_per_day:g} now"
    return ""


def _withdraw(house: House, entry: ProbeEntry, job: Job, why: str) -> Settled:
    outcome: Outcome = "failed" if job.attempts >= MOST_SUBMISSIONS else "skipped"
    free = replace(job, state="cancelled", usd=0.0, qpu_seconds=0.0)
    return end(house, entry, free, outcome, why)


async def _find(house: House, entry: ProbeEntry, job: Job) -> Settled | None:
    """Ask the provider whether a submission whose end is not known has created the job."""
    asked = now()
    done = await house.runner.run(entry, _task(job, "find", tag=job.tag))
    return await house.writer.insist(lambda: found(house, entry, job, asked, done))


async def _look(house: House, entry: ProbeEntry, job: Job) -> Settled | None:
    """Ask how a job stands, and fetch what it brought; one that waits too long is cancelled."""
    assert isinstance(entry.probe, QueuedProbe)
    if job.cancel_asked is None and now() > job.created + entry.probe.max_days * DAY:
        done = await house.runner.run(entry, _task(job, "cancel", remote=job.remote))
        if done.run.outcome != "ok":
            return await house.writer.insist(lambda: trouble(house, entry, job, done))
        why = f"cancellation asked for after {entry.probe.max_days:g} d"
        job = replace(job, cancel_asked=now(), reason=why)
        asked = job
        await house.writer.insist(lambda: house.writer.ledger.put(asked))
    shown = job
    done = await house.runner.run(entry, _task(shown, "collect", remote=shown.remote))
    return await house.writer.insist(lambda: seen(house, entry, shown, done))


def _task(job: Job, step: str, **more: str | None) -> Mapping[str, Any]:
    assert job.order is not None
    return {"do": step, "order": asdict(job.order), **more}
