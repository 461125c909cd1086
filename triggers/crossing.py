"""What a trend would have said as its readings came in: `crosses` over the past. Pure."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from storage.thinning import MONTH, thinned
from storage.types import Reading, Series, Standing
from triggers import change, crosses
from triggers.change import stand
from triggers.ensemble import Judgement
from triggers.replay import Batch, Event
from triggers.rule import Rule

DAY = 86400.0
"""So often a date is looked at where no reading comes."""


def crossing(
    rule: Rule, unit: str, batches: Iterable[Batch], moments: Sequence[float], end: float
) -> tuple[tuple[Event, ...], tuple[Judgement, ...]]:
    """What is told from the first of `moments` to the end, and every judgement that could say
    something new.

    `batches` need hold no more than the readings that are the lowest or the highest of their target
    and month when they come: no other changes the line. `moments` are all those at which a reading
    is judged, in order. Batches before the first of them are known from the beginning.
    """
    trend = _Trend(rule, unit, moments)
    for batch in batches:
        if batch.now > end:
            break
        if batch.now > moments[0]:
            trend.begin()
            trend.wait(batch.now)
        trend.learn(batch.readings)
        if batch.now > moments[0]:
            trend.judge(batch.now)
    trend.begin()
    trend.wait(math.nextafter(end, math.inf))
    return tuple(trend.events), tuple(trend.judgements)


class _Trend:
    def __init__(self, rule: Rule, unit: str, moments: Sequence[float]) -> None:
        self.rule = rule
        self.unit = unit
        self.moments = moments
        self.standing: Standing = change.begin(rule.name, rule.target, moments[0])
        self.events: list[Event] = []
        self.judgements: list[Judgement] = []
        self._ends: dict[tuple[str, int], tuple[Reading, Reading]] = {}
        self._due: float | None = None
        """When the date that is foreseen has come near enough."""

    def learn(self, readings: Iterable[Reading]) -> None:
        """Keep the lowest and the highest of each target's months, each at its earliest."""
        for one in readings:
            month = (one.target, int(one.at // MONTH))
            low, high = self._ends.get(month, (one, one))
            low = min(low, one, key=lambda r: (r.value, r.at))
            high = min(high, one, key=lambda r: (-r.value, r.at))
            self._ends[month] = (low, high)

    def begin(self) -> None:
        """Judge what is known at the beginning, once."""
        if not self.judgements:
            self.judge(self.moments[0])

    def judge(self, now: float) -> None:
        known = thinned(reading for ends in self._ends.values() for reading in ends)
        seen = Series(self.rule.signal or "", self.unit, self.rule.target, known)
        self.standing, changes = stand(self.rule, self.standing, seen, now)
        self.events += [Event(c.kind, now, c.why, self.standing) for c in changes]
        self.judgements.append((now, self.standing))
        self._due = None
        if known:
            found = crosses.outlook(self.rule, self.unit, known, now)
            if not found.holds and found.trend is not None and found.trend.crosses is not None:
                self._due = found.trend.crosses - (self.rule.horizon or 0.0)

    def wait(self, until: float) -> None:
        """Judge when a date has come near enough before `until`: at the next reading, or on the
        clock, a day or days after the last one."""
        while self._due is not None:
            last = self.judgements[-1][0]
            place = bisect_left(self.moments, max(self._due, math.nextafter(last, math.inf)))
            before = max(last, self.moments[place - 1]) if place else last
            days = max(1, math.ceil((self._due - before) / DAY))
            moment = min([round(before + days * DAY, 3), *self.moments[place : place + 1]])
            if moment >= until:
                return
            self.judge(moment)
