"""`gpu.collective`: how fast the GPUs of a node talk, and what of a training step that costs.

Expected: on 8 H100 SXM in one NVSwitch node some 480 GB/s at several GiB, less at smaller messages,
and above the link's one-way 450 GB/s, because the switch does the sums
(https://github.com/stas00/ml-engineering, network). Two processes on two cores of an Intel Xeon,
over loopback: 1 GB/s (measured).
"""

import os
import platform
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Literal, Self

from pydantic import ByteSize, Field, PrivateAttr, model_validator

from probes.base import Probe, Skipped
from probes.gpu import devices, gate, nvml
from probes.gpu.gpt import Workload
from probes.gpu.launch import launch
from probes.gpu.timing import Spread, spread
from storage.types import Reading, Signal

MIB = 1 << 20
USUAL_SIZES = {"cpu": (MIB, 16 * MIB), "cuda": (MIB, 16 * MIB, 256 * MIB)}
USUAL_RANKS = 2  # on a CPU
WORKLOADS = {
    "cpu": Workload(layers=2, width=128, heads=4, sequence=64, batch=2, vocabulary=512),
    "cuda": Workload(layers=4, width=1024, heads=16, sequence=1024, batch=3, vocabulary=4096),
}
"""Few blocks that are wide: a GPU that waits for its host hides what communication costs."""
COPIES = 5  # of a message, on each rank: what it puts in, what it gets, and what checks that
COMMUNICATOR_BYTES = 1 << 30
"""Of a GPU's memory that is held, what NCCL's channels take beside torch's tensors, about."""
LOOPBACK = {"GLOO_SOCKET_IFNAME": "lo"}


@dataclass(frozen=True, slots=True)
class Node:
    """What a run measures on: GPUs that are free, or this machine's processor, and how many
    ranks."""

    name: str
    ranks: int
    gpus: tuple[nvml.Gpu, ...] = ()

    @property
    def kind(self) -> str:
        """As torch says it: "cuda" or "cpu"."""
        return "cuda" if self.gpus else "cpu"

    @property
    def target(self) -> str:
        """Names the node and what is in it for ever: `HOST/8xNVIDIA H200`."""
        return f"{platform.node()}/{self.ranks}x{self.name}"


