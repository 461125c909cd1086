"""The one writing connection: it insists on a busy or full disk, and rescues a broken file.

A database that cannot be written is never a probe's failure: the work waits and is tried again,
`/healthz` says why, and what is already in the file stays as it is.
"""

import asyncio
import codecs
import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import structlog

from monitor.refusal import Refused
from storage.ledger import Ledger
from storage.outbox import Outbox
from storage.store import Store
from storage.types import now

_Result = TypeVar("_Result")
_log = structlog.get_logger()

BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# What another program or an operator can put right: worth waiting for. All else is a fault of ours.
PASSING = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
)
TEXT_BYTES = 4096
"""So much of a file shows whether it is somebody's text."""
OPEN_SECONDS = 5.0
# The loop must not stand still while another program holds the file: SQLite itself waits this
# long, the rest of the waiting is asyncio's.
BUSY_SECONDS = 0.05
BACKUP_DELAY = 300.0
"""A start has better things to do first."""
RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)


class Damaged(sqlite3.OperationalError):
    """The file is broken, and could not be replaced yet."""


def is_broken(error: sqlite3.Error) -> bool:
    """Whether the file itself is damaged, as opposed to busy, full or out of reach."""
    return _code(error) in BROKEN


def _code(error: sqlite3.Error) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def unwritable(path: Path, error: OSError | sqlite3.Error) -> Refused:
    """What to say at a start where the database, or its lock beside it, cannot be written."""
    why = (error.strerror if isinstance(error, OSError) else None) or error
    return Refused(
        f"[monitor] database: {path} cannot be written ({why}): "
        "put that right, or name another file"
    )


