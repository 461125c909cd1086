"""What a device says of itself on Amazon Braket: its calibration, when it runs, what it takes.

All that is read here is `deviceCapabilities` of `GetDevice`, a document of Amazon's schemas
(https://github.com/amazon-braket/amazon-braket-schemas-python). What their fields do not say:

- A fidelity of exactly 0, and one whose standard error is the whole range from 0 to 1, was never
  measured: it is missing. Rigetti marks so what it could not benchmark.
- `READOUT_ERROR_0_TO_1` and its twin are errors, although their field is named `fidelity`.
- `Two_Qubit_Clifford` is no gate of the device: only native gates count.
- The one-qubit error is that of simultaneous randomized benchmarking where the device has it for
  any qubit, else that of isolated: never a mixture.
- IonQ gives one figure for the whole device, and T1 and T2 without a unit. Amazon's own emulator
  reads seconds; older files (10000000000 and 500000) are plainly no seconds, and left out.
- A time of last update of 1970 is none.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

from probes.quantum.device import Calibration, Gate, Qubit

SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
PULSES = ("prx", "rx", "gpi2")
"""The owners' words for the pulse of a quarter turn."""

OUR_NAMES = {"cnot": "cx", "ms": "cx", "zz": "cz"}
"""Entangling gates that have another name here; IonQ's are converted to from these
(probes/quantum/circuits/native.py)."""

BENCHMARKS = ("SIMULTANEOUS_RANDOMIZED_BENCHMARKING", "RANDOMIZED_BENCHMARKING")
WHOLE_RANGE = 1.0
MOST_COHERENCE = 1e5
"""Seconds past which a number without a unit is none of seconds."""

FIRST_CLOUD = datetime(2016, 1, 1, tzinfo=UTC).timestamp()
"""Before it no quantum computer was in any cloud."""

Document = Mapping[str, Any]


def document(text: str) -> dict[str, Any]:
    """The capabilities as JSON; some files have them once more as a JSON string inside."""
    found = json.loads(text)
    if isinstance(found, str):
        found = json.loads(found)
    if not isinstance(found, dict):
        raise ValueError(f"the device's capabilities are no JSON object but {type(found).__name__}")
    return found


def calibration(device: str, backend: str, capabilities: Document) -> Calibration:
    """A device's calibration, its qubits under their owner's numbers.

    Raises ValueError where the document has none, or none with a time; KeyError or TypeError where
    a field of the schema lacks.
    """
    natives = [str(name).lower() for name in capabilities["paradigm"].get("nativeGateSet", ())]
    pulse = next((name for name in PULSES if name in natives), None)
    if pulse is None:
        raise ValueError(f"{device} lists no gate that is known as a pulse ({', '.join(PULSES)})")
    standardized, provider = (capabilities.get(key) or {} for key in ("standardized", "provider"))
    per_part = bool(standardized.get("twoQubitProperties"))
    if per_part:
        qubits, gates = _by_part(standardized, natives)
    elif "fidelity" in provider:
        qubits, gates = _as_a_whole(capabilities, natives)
    else:
        raise ValueError(f"{device} publishes no calibration on Braket")
    words = {OUR_NAMES[name]: name for name in natives if name in OUR_NAMES}
    return Calibration(
        device=device,
        backend=backend,
        version=capabilities["braketSchemaHeader"]["version"],
        at=_moment(capabilities["service"].get("updatedAt")),
        qubits=qubits,
        gates=gates,
        family=((provider.get("specs") or {}).get("architecture") or {}).get("family") or "",
        natives={"sx": pulse, "x": "gpi" if pulse == "gpi2" else pulse, **words},
        per_part=per_part,
    )


def _moment(text: str | None) -> float:
    """Seconds since the epoch of a time in UTC, which AWS does not always say."""
    if not text:
        raise ValueError("the device does not say when it was calibrated (service.updatedAt)")
    found = datetime.fromisoformat(text)
    moment = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    if moment < FIRST_CLOUD:
        raise ValueError(f"the device was not calibrated at {text} (service.updatedAt): no time")
    return moment


# --- figures of every part: IQM, Rigetti ---------------------------------------------------------


def _by_part(
    standardized: Document, natives: Sequence[str]
) -> tuple[tuple[Qubit, ...], tuple[Gate, ...]]:
    listed = {int(label): given for label, given in standardized["oneQubitProperties"].items()}
    figures = {number: _figures(given["oneQubitFidelity"]) for number, given in listed.items()}
    benchmark = next(
        (name for name in BENCHMARKS if any(name in found for found in figures.values())), ""
    )
    qubits = tuple(
        _qubit(listed[number], figures[number]) if number in listed else Qubit(present=False)
        for number in range(max(listed) + 1)
    )
    errors = {number: _error(found.get(benchmark)) for number, found in sorted(figures.items())}
    links = standardized["twoQubitProperties"]
    entangling = [gate for pair in links for gate in _links(pair, links[pair], natives)]
    return qubits, (*pulses(errors), *entangling)


