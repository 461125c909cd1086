"""Batches as jobs of Azure Quantum: one native circuit a job, with ids that follow from our tag.

The JSON is that of azure-quantum's own native IonQ backends (azure/quantum/qiskit/backends/ionq.py,
3.13) and of https://learn.microsoft.com/azure/quantum/provider-ionq (2026-08).
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from probes.quantum.batch import Batch
from probes.quantum.clouds import ionq_circuits
from probes.quantum.clouds.azure_workspace import Workspace, word
from probes.quantum.provider import Status
from probes.queued import Unreadable

if TYPE_CHECKING:
    from azure.quantum._client.models import JobDetails

State = Literal["queued", "running", "done", "failed", "cancelled", "unknown"]

STATES: Mapping[str, State] = {
    "Queued": "queued",
    "Waiting": "queued",
    "Executing": "running",
    "Finishing": "running",
    "CancellationRequested": "running",
    "Cancelling": "running",
    "Succeeded": "done",
    "Completed": "done",
    "Failed": "failed",
    "Cancelled": "cancelled",
}
"""`JobStatus` of the interface."""

ENDED = ("done", "failed", "cancelled")

IONQ = "ionq."


def contents(device: str, batch: Batch) -> list[bytes]:
    """What each job is given to run.

    Raises ValueError for targets that do not run a circuit as it stands.
    """
    if not device.startswith(IONQ):
        raise ValueError(
            f"on Azure only IonQ's targets run a circuit gate for gate; {device} compiles it anew, "
            "and would cancel a canary's layers"
        )
    circuits = zip(ionq_circuits.native(device, batch), batch.chains, strict=True)
    return [
        json.dumps(
            {"gateset": "native", "qubits": ionq_circuits.size(chain), "circuit": gates}
        ).encode()
        for gates, chain in circuits
    ]


def main(tag: str) -> str:
    """The id of the batch: the last 32 digits of its tag."""
    return str(uuid.UUID(hex=tag[-32:]))


def ids(main: str, number: int) -> list[str]:
    """The ids of a batch's jobs, by circuit: they follow from the first."""
    return [main, *(str(uuid.uuid5(uuid.UUID(main), str(place))) for place in range(1, number))]


def details(
    workspace: Workspace, job: str, device: str, batch: Batch, content: bytes
) -> dict[str, Any]:
    """Lay down a job's input; what is to be said of the job. Debiasing is on by default."""
    container = workspace.container(job)
    return {
        "provider_id": "ionq",
        "target": device,
        "container_uri": container,
        "input_data_uri": workspace.upload(container, content),
        "input_data_format": "ionq.circuit.v1",
        "output_data_format": "ionq.quantum-results.v1",
        "input_params": {"shots": batch.shots, "error-mitigation": {"debias": False}},
        "metadata": {"circuits": str(len(batch.circuits))},
    }


def jobs(workspace: Workspace, job: str) -> "Iterator[JobDetails | None]":
    """The jobs of a batch one by one, by circuit; the first says how many there are."""
    first = workspace.job(job)
    yield first
    number = _circuits(first) if first else 1
    yield from (workspace.job(other) for other in ids(job, number)[1:])


def _circuits(first: "JobDetails") -> int:
    metadata: Any = first.metadata
    try:
        return int(metadata["circuits"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"Azure job {first.id} does not say of how many circuits its batch is: it is none of "
            "ours, or somebody has changed its metadata"
        ) from error


def state(details: "JobDetails") -> State:
    """How a job stands in our terms."""
    return STATES.get(word(details.status), "unknown")


def status(details: "JobDetails") -> Status:
    """How a job stands, with Azure's word for it and its times."""
    error = details.error_data
    reason = f"{error.code}: {error.message}" if error else "Azure gives no reason"
    return Status(
        state=state(details),
        word=word(details.status),
        reason=reason if state(details) == "failed" else "",
        started=begun(details),
        ended=ended(details),
    )


def begun(details: "JobDetails") -> float | None:
    """When a job began to run, in seconds since the epoch; None where Azure does not say."""
    moment = details.begin_execution_time
    return None if moment is None else moment.timestamp()


def ended(details: "JobDetails") -> float | None:
    """When a job ended, in seconds since the epoch; None where Azure does not say."""
    moment = details.end_execution_time
    return None if moment is None else moment.timestamp()


def histogram(workspace: Workspace, job: str) -> Any:
    """Probabilities by state of one job. Raises Unreadable."""
    details = workspace.job(job)
    if details is None or not details.output_data_uri:
        raise Unreadable(f"Azure job {job} has no output")
    content = workspace.download(details.output_data_uri)
    try:
        return json.loads(content)["histogram"]
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"the output of Azure job {job} has no histogram: {error!r}") from error
