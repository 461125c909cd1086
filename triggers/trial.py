"""A unit test of a trigger: made-up series, and what the trigger would have said of them. Pure;
what judges is the very same replay that judges history."""

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import zip_longest

from storage.types import Origin, Reading, Standing, State
from triggers import composite
from triggers.change import Change, ChangeKind, advance, begin
from triggers.notation import Slots
from triggers.replay import TICK, Batch, replay, trace
from triggers.rule import COMPOSITE, Rule

BEGIN = 1_700_000_000.0
"""When the first slot of every trial begins. Any moment would do: no rule asks for the date."""
NOTE = "made up by a test"
FIRST = "the first"
"""The setup of readings before the first that is named."""
RUNS = "run"
"""What stands for a signal where a series is the ends of runs."""


@dataclass(frozen=True, slots=True)
class Track:
    """One series of a trial. For the ends of runs `signal` is RUNS, and `target` a probe. `setups`
    names what its readings are made with, each from a slot on; FIRST before those."""

    signal: str
    unit: str
    target: str
    slots: Slots
    origin: Origin = "measured"
    family: str = ""
    setups: Mapping[int, str] = field(default_factory=dict)

    def setup(self, slot: int) -> str:
        """What the reading of a slot is made with, as readings carry it; "" where none is named."""
        if not self.setups:
            return ""
        begun = max((first for first in self.setups if first <= slot), default=None)
        return json.dumps({"setup": FIRST if begun is None else self.setups[begun]})


@dataclass(frozen=True, slots=True)
class Expected:
    """What a trial asks for; what is None is not asked.

    `events`: the slots in which something happens. `states`: where the trigger stands at the end of
    a slot. Slots count from 1.
    """

    events: Mapping[ChangeKind, frozenset[int]] = field(default_factory=dict)
    states: Mapping[int, State] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trial:
    """One test. `every`: seconds of a slot. `on`: the target that is asked about, None for any.

    `rules`: those of the config, by name, where a composite finds its members.
    """

    name: str
    rule: Rule
    rules: Mapping[str, Rule]
    every: float
    tracks: tuple[Track, ...]
    expected: Expected
    on: str | None = None

    @property
    def length(self) -> int:
        """How many slots it has: as many as its longest series."""
        return max(len(track.slots) for track in self.tracks)

    def until(self, slot: int) -> "Trial":
        """The trial up to the end of a slot."""
        tracks = tuple(replace(track, slots=track.slots[:slot]) for track in self.tracks)
        return replace(self, tracks=tracks)


@dataclass(frozen=True, slots=True)
class Happening:
    """What would have been told in a slot, and why."""

    slot: int
    kind: ChangeKind
    target: str
    why: str


@dataclass(frozen=True, slots=True)
class Played:
    """All that happened, and where the trigger stands at the end."""

    happenings: tuple[Happening, ...]
    standings: tuple[Standing, ...]


def play(trial: Trial) -> Played:
    """What the trigger would have said of the trial's series, to the end of its last slot."""
    return (_together if trial.rule.when in COMPOSITE else _alone)(trial)


def parts(trial: Trial) -> tuple[Rule, ...]:
    """The rules that take part: the trigger, and what it is a composite of, members first."""
    found: dict[str, Rule] = {}
    left = [trial.rule]
    while left:
        rule = left.pop()
        found[rule.name] = rule
        left += [trial.rules[name] for name in rule.of if name not in found]
    return composite.order(found.values())


def subjects(trial: Trial, rule: Rule) -> Iterator[tuple[str, tuple[Track, ...]]]:
    """The targets that a rule is judged on, each with its series. One without series waits for
    them under its pattern, and a trend is one over all its targets."""
    runs = rule.when == "fails"
    pattern = rule.probe or rule.target
    covered = tuple(
        track
        for track in trial.tracks
        if fnmatchcase(track.target, pattern)
        and (track.signal == RUNS if runs else track.signal == rule.signal)
    )
    if rule.when == "crosses" or not covered:
        yield pattern, covered
        return
    for track in covered:
        yield track.target, (track,)


def start_of(trial: Trial, slot: int) -> float:
    """When a slot begins, and its reading comes."""
    return round(BEGIN + (slot - 1) * trial.every, 3)


