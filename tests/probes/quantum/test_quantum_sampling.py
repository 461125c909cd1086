"""Sampling against exact distributions, and its figures against other people's formulas."""

import json
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from exact_circuits import drawn, of_batch, probabilities
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from qiskit.quantum_info import hellinger_fidelity as by_qiskit
from qiskit_aer.noise import NoiseModel, depolarizing_error

from probes.base import Skipped
from probes.quantum import host
from probes.quantum.batch import Batch
from probes.quantum.canary import Execution
from probes.quantum.circuits.brickwork import brickwork, ideal
from probes.quantum.circuits.compiled import OptimisedAway, check_gates
from probes.quantum.circuits.noise import compile_for
from probes.quantum.distribution import (
    draw,
    figures,
    hellinger_fidelity,
    linear_xeb,
    numbered,
    of_a_perfect_sampler,
    total_variation,
    xeb_fidelity,
)
from probes.quantum.providers.snapshot import Snapshot
from probes.quantum.sampling import Sampling

LINKS = [("cz", 0, 1), ("cz", 2, 1), ("cz", 2, 3)]
SIMULATED = Execution("fake_kingston", "simulated", seconds=3.0)
NAMES = ("total_variation", "hellinger_fidelity", "linear_xeb", "xeb_fidelity")


def by_name(readings, target):
    return {each.signal.rpartition(".")[2]: each for each in readings if each.target == target}


def mean_distance(ideal_p, true_p, shots):
    """E ½ Σ|X/N − p| where X is binomial, by the sum over all its values."""
    total = 0.0
    for p, q in zip(ideal_p, true_p, strict=True):
        total += sum(
            comb(shots, k) * q**k * (1 - q) ** (shots - k) * abs(k / shots - p)
            for k in range(shots + 1)
        )
    return total / 2


def distribution(seed, size=16):
    return np.random.default_rng(seed).dirichlet(np.ones(size))


@pytest.mark.slow
def test_a_real_child_agrees_with_the_exact_distribution_within_two_sigma(run_probe):
    done = run_probe("quantum.sampling", {"device": "fake_kingston"})
    assert (done["outcome"], done["reason"]) == ("ok", "")
    calibration = Snapshot().calibration("fake_kingston")
    batch = Sampling(device="fake_kingston").plan(calibration)
    for part, true in zip(batch.facts["parts"], of_batch(batch, calibration), strict=True):
        right, target = np.array(part["ideal"]), f"fake_kingston/w{part['width']}"
        found = {
            each["signal"].rpartition(".")[2]: each
            for each in done["readings"]
            if each["target"] == target
        }
        rescaled = right.size * float(right @ true) - 1
        expected = {
            "linear_xeb": rescaled,
            "xeb_fidelity": rescaled / (right.size * float(right @ right) - 1),
            "total_variation": mean_distance(right, true, 700),
        }
        for name, value in expected.items():
            read = found[name]
            assert read["value"] == pytest.approx(value, abs=2 * read["sigma"]), (target, name)
            assert read["origin"] == "simulated"
        floor = found["total_variation_floor"]
        assert floor["value"] == pytest.approx(mean_distance(right, right, 700), abs=0.003)
        assert (floor["origin"], floor["sigma"]) == ("derived", None)
        assert found["hellinger_fidelity"]["value"] < found["hellinger_ceiling"]["value"] < 1
    cpu = [each for each in done["readings"] if each["target"].startswith("cpu:")]
    assert [each["target"] for each in cpu] == [
        f"{host.target()}/w{width}" for width in (4, 4, 8, 8)
    ]
    assert {each["origin"] for each in cpu} == {"measured"}
    assert all(0 < each["sigma"] < each["value"] < 0.1 for each in cpu)
    names = {each["signal"].rpartition(".")[2] for each in done["readings"]}
    assert names.isdisjoint({"seconds_per_sample", "usd_per_sample"}), "no device took that time"


