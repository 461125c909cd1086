"""Cirq's simulator and installed samplers: the same circuits, the right bits, and never a bill."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator

from probes.base import Skipped
from probes.quantum.batch import Batch
from probes.quantum.calibration import DeviceCalibration
from probes.quantum.mirror import MirrorCircuits
from probes.quantum.providers.cirq import Cirq, as_cirq

cirq = pytest.importorskip("cirq", reason="provider cirq needs qrossover[cirq]")

ROOT = Path(__file__).parents[3]
SMALL = {"widths": [2, 3], "depths": [2, 8], "circuits": 2, "shots": 100}


def circuit_of(qubits, *gates):
    circuit = QuantumCircuit(qubits)
    for name, *arguments in gates:
        getattr(circuit, name)(*arguments)
    return circuit


def counts(circuit, device="simulator", shots=200, seed=1):
    circuit.measure_all()
    provider = Cirq()
    batch = Batch([circuit], [tuple(range(circuit.num_qubits))], shots)
    return provider.counts(batch, provider.calibration(device), seed=seed)[0]


def test_a_circuit_is_the_same_gate_by_gate():
    random = np.random.default_rng(3)
    circuit = QuantumCircuit(3)
    for _ in range(20):
        circuit.rz(float(random.uniform(-7, 7)), int(random.integers(3)))
        circuit.sx(int(random.integers(3)))
        circuit.x(int(random.integers(3)))
        circuit.cz(*map(int, random.permutation(3)[:2]))
        circuit.barrier()
    theirs = as_cirq(circuit)[:-1].unitary(reversed(cirq.LineQubit.range(3)))
    assert Operator(theirs).equiv(Operator(circuit))


def test_a_barrier_keeps_layers_apart():
    circuit = circuit_of(2, ("x", 0), ("barrier",), ("x", 1), ("barrier",), ("x", 0), ("x", 0))
    found = [[(op.gate, op.qubits[0].x) for op in moment] for moment in as_cirq(circuit)[:-1]]
    assert found == [[(cirq.X, 0)], [(cirq.X, 1)], [(cirq.X, 0)], [(cirq.X, 0)]]


def test_a_gate_that_no_perfect_line_has_is_refused():
    with pytest.raises(KeyError, match="ecr"):
        as_cirq(circuit_of(2, ("ecr", 0, 1)))


def test_the_first_qubit_is_the_rightmost_bit():
    assert counts(circuit_of(3, ("x", 0))) == {"001": 200}
    assert counts(circuit_of(3, ("x", 1), ("x", 2)), "cirq:DensityMatrixSimulator") == {"110": 200}


def test_a_seed_repeats_and_another_does_not():
    one, again, other = (
        counts(circuit_of(2, ("sx", 0), ("sx", 1)), shots=1000, seed=seed) for seed in (1, 1, 2)
    )
    assert one == again != other
    assert one.keys() == {"00", "01", "10", "11"}
    assert all(abs(number - 250) < 5 * np.sqrt(1000 * 3 / 16) for number in one.values())


def test_a_perfect_simulator_has_polarization_1_in_a_real_child(run_probe):
    done = run_probe("quantum.mirror", {"provider": "cirq", "device": "simulator", **SMALL})
    assert (done["outcome"], done["reason"]) == ("ok", "")
    found = {reading["target"]: reading for reading in done["readings"]}
    assert found.pop("simulator/w2")["value"] == found.pop("simulator/w3")["value"] == 8
    assert len(found) == 4
    for reading in found.values():
        assert (reading["value"], reading["origin"]) == (1.0, "simulated")
        assert 0 < reading["sigma"] < 0.02
    assert done["payload"]["calibration"].startswith(f"cirq {cirq.__version__} ")


def test_a_perfect_simulator_has_no_errors_and_no_coherence_times():
    found = {
        reading.signal.removeprefix("quantum.calibration."): reading
        for reading in DeviceCalibration(provider="cirq", device="simulator").run()
    }
    assert found.pop("age").value < 5
    assert {reading.origin for reading in found.values()} == {"simulated"}
    assert {name: reading.value for name, reading in found.items() if name.endswith("error")} == {
        "one_qubit_error": 0.0,
        "two_qubit_error": 0.0,
        "readout_error": 0.0,
    }
    assert not {"t1", "t2"} & set(found)


# --- installed samplers ------------------------------------------------------------------------


def probe(device, **more):
    return MirrorCircuits(provider="cirq", device=device, **SMALL, **more)


@pytest.mark.parametrize(
    "price",
    [{}, {"usd_per_task": 0.3}, {"usd_per_shot": 0.0}, {"usd_per_task": 0, "usd_per_shot": 0.01}],
)
def test_a_sampler_that_nobody_has_called_free_is_not_run(price):
    with pytest.raises(Skipped, match=r"cirq:Simulator runs may be billed.*usd_per_task = 0"):
        list(probe("cirq:Simulator", **price).run())


def test_a_sampler_that_is_free_runs_and_is_called_simulated():
    readings = list(probe("cirq:DensityMatrixSimulator", usd_per_task=0).run())
    assert {reading.origin for reading in readings} == {"simulated"}
    found = {reading.target: reading.value for reading in readings}
    assert found["cirq:DensityMatrixSimulator/w3-d8"] == pytest.approx(1, abs=1e-9)


def test_what_is_no_sampler_is_named():
    with pytest.raises(
        ValueError, match=r"'collections:Counter' gives a Counter, no cirq\.Sampler"
    ):
        list(probe("collections:Counter", usd_per_task=0).run())


# --- names and what is missing -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "told"),
    [
        ("willow", r"no device 'willow'; did you mean willow_pink\?"),
        ("", r"did you mean simulator or rainbow or weber or willow_pink\?"),
        ("../weber", "did you mean weber"),
        ("no_such_package:Sampler", "no package 'no_such_package' is installed"),
        ("cirq:", "no device 'cirq:'"),
        ("cirq:Simulator()", "is written module:name"),
    ],
)
def test_a_wrong_name_is_refused_when_the_config_is_read(device, told):
    with pytest.raises(ValidationError, match=told):
        MirrorCircuits(provider="cirq", device=device)


def test_checking_names_imports_no_library_not_even_a_samplers():
    program = """
import json, sys
from probes.base import load
for device in ("simulator", "cirq:Simulator", "cirq.sim:Simulator"):
    settings = {"provider": "cirq", "device": device}
    load("quantum.mirror").model_validate(settings)
    list(load("quantum.calibration").model_validate(settings).run())
print(json.dumps(sorted({"numpy", "qiskit", "cirq", "cirq_google"} & set(sys.modules))))
"""
    assert child(program) == []


def test_without_the_library_the_extra_is_named():
    program = """
import json, sys
sys.modules["cirq"] = None
from probes.__main__ import execute
from probes.base import load
settings = {"provider": "cirq", "device": "simulator", "widths": [2], "depths": [2]}
done = execute(load("quantum.mirror"), settings)
print(json.dumps([done["outcome"], done["reason"]]))
"""
    outcome, reason = child(program)
    assert outcome == "failed"
    assert reason == "provider cirq needs its library: pip install 'qrossover[cirq]'"


def child(program):
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)
