"""GHZ states against exact density matrices, and against states that are none."""

import json
from math import pi

import numpy as np
import pytest
from exact_circuits import as_counts, density_matrix, drawn, of_batch, probabilities
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from qiskit import QuantumCircuit
from qiskit.quantum_info import DensityMatrix, random_density_matrix
from qiskit_aer.noise import NoiseModel, depolarizing_error

from probes.base import Skipped
from probes.quantum.batch import Batch
from probes.quantum.canary import Execution
from probes.quantum.circuits.compiled import OptimisedAway, check_gates
from probes.quantum.circuits.noise import compile_for
from probes.quantum.ghz import GHZ, State, circuits, prepared, state
from probes.quantum.parity import coherence, parity, phases
from probes.quantum.providers.snapshot import Snapshot

SIMULATED = Execution("fake_kingston", "simulated")


def values(readings):
    return {(each.target, each.signal.rpartition(".")[2]): each for each in readings}


def parities(rho, width):
    """⟨Π⟩ at every phase, by the operator itself: ⊗ (cos φ X + sin φ Y)."""
    x, y = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]])
    for phase in phases(width):
        one, product = np.cos(phase) * x + np.sin(phase) * y, np.eye(1)
        for _ in range(width):
            product = np.kron(one, product)
        yield np.real(np.trace(product @ rho))


def with_parity(mean, width=2, shots=10**9):
    """Counts whose parity has that mean."""
    odd = round(shots * (1 - mean) / 2)
    return {"0" * width: shots - odd, "0" * (width - 1) + "1": odd}


@pytest.mark.slow
def test_a_real_child_agrees_with_the_exact_density_matrix_within_two_sigma(run_probe):
    done = run_probe("quantum.ghz", {"device": "fake_kingston", "shots": 400, "seed": 2})
    assert (done["outcome"], done["reason"]) == ("ok", "")
    found = {(each["target"], each["signal"]): each for each in done["readings"]}
    assert {each["origin"] for each in done["readings"]} == {"simulated"}
    calibration = Snapshot().calibration("fake_kingston")
    batch = GHZ(device="fake_kingston").plan(calibration)
    exact = iter(of_batch(batch, calibration))
    for width in (2, 4, 8):
        straight, *turned = (next(exact) for _ in range(2 * width + 3))
        waves = fitted(width, [odd_from(each) for each in turned])
        expected = {"population": straight[0] + straight[-1], "coherence": waves}
        expected["fidelity"] = sum(expected.values()) / 2
        for name, value in expected.items():
            read = found[f"fake_kingston/w{width}", f"quantum.ghz.{name}"]
            assert read["value"] == pytest.approx(value, abs=2 * read["sigma"]), (width, name)
            assert 0.002 < read["sigma"] < 0.02
    last = done["readings"][-1]
    assert (last["signal"], last["target"]) == ("quantum.ghz.entangled_qubits", "fake_kingston")
    assert last["value"] == 8
    assert last["note"] == "at least: nothing wider than 8 was tested"


def odd_from(found):
    """Mean parity from exact probabilities."""
    ones = np.array([number.bit_count() % 2 for number in range(found.size)])
    return float(np.sum(found * (1 - 2 * ones)))


def fitted(width, means):
    """Amplitude of the n-th harmonic by least squares over all harmonics."""
    at = np.array([pi * place / (width + 1) for place in range(2 * width + 2)])
    rows = [np.ones_like(at)]
    for order in range(1, width + 1):
        rows += [np.cos(order * at), np.sin(order * at)]
    fit, *_ = np.linalg.lstsq(np.array(rows).T, np.array(means), rcond=None)
    return float(np.hypot(fit[-2], fit[-1]))


