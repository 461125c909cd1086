"""config.toml as frozen objects. All faults of a file are told in one go (monitor/problems.py)."""

import contextlib
import fnmatch
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

import tomli
from platformdirs import site_config_path, user_config_path
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from monitor.crosscheck import cross_check
from monitor.literals import fit
from monitor.problems import (
    ConfigError,
    Key,
    Problem,
    located,
    nearest,
    of_validation,
    shown,
    unknown_key,
)
from probes.base import Probe, UnknownKind, kinds, load
from triggers.checklist import Item
from triggers.quantity import Duration, parse_duration
from triggers.rule import Rule

_Model = TypeVar("_Model", bound=BaseModel)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
SECTIONS = ("monitor", "slack", "budget", "probe", "trigger", "checklist")
SCHEDULE = ("kind", "every", "timeout")
LONGEST_INTERVAL = 10 * 31557600.0
SILENT_INTERVALS = 3
"""A signal is missing when this many of its probe's intervals have passed without a reading."""


def _named_file(value: Path) -> Path:
    if value.name in ("", "..") or "\0" in str(value):
        raise ValueError(f"expected the path of a file, got {str(value)!r}")
    return value


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Monitor(_Table):
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


class Slack(_Table):
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


class Budget(_Table):
    """`[budget]`. What paid runs may cost in all; 0 USD means that no paid run is started."""

    usd_per_day: float = Field(default=0.0, ge=0)
    qpu_seconds_per_28_days: float = Field(default=300.0, ge=0)


def _seconds(value: Any) -> float:
    seconds = parse_duration(value)
    if not 1 <= seconds <= LONGEST_INTERVAL:
        raise ValueError(f'expected "1s" to "10y", got {value!r}')
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

    def secret_names(self) -> tuple[str, ...]:
        """The environment variables that hold secrets of the service, which no probe needs."""
        return (self.slack.token_env,) if self.slack and self.slack.token_env else ()

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
        with contextlib.suppress(OSError):  # a folder that may not be entered has none for us
            if place.is_file():
                return place
    looked = ", ".join(str(place) for place in places)
    raise ConfigError([f"no config file; looked at {looked}. Name one with --config PATH."])


def read(path: Path, *, with_token: bool = True) -> Config:
    """Read and validate a config file. Raises ConfigError with every fault of it.

    `with_token`: a token file must be there. Who only reports may not be let at it.
    """
    path = path.absolute()
    try:
        raw = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        raise ConfigError([f"{shown(path)}: cannot be read: {error}"]) from None
    return parse(path, raw, with_token=with_token)


def parse(path: Path, raw: bytes, *, with_token: bool = True) -> Config:
    """Validate what a config file says, or would say. Raises ConfigError with every fault of it."""
    text, document = parsed(path, raw)
    parts = _Parts(document, path.parent, with_token=with_token)
    config = parts.config(path, hashlib.sha256(raw).hexdigest())
    if parts.problems:
        raise located(path, text, parts.problems)
    return config


def parsed(path: Path, raw: bytes) -> tuple[str, dict[str, Any]]:
    """The text and what it says. Raises ConfigError with the place where it stops being TOML."""
    try:
        text = raw.decode("utf-8-sig")  # some editors begin a file with a byte order mark
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig")
        line, column = before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1
        raise ConfigError([f"{shown(path)}:{line}:{column}: this byte is not UTF-8"]) from None
    try:
        return text, tomli.loads(text)
    except RecursionError:
        raise ConfigError([f"{shown(path)}:1:1: tables or arrays are nested too deeply"]) from None
    except ValueError as error:  # TOMLDecodeError is one; a number of too many digits another
        raise ConfigError([_syntax(path, text, str(error))]) from None


