"""The database in the hands of a command, where no service runs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor.lock import Lock
from monitor.writer import Writer, unwritable

OWN_UMASK = 0o027
"""What is stored is for its owner to write and for its group to read."""


@contextmanager
def holding(database: Path, config: Path) -> Iterator[Writer]:
    """The one writer, under the service's own lock. `config` is told to whoever asks who has it.

    Raises lock.Taken where a service has it, and Refused where the file or its folder cannot be
    written.
    """
    os.umask(OWN_UMASK)
    lock = Lock(database)
    try:
        lock.take(config=str(config))
    except OSError as error:
        raise unwritable(database, error) from error
    try:
        writer = Writer(database)
        try:
            yield writer
        finally:
            writer.close()
    finally:
        lock.release()
