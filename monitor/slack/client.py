"""One delivery attempt at a time, through slack_sdk's WebClient.

The SDK's own retries are off: they post again after a dropped connection, and Slack then has the
message twice. The outbox owns every retry.
"""

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from slack_sdk import WebClient
from slack_sdk.web import SlackResponse

from monitor.channel import (
    Ambiguous,
    Dead,
    Failure,
    ParentMessage,
    Result,
    Retry,
    Sent,
    Unknown,
)
from monitor.slack.message import Message, render, render_original
from monitor.slack.outcome import (
    NO_ANSWER,
    NOT_SLACK,
    PLAIN_TEXT_HELPS,
    THREAD_IS_GONE,
    classify,
)
from storage.types import Alert, AlertKind

EVENT_TYPE = "qrossover_alert"
API_URL = "https://slack.com/api/"
TIMEOUT_SECONDS = 10
CLOCK_SKEW_SECONDS = 3600.0
"""How far this machine's clock may be ahead of Slack's, in which time stamps are."""
PAGE = 200
"""Messages asked for at once: <https://docs.slack.dev/apis/web-api/pagination>."""

UPDATING: tuple[AlertKind, ...] = ("resolves", "acknowledges", "reopens")
"""The answers that change what the first message says."""

Call = Callable[[dict[str, Any]], SlackResponse]
_Answer = TypeVar("_Answer")
_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{6,}")
_silent = logging.getLogger("monitor.slack.sdk")
# what the SDK would log is in the result, and its result is logged once, by the sender
_silent.setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom the token speaks."""

    team: str
    user: str


class SlackClient:
    """A channel on Slack, by its name ("#compute-strategy") or its id ("C0123456789").

    Every call blocks, for at most `timeout` seconds per request. None raises: how it ended is
    what it returns. Raises ValueError for a token that no HTTP header can carry.
    """

    name = "slack"
    pace = 1.0
    """Seconds between messages: <https://docs.slack.dev/apis/web-api/rate-limits>."""

    def __init__(
        self, token: str, channel: str, api_url: str = API_URL, timeout: int = TIMEOUT_SECONDS
    ) -> None:
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise ValueError(
                "the Slack token has spaces, line breaks or letters outside ASCII: expected one "
                "line that begins with xoxb; check the variable or file that [slack] names"
            )
        self._channel = channel
        self._channel_id = channel if _CHANNEL_ID.fullmatch(channel) else None
        self._web = WebClient(
            token, base_url=api_url, timeout=timeout, retry_handlers=[], logger=_silent
        )

    # --- delivery ----------------------------------------------------------------------------

    def deliver(self, alert: Alert, parent: ParentMessage | None) -> Result:
        """One attempt to say an alert, in the thread of its parent where that has been sent, or
        in the channel where the thread is gone.

        An answer that changes what the parent says first updates it, silently; that may be
        repeated without harm.
        """
        if parent is None:
            return self._post(alert)
        if alert.kind in UPDATING:
            failed = self._update(parent, alert)
            if isinstance(failed, Retry | Ambiguous):
                # nothing with this alert's key has been posted yet: there is nothing to look for
                return Retry(failed.after if isinstance(failed, Retry) else None, failed.why)
        result = self._reply(alert, parent)
        if isinstance(result, Dead) and result.word in THREAD_IS_GONE:
            return self._post(alert)
        return result

    def _post(self, alert: Alert) -> Result:
        result = self._say(alert, {"channel": self._channel_id or self._channel})
        if isinstance(result, Sent):
            self._channel_id = result.channel
        return result

    def _reply(self, alert: Alert, parent: ParentMessage) -> Result:
        # a reminder that only the thread shows reminds nobody
        broadcast = alert.kind == "reminds"
        thread = {"channel": parent.channel, "thread_ts": parent.ts, "reply_broadcast": broadcast}
        return self._say(alert, thread)

    def _say(self, alert: Alert, where: dict[str, Any]) -> Result:
        def post(body: dict[str, Any]) -> SlackResponse:
            return self._web.chat_postMessage(
                metadata=_metadata(alert), unfurl_links=False, unfurl_media=False, **where, **body
            )

        return _fitting(render(alert), post)

    def _update(self, parent: ParentMessage, answer: Alert) -> Result:
        message = render_original(parent.alert, answer)
        key = _metadata(parent.alert)

        def update(body: dict[str, Any]) -> SlackResponse:
            # an update that names no blocks would keep the old ones
            body = {"blocks": []} | body
            return self._web.chat_update(channel=parent.channel, ts=parent.ts, metadata=key, **body)

        return _fitting(message, update)

    # --- looking for what was perhaps sent -----------------------------------------------------

    def find(self, alert: Alert, parent: ParentMessage | None) -> Sent | Unknown | None:
        """Where Slack has an alert already, by its key; None where it has not."""
        found = self._look(alert, parent)
        if isinstance(found, Retry | Ambiguous | Dead):
            return Unknown(found.why, lasting=isinstance(found, Dead))
        return found

    def _look(self, alert: Alert, parent: ParentMessage | None) -> Result | None:
        """In the thread, and in the channel: a reply whose thread is gone was posted there."""
        if parent is not None:
            found = self._in_thread(alert, parent)
            gone = isinstance(found, Dead) and found.word in THREAD_IS_GONE
            if found is not None and not gone:
                return found
        channel = self._resolve()
        if not isinstance(channel, str):
            return channel
        return _search(alert, _since(alert, channel), self._web.conversations_history)

    def _in_thread(self, alert: Alert, parent: ParentMessage) -> Result | None:
        query = _since(alert, parent.channel) | {"ts": parent.ts}
        return _search(alert, query, self._web.conversations_replies)

    def _resolve(self) -> str | Failure:
        """The channel's id, which `conversations.history` wants in place of a name."""
        if self._channel_id is not None:
            return self._channel_id
        query = {"types": "public_channel,private_channel", "exclude_archived": True, "limit": PAGE}
        for page in _pages(query, self._web.conversations_list):
            if not isinstance(page, dict):
                return page
            for channel in page.get("channels") or []:
                if channel.get("name") == self._channel.removeprefix("#"):
                    self._channel_id = str(channel["id"])
                    return self._channel_id
        return Dead(f"Slack lists no channel {self._channel}: check [slack] channel")

    # --- qrossover slack test ------------------------------------------------------------------

    def auth_test(self) -> Identity | Failure:
        """As whom the token speaks, or why it does not."""
        return _attempt(lambda: _identity(self._web.auth_test()))


