"""The provider of IonQ against a server on loopback: real requests, real circuits."""

import math
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pytest
from ionq_server import AGGREGATE, DOLLARS, KEY, QUBITS, IonQServer, characterization
from ionq_simulator import matrix, probabilities
from loopback import Fault
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector

from probes.quantum.account import NoAccount
from probes.quantum.batch import Batch
from probes.quantum.calibration import DeviceCalibration
from probes.quantum.mirror import MirrorCircuits
from probes.quantum.provider import Cost, Device, Price, Unpriced, Unsupported
from probes.quantum.providers import load
from probes.quantum.rest import Refused
from probes.queued import Rejected, TryLater, Unreadable
from storage.types import Progress

ROOT = Path(__file__).parents[3]
TAG = f"qrossover-{'ab' * 16}"
FORTE = "qpu.forte-1"
JOBS = "/jobs"
AT_ONCE = 0
BEGUN = datetime(2026, 11, 25, 20, 47, 10, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def server():
    with IonQServer() as running:
        yield running


@pytest.fixture
def ionq(server, monkeypatch):
    """The provider, and a server that is as new."""
    server.forget()
    server.__dict__ |= {"polls": 0, "jobs": {}, "unit": "usd", "pages": 25}
    server.status = dict.fromkeys(QUBITS, "available")
    monkeypatch.setenv("IONQ_API_URL", server.url)
    monkeypatch.setenv("IONQ_API_KEY", KEY)
    return load("ionq")


def circuit_of(width, seed):
    """A canonical circuit without symmetries: a wrong order of bits cannot hide in it."""
    random = np.random.default_rng(seed)
    circuit = QuantumCircuit(width)
    for _ in range(6):
        for qubit in range(width):
            circuit.rz(float(random.uniform(-4, 4)), qubit)
            getattr(circuit, str(random.choice(["sx", "x"])))(qubit)
        circuit.barrier()
        circuit.cz(*(int(qubit) for qubit in random.choice(width, 2, replace=False)))
    for qubit in range(width):  # else the phases that are left alter no outcome
        circuit.rz(float(random.uniform(-4, 4)), qubit)
        circuit.sx(qubit)
    circuit.measure_all()
    return circuit


def batch_of(*widths, shots=400, chains=None):
    circuits = [circuit_of(width, seed) for seed, width in enumerate(widths)]
    return Batch(circuits, chains or [tuple(range(width)) for width in widths], shots)


BATCH = batch_of(2, 3, 3)


def exact(circuit):
    """Qiskit's own probabilities, first qubit rightmost."""
    return Statevector(circuit.remove_final_measurements(inplace=False)).probabilities_dict()


# --- devices and calibrations ---------------------------------------------------------------------


def test_devices_have_no_wait_in_an_unknown_unit(ionq, server):
    server.status["qpu.aria-1"] = "retired"
    simulator, aria, forte = ionq.devices()
    assert simulator == Device("simulator", 29, "available", online=True, simulator=True)
    assert (aria.status, aria.online) == ("retired", False)
    assert (forte.qubits, forte.queue, forte.wait) == (36, None, None)


def test_the_wait_is_the_prediction_in_seconds(ionq):
    assert ionq.device(FORTE).wait == 397.577


def test_devices_and_calibrations_need_no_account(ionq, server, monkeypatch):
    monkeypatch.delenv("IONQ_API_KEY")
    assert ionq.device(FORTE).wait is None
    assert ionq.calibration(FORTE).backend == FORTE
    assert all("authorization" not in request.headers for request in server.requests)
    with pytest.raises(NoAccount, match="IONQ_API_KEY_FILE"):
        ionq.submit(FORTE, BATCH, TAG)


def test_an_unknown_device_is_refused_with_the_known_ones(ionq):
    with pytest.raises(ValueError, match=r"lists no device 'qpu\.x'; it lists simulator, qpu\.ari"):
        ionq.device("qpu.x")
    with pytest.raises(ValueError, match=r"'forte-1' is no name of an IonQ backend"):
        ionq.check("forte-1")
    ionq.check(FORTE)
    ionq.check("simulator")


def test_a_calibration_is_of_the_whole_device_in_our_units(ionq):
    found = ionq.calibration(FORTE)
    assert (found.per_part, found.origin, len(found.qubits)) == (False, "vendor", 36)
    assert found.natives == {"sx": "gpi2", "x": "gpi", "cz": "zz"}
    assert found.at == datetime(2026, 11, 20, 6, tzinfo=UTC).timestamp()
    assert {(q.t1, q.t2) for q in found.qubits} == {(100, 1)}
    assert found.qubits[35].readout_error == pytest.approx(0.0038)
    assert len(found.couplings()) == 36 * 35 // 2
    gates = {gate.name: gate for gate in found.gates}
    assert gates["sx"].error == pytest.approx(0.0002)
    assert gates["cz"].error == pytest.approx(0.0072)
    assert (gates["sx"].seconds, gates["cz"].seconds, gates["rz"].error) == (0.00013, 0.00095, 0)
    assert ionq.calibration("qpu.aria-1").natives["cz"] == "ms"


def test_what_is_not_given_is_absent(ionq, server):
    bare = characterization(FORTE, "2026-11-21", fidelity={"spam": {"median": 0.99}}, timing=None)
    server.characterizations[FORTE] = [bare]
    found = ionq.calibration(FORTE)
    assert {gate.error for gate in found.one_qubit_gates()} == {None}
    assert {gate.error for gate in found.couplings().values()} == {None}
    assert (found.qubits[0].t1, found.qubits[0].readout_error) == (None, pytest.approx(0.01))
    readings = {r.signal: r.value for r in DeviceCalibration(provider="ionq", device=FORTE).run()}
    assert "quantum.calibration.two_qubit_error" not in readings
    server.characterizations[FORTE] = [characterization(FORTE, "2026-11-20")]


def test_a_fidelity_above_one_is_refused(ionq, server):
    wrong = characterization(FORTE, "2026-11-21", fidelity={"spam": {"median": 99.6}})
    server.characterizations[FORTE] = [wrong]
    with pytest.raises(ValueError, match=r"fidelity of 99\.6"):
        ionq.calibration(FORTE)
    server.characterizations[FORTE] = []
    with pytest.raises(Unsupported, match="no characterization"):
        ionq.calibration(FORTE)
    server.characterizations[FORTE] = [characterization(FORTE, "2026-11-20")]


def test_history_walks_all_pages_and_keeps_to_its_two_moments(ionq, server):
    days = [f"2026-{month:02}-{day:02}" for month in (8, 9) for day in range(1, 29)]
    server.characterizations[FORTE] = [
        characterization(FORTE, *d) for d in zip(days, range(56), strict=True)
    ]
    since = datetime(2026, 8, 3, 6, tzinfo=UTC).timestamp()
    until = datetime(2026, 9, 27, 5, 59, tzinfo=UTC).timestamp()
    found = ionq.history(FORTE, since, until)
    assert [one.time[:10] for one in found] == days[2:-2]
    asked = server.calls("GET", ".*/characterizations")
    assert {request.query["limit"] for request in asked} == {"10"}
    assert ionq.history(FORTE, 0.0, 86400.0) == []
    server.characterizations[FORTE] = [characterization(FORTE, "2026-11-20")]


def test_the_simulator_is_ideal_and_simulated(ionq):
    found = ionq.calibration("simulator")
    assert (found.origin, len(found.qubits)) == ("simulated", 29)
    assert {gate.error for gate in found.gates} == {0.0}
    assert found.qubits[0].t1 is None
    assert (ionq.origin_of("simulator"), ionq.origin_of(FORTE)) == ("simulated", "measured")


# --- what is sent, and what it means --------------------------------------------------------------


@pytest.mark.parametrize("device", ["simulator", "qpu.aria-1", FORTE])
def test_the_circuits_that_are_sent_have_qiskits_distribution(ionq, server, device):
    ionq.submit(device, BATCH, TAG)
    (job,) = server.tagged(TAG)
    for sent, circuit in zip(job.payload["input"]["circuits"], BATCH.circuits, strict=True):
        theirs = probabilities(sent["qubits"], sent["circuit"])
        right = exact(circuit)
        assert len(right) > 2
        for outcome, probability in right.items():
            assert theirs.get(str(int(outcome, 2)), 0.0) == pytest.approx(probability, abs=1e-9)


def test_the_test_simulators_gates_are_those_of_ionqs_own_package():
    gates = pytest.importorskip("qiskit_ionq", reason="IonQ's gates need qrossover[ionq]")
    one, two, angle = 0.13, -0.31, 0.17
    swap = np.eye(4)[[0, 2, 1, 3]]  # theirs has the first qubit as the right factor
    assert np.allclose(matrix({"gate": "gpi", "phase": one}), gates.GPIGate(one))
    assert np.allclose(matrix({"gate": "gpi2", "phase": one}), gates.GPI2Gate(one))
    assert np.allclose(matrix({"gate": "zz", "angle": angle}), gates.ZZGate(angle))
    ms = matrix({"gate": "ms", "phases": [one, two], "angle": angle})
    assert np.allclose(swap @ ms @ swap, gates.MSGate(one, two, angle))


def test_a_batch_is_one_job_as_it_stands_without_mitigation(ionq, server):
    job = ionq.submit(FORTE, BATCH, TAG)
    (request,) = server.calls("POST")
    sent = request.json()
    assert server.jobs[job].payload == sent
    assert (sent["type"], sent["backend"], sent["shots"]) == ("ionq.multi-circuit.v1", FORTE, 400)
    assert (sent["name"], sent["metadata"]) == (TAG, {"tag": TAG})
    assert sent["settings"]["error_mitigation"]["debiasing"] is False
    assert sent["input"]["gateset"] == "native"
    for one, circuit in zip(sent["input"]["circuits"], BATCH.circuits, strict=True):
        ops = circuit.count_ops()
        names = [gate["gate"] for gate in one["circuit"]]
        assert names.count("zz") == ops["cz"]
        assert len(names) == ops["cz"] + ops["sx"] + ops.get("x", 0)


def test_counts_come_back_in_order_with_the_first_qubit_rightmost(ionq):
    job = ionq.submit(FORTE, BATCH, TAG)
    counts = ionq.result(FORTE, job, BATCH)
    for found, circuit in zip(counts, BATCH.circuits, strict=True):
        right = exact(circuit)
        assert sum(found.values()) == 400
        assert set(found) <= set(right)
        distance = sum(abs(found.get(k, 0) / 400 - p) for k, p in right.items()) / 2
        assert distance < 0.12  # about five times the shot noise


def test_a_chain_of_any_qubits_is_run_on_those(ionq, server):
    batch = batch_of(3, chains=[(4, 1, 6)])
    job = ionq.submit(FORTE, batch, TAG)
    (sent,) = server.jobs[job].payload["input"]["circuits"]
    used = {q for gate in sent["circuit"] for q in gate.get("targets", [gate.get("target")])}
    assert (sent["qubits"], used) == (7, {1, 4, 6})
    (found,) = ionq.result(FORTE, job, batch)
    right = exact(batch.circuits[0])
    assert sum(abs(found.get(k, 0) / 400 - p) for k, p in right.items()) / 2 < 0.12


def test_the_simulators_exact_answer_becomes_shots_that_repeat(ionq, server):
    job = ionq.submit("simulator", BATCH, TAG)
    first = ionq.result("simulator", job, BATCH)
    assert first == ionq.result("simulator", job, BATCH)
    assert [sum(found.values()) for found in first] == [400] * 3
    for found, circuit in zip(first, BATCH.circuits, strict=True):
        assert found != {k: round(400 * p) for k, p in exact(circuit).items()}  # shot noise
    other = ionq.submit("simulator", BATCH, TAG)
    assert ionq.result("simulator", other, BATCH) != first


# --- what it costs --------------------------------------------------------------------------------


def test_a_quote_is_the_estimate_of_every_circuit(ionq, server):
    quote = ionq.quote(FORTE, BATCH, Price())
    usd = seconds = 0.0
    for circuit in BATCH.circuits:
        ops = circuit.count_ops()
        pulses = ops["sx"] + ops.get("x", 0)
        usd += max(1, 400 * (pulses * DOLLARS["1q_gates"] + ops["cz"] * DOLLARS["2q_gates"]))
        seconds += 400 * (1 + ops["cz"]) / 1e3
    assert quote.usd == pytest.approx(usd)
    assert quote.qpu_seconds == pytest.approx(seconds)
    assert len(server.calls("GET", "/jobs/estimate")) == 2  # two of the circuits are alike


def test_the_users_price_counts_before_ionqs(ionq):
    quote = ionq.quote(FORTE, BATCH, Price(task=2.0, shot=0.01, qpu_second=0.1))
    assert quote.usd == pytest.approx(2 + 0.01 * 400 * 3 + 0.1 * quote.qpu_seconds)
    assert ionq.quote("simulator", BATCH, Price()).usd == 0


def test_credits_are_no_dollars(ionq, server):
    server.unit = "credit"
    with pytest.raises(Unpriced, match="credit, not USD: state usd_per_task"):
        ionq.quote(FORTE, BATCH, Price())
    assert ionq.quote(FORTE, BATCH, Price(task=3.0)).usd == 3
    job = ionq.submit(FORTE, BATCH, TAG)
    assert ionq.cost(FORTE, job, BATCH) == Cost(None, 0.0052)


def test_the_cost_is_what_was_billed_and_nothing_before(ionq, server):
    server.polls = 9
    job = ionq.submit(FORTE, BATCH, TAG)
    assert ionq.cost(FORTE, job, BATCH) == Cost(None, None)
    server.polls = AT_ONCE
    assert ionq.cost(FORTE, job, BATCH) == Cost(24.83, 0.0052)


# --- the life of a job ----------------------------------------------------------------------------


def test_a_job_that_waits_for_days_is_looked_at_and_never_sent_again(ionq, server):
    server.polls = 40
    job = ionq.submit(FORTE, BATCH, TAG)
    seen = [ionq.status(FORTE, job) for _ in range(41)]
    words = dict.fromkeys((status.word, status.state) for status in seen)
    assert list(words) == [("ready", "queued"), ("started", "running"), ("completed", "done")]
    assert (seen[0].started, seen[0].ended) == (None, None)
    assert (seen[-1].started, seen[-1].ended) == (BEGUN, BEGUN + 12.5)
    assert len(server.calls("POST")) == 1


@pytest.mark.parametrize(
    ("more", "state", "reason"),
    [
        ({"status": "canceled"}, "cancelled", ""),
        ({"status": "paused"}, "unknown", ""),
        ({"status": "failed", "failure": None}, "failed", "IonQ gives no reason"),
        (
            {"status": "failed", "failure": {"code": "TooManyShots", "message": "at most 10"}},
            "failed",
            "TooManyShots: at most 10",
        ),
    ],
)
def test_words_go_through_a_closed_table(ionq, server, more, state, reason):
    job = ionq.submit(FORTE, BATCH, TAG)
    server.jobs[job].more = more
    status = ionq.status(FORTE, job)
    assert (status.state, status.word, status.reason) == (state, more["status"], reason)


def test_a_job_can_be_cancelled_and_one_that_is_not_there_is_gone(ionq, server):
    server.polls = 9
    job = ionq.submit(FORTE, BATCH, TAG)
    ionq.cancel(FORTE, job)
    assert ionq.status(FORTE, job).state == "cancelled"
    del server.jobs[job]
    assert ionq.status(FORTE, job).state == "gone"


def test_a_canary_goes_all_the_way(ionq, server):
    server.polls = 2
    settings = {"widths": (2, 3), "depths": (2, 4), "circuits": 2, "shots": 50}
    canary = MirrorCircuits(provider="ionq", device=FORTE, **settings)
    order = canary.prepare()
    assert order.quote.usd > 8 * 1.0 - 1e-9
    job = canary.submit(order, TAG)
    assert canary.find(order, TAG) == job
    assert canary.collect(order, job) == Progress("queued", "ready")
    assert canary.collect(order, job) == Progress("running", "started", started=BEGUN)
    found = canary.collect(order, job)
    # the simulated device has no error: every mirror circuit has its one right outcome
    values = {r.target: r.value for r in found.readings if r.signal.endswith("polarization")}
    assert values == dict.fromkeys([f"{FORTE}/w{w}-d{d}" for w in (2, 3) for d in (2, 4)], 1.0)
    assert {reading.origin for reading in found.readings} == {"measured"}
    assert (found.usd, found.qpu_seconds) == (24.83, 0.0052)


# --- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 402, 403, 413])
def test_a_clear_no_is_a_rejection(ionq, server, status):
    server.fail(Fault("POST", JOBS, status=status))
    with pytest.raises(Rejected, match=f"HTTP {status}: made to fail") as told:
        ionq.submit(FORTE, BATCH, TAG)
    assert ("IONQ_API_KEY" in str(told.value)) == (status in (401, 403))
    assert len(server.calls("POST")) == 1


def test_what_ionq_would_refuse_is_refused_before_or_by_it(ionq, server, monkeypatch):
    with pytest.raises(Rejected, match="shots must be between"):
        ionq.submit(FORTE, replace(BATCH, shots=0), TAG)
    with pytest.raises(Rejected, match=r"not known which native entangling gate qpu\.tempo-1"):
        ionq.submit("qpu.tempo-1", BATCH, TAG)
    monkeypatch.setenv("IONQ_API_KEY", "wrong")
    with pytest.raises(Rejected, match="HTTP 401: invalid key provided; is IONQ_API_KEY right"):
        ionq.submit(FORTE, BATCH, TAG)
    assert server.jobs == {}


@pytest.mark.parametrize(
    ("given", "seconds"), [("17", 17.0), ("Thu, 01 Jan 2026 00:00:00 GMT", 0.0), ("soon", None)]
)
def test_patience_is_asked_for_with_or_without_seconds(ionq, server, given, seconds):
    server.fail(Fault("POST", JOBS, status=429, headers=(("Retry-After", given),)))
    with pytest.raises(TryLater, match="HTTP 429") as told:
        ionq.submit(FORTE, BATCH, TAG)
    assert told.value.seconds == seconds
    assert len(server.calls("POST")) == 1


@pytest.mark.parametrize("stores", [False, True])
@pytest.mark.parametrize(
    "fault", [{"status": 500}, {"status": 502, "body": "<html>"}, {"drop": True}]
)
def test_doubt_is_one_request_and_find_answers_it(ionq, server, fault, stores):
    server.fail(Fault("POST", JOBS, stores=stores, **fault))
    with pytest.raises((Refused, httpx.TransportError)):
        ionq.submit(FORTE, BATCH, TAG)
    assert len(server.calls("POST")) == 1
    found = ionq.find(FORTE, TAG)
    assert found == (server.tagged(TAG)[0].id if stores else None)
    assert len(server.calls("POST")) == 1


def test_two_failures_in_a_row_are_two_submissions_of_the_caller_alone(ionq, server):
    server.fail(*[Fault("POST", JOBS, status=500)] * 2)
    for attempt in (1, 2):
        with pytest.raises(Refused, match="HTTP 500"):
            ionq.submit(FORTE, BATCH, TAG)
        assert len(server.calls("POST")) == attempt
    assert ionq.submit(FORTE, BATCH, TAG) == server.tagged(TAG)[0].id


def test_an_answer_that_is_no_json_is_doubt(ionq, server):
    server.fail(Fault("POST", JOBS, status=201, body="<html>Sign in</html>", stores=True))
    with pytest.raises(ValueError, match="no JSON: '<html>Sign in"):
        ionq.submit(FORTE, BATCH, TAG)
    assert ionq.find(FORTE, TAG) is not None


def test_find_walks_every_page_and_is_not_taken_in_by_the_children(ionq, server):
    job = ionq.submit(FORTE, BATCH, TAG)
    for number in range(20):
        ionq.submit(FORTE, BATCH, f"qrossover-{number:032x}")
    ionq.submit("simulator", BATCH, f"qrossover-{'cd' * 16}")
    server.forget()
    assert ionq.find(FORTE, TAG) == job
    assert len(server.calls("GET", JOBS)) == 4  # 21 jobs and their 63 children, 25 a page
    assert ionq.find(FORTE, f"qrossover-{'cd' * 16}") is None
    server.fail(Fault("GET", JOBS, status=503))
    with pytest.raises(Refused, match="HTTP 503"):
        ionq.find(FORTE, f"qrossover-{'ef' * 16}")


def test_a_list_that_never_ends_is_no_answer(ionq, server):
    again = '{"jobs": [], "next": "x"}'
    server.fail(*[Fault("GET", JOBS, status=200, body=again)] * 2)
    with pytest.raises(RuntimeError, match="begins again"):
        ionq.find(FORTE, TAG)


@pytest.mark.parametrize(
    ("histograms", "match"),
    [
        ([], "no results instead of 3"),
        ({"a": {"0": 1}, "b": {"0": 1}}, "2 results instead of 3"),
        ({"a": {}, "b": {"0": 1}, "c": {"0": 1}}, "not probabilities by state"),
        ({"a": {"4": 1}, "b": {"0": 1}, "c": {"0": 1}}, "'4' is no state of 2 qubits"),
        ({"a": {"x": 1}, "b": {"0": 1}, "c": {"0": 1}}, "'x' is no state"),
        ({"a": {"0": 1.5}, "b": {"0": 1}, "c": {"0": 1}}, r"state 0 is 1\.5"),
        ({"a": {"0": None}, "b": {"0": 1}, "c": {"0": 1}}, "state 0 is None"),
        ({"a": {"0": 0.5}, "b": {"0": 1}, "c": {"0": 1}}, "200 shots came back instead of 400"),
        ({"a": {"0": 0.1237, "1": 0.8763}, "b": {"0": 1}, "c": {"0": 1}}, "no whole number"),
        ({"b": {"0": 1}, "a": {"0": 1}, "c": {"0": 1}}, "different orders"),
    ],
)
def test_a_result_that_is_not_what_was_asked_for_is_unreadable(ionq, server, histograms, match):
    job = ionq.submit(FORTE, BATCH, TAG)
    server.jobs[job].children = ["a", "b", "c"]
    server.jobs[job].histograms = histograms
    with pytest.raises(Unreadable, match=match):
        ionq.result(FORTE, job, BATCH)


@pytest.mark.parametrize("results", [None, {}, {"probabilities": {"url": "/x"}}, {AGGREGATE: None}])
def test_a_job_without_its_results_is_unreadable(ionq, server, results):
    job = ionq.submit(FORTE, BATCH, TAG)
    server.jobs[job].more = {"results": results}
    with pytest.raises(Unreadable, match="has no result ionq"):
        ionq.result(FORTE, job, BATCH)


def test_simulated_probabilities_must_add_up(ionq, server):
    job = ionq.submit("simulator", BATCH, TAG)
    children = server.jobs[job].children
    server.jobs[job].histograms = {child: {"0": 0.5} for child in children}
    with pytest.raises(Unreadable, match=r"add up to 0\.5"):
        ionq.result("simulator", job, BATCH)


def test_reading_a_calibration_loads_neither_qiskit_nor_numpy(server):
    program = """
import sys
from probes.base import load
list(load("quantum.calibration").model_validate({"provider": "ionq", "device": "simulator"}).run())
heavy = ("numpy", "qiskit", "qiskit_ionq", "scipy", "requests")
assert not (loaded := [name for name in heavy if name in sys.modules]), loaded
"""
    environment = os.environ | {"IONQ_API_URL": server.url}
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True)


def test_turns_are_within_what_ionq_takes(ionq, server):
    ionq.submit("qpu.aria-1", BATCH, TAG)
    (job,) = server.tagged(TAG)
    gates = [gate for one in job.payload["input"]["circuits"] for gate in one["circuit"]]
    assert {gate["angle"] for gate in gates if gate["gate"] == "ms"} == {0.25}
    assert all(math.fabs(gate["phase"]) <= 0.5 for gate in gates if "phase" in gate)
