"""Bits in which two tensors differ, counted and the first of them named."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Flips:
    """How many bits differ, in how many values, and where first; "" where none does."""

    bits: int = 0
    values: int = 0
    first: str = ""

    def __add__(self, later: "Flips") -> "Flips":
        return Flips(self.bits + later.bits, self.values + later.values, self.first or later.first)


NONE = Flips()


def flips(found: "torch.Tensor", right: "torch.Tensor") -> Flips:
    """Bits of `found` that are not those of `right`; a not-a-number is bits like any other.

    Both have one shape and one dtype, of 2, 4 or 8 bytes. Raises ValueError where they have not.
    """
    import torch

    if (found.shape, found.dtype) != (right.shape, right.dtype):
        raise ValueError(
            f"{found.dtype} {tuple(found.shape)} cannot be held against {right.dtype} "
            f"{tuple(right.shape)}"
        )
    whole = {2: torch.int16, 4: torch.int32, 8: torch.int64}[found.element_size()]
    have, want = found.contiguous().view(whole), right.contiguous().view(whole)
    places = (have != want).nonzero()
    if not len(places):
        return NONE
    differing = (have ^ want)[tuple(places.T)]
    bits = sum(int((differing >> bit & 1).sum()) for bit in range(8 * found.element_size()))
    at = tuple(places[0].tolist())
    first = f"{list(at)}: {_value(found[at], whole)}, expected {_value(right[at], whole)}"
    return Flips(bits, len(places), first)


def _value(value: "torch.Tensor", whole: "torch.dtype") -> str:
    """One value, as a number and as bits."""
    digits = 2 * value.element_size()
    bits = int(value.view(whole)) & ((1 << 4 * digits) - 1)
    return f"{value.item():g} ({bits:#0{digits + 2}x})"
