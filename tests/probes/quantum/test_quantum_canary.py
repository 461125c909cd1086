"""What all canaries share: what comes back is checked before anything is said of it."""

import json

import pytest
from qiskit import QuantumCircuit

from probes.quantum.batch import Batch
from probes.quantum.canary import MOST_OUTCOMES, check_counts, check_size
from probes.quantum.mirror import MirrorCircuits
from probes.queued import Unreadable

SMALL = {"device": "fake_kingston", "widths": [2], "depths": [2], "circuits": 2, "shots": 50}


def batch(*widths, shots=10):
    circuits = [QuantumCircuit(width) for width in widths]
    return Batch(circuits, [tuple(range(width)) for width in widths], shots)


def test_counts_of_every_circuit_shot_and_qubit_are_good():
    check_counts(batch(2, 3), [{"00": 4, "11": 6}, {"010": 10}])


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        ([{"00": 10}], "counts of 1 circuits instead of 2"),
        ([{"00": 10}, {"000": 10}, {"0": 10}], "counts of 3 circuits instead of 2"),
        ([{"00": 10}, {"00": 10}], "circuit 1 has the outcome '00', not 3 bits"),
        ([{"00": 10}, {"0 0": 10}], "circuit 1 has the outcome '0 0', not 3 bits"),
        ([{"00": 9}, {"000": 10}], "circuit 0 has counts of 9 shots, not 10"),
        ([{"00": 10}, {}], "circuit 1 has counts of 0 shots, not 10"),
        ([{"00": 11, "01": -1}, {"000": 10}], "circuit 0 has counts of 10 shots"),
    ],
)
def test_counts_of_anything_else_cannot_be_read(counts, why):
    with pytest.raises(Unreadable, match=why):
        check_counts(batch(2, 3), counts)


def test_a_batch_has_a_chain_for_every_circuit():
    with pytest.raises(ValueError, match="1 circuits on 2 chains"):
        Batch([QuantumCircuit(2)], [(0, 1), (1, 2)], 10)


def test_a_batch_whose_counts_no_run_could_keep_is_refused_before_anything_is_sent():
    check_size(batch(*[10] * 10, shots=1000))
    with pytest.raises(ValueError, match=r"a run keeps 250,000 at most"):
        check_size(batch(*[10] * 400, shots=1000))
    check_size(batch(*[2] * 60_000, shots=100_000))  # four outcomes each


def test_the_most_that_is_kept_fits_into_a_runs_result():
    kept = {f"{outcome:010b}": 100_000 for outcome in range(1 << 10)}
    size = len(json.dumps(kept)) / len(kept)
    assert size * MOST_OUTCOMES < 12 << 20


def test_what_is_read_here_and_now_is_read_as_it_comes_back_from_the_ledger():
    seen = []

    class Looks(MirrorCircuits):
        def read(self, facts, counts, execution):
            seen.append((facts, execution))
            return super().read(facts, counts, execution)

    readings = list(Looks(**SMALL).run())
    [(facts, execution)] = seen
    assert facts == json.loads(json.dumps(facts))
    assert execution.seconds is None  # a simulation's time means nothing
    assert {reading.origin for reading in readings} == {"simulated"}


def test_counts_that_mean_nothing_are_said_to_be_unreadable_and_are_kept(at_ionq):
    class Puzzled(MirrorCircuits):
        def read(self, facts, counts, execution):
            raise ZeroDivisionError("no shots at all")

    probe = Puzzled(**{**SMALL, "provider": "ionq", "device": "qpu.forte-1"})
    order = probe.prepare()
    job = probe.submit(order, f"qrossover-{'ab' * 16}")
    with pytest.raises(Unreadable, match="has no meaning: no shots at all"):
        probe.collect(order, job)
    assert [sum(counted.values()) for counted in probe.payload["counts"]] == [50, 50]
