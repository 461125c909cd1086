"""What a trial gave, held against what was expected of it, with the slots that tell why. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from storage.types import Standing
from triggers.change import ChangeKind
from triggers.quantity import say_duration
from triggers.replay import TICK
from triggers.rule import COMPOSITE, Rule
from triggers.trial import Played, Track, Trial, parts, play, slot_of, start_of, subjects

MOST_SIGHTS = 6
WORDS: Mapping[ChangeKind, tuple[str, str]] = {
    "fires": ("to fire", "fires"),
    "resolves": ("to resolve", "resolves"),
    "no-data": ("to say that readings are missing", "says so"),
    "rebases": ("to tell of a new baseline", "tells of one"),
}
"""What a change is called where it is expected, and where it comes."""


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
            stands = " and ".join(found) or "on no target that is asked about"
            yield Fault(f"expected {state} at the end of slot {slot}, stands at {stands}", (slot,))


def _in(slots: Collection[int]) -> str:
    if not slots:
        return "in no slot"
    return f"in slot{'s' if len(slots) > 1 else ''} {', '.join(_runs(sorted(slots)))}"


def _runs(slots: Sequence[int]) -> Iterator[str]:
    """Each slot; three or more in a row as "4 to 9"."""
    for _, each in groupby(enumerate(slots), key=lambda pair: pair[1] - pair[0]):
        row = [slot for _, slot in each]
        yield from [f"{row[0]} to {row[-1]}"] if len(row) > 2 else map(str, row)  # noqa: PLR2004


def _lost(trial: Trial) -> Iterator[str]:
    """Where a gap, or the step of the slots, left a rule without data."""
    for rule in parts(trial):
        if rule.max_age is None or rule.when in (*COMPOSITE, "stale", "crosses"):
            continue
        for target, tracks in subjects(trial, rule):
            if silent := [slot for t in tracks for slot in _silent(trial, rule, rule.max_age, t)]:
                yield (
                    f"readings of {rule.name} on {target} count as missing {_in(silent)}: none for "
                    f"more than {say_duration(rule.max_age)} (max_age)"
                )


def _silent(trial: Trial, rule: Rule, most: float, track: Track) -> Iterator[int]:
    """The slots in which the last reading that counts has become too old."""
    counts = rule.when == "fails" or track.origin in rule.accept
    heard = [
        slot for slot, value in enumerate(track.slots, start=1) if counts and value is not None
    ]
    for last, after in pairwise([*heard, trial.length + 1]):
        if start_of(trial, after) - start_of(trial, last) > most:
            yield slot_of(trial, start_of(trial, last) + most + TICK)
