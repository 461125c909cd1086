"""What is sent to Braket, by Amazon's own library: valid for the device, and the right unitary."""

import json
import math

import numpy as np
import pytest
from braket_data import capabilities, forte, results
from braket_jobs import CHAIN, NAME, batch, flips, submitted
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector

from probes.quantum.circuits.native import to_ms
from probes.quantum.circuits.noise import noise_model, simulate
from probes.quantum.clouds.braket_capabilities import calibration
from probes.quantum.clouds.braket_program import action, source
from probes.quantum.mirror import MirrorCircuits
from probes.quantum.polarization import mean_polarization

pytest.importorskip("braket.aws", reason="Amazon's library needs qrossover[braket]")

from braket.aws import AwsQuantumTask, AwsSession
from braket.circuits import Circuit
from braket.circuits.gates import MS, ZZ, GPi, GPi2, PRx, Rx, Rz
from braket.emulation.local_emulator import LocalEmulator
from braket.ir.openqasm import Program, ProgramSet
from braket.task_result import ProgramSetTaskResult
from braket.tasks import ProgramSetQuantumTaskResult

DEVICES = [("iqm", "iqm-garnet"), ("rigetti", "rigetti-cepheus")]


def mirror_batch(name, width, circuits=4, depth=4):
    probe = MirrorCircuits(
        provider="braket", device=NAME, widths=(width,), depths=(depth,), circuits=circuits
    )
    found = calibration(name, name, capabilities(name))
    return found, probe.plan(found)


@pytest.fixture(scope="module")
def emulators():
    return {name: LocalEmulator.from_json(json.dumps(capabilities(name))) for _, name in DEVICES}


@pytest.mark.parametrize(("owner", "name"), DEVICES)
def test_amazons_emulator_of_the_device_takes_the_programs_and_finds_the_same(
    emulators, owner, name
):
    found, planned = mirror_batch(name, 3)
    ((cell,),) = (part["cells"] for part in planned.facts["parts"])
    shots, theirs = 1000, []
    for circuit, chain in zip(planned.circuits, planned.chains, strict=True):
        program = Circuit.from_ir(source(owner, circuit, chain))
        ran = emulators[name].run(program, shots=shots).result()
        assert ran.measured_qubits == list(chain)
        theirs.append({key[::-1]: count for key, count in ran.measurement_counts.items()})
    model = noise_model(found, planned.chains[0])
    ours = simulate(planned.circuits, model, shots=shots, seed=1)
    one, sigma = mean_polarization(cell["outcomes"], theirs)
    other, spread = mean_polarization(cell["outcomes"], ours)
    assert one > 0.5
    assert abs(one - other) < 4 * math.hypot(sigma, spread)


@pytest.mark.parametrize(("owner", "name"), DEVICES)
def test_amazons_emulator_refuses_what_the_device_has_not(emulators, owner, name):
    planned = batch()
    far = {"iqm-garnet": (1, 20, 2), "rigetti-cepheus": (0, 107, 1)}[name]  # not coupled
    with pytest.raises(ValueError, match=r"not connected|not part of"):
        emulators[name].run(Circuit.from_ir(source(owner, planned.circuits[0], far)), shots=10)


def test_a_batch_is_a_program_set_of_amazons_schema():
    made = ProgramSet.parse_raw(json.dumps(action("iqm", batch(circuits=3))))
    assert made.num_executables == 3
    one = Program.parse_raw(json.dumps(action("rigetti", batch(circuits=1))))
    assert one.source.startswith("OPENQASM 3.0;")


def random_circuit(link):
    random = np.random.default_rng(5)
    circuit = QuantumCircuit(3)
    for _ in range(20):
        one, two = (int(qubit) for qubit in random.choice(3, 2, replace=False))
        circuit.rz(float(random.uniform(-4, 4)), one)
        circuit.sx(one)
        getattr(circuit, link)(one, two)
        circuit.x(two)
    circuit.measure_all()
    return circuit


