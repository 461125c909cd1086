"""Does a rule's condition hold on a series? Pure: readings and now in, a verdict with its reason
out. Everything is worked out from the readings, so that a restart changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

from storage.types import Origin, Reading, Series
from triggers import crosses
from triggers.quantity import say_duration
from triggers.rule import MIN_BASELINE, RELATIVE, Rule


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a series says about a rule.

    `holds`: the latest reading is beyond the threshold; None where nothing can be said.
    `sustained`: it has been so for as long as `for` asks.
    `clears`: the latest reading is back past `clear`, and `for` is no longer met.
    `absent`: nothing can be said because readings are missing or too old; `refused`: there is
    one, of an origin that the rule does not accept.
    `at`: the moment that the verdict is about. `threshold` is in the signal's unit.
    """

    holds: bool | None
    why: str
    sustained: bool = False
    clears: bool = False
    absent: bool = False
    refused: bool = False
    at: float | None = None
    value: float | None = None
    threshold: float | None = None
    baseline: float | None = None
    unit: str = ""
    origin: Origin | None = None


def check(rule: Rule, series: Series, now: float, baseline: float | None = None) -> Verdict:
    """Judge `rule` on `series` (oldest first) at `now`.

    `baseline` is the level that a pending or firing trigger is already held against; without it
    the level is the median of the rule's window before the readings that `for` looks at. A rule
    that crosses is judged on one series of all its targets, as `storage.progress` makes it.
    """
    if rule.when == "stale":
        return _stale(rule, series, now)
    readings = _accepted(rule, series)
    if rule.when == "crosses":
        return _crosses(rule, series, readings, now)
    if not readings:
        return _unheard(rule, series)
    last = readings[-1]
    if rule.max_age is not None and now - last.at > rule.max_age:
        age, most = say_duration(now - last.at), say_duration(rule.max_age)
        return Verdict(
            None,
            f"the last reading is {age} old, more than {most}",
            absent=True,
            at=last.at,
            value=last.value,
            unit=series.unit,
            origin=last.origin,
        )
    if rule.when in RELATIVE:
        return _against_baseline(rule, series.unit, readings, baseline)
    return _against(rule, series.unit, readings, rule.limit, rule.clear_limit)


def _unheard(rule: Rule, series: Series) -> Verdict:
    """Nothing that counts; a reading of another origin is shown all the same."""
    verdict = Verdict(None, _nothing(rule, series), absent=True, unit=series.unit)
    if not series.readings:
        return verdict
    last = series.readings[-1]
    return replace(verdict, refused=True, at=last.at, value=last.value, origin=last.origin)


def _accepted(rule: Rule, series: Series) -> tuple[Reading, ...]:
    if rule.when == "fails":
        return series.readings
    accept = rule.accept
    return tuple(reading for reading in series.readings if reading.origin in accept)


def _nothing(rule: Rule, series: Series) -> str:
    if series.readings:
        refused = series.readings[-1].origin
        return f"the last reading is {refused}, which this trigger does not accept"
    return "no run has ended yet" if rule.when == "fails" else "no reading yet"


def _stale(rule: Rule, series: Series, now: float) -> Verdict:
    readings = _accepted(rule, series)
    last = readings[-1] if readings else None
    seen = last.at if last else series.watched_since
    if seen is None:
        return Verdict(None, _nothing(rule, series), absent=True, unit="s")
    age = now - seen
    holds = age > rule.limit
    what = (
        f"the last reading came {say_duration(age)} ago"
        if last
        else f"{_nothing(rule, series)}; watched for {say_duration(age)}"
    )
    return Verdict(
        holds,
        f"{what}, {'past' if holds else 'within'} {say_duration(rule.limit)}",
        sustained=holds,
        clears=not holds and last is not None,
        # Fresh is a thing that the reading says, and stale one that the clock says.
        at=last.at if last and not holds else now,
        value=age,
        threshold=rule.limit,
        unit="s",
        origin="derived",
    )


def _crosses(rule: Rule, series: Series, readings: tuple[Reading, ...], now: float) -> Verdict:
    """A forecast that cannot be made yet is no missing reading: that there are too few points is
    all that the readings say."""
    if not readings:
        unheard = replace(_unheard(rule, series), threshold=rule.limit)
        return unheard if series.readings else replace(unheard, why=crosses.unheard(rule))
    told = crosses.outlook(rule, series.unit, readings, now)
    return Verdict(
        told.holds,
        told.why,
        sustained=told.holds is True,
        clears=told.holds is False,
        at=readings[-1].at,
        value=told.best.value,
        threshold=rule.limit,
        unit=series.unit,
        origin=told.best.origin,
    )


