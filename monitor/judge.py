"""Triggers judged on stored readings: standings change and alerts are owed, inside the caller's
transaction. What decides is in triggers/; what remembers is in storage/."""

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

from monitor import facts
from monitor.baseline import made_of
from monitor.config import Config
from monitor.derived import declared, writes
from monitor.subjects import DAY, Subject, Subjects
from monitor.telling import Said, Teller
from monitor.writer import Writer
from storage.peers import peers
from storage.progress import progress
from storage.store import Store
from storage.types import Reading, Run, Series, Standing
from triggers import composite, crosses
from triggers.change import advance, begin, stand
from triggers.check import lookback
from triggers.checklist import Judgement, as_rule, as_verdict, judge
from triggers.composite import EVERYWHERE, Standings
from triggers.rule import Rule

TREND_MOST, TREND_INTERVAL = 50_000, 60.0
"""How many readings a trend is made from at most, and how far apart they are where no probe of the
config says so."""
TREND_SECONDS = 14 * DAY
"""How far back the trend goes of a trigger that is held against its peers."""
GONE = "the trigger is no longer judged on this target"


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
    if rule.when == "crosses":
        return progress(store, rule.signal or "", rule.target, rule.accept)
    found = store.window(rule.signal or "", standing.target, seconds, readings, rule.accept)
    beside = peers(store, found.signal, found.target) if rule.baseline.peers else ()
    return Series(found.signal, found.unit, found.target, found.readings, standing.created, beside)


