"""What each step of a job came to, as its child tells. The caller holds the transaction."""

from dataclasses import replace

from monitor.budget import DAY
from monitor.config import ProbeEntry
from monitor.jobs import notices
from monitor.jobs.ending import done, end, lose, unsent
from monitor.runner import Finished
from monitor.settling import House, Settled
from probes.queued import QueuedProbe
from storage.ledger import LONGEST_WAIT_MS
from storage.types import Job, JobState, Outcome, Progress, Result, now

MOST_BAD = 3
"""How often a result that cannot be read is fetched."""
PATIENCE_DAYS = 7.0
"""How long a job that was cancelled, or that nobody can tell of, is waited for: then it is lost."""
BY = "by "
"""How `unwanted` begins where a person wishes a job's end."""
LATER_SECONDS = 60.0
"""How long a provider is left alone that asks for patience and does not say for how long."""
MOST_DOUBLINGS = 20
"""Of the time between two looks that fail: weeks of them would be more than a float holds."""
UNREADABLE = "its result cannot be read"
FINAL: dict[str, tuple[JobState, str]] = {
    "failed": ("failed", "it failed at the provider"),
    "cancelled": ("cancelled", "it was cancelled"),
    "gone": ("lost", "the provider no longer knows it"),
}


def sent(house: House, entry: ProbeEntry, job: Job, came: Finished) -> Settled | None:
    """What a submission came to. The caller holds the transaction."""
    answer, reason, ledger = came.answer, came.run.reason, house.writer.ledger
    if remote := answer.get("remote"):
        ledger.put(_there(house, job, str(remote)))
        return None
    if answer.get("rejected"):
        why = f"not accepted: {reason}"
        ended = replace(job, state="failed")
        return unsent(house, entry, ended, "failed", why, before=job.attempts - 1, came=came)
    if "later" in answer:  # it is certain that nothing was done: this was no submission
        due = now() + _patience(came)
        ledger.put(replace(job, attempts=job.attempts - 1, tried=None, due=due, reason=reason))
        return None
    # The child may have been cut off at any moment: the provider is asked by the tag.
    moment = now()
    doubt = f"submission in doubt: {reason}"
    ledger.put(replace(job, reason=doubt, doubted=moment, due=moment))
    return None


def _there(house: House, job: Job, remote: str) -> Job:
    """A job whose id at the provider is known."""
    moment = now()
    return replace(
        job,
        state="submitted",
        remote=remote,
        submitted=job.tried,
        reason="",
        failures=0,
        # one that is not wanted any more is cancelled at once
        due=moment if job.unwanted else moment + house.cadence.after(0.0),
    )


def found(
    house: House, entry: ProbeEntry, job: Job, asked: float, came: Finished
) -> Settled | None:
    """What the provider says of a tag that was asked for at a moment (`asked`): that it has no such
    job counts only once a job would be certain to be seen. The caller holds the transaction."""
    assert job.doubted is not None
    assert job.order is not None
    if "remote" not in came.answer:
        return trouble(house, entry, job, came)
    if remote := came.answer["remote"]:
        house.writer.ledger.put(_there(house, job, str(remote)))
        return None
    visible = job.doubted + job.order.visible_after
    if asked >= visible:
        reason = "the provider has no such job: it is sent again"
        house.writer.ledger.put(replace(job, tried=None, due=now(), reason=reason, failures=0))
    else:
        house.writer.ledger.put(replace(job, due=visible))
    return None


def seen(house: House, entry: ProbeEntry, job: Job, came: Finished) -> Settled | None:
    """What a look at a job came to. The caller holds the transaction."""
    if told := came.answer.get("result"):
        return done(house, entry, job, came, Result(readings=came.readings, **told))
    if told := came.answer.get("progress"):
        return _progress(house, entry, job, came, Progress(**told))
    if came.answer.get("bad"):
        return _unreadable(house, entry, job, came)
    return trouble(house, entry, job, came)


def _unreadable(house: House, entry: ProbeEntry, job: Job, came: Finished) -> Settled | None:
    """A result that has been paid for is fetched again before it is given up; looks that failed
    otherwise do not count."""
    why = f"{UNREADABLE}: {came.run.reason}"
    before = job.failures if job.reason.startswith(UNREADABLE) else 0
    if before + 1 >= MOST_BAD:
        return end(house, entry, replace(job, state="failed"), "failed", why, came=came)
    return trouble(house, entry, replace(job, failures=before), came, why)


