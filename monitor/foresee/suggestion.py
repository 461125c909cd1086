"""A threshold that keeps to a rate of alarms, as a document for `qrossover trigger suggest`."""

import shlex
from collections.abc import Sequence
from typing import Any

from monitor.config import Config
from monitor.foresee.askable import NoThreshold, require
from monitor.foresee.backtest import only
from monitor.foresee.covering import loader, targets
from monitor.foresee.little import LEAST, a_month, caveat
from monitor.foresee.written import plain
from monitor.report import iso
from monitor.text import ago, fired, lasted, number, percent, times
from storage.store import Store
from triggers.rule import Rule
from triggers.suggest import (
    HORIZON,
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


def suggestion(
    store: Store,
    config: Config,
    name: str,
    rate: float,
    span: tuple[float, float],
    *,
    target: str | None = None,
) -> dict[str, Any]:
    """The tightest threshold that would have fired no more than `rate` times a month from the
    one moment of `span` to the other. Raises NoThreshold; KeyError for an unknown trigger."""
    rule = config.triggers[name]
    require(rule)
    since, until = span
    load = loader(store, since, until, rule)
    covered = [load(rule, one) for one in only(targets(store, config, rule), target)]
    known = [one for one in covered if one is not None and one.readings]
    if not known:
        raise NoThreshold(f"{name}: there is no reading of {rule.signal} that says anything")
    stretches = [Stretch(one.past, one.since) for one in known]
    rests_on = max(until - stretch.since for stretch in stretches)
    if rests_on < LEAST:
        raise NoThreshold(f"{name}: no threshold is suggested yet. {caveat(rests_on)}")
    found = suggest(rule, stretches, until, rate)
    now = trial(rule, rule.threshold or 0.0, stretches, until)
    chosen = None if found.best is None else with_threshold(rule, found.best.threshold)
    waits, why_none = _waits(chosen, stretches, until)
    unit = "s" if rule.when == "stale" else known[0].past.unit
    return {
        "trigger": name,
        "when": rule.when,
        "subject": rule.signal,
        "unit": unit,
        "since": iso(since),
        "until": iso(until),
        "seconds": round(rests_on, 3),
        "asked_per_month": rate,
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
            *_notes(found, rests_on),
            *_of_delays(waits, why_none, len(known)),
            *_silence(rule, stretches, until),
        ],
        "command": _command(name, found.best),
    }


def _trial(tried: Trial | None, span: float) -> dict[str, Any]:
    if tried is None:
        return {"threshold": None, "alarms": None, "alarms_per_month": None}
    return {
        "threshold": plain(tried.threshold),
        "alarms": tried.total,
        "alarms_per_month": a_month(tried.total, span),
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


def _waits(
    chosen: Rule | None, stretches: Sequence[Stretch], until: float
) -> tuple[list[Delay], str]:
    """How soon shifts are seen, else why nothing is told of that."""
    if chosen is None or chosen.when == "stale":
        return [], ""
    span = max(until - stretch.since for stretch in stretches)
    if span < HORIZON:
        said = f"there are {ago(span)} of history, and a shift is followed for {ago(HORIZON)}"
        return [], f"No delays are told: {said}."
    found = delays(chosen, stretches, until)
    if len({(one.starts, one.seen, one.seconds, one.readings) for one in found}) == 1:
        return [], "No delays are told: shifts of every size tried gave the same ones."
    return found, ""


def _notes(found: Suggestion, span: float) -> list[str]:
    notes = [caveat(span) or f"It rests on {ago(span)}."]
    if found.allowed < 1:
        notes.append("Asked for so few that it may not fire once in that time.")
    if found.next is None and found.best is not None:
        notes.append("No tighter one was tried: this is the tightest that makes sense here.")
    notes.append(
        "It says what the past would have done: not which alarms were right, nor what a change of "
        "the workload will do."
    )
    return notes


def _of_delays(found: Sequence[Delay], why_none: str, count: int) -> list[str]:
    if not found:
        return [why_none] if why_none else []
    said = (
        f"Delays: from each of {STARTS} moments on, where it would not have fired anyway, all "
        f"readings of {min(count, WATCHED)} of {count} targets were made worse by that share, "
        f"and played for {ago(HORIZON)}."
    )
    return [said]


def _silence(rule: Rule, stretches: Sequence[Stretch], until: float) -> list[str]:
    if rule.when != "stale":
        return []
    return [f"The longest silence was {lasted(longest_silence(stretches, until))}."]


def _command(name: str, best: Trial | None) -> str | None:
    if best is None:
        return None
    text = str(plain(best.threshold))
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
    then = fired(document["suggested"]["alarms"])
    now = times(document["present"]["alarms"])
    return (
        f"With {document['when']} {threshold_said(document)} it would {then} in "
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
