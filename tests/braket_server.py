"""An Amazon Braket on 127.0.0.1, with the S3 and STS it needs and Rigetti's QCS.

It keeps tasks as Braket does: one for each client token, findable by device, with results in S3
once they have completed. Shapes:
https://docs.aws.amazon.com/braket/latest/APIReference/Welcome.html
"""

import json
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from braket_data import Document, Play, results, zeros
from loopback import Answer, Fault, Loopback, Request

KEY = "AKIALOOPBACK"
BUCKET = "amazon-braket-loopback"

OPERATIONS = {
    "GetDevice": ("GET", r"/device/(.+)"),
    "SearchDevices": ("POST", r"/devices()"),
    "CreateQuantumTask": ("POST", r"/quantum-task()"),
    "SearchQuantumTasks": ("POST", r"/quantum-tasks()"),
    "GetQuantumTask": ("GET", r"/quantum-task/(.+)"),
    "CancelQuantumTask": ("PUT", r"/quantum-task/(.+)/cancel"),
    "GetInstructionSetArchitecture": (
        "GET",
        r"/v1/quantumProcessors/(.+)/instructionSetArchitecture",
    ),
    "GetCallerIdentity": ("POST", r"/()"),
    "GetObject": ("GET", rf"/({BUCKET}/.+)"),
}
"""Method and path of everything that can be asked; the last in the path is what it is about."""

IDENTITY = (
    b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    b"<GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult>"
    b"</GetCallerIdentityResponse>"
)


def fault(operation: str, status: int = 0, error: str = "", **more: Any) -> Fault:
    """What goes wrong with one request for an operation; see Fault. `error` is AWS's word."""
    method, path = OPERATIONS[operation]
    body = _xml(error) if operation == "GetObject" else json.dumps(_said(error, "made to fail"))
    return Fault(method, path, status, body, **more)


@dataclass
class Task:
    """One quantum task. `polls` is how often it is still said to wait; `more` is put over what
    GetQuantumTask says, and None takes a field away."""

    arn: str
    request: Document
    polls: int
    created: float = field(default_factory=time.time)
    status: str = "CREATED"
    more: Document = field(default_factory=dict)

    @property
    def tag(self) -> str:
        return self.request["tags"]["qrossover"]

    @property
    def action(self) -> Document:
        return json.loads(self.request["action"])

    @property
    def folder(self) -> str:
        return f"{self.request['outputS3KeyPrefix']}/{self.arn.rpartition('/')[2]}"


class Refused(Exception):
    """An answer that says no."""

    def __init__(self, status: int, error: str, message: str = "") -> None:
        super().__init__(error)
        self.status, self.error, self.message = status, error, message or error


