"""What drops, rises and shifts are held against: the level of the readings that compare with the
last one, which are those of its setup. Pure.

A setup is a line of JSON: all that a number depends on beside its target. After a driver, a library
or a setting has changed the baseline is learned anew, and the old one is back after a rollback.
"""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from math import ceil
from statistics import median

from storage.types import Reading, Standing
from triggers.rule import MIN_BASELINE, SURE_SCATTER, Rule

Readings = tuple[Reading, ...]

MAD_TO_SIGMA = 1.4826
"""Of normal values, one sigma in median absolute deviations: 1 / Φ⁻¹(3/4). Rousseeuw and Croux,
J. Am. Stat. Assoc. 88, 1273 (1993)."""
LEAST_TAIL = 20
"""A sum over fewer readings than these would miss what it has nearly seen."""
TURNS = 10
"""Readings within which a setup that comes, goes and comes again takes turns with another."""
MOST_TOLD, LONGEST_VALUE = 3, 24
"""So many keys of a setup are told, and so much of each value."""
UNKNOWN = "–"


@dataclass(frozen=True, slots=True)
class Level:
    """What readings are held against, in the signal's unit: the median of so many `fresh` readings
    of one `setup`, or what a trigger keeps (`fresh` = 0); `spread` is one sigma about it, None
    where it is not asked for."""

    value: float
    spread: float | None = None
    setup: str = ""
    fresh: int = 0


# --- which readings --------------------------------------------------------------------------


def tail(rule: Rule) -> int:
    """Readings over which a shift adds up: at four thirds of the allowance, and anything smaller
    is none, the sum has passed the threshold long before."""
    return max(LEAST_TAIL, ceil(4 * rule.limit / rule.allowance))


def least(rule: Rule) -> int:
    """Readings without which there is no baseline."""
    if rule.when != "shifts":
        return MIN_BASELINE
    return min(rule.baseline.readings or SURE_SCATTER, SURE_SCATTER)


def lookback(rule: Rule) -> tuple[float, int]:
    """Seconds and readings of a series that a rule with a baseline needs, whichever reaches further
    back. A baseline of N readings is looked for among twice as many, since some may be of another
    setup."""
    if rule.baseline.peers:
        return rule.hold.seconds, rule.hold.of + 1
    newest = tail(rule) if rule.when == "shifts" else rule.hold.of
    readings = newest + 1 + max(2 * rule.baseline.readings, least(rule))
    return rule.hold.seconds + rule.baseline.seconds, readings


def reach(rule: Rule, readings: Readings) -> Readings:
    """The readings that a rule looks at, however many more are known."""
    seconds, count = lookback(rule)
    older = bisect_right(readings, readings[-1].at - seconds, key=_at)
    return readings[max(0, older - count) :]


def of_setup(readings: Readings, setup: str) -> Readings:
    """Those that compare with one another."""
    return tuple(reading for reading in readings if reading.setup == setup)


def baseline_readings(rule: Rule, readings: Readings) -> Readings:
    """The readings that make the baseline: the rule's window, of the last reading's setup, before
    those that `for` looks at or over which a shift adds up."""
    seen = reach(rule, readings)
    return _window(rule, of_setup(seen, seen[-1].setup))


def newest(rule: Rule, same: Readings) -> int:
    """How many of the latest readings a shift adds up over, and its baseline leaves out: fewer than
    `tail` while there are not many."""
    most = rule.baseline.readings
    known = len(same) if most else len(_since(same, same[-1].at - rule.baseline.seconds))
    return min(tail(rule), max(1, known - least(rule)))


def _window(rule: Rule, same: Readings) -> Readings:
    last, most = same[-1].at, rule.baseline.readings
    if rule.when == "shifts":
        before = same[: -newest(rule, same)]
    elif rule.hold.seconds:
        before = tuple(r for r in same[:-1] if r.at < last - rule.hold.seconds)
    else:
        before = same[: -rule.hold.of]
    return before[-most:] if most else _since(before, last - rule.baseline.seconds)


def _since(readings: Readings, moment: float) -> Readings:
    return readings[bisect_left(readings, moment, key=_at) :]


def _at(reading: Reading) -> float:
    return reading.at


# --- levels ----------------------------------------------------------------------------------


def level(rule: Rule, same: Readings) -> Level | int:
    """The level of the readings of one setup; how many there are where they are too few."""
    window = _window(rule, same)
    if len(window) < least(rule):
        return len(window)
    return of_readings(rule, window)


def of_readings(rule: Rule, window: Readings) -> Level:
    """The median of readings, and their scatter where the rule asks for it."""
    value = median(reading.value for reading in window)
    spread = scatter(window, value) if rule.when == "shifts" else None
    return Level(value, spread, window[-1].setup, len(window))


