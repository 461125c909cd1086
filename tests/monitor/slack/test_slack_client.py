"""Delivery through the real WebClient to a Slack on a loopback socket: how each attempt ends, and
that no fault makes two messages of one alert, or none."""

import pytest
from slack_alerts import alert_now
from slack_server import (
    BROKEN,
    BROKEN_BUT_STORED,
    DROPPED,
    DROPPED_BUT_STORED,
    DROPPED_UNREAD,
    EMPTY,
    EMPTY_BUT_STORED,
    HTML,
    TOKEN,
    UNAVAILABLE,
    Fault,
    SlackServer,
    says,
    too_many,
)

from monitor.slack.client import (
    Ambiguous,
    Dead,
    ParentMessage,
    Retry,
    Sent,
    SlackClient,
    Unknown,
)
from storage.types import Alert

CHANNEL = "C0000003"


def fired(client: SlackClient) -> ParentMessage:
    """An alert that Slack has."""
    first = alert_now(key="parent")
    result = client.deliver(first, None)
    assert isinstance(result, Sent)
    return ParentMessage(result.channel, result.ts, first)


# --- what is sent ----------------------------------------------------------------------------


def test_fires_posts_one_message_with_its_key(slack: SlackServer, client: SlackClient) -> None:
    result = client.deliver(alert_now(), None)
    [message] = slack.messages
    assert result == Sent(CHANNEL, message.ts)
    assert message.key == "key-1"
    assert message.blocks[0]["type"] == "header"
    [request] = slack.requests
    assert request.args["unfurl_links"] is False
    assert request.args["unfurl_media"] is False
    assert request.args["metadata"]["event_type"] == "qrossover_alert"


def test_a_reminder_replies_and_shows_in_the_channel(
    slack: SlackServer, client: SlackClient
) -> None:
    parent = fired(client)
    assert isinstance(client.deliver(alert_now("reminds"), parent), Sent)
    reply = slack.messages[-1]
    assert reply.thread_ts == parent.ts
    assert reply.broadcast


def test_a_resolution_updates_the_message_and_replies(
    slack: SlackServer, client: SlackClient
) -> None:
    parent = fired(client)
    assert isinstance(client.deliver(alert_now("resolves"), parent), Sent)
    first, reply = slack.messages
    assert first.edits == 1
    assert first.text.startswith("✅ training-slower on GPU-8f2a51c0: Resolved after")
    assert first.key == "parent"
    assert reply.thread_ts == parent.ts
    assert not reply.broadcast
    assert reply.key == "key-1"


@pytest.mark.parametrize("kind", ["resolves", "reminds"])
def test_without_a_delivered_parent_it_stands_alone(
    slack: SlackServer, client: SlackClient, kind: str
) -> None:
    assert isinstance(client.deliver(alert_now(kind), None), Sent)  # type: ignore[arg-type]
    [message] = slack.messages
    assert message.thread_ts is None
    assert not slack.calls("chat.update")


@pytest.mark.parametrize("word", ["message_not_found", "cant_update_message", "edit_window_closed"])
def test_a_message_that_cannot_be_updated_is_still_answered(
    slack: SlackServer, client: SlackClient, word: str
) -> None:
    parent = fired(client)
    slack.fail_next(says(word, "chat.update"))
    assert isinstance(client.deliver(alert_now("resolves"), parent), Sent)
    assert slack.messages[-1].thread_ts == parent.ts


def test_the_thread_is_gone_and_the_answer_goes_to_the_channel(
    slack: SlackServer, client: SlackClient
) -> None:
    parent = ParentMessage(CHANNEL, "1.000001", alert_now(key="parent"))
    owed = alert_now("resolves")
    result = client.deliver(owed, parent)
    [message] = slack.messages
    assert result == Sent(CHANNEL, message.ts)
    assert message.thread_ts is None
    assert client.find(owed, parent) == result


