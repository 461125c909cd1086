"""IonQ's own cloud, by its REST interface v0.4 (https://docs.ionq.com/api-reference/v0.4, as its
OpenAPI document stood in September 2026).

A batch is one multi-circuit job in native gates, with IonQ's error mitigation off: it is on by
default from 500 shots on. A job carries our tag as its name and in its metadata, and is found by
walking the list of the device's jobs: IonQ has neither a search for it nor a key that would make a
second submission harmless.

IONQ_API_KEY is needed for jobs and prices; devices and their calibrations are public. IONQ_API_URL
is another address of the interface.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

from probes.quantum.batch import Batch
from probes.quantum.clouds import ionq_circuits, ionq_jobs
from probes.quantum.clouds.account import NoAccount, given, secret
from probes.quantum.clouds.ionq_characterization import ideal, moment, parse
from probes.quantum.clouds.ionq_rest import KEY, Session
from probes.quantum.clouds.rest import CERTAIN, Refused
from probes.quantum.device import Calibration
from probes.quantum.provider import (
    Ability,
    Cost,
    Counts,
    Device,
    Price,
    Provider,
    Status,
    Unsupported,
)
from probes.queued import Rejected
from storage.types import Origin, Quote

SIMULATOR = "simulator"
NOT_FOUND = 404

MARGIN = 1.2
"""IonQ's estimates bind nobody, and where it bills compute time a bill can be some per cent above
(https://docs.ionq.com/guides/job-cost-and-usage): this many times an estimate is reserved."""

STATES: Mapping[str, Literal["queued", "running", "done", "failed", "cancelled"]] = {
    "submitted": "queued",  # being checked and compiled
    "ready": "queued",
    "started": "running",
    "completed": "done",
    "failed": "failed",
    "canceled": "cancelled",
}
"""https://docs.ionq.com/user-manual/jobs#job-status"""


class IonQ(Provider):
    """IonQ's trapped ions and its ideal simulator."""

    supports: ClassVar[frozenset[Ability]] = frozenset(
        ("devices", "calibration", "history", "queue", "quote", "submit", "find", "cancel", "cost")
    )
    visible_after: ClassVar[float] = 300.0  # IonQ has no key against a second job: be patient

    def ready(self) -> None:
        """Raise NoAccount without a key, which jobs and prices need."""
        try:
            secret(KEY, "IonQ")
        except NoAccount as error:
            raise NoAccount(f"{error}; devices and calibrations can be read without") from error

    def check(self, device: str) -> None:
        """Raise ValueError for what cannot be the name of a backend."""
        if not re.fullmatch(r"simulator|qpu\.[a-z0-9-]+", device):
            raise ValueError(
                f"{device!r} is no name of an IonQ backend: they are called simulator or, like "
                "qpu.forte-1, qpu.NAME"
            )

    def origin_of(self, device: str) -> Origin:
        """`simulated` for the simulator."""
        return "simulated" if device == SIMULATOR else "measured"

    # --- devices and their calibrations ------------------------------------------------------

    def devices(self) -> Sequence[Device]:
        """Every backend. Its `average_queue_time` is left out: no unit is documented."""
        with Session() as ionq:
            return [_device(entry) for entry in ionq.get("/backends")]

    def device(self, device: str) -> Device:
        """One of them; with a key also the wait that IonQ predicts for a job sent now."""
        found = super().device(device)
        if not found.online or found.simulator or not given(KEY):
            return found
        with Session(account=True) as ionq:
            estimate = ionq.get("/jobs/estimate", backend=device)
        # in milliseconds, as the document says since September 2026
        return replace(found, wait=estimate["current_predicted_queue_time"] / 1e3)

    def calibration(self, device: str) -> Calibration:
        """The newest characterization; for the simulator, that it has no errors."""
        with Session() as ionq:
            if device == SIMULATOR:
                backend = ionq.get(f"/backends/{device}")
                return ideal(device, backend["qubits"], moment(backend["last_updated"]))
            found = [parse(device, one) for one in ionq.newest_characterizations(device)]
        if not found:
            raise Unsupported(f"IonQ has published no characterization of {device}")
        return max(found, key=lambda calibration: calibration.at)

    def history(self, device: str, since: float, until: float) -> Sequence[Calibration]:
        """Every characterization between two moments, oldest first. IonQ is asked by days, and for
        those before the last one."""
        first = datetime.fromtimestamp(since, UTC).date()
        last = datetime.fromtimestamp(until, UTC).date() + timedelta(days=1)
        with Session() as ionq:
            listed = ionq.characterizations(device, start=str(first), end=str(last))
            found = [parse(device, one) for one in listed]
        inside = [one for one in found if since <= one.at <= until]
        return sorted(inside, key=lambda calibration: calibration.at)

    # --- jobs --------------------------------------------------------------------------------

    def quote(self, device: str, batch: Batch, price: Price) -> Quote:
        """IonQ's estimates of all circuits, each as if it were a job of its own, so that a minimum
        counts for each, and MARGIN; the cost from the user's price where there is one.

        Raises Unpriced where IonQ estimates in another unit than USD and the user states no price.
        """
        sizes = Counter(ionq_jobs.sizes(device, batch))
        with Session(account=True) as ionq:
            estimates = [
                (number, _estimate(ionq, device, batch.shots, dict(size)))
                for size, number in sizes.items()
            ]
        seconds = MARGIN * sum(n * ionq_jobs.seconds(estimate) for n, estimate in estimates)
        if price == Price():
            usd = MARGIN * sum(n * ionq_jobs.usd(estimate) for n, estimate in estimates)
        else:
            usd = (price.task or 0.0) + (price.qpu_second or 0.0) * seconds
            usd += (price.shot or 0.0) * batch.shots * len(batch.circuits)
        return Quote(usd=usd, qpu_seconds=seconds)

    def submit(self, device: str, batch: Batch, tag: str, quote: Quote) -> str:
        """Send the batch as one multi-circuit job."""
        try:
            body = ionq_jobs.body(device, batch, tag)
        except ValueError as error:  # before anything was sent
            raise Rejected(str(error)) from error
        with Session(account=True) as ionq:
            try:
                made = ionq.ask("POST", "/jobs", json=body)
            except Refused as refused:
                if refused.status in CERTAIN:
                    raise Rejected(str(refused)) from refused
                raise
        return str(made["id"])

    def find(self, device: str, tag: str) -> str | None:
        """The id of the job with this tag; None once all jobs of the device have been seen: IonQ
        documents no order of its list, which has the child of every circuit too. That one is not
        meant."""
        with Session(account=True) as ionq:
            for job in ionq.jobs(device):
                tags = (job.get("name"), (job.get("metadata") or {}).get("tag"))
                if tag in tags and not job.get("parent_job_id"):
                    return str(job["id"])
        return None

    def status(self, device: str, job: str) -> Status:
        """How the job stands."""
        with Session(account=True) as ionq:
            try:
                found = ionq.get(f"/jobs/{job}")
            except Refused as refused:
                if refused.status == NOT_FOUND:
                    return Status("gone", "", str(refused))
                raise
        return Status(
            state=STATES.get(found["status"], "unknown"),
            word=found["status"],
            reason=ionq_jobs.reason(found),
            started=_moment(found.get("started_at")),
            ended=_moment(found.get("completed_at")),
        )

    def result(self, device: str, job: str, batch: Batch) -> list[Counts]:
        """Counts of every circuit. The simulator answers with exact probabilities: their shots are
        drawn here, the same ones for the same job."""
        with Session(account=True) as ionq:
            found = ionq.get(f"/jobs/{job}")
            artifact = ionq_jobs.artifact(found)
            listed = ionq_jobs.listed(ionq.get(f"/jobs/{job}/artifacts/{artifact}"), found, batch)
        if device != SIMULATOR:
            return [
                ionq_circuits.counted(histogram, chain, batch.shots)
                for histogram, chain in zip(listed, batch.chains, strict=True)
            ]
        seed = int.from_bytes(hashlib.sha256(job.encode()).digest()[:8])
        return [
            ionq_circuits.drawn(histogram, chain, batch.shots, (seed, place))
            for place, (histogram, chain) in enumerate(zip(listed, batch.chains, strict=True))
        ]

    def cancel(self, device: str, job: str) -> None:
        """Ask for the job's end."""
        with Session(account=True) as ionq:
            ionq.ask("PUT", f"/jobs/{job}/status/cancel")

    def cost(self, device: str, job: str, batch: Batch, quote: Quote) -> Cost:
        """What was billed, in USD, and the compute time where that is what IonQ bills."""
        with Session(account=True) as ionq:
            billed = ionq.get(f"/jobs/{job}/cost").get("cost") or {}
            stats = ionq.get(f"/jobs/{job}").get("stats") or {}
        micros = stats.get("billed_quantum_compute_time_us")
        return Cost(
            usd=float(billed["value"]) if billed.get("unit", "").lower() == "usd" else None,
            qpu_seconds=None if micros is None else micros / 1e6,
        )


def _estimate(ionq: Session, device: str, shots: int, size: Mapping[str, int]) -> Any:
    return ionq.get("/jobs/estimate", backend=device, shots=shots, **size)


def _device(entry: Mapping[str, Any]) -> Device:
    return Device(
        name=entry["backend"],
        qubits=entry["qubits"],
        status=entry["status"],
        online=entry["status"] == "available",
        simulator=entry["backend"] == SIMULATOR,
    )


def _moment(text: str | None) -> float | None:
    return None if text is None else moment(text)
