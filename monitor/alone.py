"""One run of one probe for itself: `qrossover probe`, on a machine without config or database."""

import asyncio
import json
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal
from uuid import uuid4

import tomli
from pydantic import ValidationError

from monitor.parts import strictly
from monitor.problems import Problem, hint, key_text, nearest, of_validation
from monitor.report import iso
from monitor.runner import Finished, Runner
from monitor.sections import ProbeEntry
from probes.base import Probe, UnknownKind, kinds, load
from probes.queued import QueuedProbe
from storage.types import Quote, Reading


class Unusable(ValueError):
    """Words on a command line that name no run; says which, and what was expected."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A bound that a reading must keep, on whatever target: `SIGNAL above X`, `SIGNAL below X`."""

    signal: str
    when: Literal["above", "below"]
    threshold: float

    def holds(self, reading: Reading) -> bool:
        """Whether a reading is on the wrong side. One that is not there is not."""
        if reading.signal != self.signal:
            return False
        above = self.when == "above"
        return reading.value > self.threshold if above else reading.value < self.threshold

    def __str__(self) -> str:
        return f"{self.signal} {self.when} {self.threshold:g}"


def entry_of(kind: str, settings: Mapping[str, Any], timeout: float | None) -> ProbeEntry:
    """A probe as a config's table would have it. Raises Unusable, with every fault."""
    try:
        model = load(kind)
    except UnknownKind as error:
        raise Unusable(f"{error}.{nearest(kind, kinds())}") from None
    known = [field.alias or name for name, field in model.model_fields.items()]
    try:
        probe = strictly(model, settings)
    except ValidationError as error:
        faults = of_validation(error, (), known, settings)
        raise Unusable("\n".join(map(_told, faults))) from None
    _refuse_what_costs(probe)
    limit = timeout or probe.deadline
    return ProbeEntry(kind, kind, 0.0, limit, probe, MappingProxyType(dict(settings)))


def settings_of(words: Sequence[str]) -> dict[str, Any]:
    """KEY=VALUE words as settings: values as TOML has them, and what is none is text. Raises
    Unusable."""
    found: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (equals and key):
            raise Unusable(f"--set {word}: expected KEY=VALUE such as steps=5")
        found[key] = _value(value)
    return found


def condition_of(text: str, probe: Probe) -> Condition:
    """A condition from its three words. Raises Unusable."""
    words = text.split()
    usual = f'--fail-if "{text}": expected "SIGNAL above NUMBER" or "SIGNAL below NUMBER"'
    if len(words) != 3 or words[1] not in ("above", "below"):  # noqa: PLR2004 see the message
        raise Unusable(usual)
    signals = [promised.name for promised in probe.promises()]
    if words[0] not in signals:
        raise Unusable(f"--fail-if: this probe writes no {words[0]!r}.{hint(words[0], signals)}")
    try:
        limit = float(words[2])
    except ValueError:
        raise Unusable(usual) from None
    return Condition(words[0], "above" if words[1] == "above" else "below", limit)


async def run(entry: ProbeEntry) -> Finished:
    """Run it in a child with a deadline. SIGTERM and SIGHUP end it with all that it started, and
    raise CancelledError."""
    runner = Runner(f"probe-{uuid4().hex}", _folder())
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await runner.run(entry)
    finally:
        await runner.close()


def document(
    entry: ProbeEntry, finished: Finished, conditions: Sequence[Condition]
) -> dict[str, Any]:
    """What `--json` prints. `failed_if` are the conditions that hold, in words."""
    units = {promised.name: promised.unit for promised in entry.probe.promises()}
    run_ = finished.run
    return {
        "kind": run_.kind,
        "outcome": run_.outcome,
        "reason": run_.reason,
        "started": iso(run_.started),
        "seconds": run_.seconds,
        "settings": dict(run_.settings),
        "versions": dict(run_.versions),
        "readings": [_reading(reading, units) for reading in finished.readings],
        "failed_if": [
            f"{condition}: {reading.value:g} on {reading.target}"
            for condition in conditions
            for reading in finished.readings
            if condition.holds(reading)
        ],
        "payload": dict(run_.payload),
    }


def _folder() -> Path:
    """Where it runs: here, or where a deleted folder was."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path("/")


def _reading(reading: Reading, units: Mapping[str, str]) -> dict[str, Any]:
    return {
        "signal": reading.signal,
        "target": reading.target,
        "value": reading.value,
        "sigma": reading.sigma,
        "unit": units[reading.signal],
        "origin": reading.origin,
        "at": iso(reading.at),
        "note": reading.note,
    }


def _refuse_what_costs(probe: Probe) -> None:
    """Nothing is paid for from here: there is no budget, and no ledger that would find the job
    again. Raises Unusable."""
    if isinstance(probe, QueuedProbe) and (probe.queued() or probe.priced()):
        why = "its work waits in a provider's queue and may cost money"
    elif probe.quote() != Quote():
        why = "a run costs money"
    else:
        return
    raise Unusable(f"{why}: it needs a budget and a ledger; use `qrossover once` with a config")


def _value(text: str) -> Any:
    try:
        value = tomli.loads(f"value = {text}")
        json.dumps(value)  # a date is no setting's value: as text it may be one
    except (ValueError, TypeError, RecursionError):
        return text
    return value["value"] if len(value) == 1 else text


def _told(fault: Problem) -> str:
    name = key_text(fault.key)
    return f"{name}: {fault.message}" if name else fault.message