@pytest.mark.parametrize("fault", [BROKEN, DROPPED, HTML, too_many("9")])
def test_an_update_that_fails_for_now_is_done_again_before_the_answer(
    slack: SlackServer, client: SlackClient, fault: Fault
) -> None:
    parent = fired(client)
    slack.fail_next(fault)
    result = client.deliver(alert_now("resolves"), parent)
    assert isinstance(result, Retry)
    assert result.after == (9.0 if fault.status == 429 else None)
    assert not slack.with_key("key-1")
    assert isinstance(client.deliver(alert_now("resolves"), parent), Sent)
    assert slack.messages[0].edits == 1


def test_a_reply_to_an_old_channel_does_not_move_new_alerts_there(slack: SlackServer) -> None:
    slack.channels["C0000009"] = "old"
    parent = fired(SlackClient(TOKEN, "#old", slack.url))
    client = SlackClient(TOKEN, "#compute-strategy", slack.url)
    assert client.deliver(alert_now("reminds"), parent) == Sent("C0000009", slack.messages[-1].ts)
    assert client.deliver(alert_now(), None) == Sent(CHANNEL, slack.messages[-1].ts)


def test_the_channel_of_the_first_message_is_gone(slack: SlackServer, client: SlackClient) -> None:
    parent = ParentMessage("C0000009", "1.000001", alert_now(key="parent"))
    owed = alert_now("resolves")
    result = client.deliver(owed, parent)
    assert result == Sent(CHANNEL, slack.messages[0].ts)
    assert client.find(owed, parent) == result


# --- how attempts end --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (too_many("7"), Retry(7.0, "HTTP 429: too many messages")),
        (says("ratelimited"), Retry(None, "ratelimited")),
        (says("request_timeout"), Retry(None, "request_timeout")),
        (says("internal_error"), Ambiguous("internal_error")),
        (BROKEN, Ambiguous("HTTP 500")),
        (UNAVAILABLE, Ambiguous("HTTP 503")),
        (HTML, Ambiguous("HTTP 200 with an answer that is not Slack's")),
        (EMPTY, Ambiguous("HTTP 200 with an answer that is not Slack's")),
        (Fault(body="null"), Ambiguous("HTTP 200 with an answer that is not Slack's")),
        (Fault(body="[1]"), Ambiguous("the answer is not Slack's: no JSON object")),
        (Fault(body='"ok"'), Ambiguous("the answer is not Slack's: no JSON object")),
        (Fault(body='{"ok": true}'), Ambiguous("the answer is not Slack's: no JSON object")),
        (
            Fault(body="{}", headers=(("Content-Type", "application/gzip"),)),
            Ambiguous("HTTP 200 with an answer that is not Slack's"),
        ),
    ],
)
def test_faults(
    slack: SlackServer, client: SlackClient, fault: Fault, expected: Retry | Ambiguous
) -> None:
    slack.fail_next(fault)
    assert client.deliver(alert_now(), None) == expected
    assert len(slack.requests) == 1  # the SDK has not tried again by itself


@pytest.mark.parametrize("fault", [DROPPED, DROPPED_UNREAD, DROPPED_BUT_STORED])
def test_dropped_connections(slack: SlackServer, client: SlackClient, fault: Fault) -> None:
    slack.fail_next(fault)
    result = client.deliver(alert_now(), None)
    assert isinstance(result, Ambiguous)
    assert result.why.startswith("no answer from Slack: ")
    assert len(slack.requests) == 1


def test_a_slow_answer_is_not_waited_for(slack: SlackServer) -> None:
    client = SlackClient(TOKEN, CHANNEL, slack.url, timeout=1)
    slack.fail_next(Fault(delay=1.5, stores=True))
    owed = alert_now()
    assert client.deliver(owed, None) == Ambiguous("no answer from Slack: timed out")
    assert client.find(owed, None) == Sent(CHANNEL, slack.messages[0].ts)


