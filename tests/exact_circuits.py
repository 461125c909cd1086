"""What circuits on a noisy chain give with infinitely many shots: Aer's density matrix, and readout
errors applied to its diagonal by hand."""

from collections.abc import Sequence

import numpy as np
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel

from probes.quantum.batch import Batch
from probes.quantum.circuits.noise import noise_model
from probes.quantum.device import Calibration

MANY = 10**9
"""Shots of counts that are as good as exact."""


def density_matrix(circuit: QuantumCircuit, model: NoiseModel | None) -> np.ndarray:
    """The state before the circuit's final measurement."""
    bare = circuit.remove_final_measurements(inplace=False)
    bare.save_density_matrix()
    simulator = AerSimulator(
        method="density_matrix", noise_model=model, max_parallel_threads=1, seed_simulator=1
    )
    return np.asarray(simulator.run(bare).result().data()["density_matrix"])


def probabilities(
    circuit: QuantumCircuit, model: NoiseModel | None, wrong: Sequence[tuple[float, float]] = ()
) -> np.ndarray:
    """Of every outcome, by its number; `wrong` are the chances to misread a 0 and a 1, by qubit."""
    found = np.real(np.diag(density_matrix(circuit, model)))
    for qubit, (zero, one) in enumerate(wrong):
        pairs = found.reshape(-1, 2, 2**qubit)
        reads = np.array([[1 - zero, one], [zero, 1 - one]])
        found = np.einsum("rp,apb->arb", reads, pairs).ravel()
    return found


def of_batch(batch: Batch, calibration: Calibration) -> list[np.ndarray]:
    """Probabilities of all circuits of a batch on a device's noise."""
    models = {chain: noise_model(calibration, chain) for chain in set(batch.chains)}
    found = []
    for circuit, chain in zip(batch.circuits, batch.chains, strict=True):
        qubits = [calibration.qubits[index] for index in chain]
        wrong = [(qubit.reads_0_as_1, qubit.reads_1_as_0) for qubit in qubits]
        found.append(probabilities(circuit, models[chain], wrong))
    return found


def as_counts(probabilities: np.ndarray) -> dict[str, int]:
    """Counts of very many shots."""
    width = int(np.log2(probabilities.size))
    return {f"{number:0{width}b}": round(p * MANY) for number, p in enumerate(probabilities)}


def drawn(probabilities: np.ndarray, shots: int, random: np.random.Generator) -> dict[str, int]:
    """Counts of so many shots."""
    width = int(np.log2(probabilities.size))
    clean = np.clip(probabilities, 0, None)
    numbers = random.multinomial(shots, clean / clean.sum())
    return {f"{place:0{width}b}": int(number) for place, number in enumerate(numbers) if number}
