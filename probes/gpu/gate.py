"""The gate in front of a GPU: whether a canary may go there now, and that it leaves in time.

A canary that shares a GPU measures its neighbour, and slows that down. So it begins on one that is
free alone, holds a part of the memory, and goes as soon as anyone else comes. All of it is asked
of the driver (NVML); torch comes after the gate.

What a GPU is used by shows in four ways, and each has a gap that another closes: processes that
compute (not told by every driver), memory that nobody shown holds (of processes that are hidden,
see `neighbours`), utilisation (of anything that works just now), and the modes of a GPU that is
kept for others.
"""

import contextlib
import faulthandler
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

from probes.base import LEFT, Skipped
from probes.gpu import nvml
from probes.gpu.neighbours import Neighbours, described, ids_are_the_hosts
from probes.gpu.nvml import answering, asked

if TYPE_CHECKING:
    import torch

IDLE_PERCENT = 5
SAMPLES = 5
SAMPLE_GAP = 0.5
"""Seconds between two looks at utilisation. The driver tells its mean over the last 1/6 s to 1 s
(nvmlUtilization_t), so our own last run is in one or two of the samples, never in most."""
HIDDEN_BYTES = 1 << 30
"""Memory in use that no process shown holds, beyond which somebody hidden is there."""
LOOK_EVERY = 0.5
"""Seconds between two looks at who else is there."""
GRACE = 5.0
"""Seconds in which a canary that is to leave must have left by itself."""
CONTEXT_BYTES = 1 << 30
"""Of a canary's memory, what CUDA and its libraries take for themselves, about."""


class Overrun(RuntimeError):
    """A canary held a GPU for longer than its `max_seconds`."""


def busy(gpu: nvml.Gpu, memory: int) -> str | None:
    """Why a canary must not use this GPU now; None where it is free with `memory` bytes to spare.

    Takes a second or two on a GPU that looks free. Raises BrokenGpu where the driver cannot tell.
    """
    import pynvml

    with answering(gpu.index):
        handle = pynvml.nvmlDeviceGetHandleByIndex(gpu.index)
        computing = nvml.compute_processes(gpu)
        return (
            _reserved(handle)
            or (f"used by {described(computing)}" if computing else None)
            or _short_of_memory(gpu, memory)
            or _hidden(gpu, 0)
            or _utilised(gpu, handle)
        )


@contextlib.contextmanager
def watched(
    gpus: Sequence[nvml.Gpu], memory: int, max_seconds: float, ranks: int = 1
) -> Iterator[None]:
    """Be on GPUs for the time of a block, which is cut off once anyone else comes, or time is up.

    Enter it in the main thread, before anything of ours is on the GPUs; `memory` is what ours may
    hold of each, and `ranks` how many processes that are, this one or such as come from it. Without
    a GPU it does nothing. Raises Skipped, Overrun, BrokenGpu. A main thread that does not return
    from a library, or does not listen, ends the process: with status LEFT where it had to make
    room.
    """
    if not gpus:
        yield
        return
    watch = _Watch(gpus, memory, max_seconds, ranks)
    taken = watch.shared(0)  # importing torch took seconds
    if taken is not None:
        raise taken
    with watch.interrupting():
        yield
    watch.end()


def confine(place: "torch.device", max_memory: int) -> None:
    """Have torch take no more of a GPU than a canary may hold, less what CUDA takes for itself."""
    import torch

    if place.type == "cuda":
        _, total = torch.cuda.mem_get_info(place)
        torch.cuda.set_per_process_memory_fraction(share(max_memory, total), place)


def share(max_memory: int, total: int) -> float:
    """The part of a GPU's `total` bytes that torch may take in a canary that may hold
    `max_memory`."""
    return min(room(max_memory) / total, 1.0)


def room(max_memory: int) -> int:
    """Bytes for tensors in a canary that may hold `max_memory`."""
    return max_memory - CONTEXT_BYTES


