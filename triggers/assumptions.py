"""What a `[crossover]` table may say: what no reading tells, and the crossover model needs."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from triggers.crossover import BUDGET
from triggers.quantity import Duration

LOGICAL_ERROR = 1e-10
"""Error rates below it are "needed for many applications": Google Quantum AI, Nature 638, 920
(2025), arXiv 2408.13687. A run of two weeks on 10,000 logical qubits needs far less still."""
CODE_CYCLE = 1.1e-6
"""Seconds of one cycle of the code on Google's Willow, same source; calibrations state none."""


def _wrong(key: str, message: str) -> PydanticCustomError:
    return PydanticCustomError("wrong", "{message}", {"key": key, "message": message})


class Assumptions(BaseModel):
    """The `[crossover]` table. Prices are in USD an hour, each with its source; `budget` is in
    seconds once read, `cycle` is the code's cycle in seconds. None: what needs it is absent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gpu_usd_per_hour: float | None = Field(default=None, gt=0)
    gpu_usd_source: str = ""
    quantum_usd_per_hour: float | None = Field(default=None, gt=0)
    quantum_usd_source: str = ""
    budget: Duration = BUDGET
    operations: float = Field(default=1.0, ge=1)
    quantum_doubling: Duration | None = None
    acceptance: float = Field(default=1.0, gt=0, le=1)
    logical_error: float = Field(default=LOGICAL_ERROR, gt=0, lt=1)
    cycle: float = Field(default=CODE_CYCLE, gt=0)

    @model_validator(mode="after")
    def _sourced(self) -> Self:
        for name in ("gpu_usd", "quantum_usd"):
            price, source = getattr(self, f"{name}_per_hour"), getattr(self, f"{name}_source")
            if price is not None and not source.strip():
                raise _wrong(f"{name}_source", f"needs the source of {name}_per_hour, and its date")
            if source and price is None:
                raise _wrong(f"{name}_source", f"does nothing without {name}_per_hour")
        if self.budget <= 0:
            raise _wrong("budget", 'expected a duration of more than "0s"')
        if self.quantum_doubling is not None and self.quantum_doubling <= 0:
            raise _wrong("quantum_doubling", 'expected a duration of more than "0s"')
        return self


NOTHING_GIVEN = Assumptions()
"""What holds where a config has no such table."""
