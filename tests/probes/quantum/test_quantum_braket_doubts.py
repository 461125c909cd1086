"""Submissions to Amazon Braket that go wrong: at most one task, and a certain answer or none."""

import json

import pytest
from braket_data import GARNET
from braket_jobs import NAME, QUOTE, batch, tag
from braket_server import fault

from probes.quantum.batch import Batch
from probes.quantum.clouds.account import NoAccount
from probes.quantum.clouds.rest import Refused, Unreached
from probes.queued import Rejected, TryLater

pytest.importorskip("boto3", reason="Amazon Braket needs qrossover[braket]")

BROKEN = {"status": 500, "error": "InternalServiceException"}
BROKE = r"AWS does not answer at 127\.0\.0\.1:\d+: ConnectionClosedError"


def test_a_task_is_found_by_its_tag_among_others(braket, braket_server):
    braket_server.page = 2
    jobs = {mine: braket.submit(NAME, batch(), mine, QUOTE) for mine in (tag() for _ in range(5))}
    stranger = next(iter(braket_server.tasks.values()))
    stranger.more["tags"] = None  # somebody else's task has none
    mine = list(jobs)[4]
    assert braket.find(NAME, mine) == jobs[mine]
    assert braket.find(NAME, tag()) is None


@pytest.mark.parametrize(
    ("wrong", "made"),
    [
        (fault("CreateQuantumTask", **BROKEN), False),
        (fault("CreateQuantumTask", **BROKEN, stores=True), True),
        (fault("CreateQuantumTask", drop=True), False),
        (fault("CreateQuantumTask", drop=True, stores=True), True),
        (fault("CreateQuantumTask", status=503, error="ServiceUnavailable"), False),
    ],
)
def test_after_a_doubt_nothing_is_sent_again_and_find_tells(braket, braket_server, wrong, made):
    braket_server.fail(wrong, wrong)
    mine = tag()
    with pytest.raises((Refused, Unreached), match=rf"HTTP 50|{BROKE}") as doubt:
        braket.submit(NAME, batch(), mine, QUOTE)
    assert not isinstance(doubt.value, Rejected | TryLater)
    assert braket_server.count("CreateQuantumTask") == 1
    assert braket.find(NAME, mine) == (next(iter(braket_server.tasks)) if made else None)


def test_even_a_repeated_submission_makes_one_task(braket, braket_server):
    braket_server.hidden = 3600.0  # the search does not show it yet
    braket_server.fail(fault("CreateQuantumTask", drop=True, stores=True))
    mine = tag()
    with pytest.raises(Unreached, match=BROKE):
        braket.submit(NAME, batch(), mine, QUOTE)
    assert braket.find(NAME, mine) is None
    assert braket.submit(NAME, batch(), mine, QUOTE) == next(iter(braket_server.tasks))
    assert len(braket_server.tasks) == 1


def test_the_same_order_is_the_same_request_after_its_way_through_the_ledger(braket, braket_server):
    sent, mine = batch(), tag()
    first = braket.submit(NAME, sent, mine, QUOTE)
    back = Batch.from_json(json.loads(json.dumps(sent.as_json())))
    assert braket.submit(NAME, back, mine, QUOTE) == first  # else a conflict


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, "ValidationException"),
        (401, "Unauthorized"),
        (402, "ServiceQuotaExceededException"),
        (403, "AccessDeniedException"),
        (410, "DeviceRetiredException"),
        (424, "DeviceOfflineException"),
    ],
)
def test_a_no_is_certain(braket, braket_server, status, error):
    braket_server.fail(fault("CreateQuantumTask", status=status, error=error))
    with pytest.raises(Rejected, match=f"CreateQuantumTask with HTTP {status}: {error}"):
        braket.submit(NAME, batch(), tag(), QUOTE)
    assert braket_server.count("CreateQuantumTask") == 1
    assert not braket_server.tasks


def test_a_wrong_key_is_told(braket, braket_server, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASTRANGER")
    with pytest.raises(Rejected, match="HTTP 403: UnrecognizedClientException: The security token"):
        braket.submit(NAME, batch(), tag(), QUOTE)
    with pytest.raises(Refused, match="GetDevice with HTTP 403"):
        braket.device(NAME)


def test_no_key_is_told(braket, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(NoAccount, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        braket.device(NAME)


@pytest.mark.parametrize(("headers", "seconds"), [((("Retry-After", "17"),), 17.0), ((), None)])
def test_patience_is_asked_for(braket, braket_server, headers, seconds):
    braket_server.fail(
        *(
            fault(operation, status=429, error="ThrottlingException", headers=headers)
            for operation in ("CreateQuantumTask", "SearchQuantumTasks", "GetQuantumTask")
        )
    )
    for call in (
        lambda: braket.submit(NAME, batch(), tag(), QUOTE),
        lambda: braket.find(NAME, tag()),
        lambda: braket.status(NAME, f"{GARNET}-x"),
    ):
        with pytest.raises(TryLater, match="HTTP 429: ThrottlingException") as later:
            call()
        assert later.value.seconds == seconds
    assert len(braket_server.requests) == 3
    assert not braket_server.tasks


def test_a_find_that_fails_is_no_answer(braket, braket_server):
    braket_server.fail(fault("SearchQuantumTasks", **BROKEN))
    with pytest.raises(Refused, match="SearchQuantumTasks with HTTP 500"):
        braket.find(NAME, tag())
