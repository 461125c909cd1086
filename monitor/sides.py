"""The two sides of the crossover model as the readings have them: measured processors, and
devices as their owners describe them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from monitor.derived import ERRORS, QUBITS, RATE
from storage import reports
from storage.store import Store
from storage.types import Reading
from triggers.assumptions import Assumptions
from triggers.comparison import Rate
from triggers.crossover import OPERATIONS
from triggers.surface_code import Logical, logical

OPERATION_OF = {"float16": "fp16", "bfloat16": "bf16", "float32": "fp32"}
"""The kind of operation of a matrix product's dtype."""
FLOPS_OF_ONE = 2
"""A multiplication and its addition are two FLOP and one operation, as in the paper."""
TERA = 1e12


@dataclass(frozen=True, slots=True)
class Processor:
    """A measured GPU or CPU. `rate` is None where `why` says that it cannot be told."""

    target: str
    operation: str
    rate: Rate | None
    reading: Reading
    why: str = ""

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

    def processors(self) -> list[Processor]:
        """Every processor whose matrix products have been timed, by target."""
        return [_processor(reading) for _, reading in sorted(self._latest(RATE).items())]

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
        return stored | {r.target: r for r in self._fresh if r.signal == signal}


def fastest(processors: Iterable[Processor]) -> Processor | None:
    """The GPU that a device of today has to beat; None where none has been measured."""
    rated = [(p.rate.value, p.target, p) for p in processors if p.is_gpu and p.rate is not None]
    return max(rated)[2] if rated else None


def _processor(reading: Reading) -> Processor:
    dtype = reading.note.partition(";")[0].strip()
    operation = OPERATION_OF.get(dtype)
    made: dict[str, Any] = {"target": reading.target, "reading": reading}
    if operation is None:
        why = f"the note of its last {RATE} names no dtype ({', '.join(OPERATION_OF)})"
        return Processor(operation="fp16", rate=None, why=why, **made)
    if reading.value <= 0:
        return Processor(
            operation=operation, rate=None, why=f"its last {RATE} is {reading.value:g}", **made
        )
    scale = TERA / FLOPS_OF_ONE
    sigma = None if reading.sigma is None else reading.sigma * scale
    return Processor(operation=operation, rate=Rate(reading.value * scale, sigma), **made)
