"""What is said on its own about a job: that money may be spent on something nobody can see."""

from dataclasses import replace

from storage.outbox import Outbox
from storage.types import Alert, Job, now

WORTH_TELLING = 5
"""Looks in a row that failed before it is said."""


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
            severity="page" if what == "lost" else "warning",
            created=now(),
            facts={"title": f"Job {job.id} at {job.device}: {what}", "body": _body(job)},
        )
    )
    return replace(job, told=what)


def _body(job: Job) -> str:
    cost = f"It may cost up to ${job.quote.usd:.2f} and {job.quote.qpu_seconds:g} QPU s"
    named = f"{job.provider} has it as {job.remote}" if job.remote else "its id is not known"
    return (
        f"{job.reason}. {cost}, which stay reserved or count as spent. {named[:1].upper()}"
        f"{named[1:]}, with the tag {job.tag}: look for it there; `qrossover jobs` shows it here."
    )
