"""A service over a provider's server that is killed at will, and what must be true afterwards."""

import contextlib
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import warm

from storage.ledger import Ledger
from storage.store import Store
from storage.types import Job

CONFIG = """
[monitor]
database = "q.db"
[budget]
usd_per_day = 1000.0
qpu_seconds_per_28_days = 100_000
[probe.canary]
kind = "quantum.mirror"
every = "24h"
widths = [2]
depths = [2]
circuits = 2
shots = 20
{settings}
"""


ALONE = {"QISKIT_IN_PARALLEL": "TRUE", "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


@dataclass
class Warm:
    """The warm process: its socket, and the environment that its copies get."""

    socket: str
    environment: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def warmed(folder: Path, environment: Mapping[str, str], *preload: str) -> Iterator[Warm]:
    """A warm process that has these modules imported, for the time of a block."""
    path = str(folder / "warm.sock")
    program = f"import warm; warm.serve({path!r}, {list(preload)!r})"
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        # Qiskit's threads would not survive the fork
        env={**os.environ, **environment, **ALONE, "PYTHONPATH": str(Path(__file__).parent)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Warm(path, {**environment, **ALONE})
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


class Trial:
    """One database, in which one job is ordered by services that may be killed."""

    def __init__(
        self, warm_process: Warm, folder: Path, settings: str, visible_after: float = 1.0
    ) -> None:
        """`visible_after`: how soon the server shows every job that was sent. A real cloud is given
        a minute for that, and a killed service waits for it before it sends anything again."""
        self._warm = warm_process
        self._visible_after = visible_after
        self._folder = folder
        folder.mkdir()
        (folder / "config.toml").write_text(CONFIG.format(settings=settings))

    def live(self, *, before: int = 0, after: int = 0) -> socket.socket:
        """A service that goes on from what is in the database, and kills itself at a transaction
        where one is named. Closing the connection kills it."""
        self._hasten()
        asked: dict[str, object] = {
            "do": "service",
            "config": str(self._folder / "config.toml"),
            "folder": str(self._folder),
            "socket": self._warm.socket,
            "environment": dict(self._warm.environment),
            "before": before,
            "after": after,
        }
        return warm.ask(self._warm.socket, asked, [])

    def _hasten(self) -> None:
        """Have what is in doubt wait for this server's time alone, not for a real cloud's."""
        if not (self._folder / "q.db").exists():
            return
        with contextlib.closing(sqlite3.connect(self._folder / "q.db")) as database, database:
            tables = database.execute("SELECT 1 FROM sqlite_schema WHERE name = 'jobs'")
            if tables.fetchone():
                database.execute(
                    'UPDATE jobs SET "order" = json_set("order", \'$.visible_after\', ?)'
                    ' WHERE "order" IS NOT NULL',
                    (self._visible_after,),
                )

    def end(self, service: socket.socket, seconds: float) -> bool:
        """Wait for a service to end by itself, and kill it after so many seconds; whether it ended
        well."""
        service.settimeout(seconds)
        try:
            return service.recv(1) == b"\0"
        except TimeoutError:
            return False
        finally:
            service.close()

    def jobs(self) -> list[Job]:
        """What the ledger has, newest first."""
        store = Store.reader(self._folder / "q.db")
        try:
            return Ledger(store).last(9)
        finally:
            store.close()

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Rows of the database."""
        store = Store.reader(self._folder / "q.db")
        try:
            return [tuple(row) for row in store.connection.execute(query)]
        finally:
            store.close()
