"""IonQ's interface v0.4 on 127.0.0.1, from its OpenAPI document of September 2026.

It takes what IonQ takes, refuses what IonQ refuses, and runs circuits on a simulator of its own.
"""

import itertools
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, ClassVar

import numpy as np
from ionq_simulator import probabilities
from loopback import Answer, Loopback, Request
from numpy.random import Generator

KEY = "loopback-key"
AGGREGATE = "ionq.result.probabilities-aggregate.json.v1"
WORDS = ("submitted", "ready", "started")
LINKS = {"simulator": {"ms", "zz"}, "qpu.aria-1": {"ms"}, "qpu.forte-1": {"zz"}}
QUBITS = {"simulator": 29, "qpu.aria-1": 25, "qpu.forte-1": 36}
DOLLARS = {"1q_gates": 0.00022, "2q_gates": 0.00098}
MINIMUM = 1.0


def characterization(device: str, day: str, number: int = 0, **more: Any) -> dict[str, Any]:
    """Figures of a device that no device has had."""
    qubits = QUBITS[device]
    return {
        "id": str(uuid.UUID(int=number)),
        "date": f"{day}T06:00:00Z",
        "backend": device,
        "qubits": qubits,
        "connectivity": [list(pair) for pair in itertools.combinations(range(qubits), 2)],
        "fidelity": {
            "spam": {"median": 0.9962, "stderr": None},
            "1q": {"median": 0.9998, "stderr": None},
            "2q": {"median": 0.9928, "stderr": None},
        },
        "timing": {
            "readout": 0.00015,
            "reset": 0.00005,
            "1q": 0.00013,
            "2q": 0.00095,
            "t1": 100,
            "t2": 1,
        },
        **more,
    }


@dataclass
class Job:
    """One job; `payload` is what was sent, `polls` how often it was asked for. `word` is its state
    where it does not come from the polls; `more` is put over its public form."""

    id: str
    payload: dict[str, Any]
    children: list[str]
    polls: int = 0
    word: str = ""
    histograms: dict[str, Any] | None = None
    more: dict[str, Any] = field(default_factory=dict)


