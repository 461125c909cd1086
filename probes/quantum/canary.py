"""What all canaries that run circuits share: plan here, run there, understand what comes back.

A canary says which circuits (`plan`) and what their counts mean (`read`); where they run, and
whether that is now or in some days, is no business of its.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from probes.base import Skipped
from probes.quantum.batch import Batch
from probes.quantum.device import Calibration
from probes.quantum.provider import Cost, Counts, Price, Provider, Status, Unpriced
from probes.quantum.providers import ProviderName, load
from probes.queued import QueuedProbe, Unreadable
from storage.types import Order, Origin, Progress, Quote, Reading, Result

if TYPE_CHECKING:
    from numpy.random import Generator

MOST_OUTCOMES = 250_000
"""Different outcomes of all circuits of a run: with some 20 bytes each they fit into its result."""


@dataclass(frozen=True, slots=True)
class Execution:
    """How a batch was run. `seconds` is the time that all of its shots took, from start to end by
    the provider's clock, and `usd` what was billed. None is what is not known; a simulation has no
    time that would mean anything."""

    device: str
    origin: Origin
    seconds: float | None = None
    usd: float | None = None
    qpu_seconds: float | None = None


class Canary(QueuedProbe, ABC):
    """Circuits on a device, by any provider. Subclasses say `plan` and `read`."""

    indifferent: ClassVar[frozenset[str]] = QueuedProbe.indifferent | {
        "usd_per_task",
        "usd_per_shot",
        "usd_per_qpu_second",
    }

    provider: ProviderName = Field(default="snapshot", description="who runs the device")
    device: str = Field(description="the provider's name for it, such as fake_kingston")
    seed: int = Field(default=1, ge=0, lt=1 << 31, description="of circuits and simulated shots")
    usd_per_task: float | None = Field(default=None, ge=0, description="your price of one task")
    usd_per_shot: float | None = Field(default=None, ge=0, description="your price of one shot")
    usd_per_qpu_second: float | None = Field(
        default=None, ge=0, description="your price of a second of QPU time"
    )

    @field_validator("device")
    @classmethod
    def _known(cls, value: str, info: ValidationInfo) -> str:
        if "provider" in info.data:  # else that is the fault to tell
            load(info.data["provider"]).check(value)
        return value

    # --- what a canary says ------------------------------------------------------------------

    @abstractmethod
    def plan(self, calibration: Calibration) -> Batch:
        """The circuits, compiled for the device. Raises Skipped where it cannot run them."""

    @abstractmethod
    def read(
        self, facts: Mapping[str, Any], counts: Sequence[Counts], execution: Execution
    ) -> Iterable[Reading]:
        """What the counts of a batch with these facts mean."""

    def random(self, *numbers: int) -> "Generator":
        """Random numbers that depend on nothing but the seed and the place of their use."""
        import numpy as np

        return np.random.default_rng([self.seed, *numbers])

    # --- here and now ------------------------------------------------------------------------

    def run(self) -> Iterable[Reading]:
        """Plan, run and read in one go: for providers without a queue. Raises Skipped where nobody
        has said that it is free, since what runs here is in no ledger."""
        provider = load(self.provider)
        calibration = provider.calibration(self.device)
        self._kept_calibration(calibration)
        batch = self.plan(calibration)
        check_size(batch)
        if "quote" in provider.supports:
            self._quote(provider, batch)
        counts = provider.counts(batch, calibration, seed=self.seed)
        check_counts(batch, counts)
        self._kept_counts(batch, counts)
        execution = Execution(self.device, _origin(provider, calibration))
        yield from self.read(_as_stored(batch.facts), counts, execution)

    # --- through a queue ---------------------------------------------------------------------

    def queued(self) -> bool:
        """Whether the provider has a queue."""
        return load(self.provider).queued

    def priced(self) -> bool:
        """Whether the provider knows prices: some without a queue refuse what has none."""
        return "quote" in load(self.provider).supports

    def prepare(self) -> Order:
        """Plan, and ask what it costs. Raises Skipped where the device is offline, or where nobody
        knows the price."""
        provider = load(self.provider)
        _require_online(provider, self.device)
        calibration = provider.calibration(self.device)
        self._kept_calibration(calibration)
        batch = self.plan(calibration)
        check_size(batch)
        self.keep(circuits=len(batch.circuits), shots=batch.shots)
        return Order(
            provider=self.provider,
            device=self.device,
            quote=self._quote(provider, batch),
            content={
                "batch": batch.as_json(),
                "calibration": calibration.identity,
                "calibrated": calibration.time,
            },
            origin=_origin(provider, calibration),
            visible_after=provider.visible_after,
            atomic=provider.atomic,
        )

    def submit(self, order: Order, tag: str) -> str:
        """Send the batch once."""
        batch = Batch.from_json(order.content["batch"])
        return load(order.provider).submit(order.device, batch, tag, order.quote)

    def find(self, order: Order, tag: str) -> str | None:
        """Look for the job by its tag."""
        return load(order.provider).find(order.device, tag)

    def collect(self, order: Order, job: str) -> Progress | Result:
        """How the job stands; once it is done, what its counts mean."""
        provider = load(order.provider)
        status = provider.status(order.device, job)
        if status.state in ("queued", "running", "gone", "unknown"):
            return _progress(status, Cost())
        batch = Batch.from_json(order.content["batch"])
        if status.state != "done":
            return _progress(status, self._cost(provider, order, job, batch))
        counts = provider.result(order.device, job, batch)
        check_counts(batch, counts)
        cost = self._cost(provider, order, job, batch)
        self.keep(calibration=order.content["calibration"], job=job, seed=self.seed)
        self.keep(calibrated=order.content["calibrated"])
        self._kept_counts(batch, counts)
        execution = Execution(order.device, order.origin, _took(status), cost.usd, cost.qpu_seconds)
        return Result(
            readings=self._understood(batch.facts, counts, execution),
            word=status.word,
            usd=cost.usd,
            qpu_seconds=cost.qpu_seconds,
            started=status.started,
            ended=status.ended,
        )

    def _understood(
        self, facts: Mapping[str, Any], counts: Sequence[Counts], execution: Execution
    ) -> tuple[Reading, ...]:
        """What the counts mean. Where that cannot be told it never will be: they are kept with the
        run all the same, and the job is not looked at for weeks."""
        try:
            return tuple(self.read(facts, counts, execution))
        except (ArithmeticError, LookupError, RuntimeError, ValueError) as error:
            raise Unreadable(f"what came back has no meaning: {error}") from error

    def _cost(self, provider: Provider, order: Order, job: str, batch: Batch) -> Cost:
        """The bill. A provider that tells the time alone is paid by the user's price of it, and
        what was quoted as free is free."""
        if "cost" not in provider.supports:
            return Cost()
        try:
            told = provider.cost(order.device, job, batch, order.quote)
        # An SDK raises anything. What was paid for must not be lost because its bill cannot be had:
        # the quote counts then, and the run's payload says why.
        except Exception as error:  # noqa: BLE001
            self.keep(bill=f"not known: {type(error).__name__}: {error}")
            return Cost()
        if told.usd is not None:
            return told
        if order.quote.usd == 0.0:
            return replace(told, usd=0.0)
        if self.usd_per_qpu_second is not None and told.qpu_seconds is not None:
            return replace(told, usd=self.usd_per_qpu_second * told.qpu_seconds)
        return told

    def cancel(self, order: Order, job: str) -> None:
        """Ask for the job's end."""
        load(order.provider).cancel(order.device, job)

    def _quote(self, provider: Provider, batch: Batch) -> Quote:
        price = Price(self.usd_per_task, self.usd_per_shot, self.usd_per_qpu_second)
        try:
            return provider.quote(self.device, batch, price)
        except Unpriced as unpriced:
            raise Skipped(f"no price is known: {unpriced}") from unpriced

    # --- what is kept with the run -----------------------------------------------------------

    def _kept_calibration(self, calibration: Calibration) -> None:
        self.keep(calibration=calibration.identity, calibrated=calibration.time, seed=self.seed)

    def _kept_counts(self, batch: Batch, counts: Sequence[Counts]) -> None:
        """All that the readings can be computed from again."""
        self.keep(facts=dict(batch.facts), shots=batch.shots, counts=[dict(c) for c in counts])


