"""The part of a service that orders and follows jobs, as a process that can be killed anywhere.

Real config, writer, judge, runner and walk; its children are copies of a warm process. It ends by
itself once one job has been ordered and none is open.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from monitor.config import read
from monitor.jobs.following import Following
from monitor.judge import Judge
from monitor.runner import Runner
from monitor.settling import Cadence, House
from monitor.tick import tick
from monitor.writer import Writer

_Result = TypeVar("_Result")
WARM = str(Path(__file__).with_name("warm.py"))
LONGEST = 60.0


class DeadlyWriter(Writer):
    """Ends the process just before or just after the n-th transaction, as kill -9 does."""

    def __init__(self, path: Path, before: int, after: int) -> None:
        self._left = {"before": before, "after": after}
        super().__init__(path)

    def once(self, work: Callable[[], _Result]) -> _Result:
        self._count("before")
        result = super().once(work)
        self._count("after")
        return result

    def _count(self, when: str) -> None:
        self._left[when] -= 1
        if self._left[when] == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def serve(asked: dict[str, Any]) -> int:
    """Order one job where none was ordered, and follow it to its end."""
    os.environ.update(asked["environment"])
    return asyncio.run(asyncio.wait_for(_serve(asked), LONGEST))


async def _serve(asked: dict[str, Any]) -> int:
    config = read(Path(asked["config"]))
    database = config.monitor.database
    writer = DeadlyWriter(database, asked["before"], asked["after"])
    child = (sys.executable, "-I", "-S", WARM, asked["socket"])
    runner = Runner(f"{database}#", config.path.parent, child)
    house = House(config, writer, runner, Judge(config, writer), Cadence(0.01, 0.05))
    following = Following(house, lambda: None, asyncio.ensure_future)
    await following.begin()
    if not writer.ledger.last(1):
        for entry in config.probes.values():
            await tick(house, entry)
    while writer.ledger.open():
        await following.look_once()
        await asyncio.sleep(0.01)
    await runner.close()
    writer.close()
    return 0
