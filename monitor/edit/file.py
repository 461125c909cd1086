"""A config file replaced whole: nobody ever reads half of it, and no edit is lost to another.

The text before is kept beside it as `config.toml.bak`. That is one file: earlier texts are in the
history of the database.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from monitor.contents import contents, reason
from monitor.problems import ConfigError, shown
from monitor.refusal import Refused

PATIENCE_SECONDS = 2.0
"""How long another edit may take: it holds the file for some milliseconds."""
LOOK_SECONDS = 0.01
_WHY = {
    errno.EROFS: "it is on a read-only file system: change it where it comes from",
    errno.EBUSY: "it is a mount of its own: change it where it comes from, outside the container",
    errno.EACCES: "you may not write there: run this as the owner of the file",
    errno.EPERM: "you may not write there: run this as the owner of the file",
    errno.ENOSPC: "the disk is full: make room and run this again",
    errno.EDQUOT: "the quota is used up: make room and run this again",
    errno.EFBIG: "the file would be too large",
}


class Changed(Refused):
    """The file says something else by now than what was edited."""


def present(path: Path) -> bytes:
    """What the file says now. Raises ConfigError where it cannot be read."""
    try:
        return contents(path)
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        raise ConfigError([f"{shown(path)}: cannot be read: {reason(error)}"]) from None


def replace(path: Path, before: bytes, after: bytes) -> Path:
    """Write `after` in the place of `before`; where the text before is kept.

    A link stays a link: what it leads to is replaced. Mode, owner and attributes stay as they are
    where they may be kept. Raises Refused, and leaves the file as it is, where it no longer says
    `before`, and where it cannot be written.
    """
    target = Path(os.path.realpath(path))
    backup = target.with_name(f"{target.name}.bak")
    fresh = target.with_name(f"{target.name}.new")
    try:
        with _held(target):
            if contents(target) != before:
                raise Changed(_changed(path, target))
            # a file that may not be written is not replaced either, though the folder would let us
            os.close(os.open(target, os.O_WRONLY | os.O_CLOEXEC))
            _write(fresh, before, target)
            fresh.replace(backup)
            _write(fresh, after, target)
            fresh.replace(target)
            _sync(target.parent)
    except OSError as error:
        with contextlib.suppress(OSError):  # half a text would fill a full disk
            fresh.unlink(missing_ok=True)
        why = _WHY.get(error.errno or 0, "")
        said = error.strerror or str(error)
        advice = f"{said}; {why}" if why else said
        raise Refused(f"{shown(path)} is not written, and stays as it was: {advice}") from error
    return backup


def restore(path: Path, text: bytes) -> None:
    """Write a file that is gone. Raises Refused where one is there by now, and where it cannot be
    written."""
    target = Path(os.path.realpath(path))
    fresh = target.with_name(f"{target.name}.new")
    try:
        _write(fresh, text, None)
        try:
            os.link(fresh, target)  # unlike a rename, it never replaces
        finally:
            fresh.unlink(missing_ok=True)
        _sync(target.parent)
    except FileExistsError:
        raise Changed(f"{shown(path)} is there again: nothing is written") from None
    except OSError as error:
        with contextlib.suppress(OSError):  # half a text would fill a full disk
            fresh.unlink(missing_ok=True)
        said = error.strerror or str(error)
        raise Refused(f"{shown(path)} is not written: {said}") from error


def _changed(path: Path, target: Path) -> str:
    ago = max(0.0, time.time() - target.stat().st_mtime)
    return (
        f"{shown(path)} was changed {ago:.0f} s ago, while this edit was under way: nothing is "
        "written. Run the command again, to see what it does to the text that stands there now"
    )


@contextlib.contextmanager
def _held(target: Path) -> Iterator[None]:
    """Hold the file's lock. Another edit puts a new file in its place, whose lock is another one:
    then that is held instead. Raises Refused and OSError."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if _locked(descriptor) and _is(descriptor, target):
                yield
                return
        finally:
            os.close(descriptor)
        if time.monotonic() > end:
            raise Refused(
                f"another program has locked {shown(target)}: nothing is written. Wait for it, or "
                f"see which one it is with `lsof {shown(target)}`"
            )
        time.sleep(LOOK_SECONDS)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is(descriptor: int, target: Path) -> bool:
    """Whether the open file is still the one that has the name."""
    return os.path.samestat(os.fstat(descriptor), target.stat())


def _write(fresh: Path, text: bytes, like: Path | None) -> None:
    """Write a file that is whole on the disk, with the mode and the owner of another, or as any new
    file where there is none."""
    fresh.unlink(missing_ok=True)  # left by an edit that was killed
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(fresh, flags, 0o600 if like else 0o644), "wb") as file:
        file.write(text)
        file.flush()
        if like is not None:
            _as(fresh, like)
        os.fsync(file.fileno())


def _as(fresh: Path, like: Path) -> None:
    found = like.stat()
    with contextlib.suppress(PermissionError):  # only root may give a file away
        os.chown(fresh, found.st_uid, found.st_gid)
    shutil.copystat(like, fresh)  # the mode, and attributes such as labels and access lists
    os.utime(fresh)


def _sync(folder: Path) -> None:
    """Have the new name itself on the disk, where the folder can be opened and its file system
    does that: the file is in its place by now, so nothing is refused any more."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