def _require_online(provider: Provider, device: str) -> None:
    if "devices" not in provider.supports:
        return
    found = provider.device(device)
    if not found.online:
        raise Skipped(f"{device} is offline: its provider says {found.status!r}")


def _origin(provider: Provider, calibration: Calibration) -> Origin:
    """What is run on a made-up device is simulated, whatever the provider."""
    return (
        "simulated" if calibration.origin == "simulated" else provider.origin_of(calibration.device)
    )


def _progress(status: Status, cost: Cost) -> Progress:
    assert status.state != "done"
    return Progress(
        state=status.state,
        word=status.word,
        reason=status.reason,
        position=status.position,
        started=status.started,
        usd=cost.usd,
        qpu_seconds=cost.qpu_seconds,
    )


def _took(status: Status) -> float | None:
    if status.started is None or status.ended is None:
        return None
    return status.ended - status.started if status.ended > status.started else None


def _as_stored(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Facts as they come back from the ledger: what is read here and now is read as it is there."""
    stored: dict[str, Any] = json.loads(json.dumps(dict(facts)))
    return stored


def check_size(batch: Batch) -> None:
    """Raise ValueError for a batch whose counts would be too much for one run to keep."""
    most = sum(min(batch.shots, 1 << circuit.num_qubits) for circuit in batch.circuits)
    if most > MOST_OUTCOMES:
        raise ValueError(
            f"{len(batch.circuits)} circuits of {batch.shots} shots can have {most:,} different "
            f"outcomes, and a run keeps {MOST_OUTCOMES:,} at most: ask for fewer circuits or shots"
        )


def check_counts(batch: Batch, counts: Sequence[Counts]) -> None:
    """Raise Unreadable for counts that are not of all circuits, shots and qubits of the batch."""
    if len(counts) != len(batch.circuits):
        raise Unreadable(f"counts of {len(counts)} circuits instead of {len(batch.circuits)}")
    for place, (circuit, found) in enumerate(zip(batch.circuits, counts, strict=True)):
        width, shots = circuit.num_qubits, sum(found.values())
        odd = next((key for key in found if not _is_outcome(key, width)), None)
        if odd is not None:
            raise Unreadable(f"circuit {place} has the outcome {odd!r}, not {width} bits")
        if shots != batch.shots or min(found.values()) < 0:
            raise Unreadable(f"circuit {place} has counts of {shots} shots, not {batch.shots}")


def _is_outcome(key: str, width: int) -> bool:
    return len(key) == width and set(key) <= {"0", "1"}
