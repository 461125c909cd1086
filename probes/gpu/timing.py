"""Time each repetition of some work on a device, and say how the times spread."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

MAD_TO_SIGMA = 1.4826  # of a normal distribution
MEDIAN_TO_MEAN = 1.2533  # sqrt(π/2): how much wider the median scatters than the mean


def time_each(
    work: Callable[[int], object],
    count: int,
    device: "torch.device",
    *,
    prepare: Callable[[int], object] = lambda _: None,
    meanwhile: Callable[[], None] = lambda: None,
) -> list[float]:
    """Seconds that `work(i)` took on the device, for each i of `range(count)`.

    `prepare(i)` runs before each, untimed. `meanwhile()` runs once, on a GPU while the queued
    work still runs. A GPU's times are its own (CUDA events), a CPU's those of `perf_counter`.
    """
    if device.type == "cuda":
        return _events(work, count, prepare, meanwhile)
    seconds = []
    for index in range(count):
        prepare(index)
        start = time.perf_counter()
        work(index)
        seconds.append(time.perf_counter() - start)
    meanwhile()
    return seconds


def _events(
    work: Callable[[int], object],
    count: int,
    prepare: Callable[[int], object],
    meanwhile: Callable[[], None],
) -> list[float]:
    import torch

    marks = [torch.cuda.Event(enable_timing=True) for _ in range(2 * count)]  # type: ignore[no-untyped-call]
    pairs = list(zip(marks[::2], marks[1::2], strict=True))
    for index, (start, end) in enumerate(pairs):
        prepare(index)
        start.record()
        work(index)
        end.record()
    meanwhile()
    torch.cuda.synchronize()
    return [start.elapsed_time(end) / 1000 for start, end in pairs]


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, 10th and 90th percentile (linear interpolation), standard error of the median."""

    median: float
    p10: float
    p90: float
    sigma: float


def spread(values: list[float]) -> Spread:
    """How at least two values spread.

    The standard error is robust, so that one hiccup does not widen it: √(π/2) · 1.4826 · MAD/√n
    (Rousseeuw and Croux, JASA 88:1273, 1993, for the MAD as a scale).
    """
    middle = statistics.median(values)
    deciles = statistics.quantiles(values, n=10, method="inclusive")
    deviation = statistics.median(abs(value - middle) for value in values)
    sigma = MEDIAN_TO_MEAN * MAD_TO_SIGMA * deviation / len(values) ** 0.5
    return Spread(median=middle, p10=deciles[0], p90=deciles[-1], sigma=sigma)
