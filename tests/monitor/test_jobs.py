"""Jobs from intent to end: the real walk, children and database, over a cloud made of paper."""

import asyncio
from dataclasses import replace

import pytest
from living import eventually
from paper_work import Work

from monitor.tick import tick
from storage.types import Quote, now

WAITS = "its job at sheet has not ended; see `qrossover jobs`"


async def test_a_job_is_submitted_waits_runs_and_brings_its_readings_once(work: Work) -> None:
    work.cloud.will("collect", "queued", "running", "done")
    settled = await work.order()
    assert (settled.run.outcome, settled.run.reason) == ("skipped", WAITS)
    assert work.runs == [("skipped", WAITS)]
    [remote] = work.cloud.jobs
    assert (work.job.state, work.job.remote, work.job.attempts) == ("submitted", remote, 1)
    await work.step()
    assert (work.job.state, work.job.word, work.job.position) == ("submitted", "QUEUED", 4)
    await work.step()
    assert (work.job.state, work.job.word) == ("running", "RUNNING")
    await work.step()
    assert (work.job.state, work.job.word, work.job.order) == ("done", "DONE", None)
    assert work.runs == [("ok", "")]
    assert work.values == [(0.5, settled.id)]
    await work.step()
    assert work.cloud.steps == ["prepare", "submit", *["collect"] * 3]


async def test_the_tick_that_ends_a_job_judges_its_triggers(work: Work) -> None:
    await work.order()
    assert work.rows("SELECT count(*) FROM alerts") == [(0,)]
    await work.step()
    assert work.rows('SELECT "trigger", target FROM alerts') == [("low", "sheet")]


async def test_a_job_tells_how_long_it_waited_and_ran_and_what_it_cost(work: Work) -> None:
    await work.order()
    await work.step()
    told = {
        signal: (value, unit, origin)
        for signal, value, unit, origin in work.rows(
            "SELECT signal, value, unit, origin FROM readings WHERE signal LIKE 'quantum.job.%'"
        )
    }
    waited, *_ = told.pop("quantum.job.wait")
    assert 4.0 < float(str(waited)) < 7.0  # it says that it began 5 s after it was asked
    assert told == {
        "quantum.job.execution": (pytest.approx(2.0), "s", "measured"),
        "quantum.job.cost": (0.25, "USD", "vendor"),
        "quantum.job.qpu_time": (1.5, "s", "vendor"),
    }
    assert work.rows("SELECT usd, qpu_seconds FROM runs") == [(0.25, 1.5)]


async def test_while_a_job_is_open_no_second_one_is_ordered(work: Work) -> None:
    work.cloud.will("collect", "queued")
    await work.order()
    await work.order()
    assert work.runs[1] == (
        "skipped",
        "job 1 of an earlier run has not ended; see `qrossover jobs`",
    )
    assert len(work.cloud.jobs) == 1


# --- money ---------------------------------------------------------------------------------------


async def test_over_budget_nothing_is_submitted(work: Work) -> None:
    work.config(usd=0.4)
    await work.order()
    [(outcome, reason)] = work.runs
    assert (outcome, str(reason)[:32]) == ("skipped", "budget: up to $0.50 a run, $0.00")
    assert work.cloud.jobs == []
    assert work.cloud.steps == ["prepare"]


async def test_a_probe_has_a_limit_of_its_own(work: Work) -> None:
    work.config(more="max_usd = 0.3")
    await work.order()
    assert work.runs == [("skipped", "budget: up to $0.50 a run, max_usd of this probe is 0.3")]


async def test_a_reservation_stands_until_the_job_ends_and_becomes_the_bill(work: Work) -> None:
    work.cloud.will("collect", "queued", "done")
    await work.order()
    ledger = work.house.writer.ledger
    assert (ledger.reserved(), ledger.spent(0.0)) == (Quote(0.5, 2.0), [])
    await work.step()
    assert ledger.reserved() == Quote(0.5, 2.0)
    await work.step()
    assert ledger.reserved() == Quote()
    assert [(one.usd, one.qpu_seconds) for one in ledger.spent(0.0)] == [(0.25, 1.5)]


async def test_two_orders_at_once_cannot_spend_the_same_dollar(work: Work) -> None:
    other = f'[probe.other]\nkind = "paper.job"\ncloud = "{work.cloud.folder}"\nevery = "1h"\n'
    other += 'device = "another"'
    work.config(usd=0.9, more=other)
    both = [tick(work.house, entry) for entry in work.house.config.probes.values()]
    await asyncio.gather(*both)
    assert len(work.cloud.jobs) == 1
    assert sorted(str(reason)[:7] for _, reason in work.runs) == ["budget:", "its job"]


