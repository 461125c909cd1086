"""What a compiled circuit must still contain: a canary that a compiler has shortened would lie."""

from typing import TYPE_CHECKING

from probes.quantum.circuits.noise import PULSED_GATES
from probes.quantum.device import TWO_QUBIT_GATES

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


class OptimisedAway(RuntimeError):
    """Compiling changed what the circuit does on the device: its result would say nothing."""


def check_gates(circuit: "QuantumCircuit", what: str, *, pulses: int, links: int) -> dict[str, int]:
    """The gate counts of a compiled circuit; `what` it is, for the error.

    Raises OptimisedAway where it does not hold exactly so many one-qubit gates that take a pulse
    and so many entangling gates.
    """
    found = pulses_and_links(circuit)
    if found != (pulses, links):
        raise OptimisedAway(
            f"after compiling, {what} has {found[0]} one-qubit pulses and {found[1]} "
            f"entangling gates instead of {pulses} and {links}: the compiler "
            "merged or cancelled layers; every layer needs its barrier"
        )
    return {str(name): int(number) for name, number in circuit.count_ops().items()}


def pulses_and_links(circuit: "QuantumCircuit") -> tuple[int, int]:
    """Numbers of one-qubit gates that take a pulse, and of entangling gates."""
    found = circuit.count_ops()
    return (
        sum(int(found.get(name, 0)) for name in PULSED_GATES),
        sum(int(found.get(name, 0)) for name in TWO_QUBIT_GATES),
    )
