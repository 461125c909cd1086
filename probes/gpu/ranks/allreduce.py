"""The time of an all-reduce, and that its sum is right."""

import torch
import torch.distributed as dist

from probes.gpu.flips import flips
from probes.gpu.timing import time_each

WARMUP = 5
TINY = 8
"""Bytes of a message whose time is latency alone; nccl-tests begin with it too."""
FLOAT = 4
CYCLE = 1000
HEAD_START = 20_000_000
"""Clocks, about 10 ms, for which a GPU spins while its host queues the usual 20 all-reduces: one of
a few µs would else be timed with the host's launch."""


class WrongSum(RuntimeError):
    """An all-reduce gave a number that is not the sum of what the ranks put in."""


def seconds(size: int, count: int, place: torch.device) -> list[float]:
    """Seconds that each of `count` all-reduces of `size` bytes in float32 took on this rank.

    Each begins with fresh numbers, in place; the last sum is checked. Raises WrongSum.
    """
    source = share(size, dist.get_rank(), place)
    buffer = torch.empty_like(source)

    def refill(_: int) -> None:
        buffer.copy_(source)
        start_together(place)

    def reduce(_: int) -> None:
        dist.all_reduce(buffer)

    for warm in range(WARMUP):
        refill(warm)
        reduce(warm)
    get_ahead(place)
    taken = time_each(reduce, count, place, prepare=refill)
    verify(buffer, dist.get_world_size())
    return taken


def get_ahead(place: torch.device) -> None:
    """Give a host the time to queue work that its GPU does faster than it can be queued."""
    if place.type == "cuda":
        torch.cuda._sleep(HEAD_START)  # type: ignore[no-untyped-call]


def start_together(place: torch.device) -> None:
    """Have the ranks begin at one time, so that none is timed while it waits for another.

    GPUs are kept in step by the collectives that are queued on them; waiting in between would
    empty their queues, and time the launch.
    """
    if place.type == "cpu":
        dist.barrier()


def share(size: int, rank: int, place: torch.device) -> torch.Tensor:
    """What a rank puts in: element i is i mod 1000, plus the rank. All sums are exact in float32
    for up to 4,000 ranks."""
    index = torch.arange(size // FLOAT, dtype=torch.int32, device=place)
    return index.remainder_(CYCLE).add_(rank).to(torch.float32)


def verify(found: torch.Tensor, ranks: int) -> None:
    """Raise WrongSum unless `found` is, to the last bit, the sum of all ranks' shares."""
    each = share(FLOAT * len(found), 0, found.device)
    wrong = flips(found, each.mul_(ranks).add_(ranks * (ranks - 1) // 2))
    if wrong.bits:
        raise WrongSum(
            f"an all-reduce of {FLOAT * len(found)} B over {ranks} ranks is wrong in "
            f"{wrong.values} elements, first {wrong.first}: a link, a device or a library is broken"
        )
