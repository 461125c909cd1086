"""A trend and when it crosses: against scipy's line, Fieller's interval and its own promises."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from storage.types import Reading
from triggers.forecast import (
    LEVEL,
    MONTH,
    YEAR,
    NoForecast,
    Point,
    best_of_families,
    every_target,
    forecast,
)

EPOCH = 1_600_000_000.0


def line(logs: Sequence[float], every: float = YEAR, start: float = EPOCH) -> tuple[Point, ...]:
    """Points at equal distances with these logarithms."""
    return tuple(
        Point(start + every * index, math.exp(value), f"f{index}")
        for index, value in enumerate(logs)
    )


def reading(
    value: float, years: float = 0.0, target: str = "a", family: str = "Heron r2"
) -> Reading:
    return Reading("s", target, value, "vendor", at=EPOCH + years * YEAR, family=family)


# --- the line ------------------------------------------------------------------------------------


@given(st.lists(st.floats(-12, 12), min_size=6, max_size=30))
@settings(max_examples=30, deadline=None)
def test_the_line_is_scipys(logs: list[float]) -> None:
    points = line([*logs[:-1], logs[-1] + 0.5])
    by_scipy = stats.linregress(
        [(point.at - EPOCH) / YEAR for point in points], [math.log(p.value) for p in points]
    )
    found = forecast(points, 1e-9, "below")
    assert math.log(found.pace) == pytest.approx(by_scipy.slope, rel=1e-6, abs=1e-9)
    assert math.log(found.at(EPOCH)) == pytest.approx(by_scipy.intercept, rel=1e-6, abs=1e-6)
    assert found.r2 == pytest.approx(by_scipy.rvalue**2, abs=1e-6)


@pytest.mark.parametrize(("side", "slope", "goal"), [("below", -0.5, -7.0), ("above", 0.5, 9.0)])
def test_an_exact_line_crosses_where_it_must(side: str, slope: float, goal: float) -> None:
    found = forecast(line([1.0 + slope * year for year in range(6)]), math.exp(goal), side)
    due = EPOCH + (goal - 1.0) / slope * YEAR
    assert found.crosses == pytest.approx(due, abs=60.0)
    assert found.earliest == pytest.approx(due, abs=60.0)
    assert found.latest == pytest.approx(due, abs=60.0)
    assert found.never == 0
    assert found.halving == pytest.approx(math.log(2) / 0.5)
    assert found.r2 == pytest.approx(1)


@pytest.mark.parametrize(("side", "slope"), [("below", 0.5), ("above", -0.5), ("below", 0.0)])
def test_a_trend_that_goes_the_other_way_never_crosses(side: str, slope: float) -> None:
    goal = 1e-6 if side == "below" else 1e6
    found = forecast(line([slope * year for year in range(8)]), goal, side)
    assert (found.crosses, found.earliest, found.latest, found.never) == (None, None, None, 1)


def test_a_crossing_past_a_hundred_years_is_never() -> None:
    logs = [-0.01 * year for year in range(7)]
    assert forecast(line(logs), math.exp(-1.05), "below").crosses is not None
    assert forecast(line(logs), math.exp(-1.07), "below").crosses is None


# --- the interval --------------------------------------------------------------------------------


def fieller(points: Sequence[Point], goal: float) -> tuple[float, float]:
    """The exact interval of a crossing where the errors are normal (Fieller 1954): the moments at
    which the goal lies within the line's confidence band."""
    at = np.array([point.at for point in points])
    logs = np.log([point.value for point in points])
    fit = stats.linregress(at, logs)
    count, mean = len(at), at.mean()
    spread = ((at - mean) ** 2).sum()
    s = math.sqrt(((logs - fit.intercept - fit.slope * at) ** 2).sum() / (count - 2))
    t = stats.t.ppf((1 + LEVEL) / 2, count - 2)
    grid = np.linspace(at.min(), at.max() + 60 * YEAR, 200_000)
    band = t * s * np.sqrt(1 / count + (grid - mean) ** 2 / spread)
    inside = grid[np.abs(fit.intercept + fit.slope * grid - goal) <= band]
    return inside.min(), inside.max()


@pytest.mark.parametrize("count", [6, 9, 14, 40])
def test_the_interval_is_fiellers_where_the_errors_are_normal(count: int) -> None:
    scores = stats.norm.ppf((np.arange(count) + 0.5) / count)
    errors = 0.1 * np.random.default_rng(count).permutation(scores)
    points = line([-0.5 * 6 * i / count + e for i, e in enumerate(errors)], every=6 * YEAR / count)
    first, last = fieller(points, -5.0)
    found = forecast(points, math.exp(-5.0), "below")
    assert found.earliest is not None
    assert found.latest is not None
    assert found.earliest == pytest.approx(first, abs=0.15 * (last - first))
    assert found.latest == pytest.approx(last, abs=0.15 * (last - first))


