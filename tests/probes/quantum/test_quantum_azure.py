"""The provider of Azure Quantum: Microsoft's own client against a workspace on loopback."""

import json
import os
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

pytest.importorskip("azure.quantum", reason="Azure Quantum needs qrossover[azure]")

from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure_server import BASE, KEY
from ionq_simulator import probabilities
from loopback import Fault
from native_batches import NOISE, SHOTS, batch_of, distance, exact

from probes.quantum.batch import Batch
from probes.quantum.clouds.account import NoAccount
from probes.quantum.clouds.rest import Refused
from probes.quantum.mirror import MirrorCircuits
from probes.quantum.provider import Cost, Device, Price, Unpriced, Unsupported
from probes.quantum.providers import load
from probes.queued import Rejected, TryLater, Unreadable
from storage.types import Progress, Quote

ROOT = Path(__file__).parents[3]
AZURE = load("azure")
ID = "abababab-abab-abab-abab-abababababab"
TAG = f"qrossover-{'ab' * 16}"
QUOTE = Quote(1.5, 4.0)
FORTE = "ionq.qpu.forte-1"
JOB = f"{BASE}/jobs/[^:]*"
WHOLE = "SubscriptionId=1;ResourceGroupName=g;WorkspaceName=w;ApiKey=secret;"
BEGUN = datetime(2026, 11, 25, 20, 47, 10, tzinfo=UTC).timestamp()
BATCH = batch_of(2, 3, 3)
ONE = batch_of(2)


# --- targets --------------------------------------------------------------------------------------


def test_targets_with_their_average_wait_in_seconds(at_azure):
    found = {device.name: device for device in AZURE.devices()}
    assert found[FORTE] == Device(FORTE, 36, "Available", online=True, wait=384.0)
    assert found["quantinuum.qpu.h2-1"].online  # degraded
    assert not found["rigetti.qpu.cepheus-1-36q"].online
    simulators = {name for name, device in found.items() if device.simulator}
    assert simulators == {"ionq.simulator", "quantinuum.sim.h2-1e", "pasqal.sim.emu-tn"}
    assert found["pasqal.sim.emu-tn"].qubits is None
    assert "microsoft.estimator" not in found
    assert {AZURE.origin_of(name) for name in simulators} == {"simulated"}
    assert AZURE.origin_of(FORTE) == "measured"


def test_names_of_targets(at_azure):
    AZURE.check(FORTE)
    for wrong in ("forte-1", "ionq", "ionq..qpu", "ionq/qpu", ""):
        with pytest.raises(ValueError, match=r"no Azure target: they look like ionq\.qpu\.forte-1"):
            AZURE.check(wrong)
    with pytest.raises(ValueError, match=r"azure lists no device 'ionq\.qpu\.x'"):
        AZURE.device("ionq.qpu.x")


def test_calibrations_are_ionqs_own_for_its_targets(at_azure):
    found = AZURE.calibration(FORTE)
    assert (found.device, found.backend, found.per_part) == (FORTE, "qpu.forte-1", False)
    assert found.natives["cz"] == "zz"
    assert [one.device for one in AZURE.history(FORTE, 0.0, 4e9)] == [FORTE]
    for ask in (AZURE.calibration, lambda target: AZURE.history(target, 0.0, 4e9)):
        with pytest.raises(Unsupported, match=r"calibration of quantinuum\.qpu\.h2-1"):
            ask("quantinuum.qpu.h2-1")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "AZURE_QUANTUM_CONNECTION_STRING_FILE"),
        ("SubscriptionId=1;ApiKey=secret", "lacks ResourceGroupName, WorkspaceName, QuantumEnd"),
        (f"{WHOLE}QuantumEndpoint=nowhere;", "no address"),
    ],
)
def test_a_connection_string_that_lacks_something_is_told_without_the_key(
    at_azure, monkeypatch, text, match
):
    monkeypatch.setenv("AZURE_QUANTUM_CONNECTION_STRING", text)
    with pytest.raises(NoAccount, match=match) as told:
        AZURE.devices()
    assert "secret" not in str(told.value)


# --- what is sent, and what it means --------------------------------------------------------------


def test_a_batch_is_a_job_for_each_circuit_and_its_own_comes_last(at_azure):
    assert AZURE.submit(FORTE, BATCH, TAG, QUOTE) == ID
    puts = at_azure.calls("PUT", JOB)
    ids = [request.path.rpartition("/")[2] for request in puts]
    others = [str(uuid.uuid5(uuid.UUID(ID), str(place))) for place in (1, 2)]
    assert ids == [*reversed(others), ID]
    for request in puts:
        sent = request.json()
        assert (sent["name"], sent["target"], sent["providerId"]) == (TAG, FORTE, "ionq")
        assert sent["inputParams"] == {"shots": 400, "error-mitigation": {"debias": False}}
        assert "sig=" not in sent["inputDataUri"]
        assert request.headers["x-ms-quantum-api-key"] == KEY


