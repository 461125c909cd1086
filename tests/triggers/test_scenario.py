"""Which way indicators point, on what evidence, and what the count of them says."""

from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.types import Origin, Reading, Series
from triggers.milestone import Milestone
from triggers.scenario import (
    WAY_OUT,
    Finding,
    Judged,
    MilestoneIndicator,
    Points,
    Scenario,
    SignalIndicator,
    headline,
    judge,
    leading,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC).timestamp()
DAY = 86400.0


def on(target: str, *values: float, age: float = 0.0, origin: Origin = "vendor") -> Series:
    """A series that ends `age` days ago, a day apart."""
    last = NOW - age * DAY
    readings = [
        Reading("q.error", target, value, origin, at=last - (len(values) - 1 - n) * DAY)
        for n, value in enumerate(values)
    ]
    return Series("q.error", "1", target, tuple(readings))


def scenario(*indicators: Any, letter: str = "A") -> Scenario:
    return Scenario(name=letter, letter=letter, title=letter, means="x", indicator=indicators)


def found(indicator: Any, *series: Series, **milestone: Any) -> Finding:
    """What one indicator says on these series, or on this milestone."""
    plain = {
        "id": "m", "who": "IBM", "what": "it", "due": "2029", "status": "announced",
        "since": "2025", "source": "a paper", "url": "https://example.org/x",
        "checked": "2026-11-22",
    }  # fmt: skip
    said = {key: value for key, value in (plain | milestone).items() if value is not None}
    known = {"m": Milestone.model_validate(said)}
    [finding] = judge(scenario(indicator), lambda _: series, known, NOW).findings
    return finding


def error(**keys: Any) -> SignalIndicator:
    """Errors below 1e-3 on any device, unless it says otherwise."""
    plain = {"id": "i", "says": "low", "signal": "q.error", "when": "below", "threshold": 1e-3}
    return SignalIndicator.model_validate(plain | {"source": "s", "url": "u"} | keys)


PROMISE = MilestoneIndicator(id="i", says="x", milestone="m", met="toward", missed="away")


# --- signals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "points", "target"),
    [
        ({}, "toward", "best"),
        ({"over": "all"}, "away", "worst"),
        ({"when": "above"}, "toward", "worst"),
        ({"when": "above", "over": "all"}, "away", "best"),
        ({"threshold": 1e-5}, "away", "best"),
        ({"threshold": 1, "over": "all"}, "toward", "worst"),
        ({"threshold": 1e-5, "otherwise": "unknown"}, "unknown", "best"),
        ({"holds": "away", "otherwise": "toward"}, "away", "best"),
    ],
)
def test_any_or_all_devices_and_the_one_that_decides(
    keys: dict[str, Any], points: Points, target: str
) -> None:
    finding = found(error(**keys), on("mean", 2e-3), on("best", 9e-3, 5e-4), on("worst", 4e-3))
    assert finding.points == points
    assert finding.reading is not None
    assert finding.reading.target == target
    assert finding.threshold == keys.get("threshold", 1e-3)
    assert f"on {target} (3 targets told)" in finding.why


def test_what_is_not_measured_points_nowhere() -> None:
    finding = found(error())
    assert (finding.points, finding.why, finding.reading) == ("unknown", "not measured yet", None)


def test_a_simulated_reading_points_nowhere_and_is_shown() -> None:
    finding = found(error(), on("d", 1e-4, origin="simulated"))
    assert (finding.points, finding.reading and finding.reading.value) == ("unknown", 1e-4)
    assert finding.why == "there are only simulated readings, which do not count"


def test_an_old_reading_points_nowhere() -> None:
    assert found(error(), on("d", 1e-4, age=89)).points == "toward"
    finding = found(error(), on("d", 1e-4, age=91))
    assert (finding.points, finding.why) == (
        "unknown",
        "the last reading is 91 d old, more than 90 d",
    )


def test_a_device_that_cannot_be_told_does_not_decide() -> None:
    old = on("old", 1e-5, age=400)
    assert found(error(threshold=1e-4), old, on("new", 2e-3)).points == "away"
    assert found(error(when="above", over="all"), old, on("new", 2e-3)).points == "toward"


def test_a_trend_is_judged_against_its_own_level() -> None:
    rises = error(when="rises", threshold="15%", baseline="365d", otherwise="unknown")
    slow = on("large", *[100.0] * 9, 105.0)
    assert found(rises, slow, on("small", *[1.0] * 9, 1.2)).points == "toward"
    fast = found(rises, slow, on("small", *[1.0] * 9, 1.2)).reading
    assert fast is not None
    assert fast.target == "small"
    assert found(rises, slow).points == "unknown"
    assert "learning the baseline" in found(rises, on("d", 1.0, 2.0)).why


