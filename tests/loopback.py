"""A cloud on 127.0.0.1, on real sockets: what the made-up providers of the tests have in common.

A request is recorded, may meet a fault, and is answered by the subclass. Faults are queued; each
meets the next request that it is about, once.
"""

import contextlib
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request for `method` ("" is any) at a path that matches `path`.

    `before` and `after` are seconds of delay before and after the request is carried out; `stores`
    says whether it is carried out at all where it fails. `status`: answer with that, `body` and
    `headers`. `drop`: reset the connection with no answer. Neither: the answer is right, but late.
    """

    method: str = ""
    path: str = ".*"
    status: int = 0
    body: str = '{"message": "made to fail"}'
    headers: tuple[tuple[str, str], ...] = ()
    drop: bool = False
    stores: bool = False
    before: float = 0.0
    after: float = 0.0

    @property
    def fails(self) -> bool:
        return self.drop or self.status > 0

    def meets(self, request: "Request") -> bool:
        return self.method in ("", request.method) and bool(re.fullmatch(self.path, request.path))


@dataclass(frozen=True)
class Request:
    """One request as it came; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """A status with a document, or with bytes as they are."""

    status: int = 200
    document: Any = None
    raw: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Loopback:
    """The server; `requests` are all that came. Subclasses say `answer`."""

    prefix: ClassVar[str] = ""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.lock = threading.RLock()
        self._faults: list[Fault] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.cloud = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{self.prefix}"

    def fail(self, *faults: Fault) -> None:
        """The next requests that they are about meet these faults."""
        with self.lock:
            self._faults.extend(faults)

    def calls(self, method: str, path: str = ".*") -> list[Request]:
        """The requests of one method at paths that match, in their order."""
        with self.lock:
            return [
                request
                for request in self.requests
                if request.method == method and re.fullmatch(path, request.path)
            ]

    def forget(self) -> None:
        """As if nothing had been asked, and nothing were to fail."""
        with self.lock:
            self.requests.clear()
            self._faults.clear()

    def answer(self, request: Request) -> Answer:
        raise NotImplementedError

    def take_fault(self, request: Request) -> Fault:
        with self.lock:
            self.requests.append(request)
            for fault in self._faults:
                if fault.meets(request):
                    self._faults.remove(fault)
                    return fault
        return Fault()


class _Server(ThreadingHTTPServer):
    cloud: Loopback
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 5  # a client that connects and says nothing keeps no thread for ever

    def _do(self) -> None:
        cloud, request = self.server.cloud, self._request()
        fault = cloud.take_fault(request)
        time.sleep(fault.before)
        answer = Answer()
        if fault.stores or not fault.fails:
            with cloud.lock:
                answer = cloud.answer(request)
        time.sleep(fault.after)
        if fault.drop:
            self._reset()
        elif fault.status:
            self._send(Answer(fault.status, raw=fault.body.encode(), headers=dict(fault.headers)))
        else:
            self._send(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _do  # noqa: N815 the base class's names

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = parts.path.removeprefix(self.server.cloud.prefix)
        return Request(self.command, path, query, headers, body)

    def _reset(self) -> None:
        # a linger of nothing makes the close a reset
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _send(self, answer: Answer) -> None:
        raw = json.dumps(answer.document).encode() if answer.raw is None else answer.raw
        headers = {"Content-Type": "application/json", **answer.headers}
        # the client may be gone by now: a killed one is what a late answer is for
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(answer.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the base class's name
        """Silent: the test says what it expects."""
