"""Results of Amazon Braket's tasks, and what is none."""

import json
import re

import pytest
from braket_jobs import NAME, flips, submitted
from braket_server import fault

from probes.quantum.clouds.rest import Refused
from probes.queued import Unreadable

pytest.importorskip("boto3", reason="Amazon Braket needs qrossover[braket]")


def completed(braket, server, **how):
    """A batch, its completed job, the server's task and its results."""
    sent, job, task = submitted(braket, server, **how)
    assert braket.status(NAME, job).state == "done"
    (content,) = server.objects.values()
    return sent, job, task, json.loads(content)


FAILED = {"failureMetadata": {"failureReason": "no pulse", "category": "DEVICE", "retryable": True}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda doc, one: doc["programResults"].pop(), "1 circuits came back of 2"),
        (lambda doc, one: one[0]["measurements"].pop(), "has 19 outcomes of 20 shots"),
        (lambda doc, one: one[0].pop("measurements"), "has 0 outcomes of 20 shots"),
        (lambda doc, one: one[0]["measurements"][3].pop(), "'00' is no outcome of 3 qubits"),
        (lambda doc, one: one[0].update(measuredQubits=[1, 2, 3]), "qubits [1, 2, 3] were"),
        (lambda doc, one: one[0].pop("measuredQubits"), "not of Braket's schema (KeyError"),
        (lambda doc, one: one.__setitem__(0, FAILED), "a circuit failed: no pulse (DEVICE)"),
        (lambda doc, one: doc.update(programResults=3), "not of Braket's schema (TypeError"),
    ],
)
def test_a_malformed_result_is_told(braket, braket_server, change, words):
    sent, job, task, document = completed(braket, braket_server)
    change(document, document["programResults"][0]["executableResults"])
    braket_server.put(task, "results.json", document)
    with pytest.raises(Unreadable, match=re.escape(words)):
        braket.result(NAME, job, sent)


@pytest.mark.parametrize(("content", "words"), [(b"<html>", "is no JSON"), (b"[1]", "schema")])
def test_a_result_that_is_no_document(braket, braket_server, content, words):
    sent, job, task, _ = completed(braket, braket_server, circuits=1)
    braket_server.put(task, "results.json", content)
    with pytest.raises(Unreadable, match=words):
        braket.result(NAME, job, sent)


def test_a_result_that_is_not_there(braket, braket_server):
    sent, job, _, _ = completed(braket, braket_server)
    braket_server.objects.clear()
    with pytest.raises(Unreadable, match="no results at s3://amazon-braket-loopback/qrossover/"):
        braket.result(NAME, job, sent)


def test_a_bucket_that_may_not_be_read_is_no_malformed_result(braket, braket_server):
    sent, job, _ = submitted(braket, braket_server)
    braket_server.fail(fault("GetObject", status=403, error="AccessDenied"))
    with pytest.raises(Refused, match="GetObject with HTTP 403"):
        braket.result(NAME, job, sent)


def test_parts_of_a_result_may_lie_in_files_of_their_own(braket, braket_server):
    braket_server.play = flips
    sent, job, task, document = completed(braket, braket_server)
    (key,) = braket_server.objects
    bucket, _, folder = key.removesuffix("/results.json").partition("/")
    for number, program in enumerate(document["programResults"]):
        (executable,) = program["executableResults"]
        braket_server.put(task, f"programs/{number}/executables/0.json", executable)
        program["executableResults"] = ["executables/0.json"]
        braket_server.put(task, f"programs/{number}/results.json", program)
    names = [f"programs/{number}/results.json" for number in range(2)]
    document |= {"programResults": names, "s3Location": [bucket, folder]}
    braket_server.put(task, "results.json", document)
    assert braket.result(NAME, job, sent) == [{"001": 20}] * 2


def test_some_machines_give_frequencies(braket, braket_server):
    sent, job, task, document = completed(braket, braket_server, circuits=1)
    del document["measurements"]
    # columns are the qubits 9, 10 and 14; the circuit's are 14, 9, 10
    document["measurementProbabilities"] = {"001": 0.85, "110": 0.15}
    braket_server.put(task, "results.json", document)
    assert braket.result(NAME, job, sent) == [{"001": 17, "110": 3}]
    document["measurementProbabilities"] = {"001": 0.5}
    braket_server.put(task, "results.json", document)
    with pytest.raises(Unreadable, match="10 outcomes of 20 shots"):
        braket.result(NAME, job, sent)