def _progress(
    house: House, entry: ProbeEntry, job: Job, came: Finished, seen: Progress
) -> Settled | None:
    fresh = replace(
        job,
        word=seen.word,
        position=seen.position,
        started=seen.started or job.started,
        failures=0,
        usd=seen.usd,
        qpu_seconds=seen.qpu_seconds,
    )
    if seen.state == "gone" and _may_be_unseen(job):
        return trouble(house, entry, job, came, "the provider does not know it yet")
    if seen.state in FINAL:
        return _final(house, entry, fresh, seen, came)
    if _is_hopeless(entry, fresh):
        why = f"it has not ended {PATIENCE_DAYS:g} d after it was to be cancelled ({seen.word})"
        return lose(house, entry, fresh, why, came)
    if seen.state == "unknown":
        fresh = replace(fresh, reason=f"the provider says {seen.word!r}, which we do not know")
        what = f"in a state that we do not know: {seen.word}"
        fresh = notices.tell(house.writer.outbox, fresh, what)
    else:
        state: JobState = "running" if seen.state == "running" else "submitted"
        fresh = replace(fresh, state=state, reason=fresh.reason if job.unwanted else seen.reason)
    moment = now()
    house.writer.ledger.put(replace(fresh, due=moment + house.cadence.after(moment - job.created)))
    return None


def _may_be_unseen(job: Job) -> bool:
    """Whether a job was submitted so lately that its provider may not show it yet."""
    assert job.order is not None
    return job.submitted is not None and now() < job.submitted + job.order.visible_after


def _final(
    house: House, entry: ProbeEntry, job: Job, seen: Progress, came: Finished
) -> Settled | None:
    """The end of a job that brought nothing. What a person has cancelled is no fault of the
    probe's."""
    state, said = FINAL[seen.state]
    if state == "cancelled" and job.unwanted:
        said = f"{said} {job.unwanted}"
    why = f"{said}: {seen.reason}" if seen.reason else said
    if state == "lost":
        return lose(house, entry, job, why, came)
    by_hand = state == "cancelled" and job.unwanted.startswith(BY)
    outcome: Outcome = "skipped" if by_hand else "failed"
    return end(house, entry, replace(job, state=state), outcome, why, came=came)


def trouble(
    house: House, entry: ProbeEntry, job: Job, came: Finished, why: str = ""
) -> Settled | None:
    """A step that failed is tried again, ever more slowly; after weeks the job is lost."""
    moment = now()
    why = why or came.run.reason or came.run.outcome
    if _is_hopeless(entry, job):
        return lose(house, entry, job, f"nobody can tell what became of it: {why}", came)
    if "later" in came.answer:  # a provider that asks for patience is no provider that fails
        house.writer.ledger.put(replace(job, reason=why, due=moment + _patience(came)))
        return None
    slower = 2.0 ** min(job.failures, MOST_DOUBLINGS)
    wait = min(house.cadence.latest, house.cadence.soonest * slower)
    troubled = replace(job, failures=job.failures + 1, reason=why, due=moment + wait)
    if troubled.failures >= notices.WORTH_TELLING:
        troubled = notices.tell(house.writer.outbox, troubled, "out of sight")
    house.writer.ledger.put(troubled)
    return None


def _patience(came: Finished) -> float:
    """Seconds that a provider asks for. The ledger takes what is put off by more than its longest
    wait for a fault of the clock, and would look at it at once."""
    return min(came.answer["later"] or LATER_SECONDS, LONGEST_WAIT_MS / 1000)


def overdue(entry: ProbeEntry, job: Job) -> str:
    """After how long a job is not waited for any more, in words; "" while it is."""
    assert isinstance(entry.probe, QueuedProbe)
    days = entry.probe.max_days
    return f"after {days:g} d" if now() > job.created + days * DAY else ""


def _is_hopeless(entry: ProbeEntry, job: Job) -> bool:
    """Whether a job has been waited for longer than its deadline and our patience together."""
    assert isinstance(entry.probe, QueuedProbe)
    return now() > job.created + (entry.probe.max_days + PATIENCE_DAYS) * DAY
