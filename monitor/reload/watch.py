"""A file that may be edited in any way while it is watched: what it says, once that is at rest."""

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from monitor.contents import contents

POLL_SECONDS = 2.0
"""How often the file is looked at. What is at rest for two looks is loaded: 2 to 4 s after it was
written."""
GRACE_SECONDS = 5.0
"""How long a file may be away or empty: some editors write so, and some mounts are swapped so."""


@dataclass(frozen=True, slots=True)
class Content:
    """What the file says, or why it says nothing."""

    raw: bytes
    missing: str = ""

    @property
    def sha256(self) -> str:
        """The hash of what it says; of why it says nothing, where it does not."""
        return hashlib.sha256(self.raw or self.missing.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Look:
    """The file at one look. What stat says changes with every way of writing it: in place (times,
    size), by rename or by another target of a symlink (inode, device)."""

    stat: tuple[int, ...]
    content: Content


class Watch:
    """One file, looked at again and again. Symlinks are followed at each look."""

    def __init__(self, path: Path, sha256: str) -> None:
        """`sha256`: of the content that is known already."""
        self._path = path
        self._known = sha256
        self._last: _Look | None = None
        self._at_rest = False
        self._missing_since: float | None = None

    def look(self) -> Content | None:
        """The content, once, when it is another than the one before and at rest."""
        stat = _stat(self._path)
        if self._last is not None and stat == self._last.stat and self._at_rest:
            return None
        fresh = _Look(stat, read(self._path))
        before, self._last = self._last, fresh
        self._at_rest = before == fresh
        if not self._at_rest or self._is_brief(fresh.content):
            return None
        if fresh.content.sha256 == self._known:
            return None
        self._known = fresh.content.sha256
        return fresh.content

    def knows(self, content: Content) -> None:
        """This content was taken by another way: it is no news."""
        self._known = content.sha256

    def _is_brief(self, content: Content) -> bool:
        """Whether the file is away or empty, and not for long yet."""
        if not content.missing:
            self._missing_since = None
            return False
        if self._missing_since is None:
            self._missing_since = time.monotonic()
        brief = time.monotonic() - self._missing_since < GRACE_SECONDS
        self._at_rest = not brief  # look again
        return brief


def read(path: Path) -> Content:
    """What a file says now."""
    try:
        raw = contents(path)
    except FileNotFoundError:
        return Content(b"", "is not there any more")
    except OSError as error:
        return Content(b"", f"cannot be read: {error.strerror}")
    return Content(raw) if raw.strip() else Content(b"", "is empty")


def _stat(path: Path) -> tuple[int, ...]:
    try:
        found = os.stat(path)  # noqa: PTH116 the same for a path of any kind
    except OSError as error:
        return (error.errno or 0,)
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
