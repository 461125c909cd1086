"""`gpu.gemm`: how fast this device multiplies two matrices, in each dtype that it has.

Expected of a burst: the best rates measured for any shape are, in bfloat16, 795 TFLOP/s on an H100
SXM (peak 989), 271 on an A100 SXM (312) and 1745 on a B200 (2250), in float8 1403 on an H100 SXM
(1979), see the references of `Gemm`; less at one given shape. In float32 at 1024³ two cores of an
AMD EPYC (Zen 3) give 0.16 TFLOP/s (measured).
"""

import itertools
import math
import statistics
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from probes.gpu import devices, gate
from probes.gpu.canary import Bench, GpuCanary
from probes.gpu.peaks import peak
from probes.gpu.product import LEAST_CAPABILITY, Dtype, Product, Shape, available
from probes.gpu.timing import spread, time_each
from storage.types import Reading, Signal

USUAL_EDGE: dict[str, dict[Dtype, int]] = {
    "cpu": {"float32": 1024, "bfloat16": 512},  # a CPU without units for it takes long
    "cuda": {"float32": 4096},  # without tensor cores: an eighth of the work is enough
}
USUAL = "by default 8192 on a GPU (float32: 4096), 1024 on a CPU (bfloat16: 512)"
FLOAT8_STEP = 16  # torch._scaled_mm takes n and k in steps of it
COOL_DOWN = 0.25
"""Seconds of rest before a burst on a GPU, so that what ran before has no part in it."""
LEAST_SUSTAINED = 20
"""Products of a sustained series at least, however slow they are."""
TENTHS = 10


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds of each product of a burst, and of each of the back-to-back series after it."""

    burst: list[float]
    sustained: list[float]

    @property
    def settled(self) -> list[float]:
        """The last half of the back-to-back series: clocks have come down by then."""
        return self.sustained[len(self.sustained) // 2 :]


class Gemm(GpuCanary):
    """Multiply two random matrices again and again in each dtype, and time each product.

    Summary
        One shape for each dtype. The factors are normal random numbers from a fixed seed: zeros
        run faster and hide errors. There are two regimes. Burst: after a rest of a quarter of a
        second, a short series; before each product its result is filled with fresh random numbers
        and, on a GPU, 256 MiB are written to empty the L2 cache; neither is timed. Sustained: for
        `sustain` seconds one product after the other, with nothing between. All of a result must be
        finite and a sample of it within the dtype's error of float64, else the run fails. A GPU
        that anyone else uses is left alone: the run is skipped.

    What the number means
        Target: the device, then the dtype: `GPU-…/bfloat16`. `throughput` is 2·m·n·k divided by the
        median time of a burst's products, `throughput_p10` and `throughput_p90` are the slowest and
        fastest tenth, all in units of 10¹² operations a second; `time` is the median in seconds.
        `sustained_throughput` is the same of the last half of the sustained series: a GPU at its
        power limit slows down there, a B200 by 15 % within 80 products. Sigma is the robust
        standard error of the median. The shares divide by the device's dense peak in that dtype;
        they are absent on CPUs and where `peaks.toml` has none. float32 is computed without TF32,
        tf32 is float32 with it, float8 is e4m3 with a bfloat16 result. On a CPU the caches stay
        warm.

    References
        How to measure: https://github.com/stas00/ml-engineering compute/accelerator (maximum
        achievable FLOPS, and the measured rates above) and torch.cuda.Event,
        https://docs.pytorch.org/docs/stable/generated/torch.cuda.Event.html.
    """

    signals: ClassVar[tuple[Signal, ...]] = (
        Signal("gpu.gemm.throughput", "TFLOP/s", "higher", "Rate of the median product of a burst"),
        Signal("gpu.gemm.throughput_p10", "TFLOP/s", "higher", "Rate that 9 of 10 exceed"),
        Signal("gpu.gemm.throughput_p90", "TFLOP/s", "higher", "Rate that 1 of 10 exceeds"),
        Signal("gpu.gemm.time", "s", "lower", "Median time of one product of a burst"),
        Signal(
            "gpu.gemm.sustained_throughput",
            "TFLOP/s",
            "higher",
            "Rate of the median product once one has followed the other for a while",
        ),
        Signal(
            "gpu.gemm.share_of_peak",
            "1",
            "higher",
            "Burst rate over the device's dense peak; absent for devices of unknown peak",
        ),
        Signal(
            "gpu.gemm.sustained_share_of_peak",
            "1",
            "higher",
            "Sustained rate over the device's dense peak; absent for devices of unknown peak",
        ),
    )
    revision: ClassVar[int] = 2

    dtypes: tuple[Dtype, ...] = Field(default=(), description="of the matrices; none: all it has")
    m: int | None = Field(default=None, ge=16, le=32768, description=f"rows of A; {USUAL}")
    n: int | None = Field(default=None, ge=16, le=32768, description=f"columns of B; {USUAL}")
    k: int | None = Field(default=None, ge=16, le=32768, description=f"columns of A; {USUAL}")
    iterations: int = Field(default=30, ge=20, le=1000, description="timed products of a burst")
    warmup: int = Field(default=10, ge=1, le=100, description="products before those, not timed")
    sustain: float = Field(
        default=0.4, gt=0, le=60, description="seconds of products without a rest"
    )
    seed: int = Field(default=1, ge=0, lt=1 << 63, description="of the matrices")

    @model_validator(mode="after")
    def _can_run_on_a_gpu(self) -> Self:
        room = gate.room(self.max_memory)
        for dtype in () if self.target == "cpu" else self.dtypes or LEAST_CAPABILITY:
            shape = self.shape("cuda", dtype)
            if shape.bytes(dtype) > room:
                raise ValueError(
                    f"a product {shape.m} × {shape.k} × {shape.n} in {dtype} takes "
                    f"{shape.bytes(dtype) >> 20} MiB, max_memory leaves {room >> 20} MiB beside "
                    "CUDA's own; give more max_memory, or smaller m, n and k"
                )
            if dtype == "float8" and (shape.n % FLOAT8_STEP or shape.k % FLOAT8_STEP):
                raise ValueError(
                    f"n = {shape.n} and k = {shape.k} must be multiples of {FLOAT8_STEP} in "
                    "float8; choose such, or set dtypes without it"
                )
        return self

    def shape(self, kind: str, dtype: Dtype) -> Shape:
        """The resolved shape on a device of that kind ("cpu", "cuda")."""
        edge = USUAL_EDGE[kind].get(dtype, 8192)
        return Shape(self.m or edge, self.n or edge, self.k or edge)

    def measure(self, bench: Bench) -> Iterator[Reading]:
        """Multiply and time. Raises LookupError for a dtype that the device lacks, RuntimeError
        for a wrong result."""
        there = available(bench.place)
        if missing := [dtype for dtype in self.dtypes if dtype not in there]:
            raise LookupError(
                f"{bench.device.target} ({bench.device.name}) does not multiply in "
                f"{', '.join(missing)}, but in {', '.join(there)}; set dtypes to some of these"
            )
        facts: dict[str, Any] = {}
        for dtype in (own for own in there if own in (self.dtypes or there)):
            shape = self.shape(bench.device.kind, dtype)
            timed = self.timed(bench, shape, dtype)
            facts[dtype] = {
                "shape": astuple(shape),
                "seconds": timed.burst,
                "sustained": {
                    "products": len(timed.sustained),
                    "seconds_by_tenth": by_tenth(timed.sustained),
                },
            }
            yield from self.readings(bench.device, shape, dtype, timed)
        self.keep(seed=self.seed, dtypes=facts)

    def timed(self, bench: Bench, shape: Shape, dtype: Dtype) -> Timed:
        """A burst, then a back-to-back series of about `sustain` seconds."""
        time.sleep(COOL_DOWN if bench.device.gpu else 0.0)
        product = Product(shape, dtype, bench.place, self.seed)
        for _ in range(self.warmup):
            product.spoil()
            product.multiply()
        burst = time_each(product.multiply, self.iterations, bench.place, prepare=product.spoil)
        product.check()
        product.spoil()
        count = max(LEAST_SUSTAINED, math.ceil(self.sustain / statistics.median(burst)))
        sustained = time_each(product.multiply, count, bench.place, meanwhile=bench.stamp)
        product.check()
        return Timed(burst, sustained)

    def readings(
        self, device: devices.Device, shape: Shape, dtype: Dtype, timed: Timed
    ) -> Iterator[Reading]:
        """The signals of the timed products."""
        seconds = spread(timed.burst)
        rate, settled = (
            spread([shape.flops / second / 1e12 for second in series])
            for series in (timed.burst, timed.settled)
        )
        target = f"{device.target}/{dtype}"

        def reading(name: str, value: float, sigma: float | None = None, **more: Any) -> Reading:
            more = {"origin": "measured", **more}
            return Reading(f"gpu.gemm.{name}", target, value, sigma=sigma, **more)

        yield reading("throughput", rate.median, rate.sigma)
        yield reading("throughput_p10", rate.p10)
        yield reading("throughput_p90", rate.p90)
        yield reading("time", seconds.median, seconds.sigma)
        yield reading("sustained_throughput", settled.median, settled.sigma)
        limit = device.gpu and peak(device.gpu.name, dtype)
        if limit:
            for name, found in (("share_of_peak", rate), ("sustained_share_of_peak", settled)):
                share, sigma = found.median / limit.tflops, found.sigma / limit.tflops
                yield reading(name, share, sigma, origin="derived")


def by_tenth(seconds: list[float]) -> list[float]:
    """The median of each tenth of a series of at least ten: how it went on, in little."""
    ends = [len(seconds) * tenth // TENTHS for tenth in range(TENTHS + 1)]
    return [statistics.median(seconds[start:end]) for start, end in itertools.pairwise(ends)]
