"""An IBM Quantum on 127.0.0.1: IAM, the catalogue's plans and the REST interface, on real sockets.

Written from the documented schemas (https://quantum.cloud.ibm.com/docs/api/qiskit-runtime-rest,
version 2026-04-15) and from what qiskit-ibm-runtime asks for, so that both it and the program can
be pointed here: see `environment`. Its devices are the snapshots of qiskit-ibm-runtime. It keeps
jobs and can run their circuits, without noise. Faults are queued and meet the next requests.
"""

import base64
import functools
import itertools
import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from loopback import Answer, Fault, Loopback, Request
from qiskit import QuantumCircuit
from qiskit.primitives import (
    BitArray,
    DataBin,
    PrimitiveResult,
    SamplerPubResult,
    StatevectorSampler,
)
from qiskit_ibm_runtime import RuntimeDecoder, RuntimeEncoder

KEY = "loopback-api-key"
CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/0123456789abcdef:loopback-instance::"
OPEN, PAID, RETIRED = "plan-open", "plan-pay-as-you-go", "plan-of-old"

Document = dict[str, Any]


def submission(**what: Any) -> Fault:
    """A fault of the next `POST /jobs`."""
    return Fault("POST", "/jobs", **what)


@dataclass
class Job:
    """One job. Each look at it takes the next of `words`; the last of them stays.

    `outcomes` are counts of each circuit, None: what its circuits give without noise. `results` is
    the text of its result where that is not made of them.
    """

    id: str
    body: Document
    created: float
    words: deque[str]
    state: Document = field(default_factory=dict)
    outcomes: Sequence[dict[str, int]] | None = None
    results: str | None = None
    metrics: Document = field(default_factory=dict)
    seen: bool = False

    @property
    def tags(self) -> list[str]:
        return list(self.body.get("tags", []))

    @property
    def word(self) -> str:
        return self.words[0]

    def public(self) -> Document:
        state = {"status": self.word, **self.state}
        return {
            "id": self.id,
            "backend": self.body["backend"],
            "state": state,
            "status": state["status"],
            "program": {"id": self.body["program_id"]},
            "created": iso(self.created),
            "cost": self.body.get("cost", 10800),
            "tags": self.tags,
            "user_id": "IBMid-loopback",
            "usage": self.usage(),
        }

    def usage(self) -> Document:
        done = self.word in ("Completed", "Failed", "Cancelled")
        return {"qpu_charge_time_seconds": 3.0 if done else 0, "status": "complete"}

    def told_metrics(self) -> Document:
        times = {"created": iso(self.created)}
        if self.word != "Queued":
            times["running"] = iso(self.created + 7200)
        if self.word in ("Completed", "Failed"):
            times["finished"] = iso(self.created + 7200 + 12.5)
        return {"timestamps": times, "usage": self.usage(), **self.metrics}


class Refused(Exception):
    """An error answer with this status."""

    def __init__(self, status: int, message: str, code: str = "1000") -> None:
        super().__init__(message)
        self.status, self.code = status, code


