"""`gpu.memory`: how fast a device's memory is copied, and how fast data comes to a GPU.

Expected of a copy: about nine tenths of the data sheet's bandwidth. A GPU behind 16 lanes of PCIe 5
can take at most 63 GB/s from its host, behind PCIe 4 half that (128b/130b coding, before protocol);
one that is coupled to its processor (GH200, GB200) some hundred.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ByteSize, Field

from probes.gpu import devices
from probes.gpu.canary import Bench, GpuCanary
from probes.gpu.peaks import memory_peak
from probes.gpu.timing import spread, time_each
from storage.types import Reading, Signal

if TYPE_CHECKING:
    import torch

COPIED = {"cpu": 128 << 20, "cuda": 1 << 30}
"""Bytes of one copy; as many are read as are written. More than the caches hold."""
LOADED = 256 << 20
"""Bytes of one transfer between host and GPU."""
WORD = 8
BITS = 8


def _bandwidth(name: str, what: str) -> tuple[Signal, ...]:
    """The median of a bandwidth, and its slowest and fastest tenth."""
    return (
        Signal(f"gpu.memory.{name}", "GB/s", "higher", what),
        Signal(f"gpu.memory.{name}_p10", "GB/s", "higher", "Bandwidth that 9 of 10 exceed"),
        Signal(f"gpu.memory.{name}_p90", "GB/s", "higher", "Bandwidth that 1 of 10 exceeds"),
    )


class Memory(GpuCanary):
    """Copy a large block within a device's memory, and between a GPU and its host.

    Summary
        1 GiB of random numbers is copied within a GPU's memory (128 MiB on a CPU, by torch's
        threads), 256 MiB from pinned memory of the host to the GPU and back. Each copy is timed by
        itself (CUDA events on a GPU, a monotonic clock on a CPU). What came out must be what went
        in, else the run fails. A GPU that anyone else uses is left alone: the run is skipped.

    What the number means
        10⁹ bytes a second. `copy_bandwidth` counts the bytes read and the bytes written, as data
        sheets do; `share_of_peak` divides it by the data sheet's bandwidth, and is absent on CPUs
        and for devices that `peaks.toml` does not list. `host_to_device_bandwidth` and
        `device_to_host_bandwidth` count each byte once; a CPU has neither. Each is the bandwidth of
        the median copy; p10 and p90 are the slowest and the fastest tenth. Sigma is the robust
        standard error of the median. `loading_bandwidth` is `host_to_device_bandwidth` in bits a
        second: what data loading comes to, beside `quantum.state_preparation.bandwidth`. A CPU
        whose caches hold 256 MiB copies faster than its memory is.

    References
        Copying as a measure of memory: McCalpin, STREAM, https://www.cs.virginia.edu/stream/ref.html
        (counting bytes). Pinned memory: CUDA C++ Best Practices Guide, 10.1,
        https://docs.nvidia.com/cuda/cuda-c-best-practices-guide/.
    """

    signals: ClassVar[tuple[Signal, ...]] = (
        *_bandwidth("copy_bandwidth", "Bytes read and written in the median copy, by its time"),
        Signal(
            "gpu.memory.share_of_peak",
            "1",
            "higher",
            "Copy bandwidth over the data sheet's; absent for devices of unknown peak",
        ),
        *_bandwidth("host_to_device_bandwidth", "From pinned memory of the host to a GPU"),
        *_bandwidth("device_to_host_bandwidth", "From a GPU to pinned memory of the host"),
        Signal(
            "gpu.memory.loading_bandwidth",
            "bit/s",
            "higher",
            "Host to device in bits: how fast a GPU is loaded with data",
        ),
    )

    max_memory: ByteSize = Field(
        default=ByteSize(4 << 30),
        ge=4 << 30,
        description="of a GPU, held at most, CUDA's own included; less that is free is busy",
    )
    iterations: int = Field(default=30, ge=20, le=1000, description="timed copies of each kind")
    warmup: int = Field(default=3, ge=1, le=100, description="copies before those, not timed")
    seed: int = Field(default=1, ge=0, lt=1 << 63, description="of what is copied")

    def measure(self, bench: Bench) -> Iterator[Reading]:
        """Copy and time. Raises RuntimeError where a copy is not what was copied."""
        copied = self.copying(bench)
        self.keep(bytes_copied=COPIED[bench.device.kind], seed=self.seed, copy_seconds=copied)
        yield from self.copy_readings(bench.device, copied)
        if bench.device.gpu:
            to_gpu, from_gpu = self.loading(bench)
            self.keep(
                bytes_loaded=LOADED,
                host_to_device_seconds=to_gpu,
                device_to_host_seconds=from_gpu,
            )
            yield from self.loading_readings(bench.device, to_gpu, from_gpu)

    def copying(self, bench: Bench) -> list[float]:
        """Seconds of each copy within the device's memory."""
        source = self._random(COPIED[bench.device.kind], bench.place)
        copy = source.new_zeros(source.shape)
        seconds = self._timed(bench, lambda _: copy.copy_(source))
        same(source, copy, "within its memory", bench.device)
        return seconds

    def loading(self, bench: Bench) -> tuple[list[float], list[float]]:
        """Seconds of each copy from the host to the GPU, and of each back."""
        import torch

        sent = self._random(LOADED, torch.device("cpu")).pin_memory()
        there = torch.zeros(sent.shape, dtype=sent.dtype, device=bench.place)
        back = torch.zeros(sent.shape, dtype=sent.dtype, pin_memory=True)
        to_gpu = self._timed(bench, lambda _: there.copy_(sent, non_blocking=True))
        from_gpu = self._timed(bench, lambda _: back.copy_(there, non_blocking=True))
        same(sent, back, "from the host to it and back", bench.device)
        return to_gpu, from_gpu

    def copy_readings(self, device: devices.Device, seconds: list[float]) -> Iterator[Reading]:
        """Bandwidth of copying within the device, and its share of the data sheet's."""
        moved = 2 * COPIED[device.kind]
        yield from _readings("copy_bandwidth", device, moved, seconds)
        limit = device.gpu and memory_peak(device.gpu.name)
        if limit:
            rate = spread([moved / second / 1e12 for second in seconds])
            yield Reading(
                "gpu.memory.share_of_peak",
                device.target,
                rate.median / limit,
                "derived",
                sigma=rate.sigma / limit,
            )

    def loading_readings(
        self, device: devices.Device, to_gpu: list[float], from_gpu: list[float]
    ) -> Iterator[Reading]:
        """Bandwidths between host and GPU."""
        yield from _readings("host_to_device_bandwidth", device, LOADED, to_gpu)
        yield from _readings("device_to_host_bandwidth", device, LOADED, from_gpu)
        rate = spread([BITS * LOADED / second for second in to_gpu])
        yield Reading(
            "gpu.memory.loading_bandwidth", device.target, rate.median, "measured", rate.sigma
        )

    def _random(self, size: int, place: "torch.device") -> "torch.Tensor":
        import torch

        generator = torch.Generator(place).manual_seed(self.seed)
        block = torch.empty(size // WORD, dtype=torch.int64, device=place)
        return block.random_(generator=generator)

    def _timed(self, bench: Bench, copy: Callable[[int], object]) -> list[float]:
        for warm in range(self.warmup):
            copy(warm)
        return time_each(copy, self.iterations, bench.place, meanwhile=bench.stamp)


def same(sent: "torch.Tensor", came: "torch.Tensor", way: str, device: devices.Device) -> None:
    """Raise RuntimeError unless what came is bit for bit what was sent."""
    wrong = int((sent != came).sum())
    if wrong:
        raise RuntimeError(
            f"{wrong} of {sent.numel()} words that were copied {way} came out wrong on "
            f"{device.target} ({device.name}): take it out of use and look at its ECC errors "
            "(`nvidia-smi -q -d ECC`)"
        )


def _readings(
    name: str, device: devices.Device, moved: int, seconds: list[float]
) -> Iterator[Reading]:
    """Median, slowest and fastest tenth of a bandwidth, from bytes moved and times."""
    rate = spread([moved / second / 1e9 for second in seconds])
    found: dict[str, tuple[float, Any]] = {
        name: (rate.median, rate.sigma),
        f"{name}_p10": (rate.p10, None),
        f"{name}_p90": (rate.p90, None),
    }
    for signal, (value, sigma) in found.items():
        yield Reading(f"gpu.memory.{signal}", device.target, value, "measured", sigma)
