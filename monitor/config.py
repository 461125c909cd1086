"""config.toml as frozen objects. All faults of a file are told in one go (monitor/problems.py)."""

import contextlib
import hashlib
import os
import re
from pathlib import Path
from typing import Any

import tomli
from platformdirs import site_config_path, user_config_path

from monitor.contents import contents, reason
from monitor.parts import Parts, strictly
from monitor.problems import ConfigError, located, shown
from monitor.sections import (
    SCHEDULE,
    SECTIONS,
    Budget,
    Config,
    Monitor,
    ProbeEntry,
    Slack,
)

__all__ = [
    "SCHEDULE",
    "SECTIONS",
    "Budget",
    "Config",
    "Monitor",
    "ProbeEntry",
    "Slack",
    "find",
    "is_there",
    "parse",
    "parsed",
    "places",
    "read",
    "strictly",
]


def find(given: Path | None) -> Path:
    """The config file: `--config`, `QROSSOVER_CONFIG`, ./config.toml, the user's, the system's.

    Raises ConfigError where none of them exists.
    """
    looked = places(given)
    if len(looked) == 1:
        return looked[0]  # what is named is read, or said to be missing
    for place in looked:
        if is_there(place):
            return place
    told = ", ".join(str(place) for place in looked)
    raise ConfigError([f"no config file; looked at {told}. Name one with --config PATH."])


def places(given: Path | None) -> tuple[Path, ...]:
    """Where the config file may be, the first one counts: the one that is named, and no other, or
    the usual ones."""
    named = given or (Path(env) if (env := os.environ.get("QROSSOVER_CONFIG")) else None)
    if named is not None:
        return (named.absolute(),)
    return (
        Path("config.toml").absolute(),
        user_config_path("qrossover") / "config.toml",
        Path("/etc/qrossover/config.toml"),
        site_config_path("qrossover") / "config.toml",
    )


def is_there(place: Path) -> bool:
    """Whether a file is there for us: a folder that may not be entered has none."""
    with contextlib.suppress(OSError):
        return place.is_file()
    return False


def read(path: Path, *, with_token: bool = True) -> Config:
    """Read and validate a config file. Raises ConfigError with every fault of it.

    `with_token`: a token file must be there. Who only reports may not be let at it.
    """
    path = path.absolute()
    try:
        raw = contents(path)
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        raise ConfigError([f"{shown(path)}: cannot be read: {reason(error)}"]) from None
    if not raw.strip():
        # a service takes it for a file that is being written, never for one that watches nothing
        raise ConfigError([f"{shown(path)} is empty"])
    return parse(path, raw, with_token=with_token)


def parse(
    path: Path, raw: bytes, *, with_token: bool = True, before: Config | None = None
) -> Config:
    """Validate what a config file says, or would say. Raises ConfigError with every fault of it.

    `before`: a valid config of the same path. Tables that are as they are there are not validated
    again: of 10,000 triggers one was edited.
    """
    text, document = parsed(path, raw)
    parts = Parts(document, path.parent, with_token=with_token, before=before)
    config = parts.config(path, hashlib.sha256(raw).hexdigest(), text)
    if parts.problems:
        raise located(path, text, parts.problems)
    return config


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