@pytest.mark.parametrize("device", ["ionq.simulator", "ionq.qpu.aria-1", FORTE])
def test_the_circuits_that_are_sent_have_qiskits_distribution(at_azure, device):
    AZURE.submit(device, BATCH, TAG, QUOTE)
    for job, circuit in zip(reversed(at_azure.tagged(TAG)), BATCH.circuits, strict=True):
        sent = json.loads(at_azure.blobs[f"job-{job.id}/inputData"])
        assert sent["gateset"] == "native"
        theirs = probabilities(sent["qubits"], sent["circuit"])
        for outcome, probability in exact(circuit).items():
            assert theirs.get(str(int(outcome, 2)), 0.0) == pytest.approx(probability, abs=1e-9)


def test_counts_come_back_in_order_with_the_first_qubit_rightmost(at_azure):
    job = AZURE.submit(FORTE, BATCH, TAG, QUOTE)
    for counts, circuit in zip(AZURE.result(FORTE, job, BATCH), BATCH.circuits, strict=True):
        assert sum(counts.values()) == SHOTS
        assert distance(counts, circuit) < NOISE


def test_the_simulators_exact_answer_becomes_shots_that_repeat(at_azure):
    job = AZURE.submit("ionq.simulator", BATCH, TAG, QUOTE)
    found = AZURE.result("ionq.simulator", job, BATCH)
    assert found == AZURE.result("ionq.simulator", job, BATCH)
    for counts, circuit in zip(found, BATCH.circuits, strict=True):
        assert sum(counts.values()) == SHOTS
        assert 0 < distance(counts, circuit) < NOISE


def test_other_targets_are_refused_since_they_compile_anew(at_azure):
    for device in ("quantinuum.qpu.h2-1", "rigetti.qpu.cepheus-1-36q"):
        with pytest.raises(ValueError, match=f"{device} compiles it anew"):
            AZURE.quote(device, BATCH, Price(task=1.0))
        with pytest.raises(Rejected, match="compiles it anew"):
            AZURE.submit(device, BATCH, TAG, QUOTE)
    assert at_azure.requests == []


def test_a_canary_goes_all_the_way(at_azure):
    at_azure.polls = 3
    settings = {"widths": (2, 3), "depths": (2, 4), "circuits": 2, "shots": 50}
    canary = MirrorCircuits(provider="azure", device=FORTE, usd_per_task=1.5, **settings)
    order = canary.prepare()
    assert order.quote == Quote(usd=12.0)
    job = canary.submit(order, TAG)
    assert canary.find(order, TAG) == job == ID
    assert canary.collect(order, job) == Progress("queued", "Waiting")
    assert canary.collect(order, job) == Progress("running", "Executing", started=BEGUN)
    found = canary.collect(order, job)
    values = {r.target: r.value for r in found.readings if r.signal.endswith("polarization")}
    assert values == dict.fromkeys([f"{FORTE}/w{w}-d{d}" for w in (2, 3) for d in (2, 4)], 1.0)
    assert (found.usd, found.qpu_seconds) == (8 * 12.5, None)
    assert (found.started, found.ended) == (BEGUN, BEGUN + 12.5)


# --- what it costs --------------------------------------------------------------------------------


def test_the_price_is_the_users_and_the_simulator_is_free(at_azure):
    assert AZURE.quote(FORTE, BATCH, Price(task=2.0, shot=0.01)) == Quote(3 * (2 + 4))
    assert AZURE.quote("ionq.simulator", BATCH, Price()) == Quote()
    with pytest.raises(Unpriced, match="usd_per_task"):
        AZURE.quote(FORTE, BATCH, Price())
    with pytest.raises(Unpriced, match="how long"):
        AZURE.quote(FORTE, BATCH, Price(task=1.0, qpu_second=1.0))


def test_the_cost_is_known_once_it_is_of_every_circuit(at_azure):
    job = AZURE.submit(FORTE, BATCH, TAG, QUOTE)
    assert AZURE.cost(FORTE, job, BATCH, QUOTE) == Cost(37.5)
    for other in (None, {"currencyCode": "EUR", "events": [], "estimatedTotal": 11.0}):
        at_azure.tagged(TAG)[0].more = {"costEstimate": other}
        assert AZURE.cost(FORTE, job, BATCH, QUOTE) == Cost()


