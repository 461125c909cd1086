"""What the tables of a config say about each other: names that must exist, units that must fit,
and every rule tried once on made-up readings before it may judge real ones."""

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from monitor.problems import Problem, nearest
from probes.base import Probe, kinds
from storage.types import Reading, Series, Signal
from triggers.check import check
from triggers.checklist import Item
from triggers.rule import MIN_BASELINE, RELATIVE, Rule


def cross_check(
    probes: Iterable[Probe],
    names: Iterable[str],
    triggers: Mapping[str, Rule],
    checklist: Mapping[str, Item],
) -> tuple[list[Problem], list[str]]:
    """Faults, and warnings that do not stop a start."""
    written: dict[str, Signal] = {}
    problems: list[Problem] = []
    for probe in probes:
        for signal in probe.promises():
            known = written.setdefault(signal.name, signal)
            if known.unit != signal.unit:
                message = (
                    f"signal {signal.name!r} is declared in {known.unit!r} and in {signal.unit!r}: "
                    "give one of them another name"
                )
                problems.append(Problem(("probe",), message, in_value=False))
    possible = {s.name: s for kind in kinds().values() for s in kind.signals} | written
    warnings: list[str] = []
    for rule in triggers.values():
        problems += _rule(rule, possible, list(names))
        if rule.signal in possible and rule.signal not in written:
            warnings.append(
                f"trigger.{rule.name}: no probe of this config writes {rule.signal!r}; "
                "it is judged on history alone"
            )
    problems += _requires(checklist, triggers)
    return problems, warnings


def _rule(rule: Rule, possible: Mapping[str, Signal], probes: list[str]) -> Iterator[Problem]:
    key = ("trigger", rule.name)
    if rule.probe is not None and not any(fnmatchcase(name, rule.probe) for name in probes):
        near = nearest(rule.probe, probes)
        yield Problem((*key, "probe"), f"no probe of this config matches {rule.probe!r}.{near}")
    if rule.signal is None:
        return
    signal = possible.get(rule.signal)
    if signal is None:
        near = nearest(rule.signal, possible)
        yield Problem((*key, "signal"), f"no probe writes a signal {rule.signal!r}.{near}")
        return
    yield from _percent(rule, signal)
    dry_run(rule, signal.unit)


def _percent(rule: Rule, signal: Signal) -> Iterator[Problem]:
    if rule.when in (*RELATIVE, "stale") or signal.unit == "1":
        return
    for name, value in (("threshold", rule.threshold), ("clear", rule.clear)):
        if isinstance(value, str):
            message = (
                f"expected a number of {signal.unit}, got {value!r}; {signal.name} is no share"
            )
            yield Problem(("trigger", rule.name, name), message)


def dry_run(rule: Rule, unit: str) -> None:
    """Judge a rule once on made-up readings, so that what can raise raises before it is needed."""
    count = MIN_BASELINE + rule.hold.of
    readings = tuple(
        Reading(rule.signal or "run", "dry-run", 1.0 + index, "measured", at=float(index))
        for index in range(count)
    )
    for length in (0, 1, count):
        check(rule, Series(rule.signal or "run", unit, "dry-run", readings[:length]), float(count))


def _requires(checklist: Mapping[str, Item], triggers: Mapping[str, Rule]) -> Iterator[Problem]:
    for item in checklist.values():
        for index, name in enumerate(item.requires):
            if name not in triggers:
                near = nearest(name, triggers)
                where = ("checklist", item.name, "requires", index)
                yield Problem(where, f"no trigger {name!r}.{near}")
        if not item.requires and not item.gaps:
            key = ("checklist", item.name)
            yield Problem(key, "needs `requires` or `gaps`: without them nothing is judged")
