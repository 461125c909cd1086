"""An Azure Quantum workspace on 127.0.0.1, with the little of blob storage that jobs need.

From the interface 2026-01-15-preview, as Microsoft's client speaks it. IonQ's targets run on a
simulator of the tests' own.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ionq_server import run, wrong_gate
from loopback import Answer, Loopback, Request

KEY = "loopback-key"
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GROUP, NAME = "lab", "canaries"
BASE = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    f"/providers/Microsoft.Quantum/workspaces/{NAME}"
)
WORDS = ("Waiting", "Executing")
SIGNED = "sv=2026-01-01&se=2099-01-01T00%3A00%3A00Z&sr=c&sp=racw&sig=loopback"
OUTPUT = "rawOutputData"


def target(name: str, qubits: int | None, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "currentAvailability": "Available",
        "averageQueueTime": 384,
        "statusPage": "https://status.example",
        "numQubits": qubits,
        "targetProfile": "Base",
        "metadata": {},
        **more,
    }


@dataclass
class Job:
    """One job; `sent` is what was PUT first, `puts` how often it was. `word` is its state where it
    does not come from the polls; `more` is put over its public form."""

    id: str
    sent: dict[str, Any]
    puts: int = 1
    polls: int = 0
    word: str = ""
    more: dict[str, Any] = field(default_factory=dict)


class AzureServer(Loopback):
    """The server. A batch is done after `polls` looks at one of its jobs: 0 is at once.

    `jobs` are all that were created, by id; `blobs` all content, by "CONTAINER/BLOB". `conflicts`:
    answer 409 to a second PUT of one id, instead of the job that is there.
    """

    def __init__(self) -> None:
        super().__init__()
        self._random = np.random.default_rng(7)
        self.renew()

    def renew(self) -> None:
        """As if it had just been started."""
        self.forget()
        self.polls = 0
        self.conflicts = False
        self.jobs: dict[str, Job] = {}
        self.blobs: dict[str, bytes] = {}
        self.providers = {
            "ionq": [
                target("ionq.simulator", 29, averageQueueTime=0),
                target("ionq.qpu.aria-1", 25),
                target("ionq.qpu.forte-1", 36),
            ],
            "quantinuum": [
                target("quantinuum.qpu.h2-1", 56, currentAvailability="Degraded"),
                target("quantinuum.sim.h2-1e", 56),
            ],
            "rigetti": [target("rigetti.qpu.cepheus-1-36q", 36, currentAvailability="Unavailable")],
            "pasqal": [target("pasqal.sim.emu-tn", None)],
            "microsoft-qc": [target("microsoft.estimator", None)],
        }

    @property
    def connection(self) -> str:
        """What the portal gives to copy."""
        return (
            f"SubscriptionId={SUBSCRIPTION};ResourceGroupName={GROUP};WorkspaceName={NAME};"
            f"ApiKey={KEY};QuantumEndpoint={self.url}/;"
        )

    def tagged(self, tag: str) -> list[Job]:
        """The jobs that carry a tag: a batch has one for each of its circuits."""
        with self.lock:
            return [job for job in self.jobs.values() if job.sent["name"] == tag]

    def answer(self, request: Request) -> Answer:
        if request.path.startswith("/account/"):
            return self._blob(request)
        if request.query.get("api-version") != "2026-01-15-preview":
            return _error(400, "InvalidVersion", "no such api-version")
        if request.headers.get("x-ms-quantum-api-key") != KEY:
            return _error(401, "Unauthorized", "the key is not valid")
        return self._workspace(request.method, request.path.removeprefix(BASE), request)

    def _workspace(self, method: str, path: str, request: Request) -> Answer:
        match method, path.strip("/").split("/"):
            case "GET", ["providerStatus"]:
                return Answer(document={"value": [self._provider(one) for one in self.providers]})
            case "POST", ["storage", "sasUri"]:
                asked = request.json()
                blob = f"/{asked['blobName']}" if asked.get("blobName") else ""
                place = f"{self.url}/account/{asked['containerName']}{blob}"
                return Answer(document={"sasUri": f"{place}?{SIGNED}"})
            case "PUT", ["jobs", job]:
                return self._create(job, request.json())
            case "GET", ["jobs", job] if job in self.jobs:
                self.jobs[job].polls += 1
                return Answer(document=self.public(self.jobs[job]))
            case "POST", ["jobs", job] if job.removesuffix(":cancel") in self.jobs:
                self.jobs[job.removesuffix(":cancel")].word = "Cancelled"
                return Answer(204, raw=b"")
        return _error(404, "NotFound", "no such resource")

    def _provider(self, name: str) -> dict[str, Any]:
        return {"id": name, "currentAvailability": "Available", "targets": self.providers[name]}

    # --- jobs --------------------------------------------------------------------------------

    def _create(self, job: str, sent: dict[str, Any]) -> Answer:
        if job in self.jobs:
            self.jobs[job].puts += 1
            if self.conflicts:
                return _error(409, "JobAlreadyExists", f"there is a job {job}")
            return Answer(document=self.public(self.jobs[job]))
        wrong = self._wrong(sent)
        if wrong:
            return _error(400, "InvalidJobDefinition", wrong)
        self.jobs[job] = Job(job, sent)
        return Answer(201, document=self.public(self.jobs[job]))

    def _wrong(self, sent: dict[str, Any]) -> str:
        """What Azure or IonQ would refuse; "" where nothing is wrong."""
        targets = [one["id"] for one in self.providers.get(sent["providerId"], [])]
        if sent["target"] not in targets:
            return f"no target {sent['target']} of {sent['providerId']}"
        if sent["inputDataFormat"] != "ionq.circuit.v1":
            return f"input format {sent['inputDataFormat']}"
        if "sig=" not in sent["containerUri"]:
            return "containerUri has no permission"
        content = self.blobs.get(self._place(sent["inputDataUri"]))
        if content is None:
            return f"nothing lies at {sent['inputDataUri']}"
        if not 1 <= sent["inputParams"]["shots"] <= 10_000:
            return "shots must be between 1 and 10000"
        check = wrong_gate(sent["target"].removeprefix("ionq."))
        return next(filter(None, map(check, json.loads(content)["circuit"])), "")

    def public(self, job: Job) -> dict[str, Any]:
        """The job as the workspace shows it."""
        word = self._word(job)
        done = word == "Succeeded"
        container = job.sent["containerUri"].partition("?")[0]
        if done:
            self._run(job)
        billed = {"currencyCode": "USD", "events": [], "estimatedTotal": 12.5}
        return {
            **job.sent,
            "id": job.id,
            "status": word,
            "creationTime": "2026-11-25T20:00:00.123456Z",
            "beginExecutionTime": None if word == "Waiting" else "2026-11-25T20:47:10Z",
            "endExecutionTime": "2026-11-25T20:47:22.5Z" if done else None,
            "outputDataUri": f"{container}/{OUTPUT}",
            "costEstimate": billed if done else None,
            "errorData": None,
            **job.more,
        }

    def _word(self, job: Job) -> str:
        if job.word:
            return job.word
        looks = max(one.polls for one in self.tagged(job.sent["name"]))
        if looks > self.polls or not self.polls:
            return "Succeeded"
        return WORDS[min(looks // 3, 1)]

    def _run(self, job: Job) -> None:
        """Leave the output in the job's container, once."""
        place = self._place(f"{job.sent['containerUri'].partition('?')[0]}/{OUTPUT}")
        if place not in self.blobs:
            circuit = json.loads(self.blobs[self._place(job.sent["inputDataUri"])])
            shots = job.sent["inputParams"]["shots"]
            found = run(job.sent["target"], shots, circuit, self._random)
            document = {"duration": 8240356, "histogram": found}
            self.blobs[place] = json.dumps(document).encode()

    # --- blobs -------------------------------------------------------------------------------

    def _place(self, address: str) -> str:
        return address.partition("?")[0].removeprefix(f"{self.url}/account/")

    def _blob(self, request: Request) -> Answer:
        place = request.path.removeprefix("/account/")
        if request.query.get("sig") != "loopback":
            return _blob_error(403, "AuthenticationFailed")
        stamps = {"ETag": '"0x1"', "Last-Modified": "Wed, 25 Nov 2026 20:00:00 GMT"}
        if request.method == "PUT" and request.headers.get("x-ms-blob-type") == "BlockBlob":
            self.blobs[place] = request.body
            return Answer(201, raw=b"", headers=stamps)
        if request.method != "GET" or place not in self.blobs:
            return _blob_error(404, "BlobNotFound")
        content = self.blobs[place]
        asked = re.findall(r"\d+", request.headers.get("x-ms-range", ""))
        if not asked:
            return Answer(raw=content, headers=stamps)
        if not content:
            return _blob_error(416, "InvalidRange")
        first, last = map(int, asked)
        part = content[first : last + 1]
        ranged = f"bytes {first}-{first + len(part) - 1}/{len(content)}"
        kind = {"Content-Type": "application/octet-stream", "x-ms-blob-type": "BlockBlob"}
        return Answer(206, raw=part, headers={**stamps, **kind, "Content-Range": ranged})


def _error(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error": {"code": code, "message": message}})


def _blob_error(status: int, code: str) -> Answer:
    xml = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>"
    headers = {"Content-Type": "application/xml", "x-ms-error-code": code}
    return Answer(status, raw=xml.encode(), headers=headers)