# --- the life of a job ----------------------------------------------------------------------------


@pytest.mark.parametrize("conflicts", [False, True])
def test_a_second_submission_finds_the_first_ones_jobs(at_azure, conflicts):
    at_azure.conflicts = conflicts
    first = AZURE.submit(FORTE, BATCH, TAG, QUOTE)
    assert AZURE.submit(FORTE, BATCH, TAG, QUOTE) == first == ID
    jobs = at_azure.tagged(TAG)
    assert len(jobs) == len(at_azure.jobs) == 3
    assert {job.puts for job in jobs} == {2}


def test_a_batch_that_waits_for_days_is_looked_at_and_never_sent_again(at_azure):
    at_azure.polls = 12
    job = AZURE.submit(FORTE, BATCH, TAG, QUOTE)
    seen = [AZURE.status(FORTE, job) for _ in range(13)]
    words = dict.fromkeys((status.word, status.state) for status in seen)
    assert list(words) == [("Waiting", "queued"), ("Executing", "running"), ("Succeeded", "done")]
    assert len(at_azure.calls("PUT", JOB)) == 3


@pytest.mark.parametrize(
    ("more", "state", "reason"),
    [
        ({"status": "Cancelled"}, "cancelled", ""),
        ({"status": "CancellationRequested"}, "running", ""),
        ({"status": "Dreaming"}, "unknown", ""),
        ({"status": "Failed"}, "failed", "Azure gives no reason"),
        (
            {"status": "Failed", "errorData": {"code": "JobFailed", "message": "too many gates"}},
            "failed",
            "JobFailed: too many gates",
        ),
    ],
)
def test_words_go_through_a_closed_table_whichever_circuits_they_are(at_azure, more, state, reason):
    job = AZURE.submit(FORTE, BATCH, TAG, QUOTE)
    for one in at_azure.tagged(TAG):
        one.more = more
        status = AZURE.status(FORTE, job)
        assert (status.state, status.word, status.reason) == (state, more["status"], reason)
        one.more = {}


def test_a_batch_runs_from_its_first_circuits_start_on(at_azure):
    job = AZURE.submit(FORTE, BATCH, TAG, QUOTE)
    at_azure.tagged(TAG)[0].more = {"status": "Waiting"}
    status = AZURE.status(FORTE, job)
    assert (status.state, status.word) == ("running", "Waiting")
    assert (status.started, status.ended) == (BEGUN, None)


def test_a_batch_of_which_a_job_is_gone_is_gone(at_azure):
    job = AZURE.submit(FORTE, BATCH, TAG, QUOTE)
    del at_azure.jobs[at_azure.tagged(TAG)[0].id]
    assert AZURE.status(FORTE, job).state == "gone"
    at_azure.jobs.clear()
    assert AZURE.status(FORTE, job).state == "gone"


def test_a_job_of_somebody_else_is_told(at_azure):
    job = AZURE.submit(FORTE, BATCH, TAG, QUOTE)
    at_azure.jobs[job].more = {"metadata": None}
    with pytest.raises(ValueError, match="it is none of ours"):
        AZURE.status(FORTE, job)


def test_a_cancellation_is_asked_for_where_it_can_still_matter(at_azure):
    at_azure.polls = 9
    job = AZURE.submit(FORTE, BATCH, TAG, QUOTE)
    at_azure.tagged(TAG)[0].word = "Failed"
    AZURE.cancel(FORTE, job)
    assert len(at_azure.calls("POST", ".*:cancel")) == 2
    assert AZURE.status(FORTE, job).state == "cancelled"


# --- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("method_and_path", [("POST", ".*/sasUri"), ("PUT", JOB)])
def test_a_clear_no_before_any_job_is_a_rejection(at_azure, status, method_and_path):
    body = '{"error": {"code": "X", "message": "made to fail"}}'
    at_azure.fail(Fault(*method_and_path, status=status, body=body))
    with pytest.raises(Rejected, match=f"HTTP {status}.*made to fail") as told:
        AZURE.submit(FORTE, BATCH, TAG, QUOTE)
    assert ("CONNECTION_STRING right" in str(told.value)) == (status in (401, 403))
    assert at_azure.jobs == {}


def test_a_no_after_some_jobs_is_doubt_and_the_batch_is_not_there(at_azure):
    at_azure.fail(Fault("PUT", f"{BASE}/jobs/{ID}", status=400))
    with pytest.raises(RuntimeError, match=r"only some of the batch's jobs exist: .*HTTP 400"):
        AZURE.submit(FORTE, BATCH, TAG, QUOTE)
    assert len(at_azure.jobs) == 2
    assert AZURE.find(FORTE, TAG) is None
    assert AZURE.submit(FORTE, BATCH, TAG, QUOTE) == ID
    assert sorted(job.puts for job in at_azure.tagged(TAG)) == [1, 2, 2]


