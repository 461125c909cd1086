"""IBM's figures of whole devices, its durations, and both of its marks for dead parts."""

import copy
import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from probes.quantum.clouds.ibm_format import durations, parse, published
from probes.quantum.providers.snapshot import Snapshot


@pytest.mark.parametrize(
    ("device", "figures"),
    [
        ("fake_kingston", {"clops_h": 340000.0, "lf_100": 0.6514528361483042}),
        ("fake_sherbrooke", {"clops_h": 30000.0, "quantum_volume": 32.0, "lf_100": ...}),
        ("fake_kolkata", {"clops_v": 2029.0, "quantum_volume": 128.0}),  # plain "clops"
        ("fake_algiers", {"clops_v": 2207.0, "quantum_volume": 128.0}),  # clops_h is "None"
        ("fake_almaden", {"quantum_volume": 8.0}),
        ("fake_peekskill", {}),
    ],
)
def test_snapshots_say_what_their_files_say(device, figures):
    found = Snapshot().calibration(device).published
    assert set(found) == set(figures)
    for name, value in figures.items():
        assert value is ... or found[name] == value


@pytest.mark.parametrize(
    ("clops", "name"),
    [
        ({"type": "hardware", "value": 195000}, "clops_h"),
        ({"type": "virtual", "value": 2400}, "clops_v"),
        (2400, "clops_v"),
    ],
)
def test_the_kind_of_clops_is_named(clops, name):
    value = clops["value"] if isinstance(clops, dict) else clops
    assert published({}, {"clops": clops}) == {name: value}


@pytest.mark.parametrize("clops", [None, "None", {"type": "hardware", "value": "None"}])
def test_what_is_not_stated_is_absent(clops):
    assert published({"general": []}, {"clops": clops, "quantum_volume": None}) == {}


def test_plain_clops_is_that_of_virtual_circuits_wherever_both_are_stated():
    folder = Path(find_spec("qiskit_ibm_runtime").origin).parent / "fake_provider" / "backends"
    configurations = [json.loads(file.read_text()) for file in folder.glob("*/conf_*.json")]
    both = [
        (conf["clops"], conf["clops_v"])
        for conf in configurations
        if isinstance(conf.get("clops"), int) and isinstance(conf.get("clops_v"), int)
    ]
    assert len(both) >= 5
    assert all(plain == virtual for plain, virtual in both)


def test_parts_that_are_not_operational_are_dead(properties):
    raw = copy.deepcopy(properties("fake_kingston"))
    broken = {"name": "operational", "unit": "", "value": 0}
    working = {**broken, "value": 1}
    couplings = [gate for gate in raw["gates"] if gate["gate"] == "cz"][:2]
    couplings[0]["parameters"].append(broken)
    couplings[1]["parameters"].append(working)
    raw["qubits"][3].append(broken)
    before, after = parse("x", properties("fake_kingston")), parse("x", raw)
    places = [before.gates.index(gate) for gate in before.gates if gate.name == "cz"][:2]
    assert after.gates[places[0]].dead
    assert after.gates[places[1]] == before.gates[places[1]]
    assert 3 not in after.usable
    assert 3 in before.usable


def test_durations_are_in_seconds_with_the_readout_of_every_qubit(properties):
    found = durations(properties("fake_kingston"))
    assert found["cz", (72, 73)] == pytest.approx(68e-9)
    assert found["measure", (0,)] == pytest.approx(2280e-9)
    assert found["rz", (0,)] == 0
    old = durations(properties("fake_sherbrooke"))  # lists no measure among its gates
    assert sum(name == "measure" for name, _ in old) == 127