def test_the_interval_is_that_of_the_same_bootstrap_in_numpy() -> None:
    chance = np.random.default_rng(7)
    x = np.array([0.0, 0.1, 0.8, 1.5, 2.2, 3.0, 4.1, 5.0, 5.1])
    y = -0.4 * x + chance.normal(0, 0.3, len(x))
    at, n = EPOCH + x * YEAR, len(x)
    spread = ((x - x.mean()) ** 2).sum()
    slope = ((x - x.mean()) * y).sum() / spread
    residuals = y - y.mean() - slope * (x - x.mean())
    lifted = residuals / np.sqrt(1 - 1 / n - (x - x.mean()) ** 2 / spread)
    errors = chance.choice(lifted - lifted.mean(), (100_000, n))
    fits = np.polynomial.polynomial.polyfit(x - x.mean(), errors.T, 1)
    left = errors - fits[0][:, None] - fits[1][:, None] * (x - x.mean())
    scale = np.sqrt((residuals**2).sum() / (left**2).sum(axis=1))
    levels, slopes = y.mean() - scale * fits[0], slope - scale * fits[1]
    with np.errstate(divide="ignore"):
        crossings = np.where(slopes < 0, x.mean() + (-5 - levels) / slopes, np.inf)
    first, last = np.quantile(crossings, [0.05, 0.95])
    points = tuple(Point(a, math.exp(v), "") for a, v in zip(at, y, strict=True))
    found = forecast(points, math.exp(-5), "below")
    assert found.earliest is not None
    assert found.latest is not None
    near = 0.06 * (last - first)
    assert (found.earliest - EPOCH) / YEAR == pytest.approx(first, abs=near)
    assert (found.latest - EPOCH) / YEAR == pytest.approx(last, abs=near)


def test_resamples_that_never_cross_count_as_later_than_all() -> None:
    noisy = line([0.0, -0.9, 0.4, -0.6, 0.1, -0.8, 0.2, -0.7])
    found = forecast(noisy, math.exp(-3), "below")
    assert found.crosses is not None
    assert found.earliest is not None
    assert found.earliest < found.crosses
    assert found.latest is None
    assert 0.05 < found.never < 0.95


@given(st.lists(st.floats(-3, 3), min_size=6, max_size=12), st.floats(-8, 8))
@settings(max_examples=25, deadline=None)
def test_a_forecast_repeats_and_its_ends_are_in_order(logs: list[float], goal: float) -> None:
    points = line(logs)
    first = forecast(points, math.exp(goal), "below")
    forecast(line([1, 2, 3, 4, 5, 6]), 0.5, "below")
    assert forecast(list(points), math.exp(goal), "below") == first
    ends = [math.inf if end is None else end for end in (first.earliest, first.latest)]
    assert ends[0] <= ends[1]
    assert first.latest is not None or first.never >= 0.05


# --- where there is none -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("points", "why"),
    [
        ((), "no forecast: 0 of 6 points"),
        (line([0.0] * 5), "no forecast: 5 of 6 points"),
        (line([0.0, -1.0] * 3, every=2 * MONTH), "no forecast: the points span 0.83 y, less than"),
        ((*line([0.0] * 5), Point(EPOCH + 9 * YEAR, 0.0, "z")), "0 of z has no logarithm"),
        ((*line([0.0] * 5), Point(EPOCH + 9 * YEAR, -2.0, "z")), "-2 of z has no logarithm"),
    ],
)
def test_too_little_to_foretell_from_is_refused(points: tuple[Point, ...], why: str) -> None:
    with pytest.raises(NoForecast, match=why):
        forecast(points, 1e-3, "below")


def test_six_points_over_a_year_are_enough() -> None:
    assert forecast(line([0.0, -0.1, -0.2, -0.3, -0.4, -0.5], YEAR / 5), 1e-3, "below").crosses


# --- the points ----------------------------------------------------------------------------------


def test_the_best_of_each_family_when_it_was_first_reached() -> None:
    readings = [
        reading(5e-3, 3.0, "c", "Heron r2"),
        reading(9e-3, 0.0, "a", "Falcon r4"),
        reading(7e-3, 1.0, "b", "Falcon r4"),
        reading(7e-3, 2.0, "a", "Falcon r4"),
        reading(8e-3, 2.5, "b", "Falcon r4"),
        reading(1e-9, 2.6, "x", ""),
        reading(1e-9, 2.7, "x", ""),
    ]
    points, left_out = best_of_families(readings, "below")
    assert [(p.name, p.value, (p.at - EPOCH) / YEAR) for p in points] == [
        ("Falcon r4", 7e-3, pytest.approx(1.0)),
        ("Heron r2", 5e-3, pytest.approx(3.0)),
    ]
    assert left_out == 1
    above, _ = best_of_families(readings, "above")
    assert [(p.name, p.value) for p in above] == [("Falcon r4", 9e-3), ("Heron r2", 5e-3)]


def test_a_device_that_is_polled_each_day_weighs_as_one() -> None:
    polled = [reading(3e-3 * 1.001**day, 2 + day / 365.25, "polled") for day in range(400)]
    points = every_target([reading(9e-3, 0.0, "once"), *polled, reading(2e-3, 5.0, "late", "")])
    assert [point.name for point in points] == ["once", "polled", "late"]
    assert 3e-3 < points[1].value < 4.5e-3
    assert 2 < (points[1].at - EPOCH) / YEAR < 3.2


def test_a_target_that_is_alone_has_a_point_a_month() -> None:
    points = every_target([reading(1.0 + 1 / (1 + day), day / 365.25) for day in range(730)])
    assert 24 <= len(points) <= 26
    assert all(0 < later.at - earlier.at < 2 * MONTH for earlier, later in pairwise(points))
