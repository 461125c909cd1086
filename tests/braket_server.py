"""An Amazon Braket on 127.0.0.1, with the S3 and STS it needs and Rigetti's QCS: real sockets for
the clouds' own clients.

It keeps tasks as Braket does: one for each client token, findable by device, with results in S3
once they have completed. Faults are queued for an operation and meet its next requests in order.
Shapes: https://docs.aws.amazon.com/braket/latest/APIReference/Welcome.html
"""

import contextlib
import json
import re
import socket
import struct
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from braket_data import Document, Play, results, zeros

KEY = "AKIALOOPBACK"


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request for an operation.

    `status` and `error`: that answer. `drop`: the connection is reset with no answer, after the
    request was read. `done`: the request is carried out all the same. `wait`: seconds before it is
    carried out; `delay`: seconds after that, before the answer.
    """

    operation: str
    status: int = 0
    error: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    drop: bool = False
    done: bool = False
    wait: float = 0.0
    delay: float = 0.0


@dataclass
class Task:
    """One quantum task. `polls` is how often it is still said to wait."""

    arn: str
    request: Document
    polls: int
    created: float = field(default_factory=time.time)
    status: str = "CREATED"
    more: Document = field(default_factory=dict)
    """What GetQuantumTask says besides; None takes a field away."""

    @property
    def tag(self) -> str:
        return self.request["tags"]["qrossover"]

    @property
    def action(self) -> Document:
        return json.loads(self.request["action"])


class Refused(Exception):
    """An answer that says no."""

    def __init__(self, status: int, error: str, message: str = "") -> None:
        super().__init__(error)
        self.status, self.error, self.message = status, error, message or error


@dataclass
class BraketServer:
    """The server and what it holds. `polls`: how often a new task is said to wait. `hidden`:
    seconds before a search shows a task. `page`: the most that a search shows at once."""

    devices: dict[str, Document] = field(default_factory=dict)
    processors: dict[str, Document] = field(default_factory=dict)
    play: Play = zeros
    polls: int = 0
    hidden: float = 0.0
    page: int = 100
    tasks: dict[str, Task] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, Document]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._faults: deque[Fault] = deque()
        self._lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.braket = self
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
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def environment(self) -> dict[str, str]:
        """The variables by which Amazon's clients, in a child too, find this server alone."""
        return {
            "BRAKET_ENDPOINT": self.url,
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ENDPOINT_URL_STS": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": "loopback",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AMZN_BRAKET_OUT_S3_BUCKET": "amazon-braket-loopback",
        }

    def reset(self) -> None:
        """As new, but for the address."""
        with self._lock:
            for name in ("devices", "processors", "tasks", "objects"):
                getattr(self, name).clear()
            self.requests.clear()
            self._faults.clear()
            self.play, self.polls, self.hidden, self.page = zeros, 0, 0.0, 100

    def fail(self, *faults: Fault) -> None:
        self._faults.extend(faults)

    def count(self, operation: str) -> int:
        return sum(name == operation for name, _ in self.requests)

    # --- one request ---------------------------------------------------------------------------

    def fault(self, operation: str) -> Fault | None:
        """The next fault for an operation, taken off the queue."""
        with self._lock:
            for fault in self._faults:
                if fault.operation == operation:
                    self._faults.remove(fault)
                    return fault
        return None

    def carry_out(self, operation: str, name: str, body: Document) -> tuple[int, Any]:
        """HTTP status and answer of an operation on what has this name."""
        with self._lock:
            return getattr(self, f"_{_snake(operation)}")(name, body)

    def _get_device(self, arn: str, _: Document) -> tuple[int, Any]:
        if arn not in self.devices:
            raise Refused(404, "ResourceNotFoundException", f"no device {arn}")
        return 200, self.devices[arn]

    def _search_devices(self, _: str, body: Document) -> tuple[int, Any]:
        keys = ("deviceArn", "deviceName", "providerName", "deviceType", "deviceStatus")
        found = [{key: one[key] for key in keys} for one in self.devices.values()]
        return 200, self._paged("devices", found, body)

    def _create_quantum_task(self, _: str, body: Document) -> tuple[int, Any]:
        for task in self.tasks.values():
            if task.request["clientToken"] == body["clientToken"]:
                if task.request != body:
                    raise Refused(409, "ConflictException", "the token was used otherwise")
                return 201, {"quantumTaskArn": task.arn}
        if self.devices[body["deviceArn"]]["deviceStatus"] == "RETIRED":
            raise Refused(410, "DeviceRetiredException")
        region = body["deviceArn"].split(":")[3]
        arn = f"arn:aws:braket:{region}:123456789012:quantum-task/{uuid.uuid4()}"
        self.tasks[arn] = Task(arn, body, self.polls)
        return 201, {"quantumTaskArn": arn}

    def _get_quantum_task(self, arn: str, _: Document) -> tuple[int, Any]:
        task = self._task(arn)
        if task.status in ("CREATED", "QUEUED"):
            task.polls -= 1
            task.status = "QUEUED"
            if task.polls < 0:
                task.status = "COMPLETED"
                self._write_results(task)
        return 200, self._told(task)

    def _search_quantum_tasks(self, _: str, body: Document) -> tuple[int, Any]:
        (arns,) = [one["values"] for one in body["filters"] if one["name"] == "deviceArn"]
        seen = time.time() - self.hidden
        found = [
            self._told(task)
            for task in self.tasks.values()
            if task.request["deviceArn"] in arns and task.created <= seen
        ]
        return 200, self._paged("quantumTasks", found, body)

    def _cancel_quantum_task(self, arn: str, _: Document) -> tuple[int, Any]:
        task = self._task(arn)
        if task.status not in ("CREATED", "QUEUED"):
            raise Refused(409, "ConflictException", f"the task is {task.status}")
        task.status = "CANCELLED"
        return 200, {"quantumTaskArn": arn, "cancellationStatus": "CANCELLING"}

    def _get_object(self, name: str, _: Document) -> tuple[int, Any]:
        if name not in self.objects:
            raise Refused(404, "NoSuchKey", "The specified key does not exist.")
        return 200, self.objects[name]

    def _get_caller_identity(self, _: str, __: Document) -> tuple[int, Any]:
        return 200, (
            b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            b"<GetCallerIdentityResult><Account>123456789012</Account>"
            b"</GetCallerIdentityResult></GetCallerIdentityResponse>"
        )

    def _get_instruction_set_architecture(self, name: str, _: Document) -> tuple[int, Any]:
        if name not in self.processors:
            raise Refused(404, "not_found", f"no processor {name}")
        return 200, self.processors[name]

    # --- what it holds -------------------------------------------------------------------------

    def _task(self, arn: str) -> Task:
        if arn not in self.tasks:
            raise Refused(404, "ResourceNotFoundException", f"no task {arn}")
        return self.tasks[arn]

    def _told(self, task: Task) -> Document:
        stamp = datetime.fromtimestamp(task.created, UTC).isoformat()
        told = {
            "quantumTaskArn": task.arn,
            "status": task.status,
            "deviceArn": task.request["deviceArn"],
            "deviceParameters": "{}",
            "shots": task.request["shots"],
            "outputS3Bucket": task.request["outputS3Bucket"],
            "outputS3Directory": _folder(task),
            "createdAt": stamp,
            "tags": task.request["tags"],
            **({"endedAt": stamp} if task.status in ("COMPLETED", "FAILED", "CANCELLED") else {}),
            **task.more,
        }
        return {key: value for key, value in told.items() if value is not None}

    def _write_results(self, task: Task) -> None:
        self.put(task, "results.json", results(task.arn, task.request, self.play))

    def put(self, task: Task, name: str, content: Any) -> None:
        """Put an object into the folder of a task's results."""
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.objects[f"{task.request['outputS3Bucket']}/{_folder(task)}/{name}"] = data

    def _paged(self, key: str, found: list[Document], body: Document) -> Document:
        start = int(body.get("nextToken") or 0)
        end = start + self.page
        more = {"nextToken": str(end)} if end < len(found) else {}
        return {key: found[start:end], **more}


