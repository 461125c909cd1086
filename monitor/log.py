"""The log: for eyes on a terminal, one JSON object a line elsewhere. On stderr."""

import contextlib
import io
import logging
import os
import sys
from typing import Any, BinaryIO, TextIO, cast

import structlog
from structlog.tracebacks import ExceptionDictTransformer

STDOUT, STDERR = 1, 2


class Unfailing(io.RawIOBase):
    """A descriptor that takes everything. A full disk or a closed pipe under the log loses lines,
    and nothing else: the service must go on, and what is lost must not be tried again at its end.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int:
        """Write what can be written."""
        rest = memoryview(data)
        with contextlib.suppress(OSError):
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        return len(data)


def unfailing(descriptor: int) -> TextIO:
    """A text stream, unbuffered, that raises nothing for what cannot be written."""
    return io.TextIOWrapper(
        cast(BinaryIO, Unfailing(descriptor)),  # a raw one, as Python itself does with -u
        encoding="utf-8",
        errors="backslashreplace",
        write_through=True,
    )


def configure(level: int = logging.INFO) -> None:
    """Set the log up for this process."""
    # For all that writes there: the log, libraries, and alerts where the terminal is the channel.
    sys.stderr = unfailing(STDERR)
    on_terminal = sys.stderr.isatty()
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(
            exception_formatter=structlog.dev.plain_traceback, pad_event_to=0, pad_level=False
        )
        if on_terminal
        else structlog.processors.JSONRenderer()
    )
    # without local variables: a token may be among them
    tracebacks = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%SZ" if on_terminal else "iso", utc=True),
            *([] if on_terminal else [tracebacks]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries that use logging are heard when something is wrong with them, and not otherwise.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)  # its events are stored as runs
