"""The condition itself: above, below, fails and stale, with `for`, `clear`, `max_age`, `accept`."""

import pytest
from trigger_examples import MINUTE, START, judged, mixed, rule, runs, series

from storage.types import Series
from triggers.check import check, lookback
from triggers.rule import Rule

ABOVE = rule("above", 10)
BELOW = rule("below", 10)


@pytest.mark.parametrize(
    ("by", "value", "holds"),
    [
        (ABOVE, 10.1, True),
        (ABOVE, 10, False),
        (ABOVE, 9.9, False),
        (BELOW, 9.9, True),
        (BELOW, 10, False),
        (BELOW, 10.1, False),
        (rule("above", -5), -4, True),
        (rule("below", -5), -6, True),
        (rule("above", 0), 0, False),
    ],
)
def test_a_value_exactly_at_the_threshold_is_not_beyond_it(
    by: Rule, value: float, holds: bool
) -> None:
    verdict = judged(by, series(value))
    assert (verdict.holds, verdict.sustained, verdict.clears) == (holds, holds, not holds)
    assert (verdict.value, verdict.threshold) == (value, by.limit)
    assert (verdict.at, verdict.unit, verdict.origin) == (START, "ms", "measured")


@pytest.mark.parametrize(
    ("hold", "values", "holds", "sustained", "clears"),
    [
        ("2 readings", (20,), True, False, False),
        ("2 readings", (20, 20), True, True, False),
        ("2 readings", (20, 20, 1), False, False, True),
        ("2 readings", (20, 1, 20), True, False, False),
        ("2 of 3", (20, 1, 20), True, True, False),
        ("2 of 3", (20, 20, 1), False, False, False),  # still 2 of the last 3
        ("2 of 3", (20, 20, 1, 1), False, False, True),
        ("2 of 3", (20, 1, 1, 20), True, False, False),
        ("2m", (20, 20), True, False, False),
        ("2m", (20, 20, 20), True, True, False),
        ("2m", (20, 1, 20, 20), True, False, False),
        ("2m", (20, 20, 20, 1), False, False, True),
    ],
)
def test_for_counts_readings_or_the_time_between_them(
    hold: str, values: tuple[float, ...], holds: bool, sustained: bool, clears: bool
) -> None:
    verdict = judged(rule("above", 10, hold=hold), series(*values))
    assert (verdict.holds, verdict.sustained, verdict.clears) == (holds, sustained, clears)


def test_time_that_passes_without_a_reading_sustains_nothing() -> None:
    verdict = judged(rule("above", 10, hold="5m"), series(20, 20), after=3600)
    assert verdict.holds is True
    assert verdict.sustained is False
    assert verdict.at == START + MINUTE


@pytest.mark.parametrize(
    ("by", "value", "clears"),
    [
        (rule("above", 10, clear=8), 8.1, False),
        (rule("above", 10, clear=8), 8, True),
        (rule("above", 10, clear=8), 7.9, True),
        (rule("below", 10, clear=12), 11.9, False),
        (rule("below", 10, clear=12), 12, True),
        (rule("above", -8, clear=-10), -9, False),
        (rule("above", -8, clear=-10), -10, True),
    ],
)
def test_between_threshold_and_clear_neither_holds_nor_clears(
    by: Rule, value: float, clears: bool
) -> None:
    verdict = judged(by, series(value))
    assert verdict.holds is False
    assert verdict.clears is clears


def test_a_reading_older_than_max_age_says_nothing() -> None:
    by = rule("above", 10, max_age="1h")
    assert judged(by, series(20), after=3600).holds is True
    late = judged(by, series(20), after=3601)
    assert (late.holds, late.sustained, late.clears, late.absent) == (None, False, False, True)
    assert (late.value, late.at, late.threshold) == (20, START, None)
    assert late.why == "the last reading is 1 h old, more than 1 h"


def test_no_reading_says_nothing() -> None:
    verdict = judged(ABOVE, Series("s", "", "t"))
    assert (verdict.holds, verdict.absent, verdict.why) == (None, True, "no reading yet")


