"""Loading data against exact density matrices, qiskit's own durations and the theory of rates."""

import json
from dataclasses import replace
from math import log2

import numpy as np
import pytest
from exact_circuits import as_counts, density_matrix, drawn, of_batch, probabilities
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector, random_density_matrix
from qiskit_aer.noise import NoiseModel, depolarizing_error

from probes.base import Skipped
from probes.quantum import direct_fidelity, host
from probes.quantum.batch import Batch
from probes.quantum.canary import Execution
from probes.quantum.circuits.chain import best_chain
from probes.quantum.circuits.compiled import OptimisedAway, check_gates
from probes.quantum.circuits.loading import duration, loader
from probes.quantum.circuits.noise import compile_for, target
from probes.quantum.direct_fidelity import along, fidelity, measurements
from probes.quantum.providers.snapshot import Snapshot
from probes.quantum.state_preparation import StatePreparation, surviving_bits

SIMULATED = Execution("fake_kingston", "simulated", seconds=3.0)
KIND = "quantum.state_preparation"


def amplitudes(width, seed=1):
    found = np.random.default_rng([seed, width]).standard_normal(2**width)
    return found / np.linalg.norm(found)


def by_name(readings, target):
    return {each.signal.rpartition(".")[2]: each for each in readings if each.target == target}


def exact_fidelity(scores, outcomes):
    """Mean score of every setting with infinitely many shots, averaged."""
    return float(
        np.mean([np.dot(score, each) for score, each in zip(scores, outcomes, strict=True)])
    )


@pytest.mark.slow
def test_a_real_child_agrees_with_the_exact_density_matrix_within_two_sigma(run_probe):
    done = run_probe(KIND, {"device": "fake_kingston"})
    assert (done["outcome"], done["reason"]) == ("ok", "")
    found = {(each["target"], each["signal"].rpartition(".")[2]): each for each in done["readings"]}
    calibration = Snapshot().calibration("fake_kingston")
    batch = StatePreparation(device="fake_kingston").plan(calibration)
    exact = of_batch(batch, calibration)
    for place, part in enumerate(batch.facts["parts"]):
        at, read = f"fake_kingston/w{part['width']}", None
        value = exact_fidelity(part["scores"], exact[25 * place : 25 * place + 25])
        read = found[at, "fidelity"]
        assert read["value"] == pytest.approx(value, abs=2 * read["sigma"])
        assert 0.01 < read["sigma"] < 0.06
        assert found[at, "two_qubit_gates"]["value"] == part["links"]
        width, lost = part["width"], max(1 - read["value"], read["sigma"])
        bits = (2**width - 1) / 2 * log2((1 - 2**-width) / lost)
        seconds = found[at, "duration"]["value"]
        assert found[at, "bandwidth"]["value"] == pytest.approx(bits / seconds)
        assert [found[at, name]["origin"] for name in ("fidelity", "duration", "bandwidth")] == [
            "simulated",
            "derived",
            "simulated",
        ]
    copied = found[host.target(), "classical_bandwidth"]
    assert copied["origin"] == "measured"
    assert copied["value"] > 1e9
    assert (None, None) not in found
    assert not any(name == "delivered_bandwidth" for _, name in found), "no device took that time"


@pytest.mark.parametrize("width", [2, 3])
def test_errors_of_links_alone_give_the_fidelity_of_the_exact_state(width):
    """All settings, weighted: no chance is left, and the pulses that turn have no error."""
    noise = NoiseModel()
    noise.add_all_qubit_quantum_error(depolarizing_error(0.04, 2), "cz")
    load, loaded = loader(amplitudes(width))
    found = sum(
        each.weight * each.scores @ probabilities(along(load, each.setting), noise)
        for each in measurements(loaded)
    )
    exact = np.real(loaded @ density_matrix(load, noise) @ loaded)
    assert found == pytest.approx(exact, abs=1e-9)
    assert found < 0.98


