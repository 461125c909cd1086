"""How an attempt at Slack ended, and the one table that decides it.

What counts is whether Slack may have done what it was asked for. Error words and their meaning are
listed with each method, e.g. <https://docs.slack.dev/reference/methods/chat.postMessage#errors>:
of `internal_error` and `fatal_error` Slack says that some aspect of the operation may have
succeeded, of `request_timeout` that the request came truncated, so that nothing was done.
"""

import http.client
import re
import socket
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.error import URLError

from slack_sdk.errors import SlackApiError

from monitor.channel import Ambiguous, Dead, Failure, Retry

PLAIN_TEXT_HELPS = frozenset(
    {
        "attachment_payload_limit_exceeded",
        "invalid_attachments",
        "invalid_blocks",
        "invalid_blocks_format",
        "msg_blocks_too_long",
        "msg_too_long",
        "too_many_attachments",
    }
)
THREAD_IS_GONE = frozenset(
    {
        "cannot_reply_to_message",
        "channel_not_found",
        "is_archived",
        "message_not_found",
        "not_in_channel",
        "thread_not_found",
    }
)
"""Words for a reply that has no place any more: the channel that is configured now may have one."""

_RETRY = frozenset(
    {
        "message_limit_exceeded",
        "rate_limited",
        "ratelimited",
        "request_timeout",
        "team_added_to_org",
    }
)
_AMBIGUOUS = frozenset({"fatal_error", "internal_error", "service_unavailable"})
_RENEW = "take a new bot token from the Slack app's page, OAuth & Permissions"
_INVITE = "type /invite @Qrossover in the channel"
_WHAT_TO_DO = {
    "account_inactive": _RENEW,
    "channel_not_found": f"check [slack] channel; if it is private, {_INVITE}",
    "invalid_auth": _RENEW,
    "is_archived": "unarchive the channel, or name another one in [slack] channel",
    "not_allowed_token_type": "use a bot token (xoxb-…)",
    "not_authed": "set the variable that [slack] token_env names, or token_file",
    "not_in_channel": _INVITE,
    "restricted_action": "ask a workspace administrator who may post in the channel",
    "token_expired": _RENEW,
    "token_revoked": _RENEW,
}
_WORD = re.compile(r"[a-z0-9_]+")
_OK, _TOO_MANY, _CLIENT, _SERVER = 200, 429, 400, 500
_NOTHING_WAS_SENT = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)

NO_ANSWER = (OSError, http.client.HTTPException, SlackApiError)
"""What slack_sdk raises for want of an answer, or for one that is not ok."""

NOT_SLACK = (AttributeError, UnicodeError, LookupError)
"""What slack_sdk raises for an answer that is no JSON object, or in no charset Python knows."""


def classify(error: Exception) -> Failure:
    """How an attempt ended that raised `error`, one of NO_ANSWER or NOT_SLACK."""
    if isinstance(error, SlackApiError):
        response = error.response
        data = response.data if isinstance(response.data, dict) else {}
        return classify_answer(response.status_code, response.headers, data)
    if isinstance(error, NOT_SLACK):
        return Ambiguous("the answer is not Slack's: no JSON object")
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(error, URLError) and isinstance(reason, _NOTHING_WAS_SENT):
        return Retry(None, f"Slack cannot be reached: {reason}")
    return Ambiguous(f"no answer from Slack: {reason or type(error).__name__}")


def classify_answer(status: int, headers: Mapping[str, str], data: Mapping[str, Any]) -> Failure:
    """How an attempt ended that Slack did not answer with `"ok": true`."""
    word = str(data.get("error", ""))
    if status == _TOO_MANY:
        return Retry(_retry_after(headers), "HTTP 429: too many messages")
    if status >= _SERVER:
        return Ambiguous(f"HTTP {status}")
    if _WORD.fullmatch(word):
        return classify_word(word, str(data.get("needed", "")))
    if status >= _CLIENT:
        # whoever answered has refused the request; perhaps a proxy, and tomorrow it may not
        return Retry(None, f"HTTP {status}, not from Slack: check [slack] api_url and the proxy")
    return Ambiguous(f"HTTP {status} with an answer that is not Slack's")


def classify_word(word: str, needed: str = "") -> Failure:
    """How an attempt ended that Slack answered with `"ok": false` and this error.

    `needed`: the scopes that Slack misses, for `missing_scope`.
    """
    if word in _RETRY:
        return Retry(None, word)
    if word in _AMBIGUOUS:
        return Ambiguous(word)
    if word == "missing_scope":
        scopes = needed or "the scopes of deploy/slack-manifest.yaml"
        return Dead(f"{word}: add {scopes} to the Slack app and install it again", word)
    todo = _WHAT_TO_DO.get(word)
    return Dead(f"{word}: {todo}" if todo else f"{word}: Slack refuses the message", word)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from a header that HTTP also permits to be a date: then None."""
    named = {name.lower(): value for name, value in headers.items()}
    text = named.get("retry-after", "")
    return float(text) if text.isdecimal() else None
