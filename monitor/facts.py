"""All that a message will say about one change, as plain JSON."""

import shlex
from typing import Any

from monitor.text import number, percent
from storage.types import Series, Standing
from triggers.checklist import Judgement
from triggers.quantity import say_duration
from triggers.rule import RELATIVE, Rule

TREND_READINGS = 48


def of_trigger(rule: Rule, standing: Standing, trend: Series, why: str) -> dict[str, Any]:
    """Facts of a trigger that changed. `trend` are the readings up to the one that decided."""
    values = [reading.value for reading in trend.readings if _counts(rule, reading.origin)]
    last = trend.readings[-1] if trend.readings else None
    facts = {
        "signal": rule.signal or f"runs of {rule.probe}",
        "unit": standing.unit,
        "when": rule.when,
        "value": standing.value,
        "sigma": last.sigma if last else None,
        "threshold": standing.threshold,
        "threshold_text": threshold_text(rule, standing),
        "baseline": standing.baseline,
        "origin": standing.origin,
        "since": standing.read_at or standing.since,
        "read_at": standing.read_at,
        "note": last.note if last else "",
        "why": why,
        "trend": values[-TREND_READINGS:] if len(values) > 1 else [],
        "trend_window": _stretch(trend),
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
    if rule.when == "fails":
        return f"failed, {rule.hold}"
    if rule.when == "stale":
        return f"no reading for {say_duration(rule.limit)}"
    if rule.when in RELATIVE:
        side = "below" if rule.when == "drops" else "above"
        level = standing.baseline
        of = "" if level is None else f" of {number(level, standing.unit)}"
        return f"{percent(rule.limit)} {side} the baseline{of}"
    return f"{rule.when} {number(rule.limit, standing.unit)}"


def explain(rule: Rule, target: str) -> str:
    """The command that shows why a trigger stands where it stands."""
    command = f"qrossover trigger explain {rule.name}"
    return command if target == rule.target else f"{command} --target {shlex.quote(target)}"


def _criterion(value: float | None, threshold: float | None, unit: str) -> str:
    if value is None or threshold is None:
        return ""
    return f"{number(value, unit)} against {number(threshold, unit)}"


def _counts(rule: Rule, origin: str) -> bool:
    return rule.when in ("fails", "stale") or origin in rule.accept


def _stretch(trend: Series) -> str:
    shown = trend.readings[-TREND_READINGS:]
    if len(shown) < 2:  # noqa: PLR2004 one reading is no trend
        return ""
    return say_duration(shown[-1].at - shown[0].at)