# --- what a submission can come to ---------------------------------------------------------------


async def test_what_cannot_be_prepared_is_a_run_that_says_why(work: Work) -> None:
    work.cloud.will("prepare", "offline", "broken")
    await work.order()
    await work.order()
    assert work.runs == [
        ("skipped", "the device is offline"),
        ("failed", "no calibration today"),
    ]


async def test_a_refused_submission_fails_the_run_and_costs_nothing(work: Work) -> None:
    work.cloud.will("submit", "reject")
    settled = await work.order()
    assert settled.run.outcome == "failed"
    assert work.runs == [("failed", "not accepted: too many circuits")]
    assert (work.job.state, work.job.usd) == ("failed", 0.0)
    assert work.house.writer.ledger.spent(0.0) == []


async def test_a_provider_that_asks_for_patience_gets_it(work: Work) -> None:
    work.cloud.will("submit", "later", "ok")
    await work.order()
    job = work.job
    assert (job.state, job.attempts, job.tried, job.reason) == ("intent", 0, None, "slow down")
    assert job.due > now() - 1
    await work.step()
    assert (work.job.state, work.job.attempts) == ("submitted", 1)
    assert len(work.cloud.jobs) == 1
    assert "find" not in work.cloud.steps  # it is certain that there was no job


async def test_a_provider_that_asks_for_too_much_patience_is_not_asked_all_the_time(
    work: Work,
) -> None:
    work.cloud.will("submit", "much later")
    await work.order()
    assert work.house.writer.ledger.due(now()) == []
    assert work.job.due == pytest.approx(now() + 86_400, abs=60)


@pytest.mark.parametrize("ends", [("reject",), ("fails-before",) * 4])
async def test_a_part_of_a_job_that_is_several_requests_is_not_taken_for_free(
    work: Work, ends: tuple[str, ...]
) -> None:
    work.cloud.will("submit", "fails-before", *ends)
    work.config(more="visible_after = 0.0\natomic = false")
    await work.order()
    for _ in range(10):
        await work.step()
    assert (work.job.state, work.job.usd) == ("lost", None)
    assert work.job.reason.endswith("; a part of it may have been created")
    [spent] = work.house.writer.ledger.spent(0.0)
    assert (spent.usd, spent.qpu_seconds) == (0.5, 2.0)
    assert work.told == [("page", "Job 1 of paper at paper is lost")]


async def test_what_a_provider_has_refused_at_once_is_free_of_several_requests_too(
    work: Work,
) -> None:
    work.cloud.will("submit", "reject")
    work.config(more="atomic = false")
    await work.order()
    assert (work.job.state, work.job.usd) == ("failed", 0.0)


@pytest.mark.parametrize("how", ["fails-after", "dies-after"])
async def test_a_job_that_was_created_unseen_is_adopted_and_not_sent_again(
    work: Work, how: str
) -> None:
    work.cloud.will("submit", how)
    await work.order()
    assert (work.job.state, work.job.remote) == ("intent", None)
    assert work.job.reason.startswith("submission in doubt: ")
    await work.step()
    assert [work.job.remote] == work.cloud.jobs
    await work.step()
    assert work.runs == [("ok", "")]
    assert work.cloud.steps == ["prepare", "submit", "find", "collect"]


async def test_a_submission_that_created_nothing_is_repeated_once_that_is_certain(
    work: Work,
) -> None:
    work.cloud.will("submit", "fails-before", "ok")
    await work.order()
    await work.step()  # not there, but it might only not be visible yet
    assert work.job.tried is not None
    assert work.job.due > work.job.created
    await asyncio.sleep(0.3)
    await work.step()  # not there
    assert work.job.tried is None
    await work.step()
    assert len(work.cloud.jobs) == 1
    await work.step()
    assert (work.runs, work.job.attempts) == ([("ok", "")], 2)


async def test_a_job_that_is_seen_late_is_not_sent_twice(work: Work) -> None:
    work.cloud.will("submit", "fails-after")
    work.cloud.will("find", "hidden", "shown")
    await work.order()
    await work.step()
    await asyncio.sleep(0.3)
    await work.step()
    assert [work.job.remote] == work.cloud.jobs
    assert work.cloud.steps.count("submit") == 1


