"""What is said on its own about a job: that money may be spent on something nobody can see."""

from dataclasses import replace

from monitor.text import amount
from storage.outbox import Outbox
from storage.types import Alert, Job, Quote, now

WORTH_TELLING = 5
"""Looks in a row that failed before it is said."""
LOST = "lost"
OVERCHARGED = "billed with more than its quote"
ROUNDING, CENT = 1.001, 0.005
"""By how much a bill may differ from its quote without being told."""


def tell(outbox: Outbox, job: Job, what: str) -> Job:
    """Owe a notice about a job, in the caller's transaction, where the last one said something
    else; the job that knows of it."""
    if job.told == what:
        return job
    outbox.owe(
        Alert(
            key=f"{job.tag}-{what.replace(' ', '-')}-{round(now())}",
            kind="notice",
            trigger="jobs",
            target=job.device,
            severity="page" if what == LOST else "warning",
            created=now(),
            facts={
                "title": f"Job {job.id} of {job.probe} at {job.provider} is {what}",
                "body": _body(job, what),
                "advice": _advice(job),
                "explain": f"qrossover jobs {job.id}",
            },
        )
    )
    return replace(job, told=what)


def check_bill(outbox: Outbox, job: Job) -> Job:
    """Owe a notice where a job was billed with more than its quote: the budget relies on that."""
    more = (job.usd or 0.0) > job.quote.usd * ROUNDING + CENT
    more = more or (job.qpu_seconds or 0.0) > job.quote.qpu_seconds * ROUNDING
    return tell(outbox, job, OVERCHARGED) if more else job


def _body(job: Job, what: str) -> str:
    if what == OVERCHARGED:
        return (
            f"It was quoted at {amount(job.quote.usd, job.quote.qpu_seconds)} at most and billed "
            f"with {amount(job.usd or 0.0, job.qpu_seconds or 0.0)}. The bill counts as spent."
        )
    is_lost = what == LOST
    after = "It is not followed any more." if is_lost else "It is looked at again and again."
    if job.quote != Quote():
        most = amount(job.quote.usd, job.quote.qpu_seconds)
        after += f" Up to {most} {'count as spent' if is_lost else 'stay reserved for it'}."
    return f"{job.reason[:1].upper()}{job.reason[1:]}. {after}"


def _advice(job: Job) -> str:
    known = f"It is {job.remote} there" if job.remote else "Its id there is not known"
    return f"Look for it at {job.provider}. {known}; it carries the tag {job.tag}."