class BraketServer(Loopback):
    """The server. `polls`: how often a new task is said to wait. `hidden`: seconds before a search
    shows a task. `page`: the most that a search shows at once. `play`: what machines make of a
    program."""

    def __init__(self) -> None:
        super().__init__()
        self.renew()

    def renew(self) -> None:
        """As new, but for the address."""
        self.forget()
        self.play: Play = zeros
        self.polls, self.hidden, self.page = 0, 0.0, 100
        self.devices: dict[str, Document] = {}
        self.processors: dict[str, Document] = {}
        self.tasks: dict[str, Task] = {}
        self.objects: dict[str, bytes] = {}

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
            "AMZN_BRAKET_OUT_S3_BUCKET": BUCKET,
        }

    def count(self, operation: str) -> int:
        """How often an operation was asked for."""
        return len(self.calls(*OPERATIONS[operation]))

    def put(self, task: Task, name: str, content: Any) -> None:
        """Put an object into the folder of a task's results."""
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.objects[f"{task.request['outputS3Bucket']}/{task.folder}/{name}"] = data

    def answer(self, request: Request) -> Answer:
        operation, name = next(
            (operation, unquote(found[1]))
            for operation, (method, path) in OPERATIONS.items()
            if method == request.method and (found := re.fullmatch(path, request.path))
        )
        asked: Callable[[str, Request], Any] = getattr(self, f"_{_snake(operation)}")
        try:
            _check_key(operation, request)
            found = asked(name, request)
        except Refused as no:
            if operation == "GetObject":
                return Answer(no.status, raw=_xml(no.error).encode())
            return Answer(no.status, _said(no.error, no.message))
        status = 201 if operation == "CreateQuantumTask" else 200
        return Answer(status, raw=found) if isinstance(found, bytes) else Answer(status, found)

    # --- operations ------------------------------------------------------------------------------

    def _get_device(self, arn: str, _: Request) -> Any:
        if arn not in self.devices:
            raise Refused(404, "ResourceNotFoundException", f"no device {arn}")
        return self.devices[arn]

    def _search_devices(self, _: str, request: Request) -> Any:
        keys = ("deviceArn", "deviceName", "providerName", "deviceType", "deviceStatus")
        found = [{key: one[key] for key in keys} for one in self.devices.values()]
        return self._paged("devices", found, request.json())

    def _create_quantum_task(self, _: str, request: Request) -> Any:
        body = request.json()
        for task in self.tasks.values():
            if task.request["clientToken"] == body["clientToken"]:
                if task.request != body:
                    raise Refused(409, "ConflictException", "the token was used otherwise")
                return {"quantumTaskArn": task.arn}
        if self._get_device(body["deviceArn"], request)["deviceStatus"] == "RETIRED":
            raise Refused(410, "DeviceRetiredException")
        region = body["deviceArn"].split(":")[3]
        arn = f"arn:aws:braket:{region}:123456789012:quantum-task/{uuid.uuid4()}"
        self.tasks[arn] = Task(arn, body, self.polls)
        return {"quantumTaskArn": arn}

    def _get_quantum_task(self, arn: str, _: Request) -> Any:
        task = self._task(arn)
        if task.status in ("CREATED", "QUEUED"):
            task.polls -= 1
            task.status = "QUEUED"
            if task.polls < 0:
                task.status = "COMPLETED"
                self.put(task, "results.json", results(task.arn, task.request, self.play))
        return _told(task)

    def _search_quantum_tasks(self, _: str, request: Request) -> Any:
        body = request.json()
        (arns,) = [one["values"] for one in body["filters"] if one["name"] == "deviceArn"]
        seen = time.time() - self.hidden
        found = [
            _told(task)
            for task in self.tasks.values()
            if task.request["deviceArn"] in arns and task.created <= seen
        ]
        return self._paged("quantumTasks", found, body)

    def _cancel_quantum_task(self, arn: str, _: Request) -> Any:
        task = self._task(arn)
        if task.status not in ("CREATED", "QUEUED"):
            raise Refused(409, "ConflictException", f"the task is {task.status}")
        task.status = "CANCELLED"
        return {"quantumTaskArn": arn, "cancellationStatus": "CANCELLING"}

    def _get_object(self, name: str, _: Request) -> Any:
        if name not in self.objects:
            raise Refused(404, "NoSuchKey")
        return self.objects[name]

    def _get_caller_identity(self, _: str, __: Request) -> Any:
        return IDENTITY

    def _get_instruction_set_architecture(self, name: str, _: Request) -> Any:
        if name not in self.processors:
            raise Refused(404, "not_found", f"no processor {name}")
        return self.processors[name]

    def _task(self, arn: str) -> Task:
        if arn not in self.tasks:
            raise Refused(404, "ResourceNotFoundException", f"no task {arn}")
        return self.tasks[arn]

    def _paged(self, key: str, found: list[Document], body: Document) -> Document:
        start = int(body.get("nextToken") or 0)
        end = start + self.page
        more = {"nextToken": str(end)} if end < len(found) else {}
        return {key: found[start:end], **more}


def _told(task: Task) -> Document:
    """A task as GetQuantumTask and SearchQuantumTasks tell it."""
    stamp = datetime.fromtimestamp(task.created, UTC).isoformat()
    over = task.status in ("COMPLETED", "FAILED", "CANCELLED")
    told = {
        "quantumTaskArn": task.arn,
        "status": task.status,
        "deviceArn": task.request["deviceArn"],
        "deviceParameters": "{}",
        "shots": task.request["shots"],
        "outputS3Bucket": task.request["outputS3Bucket"],
        "outputS3Directory": task.folder,
        "createdAt": stamp,
        "endedAt": stamp if over else None,
        "tags": task.request["tags"],
        **task.more,
    }
    return {key: value for key, value in told.items() if value is not None}


def _check_key(operation: str, request: Request) -> None:
    given = request.headers.get("authorization", "")
    if operation == "GetInstructionSetArchitecture":
        if not given.startswith("Bearer ey"):
            raise Refused(401, "unauthorized", "the token is none")
    elif f"Credential={KEY}/" not in given:
        raise Refused(403, "UnrecognizedClientException", "The security token is invalid.")


def _said(error: str, message: str) -> Document:
    return {"code": error, "message": message}


def _xml(error: str) -> str:
    """A no of S3."""
    return f"<Error><Code>{error}</Code><Message>made to fail</Message></Error>"


def _snake(operation: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).lower()