async def test_a_provider_that_cannot_be_asked_is_asked_again_and_nothing_is_sent(
    work: Work,
) -> None:
    work.cloud.will("submit", "fails-after")
    work.cloud.will("find", "fails", "fails", "ok")
    await work.order()
    await asyncio.sleep(0.3)
    await work.step()
    await work.step()
    assert (work.job.state, work.job.failures) == ("intent", 2)
    await work.step()
    assert [work.job.remote] == work.cloud.jobs


async def test_submissions_that_never_arrive_end_after_some(work: Work) -> None:
    work.cloud.will("submit", "fails-before")
    work.config(more="visible_after = 0.0")
    await work.order()
    for _ in range(10):
        await work.step()
    assert work.cloud.steps.count("submit") == 5
    [(outcome, reason)] = work.runs
    assert outcome == "failed"
    assert str(reason).startswith("5 submissions have created no job")
    assert (work.job.state, work.job.usd) == ("cancelled", 0.0)


async def test_an_intent_that_was_never_sent_is_not_sent_once_the_config_forbids_it(
    work: Work,
) -> None:
    work.cloud.will("submit", "later", "ok")
    await work.order()
    work.config(usd=0.1)
    await work.step()
    [(outcome, reason)] = work.runs
    assert outcome == "skipped"
    assert "of usd_per_day = 0.1; a single run costs more than that" in str(reason)
    assert work.cloud.jobs == []


async def test_a_job_outlives_its_table_in_the_config(work: Work) -> None:
    await work.order()
    work.house.config = replace(work.house.config, probes={})
    await work.step()
    assert (work.job.state, work.runs) == ("done", [("ok", "")])


# --- killed --------------------------------------------------------------------------------------


async def test_a_stop_in_the_middle_of_a_submission_leaves_it_in_doubt_and_the_job_is_adopted(
    work: Work,
) -> None:
    work.cloud.will("submit", "hangs-after", "ok")
    order = asyncio.create_task(work.order())
    await asyncio.to_thread(eventually, (work.cloud.folder / "hangs").exists, "the child to hang")
    order.cancel()
    with pytest.raises(asyncio.CancelledError):
        await order
    assert (work.job.state, work.job.doubted) == ("intent", None)
    assert work.job.tried is not None
    await work.restart()
    await work.step()
    assert [work.job.remote] == work.cloud.jobs
    await work.step()
    assert work.runs == [("ok", "")]


async def test_a_stop_before_anything_was_sent_sends_it_after_the_next_start(work: Work) -> None:
    work.cloud.will("submit", "hangs-before", "ok")
    order = asyncio.create_task(work.order())
    await asyncio.to_thread(eventually, (work.cloud.folder / "hangs").exists, "the child to hang")
    order.cancel()
    with pytest.raises(asyncio.CancelledError):
        await order
    await work.restart()
    await work.step()
    assert work.cloud.jobs == []
    await asyncio.sleep(0.3)
    for _ in range(3):
        await work.step()
    assert work.runs == [("ok", "")]
    assert len(work.cloud.jobs) == 1


async def test_a_job_that_is_looked_at_is_not_looked_at_twice_at_once(work: Work) -> None:
    work.cloud.will("collect", "queued")
    await work.order()
    await asyncio.gather(work.step(), work.step())
    assert work.cloud.steps.count("collect") == 1


async def test_a_backup_that_is_restored_sends_nothing_again_that_was_sent_since(
    work: Work,
) -> None:
    work.cloud.will("submit", "later", "ok")
    await work.order()
    work.house.writer.backup()
    await work.step()
    [remote] = work.cloud.jobs
    work.damage()
    assert work.job.remote is None  # as the backup has it, nothing was sent
    await work.restart()
    await work.step()
    assert work.job.remote == remote
    await work.step()
    assert (work.runs, work.cloud.jobs) == ([("ok", "")], [remote])


async def test_a_copy_that_an_operator_puts_back_sends_nothing_again_that_was_sent_since(
    work: Work,
) -> None:
    work.cloud.will("submit", "later", "ok")
    await work.order()
    work.house.writer.backup()
    await work.step()
    [remote] = work.cloud.jobs
    work.go_back_to(work.folder / "q.db.backup")
    assert (work.job.remote, work.job.tried) == (None, None)
    await work.restart()
    await work.step()
    assert (work.job.remote, work.cloud.jobs) == (remote, [remote])
