"""One instance a database: an flock, which the kernel gives up when its holder dies."""

import contextlib
import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any

from storage.types import now

LOOKS = 20
LOOK_SECONDS = 0.005
"""How often, and how far apart, a file is read again that is being written at that moment."""


class Taken(Exception):
    """Another instance has the database."""

    def __init__(self, lock: Path, pid: int | None) -> None:
        who = "unknown" if pid is None else pid
        super().__init__(
            f"another Qrossover (process {who}) has {lock}; "
            "stop it first, or name another database in [monitor]"
        )


class Lock:
    """The lock file beside a database. What it says is for people and for `qrossover status`."""

    def __init__(self, database: Path) -> None:
        self.path = path_for(database)
        self._descriptor: int | None = None

    def take(self, **said: Any) -> None:
        """Take the lock and write who has it. Raises Taken, and OSError where none can be made."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o640)
        if not _locked(descriptor):
            pid = _read(descriptor).get("pid")
            os.close(descriptor)
            raise Taken(self.path, pid)
        self._descriptor = descriptor
        self.say(pid=os.getpid(), started=now(), **said)

    def say(self, **said: Any) -> None:
        """Write what others may know about this instance. On a full disk they know less."""
        assert self._descriptor is not None
        text = json.dumps(said).encode()
        with contextlib.suppress(OSError):
            # written over, never emptied first: a crash between the two would leave nothing
            os.pwrite(self._descriptor, text, 0)
            os.ftruncate(self._descriptor, len(text))

    def release(self) -> None:
        """Give the lock up; the file stays, since removing it would let two holders in."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def _locked(descriptor: int) -> bool:
    """Whether the lock could be taken. A `qrossover status` may hold it for a moment."""
    for _ in range(4):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
        descriptor = os.open(path_for(database), os.O_RDONLY)
    except OSError:
        return {}
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        for _ in range(LOOKS):
            if said := _read(descriptor):
                return said
            time.sleep(LOOK_SECONDS)
        return {"pid": None}
    else:
        return {}
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> dict[str, Any]:
    """What the file says; nothing while it is being written."""
    text = os.pread(descriptor, 1 << 16, 0).decode(errors="replace")
    try:
        # what follows the document is the end of a longer one that is being written over
        said, _ = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
