"""From a probe's `target` to one device that is free, and from that to torch's device."""

import os
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from probes.base import NotInstalled, Skipped
from probes.gpu import gate, nvml

if TYPE_CHECKING:
    import torch

UUID = re.compile(r"GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Device:
    """What a run measures on. `target` names it for ever: the GPU's UUID, or "cpu:" and the host.

    `name` is what the driver, or the processor, calls itself. `gpu` is None for a CPU.
    """

    target: str
    name: str
    gpu: nvml.Gpu | None = None

    @property
    def kind(self) -> str:
        """As torch says it: "cuda" or "cpu"."""
        return "cpu" if self.gpu is None else "cuda"


def check_target(target: str) -> str:
    """The target as given. Raises ValueError where it can name no device."""
    if target in ("auto", "cpu") or re.fullmatch(r"cuda:\d+", target) or UUID.fullmatch(target):
        return target
    raise ValueError(
        f'target {target!r} names no device; expected "auto", "cpu", "cuda:N" with the index that '
        "`nvidia-smi -L` prints, or the UUID of a whole GPU that it prints (GPU-…)"
    )


Target = Annotated[
    str,
    AfterValidator(check_target),
    Field(
        description='"auto" (the first free GPU, else the CPU), "cpu", "cuda:N" with the index '
        "that nvidia-smi prints, or a GPU's UUID"
    ),
]


def resolve(target: str, memory: int) -> Device:
    """The device of a target, free, with `memory` bytes to spare if it is a GPU.

    Raises Skipped where every GPU that would do is busy, LookupError where the target is not
    there, nvml.BrokenGpu where the driver fails. Never falls back from a GPU to the CPU.
    """
    if target == "cpu":
        return cpu()
    candidates = _candidates(target)
    if not candidates:
        return cpu()
    reasons = []
    for gpu in candidates:
        reason = gate.busy(gpu, memory)
        if reason is None:
            return Device(target=gpu.uuid, name=gpu.name, gpu=gpu)
        reasons.append(f"{gpu.uuid} {reason}")
    raise Skipped(f"busy: {'; '.join(reasons)}")


def _candidates(target: str) -> tuple[nvml.Gpu, ...]:
    """The GPUs that would do: all of them for "auto", which may be none, else the one named, which
    needs no other to be well. Raises as `resolve` does."""
    present, failing = nvml.listed()
    if target != "auto":
        return (named(target, allowed(present), failing),)
    for index, error in failing.items():
        raise nvml.broken(index, error)
    return allowed(present)


def cpu() -> Device:
    """This machine's processor."""
    return Device(target=f"cpu:{platform.node()}", name=processor())


def named(target: str, present: tuple[nvml.Gpu, ...], failing: Mapping[int, str]) -> nvml.Gpu:
    """The GPU of an explicit target. Raises BrokenGpu where it may be one of those that fail (by
    index, with the driver's error), else LookupError that lists what there is."""
    for gpu in present:
        if target in (gpu.uuid, f"cuda:{gpu.index}"):
            return gpu
    for index, error in failing.items():
        if target == f"cuda:{index}" or UUID.fullmatch(target):  # its UUID is not told any more
            raise nvml.broken(index, error)
    there = ", ".join(f"cuda:{gpu.index} = {gpu.uuid} ({gpu.name})" for gpu in present)
    limit = os.environ.get("CUDA_VISIBLE_DEVICES")
    hint = "" if limit is None else f" (CUDA_VISIBLE_DEVICES={limit!r} hides any other)"
    raise LookupError(
        f"target {target} is not on {platform.node()}, which has {there or 'no NVIDIA GPU'}{hint}; "
        "set target to one that is there"
    )


def allowed(present: tuple[nvml.Gpu, ...]) -> tuple[nvml.Gpu, ...]:
    """Those GPUs that CUDA_VISIBLE_DEVICES leaves to us (indices as nvidia-smi counts, or UUIDs).

    NVML does not heed that variable; whoever set it for the service meant it. Raises Skipped
    where it names a MIG slice.
    """
    setting = os.environ.get("CUDA_VISIBLE_DEVICES")
    if setting is None:
        return present
    if "MIG-" in setting:
        raise Skipped(
            f"busy: CUDA_VISIBLE_DEVICES={setting!r} leaves us a MIG slice, and a slice does not "
            'compare with a GPU; set target = "cpu"'
        )
    entries = [entry.strip() for entry in setting.split(",")]
    return tuple(
        gpu
        for gpu in present
        if any(
            entry == str(gpu.index) or (entry.startswith("GPU-") and gpu.uuid.startswith(entry))
            for entry in entries
        )
    )


def open_torch(device: Device) -> "torch.device":
    """Import torch so that it sees this device only; call it before anything imports torch.

    Raises RuntimeError where torch was imported already or was built without CUDA.
    """
    if "torch" in sys.modules:
        raise RuntimeError("torch was imported before its device was chosen; import it later")
    os.environ["CUDA_VISIBLE_DEVICES"] = "" if device.gpu is None else device.gpu.uuid
    import torch

    if device.gpu is None:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        fault = NotInstalled if torch.version.cuda is None else RuntimeError
        raise fault(
            f"torch {torch.__version__} cannot use {device.name} ({device.gpu.uuid}): install a "
            'torch built with CUDA for this driver, or set target = "cpu"'
        )
    return torch.device("cuda:0")


def resolve_dtype(setting: str, device: "torch.device") -> str:
    """The dtype that "auto" stands for: bfloat16 where tensor cores have it, else float32."""
    import torch

    if setting != "auto":
        return setting
    has_bfloat16 = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
    return "bfloat16" if has_bfloat16 else "float32"


def health(device: Device) -> dict[str, Any] | None:
    """What `nvml.health` says of a GPU now; None for a CPU."""
    return None if device.gpu is None else nvml.health(device.gpu)


def facts(device: Device, stamps: list[dict[str, Any] | None]) -> dict[str, Any]:
    """What a later reader needs to know of the device: name, libraries, stamps of its health."""
    health = {} if device.gpu is None else {"health": stamps}
    return {**asdict(device), "kind": device.kind, **surroundings(device), **health}


def surroundings(device: Device) -> dict[str, Any]:
    """What a device's numbers depend on beside what is measured: what it is, its power limit in W,
    versions of driver and libraries."""
    import torch

    common = {"device": device.name, "torch": str(torch.__version__)}
    if device.gpu is None:
        return {**common, "threads": torch.get_num_threads()}
    return {
        **common,
        **nvml.driver(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        "power_limit_watts": nvml.power_limit(device.gpu),
    }


def note(stamps: list[dict[str, Any] | None]) -> str:
    """A reading's note: what held the clocks down, if anything did, and whether others on the GPU
    would have been seen."""
    told = [stamp for stamp in stamps if stamp is not None]
    unseen = any(stamp["processes"] is None for stamp in told)
    said = (nvml.held_down(told), "the driver does not show who uses this GPU" if unseen else "")
    return "; ".join(part for part in said if part)


def processor() -> str:
    """The processor's model name, as Linux tells it."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
