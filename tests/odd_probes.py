"""Probes that misbehave, each in its own way, in a child that the real runner starts.

This file is the program of the child: its `main` is the real one and finds the probes below.
"""

import ctypes
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from monitor.config import ProbeEntry
from probes.__main__ import main
from probes.base import Probe, Skipped
from storage.types import Quote, Reading, Signal

CHILD = (sys.executable, "-P", __file__)
GOOD = Reading("odd.value", "here", 1.5, "measured", sigma=0.5, at=1_000_000_000.0, note="fine")


class Odd(Probe):
    """Prints or reads nothing, and gives one good reading."""

    signals: ClassVar[tuple[Signal, ...]] = (Signal("odd.value", "V", "higher", "A number"),)
    packages: ClassVar[tuple[str, ...]] = ("pydantic", "no-such-distribution")
    where: str = ""
    share: str | None = None

    def resource(self) -> str | None:
        return self.share

    def quote(self) -> Quote:
        return Quote(usd=2.0, qpu_seconds=3.0)

    def run(self) -> Iterator[Reading]:
        self.keep(seed=7)
        yield GOOD


class Sleeps(Odd):
    """Takes a while, and says when it began and when it ended."""

    def run(self) -> Iterator[Reading]:
        self.keep(begun=time.time())
        time.sleep(0.3)
        self.keep(ended=time.time())
        yield GOOD


class Hangs(Odd):
    """Never ends, nor does its child, nor what has left the group; `where` tells their numbers."""

    def run(self) -> Iterator[Reading]:
        inside = subprocess.Popen(["sleep", "600"])
        outside = subprocess.Popen(["sleep", "600"], start_new_session=True)
        tell(Path(self.where), os.getpid(), inside.pid, outside.pid)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
        yield GOOD


class LeavesOne(Odd):
    """Ends well, and leaves a process behind that holds all its pipes, in a session of its own."""

    def run(self) -> Iterator[Reading]:
        left = subprocess.Popen(["sleep", "600"], start_new_session=True, close_fds=False)
        tell(Path(self.where), left.pid)
        yield GOOD


class Forks(Odd):
    """Its copies, made without exec, hold everything that it holds."""

    def run(self) -> Iterator[Reading]:
        pids = [os.fork() for _ in range(2)]
        if 0 in pids:
            time.sleep(600)
        tell(Path(self.where), *pids)
        yield GOOD


class DumpsCore(Odd):
    """Dies of a wild pointer."""

    def run(self) -> Iterator[Reading]:
        print("about to crash", flush=True)
        ctypes.string_at(0)
        yield GOOD


class Aborts(Odd):
    """Dies as an assertion in C does."""

    def run(self) -> Iterator[Reading]:
        os.abort()
        yield GOOD


class DiesOfAnOddSignal(Odd):
    """Dies of a signal that has no name."""

    def run(self) -> Iterator[Reading]:
        os.kill(os.getpid(), signal.SIGRTMIN + 3)
        yield GOOD


class Floods(Odd):
    """Writes more than any pipe holds on both of its streams."""

    def run(self) -> Iterator[Reading]:
        for number in range(2000):
            os.write(1, b"o" * 10_000)
            os.write(2, b"%d " % number)
        os.write(1, b"the end")
        yield GOOD


class PrintsInC(Odd):
    """A C library prints, on the descriptor and through its own buffers."""

    def run(self) -> Iterator[Reading]:
        libc = ctypes.CDLL(None)
        libc.printf(b'{"outcome": "ok", "readings": []}\n')
        libc.puts(b"from C")
        libc.dprintf(2, b"to stderr from C\n")
        yield GOOD


class IsNaN(Odd):
    """Measures what is no number."""

    def run(self) -> Iterator[Reading]:
        yield GOOD
        yield Reading("odd.value", "there", math.nan, "measured")


class Undeclared(Odd):
    """Gives a signal that it does not promise."""

    def run(self) -> Iterator[Reading]:
        yield Reading("odd.other", "here", 1.0, "measured")


class Raises(Odd):
    """Fails as libraries do, with a message of several lines and half a character."""

    def run(self) -> Iterator[Reading]:
        yield GOOD
        raise KeyError("no\nsuch\tthing \udcff" + "x" * 10_000)


class Skips(Odd):
    """Must not run now."""

    def run(self) -> Iterator[Reading]:
        self.keep(busy=["someone"])
        yield GOOD
        raise Skipped("the device is busy")


class Leaves(Odd):
    """Ends the process without a result."""

    def run(self) -> Iterator[Reading]:
        os._exit(int(self.where or 0))
        yield GOOD


class Quits(Odd):
    """Ends the interpreter, as some libraries do on a fatal error."""

    def run(self) -> Iterator[Reading]:
        sys.exit("no licence")
        yield GOOD


class Huge(Odd):
    """Keeps far more than a run may."""

    def run(self) -> Iterator[Reading]:
        self.keep(counts="0" * (17 << 20))
        yield GOOD


class Large(Odd):
    """Keeps much, but not too much."""

    def run(self) -> Iterator[Reading]:
        self.keep(counts="0" * (4 << 20))
        yield GOOD


class KeepsNoJson(Odd):
    """Keeps what JSON cannot say."""

    def run(self) -> Iterator[Reading]:
        self.keep(loss=math.inf)
        yield GOOD


KINDS: dict[str, type[Probe]] = {
    kind.__name__: kind for kind in (Odd, *Odd.__subclasses__()) if kind.__module__ == __name__
}


def tell(file: Path, *pids: int) -> None:
    """Write the numbers of processes, all at once."""
    fresh = file.with_suffix(".new")
    fresh.write_text(" ".join(map(str, pids)))
    fresh.replace(file)


def entry(kind: type[Odd], timeout: float = 30.0, **settings: Any) -> ProbeEntry:
    """A table of the config with such a probe."""
    probe = kind.model_validate(settings)
    return ProbeEntry("odd", kind.__name__, 60.0, timeout, probe, settings)


if __name__ == "__main__":
    sys.exit(main(KINDS.__getitem__))
