"""What will happen next to a job, in words."""

from monitor.budget import DAY
from monitor.config import strictly
from monitor.jobs.answers import PATIENCE_DAYS
from monitor.text import ago, amount, moment
from probes.base import UnknownKind, load
from probes.queued import QueuedProbe
from storage.types import OPEN_JOBS, Job


def ahead(job: Job, now: float) -> str:
    """What the service will do with a job, or what counts where it has ended."""
    if job.state not in OPEN_JOBS:
        return _counts(job)
    when = f"in {ago(job.due - now)}" if job.due > now else "at the service's next look"
    return f"{when} {_step(job)}; {_end(job)}"


def _counts(job: Job) -> str:
    usd = job.quote.usd if job.usd is None else 0.0
    seconds = job.quote.qpu_seconds if job.qpu_seconds is None else 0.0
    if usd or seconds:  # what is not known counts as it was quoted
        return f"nothing; its bill is not known, so its quote of {amount(usd, seconds)} counts"
    return f"nothing; it cost {amount(job.usd, job.qpu_seconds)}"


def _step(job: Job) -> str:
    if job.state != "intent":
        asks = job.unwanted and job.cancel_asked is None
        return "its cancellation is asked for" if asks else "it is looked at"
    if job.tried is None:
        return "it is withdrawn" if job.unwanted else "it is sent"
    then = "withdrawn" if job.unwanted else "sent again"
    return f"the provider is asked for its tag, and it is {then} only if it is clearly not there"


def _end(job: Job) -> str:
    days = _max_days(job)
    if days is None:
        return "this version cannot read its settings: it waits for one that can"
    late = moment(job.created + (days + PATIENCE_DAYS) * DAY)
    lost = f"if it has not ended by {late}, it counts as lost, with its quote"
    if job.unwanted:
        return lost
    return f"if it has not ended by {moment(job.created + days * DAY)}, it is cancelled"


def _max_days(job: Job) -> float | None:
    try:
        probe = strictly(load(job.kind), job.settings)
    except (UnknownKind, ValueError):
        return None
    assert isinstance(probe, QueuedProbe)
    return probe.max_days
