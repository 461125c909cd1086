"""The command line through its real entry: documents, exit codes, words on stderr."""

import contextlib
import ctypes
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from living import Living, eventually

from monitor.config import Slack, read
from monitor.problems import ConfigError, redacted
from monitor.slack.client import SlackClient

READING = [
    "signal", "target", "at", "value", "sigma", "unit", "origin", "probe", "run", "note", "setup",
]  # fmt: skip
RUN = [
    "id", "probe", "host", "outcome", "reason", "cause", "started", "seconds", "usd", "job",
]  # fmt: skip
CRITERION = {
    "trigger", "signal", "target", "value", "unit", "threshold", "origin", "age_seconds", "ratio",
    "holds", "why",
}  # fmt: skip


@pytest.fixture
def measured(tmp_path: Path) -> Living:
    """A folder in which one pass has been made."""
    living = Living(
        tmp_path,
        more="""
        [checklist.louder]
        question = "Is it loud?"
        requires = ["high"]
        gaps = ["what nobody measures"]
        """,
    )
    # on a busy machine a command may come later than three intervals after the reading
    text = living.config.read_text()
    living.config.write_text(text.replace("threshold = 10", 'threshold = 10\nmax_age = "1h"'))
    living.measure(12.5)
    assert living.command("once").returncode == 0
    return living


def test_once_says_runs_readings_and_checklist(measured: Living) -> None:
    document = measured.json("once")
    assert list(document) == ["runs", "readings", "checklist"]
    assert [list(row) for row in document["runs"]] == [RUN]
    assert [list(row) for row in document["readings"]] == [READING]
    reading = document["readings"][0]
    assert (reading["signal"], reading["value"], reading["unit"]) == ("test.meter", 12.5, "V")
    assert reading["at"].endswith("Z")
    assert reading["run"] == document["runs"][0]["id"]
    [item] = document["checklist"]["items"]
    assert item["holds"] is None
    assert all(set(criterion) >= CRITERION for criterion in item["criteria"])
    assert [criterion["holds"] for criterion in item["criteria"]] == [True, None]
    assert item["criteria"][0]["ratio"] == 1.25


def test_reports_have_the_promised_keys(measured: Living) -> None:
    assert list(measured.json("signals", "test.*", "--since", "1h")[0]) == READING
    assert list(measured.json("runs")[0]) == RUN
    assert measured.json("runs", "--failed") == []
    [row] = measured.json("trigger", "list")
    assert set(row) >= {
        "name", "target", "state", "since", "value", "threshold", "unit", "severity"
    }  # fmt: skip
    assert (row["state"], row["value"], row["threshold"]) == ("firing", 12.5, 10.0)
    status = measured.json("status")
    assert set(status["config"]) == {
        "path", "sha256", "loaded_at", "loaded", "error", "warnings"
    }  # fmt: skip
    assert set(status["database"]) == {"path", "bytes", "readings"}
    assert set(status["outbox"]) >= {"owed", "sent", "dead"}
    assert set(status["probes"][0]) >= {"name", "last_outcome", "last_at", "next_at"}
    assert status["triggers"] == {
        "firing": 1,
        "pending": 0,
        "no_data": 0,
        "acknowledged": 0,
        "snoozed": 0,
    }
    assert (status["pid"], status["uptime_seconds"]) == (None, None)


def test_explain_names_the_readings_and_the_step_that_decided(measured: Living) -> None:
    [told] = measured.json("trigger", "explain", "high")
    assert (told["state"], told["holds"], told["threshold"]) == ("firing", True, 10.0)
    assert [reading["value"] for reading in told["readings"]] == [12.5]
    assert any("12.5 is above 10" in step for step in told["steps"])
    text = measured.command("trigger", "explain", "high", "--target", "bench").stdout
    assert "high on bench: firing since" in text


def test_a_running_service_is_seen(measured: Living) -> None:
    with measured.running() as service:
        measured.another_run()
        status = measured.json("status")
    assert status["pid"] == service.pid
    assert status["uptime_seconds"] > 0
    assert status["probes"][0]["next_at"] is not None
    assert status["config"]["error"] is None


