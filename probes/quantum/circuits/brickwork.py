"""Shallow random circuits on a chain, whose outcomes have a known and uneven distribution.

    [V] | E1 | [V] | E2 | [V] | … | Ed | [V] | measure

V: a quarter turn of every qubit about a random axis in the plane of X and Y, one pulse each. E: the
device's own entangling gate on every second link of the chain, even and odd links in turn. |: a
barrier over all qubits, so that nothing can be merged. At depth 8 the probabilities of up to ten
qubits are spread nearly as exponentially as those of random states.

After Arute et al., Nature 574, 505 (2019), arXiv 1910.11333, who turn about three axes and couple
in two dimensions.
"""

from collections.abc import Sequence
from math import pi
from typing import TYPE_CHECKING

from probes.quantum.circuits.chain import Link

if TYPE_CHECKING:
    from numpy.random import Generator
    from qiskit import QuantumCircuit


def brickwork(links: Sequence[Link], depth: int, random: "Generator") -> "QuantumCircuit":
    """A random circuit of that many entangling layers on the chain of these links, unmeasured."""
    from qiskit import QuantumCircuit

    width = len(links) + 1
    circuit = QuantumCircuit(width)
    for layer in range(depth + 1):
        for qubit, angle in enumerate(random.uniform(0, 2 * pi, size=width)):
            circuit.rz(-angle, qubit)
            circuit.sx(qubit)
            circuit.rz(angle, qubit)
        circuit.barrier()
        if layer < depth:
            for name, *where in bricks(links, layer):
                getattr(circuit, name)(*where)
            circuit.barrier()
    return circuit


def bricks(links: Sequence[Link], layer: int) -> Sequence[Link]:
    """The links of a layer; a single link is in all of them."""
    return links[layer % 2 :: 2] if len(links) > 1 else links


def ideal(circuit: "QuantumCircuit") -> list[float]:
    """Exact probability of every outcome, by its number: the first qubit is the lowest bit."""
    from qiskit.quantum_info import Statevector

    found: list[float] = Statevector(circuit).probabilities().tolist()
    return found
