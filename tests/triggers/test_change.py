"""The state machine: every transition, and what keeps one from happening."""

from dataclasses import replace
from typing import Any

import pytest
from trigger_examples import MINUTE, START, end, rule, series

from storage.types import Reading, Series, Standing
from triggers.change import Change, advance, begin, decide, stand
from triggers.check import Verdict, check
from triggers.rule import Rule

RULE = rule("above", 10)
NOW = START + 600


def verdict(holds: bool | None, **more: Any) -> Verdict:
    return Verdict(holds, "why", **{"at": NOW, "value": 1.0, "threshold": 10.0, **more})


TRUE = verdict(True)
SUSTAINED = verdict(True, sustained=True)
CLEARED = verdict(False, clears=True)
BETWEEN = verdict(False)
ABSENT = verdict(None, absent=True, at=None, value=None)
LATE = verdict(None, absent=True, at=START)
LEARNING = verdict(None)


def standing(state: Any, **more: Any) -> Standing:
    told = {"firing": "fires"}.get(state)
    plain = Standing("example", "t", state, since=START, created=START)
    return replace(plain, **{"told": told, **more})


def moved(
    before: Standing, seen: Verdict, by: Rule = RULE, now: float = NOW
) -> tuple[str, list[str]]:
    after, changes = advance(by, before, seen, now)
    return after.state, [change.kind for change in changes]


@pytest.mark.parametrize("before", ["inactive", "pending", "no-data"])
@pytest.mark.parametrize(
    ("seen", "state", "changes"),
    [
        (SUSTAINED, "firing", ["fires"]),
        (TRUE, "pending", []),
        (BETWEEN, "inactive", []),
        (CLEARED, "inactive", []),
        (ABSENT, "no-data", []),
        (LATE, "no-data", []),
        (LEARNING, "no-data", []),
    ],
)
def test_before_it_fires_only_the_verdict_counts(
    before: str, seen: Verdict, state: str, changes: list[str]
) -> None:
    assert moved(standing(before), seen) == (state, changes)


@pytest.mark.parametrize(
    ("seen", "state", "changes"),
    [
        (SUSTAINED, "firing", []),
        (TRUE, "firing", []),
        (BETWEEN, "firing", []),
        (ABSENT, "firing", []),
        (LATE, "firing", []),
        (LEARNING, "firing", []),
        (CLEARED, "inactive", ["resolves"]),
    ],
)
def test_only_a_reading_that_clears_resolves(seen: Verdict, state: str, changes: list[str]) -> None:
    assert moved(standing("firing"), seen) == (state, changes)


@pytest.mark.parametrize("before", ["inactive", "pending", "no-data"])
def test_missing_readings_are_told_where_the_rule_asks_for_it(before: str) -> None:
    by = rule("above", 10, no_data="alert", max_age="5m")
    assert moved(standing(before), LATE, by) == ("no-data", ["no-data"])
    assert moved(standing(before), LATE, rule("above", 10, max_age="5m")) == ("no-data", [])


def test_missing_readings_are_told_once() -> None:
    by = rule("above", 10, no_data="alert", max_age="5m")
    told = standing("no-data", told="no-data")
    assert moved(told, LATE, by) == ("no-data", [])
    assert moved(told, LEARNING, by) == ("no-data", [])


def test_a_firing_trigger_is_open_already_when_its_readings_stop() -> None:
    by = rule("above", 10, no_data="alert", max_age="5m")
    after, changes = advance(by, standing("firing"), LATE, NOW)
    assert (after.state, after.told, changes) == ("firing", "fires", ())


def test_a_baseline_that_is_learned_is_no_missing_data() -> None:
    by = rule("drops", "10%", no_data="alert", max_age="5m")
    assert moved(standing("no-data"), LEARNING, by) == ("no-data", [])


@pytest.mark.parametrize(("age", "changes"), [(299, []), (300, []), (301, ["no-data"])])
def test_a_new_trigger_has_max_age_to_see_its_first_reading(age: float, changes: list[str]) -> None:
    by = rule("above", 10, no_data="alert", max_age="5m")
    assert moved(begin("example", "t", START), ABSENT, by, START + age) == ("no-data", changes)


@pytest.mark.parametrize(
    ("seen", "state", "changes"),
    [
        (CLEARED, "inactive", ["resolves"]),
        (BETWEEN, "inactive", ["resolves"]),
        (TRUE, "pending", ["resolves"]),
        (SUSTAINED, "firing", ["resolves", "fires"]),
    ],
)
def test_readings_that_come_back_close_the_alert_and_are_judged(
    seen: Verdict, state: str, changes: list[str]
) -> None:
    told = standing("no-data", told="no-data")
    after, came = advance(RULE, told, seen, NOW)
    assert (after.state, [change.kind for change in came]) == (state, changes)
    assert after.told == ("fires" if state == "firing" else None)
    assert came[0].why == "readings are back: why"


