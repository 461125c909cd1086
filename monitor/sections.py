"""The sections of config.toml, and all of it, as frozen objects. Checks look at one table each."""

import contextlib
import datetime
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from monitor.outlook.milestones import ScenarioSettings
from probes.base import Probe
from triggers.assumptions import NOTHING_GIVEN, Assumptions
from triggers.checklist import Item
from triggers.quantity import Duration, parse_duration
from triggers.rule import Rule

SECTIONS = (
    "monitor",
    "slack",
    "budget",
    "price",
    "cost",
    "probe",
    "trigger",
    "checklist",
    "crossover",
    "scenario",
    "fleet",
)
NAMED = ("probe", "trigger", "checklist")
"""The sections whose tables have names."""
SCHEDULE = ("kind", "every", "timeout")
RAYS_OWN = ("CPU", "GPU", "memory", "object_store_memory")
LONGEST_INTERVAL = 10 * 31557600.0
EASTERNMOST = datetime.timezone(datetime.timedelta(hours=14))
"""Where a day begins first: what is no future there is none anywhere."""


def _named_file(value: Path) -> Path:
    if value.name in ("", "..") or "\0" in str(value):
        raise ValueError(f"expected the path of a file, got {str(value)!r}")
    return value


def located(folder: Path, value: Path) -> Path:
    """A path of a file in this folder: relative to it, with ~ and $NAMES replaced."""
    with contextlib.suppress(RuntimeError):  # nobody's home is known
        value = value.expanduser()
    return folder / os.path.expandvars(value)


class Table(BaseModel):
    """One table; a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Monitor(Table):
    """`[monitor]`. `http` is HOST:PORT of /healthz and /metrics; "" serves neither."""

    database: Path = Path("var/qrossover.db")
    http: str = "127.0.0.1:8577"

    @field_validator("database")
    @classmethod
    def _file(cls, value: Path) -> Path:
        return _named_file(value)

    @field_validator("http")
    @classmethod
    def _address(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if value and not (host and port.isdecimal() and int(port) < 65536):  # noqa: PLR2004
            raise ValueError(f'expected "HOST:PORT" such as "127.0.0.1:8577", or "", got {value!r}')
        return value


class Slack(Table):
    """`[slack]`. The token comes from an environment variable or a file, never from here."""

    channel: str = Field(min_length=1)
    token_env: str | None = None
    token_file: Path | None = None
    api_url: str = "https://slack.com/api/"
    remind_every: Duration = 86400.0

    @field_validator("token_file")
    @classmethod
    def _file(cls, value: Path) -> Path:
        return _named_file(value)

    @field_validator("api_url")
    @classmethod
    def _url(cls, value: str) -> str:
        if not re.match(r"https?://\S+$", value):
            raise ValueError(f"expected an http(s) address, got {value!r}")
        return value if value.endswith("/") else f"{value}/"

    def token(self) -> str | None:
        """The bot token, or None where the environment has none. Raises OSError for the file."""
        if self.token_file is not None:
            return self.token_file.read_text().strip() or None
        # `export TOKEN=$(cat file)` and env files leave spaces and line ends behind
        return os.environ.get(self.token_env or "", "").strip() or None


class Budget(Table):
    """`[budget]`. What paid runs may cost in all; 0 USD means that no paid run is started."""

    usd_per_day: float = Field(default=0.0, ge=0)
    usd_per_28_days: float | None = Field(default=None, ge=0)
    qpu_seconds_per_28_days: float = Field(default=300.0, ge=0)


class Price(Table):
    """One `[price.NAME]`: what an hour of one GPU costs whoever runs this. NAME is what its driver
    prints; "cpu" is this machine without a GPU."""

    usd_per_hour: float = Field(gt=0)
    date: datetime.date
    source: str

    @field_validator("date")
    @classmethod
    def _is_past(cls, value: datetime.date) -> datetime.date:
        if value > datetime.datetime.now(EASTERNMOST).date():
            raise ValueError(f"expected the day on which the price was seen, {value} is to come")
        return value

    @field_validator("source")
    @classmethod
    def _says_something(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("expected where the price is from, such as a contract or a page")
        return value.strip()


class Cost(Table):
    """`[cost]`. What is bought with GPU time, as far as no probe measures it."""

    epoch_tokens: int | None = Field(default=None, ge=1)


class Fleet(Table):
    """`[fleet]`. The cluster on whose nodes probes of GPUs run; on this machine they run no more
    then, unless it is a node. `address` is Ray's: "auto", "ray://HEAD:10001" or "HEAD:6379".
    `resource` is the one that the nodes with GPUs were started with."""

    engine: Literal["ray"]
    address: str = "auto"
    resource: str = Field(default="qrossover", min_length=1)

    @field_validator("address")
    @classmethod
    def _address(cls, value: str) -> str:
        found = re.fullmatch(r"(ray://)?[^\s/:]+:(\d{1,5})", value, re.ASCII)
        if value != "auto" and not (found and int(found[2]) < 65536):  # noqa: PLR2004
            raise ValueError(
                f'expected "auto", "ray://HEAD:10001" or "HEAD:6379" as Ray has them, got {value!r}'
            )
        return value

    @field_validator("resource")
    @classmethod
    def _resource(cls, value: str) -> str:
        if value in RAYS_OWN:
            raise ValueError(f"expected a name of your own: {value!r} is what production waits for")
        return value

    def has(self, entry: "ProbeEntry") -> bool:
        """Whether a probe runs on the fleet: every one of GPUs does."""
        return entry.kind.startswith("gpu.")


def _seconds(value: Any) -> float:
    seconds = parse_duration(value)
    if not 1 <= seconds <= LONGEST_INTERVAL:
        raise ValueError(f'expected "1s" to "10y", got {value!r}')
    return seconds


class Schedule(Table):
    """The keys that every `[probe.NAME]` has beside its settings."""

    kind: str
    every: Annotated[float, BeforeValidator(_seconds)]
    timeout: Annotated[float, BeforeValidator(_seconds)] | None = None


@dataclass(frozen=True, slots=True)
class ProbeEntry:
    """One `[probe.NAME]`: what runs, how often, and after how many seconds it is killed."""

    name: str
    kind: str
    every: float
    timeout: float
    probe: Probe
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Config:
    """A whole, valid config file. `document` is what its text says, as TOML has it."""

    path: Path
    sha256: str
    monitor: Monitor
    slack: Slack | None
    budget: Budget
    probes: Mapping[str, ProbeEntry]
    triggers: Mapping[str, Rule]
    checklist: Mapping[str, Item]
    warnings: tuple[str, ...] = ()
    text: str = ""
    document: Mapping[str, Any] = field(default_factory=dict)
    scenario: ScenarioSettings = field(default_factory=ScenarioSettings)
    crossover: Assumptions = NOTHING_GIVEN
    prices: Mapping[str, Price] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)
    fleet: Fleet | None = None

    def secret_names(self) -> tuple[str, ...]:
        """The environment variables that hold secrets of the service, which no probe needs."""
        return (self.slack.token_env,) if self.slack and self.slack.token_env else ()

    def slack_token(self) -> str | None:
        """The Slack token, or None where alerts go to the terminal."""
        return self.slack.token() if self.slack else None
