"""PennyLane's simulators and installed devices: the same circuits, the right bits, never a bill."""

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator

from probes.base import Skipped
from probes.quantum.batch import Batch
from probes.quantum.mirror import MirrorCircuits
from probes.quantum.providers.pennylane import OWN, PennyLane, as_tape

qml = pytest.importorskip("pennylane", reason="provider pennylane needs qrossover[pennylane]")

ROOT = Path(__file__).parents[3]
SMALL = {"widths": [2, 3], "depths": [2, 8], "circuits": 2, "shots": 100}


def counts(*circuits, device="default.qubit", shots=200, seed=1):
    provider = PennyLane()
    for circuit in circuits:
        circuit.measure_all()
    chains = [tuple(range(circuit.num_qubits)) for circuit in circuits]
    batch = Batch(circuits, chains, shots)
    return provider.counts(batch, provider.calibration(device), seed=seed)


def flipped(qubits, *which):
    circuit = QuantumCircuit(qubits)
    circuit.x(list(which))
    return circuit


def tossed():
    circuit = QuantumCircuit(2)
    circuit.sx([0, 1])
    return circuit


def test_a_circuit_is_the_same_gate_by_gate():
    random = np.random.default_rng(3)
    circuit = QuantumCircuit(3)
    for _ in range(20):
        circuit.rz(float(random.uniform(-7, 7)), int(random.integers(3)))
        circuit.sx(int(random.integers(3)))
        circuit.x(int(random.integers(3)))
        circuit.cz(*map(int, random.permutation(3)[:2]))
        circuit.barrier()
    tape = as_tape(qml, circuit, 100)
    assert [op.name for op in tape.operations].count("Barrier") == 20
    assert tape.shots.total_shots == 100
    theirs = qml.matrix(tape, wire_order=[2, 1, 0])
    assert Operator(theirs).equiv(Operator(circuit))


@pytest.mark.parametrize("device", OWN)
def test_the_first_qubit_is_the_rightmost_bit(device):
    """Circuits of two widths in one batch."""
    assert counts(flipped(3, 0), flipped(2, 1), device=device) == [{"001": 200}, {"10": 200}]


@pytest.mark.parametrize("device", OWN)
def test_a_seed_repeats_and_two_equal_circuits_have_shots_of_their_own(device):
    one, again = (counts(tossed(), tossed(), device=device, shots=1000) for _ in range(2))
    (other,) = counts(tossed(), device=device, shots=1000, seed=2)
    assert one == again
    assert one[0] != one[1]
    assert one[0] != other
    assert all(abs(number - 250) < 5 * np.sqrt(1000 * 3 / 16) for number in one[0].values())
    assert sum(one[0].values()) == 1000


def test_a_perfect_simulator_has_polarization_1_in_a_real_child(run_probe):
    settings = {"provider": "pennylane", "device": "lightning.qubit", **SMALL}
    done = run_probe("quantum.mirror", settings)
    assert (done["outcome"], done["reason"]) == ("ok", "")
    found = {reading["target"]: reading for reading in done["readings"]}
    assert found.pop("lightning.qubit/w2")["value"] == found.pop("lightning.qubit/w3")["value"] == 8
    assert len(found) == 4
    for reading in found.values():
        assert (reading["value"], reading["origin"]) == (1.0, "simulated")
        assert 0 < reading["sigma"] < 0.02
    made_by = f"pennylane_lightning {version('pennylane_lightning')} "
    assert done["payload"]["calibration"].startswith(made_by)


# --- installed devices -------------------------------------------------------------------------


def probe(device, **more):
    return MirrorCircuits(provider="pennylane", device=device, **SMALL, **more)


@pytest.mark.parametrize("price", [{}, {"usd_per_task": 1}, {"usd_per_qpu_second": 0.0}])
def test_a_device_that_nobody_has_called_free_is_not_run(price):
    with pytest.raises(Skipped, match=r"reference\.qubit runs may be billed.*usd_per_task = 0"):
        list(probe("reference.qubit", **price).run())


@pytest.mark.parametrize("device", ["reference.qubit", "default.mixed"])
def test_a_device_that_is_free_runs_and_is_called_simulated(device):
    readings = list(probe(device, usd_per_task=0).run())
    assert {reading.origin for reading in readings} == {"simulated"}
    found = {reading.target: reading.value for reading in readings}
    assert found[f"{device}/w3-d8"] == pytest.approx(1, abs=1e-9)


def test_devices_are_those_that_are_installed():
    found = {device.name: device for device in PennyLane().devices()}
    assert set(found) == {entry.name for entry in entry_points(group="pennylane.plugins")}
    assert {name for name, device in found.items() if device.simulator} == set(OWN)


# --- names, configuration files, and what is missing -------------------------------------------


@pytest.mark.parametrize(
    ("device", "told"),
    [
        ("default.qbit", r"no PennyLane device 'default\.qbit' is installed.*default\.qubit"),
        ("lightning", r"did you mean .*lightning\.qubit"),
        ("ionq.qpu", "no PennyLane device 'ionq.qpu' is installed"),
    ],
)
def test_a_wrong_name_is_refused_when_the_config_is_read(device, told):
    with pytest.raises(ValidationError, match=told):
        MirrorCircuits(provider="pennylane", device=device)


def test_reading_a_calibration_imports_no_library():
    program = """
import json, sys
from probes.base import load
settings = {"provider": "pennylane", "device": "default.qubit"}
load("quantum.mirror").model_validate(settings)
list(load("quantum.calibration").model_validate(settings).run())
heavy = {"numpy", "qiskit", "pennylane", "pennylane_lightning"}
print(json.dumps(sorted(heavy & set(sys.modules))))
"""
    assert child(program) == []


def test_without_the_library_the_extra_is_named():
    program = """
import json, sys
sys.modules["pennylane"] = None
from probes.__main__ import execute
from probes.base import load
settings = {"provider": "pennylane", "device": "default.qubit", "widths": [2], "depths": [2]}
done = execute(load("quantum.mirror"), settings)
print(json.dumps([done["outcome"], done["reason"]]))
"""
    outcome, reason = child(program)
    assert outcome == "failed"
    needed = "provider pennylane needs its library: pip install 'qrossover[pennylane]'"
    assert reason == f"{needed}"


def test_the_services_own_config_is_not_pennylanes(tmp_path):
    """Children run in the config's folder; there, PennyLane would read a broken edit at import, and
    this one's tables as defaults of its devices. The user's own file counts."""
    service = tmp_path / "service"
    service.mkdir()
    (service / "config.toml").write_text("[main]\nshots = 7\n[probe.broken\n")
    own = tmp_path / "own"
    own.mkdir()
    (own / "config.toml").write_text('["default.qubit"]\nmax_workers = 1\n')
    program = """
import json, os
from probes.quantum.providers.pennylane import _library
before = os.getcwd()
read = _library().default_config
print(json.dumps([str(read), os.getcwd() == before]))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PENNYLANE_CONF": str(own)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=service,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    config, stayed = json.loads(done.stdout)
    assert stayed
    assert config == "{'default.qubit': {'max_workers': 1}}"


def child(program):
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)
