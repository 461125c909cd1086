"""How often a trigger would have fired: documents. `qrossover trigger backtest` prints them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from monitor.config import Config
from monitor.foresee.covering import Load, Row, loader, one_row, targets
from monitor.foresee.ensembles import ensemble, hint
from monitor.foresee.little import a_month
from monitor.foresee.trace import trace
from monitor.foresee.trends import trend
from monitor.foresee.written import changes
from monitor.report import iso
from monitor.text import ago, fired, times
from storage import history
from storage.store import Store
from triggers.episodes import Episode, Pair, Tally, matched
from triggers.rule import COMPOSITE, Rule

ASSUMES = (
    "Taken for granted: the service was up all the time and judged each reading as it was taken."
)
TRACED = 4
"""Where it fires on more targets only the one with most alarms is drawn."""
DERIVED = (*COMPOSITE, "crosses", "fails", "stale")
"""Kinds whose value is no reading."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked: the present rule and perhaps the changed one, with what each did, by target.
    `load` brings the readings again that are drawn."""

    store: Store
    load: Load
    rules: Sequence[Rule]
    found: Sequence[Mapping[str, Row]]
    said: Sequence[tuple[str, float]]
    until: float
    is_picked: bool


def compare(  # noqa: PLR0917 six things are asked
    store: Store,
    config: Config,
    name: str,
    changed: Rule | None,
    since: float,
    until: float,
    *,
    target: str | None = None,
) -> dict[str, Any]:
    """What the trigger `name` would have done from `since` to `until`, and what it would do
    changed, target by target. `target`, a pattern, leaves only some of them.

    Raises KeyError for an unknown trigger.
    """
    present = config.triggers[name]
    rules = [rule for rule in (present, changed) if rule is not None]
    load = loader(store, since, until, *rules)
    said = [one for one in history.told(store, name, since, until) if only([one[0]], target)]
    found = [_found(store, config, rule, load, (since, until), target) for rule in rules]
    asked = _Asked(store, load, rules, found, said, until, target is not None)
    rows = [_target(asked, one) for one in dict.fromkeys(t for rows in found for t in rows)]
    _draw(asked, rows)
    first = [row["first"] for row in rows]
    judged_since = history.first_judged(store, name)
    return {
        "trigger": name,
        "when": present.when,
        "subject": present.signal or present.probe or ", ".join(present.of),
        "since": iso(since),
        "until": iso(until),
        "seconds": round(until - since, 3),
        "assumes": ASSUMES,
        "changes": changes(present, changed),
        "total": _total(rows, changed is not None),
        "told": {"fires": len(said), "since": iso(judged_since)},
        "history_since": min((one for one in first if one is not None), default=None),
        "hint": hint(config, present),
        "targets": rows,
    }


def _found(  # noqa: PLR0917 six things are asked
    store: Store,
    config: Config,
    rule: Rule,
    load: Load,
    span: tuple[float, float],
    target: str | None,
) -> dict[str, Row]:
    """What one rule did, by target."""
    if rule.when in COMPOSITE:
        rows = ensemble(store, config, rule, span)
    elif rule.when == "crosses":
        rows = trend(store, rule, span)
    else:
        known = only(targets(store, config, rule), target)
        found = ((one, load(rule, one)) for one in known)
        rows = {
            one: one_row(rule, covered, span[1]) for one, covered in found if covered is not None
        }
    return {one: rows[one] for one in only(sorted(rows), target)}


def only(found: Sequence[str], pattern: str | None) -> list[str]:
    """The targets that match a pattern, or are it; all of them where there is none."""
    if pattern is None or pattern in found:
        return [one for one in found if pattern in (None, one)]
    return [one for one in found if fnmatchcase(one, pattern)]


def _target(asked: _Asked, target: str) -> dict[str, Any]:
    """One target's row."""
    both = [found.get(target) for found in asked.found]
    seen = next(one for one in both if one is not None)
    tallies = [None if one is None else one.tally for one in both]
    span = asked.until - seen.since
    pairs = matched(*(t.episodes if t else () for t in (*tallies, None)[:2]))
    return {
        "target": target,
        "unit": "s" if asked.rules[0].when == "stale" else seen.unit,
        "readings": seen.readings,
        "refused": seen.refused,
        "seconds": round(span, 3),
        "first": None if seen.last is None else iso(seen.since),
        "last": iso(seen.last),
        "present": _stats(tallies[0], span),
        "changed": _stats(tallies[1], span) if len(both) > 1 else None,
        "told": sum(where == target for where, _ in asked.said),
        "episodes": [_pair(asked, target, pair, seen.since) for pair in pairs],
        "trace": [],
    }


