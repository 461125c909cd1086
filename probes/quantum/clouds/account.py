"""Secrets of the clouds: from the environment variables that the clouds' own tools read.

`NAME_FILE` may hold the path of a file instead (systemd credentials, mounted secrets).
"""

import os
from pathlib import Path


class NoAccount(RuntimeError):
    """A secret that a provider needs is not given."""


def secret(name: str, provider: str) -> str:
    """The value of the variable `name`, or what the file at `name`_FILE says, without line ends.

    Raises NoAccount, naming both, where neither says anything.
    """
    found = given(name)
    if not found:
        raise NoAccount(f"{provider} needs an account: set {name}, or {name}_FILE to a file's path")
    return found


def given(name: str) -> str:
    """The value of the variable or of its file; "" where there is none."""
    if value := os.environ.get(name, "").strip():
        return value
    file = os.environ.get(f"{name}_FILE", "").strip()
    if not file:
        return ""
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NoAccount(f"{name}_FILE cannot be read: {error}") from error
