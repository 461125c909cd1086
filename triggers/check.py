"""Does a rule's condition hold on a series? Pure: readings and now in, a verdict with its reason
out. Everything is worked out from the readings, so that a restart changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from storage.types import Origin, Reading, Series, Standing
from triggers import baseline, crosses, peers
from triggers.baseline import Level, Readings
from triggers.quantity import say_duration
from triggers.rule import KEYED, Rule
from triggers.shifts import Shift, sentence, shifts

NO_SHARE = 'the baseline is 0, of which no share can be taken: use "above" or "below"'
WHOLE, LARGE = 1e4, 1e9
"""Between these a level is told as a whole number."""
NO_SCATTER = (
    "the readings of the baseline do not differ and have no uncertainty, so that a shift has no "
    'measure: use "drops" or "rises"'
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a series says about a rule.

    `holds`: the latest reading is beyond the threshold; None where nothing can be said.
    `sustained`: it has been so for as long as `for` asks.
    `clears`: the latest reading is back past `clear`, and `for` is no longer met.
    `absent`: nothing can be said because readings are missing or too old; `refused`: there is
    one, of an origin that the rule does not accept.
    `at`: the moment that the verdict is about. `threshold` is in the signal's unit: of a shift what
    the last reading has to pass. `baseline`, `spread` and `setup` are the level that it was judged
    against, one sigma about it, and what its readings were made with.
    `moved`: why the level that the trigger keeps is no measure of the last reading: its setup is
    another. `rebased`: how far a new setup's baseline lies beyond the threshold from the old one,
    "" where it does not.
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
    spread: float | None = None
    setup: str = ""
    moved: str = ""
    rebased: str = ""


def check(rule: Rule, series: Series, now: float, standing: Standing | None = None) -> Verdict:
    """Judge `rule` on `series` (oldest first) at `now`.

    `standing` has the level that a pending or firing trigger is already held against, and the setup
    of the last one that was known; without a level it is the median of the rule's window before the
    readings that `for` looks at. A rule that crosses is judged on one series of all its targets, as
    `storage.progress` makes it.
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
        too_old = f"the last reading is {age} old, more than {most}"
        return replace(_unsaid(series.unit, last, too_old), absent=True)
    if rule.when in KEYED:
        return _compared(rule, series, readings, now, standing)
    return _against(rule, series.unit, readings, rule.limit, rule.clear_limit)


def _unsaid(unit: str, last: Reading, why: str) -> Verdict:
    """There is a last reading, of which nothing can be said."""
    return Verdict(None, why, at=last.at, value=last.value, unit=unit, origin=last.origin)


def _unheard(rule: Rule, series: Series) -> Verdict:
    """Nothing that counts; a reading of another origin is shown all the same."""
    verdict = Verdict(None, _nothing(rule, series), absent=True, unit=series.unit)
    if not series.readings:
        return verdict
    last = series.readings[-1]
    return replace(verdict, refused=True, at=last.at, value=last.value, origin=last.origin)


def _accepted(rule: Rule, series: Series) -> Readings:
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


def _crosses(rule: Rule, series: Series, readings: Readings, now: float) -> Verdict:
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


# --- against a baseline ------------------------------------------------------------------------


def _compared(
    rule: Rule, series: Series, readings: Readings, now: float, standing: Standing | None
) -> Verdict:
    if rule.baseline.peers:
        return _against_peers(rule, series, readings, now)
    return _against_baseline(rule, series.unit, readings, standing)


def _against_baseline(
    rule: Rule, unit: str, readings: Readings, standing: Standing | None
) -> Verdict:
    seen = baseline.reach(rule, readings)
    turns = baseline.takes_turns(seen, standing)
    setup = standing.setup if standing and turns else seen[-1].setup
    same = baseline.of_setup(seen, setup)
    kept = baseline.held(rule, standing, setup)
    if kept is not None:
        return against_level(rule, unit, same, kept)
    level = baseline.level(rule, same)
    if isinstance(level, int):
        return replace(
            learning(rule, unit, same[-1], level, baseline.before(seen, standing)),
            moved=_moved(standing, setup, "a new baseline begins"),
        )
    old = baseline.former(rule, seen, standing)
    moved = _moved(standing, setup, "it has a baseline of its own")
    rebased = "" if old is None else _rebased(rule, unit, old, level)
    verdict = against_level(rule, unit, same, level)
    return replace(verdict, moved=moved, rebased=rebased) if moved or rebased else verdict


def _moved(standing: Standing | None, setup: str, then: str) -> str:
    if standing is None or standing.baseline is None:
        return ""
    if not baseline.is_other(standing.setup, setup):
        return ""
    return f"the setup changed: {baseline.differences(standing.setup, setup)}; {then}"


def _rebased(rule: Rule, unit: str, old: Level, new: Level) -> str:
    """A change of setup must not hide a regression, nor a harmless one tell anybody."""
    if not _is_beyond(rule, old, new.value):
        return ""
    side = "below" if new.value < old.value else "above"
    sigmas = ""
    if old.spread:
        sigmas = f"{abs(new.value - old.value) / old.spread:.3g} σ {side} the old"
    share = f"{100 * abs(new.value / old.value - 1):.3g}% {side} the old" if old.value else ""
    return (
        f"new baseline {said(new.value, unit)} since {baseline.differences(old.setup, new.setup)}, "
        f"{share or sigmas} {said(old.value)}"
    )