@pytest.mark.parametrize("device", ["fake_kingston", "fake_brisbane", "fake_cairo", "fake_almaden"])
def test_without_errors_every_device_s_circuits_have_the_ideal_distribution(device):
    batch = Sampling(device=device, widths=[2, 3, 5]).plan(Snapshot().calibration(device))
    for circuit, part in zip(batch.circuits, batch.facts["parts"], strict=True):
        assert probabilities(circuit, None) == pytest.approx(part["ideal"], abs=1e-9)


@pytest.mark.parametrize("width", [2, 3, 6])
def test_the_ideal_distribution_is_uneven_and_spread_over_all_outcomes(width):
    links = [("cz", qubit, qubit + 1) for qubit in range(width - 1)]
    shape = []
    for seed in range(20):
        found = np.array(ideal(brickwork(links, 8, np.random.default_rng(seed))))
        assert found.sum() == pytest.approx(1)
        shape.append(linear_xeb(found, found))
    assert 0.3 < np.median(shape) < 1.3, "1 is that of large random states"


@given(seed=st.integers(0, 10**6), other=st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_distances_are_those_of_their_definitions(seed, other):
    p, q = distribution(seed), distribution(other)
    exact = sum(abs(Fraction(a) - Fraction(b)) for a, b in zip(p, q, strict=True)) / 2
    distance, overlap = total_variation(p, q), hellinger_fidelity(p, q)
    assert distance == pytest.approx(float(exact))
    names = [f"{number:04b}" for number in range(16)]
    named = [dict(zip(names, each.tolist(), strict=True)) for each in (p, q)]
    assert overlap == pytest.approx(by_qiskit(*named))
    assert 1 - overlap**0.5 <= distance + 1e-9, "Fuchs and van de Graaf"
    assert distance <= max(0.0, 1 - overlap) ** 0.5 + 1e-9


def test_a_perfect_device_has_one_and_a_random_one_zero():
    p, flat = distribution(1), np.full(16, 1 / 16)
    assert (total_variation(p, p), hellinger_fidelity(p, p), xeb_fidelity(p, p)) == pytest.approx(
        (0, 1, 1)
    )
    assert (linear_xeb(p, flat), xeb_fidelity(p, flat)) == pytest.approx((0, 0), abs=1e-12)


@pytest.mark.parametrize("survives", [0.9, 0.4])
def test_xeb_fidelity_is_the_share_that_depolarisation_leaves(survives):
    """All of the errors in one place, at the end, on all qubits: q = F·p + (1 − F)/2ⁿ."""
    circuit = brickwork(LINKS[:1], 8, np.random.default_rng(3))
    right = np.array(ideal(circuit))
    circuit.cx(0, 1)
    circuit.measure_all()
    noise = NoiseModel()
    noise.add_all_qubit_quantum_error(depolarizing_error(1 - survives, 2), "cx")
    found = probabilities(circuit, noise)[[0, 3, 2, 1]]  # and back through the cx
    assert xeb_fidelity(right, found) == pytest.approx(survives)


def test_sigmas_are_no_less_than_the_scatter_of_repeated_measurements():
    random = np.random.default_rng(4)
    right = distribution(5)
    true = 0.7 * right + 0.3 / 16
    runs = [figures(right, numbered(drawn(true, 300, random), 4), random) for _ in range(150)]
    for name in NAMES:
        numbers, sigmas = zip(*(run[name] for run in runs), strict=True)
        assert 0.85 < np.mean(sigmas) / np.std(numbers) < 1.5, name
    unbiased, _ = zip(*(run["xeb_fidelity"] for run in runs), strict=True)
    assert np.mean(unbiased) == pytest.approx(0.7, abs=0.02)


def test_a_device_that_always_says_zero_has_an_uncertainty():
    found = figures(distribution(6), numbered({"0000": 700}, 4), np.random.default_rng(1))
    assert all(0 < sigma < 0.1 for _, sigma in found.values())


@pytest.mark.parametrize("shots", [20, 700])
def test_what_a_perfect_sampler_has_is_the_exact_mean(shots):
    right = distribution(7)
    found = of_a_perfect_sampler(right, shots, np.random.default_rng(1))
    assert found["total_variation"] == pytest.approx(mean_distance(right, right, shots), rel=0.02)
    assert found["xeb_fidelity"] == pytest.approx(1, abs=0.02)


def test_outcomes_are_numbered_with_the_first_qubit_lowest():
    assert numbered({"01": 3, "10": 5}, 2).tolist() == [0, 3, 5, 0]


def test_the_cpu_draws_from_the_distribution_it_is_given():
    right = distribution(8)
    found = draw(right.tolist(), 200_000, np.random.default_rng(1))
    share = np.bincount(found, minlength=16) / 200_000
    sigma = np.sqrt(right * (1 - right) / 200_000)
    assert np.all(abs(share - right) < 4 * sigma + 1e-9)


def test_the_price_of_a_sample_is_that_of_the_job_over_all_of_them():
    calibration = Snapshot().calibration("fake_kingston")
    probe = Sampling(device="fake_kingston", widths=[2, 3], shots=100)
    batch = probe.plan(calibration)
    counts = [drawn(np.array(part["ideal"]), 100, probe.random()) for part in batch.facts["parts"]]
    real = Execution("fake_kingston", "measured", seconds=3.0, usd=0.5)
    found = by_name(probe.read(batch.facts, counts, real), "fake_kingston")
    assert {name: each.value for name, each in found.items()} == pytest.approx(
        {"seconds_per_sample": 0.015, "usd_per_sample": 0.0025}
    )
    assert {each.origin for each in found.values()} == {"derived"}
    untold = Execution("fake_kingston", "measured")
    assert by_name(probe.read(batch.facts, counts, untold), "fake_kingston") == {}
    assert by_name(probe.read(batch.facts, counts, SIMULATED), "fake_kingston") == {}


def test_every_reading_follows_from_the_batch_as_it_is_stored():
    calibration = Snapshot().calibration("fake_kingston")
    probe = Sampling(device="fake_kingston", widths=[3])
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
    (part,) = stored.facts["parts"]
    assert part["gates"]["sx"] == 3 * 9
    assert part["gates"]["cz"] == 8, "one link of two in each layer"


def test_a_run_is_as_cheap_as_it_says():
    batch = Sampling(device="fake_kingston").plan(Snapshot().calibration("fake_kingston"))
    assert len(batch.circuits) * batch.shots == 1400


def test_layers_that_a_compiler_merges_are_noticed():
    calibration = Snapshot().calibration("fake_kingston")
    (chain,) = Sampling(device="fake_kingston", widths=[2]).plan(calibration).chains
    circuit = brickwork(LINKS[:1], 4, np.random.default_rng(1))
    merged = circuit.copy_empty_like()
    for step in circuit.data:
        if step.operation.name != "barrier":
            merged.append(step)
            if step.operation.name == "cz":
                merged.append(step)
    merged.measure_all()
    (ready,) = compile_for(calibration, chain, [merged])
    with pytest.raises(OptimisedAway, match=r"a random circuit has .* instead of 10 and 4"):
        check_gates(ready, "a random circuit", pulses=10, links=4)


def test_a_width_without_a_chain_is_absent_and_a_device_without_any_is_skipped():
    batch = Sampling(device="fake_lima").plan(Snapshot().calibration("fake_lima"))
    assert (batch.facts["absent"], len(batch.circuits)) == ([8], 1)
    with pytest.raises(Skipped, match="fake_kyoto has no chain of 4 usable"):
        list(Sampling(device="fake_kyoto").run())


@pytest.mark.parametrize(
    ("setting", "value"), [("widths", [11]), ("widths", []), ("depth", 0), ("shots", 9)]
)
def test_settings_that_measure_nothing_are_refused(setting, value):
    with pytest.raises(ValidationError, match=setting):
        Sampling(**{"device": "fake_kingston", setting: value})
