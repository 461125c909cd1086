"""What is sent to IBM, held against IBM's own client and Qiskit's own timing."""

import json
import math

import pytest
from ibm_server import CRN, KEY, circuits_of, perfect, stored, submission
from qiskit import QuantumCircuit
from qiskit.circuit.random import random_clifford_circuit
from qiskit.primitives import BitArray, DataBin, PrimitiveResult, SamplerPubResult
from qiskit.quantum_info import Statevector
from qiskit_ibm_runtime import QiskitRuntimeService, RuntimeEncoder, SamplerV2
from qiskit_ibm_runtime.exceptions import IBMRuntimeError

from probes.quantum.batch import Batch
from probes.quantum.circuits.chain import best_chain
from probes.quantum.clouds.ibm_api import Api
from probes.quantum.clouds.ibm_format import durations
from probes.quantum.clouds.ibm_sampler import bound, counts, length, on_device
from probes.quantum.mirror import MirrorCircuits
from probes.quantum.providers import load
from probes.queued import Unreadable
from storage.types import Quote

TAG = "qrossover-0123456789abcdef0123456789abcdef"
QUOTE = Quote(1.5, 4.0)
DEVICES = ("ibm_kingston", "ibm_sherbrooke")  # cz in both directions; ecr in one


@pytest.fixture
def client(server):
    """IBM's own."""
    return QiskitRuntimeService(
        channel="ibm_quantum_platform",
        token=KEY,
        instance=CRN,
        url_resolver=lambda *_: server.url,
    )


@pytest.fixture(params=DEVICES)
def planned(request, server):
    """Mirror circuits on chains of a device, compiled for it."""
    device = request.param
    probe = MirrorCircuits(
        provider="ibm", device=device, widths=(2, 5), depths=(2, 6), circuits=2, shots=100
    )
    return device, probe.plan(load("ibm").calibration(device))


def steps(circuit, places):
    """Every instruction with its parameters and the qubits and bits that it acts on."""
    return [
        (
            step.operation.name,
            tuple(step.operation.params),
            tuple(places[circuit.find_bit(bit).index] for bit in step.qubits),
            tuple(circuit.find_bit(bit).index for bit in step.clbits),
        )
        for step in circuit.data
    ]


def test_what_is_sent_is_the_batch_on_its_chains(planned, server):
    device, batch = planned
    load("ibm").submit(device, batch, TAG, QUOTE)
    (job,) = server.with_tag(TAG)
    sent = circuits_of(job.body["params"])
    assert len(sent) == len(batch.circuits) == 8
    names = set()
    for (wide, shots), circuit, chain in zip(sent, batch.circuits, batch.chains, strict=True):
        everywhere = range(wide.num_qubits)
        assert steps(wide, everywhere) == steps(circuit, chain)
        assert wide.num_qubits == stored(device, "conf")["n_qubits"]
        assert shots == 100
        names |= set(wide.count_ops())
    native = "cz" if device == "ibm_kingston" else "ecr"
    assert {native, "sx", "rz", "barrier", "measure"} <= names <= {
        native, "sx", "x", "rz", "barrier", "measure"
    }  # fmt: skip


def sampler(client, device, seconds):
    """IBM's sampler with the options that are ours, its retirement being announced."""
    options = {
        "max_execution_time": seconds,
        "environment": {"job_tags": [TAG]},
        "dynamical_decoupling": {"enable": False},
        "twirling": {"enable_gates": False, "enable_measure": False},
    }
    with pytest.warns(DeprecationWarning, match="The SamplerV2 class is deprecated"):
        return SamplerV2(client.backend(device), options=options)


def test_a_job_is_the_one_that_ibms_client_would_send(planned, client, server):
    """Its client checks besides that the circuits are the device's own, on its own couplings."""
    device, batch = planned
    load("ibm").submit(device, batch, TAG, QUOTE)
    ours = server.jobs[0].body
    wide = [circuit for circuit, _ in circuits_of(ours["params"])]
    job = sampler(client, device, ours["cost"]).run([(each, None, 100) for each in wide])
    theirs = server.jobs[1].body
    assert theirs.pop("log_level") == "WARNING"
    assert described(ours) == described(theirs)
    assert {k: v for k, v in ours["params"].items() if k != "pubs"} == {
        k: v for k, v in theirs["params"].items() if k != "pubs"
    }
    assert circuits_of(ours["params"]) == circuits_of(theirs["params"])
    found = [dict(pub.data.meas.get_counts()) for pub in job.result()]
    assert counts(read(server, job.job_id()), batch) == found


def described(job):
    return {name: value for name, value in job.items() if name != "params"}


def read(server, job):
    with Api() as api:
        return api.text(f"/jobs/{job}/results")