@contextlib.contextmanager
def _standing_still(service: subprocess.Popen[bytes], living: Living) -> Iterator[None]:
    """A service that does not get to load anything."""
    eventually(lambda: living.about().get("sha256"), "the service to have its config")
    service.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        service.send_signal(signal.SIGCONT)


def test_an_edit_that_is_not_loaded_yet_is_told(measured: Living) -> None:
    with measured.running() as service, _standing_still(service, measured):
        measured.config.write_text(measured.config.read_text() + "# edited\n")
        assert measured.json("status")["config"]["loaded"] is False
        assert "edited; it is loaded within seconds" in measured.command("status").stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("once", "metre"), 2, 'Did you mean "meter"?'),
        (("trigger", "explain", "hihg"), 1, 'Did you mean "high"?'),
        (("trigger", "explain", "high", "--target", "x"), 1, "it has bench"),
        (("signals", "test.metre"), 1, 'Did you mean "test.meter"?'),
        (("signals", "--since", "a week"), 2, "expected a duration"),
        (("nonsense",), 2, "nonsense"),
        (("runs", "--most", "-1"), 2, "x>=1"),
        (("runs", "--most", "0"), 2, "x>=1"),
        (("--config", "var", "check"), 78, "var: cannot be read: Is a directory"),
        (("--config", "nowhere.toml", "check"), 78, "nowhere.toml"),
        (("slack", "test"), 1, "[slack]"),
    ],
)
def test_what_cannot_be_done_says_so(
    measured: Living, words: tuple[str, ...], code: int, said: str
) -> None:
    done = measured.command(*words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_before_the_first_run_reports_say_what_to_do(tmp_path: Path) -> None:
    living = Living(tmp_path)
    for words in (("status",), ("signals",), ("checklist",), ("runs",), ("trigger", "list")):
        done = living.command(*words)
        assert (done.returncode, "qrossover run" in done.stderr) == (1, True), words


def test_a_failed_run_makes_once_exit_1(measured: Living) -> None:
    (measured.folder / "value").write_text("nonsense")
    done = measured.command("once", "--json")
    assert done.returncode == 1
    [run] = json.loads(done.stdout)["runs"]
    assert (run["outcome"], "exit status 1" in run["reason"]) == ("failed", True)
    assert "failed" in measured.command("runs", "--failed").stdout


def test_a_dry_run_runs_nothing_and_says_what_it_would_cost(tmp_path: Path) -> None:
    living = Living(tmp_path)
    text = living.config.read_text()
    living.config.write_text(text.replace('every = "1s"', 'every = "1s"\nusd = 0.25'))
    [plan] = living.json("once", "--dry-run")["probes"]
    assert (plan["name"], plan["usd"]) == ("meter", 0.25)
    assert plan["refused"].startswith("budget:")
    assert not living.database.exists()


def test_nothing_paid_is_started_past_the_budget(tmp_path: Path) -> None:
    living = Living(tmp_path, more="[budget]\nusd_per_day = 0.5")
    text = living.config.read_text()
    living.config.write_text(text.replace('every = "1s"', 'every = "1s"\nusd = 0.25'))
    ends = [living.json("once")["runs"][0] for _ in range(3)]
    assert [(end["outcome"], end["usd"]) for end in ends] == [
        ("ok", 0.25),
        ("ok", 0.25),
        ("skipped", 0.0),
    ]
    assert "of usd_per_day = 0.5" in ends[2]["reason"]


def test_check_says_where_alerts_go(tmp_path: Path) -> None:
    living = Living(tmp_path, "http://127.0.0.1:9/api/")
    assert "TEST_SLACK_TOKEN is not set" in living.command("check").stdout
    said = living.command("check", TEST_SLACK_TOKEN="xoxb-1").stdout
    assert "#compute-strategy on Slack" in said
    assert "SQLite 3." in said


PR_CAPBSET_DROP = 24
DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2


def _without_roots_rights() -> None:
    """From linux/prctl.h and linux/capability.h: root then reads what its modes let it read."""
    for right in (DAC_OVERRIDE, DAC_READ_SEARCH):
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, right, 0, 0, 0)


