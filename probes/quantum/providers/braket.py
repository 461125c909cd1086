"""Amazon Braket: machines of IQM, Rigetti and IonQ, and Amazon's simulators.

A batch is one quantum task: a program, or a program set where it has several circuits, for one fee.
What does not fit in one task (100 circuits, 200,000 shots on most machines) is refused before
anything is sent: several tasks could be created in part.

A task is created once. It carries our tag twice: as the client token, by which AWS knows a request
that it has had already and answers with the same task instead of a second one, and as the value of
the tag `qrossover`, by which `find` knows it. So even a submission repeated after a doubt that
`find` could not settle creates and bills nothing twice.

Braket reports no bill. A task costs what its quote says: one fee, and its shots at the device's
published price, before discounts, or at the user's.

Interface: https://docs.aws.amazon.com/braket/latest/APIReference/Welcome.html
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from probes.quantum.batch import Batch
from probes.quantum.clouds import aws, braket_capabilities, braket_program, braket_service
from probes.quantum.clouds.aws import (
    REFUSALS,
    REGIONS,
    arn_of,
    ask,
    client,
    name_of,
    part,
)
from probes.quantum.clouds.rest import Refused
from probes.quantum.device import Calibration
from probes.quantum.provider import (
    Ability,
    Cost,
    Counts,
    Device,
    Price,
    Provider,
    Status,
    Unpriced,
)
from probes.queued import Rejected, Unreadable
from storage.types import Origin, Quote, now

TASK_USD = 0.30
"""Fee for one task on any QPU, https://aws.amazon.com/braket/pricing/, May 2026. A minimum of shots
is only asked for where IonQ mitigates errors, which is not asked for here."""

TAG = "qrossover"
FOLDER = "qrossover"
"""Where results lie in the bucket."""

PAGE = 100
NOT_FOUND = 404

STATES: Mapping[str, Literal["queued", "running", "done", "failed", "cancelled"]] = {
    "CREATED": "queued",
    "QUEUED": "queued",
    "RUNNING": "running",
    "COMPLETED": "done",
    "FAILED": "failed",
    "CANCELLING": "running",
    "CANCELLED": "cancelled",
}
"""https://docs.aws.amazon.com/braket/latest/APIReference/API_GetQuantumTask.html"""


class Braket(Provider):
    """Amazon Braket. A device is a short name such as `iqm/garnet`, or its ARN."""

    supports: ClassVar[frozenset[Ability]] = frozenset(
        {"devices", "calibration", "queue", "quote", "submit", "find", "cancel", "cost"}
    )

    def ready(self) -> None:
        """Raise NoLibrary without boto3, NoAccount without AWS's credentials."""
        aws.ready()

    def check(self, device: str) -> None:
        """Raise ValueError for what is neither a short name nor an ARN."""
        arn_of(device)

    def origin_of(self, device: str) -> Origin:
        """`simulated` for Amazon's simulators."""
        return "measured" if part(arn_of(device), "kind") == "qpu" else "simulated"

    # --- devices -----------------------------------------------------------------------------

    def devices(self) -> Sequence[Device]:
        """The devices of all of Braket's regions that are not retired."""
        arns = dict.fromkeys(arn for region in REGIONS for arn in _listed(region))
        return [self.device(name_of(arn)) for arn in arns]

    def device(self, device: str) -> Device:
        """One device. Outside of its execution windows it is online too: Braket takes tasks then,
        and they wait for the next window."""
        found = _get_device(device)
        capabilities = braket_capabilities.document(found["deviceCapabilities"])
        word, is_open = found["deviceStatus"], braket_service.is_open(capabilities, now())
        queue, at_least = braket_service.waiting(found.get("deviceQueueInfo") or ())
        return Device(
            name=device,
            qubits=capabilities["paradigm"].get("qubitCount"),
            status=word if is_open else f"{word}, outside of its execution windows",
            online=word == "ONLINE",
            queue=queue,
            queue_at_least=at_least,
            simulator=self.origin_of(device) == "simulated",
        )

    def calibration(self, device: str) -> Calibration:
        """The calibration in the device's capabilities. Raises ValueError where it has none."""
        if self.origin_of(device) == "simulated":
            raise ValueError(f"{device} is a simulator: it has no calibration and no native gates")
        found = _get_device(device)
        try:
            capabilities = braket_capabilities.document(found["deviceCapabilities"])
            return braket_capabilities.calibration(device, found["deviceName"], capabilities)
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"Braket's capabilities of {device} are not of its schema "
                f"({type(error).__name__}: {error})"
            ) from error

    # --- jobs --------------------------------------------------------------------------------

    def quote(self, device: str, batch: Batch, price: Price) -> Quote:
        """One fee and the price of all shots. Raises ValueError where the device does not take the
        batch as one task, Unpriced where shots have no price."""
        if price.qpu_second is not None:
            raise Unpriced("Braket sells tasks and shots: leave usd_per_qpu_second out")
        capabilities = _capabilities(device)
        braket_service.check_fits(device, capabilities, batch)
        braket_program.action(part(arn_of(device), "owner"), batch)
        return Quote(usd=_usd(device, capabilities, _shots(batch), price))

    def submit(self, device: str, batch: Batch, tag: str, quote: Quote) -> str:
        """Create one task; its ARN."""
        arn = arn_of(device)
        order = {
            "clientToken": tag,
            "deviceArn": arn,
            "shots": _shots(batch),
            "action": json.dumps(braket_program.action(part(arn, "owner"), batch)),
            "outputS3Bucket": _bucket(device),
            "outputS3KeyPrefix": FOLDER,
            "tags": {TAG: tag},
        }
        try:
            created = ask(_client("braket", device).create_quantum_task, **order)
        except Refused as refused:
            if refused.status in REFUSALS:
                raise Rejected(str(refused)) from refused
            raise
        return str(created["quantumTaskArn"])

    def find(self, device: str, tag: str) -> str | None:
        """Look through all tasks of the device for the one with this tag."""
        search = _client("braket", device).search_quantum_tasks
        by_device = {"name": "deviceArn", "operator": "EQUAL", "values": [arn_of(device)]}
        for task in _pages(search, "quantumTasks", filters=[by_device]):
            if task.get("tags", {}).get(TAG) == tag:
                return str(task["quantumTaskArn"])
        return None

    def status(self, device: str, job: str) -> Status:
        """How a task stands. Braket says when it was created and ended, not when it began."""
        task = _task(device, job)
        if task is None:
            return Status("gone", "ResourceNotFoundException", "Braket knows no such task")
        word, ended = task["status"], task.get("endedAt")
        said = (task.get("queueInfo") or {}).get("position") or ""
        position, at_least = braket_service.number(said)
        return Status(
            state=STATES.get(word, "unknown"),
            word=word,
            reason=task.get("failureReason") or (f"position {said} in the queue" * at_least),
            position=None if at_least else position,
            ended=ended.timestamp() if ended else None,
        )

    def result(self, device: str, job: str, batch: Batch) -> list[Counts]:
        """Counts from the task's results in S3. Raises Unreadable."""
        task = _task(device, job)
        if task is None:
            raise Unreadable(f"Braket knows no task {job}")
        s3 = _client("s3", device)

        def read(bucket: str, key: str) -> Any:
            return _json(s3, bucket, key)

        whole = read(task["outputS3Bucket"], f"{task['outputS3Directory']}/results.json")
        return braket_program.counts(batch, whole, read)

    def cancel(self, device: str, job: str) -> None:
        """Ask for the task's end; Braket promises it for tasks that still wait alone."""
        ask(_client("braket", device).cancel_quantum_task, quantumTaskArn=job)

    def cost(self, device: str, job: str, batch: Batch, quote: Quote) -> Cost:
        """A completed task costs what was quoted. Of one that did not complete nothing is known:
        shots that were taken are billed."""
        task = _task(device, job)
        return Cost(usd=quote.usd if task and task["status"] == "COMPLETED" else None)