def test_nobody_listens(slack: SlackServer) -> None:
    with SlackServer() as gone:
        url = gone.url
    result = SlackClient(TOKEN, CHANNEL, url).deliver(alert_now(), None)
    assert isinstance(result, Retry)
    assert result.why.startswith("Slack cannot be reached: ")


def test_the_host_has_no_address() -> None:
    client = SlackClient(TOKEN, CHANNEL, "http://slack.invalid/api/")
    result = client.deliver(alert_now(), None)
    assert isinstance(result, Retry)
    assert result.why.startswith("Slack cannot be reached: ")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("not_in_channel", "/invite"),
        ("is_archived", "unarchive"),
        ("account_inactive", "token"),
        ("token_revoked", "token"),
    ],
)
def test_refused_for_good(slack: SlackServer, client: SlackClient, word: str, hint: str) -> None:
    slack.fail_next(says(word))
    result = client.deliver(alert_now(), None)
    assert isinstance(result, Dead)
    assert result.word == word
    assert hint in result.why


def test_a_wrong_channel_a_wrong_token_and_a_missing_scope(slack: SlackServer) -> None:
    wrong = SlackClient(TOKEN, "#nowhere", slack.url).deliver(alert_now(), None)
    assert isinstance(wrong, Dead)
    assert wrong.word == "channel_not_found"
    wrong = SlackClient("xoxb-other", CHANNEL, slack.url).deliver(alert_now(), None)
    assert isinstance(wrong, Dead)
    assert wrong.word == "invalid_auth"
    slack.fail_next(says("missing_scope", needed="chat:write"))
    wrong = SlackClient(TOKEN, CHANNEL, slack.url).deliver(alert_now(), None)
    assert isinstance(wrong, Dead)
    assert "add chat:write" in wrong.why


@pytest.mark.parametrize(
    "word", ["invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"]
)
def test_refused_blocks_become_plain_text_once(
    slack: SlackServer, client: SlackClient, word: str
) -> None:
    slack.fail_next(says(word))
    assert isinstance(client.deliver(alert_now(), None), Sent)
    [message] = slack.messages
    assert message.blocks == []
    assert "45,100 ± 310 token/s" in message.text
    assert "blocks" not in slack.requests[-1].args
    slack.fail_next(says(word), times=2)
    result = client.deliver(alert_now(key="key-2"), None)
    assert isinstance(result, Dead)
    assert len(slack.calls("chat.postMessage")) == 4


def test_an_update_as_plain_text_takes_the_old_blocks_away(
    slack: SlackServer, client: SlackClient
) -> None:
    parent = fired(client)
    slack.fail_next(says("invalid_blocks", "chat.update"))
    assert isinstance(client.deliver(alert_now("resolves"), parent), Sent)
    assert slack.messages[0].blocks == []
    assert "Resolved after" in slack.messages[0].text


def test_a_token_that_no_header_can_carry() -> None:
    with pytest.raises(ValueError, match="expected one line that begins with xoxb;") as caught:
        SlackClient("xoxb-secret\nx", CHANNEL)
    assert "secret" not in str(caught.value)


# --- looking for what was perhaps sent -----------------------------------------------------------


@pytest.mark.parametrize("fault", [BROKEN_BUT_STORED, EMPTY_BUT_STORED, DROPPED_BUT_STORED])
def test_what_slack_has_is_found_and_not_sent_again(
    slack: SlackServer, client: SlackClient, fault: Fault
) -> None:
    slack.fail_next(fault)
    owed = alert_now()
    assert isinstance(client.deliver(owed, None), Ambiguous)
    [message] = slack.with_key("key-1")
    assert client.find(owed, None) == Sent(CHANNEL, message.ts)