class Judge:
    """The rules of one config over one database."""

    def __init__(self, config: Config, writer: Writer) -> None:
        self._config = config
        self._writer = writer
        self._subjects = Subjects(config)
        self.teller = Teller(config, writer, self._subject, self._round)
        self._better = {signal.name: signal.better for signal in declared().values()}
        for entry in config.probes.values():
            self._better |= {signal.name: signal.better for signal in writes(entry.probe)}
        self._foreseen: dict[str, float] = {}
        """When each trend was last judged in this life."""

    def after_run(
        self, run: Run, readings: Iterable[Reading], now: float
    ) -> tuple[tuple[str, str], ...]:
        """Judge the triggers that this run has something to say about. Those, each with its target,
        that have become pending and want to be confirmed."""
        return tuple(self._pass(self._subjects.of_run(run, readings), now))

    def everything(self, now: float) -> None:
        """Judge every rule on what is fresh: after a start, when rules may have changed.

        What is late after a start is late because nothing ran: `slow` judges that, once the first
        runs have had their time.
        """
        series = self._series()
        self._close_deleted(series, now)
        latest = self._writer.store.latest_times()
        subjects = self._subjects.all(series)
        fresh = (s for s in subjects if not self._subjects.is_late(s, latest, now))
        self._pass(fresh, now, {rule.name for rule in self._subjects.composites})

    def reloaded(self, now: float, changed: Container[str]) -> None:
        """Judge the rules in `changed` on what is fresh, with the composites over them, and close
        what another config has left behind. What is late is left to `slow`."""
        series = self._series()
        closed = self._close_deleted(series, now)
        latest = self._writer.store.latest_times()
        chosen = self._subjects.all(series, changed)
        fresh = (s for s in chosen if not self._subjects.is_late(s, latest, now))
        whole = {
            rule.name
            for rule in self._subjects.composites
            if rule.name in changed or not closed.isdisjoint((rule.name, *rule.of))
        }
        self._pass(fresh, now, whole)
        for judgement in judgements(self._config, self._writer.store):
            if as_rule(judgement).name in changed:
                self._item(judgement, now)

    def slow(self, now: float, unheard: Container[str] = ()) -> None:
        """What time alone can change: staleness, missing readings, dates foreseen, the ends of
        snoozes, reminders.

        `unheard` are the probes whose first run of this life has not ended. What they feed may be
        late because the service was down, and is left alone until they have spoken.
        """
        latest = self._writer.store.latest_times()
        subjects = self._subjects.all(self._series())
        late = (s for s in subjects if self._is_due(s, latest, now))
        self._pass((s for s in late if not self._subjects.is_awaited(s, unheard)), now)
        self.teller.catch_up(now)
        self.teller.remind(now)

    # --- one pass ----------------------------------------------------------------------------

    def _pass(
        self, subjects: Iterable[Subject], now: float, whole: Collection[str] = ()
    ) -> list[tuple[str, str]]:
        """Judge rules, then the composites over them and those in `whole`, which are judged on all
        of their targets, members first; then the checklist. Trigger and target of what is unsure
        now."""
        judged: dict[str, set[str]] = defaultdict(set)
        unsure = []
        for rule, target in subjects:
            if self._one(rule, target, now):
                unsure.append((rule.name, target))
            judged[rule.name].add(target)
        for rule in self._subjects.composites_over([*judged, *whole], whole):
            touched = set().union(*(judged.get(name, ()) for name in rule.of))
            judged[rule.name] |= self._composite(rule, None if rule.name in whole else touched, now)
        if judged:
            for judgement in judgements(self._config, self._writer.store):
                self._item(judgement, now)
        return unsure

    def _one(self, rule: Rule, target: str, now: float) -> bool:
        """Judge a rule on a target; whether it has become pending and wants to be confirmed."""
        before = self._standing(rule, target, now)
        outcome = stand(rule, before, series(self._writer.store, rule, before), now)
        after = self.teller.settle(rule, before, outcome, self._said(rule), now)
        if rule.when == "crosses":
            self._foreseen[rule.name] = now
        return rule.confirm and after.state == "pending" != before.state

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

    def _is_due(self, subject: Subject, latest: dict[tuple[str, str], float], now: float) -> bool:
        rule, _ = subject
        if rule.when == "crosses":  # the date that is foreseen moves as time passes
            return now - self._foreseen.get(rule.name, 0.0) >= DAY
        return self._subjects.is_late(subject, latest, now)

    # --- composites --------------------------------------------------------------------------

    def _composite(self, rule: Rule, touched: Collection[str] | None, now: float) -> set[str]:
        """Judge a composite on the targets on which a member was judged, on all where that is
        None; these targets, and those that it is not judged on any more."""
        standings = self._of_members(rule)
        covered = composite.targets(rule, standings)
        known, left = self._resettled(rule, covered, standings, now)
        new = set(covered) - known.keys()
        due = [t for t in covered if touched is None or t in touched or t == EVERYWHERE or t in new]
        by_target = _by_target(standings)
        for target in due:
            here = standings if target == EVERYWHERE else by_target.get(target, {})
            fresh = replace(begin(rule.name, target, now), subject=rule.subject)
            before = known.get(target, fresh)
            verdict = composite.verdict(rule, target, here, now)
            outcome = advance(rule, before, verdict, now)
            self.teller.settle(rule, before, outcome, self._said(rule), now)
        return left.union(due)

    def _of_members(self, rule: Rule) -> Standings:
        return {name: self._writer.store.standings_of(name) for name in rule.of}

    def _resettled(
        self, rule: Rule, covered: Collection[str], standings: Standings, now: float
    ) -> tuple[dict[str, Standing], set[str]]:
        """The standings of a composite by target, once those on targets that are not its any more
        have moved on: one that waited for targets goes to the first where it holds, with its alert;
        the alert of any other is closed. With the targets that they have left."""
        store = self._writer.store
        known = {standing.target: standing for standing in store.standings_of(rule.name)}
        left = known.keys() - set(covered)
        for target in sorted(left):
            standing = known.pop(target)
            heirs = [t for t in covered if t not in known and fnmatchcase(t, target)]
            heirs.sort(key=lambda t: not composite.verdict(rule, t, standings, now).holds)
            if heirs:
                store.drop(rule.name, target)
                known[heirs[0]] = replace(standing, target=heirs[0])
                store.put(known[heirs[0]])
            else:
                self.teller.close(standing, GONE, now)
        return known, left

    # --- what is said ------------------------------------------------------------------------

    def _said(self, rule: Rule) -> Said:
        if composite.is_composite(rule):
            return lambda standing, why: facts.of_composite(
                rule,
                standing,
                composite.members(rule, standing.target, self._of_members(rule)),
                why,
            )
        return lambda standing, why: facts.of_trigger(
            rule,
            standing,
            self._trend(rule, standing.target),
            why,
            self._better.get(rule.signal or ""),
            made_of=made_of(self._writer.store, rule, standing),
        )

    def _trend(self, rule: Rule, target: str) -> Series:
        """The readings over the baseline's window; of a rule without one over the default's."""
        store, signal = self._writer.store, rule.signal or ""
        if rule.when == "fails":
            return store.outcomes(target, facts.TREND_POINTS)
        if rule.when == "crosses":
            return _fitted(rule, progress(store, signal, target, rule.accept))
        if rule.baseline.readings:
            return store.window(signal, target, 0.0, rule.baseline.readings, rule.accept)
        # A probe that runs each second would bring a million readings into one message.
        intervals = (entry.every for entry in self._subjects.feeders(signal))
        fastest = min(intervals, default=TREND_INTERVAL)
        seconds = min(rule.baseline.seconds or TREND_SECONDS, TREND_MOST * fastest)
        found = store.window(signal, target, seconds, 1, rule.accept)
        within = tuple(r for r in found.readings if r.at >= found.readings[-1].at - seconds)
        return replace(found, readings=within)

    def _subject(self, name: str) -> tuple[Rule, Said] | None:
        """A trigger or a checklist item of the config, and how its messages are made."""
        rule = self._config.triggers.get(name)
        if rule is not None:
            return rule, self._said(rule)
        item = self._config.checklist.get(name.removeprefix("checklist."))
        if item is None or not name.startswith("checklist."):
            return None
        store = self._writer.store
        standings = {required: store.standings_of(required) for required in item.requires}
        judgement = judge(item, self._config.triggers, standings)
        return as_rule(judgement), lambda _, why: facts.of_item(judgement, why)

    def _round(self, rule: Rule) -> float:
        """Seconds within which every target of a rule has been read again."""
        return max((entry.every for entry in self._subjects.feeders(rule.signal or "")), default=0)

    # --- the rest ----------------------------------------------------------------------------

    def _item(self, judgement: Judgement, now: float) -> None:
        rule = as_rule(judgement)
        before = self._standing(rule, rule.target, now)
        outcome = advance(rule, before, as_verdict(judgement, now), now)
        self.teller.settle(rule, before, outcome, lambda _, why: facts.of_item(judgement, why), now)

    def _series(self) -> set[tuple[str, str]]:
        """The signals and targets that have readings."""
        return {(signal, target) for signal, target, _ in self._writer.store.names()}

    def _close_deleted(self, series: Container[tuple[str, str]], now: float) -> set[str]:
        """Drop the standings that no trigger of the config is about any more, and close their
        alerts: nothing would ever judge them again. The names of the triggers."""
        store = self._writer.store
        closed: set[str] = set()
        for trigger, target, subject in store.subjects():  # of 10,000 hardly any is gone
            gone = self._subjects.gone(trigger, target, subject, series)
            standing = store.standing(trigger, target) if gone else None
            if standing is not None:
                self.teller.close(standing, f"the trigger {gone}", now)
                closed.add(trigger)
        return closed


def _fitted(rule: Rule, seen: Series) -> Series:
    """What the line of a trend is fitted to, as a series."""
    accepted = [reading for reading in seen.readings if reading.origin in rule.accept]
    points, _ = crosses.points_of(rule, accepted)
    shown = (Reading(seen.signal, p.name, p.value, "derived", None, p.at) for p in sorted(points))
    return replace(seen, readings=tuple(shown))


def _by_target(standings: Standings) -> Mapping[str, dict[str, list[Standing]]]:
    """Standings by target and trigger, so that each target is asked about its own alone."""
    found: dict[str, dict[str, list[Standing]]] = defaultdict(dict)
    for name, of_one in standings.items():
        for standing in of_one:
            found[standing.target].setdefault(name, []).append(standing)
    return found
