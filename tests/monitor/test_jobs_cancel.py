"""A person wishes a job's end: wherever it stands, the wish is kept, and the provider decides."""

import asyncio

import pytest
from living import eventually
from paper_work import Work

from monitor.refusal import Refused
from storage.types import Quote


async def test_a_job_that_waits_is_cancelled_at_the_provider(work: Work) -> None:
    work.cloud.will("collect", "queued")
    await work.order()
    await work.wish()
    assert work.job.state == "cancelled"
    assert work.runs == [("skipped", "it was cancelled by ada: as told")]
    assert work.cloud.steps == ["prepare", "submit", "cancel", "collect"]
    # the provider told of 0.1 USD; what it did not tell counts as quoted
    [spent] = work.house.writer.ledger.spent(0.0)
    assert (spent.usd, spent.qpu_seconds) == (0.1, 2.0)


async def test_what_it_may_cost_stays_reserved_until_it_has_ended(work: Work) -> None:
    work.cloud.will("collect", "running")
    work.cloud.will("cancel", "ignored")
    await work.order()
    await work.wish()
    assert work.job.cancel_asked is not None
    assert (work.job.state, work.job.reason) == ("running", "cancellation asked for by ada")
    assert work.house.writer.ledger.reserved() == Quote(0.5, 2.0)
    await work.step()
    assert work.cloud.steps.count("cancel") == 1
    work.cloud.will("collect", "done")
    await work.step()
    assert (work.job.state, work.runs) == ("done", [("ok", "")])


async def test_a_provider_that_does_not_answer_is_asked_again(work: Work) -> None:
    work.cloud.will("collect", "queued")
    work.cloud.will("cancel", "fails", "ok")
    await work.order()
    await work.wish()
    assert (work.job.cancel_asked, work.job.unwanted) == (None, "by ada")
    assert work.job.reason == "it cannot be cancelled: ConnectionError: no route"
    await work.restart()
    await work.step()
    assert work.job.state == "cancelled"


async def test_a_job_that_was_never_sent_is_not_sent(work: Work) -> None:
    work.cloud.will("submit", "later")
    await work.order()
    await work.wish()
    assert work.runs == [("skipped", "cancelled by ada before it was sent")]
    assert (work.cloud.jobs, work.house.writer.ledger.spent(0.0)) == ([], [])


async def test_a_job_in_doubt_is_found_and_cancelled(work: Work) -> None:
    work.cloud.will("submit", "fails-after")
    work.cloud.will("collect", "queued")
    await work.order()
    await work.wish()
    assert work.job.state == "cancelled"
    assert work.cloud.steps == ["prepare", "submit", "find", "cancel", "collect"]


async def test_a_job_in_doubt_that_is_not_there_is_not_sent_again(work: Work) -> None:
    work.cloud.will("submit", "fails-before")
    await work.order()
    await work.wish()
    await asyncio.sleep(0.3)  # until then it might only not be visible yet
    await work.step()
    await work.step()
    assert work.runs == [("skipped", "cancelled by ada before it was sent")]
    assert work.cloud.steps.count("submit") == 1


async def test_a_child_at_work_on_it_comes_first(work: Work) -> None:
    work.cloud.will("collect", "waits")
    await work.order()
    look = asyncio.create_task(work.step())
    await asyncio.to_thread(
        eventually, lambda: "collect" in work.cloud.steps, "the look to be under way"
    )
    wish = asyncio.create_task(work.wish())
    await asyncio.sleep(0.1)
    (work.cloud.folder / "go").touch()
    await look
    with pytest.raises(Refused, match="job 1 has ended: done"):
        await wish
    assert (work.runs, work.cloud.steps.count("cancel")) == ([("ok", "")], 0)


async def test_what_is_not_there_cannot_be_cancelled(work: Work) -> None:
    await work.order()
    await work.step()
    with pytest.raises(Refused, match="job 1 has ended: done"):
        await work.wish()
    with pytest.raises(Refused, match="no job 2 in the ledger: `qrossover jobs` lists them"):
        await work.wish(2)