def test_a_trend_that_reaches_the_level_in_time() -> None:
    """Errors that halve each year from 0.05 on are at 0.05 / 2^9.6 = 6.4e-5 after 9.6 years."""
    readings = [
        Reading(
            "q.error",
            f"d{n}",
            0.05 / 2**n,
            "vendor",
            at=NOW - (6 - n) * 365.25 * DAY,
            family=f"f{n}",
        )
        for n in range(7)
    ]
    everywhere = Series("q.error", "1", "*", tuple(readings))
    in_time = error(when="crosses", side="below", threshold=1e-4, horizon="5y")
    finding = found(in_time, everywhere)
    assert (finding.points, finding.reading) == ("toward", readings[-1])
    assert "at the present pace" in finding.why
    too_late = error(when="crosses", side="below", threshold=1e-4, horizon="1y")
    assert found(too_late, everywhere).points == "away"
    assert found(too_late.model_copy(update={"otherwise": "toward"}), everywhere).points == "toward"
    few = Series("q.error", "1", "*", tuple(readings[-3:]))
    assert found(in_time, few).points == "unknown"


# --- milestones --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "points", "why"),
    [
        ({}, "unknown", "due 2029"),
        ({"status": "open"}, "unknown", "due 2029; what came of it is not confirmed"),
        ({"status": "open", "due": "2025"}, "unknown", "was due 2025: please confirm"),
        ({"checked": "2025-11-01", "due": "2025"}, "unknown", "was due 2025: please confirm"),
        ({"status": "met"}, "toward", "met 2025"),
        ({"status": "met", "due": None}, "toward", "published 2025"),
        ({"status": "missed", "due": "2025"}, "away", "was due 2025 and was missed"),
        ({"status": "slipped", "moved_to": "2031"}, "away", "was due 2029, has slipped to 2031"),
    ],
)
def test_a_milestone_points_once_it_is_met_or_missed(
    keys: dict[str, Any], points: Points, why: str
) -> None:
    finding = found(PROMISE, **keys)
    assert finding.points == points
    assert finding.why.startswith(why)
    assert finding.milestone is not None


def test_the_other_way_round() -> None:
    against = PROMISE.model_copy(update={"met": "away", "missed": "toward"})
    assert found(against, status="met").points == "away"
    assert found(against, status="missed", due="2025").points == "toward"
    assert found(against).points == "unknown"


# --- counting ----------------------------------------------------------------------------------

POINTS = st.sampled_from(get_args(Points))
COUNTS = st.lists(st.lists(POINTS, min_size=1, max_size=7), min_size=1, max_size=3)


def counted(*points: list[Points]) -> list[Judged]:
    """Scenarios A, B, C whose indicators point so."""
    return [
        Judged(scenario(PROMISE, letter="ABC"[n]), tuple(Finding(PROMISE, p, "") for p in each))
        for n, each in enumerate(points)
    ]


@given(COUNTS)
def test_every_indicator_counts_once(points: list[list[Points]]) -> None:
    for judged, each in zip(counted(*points), points, strict=True):
        assert sum(judged.count(way) for way in get_args(Points)) == len(each)
        assert judged.known == len(each) - each.count("unknown")


@given(COUNTS)
def test_the_unknown_moves_nothing(points: list[list[Points]]) -> None:
    before = [one.scenario.letter for one in leading(counted(*points))]
    more: list[list[Points]] = [[*each, "unknown"] for each in points]
    assert [one.scenario.letter for one in leading(counted(*more))] == before


@given(COUNTS)
def test_the_leading_ones_have_most_and_nobody_has_more(points: list[list[Points]]) -> None:
    judged = counted(*points)
    ahead = leading(judged)
    surplus = {one.scenario.letter: one.count("toward") - one.count("away") for one in judged}
    for best in ahead:
        assert surplus[best.scenario.letter] == max(surplus.values()) > 0
    assert ahead or max(surplus.values()) <= 0


@given(COUNTS, st.randoms(use_true_random=False))
def test_the_order_of_indicators_says_nothing(points: list[list[Points]], by: Any) -> None:
    other = [by.sample(each, len(each)) for each in points]
    assert headline(counted(*points)) == headline(counted(*other))


@given(COUNTS)
def test_the_headline_names_no_chance(points: list[list[Points]]) -> None:
    said = headline(counted(*points))
    assert "%" not in said
    assert not {"likely", "probability", "chance"} & set(said.lower().split())


MOST = "Of the scenarios, most speaks for "
LITTLE = "Too little is known to name a scenario "
NONE = "For none of the scenarios more speaks than against it "


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (
            "ttttta??? tta aa",
            MOST + "A (a): 5 of 6 known indicators point to it, 3 cannot be told yet.",
        ),
        ("t a a", MOST + "A (a): 1 of 1 known indicator points to it."),
        ("t ttttta a", MOST + "B (b): 5 of 6 known indicators point to it."),
        (
            "tta t? a",
            MOST + "A (a): 2 of 3 known indicators point to it; and for "
            "B (b): 1 of 1 known indicator points to it, 1 cannot be told yet.",
        ),
        ("ta taa a?", NONE + "(A (a): 1 of 2; B (b): 1 of 3; C (c): 0 of 1)."),
        (
            "tt??? ta a",
            LITTLE + "(indicators known: A: 2 of 5; B: 2 of 2; C: 1 of 1). " + WAY_OUT,
        ),
        ("? ?? ?", "Nothing can be told yet: no indicator of any scenario is known."),
    ],
)
def test_headlines(points: str, said: str) -> None:
    words: dict[str, Points] = {"t": "toward", "a": "away", "?": "unknown"}
    assert headline(counted(*[[words[sign] for sign in each] for each in points.split()])) == said
