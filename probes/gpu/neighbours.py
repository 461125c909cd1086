"""Who else uses a GPU, as the driver tells it (NVML), and how to name them.

The driver tells processes by the host's ids. A process in a container has other ids, and cannot
find itself in that list (https://github.com/NVIDIA/nvidia-docker/issues/1483): there it can only
count. Newer drivers tell the container's ids there, and leave out who is outside
(https://github.com/NVIDIA/open-gpu-kernel-modules/pull/614): of those only their memory shows.
"""

import os
import pwd
from collections.abc import Sequence
from pathlib import Path

from probes.gpu import nvml

HOST_NAMESPACE = 0xEFFFFFFC
"""Inode of the first namespace of process ids: PROC_PID_INIT_INO of Linux, proc_ns.h."""

Processes = dict[int, int | None]
"""Bytes of GPU memory by the host's process id; None where they are not told."""


class Neighbours:
    """The others on some GPUs. What draws there from the start on (an X server keeps a few MiB of
    each GPU of many a node) is none, what begins to draw is one."""

    def __init__(self, gpus: Sequence[nvml.Gpu]) -> None:
        self._drew: dict[nvml.Gpu, Processes] = {}
        for gpu in gpus:
            with nvml.answering(gpu.index):
                self._drew[gpu] = nvml.graphics_processes(gpu)

    def now(self, ours: int) -> dict[nvml.Gpu, Processes]:
        """The others, by the GPU that they are on now. Where ids do not tell which are ours, all of
        them, if they are more than the `ours` that may be there.

        They are counted over all the GPUs together: one process that is on several, as a rank may
        be that reaches its peers' memory, is one. Raises BrokenGpu.
        """
        found = {gpu: self._on(gpu) for gpu in self._drew}
        if not ids_are_the_hosts():
            return _used(found) if len(set().union(*found.values())) > ours else {}
        return _used(
            {
                gpu: {pid: used for pid, used in there.items() if not is_ours(pid)}
                for gpu, there in found.items()
            }
        )

    def _on(self, gpu: nvml.Gpu) -> Processes:
        with nvml.answering(gpu.index):
            drawing = nvml.graphics_processes(gpu)
            computing = nvml.compute_processes(gpu) or {}
        came = {pid: used for pid, used in drawing.items() if pid not in self._drew[gpu]}
        return came | computing


def ids_are_the_hosts() -> bool:
    """Whether our process ids are those that the driver tells."""
    try:
        return Path("/proc/self/ns/pid").stat().st_ino == HOST_NAMESPACE
    except OSError:  # no /proc, or a kernel without namespaces of ids: count, to be safe
        return False


def is_ours(pid: int) -> bool:
    """Whether it is this process or comes from it."""
    while pid > 1:
        if pid == os.getpid():
            return True
        pid = _parent(pid)
    return False


def described(processes: Processes) -> str:
    """They, by id, with their program and user where those are known, and the memory they hold."""
    return ", ".join(_described(pid, used) for pid, used in sorted(processes.items()))


def _used(found: dict[nvml.Gpu, Processes]) -> dict[nvml.Gpu, Processes]:
    return {gpu: there for gpu, there in found.items() if there}


def _described(pid: int, used: int | None) -> str:
    who = _named(pid) if ids_are_the_hosts() else ""
    known = [part for part in (who, "" if used is None else f"{used >> 20} MiB") if part]
    return f"pid {pid}" + (f" ({', '.join(known)})" if known else "")


def _named(pid: int) -> str:
    """Its program, without arguments, which may be secrets, and its user; "" for one that has ended
    or is hidden."""
    folder = Path(f"/proc/{pid}")
    try:
        program = (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()
        user = folder.stat().st_uid
    except OSError:
        return ""
    try:
        return f"{program} of {pwd.getpwuid(user).pw_name}"
    except KeyError:  # a user of another machine or container
        return f"{program} of user {user}"


def _parent(pid: int) -> int:
    """The process that it comes from; 0 where that is not known."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    return int(told.rpartition(")")[2].split()[1])  # proc(5): the name may hold anything
