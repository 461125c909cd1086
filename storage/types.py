"""The nouns. Frozen, without behaviour beyond their own validity, importing nothing of ours."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Origin = Literal["measured", "simulated", "vendor", "derived", "confirmed"]
Outcome = Literal["ok", "failed", "timeout", "skipped"]
State = Literal["inactive", "pending", "firing", "no-data"]
Severity = Literal["info", "warning", "page"]
JobState = Literal["intent", "submitted", "running", "done", "failed", "cancelled", "lost"]
AlertKind = Literal[
    "fires", "reminds", "resolves", "no-data", "rebases", "acknowledges", "reopens", "notice"
]

ORIGINS: tuple[Origin, ...] = get_args(Origin)
OPEN_JOBS: tuple[JobState, ...] = ("intent", "submitted", "running")
"""The states of a job that may still change, and whose reservation stands."""
YEAR_10000 = 253402300800.0


def now() -> float:
    """Seconds since the epoch, UTC, to the millisecond: the resolution that is stored."""
    return round(time.time(), 3)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer past the largest float
        return False


@dataclass(frozen=True, slots=True)
class Signal:
    """A named series with a unit.

    `unit` is "1" for a pure number, else the unit's sign ("s", "TFLOP/s", "USD").
    `better` says which direction is progress.
    """

    name: str
    unit: str
    better: Literal["higher", "lower", "neither"]
    help: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One number of one signal on one target at one moment (seconds since the epoch, UTC).

    `sigma` is one standard uncertainty in the signal's unit, None where it is not known. `family`
    is the kind of device that the target is one of ("Heron r2"), "" where that is not known.
    `setup` is all that the number depends on beside its target, as one line of JSON with sorted
    keys: the probe's version and settings, of a GPU's also driver, libraries and power limit. Only
    readings of one setup compare; "" where none is known.

    Raises ValueError for a value or sigma that is not a finite number, for a moment before 1970
    or after 9999, and for an unknown origin.
    """

    signal: str
    target: str
    value: float
    origin: Origin
    sigma: float | None = None
    at: float = field(default_factory=now)
    note: str = ""
    family: str = ""
    setup: str = ""

    def __post_init__(self) -> None:
        if not _is_finite(self.value):
            raise ValueError(f"{self.signal} on {self.target} is {self.value}, not a finite number")
        if self.sigma is not None and not (_is_finite(self.sigma) and self.sigma >= 0):
            raise ValueError(f"sigma of {self.signal} on {self.target} is {self.sigma}")
        if not 0 <= self.at < YEAR_10000:
            raise ValueError(f"{self.signal} on {self.target} was read at {self.at}, no moment")
        if self.origin not in ORIGINS:
            raise ValueError(f"origin {self.origin!r} is none of {', '.join(ORIGINS)}")


@dataclass(frozen=True, slots=True)
class Quote:
    """The most that one run may cost, known before anything is sent. Neither is negative, infinite
    or no number: no budget could be held against that."""

    usd: float = 0.0
    qpu_seconds: float = 0.0

    def __post_init__(self) -> None:
        if not all(_is_finite(most) and most >= 0 for most in (self.usd, self.qpu_seconds)):
            raise ValueError(f"{self.usd} USD and {self.qpu_seconds} QPU seconds are no quote")


@dataclass(frozen=True, slots=True)
class Order:
    """What a queued probe will send, made before anything is sent.

    `content` is JSON: all that is sent, and all that is needed to understand what comes back.
    `origin` is that of the result. `visible_after`: seconds after a submission from which on the
    provider's list is certain to have the job, so that its absence means that there is none.
    Not `atomic`: a submission is several requests, and one that fails may leave a part of the work
    there, to be billed, though the job as a whole is not.
    """

    provider: str
    device: str
    quote: Quote
    content: Mapping[str, Any]
    origin: Origin = "measured"
    visible_after: float = 60.0
    atomic: bool = True

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Order":
        """The order that `dataclasses.asdict` made."""
        return cls(**{**document, "quote": Quote(**document["quote"])})