def test_a_config_that_may_not_be_read_is_an_unusable_config(tmp_path: Path) -> None:
    file = tmp_path / "secret.toml"
    file.touch(mode=0o000)
    done = subprocess.run(
        [sys.executable, "-m", "monitor.cli", "--config", str(file), "check"],
        preexec_fn=_without_roots_rights,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (78, "")
    assert f"{file}: cannot be read: Permission denied" in done.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("kind = gpu.training", 'Invalid value; texts stand in quotes: kind = "gpu.training"'),
        ("threshold = 10%", "texts stand in quotes, also those that begin with a number: thre"),
    ],
)
def test_a_text_without_quotes_is_told_to_have_them(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"[a]\n{line}\n")
    with pytest.raises(ConfigError) as wrong:
        read(file)
    assert said in str(wrong.value)


def test_a_token_loses_the_space_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Slack(channel="#a", token_env="TEST_SLACK_TOKEN")
    monkeypatch.setenv("TEST_SLACK_TOKEN", " xoxb-1\r\n")
    assert table.token() == "xoxb-1"
    monkeypatch.setenv("TEST_SLACK_TOKEN", " \n")
    assert table.token() is None


def test_what_is_said_of_a_wrong_token_outlives_redaction() -> None:
    with pytest.raises(ValueError, match="begins with xoxb") as wrong:
        SlackClient("xoxb-1 2", "#a")
    assert redacted(str(wrong.value)) == str(wrong.value)


def test_who_waits_for_the_service_is_told(measured: Living) -> None:
    with measured.running() as service:
        measured.another_run()
        asked = f"asking the running service (process {service.pid}) to run meter"
        assert asked in measured.command("once").stderr
        assert "asking" not in measured.command("once", "--json").stderr
    assert "asking" not in measured.command("once").stderr


# --- explain after an edit ---------------------------------------------------------------------

CHANGED = "warning: config.toml has changed: the service's config in force is used here\n"
LATER = """
[trigger.later]
signal = "test.meter"
target = "b*"
when = "above"
threshold = 12
max_age = "1h"
[trigger.fails]
probe = "m*"
when = "fails"
max_age = "1h"
"""


def test_a_trigger_that_is_new_in_the_file_is_explained_on_what_is_stored(
    measured: Living,
) -> None:
    measured.config.write_text(measured.config.read_text() + LATER)
    [later] = measured.json("trigger", "explain", "later")
    assert (later["target"], later["holds"], later["value"]) == ("bench", True, 12.5)
    assert later["steps"][-1] == "not judged yet; will fire at the next reading or restart"
    [fails] = measured.json("trigger", "explain", "fails")
    assert (fails["target"], fails["holds"]) == ("meter", False)
    assert fails["steps"][-1].startswith("not judged yet; will be inactive")
    assert (
        "later on bench: not judged yet" in measured.command("trigger", "explain", "later").stdout
    )


def test_a_trigger_that_is_about_something_else_now_is_as_new(measured: Living) -> None:
    text = measured.config.read_text()
    measured.config.write_text(text.replace('when = "above"', 'when = "below"'))
    [told] = measured.json("trigger", "explain", "high")
    assert (told["state"], told["holds"]) == ("no-data", False)
    assert told["steps"][-1] == "not judged yet; will be inactive at the next reading or restart"


def test_a_threshold_that_was_edited_says_what_the_next_judgement_does(measured: Living) -> None:
    text = measured.config.read_text()

    def last_step() -> str:
        return str(measured.json("trigger", "explain", "high")[0]["steps"][-1])

    assert last_step() == "stands at firing; resolves on a reading that clears it"
    measured.config.write_text(text.replace("threshold = 10", "threshold = 20"))
    assert last_step() == "stands at firing; will resolve at the next reading or restart"
    assert measured.command("once").returncode == 0
    measured.config.write_text(text)
    assert last_step() == "stands at inactive; will fire at the next reading or restart"


def test_an_edit_is_told_before_what_it_makes_untrue(measured: Living) -> None:
    explain, listing = ("trigger", "explain", "high"), ("trigger", "list")
    with measured.running() as service, _standing_still(service, measured):
        assert CHANGED not in measured.command(*explain).stderr
        measured.config.write_text(measured.config.read_text() + "# edited\n")
        for words in (explain, listing):
            assert measured.command(*words).stderr == CHANGED
        assert len(measured.json(*explain)) == 1
    assert CHANGED not in measured.command(*explain).stderr
