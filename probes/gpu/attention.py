"""`gpu.attention`: how fast this device does causal attention, forward and backward, by length.

Expected: FlashAttention-2 reaches up to 230 TFLOP/s on an A100 SXM in bfloat16 (its abstract), less
for short rows and with a causal mask; a CPU in float32 a thousandth of that.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from probes.gpu import devices, gate
from probes.gpu.canary import Bench, GpuCanary
from probes.gpu.timing import spread, time_each
from storage.types import Reading, Signal

if TYPE_CHECKING:
    import torch

USUAL_LENGTHS = {"cpu": (256, 1024), "cuda": (1024, 4096, 16384)}
TOKENS = {"cpu": 1024, "cuda": 16384}
"""As many rows as make so many tokens, or one: each length is as much data."""
HEADS = {"cpu": 4, "cuda": 16}
HEAD_DIM = 64
CHECKED_LENGTH = 96
TOLERANCE = {"float32": 1e-4, "bfloat16": 2e-2}
"""By how much a number may differ from its float32 value, as a share of the largest: some roundings
of 2⁻²⁴ or 2⁻⁹."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Queries, keys and values, each (batch, heads, length, head_dim)."""

    batch: int
    heads: int
    length: int
    head_dim: int = HEAD_DIM

    @property
    def flops(self) -> int:
        """Operations of one forward and backward pass: 4·T²·d a head forward, of which a causal
        mask leaves half, and 2.5 times that backward (arXiv 2307.08691, section 4.1)."""
        forward = 4 * self.length**2 * self.head_dim * self.heads * self.batch // 2
        return forward * 7 // 2

    @property
    def elements(self) -> int:
        """Elements of the queries, or the keys, or the values."""
        return self.batch * self.heads * self.length * self.head_dim

    def memory(self, backend: str) -> int:
        """Bytes that a pass takes at most, about, in any dtype.

        Ten tensors (inputs, result, their gradients, and what kernels work in) of at most 4 bytes
        an element. Only the plain kernel, "MATH", also holds the squares: scores, mask and weights
        and their gradients, about six of 4 bytes a score.
        """
        squares = self.batch * self.heads * self.length**2 if backend == "MATH" else 0
        return 4 * (10 * self.elements + 6 * squares)


