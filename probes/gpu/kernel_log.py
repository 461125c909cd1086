"""The NVIDIA driver's reports of faults in the kernel's log: Xid messages.

What they look like and mean: https://docs.nvidia.com/deploy/xid-errors/ . What a record of the log
looks like: https://www.kernel.org/doc/Documentation/ABI/testing/dev-kmsg .
"""

import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

LOG = Path("/dev/kmsg")
MOST_RECORD = 8192
"""Bytes of one record, more than the kernel writes (LOG_LINE_MAX and its header)."""
FROM_PROGRAMS = 8
"""Levels from here on are of programs that write to the log, not of the kernel."""
XID = re.compile(r"NVRM: Xid \((?:PCI:)?([0-9A-Fa-f]+):([0-9A-Fa-f]+):([0-9A-Fa-f]+)[^)]*\): (\d+)")
BY_APPLICATIONS = frozenset({13, 31, 43, 45, 68})
"""Xids that a program's own fault is the usual cause of: an exception or a page fault in a kernel,
its channel that was stopped or cleaned up after that, an exception of the video decoder."""


@dataclass(frozen=True, slots=True)
class Xid:
    """One message: the GPU's PCI domain, bus and device, the number, and how long ago in s."""

    pci: tuple[int, int, int]
    number: int
    ago: float


@dataclass(frozen=True, slots=True)
class Log:
    """The Xid messages of a while. `reach` is how far back in s the log goes, where it has lost
    older records of that while; None where nothing is lost."""

    xids: tuple[Xid, ...]
    reach: float | None

    def of(self, pci: tuple[int, int, int]) -> tuple[int, ...]:
        """The numbers of one GPU's messages, oldest first."""
        return tuple(xid.number for xid in self.xids if xid.pci == pci)


def recent(seconds: float, path: Path = LOG) -> Log:
    """The Xid messages of the last `seconds`. Raises OSError where the log may not be read."""
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return understood(records(reader), seconds, time.monotonic())
    finally:
        os.close(reader)


def records(reader: int) -> Iterator[str]:
    """What is in the log, one record a read."""
    while True:
        try:
            record = os.read(reader, MOST_RECORD)
        except BlockingIOError:
            return  # that was the last
        except BrokenPipeError:
            continue  # it was overwritten meanwhile: the next read has the oldest that is left
        if not record:
            return
        yield record.decode(errors="replace")


def understood(records: Iterable[str], seconds: float, now: float) -> Log:
    """The Xid messages among records of the log. `now` is in s since the start, as `time.monotonic`
    has it."""
    xids, lost = [], None
    for number, record in enumerate(records):
        header, _, message = record.partition(";")
        level, sequence, micros = (int(part) for part in header.split(",")[:3])
        ago = now - micros / 1e6
        if number == 0 and sequence > 0 and ago < seconds:
            lost = ago
        found = XID.match(message)
        if found and level < FROM_PROGRAMS and ago <= seconds:
            domain, bus, device = (int(part, 16) for part in found.groups()[:3])
            xids.append(Xid((domain, bus, device), int(found[4]), ago))
    return Log(tuple(xids), lost)