class Collective(Probe):
    """Sum tensors over all GPUs of this node, and train with and without communication.

    Summary
        One process for each GPU (NCCL), or two on a CPU (gloo, over loopback). Messages of each
        size are summed in place by `torch.distributed.all_reduce`, in float32, `iterations` times
        after 5 untimed; the last sum is checked to the last bit, and a wrong one fails the run.
        Then a small GPT is trained, the same on every rank, in three ways: replicated (DDP),
        replicated without communication (DDP's `no_sync`), and sharded (FSDP2, `fully_shard` of
        each block). A step is forward, loss and backward; what adjusts the weights communicates
        nothing. The run is skipped where any GPU is in use, or only one is there.

    What the number means
        A repetition's time is that of the slowest rank (nccl-tests average over the ranks by
        default; a collective is over when the last has it); figures are of the median repetition,
        and sigma is its robust standard error. `algorithm_bandwidth` is bytes of the message over
        time, `bus_bandwidth` that times 2·(n-1)/n for n ranks: what each link carried, if the ranks
        themselves do the sums. Where a switch does them (NVLS) it can exceed the link, so it is set
        against no peak. `latency` is the time of 8 bytes. GPUs are busy while their all-reduces are
        queued, so that these times are theirs and not those of the hosts that launch them. A
        `…_communication_share` is 1 - t(without)/t(with): the part of a step that waits for
        communication, not what is hidden behind arithmetic; for FSDP also what gathering and
        cutting weights costs, and what its hooks take on the host where that is slower than the
        GPU. It may be a little below 0 by chance. The number of GPUs is in the target: figures of
        two numbers do not compare.

        The GPUs are held for longer than by other canaries: the ranks' import of torch and NCCL's
        start, some 10 to 40 s where nothing is cached, are within `max_seconds`; what is measured
        takes about 5.

    References
        https://github.com/NVIDIA/nccl-tests doc/PERFORMANCE.md (the bandwidths) and README.md (5
        and 20 iterations); Li et al., PyTorch Distributed, arXiv 2006.15704 (DDP); Zhao et al.,
        PyTorch FSDP, arXiv 2304.11277.
    """

    signals: ClassVar[tuple[Signal, ...]] = (
        Signal(
            "gpu.collective.bus_bandwidth",
            "GB/s",
            "higher",
            "All-reduce: bytes over time, times 2(n-1)/n; one target for each message size",
        ),
        Signal(
            "gpu.collective.algorithm_bandwidth",
            "GB/s",
            "higher",
            "All-reduce: bytes over time; one target for each message size",
        ),
        Signal("gpu.collective.latency", "s", "lower", "Median time of an all-reduce of 8 bytes"),
        Signal(
            "gpu.collective.step_time",
            "s",
            "lower",
            "Median training step of one rank, all at once, without communication",
        ),
        Signal("gpu.collective.ddp_step_time", "s", "lower", "Median step with replicas (DDP)"),
        Signal("gpu.collective.fsdp_step_time", "s", "lower", "Median step with shards (FSDP2)"),
        Signal(
            "gpu.collective.ddp_communication_share",
            "1",
            "lower",
            "Part of a DDP step that waits for communication",
        ),
        Signal(
            "gpu.collective.fsdp_communication_share",
            "1",
            "lower",
            "Part of an FSDP step that waits for communication",
        ),
    )
    packages: ClassVar[tuple[str, ...]] = ("torch", "nvidia-ml-py")
    deadline: ClassVar[float] = 240.0
    indifferent: ClassVar[frozenset[str]] = frozenset({"target", "max_memory", "max_seconds"})

    target: Literal["auto", "cpu"] = Field(
        default="auto", description='"auto" (all GPUs of this node, else its CPU) or "cpu"'
    )
    ranks: int | None = Field(
        default=None, ge=2, le=64, description="by default all GPUs, or 2 on a CPU"
    )
    sizes: tuple[ByteSize, ...] | None = Field(
        default=None,
        min_length=1,
        description="of messages; by default 1 MiB, 16 MiB and on GPUs 256 MiB",
    )
    iterations: int = Field(default=20, ge=5, le=1000, description="timed all-reduces of each size")
    steps: int = Field(default=20, ge=5, le=1000, description="timed training steps of each way")
    max_memory: ByteSize = Field(
        default=ByteSize(4 << 30),
        ge=4 << 30,
        description="of each GPU, held at most, CUDA's and NCCL's own included",
    )
    max_seconds: float = Field(
        default=90.0,
        gt=0,
        le=3600,
        description="for which the GPUs are held at most, the start of the ranks included",
    )

    _surroundings: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        most = ByteSize(gate.room(self._tensors()) // COPIES)
        for size in self.sizes or ():
            if not MIB <= size <= most:
                raise ValueError(
                    f"sizes: {size.human_readable()} is not between 1 MiB and "
                    f"{most.human_readable()}, which is what fits into max_memory"
                )
            if size % 4:
                raise ValueError(f"sizes: {int(size)} B are no whole number of float32")
        return self

    def run(self) -> Iterator[Reading]:
        """Measure. Raises Skipped where a GPU is busy or becomes so, or only one is there,
        LookupError where there are fewer than asked for, launch.RankFailed, gate.Overrun."""
        node = self.node()
        stamps: list[list[dict[str, Any]]] = []

        def stamp() -> None:
            stamps.append([nvml.health(gpu) for gpu in node.gpus])

        # a little later than the ranks' own deadline, which can tell which of them is late
        with gate.watched(node.gpus, self.max_memory, self.max_seconds + gate.GRACE, node.ranks):
            results = launch(
                self.order(node),
                node.ranks,
                self.max_seconds,
                environment(node.gpus, node.ranks),
                meanwhile=stamp,
            )
            stamp()
        self._surroundings = surroundings(node, results[0]["libraries"])
        self.keep(measuring_seconds=max(result["measuring_seconds"] for result in results))
        ends = [stamps[0], stamps[-1]]  # all of them would be a megabyte
        self.keep(node=asdict(node), order=self.order(node), results=results, health=ends)
        note = nvml.held_down([stamp for moment in stamps for stamp in moment])
        for reading in self.readings(node, results):
            yield replace(reading, note=note, family=node.name if node.gpus else "")

    def node(self) -> Node:
        """The GPUs that are free alone, all of them or the first `ranks`; else the CPU."""
        present = () if self.target == "cpu" else devices.allowed(nvml.gpus())
        if not present:
            return Node("cpu", self.ranks or USUAL_RANKS)
        if len(present) < max(self.ranks or 0, USUAL_RANKS):
            has = f"{platform.node()} has {len(present)} ({counted(present)})"
            if self.ranks is not None and len(present) > 1:
                raise LookupError(f"ranks = {self.ranks} needs as many GPUs, {has}; set it lower")
            raise Skipped(f"needs {self.ranks or USUAL_RANKS} GPUs, {has}")
        chosen = present[: self.ranks]
        with ThreadPoolExecutor(len(chosen)) as pool:
            reasons = list(pool.map(lambda gpu: gate.busy(gpu, self.max_memory), chosen))
        told = [
            f"{gpu.uuid} {why}" for gpu, why in zip(chosen, reasons, strict=True) if why is not None
        ]
        if told:
            raise Skipped(f"busy: {'; '.join(told)}")
        return Node(named(chosen), len(chosen), chosen)

    def order(self, node: Node) -> dict[str, Any]:
        """What each rank is to do (JSON)."""
        return {
            "kind": node.kind,
            "sizes": [int(size) for size in self.sizes or USUAL_SIZES[node.kind]],
            "iterations": self.iterations,
            "steps": self.steps,
            "workload": asdict(WORKLOADS[node.kind]),
            "max_memory": self._tensors(),
        }

    def _tensors(self) -> int:
        """Bytes of a GPU for torch and CUDA."""
        return self.max_memory - COMMUNICATOR_BYTES

    def setup(self) -> dict[str, Any]:
        """The settings, and the GPUs' power limits, driver, libraries and NCCL's variables."""
        return {**super().setup(), **self._surroundings}

    def readings(self, node: Node, results: Sequence[Mapping[str, Any]]) -> Iterator[Reading]:
        """The signals of what the ranks measured."""

        def reading(name: str, value: float, sigma: float, target: str = node.target) -> Reading:
            return Reading(f"gpu.collective.{name}", target, value, "measured", sigma)

        for index, size in enumerate(self.order(node)["sizes"]):
            time = slowest([result["sizes"][index] for result in results])
            rate = size / time.median / 1e9
            sigma = rate * time.sigma / time.median
            target = f"{node.target}/{said(size)}"
            bus = bus_factor(node.ranks)
            yield reading("bus_bandwidth", rate * bus, sigma * bus, target)
            yield reading("algorithm_bandwidth", rate, sigma, target)
        latency = slowest([result["latency"] for result in results])
        yield reading("latency", latency.median, latency.sigma)
        alone = slowest([result["alone"] for result in results])
        yield reading("step_time", alone.median, alone.sigma)
        for way in ("ddp", "fsdp"):
            step = slowest([result[way] for result in results])
            yield reading(f"{way}_step_time", step.median, step.sigma)
            yield reading(f"{way}_communication_share", *share(alone, step))


def bus_factor(ranks: int) -> float:
    """What an all-reduce's bytes over time are multiplied by: doc/PERFORMANCE.md of nccl-tests."""
    return 2 * (ranks - 1) / ranks


def slowest(by_rank: Sequence[Sequence[float]]) -> Spread:
    """How the repetitions' times spread, each being that of its slowest rank."""
    return spread([max(times) for times in zip(*by_rank, strict=True)])


def share(alone: Spread, together: Spread) -> tuple[float, float]:
    """The part of a step that is there for communication, 1 - t(alone)/t(together), and sigma."""
    left = alone.median / together.median
    relative = (alone.sigma / alone.median) ** 2 + (together.sigma / together.median) ** 2
    return 1 - left, left * relative**0.5


def said(size: int) -> str:
    """A size as a part of a target: whole MiB, else bytes."""
    return f"{size // MIB}MiB" if size % MIB == 0 else f"{size}B"


def named(gpus: Sequence[nvml.Gpu]) -> str:
    """The name of equal GPUs; all their names where they are not equal."""
    return "+".join(sorted({gpu.name for gpu in gpus}))


def counted(gpus: Sequence[nvml.Gpu]) -> str:
    """How many there are of each name."""
    return ", ".join(f"{n} {name}" for name, n in sorted(Counter(g.name for g in gpus).items()))


def environment(gpus: Sequence[nvml.Gpu], ranks: int) -> dict[str, str]:
    """What ranks are told beside our own environment. All see all GPUs: NCCL finds the way between
    two that it sees. On a CPU they talk over loopback, and share its cores."""
    if gpus:
        return {"CUDA_VISIBLE_DEVICES": ",".join(gpu.uuid for gpu in gpus)}
    cores = len(os.sched_getaffinity(0))
    usual = {**LOOPBACK, "OMP_NUM_THREADS": str(max(1, cores // ranks)), "CUDA_VISIBLE_DEVICES": ""}
    given = {name: os.environ[name] for name in ("OMP_NUM_THREADS",) if name in os.environ}
    return {**usual, **given}


def surroundings(node: Node, libraries: Mapping[str, Any]) -> dict[str, Any]:
    """What the numbers depend on beside what is measured."""
    if not node.gpus:
        return {"device": devices.processor(), **libraries}
    return {
        "devices": [gpu.name for gpu in node.gpus],
        **nvml.driver(),
        **libraries,
        "power_limit_watts": [nvml.power_limit(gpu) for gpu in node.gpus],
        "nccl_variables": {
            name: value for name, value in sorted(os.environ.items()) if name.startswith("NCCL_")
        },
    }
