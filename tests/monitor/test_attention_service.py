"""`qrossover trigger ack` and `snooze` with a real service, real child processes and a Slack at the
other end."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from living import METER, Living, eventually
from slack_server import TOKEN, SlackServer

from monitor.cli import cli

BOTH = """
[trigger.low]
signal = "test.meter"
when = "below"
threshold = 20
notify = false
[trigger.both]
when = "all"
of = ["high", "low"]
advice = "Look at the meter."
"""


@pytest.fixture
def living(tmp_path: Path, slack: SlackServer) -> Living:
    return Living(tmp_path, slack.url, more=BOTH)


def call(living: Living, *words: str) -> Result:
    """One command of ada's, in this process."""
    arguments = ["--config", str(living.config), *words]
    return CliRunner().invoke(cli, arguments, env={"SUDO_USER": "ada"})


def said(living: Living, *words: str) -> str:
    done = call(living, "trigger", *words)
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


def document(living: Living, *words: str) -> Any:
    done = call(living, *words, "--json")
    assert done.exit_code == 0
    return json.loads(done.stdout)


def test_an_acknowledgement_reaches_slack_and_survives_a_kill(
    living: Living, slack: SlackServer
) -> None:
    living.measure(12.5)
    with living.running(TOKEN) as service:
        eventually(lambda: len(slack.messages) == 2, "both alerts")
        assert said(living, "ack", "high", "--note", "The meter is in repair.") == (
            "high on bench: firing, acknowledged by ada\n"
        )
        eventually(lambda: len(slack.messages) == 3, "the reply")
        service.send_signal(signal.SIGKILL)
        service.wait()
    first = next(m for m in slack.messages if "high on bench" in m.text and not m.thread_ts)
    reply = slack.messages[2]
    assert (first.edits, reply.thread_ts, reply.broadcast) == (1, first.ts, False)
    assert "acknowledged by ada" in first.text
    assert "acknowledged by ada" in str(first.blocks)
    assert "The meter is in repair." in reply.text
    with living.running(TOKEN):
        living.another_run()
        [row] = [row for row in document(living, "trigger", "list") if row["name"] == "high"]
        assert (row["state"], row["acknowledged_by"]) == ("firing", "ada")
        assert row["acknowledged_at"] is not None
        living.measure(1.0)
        eventually(lambda: len(slack.messages) == 5, "both resolutions")
        [row] = [row for row in document(living, "trigger", "list") if row["name"] == "high"]
        assert row["acknowledged_by"] is None
    assert "Resolved" in first.text
    assert living.rows("SELECT kind FROM alerts WHERE \"trigger\" = 'high' ORDER BY id") == [
        ("fires",),
        ("acknowledges",),
        ("resolves",),
    ]


def test_a_snoozed_trigger_says_nothing_until_its_snooze_is_ended(
    living: Living, slack: SlackServer
) -> None:
    with living.running(TOKEN):
        living.another_run()
        assert said(living, "snooze", "high", "2h").startswith("high on bench: inactive, snoozed")
        said(living, "snooze", "both", "2h", "--target", "bench")
        living.measure(12.5)
        eventually(
            lambda: living.rows("SELECT 1 FROM standings WHERE state = 'firing' LIMIT 1"),
            "the trigger to fire",
        )
        living.another_run()
        assert slack.messages == []
        status = document(living, "status")["triggers"]
        assert (status["snoozed"], status["acknowledged"]) == (2, 0)
        [told] = document(living, "trigger", "explain", "high")
        assert told["snoozed_until"] is not None
        assert "snoozed" in told["steps"][-1]
        assert said(living, "unsnooze", "both") == "both on bench: firing\n"
        eventually(lambda: slack.messages, "the alert that was kept")
        living.another_run()
    [message] = slack.messages
    for word in ("both on bench", "2 of 2 triggers fire", "high on bench: 12.5 is above 10"):
        assert word in message.text


def test_without_a_service_it_is_done_at_once_and_told_at_the_next_start(
    living: Living, slack: SlackServer
) -> None:
    living.measure(12.5)
    assert living.command("once", TEST_SLACK_TOKEN=TOKEN).returncode == 0
    assert said(living, "ack", "high") == "high on bench: firing, acknowledged by ada\n"
    assert "firing, acknowledged by ada" in " ".join(said(living, "list").split())
    explained = " ".join(said(living, "explain", "high").split())
    assert "not said again until it resolves: acknowledged by ada at" in explained
    assert "nothing is said of it: notify = false" in " ".join(
        said(living, "explain", "low").split()
    )
    assert "1 acknowledged" in call(living, "status").stdout
    assert said(living, "ack", "high") == "high on bench: acknowledged by ada already\n"
    assert len(slack.messages) == 2
    with living.running(TOKEN):
        eventually(lambda: len(slack.messages) == 3, "the reply")


def test_each_target_has_its_line(living: Living) -> None:
    other = '"target": "bench", "value": float(line)'
    two = other.replace('"bench"', 'f"t{line}"')
    (living.folder / "meter.py").write_text(METER.replace(other, two))
    living.measure(12.5, 3.0)
    assert living.command("once").returncode == 0
    lines = ["high on t12.5: firing, acknowledged by ada", "high on t3.0: inactive, nothing to"]
    for first in (lines[0], "high on t12.5: acknowledged by ada already"):
        told = said(living, "ack", "high").splitlines()
        assert told == [first, f"{lines[1]} acknowledge"]
    assert call(living, "trigger", "ack", "high", "--target", "t3.0").exit_code == 1
    listed = [row for row in document(living, "trigger", "list") if row["name"] == "high"]
    for words in (("ack", "high"), ("snooze", "high", "2h"), ("unsnooze", "high")):
        answered = document(living, "trigger", *words)
        assert [row.keys() for row in answered] == [row.keys() for row in listed]
        assert [row["acknowledged_by"] for row in answered] == ["ada", None]
    [first, _] = document(living, "trigger", "unack", "high")
    assert first["acknowledged_by"] is None


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("ack", "hihg"), 1, "no trigger 'hihg'"),
        (("ack", "high"), 1, "no database at"),
        (("snooze", "high", "0s"), 2, "expected more than 0"),
        (("snooze", "high", "soon"), 2, "expected a duration"),
    ],
)
def test_what_cannot_be_done_says_so(
    living: Living, words: tuple[str, ...], code: int, why: str
) -> None:
    done = call(living, "trigger", *words)
    assert (done.exit_code, done.stdout) == (code, "")
    assert why in done.stderr or why in str(done.exception)
