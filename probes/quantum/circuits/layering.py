"""Layer fidelity by qiskit-experiments: its circuits in a device's own gates, and its analysis of
counts that came from anywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from probes.quantum.analysis import results
from probes.quantum.provider import Counts

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit_experiments.framework import CompositeAnalysis


@dataclass(frozen=True, slots=True)
class Analysed:
    """What the library makes of one chain: LF and EPLG with their sigmas, None where it does not
    trust all of its fits, and those that it does not, in words."""

    fidelity: tuple[float, float] | None
    error_per_gate: tuple[float, float] | None
    bad: tuple[str, ...]


def in_own_gates(circuit: "QuantumCircuit") -> "QuantumCircuit":
    """The circuit with its Cliffords as the gates that they are made of, all qubits measured in
    their order. Nothing is merged: each layer keeps its barriers."""
    plain = circuit.decompose("Clifford*")  # before anything copies the Cliffords, which is dear
    plain.remove_final_measurements()
    plain.metadata = {}
    plain.measure_all()
    return plain


def analysed(part: Mapping[str, Any], counts: Sequence[Counts]) -> Analysed:
    """Layer fidelity of one chain from its counts, by qiskit-experiments."""
    from qiskit_experiments.library import LayerFidelity

    layers = [[(one, other) for one, other in layer] for layer in part["layers"]]
    analysis = LayerFidelity(range(len(part["qubits"])), layers, lengths=(1,)).analysis
    _for_few_shots(analysis)
    circuits = [
        {
            "counts": in_order_of(metadata["composite_metadata"][0], counted),
            "shots": sum(counted.values()),
            "metadata": metadata,
        }
        for metadata, counted in zip(part["metadata"], counts, strict=True)
    ]
    rows = results(analysis, circuits)
    fits = [row for row in rows if row["name"] == "ProcessFidelity"]
    bad = tuple(_complaint(row, part["qubits"]) for row in fits if not _trusted(row))
    if bad:
        return Analysed(None, None, bad)
    whole = {row["name"]: row["value"] for row in rows}
    return Analysed(_value(whole["LF"]), _value(whole["EPLG"]), bad)


def _for_few_shots(analysis: "CompositeAnalysis") -> None:
    for layer in analysis.component_analysis():
        for fit in layer.component_analysis():
            asymptote = 0.5 ** len(fit.options.outcome)
            fit.set_options(
                plot=False, average_method="shots_weighted", fixed_parameters={"b": asymptote}
            )


def in_order_of(structure: Mapping[str, Any], counts: Counts) -> dict[str, int]:
    """Counts with the qubits in the order in which the library's circuits measure them."""
    where = {
        bit: qubit
        for qubits, bits in zip(
            structure["composite_qubits"], structure["composite_clbits"], strict=True
        )
        for qubit, bit in zip(qubits, bits, strict=True)
    }
    order = [where[bit] for bit in sorted(where, reverse=True)]  # the first qubit is rightmost
    found: dict[str, int] = {}
    for outcome, number in counts.items():
        turned = "".join(outcome[-1 - qubit] for qubit in order)
        found[turned] = found.get(turned, 0) + number
    return found


def _trusted(row: Mapping[str, Any]) -> bool:
    return row["quality"] == "good" and isfinite(row["value"].std_dev)


def _complaint(row: Mapping[str, Any], qubits: Sequence[int]) -> str:
    """A fit that is not trusted, in words."""
    about = "-".join(str(qubits[position]) for position in row["qubits"])
    return f"bad fit of {about}: {row['reason'] or 'no uncertainty'}"


def _value(found: Any) -> tuple[float, float]:
    return float(found.nominal_value), float(found.std_dev)
