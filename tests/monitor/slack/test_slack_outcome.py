"""The one table: what every way to fail means for the message."""

import http.client
import socket
import ssl
from urllib.error import URLError

import pytest

from monitor.slack.outcome import (
    PLAIN_TEXT_HELPS,
    Ambiguous,
    Dead,
    Failure,
    Retry,
    classify,
    classify_answer,
    classify_word,
)


@pytest.mark.parametrize(
    ("word", "ends"),
    [
        ("ratelimited", Retry),
        ("rate_limited", Retry),
        ("message_limit_exceeded", Retry),
        ("request_timeout", Retry),
        ("team_added_to_org", Retry),
        ("internal_error", Ambiguous),
        ("fatal_error", Ambiguous),
        ("service_unavailable", Ambiguous),
        ("channel_not_found", Dead),
        ("not_in_channel", Dead),
        ("is_archived", Dead),
        ("not_authed", Dead),
        ("invalid_auth", Dead),
        ("account_inactive", Dead),
        ("token_revoked", Dead),
        ("token_expired", Dead),
        ("missing_scope", Dead),
        ("restricted_action", Dead),
        ("invalid_blocks", Dead),
        ("msg_too_long", Dead),
        ("a_word_of_next_year", Dead),
    ],
)
def test_words_of_slack(word: str, ends: type[Failure]) -> None:
    failure = classify_word(word)
    assert isinstance(failure, ends)
    assert failure.why.startswith(word)


@pytest.mark.parametrize("word", ["channel_not_found", "invalid_auth", "not_in_channel"])
def test_what_is_refused_for_good_says_what_to_do(word: str) -> None:
    failure = classify_word(word)
    assert isinstance(failure, Dead)
    assert failure.word == word
    assert len(failure.why) > len(word) + 20


def test_a_missing_scope_is_named() -> None:
    assert (
        "add channels:read to the Slack app" in classify_word("missing_scope", "channels:read").why
    )


def test_plain_text_is_tried_only_for_what_slack_refused() -> None:
    for word in PLAIN_TEXT_HELPS:
        assert isinstance(classify_word(word), Dead), word


@pytest.mark.parametrize(
    ("status", "headers", "data", "expected"),
    [
        (429, {"Retry-After": "30"}, {}, Retry(30.0, "HTTP 429: too many messages")),
        (429, {"retry-after": "3"}, {}, Retry(3.0, "HTTP 429: too many messages")),
        (429, {}, {}, Retry(None, "HTTP 429: too many messages")),
        (
            429,
            {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"},
            {},
            Retry(None, "HTTP 429: too many messages"),
        ),
        (500, {}, {"ok": False, "error": "invalid_auth"}, Ambiguous("HTTP 500")),
        (503, {}, {}, Ambiguous("HTTP 503")),
        (200, {}, {}, Ambiguous("HTTP 200 with an answer that is not Slack's")),
        (
            200,
            {},
            {"error": "Received a response in a non-JSON format: <html>"},
            Ambiguous("HTTP 200 with an answer that is not Slack's"),
        ),
        (403, {}, {"ok": False, "error": "ekm_access_denied"}, classify_word("ekm_access_denied")),
    ],
)
def test_answers(
    status: int, headers: dict[str, str], data: dict[str, object], expected: Failure
) -> None:
    assert classify_answer(status, headers, data) == expected


def test_a_refusal_that_is_not_slacks_is_no_verdict_on_the_message() -> None:
    failure = classify_answer(407, {}, {"error": "Received a response in a non-JSON format: proxy"})
    assert isinstance(failure, Retry)
    assert "HTTP 407" in failure.why
    assert "api_url" in failure.why


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        (URLError(ConnectionRefusedError(111, "Connection refused")), Retry),
        (URLError(socket.gaierror(-2, "Name or service not known")), Retry),
        (URLError(ssl.SSLCertVerificationError("self-signed certificate")), Retry),
        (URLError(TimeoutError("timed out")), Ambiguous),
        (URLError(BrokenPipeError(32, "Broken pipe")), Ambiguous),
        (URLError("no host given"), Ambiguous),
        (ConnectionRefusedError(111, "Connection refused"), Ambiguous),
        (ConnectionResetError(104, "Connection reset by peer"), Ambiguous),
        (TimeoutError("timed out"), Ambiguous),
        (TimeoutError(), Ambiguous),
        (http.client.RemoteDisconnected("closed without response"), Ambiguous),
        (http.client.IncompleteRead(b"{"), Ambiguous),
        (AttributeError("'list' object has no attribute 'get'"), Ambiguous),
        (KeyError("ts"), Ambiguous),
    ],
)
def test_answers_that_never_came(error: Exception, ends: type[Failure]) -> None:
    failure = classify(error)
    assert isinstance(failure, ends)
    assert failure.why