def _attempt(call: Callable[[], _Answer]) -> _Answer | Failure:
    try:
        return call()
    except (*NO_ANSWER, *NOT_SLACK) as error:
        return classify(error)


def _fitting(message: Message, call: Call) -> Result:
    """Send with blocks; once more as plain text where Slack does not take the blocks."""
    blocks = {"text": message.text, "blocks": message.blocks}
    result = _attempt(lambda: _sent(call(blocks)))
    if isinstance(result, Dead) and result.word in PLAIN_TEXT_HELPS:
        result = _attempt(lambda: _sent(call({"text": message.text})))
    return result


def _since(alert: Alert, channel: str) -> dict[str, Any]:
    return {
        "channel": channel,
        "oldest": f"{max(0.0, alert.created - CLOCK_SKEW_SECONDS):.6f}",
        "include_all_metadata": True,
        "limit": PAGE,
    }


def _search(
    alert: Alert, query: dict[str, Any], method: Callable[..., SlackResponse]
) -> Result | None:
    for page in _pages(query, method):
        if not isinstance(page, dict):
            return page
        for message in page.get("messages") or []:
            if _key(message) == alert.key:
                return Sent(str(query["channel"]), str(message["ts"]))
    return None


def _pages(
    query: dict[str, Any], method: Callable[..., SlackResponse]
) -> Iterator[dict[str, Any] | Failure]:
    """Every page of an answer, or the failure that ended them."""
    page = _page(query, method)
    yield page
    while isinstance(page, dict):
        cursor = (page.get("response_metadata") or {}).get("next_cursor")
        if not cursor:
            return
        page = _page(query | {"cursor": cursor}, method)
        yield page


def _page(query: dict[str, Any], method: Callable[..., SlackResponse]) -> dict[str, Any] | Failure:
    return _attempt(lambda: _body(method(**query)))


def _body(response: SlackResponse) -> dict[str, Any]:
    if not isinstance(response.data, dict):
        raise UnicodeError("the answer is not text")
    return response.data


def _sent(response: SlackResponse) -> Sent:
    body = _body(response)
    return Sent(str(body["channel"]), str(body["ts"]))


def _identity(response: SlackResponse) -> Identity:
    body = _body(response)
    return Identity(str(body["team"]), str(body["user"]))


def _metadata(alert: Alert) -> dict[str, Any]:
    return {"event_type": EVENT_TYPE, "event_payload": {"key": alert.key}}


def _key(message: dict[str, Any]) -> str | None:
    metadata = message.get("metadata") or {}
    if metadata.get("event_type") != EVENT_TYPE:
        return None
    key: str | None = (metadata.get("event_payload") or {}).get("key")
    return key