def _shots(batch: Batch) -> int:
    return batch.shots * len(batch.circuits)


def _usd(device: str, capabilities: Mapping[str, Any], shots: int, price: Price) -> float:
    """The user's price where there is one, else the published."""
    shot = braket_service.shot_price(capabilities) if price.shot is None else price.shot
    if shot is None:
        raise Unpriced(f"{device} says no price of a shot: set usd_per_shot")
    return (TASK_USD if price.task is None else price.task) + shots * shot


def _client(service: str, device: str) -> Any:
    return client(service, part(arn_of(device), "region"))


def _get_device(device: str) -> Any:
    return ask(_client("braket", device).get_device, deviceArn=arn_of(device))


def _capabilities(device: str) -> dict[str, Any]:
    return braket_capabilities.document(_get_device(device)["deviceCapabilities"])


def _listed(region: str) -> list[str]:
    """ARNs of the devices in a region that are known here and not retired."""
    search = client("braket", region).search_devices
    return [
        device["deviceArn"]
        for device in _pages(search, "devices", filters=[])
        if part(device["deviceArn"], "owner") and device["deviceStatus"] != "RETIRED"
    ]


def _pages(search: Any, key: str, **parameters: Any) -> Iterator[Any]:
    """What a search finds, page by page."""
    more: dict[str, str] = {}
    while True:
        page = ask(search, maxResults=PAGE, **parameters, **more)
        yield from page[key]
        if not page.get("nextToken"):
            return
        more = {"nextToken": page["nextToken"]}


def _task(device: str, job: str) -> Any:
    """A task; None where Braket does not know it."""
    get = _client("braket", device).get_quantum_task
    try:
        return ask(get, quantumTaskArn=job, additionalAttributeNames=["QueueInfo"])
    except Refused as refused:
        if refused.status == NOT_FOUND:
            return None
        raise


def _bucket(device: str) -> str:
    """Where results go: the bucket that Braket's own library takes, too. It must exist."""
    if given := os.environ.get("AMZN_BRAKET_OUT_S3_BUCKET", "").strip():
        return given
    sts = _client("sts", device)
    return f"amazon-braket-{sts.meta.region_name}-{ask(sts.get_caller_identity)['Account']}"


def _json(s3: Any, bucket: str, key: str) -> Any:
    """An object as JSON. Raises Unreadable where it is missing or is no JSON."""
    try:
        return json.loads(ask(s3.get_object, Bucket=bucket, Key=key)["Body"].read())
    except Refused as refused:
        if refused.status == NOT_FOUND:
            raise Unreadable(f"no results at s3://{bucket}/{key}: {refused}") from refused
        raise
    except ValueError as error:
        raise Unreadable(f"s3://{bucket}/{key} is no JSON: {error}") from error
