"""A Slack on 127.0.0.1: the Web API methods that the service calls, on real sockets.

It keeps messages as Slack does and checks what Slack checks, by rules written down here a second
time. Faults are queued and meet the next requests in order.
"""

import contextlib
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

TOKEN = "xoxb-loopback"


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request.

    `error`: `ok: false` with this word; `extra` goes along. `status`, `body` and `headers`: that
    answer. `drop`: the connection is reset with no answer; `unread`: before the request was read.
    `delay`: seconds before the answer.
    `stores`: the request is carried out all the same, as far as Slack is concerned.
    `method`: only a request for this method meets it; "" is any.
    """

    error: str = ""
    extra: tuple[tuple[str, Any], ...] = ()
    status: int = 200
    body: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    drop: bool = False
    unread: bool = False
    delay: float = 0.0
    stores: bool = False
    method: str = ""


def too_many(seconds: str = "7") -> Fault:
    return Fault(
        status=429,
        body='{"ok": false, "error": "ratelimited"}',
        headers=(("Retry-After", seconds),),
    )


def says(word: str, method: str = "", **extra: Any) -> Fault:
    return Fault(error=word, extra=tuple(extra.items()), method=method)


BROKEN = Fault(status=500, body="oops")
BROKEN_BUT_STORED = Fault(status=500, body="oops", stores=True)
UNAVAILABLE = Fault(status=503, body="<html>busy</html>")
HTML = Fault(body="<html><body>Sign in to this network</body></html>")
EMPTY = Fault(body="")
EMPTY_BUT_STORED = Fault(body="", stores=True)
DROPPED = Fault(drop=True)
DROPPED_UNREAD = Fault(drop=True, unread=True)
DROPPED_BUT_STORED = Fault(drop=True, stores=True)


@dataclass
class Request:
    """One request as it came; `at` is `time.monotonic()`."""

    method: str
    args: dict[str, Any]
    at: float


@dataclass
class Message:
    """One message as Slack keeps it."""

    channel: str
    ts: str
    text: str
    blocks: list[dict[str, Any]]
    metadata: dict[str, Any] | None
    thread_ts: str | None = None
    broadcast: bool = False
    edits: int = 0

    @property
    def key(self) -> str | None:
        return (self.metadata or {}).get("event_payload", {}).get("key")

    def public(self, *, metadata: bool) -> dict[str, Any]:
        answer = {"type": "message", "ts": self.ts, "text": self.text, "blocks": self.blocks}
        if self.thread_ts:
            answer["thread_ts"] = self.thread_ts
        if metadata and self.metadata:
            answer["metadata"] = self.metadata
        return answer


class Refused(Exception):
    """`ok: false` with this word."""


@dataclass
class SlackServer:
    """The server and what it holds. `channels` are id to name; `page` the most in one answer."""

    token: str = TOKEN
    channels: dict[str, str] = field(
        default_factory=lambda: {
            "C0000001": "general",
            "C0000002": "random",
            "C0000003": "compute-strategy",
        }
    )
    page: int = 100
    messages: list[Message] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._faults: deque[Fault] = deque()
        self._lock = threading.RLock()
        self._stamp = int(time.time())
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.slack = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, name="slack"
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/api/"

    def fail_next(self, fault: Fault, times: int = 1) -> None:
        """The next `times` requests that the fault is about meet it."""
        with self._lock:
            self._faults.extend([fault] * times)

    def calls(self, method: str) -> list[Request]:
        """The requests for one method, in their order."""
        with self._lock:
            return [request for request in self.requests if request.method == method]

    def with_key(self, key: str) -> list[Message]:
        """The messages that carry an alert's key: more than one is a duplicate."""
        with self._lock:
            return [message for message in self.messages if message.key == key]

    # --- what the handler calls ---------------------------------------------------------------

    def record(self, method: str, args: dict[str, Any]) -> None:
        """A request has come."""
        with self._lock:
            self.requests.append(Request(method, args, time.monotonic()))

    def take_fault(self, method: str) -> Fault | None:
        """The fault that a request meets."""
        with self._lock:
            for fault in self._faults:
                if fault.method in ("", method):
                    self._faults.remove(fault)
                    return fault
        return None

    def answer(self, method: str, args: dict[str, Any], token: str) -> dict[str, Any]:
        """Carry a request out as Slack does."""
        with self._lock:
            try:
                return {"ok": True, **self._dispatch(method, args, token)}
            except Refused as refused:
                return {"ok": False, "error": str(refused)}

    def _dispatch(self, method: str, args: dict[str, Any], token: str) -> dict[str, Any]:
        methods = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "conversations.list": self._list,
        }
        if method not in methods:
            raise Refused("unknown_method")
        if not token:
            raise Refused("not_authed")
        if token != self.token:
            raise Refused("invalid_auth")
        return methods[method](args)

    def _auth_test(self, args: dict[str, Any]) -> dict[str, Any]:
        return {"team": "Loopback", "user": "qrossover", "team_id": "T1", "user_id": "U1"}

    def _post(self, args: dict[str, Any]) -> dict[str, Any]:
        channel = self._channel(args.get("channel", ""))
        check_content(args)
        thread = args.get("thread_ts")
        if thread and not any(m.ts == thread for m in self.messages):
            raise Refused("thread_not_found")
        self._stamp += 1
        message = Message(
            channel,
            f"{self._stamp}.{len(self.messages):06d}",
            args.get("text", ""),
            args.get("blocks") or [],
            args.get("metadata"),
            thread,
            bool(args.get("reply_broadcast")),
        )
        self.messages.append(message)
        return {"channel": channel, "ts": message.ts, "message": message.public(metadata=True)}

    def _update(self, args: dict[str, Any]) -> dict[str, Any]:
        channel = self._channel_id(args)
        check_content(args)
        message = self._message(channel, args.get("ts", ""))
        message.text = args.get("text", message.text)
        message.blocks = args.get("blocks", message.blocks)
        message.metadata = args.get("metadata", message.metadata)
        message.edits += 1
        return {"channel": channel, "ts": message.ts, "text": message.text}

    def _history(self, args: dict[str, Any]) -> dict[str, Any]:
        channel = self._channel_id(args)
        shown = [m for m in self.messages if m.channel == channel]
        shown = [m for m in shown if m.thread_ts is None or m.broadcast]
        return self._listed(args, shown[::-1])

    def _replies(self, args: dict[str, Any]) -> dict[str, Any]:
        channel = self._channel_id(args)
        if not any(m.ts == args.get("ts") for m in self.messages):
            raise Refused("thread_not_found")
        shown = [m for m in self.messages if m.channel == channel]
        return self._listed(args, [m for m in shown if args["ts"] in (m.ts, m.thread_ts)])

    def _listed(self, args: dict[str, Any], shown: list[Message]) -> dict[str, Any]:
        oldest = float(args.get("oldest", "0"))
        metadata = args.get("include_all_metadata") == "1"
        public = [m.public(metadata=metadata) for m in shown if float(m.ts) > oldest]
        return self._paged(args, "messages", public)

    def _list(self, args: dict[str, Any]) -> dict[str, Any]:
        channels = [{"id": number, "name": name} for number, name in self.channels.items()]
        return self._paged(args, "channels", channels)

    def _paged(self, args: dict[str, Any], name: str, items: list[Any]) -> dict[str, Any]:
        start = int(args.get("cursor") or 0)
        end = start + min(self.page, int(args.get("limit", 100)))
        cursor = str(end) if end < len(items) else ""
        return {name: items[start:end], "response_metadata": {"next_cursor": cursor}}

    def _channel(self, named: str) -> str:
        """By id or by name: only chat.postMessage takes a name."""
        for number, name in self.channels.items():
            if named in (number, name, f"#{name}"):
                return number
        raise Refused("channel_not_found")

    def _channel_id(self, args: dict[str, Any]) -> str:
        if args.get("channel") not in self.channels:
            raise Refused("channel_not_found")
        return str(args["channel"])

    def _message(self, channel: str, ts: str) -> Message:
        for message in self.messages:
            if (message.channel, message.ts) == (channel, ts):
                return message
        raise Refused("message_not_found")


