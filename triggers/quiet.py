"""What is told of what changes, when a trigger is snoozed, acknowledged or never notifies. Pure.

`told` of a standing says what is the matter; its `alert` is the message about that, and None while
nothing has been said.
"""

from collections.abc import Sequence
from dataclasses import replace

from storage.types import Standing
from triggers.change import Change
from triggers.rule import Rule

KEPT = "it has been so before, and was kept quiet until now"


def is_snoozed(standing: Standing, now: float) -> bool:
    """Whether nothing is said of a standing for now."""
    return standing.snoozed_until is not None and now < standing.snoozed_until


def is_quiet(rule: Rule, standing: Standing, now: float) -> bool:
    """Whether nothing new is said: the rule never notifies, or this standing is snoozed."""
    return not rule.notify or is_snoozed(standing, now)


def spoken(
    rule: Rule, before: Standing, after: Standing, changes: Sequence[Change], now: float
) -> tuple[Change, ...]:
    """What is told of the changes that led from one standing to the other.

    An open message is always closed. What began while the trigger was quiet is told as soon as it
    no longer is, and not at all where it has ended by then.
    """
    quiet = is_quiet(rule, after, now)
    is_open = before.alert is not None
    told: list[Change] = []
    for change in changes:
        if change.kind == "rebases":  # it neither opens nor closes anything
            told += [] if quiet else [change]
            continue
        opens = change.kind != "resolves"
        if is_open if not opens else not quiet:
            told.append(change)
            is_open = opens
    if after.told is not None and not is_open and not quiet:
        told.append(Change(after.told, f"{after.why}; {KEPT}"))
    return tuple(told)


def reminder_due(rule: Rule, standing: Standing, every: float, now: float) -> bool:
    """Whether a firing that has been told is said again: `every` seconds after it was last said,
    unless somebody knows of it."""
    if standing.told != "fires" or standing.alert is None or is_quiet(rule, standing, now):
        return False
    said = standing.reminded if standing.reminded is not None else standing.since
    return standing.acknowledged_by is None and now - said >= every


# --- what people say -------------------------------------------------------------------------


def acknowledge(standing: Standing, by: str, now: float) -> Standing:
    """Somebody knows of the open alert. Raises ValueError where none is open, or they have said so
    before."""
    if standing.alert is None:
        silent = "nothing is the matter" if standing.told is None else "nothing has been said yet"
        raise ValueError(f"there is nothing to acknowledge: {silent}")
    if standing.acknowledged_by == by:
        raise ValueError(f"it is acknowledged by {by} already")
    return replace(standing, acknowledged_by=by, acknowledged_at=now)


def unacknowledge(standing: Standing) -> Standing:
    """Nobody knows of it any more: it is said again. Raises ValueError where nobody did."""
    if standing.acknowledged_by is None:
        raise ValueError("it is not acknowledged")
    return replace(standing, acknowledged_by=None, acknowledged_at=None)


def snooze(standing: Standing, until: float) -> Standing:
    """Nothing new is said before `until`."""
    return replace(standing, snoozed_until=until)


def unsnooze(standing: Standing, now: float) -> Standing:
    """What is the matter is said again. Raises ValueError where it is not snoozed."""
    if not is_snoozed(standing, now):
        raise ValueError("it is not snoozed")
    return replace(standing, snoozed_until=None)