class Writer:
    """The store for writing. `fault` says why it cannot write now, or nothing."""

    def __init__(self, path: Path) -> None:
        """Open, or set a broken file aside first. Raises Refused where that fails too, and
        schema.OtherSchema."""
        self.path = path
        self.fault = ""
        self.rescued = ""
        self._damage = ""
        self._aside = ""
        try:
            self._start()
        except (OSError, sqlite3.DatabaseError) as error:
            raise unwritable(path, error) from error

    def _start(self) -> None:
        try:
            _check_header(self.path)
            self.store = self._open(OPEN_SECONDS)
        except sqlite3.DatabaseError as error:
            if not is_broken(error):
                raise
            self._damage = str(error)
            self._replace()

    @property
    def outbox(self) -> Outbox:
        """The alerts of this database."""
        return Outbox(self.store)

    @property
    def ledger(self) -> Ledger:
        """The jobs of this database."""
        return Ledger(self.store)

    async def insist(self, work: Callable[[], _Result]) -> _Result:
        """Do `work` in one transaction, again and again until the database takes it.

        Raises sqlite3.Error for what waiting does not cure.
        """
        attempt = 0
        while True:
            try:
                return self.once(work)
            except sqlite3.DatabaseError as error:
                if is_broken(error):
                    self._broke(error)
                elif isinstance(error, Damaged) or _code(error) in PASSING:
                    self._failed(error)
                else:
                    raise
            await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
            attempt += 1

    def once(self, work: Callable[[], _Result]) -> _Result:
        """Do `work` in one transaction. Raises sqlite3.Error."""
        if self._damage:
            self._replace()
        with self.store.transaction():
            result = work()
        if self.fault:
            _log.info("the database can be written again", path=str(self.path))
        self.fault = ""
        return result

    def close(self) -> None:
        """Close the file."""
        self.store.close()

    def backup_due(self, every: float) -> float:
        """Seconds until the next backup: soon after a start where there is none of late."""
        try:
            age = now() - self._beside("backup").stat().st_mtime
        except FileNotFoundError:
            return BACKUP_DELAY
        return max(BACKUP_DELAY, every - age)

    def backup(self) -> None:
        """Write a whole copy beside the database, in the place of the one before.

        Raises sqlite3.Error and OSError; the one before stays then.
        """
        fresh = self._beside("backup.new")
        fresh.unlink(missing_ok=True)
        source = Store.reader(self.path)
        try:
            source.connection.execute("VACUUM INTO ?", (str(fresh),))
            with fresh.open("rb+") as file:
                os.fsync(file.fileno())
            fresh.replace(self._beside("backup"))
        finally:
            source.close()
            fresh.unlink(missing_ok=True)  # half a copy would fill a full disk

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{suffix}")

    def _open(self, patience: float = BUSY_SECONDS) -> Store:
        store = Store.writer(self.path, patience)
        store.connection.execute(f"PRAGMA busy_timeout = {round(BUSY_SECONDS * 1000)}")
        return store

    def _failed(self, error: sqlite3.DatabaseError) -> None:
        if not self.fault:
            _log.error("the database cannot be written", path=str(self.path), error=str(error))
        self.fault = f"{self.path} cannot be written: {error}"

    def _broke(self, error: sqlite3.DatabaseError) -> None:
        self._damage = str(error)
        with contextlib.suppress(OSError):  # else the next try does it
            self._aside = self._set_aside()
        # after that: SQLite deletes the WAL as it closes, wherever it finds it
        with contextlib.suppress(sqlite3.Error):
            self.store.close()

    def _replace(self) -> None:
        """Set the broken file aside, go on from the backup or from nothing, and say so.

        Raises Damaged where the disk does not let it; the next try goes on from there.
        """
        try:
            if not self._aside:
                self._aside = self._set_aside()
            source = self._from_backup() or self._from_nothing()
        except (OSError, sqlite3.DatabaseError) as error:
            raise Damaged(f"it is damaged ({self._damage}) and not replaced: {error}") from error
        said = (
            f"{self.path} was damaged ({self._damage}). It is set aside as "
            f"{self._beside(self._aside).name}; Qrossover goes on with {source}."
        )
        self.rescued = f"{self.rescued} {said}".lstrip()
        self._damage = self._aside = ""
        _log.error("the database was damaged", path=str(self.path), goes_on_with=source)

    def _set_aside(self) -> str:
        name = f"broken-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
        for suffix in ("-wal", "-shm", ""):  # the file itself last: until then this can be redone
            file = self.path.with_name(self.path.name + suffix)
            if file.exists():
                file.rename(self.path.with_name(f"{self.path.name}.{name}{suffix}"))
        return name

    def _from_backup(self) -> str:
        """Open the backup in the broken file's place; what to call it, or nothing where there is
        none that is whole."""
        copy, fresh = self._beside("backup"), self._beside("restored")
        if not copy.exists():
            return ""
        shutil.copyfile(copy, fresh)
        self._clear()
        fresh.replace(self.path)
        try:
            store = self._open()
        except sqlite3.DatabaseError as error:
            if not is_broken(error):
                raise
        else:
            if _is_whole(store):
                # what was owed or intended when the backup was made may have been sent since
                Outbox(store).doubt()
                Ledger(store).doubt(now())
                self.store = store
                made = datetime.fromtimestamp(copy.stat().st_mtime, UTC)
                return f"the backup of {made:%F %R} UTC"
            store.close()
        copy.rename(self._beside(f"backup.{self._aside}"))
        return ""

    def _from_nothing(self) -> str:
        self._clear()
        self.store = self._open()
        return "an empty one"

    def _clear(self) -> None:
        """Remove what an attempt to replace the broken file has left in its place."""
        for suffix in ("-wal", "-shm", ""):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)


def _check_header(path: Path) -> None:
    """Raise as SQLite would for a file that is no database; but SQLite would delete the WAL beside
    it, in which the last commits may be. Raise Refused for a text file: the config itself, say."""
    if not path.is_file() or path.stat().st_size == 0:
        return
    with path.open("rb") as file:
        start = file.read(TEXT_BYTES)
    if _is_text(start):
        raise Refused(
            f"{path} is a text file, not a database: name another file in [monitor] database"
        )
    head = start[:24]
    if head[:16] != b"SQLite format 3\0" or head[21:] != b"@  ":
        error = sqlite3.DatabaseError("file is not a database")
        error.sqlite_errorcode = sqlite3.SQLITE_NOTADB
        raise error


def _is_text(start: bytes) -> bool:
    """Whether a file that starts so is text: a database, even a damaged one, is full of NULs."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        # what was read may end within a character
        decoder.decode(start, final=len(start) < TEXT_BYTES)
    except UnicodeDecodeError:
        return False
    return b"\0" not in start


def _is_whole(store: Store) -> bool:
    try:
        row = store.connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError:
        return False
    return str(row[0]) == "ok"
