"""When a trend reaches a threshold: a straight line through the logarithms, with an interval from
a bootstrap. Pure, and the standard library alone: the service itself works it out."""

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import mul
from statistics import median
from typing import Literal

from storage.thinning import MONTH, thinned
from storage.types import Reading

Side = Literal["above", "below"]
YEAR = 12 * MONTH
MIN_POINTS = 6
MIN_SPAN = YEAR
RESAMPLES = 2000
SEED = 20260417
LEVEL = 0.90
"""Share of the resamples' crossings that lie within the interval."""
FAR = 100 * YEAR
"""A line that crosses later than this after the last point never does: no trend holds so long."""


class NoForecast(ValueError):
    """Nothing can be said about the future, and why."""


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """What the line is fitted to: a value at a moment (seconds since the epoch), and whose."""

    at: float
    value: float
    name: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """A fitted trend. Moments are seconds since the epoch; None is never.

    `pace` is how many times larger the value is a year later. `crosses` is where the line meets
    the threshold, `earliest` and `latest` the ends of its interval, `never` the share of the
    resampled lines that do not meet it within 100 years. `r2` is the share of the logarithms'
    variance that the line explains.
    """

    points: tuple[Point, ...]
    pace: float
    crosses: float | None
    earliest: float | None
    latest: float | None
    never: float
    r2: float

    @property
    def halving(self) -> float | None:
        """Years in which the value halves, or doubles where it grows; None where it stands."""
        return None if self.pace == 1 else math.log(2) / abs(math.log(self.pace))

    def at(self, moment: float) -> float:
        """The line's value at a moment."""
        line = _fit(self.points)
        return math.exp(line.level + line.slope * (moment - line.middle))


def best_of_families(readings: Iterable[Reading], side: Side) -> tuple[tuple[Point, ...], int]:
    """One point for each family, its best value when it was first reached, by first appearance;
    and the number of targets whose family is not known, which are left out."""
    families: dict[str, list[Reading]] = defaultdict(list)
    unknown: set[str] = set()
    for reading in sorted(readings, key=lambda one: one.at):
        if reading.family:
            families[reading.family].append(reading)
        else:
            unknown.add(reading.target)
    sign = 1 if side == "below" else -1
    # the first of equal values: that is when it was reached
    best = {name: min(found, key=lambda one: sign * one.value) for name, found in families.items()}
    return tuple(Point(one.at, one.value, name) for name, one in best.items()), len(unknown)


def every_target(readings: Iterable[Reading]) -> tuple[Point, ...]:
    """One point for each target: the medians of its calibrations' values and times. A target that
    is alone has a point for each of its months instead.

    Calibrations of one device are no independent evidence about the next: a device that is looked
    at each day must not count a hundred times.
    """
    kept = thinned(readings)
    alone = len({reading.target for reading in kept}) == 1
    groups: dict[str, list[Reading]] = defaultdict(list)
    for reading in kept:
        name = f"{reading.target} {reading.at // MONTH:.0f}" if alone else reading.target
        groups[name].append(reading)
    return tuple(
        sorted(
            Point(median(r.at for r in group), median(r.value for r in group), group[0].target)
            for group in groups.values()
        )
    )


def forecast(points: Sequence[Point], threshold: float, side: Side) -> Forecast:
    """The trend of `points` and when it crosses `threshold` to `side`.

    Least squares of ln(value) on time. Raises NoForecast for fewer than 6 points, less than a year,
    and values that have no logarithm.
    """
    _refuse(points)
    return _forecast(tuple(points), threshold, side)


def _refuse(points: Sequence[Point]) -> None:
    if len(points) < MIN_POINTS:
        raise NoForecast(f"no forecast: {len(points)} of {MIN_POINTS} points")
    times = [point.at for point in points]
    span = (max(times) - min(times)) / YEAR
    if span < MIN_SPAN / YEAR:
        raise NoForecast(f"no forecast: the points span {span:.2g} y, less than a year")
    least = min(points, key=lambda point: point.value)
    if least.value <= 0:
        raise NoForecast(f"no forecast: {least.value:g} of {least.name} has no logarithm")