# --- Slack's limits, written down independently of the service --------------------------------


def check_content(args: dict[str, Any]) -> None:
    """Refuse what Slack refuses: too long, too many, empty."""
    if not args.get("text") and not args.get("blocks"):
        raise Refused("no_text")
    if len(args.get("text", "")) > 40000:
        raise Refused("msg_too_long")
    blocks = args.get("blocks") or []
    if len(blocks) > 50 or not all(map(_is_valid, blocks)):
        raise Refused("invalid_blocks")
    if sum(len(text) for block in blocks for text in _texts(block)) > 13200:
        raise Refused("msg_blocks_too_long")


def _is_valid(block: dict[str, Any]) -> bool:
    match block:
        case {"type": "header", "text": {"type": "plain_text", "text": text}}:
            return 0 < _units(text) <= 150
        case {"type": "section", "text": {"type": "mrkdwn", "text": text}}:
            return 0 < _units(text) <= 3000
        case {"type": "section", "fields": fields}:
            return 0 < len(fields) <= 10 and all(0 < _units(f["text"]) <= 2000 for f in fields)
        case {"type": "context", "elements": elements}:
            return 0 < len(elements) <= 10 and all(_units(e["text"]) > 0 for e in elements)
    return False


def _units(text: str) -> int:
    """Length as JavaScript counts it; blank text is none."""
    return len(text.encode("utf-16-le")) // 2 if text.strip() else 0


def _texts(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("text"), str):
            yield part["text"]
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from _texts(inner)


# --- HTTP -------------------------------------------------------------------------------------


class _Server(ThreadingHTTPServer):
    slack: SlackServer
    daemon_threads = False  # server_close waits for them


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 5  # a client that connects and says nothing does not keep the server from closing

    def do_POST(self) -> None:
        method = self.path.removeprefix("/api/")
        fault = self.server.slack.take_fault(method)
        args = {} if fault and fault.unread else self._args()
        self.server.slack.record(method, args)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if fault is None:
            self._send(200, json.dumps(self.server.slack.answer(method, args, token)))
            return
        # a slow answer is right when it comes: only then nobody may be there any more
        right = ""
        if fault.stores:
            right = json.dumps(self.server.slack.answer(method, args, token))
        time.sleep(fault.delay)
        self._fail(fault, right)

    def _args(self) -> dict[str, Any]:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.headers.get("Content-Type", "").startswith("application/json"):
            return dict(json.loads(body or "{}"))
        return dict(parse_qsl(body.decode()))

    def _fail(self, fault: Fault, right: str) -> None:
        if fault.drop:
            # a linger of nothing makes the close a reset
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
            return
        body = fault.body if fault.body is not None else right
        if fault.error:
            body = json.dumps({"ok": False, "error": fault.error, **dict(fault.extra)})
        self._send(fault.status, body, fault.headers)

    def _send(self, status: int, body: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        encoded = body.encode()
        # the client may have given up by now, which is what a slow answer is for
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(encoded)))
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(encoded)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the base class's name
        """Silent: the test says what it expects."""
