"""A circuit that loads given numbers into the amplitudes of a chain's qubits, and its length.

Möttönen et al., Quantum Information and Computation 5, 467 (2005), arXiv quant-ph/0407010; Shende,
Bullock and Markov, arXiv quant-ph/0406176. Qiskit's StatePreparation makes the circuit and its
compiler brings it onto a line: 2ⁿ CNOTs and less before, up to twice as many after for 8 qubits.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from probes.quantum.circuits.chain import Chain
from probes.quantum.circuits.compiled import OptimisedAway
from probes.quantum.circuits.noise import gates
from probes.quantum.device import VIRTUAL_GATES, Calibration

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qiskit import QuantumCircuit

    Array = NDArray[Any]

EXACT = 1e-9
"""Infidelity that rounding may leave in a circuit."""


def loader(amplitudes: "Array") -> "tuple[QuantumCircuit, Array]":
    """A circuit on a line of qubits that loads the amplitudes, and these as its qubits hold them.

    Bringing it onto a line swaps qubits: the second array is the first with its qubits (the first
    is the lowest bit of an index) in the order in which they end. Raises OptimisedAway where the
    circuit, run without errors, does not give that state.
    """
    from qiskit import QuantumCircuit, transpile
    from qiskit.circuit.library import StatePreparation
    from qiskit.quantum_info import Statevector
    from qiskit.transpiler import CouplingMap

    width = int(amplitudes.size).bit_length() - 1
    circuit = QuantumCircuit(width)
    circuit.append(StatePreparation(amplitudes), range(width))
    line = transpile(
        circuit,
        basis_gates=["rz", "sx", "x", "cz"],
        coupling_map=CouplingMap.from_line(width),
        initial_layout=list(range(width)),
        optimization_level=2,
        seed_transpiler=0,
        num_processes=1,
    )
    ends = line.layout.final_index_layout()
    axes = [width - 1 - ends.index(width - 1 - axis) for axis in range(width)]
    loaded = amplitudes.reshape([2] * width).transpose(axes).ravel()
    overlap = abs(Statevector(line).data.conj() @ loaded) ** 2
    if overlap < 1 - EXACT:
        raise OptimisedAway(f"after compiling, a circuit loads another state: overlap {overlap}")
    bare = QuantumCircuit(width)  # without the compiler's layout: its qubits are the line's
    bare.compose(line, inplace=True)
    return bare, loaded


def duration(circuit: "QuantumCircuit", calibration: Calibration, chain: Chain) -> float | None:
    """Seconds from a compiled circuit's first gate to its last, each begun as soon as it can be.

    A barrier waits for all of its qubits. None where the owner does not give a gate's length.
    """
    lengths = {
        (gate.name, tuple(chain.index(qubit) for qubit in gate.qubits)): gate.seconds
        for gate in gates(calibration, chain)
    }
    ready = [0.0] * len(chain)
    for step in circuit.data:
        where = tuple(circuit.find_bit(qubit).index for qubit in step.qubits)
        length = _length(step.operation.name, where, lengths)
        if length is None:
            return None
        end = max(ready[qubit] for qubit in where) + length
        for qubit in where:
            ready[qubit] = end
    return max(ready)


def _length(
    name: str, where: tuple[int, ...], lengths: Mapping[tuple[str, tuple[int, ...]], float | None]
) -> float | None:
    """A step's seconds; changes of the reference frame and barriers take none."""
    return 0.0 if name in (*VIRTUAL_GATES, "barrier") else lengths[name, where]
