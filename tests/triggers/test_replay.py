"""The past played through a rule: what would have been told, and when."""

import pytest
from trigger_examples import MINUTE, START, rule

from storage.types import Origin, Reading
from triggers.replay import Batch, Event, replay
from triggers.rule import Rule


def batch(minute: float, *values: float, origin: Origin = "measured", late: float = 0.0) -> Batch:
    """One run's readings, a second apart, the last at this minute; judged `late` after it."""
    now = START + minute * MINUTE
    readings = tuple(
        Reading("s", "t", value, origin, at=now - (len(values) - 1 - index))
        for index, value in enumerate(values)
    )
    return Batch(now + late, readings)


def told(by: Rule, *batches: Batch, begin: float = 0.0, end: float = 100.0) -> list[Event]:
    found, _ = replay(
        by, "ms", "t", batches, begin=START + begin * MINUTE, end=START + end * MINUTE
    )
    return list(found)


def said(events: list[Event]) -> list[tuple[str, float]]:
    return [(event.kind, round((event.at - START) / MINUTE, 5)) for event in events]


def test_it_fires_and_resolves_at_the_moments_that_it_would_have() -> None:
    values = (1, 11, 12, 13, 9, 1, 14, 15)
    events = told(
        rule("above", 10, hold="2 readings"), *(batch(i, v) for i, v in enumerate(values))
    )
    assert said(events) == [("fires", 2), ("resolves", 4), ("fires", 7)]
    assert events[0].standing.value == 12
    assert "12 is above 10" in events[0].why
    assert events[-1].standing.state == "firing"


def test_readings_that_arrive_together_are_judged_once_on_the_last() -> None:
    assert told(rule("above", 10), batch(1, 50, 50, 3)) == []
    assert said(told(rule("above", 10, hold="2 of 3"), batch(1, 50, 3, 50))) == [("fires", 1)]


def test_a_reading_that_comes_late_takes_its_place_in_time() -> None:
    late = Batch(START + 3 * MINUTE, (Reading("s", "t", 50.0, "measured", at=START + 1 * MINUTE),))
    found = told(rule("above", 10), batch(2, 3), late, batch(4, 3))
    assert found == [], "the newest reading is below"
    firing = told(rule("above", 10, hold="2 readings"), batch(0, 3), batch(2, 50), late)
    assert said(firing) == [("fires", 3)]


def test_a_reading_of_the_same_moment_takes_the_others_place() -> None:
    first, again = batch(1, 50), batch(1, 3)
    assert said(told(rule("above", 10), first, again)) == [("fires", 1), ("resolves", 1)]
    refused = batch(1, 3, origin="simulated")
    by = rule("above", 10, no_data="alert", max_age="2h")
    assert said(told(by, first, refused)) == [("fires", 1)]


def test_what_came_before_the_beginning_is_known_and_not_judged() -> None:
    batches = [batch(minute, 50) for minute in (1, 2, 3)]
    assert said(told(rule("above", 10, hold="2 readings"), *batches, begin=2.5)) == [("fires", 2.5)]
    assert said(told(rule("above", 10), *batches, begin=50)) == [("fires", 50)]


def test_nothing_is_judged_after_the_end() -> None:
    batches = [batch(1, 1), batch(2, 50)]
    assert told(rule("above", 10), *batches, end=1.5) == []
    assert said(told(rule("above", 10), *batches, end=2)) == [("fires", 2)]


def test_silence_is_judged_in_the_millisecond_in_which_it_is_too_long() -> None:
    batches = (batch(0, 1), batch(1, 1), batch(30, 1))
    moment = 11 + 0.001 / MINUTE
    stale = told(rule("stale", "10m"), *batches, end=39)
    assert said(stale) == [("fires", pytest.approx(moment, abs=1e-5)), ("resolves", 30)]
    lost = told(rule("above", 10, max_age="10m", no_data="alert"), *batches, end=40)
    assert [event.kind for event in lost] == ["no-data", "resolves"]
    assert lost[0].at == pytest.approx(START + 660.001, abs=1e-4)


def test_a_trigger_that_never_heard_anything_waits_for_as_long_as_a_reading_may_be_old() -> None:
    alarm = rule("above", 10, max_age="10m", no_data="alert")
    assert [(e.kind, round(e.at - START, 3)) for e in told(alarm)] == [("no-data", 600.001)]
    assert [(e.kind, round(e.at - START, 3)) for e in told(rule("stale", "5m"))] == [
        ("fires", 300.001)
    ]
    assert told(rule("above", 10)) == []


def test_a_firing_trigger_keeps_the_level_that_it_fired_against() -> None:
    values = (*(100,) * 8, *(80,) * 20, 100)
    batches = [batch(i, v) for i, v in enumerate(values)]
    events = told(rule("drops", "10%", baseline="6 readings"), *batches)
    assert said(events) == [("fires", 8), ("resolves", 28)]
    assert events[0].standing.baseline == 100
    assert events[0].standing.threshold == 90


def test_runs_count_in_the_order_in_which_they_ended() -> None:
    ends = [
        Batch(START + i * MINUTE, (Reading("run", "p", bad, "measured", at=START + i * MINUTE),))
        for i, bad in enumerate((0, 1, 1, 1, 0))
    ]
    assert said(told(rule("fails", hold="3 runs"), *ends)) == [("fires", 3), ("resolves", 4)]
