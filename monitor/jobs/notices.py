"""What is said on its own about a job: that money may be spent on something nobody can see."""

from dataclasses import replace

from monitor.text import amount
from storage.outbox import Outbox
from storage.types import Alert, Job, Quote, now

WORTH_TELLING = 5
"""Looks in a row that failed before it is said."""
LOST = "lost"


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


def _body(job: Job, what: str) -> str:
    is_lost = what == LOST
    after = "It is not followed any more." if is_lost else "It is looked at again and again."
    if job.quote != Quote():
        most = amount(job.quote.usd, job.quote.qpu_seconds)
        after += f" Up to {most} {'count as spent' if is_lost else 'stay reserved for it'}."
    return f"{job.reason[:1].upper()}{job.reason[1:]}. {after}"


def _advice(job: Job) -> str:
    known = f"It is {job.remote} there" if job.remote else "Its id there is not known"
    return f"Look for it at {job.provider}. {known}; it carries the tag {job.tag}."
