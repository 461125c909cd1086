"""`when = "crosses"`: whether the trend of all matching targets reaches a threshold in time, and in
what words. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from storage.types import Reading
from triggers.forecast import (
    LEVEL,
    MIN_POINTS,
    Forecast,
    NoForecast,
    Point,
    Side,
    best_of_families,
    every_target,
    forecast,
)
from triggers.rule import Rule

HISTORY = {"quantum.calibration.": "`qrossover backfill snapshots` brings 2020 to 2026"}
"""Signals whose past can be had, and how."""
_SMALL, _LARGE = 0.01, 1e6


@dataclass(frozen=True, slots=True)
class Outlook:
    """What can be said: `holds` is None where no forecast can be made and nothing is there yet.

    `best` is the best reading so far, `trend` the forecast where there is one.
    """

    holds: bool | None
    why: str
    best: Reading
    trend: Forecast | None


def outlook(rule: Rule, unit: str, readings: Sequence[Reading], now: float) -> Outlook:
    """Judge a rule that crosses on the accepted readings of all its targets (one or more)."""
    best = best_of(readings, side_of(rule))
    what = f"{subject(rule)} {say(best.value, unit)}, needs {say(rule.limit, unit)}"
    there = best.value < rule.limit if rule.side == "below" else best.value > rule.limit
    points, left_out = points_of(rule, readings)
    try:
        trend = forecast(points, rule.limit, side_of(rule))
    except NoForecast as refused:
        why = "reached" if there else missing(rule, str(refused), left_out)
        return Outlook(True if there else None, f"{what}: {why}", best, None)
    if there:
        return Outlook(True, f"{what}: reached", best, trend)
    soon = trend.crosses is not None and trend.crosses <= now + (rule.horizon or 0.0)
    return Outlook(soon, f"{what}: {years(trend)} at the present pace", best, trend)


def unheard(rule: Rule) -> str:
    """What to say where there is no reading at all."""
    return missing(rule, f"no forecast: 0 of {MIN_POINTS} points", 0)


def side_of(rule: Rule) -> Side:
    """The side of the threshold that is asked for; a rule that crosses always has one."""
    return rule.side or "below"


def points_of(rule: Rule, readings: Sequence[Reading]) -> tuple[tuple[Point, ...], int]:
    """What the rule's line is fitted to, and how many targets are left out of it."""
    if rule.fit == "best":
        return best_of_families(readings, side_of(rule))
    return every_target(readings), 0


def best_of(readings: Sequence[Reading], side: Side) -> Reading:
    """The best reading so far, at the time when it was first reached."""
    sign = 1 if side == "below" else -1
    return min(readings, key=lambda one: (sign * one.value, one.at))


def missing(rule: Rule, why: str, left_out: int) -> str:
    """Why there is no forecast, and what would bring one."""
    parts = [why]
    if left_out:
        parts.append(f"{left_out} target{'s' * (left_out > 1)} of unknown family left out")
    name = rule.signal or ""
    parts += [hint for prefix, hint in HISTORY.items() if name.startswith(prefix)]
    return "; ".join(parts)


def subject(rule: Rule) -> str:
    """The signal in words: "two qubit error"."""
    return (rule.signal or "").rpartition(".")[2].replace("_", " ")


def years(trend: Forecast, *, level: bool = True) -> str:
    """The year of a crossing with its interval: "2032 (90%: 2029–2037)", "2032 (90%: 2029–never)";
    without its `level` only where that stands above a whole table."""
    if trend.crosses is None:
        return "never"
    middle, first, last = map(_year, (trend.crosses, trend.earliest, trend.latest))
    said = f"{LEVEL:.0%}: " if level else ""
    return f"{middle} ({said}{first}–{last})"


def _year(moment: float | None) -> str:
    return "never" if moment is None else str(datetime.fromtimestamp(moment, UTC).year)


def say(value: float, unit: str) -> str:
    """A value in two or three digits: "1.3e-3", "0.05", "120 qubit"."""
    size = abs(value)
    if size and not _SMALL <= size < _LARGE:
        power = math.floor(math.log10(size))
        mantissa = f"{value / 10.0**power:.2g}"
        text = f"{mantissa}e{power}" if mantissa != "10" else f"1e{power + 1}"
    else:
        text = f"{value:,.0f}" if size >= 100 else f"{value:.3g}"  # noqa: PLR2004 three digits
    return text if unit in ("", "1") else f"{text} {unit}"
