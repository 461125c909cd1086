"""What a SIGHUP means: load the config again, or end, since the terminal is gone."""

import os
import signal

TERMINAL = "/dev/tty"
"""The controlling terminal of whoever opens it; ENXIO where there is none (tty(4))."""


class Hangup:
    """Made at a start, it knows later whether the terminal of that start has closed.

    The kernel takes the controlling terminal away from every process of its session before it, or
    the shell, sends SIGHUP to any of them (`__tty_hangup` in drivers/tty/tty_io.c). So a process
    that had one and has none any more is meant to end; one that still has it, or never had one
    (systemd, a container), is asked to load its config. Under nohup a terminal means nothing.
    """

    def __init__(self) -> None:
        ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        self._had_terminal = has_terminal() and not ignored

    def means_end(self) -> bool:
        """Whether a SIGHUP of this moment says that the terminal has closed."""
        return self._had_terminal and not has_terminal()


def has_terminal() -> bool:
    """Whether this process has a controlling terminal."""
    try:
        os.close(os.open(TERMINAL, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return False
    return True
