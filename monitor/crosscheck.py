"""What the tables of a config say about each other: names that must exist, units that must fit,
and every rule tried once on made-up readings before it may judge real ones."""

from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from monitor.budget import is_free
from monitor.derived import NAMES, declared, writes
from monitor.problems import Problem, hint
from probes.base import Probe
from storage.types import Reading, Series, Signal
from triggers import composite
from triggers.baseline import least
from triggers.check import check
from triggers.checklist import Item
from triggers.rule import RELATIVE, Rule

ABOUT = ("target", "provider", "device")
"""The settings that decide on which targets a probe's readings are."""


def cross_check(
    document: Mapping[str, Any],
    probes: Mapping[str, Probe],
    triggers: Mapping[str, Rule],
    checklist: Mapping[str, Item],
    tried: Mapping[str, str] = MappingProxyType({}),
) -> tuple[list[Problem], list[str]]:
    """Faults, and warnings that do not stop a start.

    `document` is all that the file says, the tables that are wrong included: a name that stands in
    one of those is no unknown name. `tried` are rules that are judged already, each on readings in
    this unit.
    """
    written: dict[str, Signal] = {}
    problems = [*_units(probes, written), *_shared_series(probes), *_taken(probes)]
    written |= {s.name: s for probe in probes.values() for s in writes(probe) if s.name in NAMES}
    possible = declared() | written
    probe_names = _names(document, "probe")
    hidden = {name for table in _tables(document, "probe") for name in _names(table, "signals")}
    warnings: list[str] = []
    for rule in triggers.values():
        if rule.signal not in hidden - possible.keys():
            problems += _rule(rule, possible, probe_names, tried.get(rule.name))
            problems += _confirm(rule, probes)
        if rule.signal in possible and rule.signal not in written:
            warnings.append(
                f"trigger.{rule.name}: no probe of this config writes {rule.signal!r}; "
                "it is judged on history alone"
            )
    names = _names(document, "trigger")
    problems += [*_members(triggers, names), *_circles(triggers)]
    problems += _requires(checklist, names)
    return problems, warnings


def signals_of(probes: Mapping[str, Probe]) -> dict[str, Signal]:
    """Every signal that a rule may be about: those of the kinds, and those of these probes."""
    return declared() | {s.name: s for probe in probes.values() for s in writes(probe)}


def _names(table: Mapping[str, Any], key: str) -> list[str]:
    inner = table.get(key)
    return list(inner) if isinstance(inner, dict) else []


def _tables(document: Mapping[str, Any], section: str) -> list[dict[str, Any]]:
    named = document.get(section)
    tables = named.values() if isinstance(named, dict) else ()
    return [table for table in tables if isinstance(table, dict)]


def _units(probes: Mapping[str, Probe], written: dict[str, Signal]) -> Iterator[Problem]:
    for name, probe in probes.items():
        for signal in probe.promises():
            known = written.setdefault(signal.name, signal)
            if known.unit != signal.unit:
                message = (
                    f"is declared in {known.unit!r} by another probe and in {signal.unit!r} here: "
                    "give one of them another name"
                )
                yield Problem(("probe", name, "signals", signal.name), message)


def _taken(probes: Mapping[str, Probe]) -> Iterator[Problem]:
    """Names that a program of the operator's may not give its signals."""
    for name, probe in probes.items():
        for signal in probe.promises():
            if signal.name in NAMES:
                message = "is worked out from other readings: give this signal another name"
                yield Problem(("probe", name, "signals", signal.name), message)


def _shared_series(probes: Mapping[str, Probe]) -> Iterator[Problem]:
    """Two probes whose numbers would be one series, in which a trigger compares the settings of one
    with those of the other. A kind without these keys names its targets itself."""
    taken: dict[tuple[object, ...], str] = {}
    for name, probe in probes.items():
        about = {key: getattr(probe, key) for key in ABOUT if key in type(probe).model_fields}
        if not about:
            continue
        other = taken.setdefault((type(probe), *about.values()), name)
        if other != name:
            same = " and ".join(f'{key} "{value}"' for key, value in about.items())
            mine = " or ".join(key for key in about if key != "provider")
            message = (
                f"writes the same series as probe.{other}, which has the same kind, {same}: "
                f"give one of them another {mine}, or keep one of the two"
            )
            yield Problem(("probe", name), message, in_value=False)


