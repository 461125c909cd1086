"""`gpu.integrity`: whether this device computes and remembers every bit as it should.

Expected: 0 wrong bits, always. One is enough to look at a GPU. Such devices exist: tests of
hundreds of thousands of machines found hundreds of processors (arXiv 2102.11245).
"""

import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import ByteSize, Field

from probes.gpu import gate
from probes.gpu.canary import Bench, GpuCanary
from probes.gpu.flips import NONE, Flips, flips
from probes.gpu.product import available
from storage.types import Reading, Signal

if TYPE_CHECKING:
    import torch

LARGEST = {"float32": 8, "bfloat16": 8, "float16": 4}
"""Largest factor in each dtype. All of them are exact there; float16 ends at 65504."""
DEPTH = 1024
"""Products that are summed in each element: 8 · 8 · 1024 is far below 2^24, see `Integrity`."""
USUAL_EDGE = {"cpu": 256, "cuda": 4096}
USUAL_MEMORY = ByteSize(64 << 20)
BLOCK = 64 << 20
SPARE = 512 << 20
"""Bytes in which a block of memory is compared, though every word of it were wrong."""
MOST_TOLD = 3
WORD = 8
ALTERNATING = 0x5555555555555555
PATTERNS = ((0, ALTERNATING), (0, ~ALTERNATING), (1, 0), (1, ~0))
"""Each a factor and a mask: word n of the memory holds (n · factor) XOR mask."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was checked in one dtype, or in memory: operations or bytes, and what was wrong."""

    what: str
    amount: int
    wrong: Flips = NONE


class Integrity(GpuCanary):
    """Multiply matrices of integers, and fill memory with patterns, and count the wrong bits.

    Summary
        Factors are random integers within ±8 (±4 in float16). Every partial sum, in whatever
        order, is then an integer below 2^24, which float32 and the accumulator of a tensor core
        hold exactly: there is one right result, to the last bit. It comes from the CPU, where
        float64 is exact for integers below 2^53. The product is taken in float32, bfloat16 and
        float16, those that a GPU has units for, with a float32 result (on a CPU a result of the
        dtype, rounded once), again and again for `seconds`, its rows and columns in a new random
        order each time, so that each element meets other parts of the chip. Settings of torch that
        allow less than float32 inside a product are off. Then memory is filled with 0101…, with
        1010…, and with each word's own number and its inverse, as a whole, and read back. Integers
        and orders are new in each run; their seed is kept.

    What the number means
        `wrong_bits` counts bits that differ between what was found and what is right, over all
        products and patterns; `wrong_values` the elements with such bits. Healthy is 0, and there
        is no tolerance. The note names the dtype, the first place ([row, column], or [word] of a
        block of memory) and both values. `checked_operations` and `checked_memory` say how much was
        checked: a fault that shows once in a month of training needs many runs to be met. ECC
        repairs most faults of memory before they are seen here: the driver counts those.

    References
        Dixit et al., Silent Data Corruptions at Scale, arXiv 2102.11245; Hochschild et al., Cores
        that don't count, HotOS 2021, doi 10.1145/3458336.3465297; Fasi et al., Numerical behavior
        of NVIDIA tensor cores, PeerJ Computer Science 7:e330, 2021 (products are exact, and
        accumulators of 24 bits or more); van de Goor, Testing Semiconductor Memories, 1991.
    """

    signals: ClassVar[tuple[Signal, ...]] = (
        Signal("gpu.integrity.wrong_bits", "1", "lower", "Bits that are not as they must be"),
        Signal("gpu.integrity.wrong_values", "1", "lower", "Elements or words with such bits"),
        Signal(
            "gpu.integrity.checked_operations",
            "1",
            "neither",
            "Multiplications and additions whose results were compared",
        ),
        Signal("gpu.integrity.checked_memory", "B", "neither", "Written, read back and compared"),
    )
    indifferent: ClassVar[frozenset[str]] = GpuCanary.indifferent | {"seed"}

    edge: int | None = Field(
        default=None,
        ge=64,
        le=4096,
        description="rows and columns of the product; by default 256 on a CPU and 4096 on a GPU",
    )
    seconds: float = Field(default=2.0, gt=0, le=3600, description="for which it multiplies")
    memory: ByteSize | None = Field(
        default=None,
        ge=1 << 20,
        description="filled with patterns; by default 64 MiB on a CPU, else what max_memory leaves",
    )
    seed: int | None = Field(
        default=None, ge=0, lt=1 << 63, description="of the integers; by default another each run"
    )

    def measure(self, bench: Bench) -> Iterator[Reading]:
        """Multiply, then fill memory. Raises RuntimeError where torch or the driver fails."""
        import torch

        torch.manual_seed(secrets.randbits(63) if self.seed is None else self.seed)
        sum_in_float32()
        edge = self.edge or USUAL_EDGE[bench.device.kind]
        dtypes = multiplicable(bench.place)
        share = self.seconds / len(dtypes)
        products = [multiplied(bench.place, dtype, edge, share) for dtype in dtypes]
        bench.stamp()
        blocks = filled(bench.place, self._memory(bench))
        self.keep(
            seed=torch.initial_seed(),
            edge=edge,
            depth=DEPTH,
            products=[asdict(checked) for checked in products],
            wrong_blocks=[asdict(checked) for checked in blocks if checked.wrong.bits],
        )
        yield from self.readings(bench.device.target, products, blocks)

    def _memory(self, bench: Bench) -> int:
        """Bytes for the patterns."""
        if bench.device.gpu is None:
            return self.memory or USUAL_MEMORY
        import torch

        torch.cuda.empty_cache()
        left = gate.room(self.max_memory) - SPARE
        return min(self.memory or left, left)

    def readings(
        self, target: str, products: list[Checked], blocks: list[Checked]
    ) -> Iterator[Reading]:
        """The counts of all that was checked on a target."""
        wrong = [checked for checked in (*products, *blocks) if checked.wrong.bits]
        told = [f"{checked.what} {checked.wrong.first}" for checked in wrong[:MOST_TOLD]]
        more = [f"and {len(wrong) - MOST_TOLD} more"] if len(wrong) > MOST_TOLD else []
        counts = {
            "wrong_bits": sum(checked.wrong.bits for checked in wrong),
            "wrong_values": sum(checked.wrong.values for checked in wrong),
            "checked_operations": sum(checked.amount for checked in products),
            "checked_memory": sum(checked.amount for checked in blocks),
        }
        for name, count in counts.items():
            note = "; ".join([*told, *more])
            yield Reading(f"gpu.integrity.{name}", target, count, origin="measured", note=note)