@dataclass(frozen=True, slots=True)
class Progress:
    """A job that has not ended well: `state` is the provider's `word` in our terms.

    `unknown` is a word that we do not know: never taken for "still running". `usd` and
    `qpu_seconds` are what was billed so far or in the end, None where the provider does not say.
    """

    state: Literal["queued", "running", "failed", "cancelled", "gone", "unknown"]
    word: str
    reason: str = ""
    position: int | None = None
    started: float | None = None
    usd: float | None = None
    qpu_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What a job brought, and what it was billed with; None where the provider does not say.

    `started` and `ended` are the provider's clock, None where it does not tell.
    """

    readings: tuple[Reading, ...]
    word: str
    usd: float | None = None
    qpu_seconds: float | None = None
    started: float | None = None
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One paid or queued piece of work at a cloud, as the ledger has it.

    `tag` names it for ever, at the provider too; `remote` is the provider's id; `run` is the run
    that it is the work of. `quote` is the most it may cost, reserved until a terminal state; `usd`
    and `qpu_seconds` are what was billed, None where that is not known: then the quote counts.
    `word` is the provider's own word for the state; `reason` why it stands so. `attempts` counts
    submissions begun, `failures` the looks in a row that failed; `tried` is when a submission was
    begun whose end is not known or was good (a start puts every intent in doubt), None where it is
    certain that there is no job, and `doubted` the last moment at which that submission may still
    have been under way.
    `unwanted` says by whom, or after how long, its end is wished ("by ada"), "" while nobody wishes
    it; `cancel_asked` is when the provider was asked for it. `told` is what was last said of it.
    `order` is None once it has ended. All times are seconds since the epoch, UTC; `due` is when it
    is looked at next.
    """

    id: int
    tag: str
    run: int
    probe: str
    kind: str
    provider: str
    device: str
    state: JobState
    created: float
    due: float
    quote: Quote
    sha256: str
    """Of the order's content."""
    settings: Mapping[str, Any]
    order: Order | None = None
    remote: str | None = None
    word: str = ""
    reason: str = ""
    told: str = ""
    attempts: int = 0
    failures: int = 0
    tried: float | None = None
    doubted: float | None = None
    submitted: float | None = None
    started: float | None = None
    ended: float | None = None
    unwanted: str = ""
    cancel_asked: float | None = None
    position: int | None = None
    usd: float | None = None
    qpu_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a probe. `seconds` is wall time; `usd` is what it was charged with; `host`
    is the machine that it ran on, "" where that is not known; `cause` is why it ran beside its
    schedule, "" where it did not."""

    probe: str
    kind: str
    outcome: Outcome
    reason: str
    started: float
    seconds: float
    usd: float = 0.0
    qpu_seconds: float = 0.0
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    payload: Mapping[str, Any] = field(default_factory=dict)
    stderr: str = ""
    host: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """Readings of one signal on one target, oldest first, and since when they are watched for.
    `peers` are the latest readings of the other devices of that kind on the same host."""

    signal: str
    unit: str
    target: str
    readings: tuple[Reading, ...] = ()
    watched_since: float | None = None
    peers: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a trigger stands on a target, with the last reading that said something about it.

    `since`: when the present state began. `last_true`: time of the last reading that held.
    `baseline`: the level that a firing or pending trigger is held against until it resolves;
    `spread`: the scatter about it, one sigma, where the trigger asks for that; `setup`: that of the
    readings that made them.
    `subject`: what the trigger was about. `told`: what is the matter; `alert`: the id of the open
    alert about that, None while nothing was said of it; `reminded`: when it was last said.
    `acknowledged_by` and `acknowledged_at`: who knows of the open alert, so that it is not said
    again. `snoozed_until`: nothing new is said before.
    """

    trigger: str
    target: str
    state: State
    since: float
    created: float
    last_true: float | None = None
    value: float | None = None
    threshold: float | None = None
    unit: str = ""
    origin: Origin | None = None
    read_at: float | None = None
    baseline: float | None = None
    why: str = ""
    told: Literal["fires", "no-data"] | None = None
    alert: int | None = None
    reminded: float | None = None
    subject: str = ""
    acknowledged_by: str | None = None
    acknowledged_at: float | None = None
    snoozed_until: float | None = None
    spread: float | None = None
    setup: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """A message owed to a channel.

    `key` names it for ever (Slack carries it as metadata). `parent` is the id of the alert that
    this one answers; its message is the thread. `facts` is all that the message will say.
    """

    key: str
    kind: AlertKind
    trigger: str
    target: str
    severity: Severity
    created: float
    facts: Mapping[str, Any]
    parent: int | None = None
