"""`gpu.training`: how fast this device trains a small GPT.

Expected: "small" on two cores of an AMD EPYC (Zen 3), 2,600 to 3,100 token/s with a sigma of 4 %
(measured). A GPU's MFU stays below its `gpu.gemm.share_of_peak`; PaLM 540B reached 0.46 (its
section 4.1), and a small model without compilation reaches less. A shared CPU scatters by 10 % and
more from run to run, healthy GPUs of one node differ by 5 %.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from probes.gpu import compiling, devices, gate, gpt
from probes.gpu.canary import Bench, GpuCanary
from probes.gpu.gpt import Workload
from probes.gpu.peaks import peak
from probes.gpu.timing import spread, time_each
from probes.gpu.trainer import Trainer, forget_memory, peak_memory
from storage.types import Reading, Signal

if TYPE_CHECKING:
    import torch

SIZES = {
    "small": Workload(layers=4, width=256, heads=4, sequence=128, batch=2, vocabulary=4096),
    "medium": Workload(layers=6, width=512, heads=8, sequence=512, batch=8, vocabulary=8192),
    "large": Workload(layers=6, width=1024, heads=16, sequence=1024, batch=3, vocabulary=8192),
}
"""Each fits into the usual `max_memory` in every dtype. "large" has three quarters of GPT-2 small's
weights (Radford et al., 2019) in half as many blocks, wider ones: there is more arithmetic in each
kernel, so that a fast GPU does not wait for the host that launches them."""
USUAL_SIZE = {"cpu": "small", "cuda": "large"}
LEARNING_RATE = 3e-4
SANE = 0.2
"""Share of the expected loss by which a fresh model's may differ from it."""
AGREEING = 0.02
"""Share by which the loss of compiled code may differ from that of the same steps as written."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one mode came to: seconds of each step, first and last loss in nats, peak memory in
    bytes as allocated and as reserved; of compiled code, seconds of the first step, with its
    compilation, and whether that came from the cache."""

    seconds: list[float]
    losses: tuple[float, float]
    peak_memory: int | None = None
    peak_reserved: int | None = None
    compiling: float | None = None
    cached: bool = False