def test_a_decision_is_one_step() -> None:
    told = standing("no-data", told="no-data")
    after, change = decide(RULE, told, SUSTAINED, NOW)
    assert (after.state, change) == ("inactive", Change("resolves", "readings are back: why"))


@pytest.mark.parametrize(("quiet", "state"), [(0, "firing"), (3599, "firing"), (3600, "inactive")])
def test_it_keeps_firing_for_a_while(quiet: float, state: str) -> None:
    by = rule("above", 10, keep_firing_for="1h")
    before = standing("firing", last_true=START)
    after, changes = advance(by, before, verdict(False, clears=True, at=START + quiet), NOW)
    assert after.state == state
    assert bool(changes) is (state == "inactive")
    if state == "firing":
        assert after.why == "why; kept firing for 1 h after the last reading held"


def test_a_reading_that_holds_begins_the_while_anew() -> None:
    by = rule("above", 10, keep_firing_for="1h")
    before = standing("firing", last_true=START)
    again, _ = advance(by, before, verdict(True, at=START + 3000), NOW)
    assert again.last_true == START + 3000
    assert moved(again, verdict(False, clears=True, at=START + 3600), by) == ("firing", [])


def test_without_a_while_a_reading_from_before_the_last_judgement_resolves() -> None:
    # Stale is judged true by the clock; the reading that ends it may have been taken earlier.
    before = standing("firing", last_true=START + 600)
    assert moved(before, verdict(False, clears=True, at=START + 500)) == ("inactive", ["resolves"])


def test_what_a_standing_remembers() -> None:
    seen = verdict(True, sustained=True, baseline=5.0, unit="ms", origin="vendor")
    after, _ = advance(RULE, standing("inactive"), seen, NOW)
    assert (after.since, after.created, after.last_true, after.read_at) == (NOW, START, NOW, NOW)
    assert (after.value, after.threshold, after.baseline) == (1.0, 10.0, 5.0)
    assert (after.unit, after.origin, after.why, after.told) == ("ms", "vendor", "why", "fires")


def test_since_is_when_the_state_began_not_when_it_was_last_judged() -> None:
    before = standing("pending")
    assert advance(RULE, before, TRUE, NOW)[0].since == START
    assert advance(RULE, before, SUSTAINED, NOW)[0].since == NOW


def test_the_baseline_is_kept_from_pending_until_it_is_over() -> None:
    level, other = verdict(True, baseline=5.0), verdict(True, sustained=True, baseline=7.0)
    pending, _ = advance(RULE, standing("inactive"), level, NOW)
    firing, _ = advance(RULE, pending, other, NOW)
    assert (pending.baseline, firing.baseline) == (5.0, 5.0)
    for over in (CLEARED, ABSENT):
        assert advance(RULE, pending, over, NOW)[0].baseline is None
    assert advance(RULE, firing, ABSENT, NOW)[0].baseline == 5.0
    assert advance(RULE, firing, CLEARED, NOW)[0].baseline is None


def recovered(last: float) -> Series:
    """It fell from 100, and was kept firing while it was well above; then `last`."""
    return series(*(100.0,) * 5, 80, *(200.0,) * 5, last)


def test_letting_go_of_a_baseline_is_judged_against_the_present_one_at_once() -> None:
    by = rule("drops", "10%", baseline="5 readings", keep_firing_for="6m")
    fell = START + 5 * MINUTE
    before = standing("firing", baseline=100.0, last_true=fell, since=fell)
    back = recovered(95)
    after, changes = stand(by, before, back, end(back))
    # 95 is back from a fall below 90, and itself a fall from 200.
    assert [change.kind for change in changes] == ["resolves", "fires"]
    assert (after.state, after.baseline) == ("firing", 200)
    assert stand(by, after, back, end(back))[1] == ()
    after, changes = stand(by, before, recovered(190), end(back))
    assert [change.kind for change in changes] == ["resolves"]
    assert after.state == "inactive"


def test_standing_is_checking_and_advancing() -> None:
    readings = series(20)
    expected = advance(RULE, standing("inactive"), check(RULE, readings, NOW), NOW)
    assert stand(RULE, standing("inactive"), readings, NOW) == expected


def test_a_late_reading_does_not_date_back_what_held() -> None:
    late = Series("s", "ms", "t", (Reading("s", "t", 20, "measured", at=START + 60),))
    after, _ = stand(RULE, standing("inactive"), late, NOW)
    assert (after.last_true, after.since) == (START + 60, NOW)
