"""The one writing connection: it insists on a busy or full disk, and rescues a broken file.

A database that cannot be written is never a probe's failure: the work waits and is tried again,
`/healthz` says why, and what is already in the file stays as it is.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import structlog

from storage.outbox import Outbox
from storage.store import Store
from storage.types import now

_Result = TypeVar("_Result")
_log = structlog.get_logger()

BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# The loop must not stand still while another program holds the file: SQLite itself waits this
# long, the rest of the waiting is asyncio's.
BUSY_SECONDS = 0.2
RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)


def is_broken(error: sqlite3.Error) -> bool:
    """Whether the file itself is damaged, as opposed to busy, full or out of reach."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF) in BROKEN


class Writer:
    """The store for writing. `fault` says why it cannot write now, or nothing."""

    def __init__(self, path: Path) -> None:
        """Open, or set a broken file aside first. Raises sqlite3.Error where that fails too."""
        self.path = path
        self.fault = ""
        self.rescued = ""
        self.wrote = now()
        try:
            self.store = self._open()
        except sqlite3.DatabaseError as error:
            if not is_broken(error):
                raise
            self._rescue(error)

    @property
    def outbox(self) -> Outbox:
        """The alerts of this database."""
        return Outbox(self.store)

    async def insist(self, work: Callable[[], _Result]) -> _Result:
        """Do `work` in one transaction, again and again until the database takes it."""
        attempt = 0
        while True:
            try:
                return self.once(work)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                    raise
                self._failed(error)
            await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
            attempt += 1

    def once(self, work: Callable[[], _Result]) -> _Result:
        """Do `work` in one transaction. Raises sqlite3.Error."""
        with self.store.transaction():
            result = work()
        if self.fault:
            _log.info("the database can be written again", path=str(self.path))
        self.fault = ""
        self.wrote = now()
        return result

    def close(self) -> None:
        """Close the file."""
        self.store.close()

    def backup(self) -> None:
        """Write a whole copy beside the database, in the place of the one before."""
        copy = self.path.with_name(f"{self.path.name}.backup")
        fresh = copy.with_name(f"{copy.name}.new")
        fresh.unlink(missing_ok=True)
        source = Store.reader(self.path)
        try:
            source.connection.execute("VACUUM INTO ?", (str(fresh),))
        finally:
            source.close()
        fresh.replace(copy)

    def _open(self) -> Store:
        return Store.writer(self.path, BUSY_SECONDS)

    def _failed(self, error: sqlite3.DatabaseError) -> None:
        if is_broken(error):
            with contextlib.suppress(sqlite3.Error):
                self.store.close()
            self._rescue(error)
            return
        if not self.fault:
            _log.error("the database cannot be written", path=str(self.path), error=str(error))
        self.fault = f"{self.path} cannot be written: {error}"

    def _rescue(self, error: sqlite3.DatabaseError) -> None:
        """Set the broken file aside, go on from the newest backup or from nothing, and say so."""
        stamp = f"broken-{round(now())}"
        for suffix in ("", "-wal", "-shm"):
            file = self.path.with_name(self.path.name + suffix)
            if file.exists():
                file.rename(self.path.with_name(f"{self.path.name}.{stamp}{suffix}"))
        copy = self.path.with_name(f"{self.path.name}.backup")
        source = "an empty one"
        if copy.exists():
            self.path.write_bytes(copy.read_bytes())
            source = f"the backup of {copy.name}"
        self.rescued = (
            f"{self.path} was damaged ({error}). It is set aside as {self.path.name}.{stamp}; "
            f"Qrossover goes on with {source}."
        )
        _log.error("the database was damaged", path=str(self.path), goes_on_with=source)
        self.store = self._open()