class IbmServer(Loopback):
    """The server and what it holds.

    `words` are the states that the next jobs go through, one for each look, and `outcomes` their
    counts. `status` is of devices by name, (name, reason). `past` has older properties by device.
    """

    prefix = "/api/v1"
    devices = ("ibm_kingston", "ibm_sherbrooke")

    def __init__(self) -> None:
        super().__init__()
        self.plan: str = OPEN
        self.words: tuple[str, ...] = ("Completed",)
        self.outcomes: Sequence[dict[str, int]] | None = None
        self.status: dict[str, tuple[str, str]] = {}
        self.past: dict[str, list[Document]] = {}
        self.usage: Document = {}
        self.jobs: list[Job] = []
        self._numbers = itertools.count(1)

    def environment(self) -> dict[str, str]:
        """Variables with which the program and IBM's own client come here."""
        root = self.url.removesuffix(self.prefix)
        return {
            "QISKIT_IBM_TOKEN": KEY,
            "QISKIT_IBM_INSTANCE": CRN,
            "IAM_URL": root,
            "QROSSOVER_IBM_URL": self.url,
            "QROSSOVER_IBM_CATALOG_URL": f"{root}/catalog",
            "QISKIT_FUNCTIONS_EXPERIMENTAL": "1",  # IBM's client then asks no other servers
            "NO_PROXY": "127.0.0.1",
        }

    def forget(self) -> None:
        """As new: no jobs, no requests, no faults."""
        super().forget()
        with self.lock:
            self.plan, self.words, self.outcomes = OPEN, ("Completed",), None
            for held in (self.status, self.past, self.usage, self.jobs):
                held.clear()

    def with_tag(self, tag: str) -> list[Job]:
        """The jobs that carry a tag: more than one was billed twice."""
        with self.lock:
            return [job for job in self.jobs if tag in job.tags]

    def answer(self, request: Request) -> Answer:
        """Carry a request out as IBM does."""
        try:
            found = self._dispatch(request)
        except Refused as refused:
            error = {"code": refused.code, "message": str(refused), "more_info": "loopback"}
            return Answer(refused.status, {"errors": [error], "trace": "loopback"})
        if found is None:
            return Answer(204, raw=b"")
        return Answer(raw=found.encode()) if isinstance(found, str) else Answer(document=found)

    def _dispatch(self, request: Request) -> Document | str | None:
        if request.path == "/identity/token":
            return self._token(request)
        if request.path.startswith("/catalog/"):
            return self._plan(request.path.removeprefix("/catalog/"))
        self._authorize(request)
        for method, pattern, handle in self._routes():
            found = re.fullmatch(pattern, request.path)
            if found and request.method == method:
                return handle(request, *found.groups())
        raise Refused(404, f"no {request.method} {request.path} here")

    def _routes(self) -> Iterator[tuple[str, str, Callable[..., Any]]]:
        yield "GET", "/backends", self._list_devices
        yield "GET", "/backends/([^/]+)/properties", self._properties
        yield "GET", "/backends/([^/]+)/configuration", self._configuration
        yield "GET", "/backends/([^/]+)/status", self._device_status
        yield "GET", "/instances/usage", self._usage
        yield "POST", "/jobs", self._create
        yield "GET", "/jobs", self._list_jobs
        yield "GET", "/jobs/([^/]+)", self._job
        yield "GET", "/jobs/([^/]+)/results", self._results
        yield "GET", "/jobs/([^/]+)/metrics", self._metrics
        yield "POST", "/jobs/([^/]+)/cancel", self._cancel

    def _token(self, request: Request) -> Document:
        if parse_qs(request.body.decode()).get("apikey") != [KEY]:
            raise Refused(400, "Provided API key could not be found.", "BXNIM0415E")
        now = int(time.time())
        return {
            "access_token": jwt(iat=now, exp=now + 3600),
            "token_type": "Bearer",
            "expires_in": 3600,
            "expiration": now + 3600,
        }

    def _authorize(self, request: Request) -> None:
        if not request.headers.get("authorization", "").startswith("Bearer "):
            raise Refused(401, "The token is not valid.")
        if request.headers.get("service-crn") != CRN:
            raise Refused(403, "This instance is not yours.")
        if not request.headers.get("ibm-api-version"):
            raise Refused(400, "IBM-API-Version is missing.")

    def _plan(self, plan: str) -> Document:
        kinds = {OPEN: ("open", "free"), PAID: ("pay-as-you-go", "paid")}
        if plan not in kinds:
            raise Refused(403, "Archived entries are not shown.")
        name, pricing = kinds[plan]
        shown = {"en": {"display_name": name.title()}}
        return {"name": name, "overview_ui": shown, "metadata": {"pricing": {"type": pricing}}}

    def _list_devices(self, request: Request) -> Document:
        return {"devices": [self._listed(name, request) for name in self.devices]}

    def _listed(self, name: str, request: Request) -> Document:
        word, reason = self.status.get(name, ("online", ""))
        listed = {
            "name": name,
            "status": {"name": word, **({"reason": reason} if reason else {})},
            "is_simulator": False,
            "qubits": stored(name, "conf")["n_qubits"],
            "queue_length": 17,
        }
        if request.query.get("fields") == "wait_time_seconds":
            listed["wait_time_seconds"] = {"average": 900, "p50": 420, "p95": 7000}
        return listed

    def _properties(self, request: Request, name: str) -> Document:
        known = [self._stored(name, "props"), *self.past.get(name, ())]
        until = request.query.get("updated_before", "9999-01-01T00:00:00+00:00")
        limit = datetime.fromisoformat(until)
        dated = [(datetime.fromisoformat(each["last_update_date"]), each) for each in known]
        older = [(moment, each) for moment, each in dated if moment < limit]
        return max(older, key=lambda pair: pair[0])[1] if older else {}

    def _configuration(self, request: Request, name: str) -> Document:
        return self._stored(name, "conf")

    def _device_status(self, request: Request, name: str) -> Document:
        self._stored(name, "conf")
        return {"state": True, "status": "active", "length_queue": 17, "backend_version": "1.0.0"}

    def _stored(self, name: str, part: str) -> Document:
        if name not in self.devices:
            raise Refused(404, f"Backend {name} not found")
        return stored(name, part)

    def _usage(self, request: Request) -> Document:
        used = {"usage_consumed_seconds": 120, "usage_limit_seconds": 600}
        return {
            "instance_id": CRN,
            "plan_id": self.plan,
            **used,
            "usage_limit_reached": False,
        } | self.usage

    def _create(self, request: Request) -> Document:
        body = request.json()
        self._stored(body.get("backend", ""), "conf")
        if body.get("program_id") != "sampler" or not body.get("params", {}).get("pubs"):
            raise Refused(400, "The job is not valid: no pubs.")
        job = Job(
            f"d{next(self._numbers):019d}",
            body,
            time.time(),
            deque(self.words),
            outcomes=self.outcomes,
        )
        self.jobs.append(job)
        return {"id": job.id, "backend": body["backend"]}

    def _list_jobs(self, request: Request) -> Document:
        tag = request.query.get("tags")
        found = [job for job in self.jobs if tag is None or tag in job.tags]
        found.sort(key=lambda job: job.created, reverse=request.query.get("sort") != "ASC")
        limit = int(request.query.get("limit", "200"))
        page = [job.public() for job in found[:limit]]
        return {"jobs": page, "count": len(found), "limit": limit, "offset": 0}

    def _find(self, number: str) -> Job:
        for job in self.jobs:
            if job.id == number:
                return job
        raise Refused(404, f"Job not found. Job ID: {number}", "1291")

    def _job(self, request: Request, number: str) -> Document:
        job = self._find(number)
        if job.seen and len(job.words) > 1:
            job.words.popleft()
        job.seen = True
        return job.public()

    def _results(self, request: Request, number: str) -> str | None:
        job = self._find(number)
        if job.results is not None:
            return job.results or None
        return result_of(job.body["params"], job.outcomes)

    def _metrics(self, request: Request, number: str) -> Document:
        return self._find(number).told_metrics()

    def _cancel(self, request: Request, number: str) -> None:
        job = self._find(number)
        if job.word not in ("Queued", "Running"):
            raise Refused(409, "Job is in non cancellable status.")
        job.words = deque(["Cancelled"])


