"""Jobs at IonQ: their life, and all that goes wrong, against a server on loopback."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from ionq_server import AGGREGATE
from loopback import Fault
from native_batches import batch_of

from probes.quantum.clouds.rest import Refused, Unreached
from probes.quantum.mirror import MirrorCircuits
from probes.quantum.providers import load
from probes.queued import Rejected, TryLater, Unreadable
from storage.types import Progress, Quote

IONQ = load("ionq")
TAG = f"qrossover-{'ab' * 16}"
QUOTE = Quote(1.5, 4.0)
FORTE = "qpu.forte-1"
JOBS = "/jobs"
BEGUN = datetime(2026, 11, 25, 20, 47, 10, tzinfo=UTC).timestamp()
BATCH = batch_of(2, 3, 3)

# --- the life of a job ----------------------------------------------------------------------------


def test_a_job_that_waits_for_days_is_looked_at_and_never_sent_again(at_ionq):
    at_ionq.polls = 12
    job = IONQ.submit(FORTE, BATCH, TAG, QUOTE)
    seen = [IONQ.status(FORTE, job) for _ in range(13)]
    words = dict.fromkeys((status.word, status.state) for status in seen)
    assert list(words) == [("ready", "queued"), ("started", "running"), ("completed", "done")]
    assert (seen[0].started, seen[0].ended) == (None, None)
    assert (seen[-1].started, seen[-1].ended) == (BEGUN, BEGUN + 12.5)
    assert len(at_ionq.calls("POST")) == 1


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
def test_words_go_through_a_closed_table(at_ionq, more, state, reason):
    job = IONQ.submit(FORTE, BATCH, TAG, QUOTE)
    at_ionq.jobs[job].more = more
    status = IONQ.status(FORTE, job)
    assert (status.state, status.word, status.reason) == (state, more["status"], reason)


def test_a_job_can_be_cancelled_and_one_that_is_not_there_is_gone(at_ionq):
    at_ionq.polls = 9
    job = IONQ.submit(FORTE, BATCH, TAG, QUOTE)
    IONQ.cancel(FORTE, job)
    assert IONQ.status(FORTE, job).state == "cancelled"
    del at_ionq.jobs[job]
    assert IONQ.status(FORTE, job).state == "gone"


def test_a_canary_goes_all_the_way(at_ionq):
    at_ionq.polls = 2
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
def test_a_clear_no_is_a_rejection(at_ionq, status):
    at_ionq.fail(Fault("POST", JOBS, status=status))
    with pytest.raises(Rejected, match=f"HTTP {status}: made to fail") as told:
        IONQ.submit(FORTE, BATCH, TAG, QUOTE)
    assert ("IONQ_API_KEY" in str(told.value)) == (status in (401, 403))
    assert len(at_ionq.calls("POST")) == 1


def test_what_ionq_would_refuse_is_refused_before_or_by_it(at_ionq, monkeypatch):
    with pytest.raises(Rejected, match="shots must be between"):
        IONQ.submit(FORTE, replace(BATCH, shots=0), TAG, QUOTE)
    with pytest.raises(Rejected, match=r"not known which native entangling gate qpu\.tempo-1"):
        IONQ.submit("qpu.tempo-1", BATCH, TAG, QUOTE)
    monkeypatch.setenv("IONQ_API_KEY", "wrong")
    with pytest.raises(Rejected, match="HTTP 401: invalid key provided; is IONQ_API_KEY right"):
        IONQ.submit(FORTE, BATCH, TAG, QUOTE)
    assert at_ionq.jobs == {}


@pytest.mark.parametrize(
    ("given", "seconds"), [("17", 17.0), ("Thu, 01 Jan 2026 00:00:00 GMT", 0.0), ("soon", None)]
)
def test_patience_is_asked_for_with_or_without_seconds(at_ionq, given, seconds):
    at_ionq.fail(Fault("POST", JOBS, status=429, headers=(("Retry-After", given),)))
    with pytest.raises(TryLater, match="HTTP 429") as told:
        IONQ.submit(FORTE, BATCH, TAG, QUOTE)
    assert told.value.seconds == seconds
    assert len(at_ionq.calls("POST")) == 1


@pytest.mark.parametrize("stores", [False, True])
@pytest.mark.parametrize(
    "fault", [{"status": 500}, {"status": 502, "body": "<html>"}, {"drop": True}]
)
def test_doubt_is_one_request_and_find_answers_it(at_ionq, fault, stores):
    at_ionq.fail(Fault("POST", JOBS, stores=stores, **fault))
    with pytest.raises((Refused, Unreached)):
        IONQ.submit(FORTE, BATCH, TAG, QUOTE)
    assert len(at_ionq.calls("POST")) == 1
    found = IONQ.find(FORTE, TAG)
    assert found == (at_ionq.tagged(TAG)[0].id if stores else None)
    assert len(at_ionq.calls("POST")) == 1


def test_two_failures_in_a_row_are_two_submissions_of_the_caller_alone(at_ionq):
    at_ionq.fail(*[Fault("POST", JOBS, status=500)] * 2)
    for attempt in (1, 2):
        with pytest.raises(Refused, match="HTTP 500"):
            IONQ.submit(FORTE, BATCH, TAG, QUOTE)
        assert len(at_ionq.calls("POST")) == attempt
    assert IONQ.submit(FORTE, BATCH, TAG, QUOTE) == at_ionq.tagged(TAG)[0].id


def test_an_answer_that_is_no_json_is_doubt(at_ionq):
    at_ionq.fail(Fault("POST", JOBS, status=201, body="<html>Sign in</html>", stores=True))
    with pytest.raises(ValueError, match="no JSON: '<html>Sign in"):
        IONQ.submit(FORTE, BATCH, TAG, QUOTE)
    assert IONQ.find(FORTE, TAG) is not None


def test_find_walks_every_page_and_is_not_taken_in_by_the_children(at_ionq):
    job = IONQ.submit(FORTE, BATCH, TAG, QUOTE)
    for number in range(20):
        IONQ.submit(FORTE, BATCH, f"qrossover-{number:032x}", QUOTE)
    IONQ.submit("simulator", BATCH, f"qrossover-{'cd' * 16}", QUOTE)
    at_ionq.forget()
    assert IONQ.find(FORTE, TAG) == job
    assert len(at_ionq.calls("GET", JOBS)) == 4  # 21 jobs and their 63 children, 25 a page
    assert IONQ.find(FORTE, f"qrossover-{'cd' * 16}") is None
    at_ionq.fail(Fault("GET", JOBS, status=503))
    with pytest.raises(Refused, match="HTTP 503"):
        IONQ.find(FORTE, f"qrossover-{'ef' * 16}")


def test_a_list_that_never_ends_is_no_answer(at_ionq):
    again = '{"jobs": [], "next": "x"}'
    at_ionq.fail(*[Fault("GET", JOBS, status=200, body=again)] * 2)
    with pytest.raises(RuntimeError, match="begins again"):
        IONQ.find(FORTE, TAG)


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
def test_a_result_that_is_not_what_was_asked_for_is_unreadable(at_ionq, histograms, match):
    job = IONQ.submit(FORTE, BATCH, TAG, QUOTE)
    at_ionq.jobs[job].children = ["a", "b", "c"]
    at_ionq.jobs[job].histograms = histograms
    with pytest.raises(Unreadable, match=match):
        IONQ.result(FORTE, job, BATCH)


@pytest.mark.parametrize("results", [None, {}, {"probabilities": {"url": "/x"}}, {AGGREGATE: None}])
def test_a_job_without_its_results_is_unreadable(at_ionq, results):
    job = IONQ.submit(FORTE, BATCH, TAG, QUOTE)
    at_ionq.jobs[job].more = {"results": results}
    with pytest.raises(Unreadable, match="has no result ionq"):
        IONQ.result(FORTE, job, BATCH)


def test_simulated_probabilities_must_add_up(at_ionq):
    job = IONQ.submit("simulator", BATCH, TAG, QUOTE)
    children = at_ionq.jobs[job].children
    at_ionq.jobs[job].histograms = {child: {"0": 0.5} for child in children}
    with pytest.raises(Unreadable, match=r"add up to 0\.5"):
        IONQ.result("simulator", job, BATCH)
