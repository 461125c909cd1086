"""Layer fidelity on real devices' calibrations, against the channels that were simulated."""

import json
from dataclasses import replace
from functools import reduce
from itertools import pairwise
from math import prod

import pytest
from pydantic import ValidationError
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.quantum_info import Operator, SuperOp, process_fidelity
from qiskit_aer.noise.device import basic_device_gate_errors
from qiskit_experiments.library.randomized_benchmarking import CliffordUtils

from probes.base import Skipped
from probes.quantum.batch import Batch
from probes.quantum.canary import Execution
from probes.quantum.circuits.chain import breaks, first_chain
from probes.quantum.circuits.layering import in_order_of
from probes.quantum.circuits.noise import target
from probes.quantum.layer_fidelity import LayerFidelityCanary
from probes.quantum.providers.snapshot import Snapshot

SMALL = {"device": "fake_kingston", "width": 4}
HERE = Execution("fake_kingston", "simulated")


def by_name(readings, chain):
    """Values and sigmas of one chain's readings."""
    return {
        reading.signal.rpartition(".")[2]: (reading.value, reading.sigma)
        for reading in readings
        if f"/{chain}-" in reading.target
    }


def exact(calibration, chain):
    """LF and EPLG from the errors that Aer's device model gives to each gate: no circuit, no shot.

    The error of a layer on one pair is that of its gate after the mean error of all Cliffords on
    both of its qubits, and its process fidelity is what randomised benchmarking measures.
    """
    errors = {
        (name, tuple(where)): SuperOp(error)
        for name, where, error in basic_device_gate_errors(target=target(calibration, chain))
    }
    alone = [mean_clifford_error(errors, qubit) for qubit in range(len(chain))]
    fidelities = []
    for side in (0, 1):
        pairs = list(pairwise(range(len(chain))))[side::2]
        for pair in pairs:
            gate = next(key for key in errors if set(key[1]) == set(pair))
            turn = SuperOp(Operator(get_standard_gate_name_mapping()[gate[0]]))
            both = alone[gate[1][0]].expand(alone[gate[1][1]])  # the first is the lower bit
            layer = turn.adjoint().compose(both).compose(turn).compose(errors[gate])
            fidelities.append(process_fidelity(layer))
        taken = {qubit for pair in pairs for qubit in pair}
        fidelities += [process_fidelity(alone[q]) for q in range(len(chain)) if q not in taken]
    fidelity = prod(fidelities)
    return fidelity, 1 - fidelity ** (1 / (len(chain) - 1))


def mean_clifford_error(errors, qubit):
    """What the 24 Cliffords do besides what they should, on average."""
    done = []
    for number in range(24):
        circuit = CliffordUtils.clifford_1_qubit_circuit(number, basis_gates=("rz", "sx", "x"))
        noisy = SuperOp(Operator.from_label("I"))
        for step in circuit.data:
            noisy = noisy.compose(SuperOp(Operator(step.operation)))
            error = errors.get((step.operation.name, (qubit,)))
            noisy = noisy if error is None else noisy.compose(error)
        done.append(SuperOp(circuit).adjoint().compose(noisy))
    return reduce(lambda one, other: one + other, done) / len(done)


@pytest.fixture(scope="module")
def calibration():
    return Snapshot().calibration("fake_kingston")


@pytest.fixture(scope="module")
def batch(calibration):
    return LayerFidelityCanary(**SMALL, shots=500).plan(calibration)


@pytest.fixture(scope="module")
def counts(batch, calibration):
    return Snapshot().counts(batch, calibration, seed=1)


@pytest.mark.slow
def test_six_qubits_of_fake_kingston_in_a_real_child(run_probe, calibration):
    done = run_probe("quantum.layer_fidelity", {"device": "fake_kingston"})
    assert (done["outcome"], done["reason"]) == ("ok", "")
    found = {(one["target"], one["signal"].rpartition(".")[2]): one for one in done["readings"]}
    assert len(found) == 6
    for part in done["payload"]["facts"]["parts"]:
        target = f"fake_kingston/{part['chain']}-w6"
        for name, value in zip(
            ("fidelity", "error_per_gate"), exact(calibration, part["qubits"]), strict=True
        ):
            reading = found[target, name]
            assert abs(reading["value"] - value) < 2 * reading["sigma"]
        assert 0 < found[target, "error_per_gate"]["sigma"] < 5e-4
        assert found[target, "bad_fits"]["value"] == 0
    assert {one["origin"] for one in done["readings"]} == {"simulated"}
    assert {"qiskit-experiments", "qiskit-aer"} <= set(done["versions"])


