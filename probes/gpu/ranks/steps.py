"""The time of a training step alone, with replicas (DDP) and with shards (FSDP2)."""

from collections.abc import Callable
from contextlib import nullcontext

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn import functional as F  # noqa: N812
from torch.nn.parallel import DistributedDataParallel

from probes.gpu import devices, gpt
from probes.gpu.gpt import Workload
from probes.gpu.ranks.allreduce import start_together
from probes.gpu.timing import time_each
from probes.gpu.trainer import forget_memory

WARMUP = 3
SEED = 1


class Block(nn.Module):
    """One layer of the GPT."""

    def __init__(self, weights: gpt.Weights, heads: int) -> None:
        super().__init__()
        self.heads = heads
        for name, weight in weights.items():
            self.register_parameter(name, nn.Parameter(weight.detach()))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(batch, sequence, width) to the same."""
        return gpt.block(dict(self.named_parameters()), hidden, self.heads)


class Model(nn.Module):
    """`gpt.loss` as a module, as what distributes a model wants it."""

    def __init__(self, work: Workload, place: torch.device) -> None:
        super().__init__()
        torch.manual_seed(SEED)
        weights = gpt.initial(work, place)
        self.width = work.width
        self.blocks = nn.ModuleList(
            Block(gpt.layer(weights, index), work.heads) for index in range(work.layers)
        )
        for name in ("tokens", "positions", "norm", "head"):
            self.register_parameter(name, nn.Parameter(weights[name].detach()))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """The mean loss of (batch, sequence + 1) tokens, in nats."""
        own = dict(self.named_parameters(recurse=False))
        hidden = F.embedding(tokens[:, :-1], own["tokens"]) + own["positions"]
        for block in self.blocks:
            hidden = block(hidden)
        scores = F.linear(F.layer_norm(hidden, (self.width,), own["norm"]), own["head"])
        return F.cross_entropy(scores.flatten(0, 1), tokens[:, 1:].flatten())


def seconds(
    work: Workload, count: int, place: torch.device, say: Callable[[str], None]
) -> dict[str, list[float]]:
    """Seconds of `count` steps on this rank: "alone", "ddp" and "fsdp"."""
    tokens = rows(work, dist.get_rank()).to(place)
    say("training with DDP")
    replica = replicated(Model(work, place), place)
    taken = {"ddp": timed(replica, tokens, count, place)}
    say("training without communication")
    with replica.no_sync():
        taken["alone"] = timed(replica, tokens, count, place)
    del replica
    forget_memory(place)  # DDP's hooks hold the model in a circle
    say("training with FSDP")
    taken["fsdp"] = timed(sharded(Model(work, place), place), tokens, count, place)
    return taken


def rows(work: Workload, rank: int) -> torch.Tensor:
    """A rank's tokens (batch, sequence + 1), other ones on each."""
    generator = torch.Generator().manual_seed(SEED + rank)
    return torch.randint(work.vocabulary, (work.batch, work.sequence + 1), generator=generator)


def replicated(model: Model, place: torch.device) -> DistributedDataParallel:
    """The whole model on each rank; gradients are averaged, bucket by bucket, while more of them
    are computed."""
    return DistributedDataParallel(model, [place] if place.type == "cuda" else None)


def sharded(model: Model, place: torch.device) -> Model:
    """A part of each weight on each rank; blocks are gathered as they are needed, and gradients
    reduced and scattered."""
    mesh = init_device_mesh(place.type, (dist.get_world_size(),))
    for block in model.blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)
    return model


def timed(model: nn.Module, tokens: torch.Tensor, count: int, place: torch.device) -> list[float]:
    """Seconds of each forward and backward pass; what adjusts the weights communicates nothing."""
    half = devices.resolve_dtype("auto", place) == "bfloat16"
    precision = torch.autocast(place.type, dtype=torch.bfloat16) if half else nullcontext()

    def clear(_: int) -> None:
        model.zero_grad(set_to_none=True)
        start_together(place)

    def step(_: int) -> None:
        with precision:
            loss = model(tokens)
        loss.backward()

    for warm in range(WARMUP):
        clear(warm)
        step(warm)
    return time_each(step, count, place, prepare=clear)