def _stats(found: Tally | None, span: float) -> dict[str, Any]:
    """Where nothing is covered nothing fires."""
    found = found or Tally((), 0, 0.0, 0.0, 0)
    return {
        "alarms": found.alarms,
        "alarms_per_month": a_month(found.alarms, span),
        "firing_seconds": round(found.firing_seconds, 3),
        "firing_share": found.firing_seconds / span if span > 0 else None,
        "longest_seconds": round(found.longest_seconds, 3),
        "fires_at_end": bool(found.episodes) and found.episodes[-1].resolved_at is None,
        "no_data": found.no_data,
    }


def _pair(asked: _Asked, target: str, pair: Pair, since: float) -> dict[str, Any]:
    which, present, changed = pair
    first = present or changed
    return {
        "in": which,
        "began_before": first is not None and first.fired_at < since,
        "present": _episode(asked, asked.rules[0], target, present),
        "changed": _episode(asked, asked.rules[-1], target, changed),
    }


def _episode(
    asked: _Asked, rule: Rule, target: str, episode: Episode | None
) -> dict[str, Any] | None:
    if episode is None:
        return None
    read_at = episode.read_at
    at_all = rule.signal is not None and rule.when not in DERIVED and read_at is not None
    return {
        "fired_at": iso(episode.fired_at),
        "resolved_at": iso(episode.resolved_at),
        "seconds": round(episode.seconds(asked.until), 3),
        "value": episode.value,
        "threshold": episode.threshold,
        "baseline": episode.baseline,
        "origin": history.origin(asked.store, rule.signal or "", target, read_at or 0.0)
        if at_all
        else episode.origin,
        "why": episode.why,
    }


def _draw(asked: _Asked, rows: list[dict[str, Any]]) -> None:
    """Give the rows that are drawn their columns. What is about many series is not drawn, nor a
    target on which it never fires, unless it was asked for."""
    if not {rule.when for rule in asked.rules}.isdisjoint((*COMPOSITE, "crosses")):
        return
    telling = rows if asked.is_picked else [row for row in rows if row["episodes"]]
    chosen = telling if len(telling) <= TRACED else [max(telling, key=alarms)]
    for row in chosen:
        covered = asked.load(asked.rules[0], row["target"])
        if covered is not None:
            changed = asked.rules[1] if len(asked.rules) > 1 else None
            row["trace"] = trace(
                covered.past, (covered.since, asked.until), asked.rules[0], changed
            )


def alarms(row: dict[str, Any]) -> tuple[int, float]:
    """By what rows are ordered: the alarms of both rules, then how long they fire."""
    both = [row["present"], row["changed"]] if row["changed"] else [row["present"]]
    return sum(one["alarms"] for one in both), sum(one["firing_seconds"] for one in both)


def _total(rows: Sequence[dict[str, Any]], is_compared: bool) -> dict[str, Any]:
    kinds = [episode["in"] for row in rows for episode in row["episodes"]]
    return {
        "targets": len(rows),
        "readings": sum(row["readings"] for row in rows),
        "refused": sum(row["refused"] for row in rows),
        "seconds": max((row["seconds"] for row in rows), default=0.0),
        "present": _summed(rows, "present"),
        "changed": _summed(rows, "changed") if is_compared else None,
        "both": kinds.count("both"),
        "only_present": kinds.count("present") if is_compared else None,
        "only_changed": kinds.count("changed") if is_compared else None,
    }


def _summed(rows: Sequence[dict[str, Any]], which: str) -> dict[str, Any]:
    """All targets together: the share is of their summed time, the rate of the longest history."""
    parts = [row[which] for row in rows]
    longest = max((row["seconds"] for row in rows), default=0.0)
    observed = sum(row["seconds"] for row in rows)
    fires, firing = sum(p["alarms"] for p in parts), sum(p["firing_seconds"] for p in parts)
    return {
        "alarms": fires,
        "alarms_per_month": a_month(fires, longest),
        "firing_seconds": round(firing, 3),
        "firing_share": firing / observed if observed else None,
        "longest_seconds": max((p["longest_seconds"] for p in parts), default=0.0),
        "no_data": sum(p["no_data"] for p in parts),
    }


def summary(document: dict[str, Any]) -> str:
    """In one sentence: "In the last 90 d it would have fired 5 times instead of 2."."""
    total = document["total"]
    if not total["readings"]:
        span = ago(document["seconds"])
        return f"No reading of {document['subject']} in the last {span}: {_none(total)}"
    span = ago(min(document["seconds"], total["seconds"]))
    present, changed = total["present"]["alarms"], total["changed"]
    if changed is None:
        return f"In the last {span} it would {fired(present)}."
    if changed["alarms"] == present:
        return f"In the last {span} it would {fired(present)}, as it is and changed."
    return f"In the last {span} it would {fired(changed['alarms'])} instead of {times(present)}."


def _none(total: dict[str, Any]) -> str:
    if total["refused"]:
        return f"{total['refused']:,} were not accepted, so nothing can be said."
    return "nothing can be said about how often it would have fired."