@pytest.mark.parametrize("fault", [BROKEN, EMPTY, HTML, DROPPED, DROPPED_UNREAD])
def test_what_slack_has_not_is_not_found(
    slack: SlackServer, client: SlackClient, fault: Fault
) -> None:
    slack.fail_next(fault)
    owed = alert_now()
    assert isinstance(client.deliver(owed, None), Ambiguous)
    assert client.find(owed, None) is None


@pytest.mark.parametrize("kind", ["reminds", "resolves"])
def test_a_reply_is_found_in_its_thread(slack: SlackServer, client: SlackClient, kind: str) -> None:
    parent = fired(client)
    slack.fail_next(
        Fault(status=500, body="oops", stores=True, method="chat.postMessage"),
    )
    owed: Alert = alert_now(kind)  # type: ignore[arg-type]
    assert isinstance(client.deliver(owed, parent), Ambiguous)
    assert client.find(owed, parent) == Sent(CHANNEL, slack.with_key("key-1")[0].ts)
    assert client.find(alert_now(kind, "other"), parent) is None  # type: ignore[arg-type]


def test_every_page_is_looked_at(slack: SlackServer, client: SlackClient) -> None:
    slack.page = 2
    owed = [alert_now(key=f"key-{number}") for number in range(7)]
    sent = [client.deliver(one, None) for one in owed]
    assert [client.find(one, None) for one in owed] == sent
    assert client.find(alert_now(key="none"), None) is None


def test_a_name_is_resolved_once_over_every_page(slack: SlackServer) -> None:
    slack.page = 1
    client = SlackClient(TOKEN, "#compute-strategy", slack.url)
    assert client.find(alert_now(), None) is None
    assert client.find(alert_now(), None) is None
    assert len(slack.calls("conversations.list")) == 3
    assert {r.args["channel"] for r in slack.calls("conversations.history")} == {CHANNEL}


def test_a_delivery_tells_the_id_of_the_name(slack: SlackServer, client: SlackClient) -> None:
    client.deliver(alert_now(), None)
    client.find(alert_now(), None)
    assert not slack.calls("conversations.list")


def test_messages_of_others_are_no_match(slack: SlackServer, client: SlackClient) -> None:
    client.deliver(alert_now(), None)
    slack.messages[0].metadata = {"event_type": "other", "event_payload": {"key": "key-1"}}
    assert client.find(alert_now(), None) is None
    slack.messages[0].metadata = None
    assert client.find(alert_now(), None) is None


def test_without_the_scope_to_read_nothing_can_be_found(slack: SlackServer) -> None:
    client = SlackClient(TOKEN, CHANNEL, slack.url)
    slack.fail_next(says("missing_scope", needed="channels:history"))
    found = client.find(alert_now(), None)
    assert isinstance(found, Unknown)
    assert found.lasting
    assert "add channels:history to the Slack app" in found.why


def test_without_the_scope_to_list_a_name_cannot_be_resolved(
    slack: SlackServer, client: SlackClient
) -> None:
    slack.fail_next(says("missing_scope", "conversations.list", needed="channels:read"))
    found = client.find(alert_now(), None)
    assert isinstance(found, Unknown)
    assert "add channels:read" in found.why


def test_a_channel_that_slack_does_not_list(slack: SlackServer) -> None:
    found = SlackClient(TOKEN, "#nowhere", slack.url).find(alert_now(), None)
    assert found == Unknown("Slack lists no channel #nowhere: check [slack] channel", lasting=True)


@pytest.mark.parametrize("fault", [BROKEN, DROPPED, HTML, too_many()])
def test_a_search_that_fails_says_nothing_about_the_message(
    slack: SlackServer, client: SlackClient, fault: Fault
) -> None:
    client.deliver(alert_now(), None)
    slack.fail_next(fault)
    found = client.find(alert_now(), None)
    assert isinstance(found, Unknown)
    assert not found.lasting
    parent = fired(client)
    slack.fail_next(fault)
    assert isinstance(client.find(alert_now("resolves", "key-2"), parent), Unknown)
