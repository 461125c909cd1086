"""Batches for the Braket server, and tasks made of them."""

import uuid
from collections.abc import Sequence

from braket_server import BraketServer, Task
from qiskit import QuantumCircuit

from probes.quantum.batch import Batch
from probes.quantum.provider import Provider
from storage.types import Quote

NAME = "iqm/garnet"
CHAIN = (14, 9, 10)
QUOTE = Quote(0.358)


def batch(circuits: int = 2, shots: int = 20) -> Batch:
    """Circuits that flip their first qubit alone."""
    circuit = QuantumCircuit(3)
    circuit.x(0)
    circuit.barrier()
    circuit.cz(0, 1)
    circuit.measure_all()
    return Batch([circuit] * circuits, [CHAIN] * circuits, shots)


def flips(source: str, shots: int) -> Sequence[str]:
    """What a machine without errors makes of them."""
    return ["100"] * shots


def tag() -> str:
    return f"qrossover-{uuid.uuid4().hex}"


def submitted(braket: Provider, server: BraketServer, circuits: int = 2) -> tuple[Batch, str, Task]:
    """A batch, the id of its job, and the server's task."""
    sent = batch(circuits)
    job = braket.submit(NAME, sent, tag(), QUOTE)
    return sent, job, server.tasks[job]