def slot_of(trial: Trial, at: float) -> int:
    """The slot during which a moment lies."""
    slots = range(1, trial.length + 1)
    return bisect_right(slots, at, key=lambda slot: start_of(trial, slot))


def _end(trial: Trial) -> float:
    """The last moment of the last slot."""
    return start_of(trial, trial.length + 1) - TICK


def _batches(trial: Trial, rule: Rule, tracks: Sequence[Track]) -> Iterator[Batch]:
    for slot, values in enumerate(zip_longest(*(track.slots for track in tracks)), start=1):
        readings = tuple(
            _reading(trial, track, slot, value)
            for track, value in zip(tracks, values, strict=True)
            if value is not None
        )
        if readings:
            yield Batch(start_of(trial, slot), readings, _peers(trial, rule, tracks, slot))


def _reading(trial: Trial, track: Track, slot: int, value: float) -> Reading:
    return Reading(
        track.signal,
        track.target,
        value,
        track.origin,
        at=start_of(trial, slot),
        note=NOTE,
        family=track.family,
        setup=track.setup(slot),
    )


def _peers(trial: Trial, rule: Rule, mine: Sequence[Track], slot: int) -> tuple[Reading, ...]:
    """The latest readings of the trial's other targets, those of this slot among them."""
    if not rule.baseline.peers:
        return ()
    found = []
    for track in trial.tracks:
        if track.signal != rule.signal or track in mine:
            continue
        known = [(n, v) for n, v in enumerate(track.slots[:slot], start=1) if v is not None]
        found += [_reading(trial, track, *last) for last in known[-1:]]
    return tuple(found)


def _alone(trial: Trial) -> Played:
    """A trigger that reads series: each of its targets by itself."""
    told: list[Happening] = []
    standings: list[Standing] = []
    for target, tracks in subjects(trial, trial.rule):
        if trial.on not in (None, target, *(track.target for track in tracks)):
            continue
        events, standing = replay(
            trial.rule,
            _unit(tracks),
            target,
            _batches(trial, trial.rule, tracks),
            begin=BEGIN,
            end=_end(trial),
        )
        told += [Happening(slot_of(trial, e.at), e.kind, target, e.why) for e in events]
        standings.append(standing)
    return Played(tuple(sorted(told, key=lambda each: each.slot)), tuple(standings))


def _unit(tracks: Sequence[Track]) -> str:
    return tracks[0].unit if tracks else ""


# --- composites --------------------------------------------------------------------------------


def _together(trial: Trial) -> Played:
    """A composite: its members are replayed, and whenever one is judged so is the composite."""
    rules = parts(trial)
    stage = _Stage(rules)
    moments: dict[float, list[Standing]] = defaultdict(list)
    for rule in rules:
        if rule.when not in COMPOSITE:
            for at, standing in _traced(trial, rule):
                moments[at].append(standing)
    told: list[Happening] = []
    for at in sorted(moments):
        changes = stage.at(at, moments[at])
        told += [
            Happening(slot_of(trial, at), change.kind, target, change.why)
            for name, target, change in changes
            if name == trial.rule.name and trial.on in (None, target)
        ]
    last = stage.standings[trial.rule.name].values()
    return Played(tuple(told), tuple(s for s in last if trial.on in (None, s.target)))


def _traced(trial: Trial, rule: Rule) -> Iterator[tuple[float, Standing]]:
    for target, tracks in subjects(trial, rule):
        batches = _batches(trial, rule, tracks)
        yield from trace(rule, _unit(tracks), target, batches, begin=BEGIN, end=_end(trial))


class _Stage:
    """Where members and composites stand, by trigger and target."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.standings: dict[str, dict[str, Standing]] = {rule.name: {} for rule in rules}
        self._composites = [rule for rule in rules if rule.when in COMPOSITE]

    def at(self, now: float, members: Sequence[Standing]) -> Iterator[tuple[str, str, Change]]:
        """What the composites say once their members stand so."""
        for standing in members:
            self.standings[standing.trigger][standing.target] = standing
        for rule in self._composites:
            known = {name: tuple(self.standings[name].values()) for name in rule.of}
            here = self.standings[rule.name]
            for target in composite.targets(rule, known):
                before = here.get(target) or begin(rule.name, target, now)
                verdict = composite.verdict(rule, target, known, now)
                here[target], changes = advance(rule, before, verdict, now)
                yield from ((rule.name, target, change) for change in changes)
