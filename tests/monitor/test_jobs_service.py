"""Jobs in a real service process that is killed, edited and kept from its database, over a cloud
made of paper."""

import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import Popen

import paper_cloud
import pytest
from living import Living, eventually
from paper_cloud import Cloud
from slack_server import TOKEN, SlackServer

from monitor.jobs.walk import MOST_SUBMISSIONS
from storage.ledger import Ledger
from storage.store import Store
from storage.types import OPEN_JOBS, Job, Quote

KILLS = 20
TABLE = """
[probe.{name}]
kind = "paper.job"
cloud = "{cloud}"
device = "{name}"
every = "{every}"
visible_after = 1.0
usd = {usd}
"""
REST = """
[budget]
usd_per_day = 1000
qpu_seconds_per_28_days = 10000
[trigger.low]
signal = "paper.job.value"
when = "below"
threshold = 1
"""


class Papers(Living):
    """A service with probes on a cloud made of paper, and no meter."""

    def __init__(self, folder: Path, slack_url: str = "") -> None:
        super().__init__(folder, slack_url)
        self.cloud = Cloud(folder / "cloud")
        self.service = [sys.executable, paper_cloud.SERVICE, str(self.config)]
        text = self.config.read_text()
        self._rest = text[: text.index("[probe.meter]")] + REST

    def probes(self, *names: str, every: str = "24h", usd: float = 0.5) -> None:
        """Have these probes from now on."""
        tables = [
            TABLE.format(name=name, cloud=self.cloud.folder, every=every, usd=usd) for name in names
        ]
        self.config.write_text(self._rest + "".join(tables))

    def on_paper(self, token: str = "") -> AbstractContextManager[Popen[bytes]]:
        """The service in its own process."""
        return self.running(token, PYTHONPATH=paper_cloud.PLUGINS)

    def jobs(self) -> list[Job]:
        """What the ledger has, oldest first."""
        store = Store.reader(self.database)
        try:
            return [*reversed(Ledger(store).last(1 << 20))]
        finally:
            store.close()

    def states(self) -> list[str]:
        """How the jobs stand, oldest first."""
        return [state for (state,) in self.rows("SELECT state FROM jobs ORDER BY id")]

    def none_open(self) -> bool:
        return bool(self.states()) and not set(OPEN_JOBS).intersection(self.states())


@pytest.fixture
def papers(tmp_path: Path, slack: SlackServer) -> Papers:
    return Papers(tmp_path, slack.url)


def killed(papers: Papers, dice: random.Random) -> None:
    """One life of the service, to a kill -9 at a random moment after some steps of its jobs."""
    enough = len(papers.cloud.steps) + dice.randint(1, 7)
    with papers.on_paper(TOKEN) as service:
        eventually(lambda: len(papers.cloud.steps) >= enough, "the jobs to go on")
        time.sleep(dice.uniform(0.0, 0.4))
        service.send_signal(signal.SIGKILL)
        service.wait()


def test_kill_9_at_random_moments_leaves_one_job_a_tag_and_each_result_once(
    papers: Papers, slack: SlackServer
) -> None:
    dice = random.Random(7)
    names = ("a", "b", "c")
    papers.cloud.will("submit", "slow")
    papers.probes(*names, every="1s")
    for _ in range(KILLS):
        killed(papers, dice)
    papers.probes(*names)
    with papers.on_paper(TOKEN):
        eventually(papers.none_open, "every job to end")
        eventually(lambda: len(slack.messages) >= len(names), "the alerts")
    # One whose submissions were all cut off before the cloud had it is given up, and cost nothing.
    given_up = [job for job in papers.jobs() if job.attempts == MOST_SUBMISSIONS]
    assert {(job.usd, job.remote) for job in given_up if job.state == "cancelled"} <= {(0.0, None)}
    jobs = [job for job in papers.jobs() if job not in given_up or job.state != "cancelled"]
    assert {job.state for job in jobs} == {"done"}
    assert len(jobs) > len(names), "jobs were ordered between the kills"
    assert "find" in papers.cloud.steps, "some kills came during a submission"
    # one job at the cloud for each intent, and none that the ledger does not know
    assert papers.cloud.tags == sorted(job.tag for job in jobs)
    assert papers.cloud.jobs == sorted(str(job.remote) for job in jobs)
    values = papers.rows("SELECT run FROM readings WHERE signal = 'paper.job.value'")
    assert Counter(run for (run,) in values) == Counter(job.run for job in jobs)
    ends = papers.rows(
        "SELECT outcome, reason FROM runs WHERE id IN (SELECT run FROM jobs WHERE state = 'done')"
    )
    assert set(ends) == {("ok", "")}
    store = Store.reader(papers.database)
    assert Ledger(store).reserved() == Quote()
    assert sum(one.usd for one in Ledger(store).spent(0.0)) == pytest.approx(0.25 * len(jobs))
    store.close()
    assert sorted(message.text.split(" on ")[1][0] for message in slack.messages) == [*names]