def scatter(window: Readings, centre: float) -> float:
    """One sigma about the centre, from the median absolute deviation, which outliers hardly move.
    Where most readings are equal it is their own uncertainty; 0 where that is not known."""
    spread = MAD_TO_SIGMA * median(abs(reading.value - centre) for reading in window)
    own = [reading.sigma for reading in window if reading.sigma is not None]
    return median(own) if spread == 0 and own else spread


def held(rule: Rule, standing: Standing | None, setup: str) -> Level | None:
    """The level that a trigger keeps, unless it is known to be of another setup."""
    if standing is None or standing.baseline is None or is_other(standing.setup, setup):
        return None
    if rule.when == "shifts" and standing.spread is None:
        return None
    return Level(standing.baseline, standing.spread, standing.setup)


def takes_turns(seen: Readings, standing: Standing | None) -> bool:
    """Whether a pending or firing trigger is held against the level of a setup with which that of
    the last reading takes turns: two probes with other settings may write one series."""
    if standing is None or standing.baseline is None or standing.state == "no-data":
        return False
    if not is_other(standing.setup, seen[-1].setup):
        return False
    latest = [reading.setup for reading in seen[-1 - TURNS : -1]]
    return seen[-1].setup in latest and standing.setup in latest[latest.index(seen[-1].setup) :]


def former(rule: Rule, seen: Readings, standing: Standing | None) -> Level | None:
    """The level before the setup changed to the last reading's: the one that the trigger kept, else
    that of its readings. None where there is none, or the setup has been there before."""
    setup = seen[-1].setup
    if standing is None or not is_other(standing.setup, setup):
        return None
    old = [index for index, reading in enumerate(seen) if reading.setup == standing.setup]
    if old and len(of_setup(seen[: old[-1]], setup)) >= least(rule):
        return None
    window = tuple(seen[index] for index in old[-rule.baseline.readings :])
    if standing.baseline is not None and (rule.when != "shifts" or standing.spread is not None):
        return Level(standing.baseline, standing.spread, standing.setup, len(window))
    return of_readings(rule, window) if len(window) >= least(rule) else None


# --- setups ----------------------------------------------------------------------------------


def is_other(old: str, new: str) -> bool:
    """Whether a setup is known to have changed."""
    return bool(old and new) and old != new


def before(seen: Sequence[Reading], standing: Standing | None) -> str | None:
    """The setup before the last reading's; None where no other one is known of."""
    setup = seen[-1].setup
    if standing is not None and is_other(standing.setup, setup):
        return standing.setup
    others = (reading.setup for reading in reversed(seen) if reading.setup != setup)
    return next(others, None)


def differences(old: str, new: str) -> str:
    """In what two setups differ, in few words: "driver 570.86 → 580.01, torch 2.12 → 2.13"."""
    if not old or not new:
        return "the setup is known" if new else "the setup is not known"
    then, now = facts(old), facts(new)
    changed = [key for key in {**then, **now} if then.get(key, UNKNOWN) != now.get(key, UNKNOWN)]
    told = [
        f"{key.replace('_', ' ')} {_change(then.get(key, UNKNOWN), now.get(key, UNKNOWN))}"
        for key in changed[:MOST_TOLD]
    ]
    more = [f"{len(changed) - MOST_TOLD} more"] if len(changed) > MOST_TOLD else []
    return ", ".join([*told, *more]) or "the setup is another"


def is_alike(one: str, other: str) -> bool:
    """Whether readings of two setups compare but for the power that their devices may draw."""
    return one == other or _but_for_power(one) == _but_for_power(other)


def _but_for_power(setup: str) -> dict[str, str]:
    return {key: v for key, v in facts(setup).items() if not key.startswith("power_limit")}


@lru_cache(maxsize=256)
def facts(setup: str) -> dict[str, str]:
    """A setup as texts by key; those of an inner table by both names: "libraries torch"."""
    try:
        document = json.loads(setup)
    except ValueError:
        return {"setup": _line(setup)}
    return dict(_flat(document if isinstance(document, dict) else {"setup": document}))


def _flat(document: dict[str, object], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key} ")
        else:
            said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield f"{above}{key}", _line(said)


def _line(text: str) -> str:
    return " ".join(text.split()) or '""'


def _change(old: str, new: str) -> str:
    """From one value to another; of long ones from the word on in which they differ."""
    if max(len(old), len(new)) > LONGEST_VALUE:
        pairs = takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False))
        begin = old.rfind(" ", 0, sum(1 for _ in pairs)) + 1
        old, new = (f"…{text[begin:]}" if begin else text for text in (old, new))
    return f"{_short(old)} → {_short(new)}"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
