"""Triggers judged on stored readings: standings change and alerts are owed, inside the caller's
transaction. What decides is in triggers/; what remembers is in storage/."""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from uuid import uuid4

from monitor import facts
from monitor.config import Config, ProbeEntry
from monitor.writer import Writer
from probes.base import kinds
from storage.store import Store
from storage.types import Alert, AlertKind, Reading, Run, Series, Standing
from triggers.change import Change, advance, begin, reminder_due, stand
from triggers.check import lookback
from triggers.checklist import Judgement, as_rule, as_verdict, judge
from triggers.rule import Rule

Subject = tuple[Rule, str]
"""A rule and the target that it is judged on."""

DEFAULT_REMINDER = 86400.0
TREND_MOST, TREND_INTERVAL = 50_000, 60.0
"""How many readings a trend is made from at most, and how far apart they are where no probe of the
config says so."""


def judgements(config: Config, store: Store) -> list[Judgement]:
    """Every checklist item as it stands."""
    items = config.checklist.values()
    standings = {name: store.standings_of(name) for item in items for name in item.requires}
    return [judge(item, config.triggers, standings) for item in items]


def series(store: Store, rule: Rule, standing: Standing) -> Series:
    """The readings that a rule is judged on, on the target of a standing."""
    seconds, readings = lookback(rule)
    if rule.when == "fails":
        return store.outcomes(standing.target, readings, seconds)
    found = store.window(rule.signal or "", standing.target, seconds, readings, rule.accept)
    return Series(found.signal, found.unit, found.target, found.readings, standing.created)