def sum_in_float32() -> None:
    """Have torch sum no product in less than float32, for the rest of this process.

    https://docs.pytorch.org/docs/stable/notes/numerical_accuracy.html: both reductions are allowed
    by default, and would make a healthy GPU inexact.
    """
    import torch

    rules = torch.backends.cuda.matmul
    rules.allow_tf32 = False
    rules.allow_fp16_accumulation = False
    rules.allow_fp16_reduced_precision_reduction = False
    rules.allow_bf16_reduced_precision_reduction = False


def multiplicable(place: "torch.device") -> list[str]:
    """The dtypes to multiply in: all on a CPU, on a GPU those that it has units for."""
    return [dtype for dtype in LARGEST if place.type == "cpu" or dtype in available(place)]


def factors(edge: int, largest: int) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Random integers (edge, DEPTH) and (DEPTH, edge) within ±largest, int64 on the CPU."""
    import torch

    shape = (edge, DEPTH)
    first, second = (torch.randint(-largest, largest + 1, shape) for _ in range(2))
    return first, second.T.contiguous()


def reference(a: "torch.Tensor", b: "torch.Tensor") -> "torch.Tensor":
    """The product of two int64 matrices on the CPU, in float32, exact where it is below 2^24.

    Taken in float64: exact for sums below 2^53, and fast, which int64 is not: no BLAS has it.
    """
    import torch

    return (a.to(torch.float64) @ b.to(torch.float64)).to(torch.float32)


def multiplied(place: "torch.device", dtype: str, edge: int, seconds: float) -> Checked:
    """Products in one dtype for some seconds, at least one, each compared to the last bit."""
    import torch

    a, b = factors(edge, LARGEST[dtype])
    right = reference(a, b).to(place)
    kind: torch.dtype = getattr(torch, dtype)
    a, b = a.to(place, kind), b.to(place, kind)
    amount, wrong = 0, NONE
    until = time.monotonic() + seconds
    while not amount or time.monotonic() < until:
        rows, columns = (torch.randperm(edge).to(place) for _ in range(2))
        found = product(a[rows], b[:, columns])
        wrong += flips(found, right[rows][:, columns].to(found.dtype))
        amount += 2 * edge * edge * DEPTH
    return Checked(dtype, amount, wrong)


def product(a: "torch.Tensor", b: "torch.Tensor") -> "torch.Tensor":
    """A · B as the device sums it: in float32 on a GPU, so that no bit is rounded away; on a CPU,
    where torch offers no such result, in the dtype of the factors, rounded once."""
    import torch

    return torch.mm(a, b, out_dtype=torch.float32) if a.is_cuda else torch.mm(a, b)


def filled(place: "torch.device", size: int) -> list[Checked]:
    """Blocks of memory, of about `size` bytes together: all are filled, then all are read back."""
    import torch

    starts = range(0, size // WORD, BLOCK // WORD)
    ends = [*starts[1:], size // WORD]
    blocks = {
        start: torch.empty(end - start, dtype=torch.int64, device=place)
        for start, end in zip(starts, ends, strict=True)
    }
    wrong = dict.fromkeys(blocks, NONE)
    for factor, mask in PATTERNS:
        for start, block in blocks.items():
            block.copy_(pattern(block, start, factor, mask))
        for start, block in blocks.items():
            wrong[start] += flips(block, pattern(block, start, factor, mask))
    return [
        Checked(f"memory, block {number},", len(PATTERNS) * len(blocks[start]) * WORD, wrong[start])
        for number, start in enumerate(blocks)
    ]


def pattern(block: "torch.Tensor", start: int, factor: int, mask: int) -> "torch.Tensor":
    """What a block that begins at word `start` is to hold."""
    import torch

    words = torch.arange(start, start + len(block), device=block.device)
    return words.mul_(factor).bitwise_xor_(mask)
