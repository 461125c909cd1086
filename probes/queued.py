"""Work that waits in somebody's queue: what a probe of it must be able to do, each in a child of
its own, and how orders and answers travel as JSON. Between the steps stands the ledger."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Literal

from pydantic import Field

from probes.base import Probe
from storage.types import Order, Progress, Reading, Result, Signal

Step = Literal["prepare", "submit", "find", "collect", "cancel"]

JOB_SIGNALS = (
    Signal(
        "quantum.job.wait",
        "s",
        "lower",
        "Time in the queue, from our submission to the start that the provider reports",
    ),
    Signal("quantum.job.execution", "s", "lower", "From a job's start to its end, as reported"),
    Signal("quantum.job.cost", "USD", "lower", "What the provider billed for one job"),
    Signal("quantum.job.qpu_time", "s", "lower", "QPU time that was billed for one job"),
)
"""What every job tells beside its result; the target is the device."""


class Rejected(Exception):
    """Raised by `submit` where the provider said no: it is certain that no job was created."""


class TryLater(Exception):
    """Raised where the provider asks for patience (HTTP 429): nothing was done."""

    def __init__(self, reason: str, seconds: float | None = None) -> None:
        """`seconds` is what the provider asked for, None where it did not say."""
        super().__init__(reason)
        self.seconds = seconds


class Unreadable(ValueError):
    """Raised by `collect` where a job has ended and what it brought is not what was asked for."""


class QueuedProbe(Probe):
    """Work that waits in somebody's queue and may cost money: prepared, submitted, collected.

    Whatever `submit` raises but Rejected and TryLater leaves in doubt whether there is a job:
    `find` answers that. None of the methods tries anything twice by itself.
    """

    job_signals: ClassVar[tuple[Signal, ...]] = JOB_SIGNALS

    indifferent: ClassVar[frozenset[str]] = frozenset({"max_usd", "max_days"})

    max_usd: float | None = Field(default=None, ge=0, description="most that one run may cost")
    max_days: float = Field(
        default=7.0, gt=0, le=365, description="days after which a job that waits is cancelled"
    )

    def queued(self) -> bool:
        """Whether this instance waits in a queue. False: `run` measures here and now, for free."""
        raise NotImplementedError

    def priced(self) -> bool:
        """Whether somebody must be asked for the price of a run: `prepare` does it."""
        return self.queued()

    def promises(self) -> tuple[Signal, ...]:
        """The probe's own signals, and those of its jobs where it has any."""
        return (*self.signals, *self.job_signals) if self.queued() else self.signals

    def prepare(self) -> Order:
        """All that will be sent, and the most that it will cost. Sends nothing that costs."""
        raise NotImplementedError

    def submit(self, order: Order, tag: str) -> str:
        """Send it once, without any retry; the provider's id of the job."""
        raise NotImplementedError

    def find(self, order: Order, tag: str) -> str | None:
        """The id of the job with this tag; None where the provider says clearly there is none."""
        raise NotImplementedError

    def collect(self, order: Order, job: str) -> Progress | Result:
        """How the job stands, or what came of it. Raises Unreadable."""
        raise NotImplementedError

    def cancel(self, order: Order, job: str) -> None:
        """Ask for the job's end. It may run on: only its state tells."""
        raise NotImplementedError


def perform(probe: QueuedProbe, task: Mapping[str, Any]) -> tuple[dict[str, Any], list[Reading]]:
    """Do one step, `task["do"]`; its answer as JSON, and the readings that it brought."""
    steps: dict[str, Callable[..., tuple[dict[str, Any], list[Reading]]]] = {
        "prepare": _prepare,
        "submit": _submit,
        "find": _find,
        "collect": _collect,
        "cancel": _cancel,
    }
    return steps[task["do"]](probe, task)


def _prepare(probe: QueuedProbe, _: Mapping[str, Any]) -> tuple[dict[str, Any], list[Reading]]:
    return {"order": asdict(probe.prepare())}, []


def _submit(probe: QueuedProbe, task: Mapping[str, Any]) -> tuple[dict[str, Any], list[Reading]]:
    return {"remote": probe.submit(Order.from_json(task["order"]), task["tag"])}, []


def _find(probe: QueuedProbe, task: Mapping[str, Any]) -> tuple[dict[str, Any], list[Reading]]:
    return {"remote": probe.find(Order.from_json(task["order"]), task["tag"])}, []


def _collect(probe: QueuedProbe, task: Mapping[str, Any]) -> tuple[dict[str, Any], list[Reading]]:
    found = probe.collect(Order.from_json(task["order"]), task["remote"])
    if isinstance(found, Progress):
        return {"progress": asdict(found)}, []
    readings = list(found.readings)
    told = asdict(found)
    del told["readings"]  # they travel as the readings of a run do
    return {"result": told}, readings


def _cancel(probe: QueuedProbe, task: Mapping[str, Any]) -> tuple[dict[str, Any], list[Reading]]:
    probe.cancel(Order.from_json(task["order"]), task["remote"])
    return {}, []
