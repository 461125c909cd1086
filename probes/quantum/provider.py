"""What every quantum cloud can be asked, and the nouns of its answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import ClassVar, Literal, Protocol

from probes.quantum.batch import Batch
from probes.quantum.device import Calibration
from storage.types import Origin, Quote

Counts = Mapping[str, int]
"""Outcomes of one circuit: bit string (first qubit rightmost) to number of shots."""

Ability = Literal[
    "devices", "calibration", "history", "queue", "quote", "submit", "find", "cancel", "cost"
]


class Unpriced(Exception):
    """Raised by `quote` where nobody has said what the work costs: it is not submitted then."""


class Unsupported(Exception):
    """Raised where a provider is asked for what it does not have; `supports` tells beforehand."""


class NoLibrary(RuntimeError):
    """The library that a provider needs is not installed; the message names the extra."""


def require(module: str, needs: str) -> None:
    """Raise NoLibrary, which says `needs`, where a module is not installed. It is not imported."""
    try:
        found = find_spec(module)
    except ModuleNotFoundError:  # nor is the package that it would be in
        found = None
    if found is None:
        raise NoLibrary(needs)


@dataclass(frozen=True, slots=True)
class Price:
    """What work costs as the user states it, in USD; None where the provider's price counts."""

    task: float | None = None
    shot: float | None = None
    qpu_second: float | None = None

    @property
    def free(self) -> bool:
        """Whether the user says that a task costs nothing."""
        return self.task == 0 and not self.shot and not self.qpu_second


@dataclass(frozen=True, slots=True)
class Device:
    """One device as its provider lists it.

    `status` is the provider's own word and `online` what it means. `queue` is the number of jobs
    that wait, `wait` the provider's prediction in seconds; None where it does not say.
    `queue_at_least`: the provider says only that no fewer wait.
    """

    name: str
    qubits: int | None
    status: str
    online: bool
    queue: int | None = None
    wait: float | None = None
    simulator: bool = False
    queue_at_least: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """How a job stands at the provider: `word` is its own word, `state` ours, `unknown` where we do
    not know it. `started` and `ended` are its clock, in seconds since the epoch. What is not said
    is None."""

    state: Literal["queued", "running", "done", "failed", "cancelled", "gone", "unknown"]
    word: str
    reason: str = ""
    position: int | None = None
    started: float | None = None
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What a job was billed with; None where the provider does not say."""

    usd: float | None = None
    qpu_seconds: float | None = None


class Provider(Protocol):
    """What every provider can be asked. Its module holds exactly one class that derives from this
    and overrides what it can do; what is left raises Unsupported and is not in `supports`.

    Errors: ValueError for a device that is not known, account.NoAccount where a secret lacks,
    NoLibrary where an SDK does, TryLater for HTTP 429. Everything else that goes wrong is told with
    the provider's own words and the HTTP status. `submit` raises Rejected where it is certain that
    no job was created. Nothing is tried twice.
    """

    origin: ClassVar[Origin] = "measured"
    """Origin of the counts: `simulated` for a noise model, `measured` for hardware."""
    queued: ClassVar[bool] = True
    """Whether work is submitted and collected; else `counts` answers here and now, for free: where
    that cannot be told of a device, `quote` raises Unpriced."""
    supports: ClassVar[frozenset[Ability]]
    visible_after: ClassVar[float] = 60.0
    """Seconds after which a job that was created is certain to be found by its tag."""
    atomic: ClassVar[bool] = True
    """Whether a submission is one request, so that what `find` does not find costs nothing."""

    def ready(self) -> None:
        """Raise NoAccount or NoLibrary where this machine lacks what the provider needs, as far as
        it can know: no network, and no SDK is imported."""
        raise NotImplementedError

    def check(self, device: str) -> None:
        """Raise ValueError for a device name that is wrong as far as this machine can know.
        No network: a config is checked with it."""
        raise NotImplementedError

    def origin_of(self, device: str) -> Origin:
        """Origin of this device's counts: a cloud's simulator is no hardware."""
        return self.origin

    def devices(self) -> Sequence[Device]:
        """The devices that the account may use."""
        raise Unsupported(f"{self._name()} does not list its devices")

    def device(self, device: str) -> Device:
        """One of them, with its status and queue now. Raises ValueError where it is not listed."""
        listed = self.devices()
        for one in listed:
            if one.name == device:
                return one
        known = ", ".join(one.name for one in listed)
        raise ValueError(f"{self._name()} lists no device {device!r}; it lists {known}")

    def calibration(self, device: str) -> Calibration:
        """The device's calibration now."""
        raise Unsupported(f"{self._name()} publishes no calibrations")

    def history(self, device: str, since: float, until: float) -> Sequence[Calibration]:
        """The device's calibrations between two moments (seconds since the epoch), oldest first."""
        raise Unsupported(f"{self._name()} publishes no calibrations of the past")

    def counts(self, batch: Batch, calibration: Calibration, *, seed: int) -> list[Counts]:
        """Run a batch here and now: what providers without a queue do."""
        raise Unsupported(f"{self._name()} runs nothing here and now")

    def quote(self, device: str, batch: Batch, price: Price) -> Quote:
        """The most that the batch will cost. Raises Unpriced where no price is known."""
        raise Unsupported(f"{self._name()} has no prices")

    def submit(self, device: str, batch: Batch, tag: str, quote: Quote) -> str:
        """Send the batch as one job that carries the tag; its id. It may cost what was quoted."""
        raise Unsupported(f"{self._name()} takes no jobs")

    def find(self, device: str, tag: str) -> str | None:
        """The id of the job with this tag; None where the provider says clearly there is none."""
        raise Unsupported(f"{self._name()} cannot find a job by its tag")

    def status(self, device: str, job: str) -> Status:
        """How the job stands; state `gone` where the provider no longer knows it."""
        raise Unsupported(f"{self._name()} takes no jobs")

    def result(self, device: str, job: str, batch: Batch) -> list[Counts]:
        """Counts of every circuit, in the batch's order. Raises Unreadable."""
        raise Unsupported(f"{self._name()} takes no jobs")

    def cancel(self, device: str, job: str) -> None:
        """Ask for the job's end."""
        raise Unsupported(f"{self._name()} takes no jobs")

    def cost(self, device: str, job: str, batch: Batch, quote: Quote) -> Cost:
        """What the job was billed with, as far as the provider says; `quote` was its quote."""
        raise Unsupported(f"{self._name()} does not say what a job was billed with")

    def _name(self) -> str:
        return type(self).__module__.rpartition(".")[2]
