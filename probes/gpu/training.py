"""`gpu.training`: how fast this device trains a small GPT.

Expected: "small" on two cores of an AMD EPYC (Zen 3), 2,600 to 3,100 token/s with a sigma of 4 %
(measured). A GPU's MFU stays below its `gpu.gemm.share_of_peak`; PaLM 540B reached 0.46 (its
section 4.1), and a small model without compilation reaches less. A shared CPU scatters by 10 % and
more from run to run, healthy GPUs of one node differ by 5 %.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from probes.gpu import devices, gpt
from probes.gpu.canary import Bench, GpuCanary
from probes.gpu.gpt import Workload
from probes.gpu.peaks import peak
from probes.gpu.timing import spread, time_each
from storage.types import Reading, Signal

if TYPE_CHECKING:
    import torch

SIZES = {
    "small": Workload(layers=4, width=256, heads=4, sequence=128, batch=2, vocabulary=4096),
    "medium": Workload(layers=12, width=768, heads=12, sequence=1024, batch=8, vocabulary=50304),
}
USUAL_SIZE = {"cpu": "small", "cuda": "medium"}
LEARNING_RATE = 3e-4


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run measured: seconds of each step, peak memory in bytes, first and last loss."""

    seconds: list[float]
    peak_memory: int | None
    losses: tuple[float, float]


class Training(GpuCanary):
    """Train a small GPT for some steps and time them.

    Summary
        Forward, loss, backward and AdamW of a plain GPT with causal attention, on random tokens
        from a fixed seed. Warm-up steps come first; then each step is timed by itself (CUDA
        events on a GPU, a monotonic clock on a CPU). A GPU that anyone else uses is left alone:
        the run is skipped.

    What the number means
        `step_time` is the median of the steps, its sigma the robust standard error of that median;
        `tokens_per_second` is the tokens of a step divided by it. `peak_memory` is what torch
        allocated at most on a GPU; on a CPU it is the peak resident set of the whole process,
        torch included, and its note says so. `mfu` is the model's own arithmetic (see
        `gpt.Workload.flops_per_token`: causal attention counts half the square) divided by the
        device's dense peak in the dtype used; it is absent on CPUs and on GPUs that `peaks.toml`
        does not list. The model's size depends on the device unless `size` is set, so compare a
        target with itself; the resolved shape is kept with every run.

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
        Signal(
            "gpu.training.peak_memory",
            "B",
            "lower",
            "Peak memory: torch's allocations on a GPU, the process's resident set on a CPU",
        ),
        Signal(
            "gpu.training.mfu",
            "1",
            "higher",
            "Model FLOP/s over the device's dense peak; absent for devices of unknown peak",
        ),
    )

    size: Literal["auto", "small", "medium"] = Field(
        default="auto", description="the model's shape: small on a CPU, medium on a GPU"
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
        return self

    def size_on(self, kind: str) -> str:
        """The named size on a device of that kind ("cpu", "cuda")."""
        return USUAL_SIZE[kind] if self.size == "auto" else self.size

    def workload(self, kind: str) -> Workload:
        """The resolved shape on a device of that kind."""
        usual = asdict(SIZES[self.size_on(kind)])
        own = {name: getattr(self, name) for name in usual}
        return Workload(**{**usual, **{name: n for name, n in own.items() if n is not None}})

    def measure(self, bench: Bench) -> Iterator[Reading]:
        """Train and time. Raises RuntimeError where the loss diverges."""
        work = self.workload(bench.device.kind)
        dtype = devices.resolve_dtype(self.dtype, bench.place)
        measured = self.timed(bench, work, dtype)
        self.keep(
            size=self.size_on(bench.device.kind),
            workload=asdict(work),
            dtype=dtype,
            seed=self.seed,
            flops_per_token=work.flops_per_token,
            seconds=measured.seconds,
            losses=measured.losses,
        )
        yield from self.readings(bench.device, work, dtype, measured)

    def timed(self, bench: Bench, work: Workload, dtype: str) -> Measured:
        """Warm up, then time `steps` steps."""
        import torch

        place = bench.place
        torch.manual_seed(self.seed)
        rows = torch.randint(
            work.vocabulary,
            (self.warmup + self.steps, work.batch, work.sequence + 1),
            generator=torch.Generator().manual_seed(self.seed),
        ).to(place)
        trainer = _Trainer(work, place, dtype)
        for warm in range(self.warmup):
            trainer.step(rows[warm])
        seconds = time_each(
            lambda index: trainer.step(rows[self.warmup + index]),
            self.steps,
            place,
            meanwhile=bench.stamp,
        )
        return Measured(seconds, peak_memory(place), trainer.first_and_last_loss())

    def readings(
        self, device: devices.Device, work: Workload, dtype: str, measured: Measured
    ) -> Iterator[Reading]:
        """The signals of what was measured, all at one moment's speed."""
        step = spread(measured.seconds)
        rate = work.tokens / step.median
        relative = step.sigma / step.median

        def reading(name: str, value: float, sigma: float | None, **more: Any) -> Reading:
            more = {"origin": "measured", **more}
            return Reading(f"gpu.training.{name}", device.target, value, sigma=sigma, **more)

        yield reading("tokens_per_second", rate, rate * relative)
        yield reading("step_time", step.median, step.sigma)
        if measured.peak_memory is not None:
            whole = "" if device.gpu else "resident set of the whole process, torch included"
            yield reading("peak_memory", measured.peak_memory, None, note=whole)
        limit = device.gpu and peak(device.gpu.name, dtype)
        if limit:
            mfu = work.flops_per_token * rate / (limit.tflops * 1e12)
            yield reading("mfu", mfu, mfu * relative, origin="derived")


class _Trainer:
    """Weights and their optimizer; one call is one training step."""

    def __init__(self, work: Workload, place: "torch.device", dtype: str) -> None:
        import torch

        self.work = work
        self.weights = gpt.initial(work, place)
        self.optimizer = torch.optim.AdamW(
            self.weights.values(), lr=LEARNING_RATE, fused=place.type == "cuda"
        )
        self.precision = torch.autocast(
            place.type, dtype=torch.bfloat16, enabled=dtype == "bfloat16"
        )
        self.losses: list[torch.Tensor] = []

    def step(self, tokens: "torch.Tensor") -> None:
        """Forward, loss, backward, AdamW; waits for nothing on a GPU."""
        with self.precision:
            loss = gpt.loss(self.weights, tokens, self.work)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.losses.append(loss.detach())

    def first_and_last_loss(self) -> tuple[float, float]:
        """In nats. Raises RuntimeError unless every loss is a finite number."""
        losses = [float(loss) for loss in self.losses]
        for number, loss in enumerate(losses):
            if not abs(loss) < float("inf"):
                raise RuntimeError(
                    f"the loss of step {number} is {loss}, a finite number was expected: the "
                    "device or its libraries compute wrongly"
                )
        return losses[0], losses[-1]


def peak_memory(place: "torch.device") -> int | None:
    """Bytes: torch's peak allocation on a GPU, else the process's peak resident set (Linux).

    Not getrusage's ru_maxrss: that one survives exec(2), so a child shows its parent's size.
    """
    import torch

    if place.type == "cuda":
        return torch.cuda.max_memory_allocated(place)
    status = Path("/proc/self/status")
    for line in status.read_text(encoding="utf-8").splitlines() if status.exists() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None
