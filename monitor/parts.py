"""The tables of one config file, each validated on its own, then held against each other."""

import contextlib
import fnmatch
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from monitor.crosscheck import cross_check, signals_of
from monitor.derived import writes
from monitor.differences import same
from monitor.literals import fit
from monitor.outlook.milestones import ScenarioSettings
from monitor.prices import remarks
from monitor.problems import Key, Problem, key_text, nearest, of_validation, unknown_key
from monitor.sections import (
    NAMED,
    SCHEDULE,
    SECTIONS,
    Budget,
    Config,
    Cost,
    Fleet,
    Monitor,
    Price,
    ProbeEntry,
    Schedule,
    Slack,
    located,
)
from probes.base import Probe, UnknownKind, kinds, load
from triggers.assumptions import NOTHING_GIVEN, Assumptions
from triggers.checklist import Item
from triggers.rule import Rule

_Model = TypeVar("_Model", bound=BaseModel)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
SILENT_INTERVALS = 3
"""A signal is missing when this many of its probe's intervals have passed without a reading."""


class Parts:
    """The tables of one document, each validated on its own; faults are gathered.

    What stands in `before` as it stands here is taken from there.
    """

    def __init__(
        self, document: dict[str, Any], folder: Path, *, with_token: bool, before: Config | None
    ) -> None:
        self.problems: list[Problem] = []
        self._before = before
        self._kept = {name: _kept(name, document, before) for name in NAMED}
        self._document = self._fitted(document)
        self._folder = folder
        self._with_token = with_token

    def config(self, path: Path, sha256: str, text: str) -> Config:
        """The config as far as it is valid; `problems` has the rest."""
        self.problems += [
            unknown_key((name,), SECTIONS) for name in self._document if name not in SECTIONS
        ]
        slack = self._model(("slack",), Slack, {}) if "slack" in self._document else None
        monitor = self._model(("monitor",), Monitor, {}) or Monitor()
        probes = dict(self._probes())
        before = self._before
        triggers = dict(self._named("trigger", Rule, before.triggers if before else {}))
        checklist = dict(self._named("checklist", Item, before.checklist if before else {}))
        probing = {name: entry.probe for name, entry in probes.items()}
        found, warnings = cross_check(
            self._document, probing, triggers, checklist, self._tried(triggers)
        )
        self.problems += found
        prices, cost = dict(self._prices()), self._model(("cost",), Cost, {}) or Cost()
        warnings += remarks(prices, cost, probes.values(), triggers.values())
        return Config(
            path=path,
            sha256=sha256,
            monitor=monitor.model_copy(update={"database": self._database(monitor)}),
            slack=slack and self._located(slack),
            budget=self._model(("budget",), Budget, {}) or Budget(),
            probes=MappingProxyType(probes),
            triggers=MappingProxyType(self._aged(triggers, probes)),
            checklist=MappingProxyType(checklist),
            warnings=(*_no_token(slack), *warnings),
            text=text,
            document=self._document,
            scenario=self._scenario(),
            crossover=self._model(("crossover",), Assumptions, {}) or NOTHING_GIVEN,
            prices=MappingProxyType(prices),
            cost=cost,
            fleet=self._model(("fleet",), Fleet, {}) if "fleet" in self._document else None,
        )

    # --- what is as it was before ------------------------------------------------------------

    def _fitted(self, document: dict[str, Any]) -> dict[str, Any]:
        """The document without unfit literals. In tables that are kept there are none."""
        rest = {
            section: (
                {name: value for name, value in table.items() if name not in self._kept[section]}
                if section in NAMED and isinstance(table, dict)
                else table
            )
            for section, table in document.items()
        }
        fitted: dict[str, Any] = fit(rest, self.problems)
        for section in NAMED:
            if kept := self._kept[section]:
                merged = fitted[section] | kept
                fitted[section] = {name: merged[name] for name in document[section]}
        return fitted

    def _tried(self, triggers: Mapping[str, Rule]) -> dict[str, str]:
        """The rules that were judged on made-up readings before, each with its signal's unit."""
        if self._before is None:
            return {}
        known = signals_of({name: entry.probe for name, entry in self._before.probes.items()})
        rules = ((name, triggers[name].signal) for name in self._kept["trigger"])
        return {name: known[signal].unit for name, signal in rules if signal in known}

    def _aged(self, rules: Mapping[str, Rule], probes: Mapping[str, ProbeEntry]) -> dict[str, Rule]:
        """Each rule with an age at which its readings are missing: by default some intervals of the
        slowest probe that writes them; none where no probe of this config does."""
        slowest: dict[str, float] = {}
        for entry in probes.values():
            for signal in writes(entry.probe):
                slowest[signal.name] = max(entry.every, slowest.get(signal.name, 0.0))
        tables = self._document.get("trigger", {})
        aged = {}
        for name, rule in rules.items():
            if "max_age" in tables[name] or rule.when == "stale":
                aged[name] = rule
                continue
            every = _every(rule, probes, slowest)
            age = None if every is None else SILENT_INTERVALS * every
            aged[name] = rule if rule.max_age == age else rule.model_copy(update={"max_age": age})
        return aged

    # --- table by table ----------------------------------------------------------------------

    def _database(self, monitor: Monitor) -> Path:
        file = located(self._folder, monitor.database)
        with contextlib.suppress(OSError):
            if file.is_dir():
                message = f"expected the path of a file, {file} is a directory"
                self.problems.append(Problem(("monitor", "database"), message))
        return file

    def _prices(self) -> Iterator[tuple[str, Price]]:
        for name in self._table(("price",)) or ():
            price = self._model(("price", name), Price, {})
            if price is not None:
                yield name, price

    def _scenario(self) -> ScenarioSettings:
        found = self._model(("scenario",), ScenarioSettings, {}) or ScenarioSettings()
        own = found.milestones and located(self._folder, found.milestones)
        return found.model_copy(update={"milestones": own})

    def _located(self, slack: Slack) -> Slack:
        """The Slack table with a token file that is there and says something."""
        if slack.token_file is None:
            return slack
        file = located(self._folder, slack.token_file)
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
        self.problems.append(Problem(key, f"expected a table, [{key_text(key)}], got {table!r}"))
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

    def _named(
        self, section: str, model: type[_Model], before: Mapping[str, _Model]
    ) -> Iterator[tuple[str, _Model]]:
        for name in self._names(section):
            if name in self._kept[section]:
                yield name, before[name]
                continue
            made = self._model((section, name), model, {"name": name})
            if made is not None:
                yield name, made

    def _probes(self) -> Iterator[tuple[str, ProbeEntry]]:
        for name in self._names("probe"):
            if self._before and name in self._kept["probe"]:
                yield name, self._before.probes[name]
                continue
            table = self._table(("probe", name))
            entry = None if table is None else self._probe(name, table)
            if entry is not None:
                yield name, entry

    def _probe(self, name: str, table: dict[str, Any]) -> ProbeEntry | None:
        key: Key = ("probe", name)
        schedule = {k: value for k, value in table.items() if k in SCHEDULE}
        settings = {k: value for k, value in table.items() if k not in SCHEDULE}
        planned: Schedule | None = None
        try:
            planned = strictly(Schedule, schedule)
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


def _every(
    rule: Rule, probes: Mapping[str, ProbeEntry], slowest: Mapping[str, float]
) -> float | None:
    """How often the slowest probe runs that writes what a rule is about."""
    if rule.probe is None:
        return slowest.get(rule.signal or "")
    found = (e.every for name, e in probes.items() if fnmatch.fnmatchcase(name, rule.probe))
    return max(found, default=None)


def _kept(section: str, document: Mapping[str, Any], before: Config | None) -> dict[str, Any]:
    """The tables of a section that a valid config before has just so."""
    new = document.get(section)
    old = before.document.get(section) if before else None
    if not isinstance(new, dict) or not isinstance(old, dict):
        return {}
    return {
        name: old[name] for name, table in new.items() if name in old and same(table, old[name])
    }
