"""IBM Quantum: devices, calibrations and their past, and sampler jobs, over its REST interface.

The account is QISKIT_IBM_TOKEN and QISKIT_IBM_INSTANCE; see ibm_api for the rest. IBM offers no key
against double submission: a job is found by its tag.
https://quantum.cloud.ibm.com/docs/api/qiskit-runtime-rest
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, ClassVar, Literal, get_args

from probes.base import Skipped
from probes.quantum.batch import Batch
from probes.quantum.clouds import ibm_sampler
from probes.quantum.clouds.account import NoAccount, secret
from probes.quantum.clouds.ibm_api import Api, address
from probes.quantum.clouds.ibm_format import durations, parse
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
    require,
)
from probes.queued import Rejected
from storage.types import Quote

NAME = re.compile(r"ibm_[a-z0-9][a-z0-9_-]*")

REFUSALS = CERTAIN | {409}
"""Statuses by which IBM says no to a job, so that there is none. 409: the instance's limit."""

STATES: Mapping[str, Literal["queued", "running", "done", "failed", "cancelled"]] = {
    "queued": "queued",
    "running": "running",
    "completed": "done",
    "failed": "failed",
    "cancelled": "cancelled",
    "cancelled - ran too long": "failed",
}
"""JobStatus of the interface. What ran past its `cost` was ended by IBM and has failed."""

TOO_LONG = 1305
"""Reason code of a job that ran too long, told with the plain word "Cancelled"."""

DAY = 86400.0
MOST_DAYS = 400
"""Calibrations asked for at most in one call of `history`: each is half a megabyte."""


