"""Azure Quantum: the targets of a workspace (https://learn.microsoft.com/azure/quantum).

The client chooses the ids of jobs, so a second submission of a batch finds the first one's jobs
(`PUT …/jobs/ID`, api-version 2026-01-15-preview). Azure takes one native circuit a job: a batch is
as many jobs as it has circuits. The ids follow from our tag; that of the first circuit is the
batch's, and it is created last: where it is, all are.

Only IonQ's targets take circuits gate for gate. Azure publishes no calibrations: for IonQ's targets
they are read where IonQ does. The account is AZURE_QUANTUM_CONNECTION_STRING.
"""

import re
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from probes.quantum.batch import Batch
from probes.quantum.clouds import azure_jobs, ionq_circuits
from probes.quantum.clouds.account import secret
from probes.quantum.clouds.azure_workspace import CONNECTION, NEEDED, Workspace, connection, word
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
    Unpriced,
    Unsupported,
    require,
)
from probes.quantum.providers.ionq import IonQ
from probes.queued import Rejected, TryLater
from storage.types import Origin, Quote

FREE = "ionq.simulator"
"""Free of cost (https://learn.microsoft.com/azure/quantum/provider-ionq, 2026-08)."""

ONLINE = ("Available", "Degraded")
"""`TargetAvailability`: a degraded target still takes jobs."""


