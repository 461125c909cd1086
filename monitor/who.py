"""Who types a command: for the history of the config, and for what Slack is told."""

import contextlib
import getpass
import os
import socket


def user() -> str:
    """The person as "ada@host": whoever called sudo or logged in, else the process's own user."""
    return f"{name()}@{socket.gethostname()}"


def name() -> str:
    """That person's name alone."""
    if caller := os.environ.get("SUDO_USER"):
        return caller
    if os.geteuid() == 0:  # by `su`, or a root shell: who came in knows better than "root"
        with contextlib.suppress(OSError):
            return os.getlogin()
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user has no entry in its passwd file
        return f"uid-{os.getuid()}"
