"""Rigetti's instruction set architecture (ISA) as a calibration.

The answer of `/v1/quantumProcessors/{id}/instructionSetArchitecture`: what the processor can do,
and beside each operation, or as a benchmark, what was measured of it, each with a time of its own.
Units are seconds and fidelities. A value of 0, and one whose error is the whole range, is the mark
of what could not be measured; a time of 1970 is none.

https://docs.rs/qcs-api-client-openapi/latest/qcs_api_client_openapi/models/struct.InstructionSetArchitecture.html
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from probes.quantum.clouds.braket_capabilities import FIRST_CLOUD, measured, pulses
from probes.quantum.device import Calibration, Gate, Qubit

BENCHMARKS = ("randomized_benchmark_simultaneous_1q", "randomized_benchmark_1q")
"""The one-qubit error is of the first that was measured of any qubit, never a mixture."""

Document = Mapping[str, Any]
Figures = Mapping[tuple[int, ...], float]


def calibration(device: str, isa: Document) -> Calibration:
    """The calibration of a processor, its qubits under their owner's numbers; as old as the
    youngest of its figures. Raises ValueError where none has a time, KeyError or TypeError where
    the document is no ISA."""
    nodes = sorted(node["node_id"] for node in isa["architecture"]["nodes"])
    rb = next((found for name in BENCHMARKS if (found := _benchmark(isa, name, "fRB"))), {})
    errors = {number: _error(rb, (number,)) for number in nodes}
    return Calibration(
        device=device,
        backend=isa["name"],
        version="QCS v1",
        at=_youngest(isa),
        qubits=_qubits(isa, nodes),
        gates=(*pulses(errors), *_entangling(isa)),
        family=isa["architecture"].get("family") or "",
        natives={"sx": "rx", "x": "rx"},
    )


def _qubits(isa: Document, nodes: list[int]) -> tuple[Qubit, ...]:
    t1 = _benchmark(isa, "FreeInversionRecovery", "T1")
    t2 = _benchmark(isa, "FreeInductionDecay", "T2")
    read = _figures(_named(isa["instructions"], "MEASURE"), "fRO")
    return tuple(
        Qubit(t1.get((number,)), t2.get((number,)), _error(read, (number,)))
        if number in nodes
        else Qubit(present=False)
        for number in range(nodes[-1] + 1)
    )


def _entangling(isa: Document) -> Iterator[Gate]:
    """CZ, ISWAP and their kin, on every site that has them."""
    for operation in isa["instructions"]:
        if operation.get("node_count") == 2:  # noqa: PLR2004 two qubits
            word = operation["name"]
            found = _figures(operation, f"f{word}")
            for site in operation["sites"]:
                where = tuple(site["node_ids"])
                yield Gate(word.lower(), where, _error(found, where))


def _error(fidelities: Figures, where: tuple[int, ...]) -> float | None:
    return 1 - fidelities[where] if where in fidelities else None


def _benchmark(isa: Document, name: str, figure: str) -> Figures:
    return _figures(_named(isa["benchmarks"], name), figure)


def _named(operations: list[Document], name: str) -> Document:
    return next((one for one in operations if one["name"] == name), {"sites": []})


def _figures(operation: Document, figure: str) -> Figures:
    """What was measured, by its qubits; a site of many qubits names them with every figure."""
    found = {}
    for site in operation["sites"]:
        for given in site["characteristics"]:
            value = measured(given["value"], given.get("error"))
            if given["name"] == figure and value is not None:
                found[tuple(given.get("node_ids") or site["node_ids"])] = value
    return found


def _youngest(isa: Document) -> float:
    moments = [
        datetime.fromisoformat(given["timestamp"]).timestamp()
        for operation in (*isa["instructions"], *isa["benchmarks"])
        for site in operation["sites"]
        for given in site["characteristics"]
    ]
    real = [moment for moment in moments if moment > FIRST_CLOUD]
    if not real:
        raise ValueError(f"no figure of {isa['name']} says when it was measured")
    return max(real)
