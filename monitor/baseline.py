"""The level that drops and rises are held against: how it was made, and of which readings."""

from dataclasses import dataclass
from statistics import median

from storage.outbox import Outbox
from storage.store import Store
from storage.types import Reading, Series, Standing
from triggers.baseline import baseline_readings
from triggers.check import Verdict, lookback
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
    """The level that a standing is held against, now that its verdict is this; None where the rule
    has no baseline, or none yet."""
    level = verdict.baseline if standing.baseline is None else standing.baseline
    if rule.when not in RELATIVE or level is None:
        return None
    kept = standing.baseline is not None
    if kept:
        window = _kept(store, rule, standing)
    else:
        window = baseline_readings(rule, tuple(r for r in seen.readings if r.origin in rule.accept))
    if not window:
        return Baseline(level, kept)
    return Baseline(level, kept, len(window), window[0].at, window[-1].at)


def _kept(store: Store, rule: Rule, standing: Standing) -> tuple[Reading, ...]:
    """The readings that a level was made of: those before the last reading, at the time when the
    condition began, whose median it is. Nothing where the history has changed since."""
    seconds, count = lookback(rule)
    signal, target = rule.signal or "", standing.target
    last = store.window(signal, target, 0.0, 1, rule.accept).readings
    began = _began(store, standing)
    span = max(0.0, last[-1].at - began) if last else 0.0
    # without its message it is not known for how long `for` was asked before the trigger fired
    seen = store.window(signal, target, 2 * seconds + span, count, rule.accept).readings
    for end in range(len(seen), MIN_BASELINE, -1):
        if seen[end - 1].at > began:
            continue
        window = baseline_readings(rule, seen[:end])
        if len(window) >= MIN_BASELINE and median(r.value for r in window) == standing.baseline:
            return window
    return ()


def _began(store: Store, standing: Standing) -> float:
    """When the condition began: what the first message says, else the present state's beginning."""
    if standing.told != "fires" or standing.alert is None:
        return standing.since
    return float(Outbox(store).get(standing.alert).alert.facts.get("since", standing.since))
