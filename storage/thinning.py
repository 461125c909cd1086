"""Years of polls as few readings: what a long trend is fitted to. Pure."""

from collections.abc import Iterable
from itertools import groupby

from storage.types import Reading

MONTH = 30.4375 * 86400.0
"""A twelfth of a year, counted from the epoch, so that a period never shifts."""


def thinned(readings: Iterable[Reading]) -> tuple[Reading, ...]:
    """At most two readings of each target a month, its lowest and its highest, oldest first.

    Each is the earliest of its value in that month, so that the best of a target is among them,
    whichever side is better. Of those, a value that repeats exactly on one target is the same
    calibration looked at again: its earliest reading stands for it. Thinning twice is thinning
    once.
    """
    ordered = sorted(readings, key=_month)
    ends = [end for _, group in groupby(ordered, key=_month) for end in _ends(list(group))]
    earliest: dict[tuple[str, float], Reading] = {}
    for reading in sorted(ends, key=lambda one: one.at):
        earliest.setdefault((reading.target, reading.value), reading)
    return tuple(sorted(earliest.values(), key=lambda one: (one.at, one.target, one.value)))


def _month(reading: Reading) -> tuple[str, int]:
    return reading.target, int(reading.at // MONTH)


def _ends(month: list[Reading]) -> list[Reading]:
    lowest = min(month, key=lambda one: (one.value, one.at))
    highest = max(month, key=lambda one: (one.value, -one.at))
    return [lowest, highest]