def pulses(errors: Mapping[int, float | None], seconds: float | None = None) -> list[Gate]:
    """The one-qubit gates of our circuits: both pulses have the error of one, `rz` has none."""
    return [
        *(Gate("rz", (number,), 0.0, 0.0) for number in errors),
        *(Gate(name, (n,), error, seconds) for name in ("sx", "x") for n, error in errors.items()),
    ]


def _figures(entries: Iterable[Document]) -> dict[str, float]:
    """What was measured, by the kind of measurement."""
    found: dict[str, float] = {}
    for entry in entries:
        kind = entry["fidelityType"]["name"]
        value = entry["fidelity"] if "ERROR" in kind else _measured(entry)
        if value is not None:
            found[kind] = float(value)
    return found


def _measured(entry: Document) -> float | None:
    """A fidelity; None where it is the mark of one that was never measured."""
    return measured(entry["fidelity"], entry.get("standardError"))


def measured(fidelity: float, sigma: float | None) -> float | None:
    """A fidelity with its standard error; None where they are the mark of none."""
    if fidelity == 0 or (sigma is not None and sigma >= WHOLE_RANGE):
        return None
    return float(fidelity)


def _error(fidelity: float | None) -> float | None:
    return None if fidelity is None else 1 - fidelity


def _qubit(given: Document, figures: Mapping[str, float]) -> Qubit:
    return Qubit(
        t1=_seconds(given.get("T1")),
        t2=_seconds(given.get("T2")),
        readout_error=_error(figures.get("READOUT")),
        reads_0_as_1=figures.get("READOUT_ERROR_0_TO_1"),
        reads_1_as_0=figures.get("READOUT_ERROR_1_TO_0"),
    )


def _seconds(given: Document | None) -> float | None:
    """A time with its unit. A coherence time of 0 was never measured."""
    if not given or not given["value"]:
        return None
    unit = str(given["unit"]).lower()
    if unit not in SECONDS:
        raise ValueError(f"a time has the unit {given['unit']!r}; known are {', '.join(SECONDS)}")
    return float(given["value"]) * SECONDS[unit]


def _links(pair: str, given: Document, natives: Sequence[str]) -> list[Gate]:
    """The native gates of a coupling such as "1-2", each once, in the direction that is given."""
    found: dict[str, Gate] = {}
    for entry in given["twoQubitGateFidelity"]:
        word = entry["gateName"].lower()
        name = OUR_NAMES.get(word, word)
        error = _error(_measured(entry))
        if word in natives and (name not in found or found[name].error is None):
            found[name] = Gate(name, _direction(pair, entry.get("direction")), error)
    return list(found.values())


def _direction(pair: str, given: Document | None) -> tuple[int, ...]:
    if given:
        return int(given["control"]), int(given["target"])
    return tuple(int(label) for label in pair.split("-"))


# --- one figure for the whole device: IonQ -------------------------------------------------------


def _as_a_whole(
    capabilities: Document, natives: Sequence[str]
) -> tuple[tuple[Qubit, ...], tuple[Gate, ...]]:
    fidelity, timing = capabilities["provider"]["fidelity"], capabilities["provider"]["timing"]
    number = int(capabilities["paradigm"]["qubitCount"])
    qubit = Qubit(
        t1=_without_unit(timing.get("T1")),
        t2=_without_unit(timing.get("T2")),
        readout_error=_mean_error(fidelity.get("spam")),
    )
    errors = dict.fromkeys(range(number), _mean_error(fidelity.get("1Q")))
    name = next((OUR_NAMES[word] for word in natives if word in OUR_NAMES), None)
    if name is None:
        raise ValueError("the device lists no entangling gate that is known: neither zz nor ms")
    error, seconds = _mean_error(fidelity.get("2Q")), timing.get("2Q")
    links = [Gate(name, pair, error, seconds) for pair in combinations(range(number), 2)]
    return (qubit,) * number, (*pulses(errors, timing.get("1Q")), *links)


def _without_unit(value: float | None) -> float | None:
    return float(value) if value and value <= MOST_COHERENCE else None


def _mean_error(given: Document | None) -> float | None:
    return _error(measured(given["mean"], None)) if given else None
