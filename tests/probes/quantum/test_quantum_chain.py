"""The best chain, against every chain there is."""

import itertools
import math

import pytest

from probes.quantum.circuits.chain import best_chain, chain_gates, positions
from probes.quantum.providers.snapshot import Snapshot


def fidelity(calibration, chain):
    couplings = calibration.couplings()
    links = [couplings[min(pair), max(pair)].error for pair in itertools.pairwise(chain)]
    reads = [calibration.qubits[qubit].readout_error for qubit in chain]
    return math.prod(1 - error for error in [*links, *reads])


def every_chain(calibration, width):
    live = {pair for pair, gate in calibration.couplings().items() if gate.live}
    for chain in itertools.permutations(range(len(calibration.qubits)), width):
        if all((min(pair), max(pair)) in live for pair in itertools.pairwise(chain)):
            yield chain


@pytest.mark.parametrize(
    ("device", "width"),
    [("fake_lima", 4), ("fake_guadalupe", 2), ("fake_guadalupe", 5), ("fake_melbourne", 4)],
)
def test_no_chain_is_better(device, width):
    calibration = Snapshot().calibration(device)
    best = max(fidelity(calibration, chain) for chain in every_chain(calibration, width))
    found = best_chain(calibration, width)
    assert fidelity(calibration, found) == pytest.approx(best, rel=1e-12)


@pytest.mark.parametrize("device", ["fake_kingston", "fake_torino", "fake_miami", "fake_cairo"])
def test_a_chain_has_only_live_and_usable_parts(device):
    calibration = Snapshot().calibration(device)
    chain = best_chain(calibration, 10)
    assert len(set(chain)) == 10
    assert all(gate.live for gate in chain_gates(calibration, chain))
    assert set(chain) <= calibration.usable
    dead = {gate.qubits for gate in calibration.gates if gate.dead and len(gate.qubits) == 1}
    assert not dead & {(qubit,) for qubit in chain}


@pytest.mark.parametrize(("device", "width"), [("fake_kyoto", 2), ("fake_lima", 6)])
def test_a_device_may_have_no_chain(device, width):
    assert best_chain(Snapshot().calibration(device), width) is None


def test_links_keep_the_direction_the_device_takes_them_in():
    calibration = Snapshot().calibration("fake_brisbane")
    chain = best_chain(calibration, 6)
    listed = {gate.qubits for gate in calibration.gates if gate.name == "ecr"}
    for name, first, second in positions(calibration, chain):
        assert name == "ecr"
        assert (chain[first], chain[second]) in listed
        assert (chain[second], chain[first]) not in listed
