"""The whole walk: a real child's reading becomes a message on a Slack at the other end."""

import re
from pathlib import Path

import pytest
import slack_server
from living import Living, eventually
from slack_server import TOKEN, Fault, SlackServer


def _firing(slack: SlackServer) -> bool:
    return any("high" in message.text for message in slack.messages)


def test_one_message_when_firing_an_update_and_a_reply_when_resolved(
    living: Living, slack: SlackServer
) -> None:
    with living.running(TOKEN):
        living.another_run()
        assert slack.messages == []
        living.measure(12.5)
        eventually(lambda: slack.messages, "the alert")
        living.another_run()
        living.measure(2.0)
        eventually(lambda: len(slack.messages) == 2, "the resolution")
        living.another_run()
    first, reply = slack.messages
    assert first.edits == 1
    assert "esolved" in first.text
    assert reply.thread_ts == first.ts
    assert [(m.key is not None, m.channel) for m in slack.messages] == [(True, "C0000003")] * 2
    assert living.rows("SELECT kind, state FROM alerts ORDER BY id") == [
        ("fires", "sent"),
        ("resolves", "sent"),
    ]


def test_the_message_says_all_that_is_needed(living: Living, slack: SlackServer) -> None:
    with living.running(TOKEN):
        living.another_run()
        living.measure(12.5)
        eventually(lambda: slack.messages, "the alert")
    said = f"{slack.messages[0].text} {slack.messages[0].blocks}"
    for word in ("high", "bench", "12.5", "10", "V", "measured", "Turn it down."):
        assert word in said
    assert "qrossover trigger explain high --target bench" in said
    assert re.search("[▁▂▃▄▅▆▇█]{2,}", said)


@pytest.mark.parametrize(
    "fault",
    [
        slack_server.too_many("0"),
        slack_server.BROKEN,
        slack_server.BROKEN_BUT_STORED,
        slack_server.UNAVAILABLE,
        slack_server.HTML,
        slack_server.EMPTY,
        slack_server.EMPTY_BUT_STORED,
        slack_server.DROPPED,
        slack_server.DROPPED_UNREAD,
        slack_server.DROPPED_BUT_STORED,
    ],
    ids=lambda fault: f"{fault.status}{fault.body or ''}{fault.drop}{fault.stores}"[:30],
)
def test_whatever_slack_answers_the_alert_comes_once(
    living: Living, slack: SlackServer, fault: Fault
) -> None:
    slack.fail_next(fault, 2)
    living.measure(99.0)
    with living.running(TOKEN):
        eventually(
            lambda: living.rows("SELECT 1 FROM alerts WHERE state = 'sent'"), "the alert to be sent"
        )
        living.another_run()
        code, _ = living.http("/healthz")
    assert code == 200
    assert len(slack.messages) == 1


def test_an_alert_that_recovers_while_slack_is_silent_is_still_told(
    living: Living, slack: SlackServer
) -> None:
    slack.fail_next(slack_server.too_many("4"))
    living.measure(99.0)
    with living.running(TOKEN):
        eventually(lambda: living.rows("SELECT 1 FROM alerts"), "the alert to be owed")
        living.measure(1.0)
        eventually(lambda: len(slack.messages) == 2, "both messages")
    assert [m.thread_ts is None for m in slack.messages] == [True, False]


def test_a_refused_alert_is_dead_until_the_next_start(living: Living, slack: SlackServer) -> None:
    slack.fail_next(slack_server.says("channel_not_found"))
    living.measure(99.0)
    with living.running(TOKEN):
        eventually(lambda: living.rows("SELECT 1 FROM alerts WHERE state = 'dead'"), "the refusal")
        assert 'qrossover_alerts{state="dead"} 1.0' in living.http("/metrics")[1]
    assert "channel_not_found" in living.json("status")["outbox"]["error"]
    with living.running(TOKEN):
        eventually(lambda: slack.messages, "the alert after a start")


def test_without_a_token_the_terminal_gets_it(living: Living, slack: SlackServer) -> None:
    living.measure(99.0)
    with living.running():
        eventually(lambda: "Turn it down." in living.said(), "the alert on the terminal")
    assert slack.requests == []


def test_what_only_the_terminal_had_reaches_slack_once_there_is_a_token(
    living: Living, slack: SlackServer
) -> None:
    living.measure(99.0)
    assert living.command("once").returncode == 0
    assert living.rows("SELECT state, channel FROM alerts") == [("sent", "terminal")]
    with living.running(TOKEN):
        eventually(lambda: slack.messages, "the alert on Slack")
        living.measure(1.0)
        eventually(lambda: len(slack.messages) == 2, "its resolution, in its thread")
    assert slack.messages[1].thread_ts == slack.messages[0].ts


def test_a_failing_probe_is_told_and_its_recovery_too(tmp_path: Path, slack: SlackServer) -> None:
    living = Living(
        tmp_path,
        slack.url,
        more="""
        [trigger.broken]
        probe = "*"
        when = "fails"
        for = "2 runs"
        """,
    )
    (tmp_path / "value").write_text("nonsense")
    with living.running(TOKEN):
        eventually(lambda: slack.messages, "the alert about the probe")
        living.measure(1.0)
        eventually(lambda: len(slack.messages) == 2, "its recovery")
    assert "broken" in slack.messages[0].text
    # on a busy machine some are skipped, since the one before them has not ended
    ended = "SELECT DISTINCT outcome FROM runs WHERE outcome <> 'skipped' ORDER BY 1"
    assert living.rows(ended) == [("failed",), ("ok",)]
    assert living.rows("SELECT count(*) FROM runs WHERE outcome = 'failed'")[0][0] >= 2


def test_slack_test_posts_or_says_what_to_do(living: Living, slack: SlackServer) -> None:
    missing = living.command("slack", "test")
    assert (missing.returncode, "TEST_SLACK_TOKEN" in missing.stderr) == (1, True)
    done = living.command("slack", "test", TEST_SLACK_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    assert len(slack.messages) == 1
    slack.fail_next(slack_server.says("invalid_auth"))
    unknown = living.command("slack", "test", TEST_SLACK_TOKEN=TOKEN)
    assert (unknown.returncode, "invalid_auth" in unknown.stderr) == (1, True)
    slack.fail_next(slack_server.says("not_in_channel", "chat.postMessage"))
    refused = living.command("slack", "test", TEST_SLACK_TOKEN=TOKEN)
    assert (refused.returncode, "/invite" in refused.stderr) == (1, True)
