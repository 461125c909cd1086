"""A series as one line of text."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int = 24) -> str:
    """At most `width` bars from the lowest to the highest of `values`, in their order.

    More values than bars: each bar is the mean of its share of them. A constant series is a line
    of middle bars; an empty one is "".

    >>> sparkline([1, 2, 3, 4, 5, 6, 7, 8])
    '▁▂▃▄▅▆▇█'
    """
    means = _shares(values, width)
    if not means:
        return ""
    low, high = min(means), max(means)
    if low == high:
        return BARS[len(BARS) // 2 - 1] * len(means)
    top = len(BARS) - 1
    return "".join(BARS[round((mean - low) / (high - low) * top)] for mean in means)


def _shares(values: Sequence[float], width: int) -> list[float]:
    # relative to the largest: sums and differences of floats may overflow, these cannot
    largest = max(map(abs, values), default=0.0) or 1.0
    shares = [value / largest for value in values]
    count = len(shares)
    if count <= width:
        return shares
    edges = [count * bar // width for bar in range(width + 1)]
    return [fmean(shares[a:b]) for a, b in pairwise(edges)]
