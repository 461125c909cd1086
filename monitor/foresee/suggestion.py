"""A threshold that keeps to a rate of alarms, as a document for `qrossover trigger suggest`."""

import shlex
from collections.abc import Sequence
from typing import Any

from monitor.config import Config
from monitor.foresee.backtest import only
from monitor.foresee.covering import loader, targets
from monitor.report import iso
from monitor.text import ago, lasted, number, percent, times
from storage.store import Store
from triggers.episodes import MONTH
from triggers.rule import Rule
from triggers.suggest import (
    HORIZON,
    KINDS,
    STARTS,
    WATCHED,
    Delay,
    Stretch,
    Suggestion,
    Trial,
    delays,
    longest_silence,
    suggest,
    trial,
    with_threshold,
)

ENOUGH = 30.44 * 86400.0
REASONS = {
    "fails": 'a run fails or does not: say how many must with `for`, such as for = "3 runs"',
    "all": "it is about other triggers: ask for those",
    "any": "it is about other triggers: ask for those",
    "crosses": "a trend has been judged too few times for a rate: its threshold is a goal",
}


class NoThreshold(ValueError):
    """A kind of trigger, or a history, that no threshold can be suggested for."""


def suggestion(
    store: Store,
    config: Config,
    name: str,
    a_month: float,
    span: tuple[float, float],
    *,
    target: str | None = None,
) -> dict[str, Any]:
    """The tightest threshold that would have fired no more than `a_month` times a month from the
    one moment of `span` to the other. Raises NoThreshold; KeyError for an unknown trigger."""
    rule = config.triggers[name]
    if rule.when not in KINDS:
        raise NoThreshold(f'{name}: when = "{rule.when}" has no threshold: {REASONS[rule.when]}')
    since, until = span
    load = loader(store, since, until, rule)
    covered = [load(rule, one) for one in only(targets(store, config, rule), target)]
    known = [one for one in covered if one is not None and one.readings]
    if not known:
        raise NoThreshold(f"{name}: there is no reading of {rule.signal} that says anything")
    stretches = [Stretch(one.past, one.since) for one in known]
    found = suggest(rule, stretches, until, a_month)
    now = trial(rule, rule.threshold or 0.0, stretches, until)
    rests_on = max(until - stretch.since for stretch in stretches)
    chosen = None if found.best is None else with_threshold(rule, found.best.threshold)
    waits = [] if chosen is None or rule.when == "stale" else delays(chosen, stretches, until)
    unit = "s" if rule.when == "stale" else known[0].past.unit
    return {
        "trigger": name,
        "when": rule.when,
        "subject": rule.signal,
        "unit": unit,
        "since": iso(since),
        "until": iso(until),
        "seconds": round(rests_on, 3),
        "asked_per_month": a_month,
        "allowed": found.allowed,
        "suggested": _trial(found.best, rests_on),
        "tighter": _trial(found.next, rests_on),
        "present": _trial(now, rests_on),
        "targets": [
            {
                "target": one.past.target,
                "readings": one.readings,
                "seconds": round(until - one.since, 3),
                "present": now.alarms[k],
                "suggested": None if found.best is None else found.best.alarms[k],
            }
            for k, one in enumerate(known)
        ],
        "delays": [_delay(one) for one in waits],
        "notes": [
            *_notes(rule, found, rests_on, len(known)),
            *_silence(rule, stretches, until),
        ],
        "command": _command(name, found.best),
    }


def _trial(tried: Trial | None, span: float) -> dict[str, Any]:
    if tried is None:
        return {"threshold": None, "alarms": None, "alarms_per_month": None}
    return {
        "threshold": tried.threshold,
        "alarms": tried.total,
        "alarms_per_month": tried.total / span * MONTH if span else None,
    }


def _delay(found: Delay) -> dict[str, Any]:
    seconds, readings = found.seconds or (None, None), found.readings or (None, None)
    return {
        "shift": found.shift,
        "starts": found.starts,
        "seen_share": found.seen / found.starts if found.starts else None,
        "median_seconds": seconds[0],
        "p90_seconds": seconds[1],
        "median_readings": readings[0],
        "p90_readings": readings[1],
    }


def _notes(rule: Rule, found: Suggestion, span: float, count: int) -> list[str]:
    notes = []
    if span < ENOUGH:
        notes.append(f"It rests on {ago(span)}: less than a month is little.")
    else:
        notes.append(f"It rests on {ago(span)}.")
    if found.allowed < 1:
        notes.append("Asked for so few that it may not fire once in that time.")
    if found.next is None and found.best is not None:
        notes.append("No tighter one was tried: this is the tightest that makes sense here.")
    notes.append(
        "It says what the past would have done: not which alarms were right, nor what a change of "
        "the workload will do."
    )
    if rule.when != "stale":
        notes.append(
            f"Delays: from each of {STARTS} moments on, where it would not have fired anyway, all "
            f"readings of {min(count, WATCHED)} of {count} targets were made worse by that share, "
            f"and played for {ago(HORIZON)}."
        )
    return notes


def _silence(rule: Rule, stretches: Sequence[Stretch], until: float) -> list[str]:
    if rule.when != "stale":
        return []
    return [f"The longest silence was {lasted(longest_silence(stretches, until))}."]


def _command(name: str, best: Trial | None) -> str | None:
    if best is None:
        return None
    text = best.threshold if isinstance(best.threshold, str) else repr(best.threshold)
    return f"qrossover trigger set {name} {shlex.quote(f'threshold={text}')}"


def threshold_said(document: dict[str, Any], which: str = "suggested") -> str:
    """A threshold as a person reads it."""
    threshold = document[which]["threshold"]
    if isinstance(threshold, str):
        return threshold
    return number(threshold, document["unit"])


def summary(document: dict[str, Any]) -> str:
    """The document in one sentence."""
    asked = f"{document['asked_per_month']:g} a month"
    span = ago(document["seconds"])
    if document["suggested"]["threshold"] is None:
        return f"No threshold keeps to {asked}: even the loosest fires more often."
    then = times(document["suggested"]["alarms"])
    now = times(document["present"]["alarms"])
    return (
        f"With {document['when']} {threshold_said(document)} it would have fired {then} in "
        f"{span}; with {threshold_said(document, 'present')}, as it is, {now}."
    )


def delay_rows(found: Sequence[dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    """Shift, how many are seen, median and 90th percentile, as texts."""
    return [
        (
            percent(one["shift"]),
            "–" if one["seen_share"] is None else percent(one["seen_share"]),
            _wait(one["median_seconds"], one["median_readings"]),
            _wait(one["p90_seconds"], one["p90_readings"]),
        )
        for one in found
    ]


def _wait(seconds: float | None, readings: float | None) -> str:
    if seconds is None or readings is None:
        return "–"
    plural = "" if readings == 1 else "s"
    return f"{ago(seconds)}, {readings:,.0f} reading{plural}"