@dataclass(frozen=True, slots=True)
class _Line:
    """ln(value) = level + slope · (at − middle), with what a resample needs to know."""

    middle: float
    level: float
    slope: float
    residuals: tuple[float, ...]
    """Each divided by what its leverage leaves of it: all have the errors' variance then."""
    weights: tuple[float, ...]
    """By which the errors of the points add up to that of the slope."""
    spread: float
    """Sum of squares of the times."""
    deviation: float
    r2: float

    def reaches(self, level: float, slope: float, goal: float, last: float, sign: int) -> float:
        """When a line meets `goal`; infinite where it goes the other way, or too slowly."""
        if sign * slope <= 0:
            return math.inf
        moment = self.middle + (goal - level) / slope
        return moment if moment <= last + FAR else math.inf


# A judgement a minute and an explanation beside it ask about the same points.
@lru_cache(maxsize=64)
def _fit(points: tuple[Point, ...]) -> _Line:
    count = len(points)
    middle = math.fsum(point.at for point in points) / count
    times = [point.at - middle for point in points]
    logs = [math.log(point.value) for point in points]
    level = math.fsum(logs) / count
    spread = math.fsum(map(mul, times, times))
    slope = math.fsum(map(mul, times, logs)) / spread
    errors = [y - level - slope * x for x, y in zip(times, logs, strict=True)]
    unexplained = math.fsum(map(mul, errors, errors))
    total = math.fsum((y - level) ** 2 for y in logs)
    lifted = [
        error / math.sqrt(max(1 - 1 / count - x * x / spread, 1e-9))
        for x, error in zip(times, errors, strict=True)
    ]
    mean = math.fsum(lifted) / count
    return _Line(
        middle=middle,
        level=level,
        slope=slope,
        residuals=tuple(error - mean for error in lifted),
        weights=tuple(x / spread for x in times),
        spread=spread,
        deviation=math.sqrt(unexplained / (count - 2)),
        r2=1 - unexplained / total if total else 1.0,
    )


@lru_cache(maxsize=64)
def _forecast(points: tuple[Point, ...], threshold: float, side: Side) -> Forecast:
    line, goal = _fit(points), math.log(threshold)
    sign = -1 if side == "below" else 1
    last = max(point.at for point in points)
    crosses = line.reaches(line.level, line.slope, goal, last, sign)
    drawn = sorted(
        line.reaches(level, slope, goal, last, sign) for level, slope in _resampled(line)
    )
    tail = (1 - LEVEL) / 2
    return Forecast(
        points=points,
        pace=math.exp(line.slope * YEAR),
        crosses=_or_never(crosses),
        earliest=_or_never(_quantile(drawn, tail)),
        latest=_or_never(_quantile(drawn, 1 - tail)),
        never=sum(map(math.isinf, drawn)) / len(drawn),
        r2=line.r2,
    )


def _resampled(line: _Line) -> Iterable[tuple[float, float]]:
    """Level and slope of the lines that the data allow: a studentized bootstrap of the residuals.

    The points' errors are drawn anew from the residuals, and the line's deviation from the fit is
    scaled by the true spread over the resample's own (Efron and Tibshirani, An Introduction to the
    Bootstrap, 1993, §9.4 and §12.5; Davison and Hinkley, Bootstrap Methods, 1997, §6.2.4). Without
    that scale six points promise far too much: docs/forecasts.md has the measured coverage.
    """
    count = len(line.residuals)
    chance = random.Random(SEED)  # noqa: S311 a resample that repeats, no secret
    scale = line.deviation
    for _ in range(RESAMPLES):
        errors = chance.choices(line.residuals, k=count)
        level = sum(errors) / count
        slope = sum(map(mul, line.weights, errors))
        left = sum(map(mul, errors, errors)) - count * level**2 - slope**2 * line.spread
        own = math.sqrt(max(left, 0.0) / (count - 2))
        # all errors on one line leave no spread to compare with: the draw says nothing of its own
        ratio = scale / own if own > scale * 1e-6 else 1.0
        yield line.level - ratio * level, line.slope - ratio * slope


def _quantile(ordered: Sequence[float], share: float) -> float:
    """The order statistic: between a year and never there is nothing to interpolate."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def _or_never(moment: float) -> float | None:
    return None if math.isinf(moment) else moment
