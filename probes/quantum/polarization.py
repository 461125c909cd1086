"""Polarization: how often the one right outcome came out, rescaled by what chance would give."""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev

from probes.quantum.provider import Counts


def mean_polarization(outcomes: Sequence[str], counts: Sequence[Counts]) -> tuple[float, float]:
    """Mean polarization of circuits with these right outcomes, and its standard uncertainty.

    The standard error over the circuits has their shot noise in it already; the shot noise alone
    is its floor, since the spread of few circuits can be small by chance.
    """
    shots = [sum(counted.values()) for counted in counts]
    hits = [counted.get(outcome, 0) for outcome, counted in zip(outcomes, counts, strict=True)]
    width = len(outcomes[0])
    each = [polarization(hit / shot, width) for hit, shot in zip(hits, shots, strict=True)]
    spread = stdev(each) / sqrt(len(each))
    return fmean(each), max(spread, shot_noise(sum(hits), sum(shots), width))


def polarization(success: float, width: int) -> float:
    """Frequency of the right outcome, rescaled so that a random answer has 0 and a right one 1."""
    random = 2.0**-width
    return (success - random) / (1 - random)


def shot_noise(hits: int, shots: int, width: int) -> float:
    """Binomial standard uncertainty of a polarization; never 0, by Laplace's rule of succession."""
    success = (hits + 1) / (shots + 2)
    return sqrt(success * (1 - success) / shots) / (1 - 2.0**-width)
