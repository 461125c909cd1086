"""The tightest threshold that keeps to a rate, against a search that tries every one."""

import numpy as np
import pytest
from trigger_examples import START, rule

from triggers.backtest import Past, backtest
from triggers.episodes import MONTH, tally
from triggers.quantity import parse_duration
from triggers.rule import Rule
from triggers.suggest import (
    SHIFTS,
    Stretch,
    Threshold,
    delays,
    durations,
    shares,
    suggest,
    with_threshold,
)

COUNT = 400


def stretch(seed: int, drift: float = 0.0) -> Stretch:
    """An hourly series about 100 with dips and peaks, and a silence here and there."""
    random = np.random.default_rng(seed)
    value = 100 + random.normal(0, 1.5, COUNT) + drift * np.arange(COUNT)
    for place in random.integers(50, COUNT - 10, 6):
        value[place : place + 5] *= random.choice((0.7, 0.85, 0.93, 1.1, 1.4))
    gaps = 3600.0 + (random.random(COUNT) < 0.01) * random.integers(3600, 90000, COUNT)
    at = START + np.round(np.cumsum(gaps), 3)
    return Stretch(Past("V", f"t{seed}", at, value, np.arange(COUNT)), float(at[0]))


def fires(by: Rule, threshold: Threshold, stretches: list[Stretch], until: float) -> int:
    changed = with_threshold(by, threshold)
    total = 0
    for one in stretches:
        events, _ = backtest(changed, one.past, begin=one.since, end=until)
        total += tally(events, one.since, until).alarms
    return total


def last_quiet(
    by: Rule, known: list[Threshold], stretches: list[Stretch], until: float, most: float
) -> Threshold | None:
    """Every threshold from the loosest on, until one fires too often."""
    best = None
    for threshold in known:
        if fires(by, threshold, stretches, until) > most:
            break
        best = threshold
    return best


@pytest.mark.parametrize("when", ["drops", "rises", "stale"])
@pytest.mark.parametrize("a_month", [0.0, 4.0])
def test_it_is_what_trying_every_one_finds(when: str, a_month: float) -> None:
    stretches = [stretch(1), stretch(2)]
    until = max(float(one.past.at[-1]) for one in stretches)
    by = rule(when, "1h") if when == "stale" else rule(when, "10%", baseline="50 readings")
    known: list[Threshold] = [*(durations() if when == "stale" else shares(when))]
    found = suggest(by, stretches, until, a_month)
    assert found.best is not None
    assert found.allowed == a_month * (until - min(s.since for s in stretches)) / MONTH
    assert found.best.threshold == last_quiet(by, known, stretches, until, found.allowed)
    assert found.best.total <= found.allowed
    if found.next is not None:
        assert found.next.total > found.allowed


@pytest.mark.parametrize(("when", "furthest"), [("above", 1), ("below", -1)])
@pytest.mark.parametrize("a_month", [0.0, 2.0])
def test_a_number_is_between_the_usual_and_the_furthest_reading(
    when: str, furthest: int, a_month: float
) -> None:
    stretches = [stretch(3), stretch(4, drift=0.002)]
    until = max(float(one.past.at[-1]) for one in stretches)
    by = rule(when, 100, hold="2 readings")
    found = suggest(by, stretches, until, a_month)
    assert found.best is not None
    assert found.next is not None
    tight, loose = float(found.next.threshold), float(found.best.threshold)
    values = np.concatenate([one.past.value for one in stretches]) * furthest
    assert np.median(values) <= tight * furthest < loose * furthest
    assert fires(by, loose, stretches, until) == found.best.total <= found.allowed
    assert fires(by, tight, stretches, until) == found.next.total > found.allowed
    for looser in np.linspace(loose, loose + furthest * 60, 12):
        assert fires(by, float(looser), stretches, until) <= found.allowed


def test_a_threshold_past_clear_is_not_suggested() -> None:
    stretches = [stretch(5)]
    until = float(stretches[0].past.at[-1])
    found = suggest(rule("drops", "20%", clear="15%"), stretches, until, 1000.0)
    assert found.best is not None
    assert found.best.threshold == "15%"


def test_a_rule_with_another_threshold_is_the_same_otherwise() -> None:
    by = rule("drops", "20%", max_age="3h", keep_firing_for="45m", hold="2 of 3")
    changed = with_threshold(by, "8%")
    assert changed.limit == 0.08
    same = {"name", "signal", "max_age", "keep_firing_for", "hold", "baseline", "accept"}
    assert all(getattr(changed, key) == getattr(by, key) for key in same)
    assert parse_duration("3h") == changed.max_age


def test_a_large_shift_is_seen_sooner_than_a_small_one() -> None:
    random = np.random.default_rng(1)
    at = START + 3600.0 * np.arange(COUNT)
    past = Past("V", "t", at, 100 + random.normal(0, 0.5, COUNT), np.arange(COUNT))
    by = rule("drops", "8%", baseline="5d", hold="2 readings")
    small, medium, large = delays(by, [Stretch(past, START)], float(at[-1]))
    assert tuple(one.shift for one in (small, medium, large)) == SHIFTS
    assert (small.seen, medium.seen, large.seen) == (0, medium.starts, large.starts)
    assert large.readings == (2.0, 2.0), "no sooner than `for` lets it"
    assert large.seconds is not None
    assert 3600 <= large.seconds[0] <= 7200
    assert small.seconds is None


def test_what_lies_between_two_setups_is_no_drop() -> None:
    """Half of the past ran at 100 and half at 50, each with little noise."""
    random = np.random.default_rng(2)
    at = START + 3600.0 * np.arange(COUNT)
    half = COUNT // 2
    value = np.where(np.arange(COUNT) < half, 100.0, 50.0) * (1 + random.normal(0, 0.01, COUNT))
    setups = ("A",) * half + ("B",) * (COUNT - half)
    by = rule("drops", "20%", baseline="5d")
    until = float(at[-1])
    mixed, keyed = (
        suggest(
            by, [Stretch(Past("V", "t", at, value, np.arange(COUNT), setups=s), START)], until, 0
        )
        for s in ((), setups)
    )
    assert mixed.best is not None
    assert keyed.best is not None
    assert float(str(mixed.best.threshold).rstrip("%")) > 45
    assert float(str(keyed.best.threshold).rstrip("%")) < 5
