"""Where a moving median could let a reading hold: exact, and without a median for every reading.

Between two readings a window of the past loses some readings at its old end and wins some at its
new one. Each of them moves the rank of the median by at most one, so that two order statistics of
one window are bounds for the medians of all windows that begin soon after it.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from triggers.check import thresholds
from triggers.rule import MIN_BASELINE, Rule

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

SHARE = 3
"""A first block of windows is a third of a window long: its bounds are then two sixths."""
TOO_MANY = 0.25
"""A block in which more readings than this are in doubt is looked at more closely."""
CELLS = 1 << 20
"""So many numbers are sorted at once: 8 MiB."""
SLACK = 1e-12
"""Two roundings may order two thresholds differently than their levels are ordered."""


class Levels:
    """The baselines of drops and rises at the readings `ends` of a series."""

    def __init__(self, rule: Rule, at: Floats, value: Floats, ends: Ints) -> None:
        self._rule = rule
        self._value = value
        self._ends = ends
        self.first, self.past = windows(rule, at, ends)

    def count(self, k: int) -> int:
        """How many readings make the baseline at the k-th end."""
        return int(self.past[k] - self.first[k])

    def exact(self, k: int) -> float:
        """The median of those readings, as `statistics.median` gives it."""
        return median(self._value[self.first[k] : self.past[k]])

    def candidates(self) -> NDArray[np.bool_]:
        """At which ends a reading could hold. Elsewhere it surely does not."""
        possible = np.zeros(len(self._ends), dtype=np.bool_)
        if not len(self._ends):
            return possible
        size = max(1, int(np.median(self.past - self.first)) // SHARE)
        starts = np.arange(0, len(self._ends), size)
        lengths = np.minimum(size, len(self._ends) - starts)
        while len(starts):
            crowded = np.zeros(len(starts), dtype=np.bool_)
            for rows in self._alike(starts):
                limits = self._limits(starts[rows], lengths[rows])
                crowded[rows] = self._mark(possible, starts[rows], lengths[rows], limits)
            starts, lengths = _split(starts[crowded], lengths[crowded])
        return possible & (self.past - self.first >= MIN_BASELINE)

    def _alike(self, starts: Ints) -> Iterator[Ints]:
        """Blocks whose first windows are equally long, no more of them than sort at once."""
        sizes = self.past[starts] - self.first[starts]
        order = np.argsort(sizes, kind="stable")
        edges = np.flatnonzero(np.diff(sizes[order])) + 1
        for group in np.split(order, edges):
            most = max(1, CELLS // max(1, int(sizes[group[0]])))
            for begin in range(0, len(group), most):
                yield group[begin : begin + most]

    def _limits(self, starts: Ints, lengths: Ints) -> tuple[Floats, Floats]:
        """The lowest and highest threshold of each block; its first windows have one length."""
        first, past = self.first[starts], self.past[starts]
        last = starts + lengths - 1
        moved = int(np.max(self.first[last] - first + self.past[last] - past))
        size = int(past[0] - first[0])
        low, high = (size - moved - 1) // 2, (size + moved) // 2
        if low < 0 or high >= size:
            return np.full(len(starts), -np.inf), np.full(len(starts), np.inf)
        cells = self._value[first[:, None] + np.arange(size)[None, :]]
        cells.partition((low, high), axis=1)
        return self._between(cells[:, low], cells[:, high])

    def _between(self, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """The thresholds that levels between two can have."""
        share = self._rule.limit
        sign = -1 if self._rule.when == "drops" else 1
        with np.errstate(all="ignore"):
            ends = [level + sign * share * np.abs(level) for level in (low, high)]
            ends.append(np.where((low < 0) & (high > 0), 0.0, ends[0]))  # there it turns round
            slack = SLACK * (1 + share) * (np.abs(low) + np.abs(high))
            least, most = np.min(ends, axis=0) - slack, np.max(ends, axis=0) + slack
            sound = np.isfinite(least) & np.isfinite(most)
        return np.where(sound, least, -np.inf), np.where(sound, most, np.inf)

    def _mark(
        self,
        possible: NDArray[np.bool_],
        starts: Ints,
        lengths: Ints,
        limits: tuple[Floats, Floats],
    ) -> NDArray[np.bool_]:
        """Write down which readings of the blocks could hold; the blocks with many in doubt."""
        block = np.repeat(np.arange(len(starts)), lengths)
        begin = np.cumsum(lengths) - lengths
        where = starts[block] + np.arange(len(block)) - begin[block]
        read = self._value[self._ends[where]]
        least, most = (limit[block] for limit in limits)
        drops = self._rule.when == "drops"
        possible[where] = read < most if drops else read > least
        doubtful = (read >= least) & (read <= most)
        share = np.bincount(block[doubtful], minlength=len(starts)) / lengths
        crowded: NDArray[np.bool_] = (share > TOO_MANY) & (lengths > 1)
        return crowded


def windows(rule: Rule, at: Floats, ends: Ints) -> tuple[Ints, Ints]:
    """First reading of the baseline and the one after its last, for each end: the same readings
    that `check.baseline_readings` takes."""
    last = at[ends]
    if rule.hold.seconds:
        past = np.searchsorted(at, last - rule.hold.seconds, "left")
    else:
        past = np.maximum(ends + 1 - rule.hold.of, 0)
    if rule.baseline.readings:
        return np.maximum(past - rule.baseline.readings, 0), past
    first = np.searchsorted(at, last - rule.baseline.seconds, "left")
    return np.minimum(first, past), past


def median(values: Floats) -> float:
    """The median, as `statistics.median` gives it."""
    middle = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, middle)[middle])
    pair = np.partition(values, (middle - 1, middle))
    return (float(pair[middle - 1]) + float(pair[middle])) / 2


def holds(rule: Rule, level: float, value: float) -> bool:
    """Whether a reading holds at this level."""
    if level == 0:
        return False
    limit, _ = thresholds(rule, level)
    return value < limit if rule.when == "drops" else value > limit


def _split(starts: Ints, lengths: Ints) -> tuple[Ints, Ints]:
    """Each block as up to four."""
    size = np.maximum(1, -(-lengths // 4))
    count = -(-lengths // size)
    block = np.repeat(np.arange(len(starts)), count)
    nth = np.arange(len(block)) - (np.cumsum(count) - count)[block]
    fresh = starts[block] + nth * size[block]
    return fresh, np.minimum(size[block], starts[block] + lengths[block] - fresh)
