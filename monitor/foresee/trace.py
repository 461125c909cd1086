"""A series in as many columns as a chart has: the range of its readings, and the threshold."""

from typing import Any

import numpy as np

from monitor.report import iso
from triggers.backtest import Past
from triggers.check import thresholds
from triggers.levels import Floats, Levels
from triggers.rule import MIN_BASELINE, RELATIVE, Rule

COLUMNS = 64


def trace(
    past: Past, span: tuple[float, float], present: Rule, changed: Rule | None
) -> list[dict[str, Any]]:
    """Columns of equal width over a span of time: `at` (its beginning), `low` and `high` of the
    readings in it (null where there is none), and the thresholds at its last reading.

    For a stale trigger the value is the silence before each reading, in seconds. Runs that fail or
    not are no line: nothing.
    """
    if present.when == "fails" or not len(past.at):
        return []
    at, value = past.at, past.value
    since, until = span
    if present.when == "stale":
        at, value = past.at[1:], np.diff(past.at)
    edges = np.linspace(since, until, COLUMNS + 1)
    places = np.searchsorted(at, edges)
    places[-1] = np.searchsorted(at, until, "right")
    levels = [_limits(rule, past, edges[1:]) for rule in (present, changed) if rule is not None]
    columns = []
    for index in range(COLUMNS):
        inside = value[places[index] : places[index + 1]]
        columns.append(
            {
                "at": iso(round(float(edges[index]), 3)),
                "low": float(inside.min()) if len(inside) else None,
                "high": float(inside.max()) if len(inside) else None,
                "threshold": levels[0][index],
                "changed_threshold": levels[1][index] if changed is not None else None,
            }
        )
    return columns


def _of_setup(rule: Rule, past: Past, moment: float) -> list[float | None]:
    """The threshold at one moment, from readings that compare with the last one then."""
    last = int(np.searchsorted(past.at, moment, "right")) - 1
    if last < 0:
        return [None]
    return _limits(rule, past.of_setup(past.setups[last]), np.array([moment]))


def _limits(rule: Rule, past: Past, moments: Floats) -> list[float | None]:
    """The threshold at each of the moments; None where no baseline is known."""
    if rule.when == "shifts":  # it adds up: no one value is its threshold
        return [None] * len(moments)
    if rule.when not in RELATIVE:
        return [rule.limit] * len(moments)
    if past.setups:
        return [limit for moment in moments for limit in _of_setup(rule, past, moment)]
    last = np.searchsorted(past.at, moments, "right") - 1
    levels = Levels(rule, past.at, past.value, np.maximum(last, 0))
    return [
        thresholds(rule, levels.exact(k))[0]
        if last[k] >= 0 and levels.count(k) >= MIN_BASELINE
        else None
        for k in range(len(moments))
    ]
