"""What all canaries on a GPU share: gate, device, its health, and what numbers depend on."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ByteSize, Field, PrivateAttr

from probes.base import Probe
from probes.gpu import devices, gate
from storage.types import Reading

if TYPE_CHECKING:
    import torch


@dataclass(slots=True)
class Bench:
    """What a canary measures on: a device that is ours alone for a while, as torch has it."""

    device: devices.Device
    place: "torch.device"
    stamps: list[dict[str, Any] | None] = field(default_factory=list)

    def stamp(self) -> None:
        """Note the device's health now: clocks, power, temperature, what holds the clocks down."""
        self.stamps.append(devices.health(self.device))

    def note(self) -> str:
        """What held the clocks down, if anything did."""
        return devices.note(self.stamps)


class GpuCanary(Probe, ABC):
    """A short measurement on one GPU that nobody else uses, or on the CPU."""

    packages: ClassVar[tuple[str, ...]] = ("torch", "nvidia-ml-py")
    deadline: ClassVar[float] = 180.0
    indifferent: ClassVar[frozenset[str]] = frozenset({"target", "max_memory", "max_seconds"})

    target: devices.Target = "auto"
    max_memory: ByteSize = Field(
        default=ByteSize(4 << 30),
        ge=2 << 30,
        description="of a GPU, held at most, CUDA's own included; less that is free is busy",
    )
    max_seconds: float = Field(
        default=20.0, gt=0, le=3600, description="for which a GPU is held at most"
    )

    _surroundings: dict[str, Any] = PrivateAttr(default_factory=dict)

    def run(self) -> Iterator[Reading]:
        """Measure. Raises Skipped on a GPU that is busy or becomes so, gate.Overrun, LookupError
        where the target is not there, RuntimeError where torch or the driver fails."""
        device = devices.resolve(self.target, self.max_memory)
        bench = Bench(device, devices.open_torch(device))
        gpus = [device.gpu] if device.gpu else []
        with gate.watched(gpus, self.max_memory, self.max_seconds):
            gate.confine(bench.place, self.max_memory)
            bench.stamp()
            begun = time.monotonic()
            readings = [*self.measure(bench)]
            self.keep(measuring_seconds=round(time.monotonic() - begun, 3))
            bench.stamp()
        self.keep(device=devices.facts(device, bench.stamps))
        self._surroundings = devices.surroundings(device)
        note = bench.note()
        for reading in readings:
            said = "; ".join(part for part in (reading.note, note) if part)
            yield replace(reading, note=said, family=device.gpu.name if device.gpu else "")

    def aimed(self, target: str) -> Mapping[str, Any]:
        """The device of a reading on `target`, where "auto" may find another one free."""
        device = target.partition("/")[0]  # what is worked out of a reading names more
        if self.target != "auto":
            return {}
        if device.startswith("cpu:"):
            return {"target": "cpu"}
        return {"target": device} if devices.UUID.fullmatch(device) else {}

    @abstractmethod
    def measure(self, bench: Bench) -> Iterator[Reading]:
        """The readings of one run; what `device.kind` says decides what is usual."""

    def setup(self) -> dict[str, Any]:
        """The settings, and the device's name, power limit, driver and libraries."""
        return {**super().setup(), **self._surroundings}
