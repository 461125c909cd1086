"""This machine's CPU as the classical side of a quantum canary: its name, and how it is timed."""

import time
from collections.abc import Callable

from probes.gpu.devices import cpu
from probes.gpu.timing import Spread, spread

REPEATS = 7

COPIED = 128 << 20
"""Bytes that are copied at a time: more than the caches hold."""


def target() -> str:
    """`cpu:` and the host's name, as the GPU canaries call it where there is no GPU."""
    return cpu().target


def seconds(work: Callable[[], object]) -> Spread:
    """How the wall times of some work spread; a first round is not timed: it warms up."""
    work()
    times = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return spread(times)


def copy_rate() -> tuple[float, float]:
    """Bits a second that one thread copies in memory, each counted once, and the uncertainty."""
    import numpy as np

    source, copy = np.ones(COPIED // 8), np.empty(COPIED // 8)
    found = seconds(lambda: np.copyto(copy, source))
    rate = 8 * COPIED / found.median
    return rate, rate * found.sigma / found.median
