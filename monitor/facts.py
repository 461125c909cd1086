"""All that a message will say about one change, as plain JSON."""

import shlex
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean
from typing import Any

from monitor.text import ago, number, percent
from storage.types import Reading, Series, Standing
from triggers.checklist import Judgement
from triggers.composite import EVERYWHERE, Member, members_text
from triggers.quantity import say_duration
from triggers.rule import COMPOSITE, KEYED, Rule

TREND_POINTS = 48
"""The most numbers of a trend that are kept with an alert."""


def of_trigger(
    rule: Rule,
    standing: Standing,
    trend: Series,
    why: str,
    better: str | None = None,
    *,
    made_of: str = "",
) -> dict[str, Any]:
    """Facts of a trigger that changed. `trend` are the readings up to the one that decided;
    `better` is the signal's direction of progress; `made_of` tells of what the baseline is made."""
    last = trend.readings[-1] if trend.readings else None
    shown = _shown(rule, trend)
    facts = {
        "signal": rule.signal or f"runs of {rule.probe}",
        "unit": standing.unit,
        "better": better,
        "when": rule.when,
        "value": standing.value,
        # an age, and the best of many readings: the last one's uncertainty is not about it
        "sigma": last.sigma if last and rule.when not in ("stale", "crosses") else None,
        "threshold": standing.threshold,
        "threshold_text": threshold_text(rule, standing),
        "baseline": standing.baseline,
        "spread": standing.spread,
        "made_of": made_of,
        "origin": standing.origin,
        "since": standing.read_at or standing.since,
        "read_at": standing.read_at,
        "note": last.note if last and rule.when != "crosses" else "",
        "why": why,
        "trend": thinned([reading.value for reading in shown]),
        "trend_window": say_duration(shown[-1].at - shown[0].at) if shown else "",
        "advice": rule.advice,
        "explain": explain(rule, standing.target),
    }
    return {name: value for name, value in facts.items() if value not in (None, "", [])}


def of_composite(
    rule: Rule, standing: Standing, members: Sequence[Member], why: str
) -> dict[str, Any]:
    """Facts of a composite that changed: its members, those that fire first."""
    ordered = sorted(members, key=lambda member: (member.holds is None, not member.holds))
    fire = sum(member.holds is True for member in members)
    facts = {
        "when": rule.when,
        "threshold_text": threshold_text(rule, standing),
        "tally": f"{fire} of {len(rule.of)} triggers fire",
        "members": [
            {"name": member.label, "value_text": member.why, "holds": member.holds}
            for member in ordered
        ],
        "since": standing.since,
        "why": why,
        "advice": rule.advice,
        "explain": explain(rule, standing.target),
    }
    return {name: value for name, value in facts.items() if value not in (None, "", [])}


def of_item(judgement: Judgement, why: str) -> dict[str, Any]:
    """Facts of a checklist item that changed."""
    return {
        "question": judgement.question,
        "why": why,
        "criteria": [
            {
                "name": criterion.trigger or "not measured yet",
                "value_text": _criterion(criterion.value, criterion.threshold, criterion.unit)
                or criterion.why,
                "holds": criterion.holds,
            }
            for criterion in judgement.criteria
        ],
        "explain": "qrossover checklist",
        "advice": "Open the question again with those who plan the next cluster.",
    }


def threshold_text(rule: Rule, standing: Standing) -> str:
    """The threshold in words: "10% below the baseline of 51,200 token/s"."""
    if rule.when in COMPOSITE:
        return members_text(rule)
    if rule.when == "fails":
        return f"failed, {rule.hold.said('run')}"
    if rule.when == "stale":
        return f"no reading for {say_duration(rule.limit)}"
    if rule.when in KEYED:
        return _beyond_baseline(rule, standing)
    if rule.when == "crosses":
        ahead = ago(rule.horizon or 0.0)
        return f"{rule.side} {number(rule.limit, standing.unit)} within {ahead}"
    return f"{rule.when} {number(rule.limit, standing.unit)}"


def _beyond_baseline(rule: Rule, standing: Standing) -> str:
    level = standing.baseline
    of = "" if level is None else f" of {number(level, standing.unit)}"
    if rule.when == "shifts":
        way = {"above": " up", "below": " down", None: ""}[rule.side]
        sums = f"summed past {rule.allowance:g} σ a reading"
        return f"{rule.limit:g} σ{way} from the baseline{of}, {sums}"
    side = "below" if rule.when == "drops" else "above"
    what = "its peers' median" if rule.baseline.peers else "the baseline"
    return f"{percent(rule.limit)} {side} {what}{of}"


def explain(rule: Rule, target: str) -> str:
    """The command that shows why a trigger stands where it stands."""
    command = f"qrossover trigger explain {rule.name}"
    return (
        command
        if target in (rule.target, EVERYWHERE)
        else f"{command} --target {shlex.quote(target)}"
    )


def _criterion(value: float | None, threshold: float | None, unit: str) -> str:
    if value is None or threshold is None:
        return ""
    return f"{number(value, unit)} against {number(threshold, unit)}"


def thinned(values: Sequence[float]) -> list[float]:
    """At most TREND_POINTS numbers: means of equally many values each, then the last value itself,
    since that is the one the message is about."""
    if len(values) <= TREND_POINTS:
        return list(values)
    *before, last = values
    edges = [index * len(before) // (TREND_POINTS - 1) for index in range(TREND_POINTS)]
    return [*(fmean(before[a:b]) for a, b in pairwise(edges)), last]


def _shown(rule: Rule, trend: Series) -> Sequence[Reading]:
    """The readings of the trend. One is no trend, and a stale trigger's unit is not theirs. The
    points of a line are taken from accepted readings already."""
    if rule.when == "stale":
        return ()
    taken = rule.when in ("fails", "crosses")
    counted = [r for r in trend.readings if taken or r.origin in rule.accept]
    return counted if len(counted) > 1 else ()
