"""Any program as a probe: it prints one JSON object a line, each a reading.

A line looks like `{"signal": "queue.length", "value": 12, "target": "ibm_kingston"}`; `target`,
`sigma` and `note` may be left out.
"""

import functools
import json
import os
import re
import select
import signal as signals_of_os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from probes.base import Probe
from storage.types import Origin, Quote, Reading, Signal

MOST_STDOUT = 1 << 20
MOST_SAID = 200
"""Characters of a failed program's last line that its run's reason quotes."""
TAIL = 8192
"""Bytes of standard error in which that line is looked for."""
LOOK_SECONDS = 0.1
"""How often a program that prints nothing is looked after: whether it has ended."""


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    signal: str
    value: float
    target: str | None = None
    sigma: float | None = None
    note: str = ""


def _argv(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _signal_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]*", value):
        raise ValueError(
            f"expected a name of letters, digits, dots, dashes and slashes, got {value!r}"
        )
    return value


SignalName = Annotated[str, AfterValidator(_signal_name)]
Unit = Annotated[str, Field(min_length=1)]


class Command(Probe):
    """Summary: runs a program of the operator's and takes its lines as readings.

    What the number means: whatever the program measured, in the unit that the table declares for
    the signal. A target that a line does not name is this host. Standard output past 1 MiB, an
    exit status other than 0, a line that is no such object, a value that is no finite number, a
    signal that the table does not declare, a second line about the same signal and target, and no
    line at all are each a failed run: none of its readings is kept. The run ends with the program;
    what it leaves running is killed.

    References: the same idea in Nagios plug-ins and in Cloudprober's external probe
    (https://cloudprober.org/docs/how-to/external-probe/).
    """

    argv: Annotated[tuple[str, ...], BeforeValidator(_argv)] = Field(
        min_length=1,
        description="the program and its arguments; one with a slash is relative to the config",
    )
    signals_declared: Mapping[SignalName, Unit] = Field(
        alias="signals", min_length=1, description="what it may print, with units"
    )
    origin: Origin = Field(default="measured", description="where its numbers come from")
    usd: float = Field(default=0.0, ge=0, description="what one run costs at most")
    qpu_seconds: float = Field(default=0.0, ge=0, description="device time of one run at most")

    deadline: ClassVar[float] = 60.0
    indifferent: ClassVar[frozenset[str]] = frozenset({"signals_declared", "usd", "qpu_seconds"})

    @field_validator("argv")
    @classmethod
    def _can_be_run(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value[0] or any("\0" in part for part in value):
            raise ValueError(f"expected a program and its arguments, got {list(value)!r}")
        return value

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
        seen: set[tuple[str, str]] = set()
        for number, line in enumerate(self._output().split(b"\n"), start=1):
            if not line.strip():
                continue
            reading = self._reading(number, line)
            if (reading.signal, reading.target) in seen:
                raise ValueError(
                    f"line {number}: a second reading of {reading.signal} on {reading.target}; "
                    "a run takes one of each"
                )
            seen.add((reading.signal, reading.target))
            yield reading
        if not seen:
            raise ValueError(f"{self.argv[0]} printed no reading")

    def _output(self) -> bytes:
        try:
            program = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # this child has one thread
                preexec_fn=functools.partial(_die_with, os.getpid()),  # noqa: PLW1509
            )
        except OSError as error:
            raise RuntimeError(f"{self.argv[0]} cannot be run: {error.strerror}") from None
        with program:
            output, said = _printed(program)
            if len(output) > MOST_STDOUT:
                program.kill()
                raise RuntimeError(f"{self.argv[0]} printed more than 1 MiB on standard output")
        if program.returncode != 0:
            raise RuntimeError(f"{self.argv[0]} {_ending(program.returncode)}{_last(said)}")
        return output

    def _reading(self, number: int, line: bytes) -> Reading:
        try:
            said = _parsed(line)
            target = said.target or socket.gethostname()
            reading = Reading(
                said.signal, target, said.value, self.origin, said.sigma, note=said.note
            )
        except (ValueError, RecursionError) as error:
            raise ValueError(f"line {number}: {error}") from None
        if said.signal not in self.signals_declared:
            known = ", ".join(self.signals_declared)
            raise ValueError(
                f"line {number}: undeclared signal {said.signal!r}; the table declares {known}"
            )
        return reading


def _parsed(line: bytes) -> _Line:
    """A line as an object. Raises ValueError, RecursionError where it is nested too deeply."""
    shown = line[:80].decode(errors="replace").strip()
    try:
        said = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at column {error.colno}): {shown}") from None
    except UnicodeDecodeError:
        raise ValueError(f"not UTF-8: {shown}") from None
    if not isinstance(said, dict):
        raise ValueError(f"expected a JSON object, got {shown}")
    try:
        return _Line.model_validate(said)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise ValueError(f"{where}: {fault['msg']}: {shown}") from None


def _printed(program: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """What a program prints until it ends, and the end of what it says on standard error, which is
    passed on. The end of both alone would not do: a process that it leaves behind may hold them
    open."""
    assert program.stdout is not None
    assert program.stderr is not None
    output, said = program.stdout.fileno(), program.stderr.fileno()
    kept = {output: bytearray(), said: bytearray()}
    left = [output, said]
    while left and len(kept[output]) <= MOST_STDOUT:
        # asked before the pipes are: what an ended program has printed is in there by then
        ended = program.poll() is not None
        ready, _, _ = select.select(left, [], [], 0 if ended else LOOK_SECONDS)
        for pipe in ready:
            chunk = os.read(pipe, 1 << 16)
            kept[pipe] += chunk
            if not chunk:
                left.remove(pipe)
            elif pipe == said:
                sys.stderr.buffer.write(chunk)
                sys.stderr.buffer.flush()
                del kept[said][:-TAIL]
        if ended and output not in ready:
            break
    return bytes(kept[output]), bytes(kept[said])


def _last(said: bytes) -> str:
    """The last line of standard error, without what a terminal would obey; nothing where there is
    none."""
    lines = [
        " ".join("".join(sign if sign.isprintable() else " " for sign in line).split())
        for line in said.decode(errors="replace").splitlines()
    ]
    last = next((line for line in reversed(lines) if line), "")
    short = f"{last[:MOST_SAID]}…" if len(last) > MOST_SAID else last
    return f"; it said: {short}" if short else ""


def _ending(status: int) -> str:
    if status >= 0:
        return f"ended with exit status {status}, expected 0"
    return f"was ended by signal {-status} ({signals_of_os.strsignal(-status)})"


def _die_with(parent: int) -> None:
    from probes.__main__ import die_with

    die_with(parent)
