"""The two sides of the crossover model as the readings have them: measured processors, and
devices as their owners describe them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from monitor.derived import ERRORS, QUBITS, RATE
from storage import progress, reports
from storage.store import Store
from storage.types import Reading
from triggers.assumptions import Assumptions
from triggers.comparison import Rate
from triggers.crossover import OPERATIONS
from triggers.surface_code import Logical, logical

OPERATION_OF = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
"""The kind of operation of a matrix product's dtype, the one that models are trained in first. The
model has no operation of float8 and none of tf32."""
FLOPS_OF_ONE = 2
"""A multiplication and its addition are two FLOP and one operation, as in the paper."""
TERA = 1e12


@dataclass(frozen=True, slots=True)
class Processor:
    """A measured GPU or CPU and its rate in one kind of operation, None where `why` says that it
    cannot be told. `reading` is the one that it is from; its target has the dtype too."""

    target: str
    operation: str
    rate: Rate | None
    reading: Reading
    why: str = ""

    @property
    def family(self) -> str:
        """What its driver calls it; "" of a CPU, or where that is not known."""
        return self.reading.family

    @property
    def is_gpu(self) -> bool:
        """A GPU's target is its UUID."""
        return self.target.startswith("GPU-")


@dataclass(frozen=True, slots=True)
class Device:
    """A quantum device: its physical qubits and its errors, by what they are of."""

    target: str
    qubits: int
    errors: dict[str, float]
    readings: tuple[Reading, ...]

    @property
    def at(self) -> float:
        """When the last of it was read."""
        return max(reading.at for reading in self.readings)

    def logical(self, operation: str, given: Assumptions) -> Logical:
        """What it holds, error-corrected; of a device of which too little is known, that."""
        missing = [of for of in ERRORS.values() if of not in self.errors]
        if missing:
            return Logical(None, None, f"its error of {' and of '.join(missing)} is not known")
        if self.qubits < 1:
            return Logical(None, None, f"it is said to have {self.qubits} qubits")
        return logical(
            self.qubits,
            self.errors,
            OPERATIONS[operation],
            target=given.logical_error,
            code_cycle=given.cycle,
            acceptance=given.acceptance,
        )


class Sides:
    """All processors and devices, from the last reading of each signal on each target. `fresh`
    readings are not stored yet, and take the place of those that are."""

    def __init__(self, store: Store, fresh: Iterable[Reading] = ()) -> None:
        self._store = store
        self._fresh = tuple(fresh)
        self._families = progress.families(store)

    def processors(self) -> list[Processor]:
        """Every processor whose matrix products have been timed, by target, and by dtype where the
        model has an operation of that."""
        return [
            _processor(target.removesuffix(f"/{dtype}"), OPERATION_OF[dtype], reading)
            for target, reading in sorted(self._latest(RATE).items())
            if (dtype := target.rpartition("/")[2]) in OPERATION_OF
        ]

    def devices(self) -> list[Device]:
        """Every device of which the number of qubits is known, by target."""
        errors = {of: self._latest(name) for name, of in ERRORS.items()}
        return [
            Device(
                target,
                int(qubits.value),
                {of: known[target].value for of, known in errors.items() if target in known},
                (qubits, *(known[target] for known in errors.values() if target in known)),
            )
            for target, qubits in sorted(self._latest(QUBITS).items())
        ]

    def _latest(self, signal: str) -> dict[str, Reading]:
        stored = {reading.target: reading for reading in reports.latest_of(self._store, signal)}
        latest = stored | {r.target: r for r in self._fresh if r.signal == signal}
        return {
            target: replace(reading, family=reading.family or self._families.get(target, ""))
            for target, reading in latest.items()
        }


def fastest(processors: Iterable[Processor]) -> Processor | None:
    """The GPU that a device of today has to beat, in the first kind of operation that any has been
    timed in: the fastest in bf16 if there is one. None where none has been measured."""
    order = list(OPERATION_OF.values())
    rated = [
        (-order.index(p.operation), p.rate.value, p.target, p)
        for p in processors
        if p.is_gpu and p.rate is not None
    ]
    return max(rated)[3] if rated else None


def _processor(target: str, operation: str, reading: Reading) -> Processor:
    made: dict[str, Any] = {"target": target, "operation": operation, "reading": reading}
    if reading.value <= 0:
        return Processor(rate=None, why=f"its last {RATE} is {reading.value:g}", **made)
    scale = TERA / FLOPS_OF_ONE
    sigma = None if reading.sigma is None else reading.sigma * scale
    return Processor(rate=Rate(reading.value * scale, sigma), **made)
