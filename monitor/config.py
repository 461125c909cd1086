"""config.toml as frozen objects. All faults of a file are told in one go (monitor/problems.py)."""

import fnmatch
import hashlib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from platformdirs import site_config_path, user_config_path
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from monitor.crosscheck import cross_check
from monitor.problems import (
    ConfigError,
    Key,
    Problem,
    located,
    nearest,
    of_validation,
    unknown_key,
)
from probes.base import Probe, UnknownKind, kinds, load
from triggers.checklist import Item
from triggers.quantity import Duration, parse_duration
from triggers.rule import Rule

_Model = TypeVar("_Model", bound=BaseModel)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
TOKEN = re.compile(
    r"\bxox[a-z](\.xox[a-z])?-|\bxapp-|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20}"
)
SECTIONS = ("monitor", "slack", "budget", "probe", "trigger", "checklist")
SCHEDULE = ("kind", "every", "timeout")
SILENT_INTERVALS = 3
"""A signal is missing when this many of its probe's intervals have passed without a reading."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Monitor(_Table):
    """`[monitor]`. `http` is HOST:PORT of /healthz and /metrics; "" serves neither."""

    database: Path = Path("var/qrossover.db")
    http: str = "127.0.0.1:8577"

    @field_validator("http")
    @classmethod
    def _address(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if value and not (host and port.isdecimal() and int(port) < 65536):  # noqa: PLR2004
            raise ValueError(f'expected "HOST:PORT" such as "127.0.0.1:8577", or "", got {value!r}')
        return value


class Slack(_Table):
    """`[slack]`. The token comes from an environment variable or a file, never from here."""

    channel: str = Field(min_length=1)
    token_env: str | None = None
    token_file: Path | None = None
    api_url: str = "https://slack.com/api/"
    remind_every: Duration = 86400.0

    @field_validator("api_url")
    @classmethod
    def _url(cls, value: str) -> str:
        if not re.match(r"https?://\S+$", value):
            raise ValueError(f"expected an http(s) address, got {value!r}")
        return value if value.endswith("/") else f"{value}/"

    def token(self) -> str | None:
        """The bot token, or None where the environment has none. Raises OSError for the file."""
        if self.token_file is not None:
            return self.token_file.read_text().strip()
        return os.environ.get(self.token_env or "") or None


class Budget(_Table):
    """`[budget]`. What paid runs may cost in all; 0 USD means that no paid run is started."""

    usd_per_day: float = Field(default=0.0, ge=0)
    qpu_seconds_per_28_days: float = Field(default=300.0, ge=0)


def _seconds(value: Any) -> float:
    seconds = parse_duration(value)
    if seconds < 1:
        raise ValueError(f"expected at least 1s, got {value!r}")
    return seconds


class _Schedule(_Table):
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
    """A whole, valid config file."""

    path: Path
    sha256: str
    monitor: Monitor
    slack: Slack | None
    budget: Budget
    probes: Mapping[str, ProbeEntry]
    triggers: Mapping[str, Rule]
    checklist: Mapping[str, Item]
    warnings: tuple[str, ...] = ()

    def slack_token(self) -> str | None:
        """The Slack token, or None where alerts go to the terminal."""
        return self.slack.token() if self.slack else None


def find(given: Path | None) -> Path:
    """The config file: `--config`, `QROSSOVER_CONFIG`, ./config.toml, the user's, the system's.

    Raises ConfigError where none of them exists.
    """
    named = given or (Path(env) if (env := os.environ.get("QROSSOVER_CONFIG")) else None)
    if named is not None:
        return named.absolute()
    places = [
        Path("config.toml").absolute(),
        user_config_path("qrossover") / "config.toml",
        Path("/etc/qrossover/config.toml"),
        site_config_path("qrossover") / "config.toml",
    ]
    for place in places:
        if place.is_file():
            return place
    looked = ", ".join(str(place) for place in places)
    raise ConfigError([f"no config file; looked at {looked}. Name one with --config PATH."])


def read(path: Path) -> Config:
    """Read and validate a config file. Raises ConfigError with every fault of it."""
    try:
        raw = path.read_bytes()
        text = raw.decode()
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: byte {error.start} is not UTF-8"]) from None
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax(path, text, str(error))]) from None
    parts = _Parts(document, path.parent)
    config = parts.config(path, hashlib.sha256(raw).hexdigest())
    if parts.problems:
        raise located(path, text, parts.problems)
    return config


def _syntax(path: Path, text: str, message: str) -> str:
    found = re.search(r"\(at line (\d+), column (\d+)\)", message)
    line, column = (found[1], found[2]) if found else (text.count("\n") + 1, "1")
    return f"{path}:{line}:{column}: not valid TOML: {message.partition(' (at ')[0]}"


class _Parts:
    """The tables of one document, each validated on its own; faults are gathered."""

    def __init__(self, document: dict[str, Any], folder: Path) -> None:
        self.problems: list[Problem] = []
        self._document = document
        self._folder = folder

    def config(self, path: Path, sha256: str) -> Config:
        """The config as far as it is valid; `problems` has the rest."""
        self.problems += [
            unknown_key((name,), SECTIONS) for name in self._document if name not in SECTIONS
        ]
        self.problems += secrets((), self._document)
        slack = self._model(("slack",), Slack, {}) if "slack" in self._document else None
        monitor = self._model(("monitor",), Monitor, {}) or Monitor()
        probes = dict(self._probes())
        triggers = dict(self._named("trigger", Rule))
        checklist = dict(self._named("checklist", Item))
        found, warnings = cross_check(
            [entry.probe for entry in probes.values()], probes, triggers, checklist
        )
        self.problems += found
        return Config(
            path=path,
            sha256=sha256,
            monitor=monitor.model_copy(update={"database": self._folder / monitor.database}),
            slack=slack and self._located(slack),
            budget=self._model(("budget",), Budget, {}) or Budget(),
            probes=MappingProxyType(probes),
            triggers=MappingProxyType({n: _aged(rule, probes) for n, rule in triggers.items()}),
            checklist=MappingProxyType(checklist),
            warnings=tuple(warnings),
        )

    def _located(self, slack: Slack) -> Slack:
        """The Slack table with a token file that is there, relative to the config's folder."""
        if slack.token_file is None:
            return slack
        file = self._folder / os.path.expandvars(slack.token_file)
        try:
            file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            self.problems.append(Problem(("slack", "token_file"), f"cannot be read: {error}"))
        return slack.model_copy(update={"token_file": file})

    def _table(self, key: Key) -> dict[str, Any] | None:
        """The table at a key; anything else there is a fault."""
        table: Any = self._document
        for part in key:
            table = table.get(part, {})
        if isinstance(table, dict):
            return table
        name = ".".join(str(part) for part in key)
        self.problems.append(Problem(key, f"expected a table, [{name}], got {table!r}"))
        return None

    def _model(self, key: Key, model: type[_Model], extra: dict[str, Any]) -> _Model | None:
        table = self._table(key)
        if table is None:
            return None
        known = [
            field.alias or name for name, field in model.model_fields.items() if name not in extra
        ]
        if clash := sorted(table.keys() - set(known)):
            self.problems += [unknown_key((*key, name), known) for name in clash]
            table = {name: value for name, value in table.items() if name not in clash}
        try:
            return model.model_validate({**table, **extra})
        except ValidationError as error:
            self.problems += of_validation(error, key, known)
            return None

    def _names(self, section: str) -> Iterator[str]:
        for name in self._table((section,)) or ():
            if NAME.fullmatch(name):
                yield name
            else:
                message = "a name is made of letters, digits, - and _"
                self.problems.append(Problem((section, name), message, in_value=False))

    def _named(self, section: str, model: type[_Model]) -> Iterator[tuple[str, _Model]]:
        for name in self._names(section):
            made = self._model((section, name), model, {"name": name})
            if made is not None:
                yield name, made

    def _probes(self) -> Iterator[tuple[str, ProbeEntry]]:
        for name in self._names("probe"):
            table = self._table(("probe", name))
            entry = None if table is None else self._probe(name, table)
            if entry is not None:
                yield name, entry

    def _probe(self, name: str, table: dict[str, Any]) -> ProbeEntry | None:
        key: Key = ("probe", name)
        schedule = {k: value for k, value in table.items() if k in SCHEDULE}
        settings = {k: value for k, value in table.items() if k not in SCHEDULE}
        planned: _Schedule | None = None
        try:
            planned = _Schedule.model_validate(schedule)
        except ValidationError as error:
            self.problems += of_validation(error, key, SCHEDULE)
        kind = table.get("kind")
        if not isinstance(kind, str):
            return None
        probe = self._settings(key, kind, settings)
        if planned is None or probe is None:
            return None
        timeout = planned.timeout or probe.deadline
        return ProbeEntry(name, kind, planned.every, timeout, probe, MappingProxyType(settings))

    def _settings(self, key: Key, kind: str, settings: dict[str, Any]) -> Probe | None:
        try:
            model = load(kind)
        except UnknownKind as error:
            near = nearest(kind, kinds())
            self.problems.append(Problem((*key, "kind"), f"{error}.{near}"))
            return None
        known = [*SCHEDULE, *(f.alias or name for name, f in model.model_fields.items())]
        try:
            return model.model_validate(settings)
        except ValidationError as error:
            self.problems += of_validation(error, key, known)
            return None


def _aged(rule: Rule, probes: Mapping[str, ProbeEntry]) -> Rule:
    """The rule with an age at which its readings are missing: by default some intervals of the
    slowest probe that writes them; none where no probe of this config does."""
    if rule.max_age is not None or rule.when == "stale":
        return rule
    intervals = [entry.every for entry in probes.values() if _feeds(entry, rule)]
    age = SILENT_INTERVALS * max(intervals) if intervals else None
    return rule.model_copy(update={"max_age": age})


def _feeds(entry: ProbeEntry, rule: Rule) -> bool:
    if rule.probe is not None:
        return fnmatch.fnmatchcase(entry.name, rule.probe)
    return any(signal.name == rule.signal for signal in entry.probe.promises())


def secrets(key: Key, value: Any) -> Iterator[Problem]:
    """A fault for every literal that looks like a token: a config file is read by many."""
    if isinstance(value, str) and TOKEN.search(value):
        message = "this looks like a secret: name where it is kept, by `token_env` or `token_file`"
        yield Problem(key, message)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from secrets((*key, name), inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from secrets((*key, index), inner)
