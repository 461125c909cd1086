"""The bytes of a TOML file as text and as tables; a file that is no TOML is told where it stops
being any."""

import re
from pathlib import Path
from typing import Any

import tomli

from monitor.problems import ConfigError, shown


def parsed(path: Path, raw: bytes) -> tuple[str, dict[str, Any]]:
    """The text and what it says. Raises ConfigError with the place where it stops being TOML."""
    try:
        text = raw.decode("utf-8-sig")  # some editors begin a file with a byte order mark
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig")
        line, column = before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1
        raise ConfigError([f"{shown(path)}:{line}:{column}: this byte is not UTF-8"]) from None
    try:
        return text, tomli.loads(text)
    except RecursionError:
        raise ConfigError([f"{shown(path)}:1:1: tables or arrays are nested too deeply"]) from None
    except ValueError as error:  # TOMLDecodeError is one; a number of too many digits another
        raise ConfigError([_syntax(path, text, str(error))]) from None


def _syntax(path: Path, text: str, message: str) -> str:
    found = re.search(r"\(at line (\d+), column (\d+)\)", message)
    line, column = (found[1], found[2]) if found else (text.count("\n") + 1, "1")
    # tomli prints the tuple ('a', 'b') for [a.b]
    said = re.sub(r"\((?:'[^']*',? ?)+\)", lambda names: _dotted(names[0]), message)
    said = said.partition(" (at ")[0]
    if said == "Invalid value":
        said += '; texts stand in quotes: kind = "gpu.training"'
    elif said.startswith("Expected newline or end of document after a statement"):
        said += '; texts stand in quotes, also those that begin with a number: threshold = "10%"'
    return f"{shown(path)}:{line}:{column}: not valid TOML: {said}"


def _dotted(names: str) -> str:
    return f"[{'.'.join(names.split(chr(39))[1::2])}]"
