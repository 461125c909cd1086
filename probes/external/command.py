"""Any program as a probe: it prints one JSON object a line, each a reading.

A line looks like `{"signal": "queue.length", "value": 12, "target": "ibm_kingston"}`; `target`,
`sigma` and `note` may be left out.
"""

import json
import math
import os
import signal as signals_of_os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from probes.base import Probe
from storage.types import Origin, Quote, Reading, Signal

MOST_STDOUT = 1 << 20


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    signal: str
    value: float
    target: str | None = None
    sigma: float | None = None
    note: str = ""


def _argv(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class Command(Probe):
    """Summary: runs a program of the operator's and takes its lines as readings.

    What the number means: whatever the program measured, in the unit that the table declares for
    the signal. A target that a line does not name is this host. Standard output past 1 MiB, an
    exit status other than 0, a line that is no such object, a value that is no finite number and a
    signal that the table does not declare are each a failed run: none of its readings is kept.

    References: the same idea in Nagios plug-ins and in Cloudprober's external probe
    (https://cloudprober.org/docs/how-to/external-probe/).
    """

    argv: Annotated[tuple[str, ...], BeforeValidator(_argv)] = Field(min_length=1)
    signals_declared: Mapping[str, str] = Field(alias="signals", min_length=1)
    origin: Origin = "measured"
    usd: float = Field(default=0.0, ge=0)
    qpu_seconds: float = Field(default=0.0, ge=0)

    deadline: ClassVar[float] = 60.0

    def promises(self) -> tuple[Signal, ...]:
        """The signals of the table, with the units that it gives them."""
        return tuple(
            Signal(name, unit, "neither", f"printed by {self.argv[0]}")
            for name, unit in self.signals_declared.items()
        )

    def quote(self) -> Quote:
        """What the table says one run costs at most."""
        return Quote(self.usd, self.qpu_seconds)

    def resource(self) -> str | None:
        """A command of the operator's may run beside anything."""
        return None

    def run(self) -> Iterator[Reading]:
        """Run the program. Raises ValueError or RuntimeError naming the line or the status."""
        lines = self._output().decode("utf-8").splitlines()
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield self._reading(number, line)

    def _output(self) -> bytes:
        try:
            program = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=sys.stderr.fileno(),
                preexec_fn=_die_with_parent,  # noqa: PLW1509 this child has one thread
            )
        except OSError as error:
            raise RuntimeError(f"{self.argv[0]} cannot be run: {error.strerror}") from None
        with program:
            assert program.stdout is not None
            output = program.stdout.read(MOST_STDOUT + 1)
            if len(output) > MOST_STDOUT:
                program.kill()
                raise RuntimeError(f"{self.argv[0]} printed more than 1 MiB on standard output")
        if program.returncode != 0:
            raise RuntimeError(f"{self.argv[0]} {_ending(program.returncode)}")
        return output

    def _reading(self, number: int, line: str) -> Reading:
        try:
            said = _Line.model_validate(json.loads(line))
        except json.JSONDecodeError as error:
            raise ValueError(
                f"line {number} is not JSON ({error.msg} at column {error.colno}): {line[:80]}"
            ) from None
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in fault["loc"]) or "the line"
            raise ValueError(f"line {number}: {where}: {fault['msg']}: {line[:80]}") from None
        if said.signal not in self.signals_declared:
            known = ", ".join(self.signals_declared)
            raise ValueError(
                f"line {number}: undeclared signal {said.signal!r}; the table declares {known}"
            )
        target = said.target or socket.gethostname()
        if not math.isfinite(said.value):
            raise ValueError(f"line {number}: {said.signal} is {said.value}, not a finite number")
        return Reading(said.signal, target, said.value, self.origin, said.sigma, note=said.note)


def _ending(status: int) -> str:
    if status >= 0:
        return f"ended with exit status {status}, expected 0"
    return f"was ended by {signals_of_os.Signals(-status).name}"


def _die_with_parent() -> None:
    from probes.__main__ import die_with

    die_with(os.getppid())