def _rule(
    rule: Rule, possible: Mapping[str, Signal], probes: list[str], tried: str | None
) -> Iterator[Problem]:
    key = ("trigger", rule.name)
    if rule.probe is not None and not any(fnmatchcase(name, rule.probe) for name in probes):
        near = hint(rule.probe, probes)
        yield Problem((*key, "probe"), f"no probe of this config matches {rule.probe!r}.{near}")
    if rule.signal is None:
        return
    signal = possible.get(rule.signal)
    if signal is None:
        near = hint(rule.signal, possible)
        yield Problem((*key, "signal"), f"no probe writes a signal {rule.signal!r}.{near}")
        return
    if signal.unit == tried:
        return
    yield from _percent(rule, signal)
    try:
        dry_run(rule, signal.unit)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        yield Problem(key, f"cannot be judged: {error}", in_value=False)


def _confirm(rule: Rule, probes: Mapping[str, Probe]) -> Iterator[Problem]:
    """A second run at once is for those that cost nothing."""
    if not rule.confirm:
        return
    feeders = {
        name: probe
        for name, probe in probes.items()
        if any(signal.name == rule.signal for signal in writes(probe))
    }
    if feeders and not any(map(is_free, feeders.values())):
        message = (
            f"{rule.signal!r} comes from {', '.join(feeders)} alone, whose runs cost money or wait "
            "in a queue and are never repeated at once: remove this key, or say `for`"
        )
        yield Problem(("trigger", rule.name, "confirm"), message)


def _percent(rule: Rule, signal: Signal) -> Iterator[Problem]:
    if rule.when in (*RELATIVE, "stale") or signal.unit == "1":
        return
    for name, value in (("threshold", rule.threshold), ("clear", rule.clear)):
        if isinstance(value, str):
            is_percent = signal.unit == "%"
            number = value.strip().rstrip("%").strip() if is_percent else f"of {signal.unit}"
            why = "is in percent already" if is_percent else "is no share"
            message = f"expected a number {number}, got {value!r}; {signal.name} {why}"
            yield Problem(("trigger", rule.name, name), message)


def dry_run(rule: Rule, unit: str) -> None:
    """Judge a rule once on made-up readings, so that what can raise raises before it is needed."""
    count = least(rule) + rule.hold.of
    readings = tuple(
        Reading(rule.signal or "run", "dry-run", 1.0 + index, "measured", at=float(index))
        for index in range(count)
    )
    for length in (0, 1, count):
        check(rule, Series(rule.signal or "run", unit, "dry-run", readings[:length]), float(count))


def _members(rules: Mapping[str, Rule], names: Collection[str]) -> Iterator[Problem]:
    """Members of composites that are no triggers, or are named twice."""
    for rule in rules.values():
        seen: set[str] = set()
        for index, name in enumerate(rule.of):
            where = ("trigger", rule.name, "of", index)
            if name not in names:
                near = hint(name, [other for other in names if other != rule.name])
                yield Problem(where, f"no trigger {name!r}.{near}")
            elif name in seen:
                yield Problem(where, f"{name!r} is named twice: remove one of the two")
            seen.add(name)


def _circles(rules: Mapping[str, Rule]) -> Iterator[Problem]:
    """Composites that are of each other, each circle once, at the first of them in the file."""
    left = {name: rule for name, rule in rules.items() if composite.is_composite(rule)}
    while circle := composite.circle(left.values()):
        first, second = circle[:2]
        path = " → ".join(circle)
        message = (
            f"{path}: a trigger cannot be of itself"
            if first == second
            else f"{path} is a circle: take one member out"
        )
        yield Problem(("trigger", first, "of", left[first].of.index(second)), message)
        for name in circle[1:]:
            left.pop(name)


def _requires(checklist: Mapping[str, Item], triggers: Collection[str]) -> Iterator[Problem]:
    for item in checklist.values():
        for index, name in enumerate(item.requires):
            if name not in triggers:
                near = hint(name, triggers)
                where = ("checklist", item.name, "requires", index)
                yield Problem(where, f"no trigger {name!r}.{near}")
        if not item.requires and not item.gaps:
            key = ("checklist", item.name)
            yield Problem(key, "needs `requires` or `gaps`: without them nothing is judged")
