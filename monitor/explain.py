"""Why a trigger fires or does not: the readings looked at, and each step that decided."""

from dataclasses import dataclass
from typing import Any

from monitor.facts import threshold_text
from monitor.judge import series
from monitor.report import iso
from monitor.text import number
from storage.store import Store
from storage.types import Reading, Series, Standing
from triggers.check import Verdict, check, lookback
from triggers.quantity import say_duration
from triggers.rule import RELATIVE, Rule

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Explanation:
    """One trigger on one target: where it stands, and why."""

    rule: Rule
    standing: Standing
    readings: tuple[Reading, ...]
    unit: str
    verdict: Verdict
    steps: tuple[str, ...]


def explain(store: Store, rule: Rule, standing: Standing, now: float) -> Explanation:
    """Judge the rule once more on what is stored, changing nothing."""
    seen = series(store, rule, standing)
    verdict = check(rule, seen, now, standing.baseline)
    return Explanation(
        rule,
        standing,
        seen.readings,
        seen.unit,
        verdict,
        tuple(_steps(rule, standing, seen, verdict)),
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


def _steps(rule: Rule, standing: Standing, seen: Series, verdict: Verdict) -> list[str]:
    """What was asked, in the order in which it was asked, and what the answer was."""
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
    steps.append(_state(rule, standing))
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


def _state(rule: Rule, standing: Standing) -> str:
    ways = {
        "inactive": "fires when the condition has held for long enough",
        "pending": f"fires when the condition has held for {rule.hold}",
        "firing": "resolves on a reading that clears it"
        + (
            f", {say_duration(rule.keep_firing_for)} after the last that held"
            if rule.keep_firing_for
            else ""
        ),
        "no-data": "waits for readings",
    }
    return f"stands at {standing.state}; {ways[standing.state]}"
