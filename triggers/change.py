"""Where a trigger stands after a verdict: the whole state machine. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from storage.types import Series, Standing, State
from triggers.check import Verdict, check
from triggers.quantity import say_duration
from triggers.rule import Rule

ChangeKind = Literal["fires", "resolves", "no-data"]


@dataclass(frozen=True, slots=True)
class Change:
    """A transition that somebody must be told of, unless the trigger is quiet, and why it came."""

    kind: ChangeKind
    why: str


def begin(trigger: str, target: str, now: float) -> Standing:
    """The standing of a trigger that has not been judged yet."""
    return Standing(trigger, target, state="no-data", since=now, created=now)


def stand(
    rule: Rule, standing: Standing, series: Series, now: float
) -> tuple[Standing, tuple[Change, ...]]:
    """Where a trigger stands once its series is judged, and what must be told.

    One that takes hold of a baseline, or lets go of it, is judged again with that: what the same
    readings will say at the next judgement is said at this one.
    """
    return settle(rule, standing, lambda level: check(rule, series, now, level), now)


def settle(
    rule: Rule, standing: Standing, judge: Callable[[float | None], Verdict], now: float
) -> tuple[Standing, tuple[Change, ...]]:
    """`stand` with the verdict that `judge` gives against the level that a trigger holds."""
    changes: tuple[Change, ...] = ()
    while True:
        after, more = advance(rule, standing, judge(standing.baseline), now)
        changes += more
        if after.baseline == standing.baseline:
            return after, changes
        standing = after


def advance(
    rule: Rule, standing: Standing, verdict: Verdict, now: float
) -> tuple[Standing, tuple[Change, ...]]:
    """Decide until nothing changes any more: data that comes back may at once fire."""
    changes: list[Change] = []
    standing, change = decide(rule, standing, verdict, now)
    while change is not None:
        changes.append(change)
        standing, change = decide(rule, standing, verdict, now)
    return standing, tuple(changes)


def decide(
    rule: Rule, standing: Standing, verdict: Verdict, now: float
) -> tuple[Standing, Change | None]:
    """One step of one trigger on one target.

    A firing trigger resolves only on a reading that clears it, never because readings are
    missing, and never before `keep_firing_for` has passed since a reading held.
    """
    if verdict.holds is None:
        return _without_data(rule, standing, verdict, now)
    seen = _witnessed(standing, verdict)
    if standing.state == "firing":
        return _while_firing(rule, seen, verdict, now)
    if standing.state == "no-data" and standing.told is not None:
        back = _ended(_to(seen, "inactive", now))
        return back, Change("resolves", f"readings are back: {verdict.why}")
    if verdict.sustained:
        return replace(_to(seen, "firing", now), told="fires"), Change("fires", verdict.why)
    if verdict.holds:
        return _to(seen, "pending", now), None
    released = seen if seen.baseline is None else replace(seen, baseline=None)
    return _to(released, "inactive", now), None


def _while_firing(
    rule: Rule, seen: Standing, verdict: Verdict, now: float
) -> tuple[Standing, Change | None]:
    if not verdict.clears:
        return seen, None
    moment = now if verdict.at is None else verdict.at
    quiet = moment - (seen.since if seen.last_true is None else seen.last_true)
    if rule.keep_firing_for and quiet < rule.keep_firing_for:
        kept = f"kept firing for {say_duration(rule.keep_firing_for)} after the last reading held"
        return replace(seen, why=f"{seen.why}; {kept}"), None
    ended = replace(_ended(_to(seen, "inactive", now)), baseline=None)
    return ended, Change("resolves", verdict.why)


def _without_data(
    rule: Rule, standing: Standing, verdict: Verdict, now: float
) -> tuple[Standing, Change | None]:
    told = replace(standing, why=verdict.why)
    if standing.state == "firing":
        return told, None
    told = replace(
        _to(told, "no-data", now),
        value=verdict.value,
        read_at=verdict.at,
        unit=verdict.unit or standing.unit,
        origin=verdict.origin,
        threshold=None,
        baseline=None,
    )
    wanted = rule.no_data == "alert" and verdict.absent and standing.told is None
    # A trigger that has never seen a reading is new, not silent, until `max_age` has passed.
    waited = now - standing.created > (rule.max_age or 0.0)
    has_spoken = verdict.at is not None and not verdict.refused
    if wanted and (has_spoken or waited):
        return replace(told, told="no-data"), Change("no-data", verdict.why)
    return told, None


def _witnessed(standing: Standing, verdict: Verdict) -> Standing:
    """The standing with what the verdict saw."""
    frozen = standing.baseline if standing.baseline is not None else verdict.baseline
    return replace(
        standing,
        last_true=verdict.at if verdict.holds else standing.last_true,
        value=verdict.value,
        threshold=verdict.threshold,
        unit=verdict.unit,
        origin=verdict.origin,
        read_at=verdict.at,
        baseline=frozen,
        why=verdict.why,
    )


def _ended(standing: Standing) -> Standing:
    """Nothing is the matter any more, and nobody need know of it."""
    return replace(standing, told=None, acknowledged_by=None, acknowledged_at=None)


def _to(standing: Standing, state: State, now: float) -> Standing:
    if standing.state == state:
        return standing
    return replace(standing, state=state, since=now)
