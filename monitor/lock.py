"""One instance a database: an flock, which the kernel gives up when its holder dies."""

import fcntl
import json
import os
import time
from pathlib import Path
from typing import IO, Any

from storage.types import now


class Taken(Exception):
    """Another instance has the database."""


class Lock:
    """The lock file beside a database. What it says is for people and for `qrossover status`."""

    def __init__(self, database: Path) -> None:
        self.path = path_for(database)
        self._file: IO[str] | None = None

    def take(self, **said: Any) -> None:
        """Take the lock and write who has it. Raises Taken, and OSError where none can be made."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("a+")
        if not _locked(file):
            pid = _read(file).get("pid", "unknown")
            file.close()
            raise Taken(
                f"another Qrossover (process {pid}) has {self.path}; "
                "stop it first, or name another database in [monitor]"
            )
        self._file = file
        self.say(pid=os.getpid(), started=now(), **said)

    def say(self, **said: Any) -> None:
        """Write what others may know about this instance."""
        assert self._file is not None
        self._file.seek(0)
        self._file.truncate()
        json.dump(said, self._file)
        self._file.flush()

    def release(self) -> None:
        """Give the lock up; the file stays, since removing it would let two holders in."""
        if self._file is not None:
            self._file.truncate(0)
            self._file.close()
            self._file = None


def _locked(file: IO[str]) -> bool:
    """Whether the lock could be taken. A `qrossover status` may hold it for a moment."""
    for _ in range(4):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        else:
            return True
    return False


def path_for(database: Path) -> Path:
    """Where the lock of a database lies."""
    return database.with_name(f"{database.name}.lock")


def holder(database: Path) -> dict[str, Any]:
    """What the running instance said about itself; empty where none runs."""
    try:
        file = path_for(database).open("r+")
    except OSError:
        return {}
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read(file)
        return {}


def _read(file: IO[str]) -> dict[str, Any]:
    file.seek(0)
    try:
        said = json.load(file)
    except ValueError:
        return {}  # taken this very moment, and not written yet
    return said if isinstance(said, dict) else {}
