"""Why a trigger fires or does not: the readings looked at, and each step that decided."""

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from monitor import trend
from monitor.config import Config
from monitor.facts import threshold_text
from monitor.judge import series
from monitor.report import iso
from monitor.text import number
from storage.store import Store
from storage.types import Reading, Series, Standing, State
from triggers.change import begin, stand
from triggers.check import Verdict, check, lookback
from triggers.quantity import say_duration
from triggers.rule import RELATIVE, Rule

SHOWN = 10
NEXT: dict[State, str] = {
    "inactive": "will be inactive",
    "pending": "will be pending",
    "firing": "will fire",
    "no-data": "will be without data",
}
"""What the next judgement makes of a trigger that stands elsewhere."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One trigger on one target: where it stands, and why. `judged`: the service has judged it."""

    rule: Rule
    standing: Standing
    readings: tuple[Reading, ...]
    unit: str
    verdict: Verdict
    steps: tuple[str, ...]
    judged: bool
    forecast: dict[str, Any] | None = None


def standings(store: Store, config: Config, rule: Rule, now: float) -> list[Standing]:
    """Where a rule stands on every target that it covers. One that the service has not judged
    yet, since the rule is new in the file, is as new there."""
    targets = _targets(store, config, rule)
    # A standing about something else is closed at the next start: it says nothing of this rule.
    kept = {s.target: s for s in store.standings_of(rule.name) if s.subject == rule.subject}
    new = replace(begin(rule.name, rule.target, now), subject=rule.subject)
    if not targets:
        return [kept.get(rule.target, new)]
    return [kept.get(target) or replace(new, target=target) for target in targets]


def _targets(store: Store, config: Config, rule: Rule) -> list[str]:
    if rule.probe is not None:
        return [name for name in config.probes if fnmatchcase(name, rule.probe)]
    if rule.when == "crosses":  # one trend of all targets together
        return [rule.target]
    known = [target for signal, target, _ in store.names() if signal == rule.signal]
    if rule.target in known:  # a name with signs of a pattern in it is a name first
        return [rule.target]
    return [target for target in known if fnmatchcase(target, rule.target)]


def explain(store: Store, rule: Rule, standing: Standing, now: float) -> Explanation:
    """Judge the rule once more on what is stored, changing nothing."""
    seen = series(store, rule, standing)
    verdict = check(rule, seen, now, standing.baseline)
    stored = store.standing(rule.name, standing.target)
    judged = stored is not None and stored.subject == rule.subject
    after, _ = stand(rule, standing, seen, now)
    return Explanation(
        rule,
        standing,
        trend.shown(rule, seen),
        seen.unit,
        verdict,
        (*_steps(rule, standing, seen, verdict, now), _state(rule, standing, after.state, judged)),
        judged,
        trend.document(rule, seen, now),
    )


def as_json(told: Explanation) -> dict[str, Any]:
    """The explanation as a document."""
    standing, verdict = told.standing, told.verdict
    return {
        "name": told.rule.name,
        "target": standing.target,
        "state": standing.state,
        "since": iso(standing.since),
        "value": verdict.value,
        "threshold": verdict.threshold,
        "baseline": verdict.baseline,
        "unit": verdict.unit,
        "holds": verdict.holds,
        "why": verdict.why,
        "steps": list(told.steps),
        "forecast": told.forecast,
        "readings": [
            {
                "unit": told.unit,
                "at": iso(reading.at),
                "value": reading.value,
                "sigma": reading.sigma,
                "origin": reading.origin,
                "note": reading.note,
            }
            for reading in told.readings
        ],
    }


def _steps(rule: Rule, standing: Standing, seen: Series, verdict: Verdict, now: float) -> list[str]:
    """What was asked, in the order in which it was asked, and what the answer was."""
    if rule.when == "crosses":
        return [*trend.steps(rule, seen, now), verdict.why]
    steps = [_readings(rule, seen)]
    if rule.max_age is not None and seen.readings:
        steps.append(f"readings count as missing when older than {say_duration(rule.max_age)}")
    if rule.when in RELATIVE:
        steps.append(_baseline(standing, verdict))
    if verdict.holds is None:
        steps.append(f"nothing can be said: {verdict.why}")
    else:
        steps.append(f"condition ({threshold_text(rule, standing)}): {verdict.why}")
        steps.append(_hold(rule, verdict))
    return steps


def _readings(rule: Rule, seen: Series) -> str:
    refused = [r.origin for r in seen.readings if r.origin not in rule.accept]
    judged = rule.when in ("fails", "stale")
    seconds, count = lookback(rule)
    reach = f"at least {count}" + (f" and {say_duration(seconds)} back" if seconds else "")
    text = f"{len(seen.readings)} readings looked at ({reach})"
    if refused and not judged:
        text += f", {len(refused)} not accepted: {', '.join(sorted(set(refused)))}"
    return text


def _baseline(standing: Standing, verdict: Verdict) -> str:
    if verdict.baseline is None:
        return "no baseline yet"
    kept = standing.baseline is not None
    how = "kept from when the condition began" if kept else "median of the window"
    return f"baseline {number(verdict.baseline, verdict.unit)} ({how})"


def _hold(rule: Rule, verdict: Verdict) -> str:
    if not verdict.holds:
        return f"for = {rule.hold}: not asked, since the last reading is not beyond"
    return f"for = {rule.hold}: {'met' if verdict.sustained else 'not met yet'}"


def _state(rule: Rule, standing: Standing, after: State, judged: bool) -> str:
    """Where it stands, and what will move it. `after`: where the next judgement puts it."""
    stands = f"stands at {standing.state}" if judged else "not judged yet"
    if after != standing.state:
        # the file, or the time, is ahead of the last judgement
        resolves = standing.state == "firing"
        then = "will resolve" if resolves else NEXT[after]
        return f"{stands}; {then} at the next reading or restart"
    ways = {
        "inactive": "fires when the line crosses in time"
        if rule.when == "crosses"
        else "fires when the condition has held for long enough",
        "pending": f"fires when the condition has held for {rule.hold}",
        "firing": (
            "resolves when the line crosses too late"
            if rule.when == "crosses"
            else "resolves on a reading that clears it"
        )
        + (
            f", {say_duration(rule.keep_firing_for)} after the last that held"
            if rule.keep_firing_for
            else ""
        ),
        "no-data": "waits for readings",
    }
    return f"{stands}; {ways[standing.state]}"
