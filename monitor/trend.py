"""A fitted trend step by step, in words and as a document: what `trigger explain` says of one."""

from typing import Any

from monitor.report import iso
from monitor.text import ago, figure, moment, number, percent
from storage.types import Origin, Reading, Series
from triggers.crosses import outlook, points_of, years
from triggers.forecast import LEVEL, RESAMPLES, Forecast
from triggers.rule import Rule


def steps(rule: Rule, seen: Series, now: float) -> list[str]:
    """What the line is fitted to, the line, where it crosses, and what is asked of that."""
    accepted = tuple(reading for reading in seen.readings if reading.origin in rule.accept)
    if not accepted:
        return []
    points, left_out = points_of(rule, accepted)
    said = [_fitted_to(rule, len(points), left_out)]
    told = outlook(rule, seen.unit, accepted, now)
    if told.trend is None:
        return said
    return [*said, _line(told.trend), _crossing(rule, told.trend, seen.unit), _asked(rule, now)]


def document(rule: Rule, seen: Series, now: float) -> dict[str, Any] | None:
    """The forecast with its points; None for another kind of trigger, and where there is none."""
    accepted = tuple(reading for reading in seen.readings if reading.origin in rule.accept)
    if rule.when != "crosses" or not accepted:
        return None
    trend = outlook(rule, seen.unit, accepted, now).trend
    if trend is None:
        return None
    return {
        "crosses": iso(trend.crosses),
        "earliest": iso(trend.earliest),
        "latest": iso(trend.latest),
        "level": LEVEL,
        "never": trend.never,
        "factor_per_year": trend.pace,
        "r2": trend.r2,
        "points": [
            {"at": iso(point.at), "value": point.value, "name": point.name}
            for point in trend.points
        ],
    }


def shown(rule: Rule, seen: Series) -> tuple[Reading, ...]:
    """The readings to show: of a trend its points, each with the family or target it stands for."""
    if rule.when != "crosses":
        return seen.readings
    accepted = tuple(reading for reading in seen.readings if reading.origin in rule.accept)
    points, _ = points_of(rule, accepted)
    # a point that is a reading is no more than that reading: a vendor's figure stays the vendor's
    origins = {(reading.at, reading.value): reading.origin for reading in accepted}
    simulated = any(reading.origin == "simulated" for reading in accepted)
    median: Origin = "simulated" if simulated else "derived"
    return tuple(
        Reading(
            seen.signal,
            rule.target,
            point.value,
            origins.get((point.at, point.value), median),
            at=point.at,
            note=point.name,
        )
        for point in sorted(points)
    )


def _fitted_to(rule: Rule, points: int, left_out: int) -> str:
    whose = "the best of each device family" if rule.fit == "best" else "every device"
    text = f'fit = "{rule.fit}": {points} points, {whose}'
    return text + (f"; {left_out} devices of unknown family left out" if left_out else "")


def _line(trend: Forecast) -> str:
    pace = f"{figure(trend.pace, 3)} times as large a year later"
    if trend.halving is not None:
        word = "halves" if trend.pace < 1 else "doubles"
        pace += f" ({word} in {figure(trend.halving, 3)} y)"
    return f"least squares of the logarithms: {pace}, R² {trend.r2:.2f}"


def _crossing(rule: Rule, trend: Forecast, unit: str) -> str:
    text = f"the line is {rule.side} {number(rule.limit, unit)} from {years(trend)} on"
    text += f"; the interval is that of {RESAMPLES:,} resampled lines"
    return text + (f", {percent(trend.never)} of which never are" if trend.never else "")


def _asked(rule: Rule, now: float) -> str:
    from_now = rule.horizon or 0.0
    return f"horizon = {ago(from_now)}: it must cross before {moment(now + from_now)[:10]}"