@pytest.mark.parametrize(
    "device", ["fake_kingston", "fake_brisbane", "fake_cairo", "fake_almaden", "fake_lima"]
)
def test_without_errors_every_device_s_circuits_give_a_perfect_state(device):
    """cz, ecr, cx in both directions, cx and ecr on one chain, and u2 instead of sx."""
    batch = GHZ(device=device, widths=[2, 4]).plan(Snapshot().calibration(device))
    exact = [as_counts(probabilities(circuit, None)) for circuit in batch.circuits]
    for width, own in ((2, exact[:7]), (4, exact[7:])):
        found = state(width, own)
        assert (found.population[0], found.coherence[0]) == pytest.approx((1, 1), abs=1e-6)
        assert found.entangled


@pytest.mark.parametrize("width", [2, 3, 5])
def test_errors_of_links_alone_give_the_fidelity_of_the_exact_state(width):
    noise = NoiseModel()
    noise.add_all_qubit_quantum_error(depolarizing_error(0.05, 2), "cz")
    exact = density_matrix(prepared(width), noise)
    ghz = np.zeros(2**width)
    ghz[[0, -1]] = 2**-0.5
    found = state(width, [as_counts(probabilities(each, noise)) for each in circuits(width)])
    assert found.fidelity[0] == pytest.approx(np.real(ghz @ exact @ ghz), abs=1e-6)
    assert found.fidelity[0] < 0.97


@given(seed=st.integers(0, 10**6), width=st.integers(2, 4))
@settings(max_examples=40, deadline=None)
def test_coherence_is_that_of_the_two_outer_amplitudes_of_any_state(seed, width):
    rho = random_density_matrix(2**width, seed=seed).data
    counted = [with_parity(mean, width) for mean in parities(rho, width)]
    found, _ = coherence(width, counted)
    assert found == pytest.approx(2 * abs(rho[0, -1]), abs=1e-4)


def test_slower_waves_and_one_sided_readouts_are_no_coherence():
    """Π = cos φ of one qubit, as if the others always read 0: all of it below frequency n."""
    for width in (2, 3, 6):
        counted = [with_parity(0.9 * np.cos(phase) + 0.1, width) for phase in phases(width)]
        assert coherence(width, counted)[0] == pytest.approx(0, abs=1e-4)


def test_population_alone_is_no_fidelity():
    mixture = {"00000": 500, "11111": 500}
    even = {"00000": 500, "00001": 500}
    found = state(5, [mixture, *[even] * 12])
    assert (found.population[0], found.coherence[0], found.fidelity[0]) == (1, 0, 0.5)
    assert not found.entangled


def test_a_phase_that_repeats_costs_no_fidelity():
    turned = prepared(3)
    turned.rz(0.7, 1)
    rho = DensityMatrix(turned).data
    found, _ = coherence(3, [with_parity(mean, 3) for mean in parities(rho, 3)])
    assert found == pytest.approx(1, abs=1e-6)


def test_sigmas_are_the_scatter_of_repeated_measurements():
    random = np.random.default_rng(1)
    noise = NoiseModel()
    noise.add_all_qubit_quantum_error(depolarizing_error(0.08, 2), "cz")
    exact = [probabilities(each, noise) for each in circuits(3)]
    found = [state(3, [drawn(each, 100, random) for each in exact]) for _ in range(300)]
    for name in ("population", "coherence", "fidelity"):
        numbers, sigmas = zip(*(getattr(each, name) for each in found), strict=True)
        assert np.mean(sigmas) / np.std(numbers) == pytest.approx(1, abs=0.15), name
    bias = np.mean([each.coherence[0] for each in found]) - fitted(
        3, [odd_from(each) for each in exact[1:]]
    )
    assert abs(bias) < 0.01


def test_noise_alone_has_hardly_any_coherence_and_entangles_nothing():
    random = np.random.default_rng(2)
    flat = np.full(16, 1 / 16)
    found = [state(4, [drawn(flat, 40, random) for _ in range(11)]) for _ in range(200)]
    amplitudes, sigmas = zip(*(each.coherence for each in found), strict=True)
    assert np.mean(amplitudes) < np.mean(sigmas)
    assert not any(each.entangled for each in found)