class Judge:
    """The rules of one config over one database."""

    def __init__(self, config: Config, writer: Writer) -> None:
        self._config = config
        self._writer = writer
        self._by_signal: dict[str, list[Rule]] = defaultdict(list)
        for rule in config.triggers.values():
            if rule.signal is not None:
                self._by_signal[rule.signal].append(rule)
        self._feeders: dict[str, list[ProbeEntry]] = defaultdict(list)
        self._better = {s.name: s.better for kind in kinds().values() for s in kind.signals}
        for entry in config.probes.values():
            for signal in entry.probe.promises():
                self._feeders[signal.name].append(entry)
                self._better[signal.name] = signal.better
        self._remind_every = config.slack.remind_every if config.slack else DEFAULT_REMINDER

    def after_run(self, run: Run, readings: Iterable[Reading], now: float) -> None:
        """Judge the triggers that this run has something to say about."""
        subjects = {
            (rule.name, reading.target): (rule, reading.target)
            for reading in readings
            for rule in self._by_signal.get(reading.signal, ())
            if fnmatchcase(reading.target, rule.target)
        }
        if run.outcome != "skipped":
            subjects |= {(r.name, t): (r, t) for r, t in self._failing(run.probe)}
        self._pass(subjects.values(), now)

    def everything(self, now: float) -> None:
        """Judge every rule on what is fresh: after a start, when rules may have changed.

        What is late after a start is late because nothing ran: `slow` judges that, once the first
        runs have had their time.
        """
        self._close_deleted(now)
        latest = self._writer.store.latest_times()
        self._pass((s for s in self._subjects() if not self._is_late(s, latest, now)), now)

    def reloaded(self, now: float, changed: Container[str]) -> None:
        """Judge the rules in `changed` on what is fresh, and close what another config has left
        behind. What is late is left to `slow`."""
        self._close_deleted(now)
        latest = self._writer.store.latest_times()
        chosen = (s for s in self._subjects() if s[0].name in changed)
        self._pass((s for s in chosen if not self._is_late(s, latest, now)), now)
        for judgement in judgements(self._config, self._writer.store):
            if as_rule(judgement).name in changed:
                self._item(judgement, now)

    def slow(self, now: float, unheard: Container[str] = ()) -> None:
        """What time alone can change: staleness, missing readings, reminders.

        `unheard` are the probes whose first run of this life has not ended. What they feed may be
        late because the service was down, and is left alone until they have spoken.
        """
        latest = self._writer.store.latest_times()
        late = (s for s in self._subjects() if self._is_late(s, latest, now))
        self._pass((s for s in late if not self._awaited(s, unheard)), now)
        self._remind(now)

    # --- one pass ----------------------------------------------------------------------------

    def _pass(self, subjects: Iterable[Subject], now: float) -> None:
        count = 0
        for rule, target in subjects:
            self._one(rule, target, now)
            count += 1
        if count:
            for judgement in judgements(self._config, self._writer.store):
                self._item(judgement, now)

    def _one(self, rule: Rule, target: str, now: float) -> None:
        before = self._standing(rule, target, now)
        after, changes = stand(rule, before, series(self._writer.store, rule, before), now)
        for change in changes:
            after = self._announce(rule, before, after, change, now)
        if after != before:
            self._writer.store.put(after)

    def _standing(self, rule: Rule, target: str, now: float) -> Standing:
        """The standing of a rule on a target. One that waited for any target moves to the first."""
        store = self._writer.store
        known = store.standing(rule.name, target)
        if known is not None:
            return known
        waiting = None if target == rule.target else store.standing(rule.name, rule.target)
        if waiting is None:
            return replace(begin(rule.name, target, now), subject=rule.subject)
        store.drop(rule.name, rule.target)
        return replace(waiting, target=target)

    def _trend(self, rule: Rule, target: str) -> Series:
        """The readings over the baseline's window; of a rule without one over the default's."""
        store, signal = self._writer.store, rule.signal or ""
        if rule.when == "fails":
            return store.outcomes(target, facts.TREND_POINTS)
        if rule.baseline.readings:
            return store.window(signal, target, 0.0, rule.baseline.readings, rule.accept)
        # A probe that runs each second would bring a million readings into one message.
        fastest = min((entry.every for entry in self._feeders[signal]), default=TREND_INTERVAL)
        seconds = min(rule.baseline.seconds, TREND_MOST * fastest)
        found = store.window(signal, target, seconds, 1, rule.accept)
        within = tuple(r for r in found.readings if r.at >= found.readings[-1].at - seconds)
        return replace(found, readings=within)

    def _said(self, rule: Rule, standing: Standing, why: str) -> dict[str, object]:
        trend = self._trend(rule, standing.target)
        return facts.of_trigger(rule, standing, trend, why, self._better.get(rule.signal or ""))

    def _announce(
        self, rule: Rule, before: Standing, after: Standing, change: Change, now: float
    ) -> Standing:
        said = self._said(rule, after, change.why)
        if change.kind == "resolves":
            said |= {"since": before.since, "until": now}
            if before.baseline is not None:
                said["baseline"] = before.baseline
        elif before.state == "pending":
            said["since"] = before.since  # when the condition began
        return self._owe(rule, after, change.kind, said, now)

    def _owe(
        self, rule: Rule, standing: Standing, kind: AlertKind, said: dict[str, object], now: float
    ) -> Standing:
        opens = kind in ("fires", "no-data")
        number = self._writer.outbox.owe(
            Alert(
                key=uuid4().hex,
                kind=kind,
                trigger=standing.trigger,
                target=standing.target,
                severity=rule.severity,
                created=now,
                facts=said,
                parent=None if opens else standing.alert,
            )
        )
        if opens:
            return replace(standing, alert=number, reminded=now)
        if kind == "resolves":
            return replace(standing, alert=None, reminded=None)
        return replace(standing, reminded=now)

    # --- which rules on which targets --------------------------------------------------------

    def _subjects(self) -> Iterator[Subject]:
        """Every rule with every target it has readings of; its own pattern where it has none."""
        targets: dict[str, set[str]] = defaultdict(set)
        for signal, target, _ in self._writer.store.names():
            targets[signal].add(target)
        for rule in self._config.triggers.values():
            if rule.probe is not None:
                for probe in self._config.probes:
                    if fnmatchcase(probe, rule.probe):
                        yield rule, probe
                continue
            known = targets.get(rule.signal or "", set())
            if rule.target in known:
                yield rule, rule.target
                continue
            matching = sorted(target for target in known if fnmatchcase(target, rule.target))
            for target in matching or [rule.target]:
                yield rule, target

    def _failing(self, probe: str) -> Iterator[Subject]:
        for rule in self._config.triggers.values():
            if rule.probe is not None and fnmatchcase(probe, rule.probe):
                yield rule, probe

    def _is_late(self, subject: Subject, latest: dict[tuple[str, str], float], now: float) -> bool:
        rule, target = subject
        if rule.when == "stale":
            return True
        seen = latest.get((rule.signal or "", target))
        if seen is None:
            return True
        return rule.max_age is not None and now - seen > rule.max_age

    def _awaited(self, subject: Subject, unheard: Container[str]) -> bool:
        rule, target = subject
        if rule.probe is not None:
            return target in unheard
        return any(entry.name in unheard for entry in self._feeders[rule.signal or ""])

    # --- the rest ----------------------------------------------------------------------------

    def _item(self, judgement: Judgement, now: float) -> None:
        rule = as_rule(judgement)
        before = self._standing(rule, rule.target, now)
        after, changes = advance(rule, before, as_verdict(judgement, now), now)
        for change in changes:
            said = facts.of_item(judgement, change.why)
            if change.kind == "resolves":
                said |= {"since": before.since, "until": now}
            after = self._owe(rule, after, change.kind, said, now)
        if after != before:
            self._writer.store.put(after)

    def _remind(self, now: float) -> None:
        due = [s for s in self._writer.store.firing() if reminder_due(s, self._remind_every, now)]
        items = {}
        if due:
            judged = judgements(self._config, self._writer.store)
            items = {as_rule(judgement).name: judgement for judgement in judged}
        for standing in due:
            if standing.trigger in items:
                rule = as_rule(items[standing.trigger])
                said = facts.of_item(items[standing.trigger], standing.why)
            else:
                rule = self._config.triggers[standing.trigger]
                said = self._said(rule, standing, standing.why)
            said["since"] = standing.since
            self._writer.store.put(self._owe(rule, standing, "reminds", said, now))

    def _close_deleted(self, now: float) -> None:
        """Drop the standings that no trigger of the config is about any more, and close their
        alerts: nothing would ever judge them again."""
        series = {(signal, target) for signal, target, _ in self._writer.store.names()}
        for standing in self._writer.store.standings():
            gone = self._gone(standing, series)
            if not gone:
                continue
            if standing.alert is not None:
                said = {
                    "why": f"the trigger {gone}",
                    "since": standing.since,
                    "until": now,
                }
                self._writer.outbox.owe(
                    Alert(
                        key=uuid4().hex,
                        kind="resolves",
                        trigger=standing.trigger,
                        target=standing.target,
                        severity="info",
                        created=now,
                        facts=said,
                        parent=standing.alert,
                    )
                )
            self._writer.store.drop(standing.trigger, standing.target)

    def _gone(self, standing: Standing, series: Container[tuple[str, str]]) -> str:
        """Why a standing is nobody's now, or nothing."""
        rule = self._config.triggers.get(standing.trigger)
        items = {f"checklist.{name}": f"above checklist.{name}" for name in self._config.checklist}
        subject = rule.subject if rule else items.get(standing.trigger)
        if subject is None:
            return "is no longer in the config"
        if subject != standing.subject:
            return f"is about something else now ({subject})"
        covered = rule is None or self._covers(rule, standing.target, series)
        return "" if covered else "no longer covers this target"

    def _covers(self, rule: Rule, target: str, series: Container[tuple[str, str]]) -> bool:
        if rule.probe is not None:
            return target in self._config.probes
        if target == rule.target:
            return True
        # a standing that waited under an earlier pattern may match a wider one, and is no target
        return fnmatchcase(target, rule.target) and (rule.signal or "", target) in series
