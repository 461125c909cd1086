"""Which rules are judged on which targets, and when: after a run, at a start, by the slow clock."""

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Iterator
from fnmatch import fnmatchcase

from monitor.config import Config, ProbeEntry
from monitor.derived import writes
from storage.types import Reading, Run
from triggers import composite
from triggers.rule import Rule

Subject = tuple[Rule, str]
"""A rule and the target that it is judged on."""
DAY = 86400.0


def covered(rule: Rule, probes: Iterable[str], known: Collection[str]) -> list[str]:
    """The targets that a rule is judged on: of `fails` the probes that match, else those of
    `known`, which are the signal's. A trend is judged on all of them at once."""
    if rule.probe is not None:
        return [probe for probe in probes if fnmatchcase(probe, rule.probe)]
    # a name with signs of a pattern in it is a name first
    if rule.when == "crosses" or rule.target in known:
        return [rule.target]
    return sorted(target for target in known if fnmatchcase(target, rule.target))


class Subjects:
    """The rules of one config, by what there is to judge them on."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._by_signal: dict[str, list[Rule]] = defaultdict(list)
        for rule in config.triggers.values():
            if rule.signal is not None:
                self._by_signal[rule.signal].append(rule)
        self._feeders: dict[str, list[ProbeEntry]] = defaultdict(list)
        for entry in config.probes.values():
            for signal in writes(entry.probe):
                self._feeders[signal.name].append(entry)
        self.composites = composite.order(filter(composite.is_composite, config.triggers.values()))
        """Every composite, after the composites that it is of."""
        self._places = {rule.name: index for index, rule in enumerate(self.composites)}
        self._items = {f"checklist.{name}" for name in config.checklist}
        self._above: dict[str, list[str]] = defaultdict(list)
        for rule in self.composites:
            for member in rule.of:
                self._above[member].append(rule.name)

    def feeders(self, signal: str) -> list[ProbeEntry]:
        """The probes that write a signal."""
        return self._feeders.get(signal, [])

    def of_run(self, run: Run, readings: Iterable[Reading]) -> Iterable[Subject]:
        """What a run has something to say about. Composites follow from these."""
        found = {
            (rule.name, target): (rule, target)
            for reading in readings
            for rule in self._by_signal.get(reading.signal, ())
            if fnmatchcase(reading.target, rule.target)
            for target in (_judged_on(rule, reading.target),)
        }
        # a run may end after a reload that took its probe away: a standing on that probe would wait
        # for a run that never comes
        if run.outcome != "skipped" and run.probe in self._config.probes:
            found |= {(r.name, t): (r, t) for r, t in self._failing(run.probe)}
        return found.values()

    def all(
        self, series: Iterable[tuple[str, str]], only: Container[str] | None = None
    ) -> Iterator[Subject]:
        """Every rule that is no composite, or those of them in `only`, with every target it has
        readings of; its own pattern where it has none. `series` are the signals and targets that
        have readings."""
        targets: dict[str, set[str]] = defaultdict(set)
        for signal, target in series:
            targets[signal].add(target)
        for rule in self._config.triggers.values():
            if composite.is_composite(rule) or not (only is None or rule.name in only):
                continue
            found = covered(rule, self._config.probes, targets.get(rule.signal or "", ()))
            waits = [rule.target] if rule.probe is None else []
            for target in found or waits:
                yield rule, target

    def composites_over(self, names: Iterable[str], and_these: Iterable[str] = ()) -> list[Rule]:
        """The composites that any of these triggers is a member of, directly or through others,
        and those named besides; members first."""
        found = set(and_these)
        left = list(names)
        while left:
            above = [name for name in self._above.get(left.pop(), ()) if name not in found]
            found.update(above)
            left += above
        return [self.composites[place] for place in sorted(self._places[name] for name in found)]

    def is_late(self, subject: Subject, latest: dict[tuple[str, str], float], now: float) -> bool:
        """Whether time alone may have changed what is to be said of it. `latest` tells when the
        last reading of each signal and target was taken."""
        rule, target = subject
        if rule.when == "stale":
            return True
        if rule.when == "crosses":
            return False  # it moves by the day: `slow` counts that
        seen = latest.get((rule.signal or "", target))
        if seen is None:
            return True
        return rule.max_age is not None and now - seen > rule.max_age

    def is_awaited(self, subject: Subject, unheard: Container[str]) -> bool:
        """Whether a probe that has not spoken yet in this life feeds it."""
        rule, target = subject
        if rule.probe is not None:
            return target in unheard
        return any(entry.name in unheard for entry in self.feeders(rule.signal or ""))

    def gone(
        self, trigger: str, target: str, subject: str, series: Container[tuple[str, str]]
    ) -> str:
        """Why a standing is nobody's now, or nothing. `subject` is what it was about; `series` are
        the signals and targets that have readings."""
        rule = self._config.triggers.get(trigger)
        if rule is None and trigger not in self._items:
            return "is no longer in the config"
        now = rule.subject if rule else f"above {trigger}"
        if now != subject:
            return f"is about something else now ({now})"
        covered = rule is None or self._covers(rule, target, series)
        return "" if covered else "no longer covers this target"

    def _covers(self, rule: Rule, target: str, series: Container[tuple[str, str]]) -> bool:
        if composite.is_composite(rule):
            return True  # its targets follow from its members, when it is judged
        if rule.probe is not None:
            return target in self._config.probes
        if target == rule.target:
            return True
        if rule.when == "crosses":
            return False
        # a standing that waited under an earlier pattern may match a wider one, and is no target
        return fnmatchcase(target, rule.target) and (rule.signal or "", target) in series

    def _failing(self, probe: str) -> Iterator[Subject]:
        for rule in self._config.triggers.values():
            if rule.probe is not None and fnmatchcase(probe, rule.probe):
                yield rule, probe


def _judged_on(rule: Rule, target: str) -> str:
    """The target of the standing that a reading on this target is about: a trend is one over all
    targets together."""
    return rule.target if rule.when == "crosses" else target