@given(seed=st.integers(0, 10**6), width=st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_the_mean_score_is_the_fidelity_of_any_state(seed, width):
    wanted, rho = amplitudes(width, seed), random_density_matrix(2**width, seed=seed)
    total = 0.0
    for each in measurements(wanted):
        turned = along(QuantumCircuit(width), each.setting).remove_final_measurements(inplace=False)
        total += each.weight * each.scores @ rho.evolve(turned).probabilities()
    assert total == pytest.approx(np.real(wanted @ rho.data @ wanted))


@given(seed=st.integers(0, 10**6), width=st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_every_setting_alone_has_a_mean_score_of_one_for_the_ideal_state(seed, width):
    wanted = amplitudes(width, seed)
    found = measurements(wanted)
    assert len(found) == (3**width + 1) / 2
    assert sum(each.weight for each in found) == pytest.approx(1)
    for each in found:
        likely = direct_fidelity.probabilities(wanted, each.setting)
        assert each.scores @ likely == pytest.approx(1)


@pytest.mark.parametrize("setting", ["zz", "xz", "zx", "yy", "xyyz", "zxyy"])
def test_probabilities_of_a_setting_are_those_of_its_circuit(setting):
    wanted = amplitudes(len(setting))
    circuit = along(QuantumCircuit(len(setting)), setting).remove_final_measurements(inplace=False)
    found = direct_fidelity.probabilities(wanted, setting)
    assert found == pytest.approx(Statevector(wanted).evolve(circuit).probabilities())


def test_settings_are_drawn_as_often_as_they_weigh():
    found = measurements(amplitudes(3))
    taken = direct_fidelity.drawn(found, 1000, np.random.default_rng(1))
    for each in found:
        number = sum(other.setting == each.setting for other in taken)
        assert number == pytest.approx(1000 * each.weight, abs=1)


def test_sigma_is_the_scatter_of_repeated_measurements_and_the_mean_is_right():
    random = np.random.default_rng(3)
    noise = NoiseModel()
    noise.add_all_qubit_quantum_error(depolarizing_error(0.1, 2), "cz")
    load, loaded = loader(amplitudes(2))
    exact = np.real(loaded @ density_matrix(load, noise) @ loaded)
    every = measurements(loaded)
    outcomes = {each.setting: probabilities(along(load, each.setting), noise) for each in every}
    runs = []
    for _ in range(300):
        chosen = direct_fidelity.drawn(every, 25, random)
        counts = [drawn(outcomes[each.setting], 30, random) for each in chosen]
        runs.append(fidelity([each.scores for each in chosen], counts))
    values, sigmas = zip(*runs, strict=True)
    assert np.mean(values) == pytest.approx(exact, abs=4 * np.std(values) / 300**0.5)
    assert np.mean(sigmas) / np.std(values) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize(
    "device", ["fake_kingston", "fake_brisbane", "fake_cairo", "fake_almaden", "fake_ourense"]
)
@pytest.mark.parametrize("seed", [1, 2])
def test_without_errors_every_device_s_circuits_have_fidelity_one(device, seed):
    probe = StatePreparation(device=device, widths=[2, 3, 4], settings=10, seed=seed)
    batch = probe.plan(Snapshot().calibration(device))
    exact = [as_counts(probabilities(circuit, None)) for circuit in batch.circuits]
    for place, part in enumerate(batch.facts["parts"]):
        value, _ = fidelity(part["scores"], exact[10 * place : 10 * place + 10])
        assert value == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("width", [2, 3, 5])
def test_what_is_loaded_is_what_was_asked_for_with_its_qubits_in_another_order(width):
    wanted = amplitudes(width)
    circuit, loaded = loader(wanted)
    assert abs(Statevector(circuit).data @ loaded) == pytest.approx(1)
    assert sorted(loaded) == pytest.approx(sorted(wanted))
    pairs = {tuple(sorted(circuit.find_bit(q).index for q in step.qubits)) for step in circuit.data}
    assert {pair for pair in pairs if len(pair) == 2} <= {(q, q + 1) for q in range(width - 1)}


@pytest.mark.parametrize("device", ["fake_kingston", "fake_brisbane", "fake_almaden"])
def test_a_duration_is_that_which_qiskit_estimates(device):
    calibration = Snapshot().calibration(device)
    chain = best_chain(calibration, 4)
    (ready,) = compile_for(calibration, chain, [loader(amplitudes(4))[0]])
    expected = ready.estimate_duration(target(calibration, chain), unit="s")
    assert duration(ready, calibration, chain) == pytest.approx(expected)
    assert 1e-7 < expected < 1e-4


def test_a_barrier_is_waited_at_and_frames_take_no_time():
    calibration = Snapshot().calibration("fake_kingston")
    chain = best_chain(calibration, 2)
    pulse = next(
        gate.seconds for gate in calibration.gates if gate.name == "sx" and gate.qubits == chain[:1]
    )
    circuit = QuantumCircuit(2)
    circuit.sx(0)
    circuit.rz(1, 1)
    circuit.sx(1)
    assert duration(circuit, calibration, chain) == pytest.approx(pulse)
    circuit.barrier()
    circuit.sx(1)
    assert duration(circuit, calibration, chain) == pytest.approx(2 * pulse)


def test_without_a_gate_s_length_duration_and_bandwidth_are_absent():
    calibration = Snapshot().calibration("fake_kingston")
    untold = replace(
        calibration,
        gates=tuple(
            replace(gate, seconds=None) if gate.name == "cz" else gate for gate in calibration.gates
        ),
    )
    probe = StatePreparation(device="fake_kingston", widths=[2], settings=10)
    batch = probe.plan(untold)
    counts = [{"00": 30}] * 10
    found = by_name(probe.read(batch.facts, counts, SIMULATED), "fake_kingston/w2")
    assert set(found) == {"fidelity", "two_qubit_gates"}


@given(
    width=st.integers(2, 8),
    value=st.floats(-0.5, 1.5),
    more=st.floats(0, 0.5),
    sigma=st.floats(1e-4, 0.2),
)
def test_more_fidelity_is_never_worth_fewer_bits(width, value, more, sigma):
    less, doubt = surviving_bits(width, value, sigma)
    better, _ = surviving_bits(width, value + more, sigma)
    assert 0 <= less <= better
    assert doubt > 0


def test_bits_are_those_of_the_rate_distortion_function():
    assert surviving_bits(4, 1 / 16, 0.01)[0] == 0
    assert surviving_bits(4, -0.2, 0.01)[0] == 0
    assert surviving_bits(4, 1 - (1 - 1 / 16) / 4, 0.001)[0] == pytest.approx(15 * 1.0)
    assert surviving_bits(4, 1.02, 0.03) == pytest.approx(surviving_bits(4, 0.97, 0.03))


def test_a_random_code_of_so_many_bits_reaches_the_fidelity():
    """The best of 2^b random vectors has that overlap with a random one, within what so few
    dimensions allow: the definition from the other side."""
    random = np.random.default_rng(1)
    book = random.standard_normal((2**12, 16))
    book /= np.linalg.norm(book, axis=1, keepdims=True)
    words = random.standard_normal((400, 16))
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    reached = ((words @ book.T) ** 2).max(axis=1).mean()
    assert surviving_bits(4, reached, 1e-3)[0] == pytest.approx(12, rel=0.25)


def test_sigma_of_the_bits_is_their_slope():
    value, doubt = surviving_bits(3, 0.8, 0.001)
    higher, _ = surviving_bits(3, 0.801, 0.0001)
    assert higher - value == pytest.approx(doubt, rel=0.01)


def test_delivered_is_what_all_shots_brought_over_the_job_s_time_on_a_real_device_alone():
    calibration = Snapshot().calibration("fake_kingston")
    probe = StatePreparation(device="fake_kingston", widths=[2, 3], settings=10)
    batch = probe.plan(calibration)
    counts = Snapshot().counts(batch, calibration, seed=1)
    real = Execution("fake_kingston", "measured", seconds=4.0)
    readings = list(probe.read(batch.facts, counts, real))
    (found,) = by_name(readings, "fake_kingston").values()
    bits = sum(
        300 * each.value * next(d.value for d in readings if _same(d, each, "duration"))
        for each in readings
        if each.signal == f"{KIND}.bandwidth"
    )
    assert found.signal == f"{KIND}.delivered_bandwidth"
    assert found.value == pytest.approx(bits / 4)
    assert found.origin == "derived"
    assert by_name(readings, "fake_kingston/w2")["bandwidth"].origin == "derived"
    for execution in (SIMULATED, Execution("fake_kingston", "measured")):
        assert by_name(probe.read(batch.facts, counts, execution), "fake_kingston") == {}


def _same(reading, other, name):
    return reading.target == other.target and reading.signal == f"{KIND}.{name}"


def test_on_a_made_up_calibration_nothing_of_it_counts_as_derived():
    probe = StatePreparation(device="fake_nighthawk", widths=[2], settings=10)
    found = by_name(probe.run(), "fake_nighthawk/w2")
    assert found["duration"].origin == found["bandwidth"].origin == "simulated"


def test_every_reading_follows_from_the_batch_as_it_is_stored():
    calibration = Snapshot().calibration("fake_kingston")
    probe = StatePreparation(device="fake_kingston", widths=[3], settings=10)
    batch = probe.plan(calibration)
    counts = Snapshot().counts(batch, calibration, seed=3)
    stored = Batch.from_json(json.loads(json.dumps(batch.as_json())))
    (now, later) = (
        by_name(probe.read(facts, counts, SIMULATED), "fake_kingston/w3")
        for facts in (batch.facts, stored.facts)
    )
    assert {name: each.value for name, each in now.items()} == {
        name: each.value for name, each in later.items()
    }


def test_a_run_is_as_cheap_as_it_says():
    batch = StatePreparation(device="fake_kingston").plan(Snapshot().calibration("fake_kingston"))
    assert (len(batch.circuits), len(batch.circuits) * batch.shots) == (50, 1500)


def test_a_load_that_a_compiler_shortens_is_noticed():
    calibration = Snapshot().calibration("fake_kingston")
    chain = best_chain(calibration, 3)
    load, _ = loader(amplitudes(3))
    (ready,) = compile_for(calibration, chain, [along(load, "xyy")])
    place = next(i for i, step in enumerate(ready.data) if step.operation.name == "cz")
    pulses = ready.count_ops()["sx"]
    del ready.data[place]
    with pytest.raises(OptimisedAway, match=r"a loading circuit has .* 4 entangling gates instead"):
        check_gates(ready, "a loading circuit", pulses=pulses, links=5)


def test_a_width_without_a_chain_is_absent_and_a_device_without_any_is_skipped():
    probe = StatePreparation(device="fake_lima", widths=[2, 6], settings=10)
    batch = probe.plan(Snapshot().calibration("fake_lima"))
    assert (batch.facts["absent"], len(batch.circuits)) == ([6], 10)
    with pytest.raises(Skipped, match="fake_kyoto has no chain of 2 usable"):
        list(StatePreparation(device="fake_kyoto").run())


@pytest.mark.parametrize(
    ("setting", "value"), [("widths", [9]), ("widths", []), ("settings", 9), ("shots", 9)]
)
def test_settings_that_measure_nothing_are_refused(setting, value):
    with pytest.raises(ValidationError, match=setting):
        StatePreparation(**{"device": "fake_kingston", setting: value})
