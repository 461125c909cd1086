"""What a config file says, read so that no kind of file can hold up its reader."""

import errno
import os
import stat
from pathlib import Path

MOST_BYTES = 16 << 20
"""The largest config: several times one of 10,000 triggers, and few enough bytes for a service
to read and to keep in its history."""


def contents(path: Path) -> bytes:
    """The bytes of a regular file. Raises OSError, with a reason in plain words for what is none
    (to open a FIFO waits for a writer, a device may never end) or is too large."""
    # without O_NONBLOCK the opening itself waits; for a regular file it means nothing
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        raw = file.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise OSError(errno.EFBIG, f"it is larger than {MOST_BYTES >> 20} MiB", str(path))
    return raw


def reason(error: Exception) -> str:
    """Why a file cannot be read, without the number and the path that Python adds."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