class Ibm(Provider):
    """IBM's devices, `ibm_NAME`. Their calibrations of the past are kept and can be asked for."""

    supports: ClassVar[frozenset[Ability]] = frozenset(get_args(Ability))
    visible_after: ClassVar[float] = 300.0  # IBM has no key against a second job: be patient

    def ready(self) -> None:
        """Raise NoLibrary without qiskit-ibm-runtime, NoAccount without a key and an instance."""
        require("qiskit_ibm_runtime", "IBM's jobs need qiskit-ibm-runtime: pip install it")
        secret("QISKIT_IBM_TOKEN", "IBM Quantum")
        address(secret("QISKIT_IBM_INSTANCE", "IBM Quantum"))

    def check(self, device: str) -> None:
        """Raise ValueError where it is no name of IBM's; which devices there are, IBM knows."""
        if not NAME.fullmatch(device):
            stored = device.startswith("fake_")
            raise ValueError(
                f"{device!r} is no device of IBM Quantum; they are named like ibm_kingston"
                + ('. A stored snapshot has provider = "snapshot"' if stored else "")
            )

    # --- what is known of devices ------------------------------------------------------------

    def devices(self) -> tuple[Device, ...]:
        """The instance's devices. `wait` is the median of recent waits, where IBM states it."""
        with Api() as api, _documented("list of devices"):
            listed = api.get("/backends", fields="wait_time_seconds")
            return tuple(_device(entry) for entry in listed["devices"])

    def calibration(self, device: str) -> Calibration:
        """The device's calibration now, with quantum volume, CLOPS and layer fidelity."""
        self.check(device)
        with Api() as api:
            properties, configuration = _properties(api, device), _configuration(api, device)
        return _calibration(device, properties, configuration)

    def history(self, device: str, since: float, until: float) -> Sequence[Calibration]:
        """One calibration a day where there is one: the last of each day, counted back from
        `until`. Quantum volume and CLOPS are stated of now alone, so they are absent.

        Raises ValueError for more than MOST_DAYS.
        """
        self.check(device)
        found: list[Calibration] = []
        with Api() as api:
            kind = {"processor_type": _configuration(api, device).get("processor_type")}
            before = until
            while before >= since:
                if len(found) == MOST_DAYS:
                    raise ValueError(f"{device} has more than {MOST_DAYS} days: ask for fewer")
                told = datetime.fromtimestamp(before, UTC).isoformat()
                properties = api.get(f"/backends/{device}/properties", updated_before=told)
                if not properties:  # none is so old
                    break
                found.append(_calibration(device, properties, kind))
                if found[-1].at > before:
                    raise RuntimeError(
                        f"IBM was asked for {device} before {told} and told {found[-1].time}"
                    )
                before = min(before - DAY, found[-1].at - 1)
        return [one for one in reversed(found) if one.at >= since]

    # --- jobs --------------------------------------------------------------------------------

    def quote(self, device: str, batch: Batch, price: Price) -> Quote:
        """Nothing on a plan that IBM's catalogue calls free, else QPU seconds (see
        ibm_sampler.bound) at the user's price; IBM's interface states no prices.

        Raises Unpriced without one, Skipped where the instance has no QPU time left.
        """
        self.check(device)
        if price.task is not None or price.shot is not None:
            raise Unpriced("IBM sells QPU time: state usd_per_qpu_second alone")
        with Api() as api:
            properties, configuration = _properties(api, device), _configuration(api, device)
            seconds = _bound(device, batch, properties, configuration)
            usage = api.get("/instances/usage")
            if usage.get("usage_limit_reached"):
                raise Skipped(f"the IBM instance has no QPU time left: {_used(usage)}")
            plan, pricing = _plan(api, usage.get("plan_id", "unknown"))
        if pricing == "free":
            return Quote(qpu_seconds=float(seconds))
        if price.qpu_second is None:
            raise Unpriced(
                f"the IBM instance's plan is {plan!r} ({pricing}): set usd_per_qpu_second to what "
                "you pay (https://www.ibm.com/quantum/pricing)"
            )
        return Quote(usd=seconds * price.qpu_second, qpu_seconds=float(seconds))

    def submit(self, device: str, batch: Batch, tag: str, quote: Quote) -> str:
        """Send the batch as one sampler job, in one request. IBM ends it where its quote ends."""
        self.check(device)
        with _refusals(), Api() as api:
            qubits = _configuration(api, device)["n_qubits"]
            body = ibm_sampler.body(device, batch, qubits, tag, round(quote.qpu_seconds))
            answer = api.post("/jobs", body)
        if "id" not in answer:
            raise ValueError(f"IBM answered a new job without its id: {answer}")
        return str(answer["id"])

    def find(self, device: str, tag: str) -> str | None:
        """The oldest job with this tag. Raises RuntimeError where IBM's list cannot be relied on:
        it holds jobs that were not asked for."""
        with Api() as api:
            answer = api.get("/jobs", tags=tag, sort="ASC", exclude_params="true")
        listed = answer.get("jobs")
        ours = [job["id"] for job in listed or () if tag in (job.get("tags") or ())]
        if not ours and listed != []:
            raise RuntimeError(
                f"IBM was asked for the jobs with tag {tag} and listed others: {str(answer)[:200]}"
            )
        return ours[0] if ours else None

    def status(self, device: str, job: str) -> Status:
        """How the job stands. IBM tells no place in its queue."""
        with Api() as api:
            try:
                found = api.get(f"/jobs/{job}", exclude_params="true")
            except Refused as error:
                if error.status == HTTPStatus.NOT_FOUND:
                    return Status("gone", "404 Not Found", str(error))
                raise
            word, reason = _word(found)
            state = STATES.get(word.casefold())
            if state is None:
                return Status("unknown", word, reason)
            times = {} if state == "queued" else _metrics(api, job)["timestamps"]
        started, ended = _moment(times.get("running")), _moment(times.get("finished"))
        return Status(state, word, reason, started=started, ended=ended)

    def result(self, device: str, job: str, batch: Batch) -> list[Counts]:
        """Counts of every circuit. Raises Unreadable."""
        with Api() as api:
            return ibm_sampler.counts(api.text(f"/jobs/{job}/results"), batch)

    def cancel(self, device: str, job: str) -> None:
        """Ask for the job's end."""
        with Api() as api:
            try:
                api.post(f"/jobs/{job}/cancel")
            except Refused as error:
                if error.status != HTTPStatus.CONFLICT:  # which says that it has ended already
                    raise

    def cost(self, device: str, job: str, batch: Batch, quote: Quote) -> Cost:
        """The QPU time that counts, once IBM has settled it. It states no price."""
        with Api() as api:
            usage = _metrics(api, job)["usage"]
        if usage.get("status") != "complete":  # "pending" is no final figure
            return Cost()
        return Cost(qpu_seconds=usage.get("qpu_charge_time_seconds"))


