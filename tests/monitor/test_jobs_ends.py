"""What can become of a job that was sent, and what its run, its readings and its money are then."""

from dataclasses import replace

import pytest
from paper_work import Work

from storage.types import Quote, now

JOB = "Job 1 of paper at paper"


@pytest.mark.parametrize(
    ("state", "ends", "reason"),
    [
        ("failed", "failed", "it failed at the provider: as told"),
        ("cancelled", "cancelled", "it was cancelled: as told"),
        ("gone", "lost", "the provider no longer knows it: as told"),
    ],
)
async def test_every_bad_end_is_a_failed_run_that_says_why(
    work: Work, state: str, ends: str, reason: str
) -> None:
    work.cloud.will("collect", state)
    work.config(more="visible_after = 0.0")
    await work.order()
    await work.step()
    assert (work.job.state, work.runs) == (ends, [("failed", reason)])
    assert work.values == []


async def test_a_job_that_its_provider_does_not_show_yet_is_not_lost(work: Work) -> None:
    work.cloud.will("collect", "gone", "done")
    work.config(more="visible_after = 60.0")
    await work.order()
    await work.step()
    assert (work.job.state, work.job.reason) == ("submitted", "the provider does not know it yet")
    await work.step()
    assert work.runs == [("ok", "")]


async def test_a_failed_job_is_not_free(work: Work) -> None:
    work.cloud.will("collect", "failed")
    await work.order()
    await work.step()
    [spent] = work.house.writer.ledger.spent(0.0)
    assert (spent.usd, spent.qpu_seconds) == (0.1, 2.0)  # billed; not told, so the quote


async def test_a_lost_job_is_told_and_counts_with_its_quote(work: Work) -> None:
    work.cloud.will("collect", "raises")
    await work.order()
    work.aged(days=30)
    work.cloud.will("cancel", "fails")
    await work.step()
    assert work.job.state == "lost"
    assert work.told == [("page", f"{JOB} is lost")]


async def test_an_unknown_word_is_not_still_running(work: Work) -> None:
    work.cloud.will("collect", "unknown PONDERING", "unknown PONDERING", "done")
    await work.order()
    await work.step()
    await work.step()
    assert work.job.reason == "the provider says 'PONDERING', which we do not know"
    assert work.told == [("warning", f"{JOB} is in a state that we do not know: PONDERING")]
    await work.step()
    assert work.runs == [("ok", "")]


async def test_a_job_that_cannot_be_seen_is_looked_at_more_slowly_and_told_once(
    work: Work,
) -> None:
    work.cloud.will("collect", *["raises"] * 7, "done")
    await work.order()
    for _ in range(7):
        await work.step()
    assert (work.job.state, work.job.failures) == ("submitted", 7)
    assert work.job.reason == "ConnectionError: 502 Bad Gateway"
    assert work.told == [("warning", f"{JOB} is out of sight")]
    await work.step()
    assert work.runs == [("ok", "")]


async def test_a_result_that_cannot_be_read_is_fetched_three_times(work: Work) -> None:
    work.cloud.will("collect", "bad")
    await work.order()
    for _ in range(3):
        await work.step()
    assert work.runs == [("failed", "its result cannot be read: no counts")]
    assert work.job.state == "failed"


async def test_looks_that_fail_otherwise_do_not_use_up_the_tries_of_a_result(work: Work) -> None:
    work.cloud.will("collect", "raises", "raises", "bad", "bad", "done")
    await work.order()
    for _ in range(5):
        await work.step()
    assert (work.job.state, work.runs) == ("done", [("ok", "")])


async def test_a_job_that_ended_at_its_deadline_is_collected_though_it_cannot_be_cancelled(
    work: Work,
) -> None:
    await work.order()
    work.aged(days=8)
    work.cloud.will("cancel", "fails")
    await work.step()
    assert (work.job.state, work.runs) == ("done", [("ok", "")])
    assert work.values == [(0.5, work.job.run)]


async def test_weeks_of_failed_looks_are_as_far_apart_as_any(work: Work) -> None:
    work.cloud.will("collect", "raises")
    await work.order()
    with work.house.writer.store.transaction():
        work.house.writer.ledger.put(replace(work.job, failures=2000))
    await work.step()
    assert (work.job.failures, work.job.due <= now() + 1) == (2001, True)


async def test_what_a_provider_puts_off_for_ever_is_given_up_at_the_deadline(work: Work) -> None:
    work.cloud.will("submit", "later")
    await work.order()
    work.aged(days=8)
    await work.step()
    assert work.runs == [("failed", "given up after 7 d in which it could not be sent: slow down")]
    assert (work.job.state, work.job.usd) == ("cancelled", 0.0)


async def test_a_job_that_waits_too_long_is_cancelled_and_reserved_until_it_has_ended(
    work: Work,
) -> None:
    work.cloud.will("collect", "queued")
    work.config(more="max_days = 3")
    await work.order()
    work.aged(days=4)
    work.cloud.will("cancel", "fails", "ok")
    await work.step()
    assert work.job.cancel_asked is None
    assert work.house.writer.ledger.reserved() == Quote(0.5, 2.0)
    await work.step()
    assert work.job.state == "cancelled"
    assert work.cloud.steps.count("cancel") == 2


async def test_settings_that_this_version_cannot_read_wait_for_one_that_can(work: Work) -> None:
    await work.order()
    work.rows("UPDATE jobs SET settings = '{\"colour\": 1}'")
    await work.step()
    assert work.job.state == "submitted"
    assert work.job.reason.startswith("this version cannot read its settings")
    assert work.house.writer.ledger.reserved() == Quote(0.5, 2.0)
    work.aged(days=30)
    await work.step()
    assert work.job.state == "lost"
    [(outcome, reason)] = work.runs
    assert outcome == "failed"
    assert "this version cannot read its settings" in str(reason)


async def test_a_bill_past_the_quote_is_told(work: Work) -> None:
    work.config(more="usd = 0.2")  # and 0.25 are billed
    await work.order()
    await work.step()
    assert work.told == [("warning", f"{JOB} is billed with more than its quote")]
    [spent] = work.house.writer.ledger.spent(0.0)
    assert spent.usd == 0.25


async def test_a_provider_that_asks_for_patience_is_no_provider_that_fails(work: Work) -> None:
    work.cloud.will("collect", *["later"] * 6, "done")
    await work.order()
    for _ in range(6):
        await work.step()
    assert (work.job.state, work.job.failures, work.job.reason) == ("submitted", 0, "slow down")
    assert work.told == []
    await work.step()
    assert work.runs == [("ok", "")]


async def test_a_result_is_as_old_as_its_job_however_late_it_is_fetched(work: Work) -> None:
    work.cloud.will("collect", "done an hour ago")
    await work.order()
    work.aged(days=1)
    moment = now()
    await work.step()
    times = work.rows("SELECT at_ms / 1000.0 FROM readings")
    assert len(times) > 3
    assert all(3590 < moment - float(str(at)) < 3610 for (at,) in times)
