"""What the NVIDIA driver says of its GPUs, asked before torch is imported (NVML, nvidia-ml-py).

Calls and constants: https://docs.nvidia.com/deploy/nvml-api/ . Functions take the index that
nvidia-smi prints.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

CLOCK_REASONS = {
    0x1: "idle",
    0x2: "application clocks",
    0x4: "software power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
    0x100: "display clocks",
}
"""nvmlClocksEventReason* bits. A power cap is normal under matrix multiplication."""
ALARMING = 0x8 | 0x20 | 0x40 | 0x80


class BrokenGpu(RuntimeError):
    """A GPU is there and the driver cannot speak for it: nothing to fall back from silently."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU of this machine as the driver lists it."""

    index: int
    uuid: str
    name: str


def gpus() -> tuple[Gpu, ...]:
    """All GPUs of this machine; none where there is no NVIDIA driver or no device.

    Raises BrokenGpu where there is a driver and it fails (versions that do not match, a lost GPU).
    """
    import pynvml

    try:
        pynvml.nvmlInit()  # for good: the process ends with its run
    except (
        pynvml.NVMLError_LibraryNotFound,
        pynvml.NVMLError_DriverNotLoaded,
        pynvml.NVMLError_GpuNotFound,
    ):
        return ()
    except pynvml.NVMLError as error:
        raise BrokenGpu(
            f"the NVIDIA driver does not start: {error}; see `nvidia-smi`, or set "
            'target = "cpu" to measure without it'
        ) from error
    return tuple(_gpu(index) for index in range(pynvml.nvmlDeviceGetCount()))


def compute_processes(gpu: Gpu) -> dict[int, int | None]:
    """Memory in bytes by process id (the host's ids, even inside a container)."""
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(gpu.index)
    found = asked(pynvml.nvmlDeviceGetComputeRunningProcesses, handle) or []
    return {process.pid: process.usedGpuMemory for process in found}


def health(gpu: Gpu) -> dict[str, Any]:
    """Clocks (MHz), temperature (°C), power and its limit (W), clock event reasons, error counts.

    None stands for what this GPU or driver does not tell.
    """
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(gpu.index)
    power = asked(pynvml.nvmlDeviceGetPowerUsage, handle)
    return {
        "sm_mhz": asked(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_SM),
        "memory_mhz": asked(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_MEM),
        "celsius": asked(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU),
        "watts": None if power is None else power / 1000,
        "power_limit_watts": power_limit(gpu),
        "clock_reasons": asked(pynvml.nvmlDeviceGetCurrentClocksEventReasons, handle),
        "uncorrected_ecc_errors": asked(
            pynvml.nvmlDeviceGetTotalEccErrors,
            handle,
            pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
            pynvml.NVML_VOLATILE_ECC,
        ),
        "remapped_rows": asked(pynvml.nvmlDeviceGetRemappedRows, handle),
    }


def power_limit(gpu: Gpu) -> float | None:
    """The power limit in force, in W; None where the GPU does not tell."""
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(gpu.index)
    limit = asked(pynvml.nvmlDeviceGetEnforcedPowerLimit, handle)
    return None if limit is None else limit / 1000


def driver() -> dict[str, Any]:
    """Version of the driver, and of the newest CUDA that it supports (12060 is 12.6)."""
    import pynvml

    return {
        "driver": asked(pynvml.nvmlSystemGetDriverVersion),
        "driver_cuda": asked(pynvml.nvmlSystemGetCudaDriverVersion),
    }


def held_down(stamps: list[dict[str, Any]]) -> str:
    """The alarming clock event reasons among stamps of `health`, as a reading's note; or ""."""
    bits = 0
    for stamp in stamps:
        bits |= (stamp["clock_reasons"] or 0) & ALARMING
    names = [name for bit, name in CLOCK_REASONS.items() if bits & bit]
    return f"clocks held down: {', '.join(names)}" if names else ""


def _gpu(index: int) -> Gpu:
    import pynvml

    with answering(index):
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        return Gpu(index, pynvml.nvmlDeviceGetUUID(handle), pynvml.nvmlDeviceGetName(handle))


@contextmanager
def answering(index: int) -> Iterator[None]:
    """Turn the driver's error about a GPU into one that names the GPU."""
    import pynvml

    try:
        yield
    except pynvml.NVMLError as error:
        raise BrokenGpu(
            f"GPU {index} does not answer the NVIDIA driver: {error}; see `nvidia-smi -q -i "
            f'{index}` and `dmesg`, or set target = "cpu" to measure without GPUs'
        ) from error


def asked(question: Callable[..., Any], *arguments: Any) -> Any:
    """The answer, or None where this GPU, driver or user has none to that question."""
    import pynvml

    try:
        return question(*arguments)
    except (
        pynvml.NVMLError_NotSupported,
        pynvml.NVMLError_FunctionNotFound,
        pynvml.NVMLError_NoPermission,
    ):
        return None
