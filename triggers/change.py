"""Where a trigger stands after a verdict: the whole state machine. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from storage.types import Series, Standing, State
from triggers.check import Verdict, check
from triggers.quantity import say_duration
from triggers.rule import Rule

ChangeKind = Literal["fires", "resolves", "no-data", "rebases"]


@dataclass(frozen=True, slots=True)
class Change:
    """A transition that somebody must be told of, unless the trigger is quiet, and why it came. One
    that rebases goes on from a new baseline that lies beyond the threshold from the old one."""

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
    return settle(rule, standing, lambda held: check(rule, series, now, held), now)


def settle(
    rule: Rule, standing: Standing, judge: Callable[[Standing], Verdict], now: float
) -> tuple[Standing, tuple[Change, ...]]:
    """`stand` with the verdict that `judge` gives against the level that a standing holds."""
    changes: tuple[Change, ...] = ()
    while True:
        after, more = advance(rule, standing, judge(standing), now)
        changes += more
        if _level(after) == _level(standing):
            return after, changes
        standing = after


def _level(standing: Standing) -> tuple[float, float | None, str] | None:
    """What the next judgement is held against: a setup without a level is nothing."""
    if standing.baseline is None:
        return None
    return standing.baseline, standing.spread, standing.setup


def advance(
    rule: Rule, standing: Standing, verdict: Verdict, now: float
) -> tuple[Standing, tuple[Change, ...]]:
    """Decide until nothing changes any more: data that comes back may at once fire, and so may what
    is held against a new baseline."""
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
    missing, and never before `keep_firing_for` has passed since a reading held; or where its
    readings do not compare any more with those of its baseline.
    """
    if verdict.moved and standing.state in ("pending", "firing"):
        return _let_go(rule, standing, verdict, now)
    if verdict.rebased and verdict.setup != standing.setup:
        anew = replace(standing, setup=verdict.setup, baseline=None, spread=None, why=verdict.why)
        return anew, Change("rebases", verdict.rebased)
    if verdict.holds is None:
        return _without_data(rule, standing, verdict, now)
    seen = _witnessed(rule, standing, verdict)
    if standing.state == "firing":
        return _while_firing(rule, seen, verdict, now)
    return _while_not(seen, verdict, now)


def _while_not(seen: Standing, verdict: Verdict, now: float) -> tuple[Standing, Change | None]:
    if seen.state == "no-data" and seen.told is not None:
        back = _ended(_to(seen, "inactive", now))
        return back, Change("resolves", f"readings are back: {verdict.why}")
    if verdict.sustained:
        return replace(_to(seen, "firing", now), told="fires"), Change("fires", verdict.why)
    if verdict.holds:
        return _to(seen, "pending", now), None
    free = seen if seen.baseline is None else replace(seen, baseline=None, spread=None)
    return _to(free, "inactive", now), None


def _let_go(
    rule: Rule, standing: Standing, verdict: Verdict, now: float
) -> tuple[Standing, Change | None]:
    """The setup has changed. The level is kept, without being held against it, until the new
    setup's baseline is known: that one is compared with it, and a rollback is judged against it."""
    free = _to(standing, "no-data", now)
    if standing.state == "pending":
        return decide(rule, free, verdict, now)
    return replace(_ended(free), why=verdict.moved), Change("resolves", verdict.moved)


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
    ended = replace(_ended(_to(seen, "inactive", now)), baseline=None, spread=None)
    return ended, Change("resolves", verdict.why)


def _without_data(
    rule: Rule, standing: Standing, verdict: Verdict, now: float
) -> tuple[Standing, Change | None]:
    told = replace(standing, why=verdict.why)
    if standing.state == "firing":
        return told, None
    lets_go = standing.state != "no-data"  # what was let go of before waits for a new baseline
    told = replace(
        _to(told, "no-data", now),
        value=verdict.value,
        read_at=verdict.at,
        unit=verdict.unit or standing.unit,
        origin=verdict.origin,
        threshold=None,
        baseline=None if lets_go else standing.baseline,
        spread=None if lets_go else standing.spread,
    )
    wanted = rule.no_data == "alert" and verdict.absent and standing.told is None
    # A trigger that has never seen a reading is new, not silent, until `max_age` has passed.
    waited = now - standing.created > (rule.max_age or 0.0)
    has_spoken = verdict.at is not None and not verdict.refused
    if wanted and (has_spoken or waited):
        return replace(told, told="no-data"), Change("no-data", verdict.why)
    return told, None


def _witnessed(rule: Rule, standing: Standing, verdict: Verdict) -> Standing:
    """The standing with what the verdict saw."""
    is_kept = standing.baseline is not None and not (verdict.moved or rule.baseline.peers)
    level = standing if is_kept else verdict
    return replace(
        standing,
        last_true=verdict.at if verdict.holds else standing.last_true,
        value=verdict.value,
        threshold=verdict.threshold,
        unit=verdict.unit,
        origin=verdict.origin,
        read_at=verdict.at,
        baseline=level.baseline,
        why=verdict.why,
        spread=level.spread,
        setup=verdict.setup or standing.setup,
    )


def _ended(standing: Standing) -> Standing:
    """Nothing is the matter any more, and nobody need know of it."""
    return replace(standing, told=None, acknowledged_by=None, acknowledged_at=None)


def _to(standing: Standing, state: State, now: float) -> Standing:
    if standing.state == state:
        return standing
    return replace(standing, state=state, since=now)