def test_only_accepted_origins_are_looked_at() -> None:
    simulated = mixed((20, "measured"), (1, "simulated"))
    assert judged(ABOVE, simulated).value == 20
    assert judged(rule("above", 10, accept=["simulated"]), simulated).value == 1
    refused = judged(rule("above", 10, accept=["vendor"]), simulated)
    assert (refused.holds, refused.absent) == (None, True)
    assert refused.why == "the last reading is simulated, which this trigger does not accept"


def test_what_is_refused_does_not_count_for_for() -> None:
    readings = mixed((20, "measured"), (20, "simulated"), (20, "measured"))
    assert judged(rule("above", 10, hold="3 readings"), readings).sustained is False
    assert judged(rule("above", 10, hold="2 readings"), readings).sustained is True


@pytest.mark.parametrize(
    ("hold", "ended", "holds", "sustained", "clears"),
    [
        ("1 run", (0, 1), True, True, False),
        ("1 run", (1, 0), False, False, True),
        ("2 runs", (0, 1), True, False, False),
        ("2 runs", (1, 1), True, True, False),
        ("2 of 3", (1, 1, 0), False, False, False),
        ("2m", (1, 1, 1), True, True, False),
    ],
)
def test_runs_that_fail(
    hold: str, ended: tuple[int, ...], holds: bool, sustained: bool, clears: bool
) -> None:
    verdict = judged(rule("fails", hold=hold), runs(*ended))
    assert (verdict.holds, verdict.sustained, verdict.clears) == (holds, sustained, clears)
    assert verdict.threshold is None


def test_a_failed_run_is_told_with_its_reason() -> None:
    failed = judged(rule("fails"), runs(1))
    assert failed.why == "the last run failed (out of memory)"
    twice = judged(rule("fails", hold="3 runs"), runs(1, 1))
    assert twice.why == "the last run failed (out of memory); 2 of the last 2, needs 3 runs"
    assert judged(rule("fails"), Series("run", "1", "p")).why == "no run has ended yet"


def test_stale_holds_once_the_last_reading_is_too_old() -> None:
    by = rule("stale", "1h")
    fresh, late = judged(by, series(5), after=3600), judged(by, series(5), after=3601)
    assert (fresh.holds, fresh.sustained, fresh.clears) == (False, False, True)
    assert (late.holds, late.sustained, late.clears) == (True, True, False)
    assert (late.value, late.threshold, late.unit, late.origin) == (3601, 3600, "s", "derived")
    # Freshness is dated by the reading: time alone must not carry a firing trigger past
    # `keep_firing_for`.
    assert (fresh.at, late.at) == (START, START + 3601)


def test_stale_counts_from_the_first_watch_where_nothing_ever_came() -> None:
    by, nothing = rule("stale", "1h"), series(watched_since=START)
    early, late = check(by, nothing, START + 60), check(by, nothing, START + 7200)
    assert (early.holds, early.clears) == (False, False)
    assert (late.holds, late.sustained) == (True, True)
    assert late.why == "no reading yet; watched for 2 h, past 1 h"
    unwatched = check(by, series(), START)
    assert (unwatched.holds, unwatched.absent) == (None, True)


def test_stale_can_ask_for_one_origin() -> None:
    readings = mixed((1, "measured"), *[(1, "simulated")] * 9)
    assert judged(rule("stale", "5m"), readings).holds is False
    assert judged(rule("stale", "5m", accept=["measured"]), readings).holds is True


def test_the_reason_says_value_threshold_and_for() -> None:
    said = judged(rule("above", 10, hold="2 of 3"), series(1, 12.5)).why
    assert said == "12.5 is above 10; 1 of the last 2, needs 2 of 3 readings"
    said = judged(rule("below", 10, hold="1h"), series(5, 5, 5)).why
    assert said == "5 is below 10; for 2 min of 1 h"
    assert judged(ABOVE, series(9)).why == "9 is not above 10"


def test_how_far_back_a_rule_looks() -> None:
    assert lookback(rule("above", 10, hold="2 of 3")) == (0, 4)
    assert lookback(rule("above", 10, hold="30m")) == (1800, 2)
    assert lookback(rule("drops", "5%", baseline="7d", hold="1h"))[0] == 7 * 86400 + 3600
    assert lookback(rule("drops", "5%", baseline="50 readings", hold="2 readings"))[1] >= 52