class Training(GpuCanary):
    """Train a small GPT for some steps and time them.

    Summary
        Forward, loss, backward and AdamW of a plain GPT with causal attention, on random tokens
        from a fixed seed, as written (eager), compiled by torch.compile, or both one after the
        other. Warm-up steps come first; then each step is timed by itself (CUDA events on a GPU, a
        monotonic clock on a CPU). A GPU that anyone else uses is left alone: the run is skipped.

    What the number means
        `step_time` is the median of the steps, its sigma the robust standard error of that median;
        `step_time_p10` and `step_time_p90` are the fastest and the slowest tenth.
        `tokens_per_second` is the tokens of a step divided by the median; `flops` is the model's
        own arithmetic (see `gpt.Workload.flops_per_token`: causal attention counts half the square)
        in that time, and `mfu` is that over the device's dense peak in the dtype used, absent on
        CPUs and on GPUs that `peaks.toml` does not list. `peak_memory` is what torch allocated at
        most on a GPU, `peak_memory_reserved` what it took from the driver for that; on a CPU it is
        the peak resident set of the whole process, torch included, and its note says so. `loss` is
        that of the last step: the same seed gives the same one, but for rounding. A run fails where
        a fresh model's loss is not what random weights give, or compiled code's not that of the
        code as written.

        Compiled code has series of its own, whose targets end in `/compiled`. `compile_time` is
        its first step's, where nothing was cached; `compile_time_cached` where all was. It counts
        as time on the GPU: what is compiled there is tried out there, so memory is held.

        The model's size depends on the device unless `size` is set, so compare a target with
        itself; the resolved shape is kept with every run.

    References
        Chowdhery et al., PaLM, arXiv 2204.02311, appendix B (MFU); Kaplan et al., arXiv
        2001.08361, section 2.1 (6 N); nanoGPT's estimate_mfu, https://github.com/karpathy/nanoGPT.
    """

    signals: ClassVar[tuple[Signal, ...]] = (
        Signal(
            "gpu.training.tokens_per_second",
            "token/s",
            "higher",
            "Tokens trained per second, from the median step",
        ),
        Signal("gpu.training.step_time", "s", "lower", "Median time of one training step"),
        Signal("gpu.training.step_time_p10", "s", "lower", "Time that 9 of 10 steps exceed"),
        Signal("gpu.training.step_time_p90", "s", "lower", "Time that 1 of 10 steps exceeds"),
        Signal(
            "gpu.training.flops",
            "TFLOP/s",
            "higher",
            "Useful arithmetic: the model's own operations, at the median step's speed",
        ),
        Signal(
            "gpu.training.peak_memory",
            "B",
            "lower",
            "Peak memory: torch's allocations on a GPU, the process's resident set on a CPU",
        ),
        Signal(
            "gpu.training.peak_memory_reserved",
            "B",
            "lower",
            "What torch took from the driver at most for its allocations; absent on a CPU",
        ),
        Signal(
            "gpu.training.mfu",
            "1",
            "higher",
            "Model FLOP/s over the device's dense peak; absent for devices of unknown peak",
        ),
        Signal("gpu.training.loss", "nat", "neither", "Loss of the last step on random tokens"),
        Signal(
            "gpu.training.compile_time",
            "s",
            "lower",
            "Time of the first compiled step, its compilation included, where none was cached",
        ),
        Signal(
            "gpu.training.compile_time_cached",
            "s",
            "lower",
            "Time of the first compiled step where the compiler's cache held all of it",
        ),
    )
    revision: ClassVar[int] = 2
    indifferent: ClassVar[frozenset[str]] = GpuCanary.indifferent | {
        "mode",  # each has targets of its own
    }

    size: Literal["auto", "small", "medium", "large"] = Field(
        default="auto", description="the model's shape: small on a CPU, large on a GPU"
    )
    mode: Literal["eager", "compiled", "both"] = Field(
        default="eager", description="run as written, by torch.compile, or first one then the other"
    )
    layers: int | None = Field(default=None, ge=1, le=128, description="blocks, instead of size's")
    width: int | None = Field(default=None, ge=8, le=16384, description="model width, instead")
    heads: int | None = Field(default=None, ge=1, le=128, description="attention heads, instead")
    sequence: int | None = Field(default=None, ge=8, le=32768, description="tokens a row, instead")
    batch: int | None = Field(default=None, ge=1, le=1024, description="rows a step, instead")
    vocabulary: int | None = Field(default=None, ge=8, le=262144, description="words, instead")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="of the matrix products; weights stay float32. auto: bfloat16 on GPUs with it",
    )
    steps: int = Field(default=20, ge=5, le=1000, description="timed steps")
    warmup: int = Field(default=3, ge=1, le=100, description="steps before those, not timed")
    seed: int = Field(default=1, ge=0, lt=1 << 63, description="of weights and tokens")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for kind in USUAL_SIZE:
            work = self.workload(kind)
            if work.width % work.heads:
                raise ValueError(
                    f"width {work.width} is no multiple of heads {work.heads} "
                    f"(size {self.size_on(kind)}); set both"
                )
        self._check_memory()
        return self

    def _check_memory(self) -> None:
        dtypes = ("float32", "bfloat16") if self.dtype == "auto" else (self.dtype,)
        needed = max(map(self.workload("cuda").memory, dtypes))
        room = gate.room(self.max_memory)
        if self.target != "cpu" and needed > room:
            raise ValueError(
                f"a step of this shape may take {needed >> 20} MiB of a GPU, and max_memory leaves "
                f"{room >> 20} MiB beside CUDA's own: raise max_memory, make the model or the "
                'batch smaller, or set target = "cpu"'
            )

    def size_on(self, kind: str) -> str:
        """The named size on a device of that kind ("cpu", "cuda")."""
        return USUAL_SIZE[kind] if self.size == "auto" else self.size

    def workload(self, kind: str) -> Workload:
        """The resolved shape on a device of that kind."""
        usual = asdict(SIZES[self.size_on(kind)])
        own = {name: getattr(self, name) for name in usual}
        return Workload(**{**usual, **{name: n for name, n in own.items() if n is not None}})

    def measure(self, bench: Bench) -> Iterator[Reading]:
        """Train and time. Raises RuntimeError where the loss is wrong or nothing can compile."""
        kind = bench.device.kind
        work = self.workload(kind)
        dtype = devices.resolve_dtype(self.dtype, bench.place)
        if self.mode != "eager":
            self.keep(compiler_cache=compiling.prepare(kind))
        measured = {
            mode: self.timed(bench, work, dtype, compiled=mode == "compiled")
            for mode in ("eager", "compiled")
            if self.mode in (mode, "both")
        }
        self.keep(
            size=self.size_on(kind),
            workload=asdict(work),
            dtype=dtype,
            seed=self.seed,
            flops_per_token=work.flops_per_token,
            **{mode: asdict(found) for mode, found in measured.items()},
        )
        check_losses(work, [found.losses for found in measured.values()])
        for found in measured.values():
            yield from self.readings(bench.device, work, dtype, found)

    def timed(self, bench: Bench, work: Workload, dtype: str, *, compiled: bool) -> Measured:
        """Warm up, then time `steps` steps."""
        import torch

        place = bench.place
        forget_memory(place)
        torch.manual_seed(self.seed)
        rows = torch.randint(
            work.vocabulary,
            (self.warmup + self.steps, work.batch, work.sequence + 1),
            generator=torch.Generator().manual_seed(self.seed),
        ).to(place)
        weights = gpt.initial(work, place)
        trainer = Trainer(work, weights, dtype, LEARNING_RATE, compiled=compiled)
        first = self._warm_up(trainer, rows)
        seconds = time_each(
            lambda index: trainer.step(rows[self.warmup + index]),
            self.steps,
            place,
            meanwhile=bench.stamp,
        )
        losses = trainer.losses()
        measured = Measured(
            seconds,
            (losses[0], losses[-1]),
            # a CPU's is that of the whole process, which the compiler is a part of
            None if compiled and place.type == "cpu" else peak_memory(place),
            torch.cuda.max_memory_reserved(place) if place.type == "cuda" else None,
        )
        if not compiled:
            return measured
        return replace(measured, compiling=first, cached=compiling.was_cached())

    def _warm_up(self, trainer: Trainer, rows: "torch.Tensor") -> float:
        """Seconds of the first step, which compiles what is compiled."""
        start = time.perf_counter()
        trainer.step(rows[0])
        trainer.losses()  # waits for the device
        first = time.perf_counter() - start
        for warm in range(1, self.warmup):
            trainer.step(rows[warm])
        return first

    def readings(
        self, device: devices.Device, work: Workload, dtype: str, measured: Measured
    ) -> Iterator[Reading]:
        """The signals of what was measured, all at one moment's speed."""
        step = spread(measured.seconds)
        rate = work.tokens / step.median
        flops = work.flops_per_token * rate / 1e12
        relative = step.sigma / step.median
        target = device.target if measured.compiling is None else f"{device.target}/compiled"

        def reading(name: str, value: float, sigma: float | None = None, **more: Any) -> Reading:
            more = {"origin": "measured", **more}
            return Reading(f"gpu.training.{name}", target, value, sigma=sigma, **more)

        yield reading("tokens_per_second", rate, rate * relative)
        yield reading("step_time", step.median, step.sigma)
        yield reading("step_time_p10", step.p10)
        yield reading("step_time_p90", step.p90)
        yield reading("flops", flops, flops * relative, origin="derived")
        yield reading("loss", measured.losses[-1])
        if measured.peak_memory is not None:
            whole = "" if device.gpu else "resident set of the whole process, torch included"
            yield reading("peak_memory", measured.peak_memory, note=whole)
        if measured.peak_reserved is not None:
            yield reading("peak_memory_reserved", measured.peak_reserved)
        if measured.compiling is not None:
            name = "compile_time_cached" if measured.cached else "compile_time"
            yield reading(name, measured.compiling)
        limit = device.gpu and peak(device.gpu.name, dtype)
        if limit:
            mfu = flops / limit.tflops
            yield reading("mfu", mfu, mfu * relative, origin="derived")


def check_losses(work: Workload, losses: list[tuple[float, float]]) -> None:
    """Raise RuntimeError unless a fresh model's loss is what random weights give, random tokens
    have taught nothing worse, and all modes agree. `losses` are each mode's first and last."""
    for first, last in losses:
        expected = work.fresh_loss
        if abs(first - expected) > SANE * expected or last > first + SANE * expected:
            raise RuntimeError(
                f"the loss went from {first:.3f} to {last:.3f} nat, {expected:.3f} were expected "
                f"at first and no more than {SANE:.0%} above that later: the device or its "
                "libraries compute wrongly"
            )
    for mine, other in zip(losses[0], losses[-1], strict=True):
        if abs(mine - other) > AGREEING * mine:
            raise RuntimeError(
                f"the loss of compiled code is {other:.4f} nat, that of the same steps as written "
                f"{mine:.4f}: torch.compile makes wrong code here"
            )
