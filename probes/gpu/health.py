"""`gpu.health`: what the driver says of the state of every GPU of this machine.

Nothing runs on the GPUs and none of their memory is taken, so this is done while they work.
"""

import platform
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from probes.base import Probe, Skipped
from probes.gpu import devices, faults, kernel_log, nvml
from probes.gpu.nvml import asked
from storage.types import Reading, Signal

MEMORY_TEMPERATURE = 82
"""NVML_FI_DEV_MEMORY_TEMP."""


def _check_target(target: str) -> str:
    if target in ("auto", "cpu"):
        raise ValueError(f'target {target!r} is no GPU; expected "all", "cuda:N" or a UUID (GPU-…)')
    return target if target == "all" else devices.check_target(target)


def _count(name: str, text: str) -> Signal:
    return Signal(f"gpu.health.{name}", "1", "lower", text)


class Health(Probe):
    """Read clocks, power, temperatures, error counters and links of the GPUs, through NVML.

    Summary
        One look at each GPU, busy or not. What a GPU does not tell is absent. One that the driver
        lists and that does not answer is counted in `failing_gpus`, whose note names it, so that
        the others are told all the same; where none answers, or the one that `target` names, the
        run fails.

    What the number means
        Clocks, power, temperatures and utilisation are those of the moment: of an idle GPU they say
        little. `alarming_clock_reasons` counts what holds the clocks down and should not: hardware
        or thermal slowdown, power brake. Its note names every reason, the software power cap of
        normal work among them. Counters grow: `ecc_*` since the driver was loaded, `ecc_*_lifetime`
        in the GPU's life, those of links since they came up. A GPU whose `remapping_failed` is 1 is
        due for replacement; `remapping_pending` wants a reset. `pcie_width_share` below 1 is a link
        that came up narrow; an idle GPU lowers its generation on purpose.

        `xids` and `application_xids` count the driver's messages of faults in the kernel's log over
        the last `xid_hours`; their notes say which. Of a while, not since the start: the log is a
        ring that forgets, so that a total would fall. A count over a while longer than `every`
        misses none between two runs, is above 0 once something has happened and for that while, and
        needs no memory of the run before. `application_xids` are those that a program's own fault
        usually causes (13, 31, 43, 45, 68). Both are absent where the log may not be read: it takes
        root, or kernel.dmesg_restrict = 0.

    References
        https://docs.nvidia.com/deploy/nvml-api/ for every question;
        https://docs.nvidia.com/deploy/a100-gpu-mem-error-mgmt/ for rows and pages;
        https://docs.nvidia.com/deploy/xid-errors/ for the messages.
    """

    packages: ClassVar[tuple[str, ...]] = ("nvidia-ml-py",)
    deadline: ClassVar[float] = 60.0
    indifferent: ClassVar[frozenset[str]] = frozenset({"target"})
    signals: ClassVar[tuple[Signal, ...]] = (
        Signal("gpu.health.answering_gpus", "1", "higher", "GPUs of the host that answer"),
        _count(
            "failing_gpus", "GPUs of the host that are listed and do not answer; the note names"
        ),
        Signal("gpu.health.sm_clock", "MHz", "neither", "Clock of the multiprocessors"),
        Signal("gpu.health.memory_clock", "MHz", "neither", "Clock of the memory"),
        Signal("gpu.health.power", "W", "neither", "Power that the GPU draws"),
        Signal("gpu.health.power_limit", "W", "neither", "Power limit in force"),
        Signal("gpu.health.power_share", "1", "neither", "Power over its limit"),
        Signal("gpu.health.temperature", "°C", "lower", "Temperature of the GPU"),
        Signal("gpu.health.memory_temperature", "°C", "lower", "Temperature of its memory"),
        Signal("gpu.health.utilisation", "1", "neither", "Share of time in which something ran"),
        Signal("gpu.health.memory_used", "B", "neither", "Memory in use"),
        _count("alarming_clock_reasons", "Slowdowns and brakes in force; the note names"),
        _count("ecc_corrected", "Corrected memory errors since the driver was loaded"),
        _count("ecc_corrected_lifetime", "Corrected memory errors in the GPU's life"),
        _count("ecc_uncorrected", "Uncorrected memory errors since the driver was loaded"),
        _count("ecc_uncorrected_lifetime", "Uncorrected memory errors in the GPU's life"),
        _count("remapped_rows_correctable", "Rows replaced after correctable errors"),
        _count("remapped_rows_uncorrectable", "Rows replaced after uncorrectable errors"),
        _count("remapping_pending", "1 where rows wait for a reset to be replaced"),
        _count("remapping_failed", "1 where a row could not be replaced"),
        _count("retired_pages", "Pages retired, on GPUs before Ampere"),
        _count("page_retirement_pending", "1 where pages wait for a reset to be retired"),
        Signal("gpu.health.nvlinks_up", "1", "higher", "NVLinks that are up"),
        _count("nvlink_replays", "Replays on all NVLinks"),
        _count("nvlink_recoveries", "Recoveries of all NVLinks"),
        _count("nvlink_crc_errors", "Checksum errors on all NVLinks"),
        _count("pcie_replays", "Replays on the PCIe link"),
        Signal("gpu.health.pcie_width", "1", "higher", "Lanes of the PCIe link"),
        Signal("gpu.health.pcie_width_share", "1", "higher", "Those over what GPU and slot allow"),
        Signal("gpu.health.pcie_generation", "1", "higher", "Generation of the PCIe link"),
        Signal(
            "gpu.health.pcie_generation_share", "1", "higher", "That over what GPU and slot allow"
        ),
        _count("xids", "Messages of faults in the last xid_hours; the note has the Xids"),
        _count("application_xids", "Messages of faults that programs usually cause themselves"),
    )

    target: Annotated[str, AfterValidator(_check_target)] = Field(
        default="all", description='"all" GPUs of this machine, "cuda:N", or a GPU\'s UUID'
    )
    xid_hours: float = Field(
        default=25.0,
        gt=0,
        le=1000,
        description="for which messages of faults are counted; longer than every",
    )

    def resource(self) -> str | None:
        """It runs beside anything."""
        return None

    def run(self) -> Iterator[Reading]:
        """Look at each GPU. Raises Skipped where there is none, BrokenGpu where none answers,
        LookupError where the target is not there."""
        import pynvml

        present, failing = nvml.listed()
        if not present and not failing:
            raise Skipped("no NVIDIA GPU here")
        if self.target != "all":
            present, failing = (devices.named(self.target, present, failing),), {}
        log = self._log()
        readings: list[Reading] = []
        answering = 0
        for gpu in present:
            try:
                readings += self._of(gpu, log)
                answering += 1
            except pynvml.NVMLError as error:
                failing[gpu.index] = f"{gpu.uuid}: {error}"
        for index, why in failing.items():
            print(nvml.broken(index, why), file=sys.stderr)  # noqa: T201 kept with the run
            if not answering:
                raise nvml.broken(index, why)
        yield from readings
        if self.target == "all":
            yield from _of_host(answering, failing)

    def _log(self) -> kernel_log.Log | None:
        try:
            return kernel_log.recent(self.xid_hours * 3600)
        except OSError as error:
            self.keep(kernel_log=f"{error.filename}: {error.strerror}")
            return None

    def _of(self, gpu: nvml.Gpu, log: kernel_log.Log | None) -> Iterator[Reading]:
        """The readings of one GPU. Raises NVMLError where it stops answering."""
        health = nvml.health(gpu)
        vitals = {
            **_vitals(gpu, health),
            **faults.ecc(gpu),
            **faults.memory_repairs(gpu),
            **faults.nvlink(gpu),
            **faults.pcie(gpu),
        }
        for name, value in vitals.items():
            yield _reading(name, gpu, value)
        reasons = health["clock_reasons"]
        if reasons is not None:
            alarming = (reasons & nvml.ALARMING).bit_count()
            yield _reading(
                "alarming_clock_reasons", gpu, alarming, ", ".join(nvml.reasons_of(reasons))
            )
        if log is not None:
            yield from logged(gpu, log)