def _is_beyond(rule: Rule, old: Level, value: float) -> bool:
    """Whether a level would itself hold against an old one: a shift, by more than it may have."""
    if rule.when == "shifts":
        most = rule.allowance * (old.spread or 0.0)
        below, above = value < old.value - most, value > old.value + most
        return (below and rule.side != "above") or (above and rule.side != "below")
    return old.value != 0 and _side(rule, thresholds(rule, old.value)[0])(value)


def said(value: float, unit: str = "") -> str:
    """A level as a message tells it, with its unit: five digits, or all before the point."""
    number = f"{value:,.0f}" if WHOLE <= abs(value) < LARGE else f"{value:,.5g}"
    return number if unit in ("", "1") else f"{number} {unit}"


def learning(rule: Rule, unit: str, last: Reading, known: int, old: str | None = None) -> Verdict:
    """The verdict while only `known` readings are there to make a baseline; `old` is the setup
    before theirs, None where there was none."""
    since = "" if old is None else f" since {baseline.differences(old, last.setup)}"
    said = f"learning the baseline: {known} of {baseline.least(rule)} readings{since}"
    return _unsaid(unit, last, said)


def against_level(rule: Rule, unit: str, readings: Readings, level: Level) -> Verdict:
    """Judge drops, rises and shifts against a level, fresh or kept. Of `readings`, all of one
    setup, only those that `for` looks at, or over which a shift adds up, count."""
    if rule.when == "shifts":
        return _shifted(rule, unit, readings, level)
    if level.value == 0:
        return _unmeasured(unit, readings[-1], level, NO_SHARE)
    limit, clear = thresholds(rule, level.value)
    verdict = _against(rule, unit, readings, limit, clear)
    return _beside(verdict, level, f"baseline {level.value:,.8g} ({_how(level)})")


def _how(level: Level) -> str:
    if level.fresh:
        return f"median of {level.fresh} readings"
    return "kept since the condition began"


def _beside(verdict: Verdict, level: Level, what: str) -> Verdict:
    return replace(
        verdict,
        baseline=level.value,
        spread=level.spread,
        setup=level.setup,
        why=f"{verdict.why}; {what}",
    )


def _unmeasured(unit: str, last: Reading, level: Level, why: str) -> Verdict:
    return replace(_unsaid(unit, last, why), baseline=level.value, setup=level.setup)


def _shifted(rule: Rule, unit: str, readings: Readings, level: Level) -> Verdict:
    last = readings[-1]
    if not level.spread:
        return _unmeasured(unit, last, level, NO_SCATTER)
    sides = shifts(rule, readings, level)
    worst = max(sides, key=lambda side: side.total)
    met = any(_is_met(rule, side) for side in sides)
    how = (
        f"; {sum(worst.over)} of the last {len(worst.over)}, needs {rule.hold}"
        if rule.confirm
        else ""
    )
    verdict = Verdict(
        worst.holds,
        f"{sentence(rule, worst, level)}{how}",
        sustained=worst.holds and met,
        clears=worst.total == 0,
        at=last.at,
        value=last.value,
        threshold=worst.edge,
        unit=unit,
        origin=last.origin,
    )
    what = f"baseline {level.value:,.8g}, 1 σ = {level.spread:.3g} ({_how(level)})"
    return _beside(verdict, level, what)


def _is_met(rule: Rule, side: Shift) -> bool:
    return side.holds and sum(side.over) >= rule.hold.readings


def _against_peers(rule: Rule, series: Series, readings: Readings, now: float) -> Verdict:
    last = readings[-1]
    found = peers.values(rule, series.peers, last, now)
    if len(found) < peers.LEAST:
        return _unsaid(series.unit, last, f"no peers: {len(found)} of {peers.LEAST}")
    level = peers.level(found)
    if level == 0:
        return _unmeasured(series.unit, last, Level(level), NO_SHARE)
    same = baseline.of_setup(readings, last.setup)
    verdict = _against(rule, series.unit, same, *thresholds(rule, level))
    return _beside(verdict, Level(level), peers.sentence(last.value, level, len(found)))


def thresholds(rule: Rule, level: float) -> tuple[float, float]:
    """Where drops and rises hold, and where they clear, at a baseline of `level`."""
    sign = -1 if rule.when == "drops" else 1
    return (
        level + sign * rule.limit * abs(level),
        level + sign * rule.clear_limit * abs(level),
    )


def lookback(rule: Rule) -> tuple[float, int]:
    """Seconds and readings of a series that `check` needs, whichever reaches further back."""
    if rule.when in KEYED:
        return baseline.lookback(rule)
    return rule.hold.seconds, rule.hold.of + 1


# --- against a threshold -----------------------------------------------------------------------


def _against(rule: Rule, unit: str, readings: Readings, limit: float, clear: float) -> Verdict:
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


def _held(rule: Rule, readings: Readings, is_beyond: Callable[[float], bool]) -> tuple[bool, str]:
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