def test_ibms_client_sends_a_job_again_where_ours_does_not(client, server):
    circuit = QuantumCircuit(1)
    circuit.x(0)
    circuit.measure_all()
    batch = Batch([circuit], [(7,)], 10)
    server.fail(*[submission(status=500, stores=True)] * 2)
    theirs = sampler(client, "ibm_kingston", 5)
    theirs.run([(on_device(circuit, (7,), 156), None, 10)])
    assert len(server.with_tag(TAG)) == 3  # and the client knows of one
    server.forget()
    server.fail(*[submission(status=500, stores=True)] * 2)
    with pytest.raises(RuntimeError, match="HTTP 500"):
        load("ibm").submit("ibm_kingston", batch, TAG, QUOTE)
    assert len(server.calls("POST", "/jobs")) == len(server.with_tag(TAG)) == 1


def test_ibms_client_meets_the_same_refusals(client, server):
    """The server speaks as IBM does: its own client understands its errors."""
    server.fail(submission(status=403, body='{"errors": [{"message": "no"}]}'))
    theirs = sampler(client, "ibm_kingston", 5)
    with pytest.raises(IBMRuntimeError, match="403 Client Error"):
        theirs.run([(on_device(QuantumCircuit(1, 1), (7,), 156), None, 10)])


# --- time --------------------------------------------------------------------------------------


def test_a_circuits_length_is_what_qiskit_makes_of_it(planned, client):
    device, batch = planned
    lengths = durations(stored(device, "props"))
    target = client.backend(device).target
    for circuit, chain in zip(batch.circuits, batch.chains, strict=True):
        reset = max(lengths["reset", (qubit,)] for qubit in chain)
        wide = on_device(circuit, chain, target.num_qubits)
        theirs = wide.estimate_duration(target, unit="s")
        assert length(circuit, chain, lengths) - reset == pytest.approx(theirs, abs=1e-8)


def test_the_bound_holds_ibms_formula_with_a_margin():
    circuit = QuantumCircuit(1)
    circuit.x(0)
    circuit.measure_all()
    lengths = {("x", (3,)): 30e-9, ("measure", (3,)): 2e-6, ("reset", (3,)): 1e-6}
    configuration = {"default_rep_delay": 250.0, "max_experiments": 300, "max_shots": 100_000}
    batch = Batch([circuit] * 301, [(3,)] * 301, 1000)
    estimate = 2 * 2 + 301 * 1000 * (250e-6 + 3.03e-6)  # two parts
    assert bound(batch, configuration, lengths) == math.ceil(2 * estimate) == 161


@pytest.mark.parametrize(
    ("shots", "changed", "told"),
    [
        (100_001, {}, "100001 shots of a circuit; the device takes 100000"),
        (100_000, {}, "may need 144.. s of QPU time, and IBM ends a job after 10800 s"),
        (10, {"default_rep_delay": None}, "states no default_rep_delay"),
    ],
)
def test_a_batch_past_ibms_limits_is_refused(shots, changed, told):
    circuit = QuantumCircuit(1)
    circuit.measure_all()
    lengths = {("measure", (3,)): 2e-6, ("reset", (3,)): 1e-6}
    configuration = {"default_rep_delay": 237.0, "max_experiments": 300, "max_shots": 100_000}
    batch = Batch([circuit] * 300, [(3,)] * 300, shots)
    with pytest.raises(ValueError, match=told):
        bound(batch, {**configuration, **changed}, lengths)


def test_a_gate_in_the_direction_that_the_device_lacks_is_refused():
    lengths = durations(stored("ibm_sherbrooke", "props"))
    circuit = QuantumCircuit(2)
    circuit.ecr(0, 1)
    assert length(circuit, (41, 40), lengths) > 533e-9
    with pytest.raises(ValueError, match="the device states no 'ecr' on 40-41"):
        length(circuit, (40, 41), lengths)


# --- placing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_a_placed_circuit_does_the_same(seed):
    """Of random circuits on a chain in any order, what the server runs is what was meant."""
    circuit = random_clifford_circuit(4, 30, gates=["cz", "sx", "x", "s"], seed=seed)
    expected = Statevector(circuit).probabilities_dict(decimals=9)
    circuit.measure_all()
    wide = on_device(circuit, (9, 2, 7, 4), 12)
    found = perfect(wide, 4000).get_counts()
    assert set(found) == set(expected)
    for outcome, probability in expected.items():
        assert found[outcome] / 4000 == pytest.approx(probability, abs=0.06)


def test_two_registers_are_no_canarys_result():
    bits = BitArray.from_counts({"0": 10}, num_bits=1)
    circuit = QuantumCircuit(1)
    circuit.measure_all()
    batch = Batch([circuit], [(0,)], 10)
    for data in (DataBin(a=bits, b=bits), DataBin(evs=0.5)):
        text = json.dumps(PrimitiveResult([SamplerPubResult(data)]), cls=RuntimeEncoder)
        with pytest.raises(Unreadable, match="not one register of bits"):
            counts(text, batch)


def test_chains_avoid_what_submission_would_refuse(planned):
    """Every coupling that a chain takes is stated in the direction in which it is used."""
    device, batch = planned
    lengths = durations(stored(device, "props"))
    calibration = load("ibm").calibration(device)
    assert set(batch.chains) == {best_chain(calibration, 2), best_chain(calibration, 5)}
    for circuit, chain in zip(batch.circuits, batch.chains, strict=True):
        assert length(circuit, chain, lengths) < 20e-6
