"""Measures how long an edit of a config with 10,000 triggers takes to come into force.

The real parts work on a real database: parse and validate, difference, standings, history, notice.

.venv/bin/python benchmarks/reload.py [--triggers 10000]
"""

import argparse
import asyncio
import itertools
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from monitor import log
from monitor.channels import Channels
from monitor.config import read
from monitor.daemon import Daemon
from monitor.reload.loaded import Edit
from storage.types import Reading, Run, Signal

SIGNAL = Signal("bench.rate", "1/s", "higher", "A made-up rate")
HEAD = """
[monitor]
http = ""
[probe.bench]
kind = "external.command"
argv = ["true"]
signals = { "bench.rate" = "1/s" }
every = "1h"
"""
KINDS = (
    'when = "above"\nthreshold = %d\nfor = "2 of 3"',
    'when = "below"\nthreshold = -%d\nfor = "30m"',
    'when = "drops"\nthreshold = "10%%"\nbaseline = "14d"\nfor = "2 readings"\nadvice = "At %d."',
    'when = "stale"\nthreshold = "2h"\nadvice = "At %d."',
)


def main() -> None:
    """Load one edit after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--triggers", type=int, default=10_000)
    options = parser.parse_args()
    log.configure(level=40)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_edits(Path(folder) / "config.toml", options.triggers))


async def _edits(path: Path, triggers: int) -> None:
    text = _text(triggers)
    path.write_text(text)  # noqa: ASYNC240 nothing else is to be served here
    begun = time.perf_counter()
    config = read(path)
    print(f"{triggers} triggers, {len(text) / 1e6:.2f} MB of TOML")
    print(f"{'read at a start':<28} {time.perf_counter() - begun:.2f} s, {_memory():.0f} MiB")
    daemon = Daemon(config, Channels())
    try:
        _fill(daemon, triggers)
        await daemon.begin()
        daemon._start_schedule()  # as `serve` does then
        daemon._begun.set()
        first = text.replace("threshold = 100\n", "threshold = 101\n")
        for name, edited in (
            ("one trigger edited", first),
            ("ten triggers edited", first.replace("threshold = 10", "threshold = 90", 10)),
            ("a comment added", f"{first}# \n"),
            ("all triggers edited", _text(triggers, edit=1)),
            ("a table added", _text(triggers, edit=1) + "[budget]\nusd_per_day = 1.0\n"),
        ):
            path.write_text(edited)  # noqa: ASYNC240 as above
            seconds, stood, cpu = await _timed(lambda: daemon.reload(Edit()))
            print(
                f"{name:<28} {seconds:.2f} s ({cpu:.2f} s of processor), the loop stood still for "
                f"{stood:.2f} s at most, {_memory():.0f} MiB"
            )
    finally:
        daemon.close()


async def _timed(work: Callable[[], Awaitable[object]]) -> tuple[float, float, float]:
    """Seconds that work took, the longest that nothing else had a turn, and processor seconds."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        for _ in itertools.count():
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0.01)
    begun, processor = time.perf_counter(), time.process_time()
    await work()
    taken, used = time.perf_counter() - begun, time.process_time() - processor
    await asyncio.sleep(0.002)
    watching.cancel()
    return taken, longest, used


def _text(triggers: int, edit: int = 0) -> str:
    return HEAD + "".join(
        f'[trigger.t{n}]\nsignal = "bench.rate"\ntarget = "d{n}"\n'
        f"{KINDS[n % len(KINDS)] % (n + 100 + edit)}\n"
        for n in range(triggers)
    )


def _fill(daemon: Daemon, series: int) -> None:
    """Twenty readings of each series, the last of now."""
    now = time.time()
    run = Run("bench", "external.command", "ok", "", now, 1.0)
    taken = [
        Reading(SIGNAL.name, f"d{n}", 50.0 + (n * k) % 7, "measured", at=now - 900.0 * k)
        for n in range(series)
        for k in range(20)
    ]
    daemon.writer.once(lambda: daemon.writer.store.record(run, taken, (SIGNAL,)))


def _memory() -> float:
    """Resident memory of this process in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / (1 << 20)


if __name__ == "__main__":
    main()
