"""What a rule would have done on readings of the past, step by step through `stand`. Pure.

This is the reference: nothing is left out and nothing is guessed. `triggers/backtest.py` gives the
same events sooner.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from storage.types import Reading, Series, Standing
from triggers import change
from triggers.change import ChangeKind, stand
from triggers.check import lookback
from triggers.rule import Rule

TICK = 0.001
"""Times are kept to the millisecond: so soon after a limit has been reached it is passed."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Readings that arrive together, and the moment at which they are judged; `peers` are the
    latest of other devices then."""

    now: float
    readings: tuple[Reading, ...]
    peers: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """A change that would have been told: the moment it was judged, and the standing after it."""

    kind: ChangeKind
    at: float
    why: str
    standing: Standing


def replay(
    rule: Rule, unit: str, target: str, batches: Iterable[Batch], *, begin: float, end: float
) -> tuple[tuple[Event, ...], Standing]:
    """What would have been told of `rule` on `target` from `begin` to `end`, and how it stands.

    `batches` are in the order in which they were judged. Those before `begin` are what the file
    already knew when the service started; nothing is judged on them. Between batches the clock is
    judged at each moment at which time alone changes something, once. For `fails` the readings
    are the ends of runs, 1 where one failed.
    """
    service = _played(rule, unit, target, batches, begin=begin, end=end)
    return tuple(service.events), service.standing


def trace(
    rule: Rule, unit: str, target: str, batches: Iterable[Batch], *, begin: float, end: float
) -> tuple[tuple[float, Standing], ...]:
    """Every judgement of a replay: its moment, and how the rule stood after it."""
    return tuple(_played(rule, unit, target, batches, begin=begin, end=end).judgements)


def _played(
    rule: Rule, unit: str, target: str, batches: Iterable[Batch], *, begin: float, end: float
) -> "_Service":
    service = _Service(rule, unit, change.begin(rule.name, target, begin))
    started = False
    for batch in batches:
        if batch.now > end:
            break
        if batch.now >= begin and not started:
            service.judge(begin)
            started = True
        if started:
            service.wait(batch.now)
        service.past.learn(batch.readings)
        service.peers = batch.peers
        if started:
            service.judge(batch.now)
    if not started:
        service.judge(begin)
    service.wait(end + TICK)
    return service


class _Service:
    """A service that never stops, with one rule on one target."""

    def __init__(self, rule: Rule, unit: str, standing: Standing) -> None:
        self.rule = rule
        self.unit = unit
        self.standing = standing
        self.past = _Past(rule)
        self.peers: tuple[Reading, ...] = ()
        self.events: list[Event] = []
        self.judgements: list[tuple[float, Standing]] = []
        self._judged = standing.created

    def judge(self, now: float) -> None:
        standing = self.standing
        series = Series(
            "run" if self.rule.when == "fails" else self.rule.signal or "",
            self.unit,
            standing.target,
            self.past.window(),
            standing.created,
            self.peers,
        )
        self.standing, changes = stand(self.rule, standing, series, now)
        self.events += [Event(c.kind, now, c.why, self.standing) for c in changes]
        self.judgements.append((now, self.standing))
        self._judged = now

    def wait(self, until: float) -> None:
        """Judge what time alone changes before `until`."""
        last = self.past.last()
        for moment in clock_moments(self.rule, last, self.standing.created, until):
            if self._judged < moment < until:
                self.judge(moment)


def clock_moments(rule: Rule, last: float | None, created: float, until: float) -> Iterator[float]:
    """When time alone changes what a rule says, if no reading comes from `last` to `until`.

    `created` is since when the trigger waits for its first reading. `keep_firing_for` counts from
    the last moment of a silence, so that this one is looked at too.
    """
    seen = created if last is None else last
    if rule.when == "stale":
        yield round(seen + rule.limit + TICK, 3)
        if rule.keep_firing_for and until - TICK - seen > rule.limit:
            yield round(until - TICK, 3)
    elif last is None:
        yield round(created + (rule.max_age or 0.0) + TICK, 3)
    elif rule.max_age is not None:
        yield round(last + rule.max_age + TICK, 3)


class _Past:
    """What the file knows of one series, as `Store.window` and `Store.outcomes` would say it."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._seconds, self._count = lookback(rule)
        self._accepted: list[Reading] = []
        self._refused: list[Reading] = []

    def last(self) -> float | None:
        """When the last reading that counts was taken."""
        return self._accepted[-1].at if self._accepted else None

    def learn(self, readings: Iterable[Reading]) -> None:
        """Take readings in. One of the same moment as another takes its place."""
        for reading in readings:
            if self._rule.when == "fails":
                self._accepted.append(reading)  # in the order in which the runs ended
                continue
            counts = reading.origin in self._rule.accept
            _take_out(self._refused if counts else self._accepted, reading)
            _put_in(self._accepted if counts else self._refused, reading)

    def window(self) -> tuple[Reading, ...]:
        """The readings that a rule is judged on; where none is accepted, the last refused one."""
        if not self._accepted:
            return tuple(self._refused[-1:])
        if self._rule.when == "crosses":
            return tuple(self._accepted)
        if self._rule.when == "fails":
            return tuple(self._accepted[self._first_run() :])
        older = bisect_right(self._accepted, self._accepted[-1].at - self._seconds, key=_at)
        return tuple(self._accepted[max(0, older - self._count) :])

    def _first_run(self) -> int:
        edge = self._accepted[-1].at - self._seconds
        index = max(0, len(self._accepted) - self._count)
        while index > 0 and self._accepted[index].at > edge:
            index -= 1
        return index


def _at(reading: Reading) -> float:
    return reading.at


def _place(readings: list[Reading], reading: Reading) -> int | None:
    """Where the reading of the same target and moment stands."""
    index = bisect_left(readings, reading.at, key=_at)
    while index < len(readings) and readings[index].at == reading.at:
        if readings[index].target == reading.target:
            return index
        index += 1
    return None


def _take_out(readings: list[Reading], reading: Reading) -> None:
    index = _place(readings, reading)
    if index is not None:
        del readings[index]


def _put_in(readings: list[Reading], reading: Reading) -> None:
    if not readings or readings[-1].at < reading.at:
        readings.append(reading)
        return
    index = _place(readings, reading)
    if index is None:
        readings.insert(bisect_right(readings, reading.at, key=_at), reading)
    else:
        readings[index] = reading
