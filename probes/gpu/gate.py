"""The gate in front of a GPU: whether a canary may go there now, and that it leaves in time.

A canary that shares a GPU measures its neighbour, and slows that down. So it begins on one that is
free alone, holds a part of the memory, and goes as soon as anyone else comes. All of it is asked
of the driver (NVML); torch comes after the gate.
"""

import contextlib
import os
import signal
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

from probes.base import Skipped
from probes.gpu import nvml
from probes.gpu.nvml import answering, asked

if TYPE_CHECKING:
    import torch

IDLE_PERCENT = 5
SAMPLES = 5
SAMPLE_GAP = 0.2  # seconds; the driver averages utilisation over 1/6 s to 1 s
LOOK_EVERY = 0.5
"""Seconds between two looks at who else is there."""
GRACE = 5.0
"""Seconds in which a canary that is to leave must have left by itself."""
CONTEXT_BYTES = 1 << 30
"""Of a canary's memory, what CUDA and its libraries take for themselves, about."""
LEFT = 75
"""Exit status of a canary that had to be thrown out: EX_TEMPFAIL of sysexits.h."""


def busy(gpu: nvml.Gpu, memory: int) -> str | None:
    """Why a canary must not use this GPU now; None where it is free with `memory` bytes to spare.

    Takes about a second on a GPU that looks free. Raises BrokenGpu where the driver cannot tell.
    """
    import pynvml

    with answering(gpu.index):
        handle = pynvml.nvmlDeviceGetHandleByIndex(gpu.index)
        return (
            _reserved(handle)
            or _used_by(nvml.compute_processes(gpu))
            or _short_of_memory(handle, memory)
            or _utilised(handle)
        )


class Overrun(RuntimeError):
    """A canary held a GPU for longer than its `max_seconds`."""


@contextlib.contextmanager
def watched(gpu: nvml.Gpu | None, max_seconds: float, ranks: int = 1) -> Iterator[None]:
    """Be on a GPU for the time of a block, which is cut off once anyone else comes, or time is up.

    `ranks` is how many of our own processes use it. Raises Skipped, Overrun. Call it in the main
    thread; on a CPU (None) it does nothing.
    """
    if gpu is None:
        yield
        return
    watch = _Watch(gpu, time.monotonic() + max_seconds, max_seconds, ranks)
    with watch.interrupting():
        yield
    watch.end()


def confine(place: "torch.device", max_memory: int) -> None:
    """Have torch take no more of a GPU than a canary may hold, less what CUDA takes for itself."""
    import torch

    if place.type == "cuda":
        _, total = torch.cuda.mem_get_info(place)
        torch.cuda.set_per_process_memory_fraction(room(max_memory) / total, place)


def room(max_memory: int) -> int:
    """Bytes for tensors in a canary that may hold `max_memory`."""
    return max_memory - CONTEXT_BYTES


class _Watch:
    """A thread that looks at a GPU, and interrupts the main thread."""

    def __init__(self, gpu: nvml.Gpu, until: float, max_seconds: float, ranks: int) -> None:
        self._gpu = gpu
        self._until = until
        self._max_seconds = max_seconds
        self._ranks = ranks
        self._reason: Exception | None = None
        self._over = threading.Event()

    @contextlib.contextmanager
    def interrupting(self) -> Iterator[None]:
        before = signal.signal(signal.SIGUSR1, self._interrupt)
        thread = threading.Thread(target=self._look, name="gate", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()
            signal.signal(signal.SIGUSR1, before)

    def end(self) -> None:
        """Raise why the block had to end, where a library has swallowed that, or who is there at
        its end."""
        if reason := self._reason or self._shared():
            raise reason

    def _interrupt(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 signal's
        if self._reason is not None:
            raise self._reason

    def _look(self) -> None:
        while self._reason is None and not self._over.wait(LOOK_EVERY):
            self._reason = self._late() or self._shared()
        if self._reason is None:
            return
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        if not self._over.wait(GRACE):
            # The main thread is deep in a library: the GPU is left all the same.
            print(self._reason, file=sys.stderr, flush=True)  # noqa: T201 kept with the run
            os._exit(LEFT)

    def _late(self) -> Exception | None:
        if time.monotonic() < self._until:
            return None
        return Overrun(
            f"it held {self._gpu.uuid} for {self._max_seconds:g} s, its max_seconds: give it less "
            "to do, or more time"
        )

    def _shared(self) -> Exception | None:
        try:
            processes = nvml.compute_processes(self._gpu)
        except Exception as error:  # noqa: BLE001 whatever the driver says, the GPU is left
            return nvml.BrokenGpu(f"{self._gpu.uuid} was lost during the measurement: {error}")
        if len(processes) <= self._ranks:  # ours, under the host's process ids
            return None
        pids = ", ".join(map(str, sorted(processes)))
        return Skipped(
            f"busy: {self._gpu.uuid} was shared during the measurement, by one of pid {pids}"
        )


def _reserved(handle: Any) -> str | None:
    import pynvml

    mig = asked(pynvml.nvmlDeviceGetMigMode, handle)
    if mig and mig[0]:
        return "is divided by MIG, and a slice does not compare with a GPU"
    mode = asked(pynvml.nvmlDeviceGetComputeMode, handle)
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

    memory = asked(pynvml.nvmlDeviceGetMemoryInfo, handle)
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
        rates = asked(pynvml.nvmlDeviceGetUtilizationRates, handle)
        if rates is None:
            return None
        percents.append(rates.gpu)
    middle = statistics.median(percents)
    return f"is {middle} % utilised" if middle > IDLE_PERCENT else None
