"""One matrix product on a device in one dtype: its factors, the product itself, and whether it is
right."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Dtype = Literal["float32", "tf32", "bfloat16", "float16", "float8"]

LEAST_CAPABILITY: dict[Dtype, tuple[int, int]] = {
    "float32": (0, 0),
    "tf32": (8, 0),
    "bfloat16": (8, 0),
    "float16": (7, 0),
    "float8": (8, 9),
}
"""The CUDA compute capability from which on a GPU has units for a dtype, in the order in which they
are measured (CUDA C++ Programming Guide, "Compute Capabilities"; float8 is e4m3)."""
ON_A_CPU: tuple[Dtype, ...] = ("float32", "bfloat16")
BYTES: dict[Dtype, int] = {"float32": 4, "tf32": 4, "bfloat16": 2, "float16": 2, "float8": 2}
"""Of one element, of float8 that of the result: torch gives it in bfloat16."""

FLUSH_BYTES = 256 << 20  # more than any L2 cache so far
SAMPLED = 16
"""Rows and columns, at least, whose crossings are held against float64."""
TOLERANCE: dict[Dtype, float] = {
    "float32": 1e-3,
    "tf32": 0.02,
    "float16": 0.02,
    "bfloat16": 0.1,
    "float8": 0.3,
}
"""How far an element may be from its reference, in standard deviations of the elements (√k, since
the factors are normal). An element of 5 σ that is rounded to n bits of mantissa is off by up to
5·2⁻⁽ⁿ⁺¹⁾: .002 in float16 (10 bits), .02 in bfloat16 (7). The rest is room for libraries: partial
sums that are rounded too, factors cut to 10 bits (tf32), the 14 bits in which Hopper adds up float8
(DeepSeek-AI, arXiv 2412.19437, 3.3.2)."""


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

    def bytes(self, dtype: Dtype) -> int:
        """What a product holds of a GPU's memory at most, with what checking it takes."""
        elements = self.m * self.k + self.k * self.n + 2 * self.m * self.n
        return elements * BYTES[dtype] + FLUSH_BYTES


def available(place: "torch.device") -> tuple[Dtype, ...]:
    """The dtypes that a device multiplies in."""
    import torch

    if place.type == "cpu":
        return ON_A_CPU
    capability = torch.cuda.get_device_capability(place)
    return tuple(dtype for dtype, least in LEAST_CAPABILITY.items() if capability >= least)


class Product:
    """Two factors of normal random numbers on a device, and room for their product.

    float32 is computed without TF32, tf32 is float32 with it, float8 is e4m3 with a scale of 1.
    """

    def __init__(self, shape: Shape, dtype: Dtype, place: "torch.device", seed: int) -> None:
        import torch

        self.shape, self.dtype, self.place = shape, dtype, place
        torch.manual_seed(seed)
        torch.backends.cuda.matmul.allow_tf32 = dtype == "tf32"
        own = "float32" if dtype == "tf32" else "bfloat16" if dtype == "float8" else dtype
        kind: torch.dtype = getattr(torch, own)
        self.a = torch.randn(shape.m, shape.k, device=place, dtype=kind)
        if dtype == "float8":
            # its units take the second factor by columns only
            self.a = self.a.to(torch.float8_e4m3fn)
            self.b = torch.randn(shape.n, shape.k, device=place, dtype=kind)
            self.b = self.b.to(torch.float8_e4m3fn).t()
        else:
            self.b = torch.randn(shape.k, shape.n, device=place, dtype=kind)
        self.c = torch.empty(shape.m, shape.n, device=place, dtype=kind)
        self.one = torch.ones((), device=place)
        flushed = FLUSH_BYTES if place.type == "cuda" else 0
        self.cache = torch.empty(flushed, device=place, dtype=torch.uint8)

    def spoil(self, _: int = 0) -> None:
        """Empty a GPU's L2 cache, and fill the result with what it is not."""
        self.cache.zero_()
        self.c.normal_()

    def multiply(self, _: int = 0) -> None:
        """One product; waits for nothing on a GPU."""
        import torch

        if self.dtype == "float8":
            torch._scaled_mm(
                self.a, self.b, self.one, self.one, out_dtype=torch.bfloat16, out=self.c
            )
        else:
            torch.mm(self.a, self.b, out=self.c)

    def check(self) -> None:
        """Raise RuntimeError unless all of the result is finite and a sample of it is right."""
        import torch

        if not bool(self.c.isfinite().all()):
            raise self._wrong("is not finite")
        rows, columns = self.shape.m // SAMPLED, self.shape.n // SAMPLED
        a, b, c = (
            part.cpu().to(torch.float64)
            for part in (self.a[::rows], self.b[:, ::columns], self.c[::rows, ::columns])
        )
        off = (a @ b - c).abs() / self.shape.k**0.5
        worst = int(off.argmax())
        if off.flatten()[worst] > TOLERANCE[self.dtype]:
            row, column = divmod(worst, c.shape[1])
            raise self._wrong(
                f"has {c[row, column]:.6g} in row {row * rows}, column {column * columns}, where "
                f"float64 has {(a[row] @ b[:, column]):.6g}"
            )

    def _wrong(self, said: str) -> RuntimeError:
        shape = self.shape
        return RuntimeError(
            f"the product {shape.m} × {shape.k} × {shape.n} of random matrices in {self.dtype} on "
            f"{self.place} {said}: the device or its libraries compute wrongly; take it out of use "
            "and look at its ECC errors (`nvidia-smi -q -d ECC`)"
        )
