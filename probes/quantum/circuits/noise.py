"""A chain of a device as a simulator: its gates as a compiler's target, its errors as noise.

Only the chosen qubits are modelled (a model of 156 qubits takes seconds to build). Errors of a
gate come from Aer's device model: thermal relaxation during the gate from T1, T2 and its length,
and depolarisation such that both together have the published average error. A wrong readout
depends on the prepared state. What the calibration does not tell is not in the model: crosstalk,
leakage, drift and the decay of qubits that wait.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from probes.quantum.circuits.chain import Chain, chain_gates
from probes.quantum.device import VIRTUAL_GATES, Calibration, Gate, Qubit

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.transpiler import Target
    from qiskit_aer.noise import NoiseModel

    from probes.quantum.batch import Batch
    from probes.quantum.provider import Counts

PULSED_GATES = ("sx", "x", "u2", "u3")
"""One-qubit gates that take a pulse and that circuits are compiled to, where a device has them."""


def target(calibration: Calibration, chain: Chain) -> "Target":
    """The chain as a compiler's target; its qubit i is the device's `chain[i]`."""
    from qiskit.circuit import Measure
    from qiskit.circuit.library import get_standard_gate_name_mapping
    from qiskit.transpiler import InstructionProperties, QubitProperties, Target

    qubits = [calibration.qubits[index] for index in chain]
    standard = get_standard_gate_name_mapping()
    properties: dict[str, dict[tuple[int, ...], InstructionProperties]] = {}
    for gate in gates(calibration, chain):
        where = tuple(chain.index(qubit) for qubit in gate.qubits)
        given = InstructionProperties(duration=gate.seconds, error=gate.error)
        properties.setdefault(gate.name, {})[where] = given
    result = Target(
        num_qubits=len(chain), qubit_properties=[QubitProperties(q.t1, q.t2) for q in qubits]
    )
    for name, where_and_how in properties.items():
        result.add_instruction(standard[name], where_and_how)
    reads = {(i,): InstructionProperties(error=q.readout_error) for i, q in enumerate(qubits)}
    result.add_instruction(Measure(), reads)
    return result


def gates(calibration: Calibration, chain: Chain) -> list[Gate]:
    """The live gates that circuits on the chain may use."""
    single = (*VIRTUAL_GATES, *PULSED_GATES)
    return [
        gate
        for gate in calibration.gates
        if gate.name in single and gate.live and gate.qubits[0] in chain
    ] + list(chain_gates(calibration, chain))


def compile_for(
    calibration: Calibration, chain: Chain, circuits: "Sequence[QuantumCircuit]"
) -> "list[QuantumCircuit]":
    """The circuits in the chain's own gates, on the same qubits, in this process."""
    from qiskit import transpile

    compiled: list[QuantumCircuit] = transpile(
        list(circuits),
        target=target(calibration, chain),
        initial_layout=list(range(len(chain))),
        optimization_level=1,  # merges the one-qubit gates between two barriers; 0 would not
        seed_transpiler=0,
        num_processes=1,
    )
    return compiled


def noise_model(calibration: Calibration, chain: Chain) -> "NoiseModel":
    """Aer's model of the chain's gate and readout errors; its qubit i is `chain[i]`."""
    from qiskit_aer.noise import NoiseModel
    from qiskit_aer.noise.device import basic_device_gate_errors

    model = NoiseModel()
    for name, where, error in basic_device_gate_errors(target=target(calibration, chain)):
        model.add_quantum_error(error, name, list(where))
    for index, qubit in enumerate(chain):
        model.add_readout_error(confusion(calibration.qubits[qubit]), [index])
    return model


def confusion(qubit: Qubit) -> list[list[float]]:
    """Probabilities of reading 0 and 1, first row for a prepared 0, second for a prepared 1.

    Where the owner gives one figure for both, both rows have it.
    """
    wrong = qubit.readout_error
    zero = wrong if qubit.reads_0_as_1 is None else qubit.reads_0_as_1
    one = wrong if qubit.reads_1_as_0 is None else qubit.reads_1_as_0
    if zero is None or one is None:
        raise ValueError("a chain holds a qubit whose readout error is unknown: choose another")
    return [[1 - zero, zero], [one, 1 - one]]


def on_noise(batch: "Batch", calibration: Calibration, *, seed: int) -> "list[Counts]":
    """Counts of a batch on a device's noise: one model for each chain that its circuits run on."""
    found: dict[int, Counts] = {}
    for chain in dict.fromkeys(batch.chains):
        places = [place for place, other in enumerate(batch.chains) if other == chain]
        counts = simulate(
            [batch.circuits[place] for place in places],
            noise_model(calibration, chain),
            shots=batch.shots,
            seed=seed,
        )
        found |= dict(zip(places, counts, strict=True))
    return [found[place] for place in range(len(batch.circuits))]


def simulate(
    circuits: "Sequence[QuantumCircuit]", model: "NoiseModel | None", *, shots: int, seed: int
) -> "list[Counts]":
    """Counts of every circuit; the same seed gives the same counts.

    The state is a density matrix, so that noise is exact and only the shots are random:
    16 · 4ⁿ bytes. One thread, because a seed repeats only with a fixed number of them. Raises
    RuntimeError with Aer's own words where it refuses.
    """
    from qiskit_aer import AerSimulator

    simulator = AerSimulator(
        method="density_matrix", noise_model=model, max_parallel_threads=1, seed_simulator=seed
    )
    result = simulator.run(list(circuits), shots=shots).result()
    if not result.success:
        raise RuntimeError(f"Aer ran no circuits: {result.status}")
    counted = result.get_counts()
    return counted if isinstance(counted, list) else [counted]
