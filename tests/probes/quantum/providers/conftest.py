"""IBM Quantum on loopback, as new for every test."""

import pytest
from ibm_server import IbmServer
from qiskit import QuantumCircuit

from probes.quantum.batch import Batch
from probes.quantum.providers import load


@pytest.fixture(scope="module")
def running():
    with IbmServer() as server:
        yield server


@pytest.fixture
def server(running, monkeypatch):
    running.forget()
    for name, value in running.environment().items():
        monkeypatch.setenv(name, value)
    return running


@pytest.fixture
def ibm(server):
    return load("ibm")


@pytest.fixture(scope="module")
def batch():
    """Two circuits of three and two qubits, whose outcomes tell every qubit from the others."""
    first, second = QuantumCircuit(3), QuantumCircuit(2)
    first.x(0)
    first.barrier()
    first.cz(1, 0)
    first.measure_all()
    second.x(1)
    second.measure_all()
    return Batch([first, second], [(5, 4, 3), (3, 4)], 40)
