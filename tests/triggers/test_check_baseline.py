"""Drops and rises: what the baseline is made of, and what it is held against."""

import pytest
from trigger_examples import MINUTE, judged, mixed, rule, series

from triggers.baseline import baseline_readings
from triggers.rule import Rule

DROPS = rule("drops", "10%", baseline="5 readings")
RISES = rule("rises", "10%", baseline="5 readings")
STEADY = (100.0,) * 5


@pytest.mark.parametrize(
    ("by", "value", "holds"),
    [
        (DROPS, 89.9, True),
        (DROPS, 90, False),
        (DROPS, 120, False),
        (RISES, 110.1, True),
        (RISES, 110, False),
        (RISES, 80, False),
    ],
)
def test_the_threshold_is_a_share_of_the_median(by: Rule, value: float, holds: bool) -> None:
    verdict = judged(by, series(*STEADY, value))
    assert (verdict.holds, verdict.clears, verdict.baseline) == (holds, not holds, 100)
    assert verdict.threshold == pytest.approx(90 if by is DROPS else 110)


@pytest.mark.parametrize(
    ("by", "value", "holds"),
    [
        (DROPS, -111, True),
        (DROPS, -109, False),
        (DROPS, -50, False),
        (RISES, -89, True),
        (RISES, -91, False),
        (RISES, -150, False),
    ],
)
def test_a_negative_baseline_keeps_its_directions(by: Rule, value: float, holds: bool) -> None:
    assert judged(by, series(*(-100.0,) * 5, value)).holds is holds


@pytest.mark.parametrize("value", [-5.0, 0.0, 5.0])
def test_of_a_baseline_of_zero_no_share_can_be_taken(value: float) -> None:
    verdict = judged(DROPS, series(*(0.0,) * 5, value))
    assert (verdict.holds, verdict.absent, verdict.value) == (None, False, value)
    assert 'use "above" or "below"' in verdict.why


@pytest.mark.parametrize("known", [0, 1, 4])
def test_a_baseline_too_short_is_being_learned(known: int) -> None:
    verdict = judged(DROPS, series(*(100.0,) * known, 1))
    assert (verdict.holds, verdict.absent, verdict.value) == (None, False, 1)
    assert verdict.why == f"learning the baseline: {known} of 5 readings"


def test_between_clear_and_threshold_neither_holds_nor_clears() -> None:
    by = rule("drops", "10%", clear="5%", baseline="5 readings")
    ends = [judged(by, series(*STEADY, value)) for value in (89, 92, 95, 96)]
    assert [verdict.holds for verdict in ends] == [True, False, False, False]
    assert [verdict.clears for verdict in ends] == [False, False, True, True]


def test_a_frozen_baseline_outlives_the_readings_it_was_made_of() -> None:
    fallen = series(*STEADY, *(80.0,) * 20)
    assert judged(DROPS, fallen).holds is False  # the fall itself is the baseline by now
    kept = judged(DROPS, fallen, baseline=100)
    assert (kept.holds, kept.baseline) == (True, 100)
    assert "baseline 100 (kept since" in kept.why


def test_a_frozen_baseline_needs_no_window() -> None:
    assert judged(DROPS, series(95), baseline=100).clears is True


def test_the_readings_that_for_looks_at_are_no_part_of_the_baseline() -> None:
    by = rule("drops", "10%", baseline="5 readings", hold="3 readings")
    verdict = judged(by, series(*STEADY, 80, 80, 80))
    assert (verdict.baseline, verdict.sustained) == (100, True)
    by = rule("drops", "10%", baseline="5 readings", hold="2m")
    verdict = judged(by, series(*STEADY, 80, 80, 80))
    assert (verdict.baseline, verdict.sustained) == (100, True)


def test_a_baseline_of_a_duration_reaches_back_from_the_last_reading() -> None:
    by = rule("rises", "10%", baseline="5m")
    readings = series(*range(10)).readings
    assert [r.value for r in baseline_readings(by, readings)] == [4, 5, 6, 7, 8]


def test_a_baseline_of_readings_is_the_last_of_them() -> None:
    readings = series(*range(10)).readings
    assert [r.value for r in baseline_readings(DROPS, readings)] == [4, 5, 6, 7, 8]
    by = rule("drops", "10%", baseline="5 readings", hold="2m")
    assert [r.value for r in baseline_readings(by, readings)] == [2, 3, 4, 5, 6]
    by = rule("drops", "10%", baseline="5 readings", hold="2 of 3")
    assert [r.value for r in baseline_readings(by, readings)] == [2, 3, 4, 5, 6]


def test_an_outlier_moves_the_baseline_by_nothing() -> None:
    assert judged(DROPS, series(100, 100, 1e9, 100, 100, 89)).baseline == 100


def test_refused_origins_are_no_part_of_the_baseline() -> None:
    pairs = [(100, "measured"), (1, "simulated")] * 5
    assert judged(DROPS, mixed(*pairs, (89, "measured"))).baseline == 100
    assert judged(DROPS, mixed(*[(100, "simulated")] * 9, (89, "measured"))).holds is None


def test_a_baseline_before_a_long_gap_is_too_old() -> None:
    by = rule("drops", "10%", baseline="5m")
    verdict = judged(by, series(*STEADY, 80, every=6 * MINUTE))
    assert verdict.why == "learning the baseline: 0 of 5 readings"
