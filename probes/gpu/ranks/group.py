"""A group of ranks, and what it measures together, in order."""

import datetime
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from probes.gpu import gate
from probes.gpu.gpt import Workload
from probes.gpu.ranks import allreduce, steps


def measure(
    order: Mapping[str, Any], store: Path, rank: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Seconds of each repetition on this rank, and what they depend on (JSON)."""
    place = torch.device(f"cuda:{rank}" if order["kind"] == "cuda" else "cpu")
    say("wait for the other ranks")
    with joined(store, rank, order, place):
        begun = time.monotonic()
        gate.confine(place, order["max_memory"])
        count = order["iterations"]
        say("all-reduce of 8 B")
        latency = allreduce.seconds(allreduce.TINY, count, place)
        sizes = []
        for size in order["sizes"]:
            say(f"all-reduce of {size} B")
            sizes.append(allreduce.seconds(size, count, place))
        training = steps.seconds(Workload(**order["workload"]), order["steps"], place, say)
        say("the end")
        dist.barrier()
        found = {"latency": latency, "sizes": sizes, **training, "libraries": libraries(place)}
        return {**found, "measuring_seconds": round(time.monotonic() - begun, 3)}


@contextmanager
def joined(store: Path, rank: int, order: Mapping[str, Any], place: torch.device) -> Iterator[None]:
    """Be one of the ranks for the time of a block: NCCL between GPUs, gloo between CPUs.

    Raises RuntimeError where torch cannot use the GPUs, or the others do not come in time.
    """
    on_gpu = place.type == "cuda"
    if on_gpu and not (torch.cuda.is_available() and dist.is_nccl_available()):
        raise RuntimeError(
            f"torch {torch.__version__} cannot use these GPUs with NCCL: install a torch built "
            'with CUDA for this driver, or set target = "cpu"'
        )
    if on_gpu:
        torch.cuda.set_device(place)
    dist.init_process_group(
        "nccl" if on_gpu else "gloo",
        init_method=store.absolute().as_uri(),
        rank=rank,
        world_size=order["ranks"],
        timeout=datetime.timedelta(seconds=order["max_seconds"]),
        device_id=place if on_gpu else None,
    )
    yield
    dist.destroy_process_group()


def libraries(place: torch.device) -> dict[str, Any]:
    """Versions of what the ranks computed and communicated with."""
    common = {"torch": str(torch.__version__), "backend": dist.get_backend()}
    if place.type == "cpu":
        return {**common, "threads": torch.get_num_threads()}
    nccl = ".".join(map(str, torch.cuda.nccl.version()))  # type: ignore[no-untyped-call]
    return {**common, "cuda": torch.version.cuda, "nccl": nccl}