# --- what the answers are made of --------------------------------------------------------------


def iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def jwt(**claims: int) -> str:
    """Shaped as a JSON web token, which IBM's client looks into; nobody signed it."""
    parts = ({"alg": "none"}, claims, {})
    coded = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    return ".".join(part.decode() for part in coded)


@functools.cache
def stored(device: str, part: str) -> Document:
    """`props` or `conf` of a snapshot, under the device's own name."""
    spec = find_spec("qiskit_ibm_runtime")
    assert spec is not None
    assert spec.origin is not None
    name = device.removeprefix("ibm_")
    folder = Path(spec.origin).parent / "fake_provider" / "backends" / name
    return json.loads((folder / f"{part}_{name}.json").read_text(encoding="utf-8"))


def circuits_of(params: Document) -> list[tuple[QuantumCircuit, int]]:
    """Circuits and shots of a job's parameters, read by IBM's own decoder."""
    pubs = json.loads(json.dumps(params), cls=RuntimeDecoder)["pubs"]
    return [(pub[0], pub[2]) for pub in pubs]


def result_of(params: Document, outcomes: Sequence[dict[str, int]] | None) -> str:
    """A sampler's result in IBM's encoding, with these counts or what the circuits give."""
    pubs = []
    for place, (circuit, shots) in enumerate(circuits_of(params)):
        (register,) = circuit.cregs
        bits = (
            BitArray.from_counts(outcomes[place], num_bits=register.size)
            if outcomes is not None
            else perfect(circuit, shots)
        )
        data = DataBin(**{register.name: bits})
        pubs.append(SamplerPubResult(data, metadata={"circuit_metadata": {}}))
    return json.dumps(PrimitiveResult(pubs, metadata={"version": 2}), cls=RuntimeEncoder)


def perfect(circuit: QuantumCircuit, shots: int) -> BitArray:
    """What a perfect device measures, on the qubits that the circuit uses."""
    used = sorted({circuit.find_bit(bit).index for step in circuit.data for bit in step.qubits})
    small = QuantumCircuit(len(used), circuit.num_clbits)
    for step in circuit.data:
        qubits = [used.index(circuit.find_bit(bit).index) for bit in step.qubits]
        small.append(step.operation, qubits, [circuit.find_bit(b).index for b in step.clbits])
    return StatevectorSampler(seed=1).run([small], shots=shots).result()[0].data.c