def test_it_is_the_process_fidelity_of_the_channels_that_were_simulated(batch, counts, calibration):
    readings = list(LayerFidelityCanary(**SMALL).read(batch.facts, counts, HERE))
    for part in batch.facts["parts"]:
        found = by_name(readings, part["chain"])
        fidelity, error = exact(calibration, part["qubits"])
        assert abs(found["fidelity"][0] - fidelity) < 2 * found["fidelity"][1]
        assert abs(found["error_per_gate"][0] - error) < 2 * found["error_per_gate"][1]
        assert found["error_per_gate"][1] < 0.06 * error, "or nothing much is tested"
        assert found["error_per_gate"][0] == pytest.approx(1 - found["fidelity"][0] ** (1 / 3))


def test_no_gate_and_no_barrier_is_optimised_away(batch):
    number = iter(batch.circuits)
    for part in batch.facts["parts"]:
        for metadata in part["metadata"]:
            circuit = next(number)
            structure = metadata["composite_metadata"][0]
            length = structure["composite_metadata"][0]["xval"]
            pairs = sum(len(qubits) == 2 for qubits in structure["composite_qubits"])
            names = circuit.count_ops()
            # the inverse at the end is one Clifford of at most three gates a pair
            assert length * pairs <= names["cz"] <= (length + 3) * pairs
            assert names["barrier"] == 2 * length + 1
            assert set(names) <= {"rz", "sx", "x", "cz", "barrier", "measure"}
            layers = layers_of(circuit)
            # two for each layer, a wide one for the inverse; between them single gates alone
            assert [len(layer) for layer in layers[1 : 2 * length : 2]] == [pairs] * length
            assert all(name == "cz" for layer in layers[1 : 2 * length : 2] for name in layer)


def layers_of(circuit):
    """Names of the gates between the barriers."""
    layers = [[]]
    for step in circuit.data:
        if step.operation.name == "barrier":
            layers.append([])
        else:
            layers[-1].append(step.operation.name)
    return layers


def test_the_circuits_measure_all_qubits_in_their_order(batch):
    for circuit, chain in zip(batch.circuits, batch.chains, strict=True):
        reads = [step for step in circuit.data if step.operation.name == "measure"]
        pairs = [
            (circuit.find_bit(s.qubits[0]).index, circuit.find_bit(s.clbits[0]).index)
            for s in reads
        ]
        assert pairs == [(qubit, qubit) for qubit in range(len(chain))]
        assert len(circuit.cregs) == 1


def test_both_chains_are_there_and_the_fixed_one_is_the_first(batch):
    first, best = batch.facts["parts"]
    assert (first["chain"], first["qubits"]) == ("fixed", [0, 1, 2, 3])
    assert (best["chain"], best["qubits"]) == ("best", [148, 149, 150, 151])
    assert set(batch.chains) == {(0, 1, 2, 3), (148, 149, 150, 151)}


def test_what_was_planned_is_understood_after_its_way_through_the_ledger(batch, counts):
    stored = json.loads(json.dumps(batch.as_json()))
    again = Batch.from_json(stored)
    probe = LayerFidelityCanary(**SMALL)
    before = list(probe.read(batch.facts, counts, HERE))
    after = list(probe.read(again.facts, counts, HERE))
    assert [(r.target, r.value, r.sigma) for r in before] == [
        (r.target, r.value, r.sigma) for r in after
    ]
    assert len(json.dumps(stored["facts"])) < 100_000


def test_the_same_seed_gives_the_same_circuits_and_another_does_not(calibration):
    first, again, other = (
        LayerFidelityCanary(**SMALL, lengths=(1, 2, 3, 4), seed=seed).plan(calibration)
        for seed in (1, 1, 2)
    )
    assert list(again.circuits) == list(first.circuits)
    assert list(other.circuits) != list(first.circuits)