def _against_baseline(
    rule: Rule, unit: str, readings: tuple[Reading, ...], frozen: float | None
) -> Verdict:
    if frozen is not None:
        return against_level(rule, unit, readings, frozen)
    window = baseline_readings(rule, readings)
    if len(window) < MIN_BASELINE:
        return learning(unit, readings[-1], len(window))
    level = median(reading.value for reading in window)
    return against_level(rule, unit, readings, level, len(window))


def learning(unit: str, last: Reading, known: int) -> Verdict:
    """The verdict while only `known` readings are there to make a baseline."""
    return Verdict(
        None,
        f"learning the baseline: {known} of {MIN_BASELINE} readings",
        at=last.at,
        value=last.value,
        unit=unit,
        origin=last.origin,
    )


def against_level(
    rule: Rule, unit: str, readings: tuple[Reading, ...], level: float, fresh: int = 0
) -> Verdict:
    """Judge drops and rises against a level: the median of so many `fresh` readings, or the one
    that the trigger keeps. Of `readings` only those that `for` looks at count."""
    last = readings[-1]
    if level == 0:
        return Verdict(
            None,
            'the baseline is 0, of which no share can be taken: use "above" or "below"',
            at=last.at,
            value=last.value,
            baseline=level,
            unit=unit,
            origin=last.origin,
        )
    limit, clear = thresholds(rule, level)
    verdict = _against(rule, unit, readings, limit, clear)
    kept = (
        f"median of {fresh} readings" if fresh else "kept since the trigger stopped being inactive"
    )
    return replace(verdict, baseline=level, why=f"{verdict.why}; baseline {level:,.8g} ({kept})")


def thresholds(rule: Rule, level: float) -> tuple[float, float]:
    """Where drops and rises hold, and where they clear, at a baseline of `level`."""
    sign = -1 if rule.when == "drops" else 1
    return (
        level + sign * rule.limit * abs(level),
        level + sign * rule.clear_limit * abs(level),
    )


def lookback(rule: Rule) -> tuple[float, int]:
    """Seconds and readings of a series that `check` needs, whichever reaches further back."""
    seconds, readings = rule.hold.seconds, rule.hold.of + 1
    if rule.when in RELATIVE:
        seconds += rule.baseline.seconds
        readings += max(rule.baseline.readings, MIN_BASELINE)
    return seconds, readings


def baseline_readings(rule: Rule, readings: tuple[Reading, ...]) -> tuple[Reading, ...]:
    """The readings that make the baseline: the rule's window, before those `for` looks at."""
    last = readings[-1].at
    if rule.hold.seconds:
        before = tuple(r for r in readings[:-1] if r.at < last - rule.hold.seconds)
    else:
        before = readings[: -rule.hold.of]
    if rule.baseline.readings:
        return before[-rule.baseline.readings :]
    return tuple(reading for reading in before if reading.at >= last - rule.baseline.seconds)


def _against(
    rule: Rule, unit: str, readings: tuple[Reading, ...], limit: float, clear: float
) -> Verdict:
    is_beyond = _side(rule, limit)
    last = readings[-1]
    holds = is_beyond(last.value)
    met, how = _held(rule, readings, is_beyond)
    back = not _side(rule, clear)(last.value)
    return Verdict(
        holds,
        _sentence(rule, last, limit, holds, how),
        sustained=holds and met,
        clears=not holds and back and not met,
        at=last.at,
        value=last.value,
        threshold=None if rule.when == "fails" else limit,
        unit=unit,
        origin=last.origin,
    )


def _side(rule: Rule, limit: float) -> Callable[[float], bool]:
    if rule.when in ("below", "drops"):
        return lambda value: value < limit
    return lambda value: value > limit


def _held(
    rule: Rule, readings: tuple[Reading, ...], is_beyond: Callable[[float], bool]
) -> tuple[bool, str]:
    """Whether `for` is met, and in what words; none where one reading is enough."""
    if rule.hold.seconds:
        first = None
        for reading in reversed(readings):
            if not is_beyond(reading.value):
                break
            first = reading.at
            if readings[-1].at - first >= rule.hold.seconds:
                break
        span = 0.0 if first is None else readings[-1].at - first
        met = first is not None and span >= rule.hold.seconds
        return met, f"; for {say_duration(span)} of {say_duration(rule.hold.seconds)}"
    tail = readings[-rule.hold.of :]
    hits = sum(is_beyond(reading.value) for reading in tail)
    met = hits >= rule.hold.readings
    needs = rule.hold.said("run" if rule.when == "fails" else "reading")
    return met, "" if rule.hold.of == 1 else f"; {hits} of the last {len(tail)}, needs {needs}"


def _sentence(rule: Rule, last: Reading, limit: float, holds: bool, how: str) -> str:
    if rule.when == "fails":
        what = f"failed ({last.note})" if holds else "did not fail"
        return f"the last run {what}{how}"
    word = "below" if rule.when in ("below", "drops") else "above"
    return f"{last.value:,.8g} is {'' if holds else 'not '}{word} {limit:,.8g}{how}"
