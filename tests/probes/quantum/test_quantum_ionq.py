"""IonQ's devices, calibrations, circuits and prices, against a server on loopback."""

import math
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from ionq_server import DOLLARS, characterization
from ionq_simulator import matrix, probabilities
from native_batches import NOISE, SHOTS, batch_of, distance, exact

from probes.quantum.calibration import DeviceCalibration
from probes.quantum.clouds.account import NoAccount
from probes.quantum.provider import Cost, Device, Price, Unpriced, Unsupported
from probes.quantum.providers import load
from storage.types import Quote

ROOT = Path(__file__).parents[3]
TAG = f"qrossover-{'ab' * 16}"
QUOTE = Quote(1.5, 4.0)
FORTE = "qpu.forte-1"
IONQ = load("ionq")
BATCH = batch_of(2, 3, 3)


# --- devices and calibrations ---------------------------------------------------------------------


def test_devices_have_no_wait_in_an_unknown_unit(at_ionq):
    at_ionq.status["qpu.aria-1"] = "retired"
    simulator, aria, forte = IONQ.devices()
    assert simulator == Device("simulator", 29, "available", online=True, simulator=True)
    assert (aria.status, aria.online) == ("retired", False)
    assert (forte.qubits, forte.queue, forte.wait) == (36, None, None)


def test_the_wait_is_the_prediction_in_seconds(at_ionq):
    assert IONQ.device(FORTE).wait == 397.577


def test_devices_and_calibrations_need_no_account(at_ionq, monkeypatch):
    monkeypatch.delenv("IONQ_API_KEY")
    assert IONQ.device(FORTE).wait is None
    assert IONQ.calibration(FORTE).backend == FORTE
    assert all("authorization" not in request.headers for request in at_ionq.requests)
    with pytest.raises(NoAccount, match="IONQ_API_KEY_FILE"):
        IONQ.submit(FORTE, BATCH, TAG, QUOTE)


def test_an_unknown_device_is_refused_with_the_known_ones(at_ionq):
    with pytest.raises(ValueError, match=r"lists no device 'qpu\.x'; it lists simulator, qpu\.ari"):
        IONQ.device("qpu.x")
    with pytest.raises(ValueError, match=r"'forte-1' is no name of an IonQ backend"):
        IONQ.check("forte-1")
    IONQ.check(FORTE)
    IONQ.check("simulator")


def test_a_calibration_is_of_the_whole_device_in_our_units(at_ionq):
    found = IONQ.calibration(FORTE)
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
    assert IONQ.calibration("qpu.aria-1").natives["cz"] == "ms"


def test_what_is_not_given_is_absent(at_ionq):
    bare = characterization(FORTE, "2026-11-21", fidelity={"spam": {"median": 0.99}}, timing=None)
    at_ionq.characterizations[FORTE] = [bare]
    found = IONQ.calibration(FORTE)
    assert {gate.error for gate in found.one_qubit_gates()} == {None}
    assert {gate.error for gate in found.couplings().values()} == {None}
    assert (found.qubits[0].t1, found.qubits[0].readout_error) == (None, pytest.approx(0.01))
    readings = {r.signal: r.value for r in DeviceCalibration(provider="ionq", device=FORTE).run()}
    assert "quantum.calibration.two_qubit_error" not in readings
    at_ionq.characterizations[FORTE] = [characterization(FORTE, "2026-11-20")]


def test_a_fidelity_above_one_is_refused(at_ionq):
    wrong = characterization(FORTE, "2026-11-21", fidelity={"spam": {"median": 99.6}})
    at_ionq.characterizations[FORTE] = [wrong]
    with pytest.raises(ValueError, match=r"fidelity of 99\.6"):
        IONQ.calibration(FORTE)
    at_ionq.characterizations[FORTE] = []
    with pytest.raises(Unsupported, match="no characterization"):
        IONQ.calibration(FORTE)
    at_ionq.characterizations[FORTE] = [characterization(FORTE, "2026-11-20")]


def test_history_walks_all_pages_and_keeps_to_its_two_moments(at_ionq):
    days = [f"2026-{month:02}-{day:02}" for month in (8, 9) for day in range(1, 29)]
    at_ionq.characterizations[FORTE] = [
        characterization(FORTE, *d) for d in zip(days, range(56), strict=True)
    ]
    since = datetime(2026, 8, 3, 6, tzinfo=UTC).timestamp()
    until = datetime(2026, 9, 27, 5, 59, tzinfo=UTC).timestamp()
    found = IONQ.history(FORTE, since, until)
    assert [one.time[:10] for one in found] == days[2:-2]
    asked = at_ionq.calls("GET", ".*/characterizations")
    assert {request.query["limit"] for request in asked} == {"10"}
    assert IONQ.history(FORTE, 0.0, 86400.0) == []
    at_ionq.characterizations[FORTE] = [characterization(FORTE, "2026-11-20")]


def test_the_simulator_is_ideal_and_simulated(at_ionq):
    found = IONQ.calibration("simulator")
    assert (found.origin, len(found.qubits)) == ("simulated", 29)
    assert {gate.error for gate in found.gates} == {0.0}
    assert found.qubits[0].t1 is None
    assert (IONQ.origin_of("simulator"), IONQ.origin_of(FORTE)) == ("simulated", "measured")


# --- what is sent, and what it means --------------------------------------------------------------


@pytest.mark.parametrize("device", ["simulator", "qpu.aria-1", FORTE])
def test_the_circuits_that_are_sent_have_qiskits_distribution(at_ionq, device):
    IONQ.submit(device, BATCH, TAG, QUOTE)
    (job,) = at_ionq.tagged(TAG)
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


