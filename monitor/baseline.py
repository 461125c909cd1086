"""The level that drops, rises and shifts are held against: how it was made, and of which
readings."""

from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from monitor.text import moment
from storage.outbox import Outbox
from storage.peers import peers
from storage.store import Store
from storage.types import Reading, Series, Standing
from triggers import peers as beside
from triggers.baseline import baseline_readings, differences, is_other
from triggers.check import Verdict, lookback
from triggers.rule import KEYED, MIN_BASELINE, Rule

NEAR = 50
"""So many readings before a condition began its baseline is looked for: of a rule that was edited
since there is none to be found, and a year of them would be searched."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A level in the signal's unit. `kept`: it was made when the condition began.

    `readings` made it, from `since` until `until`; None where these readings are not known any
    more. `spread` is the scatter about it, one sigma, where the trigger asks for that; `setup` what
    they were made with. Of peers, `readings` is how many there are, and there is no past.
    """

    level: float
    kept: bool
    readings: int | None = None
    since: float | None = None
    until: float | None = None
    spread: float | None = None
    setup: str = ""


@dataclass(frozen=True, slots=True)
class Moved:
    """The last change of setup among the readings looked at: the `reading` with which the present
    one began, and in what it differs from the one before."""

    reading: Reading
    what: str


def baseline_of(
    store: Store, rule: Rule, standing: Standing, seen: Series, verdict: Verdict
) -> Baseline | None:
    """The level that a standing is held against, now that its verdict is this; None where the rule
    has no baseline, or none yet. The peers of `seen` are those that compare."""
    if rule.when not in KEYED or verdict.baseline is None:
        return None
    if rule.baseline.peers:
        return Baseline(verdict.baseline, kept=False, readings=len(seen.peers))
    kept = standing.baseline is not None and not is_other(standing.setup, verdict.setup)
    if kept:
        window = _kept(store, rule, standing)
    else:
        window = baseline_readings(rule, tuple(r for r in seen.readings if r.origin in rule.accept))
    level = Baseline(verdict.baseline, kept, spread=verdict.spread, setup=verdict.setup)
    if not window:
        return level
    return replace(level, readings=len(window), since=window[0].at, until=window[-1].at)


def made_of(store: Store, rule: Rule, standing: Standing) -> str:
    """Of what the level was made that a standing keeps, in few words: "median of 40 readings since
    2026-11-12 14:05 UTC"; "" where that is not known."""
    if standing.baseline is None or rule.when not in KEYED:
        return ""
    signal, target = rule.signal or "", standing.target
    if rule.baseline.peers:
        last = store.window(signal, target, accept=rule.accept)
        seen = replace(last, peers=peers(store, signal, target))
        moment_read = standing.read_at or standing.since
        return f"median of {len(compared(rule, seen, moment_read))} peers"
    window = _kept(store, rule, standing)
    return f"median of {len(window)} readings since {moment(window[0].at)}" if window else ""


def compared(rule: Rule, seen: Series, now: float) -> tuple[Reading, ...]:
    """The peers whose readings compare with the last of the series."""
    mine = [reading for reading in seen.readings if reading.origin in rule.accept]
    if not mine:
        return ()
    return tuple(peer for peer in seen.peers if beside.values(rule, (peer,), mine[-1], now))


def moved(rule: Rule, seen: Series) -> Moved | None:
    """When and how the setup last changed, where that is among the readings looked at."""
    readings = [reading for reading in seen.readings if reading.origin in rule.accept]
    changes = [pair for pair in pairwise(readings) if pair[0].setup != pair[1].setup]
    if not changes:
        return None
    before, after = changes[-1]
    return Moved(after, differences(before.setup, after.setup))


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
    known = bisect_right(seen, began, key=lambda reading: reading.at)
    for end in range(known, max(MIN_BASELINE, known - rule.hold.of - NEAR), -1):
        window = baseline_readings(rule, seen[:end])
        if len(window) >= MIN_BASELINE and median(r.value for r in window) == standing.baseline:
            return window
    return ()


def _began(store: Store, standing: Standing) -> float:
    """When the condition began: what the first message says, else the present state's beginning."""
    if standing.told != "fires" or standing.alert is None:
        return standing.since
    return float(Outbox(store).get(standing.alert).alert.facts.get("since", standing.since))