def _vitals(gpu: nvml.Gpu, health: dict[str, Any]) -> dict[str, float]:
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(gpu.index)
    rates = asked(pynvml.nvmlDeviceGetUtilizationRates, handle)
    watts, limit = health["watts"], health["power_limit_watts"]
    return faults.told(
        {
            "sm_clock": health["sm_mhz"],
            "memory_clock": health["memory_mhz"],
            "power": watts,
            "power_limit": limit,
            "power_share": watts / limit if watts is not None and limit else None,
            "temperature": health["celsius"],
            "memory_temperature": faults.field(gpu, MEMORY_TEMPERATURE),
            "utilisation": None if rates is None else rates.gpu / 100,
            "memory_used": health["used_bytes"],
        }
    )


def logged(gpu: nvml.Gpu, log: kernel_log.Log) -> Iterator[Reading]:
    """How many faults of a GPU are in the log, and which in the notes."""
    import pynvml

    place = pynvml.nvmlDeviceGetPciInfo(pynvml.nvmlDeviceGetHandleByIndex(gpu.index))
    numbers = log.of((place.domain, place.bus, place.device))
    lost = "" if log.reach is None else f"the log has lost all before {log.reach / 3600:.1f} h ago"
    for name, by_applications in (("xids", False), ("application_xids", True)):
        of_kind = [n for n in numbers if (n in kernel_log.BY_APPLICATIONS) is by_applications]
        counted = ", ".join(f"{n} ({often}×)" for n, often in sorted(Counter(of_kind).items()))
        note = "; ".join(part for part in (counted and f"Xid {counted}", lost) if part)
        yield _reading(name, gpu, len(of_kind), note)


def _of_host(answering: int, failing: dict[int, str]) -> Iterator[Reading]:
    target = f"host:{platform.node()}"
    which = "; ".join(f"GPU {index}: {error}" for index, error in failing.items())
    yield Reading("gpu.health.answering_gpus", target, answering, "measured")
    yield Reading("gpu.health.failing_gpus", target, len(failing), "measured", note=which)


def _reading(name: str, gpu: nvml.Gpu, value: float, note: str = "") -> Reading:
    return Reading(f"gpu.health.{name}", gpu.uuid, value, "measured", note=note, family=gpu.name)
