"""What the NVIDIA driver says of its GPUs, asked before torch is imported (NVML, nvidia-ml-py).

Calls and constants: https://docs.nvidia.com/deploy/nvml-api/ . Functions take the index that
nvidia-smi prints.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

IDLE_PERCENT = 5
SAMPLES = 5
SAMPLE_GAP = 0.2  # seconds; the driver averages utilisation over 1/6 s to 1 s

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


def busy(gpu: Gpu, memory: int) -> str | None:
    """Why a canary must not use this GPU now; None where it is free with `memory` bytes to spare.

    A canary that shares a GPU measures its neighbour, and slows that down. Takes about a second
    on a GPU that looks free. Raises BrokenGpu where the driver cannot tell.
    """
    import pynvml

    with _answering(gpu.index):
        handle = pynvml.nvmlDeviceGetHandleByIndex(gpu.index)
        return (
            _reserved(handle)
            or _used_by(compute_processes(gpu))
            or _short_of_memory(handle, memory)
            or _utilised(handle)
        )


def compute_processes(gpu: Gpu) -> dict[int, int | None]:
    """Memory in bytes by process id (the host's ids, even inside a container)."""
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(gpu.index)
    found = _asked(pynvml.nvmlDeviceGetComputeRunningProcesses, handle) or []
    return {process.pid: process.usedGpuMemory for process in found}


def health(gpu: Gpu) -> dict[str, Any]:
    """Clocks (MHz), temperature (°C), power and its limit (W), clock event reasons, error counts.

    None stands for what this GPU or driver does not tell.
    """
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(gpu.index)
    power = _asked(pynvml.nvmlDeviceGetPowerUsage, handle)
    limit = _asked(pynvml.nvmlDeviceGetEnforcedPowerLimit, handle)
    return {
        "sm_mhz": _asked(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_SM),
        "memory_mhz": _asked(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_MEM),
        "celsius": _asked(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU),
        "watts": None if power is None else power / 1000,
        "power_limit_watts": None if limit is None else limit / 1000,
        "clock_reasons": _asked(pynvml.nvmlDeviceGetCurrentClocksEventReasons, handle),
        "uncorrected_ecc_errors": _asked(
            pynvml.nvmlDeviceGetTotalEccErrors,
            handle,
            pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
            pynvml.NVML_VOLATILE_ECC,
        ),
        "remapped_rows": _asked(pynvml.nvmlDeviceGetRemappedRows, handle),
    }


def driver() -> dict[str, Any]:
    """Version of the driver, and of the newest CUDA that it supports (12060 is 12.6)."""
    import pynvml

    return {
        "driver": _asked(pynvml.nvmlSystemGetDriverVersion),
        "driver_cuda": _asked(pynvml.nvmlSystemGetCudaDriverVersion),
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

    with _answering(index):
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        return Gpu(index, pynvml.nvmlDeviceGetUUID(handle), pynvml.nvmlDeviceGetName(handle))


@contextmanager
def _answering(index: int) -> Iterator[None]:
    """Turn the driver's error about a GPU into one that names the GPU."""
    import pynvml

    try:
        yield
    except pynvml.NVMLError as error:
        raise BrokenGpu(
            f"GPU {index} does not answer the NVIDIA driver: {error}; see `nvidia-smi -q -i "
            f'{index}` and `dmesg`, or set target = "cpu" to measure without GPUs'
        ) from error


def _asked(question: Callable[..., Any], *arguments: Any) -> Any:
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


def _reserved(handle: Any) -> str | None:
    import pynvml

    mig = _asked(pynvml.nvmlDeviceGetMigMode, handle)
    if mig and mig[0]:
        return "is divided by MIG, and a slice does not compare with a GPU"
    mode = _asked(pynvml.nvmlDeviceGetComputeMode, handle)
    if mode == pynvml.NVML_COMPUTEMODE_PROHIBITED:
        return "is in compute mode prohibited"
    if mode == pynvml.NVML_COMPUTEMODE_EXCLUSIVE_PROCESS:
        # Our context would make the job that this GPU is kept for fail at its start.
        return "is in compute mode exclusive process"
    return None


def _used_by(processes: dict[int, int | None]) -> str | None:
    if not processes:
        return None
    users = ", ".join(
        f"pid {pid}" + ("" if used is None else f" ({used >> 20} MiB)")
        for pid, used in processes.items()
    )
    return f"used by {users}"


def _short_of_memory(handle: Any, needed: int) -> str | None:
    import pynvml

    memory = _asked(pynvml.nvmlDeviceGetMemoryInfo, handle)
    if memory is None or memory.free >= needed:
        return None
    return (
        f"has {memory.free >> 20} MiB free of {memory.total >> 20} MiB, "
        f"{needed >> 20} MiB are needed"
    )


def _utilised(handle: Any) -> str | None:
    """Work that shows no process (another container's). The median forgives our own last run."""
    import pynvml

    percents: list[int] = []
    for sample in range(SAMPLES):
        time.sleep(SAMPLE_GAP if sample else 0)
        rates = _asked(pynvml.nvmlDeviceGetUtilizationRates, handle)
        if rates is None:
            return None
        percents.append(rates.gpu)
    middle = statistics.median(percents)
    return f"is {middle} % utilised" if middle > IDLE_PERCENT else None
