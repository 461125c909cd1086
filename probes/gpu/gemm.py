"""`gpu.gemm`: how fast this device multiplies two matrices.

Expected in bfloat16: the best rates measured for any shape are 795 TFLOP/s on an H100 SXM (peak
989) and 271 on an A100 SXM (312), see the references of `Gemm`; less at one given shape. In float32
at 1024³ two cores of an AMD EPYC (Zen 3) give 0.16 TFLOP/s (measured).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import Field

from probes.gpu import devices
from probes.gpu.canary import Bench, GpuCanary
from probes.gpu.peaks import peak
from probes.gpu.timing import spread, time_each
from storage.types import Reading, Signal

USUAL_EDGE = {"cpu": 1024, "cuda": 8192}
USUAL = "by default 1024 on a CPU and 8192 on a GPU"
FLUSH_BYTES = 256 << 20  # more than any L2 cache so far


@dataclass(frozen=True, slots=True)
class Shape:
    """C (m, n) = A (m, k) · B (k, n)."""

    m: int
    n: int
    k: int

    @property
    def flops(self) -> int:
        """Operations of one product; a multiplication and an addition are two."""
        return 2 * self.m * self.n * self.k

    @property
    def elements(self) -> int:
        """Elements of the three matrices together."""
        return self.m * self.k + self.k * self.n + self.m * self.n


class Gemm(GpuCanary):
    """Multiply two random matrices again and again, and time each product.

    Summary
        One dtype, one shape. The factors are normal random numbers from a fixed seed: zeros run
        faster and hide errors. Before each product its output is filled with fresh random numbers
        and, on a GPU, 256 MiB are written to empty the L2 cache; neither is timed. A GPU that
        anyone else uses is left alone: the run is skipped.

    What the number means
        `throughput` is 2·m·n·k divided by the median time, `throughput_p10` and `throughput_p90`
        are the slowest and fastest tenth, all in units of 10¹² operations a second; `time` is the
        median in seconds. Sigma is the robust standard error of the median. This is the rate of a
        short burst: a GPU at its power limit slows down in a longer run. `share_of_peak` divides by
        the device's dense peak in that dtype; it is absent on CPUs and where `peaks.toml` has
        none. float32 is computed without TF32. On a CPU the caches stay warm. A reading's note
        begins with the dtype.

    References
        How to measure: https://github.com/stas00/ml-engineering compute/accelerator (maximum
        achievable FLOPS, and the measured rates above) and torch.cuda.Event,
        https://docs.pytorch.org/docs/stable/generated/torch.cuda.Event.html.
    """

    signals: ClassVar[tuple[Signal, ...]] = (
        Signal("gpu.gemm.throughput", "TFLOP/s", "higher", "Rate of the median product"),
        Signal("gpu.gemm.throughput_p10", "TFLOP/s", "higher", "Rate that 9 of 10 exceed"),
        Signal("gpu.gemm.throughput_p90", "TFLOP/s", "higher", "Rate that 1 of 10 exceeds"),
        Signal("gpu.gemm.time", "s", "lower", "Median time of one product"),
        Signal(
            "gpu.gemm.share_of_peak",
            "1",
            "higher",
            "Median rate over the device's dense peak; absent for devices of unknown peak",
        ),
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto", description="of the matrices; auto: bfloat16 on GPUs with it, else float32"
    )
    m: int | None = Field(default=None, ge=16, le=32768, description=f"rows of A; {USUAL}")
    n: int | None = Field(default=None, ge=16, le=32768, description=f"columns of B; {USUAL}")
    k: int | None = Field(default=None, ge=16, le=32768, description=f"columns of A; {USUAL}")
    iterations: int = Field(default=30, ge=20, le=1000, description="timed products")
    warmup: int = Field(default=5, ge=1, le=100, description="products before those, not timed")
    seed: int = Field(default=1, ge=0, lt=1 << 63, description="of the matrices")

    def shape(self, kind: str) -> Shape:
        """The resolved shape on a device of that kind ("cpu", "cuda")."""
        edge = USUAL_EDGE[kind]
        return Shape(self.m or edge, self.n or edge, self.k or edge)

    def measure(self, bench: Bench) -> Iterator[Reading]:
        """Multiply and time. Raises RuntimeError for a result that is not finite."""
        shape = self.shape(bench.device.kind)
        dtype = devices.resolve_dtype(self.dtype, bench.place)
        seconds = self.timed(bench, shape, dtype)
        self.keep(shape=[shape.m, shape.n, shape.k], dtype=dtype, seed=self.seed, seconds=seconds)
        yield from self.readings(bench.device, shape, dtype, seconds)

    def timed(self, bench: Bench, shape: Shape, dtype: str) -> list[float]:
        """Seconds of each product."""
        import torch

        torch.manual_seed(self.seed)
        place = bench.place
        kind: torch.dtype = getattr(torch, dtype)
        a = torch.randn(shape.m, shape.k, device=place).to(kind)
        b = torch.randn(shape.k, shape.n, device=place).to(kind)
        c = torch.empty(shape.m, shape.n, device=place, dtype=kind)
        cache = torch.empty(FLUSH_BYTES if bench.device.gpu else 0, device=place, dtype=torch.uint8)

        def spoil(_: int) -> None:
            cache.zero_()
            c.normal_()

        def multiply(_: int) -> None:
            torch.mm(a, b, out=c)

        for warm in range(self.warmup):
            spoil(warm)
            multiply(warm)
        seconds = time_each(
            multiply,
            self.iterations,
            place,
            prepare=spoil,
            meanwhile=bench.stamp,
        )
        if not bool(c.isfinite().all()):
            raise RuntimeError(
                f"the product of two random matrices in {dtype} on {bench.device.target} is not "
                "finite: the device or its libraries compute wrongly"
            )
        return seconds

    def readings(
        self, device: devices.Device, shape: Shape, dtype: str, seconds: list[float]
    ) -> Iterator[Reading]:
        """The signals of the timed products."""
        time = spread(seconds)
        rate = spread([shape.flops / second / 1e12 for second in seconds])

        def reading(name: str, value: float, sigma: float | None = None, **more: Any) -> Reading:
            # the dtype first: what is worked out from a rate must know of which numbers it is
            more = {"origin": "measured", "note": dtype, **more}
            return Reading(f"gpu.gemm.{name}", device.target, value, sigma=sigma, **more)

        yield reading("throughput", rate.median, rate.sigma)
        yield reading("throughput_p10", rate.p10)
        yield reading("throughput_p90", rate.p90)
        yield reading("time", time.median, time.sigma)
        limit = device.gpu and peak(device.gpu.name, dtype)
        if limit:
            share = rate.median / limit.tflops
            yield reading("share_of_peak", share, rate.sigma / limit.tflops, origin="derived")
