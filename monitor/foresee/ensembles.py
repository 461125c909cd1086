"""What an `all` or `any` trigger would have done: its members are played first."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.config import Config
from monitor.foresee.covering import Load, Row, loader, targets
from monitor.foresee.trends import crossed
from storage import history
from storage.store import Store
from storage.types import Standing
from triggers import change, composite
from triggers.backtest import states
from triggers.composite import EVERYWHERE
from triggers.ensemble import Judgement, play
from triggers.episodes import tally
from triggers.levels import Floats
from triggers.replay import TICK
from triggers.rule import Rule

TICKING = ("stale", "fails")
"""Kinds that the clock judges all the time, whether or not anything is late."""


@dataclass(frozen=True, slots=True)
class _Member:
    """A trigger that is no composite, on one target: its judgements, and what they rest on."""

    target: str
    judgements: Sequence[Judgement]
    readings: int
    refused: int
    since: float
    last: float


@dataclass(frozen=True, slots=True)
class _Asked:
    """`every`: not only where a member's state changes: a composite that keeps firing asks when
    it was last looked at."""

    store: Store
    config: Config
    load: Load
    span: tuple[float, float]
    every: bool


def ensemble(store: Store, config: Config, rule: Rule, span: tuple[float, float]) -> dict[str, Row]:
    """What a composite did on each target that it stood on; nothing where no member has a
    reading."""
    known = {**config.triggers, rule.name: rule}
    names = _reach(rule, known)
    rules = composite.order(known[name] for name in names)
    above = [one for one in rules if composite.is_composite(one)]
    leaves = [one for one in rules if not composite.is_composite(one)]
    every = any(one.keep_firing_for for one in above)
    asked = _Asked(store, config, loader(store, *span, *leaves), span, every)
    found = {leaf.name: list(_members(asked, leaf)) for leaf in leaves}
    members = [member for some in found.values() for member in some]
    judged = sorted((one for m in members for one in m.judgements), key=lambda one: one[0])
    if not judged:
        return {}
    start, until = judged[0][0], span[1]
    waiting = [standing for leaf in leaves for standing in _waiting(asked, leaf, start)]
    ticking = frozenset(leaf.name for leaf in leaves if leaf.when in TICKING)
    played = play(above, waiting, judged, (start, until), ticking)[rule.name]
    rows = {}
    for target, told in sorted(played.told.items()):
        here = [m for m in members if EVERYWHERE in (target, m.target) or m.target == target]
        since = max(span[0], min((m.since for m in here), default=start))
        rows[target] = Row(
            "1",
            sum(m.readings for m in here),
            sum(m.refused for m in here),
            since,
            max((m.last for m in here), default=None),
            tally(told, since, until),
        )
    return rows


def hint(config: Config, rule: Rule) -> str | None:
    """How another threshold of a member is tried."""
    if not composite.is_composite(rule):
        return None
    known = {**config.triggers, rule.name: rule}
    leaves = [n for n in _reach(rule, known) if not composite.is_composite(known[n])]
    return (
        f"It follows from {', '.join(sorted(leaves))}. Another threshold is a member's: "
        f"`qrossover trigger backtest {min(leaves)} --set threshold=…` tries one, "
        f"`qrossover trigger set` saves it."
    )


def _reach(rule: Rule, known: dict[str, Rule]) -> set[str]:
    """The names of a rule, its members, and theirs."""
    return {rule.name}.union(*(_reach(known[name], known) for name in rule.of))


def _waiting(asked: _Asked, leaf: Rule, start: float) -> Iterator[Standing]:
    """How a trigger stands before its first reading."""
    on = targets(asked.store, asked.config, leaf) if leaf.probe is not None else [leaf.target]
    return (change.begin(leaf.name, target, start) for target in on)


def _members(asked: _Asked, leaf: Rule) -> Iterator[_Member]:
    """A trigger on each of its targets that has a reading that counts."""
    if leaf.when == "crosses":
        seen = crossed(asked.store, leaf, asked.span)
        if seen.moments:
            told = _all(seen.judgements, seen.moments) if asked.every else seen.judgements
            size = (seen.readings, seen.refused)
            yield _Member(leaf.target, told, *size, seen.moments[0], seen.moments[-1])
        return
    for target in targets(asked.store, asked.config, leaf):
        covered = asked.load(leaf, target)
        if covered is None or not len(covered.past.at):
            continue
        past = covered.past
        at = past.at[past.ends]
        judged = np.maximum.accumulate(
            at if leaf.signal is None else history.ended(asked.store, leaf.signal, target, at)
        )
        told = states(leaf, past, begin=float(past.at[0]), end=asked.span[1])
        moved = [(_moment(moment, at, judged), standing) for moment, standing in told]
        if asked.every:
            moved = _all(moved, _looks(leaf, judged))
        size = (covered.readings, covered.refused)
        yield _Member(target, moved, *size, covered.since, float(past.at[-1]))


def _moment(moment: float, at: Floats, judged: Floats) -> float:
    """When a judgement was made: that of a reading once its run had ended, with all other readings
    of that run; that of the clock when it was, and not before."""
    place = int(np.searchsorted(at, moment, "right")) - 1
    if place < 0 or at[place] == moment:
        return float(judged[max(place, 0)])
    return max(moment, float(judged[place]))


def _looks(leaf: Rule, judged: Floats) -> list[float]:
    """When a trigger is judged: at each reading, and by the clock where it may be silent."""
    most = 0.0 if leaf.when in TICKING else leaf.max_age
    found = judged.tolist()
    if most is not None:
        gaps = np.flatnonzero(np.diff(judged) > most + TICK)
        found += (judged[gaps + 1] - TICK).round(3).tolist()
    return sorted(set(found))


def _all(told: Sequence[Judgement], moments: Sequence[float]) -> list[Judgement]:
    """The judgements that change something, and at the other moments that there were."""
    times = [moment for moment, _ in told]
    more = [
        (moment, told[place - 1][1])
        for moment in moments
        if (place := bisect_right(times, moment)) > 0
    ]
    return sorted([*told, *more], key=lambda one: one[0])
