"""Runs to write in tests of the writer, and what a database holds."""

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