class Azure(Provider):
    """The targets of one workspace."""

    supports: ClassVar[frozenset[Ability]] = frozenset(
        ("devices", "calibration", "history", "queue", "quote", "submit", "find", "cancel", "cost")
    )
    atomic: ClassVar[bool] = False  # a job for each circuit: some may be there without the last

    def ready(self) -> None:
        """Raise NoLibrary without Azure's SDK, NoAccount without a workspace."""
        require("azure.quantum", NEEDED)
        connection(secret(CONNECTION, "Azure Quantum"))

    def check(self, device: str) -> None:
        """Raise ValueError for what cannot be the id of a target."""
        if not re.fullmatch(r"[a-z0-9-]+(\.[A-Za-z0-9_-]+)+", device):
            raise ValueError(f"{device!r} is no Azure target: they look like ionq.qpu.forte-1")

    def origin_of(self, device: str) -> Origin:
        """`simulated` for simulators and emulators."""
        return "simulated" if _simulated(device) else "measured"

    # --- targets -----------------------------------------------------------------------------

    def devices(self) -> Sequence[Device]:
        """Every target but Microsoft's own, which are estimators; `wait` is the average."""
        with Workspace() as workspace:
            return [
                Device(
                    name=target.id,
                    qubits=target.num_qubits,
                    status=word(target.current_availability),
                    online=target.current_availability in ONLINE,
                    wait=float(target.average_queue_time),
                    simulator=_simulated(target.id),
                )
                for provider in workspace.providers()
                if not provider.id.startswith("microsoft")
                for target in provider.targets
            ]

    def calibration(self, device: str) -> Calibration:
        """What IonQ publishes of its device. Raises Unsupported for other targets."""
        return replace(IonQ().calibration(_at_ionq(device)), device=device)

    def history(self, device: str, since: float, until: float) -> Sequence[Calibration]:
        """What IonQ has published. Raises Unsupported for other targets."""
        found = IonQ().history(_at_ionq(device), since, until)
        return [replace(one, device=device) for one in found]

    # --- jobs --------------------------------------------------------------------------------

    def quote(self, device: str, batch: Batch, price: Price) -> Quote:
        """By the user's price, a task being one circuit. Azure has no prices to ask for."""
        azure_jobs.contents(device, batch)
        number = len(batch.circuits)
        if device == FREE:
            return Quote()
        if price.task is None and price.shot is None:
            raise Unpriced(
                "Azure gives no prices: state usd_per_task (one circuit) or usd_per_shot"
            )
        if price.qpu_second is not None:
            raise Unpriced(
                "Azure does not say how long a job will run: leave usd_per_qpu_second out"
            )
        return Quote(number * ((price.task or 0.0) + (price.shot or 0.0) * batch.shots))

    def submit(self, device: str, batch: Batch, tag: str, quote: Quote) -> str:
        """Lay down all inputs, then create the jobs, the batch's own one last."""
        try:
            contents = azure_jobs.contents(device, batch)
        except ValueError as error:  # before anything was sent
            raise Rejected(str(error)) from error
        main = azure_jobs.main(tag)
        ids = azure_jobs.ids(main, len(contents))
        created = False
        with Workspace() as workspace:
            try:
                orders = [
                    (job, azure_jobs.details(workspace, job, device, batch, content))
                    for job, content in zip(ids, contents, strict=True)
                ]
                for job, details in reversed(orders):
                    workspace.create(job, name=tag, **details)
                    created = True
            except (Refused, TryLater) as error:
                if created:
                    raise RuntimeError(f"only some of the batch's jobs exist: {error}") from error
                if isinstance(error, Refused) and error.status in CERTAIN:
                    raise Rejected(str(error)) from error
                raise
        return main

    def find(self, device: str, tag: str) -> str | None:
        """The id that follows from the tag, if the workspace has that job."""
        main = azure_jobs.main(tag)
        with Workspace() as workspace:
            return main if workspace.job(main) else None

    def status(self, device: str, job: str) -> Status:
        """How the batch stands: as the first of its jobs that is not done, in the circuits' order;
        it runs from the first one's start on."""
        with Workspace() as workspace:
            seen = []
            for details in azure_jobs.jobs(workspace, job):
                if details is None:
                    return Status("gone", "", f"Azure no longer has all jobs of {job}")
                seen.append(details)
                if azure_jobs.state(details) != "done":
                    break
        found = azure_jobs.status(seen[-1])
        if found.state == "queued" and len(seen) > 1:
            found = replace(found, state="running")
        started = min(filter(None, map(azure_jobs.begun, seen)), default=None)
        ended = max(filter(None, map(azure_jobs.ended, seen)), default=None)
        return replace(found, started=started, ended=ended if found.state == "done" else None)

    def result(self, device: str, job: str, batch: Batch) -> list[Counts]:
        """Counts of every circuit. The simulator answers with exact probabilities: their shots are
        drawn here, the same ones for the same job."""
        with Workspace() as workspace:
            ids = azure_jobs.ids(job, len(batch.circuits))
            histograms = [azure_jobs.histogram(workspace, one) for one in ids]
        if device != FREE:
            return [
                ionq_circuits.counted(histogram, chain, batch.shots)
                for histogram, chain in zip(histograms, batch.chains, strict=True)
            ]
        return [
            ionq_circuits.drawn(histogram, chain, batch.shots, (uuid.UUID(one).int,))
            for one, histogram, chain in zip(ids, histograms, batch.chains, strict=True)
        ]

    def cancel(self, device: str, job: str) -> None:
        """Ask for the end of every job of the batch that has not ended."""
        with Workspace() as workspace:
            for details in azure_jobs.jobs(workspace, job):
                if details is not None and azure_jobs.state(details) not in azure_jobs.ENDED:
                    workspace.cancel(details.id)

    def cost(self, device: str, job: str, batch: Batch, quote: Quote) -> Cost:
        """What Azure says it billed, in USD; nothing until it says so of every circuit."""
        with Workspace() as workspace:
            estimates = [
                details.cost_estimate if details else None
                for details in azure_jobs.jobs(workspace, job)
            ]
        billed = [
            float(estimate.estimated_total)
            for estimate in estimates
            if estimate and estimate.currency_code == "USD"
        ]
        return Cost(usd=sum(billed) if len(billed) == len(batch.circuits) else None)


def _simulated(target: str) -> bool:
    """ionq.simulator, quantinuum.sim.h2-1e, rigetti.sim.qvm, pasqal.sim.emu-tn."""
    return ".sim" in target


def _at_ionq(device: str) -> str:
    if not device.startswith(azure_jobs.IONQ):
        raise Unsupported(f"neither Azure nor anybody it names publishes a calibration of {device}")
    return device.removeprefix(azure_jobs.IONQ)
