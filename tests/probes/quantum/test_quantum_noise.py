"""The noise model of a chain, against Aer's of a whole device and against published figures."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import SuperOp, average_gate_fidelity
from qiskit_aer.noise import NoiseModel
from qiskit_ibm_runtime.fake_provider import FakeLimaV2

from probes.quantum.circuits.chain import best_chain
from probes.quantum.circuits.noise import confusion, gates, noise_model, simulate
from probes.quantum.device import Qubit
from probes.quantum.providers.snapshot import Snapshot


def errors_of(model):
    return {
        (name, qubits): error
        for name, table in model._local_quantum_errors.items()
        for qubits, error in table.items()
    }


def test_a_chain_has_the_same_errors_as_in_a_model_of_the_whole_device():
    calibration = Snapshot().calibration("fake_lima")
    chain = best_chain(calibration, 4)
    theirs = errors_of(NoiseModel.from_backend(FakeLimaV2()))
    ours = errors_of(noise_model(calibration, chain))
    assert {name for name, _ in ours} == {"sx", "x", "cx"}
    for (name, where), error in ours.items():
        same = theirs[name, tuple(chain[position] for position in where)]
        np.testing.assert_allclose(SuperOp(error).data, SuperOp(same).data, atol=1e-12)


@pytest.mark.parametrize("device", ["fake_kingston", "fake_brisbane", "fake_almaden"])
def test_every_gate_has_its_published_average_error(device):
    calibration = Snapshot().calibration(device)
    chain = best_chain(calibration, 8)
    found = errors_of(noise_model(calibration, chain))
    published = {
        (gate.name, tuple(chain.index(qubit) for qubit in gate.qubits)): gate.error
        for gate in gates(calibration, chain)
        if gate.error
    }
    assert set(found) == set(published)
    for key, error in found.items():
        infidelity = 1 - average_gate_fidelity(SuperOp(error))
        # Relaxation alone can exceed what the owner states; it is never less.
        assert infidelity >= published[key] - 1e-9
    close = [
        1 - average_gate_fidelity(SuperOp(error)) == pytest.approx(published[key], rel=1e-6)
        for key, error in found.items()
    ]
    assert sum(close) > 0.7 * len(close)


def test_one_figure_serves_both_readouts_where_the_owner_gives_one():
    assert confusion(Qubit(readout_error=0.1)) == [[0.9, 0.1], [0.1, 0.9]]


def test_a_readout_without_any_figure_is_refused():
    with pytest.raises(ValueError, match="readout error is unknown"):
        confusion(Qubit())


def test_a_readout_depends_on_the_prepared_state():
    calibration = Snapshot().calibration("fake_lima")
    chain = best_chain(calibration, 2)
    qubit = calibration.qubits[chain[0]]
    zero = QuantumCircuit(2)
    zero.measure_all()
    (counts,) = simulate([zero], noise_model(calibration, chain), shots=100_000, seed=1)
    flipped = sum(number for outcome, number in counts.items() if outcome[-1] == "1")
    sigma = np.sqrt(qubit.reads_0_as_1 * (1 - qubit.reads_0_as_1) / 100_000)
    assert flipped / 100_000 == pytest.approx(qubit.reads_0_as_1, abs=3 * sigma)


def test_a_circuit_that_aer_cannot_run_is_told_in_its_words():
    circuit = QuantumCircuit(40)
    circuit.h(range(40))
    circuit.measure_all()
    with pytest.raises(RuntimeError, match=r"Aer ran no circuits.*memory"):
        simulate([circuit], None, shots=1, seed=1)
