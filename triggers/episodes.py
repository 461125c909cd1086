"""From the changes that would have been told to alarms: how many, how long, how often. Pure."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

from triggers.replay import Event

MONTH = 30.44 * 86400.0
"""A month: a twelfth of a year."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One time that a trigger fires: from the judgement at which it fires to the one at which it
    resolves, None where it still fires. The rest is as it stood when it fired."""

    fired_at: float
    resolved_at: float | None
    why: str
    value: float | None
    threshold: float | None
    baseline: float | None
    read_at: float | None
    origin: str | None = None

    def seconds(self, until: float, since: float = 0.0) -> float:
        """How long it fired between two moments."""
        end = until if self.resolved_at is None else min(self.resolved_at, until)
        return max(0.0, end - max(self.fired_at, since))


@dataclass(frozen=True, slots=True)
class Tally:
    """What a rule would have done between two moments.

    `alarms`: how many times it fires in that time; `episodes`: those, and one that fired before
    and lasted into it; `no_data`: how many times it says that data is missing.
    """

    episodes: tuple[Episode, ...]
    alarms: int
    firing_seconds: float
    longest_seconds: float
    no_data: int


def tally(events: Iterable[Event], since: float, until: float) -> Tally:
    """The events of one rule on one target as alarms between two moments."""
    told = list(events)
    found = [e for e in _paired(told) if e.resolved_at is None or e.resolved_at > since]
    lengths = [episode.seconds(until, since) for episode in found]
    return Tally(
        tuple(found),
        sum(episode.fired_at >= since for episode in found),
        sum(lengths),
        max(lengths, default=0.0),
        sum(event.kind == "no-data" and event.at >= since for event in told),
    )


def _paired(events: Sequence[Event]) -> Iterable[Episode]:
    opened: Event | None = None
    for event in events:
        if event.kind == "fires":
            opened = event
        elif event.kind == "resolves" and opened is not None:
            yield _episode(opened, event.at)
            opened = None
    if opened is not None:
        yield _episode(opened, None)


def _episode(opened: Event, resolved_at: float | None) -> Episode:
    stood = opened.standing
    return Episode(
        opened.at,
        resolved_at,
        opened.why,
        stood.value,
        stood.threshold,
        stood.baseline,
        stood.read_at,
        stood.origin,
    )


Which = Literal["both", "present", "changed"]
Pair = tuple[Which, Episode | None, Episode | None]


def matched(present: Sequence[Episode], changed: Sequence[Episode]) -> list[Pair]:
    """The episodes of two rules on one target in order of time, side by side where they overlap.

    Each is there once. Where one overlaps several of the other rule, those after the first stand
    alone, and still say that both fire.
    """
    pairs: list[Pair] = []
    taken: set[int] = set()
    for one in present:
        overlapping = _overlapping(one, changed)
        free = next((k for k in overlapping if k not in taken), None)
        taken |= set() if free is None else {free}
        other = None if free is None else changed[free]
        pairs.append(("both" if overlapping else "present", one, other))
    for k, other in enumerate(changed):
        if k not in taken:
            is_both = bool(_overlapping(other, present))
            pairs.append(("both" if is_both else "changed", None, other))
    return sorted(pairs, key=lambda pair: min(e.fired_at for e in pair[1:] if e is not None))


def _overlapping(one: Episode, others: Sequence[Episode]) -> range:
    """The places of the episodes, in order and never two at once, that overlap with one."""
    first = bisect_left(others, one.fired_at, key=_end)
    last = first
    while last < len(others) and _overlap(one, others[last]):
        last += 1
    return range(first, last)


def _end(episode: Episode) -> float:
    return inf if episode.resolved_at is None else episode.resolved_at


def _overlap(one: Episode, other: Episode) -> bool:
    return (other.resolved_at is None or one.fired_at <= other.resolved_at) and (
        one.resolved_at is None or other.fired_at <= one.resolved_at
    )
