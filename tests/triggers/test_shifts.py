"""Shifts: a sum of small deviations, against a textbook, and what is made of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trigger_examples import MINUTE, START, judged, rule

from storage.types import Reading, Series
from triggers.replay import Batch, replay
from triggers.rule import Rule
from triggers.shifts import sums

# D. C. Montgomery, "Introduction to Statistical Quality Control", table 9.1: 20 readings of mean 10
# and then 10 of mean 11, sigma 1. Its table 9.2 has both sums for k = 0.5.
MONTGOMERY = (
    *(9.45, 7.99, 9.29, 11.66, 12.16, 10.18, 8.04, 11.46, 9.20, 10.34),
    *(9.03, 11.47, 10.51, 9.40, 10.08, 9.37, 10.62, 10.31, 8.52, 10.84),
    *(10.90, 9.33, 12.29, 11.50, 10.60, 11.08, 10.38, 11.62, 11.31, 10.52),
)
SHIFTS = rule("shifts", baseline="20 readings")
LOWER = rule("shifts", baseline="20 readings", side="below")
# A median of 100 and a median absolute deviation of 1: one sigma is 1.4826.
STEADY = (99.0, 101.0, 100.0, 99.0, 101.0) * 8
SIGMA = 1.4826


def series(*values: float, sigma: float | None = None) -> Series:
    found = (
        Reading("s", "t", value, "measured", sigma, START + MINUTE * k)
        for k, value in enumerate(values)
    )
    return Series("s", "ms", "t", tuple(found))


def told(by: Rule, *values: float) -> list[tuple[str, int]]:
    batches = [Batch(reading.at, (reading,)) for reading in series(*values).readings]
    events, _ = replay(by, "ms", "t", batches, begin=START, end=batches[-1].now)
    return [(event.kind, round((event.at - START) / MINUTE)) for event in events]


def test_the_sums_are_those_of_the_textbook() -> None:
    up = sums([value - 10 for value in MONTGOMERY], 0.5, 5)
    down = sums([10 - value for value in MONTGOMERY], 0.5, 5)
    assert up[21:29] == pytest.approx([0, 1.79, 2.79, 2.89, 3.47, 3.35, 4.47, 5.28])
    assert down[:3] == pytest.approx([0.05, 1.56, 1.77])
    assert next(k for k, total in enumerate(up, 1) if total > 5) == 29
    assert max(down) < 5


@given(st.lists(st.floats(-20, 20), max_size=60), st.floats(0.1, 2), st.floats(0.5, 9))
def test_what_is_carried_on_does_not_change_when_it_is_passed_first(
    scores: list[float], allowance: float, threshold: float
) -> None:
    page, passed = 0.0, []
    for score in scores:
        page = max(0.0, page + score - allowance)
        passed.append(page > threshold)
    found = [total > threshold for total in sums(scores, allowance, threshold)]
    assert (
        found[: found.index(True) + 1] == passed[: passed.index(True) + 1]
        if any(passed)
        else not any(found)
    )


def test_a_small_shift_that_lasts_is_found_to_both_sides() -> None:
    for sign in (-1, 1):
        shifted = [100 + sign * 2 * SIGMA] * 6  # one sigma past the allowance at each
        assert told(SHIFTS, *STEADY, *shifted) == [("fires", 43)]
    assert told(LOWER, *STEADY, *[100 + 2 * SIGMA] * 9) == []


def test_what_is_within_the_allowance_never_adds_up() -> None:
    assert told(SHIFTS, *STEADY, *[100 - 0.99 * SIGMA] * 15) == []


def test_it_resolves_after_a_few_usual_readings_however_long_it_lasted() -> None:
    for length in (6, 60):
        values = (*STEADY, *[100 - 3 * SIGMA] * length, *[100.0] * 9)
        assert told(LOWER, *values) == [("fires", 41), ("resolves", 40 + length + 2)]


def test_a_shift_that_lasts_does_not_become_usual_while_it_fires() -> None:
    assert told(LOWER, *STEADY, *[100 - 3 * SIGMA] * 300) == [("fires", 41)]


def test_the_reason_says_how_far_since_when_and_how_sure() -> None:
    verdict = judged(LOWER, series(*STEADY, *[100 - 3 * SIGMA] * 2))
    assert verdict.holds is True
    assert verdict.why == (
        "shifted down by 3 σ (4.4%) since 2023-11-14 22:53 UTC, 2 readings: CUSUM 4 > 3; "
        "baseline 100, 1 σ = 1.48 (median of 20 readings)"
    )
    assert (verdict.baseline, verdict.spread) == (100, pytest.approx(SIGMA))
    usual = judged(LOWER, series(*STEADY, 100.0))
    assert usual.why.startswith("no shift: CUSUM 0 of 3; baseline 100")
    assert usual.clears


@pytest.mark.parametrize("side", ["below", "above"])
@pytest.mark.parametrize("last", [2.5, 3.5, 4.5])
def test_the_threshold_is_what_the_last_reading_has_to_pass(side: str, last: float) -> None:
    by = rule("shifts", baseline="20 readings", side=side)
    sign = 1 if side == "above" else -1
    values = (*STEADY, 100 + sign * 1.5 * SIGMA, 100 + sign * last * SIGMA)
    verdict = judged(by, series(*values))
    assert verdict.threshold == pytest.approx(100 + sign * 3.5 * SIGMA)  # 3 + 1 − 0.5
    beyond = sign * (values[-1] - (verdict.threshold or 0)) > 1e-9
    assert verdict.holds is beyond


def test_without_a_count_it_waits_for_a_scatter_that_is_sure() -> None:
    by = rule("shifts", baseline="1d")
    assert judged(by, series(*STEADY, *STEADY[:10])).why == (
        "learning the baseline: 49 of 50 readings"
    )
    assert judged(by, series(*STEADY, *STEADY[:11])).holds is False


def test_it_waits_until_the_scatter_is_known() -> None:
    early = judged(SHIFTS, series(*STEADY[:20]))
    assert early.why == "learning the baseline: 19 of 20 readings"
    assert judged(SHIFTS, series(*STEADY[:21])).holds is False


def test_one_outlier_is_enough_unless_it_is_confirmed() -> None:
    by = rule("shifts", baseline="20 readings", confirm=True)
    assert told(SHIFTS, *STEADY, 90.0, 100.0, 100.0, 100.0) == [("fires", 40), ("resolves", 43)]
    assert told(by, *STEADY, 90.0, 100.0, 100.0, 100.0) == []
    assert told(by, *STEADY, 90.0, 97.0, 97.0) == [("fires", 41)]
    assert told(by, *STEADY, 90.0, 110.0) == []  # to the other side is no confirmation


def test_equal_readings_have_no_scatter_unless_they_say_so() -> None:
    none = judged(SHIFTS, series(*[5.0] * 30, 4.0))
    assert (none.holds, none.absent) == (None, False)
    assert 'use "drops" or "rises"' in none.why
    own = judged(SHIFTS, series(*[5.0] * 30, 4.0, sigma=0.1))
    assert (own.holds, own.spread) == (True, 0.1)


def test_a_long_memory_for_a_small_allowance() -> None:
    by = rule("shifts", 8, allowance=0.25, baseline="40 readings", side="below")
    values = np.random.default_rng(5).normal(100, 1, 400)
    values[250:] -= 0.75
    (first, *_) = told(by, *values.tolist())
    assert first[0] == "fires"
    assert 255 < first[1] < 300
