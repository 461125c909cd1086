"""The events of `replay`, sooner: only where a rule could do anything is it judged. Pure.

Numpy finds, exactly, at which readings a rule that stands idle could begin to hold, and at which a
firing one could clear. There the very same `check` and `decide` run as in the service.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from storage.types import Reading, Series, Standing
from triggers import change
from triggers.baseline import Level
from triggers.change import settle
from triggers.check import Verdict, against_level, check, learning, thresholds
from triggers.levels import Floats, Ints, Levels, holds
from triggers.replay import TICK, Batch, Event, clock_moments, replay, trace
from triggers.rule import KEYED, MIN_BASELINE, RELATIVE, Rule

STRIDE = 256
"""So many readings are searched at first for one that clears; twice as many each time after."""
FAST = frozenset({"above", "below", "drops", "rises", "stale"})


@dataclass(frozen=True, slots=True)
class Past:
    """The readings of one series that a rule accepts, oldest first.

    `at` in seconds since the epoch; `ends` are the places at which a batch ends: the readings up
    to it are judged together, at the moment of the last. `notes` only where they are told; `setups`
    only where there is more than one.
    """

    unit: str
    target: str
    at: Floats
    value: Floats
    ends: Ints
    notes: tuple[str, ...] = ()
    setups: tuple[str, ...] = ()

    def of_setup(self, setup: str) -> "Past":
        """The readings of one setup alone; a batch ends where it did, or with its last of those."""
        kept = np.array([one == setup for one in self.setups], dtype=np.bool_)
        batch = np.searchsorted(self.ends, np.arange(len(kept)))[kept]
        ends = np.append(np.flatnonzero(np.diff(batch)), len(batch) - 1)
        return Past(self.unit, self.target, self.at[kept], self.value[kept], ends)

    def is_mixed(self, rule: Rule) -> bool:
        """Whether not all readings compare with one another, and the rule asks for that."""
        return bool(self.setups) and rule.when in KEYED


def backtest(
    rule: Rule, past: Past, *, begin: float, end: float
) -> tuple[tuple[Event, ...], Standing]:
    """What `replay` says of the same readings.

    Every event is the same; of the standings `since` and `last_true` may differ where nothing
    hangs on them, and the origin is not looked at.
    """
    if not _is_fast(rule, past):
        return replay(rule, past.unit, past.target, batches(rule, past), begin=begin, end=end)
    return _Machine(rule, past, begin, end).run()


def states(
    rule: Rule, past: Past, *, begin: float, end: float
) -> tuple[tuple[float, Standing], ...]:
    """Each time that its state changes, with the standing then, `no-data` and `inactive` told
    apart: what a composite asks of its members."""
    if not _is_fast(rule, past):
        told = trace(rule, past.unit, past.target, batches(rule, past), begin=begin, end=end)
    else:
        machine = _Machine(rule, past, begin, end, watched=True)
        machine.run()
        told = tuple(machine.judgements)
    new = [
        k for k, (_, standing) in enumerate(told) if not k or standing.state != told[k - 1][1].state
    ]
    return tuple(told[k] for k in new)


def _is_fast(rule: Rule, past: Past) -> bool:
    return rule.when in FAST and not rule.baseline.peers and not past.is_mixed(rule)


def batches(rule: Rule, past: Past) -> tuple[Batch, ...]:
    """The past as `replay` takes it."""
    readings = [_reading(rule, past, index) for index in range(len(past.at))]
    found: list[Batch] = []
    first = 0
    for end in past.ends.tolist():
        now = max(readings[end].at, found[-1].now if found else 0.0)  # a run may end out of turn
        found.append(Batch(now, tuple(readings[first : end + 1])))
        first = end + 1
    return tuple(found)


def _reading(rule: Rule, past: Past, index: int) -> Reading:
    return Reading(
        rule.signal or "run",
        past.target,
        float(past.value[index]),
        "measured" if rule.when == "fails" else rule.accept[0],
        None,
        float(past.at[index]),
        past.notes[index] if past.notes else "",
        setup=past.setups[index] if past.setups else "",
    )


class _Machine:
    """One rule on one series: jumps from one reading that matters to the next. Where it is watched
    a reading matters too that says something after silence, or nothing after something."""

    def __init__(
        self, rule: Rule, past: Past, begin: float, end: float, *, watched: bool = False
    ) -> None:
        self.rule = rule
        self.past = past
        self.begin, self.end = begin, end
        self.standing = change.begin(rule.name, past.target, begin)
        self.events: list[Event] = []
        self.ends = past.ends[: np.searchsorted(past.at[past.ends], end, "right")]
        self.now = past.at[self.ends]
        self.read = past.value[self.ends]
        self.k = int(np.searchsorted(self.now, begin, "left")) - 1  # the last batch that is known
        self.judged = begin
        self.levels = (
            Levels(rule, past.at, past.value, self.ends) if rule.when in RELATIVE else None
        )
        self.judgements: list[tuple[float, Standing]] = []
        self.gaps = _gaps(rule, self.now, watched=watched)
        self.hot, self.cold = self._turns()
        self.stops = self._stops() if watched else np.zeros(0, dtype=np.intp)

    def run(self) -> tuple[tuple[Event, ...], Standing]:
        """From the beginning to the end."""
        self._judge(self.begin)
        if self.k < len(self.ends) - 1:
            self._wait(self.now[self.k + 1])
        while self.k < len(self.ends) - 1:
            self._advance()
        self._wait(self.end + TICK)
        return tuple(self.events), self.standing

    # --- one move ----------------------------------------------------------------------------

    def _advance(self) -> None:
        """Go to the next batch that could change anything, and judge it."""
        stop = _after(self.stops, self.k)
        following = self._next() if stop is None else min(stop, self._next())
        gap = _after(self.gaps, self.k - 1)
        if gap is not None and gap < following and self._is_idle():
            self.k = gap
            self._wait(self.now[gap + 1])
            following = gap + 1
        elif following == self.k + 1:
            self._wait(self.now[following])
        self.k = following
        self._judge(float(self.now[following]))

    def _next(self) -> int:
        """The place of the next batch that must be judged; the last one where none must."""
        last = len(self.ends) - 1
        if self._is_idle():
            return self._next_hot(last)
        if self.standing.state == "firing" and self.rule.when != "stale":
            return self._next_cold(last)
        return self.k + 1

    def _is_idle(self) -> bool:
        """Nothing is open, and no level is held: only a reading that holds changes anything."""
        standing = self.standing
        if standing.told is not None or standing.baseline is not None:
            return False
        # Against a fixed threshold a pending trigger holds nothing that its readings do not say.
        return standing.state != "pending" or self.levels is None

    def _next_hot(self, last: int) -> int:
        place = _after(self.hot, self.k)
        while place is not None and self.levels is not None:
            if holds(self.rule, self.levels.exact(place), float(self.read[place])):
                break
            place = _after(self.hot, place)
        return last if place is None else place

    def _next_cold(self, last: int) -> int:
        """The next reading that could clear. What held last before it is remembered."""
        if self.cold is not None:
            place = _after(self.cold, self.k)
            limit = self.rule.limit
        else:
            limit, clear = thresholds(self.rule, self.standing.baseline or 0.0)
            place = self._search(lambda read: ~_beyond(self.rule, read, clear))
        found = last if place is None else place
        between = _beyond(self.rule, self.read[self.k + 1 : found], limit)
        held = _last_true(between)
        if held is not None:
            at = float(self.now[self.k + 1 + held])
            self.standing = replace(self.standing, last_true=at)
        return found

    def _search(self, wanted: Callable[[Floats], NDArray[np.bool_]]) -> int | None:
        first, stride = self.k + 1, STRIDE
        while first < len(self.read):
            found = wanted(self.read[first : first + stride])
            index = int(np.argmax(found))
            if found[index]:
                return first + index
            first, stride = first + stride, 2 * stride
        return None

    # --- judging -----------------------------------------------------------------------------

    def _wait(self, until: float) -> None:
        last = None if self.k < 0 else float(self.now[self.k])
        for moment in clock_moments(self.rule, last, self.standing.created, until):
            if self.judged < moment < until:
                self._judge(moment)

    def _judge(self, now: float) -> None:
        self.standing, changes = settle(
            self.rule, self.standing, lambda held: self._verdict(now, held), now
        )
        self.events += [Event(c.kind, now, c.why, self.standing) for c in changes]
        self.judgements.append((now, self.standing))
        self.judged = now

    def _verdict(self, now: float, held: Standing) -> Verdict:
        """What `check` says of the readings known at `now`."""
        rule, k = self.rule, self.k
        too_old = rule.max_age is not None and k >= 0 and now - self.now[k] > rule.max_age
        if k < 0 or too_old or self.levels is None or rule.when == "stale":
            readings = self._tail() if k >= 0 else ()
            unit = self.past.unit
            series = Series(
                rule.signal or "", unit, self.past.target, readings, self.standing.created
            )
            return check(rule, series, now, held)
        if held.baseline is not None:
            return against_level(rule, self.past.unit, self._tail(), Level(held.baseline))
        known = self.levels.count(k)
        if known < MIN_BASELINE:
            return learning(rule, self.past.unit, self._tail()[-1], known)
        level = Level(self.levels.exact(k), fresh=known)
        return against_level(rule, self.past.unit, self._tail(), level)

    def _tail(self) -> tuple[Reading, ...]:
        """The readings that `for` looks at."""
        last = int(self.ends[self.k])
        first = last + 1 - self.rule.hold.of
        if self.rule.hold.seconds:
            edge = self.past.at[last] - self.rule.hold.seconds
            first = int(np.searchsorted(self.past.at, edge, "right")) - 2
        return tuple(
            _reading(self.rule, self.past, index) for index in range(max(0, first), last + 1)
        )

    # --- where it could turn -----------------------------------------------------------------

    def _stops(self) -> Ints:
        """The first batch, and those at which a baseline comes to be known or no longer is."""
        count = len(self.ends)
        if self.levels is None or not count:
            return np.arange(min(1, count))
        if self.past.value.min() <= 0 <= self.past.value.max():
            return np.arange(count)  # a median of 0 is none, and may come anywhere
        known = (self.levels.past - self.levels.first)[:count] >= MIN_BASELINE
        return np.append(0, np.flatnonzero(np.diff(known)) + 1)

    def _turns(self) -> tuple[Ints, Ints | None]:
        """The batches at which an idle trigger could fire or begin to wait, and those at which a
        firing one could clear; None where that depends on the level that it holds."""
        if self.rule.when == "stale":
            return np.zeros(0, dtype=np.intp), None
        if self.levels is not None:
            return np.flatnonzero(self.levels.candidates()), None
        beyond = _beyond(self.rule, self.past.value, self.rule.limit)
        hot = np.flatnonzero(beyond[self.ends] & _held(self.rule, self.past.at, beyond, self.ends))
        cold = np.flatnonzero(~_beyond(self.rule, self.read, self.rule.clear_limit))
        return hot, cold


def _beyond(rule: Rule, value: Floats, limit: float) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = value < limit if rule.when in ("below", "drops") else value > limit
    return found


def _held(rule: Rule, at: Floats, beyond: NDArray[np.bool_], ends: Ints) -> NDArray[np.bool_]:
    """Whether `for` is met at each end."""
    if rule.hold.seconds:
        places = np.arange(len(beyond))
        before = np.maximum.accumulate(np.where(beyond, -1, places))[ends]  # the last that is not
        first = np.minimum(before + 1, ends)
        met: NDArray[np.bool_] = at[ends] - at[first] >= rule.hold.seconds
        return met
    total = np.concatenate(([0], np.cumsum(beyond)))
    hits = total[ends + 1] - total[np.maximum(ends + 1 - rule.hold.of, 0)]
    enough: NDArray[np.bool_] = hits >= rule.hold.readings
    return enough


def _gaps(rule: Rule, now: Floats, *, watched: bool) -> Ints:
    """After which batches an idle trigger is told of, or watched to change, by the clock alone."""
    if rule.when == "stale":
        most = rule.limit
    elif rule.max_age is not None and (watched or rule.no_data == "alert"):
        most = rule.max_age
    else:
        return np.zeros(0, dtype=np.intp)
    # one millisecond too careful: what is really judged there is decided by `clock_moments`
    return np.flatnonzero(np.diff(now) > most)


def _after(places: Ints, k: int) -> int | None:
    """The first place past `k`."""
    index = int(np.searchsorted(places, k, "right"))
    return int(places[index]) if index < len(places) else None


def _last_true(flags: NDArray[np.bool_]) -> int | None:
    found = np.flatnonzero(flags)
    return int(found[-1]) if len(found) else None