def test_a_fit_that_is_not_trusted_gives_no_number_but_a_count_of_it(batch, counts):
    # half of the readouts of qubit 0 are wrong: the library says so of whatever has it
    half = len(counts) // 2
    spoiled = [*(with_a_coin_for_qubit_0(each) for each in counts[:half]), *counts[half:]]
    readings = list(LayerFidelityCanary(**SMALL).read(batch.facts, spoiled, HERE))
    fixed, best = by_name(readings, "fixed"), by_name(readings, "best")
    assert set(fixed) == {"bad_fits"}
    assert set(best) == {"fidelity", "error_per_gate", "bad_fits"}
    note = next(reading.note for reading in readings if "fixed" in reading.target)
    assert fixed["bad_fits"] == (2, None)
    assert note == "qubits 0-1-2-3; bad fit of 0-1: large_spam; bad fit of 0: large_spam"


def with_a_coin_for_qubit_0(counts):
    """The same shots, with qubit 0 turned over in half of them."""
    found = {}
    for outcome, number in counts.items():
        for read, share in (("0", number // 2), ("1", number - number // 2)):
            key = outcome[:-1] + read
            found[key] = found.get(key, 0) + share
    return found


def test_answers_at_random_are_no_fidelity(batch):
    even = [{format(k, "04b"): 10 for k in range(16)}] * len(batch.circuits)
    readings = list(LayerFidelityCanary(**SMALL).read(batch.facts, even, HERE))
    assert {reading.signal for reading in readings} == {"quantum.layer_fidelity.bad_fits"}
    assert [reading.value for reading in readings] == [5, 5]


def test_counts_are_turned_into_the_order_of_the_librarys_own_circuits():
    structure = {"composite_qubits": [(1, 2), (0,)], "composite_clbits": [(0, 1), (2,)]}
    assert in_order_of(structure, {"001": 3, "010": 5}) == {"100": 3, "001": 5}


def test_a_fixed_chain_that_is_broken_today_is_absent_and_named(calibration):
    dead = replace(
        calibration,
        gates=tuple(
            replace(gate, error=1.0) if gate.name == "cz" and set(gate.qubits) == {1, 2} else gate
            for gate in calibration.gates
        ),
    )
    assert first_chain(dead, 4) == (0, 1, 2, 3), "it stays the same whatever is dead"
    facts = LayerFidelityCanary(**SMALL, lengths=(1, 2, 3, 4)).plan(dead).facts
    assert [part["chain"] for part in facts["parts"]] == ["best"]
    assert facts["absent"] == {"fixed": "unusable on [0, 1, 2, 3]: coupling 1-2"}


def test_a_chain_of_ones_own_is_taken(calibration):
    facts = (
        LayerFidelityCanary(device="fake_kingston", width=3, chain=(2, 1, 0), lengths=(1, 2, 3, 4))
        .plan(calibration)
        .facts
    )
    assert facts["parts"][0]["qubits"] == [2, 1, 0]


def test_what_is_no_chain_of_the_device_is_named(calibration):
    assert breaks(calibration, (0, 1, 2)) == []
    assert breaks(calibration, (0, 2, 3)) == ["coupling 0-2"]
    assert breaks(calibration, (0, 1, 400)) == ["qubit 400"]


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        ("fake_lima", "has no chain of 6 qubits that can be used: fixed: it has no such chain"),
        ("fake_kyoto", "coupling 0-1, coupling 1-2"),
        ("fake_cairo", "mixes the gates cx and ecr"),
    ],
)
def test_a_device_that_cannot_run_it_is_skipped_with_the_reason(device, reason):
    with pytest.raises(Skipped, match=reason):
        list(LayerFidelityCanary(device=device).run())


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"chain": [0, 1, 2]}, "chain has 3 qubits and width is 6"),
        ({"width": 3, "chain": [0, 1, 0]}, "names a qubit twice"),
        ({"width": 2}, "width"),
        ({"lengths": [1, 2, 3]}, "lengths"),
        ({"chain": [-1] * 6}, "chain"),
    ],
)
def test_settings_that_measure_nothing_are_refused(settings, complaint):
    with pytest.raises(ValidationError, match=complaint):
        LayerFidelityCanary(device="fake_kingston", **settings)