class _Watch:
    """A thread that looks at GPUs, and interrupts the main thread."""

    def __init__(
        self, gpus: Sequence[nvml.Gpu], memory: int, max_seconds: float, ranks: int
    ) -> None:
        self._gpus = gpus
        self._memory = memory
        self._until = time.monotonic() + max_seconds
        self._max_seconds = max_seconds
        self._ranks = ranks
        self._neighbours = Neighbours(gpus)
        self._reason: Exception | None = None
        self._over = threading.Event()

    @contextlib.contextmanager
    def interrupting(self) -> Iterator[None]:
        """The block in which the thread looks and SIGUSR1 ends what runs."""
        before = signal.signal(signal.SIGUSR1, self._interrupt)
        # The thread needs the interpreter, which a library may hold for ever; this does not.
        faulthandler.dump_traceback_later(self._max_seconds + 2 * GRACE, exit=True, file=2)
        thread = threading.Thread(target=self._look, name="gate", daemon=True)
        thread.start()
        try:
            yield
        except Exception as error:
            if self._reason is not None and error is not self._reason:
                raise self._reason from error  # a library made it an error of its own
            raise
        finally:
            self._over.set()
            faulthandler.cancel_dump_traceback_later()
            thread.join(GRACE)  # it may wait for a driver that no longer answers
            signal.signal(signal.SIGUSR1, before)

    def end(self) -> None:
        """Raise why the block had to end, where a library has swallowed that, or who is there at
        its end."""
        if reason := self._reason or self.shared(self._memory):
            raise reason

    def shared(self, ours: int) -> Exception | None:
        """Who else is on the GPUs, of each of which we may hold `ours` bytes, as the reason to
        leave them."""
        try:
            told = [*self._shown(), *self._hidden(ours)]
        except Exception as error:  # noqa: BLE001 whatever went wrong, the GPUs are left
            return error
        return Skipped(f"busy: {'; '.join(told)}") if told else None

    def _shown(self) -> Iterator[str]:
        by = "by" if ids_are_the_hosts() else "by one of"
        for gpu, there in self._neighbours.now(self._ranks).items():
            yield f"{gpu.uuid} was shared during the measurement, {by} {described(there)}"

    def _hidden(self, ours: int) -> Iterator[str]:
        if ids_are_the_hosts():
            return  # who is there is shown
        for gpu in self._gpus:
            with answering(gpu.index):
                reason = _hidden(gpu, ours)
            if reason:
                yield f"{gpu.uuid} was shared during the measurement: it {reason}"

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self._reason is not None and not self._over.is_set():
            raise self._reason

    def _look(self) -> None:
        while self._reason is None and not self._over.wait(LOOK_EVERY):
            self._reason = self._late() or self.shared(self._memory)
        if self._reason is None or self._over.is_set():
            return
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        if not self._over.wait(GRACE):
            self._throw_out()

    def _throw_out(self) -> None:
        """The main thread is deep in a library, or one has swallowed the interrupt: the GPU is left
        all the same."""
        # past Python's own stderr, whose lock the main thread may hold
        os.write(2, f"\n{self._reason}\n".encode())
        os._exit(LEFT if isinstance(self._reason, Skipped) else os.EX_SOFTWARE)

    def _late(self) -> Exception | None:
        if time.monotonic() < self._until:
            return None
        names = ", ".join(gpu.uuid for gpu in self._gpus)
        return Overrun(
            f"it held {names} for {self._max_seconds:g} s, its max_seconds: give it less to do, or "
            "more time"
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


def _short_of_memory(gpu: nvml.Gpu, needed: int) -> str | None:
    memory = nvml.memory(gpu)
    if memory is None or memory.free >= needed:
        return None
    return (
        f"has {memory.free >> 20} MiB free of {memory.total >> 20} MiB, "
        f"{needed >> 20} MiB are needed"
    )


def _hidden(gpu: nvml.Gpu, ours: int) -> str | None:
    """Memory of processes that the driver does not show us, beyond the `ours` that we may hold."""
    memory = nvml.memory(gpu)
    if memory is None or nvml.is_host_memory(gpu):
        return None
    drawing = sum(used or 0 for used in nvml.graphics_processes(gpu).values())
    hidden = memory.used - drawing - ours
    if hidden <= HIDDEN_BYTES:
        return None
    return f"has {hidden >> 20} MiB in use by processes that the driver does not show"


def _utilised(gpu: nvml.Gpu, handle: Any) -> str | None:
    """Work of any kind, in the median of several looks: as soon as most of them agree."""
    import pynvml

    idle, working = 0, list[int]()
    while max(idle, len(working)) <= SAMPLES // 2:
        if idle or working:
            time.sleep(SAMPLE_GAP)
        rates = asked(pynvml.nvmlDeviceGetUtilizationRates, handle)
        if rates is None:
            return None
        if rates.gpu > IDLE_PERCENT:
            working.append(rates.gpu)
        else:
            idle += 1
    if idle > len(working):
        return None
    drawing = nvml.graphics_processes(gpu)
    who = f", and draws for {described(drawing)}" if drawing else ""
    return f"is {min(working)} % utilised{who}"
