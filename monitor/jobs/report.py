"""What `qrossover jobs` and `spend` say, as JSON-ready documents with stable keys."""

from typing import Any

from monitor.budget import limits
from monitor.jobs.ahead import ahead
from monitor.report import iso
from monitor.sections import Budget
from storage import spending
from storage.ledger import Ledger
from storage.store import Store
from storage.types import OPEN_JOBS, Job, now


def jobs(store: Store, *, only_open: bool, most: int) -> list[dict[str, Any]]:
    """The jobs, open ones first, each group newest first."""
    ledger = Ledger(store)
    found = [*reversed(ledger.open()), *([] if only_open else ledger.ended(most))]
    return [row(job) for job in found[:most]]


def row(job: Job) -> dict[str, Any]:
    """One job as a line."""
    is_open = job.state in OPEN_JOBS
    return {
        "id": job.id,
        "run": job.run,
        "probe": job.probe,
        "provider": job.provider,
        "device": job.device,
        "state": job.state,
        "word": job.word,
        "reason": job.reason,
        "position": job.position,
        "created": iso(job.created),
        "submitted": iso(job.submitted),
        "started": iso(job.started),
        "ended": iso(job.ended),
        "due": iso(job.due) if is_open else None,
        "quoted_usd": job.quote.usd,
        "quoted_qpu_seconds": job.quote.qpu_seconds,
        "usd": job.usd,
        "qpu_seconds": job.qpu_seconds,
    }


def whole(job: Job) -> dict[str, Any]:
    """All that the ledger has of one job, and what will happen next."""
    return row(job) | {
        "kind": job.kind,
        "tag": job.tag,
        "remote": job.remote,
        "wait_seconds": _between(job.submitted, job.started),
        "attempts": job.attempts,
        "failures": job.failures,
        "tried": iso(job.tried),
        "unwanted": job.unwanted,
        "cancel_asked": iso(job.cancel_asked),
        "sha256": job.sha256,
        "settings": dict(job.settings),
        "next": ahead(job, now()),
    }


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None or end < start else round(end - start, 3)


def spend(budget: Budget, store: Store, since: float) -> dict[str, Any]:
    """Who was paid how much since a moment, and what each limit of the budget leaves."""
    return {
        "since": iso(since),
        "rows": spending.by_device(store, since),
        "budget": [
            {
                "key": limit.key,
                "unit": limit.unit,
                "most": limit.most,
                "days": limit.days,
                "spent": limit.taken,
                "reserved": limit.reserved,
                "left": limit.left,
            }
            for limit in limits(budget, Ledger(store), now())
        ],
    }