def test_a_batch_is_one_job_as_it_stands_without_mitigation(at_ionq):
    job = IONQ.submit(FORTE, BATCH, TAG, QUOTE)
    (request,) = at_ionq.calls("POST")
    sent = request.json()
    assert at_ionq.jobs[job].payload == sent
    assert (sent["type"], sent["backend"], sent["shots"]) == ("ionq.multi-circuit.v1", FORTE, 400)
    assert (sent["name"], sent["metadata"]) == (TAG, {"tag": TAG})
    assert sent["settings"]["error_mitigation"]["debiasing"] is False
    assert sent["input"]["gateset"] == "native"
    for one, circuit in zip(sent["input"]["circuits"], BATCH.circuits, strict=True):
        ops = circuit.count_ops()
        names = [gate["gate"] for gate in one["circuit"]]
        assert names.count("zz") == ops["cz"]
        assert len(names) == ops["cz"] + ops["sx"] + ops.get("x", 0)


def test_counts_come_back_in_order_with_the_first_qubit_rightmost(at_ionq):
    job = IONQ.submit(FORTE, BATCH, TAG, QUOTE)
    counts = IONQ.result(FORTE, job, BATCH)
    for found, circuit in zip(counts, BATCH.circuits, strict=True):
        assert sum(found.values()) == SHOTS
        assert distance(found, circuit) < NOISE


def test_a_chain_of_any_qubits_is_run_on_those(at_ionq):
    batch = batch_of(3, chains=[(4, 1, 6)])
    job = IONQ.submit(FORTE, batch, TAG, QUOTE)
    (sent,) = at_ionq.jobs[job].payload["input"]["circuits"]
    used = {q for gate in sent["circuit"] for q in gate.get("targets", [gate.get("target")])}
    assert (sent["qubits"], used) == (7, {1, 4, 6})
    (found,) = IONQ.result(FORTE, job, batch)
    assert distance(found, batch.circuits[0]) < NOISE


def test_the_simulators_exact_answer_becomes_shots_that_repeat(at_ionq):
    job = IONQ.submit("simulator", BATCH, TAG, QUOTE)
    first = IONQ.result("simulator", job, BATCH)
    assert first == IONQ.result("simulator", job, BATCH)
    assert [sum(found.values()) for found in first] == [400] * 3
    for found, circuit in zip(first, BATCH.circuits, strict=True):
        assert found != {k: round(400 * p) for k, p in exact(circuit).items()}  # shot noise
    other = IONQ.submit("simulator", BATCH, TAG, QUOTE)
    assert IONQ.result("simulator", other, BATCH) != first


# --- what it costs --------------------------------------------------------------------------------


def test_a_quote_is_the_estimate_of_every_circuit_and_a_margin_since_it_binds_nobody(at_ionq):
    quote = IONQ.quote(FORTE, BATCH, Price())
    usd = seconds = 0.0
    for circuit in BATCH.circuits:
        ops = circuit.count_ops()
        pulses = ops["sx"] + ops.get("x", 0)
        usd += max(1, 400 * (pulses * DOLLARS["1q_gates"] + ops["cz"] * DOLLARS["2q_gates"]))
        seconds += 400 * (1 + ops["cz"]) / 1e3
    assert quote.usd == pytest.approx(1.2 * usd)
    assert quote.qpu_seconds == pytest.approx(1.2 * seconds)
    assert len(at_ionq.calls("GET", "/jobs/estimate")) == 2  # two of the circuits are alike


def test_the_users_price_counts_before_ionqs(at_ionq):
    quote = IONQ.quote(FORTE, BATCH, Price(task=2.0, shot=0.01, qpu_second=0.1))
    assert quote.usd == pytest.approx(2 + 0.01 * 400 * 3 + 0.1 * quote.qpu_seconds)
    assert IONQ.quote("simulator", BATCH, Price()).usd == 0


def test_credits_are_no_dollars(at_ionq):
    at_ionq.unit = "credit"
    with pytest.raises(Unpriced, match="credit, not USD: state usd_per_task"):
        IONQ.quote(FORTE, BATCH, Price())
    assert IONQ.quote(FORTE, BATCH, Price(task=3.0)).usd == 3
    job = IONQ.submit(FORTE, BATCH, TAG, QUOTE)
    assert IONQ.cost(FORTE, job, BATCH, QUOTE) == Cost(None, 0.0052)


def test_the_cost_is_what_was_billed_and_nothing_before(at_ionq):
    at_ionq.polls = 9
    job = IONQ.submit(FORTE, BATCH, TAG, QUOTE)
    assert IONQ.cost(FORTE, job, BATCH, QUOTE) == Cost(None, None)
    at_ionq.polls = 0
    assert IONQ.cost(FORTE, job, BATCH, QUOTE) == Cost(24.83, 0.0052)


def test_reading_a_calibration_loads_neither_qiskit_nor_numpy(at_ionq):
    program = """
import sys
from probes.base import load
from storage.types import Quote
list(load("quantum.calibration").model_validate({"provider": "ionq", "device": "simulator"}).run())
heavy = ("numpy", "qiskit", "qiskit_ionq", "scipy", "requests")
assert not (loaded := [name for name in heavy if name in sys.modules]), loaded
"""
    environment = os.environ | {"IONQ_API_URL": at_ionq.url}
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True)


def test_turns_are_within_what_ionq_takes(at_ionq):
    IONQ.submit("qpu.aria-1", BATCH, TAG, QUOTE)
    (job,) = at_ionq.tagged(TAG)
    gates = [gate for one in job.payload["input"]["circuits"] for gate in one["circuit"]]
    assert {gate["angle"] for gate in gates if gate["gate"] == "ms"} == {0.25}
    assert all(math.fabs(gate["phase"]) <= 0.5 for gate in gates if "phase" in gate)
