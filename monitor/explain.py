"""Why a trigger fires or does not: the readings looked at, and the step that decided."""

import json
from dataclasses import dataclass, replace
from typing import Any

from monitor import steps, trend
from monitor.baseline import Baseline, Moved, baseline_of, compared, moved
from monitor.config import Config
from monitor.judge import series
from monitor.report import iso
from monitor.steps import Step
from monitor.subjects import covered
from storage.store import Store
from storage.types import Reading, Standing
from triggers import composite
from triggers.change import advance, begin, stand
from triggers.check import Verdict, check
from triggers.composite import Member, Standings
from triggers.quiet import is_snoozed
from triggers.rule import KEYED, Rule

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Explanation:
    """One trigger on one target: where it stands, and why. `judged`: the service has judged it.

    `baseline` belongs to drops, rises and shifts, as does when their setup has `moved`; `peers` are
    the devices that a baseline of peers is made of. `members` belong to composites, `forecast` to
    trends.
    """

    rule: Rule
    standing: Standing
    readings: tuple[Reading, ...]
    unit: str
    verdict: Verdict
    steps: tuple[Step, ...]
    judged: bool
    snoozed: bool
    baseline: Baseline | None = None
    moved: Moved | None = None
    peers: tuple[Reading, ...] = ()
    members: tuple[tuple[Member, Standing | None], ...] = ()
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
    if composite.is_composite(rule):
        return list(composite.targets(rule, _of_members(store, rule)))
    known = {target for signal, target, _ in store.names() if signal == rule.signal}
    return covered(rule, config.probes, known)


def _of_members(store: Store, rule: Rule) -> Standings:
    return {name: store.standings_of(name) for name in rule.of}


def explain(store: Store, rule: Rule, standing: Standing, now: float) -> Explanation:
    """Judge the rule once more on what is stored, changing nothing."""
    stored = store.standing(rule.name, standing.target)
    judged = stored is not None and stored.subject == rule.subject
    if composite.is_composite(rule):
        return _of_composite(store, rule, standing, now, judged=judged)
    seen = series(store, rule, standing)
    seen = replace(seen, peers=compared(rule, seen, now))
    verdict = check(rule, seen, now, standing)
    after, _ = stand(rule, standing, seen, now)
    baseline = baseline_of(store, rule, standing, seen, verdict)
    asked = (
        steps.of_trend(rule, seen, verdict, now)
        if rule.when == "crosses"
        else steps.of_series(rule, standing, seen, verdict, baseline)
    )
    return Explanation(
        rule,
        standing,
        trend.shown(rule, seen),
        seen.unit,
        verdict,
        (*asked, *steps.at_the_end(rule, standing, after, now, judged=judged)),
        judged,
        is_snoozed(standing, now),
        baseline=baseline,
        moved=moved(rule, seen) if rule.when in KEYED else None,
        peers=seen.peers,
        forecast=trend.document(rule, seen, now),
    )


def _of_composite(
    store: Store, rule: Rule, standing: Standing, now: float, *, judged: bool
) -> Explanation:
    found = _of_members(store, rule)
    verdict = composite.verdict(rule, standing.target, found, now)
    after, _ = advance(rule, standing, verdict, now)
    members = tuple(
        (member, next((s for s in found[member.trigger] if s.target == member.target), None))
        for member in composite.members(rule, standing.target, found)
    )
    asked = steps.of_composite(rule, standing.target, members, verdict)
    return Explanation(
        rule,
        standing,
        (),
        verdict.unit,
        verdict,
        (*asked, *steps.at_the_end(rule, standing, after, now, judged=judged)),
        judged,
        is_snoozed(standing, now),
        members=members,
    )


# --- the document ----------------------------------------------------------------------------


def as_json(told: Explanation) -> dict[str, Any]:
    """The explanation as a document."""
    standing, verdict, baseline = told.standing, told.verdict, told.baseline
    decided = [index for index, step in enumerate(told.steps, start=1) if step.decided]
    return {
        "name": told.rule.name,
        "target": standing.target,
        "state": standing.state,
        "since": iso(standing.since),
        "value": verdict.value,
        "threshold": verdict.threshold,
        "baseline": verdict.baseline,
        "baseline_readings": baseline.readings if baseline else None,
        "baseline_from": iso(baseline.since) if baseline else None,
        "baseline_until": iso(baseline.until) if baseline else None,
        "baseline_kept": baseline.kept if baseline else None,
        "baseline_spread": baseline.spread if baseline else None,
        "baseline_setup": _object(baseline.setup) if baseline else None,
        "setup_since": iso(told.moved.reading.at) if told.moved else None,
        "setup_change": told.moved.what if told.moved else None,
        "peers": [
            {"target": peer.target, "at": iso(peer.at), "value": peer.value} for peer in told.peers
        ],
        "unit": verdict.unit,
        "holds": verdict.holds,
        "why": verdict.why,
        "steps": [step.text for step in told.steps],
        "decided_by": decided[0] if decided else None,
        "notify": told.rule.notify,
        "acknowledged_by": standing.acknowledged_by,
        "acknowledged_at": iso(standing.acknowledged_at),
        "snoozed_until": iso(standing.snoozed_until) if told.snoozed else None,
        "members": [_member(*pair) for pair in told.members],
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


def _object(setup: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = json.loads(setup) if setup else None
    return found


def _member(member: Member, standing: Standing | None) -> dict[str, Any]:
    return {
        "trigger": member.trigger,
        "target": member.target,
        "state": standing.state if standing else None,
        "since": iso(standing.since) if standing else None,
        "holds": member.holds,
        "why": member.why,
    }
