"""Runs to write in tests of the writer, and what a database holds."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

from monitor.writer import Writer
from storage.types import Run


def run(name: str, size: int = 0) -> Run:
    """A run to store, of about so many bytes."""
    return Run(name, "test", "ok", "", 1_000_000_000.0, 1.0, stderr="x" * size)


def storing(writer: Writer, name: str, size: int = 0) -> Callable[[], int]:
    """The work of storing such a run."""
    return lambda: writer.store.record(run(name, size), (), ())


def stored(path: Path) -> list[str]:
    """The names of the runs in a database that is whole."""
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [name for (name,) in connection.execute("SELECT probe FROM runs ORDER BY id")]
    finally:
        connection.close()


async def fault_of(writer: Writer) -> str:
    """What the writer says once it cannot write. That this runs at all shows a loop that turns."""
    async with asyncio.timeout(30):
        while not writer.fault:  # noqa: ASYNC110 it has no event of it, and needs none
            await asyncio.sleep(0.001)
    return writer.fault
