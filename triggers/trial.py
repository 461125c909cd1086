"""A unit test of a trigger: made-up series go in, and what fires or resolves is held against what
was expected. Pure; what judges is the very same replay that judges history."""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import pairwise, zip_longest

from storage.types import Origin, Reading, Standing, State
from triggers.change import ChangeKind
from triggers.notation import Slots
from triggers.quantity import say_duration
from triggers.replay import TICK, Batch, Event, replay
from triggers.rule import Rule

BEGIN = 1_700_000_000.0
"""When the first slot of every trial begins. Any moment would do: no rule asks for the date."""
NOTE = "made up by a test"
MOST_SIGHTS = 6
WORDS: Mapping[ChangeKind, tuple[str, str]] = {
    "fires": ("to fire", "fires"),
    "resolves": ("to resolve", "resolves"),
    "no-data": ("to say that readings are missing", "says so"),
}
"""What a change is called where it is expected, and where it comes."""


@dataclass(frozen=True, slots=True)
class Track:
    """One series of a trial. `signal` is "run" for the ends of runs, and `target` a probe then."""

    signal: str
    unit: str
    target: str
    slots: Slots
    origin: Origin = "measured"
    family: str = ""


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


@dataclass(frozen=True, slots=True)
class Sight:
    """A slot that is not as expected: where the trigger stands at its end, and why."""

    slot: int
    standing: Standing


@dataclass(frozen=True, slots=True)
class Fault:
    """One expectation that was not met, in words, with the slots that it is about."""

    said: str
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """How a trial ended. It has passed where there is no fault."""

    trial: Trial
    played: Played
    faults: tuple[Fault, ...] = ()
    sights: tuple[Sight, ...] = ()
    lost: tuple[str, ...] = ()


def run(trial: Trial) -> Result:
    """Play a trial, and hold what happened against what was expected."""
    played = play(trial)
    faults = tuple(_faults(trial, played))
    if not faults:
        return Result(trial, played)
    slots = sorted({slot for fault in faults for slot in fault.slots})[:MOST_SIGHTS]
    sights = [Sight(slot, s) for slot in slots for s in play(trial.until(slot)).standings]
    return Result(trial, played, faults, tuple(sights), tuple(_lost(trial)))


def play(trial: Trial) -> Played:
    """What the trigger would have said of the trial's series, to the end of its last slot."""
    events: list[Event] = []
    standings: list[Standing] = []
    for target, tracks in _targets(trial):
        told, standing = replay(
            trial.rule,
            tracks[0].unit,
            target,
            _batches(trial, tracks),
            begin=BEGIN,
            end=_end(trial),
        )
        events += told
        standings.append(standing)
    found = [Happening(_slot(trial, e.at), e.kind, e.standing.target, e.why) for e in events]
    return Played(tuple(sorted(found, key=lambda each: each.slot)), tuple(standings))


def _targets(trial: Trial) -> Iterator[tuple[str, list[Track]]]:
    """The targets that the trigger is judged on, each with its series."""
    rule = trial.rule
    covered = [t for t in trial.tracks if fnmatchcase(t.target, rule.probe or rule.target)]
    if rule.when == "crosses":
        if covered:
            yield rule.target, covered
        return
    for track in covered:
        if trial.on in (None, track.target):
            yield track.target, [track]


def _batches(trial: Trial, tracks: Sequence[Track]) -> Iterator[Batch]:
    for slot, values in enumerate(zip_longest(*(track.slots for track in tracks)), start=1):
        at = _start(trial, slot)
        readings = tuple(
            Reading(t.signal, t.target, value, t.origin, at=at, note=NOTE, family=t.family)
            for t, value in zip(tracks, values, strict=True)
            if value is not None
        )
        if readings:
            yield Batch(at, readings)


def _start(trial: Trial, slot: int) -> float:
    return round(BEGIN + (slot - 1) * trial.every, 3)


def _end(trial: Trial) -> float:
    """The last moment of the last slot."""
    return _start(trial, trial.length + 1) - TICK


def _slot(trial: Trial, at: float) -> int:
    """The slot during which a moment lies."""
    starts = range(1, trial.length + 1)
    return bisect_right(starts, at, key=lambda slot: _start(trial, slot))


# --- what was expected -------------------------------------------------------------------------


def _faults(trial: Trial, played: Played) -> Iterator[Fault]:
    for kind, wanted in trial.expected.events.items():
        got = frozenset(h.slot for h in played.happenings if h.kind == kind)
        if got != wanted:
            hoped, came = WORDS[kind]
            said = f"expected {hoped} {_in(wanted)}; it {came} {_in(got)}"
            yield Fault(said, tuple(sorted(got ^ wanted)))
    for slot, state in sorted(trial.expected.states.items()):
        there = played if slot == trial.length else play(trial.until(slot))
        found = sorted({standing.state for standing in there.standings})
        if found != [state]:
            stands = " and ".join(found) or f"on no target that it judges ({_judged(trial.rule)})"
            yield Fault(f"expected {state} at the end of slot {slot}, stands at {stands}", (slot,))


def _judged(rule: Rule) -> str:
    return f'"{rule.probe or rule.target}"'


def _in(slots: Collection[int]) -> str:
    if not slots:
        return "in no slot"
    return f"in slot{'s' if len(slots) > 1 else ''} {', '.join(map(str, sorted(slots)))}"


def _lost(trial: Trial) -> Iterator[str]:
    """Where a gap, or the step of the slots, left the trigger without data."""
    most = trial.rule.max_age
    if most is None or trial.rule.when == "stale":
        return
    for _, tracks in _targets(trial):
        heard = [
            slot
            for slot in range(1, trial.length + 1)
            if any(_counts(trial.rule, track, slot) for track in tracks)
        ]
        silent = [
            _slot(trial, _start(trial, last) + most + TICK)
            for last, after in pairwise([*heard, trial.length + 1])
            if _start(trial, after) - _start(trial, last) > most
        ]
        if silent:
            yield (
                f"no reading for more than {say_duration(most)} (max_age): without data "
                f"on {tracks[0].target} {_in(silent)}"
            )


def _counts(rule: Rule, track: Track, slot: int) -> bool:
    within = slot <= len(track.slots) and track.slots[slot - 1] is not None
    return within and (rule.when == "fails" or track.origin in rule.accept)
