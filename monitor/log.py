"""The log: for eyes on a terminal, one JSON object a line elsewhere. On stderr."""

import logging
import sys

import structlog


def configure(level: int = logging.INFO) -> None:
    """Set the log up for this process."""
    on_terminal = sys.stderr.isatty()
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if on_terminal
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(
                fmt="%H:%M:%S" if on_terminal else "iso", utc=not on_terminal
            ),
            *([] if on_terminal else [structlog.processors.dict_tracebacks]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries that use logging are heard when something is wrong with them, and not otherwise.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)  # its events are stored as runs