def _folder(task: Task) -> str:
    return f"{task.request['outputS3KeyPrefix']}/{task.arn.rpartition('/')[2]}"


def _snake(operation: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).lower()


ROUTES = (
    ("GET", r"/device/(.+)", "GetDevice"),
    ("POST", r"/devices()", "SearchDevices"),
    ("POST", r"/quantum-task()", "CreateQuantumTask"),
    ("POST", r"/quantum-tasks()", "SearchQuantumTasks"),
    ("GET", r"/quantum-task/(.+)", "GetQuantumTask"),
    ("PUT", r"/quantum-task/(.+)/cancel", "CancelQuantumTask"),
    ("GET", r"/v1/quantumProcessors/(.+)/instructionSetArchitecture",
     "GetInstructionSetArchitecture"),
    ("POST", r"/()", "GetCallerIdentity"),
    ("GET", r"/(.+)", "GetObject"),
)  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        server: BraketServer = self.server.braket
        path = unquote(urlsplit(self.path).path)
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        operation, name = next(
            (operation, found[1])
            for method, pattern, operation in ROUTES
            if method == self.command and (found := re.fullmatch(pattern, path))
        )
        body = _body(text)
        server.requests.append((operation, body))
        fault = server.fault(operation)
        time.sleep(fault.wait if fault else 0)
        answer: tuple[int, Any] = 500, {}
        try:
            self._check_key(operation)
            if not fault or fault.done or not (fault.status or fault.drop):
                answer = server.carry_out(operation, name, body)
        except Refused as refused:
            answer = refused.status, refused
        if fault:
            time.sleep(fault.delay)
        with contextlib.suppress(ConnectionError):  # a client that was killed
            if fault and fault.drop:
                self._drop()
            elif fault and fault.status:
                self._send(fault.status, Refused(fault.status, fault.error), dict(fault.headers))
            else:
                self._send(*answer)

    def _check_key(self, operation: str) -> None:
        given = self.headers.get("Authorization", "")
        if operation == "GetInstructionSetArchitecture":
            if not given.startswith("Bearer ey"):
                raise Refused(401, "unauthorized", f"no token: {given[:30]}")
        elif f"Credential={KEY}/" not in given:
            raise Refused(403, "UnrecognizedClientException", "The security token is invalid.")

    def _send(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
        sent = dict(headers or {})
        if isinstance(answer, Refused):
            sent["x-amzn-ErrorType"] = answer.error
            answer = {"message": answer.message, "code": answer.error}
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for key, value in sent.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _drop(self) -> None:
        """Reset the connection, as a peer that died does."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()
        self.close_connection = True


def _body(text: str) -> Document:
    if not text.startswith("{"):
        return {key: values[0] for key, values in parse_qs(text).items()}
    return json.loads(text)