class Attention(GpuCanary):
    """Run causal attention forward and backward at some lengths, and time each pass.

    Summary
        torch's scaled_dot_product_attention on normal random queries, keys and values from a fixed
        seed, 16 heads of 64 and 16,384 tokens on a GPU (4 heads and 1,024 on a CPU), in rows of
        each length; its gradients for a random one of the result. torch chooses the kernel. First a
        small case is held against softmax(Q·Kᵀ/√d)·V in float32, gradients too: a kernel that
        computes wrongly fails the run. So does a length whose kernel would need more memory than
        `max_memory` leaves, before it begins.

    What the number means
        Targets end in the length, `/t4096`. `time` is the median of a pass forward and backward,
        its sigma the robust standard error; `throughput` is the operations that a causal mask
        leaves (see `Shape.flops`) in that time; `peak_memory` is what torch allocated at most,
        inputs included, and is absent on a CPU. Notes name torch's kernel: FLASH_ATTENTION,
        EFFICIENT_ATTENTION and CUDNN_ATTENTION take memory in proportion to the length, MATH to its
        square. A library that loses its fast kernel shows here first.

    References
        Dao et al., FlashAttention, arXiv 2205.14135; Dao, FlashAttention-2, arXiv 2307.08691 (how
        operations are counted, and the rates above);
        https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html.
    """

    signals: ClassVar[tuple[Signal, ...]] = (
        Signal("gpu.attention.time", "s", "lower", "Median time of a pass forward and backward"),
        Signal(
            "gpu.attention.throughput",
            "TFLOP/s",
            "higher",
            "Operations that the causal mask leaves, at the median pass's speed",
        ),
        Signal(
            "gpu.attention.peak_memory",
            "B",
            "lower",
            "Peak of torch's allocations, inputs included; absent on a CPU",
        ),
    )

    lengths: tuple[Annotated[int, Field(ge=16, le=131072)], ...] | None = Field(
        default=None, min_length=1, max_length=8, description="tokens a row, one series each"
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="auto: bfloat16 on GPUs with it, else float32"
    )
    iterations: int = Field(default=20, ge=10, le=1000, description="timed passes of each length")
    warmup: int = Field(default=3, ge=1, le=100, description="passes before those, not timed")
    seed: int = Field(default=1, ge=0, lt=1 << 63, description="of queries, keys and values")

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        if self.lengths and len(set(self.lengths)) < len(self.lengths):
            raise ValueError("lengths names one twice, and each is one series; name it once")
        return self

    def shapes(self, kind: str) -> list[Shape]:
        """The resolved shapes on a device of that kind ("cpu", "cuda")."""
        return [
            Shape(max(1, TOKENS[kind] // length), HEADS[kind], length)
            for length in self.lengths or USUAL_LENGTHS[kind]
        ]

    def measure(self, bench: Bench) -> Iterator[Reading]:
        """Check and time. Raises RuntimeError for a kernel that is wrong, or takes too much."""
        dtype = devices.resolve_dtype(self.dtype, bench.place)
        check_kernel(bench.place, dtype, self.seed)
        for shape in self.shapes(bench.device.kind):
            yield from self.timed(bench, shape, dtype)

    def timed(self, bench: Bench, shape: Shape, dtype: str) -> Iterator[Reading]:
        """The readings of one length."""
        import torch

        place = bench.place
        inputs, gradient = random_inputs(shape, place, dtype, self.seed)
        backend = kernel(inputs)
        self._check_memory(bench, shape, backend)

        def run(_: int) -> None:
            torch.autograd.grad(attention(inputs), inputs, gradient)

        for warm in range(self.warmup):
            run(warm)
        if place.type == "cuda":
            torch.cuda.reset_peak_memory_stats(place)
        seconds = time_each(run, self.iterations, place, meanwhile=bench.stamp)
        peak = torch.cuda.max_memory_allocated(place) if place.type == "cuda" else None
        name = f"t{shape.length}"
        self.keep(**{name: {"backend": backend, "dtype": dtype, "seconds": seconds}})
        yield from readings(f"{bench.device.target}/{name}", shape, seconds, peak, backend)

    def _check_memory(self, bench: Bench, shape: Shape, backend: str) -> None:
        room = gate.room(self.max_memory)
        if bench.place.type == "cuda" and shape.memory(backend) > room:
            raise RuntimeError(
                f"attention over {shape.length} tokens by torch's kernel {backend} may take "
                f"{shape.memory(backend) >> 20} MiB, and max_memory leaves {room >> 20} MiB beside "
                "CUDA's own: raise it or take shorter lengths; MATH means that no fast kernel is "
                "there for this device and dtype"
            )


def readings(
    target: str, shape: Shape, seconds: list[float], peak: int | None, backend: str
) -> Iterator[Reading]:
    """The signals of one length's timed passes."""
    time = spread(seconds)
    rate = shape.flops / time.median / 1e12

    def reading(name: str, value: float, sigma: float | None = None) -> Reading:
        return Reading(
            f"gpu.attention.{name}", target, value, origin="measured", sigma=sigma, note=backend
        )

    yield reading("time", time.median, time.sigma)
    yield reading("throughput", rate, rate * time.sigma / time.median)
    if peak is not None:
        yield reading("peak_memory", peak)


def random_inputs(
    shape: Shape, place: "torch.device", dtype: str, seed: int
) -> tuple[list["torch.Tensor"], "torch.Tensor"]:
    """Queries, keys and values that want gradients, and a gradient of the result."""
    import torch

    torch.manual_seed(seed)
    size = (shape.batch, shape.heads, shape.length, shape.head_dim)
    *inputs, gradient = (
        torch.randn(size, device=place, dtype=getattr(torch, dtype)) for _ in range(4)
    )
    return [tensor.requires_grad_() for tensor in inputs], gradient


def attention(inputs: list["torch.Tensor"]) -> "torch.Tensor":
    """What is measured."""
    from torch.nn import functional as F  # noqa: N812

    query, key, value = inputs
    return F.scaled_dot_product_attention(query, key, value, is_causal=True)


def kernel(inputs: list["torch.Tensor"]) -> str:
    """The name of the kernel that torch chooses for these."""
    import torch
    from torch.nn.attention import SDPBackend

    query, key, value = inputs
    # what scaled_dot_product_attention itself asks: the order of preference is in nothing public
    return SDPBackend(torch._fused_sdp_choice(query, key, value, is_causal=True)).name


def plain(inputs: list["torch.Tensor"]) -> "torch.Tensor":
    """softmax(Q·Kᵀ/√d)·V over what comes no later, written out; in float32."""
    import torch

    query, key, value = inputs
    scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
    later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=query.device).triu(1)
    weights: torch.Tensor = scores.masked_fill(later, float("-inf")).softmax(dim=-1)
    return weights @ value


def check_kernel(place: "torch.device", dtype: str, seed: int) -> None:
    """Raise RuntimeError unless a small case, forward and backward, is what it is on the CPU in
    float32."""
    import torch

    inputs, gradient = random_inputs(Shape(2, 3, CHECKED_LENGTH), place, dtype, seed)
    result = attention(inputs)
    found = [result, *torch.autograd.grad(result, inputs, gradient)]
    exact = [tensor.detach().float().cpu().requires_grad_() for tensor in inputs]
    expected = plain(exact)
    wanted = [expected, *torch.autograd.grad(expected, exact, gradient.float().cpu())]
    names = ("the result", "the queries' gradient", "the keys' gradient", "the values' gradient")
    for name, mine, other in zip(names, found, wanted, strict=True):
        off = mine.detach().float().cpu() - other.detach()
        difference = float(off.abs().max() / other.detach().abs().max())
        if not difference <= TOLERANCE[dtype]:  # nor where it is no number
            raise RuntimeError(
                f"attention by torch's kernel {kernel(inputs)} in {dtype}: {name} is off by "
                f"{difference:.2g} of the largest, {TOLERANCE[dtype]:g} were expected at most: the "
                "device or its libraries compute wrongly"
            )
