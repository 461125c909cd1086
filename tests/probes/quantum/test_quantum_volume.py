"""Quantum volume on real devices' calibrations, against state vectors and the paper's formula."""

import json
from math import sqrt
from statistics import fmean

import numpy as np
import pytest
from pydantic import ValidationError
from qiskit.quantum_info import Statevector
from qiskit_experiments.library import QuantumVolume as Experiment

from probes.base import Skipped
from probes.quantum.batch import Batch
from probes.quantum.canary import Execution
from probes.quantum.providers.snapshot import Snapshot
from probes.quantum.volume import QuantumVolume, heavy_outcomes

HERE = Execution("fake_kingston", "simulated")


def handmade(hits, width=3, circuits=100, shots=15):
    """Facts and counts of circuits whose outcomes 0 to 3 are heavy, with so many hits each."""
    part = {"width": width, "circuits": circuits, "heavy": ["11110000"] * circuits}
    return {"parts": [part]}, [{"000": hits, "111": shots - hits}] * circuits


@pytest.fixture(scope="module")
def calibration():
    return Snapshot().calibration("fake_kingston")


@pytest.fixture(scope="module")
def batch(calibration):
    return QuantumVolume(device="fake_kingston", widths=(3, 5)).plan(calibration)


def test_four_qubits_of_fake_kingston_pass_in_a_real_child(run_probe):
    done = run_probe("quantum.volume", {"device": "fake_kingston"})
    assert (done["outcome"], done["reason"]) == ("ok", "")
    heavy, volume = done["readings"]
    assert heavy["target"] == "fake_kingston/w4"
    assert heavy["value"] == pytest.approx(0.815, abs=0.03)
    assert heavy["sigma"] == pytest.approx(sqrt(heavy["value"] * (1 - heavy["value"]) / 100))
    assert (volume["target"], volume["value"]) == ("fake_kingston", 16)
    assert volume["note"] == "at least: nothing wider than 4 was tested"
    assert {heavy["origin"], volume["origin"]} == {"simulated"}
    assert len(done["payload"]["counts"]) == 100
    assert {"qiskit-experiments", "qiskit-aer"} <= set(done["versions"])


@pytest.mark.parametrize("place", [0, 1])
def test_heavy_outcomes_are_in_the_order_of_the_measured_qubits(batch, place):
    """Without noise, a compiled circuit has the heavy output probability of the one asked for."""
    part = batch.facts["parts"][place]
    width = part["width"]
    asked = Experiment(range(width), trials=100, seed=(1, width)).circuits()
    compiled = batch.circuits[100 * place :]
    moved = 0
    for number in range(12):
        ideal = Statevector(asked[number].remove_final_measurements(inplace=False)).probabilities()
        wanted = ideal[ideal > np.median(ideal)].sum()
        found = Statevector(
            compiled[number].remove_final_measurements(inplace=False)
        ).probabilities()
        heavy = np.array([digit == "1" for digit in part["heavy"][number]])
        assert heavy.sum() == 2 ** (width - 1)
        assert found[heavy].sum() == pytest.approx(wanted, abs=1e-9)
        moved += found[ideal > np.median(ideal)].sum() < wanted - 0.01
    assert moved > 6, "the compiler left most qubits where they were: nothing was tested"


def test_only_gates_of_the_chain_are_used_between_neighbours(batch):
    for circuit, chain in zip(batch.circuits, batch.chains, strict=True):
        assert circuit.num_qubits == len(chain)
        assert set(circuit.count_ops()) <= {"rz", "sx", "x", "cz", "barrier", "measure"}
        for step in circuit.data:
            if step.operation.name == "cz":
                one, other = (circuit.find_bit(qubit).index for qubit in step.qubits)
                assert abs(one - other) == 1
        reads = [step for step in circuit.data if step.operation.name == "measure"]
        assert [circuit.find_bit(step.qubits[0]).index for step in reads] == list(range(len(chain)))
    for part, links in zip(batch.facts["parts"], (6, 30), strict=True):
        assert min(part["entangling"]) > 0
        assert fmean(part["entangling"]) > links, "about three for each random pair, and the swaps"