def test_the_variance_of_a_parity_is_binomial_and_never_zero():
    mean, variance = parity({"00": 300, "01": 100})
    assert mean == 0.5
    assert variance == pytest.approx(4 * 0.25 * 0.75 / 400, rel=0.01)
    assert 0 < parity({"11": 400})[1] < 4e-5


def test_every_reading_follows_from_the_batch_as_it_is_stored():
    calibration = Snapshot().calibration("fake_kingston")
    probe = GHZ(device="fake_kingston", widths=[2, 3])
    batch = probe.plan(calibration)
    counts = Snapshot().counts(batch, calibration, seed=3)
    stored = Batch.from_json(json.loads(json.dumps(batch.as_json())))
    now, later = (
        values(probe.read(facts, counts, SIMULATED)) for facts in (batch.facts, stored.facts)
    )
    assert {key: each.value for key, each in now.items()} == {
        key: each.value for key, each in later.items()
    }
    for part in stored.facts["parts"]:
        width = part["width"]
        assert len(part["qubits"]) == width
        assert [each["cz"] for each in part["gates"]] == [width - 1] * (2 * width + 3)
        assert len({each["sx"] for each in part["gates"][1:]}) == 1
        assert part["gates"][1]["sx"] == part["gates"][0]["sx"] + width


def test_a_run_is_as_cheap_as_it_says():
    batch = GHZ(device="fake_kingston").plan(Snapshot().calibration("fake_kingston"))
    assert (len(batch.circuits), len(batch.circuits) * batch.shots) == (37, 1480)


def test_turning_that_a_compiler_merges_with_the_state_is_noticed():
    calibration = Snapshot().calibration("fake_kingston")
    chain = tuple(GHZ(device="fake_kingston", widths=[3]).plan(calibration).chains[0])
    merged = QuantumCircuit(3)
    merged.compose(prepared(3), inplace=True)
    merged.h(range(3))
    merged.measure_all()
    straight, turned = compile_for(calibration, chain, [circuits(3)[0], merged])
    pulses = straight.count_ops()["sx"] + 3
    with pytest.raises(OptimisedAway, match=f"a GHZ circuit has . one-qubit pulses .* of {pulses}"):
        check_gates(turned, "a GHZ circuit", pulses=pulses, links=2)


def test_entangled_qubits_are_those_of_the_widest_state_that_is_shown_to_be_entangled():
    good = State(2, (0.99, 0.01), (0.97, 0.01))
    bare = State(4, (0.60, 0.02), (0.42, 0.02))
    bad = State(8, (0.30, 0.02), (0.10, 0.02))
    assert [each.entangled for each in (good, bare, bad)] == [True, False, False]
    assert bare.fidelity == pytest.approx((0.51, 0.02 / 2**0.5))


def test_none_is_zero_and_a_width_without_a_chain_is_absent():
    calibration = Snapshot().calibration("fake_lima")
    probe = GHZ(device="fake_lima", widths=[2, 8])
    batch = probe.plan(calibration)
    assert batch.facts["absent"] == [8]
    flat = [{"00": 10, "01": 10, "10": 10, "11": 10}] * len(batch.circuits)
    found = values(probe.read(batch.facts, flat, SIMULATED))
    assert {target for target, _ in found} == {"fake_lima/w2", "fake_lima"}
    assert found["fake_lima", "entangled_qubits"].value == 0
    assert found["fake_lima", "entangled_qubits"].note == ""


def test_a_device_without_live_couplings_is_skipped():
    with pytest.raises(Skipped, match="fake_kyoto has no chain of 2 usable, coupled qubits"):
        list(GHZ(device="fake_kyoto").run())


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("widths", [11], "11 qubits are too many to simulate here"),
        ("widths", [33], "less than or equal to 32"),
        ("widths", [1], "greater than or equal to 2"),
        ("widths", [], "at least 1 item"),
        ("shots", 9, "greater than or equal to 10"),
    ],
)
def test_settings_that_measure_nothing_are_refused(setting, value, said):
    with pytest.raises(ValidationError, match=said):
        GHZ(**{"device": "fake_kingston", setting: value})