def test_an_open_job_outlives_restarts_edits_and_the_end_of_its_table(papers: Papers) -> None:
    papers.cloud.will("collect", "queued")
    papers.probes("a")
    with papers.on_paper():
        eventually(lambda: papers.states() == ["submitted"], "the job")
        eventually(lambda: "job ordered" in papers.said(), "a line about it in the log")
    with papers.on_paper():
        looks = papers.cloud.steps.count("collect")
        eventually(lambda: papers.cloud.steps.count("collect") > looks, "a look at it")
        papers.probes("a", usd=0.75)
        held_up = "SELECT 1 FROM runs WHERE reason LIKE 'job 1 of an earlier run has not ended%'"
        eventually(lambda: papers.rows(held_up), "the edited probe to be held up by its job")
        metrics = papers.http("/metrics")[1]
        papers.probes("b")
        eventually(lambda: papers.states() == ["submitted"] * 2, "the job of another table")
        papers.cloud.will("collect", "done")
        eventually(papers.none_open, "both jobs to end")
    assert 'qrossover_jobs{state="submitted"} 1.0' in metrics
    assert "qrossover_reserved_usd 0.5" in metrics
    assert 'qrossover_spent_usd{days="28"} 0.0' in metrics
    job, other = papers.jobs()
    assert (job.probe, job.settings["usd"], other.probe) == ("a", 0.5, "b")
    ends = "SELECT probe, outcome FROM runs WHERE id IN (SELECT run FROM jobs)"
    assert papers.rows(ends) == [("a", "ok"), ("b", "ok")]
    assert len(papers.rows("SELECT 1 FROM readings WHERE signal = 'paper.job.value'")) == 2


def test_a_job_that_ends_while_the_database_is_held_is_stored_once_and_not_ordered_again(
    papers: Papers,
) -> None:
    papers.cloud.will("collect", "waits")
    papers.probes("a")
    with papers.on_paper():
        eventually(lambda: "collect" in papers.cloud.steps, "the look to be under way")
        other = sqlite3.connect(papers.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        (papers.cloud.folder / "go").touch()
        try:
            eventually(lambda: papers.http("/healthz")[0] == 503, "the fault to be told")
        finally:
            other.execute("ROLLBACK")
            other.close()
        eventually(papers.none_open, "the job to end")
    [job] = papers.jobs()
    with papers.on_paper():
        due = eventually(lambda: papers.about().get("next_at"), "the schedule")
        assert due["a"] == pytest.approx(job.created + 86400, abs=1)
    assert papers.states() == ["done"]
    assert papers.cloud.steps == ["prepare", "submit", "collect"]
    assert papers.rows("SELECT outcome FROM runs") == [("ok",)]


def test_a_service_that_stops_during_a_look_has_seen_nothing(papers: Papers) -> None:
    papers.cloud.will("collect", "waits")
    papers.probes("a")
    with papers.on_paper():
        eventually(lambda: "collect" in papers.cloud.steps, "the look to be under way")
    [job] = papers.jobs()
    assert (job.state, job.failures, job.reason) == ("submitted", 0, "")


def test_the_running_service_cancels_what_the_command_line_does_not_want(papers: Papers) -> None:
    papers.cloud.will("collect", "queued")
    papers.probes("a")
    with papers.on_paper():
        eventually(lambda: papers.states() == ["submitted"], "the job")
        done = papers.command(
            *("jobs", "cancel", "1"), PYTHONPATH=paper_cloud.PLUGINS, SUDO_USER="ada"
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert " ".join(done.stdout.split()) == (
        "Job 1 at a is cancelled. It was cancelled by ada: as told. Next: nothing; its bill is not "
        "known, so its quote of 2 QPU s counts."
    )