@pytest.mark.parametrize(
    ("owner", "link"), [("iqm", "cz"), ("rigetti", "cz"), ("ionq", "cz"), ("ionq", "cx")]
)
def test_amazons_library_finds_the_probabilities_of_the_circuit(owner, link):
    circuit = random_circuit(link)
    text = source(owner, circuit, (0, 1, 2))
    assert ("barrier" in text) is (owner != "ionq")
    boxed = [line for line in text.splitlines() if "measure" not in line]
    made = Circuit.from_ir("\n".join(["OPENQASM 3.0;", "qubit[3] q;", *inside(boxed)]))
    probabilities = np.abs(made.to_unitary()[:, 0]) ** 2
    bare = circuit.remove_final_measurements(inplace=False)
    expected = Statevector(bare).reverse_qargs().probabilities()
    np.testing.assert_allclose(probabilities, expected, atol=1e-9)


def inside(lines):
    """The gates of the verbatim box, on virtual qubits: Amazon has no matrix of a box."""
    gates = [line for line in lines[lines.index("box{") + 1 : lines.index("}")] if line[0] != "b"]
    return [
        line.replace("$0", "q[0]").replace("$1", "q[1]").replace("$2", "q[2]") for line in gates
    ]


def test_angles_are_those_of_amazons_gates():
    half, third = math.pi / 2, 0.3
    rotation = [[math.cos(half / 2), -1j * np.exp(-1j * third) * math.sin(half / 2)]]
    np.testing.assert_allclose(PRx(half, third).to_matrix()[:1], rotation, atol=1e-15)
    np.testing.assert_allclose(PRx(half, third).to_matrix(), GPi2(third).to_matrix(), atol=1e-15)
    np.testing.assert_allclose(
        1j * PRx(math.pi, third).to_matrix(), GPi(third).to_matrix(), atol=1e-15
    )
    np.testing.assert_allclose(PRx(third, 0).to_matrix(), Rx(third).to_matrix(), atol=1e-15)
    np.testing.assert_allclose(np.diag(Rz(third).to_matrix())[0], np.exp(-0.5j * third), atol=1e-15)
    np.testing.assert_allclose(np.diag(ZZ(third).to_matrix())[0], np.exp(-0.5j * third), atol=1e-15)
    tipped = np.kron(GPi(0.1).to_matrix(), GPi(0.2).to_matrix())
    whole = math.cos(third / 2) * np.eye(4) - 1j * math.sin(third / 2) * tipped
    np.testing.assert_allclose(MS(0.1, 0.2, third).to_matrix(), whole, atol=1e-15)


def test_ionqs_machines_get_the_gate_that_their_calibration_has():
    found = calibration("ionq/forte-1", "Forte-1", forte())
    (name,) = {gate.name for gate in found.couplings().values()}
    assert "zz(" in source("ionq", random_circuit(name), (0, 1, 2))
    assert {op.name for op in to_ms(random_circuit("cx"))} == {"gpi", "gpi2", "ms", "barrier"}


def test_no_circuit_can_be_written_for_another_owner():
    with pytest.raises(ValueError, match="no circuits can be written for machines of 'amazon'"):
        action("amazon", batch())


def test_results_are_read_as_amazons_library_reads_them(braket, braket_server, monkeypatch):
    """Both read the same task from the same server, ours with the first qubit rightmost."""
    braket_server.play = flips
    sent, job, task = submitted(braket, braket_server)
    assert braket.status(NAME, job).state == "done"
    ours = braket.result(NAME, job, sent)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    theirs = AwsQuantumTask(job, aws_session=AwsSession()).result()
    assert isinstance(theirs, ProgramSetQuantumTaskResult)
    order = [sorted(CHAIN).index(qubit) for qubit in reversed(CHAIN)]
    for program, found in zip(theirs, ours, strict=True):
        (entry,) = program
        assert {"".join(key[i] for i in order): n for key, n in entry.counts.items()} == found
    made = results(task.arn, task.request, flips)
    assert ProgramSetTaskResult.parse_raw(json.dumps(made)).taskMetadata.requestedShots == 40


def test_a_batch_of_one_circuit_is_read_as_amazons_library_reads_it(
    braket, braket_server, monkeypatch
):
    braket_server.play = flips
    sent, job, _ = submitted(braket, braket_server, circuits=1)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    theirs = AwsQuantumTask(job, aws_session=AwsSession()).result()
    assert theirs.measured_qubits == [9, 10, 14]
    assert dict(theirs.measurement_counts) == {"001": 20}
    assert braket.result(NAME, job, sent) == [{"001": 20}]