class IonQServer(Loopback):
    """The server. A job is done after `polls` looks at it: 0 is at once.

    `jobs` are all that were created, by id; `unit` is that of costs; `pages` the most in one page.
    """

    prefix: ClassVar[str] = "/v0.4"

    def __init__(self) -> None:
        super().__init__()
        self._random = np.random.default_rng(5)
        self.renew()

    def renew(self) -> None:
        """As if it had just been started."""
        self.forget()
        self.polls = 0
        self.jobs: dict[str, Job] = {}
        self.status = dict.fromkeys(QUBITS, "available")
        self.characterizations: dict[str, list[dict[str, Any]]] = {
            device: [characterization(device, "2026-11-20")] for device in QUBITS
        }
        self.characterizations["simulator"] = []
        self.unit = "usd"
        self.pages = 25

    def tagged(self, tag: str) -> list[Job]:
        """The jobs that carry a tag: more than one is billed twice."""
        with self.lock:
            return [job for job in self.jobs.values() if job.payload.get("name") == tag]

    def answer(self, request: Request) -> Answer:
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["backends"]:
                return Answer(document=[self._backend(device) for device in QUBITS])
            case "GET", ["backends", device]:
                return Answer(document=self._backend(device)) if device in QUBITS else _gone()
            case "GET", ["backends", device, "characterizations"]:
                return self._characterizations(device, request)
        if request.headers.get("authorization") != f"apiKey {KEY}":
            return _error(401, "Unauthorized", "invalid key provided")
        return self._private(request)

    def _private(self, request: Request) -> Answer:
        match request.method, request.path.strip("/").split("/"):
            case "POST", ["jobs"]:
                return self._create(request.json())
            case "GET", ["jobs"]:
                return self._list(request)
            case "GET", ["jobs", "estimate"]:
                return self._estimate(request)
            case method, ["jobs", job, *rest] if job in self.jobs:
                return self._about(method, self.jobs[job], rest)
        return _gone()

    def _about(self, method: str, job: Job, rest: list[str]) -> Answer:
        match method, rest:
            case "GET", []:
                job.polls += 1
                return Answer(document=self.public(job))
            case "GET", ["artifacts", "aggregate"]:
                return Answer(document=self._histograms(job))
            case "GET", ["cost"]:
                cost = {"value": 24.83, "unit": self.unit}
                billed = {"cost": cost} if self._word(job) == "completed" else {}
                return Answer(document={"dry_run": False, "estimated_cost": cost, **billed})
            case "PUT", ["status", "cancel"]:
                job.word = "canceled"
                return Answer(document={"id": job.id, "status": "canceled"})
        return _gone()

    # --- devices -----------------------------------------------------------------------------

    def _backend(self, device: str) -> dict[str, Any]:
        return {
            "backend": device,
            "status": self.status[device],
            "qubits": QUBITS[device],
            "average_queue_time": 1181215,
            "last_updated": "2026-11-25T00:00:00Z",
            "degraded": False,
        }

    def _characterizations(self, device: str, request: Request) -> Answer:
        limit, page = int(request.query.get("limit", 10)), int(request.query.get("page", 1))
        if not 1 <= limit <= 10:
            return _error(400, "Bad Request", "limit must be between 1 and 10")
        first = date.fromisoformat(request.query.get("start", "0001-01-01"))
        end = date.fromisoformat(request.query.get("end", "9999-12-31"))
        found = [
            one
            for one in self.characterizations[device]
            if first <= datetime.fromisoformat(one["date"]).date() < end
        ]
        found.sort(key=lambda one: one["date"], reverse=True)
        shown = found[(page - 1) * limit : page * limit]
        left = max(0, -(-len(found) // limit) - page)
        return Answer(document={"characterizations": shown or None, "pages": left})

    def _estimate(self, request: Request) -> Answer:
        asked = request.query
        shots = int(asked.get("shots", 1000))
        gates = {name: int(asked.get(name, 0)) for name in DOLLARS}
        simulated = asked["backend"] == "simulator"
        cost = max(MINIMUM, shots * sum(DOLLARS[name] * gates[name] for name in DOLLARS))
        return Answer(
            document={
                "estimate_context": {"backend": asked["backend"], "organization": None},
                "estimated_at": "2026-11-25T00:00:00Z",
                "estimated_unit": self.unit,
                "rate_card": {"id": "r", "rates": []},
                "estimated_total_cost": 0.0 if simulated else cost,
                "estimated_execution_time": shots * (1 + gates["2q_gates"]),
                "current_predicted_queue_time": 397577,
            }
        )

    # --- jobs --------------------------------------------------------------------------------

    def _create(self, payload: dict[str, Any]) -> Answer:
        wrong = _wrong(payload)
        if wrong:
            return _error(400, "Bad Request", wrong)
        children = [str(uuid.uuid4()) for _ in payload["input"]["circuits"]]
        job = Job(str(uuid.uuid4()), payload, children)
        self.jobs[job.id] = job
        return Answer(201, {"id": job.id, "status": "submitted", "session_id": None})

    def public(self, job: Job) -> dict[str, Any]:
        """The job as IonQ shows it."""
        word = self._word(job)
        done = word == "completed"
        artifact = {"id": "aggregate", "format": AGGREGATE, "media_type": "application/json"}
        return {
            "id": job.id,
            "status": word,
            "type": job.payload["type"],
            "backend": job.payload["backend"],
            "dry_run": False,
            "submitter_id": "me",
            "project_id": None,
            "parent_job_id": None,
            "child_job_ids": job.children,
            "session_id": None,
            "metadata": job.payload.get("metadata"),
            "name": job.payload.get("name"),
            "submitted_at": "2026-11-25T20:47:05.440Z",
            "started_at": None if word in WORDS[:2] else "2026-11-25T20:47:10.000Z",
            "completed_at": "2026-11-25T20:47:22.500Z" if done else None,
            "predicted_wait_time_ms": None,
            "predicted_execution_duration_ms": None,
            "execution_duration_ms": 12500 if done else None,
            "failure": None,
            "settings": job.payload.get("settings", {}),
            "stats": {"billed_quantum_compute_time_us": 5200} if done else {},
            "output": {},
            "results": {AGGREGATE: artifact} if done else None,
            **job.more,
        }

    def _word(self, job: Job) -> str:
        """Through all words in turn, the last as long as it takes."""
        if job.word:
            return job.word
        if job.polls > self.polls:
            return "completed"
        return WORDS[min(job.polls, len(WORDS) - 1)] if self.polls else "completed"

    def _list(self, request: Request) -> Answer:
        """Newest first, with the children of every job, which carry its metadata too."""
        device = request.query.get("target")
        shown: list[dict[str, Any]] = []
        for job in reversed(self.jobs.values()):
            public = self.public(job)
            if device in (None, public["backend"]):
                child = {"parent_job_id": job.id, "type": "ionq.circuit.v1", "child_job_ids": None}
                shown += [{**public, **child, "id": one} for one in reversed(job.children)]
                shown.append(public)
        start = int(request.query.get("next", 0))
        end = start + min(self.pages, int(request.query.get("limit", 25)))
        following = str(end) if end < len(shown) else None
        return Answer(document={"jobs": shown[start:end], "next": following})

    def _histograms(self, job: Job) -> dict[str, Any]:
        if job.histograms is None:
            circuits = job.payload["input"]["circuits"]
            job.histograms = {
                child: run(job.payload["backend"], job.payload["shots"], circuit, self._random)
                for child, circuit in zip(job.children, circuits, strict=True)
            }
        return job.histograms


def run(device: str, shots: int, circuit: dict[str, Any], random: Generator) -> dict[str, float]:
    """A circuit's histogram: exact on a simulator, a share of the shots on a device."""
    exact = probabilities(circuit["qubits"], circuit["circuit"])
    if "simulator" in device:
        return exact
    weights = np.array(list(exact.values()))
    shares = random.multinomial(shots, weights / weights.sum()) / shots
    return {state: float(share) for state, share in zip(exact, shares, strict=True) if share}


def _wrong(payload: dict[str, Any]) -> str:
    """What IonQ would refuse; "" where nothing is wrong."""
    known = {"type", "name", "metadata", "backend", "shots", "settings", "input"}
    checks: list[tuple[bool, str]] = [
        (set(payload) <= known, f"unknown keys {set(payload) - known}"),
        (payload["type"] == "ionq.multi-circuit.v1", "type"),
        (payload["backend"] in QUBITS, f"no backend {payload['backend']}"),
        (1 <= payload["shots"] <= 1_000_000, "shots must be between 1 and 1000000"),
        (all(isinstance(v, str) for v in payload["metadata"].values()), "metadata are strings"),
        (payload["input"]["gateset"] == "native", "gateset"),
        (1 <= len(payload["input"]["circuits"]) <= 5000, "at most 5,000 circuits"),
    ]
    for good, text in checks:
        if not good:
            return text
    gates = [gate for one in payload["input"]["circuits"] for gate in one["circuit"]]
    if len(gates) > 150_000:
        return "at most 150,000 gates"
    return next(filter(None, map(wrong_gate(payload["backend"]), gates)), "")


def wrong_gate(device: str) -> Callable[[dict[str, Any]], str]:
    """Checks of one native gate on a device; "" where nothing is wrong."""

    def check(gate: dict[str, Any]) -> str:
        name = gate["gate"]
        angles = [gate[key] for key in ("phase", "angle") if key in gate]
        if name not in {"gpi", "gpi2"} | LINKS[device]:
            return f"{device} has no gate {name}"
        if not all(-1 <= angle <= 1 for angle in [*angles, *gate.get("phases", [])]):
            return f"angles are in turns from -1 to 1: {gate}"
        if len(gate.get("targets", [0])) != len(set(gate.get("targets", [0]))):
            return f"targets must differ: {gate}"
        return ""

    return check


def _error(status: int, error: str, message: str) -> Answer:
    return Answer(status, {"statusCode": status, "error": error, "message": message})


def _gone() -> Answer:
    return _error(404, "Not Found", "no such resource")
