"""IBM's own description of a device: backend properties and configuration, as calibrations.

`/backends/NAME/properties` and `/backends/NAME/configuration` answer with it, and the snapshots of
qiskit-ibm-runtime are stored in it. Format:
https://quantum.cloud.ibm.com/docs/api/qiskit-ibm-runtime/models-backend-properties and
https://quantum.cloud.ibm.com/docs/api/qiskit-ibm-runtime/models-qasm-backend-configuration
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from probes.quantum.device import Calibration, Gate, Qubit
from storage.types import Origin

SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
"""Units of time met in the files: both signs for micro occur in Unicode."""

LAYER_FIDELITY = "lf_100"
"""Fidelity of a layer of two-qubit gates on a chain of 100 qubits (arXiv 2311.05933)."""

CLOPS = {"hardware": "clops_h", "virtual": "clops_v"}
"""IBM's two definitions of circuit layer operations per second, by the word in its interface."""

Document = Mapping[str, Any]
Instruction = tuple[str, tuple[int, ...]]


def parse(
    device: str,
    properties: Document,
    configuration: Document | None = None,
    *,
    origin: Origin = "vendor",
) -> Calibration:
    """A calibration from IBM's backend properties; with the configuration of that time also the
    processor's family, quantum volume and CLOPS.

    Raises KeyError where a field of the format lacks, ValueError for an unknown unit of time and
    for a date that does not say its offset from UTC.
    """
    configuration = configuration or {}
    return Calibration(
        device=device,
        backend=properties["backend_name"],
        version=properties["backend_version"],
        at=moment(properties["last_update_date"]),
        qubits=tuple(_qubit(entry) for entry in properties["qubits"]),
        gates=tuple(_gate(entry) for entry in properties["gates"]),
        origin=origin,
        family=family(configuration),
        published=published(properties, configuration),
    )


def family(configuration: Document) -> str:
    """Kind and revision of the processor from IBM's backend configuration: "Falcon r5.11".

    A segment of a chip is of the chip's family. "" where nothing is said, as of devices of 2020.
    Format: https://quantum.cloud.ibm.com/docs/guides/processor-types
    """
    kind = configuration.get("processor_type")
    return f"{kind['family']} r{kind['revision']}" if kind else ""


def published(properties: Document, configuration: Document) -> dict[str, float]:
    """The owner's figures of the whole device: `quantum_volume`, `clops_h`, `clops_v`, `lf_100`.

    IBM writes null or the text "None" for what it does not state; that is absent here.
    """
    general = _by_name(properties.get("general", ()))
    found = {"quantum_volume": configuration.get("quantum_volume"), **_clops(configuration)}
    if LAYER_FIDELITY in general:
        found[LAYER_FIDELITY] = general[LAYER_FIDELITY]["value"]
    return {name: float(value) for name, value in found.items() if isinstance(value, int | float)}


def _clops(configuration: Document) -> dict[str, Any]:
    given = {name: configuration.get(name) for name in CLOPS.values()}
    plain = configuration.get("clops")
    if isinstance(plain, Mapping):
        return {**given, CLOPS[plain["type"]]: plain["value"]}
    if plain is not None:  # from before there were two; wherever both are stated it is clops_v
        given["clops_v"] = plain
    return given


def durations(properties: Document) -> dict[Instruction, float]:
    """Seconds that each instruction takes, by name and qubits; `measure` is that of a qubit."""
    return {what: length for what, length in _lengths(properties) if length is not None}


def _lengths(properties: Document) -> Iterator[tuple[Instruction, float | None]]:
    for index, entry in enumerate(properties["qubits"]):
        yield ("measure", (index,)), _seconds(_by_name(entry).get("readout_length"))
    for entry in properties["gates"]:
        gate = _gate(entry)
        yield (gate.name, gate.qubits), gate.seconds


def moment(text: str) -> float:
    """Seconds since the epoch of a local date with its offset."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"last_update_date {text!r} does not say its offset from UTC")
    return found.timestamp()


def _qubit(entry: Iterable[Document]) -> Qubit:
    given = _by_name(entry)
    return Qubit(
        t1=_seconds(given.get("T1")),
        t2=_seconds(given.get("T2")),
        readout_error=_error(given, "readout_error"),
        reads_0_as_1=_number(given.get("prob_meas1_prep0")),
        reads_1_as_0=_number(given.get("prob_meas0_prep1")),
    )


def _gate(entry: Document) -> Gate:
    given = _by_name(entry["parameters"])
    return Gate(
        name=entry["gate"],
        qubits=tuple(entry["qubits"]),
        error=_error(given, "gate_error"),
        seconds=_seconds(given.get("gate_length")),
    )


def _by_name(parameters: Iterable[Document]) -> dict[str, Document]:
    return {parameter["name"]: parameter for parameter in parameters}


def _error(given: Mapping[str, Document], name: str) -> float | None:
    """The error, or 1 where IBM says in its other way that the part must not be used."""
    working = given.get("operational")
    return 1.0 if working is not None and not working["value"] else _number(given.get(name))


def _number(parameter: Document | None) -> float | None:
    return None if parameter is None else float(parameter["value"])


def _seconds(parameter: Document | None) -> float | None:
    if parameter is None:
        return None
    if parameter["unit"] not in SECONDS:
        raise ValueError(
            f"{parameter['name']} has the unit {parameter['unit']!r}; "
            f"known are {', '.join(SECONDS)}"
        )
    return float(parameter["value"]) * SECONDS[parameter["unit"]]
