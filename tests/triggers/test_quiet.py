"""What is told while a trigger is snoozed, acknowledged or never notifies."""

from dataclasses import replace
from typing import Any

import pytest
from trigger_examples import START, rule

from storage.types import Standing
from triggers.change import Change
from triggers.quiet import (
    acknowledge,
    is_quiet,
    reminder_due,
    snooze,
    spoken,
    unacknowledge,
    unsnooze,
)

LOUD, SILENT = rule("above", 10), rule("above", 10, notify=False)
FIRES, RESOLVES = Change("fires", "11 is above 10"), Change("resolves", "9 is not above 10")
NO_DATA = Change("no-data", "no reading yet")
CALM = Standing("example", "t", "inactive", START, START, why="9 is not above 10")
FIRING = replace(CALM, state="firing", told="fires", why="11 is above 10")
TOLD = replace(FIRING, alert=1, reminded=START)
SILENCED = replace(CALM, state="no-data", told="no-data", why="no reading yet")


def snoozed(standing: Standing) -> Standing:
    return snooze(standing, START + 3600)


@pytest.mark.parametrize(
    ("before", "after", "changes", "told"),
    [
        (CALM, FIRING, [FIRES], ["fires"]),
        (TOLD, CALM, [RESOLVES], ["resolves"]),
        (TOLD, TOLD, [], []),
        (snoozed(CALM), snoozed(FIRING), [FIRES], []),
        (snoozed(FIRING), snoozed(CALM), [RESOLVES], []),
        (snoozed(CALM), snoozed(SILENCED), [NO_DATA], []),
        (snoozed(SILENCED), snoozed(FIRING), [RESOLVES, FIRES], []),
        # what was open when it was snoozed is closed
        (snoozed(TOLD), snoozed(CALM), [RESOLVES], ["resolves"]),
        (snoozed(TOLD), snoozed(FIRING), [RESOLVES, FIRES], ["resolves"]),
        # the snooze has ended, or notify is on again
        (FIRING, FIRING, [], ["fires"]),
        (SILENCED, SILENCED, [], ["no-data"]),
        (FIRING, CALM, [RESOLVES], []),
        (SILENCED, FIRING, [RESOLVES, FIRES], ["fires"]),
    ],
)
def test_a_snooze_keeps_quiet_what_begins_and_nothing_else(
    before: Standing, after: Standing, changes: list[Change], told: list[str]
) -> None:
    said = spoken(LOUD, before, after, changes, START)
    assert [change.kind for change in said] == told
    if told:
        assert not is_quiet(LOUD, after, START) or told == ["resolves"]


def test_a_rule_that_never_notifies_says_nothing_but_the_end_of_what_was_said() -> None:
    assert spoken(SILENT, CALM, FIRING, [FIRES], START) == ()
    assert spoken(SILENT, FIRING, FIRING, [], START) == ()
    assert spoken(SILENT, TOLD, CALM, [RESOLVES], START) == (RESOLVES,)


def test_what_is_told_late_says_that_it_was_kept() -> None:
    [late] = spoken(LOUD, FIRING, FIRING, [], START)
    assert late.why == ("11 is above 10; it has been so before, and was kept quiet until now")


def test_a_snooze_ends_at_its_moment() -> None:
    assert is_quiet(LOUD, snoozed(CALM), START + 3599.999)
    assert not is_quiet(LOUD, snoozed(CALM), START + 3600)


@pytest.mark.parametrize(
    ("changed", "at", "due"),
    [
        ({}, START + 3599, False),
        ({}, START + 3600, True),
        ({"reminded": None}, START + 3600, True),
        ({"reminded": START + 60}, START + 3600, False),
        ({"reminded": START + 60}, START + 3660, True),
        ({"alert": None}, START + 9999, False),
        ({"told": None}, START + 9999, False),
        ({"told": "no-data"}, START + 9999, False),
        ({"acknowledged_by": "ada"}, START + 9999, False),
        ({"snoozed_until": START + 9999}, START + 9998, False),
        ({"snoozed_until": START + 9999}, START + 9999, True),
    ],
)
def test_a_reminder_is_due_after_a_while_of_silence(
    changed: dict[str, Any], at: float, due: bool
) -> None:
    assert reminder_due(LOUD, replace(TOLD, **changed), 3600, at) is due
    assert not reminder_due(SILENT, replace(TOLD, **changed), 3600, at)


def test_what_people_say_can_be_taken_back() -> None:
    known = acknowledge(TOLD, "ada", START + 5)
    assert (known.acknowledged_by, known.acknowledged_at) == ("ada", START + 5)
    assert unacknowledge(known) == TOLD
    assert unsnooze(snoozed(TOLD), START) == TOLD


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing is the matter"):
        acknowledge(CALM, "ada", START)
    with pytest.raises(ValueError, match="nothing has been said yet"):
        acknowledge(FIRING, "ada", START)
    with pytest.raises(ValueError, match="not acknowledged"):
        unacknowledge(TOLD)
    with pytest.raises(ValueError, match="not snoozed"):
        unsnooze(TOLD, START)
    with pytest.raises(ValueError, match="not snoozed"):
        unsnooze(snoozed(TOLD), START + 3600)


def test_a_new_baseline_is_told_and_opens_nothing() -> None:
    rebases = Change("rebases", "new baseline 9, below the old 11")
    assert spoken(LOUD, CALM, CALM, [rebases], START) == (rebases,)
    assert spoken(LOUD, CALM, FIRING, [rebases, FIRES], START) == (rebases, FIRES)
    assert spoken(LOUD, TOLD, CALM, [RESOLVES, rebases], START) == (RESOLVES, rebases)
    assert spoken(SILENT, CALM, CALM, [rebases], START) == ()
    assert spoken(LOUD, CALM, snoozed(CALM), [rebases], START) == ()
