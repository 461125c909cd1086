"""Composites over a past of their members: the service's passes, one after the other. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import groupby

from storage.types import Standing
from triggers import composite
from triggers.change import advance, begin
from triggers.check import Verdict
from triggers.composite import EVERYWHERE, Standings
from triggers.replay import TICK, Event
from triggers.rule import Rule

Judgement = tuple[float, Standing]
"""A moment at which a trigger was judged, and how it stood then."""
Told = dict[str, list[Event]]
"""What is told of one trigger, by target. The alert of a standing that moves goes along."""


@dataclass(slots=True)
class Played:
    """What one composite did: the events of each target it stood on, and all its judgements."""

    told: Told = field(default_factory=lambda: defaultdict(list))
    judgements: list[Judgement] = field(default_factory=list)


def play(
    rules: Sequence[Rule],
    waiting: Iterable[Standing],
    judged: Iterable[Judgement],
    span: tuple[float, float],
    ticking: frozenset[str] = frozenset(),
) -> dict[str, Played]:
    """Composites, each after its members, over the judgements of those that are none, in order.

    `waiting`: how those stand at the beginning of `span`. `ticking` names those that the clock
    judges all the time.
    """
    return _Ensemble(rules, waiting, ticking).run(judged, span)


class _Ensemble:
    def __init__(
        self, rules: Sequence[Rule], waiting: Iterable[Standing], ticking: frozenset[str]
    ) -> None:
        self._rules = rules
        self._kept = [rule for rule in rules if rule.keep_firing_for]
        self._ticking: dict[str, set[str]] = {name: {name} for name in ticking}
        for rule in rules:
            self._ticking[rule.name] = {n for of in rule.of for n in self._ticking.get(of, ())}
        self._stands: dict[str, dict[str, Standing]] = defaultdict(dict)
        self._patterns: dict[str, str] = {}
        for standing in waiting:
            self._stands[standing.trigger][standing.target] = standing
            self._patterns[standing.trigger] = standing.target
        self._played = {rule.name: Played() for rule in rules}

    def run(self, judged: Iterable[Judgement], span: tuple[float, float]) -> dict[str, Played]:
        start, until = span
        self._pass(start, {}, {rule.name: None for rule in self._rules})
        for now, group in groupby(judged, key=lambda one: one[0]):
            if now > until:
                break
            found = list(group)
            if self._is_idle(found):
                continue
            self._release(now)
            touched: dict[str, set[str]] = defaultdict(set)
            for _, standing in found:
                self._put(standing)
                touched[standing.trigger].add(standing.target)
            self._pass(now, touched, {})
        self._release(until + TICK)
        return self._played

    def _is_idle(self, found: Iterable[Judgement]) -> bool:
        """No state changes, and no composite asks when it was last looked at."""
        for _, standing in found:
            known = self._stands[standing.trigger].get(standing.target)
            if known is None or known.state != standing.state:
                return False
        kept = (s for rule in self._kept for s in self._stands[rule.name].values())
        return all(standing.state != "firing" for standing in kept)

    def _put(self, standing: Standing) -> None:
        """A trigger that waited for any target of its pattern does so no more."""
        name, pattern = standing.trigger, self._patterns.get(standing.trigger)
        if pattern is not None and pattern != standing.target:
            self._stands[name].pop(self._patterns.pop(name), None)
        self._stands[name][standing.target] = standing

    def _release(self, until: float) -> None:
        """Judge what the clock alone lets go of before `until`."""
        due = sorted(
            (round(s.last_true + rule.keep_firing_for, 3), rule.name, s.target)
            for rule in self._kept
            for s in self._stands[rule.name].values()
            if s.state == "firing" and s.last_true is not None and self._ticks(rule, s.target)
            if self._verdict(rule, s.target, s.last_true).clears
        )
        for moment, name, target in due:
            if moment < until:
                self._pass(moment, {}, {name: {target}})

    def _ticks(self, rule: Rule, target: str) -> bool:
        """Whether the clock judges a composite there all the time."""
        ticking = self._ticking[rule.name]
        return any(target == EVERYWHERE or target in self._stands[name] for name in ticking)

    def _pass(
        self, now: float, touched: dict[str, set[str]], asked: Mapping[str, set[str] | None]
    ) -> None:
        """Judge the composites over what was `touched`, and those that are asked for."""
        for rule in self._rules:
            members = [touched[name] for name in rule.of if name in touched]
            if members or rule.name in asked:
                some = asked.get(rule.name, set())
                targets = None if some is None else set().union(some, *members)
                touched[rule.name] = self._judge(rule, targets, now)

    def _judge(self, rule: Rule, touched: set[str] | None, now: float) -> set[str]:
        """Judge one on the targets on which a member was judged, on all where that is None."""
        covered = composite.targets(rule, self._of(rule))
        self._settle(rule, covered, now)
        stands = self._stands[rule.name]
        due = {
            target
            for target in covered
            if touched is None or target in touched or target == EVERYWHERE or target not in stands
        }
        for target in due:
            fresh = replace(begin(rule.name, target, now), subject=rule.subject)
            before = stands.get(target, fresh)
            after, changes = advance(rule, before, self._verdict(rule, target, now), now)
            stands[target] = after
            played = self._played[rule.name]
            played.told[target] += [Event(c.kind, now, c.why, after) for c in changes]
            played.judgements.append((now, after))
        return due

    def _settle(self, rule: Rule, covered: Sequence[str], now: float) -> None:
        """Standings on targets that are not its any more move on, or end."""
        stands, told = self._stands[rule.name], self._played[rule.name].told
        for target in sorted(stands.keys() - set(covered)):
            standing = stands.pop(target)
            heirs = [t for t in covered if t not in stands and fnmatchcase(t, target)]
            heirs.sort(key=lambda t: not self._verdict(rule, t, now).holds)
            if heirs:
                stands[heirs[0]] = replace(standing, target=heirs[0])
                told[heirs[0]] = sorted(
                    told[heirs[0]] + told.pop(target, []), key=lambda event: event.at
                )
            elif standing.told is not None:
                told[target].append(Event("resolves", now, "", standing))

    def _verdict(self, rule: Rule, target: str, now: float) -> Verdict:
        return composite.verdict(rule, target, self._of(rule), now)

    def _of(self, rule: Rule) -> Standings:
        return {name: tuple(self._stands[name].values()) for name in rule.of}
