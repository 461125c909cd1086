"""Mirror circuits against simulators that know nothing of how they were made."""

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.quantum_info import DensityMatrix, Operator, SuperOp
from qiskit_aer.noise import NoiseModel, depolarizing_error

from probes.quantum.circuits.chain import best_chain, positions
from probes.quantum.circuits.compiled import OptimisedAway
from probes.quantum.circuits.mirroring import WORDS, Frame, check_compiled, mirror
from probes.quantum.circuits.noise import compile_for, simulate, target
from probes.quantum.polarization import mean_polarization
from probes.quantum.providers.snapshot import Snapshot

MIXED = [("cz", 0, 1), ("cx", 2, 1), ("ecr", 2, 3), ("cx", 3, 4), ("ecr", 5, 4)]
SHOTS = 20_000


def mirrors(links, depth, number, seed=1):
    return [mirror(links, depth, np.random.default_rng([seed, depth, i])) for i in range(number)]


def on(device, width):
    calibration = Snapshot().calibration(device)
    chain = best_chain(calibration, width)
    return calibration, chain, positions(calibration, chain)


def without_barriers(circuit):
    bare = QuantumCircuit(*circuit.qregs, *circuit.cregs)
    for instruction in circuit.data:
        if instruction.operation.name != "barrier":
            bare.append(instruction)
    return bare


@pytest.mark.parametrize("depth", [2, 6, 16])
@pytest.mark.parametrize("width", [2, 3, 6])
def test_without_noise_every_shot_has_the_right_outcome(width, depth):
    made = mirrors(MIXED[: width - 1], depth, 8)
    counts = simulate([each.circuit for each in made], None, shots=50, seed=1)
    assert counts == [{each.outcome: 50} for each in made]
    assert mean_polarization([each.outcome for each in made], counts)[0] == 1


@pytest.mark.parametrize(
    "device", ["fake_kingston", "fake_brisbane", "fake_cairo", "fake_almaden", "fake_ourense"]
)
def test_compiling_for_a_device_keeps_outcome_and_every_gate(device):
    calibration, chain, links = on(device, 4)
    made = mirrors(links, 12, 8)
    compiled = compile_for(calibration, chain, [each.circuit for each in made])
    allowed = {*target(calibration, chain).operation_names, "barrier"}
    for each, ready in zip(made, compiled, strict=True):
        assert set(check_compiled(each, ready)) <= allowed
    counts = simulate(compiled, None, shots=20, seed=1)
    assert counts == [{each.outcome: 20} for each in made]


def test_outcomes_are_spread_over_all_bit_strings():
    seen = {each.outcome for each in mirrors(MIXED[:2], 2, 100)}
    assert len(seen) == 8


def test_depth_counts_the_layers_of_both_halves():
    (each,) = mirrors([("cz", 0, 1)], 10, 1)
    assert (each.depth, each.links, each.circuit.count_ops()["cz"]) == (10, 10, 10)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_circuit_whose_layers_the_compiler_may_merge_is_refused(level):
    calibration, chain, links = on("fake_kingston", 4)
    made = mirrors(links, 8, 4)
    for each in made:
        naive = transpile(
            without_barriers(each.circuit),
            target=target(calibration, chain),
            initial_layout=[0, 1, 2, 3],
            optimization_level=level,
            seed_transpiler=1,
        )
        with pytest.raises(OptimisedAway, match="merged or cancelled layers"):
            check_compiled(each, naive)


def test_a_lost_entangling_gate_is_noticed():
    calibration, chain, links = on("fake_kingston", 3)
    (each,) = mirrors(links, 4, 1)
    (ready,) = compile_for(calibration, chain, [each.circuit])
    place = next(i for i, step in enumerate(ready.data) if step.operation.name == "cz")
    del ready.data[place]
    with pytest.raises(OptimisedAway, match=f"{each.links - 1} entangling gates instead of"):
        check_compiled(each, ready)


@pytest.mark.parametrize("depth", [2, 10, 40])
@pytest.mark.parametrize("strength", [0.003, 0.02])
def test_depolarisation_of_two_qubits_gives_the_analytic_polarization(strength, depth):
    """Depolarisation commutes with all unitaries: polarization is (1 − p) to the power of gates."""
    noise = NoiseModel()
    noise.add_all_qubit_quantum_error(depolarizing_error(strength, 2), "cz")
    made = mirrors([("cz", 0, 1)], depth, 6)
    counts = simulate([each.circuit for each in made], noise, shots=SHOTS, seed=7)
    value, sigma = mean_polarization([each.outcome for each in made], counts)
    assert value == pytest.approx((1 - strength) ** depth, abs=3 * sigma)
    assert sigma < 0.01


def test_four_noisy_qubits_agree_with_an_exact_density_matrix():
    links = MIXED[:3]
    noise = NoiseModel()
    two, one = depolarizing_error(0.02, 2), depolarizing_error(0.004, 1)
    noise.add_all_qubit_quantum_error(two, ["cz", "cx", "ecr"])
    noise.add_all_qubit_quantum_error(one, ["h", "s", "sdg"])
    made = mirrors(links, 8, 5)
    counts = simulate([each.circuit for each in made], noise, shots=SHOTS, seed=3)
    for each, counted in zip(made, counts, strict=True):
        exact = probability(each, SuperOp(one), SuperOp(two))
        sigma = np.sqrt(exact * (1 - exact) / SHOTS)
        assert counted[each.outcome] / SHOTS == pytest.approx(exact, abs=3.5 * sigma)


def probability(mirrored, one, two):
    """Of the right outcome, by qiskit's own density matrix, gate by gate."""
    state = DensityMatrix.from_int(0, 2**mirrored.circuit.num_qubits)
    for step in mirrored.circuit.data:
        where = [mirrored.circuit.find_bit(qubit).index for qubit in step.qubits]
        name = step.operation.name
        if name in {"barrier", "measure"}:
            continue
        state = state.evolve(Operator(step.operation), where)
        if name in {"h", "s", "sdg"}:
            state = state.evolve(one, where)
        elif len(where) == 2:
            state = state.evolve(two, where)
    return state.probabilities_dict()[mirrored.outcome]


def test_words_and_paulis_are_all_24_cliffords():
    seen = set()
    for word in WORDS:
        for pauli in "ixyz":
            circuit = QuantumCircuit(1)
            for name in (*word, *([] if pauli == "i" else [pauli])):
                getattr(circuit, name)(0)
            matrix = Operator(circuit).data.ravel()
            first = matrix[np.flatnonzero(np.abs(matrix) > 1e-9)[0]]
            seen.add(tuple(np.round(matrix * abs(first) / first, 6) + 0))
    assert len(seen) == 24


@pytest.mark.parametrize("name", ["cz", "cx", "ecr"])
@pytest.mark.parametrize("pauli", ["x", "y", "z"])
@pytest.mark.parametrize("qubit", [0, 1])
def test_a_frame_is_what_the_gate_makes_of_a_pauli(name, pauli, qubit):
    gate, before, after = QuantumCircuit(2), QuantumCircuit(2), QuantumCircuit(2)
    getattr(gate, name)(0, 1)
    getattr(before, pauli)(qubit)
    frame = Frame(2)
    frame.apply(pauli, qubit)
    frame.apply(name, 0, 1)
    for place in (0, 1):
        if frame.x[place]:
            after.x(place)
        if frame.z[place]:
            after.z(place)
    assert Operator(gate.compose(after)).equiv(Operator(before.compose(gate)))