def _syntax(path: Path, text: str, message: str) -> str:
    found = re.search(r"\(at line (\d+), column (\d+)\)", message)
    line, column = (found[1], found[2]) if found else (text.count("\n") + 1, "1")
    # tomli prints the tuple ('a', 'b') for [a.b]
    said = re.sub(r"\((?:'[^']*',? ?)+\)", lambda names: _dotted(names[0]), message)
    said = said.partition(" (at ")[0]
    if said == "Invalid value":
        said += '; texts stand in quotes: kind = "gpu.training"'
    elif said.startswith("Expected newline or end of document after a statement"):
        said += '; texts stand in quotes, also those that begin with a number: threshold = "10%"'
    return f"{shown(path)}:{line}:{column}: not valid TOML: {said}"


def _dotted(names: str) -> str:
    return f"[{'.'.join(names.split(chr(39))[1::2])}]"


class _Parts:
    """The tables of one document, each validated on its own; faults are gathered."""

    def __init__(self, document: dict[str, Any], folder: Path, *, with_token: bool) -> None:
        self.problems: list[Problem] = []
        self._document = fit(document, self.problems)
        self._folder = folder
        self._with_token = with_token

    def config(self, path: Path, sha256: str) -> Config:
        """The config as far as it is valid; `problems` has the rest."""
        self.problems += [
            unknown_key((name,), SECTIONS) for name in self._document if name not in SECTIONS
        ]
        slack = self._model(("slack",), Slack, {}) if "slack" in self._document else None
        monitor = self._model(("monitor",), Monitor, {}) or Monitor()
        probes = dict(self._probes())
        triggers = dict(self._named("trigger", Rule))
        checklist = dict(self._named("checklist", Item))
        probing = {name: entry.probe for name, entry in probes.items()}
        found, warnings = cross_check(self._document, probing, triggers, checklist)
        self.problems += found
        return Config(
            path=path,
            sha256=sha256,
            monitor=monitor.model_copy(update={"database": self._database(monitor)}),
            slack=slack and self._located(slack),
            budget=self._model(("budget",), Budget, {}) or Budget(),
            probes=MappingProxyType(probes),
            triggers=MappingProxyType({n: _aged(rule, probes) for n, rule in triggers.items()}),
            checklist=MappingProxyType(checklist),
            warnings=(*_no_token(slack), *warnings),
        )

    def _path(self, value: Path) -> Path:
        """A path of the file: relative to the file's folder, with ~ and $NAMES replaced."""
        with contextlib.suppress(RuntimeError):  # nobody's home is known
            value = value.expanduser()
        return self._folder / os.path.expandvars(value)

    def _database(self, monitor: Monitor) -> Path:
        file = self._path(monitor.database)
        with contextlib.suppress(OSError):
            if file.is_dir():
                message = f"expected the path of a file, {file} is a directory"
                self.problems.append(Problem(("monitor", "database"), message))
        return file

    def _located(self, slack: Slack) -> Slack:
        """The Slack table with a token file that is there and says something."""
        if slack.token_file is None:
            return slack
        file = self._path(slack.token_file)
        if not self._with_token:
            return slack.model_copy(update={"token_file": file})
        try:
            fault = "" if file.read_text().strip() else f"{file} is empty"
        except (OSError, UnicodeDecodeError) as error:
            fault = f"cannot be read: {error}"
        if fault:
            self.problems.append(Problem(("slack", "token_file"), fault))
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
            return strictly(model, {**table, **extra})
        except ValidationError as error:
            self.problems += of_validation(error, key, known, table)
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
            planned = strictly(_Schedule, schedule)
        except ValidationError as error:
            self.problems += of_validation(error, key, SCHEDULE, schedule)
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
            return strictly(model, settings)
        except ValidationError as error:
            self.problems += of_validation(error, key, known, settings)
            return None


def strictly(model: type[_Model], table: Mapping[str, Any]) -> _Model:
    """A table as its model, without guessing: "5" is no number, true is not 1. Read as JSON, since
    there an array is what a tuple asks for. Raises ValidationError."""
    return model.model_validate_json(json.dumps(table), strict=True)


def _no_token(slack: Slack | None) -> Iterator[str]:
    if slack is not None and slack.token_env is None and slack.token_file is None:
        yield "slack: neither token_env nor token_file is given; alerts go to the terminal"


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