def test_a_width_does_not_depend_on_which_others_are_measured(batch, calibration):
    alone = QuantumVolume(device="fake_kingston", widths=(5,)).plan(calibration)
    assert alone.facts["parts"] == batch.facts["parts"][1:]
    other = QuantumVolume(device="fake_kingston", widths=(5,), seed=2).plan(calibration)
    assert other.facts["parts"] != alone.facts["parts"]


def test_what_was_planned_is_understood_after_its_way_through_the_ledger(batch):
    again = Batch.from_json(json.loads(json.dumps(batch.as_json())))
    counts = [{"0" * len(chain): 9, "1" * len(chain): 6} for chain in batch.chains]
    probe = QuantumVolume(device="fake_kingston", widths=(3, 5))
    before, after = (list(probe.read(each.facts, counts, HERE)) for each in (batch, again))
    assert [(r.target, r.value) for r in before] == [(r.target, r.value) for r in after]
    assert [r.target for r in before] == ["fake_kingston/w3", "fake_kingston/w5", "fake_kingston"]


@pytest.mark.parametrize(("hits", "volume"), [(14, 8), (12, 8), (11, 1), (10, 1), (1, 1)])
def test_a_width_passes_two_sigma_above_two_thirds(hits, volume):
    facts, counts = handmade(hits)
    heavy, found = QuantumVolume(device="fake_kingston").read(facts, counts, HERE)
    share = hits / 15
    sigma = sqrt(share * (1 - share) / 100)
    assert (share - 2 * sigma > 2 / 3) == (volume > 1), "the paper's rule, by hand"
    assert (heavy.value, heavy.sigma) == (pytest.approx(share), pytest.approx(sigma))
    assert found.value == volume
    assert bool(found.note) == (volume > 1), "more may pass where the widest does"


def test_the_volume_is_that_of_the_largest_width_that_passes():
    three, passing = handmade(14)
    four = {"width": 4, "circuits": 100, "heavy": ["1" * 8 + "0" * 8] * 100}
    failing = [{"0000": 8, "1111": 7}] * 100
    facts = {"parts": [*three["parts"], four]}
    *_, volume = QuantumVolume(device="fake_kingston").read(facts, [*passing, *failing], HERE)
    assert (volume.value, volume.note) == (8, "")


def test_outcomes_follow_the_qubits_that_the_compiler_moved():
    # qubit 0 ends at place 1: what reads 01 there has qubit 1 set
    assert heavy_outcomes([0.1, 0.5, 0.3, 0.1], places=[0, 1]) == "0110"
    assert heavy_outcomes([0.1, 0.6, 0.1, 0.2], places=[0, 1]) == "0101"
    assert heavy_outcomes([0.1, 0.6, 0.1, 0.2], places=[1, 0]) == "0011"


def test_a_width_without_a_chain_is_absent_and_a_device_without_any_is_skipped():
    lima = Snapshot().calibration("fake_lima")
    facts = QuantumVolume(device="fake_lima", widths=(2, 8)).plan(lima).facts
    assert [part["width"] for part in facts["parts"]] == [2]
    assert facts["absent"] == [8]
    with pytest.raises(Skipped, match="fake_kyoto has no chain of 4 usable, coupled qubits"):
        list(QuantumVolume(device="fake_kyoto").run())


@pytest.mark.parametrize(
    ("setting", "value"), [("circuits", 99), ("widths", []), ("widths", [1]), ("shots", 0)]
)
def test_settings_that_measure_nothing_are_refused(setting, value):
    with pytest.raises(ValidationError, match=setting):
        QuantumVolume(**{"device": "fake_kingston", setting: value})
