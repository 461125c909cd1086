"""Jobs, money and devices through the command line, over a cloud made of paper."""

import json
from dataclasses import replace
from typing import Any

import paper_cloud
import pytest
from paper_cloud import Cloud
from shell import Ended, Shell

import probes
from probes.base import kinds
from storage.ledger import Ledger
from storage.store import Store
from storage.types import Job, Order, Quote, Run, now

BUDGET = "[budget]\nusd_per_day = {usd}\n"
TABLE = '[probe.paper]\nkind = "paper.job"\ncloud = "{cloud}"\ndevice = "desk"\nevery = "24h"\n'
LONG = "it failed at the provider: [/z] \x1b[2J" + "the circuit has more gates than it takes " * 4


class Desk:
    """A folder with a config, its ledger, and its cloud."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self.living = shell.living
        self.cloud = Cloud(self.living.folder / "cloud")
        self.budget(5.0)

    def budget(self, usd: float) -> None:
        table = TABLE.format(cloud=self.cloud.folder)
        self.living.config.write_text(
            f'[monitor]\ndatabase = "var/test.db"\n{BUDGET.format(usd=usd)}{table}'
        )

    def say(self, *words: str) -> Ended:
        return self._shell.command(*words)

    def json(self, *words: str) -> Any:
        return self._shell.json(*words)

    def has(self, quoted: float = 0.5, **state: Any) -> Job:
        """A job in the ledger that stands so."""
        store = Store.writer(self.living.database)
        ledger, moment = Ledger(store), now()
        with store.transaction():
            run = store.reserve(Run("paper", "paper.job", "skipped", "", moment, 0.0), "waits")
            job = ledger.intend(
                Order("paper", "desk", Quote(quoted, 2.0), {}),
                run=run.id,
                probe="paper",
                kind="paper.job",
                settings={"cloud": str(self.cloud.folder)},
                now=moment,
            )
            ledger.put(replace(job, **state))
        store.close()
        return job


@pytest.fixture
def desk(still: Shell, monkeypatch: pytest.MonkeyPatch):
    paper_cloud.plug_in()
    monkeypatch.setenv("PYTHONPATH", paper_cloud.PLUGINS)
    yield Desk(still)
    probes.__path__.remove(paper_cloud.PLUGINS)
    kinds.cache_clear()


# --- what a pass would cost ----------------------------------------------------------------------


def test_a_dry_run_prepares_what_waits_in_a_queue_and_sends_nothing(desk: Desk) -> None:
    [plan] = desk.json("once", "--dry-run")["probes"]
    assert (plan["outcome"], plan["usd"], plan["qpu_seconds"]) == ("ok", 0.5, 2.0)
    assert (plan["provider"], plan["device"]) == ("paper", "desk")
    assert (plan["circuits"], plan["shots"]) == (3, 100)
    assert desk.cloud.steps == ["prepare"]
    assert not desk.living.database.exists()
    shown = desk.say("once", "--dry-run").stdout.splitlines()
    assert shown[1].split() == ["paper", "paper.job", "$0.50", *shown[1].split()[-2:]]
    assert shown[2].split() == ["3", "×", "100", "shots", "to", "paper", "desk", "2", "QPU", "s"]


def test_a_dry_run_says_that_the_budget_refuses_it_and_when_it_would_fit(desk: Desk) -> None:
    desk.budget(0.7)
    ended = now() - 3600
    desk.has(state="done", usd=0.4, qpu_seconds=0.0, ended=ended, order=None)
    [plan] = desk.json("once", "--dry-run")["probes"]
    assert plan["outcome"] == "skipped"
    assert plan["refused"].startswith("budget: up to $0.50 a run, $0.40 spent and $0.00 reserved")
    assert "it fits from 2" in plan["refused"]
    assert desk.cloud.jobs == []


@pytest.mark.parametrize(
    ("word", "outcome", "reason", "code"),
    [
        ("offline", "skipped", "the device is offline", 0),
        ("broken", "failed", "no calibration today", 1),
    ],
)
def test_what_cannot_be_prepared_has_no_price(
    desk: Desk, word: str, outcome: str, reason: str, code: int
) -> None:
    desk.cloud.will("prepare", word)
    done = desk.say("once", "--dry-run", "--json")
    [plan] = json.loads(done.stdout)["probes"]
    assert (done.returncode, plan["outcome"], plan["reason"]) == (code, outcome, reason)
    assert (plan["usd"], plan["qpu_seconds"]) == (None, None)


def test_while_a_job_is_open_a_dry_run_prepares_no_other(desk: Desk) -> None:
    desk.has(state="submitted")
    [plan] = desk.json("once", "--dry-run")["probes"]
    assert plan["reason"] == "job 1 of an earlier run has not ended; see `qrossover jobs`"
    assert desk.cloud.steps == []


# --- jobs ----------------------------------------------------------------------------------------


def test_open_jobs_come_first_and_reasons_stand_below_in_80_columns(desk: Desk) -> None:
    desk.has(state="failed", reason=LONG, ended=now(), order=None)
    desk.has(state="done", ended=now(), usd=0.25, qpu_seconds=1.5, order=None)
    desk.has(state="submitted", word="ready", position=4, due=now() + 200)
    shown = desk.say("jobs").stdout
    lines = [line.rstrip() for line in shown.splitlines()]
    assert all(len(line) <= 80 for line in lines)
    assert "\x1b" not in shown
    assert [line.split()[0] for line in lines if line[2:3].isdigit()] == ["3", "2", "1", "1:"]
    assert lines[1].split()[-6:] == ["s", "4", "in", "3", "min", "$0.50"]
    assert lines[2].split() == ["paper", "desk", "ready", "2", "QPU", "s"]
    assert desk.json("jobs", "--open")[0]["id"] == 3
    assert [row["id"] for row in desk.json("jobs", "--most", "2")] == [3, 2]


def test_a_long_id_is_shown_whole_and_that_nobody_looks_is_said(desk: Desk) -> None:
    remote = "arn:aws:braket:eu-north-1:123456789012:quantum-task/748e7ecd-5c91-4d22-9a28-20bd6deff"
    desk.has(state="submitted", remote=remote)
    shown = desk.say("jobs", "1").stdout
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert remote in "".join(line[15:].strip() for line in shown.splitlines())
    assert "No service runs" in shown
    assert "No service runs" in desk.say("jobs").stdout


def test_a_run_whose_job_is_open_is_shown_as_waiting(desk: Desk) -> None:
    desk.has(state="done", ended=now(), order=None)
    desk.has(state="submitted")
    assert [(row["outcome"], row["job"]) for row in desk.json("runs")] == [
        ("skipped", 2),
        ("skipped", None),
    ]
    assert [line.split()[2] for line in desk.say("runs").stdout.splitlines()[1:]] == [
        "waiting",
        "skipped",
    ]
    assert [probe["job"] for probe in desk.json("status")["probes"]] == [2]
    assert "waiting" in desk.say("status").stdout


def test_one_job_says_what_happens_next(desk: Desk) -> None:
    moment = now()
    desk.has(tried=moment, doubted=moment, attempts=1, reason="submission in doubt: reset")
    told = desk.json("jobs", "1")
    assert told == desk.json("jobs", "show", "1")
    assert "asked for its tag, and it is sent again only if it is clearly not there" in told["next"]
    shown = " ".join(desk.say("jobs", "1").stdout.split())
    assert told["next"] in shown
    assert told["tag"] in shown
    assert "provider's id not known" in shown
    assert 'settings cloud = "' in shown


@pytest.mark.parametrize(
    ("billed", "said"),
    [
        ({}, "nothing; its bill is not known, so its quote of $0.50 and 2 QPU s counts"),
        ({"usd": 0.1}, "nothing; its bill is not known, so its quote of 2 QPU s counts"),
        ({"usd": 0.1, "qpu_seconds": 1.0}, "nothing; it cost $0.10 and 1 QPU s"),
        ({"usd": 0.0, "qpu_seconds": 0.0}, "nothing; it cost nothing"),
    ],
)
def test_a_job_that_has_ended_says_what_counts(
    desk: Desk, billed: dict[str, float], said: str
) -> None:
    desk.has(state="done", ended=now(), order=None, **billed)
    assert desk.json("jobs", "1")["next"] == said


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("jobs", "9"), 1, "no job 9 in the ledger: `qrossover jobs` lists them"),
        (("jobs", "cancel", "9"), 1, "no job 9 in the ledger: `qrossover jobs` lists them"),
        (("jobs", "cancel", "1"), 1, "job 1 has ended: done"),
        (("jobs", "--json", "1"), 2, "options stand behind the ID"),
        (("jobs", "nine"), 2, "nine"),
        (("devices", "ionqq"), 1, "no quantum provider 'ionqq'; known are "),
        (("devices", "ionq"), 1, "IonQ does not answer at 127.0.0.1:9: "),
    ],
)
def test_what_cannot_be_done_says_so(
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    monkeypatch.setenv("IONQ_API_URL", "http://127.0.0.1:9")
    desk.has(state="done", ended=now(), order=None)
    done = desk.say(*words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr


def test_without_a_service_the_command_cancels_by_itself(desk: Desk) -> None:
    (desk.cloud.folder / "jobs" / "job-1").write_text('{"tag": "t"}')
    desk.has(state="submitted", remote="job-1", tried=now(), submitted=now())
    told = desk.json("jobs", "cancel", "1")
    assert (told["state"], told["unwanted"]) == ("cancelled", "by ada")
    assert desk.cloud.steps == ["cancel", "collect"]


def test_what_cannot_be_cancelled_yet_is_exit_1_and_stays_wished(desk: Desk) -> None:
    desk.cloud.will("cancel", "fails")
    desk.cloud.will("collect", "queued")
    desk.has(state="submitted", remote="job-1", tried=now(), submitted=now())
    done = desk.say("jobs", "cancel", "1")
    assert done.returncode == 1
    said = " ".join(done.stdout.split())
    assert "It cannot be cancelled: ConnectionError: no route. Next: in " in said
    assert "its cancellation is asked for" in said


# --- money and devices ---------------------------------------------------------------------------


def test_spending_is_told_by_device_and_held_against_the_budget(desk: Desk) -> None:
    desk.has(state="done", ended=now(), usd=0.25, qpu_seconds=1.5, order=None)
    desk.has(state="failed", ended=now(), order=None)
    desk.has(quoted=90, state="done", ended=now() - 40 * 86400, order=None)
    desk.has(state="submitted")
    document = desk.json("spend")
    [row] = document["rows"]
    assert (row["runs"], row["open"], row["unbilled"]) == (2, 1, 1)
    assert (row["reserved_usd"], row["quoted_usd"], row["usd"]) == (0.5, 1.0, 0.75)
    assert (row["reserved_qpu_seconds"], row["qpu_seconds"]) == (2.0, 3.5)
    day, seconds = document["budget"]
    assert (day["spent"], day["reserved"], day["left"]) == (0.75, 0.5, 3.75)
    assert (seconds["key"], seconds["left"]) == ("qpu_seconds_per_28_days", 294.5)
    shown = desk.say("spend").stdout
    assert "1 job has no bill: its quote counts as spent." in shown
    assert all(len(line.rstrip()) <= 80 for line in shown.splitlines())
    assert desk.json("spend", "--since", "60d")["rows"][0]["usd"] == 90.75


def test_a_paid_program_is_in_the_sums_without_provider(desk: Desk) -> None:
    desk.has(state="done", ended=now(), usd=0.25, qpu_seconds=0.0, order=None)
    store = Store.writer(desk.living.database)
    with store.transaction():
        store.record(Run("meter", "external.command", "ok", "", now(), 1.0, usd=0.5), (), ())
    store.close()
    document = desk.json("spend")
    assert [(row["provider"], row["probe"], row["usd"]) for row in document["rows"]] == [
        (None, "meter", 0.5),
        ("paper", "paper", 0.25),
    ]
    assert "in all" in desk.say("spend").stdout


def test_providers_are_told_with_what_lacks_here(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IONQ_API_KEY", raising=False)
    rows = {row["provider"]: row for row in desk.json("devices")}
    assert rows["snapshot"]["lacks"] == ""
    assert "set IONQ_API_KEY" in rows["ionq"]["lacks"]
    assert rows["ionq"]["queued"] is True
    shown = " ".join(desk.say("devices").stdout.split())
    assert "set IONQ_API_KEY, or IONQ_API_KEY_FILE" in shown


def test_devices_of_the_snapshots_are_listed_without_network(desk: Desk) -> None:
    document = desk.json("devices", "snapshot")
    kingston = next(one for one in document["devices"] if one["name"] == "fake_kingston")
    assert (kingston["qubits"], kingston["online"], kingston["simulator"]) == (156, True, True)
    assert "fake_kingston" in desk.say("devices", "snapshot").stdout


def test_status_has_a_line_on_jobs_only_while_one_is_open(desk: Desk) -> None:
    desk.has(state="done", ended=now(), usd=0.25, qpu_seconds=1.5, order=None)
    assert "reserved" not in desk.say("status").stdout
    assert desk.json("status")["jobs"]["oldest"] is None
    desk.has(state="submitted")
    assert "1 open, oldest 0 s, $0.50 and 2 QPU s reserved" in desk.say("status").stdout