def test_patience_asked_for_after_some_jobs_is_doubt_too(at_azure):
    at_azure.fail(Fault("PUT", f"{BASE}/jobs/{ID}", status=429))
    with pytest.raises(RuntimeError, match=r"only some of the batch's jobs exist: .*HTTP 429"):
        AZURE.submit(FORTE, BATCH, TAG, QUOTE)
    assert AZURE.find(FORTE, TAG) is None


def test_a_wrong_key_and_too_many_shots_are_refused(at_azure, monkeypatch):
    with pytest.raises(Rejected, match="shots must be between"):
        AZURE.submit(FORTE, Batch(BATCH.circuits, BATCH.chains, 20_000), TAG, QUOTE)
    monkeypatch.setenv("AZURE_QUANTUM_CONNECTION_STRING", at_azure.connection.replace(KEY, "old"))
    with pytest.raises(Rejected, match="HTTP 401: the key is not valid; is AZURE_QUANTUM_CONN"):
        AZURE.submit(FORTE, BATCH, TAG, QUOTE)


@pytest.mark.parametrize("path", [".*/sasUri", JOB])
def test_patience_is_asked_for_with_seconds(at_azure, path):
    at_azure.fail(Fault(path=path, status=429, headers=(("Retry-After", "17"),)))
    with pytest.raises(TryLater, match="HTTP 429") as told:
        AZURE.submit(FORTE, BATCH, TAG, QUOTE)
    assert told.value.seconds == 17
    assert at_azure.jobs == {}


@pytest.mark.parametrize("stores", [False, True])
@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 503}, {"drop": True}])
def test_doubt_is_one_request_and_find_answers_it(at_azure, fault, stores):
    at_azure.fail(*[Fault("PUT", JOB, stores=stores, **fault)] * 2)
    for attempt in (1, 2):
        with pytest.raises((Refused, ServiceRequestError, ServiceResponseError)):
            AZURE.submit(FORTE, ONE, TAG, QUOTE)
        assert len(at_azure.calls("PUT", JOB)) == attempt
        assert AZURE.find(FORTE, TAG) == (ID if stores else None)
    assert AZURE.submit(FORTE, ONE, TAG, QUOTE) == ID
    assert len(at_azure.jobs) == 1


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 403}, {"drop": True}])
def test_an_input_that_cannot_be_laid_down_makes_no_job(at_azure, fault):
    at_azure.fail(Fault("PUT", "/account/.*", **fault))
    with pytest.raises((Refused, Rejected, ServiceRequestError, ServiceResponseError)):
        AZURE.submit(FORTE, BATCH, TAG, QUOTE)
    assert len(at_azure.calls("PUT")) == 1
    assert AZURE.find(FORTE, TAG) is None


def test_only_a_clear_answer_is_that_there_is_none(at_azure):
    at_azure.fail(Fault("GET", JOB, status=500))
    with pytest.raises(Refused, match="HTTP 500"):
        AZURE.find(FORTE, TAG)
    assert AZURE.find(FORTE, TAG) is None


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "no histogram"),
        (b"<html>", "no histogram"),
        (b"[1]", "no histogram"),
        (b'{"duration": 1}', "no histogram"),
        (b'{"histogram": []}', "not probabilities by state"),
        (b'{"histogram": {"4": 1}}', "'4' is no state of 2 qubits"),
        (b'{"histogram": {"0": 0.5}}', "200 shots came back instead of 400"),
    ],
)
def test_an_output_that_is_not_what_was_asked_for_is_unreadable(at_azure, content, match):
    job = AZURE.submit(FORTE, ONE, TAG, QUOTE)
    at_azure.blobs[f"job-{job}/rawOutputData"] = content
    with pytest.raises(Unreadable, match=match):
        AZURE.result(FORTE, job, ONE)


def test_a_job_without_output_is_unreadable(at_azure):
    job = AZURE.submit(FORTE, ONE, TAG, QUOTE)
    at_azure.jobs[job].more = {"outputDataUri": None}
    with pytest.raises(Unreadable, match=f"Azure job {ID} has no output"):
        AZURE.result(FORTE, job, ONE)


def test_the_module_loads_no_sdk():
    program = """
import sys
from probes.quantum.providers import load
load("azure").check("ionq.qpu.forte-1")
heavy = ("azure.core", "azure.quantum", "httpx", "numpy", "qiskit")
assert not (loaded := [name for name in heavy if name in sys.modules]), loaded
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=os.environ, check=True)
