"""A job at IBM Quantum, over REST on loopback: its life, and what goes wrong in it."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from ibm_server import submission
from loopback import Fault
from qiskit import QuantumCircuit

from probes.quantum.batch import Batch
from probes.quantum.clouds.rest import Refused, Unreached
from probes.quantum.mirror import MirrorCircuits
from probes.quantum.provider import Cost, Price
from probes.queued import Rejected, TryLater, Unreadable
from storage.types import Order, Progress, Quote, Result

DEVICE = "ibm_kingston"
TAG = "qrossover-0123456789abcdef0123456789abcdef"
QUOTE = Quote(1.5, 4.0)


# --- a job's life ------------------------------------------------------------------------------


def test_from_the_list_of_devices_to_counts_and_cost(ibm, server, batch):
    assert ibm.device(DEVICE).online
    assert ibm.calibration(DEVICE).backend == DEVICE
    assert ibm.quote(DEVICE, batch, Price()).usd == 0
    assert ibm.find(DEVICE, TAG) is None
    server.words = ("Queued",) * 4 + ("Running", "Completed")
    job = ibm.submit(DEVICE, batch, TAG, QUOTE)
    assert ibm.find(DEVICE, TAG) == job
    looks = [ibm.status(DEVICE, job) for _ in range(7)]
    assert [look.state for look in looks] == ["queued"] * 4 + ["running", "done", "done"]
    assert (looks[0].started, looks[0].position) == (None, None)
    created = round(server.jobs[0].created, 3)
    assert looks[4].started == pytest.approx(created + 7200, abs=0.002)
    assert looks[4].ended is None
    assert looks[5].ended - looks[5].started == pytest.approx(12.5, abs=0.002)
    # qubit 0 of either circuit comes rightmost, wherever it is on the device
    assert ibm.result(DEVICE, job, batch) == [{"001": 40}, {"10": 40}]
    assert ibm.cost(DEVICE, job, batch, QUOTE) == Cost(qpu_seconds=3.0)


def test_ibm_ends_a_job_where_its_quote_ends_whatever_the_device_says_by_then(ibm, server, batch):
    for seconds in (4.0, 7.0):
        ibm.submit(DEVICE, batch, TAG, Quote(qpu_seconds=seconds))
    assert [job.body["cost"] for job in server.jobs] == [4, 7]


def test_counts_are_of_each_circuit_in_the_batchs_order(ibm, server, batch):
    server.outcomes = [{"110": 30, "000": 10}, {"01": 40}]
    job = ibm.submit(DEVICE, batch, TAG, QUOTE)
    assert ibm.result(DEVICE, job, batch) == [{"110": 30, "000": 10}, {"01": 40}]


@pytest.mark.parametrize("device", ["ibm_kingston", "ibm_sherbrooke"])
def test_a_canary_on_a_perfect_device_is_answered_perfectly(device, server):
    """Planned, sent as JSON between the steps, and read, as the service does it."""
    server.words = ("Queued", "Completed")
    probe = MirrorCircuits(
        provider="ibm", device=device, widths=(3,), depths=(2, 8), circuits=2, shots=50
    )
    order = Order.from_json(json.loads(json.dumps(asdict(probe.prepare()))))
    job = probe.submit(order, TAG)
    assert server.jobs[0].body["cost"] == order.quote.qpu_seconds  # IBM ends it there
    assert isinstance(probe.collect(order, job), Progress)
    result = probe.collect(order, job)
    assert isinstance(result, Result)
    values = {each.target: (each.value, each.origin) for each in result.readings}
    assert values[f"{device}/w3-d8"] == (1.0, "measured")
    assert result.qpu_seconds == 3.0


# --- submitting, where something goes wrong ----------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
def test_a_refusal_is_certain(status, ibm, server, batch):
    body = '{"errors": [{"code": "1", "message": "no such luck"}]}'
    server.fail(submission(status=status, body=body))
    with pytest.raises(Rejected, match=f"HTTP {status} to POST .*/jobs: no such luck"):
        ibm.submit(DEVICE, batch, TAG, QUOTE)
    assert len(server.calls("POST", "/jobs")) == 1
    assert server.jobs == []


@pytest.mark.parametrize("stores", [False, True])
@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_failure_of_the_server_leaves_a_doubt_that_find_ends(status, stores, ibm, server, batch):
    server.fail(*[submission(status=status, body="<html>", stores=stores)] * 2)
    with pytest.raises(Refused, match=f"HTTP {status}") as raised:
        ibm.submit(DEVICE, batch, TAG, QUOTE)
    assert not isinstance(raised.value, Rejected)
    assert len(server.calls("POST", "/jobs")) == 1  # the second failure has met nobody
    assert len(server.with_tag(TAG)) == int(stores)
    assert ibm.find(DEVICE, TAG) == (server.jobs[0].id if stores else None)


@pytest.mark.parametrize("stores", [False, True])
def test_a_connection_that_breaks_leaves_the_same_doubt(stores, ibm, server, batch):
    server.fail(submission(drop=True, stores=stores))
    with pytest.raises(Unreached, match=r"IBM Cloud does not answer at 127\.0\.0\.1:\d+: "):
        ibm.submit(DEVICE, batch, TAG, QUOTE)
    assert len(server.calls("POST", "/jobs")) == 1
    assert ibm.find(DEVICE, TAG) == (server.jobs[0].id if stores else None)


@pytest.mark.parametrize("body", ["", "{}", "<html>", "[1]"])
def test_an_answer_without_an_id_is_a_doubt(body, ibm, server, batch):
    server.fail(submission(status=200, body=body, stores=True))
    with pytest.raises(ValueError, match=r"without its id|no JSON"):
        ibm.submit(DEVICE, batch, TAG, QUOTE)
    assert ibm.find(DEVICE, TAG) == server.jobs[0].id


def in_a_minute():
    return format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True)


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7), (in_a_minute, 60), ("soon", None), (None, None)]
)
def test_too_many_requests_are_told_with_the_time_to_wait(header, seconds, ibm, server, batch):
    header = header() if callable(header) else header
    headers = (("Retry-After", header),) if header else ()
    server.fail(submission(status=429, body="slower", headers=headers))
    with pytest.raises(TryLater, match=r"HTTP 429 .*slower") as told:
        ibm.submit(DEVICE, batch, TAG, QUOTE)
    assert told.value.seconds == (None if seconds is None else pytest.approx(seconds, abs=30))
    assert len(server.calls("POST", "/jobs")) == 1
    assert server.jobs == []


@pytest.mark.parametrize("path", ["/backends", "/identity/token"])
def test_patience_is_asked_for_in_reads_too(path, ibm, server):
    method = "POST" if path == "/identity/token" else "GET"
    server.fail(Fault(method, path, status=429, headers=(("Retry-After", "30"),)))
    with pytest.raises(TryLater) as told:
        ibm.devices()
    assert told.value.seconds == 30


@pytest.mark.parametrize("status", [401, 403, 500])
def test_reads_tell_status_and_words_and_ask_once(status, ibm, server):
    server.fail(Fault(path="/backends", status=status, body="plain words"))
    with pytest.raises(Refused, match=f"HTTP {status} to GET .*/backends: plain words") as told:
        ibm.devices()
    assert told.value.status == status
    assert len(server.calls("GET", "/backends")) == 1


def test_a_batch_that_the_device_cannot_run_is_not_sent(ibm, server):
    far = QuantumCircuit(2)
    far.cz(0, 1)
    far.measure_all()
    with pytest.raises(ValueError, match="the device states no 'cz' on 0-9"):
        ibm.quote(DEVICE, Batch([far], [(0, 9)], 10), Price())
    assert server.calls("POST", "/jobs") == []


# --- finding -----------------------------------------------------------------------------------


def test_another_tags_job_is_not_ours(ibm, server, batch):
    ibm.submit(DEVICE, batch, TAG[:-1] + "0", QUOTE)
    assert ibm.find(DEVICE, TAG) is None


@pytest.mark.parametrize(
    "body", ['{"jobs": [{"id": "d1", "tags": []}]}', '{"jobs": [{"id": "d1"}]}', "{}", "null"]
)
def test_a_list_that_cannot_be_relied_on_is_no_clear_no(body, ibm, server):
    server.fail(Fault(path="/jobs", status=200, body=body))
    with pytest.raises(RuntimeError, match=f"asked for the jobs with tag {TAG} and listed others"):
        ibm.find(DEVICE, TAG)


def test_of_two_jobs_the_first_is_ours(ibm, server, batch):
    ids = [ibm.submit(DEVICE, batch, TAG, QUOTE) for _ in range(2)]
    assert ibm.find(DEVICE, TAG) == ids[0]


# --- states ------------------------------------------------------------------------------------


def test_a_word_that_nobody_knows_is_unknown(ibm, server, batch):
    server.words = ("Levitating",)
    found = ibm.status(DEVICE, ibm.submit(DEVICE, batch, TAG, QUOTE))
    assert (found.state, found.word) == ("unknown", "Levitating")


@pytest.mark.parametrize("body", ["{}", '{"state": null}', '{"state": {}}'])
def test_a_job_without_a_word_is_unknown(body, ibm, server):
    server.fail(Fault(path="/jobs/d1", status=200, body=body))
    assert ibm.status(DEVICE, "d1").state == "unknown"


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        ({}, ""),
        ({"reason": "Not enough qubits"}, "Not enough qubits"),
        (
            {"reason": "Bad", "reason_code": 1517, "reason_solution": "Transpile."},
            "error 1517: Bad Transpile.",
        ),
        ({"reason_code": 9999}, "error 9999:"),
    ],
)
def test_a_failure_is_told_as_far_as_ibm_tells_it(details, reason, ibm, server, batch):
    server.words = ("Failed",)
    job = ibm.submit(DEVICE, batch, TAG, QUOTE)
    server.jobs[0].state = details
    found = ibm.status(DEVICE, job)
    assert (found.state, found.word, found.reason) == ("failed", "Failed", reason)
    assert ibm.cost(DEVICE, job, batch, QUOTE).qpu_seconds == 3.0  # a failure is not free


@pytest.mark.parametrize("state", [{"reason_code": 1305}, {"status": "Cancelled - Ran too long"}])
def test_a_job_that_ran_too_long_has_failed(state, ibm, server, batch):
    server.words = ("Cancelled",)
    job = ibm.submit(DEVICE, batch, TAG, QUOTE)
    server.jobs[0].state = state
    found = ibm.status(DEVICE, job)
    assert (found.state, found.word) == ("failed", "Cancelled - Ran too long")


def test_cancelling_and_being_cancelled_by_somebody_else(ibm, server, batch):
    server.words = ("Queued",)
    ours, theirs = (ibm.submit(DEVICE, batch, TAG, QUOTE) for _ in range(2))
    ibm.cancel(DEVICE, ours)
    assert ibm.status(DEVICE, ours).state == "cancelled"
    assert ibm.status(DEVICE, theirs).state == "queued"
    server.jobs[1].words.append("Cancelled")
    found = ibm.status(DEVICE, theirs)
    assert (found.state, found.ended) == ("cancelled", None)
    ibm.cancel(DEVICE, theirs)  # it has ended already: nothing is left to ask for


def test_a_job_that_ibm_does_not_know_is_gone(ibm):
    found = ibm.status(DEVICE, "d404")
    assert found.state == "gone"
    assert "Job not found. Job ID: d404" in found.reason


def test_usage_that_is_not_settled_is_not_known(ibm, server, batch):
    job = ibm.submit(DEVICE, batch, TAG, QUOTE)
    server.jobs[0].metrics = {"usage": {"qpu_charge_time_seconds": 1.0, "status": "pending"}}
    assert ibm.cost(DEVICE, job, batch, QUOTE) == Cost()
    server.fail(Fault(path=".*/metrics", status=404))
    assert ibm.cost(DEVICE, job, batch, QUOTE) == Cost()


# --- results that say something else -----------------------------------------------------------


@pytest.mark.parametrize(
    ("results", "told"),
    [
        ("", "not in IBM's encoding"),
        ("<html>", "not in IBM's encoding"),
        ("{}", "no sampler's"),
        ('{"__type__": "QuantumCircuit", "__value__": "AAAA"}', "not in IBM's encoding"),
        ('{"__type__": "PrimitiveResult", "__value__": {"pub_results": 3}}', "not in IBM's"),
        (
            '{"__type__": "PrimitiveResult", "__value__": {"pub_results": [], "metadata": {}}}',
            "has 0 circuits' outcomes, 2 were sent",
        ),
    ],
)
def test_a_result_that_is_none_is_unreadable(results, told, ibm, server, batch):
    job = ibm.submit(DEVICE, batch, TAG, QUOTE)
    server.jobs[0].results = results
    with pytest.raises(Unreadable, match=told):
        ibm.result(DEVICE, job, batch)


@pytest.mark.parametrize(
    ("outcomes", "told"),
    [
        ([{"000": 39}, {"00": 40}], "39 shots of 3 bits, 40 of 3 were asked for"),
        ([{"000": 40}, {"00": 41}], "41 shots of 2 bits, 40 of 2 were asked for"),
    ],
)
def test_outcomes_of_another_size_are_unreadable(outcomes, told, ibm, server, batch):
    server.outcomes = outcomes
    job = ibm.submit(DEVICE, batch, TAG, QUOTE)
    with pytest.raises(Unreadable, match=told):
        ibm.result(DEVICE, job, batch)


def test_outcomes_of_other_circuits_are_unreadable(ibm, server, batch):
    swapped = Batch(batch.circuits[::-1], batch.chains[::-1], batch.shots)
    job = ibm.submit(DEVICE, batch, TAG, QUOTE)
    with pytest.raises(Unreadable, match="40 shots of 3 bits, 40 of 2 were asked for"):
        ibm.result(DEVICE, job, swapped)
