"""The ledger on a real file: jobs from intent to end, and what is reserved and spent."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.ledger import TAG, Ledger, NotOpen, Spent
from storage.store import Store
from storage.types import OPEN_JOBS, Job, JobState, Order, Quote, Run

START = 1_700_000_000.0
ORDER = Order("ionq", "qpu.forte-1", Quote(1.5, 2.0), {"circuits": "abc"}, visible_after=3.0)


@pytest.fixture
def store(tmp_path: Path):
    opened = Store.writer(tmp_path / "q.db")
    yield opened
    opened.close()


def intend(store: Store, probe: str = "ghz", order: Order = ORDER, at: float = START) -> Job:
    with store.transaction():
        run = store.reserve(Run(probe, "quantum.ghz", "skipped", "", at, 0.0), reason="waits")
        return Ledger(store).intend(
            order, run=run.id, probe=probe, kind="quantum.ghz", settings={"shots": 10}, now=at
        )


def put(store: Store, job: Job) -> Job:
    with store.transaction():
        return Ledger(store).put(job)


def test_an_intent_says_all_that_is_needed_to_go_on_after_a_crash(store: Store) -> None:
    job = intend(store)
    assert Ledger(store).open() == [job]
    assert (job.state, job.attempts, job.tried, job.remote) == ("intent", 0, None, None)
    assert job.order == ORDER
    assert job.settings == {"shots": 10}
    assert job.tag.startswith(TAG)
    assert len(job.tag) == len(TAG) + 32


def test_the_same_circuits_have_the_same_hash_and_no_two_jobs_the_same_tag(store: Store) -> None:
    one, two = intend(store), intend(store, "other")
    other = intend(store, "third", replace(ORDER, content={"circuits": "abd"}))
    assert one.sha256 == two.sha256 != other.sha256
    assert one.tag != two.tag


def test_every_field_survives_the_file(store: Store) -> None:
    job = replace(
        intend(store),
        state="running",
        remote="job-1",
        word="RUNNING",
        reason="as told",
        told="something",
        attempts=2,
        failures=3,
        tried=START + 1,
        doubted=START + 2,
        submitted=START + 3,
        started=START + 4.5,
        unwanted="by ada",
        cancel_asked=START + 6,
        position=7,
        usd=0.25,
        qpu_seconds=0.5,
        due=START + 60,
    )
    put(store, job)
    assert Ledger(store).get(job.id) == job


def test_what_has_ended_never_changes_again(store: Store) -> None:
    job = put(store, replace(intend(store), state="done", ended=START + 5, order=None))
    with pytest.raises(NotOpen, match=rf"job 1 \({job.tag} at ionq, no id yet\) is not open"):
        put(store, replace(job, state="running"))
    assert Ledger(store).get(1).state == "done"


def test_a_job_of_a_lost_database_is_no_job_of_this_one(store: Store) -> None:
    job = intend(store)
    with pytest.raises(NotOpen):
        put(store, replace(job, tag="qrossover-other"))


def test_a_job_that_is_not_there_is_said_to_be_missing(store: Store) -> None:
    with pytest.raises(NotOpen, match="no job 9"):
        Ledger(store).get(9)


def test_what_is_due_comes_in_the_order_of_its_time(store: Store) -> None:
    first, second, third = (intend(store, name) for name in "abc")
    put(store, replace(first, due=START + 20))
    put(store, replace(second, due=START + 10))
    put(store, replace(third, due=START + 99))
    assert [job.probe for job in Ledger(store).due(START + 20)] == ["b", "a"]


def test_a_clock_that_was_set_back_puts_nothing_off_for_long(store: Store) -> None:
    put(store, replace(intend(store), due=START + 90_000))
    assert Ledger(store).due(START + 10_000) == []
    assert len(Ledger(store).due(START)) == 1


def test_jobs_are_counted_in_every_state(store: Store) -> None:
    intend(store, "a")
    put(store, replace(intend(store, "b"), state="done", ended=START, order=None))
    counts = Ledger(store).counts()
    assert set(counts) == set(get_args(JobState))
    assert {state for state, count in counts.items() if count} == {"intent", "done"}


def test_one_open_job_of_a_probe_is_found_and_an_ended_one_is_not(store: Store) -> None:
    ledger, job = Ledger(store), intend(store)
    assert ledger.open_of("ghz") == job
    put(store, replace(job, state="failed", ended=START, order=None))
    assert ledger.open_of("ghz") is None
    assert ledger.ordered_at() == {"ghz": START}


def test_after_a_start_every_intent_is_in_doubt_even_one_that_was_never_sent(store: Store) -> None:
    untried = put(store, replace(intend(store, "a"), due=START + 999))
    tried = put(store, replace(intend(store, "b"), tried=START + 1, due=START + 999))
    sent = put(store, replace(intend(store, "c"), state="submitted", tried=START, remote="j"))
    with store.transaction():
        Ledger(store).doubt(START + 50)
    moment = START + 50
    assert Ledger(store).open() == [
        replace(untried, tried=moment, doubted=moment, due=moment),
        replace(tried, doubted=moment, due=moment),
        sent,
    ]


# --- money ---------------------------------------------------------------------------------------


def test_an_open_job_is_reserved_however_old_and_an_ended_one_is_spent(store: Store) -> None:
    ledger, job = Ledger(store), intend(store)
    assert ledger.reserved() == Quote(1.5, 2.0)
    assert ledger.spent(0.0) == []
    ended = replace(job, state="done", ended=START + 9, order=None, usd=0.75, qpu_seconds=0.5)
    put(store, ended)
    assert ledger.reserved() == Quote()
    assert ledger.spent(START) == [Spent(START + 9, 0.75, 0.5)]
    assert ledger.spent(START + 10) == []


def test_a_bill_that_is_not_known_counts_with_the_quote(store: Store) -> None:
    put(store, replace(intend(store), state="lost", ended=START + 9, order=None))
    assert Ledger(store).spent(0.0) == [Spent(START + 9, 1.5, 2.0)]


def test_the_run_of_a_job_is_not_spent_beside_its_job_and_other_paid_runs_are(store: Store) -> None:
    job = intend(store)
    with store.transaction():
        store.connection.execute("UPDATE runs SET usd = 0.75 WHERE id = ?", (job.run,))
        store.record(Run("shell", "external.command", "ok", "", START + 3, 1.0, 0.2, 0.0), (), ())
    put(store, replace(job, state="done", ended=START + 9, order=None, usd=0.75, qpu_seconds=0.0))
    assert Ledger(store).spent(0.0) == [Spent(START + 3, 0.2, 0.0), Spent(START + 9, 0.75, 0.0)]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.floats(0, 100),
            st.sampled_from([*OPEN_JOBS, "done", "failed", "cancelled", "lost"]),
            st.one_of(st.none(), st.floats(0, 100)),
        ),
        max_size=8,
    )
)
def test_reserved_and_spent_are_the_sums_of_what_was_put_in(
    tmp_path_factory: pytest.TempPathFactory,
    jobs: list[tuple[float, str, float | None]],
) -> None:
    store = Store.writer(tmp_path_factory.mktemp("ledger") / "q.db")
    reserved = spent = 0.0
    for number, (quoted, state, billed) in enumerate(jobs):
        job = intend(store, f"p{number}", replace(ORDER, quote=Quote(quoted, 0.0)))
        put(store, replace(job, state=state, usd=billed, qpu_seconds=0.0, ended=START))
        if state in OPEN_JOBS:
            reserved += quoted
        else:
            spent += quoted if billed is None else billed
    assert Ledger(store).reserved().usd == pytest.approx(reserved)
    assert sum(one.usd for one in Ledger(store).spent(0.0)) == pytest.approx(spent)
    store.close()