@contextmanager
def _refusals() -> Iterator[None]:
    """Within it, what shows for certain that no job was created becomes Rejected."""
    try:
        yield
    except NoAccount as error:
        raise Rejected(str(error)) from error
    except Refused as error:
        if error.status in REFUSALS:
            raise Rejected(str(error)) from error
        raise


def _device(entry: Mapping[str, Any]) -> Device:
    status = entry["status"]
    waits = entry.get("wait_time_seconds") or {}
    return Device(
        name=entry["name"],
        qubits=entry.get("qubits"),
        status=": ".join(filter(None, (status["name"], status.get("reason")))),
        online=status["name"] == "online",
        queue=entry["queue_length"],
        wait=waits.get("p50"),
        simulator=bool(entry.get("is_simulator")),
    )


@contextmanager
def _documented(what: str) -> Iterator[None]:
    """Within it, a field that lacks or is of another kind becomes a ValueError that says so."""
    try:
        yield
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(
            f"IBM's {what} is not in its documented format ({type(error).__name__}: {error})"
        ) from error


def _calibration(device: str, properties: Any, configuration: Any) -> Calibration:
    with _documented(f"calibration of {device}"):
        return parse(device, properties, configuration)


def _bound(device: str, batch: Batch, properties: Any, configuration: Any) -> int:
    with _documented(f"description of {device}"):
        return ibm_sampler.bound(batch, configuration, durations(properties))


def _properties(api: Api, device: str) -> dict[str, Any]:
    return api.get(f"/backends/{device}/properties")


def _configuration(api: Api, device: str) -> dict[str, Any]:
    return api.get(f"/backends/{device}/configuration")


def _plan(api: Api, plan: str) -> tuple[str, str]:
    """A plan's name and kind of pricing ("free", "paid"); "unknown" where the catalogue does not
    tell, as of plans that are no longer sold."""
    try:
        entry = api.plan(plan)
    except Refused as error:
        if error.status not in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
            raise
        return plan, "unknown"
    pricing = entry.get("metadata", {}).get("pricing", {}).get("type", "unknown")
    return str(entry.get("name", plan)), str(pricing).lower()


def _used(usage: Mapping[str, Any]) -> str:
    limit = usage.get("usage_limit_seconds", usage.get("usage_allocation_seconds", "?"))
    return f"{usage['usage_consumed_seconds']} of {limit} s are used"


def _word(job: Mapping[str, Any]) -> tuple[str, str]:
    """IBM's word for a job's state, and its reason in one line."""
    state = job.get("state") or {}
    code = state.get("reason_code") or state.get("reasonCode")
    parts = (code and f"error {code}:", state.get("reason"), state.get("reason_solution"))
    word = str(state.get("status") or job.get("status") or "")
    if code == TOO_LONG and word.casefold() == "cancelled":
        word = "Cancelled - Ran too long"
    return word, " ".join(str(part).strip() for part in parts if part)


def _metrics(api: Api, job: str) -> dict[str, Mapping[str, Any]]:
    """Times and usage of a job, each empty where IBM has none."""
    try:
        found = api.get(f"/jobs/{job}/metrics")
    except Refused as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        found = {}
    return {name: found.get(name) or {} for name in ("timestamps", "usage")}


def _moment(text: str | None) -> float | None:
    """Seconds since the epoch of one of IBM's dates, which are UTC where they do not say."""
    if not text:
        return None
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
