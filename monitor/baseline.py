"""The level that drops and rises are held against: how it was made, and of which readings."""

from dataclasses import dataclass
from statistics import median

from storage.store import Store
from storage.types import Reading, Series, Standing
from triggers.check import Verdict, baseline_readings, lookback
from triggers.rule import MIN_BASELINE, RELATIVE, Rule


@dataclass(frozen=True, slots=True)
class Baseline:
    """A level in the signal's unit. `kept`: it was made when the condition began.

    `readings` made it, from `since` until `until`; None where these readings are not known any
    more.
    """

    level: float
    kept: bool
    readings: int | None = None
    since: float | None = None
    until: float | None = None


def baseline_of(
    store: Store, rule: Rule, standing: Standing, seen: Series, verdict: Verdict
) -> Baseline | None:
    """The baseline of a verdict; None where the rule has none, or none yet."""
    if rule.when not in RELATIVE or verdict.baseline is None:
        return None
    kept = standing.baseline is not None
    if kept:
        window = _kept(store, rule, standing)
    else:
        window = baseline_readings(rule, tuple(r for r in seen.readings if r.origin in rule.accept))
    if not window:
        return Baseline(verdict.baseline, kept)
    return Baseline(verdict.baseline, kept, len(window), window[0].at, window[-1].at)


def _kept(store: Store, rule: Rule, standing: Standing) -> tuple[Reading, ...]:
    """The readings that a level was made of when the condition began: those before the last
    reading at that time whose median it is. Nothing where the history has changed since."""
    seconds, count = lookback(rule)
    signal, target = rule.signal or "", standing.target
    last = store.window(signal, target, 0.0, 1, rule.accept).readings
    span = max(0.0, last[-1].at - standing.since) if last else 0.0
    # `for` may have been asked for a while before the trigger fired
    seen = store.window(signal, target, 2 * seconds + span, count, rule.accept).readings
    for end in range(len(seen), MIN_BASELINE, -1):
        if seen[end - 1].at > standing.since:
            continue
        window = baseline_readings(rule, seen[:end])
        if len(window) >= MIN_BASELINE and median(r.value for r in window) == standing.baseline:
            return window
    return ()
