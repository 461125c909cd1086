"""The fast backtest says what the step-by-step one says, whatever the readings."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import median as plain_median
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trigger_examples import START, rule

from storage.types import ORIGINS
from triggers.backtest import Past, backtest, batches
from triggers.levels import Levels, median
from triggers.replay import Event, replay
from triggers.rule import MIN_BASELINE, RELATIVE, Rule

KINDS = ("above", "below", "drops", "rises", "shifts", "fails", "stale")
GAPS = (0.001, 1.0, 59.999, 60.0, 60.001, 61.0, 300.0, 3600.0, 3600.001, 90000.0)
VALUES = (-100.0, -11.0, 0.0, 7.0, 8.0, 9.0, 10.0, 10.5, 11.0, 12.0, 13.0, 100.0)


@st.composite
def rules(draw: st.DrawFn, when: str) -> Rule:
    table: dict[str, Any] = {"keep_firing_for": draw(st.sampled_from(("0s", "60s", "1h")))}
    if when == "shifts":
        table |= {"baseline": draw(st.sampled_from(("20 readings", "1d")))}
    elif when != "stale":
        table["hold"] = draw(
            st.sampled_from(("1 reading", "2 readings", "2 of 3", "3 of 5", "61s", "10m"))
        )
    if when != "stale":
        table["no_data"] = draw(st.sampled_from(("keep", "alert")))
        table["max_age"] = draw(st.sampled_from(("30d", "1h", "60s")))
    if when in RELATIVE:
        windows = ("5 readings", "7 readings", "23 readings", "1h", "30d")
        table |= {"threshold": "10%", "baseline": draw(st.sampled_from(windows))}
        if when == "rises":
            table["threshold"] = draw(st.sampled_from(("10%", "150%")))
        table["clear"] = draw(st.sampled_from(("10%", "5%", "0%")))
    elif when == "shifts":
        table["confirm"] = draw(st.booleans())
    elif when == "stale":
        table["threshold"] = draw(st.sampled_from(("60s", "61s", "1h")))
    elif when != "fails":
        table["threshold"] = 10
        table["clear"] = draw(st.sampled_from((10, 8 if when == "above" else 12)))
    return rule(when, **table)


STEP = st.tuples(st.sampled_from(GAPS), st.sampled_from(VALUES), st.booleans())
BLOCKS = st.builds(lambda step, times: [step] * times, STEP, st.integers(1, 12))
STEPS = st.lists(BLOCKS, max_size=14).map(lambda blocks: [s for block in blocks for s in block])


def past(steps: Sequence[tuple[float, float, bool]], when: str = "above") -> Past:
    """A series of (seconds after the one before, value, whether its batch ends there)."""
    at = np.round(START + np.cumsum([step[0] for step in steps]), 3)
    value = np.array([step[1] for step in steps], dtype=float)
    if when == "fails":
        value = (value > 10).astype(float)
    closed = [step[2] for step in steps[:-1]] + [True] * bool(steps)
    ends = np.flatnonzero(np.array(closed, dtype=bool))
    return Past("ms", "t", at, value, ends, ("a reason",) * len(steps) if when == "fails" else ())


def telling(events: Sequence[Event]) -> list[tuple[Any, ...]]:
    return [
        (
            event.kind,
            event.at,
            event.why,
            event.standing.state,
            event.standing.value,
            event.standing.threshold,
            event.standing.baseline,
            event.standing.read_at,
            event.standing.told,
        )
        for event in events
    ]


def agree(by: Rule, of: Past, begin: float, end: float) -> list[Event]:
    slow, stands = replay(by, of.unit, of.target, batches(by, of), begin=begin, end=end)
    fast, also = backtest(by, of, begin=begin, end=end)
    assert telling(fast) == telling(slow)
    assert (also.state, also.told, also.baseline) == (stands.state, stands.told, stands.baseline)
    return list(fast)


@pytest.mark.parametrize("when", KINDS)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data(), STEPS)
def test_the_fast_path_is_the_slow_one(
    when: str, data: st.DataObject, steps: list[tuple[float, float, bool]]
) -> None:
    by = data.draw(rules(when))
    of = past(steps, when)
    last = float(of.at[-1]) if steps else START
    begin = data.draw(st.sampled_from((START, START + 60, (START + last) / 2)))
    end = data.draw(st.sampled_from((last, last + 1, last + 7200, (START + last) / 2)))
    agree(by, of, round(begin, 3), round(max(begin, end), 3))


@pytest.mark.parametrize("when", ["above", "below", "drops", "rises"])
@pytest.mark.parametrize("seed", range(2))
def test_long_noisy_series_agree_too(when: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    count = 1500
    drift = np.sin(np.arange(count) / 100 + seed)
    value = 10.5 + drift + random.normal(0, 0.4, count) - 3 * (random.random(count) < 0.03)
    gaps = 60 + random.integers(0, 3000, count) / 1000 + 4000 * (random.random(count) < 0.01)
    steps = list(
        zip(gaps.tolist(), value.tolist(), (random.random(count) < 0.9).tolist(), strict=True)
    )
    of = past(steps)
    table: dict[str, Any] = {"max_age": "1h", "no_data": "alert", "keep_firing_for": "10m"}
    told = 0
    for hold in ("1 reading", "2 of 3", "5m"):
        if when in RELATIVE:
            for baseline in ("3h", "40 readings"):
                by = rule(when, "8%", baseline=baseline, clear="4%", hold=hold, **table)
                told += len(agree(by, of, START, float(of.at[-1]) + 10))
        else:
            told += len(agree(rule(when, 10, hold=hold, **table), of, START, float(of.at[-1])))
    assert told > 10


@settings(max_examples=60, deadline=None, derandomize=True)
@given(STEPS, st.sampled_from(("drops", "rises")).flatmap(rules))
def test_every_reading_that_could_hold_is_a_candidate(
    steps: list[tuple[float, float, bool]], by: Rule
) -> None:
    of = past(steps)
    levels = Levels(by, of.at, of.value, of.ends)
    possible = levels.candidates()
    for k, end in enumerate(of.ends.tolist()):
        window = of.value[levels.first[k] : levels.past[k]].tolist()
        if len(window) < MIN_BASELINE:
            assert not possible[k]
            continue
        level = plain_median(window)
        assert levels.exact(k) == level
        share = by.limit * abs(level)
        value = float(of.value[end])
        beyond = value < level - share if by.when == "drops" else value > level + share
        assert possible[k] or not beyond


def test_a_steady_series_with_a_long_baseline_has_few_candidates() -> None:
    random = np.random.default_rng(3)
    count = 20_000
    of = past([(60.0, 1000 + x, True) for x in random.normal(0, 20, count).tolist()])
    levels = Levels(rule("drops", "10%", baseline="1d"), of.at, of.value, of.ends)
    assert int(np.count_nonzero(levels.candidates())) < count / 50


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=40))
def test_the_median_is_the_one_of_the_library(values: list[float]) -> None:
    assert median(np.array(values)) == plain_median(values)


def test_nothing_at_all_is_nothing_told() -> None:
    empty = past([])
    events, standing = backtest(rule("above", 10), empty, begin=START, end=START + 60)
    assert events == ()
    assert standing.state == "no-data"
    alarm = rule("above", 10, no_data="alert", accept=list(ORIGINS))
    assert [e.kind for e in agree(alarm, empty, START, START + 60)] == ["no-data"]


@pytest.mark.parametrize("when", ["drops", "rises", "shifts"])
def test_readings_of_several_setups_are_judged_step_by_step(when: str) -> None:
    random = np.random.default_rng(4)
    value = np.concatenate([random.normal(level, 1, 80) for level in (100, 70, 101)])
    steps = [(60.0, x, True) for x in value.tolist()]
    setups = ("A",) * 80 + ("B",) * 80 + ("A",) * 80
    keyed = replace(past(steps), setups=setups)
    by = rule(when, "20%" if when != "shifts" else 5, baseline="50 readings")
    found = agree(by, keyed, START, float(keyed.at[-1]))
    changes = {"drops": 1, "rises": 0, "shifts": 2}[when]  # a shift is looked for to both sides
    assert [event.kind for event in found] == ["rebases"] * changes
    mixed = agree(by, past(steps), START, float(keyed.at[-1]))
    assert "fires" in [event.kind for event in mixed]


def test_the_readings_of_one_setup_keep_their_batches() -> None:
    steps = [(60.0, float(k), k % 2 == 1) for k in range(6)]
    found = replace(past(steps), setups=tuple("AABABB")).of_setup("B")
    assert found.value.tolist() == [2, 4, 5]
    assert found.ends.tolist() == [0, 2]
