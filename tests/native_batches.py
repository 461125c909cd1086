"""Batches without symmetries, so that no wrong order of bits or circuits can hide in them, and what
Qiskit says of them."""

from collections.abc import Mapping, Sequence

import numpy as np
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector

from probes.quantum.batch import Batch

SHOTS = 400
NOISE = 0.12
"""About five times the distance that 400 shots leave between counts and probabilities."""


def circuit_of(width: int, seed: int) -> QuantumCircuit:
    """A canonical circuit: rz, sx, x, cz, barriers, and all qubits measured."""
    random = np.random.default_rng(seed)
    circuit = QuantumCircuit(width)
    for _ in range(6):
        for qubit in range(width):
            circuit.rz(float(random.uniform(-4, 4)), qubit)
            getattr(circuit, str(random.choice(["sx", "x"])))(qubit)
        circuit.barrier()
        circuit.cz(*(int(qubit) for qubit in random.choice(width, 2, replace=False)))
    for qubit in range(width):  # else the phases that are left alter no outcome
        circuit.rz(float(random.uniform(-4, 4)), qubit)
        circuit.sx(qubit)
    circuit.measure_all()
    return circuit


def batch_of(*widths: int, chains: Sequence[tuple[int, ...]] = ()) -> Batch:
    """One circuit of each width."""
    circuits = [circuit_of(width, seed) for seed, width in enumerate(widths)]
    return Batch(circuits, chains or [tuple(range(width)) for width in widths], SHOTS)


def exact(circuit: QuantumCircuit) -> dict[str, float]:
    """Probabilities by bit string, first qubit rightmost."""
    bare = circuit.remove_final_measurements(inplace=False)
    return dict(Statevector(bare).probabilities_dict())


def distance(counts: Mapping[str, int], circuit: QuantumCircuit) -> float:
    """Total variation distance between counts and probabilities."""
    right = exact(circuit)
    assert set(counts) <= {key for key, value in right.items() if value > 1e-12}
    return sum(abs(counts.get(key, 0) / SHOTS - value) for key, value in right.items()) / 2
