"""What `qrossover scenario` says, as a JSON-ready document with stable keys."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Any

import tomli

from monitor.config import Config
from monitor.outlook import milestones
from monitor.report import iso
from storage.progress import progress
from storage.store import Store
from storage.types import Series
from triggers import scenario as scenarios
from triggers.check import lookback
from triggers.milestone import Milestone, past_due, upcoming
from triggers.rule import RELATIVE, Rule
from triggers.scenario import Finding, Judged, Scenario, SignalIndicator


def shipped() -> tuple[Scenario, ...]:
    """The scenarios of triggers/scenarios.toml."""
    text = files("triggers").joinpath("scenarios.toml").read_text(encoding="utf-8")
    tables = tomli.loads(text)["scenario"]
    return tuple(Scenario(name=name, **table) for name, table in tables.items())


def document(config: Config, store: Store | None, moment: float) -> dict[str, Any]:
    """Every scenario with its indicators, and the milestones that are past due or to come.

    Without a database (None) nothing is measured yet. Raises ConfigError for a milestones file
    that cannot be used.
    """
    known = milestones.load(config.scenario.milestones)
    read = _reader(store)
    judged = [scenarios.judge(one, read, known, moment) for one in shipped()]
    day = milestones.today(moment)
    return {
        "headline": scenarios.headline(judged),
        "at": iso(moment),
        "scenarios": [_scenario(one) for one in judged],
        "milestones": [
            *(_milestone(one, late=True) for one in past_due(known.values(), day)),
            *(_milestone(one, late=False) for one in upcoming(known.values(), day)),
        ],
    }


def _reader(store: Store | None) -> Callable[[Rule], Sequence[Series]]:
    """Where a rule's series come from: the ends of all those in the database that it matches."""
    names = [] if store is None else store.names()

    def series(rule: Rule) -> list[Series]:
        if store is None:
            return []
        if rule.when == "crosses":
            trend = progress(store, rule.signal or "", rule.target, rule.accept)
            return [trend] if trend.readings else []
        seconds, readings = lookback(rule)
        return [
            store.window(name, target, seconds, readings, rule.accept)
            for name, target, _ in names
            if name == rule.signal and fnmatchcase(target, rule.target)
        ]

    return series


def _scenario(judged: Judged) -> dict[str, Any]:
    about = judged.scenario
    return {
        "name": about.name,
        "letter": about.letter,
        "title": about.title,
        "means": about.means,
        "toward": judged.count("toward"),
        "away": judged.count("away"),
        "unknown": judged.count("unknown"),
        "indicators": [_indicator(finding) for finding in judged.findings],
    }


def _indicator(finding: Finding) -> dict[str, Any]:
    about, reading, milestone = finding.indicator, finding.reading, finding.milestone
    signal = about if isinstance(about, SignalIndicator) else None
    return {
        "id": about.id,
        "says": about.says,
        "points": finding.points,
        "why": finding.why,
        "signal": signal and signal.signal,
        "target": reading and reading.target,
        "value": reading and reading.value,
        "unit": finding.unit,
        "when": signal and signal.when,
        "threshold": finding.threshold if signal is None else _threshold(finding, signal),
        "origin": reading and reading.origin,
        "read_at": reading and iso(reading.at),
        "note": reading.note if reading else milestone.note if milestone else "",
        "milestone": milestone and milestone.id,
        "status": milestone and milestone.status,
        "due": milestone and milestone.due,
        "since": milestone and milestone.since,
        "source": milestone.source if milestone else signal.source if signal else "",
        "url": milestone.url if milestone else signal.url if signal else "",
    }


def _threshold(finding: Finding, signal: SignalIndicator) -> float | None:
    """The level that was compared with; a fixed one also where nothing was."""
    if finding.threshold is None and signal.when not in RELATIVE:
        return signal.rule.limit
    return finding.threshold


def _milestone(milestone: Milestone, *, late: bool) -> dict[str, Any]:
    return {
        "id": milestone.id,
        "who": milestone.who,
        "what": milestone.what,
        "due": milestone.awaited,
        "past_due": late,
        "status": milestone.status,
        "since": milestone.since,
        "source": milestone.source,
        "url": milestone.url,
        "checked": milestone.checked,
        "note": milestone.note,
    }
