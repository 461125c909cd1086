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

    Raises BrokenGpu where there is a driver and it fails (versions that do not match), or one of
    its GPUs does (it is lost).
    """
    present, failing = listed()
    for index, error in failing.items():
        raise broken(index, error)
    return present


def listed() -> tuple[tuple[Gpu, ...], dict[int, str]]:
    """The GPUs of this machine that answer, and by index what the driver says of those that do not.

    Raises BrokenGpu where there is a driver and it fails.
    """
    import pynvml

    try:
        pynvml.nvmlInit()  # for good: the process ends with its run
    except (
        pynvml.NVMLError_LibraryNotFound,
        pynvml.NVMLError_DriverNotLoaded,
        pynvml.NVMLError_GpuNotFound,
    ):
        return (), {}
    except pynvml.NVMLError as error:
        raise BrokenGpu(
            f"the NVIDIA driver does not start: {error}; see `nvidia-smi`, or set "
            'target = "cpu" to measure without it'
        ) from error
    present, failing = [], {}
    for index in range(pynvml.nvmlDeviceGetCount()):
        try:
            present.append(_gpu(index))
        except pynvml.NVMLError as error:
            failing[index] = str(error)
    return tuple(present), failing


def compute_processes(gpu: Gpu) -> dict[int, int | None] | None:
    """Memory in bytes by process id of all that compute there, by MPS too. The ids are the host's,
    even inside a container. None where the driver does not tell."""
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(gpu.index)
    computing = _processes("Compute", handle)
    if computing is None:
        return None
    return {**computing, **(_processes("MPSCompute", handle) or {})}


def graphics_processes(gpu: Gpu) -> dict[int, int | None]:
    """The same of those that draw there; none where the driver does not tell."""
    import pynvml

    return _processes("Graphics", pynvml.nvmlDeviceGetHandleByIndex(gpu.index)) or {}


def _processes(kind: str, handle: Any) -> dict[int, int | None] | None:
    import pynvml

    for version in ("v3", "v2"):  # drivers before 510 have the second alone
        question = getattr(pynvml, f"nvmlDeviceGet{kind}RunningProcesses_{version}")
        found = asked(question, handle)
        if found is not None:
            return {process.pid: process.usedGpuMemory for process in found}
    return None


def memory(gpu: Gpu) -> Any:
    """Memory in bytes: `total`, `free`, `used`; what the driver keeps for itself is not in `used`,
    except where an old driver (before 510) does not tell it apart. None where it is not told."""
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(gpu.index)
    told = asked(pynvml.nvmlDeviceGetMemoryInfo, handle, pynvml.nvmlMemory_v2)
    return told or asked(pynvml.nvmlDeviceGetMemoryInfo, handle)


def is_host_memory(gpu: Gpu) -> bool:
    """Whether the host's kernel may keep pages of its own in this GPU's memory: that of Grace's
    GPUs is a part of the host's (address translation services, ATS)."""
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(gpu.index)
    mode = asked(pynvml.nvmlDeviceGetAddressingMode, handle)
    return bool(mode == pynvml.NVML_DEVICE_ADDRESSING_MODE_ATS)


def health(gpu: Gpu) -> dict[str, Any]:
    """Clocks (MHz), temperature (°C), power and its limit (W), clock event reasons, error counts,
    memory in use, how many processes compute there.

    None stands for what this GPU or driver does not tell.
    """
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(gpu.index)
    power = asked(pynvml.nvmlDeviceGetPowerUsage, handle)
    processes = compute_processes(gpu)
    held = memory(gpu)
    return {
        "sm_mhz": asked(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_SM),
        "memory_mhz": asked(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_MEM),
        "celsius": asked(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU),
        "watts": None if power is None else power / 1000,
        "power_limit_watts": power_limit(gpu),
        "clock_reasons": clock_reasons(gpu),
        "uncorrected_ecc_errors": asked(
            pynvml.nvmlDeviceGetTotalEccErrors,
            handle,
            pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
            pynvml.NVML_VOLATILE_ECC,
        ),
        "remapped_rows": asked(pynvml.nvmlDeviceGetRemappedRows, handle),
        "used_bytes": None if held is None else held.used,
        "processes": None if processes is None else len(processes),
    }


def clock_reasons(gpu: Gpu) -> int | None:
    """What holds the clocks down now, as bits of CLOCK_REASONS; None where it is not told."""
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(gpu.index)
    told: int | None = asked(pynvml.nvmlDeviceGetCurrentClocksEventReasons, handle)
    if told is None:  # its name before driver 535
        told = asked(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons, handle)
    return told


def reasons_of(bits: int) -> list[str]:
    """The names of clock event reasons."""
    return [name for bit, name in CLOCK_REASONS.items() if bits & bit]


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
    return f"clocks held down: {', '.join(reasons_of(bits))}" if bits else ""


def _gpu(index: int) -> Gpu:
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    return Gpu(index, pynvml.nvmlDeviceGetUUID(handle), pynvml.nvmlDeviceGetName(handle))


def broken(index: int, error: object) -> BrokenGpu:
    """The driver's error about a GPU as one that names the GPU and says where to look."""
    return BrokenGpu(
        f"GPU {index} does not answer the NVIDIA driver: {error}; see `nvidia-smi -q -i {index}` "
        "and `dmesg`, or set another target"
    )


@contextmanager
def answering(index: int) -> Iterator[None]:
    """Turn the driver's error about a GPU into one that names the GPU."""
    import pynvml

    try:
        yield
    except pynvml.NVMLError as error:
        raise broken(index, error) from error


def asked(question: Callable[..., Any], *arguments: Any) -> Any:
    """The answer, or None where this GPU, driver or user has none to that question."""
    import pynvml

    try:
        return question(*arguments)
    except (
        pynvml.NVMLError_NotSupported,
        pynvml.NVMLError_FunctionNotFound,
        pynvml.NVMLError_NoPermission,
        pynvml.NVMLError_ArgumentVersionMismatch,  # a structure that this driver does not know
        pynvml.NVMLError_InvalidArgument,  # a counter or a link that it does not know
    ):
        return None
