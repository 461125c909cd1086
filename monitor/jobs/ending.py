"""The end of a job and of its run, in one transaction."""

from dataclasses import replace

from monitor.config import ProbeEntry
from monitor.jobs import notices
from monitor.runner import Finished
from monitor.settling import House, Settled, settle
from storage.store import Reserved
from storage.types import Job, Outcome, Reading, Result, Run, now


def under_way(job: Job) -> Run:
    """The row of a run whose job has not ended."""
    return Run(
        job.probe,
        job.kind,
        "skipped",
        under_way_at(job.device),
        job.created,
        0.0,
        settings=job.settings,
    )


def under_way_at(device: str) -> str:
    """What the row of a run says while its job has not ended."""
    return f"its job at {device} has not ended; see `qrossover jobs`"


def done(house: House, entry: ProbeEntry, job: Job, came: Finished, brought: Result) -> Settled:
    """A job that is done: its result, and what the job itself tells. The caller holds the
    transaction."""
    fresh = replace(
        job,
        word=brought.word,
        position=None,
        started=brought.started or job.started,
        usd=brought.usd,
        qpu_seconds=brought.qpu_seconds,
    )
    fresh = notices.check_bill(house.writer.outbox, fresh)
    at = _when(job, brought)
    readings = tuple(replace(r, at=at) for r in (*brought.readings, *_about(fresh, brought)))
    return end(house, entry, replace(fresh, state="done"), "ok", "", came=came, readings=readings)


def _when(job: Job, brought: Result) -> float:
    """When the result was measured: at the job's end, by the provider's clock where that can be
    right, however late it was fetched."""
    moment = now()
    ended = brought.ended
    return ended if ended is not None and job.created <= ended <= moment else moment


def _about(job: Job, brought: Result) -> list[Reading]:
    """What a job tells beside its result, as far as the provider says it; a start before our
    submission is another clock's, and no wait."""
    assert job.order is not None
    times = {
        "wait": _between(job.submitted, brought.started),
        "execution": _between(brought.started, brought.ended),
    }
    bill = {"cost": brought.usd, "qpu_time": brought.qpu_seconds}
    return [
        Reading(f"quantum.job.{name}", job.device, value, origin, note=f"job {job.id}")
        for told, origin in ((times, job.order.origin), (bill, "vendor"))
        for name, value in told.items()
        if value is not None
    ]


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None or end < start else end - start


def lose(
    house: House, entry: ProbeEntry, job: Job, why: str, came: Finished | None = None
) -> Settled:
    """End a job of which nobody can tell what it did and cost; it counts with its quote."""
    told = notices.tell(house.writer.outbox, replace(job, reason=why), notices.LOST)
    return end(house, entry, replace(told, state="lost"), "failed", why, came=came)


def unsent(
    house: House,
    entry: ProbeEntry,
    job: Job,
    outcome: Outcome,
    reason: str,
    *,
    before: int,
    came: Finished | None = None,
) -> Settled:
    """End a job that the provider does not have, in its terminal state: it cost nothing. Where a
    submission is several requests and one was begun `before`, a part may be there and be billed."""
    assert job.order is not None
    if before and not job.order.atomic:
        return lose(house, entry, job, f"{reason}; a part of it may have been created", came)
    return end(house, entry, replace(job, usd=0.0, qpu_seconds=0.0), outcome, reason, came=came)


def end(
    house: House,
    entry: ProbeEntry,
    job: Job,
    outcome: Outcome,
    reason: str,
    *,
    came: Finished | None = None,
    readings: tuple[Reading, ...] = (),
) -> Settled:
    """Settle a job that stands in a terminal state, and its run. The caller holds the
    transaction. `came` is the last step, from which the run has its versions and payload."""
    moment = now()
    house.writer.ledger.put(
        replace(job, reason=reason, order=None, position=None, ended=moment, due=moment)
    )
    run = replace(
        under_way(job),
        outcome=outcome,
        reason=reason,
        seconds=round(moment - job.created, 3),
        usd=job.usd or 0.0,
        qpu_seconds=job.qpu_seconds or 0.0,
    )
    if came is not None:
        made = came.run
        run = replace(run, versions=made.versions, payload=made.payload, stderr=made.stderr)
    reserved = Reserved(job.run, under_way(job))
    return settle(house, entry, Finished(run, readings, moment), reserved)
