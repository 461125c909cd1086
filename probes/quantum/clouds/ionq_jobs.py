"""Jobs in IonQ's JSON: what is sent, what it is estimated to cost, what comes back.

Schemas MultiCircuitJobCreationPayload, GetJobEstimateResponse and MultiCircuitJob of
https://api.ionq.co/v0.4/api-docs (2026-09).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from probes.quantum.batch import Batch
from probes.quantum.clouds.ionq_circuits import PULSES, native, size
from probes.quantum.provider import Unpriced
from probes.queued import Unreadable

AGGREGATE = "ionq.result.probabilities-aggregate.json.v1"


def sizes(device: str, batch: Batch) -> Iterator[tuple[tuple[str, int], ...]]:
    """What a price depends on, for every circuit, as IonQ's parameters."""
    for gates, chain in zip(native(device, batch), batch.chains, strict=True):
        pulses = sum(gate["gate"] in PULSES for gate in gates)
        qubits = size(chain)
        yield ("qubits", qubits), ("1q_gates", pulses), ("2q_gates", len(gates) - pulses)


def usd(estimate: Mapping[str, Any]) -> float:
    """The estimated cost. Raises Unpriced where it is not in USD."""
    unit, cost = estimate.get("estimated_unit"), estimate.get("estimated_total_cost")
    if str(unit).lower() != "usd" or cost is None:
        raise Unpriced(
            f"IonQ estimates {cost} {unit}, not USD: state usd_per_task, usd_per_shot or "
            "usd_per_qpu_second"
        )
    return float(cost)


def seconds(estimate: Mapping[str, Any]) -> float:
    """Predicted seconds of compute time where IonQ bills that, else of execution."""
    micros = estimate.get("estimated_quantum_compute_time_us")
    return float(estimate["estimated_execution_time"]) / 1e3 if micros is None else micros / 1e6


def body(device: str, batch: Batch, tag: str) -> dict[str, Any]:
    """The batch as one job, without error mitigation: that merges many variants of a circuit."""
    circuits = zip(native(device, batch), batch.chains, strict=True)
    return {
        "type": "ionq.multi-circuit.v1",
        "name": tag,
        "metadata": {"tag": tag},
        "backend": device,
        "shots": batch.shots,
        "settings": {"error_mitigation": {"debiasing": False, "symmetry_verification": False}},
        "input": {
            "gateset": "native",
            "qubits": max(map(size, batch.chains)),
            "circuits": [
                {"name": str(place), "qubits": size(chain), "circuit": gates}
                for place, (gates, chain) in enumerate(circuits)
            ],
        },
    }


def reason(job: Mapping[str, Any]) -> str:
    """Why a job failed; "" where it did not."""
    if job["status"] != "failed":
        return ""
    failure = job.get("failure") or {}
    said = ": ".join(filter(None, (failure.get("code"), failure.get("message"))))
    return said or "IonQ gives no reason"


def artifact(job: Mapping[str, Any]) -> str:
    """The id under which a job's histograms lie. Raises Unreadable."""
    results = job.get("results") or {}
    try:
        return str(results[AGGREGATE]["id"])
    except (KeyError, TypeError):
        had = ", ".join(results) or "nothing"
        raise Unreadable(f"IonQ job {job['id']} has no result {AGGREGATE}, but {had}") from None


def listed(histograms: Any, job: Mapping[str, Any], batch: Batch) -> list[Any]:
    """A histogram for every circuit. IonQ keys them by child job, in the circuits' order, which is
    how its own qiskit-ionq takes them; the list of the children must have the same order."""
    if not isinstance(histograms, dict) or len(histograms) != len(batch.circuits):
        number = len(histograms) if isinstance(histograms, dict) else "no"
        raise Unreadable(
            f"IonQ job {job['id']} has {number} results instead of {len(batch.circuits)}"
        )
    children = job.get("child_job_ids")
    if children and list(histograms) != children:
        raise Unreadable(
            f"IonQ job {job['id']} lists its circuits and their results in different orders: "
            "it cannot be told which is which"
        )
    return list(histograms.values())
