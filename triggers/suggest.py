"""The tightest threshold that keeps to a rate of alarms, and how soon it would see a shift. Pure:
pasts in, thresholds out; what is tried is played through `backtest`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import floor, log10
from typing import Any

import numpy as np

from triggers.backtest import Past, backtest
from triggers.check import lookback
from triggers.episodes import MONTH, tally
from triggers.levels import Levels, holds
from triggers.quantity import parse_duration
from triggers.rule import RELATIVE, Rule

KINDS = ("above", "below", "drops", "rises", "stale")
SHIFTS = (0.05, 0.10, 0.20)
STARTS = 20
"""A shift is put into each target at so many moments."""
HORIZON = 7 * 86400.0
"""A shift that is not seen within this is not seen."""
WATCHED = 5
"""Shifts are put into so many targets, those with most readings."""

DURATIONS = ("keep_firing_for", "max_age", "horizon")

Threshold = float | str
"""As it is written in a config: "8%", "6h", or a number in the signal's unit."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The past of one target, and since when it counts; what comes before is only known."""

    past: Past
    since: float


@dataclass(frozen=True, slots=True)
class Trial:
    """How many times the rule fires with a threshold, target by target."""

    threshold: Threshold
    alarms: tuple[int, ...]

    @property
    def total(self) -> int:
        """On all targets."""
        return sum(self.alarms)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`best` is None where even the loosest threshold fires too often; `next` is the one step
    tighter that fires too often, None where the tightest that there is does not."""

    allowed: float
    best: Trial | None
    next: Trial | None


@dataclass(frozen=True, slots=True)
class Delay:
    """How soon a shift is seen: over `starts` trials (where it would have fired anyway there is
    none), those that are seen, and the delays of those
    in seconds and in readings (median, 90th percentile; None where none is seen)."""

    shift: float
    starts: int
    seen: int
    seconds: tuple[float, float] | None
    readings: tuple[float, float] | None


def with_threshold(rule: Rule, threshold: Threshold) -> Rule:
    """The rule with another threshold. Raises ValueError where its `clear` contradicts that."""
    return Rule.model_validate(_table(rule) | {"threshold": threshold})


def _table(rule: Rule) -> dict[str, Any]:
    """The table of a rule, so that it can be validated again."""
    table = {name: getattr(rule, name) for name in rule.model_fields_set}
    said = {name: f"{table[name]:.6f}s" for name in DURATIONS if table.get(name) is not None}
    return table | said


def suggest(rule: Rule, stretches: Sequence[Stretch], until: float, a_month: float) -> Suggestion:
    """The tightest threshold such that it and every looser one fire no more than `a_month` times
    a month on all targets together, over the longest of the stretches."""
    span = max(until - stretch.since for stretch in stretches)
    allowed = a_month * span / MONTH
    best: Trial | None = None
    for threshold in _loosest_first(rule, stretches, until):
        try:
            tried = trial(with_threshold(rule, threshold), threshold, stretches, until)
        except ValueError:  # `clear` lies on the other side of any tighter one
            return Suggestion(allowed, best, None)
        if tried.total > allowed:
            return Suggestion(allowed, best, tried)
        best = tried
    return Suggestion(allowed, best, None)


def trial(rule: Rule, threshold: Threshold, stretches: Sequence[Stretch], until: float) -> Trial:
    """How many times the rule fires on each target."""
    return Trial(threshold, tuple(_alarms(rule, stretch, until) for stretch in stretches))


def _alarms(rule: Rule, stretch: Stretch, until: float) -> int:
    events, _ = backtest(rule, stretch.past, begin=float(stretch.past.at[0]), end=until)
    return tally(events, stretch.since, until).alarms


# --- which thresholds are tried ------------------------------------------------------------------


def _loosest_first(rule: Rule, stretches: Sequence[Stretch], until: float) -> Iterator[Threshold]:
    """Thresholds from one that no reading reaches to tighter ones, in steps of the second digit."""
    if rule.when == "stale":
        yield from _durations(stretches, until)
    elif rule.when in RELATIVE:
        yield from _shares(rule, stretches)
    else:
        yield from _numbers(rule, stretches)


def durations() -> list[str]:
    """From a minute to a year, loosest first."""
    days = [f"{n}d" for n in chain(range(365, 99, -5), range(99, 2, -1))]
    return [*days, *(f"{n}h" for n in range(72, 2, -1)), *(f"{n}m" for n in range(180, 0, -1))]


def longest_silence(stretches: Sequence[Stretch], until: float) -> float:
    """Seconds of the longest time without a reading on any target."""
    return max(float(np.diff(np.append(s.past.at, until)).max()) for s in stretches)


def _durations(stretches: Sequence[Stretch], until: float) -> Iterator[str]:
    gaps = [np.diff(np.append(s.past.at, until)) for s in stretches]
    longest = longest_silence(stretches, until)
    usual = float(np.median(np.concatenate(gaps)))
    known = [(text, parse_duration(text)) for text in durations()]
    first = max((k for k, (_, seconds) in enumerate(known) if seconds >= longest), default=0)
    for text, seconds in known[first:]:
        if seconds <= usual:  # half of all readings would be late
            return
        yield text


def shares(when: str) -> list[str]:
    """From 99% (990% for rises) to 0.1%, loosest first, two digits each."""
    tens = [range(990, 99, -10)] if when == "rises" else []
    whole = [f"{n}%" for n in chain(*tens, range(99, 9, -1))]
    return [*whole, *(f"{n / 10:g}%" for n in range(99, 9, -1)), *_small()]


def _small() -> list[str]:
    return [f"{n / 100:g}%" for n in range(99, 9, -1)]


def _shares(rule: Rule, stretches: Sequence[Stretch]) -> Iterator[str]:
    """From the loosest that some reading reaches: one that none reaches has none looser that one
    does, so that it is found by halving."""
    known = shares(rule.when)
    low, high = 0, len(known)
    while low < high:
        middle = (low + high) // 2
        if _is_reached(with_share(rule, known[middle]), stretches):
            high = middle
        else:
            low = middle + 1
    yield from known[max(0, low - 1) :]


def with_share(rule: Rule, share: str) -> Rule:
    """The rule with this threshold, and without a `clear` that could contradict it."""
    return Rule.model_validate(_table(rule) | {"threshold": share, "clear": None})


def _is_reached(rule: Rule, stretches: Sequence[Stretch]) -> bool:
    for past in chain(*(_comparable(stretch.past) for stretch in stretches)):
        levels = Levels(rule, past.at, past.value, past.ends)
        for k in np.flatnonzero(levels.candidates()).tolist():
            if holds(rule, levels.exact(k), float(past.value[past.ends[k]])):
                return True
    return False


def _comparable(past: Past) -> list[Past]:
    """The readings of each setup by themselves."""
    return [past.of_setup(setup) for setup in dict.fromkeys(past.setups)] or [past]


def _numbers(rule: Rule, stretches: Sequence[Stretch]) -> Iterator[float]:
    """From the reading that goes furthest to the median of all, in steps of the second digit of
    what lies between them."""
    values = np.concatenate([stretch.past.value for stretch in stretches])
    side = 1 if rule.when == "above" else -1
    usual, furthest = float(np.median(values)), float((values * side).max()) * side
    span = abs(furthest - usual)
    if span == 0:
        yield usual
        return
    power = floor(log10(span)) - 1
    first = -floor(-side * furthest / 10.0**power)  # rounded outwards
    last = side * usual / 10.0**power
    for step in range(first, floor(last), -1):
        if step > last:
            yield _round(side * step, power)


def _round(step: int, power: int) -> float:
    """step · 10^power, as the decimal that it is."""
    return float(f"{step}e{power}")


# --- how soon a shift is seen --------------------------------------------------------------------


def delays(rule: Rule, stretches: Sequence[Stretch], until: float) -> list[Delay]:
    """How soon the rule would fire were each reading worse by a share from some moment on: put
    into the readings that there were, at many moments of the targets with most of them."""
    watched = sorted(stretches, key=lambda s: len(s.past.at), reverse=True)[:WATCHED]
    return [_delay(rule, watched, until, shift) for shift in SHIFTS]


def _delay(rule: Rule, stretches: Sequence[Stretch], until: float, shift: float) -> Delay:
    seconds, readings, starts = [], [], 0
    for stretch in stretches:
        begin = float(stretch.past.at[0])
        told = tally(backtest(rule, stretch.past, begin=begin, end=until)[0], begin, until)
        for start in starting_points(rule, stretch, until):
            end = min(start + HORIZON, until)
            if any(e.fired_at <= end and e.seconds(end, start) > 0 for e in told.episodes):
                continue
            found = _seen(rule, stretch.past, start, end, shift)
            if found is None:
                continue
            starts += 1
            if found:
                seconds.append(found[0])
                readings.append(found[1])
    return Delay(shift, starts, len(seconds), _spread(seconds), _spread(readings))


def starting_points(rule: Rule, stretch: Stretch, until: float) -> list[float]:
    """Moments over the stretch: a baseline lies before each, and a horizon, or at least half of
    the time that is left, behind it."""
    first = float(stretch.past.at[0])
    known = min(first + lookback(rule)[0], (first + until) / 2)
    begin = max(stretch.since, known)
    end = max(until - HORIZON, (begin + until) / 2)
    return [float(moment) for moment in np.linspace(begin, end, STARTS)]


def _seen(
    rule: Rule, past: Past, start: float, end: float, shift: float
) -> tuple[float, float] | tuple[()] | None:
    """Seconds and readings until it fires, () where it does not, None where it fires already."""
    seconds, count = lookback(rule)
    first = max(0, int(np.searchsorted(past.at, start - 2 * seconds)) - 2 * count)
    last = int(np.searchsorted(past.at, end, "right"))
    cut = _cut(past, first, last)
    shifted = np.where(cut.at < start, cut.value, worse(rule, cut, shift).value)
    if not len(cut.at) or cut.at[-1] < start:
        return None
    events, _ = backtest(rule, replace(cut, value=shifted), begin=float(cut.at[0]), end=end)
    before = [event for event in events if event.at < start]
    if before and before[-1].kind == "fires":
        return None
    fired = next((e.at for e in events if e.kind == "fires" and e.at >= start), None)
    if fired is None:
        return ()
    return fired - start, float(np.count_nonzero((cut.at >= start) & (cut.at <= fired)))


def worse(rule: Rule, past: Past, shift: float) -> Past:
    """Every reading shifted by a share of itself to the side on which the rule holds."""
    side = -1 if rule.when in ("below", "drops") else 1
    return replace(past, value=past.value + side * shift * np.abs(past.value))


def _cut(past: Past, first: int, last: int) -> Past:
    ends = past.ends[(past.ends >= first) & (past.ends < last)] - first
    stop = first + int(ends[-1]) + 1 if len(ends) else first
    return replace(
        past,
        at=past.at[first:stop],
        value=past.value[first:stop],
        ends=ends,
        setups=past.setups[first:stop],
    )


def _spread(found: Sequence[float]) -> tuple[float, float] | None:
    if not found:
        return None
    return float(np.percentile(found, 50)), float(np.percentile(found, 90))
