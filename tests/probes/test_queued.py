"""Steps of queued work as they travel between the service and its children."""

from dataclasses import asdict

import pytest

from probes.__main__ import execute
from probes.queued import QueuedProbe, Rejected, TryLater, Unreadable
from storage.types import Order, Progress, Quote, Reading, Result, Signal

ORDER = Order("nowhere", "device", Quote(1.5, 2.0), {"circuits": "abc"}, 3.0)


class Works(QueuedProbe):
    """A queue where everything goes well."""

    signals = (Signal("works.value", "1", "higher", "a number that came"),)

    def queued(self):
        return True

    def prepare(self):
        self.keep(seed=7)
        return ORDER

    def submit(self, order, tag):
        assert order == ORDER
        return f"job-of-{tag}"

    def find(self, order, tag):
        assert order == ORDER
        return None if tag == "unknown" else f"job-of-{tag}"

    def collect(self, order, job):
        if job == "waits":
            return Progress("queued", "QUEUED", position=3)
        reading = Reading("works.value", "device", 0.5, "measured", at=1e9)
        return Result((reading,), "COMPLETED", usd=1.25, started=10.0, ended=12.0)

    def cancel(self, order, job):
        self.keep(cancelled=job)


class Refuses(Works):
    """A queue that says no, in each of its ways."""

    def submit(self, order, tag):
        raise {"no": Rejected("too many shots"), "wait": TryLater("slow down", 30.0)}.get(
            tag, ConnectionError("reset")
        )

    def collect(self, order, job):
        raise Unreadable("3 results instead of 5")


def do(kind, step, **more):
    return execute(kind, {}, {"do": step, "order": asdict(ORDER), **more})


def test_an_order_travels_whole():
    done = execute(Works, {}, {"do": "prepare"})
    assert (done["outcome"], done["payload"]) == ("ok", {"seed": 7})
    assert done["answer"] == {"order": asdict(ORDER)}


def test_submitting_and_finding_answer_with_the_providers_id():
    assert do(Works, "submit", tag="t")["answer"] == {"remote": "job-of-t"}
    assert do(Works, "find", tag="t")["answer"] == {"remote": "job-of-t"}
    assert do(Works, "find", tag="unknown")["answer"] == {"remote": None}


def test_a_job_that_waits_is_progress_and_one_that_is_done_a_result_with_readings():
    waits = do(Works, "collect", remote="waits")
    assert waits["readings"] == []
    assert waits["answer"]["progress"] == asdict(Progress("queued", "QUEUED", position=3))
    done = do(Works, "collect", remote="j")
    assert [reading["value"] for reading in done["readings"]] == [0.5]
    assert done["answer"]["result"] == {
        "word": "COMPLETED",
        "usd": 1.25,
        "qpu_seconds": None,
        "started": 10.0,
        "ended": 12.0,
    }


def test_a_cancellation_is_asked_for():
    assert do(Works, "cancel", remote="j")["payload"] == {"cancelled": "j"}


def test_what_is_certain_of_a_failed_step_is_told_and_all_else_is_doubt():
    no = do(Refuses, "submit", tag="no")
    assert (no["outcome"], no["reason"]) == ("failed", "too many shots")
    assert no["answer"] == {"rejected": True, "bad": False, "missing": False}
    wait = do(Refuses, "submit", tag="wait")
    assert (wait["outcome"], wait["answer"]) == ("skipped", {"later": 30.0})
    doubt = do(Refuses, "submit", tag="else")
    nothing = {"rejected": False, "bad": False, "missing": False}
    assert (doubt["outcome"], doubt["answer"]) == ("failed", nothing)
    bad = do(Refuses, "collect", remote="j")
    assert bad["answer"] == {"rejected": False, "bad": True, "missing": False}


def test_a_queued_probe_promises_what_its_jobs_tell_too():
    names = {signal.name for signal in Works().promises()}
    assert {"works.value", "quantum.job.wait", "quantum.job.cost"} <= names


def test_a_probe_says_what_it_lacks():
    with pytest.raises(NotImplementedError):
        QueuedProbe().queued()
